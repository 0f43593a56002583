"""SAS figures of P, S, beta and sizes: curves are those of the functions in js.sas."""

import dataclasses

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import DataError, ModelError

Q = np.geomspace(0.006, 0.25, 24)
PARS = {
    "radius": 45.0,
    "radius_pd": 0.12,
    "radius_pd_type": "lognormal",
    "radius_pd_n": 12,
    "radius_pd_nsigma": 5,
    "volfraction": 0.2,
    "structure_factor_mode": 1,
    "background": 0.02,
}


@pytest.fixture(scope="module")
def fit(made):
    """A result as a fit of exact data leaves it."""
    smear = js.sas.pinhole(Q, 0.1 * Q)
    curve = np.asarray(
        js.sas.intensity("sphere@hardsphere", Q, resolution=smear, **PARS)
    )
    data = js.sas.from_arrays(Q, curve, 0.02 * curve + 0.01, dq=0.1 * Q)
    problem = js.sas.problem(data, "sphere@hardsphere", **PARS)
    record = {
        "y": np.asarray(data.y),
        "sigma": np.asarray(data.sigma),
        "mask": np.asarray(data.mask) > 0,
        "fit": curve[None],
        "coords": {k: np.asarray(v) for k, v in data.coords.items()},
        "dims": dict(data.dims),
        "units": dict(data.units),
        "metadata": dict(data.metadata),
    }
    return dataclasses.replace(
        made.fit_result([record]),
        x=np.asarray(problem.start()),
        labels=problem.parameters.labels,
        problem=problem,
    )


def lines(ax):
    return {
        line.get_label(): line.get_xydata()
        for line in ax.lines
        if not line.get_label().startswith("_")
    }


def known_parts(q):
    return js.sas.intermediates("sphere@hardsphere", q, **PARS)


def test_the_parts_are_those_of_intermediates(fit, made, tmp_path):
    path = tmp_path / "parts.png"
    top, below = fit.plot(view="parts", path=path).axes
    assert made.is_png(path)
    upper, lower = lines(top), lines(below)
    q = upper["P"][:, 0]
    np.testing.assert_allclose(q[[0, -1]], Q[[0, -1]])
    known = known_parts(q)
    np.testing.assert_allclose(upper["P"][:, 1], known["P(Q)"], rtol=1e-6)
    for label, name in (("S", "S(Q)"), ("S$_{eff}$", "S_eff(Q)"), ("β", "beta(Q)")):
        np.testing.assert_allclose(lower[label][:, 1], known[name], rtol=1e-8)
    np.testing.assert_allclose(
        upper["I − background"][:, 1], known["P(Q)"] * known["S_eff(Q)"], rtol=1e-6
    )
    assert "data − background" not in upper  # the data are smeared, the parts are not
    assert top.get_ylabel() == "I(Q), P(Q) [1/cm]"
    radius = float(known["radius_effective"])
    assert f"{radius:.4g} Å" in below.get_title("left")


def test_the_model_before_smearing_is_that_of_intensity(fit):
    top = fit.plot(unsmeared=True).axes[0]
    found = lines(top)["before smearing"]
    known = js.sas.intensity("sphere@hardsphere", found[:, 0], **PARS)
    np.testing.assert_allclose(found[:, 1], known, rtol=1e-6)


def test_a_size_distribution_has_area_one_about_its_parameter(fit, made, tmp_path):
    path = tmp_path / "sizes.png"
    (ax,) = fit.plot(view="sizes", path=path).axes
    assert made.is_png(path)
    x, y = ax.lines[0].get_xydata().T
    middle = float(ax.lines[1].get_xdata()[0])
    assert middle == pytest.approx(PARS["radius"])
    np.testing.assert_allclose(np.trapezoid(y, x), 1.0, rtol=5e-3)
    # the median of a lognormal distribution is its parameter
    np.testing.assert_allclose(
        np.trapezoid(np.where(x < middle, y, 0), x), 0.5, atol=0.02
    )
    assert ax.get_xlabel() == "radius [Å]"
    assert ax.get_ylabel() == "number density [1/Å]"
    assert ax.get_title() == "lognormal, radius_pd = 0.12"


