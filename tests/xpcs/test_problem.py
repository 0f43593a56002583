"""Fits of stored simulations, start values, refusals."""

import pathlib
import re

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import DataError, ModelError, ParameterError

DATA = pathlib.Path(__file__).parent.parent / "data/xpcs"


@pytest.fixture(scope="module")
def simulated(reference):
    """(problem, what is stored of its fits and truth) of a stored simulation."""

    def make(name, **options):
        known = reference(f"xpcs/{name}.json")
        with np.load(DATA / f"{name}.npz") as a:
            data = xpcs.from_matrices(
                a["c2_exp"],
                a["phi_deg"],
                q=float(a["q"]),
                t=a["t"],
                sigma=float(a["sigma"]),
            )
            h = float(a["h"])
        built = xpcs.problem(
            data, known["mode"], h=h, convention="homodyne_v2", **options
        )
        return built, known

    return make


def labelled(values):
    """Values with contrast[0] spelt contrast_0."""
    return {re.sub(r"\[(\d+)\]", r"_\1", k): v for k, v in values.items()}


@pytest.mark.peer
@pytest.mark.parametrize("name", ["fit_static_a", "fit_laminar_a"])
def test_fits_from_the_default_start_are_those_of_scipy(simulated, name):
    problem, known = simulated(name)
    fit = js.fit(problem, warn=False)
    stored = known["fits"]["individual"]
    got = labelled(fit.values | fit.amplitude_values)
    errors = labelled(
        dict(zip(fit.linear["label"], fit.linear["stderr"], strict=True))
        | {n: fit.error(n) for n in fit.values}
    )
    assert fit.success
    np.testing.assert_allclose(fit.statistics["chi2"], stored["chi2"], rtol=1e-6)
    for n, x, sigma in zip(
        stored["param_names"], stored["x"], stored["sigma"], strict=True
    ):
        assert abs(got[n] - x) < 0.02 * sigma, n
        np.testing.assert_allclose(errors[n], sigma, rtol=1e-2)
    for n, truth in known["truth"].items():
        assert abs(got[n] - truth) < 4 * errors[n], n


@pytest.mark.slow
def test_scaling_as_parameters_ends_where_the_projection_ends(simulated):
    projected, _ = simulated("fit_static_a")
    individual, _ = simulated("fit_static_a", scaling="individual")
    assert individual.n_parameters == projected.n_parameters + 6
    a, b = js.fit(projected, warn=False), js.fit(individual, warn=False)
    np.testing.assert_allclose(a.statistics["chi2"], b.statistics["chi2"], rtol=1e-9)
    for n in ("D0", "alpha", "D_offset"):
        assert abs(a.values[n] - b.values[n]) < 1e-3 * a.error(n)
        np.testing.assert_allclose(a.error(n), b.error(n), rtol=1e-3)


@pytest.mark.slow
def test_passes_may_free_parameters_one_after_another(simulated):
    """D0 alone, then its exponent too, then all: each starts where the last ended."""
    problem, _ = simulated("fit_static_a", active=["D0"])
    one = js.fit(problem, warn=False)
    assert list(one.values) and one.values["alpha"] == 0.0
    two, _ = simulated("fit_static_a", active=["D0", "alpha"], values=one.values)
    three, known = simulated("fit_static_a", values=js.fit(two, warn=False).values)
    best = js.fit(three, warn=False)
    np.testing.assert_allclose(
        best.statistics["chi2"], known["fits"]["individual"]["chi2"], rtol=1e-6
    )


def test_the_scan_finds_the_size_of_the_rates(simulated):
    problem, known = simulated("fit_laminar_a")
    start = dict(zip(problem.parameters.labels, problem.start(), strict=True))
    assert 0.1 < start["gamma_dot_t0"] / known["truth"]["gamma_dot_t0"] < 10
    given, _ = simulated("fit_laminar_a", values={"D0": 321.0})
    assert float(given.parameters["D0"].value) == 321.0


def test_models_have_their_tables():
    tables = xpcs.models()
    assert list(tables) == ["static_isotropic", "laminar_flow"]
    assert tables["laminar_flow"].names[-1] == "phi0"


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"model": "laminer_flow"}, ModelError, "did you mean 'laminar_flow'"),
        ({"convention": "v2"}, ModelError, "convention is 'v2'"),
        ({"rate": "exp"}, ModelError, "rate is 'exp'"),
        ({"floor": "hard"}, ModelError, "floor is 'hard'"),
        ({"integration": "simpson"}, ModelError, "integration is 'simpson'"),
        ({"scaling": "each"}, ModelError, "scaling is 'each'"),
        ({"h": 0.0}, ParameterError, "h must be positive"),
        ({"values": {"D0": 1.0}}, ParameterError, "outside its bounds"),
        ({"fixed": {"D0": -1.0}}, ParameterError, "D0 = -1 must be positive"),
        ({"active": ["D0"], "fixed": {"D0": 1e3}}, ParameterError, "both active"),
    ],
)
def test_what_does_not_exist_or_fit_is_named(changes, error, text):
    data = xpcs.from_matrices(np.ones((1, 4, 4)), np.zeros(1), q=0.01, dt=0.1)
    options = dict(changes)
    with pytest.raises(error, match=text):
        xpcs.problem(data, options.pop("model", "laminar_flow"), **options)


def test_data_of_another_kind_are_refused():
    with pytest.raises(DataError, match="no coordinate 'early'"):
        xpcs.problem(js.Dataset(np.ones((1, 5))))
