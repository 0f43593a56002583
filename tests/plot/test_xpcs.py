"""XPCS figures of hand-made data: what is drawn where, units, selection of angles."""

import numpy as np
import pytest

from jaxscatter import plot
from jaxscatter.errors import DataError, ModelError
from jaxscatter.xpcs import age_cuts, from_matrices, to_matrices

N, DT = 24, 0.5
RNG = np.random.default_rng(4)


def dataset(angles=3, sigma=0.02):
    t = DT * np.arange(N)
    lag = np.abs(t[:, None] - t[None])
    clean = 1.0 + 0.3 * np.exp(-lag / 3.0)
    noise = np.triu(0.02 * RNG.normal(size=(angles, N, N)), 1)
    c2 = clean + noise + np.swapaxes(noise, 1, 2)
    phi = np.linspace(-60.0, 60.0, angles)
    return from_matrices(c2, phi, q=0.01, dt=DT, sigma=sigma)


def fitted(made, angles=3, sigma=0.02, **options):
    """(dataset, a fit of it whose curve is the truth)."""
    d = dataset(angles, sigma)
    lag = DT * (d.coords["late"] - d.coords["early"])
    record = {
        "y": d.y,
        "sigma": d.sigma,
        "mask": d.mask > 0,
        "fit": np.tile(1.0 + 0.3 * np.exp(-lag / 3.0), (angles, 1)),
        "coords": d.coords,
        "dims": dict(d.dims),
        "units": dict(d.units),
        "metadata": d.metadata,
    }
    return d, made.fit_result([record], **options)


def shown(ax):
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_maps_are_the_symmetric_matrices_against_times_in_seconds(made, tmp_path):
    d = dataset()
    path = tmp_path / "maps.png"
    fig = plot.plot_c2_maps(d, path)
    assert made.is_png(path)
    *axes, bar = made.visible(fig)
    known = to_matrices(d, d.y)
    for ax, c2, phi in zip(axes, known, d.coords["phi"], strict=True):
        np.testing.assert_array_equal(shown(ax), c2.T)
        edges = (-DT / 2, (N - 0.5) * DT)
        assert ax.images[0].get_extent() == [*edges, *edges]
        assert ax.get_title() == f"φ = {phi:.4g}°"
        assert ax.get_xlabel() == "t₁ [s]"
    assert axes[0].get_ylabel() == "t₂ [s]"
    assert bar.get_ylabel() == "c₂"
    low, high = axes[0].images[0].get_clim()
    assert np.nanmin(known) < low < high < np.nanmax(known)


def test_of_many_angles_some_are_shown_and_the_title_says_so(made):
    d = dataset(9)
    fig = plot.plot_c2_maps(d, max_angles=4)
    titles = [ax.get_title() for ax in made.visible(fig)[:-1]]
    assert titles == ["φ = -60°", "φ = -15°", "φ = 15°", "φ = 60°"]
    assert "4 of 9 angles" in fig.get_suptitle()
    own = plot.plot_c2_maps(d, angles=[8, 1])
    assert [ax.get_title() for ax in made.visible(own)[:-1]] == ["φ = 60°", "φ = -45°"]
    assert plot.plot_c2_maps(d, max_angles=9).get_suptitle() == ""
    for wrong in ([9], [-1], []):
        with pytest.raises(DataError, match="expected positions below 9"):
            plot.plot_c2_maps(d, angles=wrong)


def test_several_q_are_told_apart():
    d = dataset(2)
    d = d.with_coords({"q": np.array([0.01, 0.02])}, {"q": ("group",)})
    fig = plot.plot_c2_maps(d)
    assert fig.axes[1].get_title() == "φ = 60°, q = 0.02 1/Å"


def test_points_that_do_not_count_are_left_empty():
    d = dataset(1)
    record = {
        "y": d.y,
        "mask": d.mask > 0,
        "coords": d.coords,
        "dims": dict(d.dims),
        "metadata": {},
    }
    record["mask"] = record["mask"].copy()
    record["mask"][0, 5] = False
    a, b = int(d.coords["early"][5]), int(d.coords["late"][5])
    c2 = shown(plot.plot_c2_maps(record).axes[0])
    assert np.isnan(c2[a, b]) and np.isnan(c2[b, a])
    assert np.isnan(c2).sum() == N + 2


