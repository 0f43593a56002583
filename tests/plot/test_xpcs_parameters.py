"""J(t), shear rate, contrast, offset and χ² of results, against their definitions."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import plot, xpcs
from jaxscatter.errors import DataError, ModelError
from jaxscatter.plot.xpcs_parameters import rate_curves

N, DT, Q = 20, 0.2, 0.0054
PHI = np.array([-40.0, 20.0, 80.0])
THETA = {
    "D0": 2e4,
    "alpha": -0.3,
    "D_offset": 2e3,
    "gamma_dot_t0": 3e-4,
    "beta": 0.2,
    "gamma_dot_t_offset": 0.0,
    "phi0": 4.0,
}


def made_data(sigma=0.01):
    t = DT * np.arange(N)
    clean = np.asarray(xpcs.c2(THETA, t, jnp.asarray(PHI), q=Q, h=2e6, contrast=0.3))
    noise = np.triu(0.01 * np.random.default_rng(8).normal(size=clean.shape), 1)
    c2 = clean + noise + np.swapaxes(noise, 1, 2)
    return xpcs.from_matrices(c2, PHI, q=Q, t=t, sigma=sigma)


@pytest.fixture(scope="module")
def flow():
    """A fit with the two constant rates held, so that it is well determined."""
    held = {"D_offset": 2e3, "gamma_dot_t_offset": 0.0}
    return js.fit(xpcs.problem(made_data(), "laminar_flow", fixed=held), warn=False)


def test_bands_of_a_fit_are_first_order_errors(flow):
    rates = rate_curves(flow)
    assert list(rates) == ["transport", "shear"]
    v = flow.values
    t = rates["transport"].t
    np.testing.assert_allclose(t, DT * np.arange(N))
    j = xpcs.transport_coefficient(t, v["D0"], v["alpha"], v["D_offset"], DT)
    np.testing.assert_allclose(rates["transport"].middle, j, rtol=1e-12)
    for k in (0, 1, 15):
        time = max(t[k], DT / 2)
        for kind, names in (
            ("transport", ("D0", "alpha", "D_offset")),
            ("shear", ("gamma_dot_t0", "beta", "gamma_dot_t_offset")),
        ):
            value, error = flow.derive(
                "rate", lambda p, n=names, s=time: p[n[0]] * s ** p[n[1]] + p[n[2]]
            )
            r = rates[kind]
            np.testing.assert_allclose(r.middle[k], value, rtol=1e-10)
            np.testing.assert_allclose(r.high[k] - value, 1.96 * error, rtol=1e-6)
            np.testing.assert_allclose(value - r.low[k], 1.96 * error, rtol=1e-6)


def test_a_fit_without_its_problem_has_the_same_bands(flow):
    alone = dataclasses.replace(flow, problem=None)
    for kind, rate in rate_curves(flow).items():
        np.testing.assert_allclose(rate_curves(alone)[kind], rate, rtol=1e-12)


def test_rates_need_no_data_where_the_model_is_there(flow):
    """As of data that were streamed from a file."""
    streamed = dataclasses.replace(flow, data=[{"sha256": "0", "shape": (3, 190)}])
    for kind, rate in rate_curves(flow).items():
        np.testing.assert_array_equal(rate_curves(streamed)[kind], rate)
    assert len(streamed.plot(view="rates").axes) == 2
    with pytest.raises(DataError, match="only checksums"):
        streamed.plot(view="maps")
    with pytest.raises(DataError, match="only checksums"):
        streamed.plot()


def test_bands_end_at_the_floor_of_the_rates(flow):
    wide = dataclasses.replace(flow, cov=1e8 * flow.cov)
    assert rate_curves(wide)["shear"].low.min() == 1e-10


def test_bands_of_a_sample_are_those_of_its_draws(made, flow):
    rng = np.random.default_rng(2)
    draws = {
        "D0": rng.normal(2e4, 1e3, (2, 100)),
        "alpha": rng.normal(-0.3, 0.02, (2, 100)),
    }
    sample = made.sample_result(draws, {"D0": "Å²/s", "alpha": ""})
    sample.held = {"D_offset": 2e3}
    sample.data = flow.data
    name = "static_isotropic (pnas, rate=power)"
    sample.provenance = sample.provenance | {"model": name}
    (rate,) = rate_curves(sample).values()
    t = np.maximum(DT * np.arange(N), DT / 2)
    each = np.ravel(draws["D0"])[:, None] * t ** np.ravel(draws["alpha"])[:, None] + 2e3
    low, middle, high = np.quantile(each, [0.025, 0.5, 0.975], axis=0)
    np.testing.assert_allclose(rate.low, low, rtol=1e-10)
    np.testing.assert_allclose(rate.middle, middle, rtol=1e-10)
    np.testing.assert_allclose(rate.high, high, rtol=1e-10)
    few = rate_curves(sample, n_draws=2)["transport"]
    assert np.all(few.high - few.low <= np.ptp(each, axis=0))
    sample.held = {}
    with pytest.raises(ModelError, match=r"hold \['D_offset'\]; call result.bind"):
        rate_curves(sample)
    (ax,) = plot.plot_rates(dataclasses.replace(sample, held={"D_offset": 2e3})).axes
    assert ax.get_legend().get_texts()[1].get_text() == "median"


def test_the_figure_of_rates_has_units_and_a_panel_per_rate(made, flow, tmp_path):
    path = tmp_path / "rates.png"
    fig = plot.plot_rates(flow, path)
    assert made.is_png(path)
    top, bottom = fig.axes
    assert top.get_ylabel() == "J(t) [Å²/s]"
    assert bottom.get_ylabel() == "γ̇(t) [1/s]" and bottom.get_xlabel() == "t [s]"
    rates = rate_curves(flow)
    for ax, rate in zip(fig.axes, rates.values(), strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), rate.middle)
        area = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert area.max() == rate.high.max() and area.min() == rate.low.min()
    assert len(flow.plot(view="rates").axes) == 2


def test_other_models_have_no_rates(made, flow):
    other = made.fit_result(flow.data)
    with pytest.raises(ModelError, match="has no transport coefficient"):
        plot.plot_rates(other)


def test_every_angle_has_contrast_offset_and_chi2(made, flow, tmp_path):
    path = tmp_path / "angles.png"
    fig = plot.plot_angles(flow, path)
    assert made.is_png(path)
    contrast, offset, last = fig.axes
    for ax, name in ((contrast, "contrast"), (offset, "offset")):
        assert ax.get_ylabel() == name
        x, y = ax.containers[0].lines[0].get_xydata().T
        known = [flow.amplitude_values[f"{name}[{g}]"] for g in range(3)]
        np.testing.assert_array_equal(x, PHI)
        np.testing.assert_array_equal(y, known)
        (stems,) = ax.containers[0].lines[2]
        half = [np.ptp(s[:, 1]) / 2 for s in stems.get_segments()]
        rows = [list(flow.linear["label"]).index(f"{name}[{g}]") for g in range(3)]
        np.testing.assert_allclose(half, flow.linear["stderr"][rows], rtol=1e-9)
    assert last.get_xlabel() == "φ [degree]" and last.get_ylabel() == "reduced χ²"
    d = flow.data[0]
    chi2 = np.sum(((d["y"] - d["fit"]) / d["sigma"]) ** 2, axis=1)
    # 5 parameters and 6 amplitudes, shared out among three angles of 190 points
    freedom = 190 - (5 + 6) / 3
    np.testing.assert_allclose(last.lines[-1].get_ydata(), chi2 / freedom, rtol=1e-10)
    band = last.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose(band.max(), 1 + 1.96 * np.sqrt(2 / freedom))
    np.testing.assert_allclose(chi2.sum() / (3 * freedom), flow.statistics["red_chi2"])


def test_without_errors_chi2_is_relative_to_its_mean(flow):
    d = flow.data[0]
    half = dict(d, sigma=np.full_like(d["sigma"], 0.5))
    red = flow.statistics["red_chi2"] * (0.01 / 0.5) ** 2
    unknown = dataclasses.replace(
        flow, scaled=True, data=[half], statistics=flow.statistics | {"red_chi2": red}
    )
    last = plot.plot_angles(unknown).axes[-1]
    assert last.get_ylabel() == "χ² / mean χ²"
    np.testing.assert_allclose(np.mean(last.lines[-1].get_ydata()), 1.0, rtol=1e-10)


def test_scaling_that_a_result_does_not_name_is_left_out(made, flow):
    """As with a contrast that is a Fourier series in the angle, or is fixed."""
    other = made.fit_result(flow.data)
    other.statistics, other.parameters = flow.statistics, flow.parameters
    assert len(plot.plot_angles(other).axes) == 1
    other.linear = {
        "label": np.array(["contrast"]),
        "value": np.array([0.3]),
        "stderr": np.array([np.nan]),
    }
    contrast, _ = plot.plot_angles(other).axes
    np.testing.assert_array_equal(
        contrast.containers[0].lines[0].get_ydata(), [0.3, 0.3, 0.3]
    )
    with pytest.raises(DataError, match="plot_angles needs a result"):
        plot.plot_angles(made_data())


def test_a_joint_result_with_other_data_has_no_view_of_two_times():
    from types import SimpleNamespace

    from jaxscatter.plot.xpcs_parameters import is_two_time

    def result(*techniques):
        data = [{"metadata": {"technique": t}} for t in techniques]
        return SimpleNamespace(data=data, provenance={})

    assert is_two_time(result("xpcs", "xpcs"))
    assert not is_two_time(result("xpcs", "sas"))