def test_a_posterior_has_bands_and_a_median(fit, made):
    draws = {n: PARS[n] + np.linspace(-1, 1, 21)[None] * s for n, s in SPREAD.items()}
    sample = dataclasses.replace(
        made.sample_result(draws), data=fit.data, problem=fit.problem
    )
    top, below = sample.plot(view="parts", n_draws=5).axes
    assert len(top.collections) == 2 and len(below.collections) == 3
    q = lines(below)["S"][:, 0]
    middle = known_parts(q)["S(Q)"]
    # the middle of the curves is nearly the curve of the middle
    np.testing.assert_allclose(lines(below)["S"][:, 1], middle, rtol=5e-3)
    (ax,) = sample.plot(view="sizes", n_draws=5).axes
    edges = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.max() > ax.lines[0].get_ydata().max()


SPREAD = {"radius": 2.0, "volfraction": 0.01}


def test_a_model_without_interactions_or_sizes_has_no_such_figure(fit, made):
    problem = js.sas.problem(
        js.sas.from_arrays(Q, np.ones_like(Q), np.ones_like(Q)), "sphere"
    )
    alone = dataclasses.replace(fit, problem=problem)
    with pytest.raises(ModelError, match="no P@S"):
        alone.plot(view="parts")
    with pytest.raises(ModelError, match="no size has a distribution"):
        alone.plot(view="sizes")
    with pytest.raises(DataError, match="has 1 data sets"):
        fit.plot(view="parts", part=1)
    loaded = dataclasses.replace(fit, problem=None)
    with pytest.raises(ModelError, match=r"call result\.bind"):
        loaded.plot(view="parts")


def free_form(made, sampled):
    """A result of a distribution on nine radii: ln x is a parabola."""
    record = {
        "y": np.ones((1, 24)),
        "sigma": np.ones((1, 24)),
        "mask": np.ones((1, 24), bool),
        "fit": np.ones((1, 24)),
        "coords": {
            "q": Q,
            "radius": np.geomspace(30.0, 120.0, 9),
            "kernel": np.ones((24, 9)),
        },
        "dims": {"q": ("point",)},
        "units": {"q": "1/Å", "y": "1/cm"},
        "metadata": {"weights": "dI", "resolution": "none"},
    }
    values = {"level": -5.0, "slope": 1.75, "roughness": 0.5}
    values |= {f"z{k}": -1.0 for k in range(1, 8)}
    if not sampled:
        table = {"name": np.array(list(values)), "value": np.array([*values.values()])}
        return dataclasses.replace(made.fit_result([record]), parameters=table)
    held = {"roughness": values.pop("roughness")}
    draws = {n: np.full((1, 11), v) for n, v in values.items()}
    draws["level"] = draws["level"] + np.linspace(-0.1, 0.1, 11)
    return dataclasses.replace(made.sample_result(draws), data=[record], held=held)


@pytest.mark.parametrize("sampled", [False, True])
def test_a_free_form_distribution_is_drawn_by_volume(made, sampled):
    (ax,) = free_form(made, sampled).plot(view="sizes").axes
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(x, np.geomspace(30.0, 120.0, 9))
    k = np.arange(-4, 5)
    # second differences of -½, the first step 7/4: -k²/4, and ln x has the mean -5
    log_x = -5.0 - 0.25 * (k**2 - np.mean(k**2))
    np.testing.assert_allclose(y, np.exp(log_x) / np.log(x[1] / x[0]), rtol=1e-6)
    assert ax.get_xscale() == "log" and ax.get_ylabel() == "dφ/d ln r"
    assert len(ax.collections) == int(sampled)