@pytest.mark.parametrize("scaled", [False, True])
def test_fits_have_data_curve_and_scaled_residuals(made, tmp_path, scaled):
    d, fit = fitted(made, scaled=scaled, red_chi2=4.0)
    path = tmp_path / "fit.png"
    fig = plot.plot_c2_fit(fit, path)
    assert made.is_png(path)
    axes = np.reshape(fig.axes[:9], (3, 3))
    curve = fit.data[0]["fit"]
    sigma = 2.0 * d.sigma if scaled else d.sigma
    parts = d.y, curve, (d.y - curve) / sigma
    for line, *values in zip(
        axes, *(to_matrices(d, v) for v in parts), d.coords["phi"], strict=True
    ):
        for ax, v, name in zip(
            line, values[:3], ("data", "fit", "residual"), strict=True
        ):
            np.testing.assert_allclose(shown(ax), v.T)
            assert ax.get_title() == f"{name}, φ = {values[3]:.4g}°"
    low, high = axes[0, 2].images[0].get_clim()
    assert low == -high and high >= 3.0
    assert axes[0, 0].images[0].get_clim() == axes[2, 1].images[0].get_clim()
    assert [ax.get_xlabel() for ax in fig.axes[9:]] == ["c₂", "residual [σ]"]
    assert fig.get_suptitle().startswith("rotor_\\$x\\$ · trf")
    some = plot.plot_c2_fit(fit, max_angles=1)
    assert len(some.axes) == 3 + 2 and "1 of 3 angles" in some.get_suptitle()


@pytest.mark.parametrize("scaled", [False, True])
def test_cuts_have_points_with_errors_and_the_fit_over_the_same_pairs(
    made, tmp_path, scaled
):
    d, fit = fitted(made, sigma=None if scaled else 0.02, scaled=scaled, red_chi2=4e-4)
    ages = np.array([3.0, 8.0])
    path = tmp_path / "cuts.png"
    fig = plot.plot_age_cuts(fit, path, ages=ages, width=2.0)
    assert made.is_png(path)
    errors = "pooled" if scaled else "given"
    known = age_cuts(d, ages, width=2.0, errors=errors)
    for g, ax in enumerate(fig.axes):
        assert ax.get_xscale() == "log" and ax.get_xlabel() == "τ [s]"
        for k, bars in enumerate(ax.containers):
            own = 2 * g + k
            seen = known.mask[own] > 0
            x, y = bars.lines[0].get_xydata().T
            np.testing.assert_allclose(x, known.coords["tau"][seen])
            np.testing.assert_allclose(y, known.y[own][seen])
            (stems,) = bars.lines[2]
            half = [np.ptp(s[:, 1]) / 2 for s in stems.get_segments()]
            np.testing.assert_allclose(half, known.sigma[own][seen], rtol=1e-9)
        curves = [line for line in ax.lines if line.get_linestyle() == "-"]
        assert len(curves) == 2
        x, y = curves[0].get_xydata().T
        np.testing.assert_allclose(y, 1.0 + 0.3 * np.exp(-x / 3.0), rtol=1e-12)
    assert fig.axes[0].get_ylabel() == "c₂"
    labels = [t.get_text() for t in fig.axes[0].get_legend().get_texts()]
    assert labels == ["age 3 s", "age 8 s"]


def test_cuts_of_data_alone_have_no_curve_and_a_width_of_their_own():
    d = dataset(1)
    fig = plot.plot_age_cuts(d, ages=2)
    (ax,) = fig.axes
    assert len(ax.containers) == 2
    assert not [line for line in ax.lines if line.get_linestyle() == "-"]
    known = age_cuts(d, 2, width=0.1 * (N - 1) * DT, errors="given")
    np.testing.assert_allclose(
        ax.containers[0].lines[0].get_ydata(), known.y[0][known.mask[0] > 0]
    )


def test_of_many_lags_some_have_a_point():
    n = 150
    c2 = np.ones((1, n, n)) + 0.1 * RNG.normal(size=(1, n, n))
    c2 = 0.5 * (c2 + np.swapaxes(c2, 1, 2))
    d = from_matrices(c2, np.zeros(1), q=0.01, dt=1.0, sigma=0.1)
    (ax,) = plot.plot_age_cuts(d, ages=1, width=200.0).axes
    tau = ax.containers[0].lines[0].get_xdata()
    assert tau[0] == 1.0 and tau[-1] == n - 1 and 20 < tau.size <= 40


def test_results_of_two_time_data_draw_what_is_asked_for(made):
    d, fit = fitted(made)
    assert len(fit.plot().axes) == 9 + 2
    assert len(fit.plot(view="maps").axes) == 3 + 1
    assert len(fit.plot(view="cuts", ages=2).axes) == 3
    with pytest.raises(ModelError, match=r"view is 'map'; this result has .*'maps'"):
        fit.plot(view="map")
    with pytest.raises(ModelError, match=r"this result has \[\]"):
        made.fit_result().plot(view="maps")
    assert len(made.fit_result().plot().axes) == 6
    with pytest.raises(DataError, match="no fitted c2"):
        plot.plot_c2_fit(d)


def test_data_of_another_kind_are_refused(made):
    with pytest.raises(DataError, match="no two-time data"):
        plot.plot_c2_maps(made.fit_result())
    _, fit = fitted(made)
    fit.data = [{k: v for k, v in fit.data[0].items() if k != "y"}]
    with pytest.raises(DataError, match="only checksums"):
        plot.plot_c2_maps(fit)
