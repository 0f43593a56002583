"""SAS figures of I(q): what is drawn where, on logarithmic axes, of one set or many."""

import numpy as np
import pytest

from jaxscatter import plot
from jaxscatter.errors import DataError, ModelError
from jaxscatter.plot.sas import wrapped
from jaxscatter.sas import from_arrays

RNG = np.random.default_rng(6)


def record(q=None, name="", level=1.0, **changes):
    """A data set as results hold it, with the exact curve as its fit."""
    q = np.geomspace(0.005, 0.3, 40) if q is None else q
    fit = level / (1 + (50 * q) ** 4)
    sigma = 0.03 * fit + 2e-3 * level
    base = {
        "y": (fit + sigma * RNG.normal(size=q.size))[None],
        "sigma": sigma[None],
        "mask": np.ones((1, q.size), bool),
        "fit": fit[None],
        "coords": {"q": q},
        "dims": {"q": ("point",)},
        "units": {"q": "1/Å", "y": "1/cm"},
        "metadata": {"weights": "dI", "resolution": "none", "title": "micelles"},
    }
    return base | ({"name": name} if name else {}) | changes


def points(ax, k=0):
    """Points with error bars of the k-th data set, and the ends of the bars."""
    bars = ax.containers[k]
    (stems,) = bars.lines[2]
    return bars.lines[0].get_xydata(), np.array([s[:, 1] for s in stems.get_segments()])


def curves(ax, style="-"):
    return [
        line.get_xydata()
        for line in ax.lines
        if line.get_linestyle() == style and len(line.get_xydata()) > 2
    ]


def labels(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


@pytest.mark.parametrize("scaled", [False, True])
def test_a_fit_has_data_with_errors_the_curve_and_residuals(made, tmp_path, scaled):
    d = record()
    d["mask"][0, 7] = False
    d["y"][0, 5:] = np.abs(d["y"][0, 5:]) + 0.01
    result = made.fit_result([d], scaled=scaled, red_chi2=4.0)
    path = tmp_path / "fit.png"
    fig = result.plot(path=path)
    assert made.is_png(path)
    top, strip = fig.axes
    assert top.get_xscale() == top.get_yscale() == "log"
    assert top.get_ylabel() == "I(Q) [1/cm]" and strip.get_xlabel() == "Q [1/Å]"
    keep = d["mask"][0]
    xy, ends = points(top)
    np.testing.assert_array_equal(xy[:, 0], d["coords"]["q"][keep])
    np.testing.assert_array_equal(xy[:, 1], d["y"][0][keep])
    sigma = (2.0 if scaled else 1.0) * d["sigma"][0][keep]
    np.testing.assert_allclose(ends[:, 1], xy[:, 1] + sigma)
    (line,) = curves(top)
    np.testing.assert_array_equal(line[:, 1], d["fit"][0][keep])
    residual = (d["y"] - d["fit"])[0][keep] / sigma
    np.testing.assert_allclose(strip.lines[-1].get_ydata(), residual)
    low, high = strip.get_ylim()
    assert low == -high and high > np.max(np.abs(residual))
    assert labels(top) == ["data", "fit"]
    assert fig.get_suptitle().startswith("rotor_\\$x\\$ · trf")


def test_points_that_are_not_positive_are_arrows_at_two_sigma(made):
    d = record()
    d["y"][0, 30], d["y"][0, 31], d["y"][0, 32] = 0.0, -1e-3, -1.0
    top, strip = made.fit_result([d]).plot().axes
    drawn = points(top)[0][:, 0]
    lost = ~np.isin(d["coords"]["q"], drawn)
    assert lost[[30, 31, 32]].all()
    (arrows,) = curves(top, "None")[-1:]
    upper = (d["y"] + 2 * d["sigma"])[0]
    seen = lost & (upper > 0)
    assert seen[30] and seen[31] and not seen[32]
    np.testing.assert_array_equal(arrows[:, 1], upper[seen])
    assert f"I + 2σ of {lost.sum()} points near or below 0" in labels(top)
    assert len(strip.lines[-1].get_ydata()) == 40
    low, high = top.get_ylim()
    assert 0 < low < np.min(drawn) and high > np.max(d["y"])


def test_a_fit_that_crosses_zero_is_drawn_where_it_is_positive(made):
    d = record()
    d["fit"] = d["fit"] - 0.01
    top, _ = made.fit_result([d]).plot().axes
    (line,) = curves(top)
    positive = d["fit"][0] > 0
    assert 0 < positive.sum() < 40
    np.testing.assert_array_equal(np.isfinite(line[:, 1]), positive)


def test_a_posterior_has_its_band(made):
    d = record()
    d["band"] = np.stack([0.9 * d["fit"], 1.1 * d["fit"]])
    d["band"][0, 0, -1] = -1.0
    sample = made.sample_result()
    sample.data = [d]
    top, _ = sample.plot(view="fit").axes
    (band,) = top.collections[-1:]
    vertices = band.get_paths()[0].vertices
    assert np.isclose(vertices[:, 1].max(), 1.1 * d["fit"].max())
    assert np.all(vertices[:, 1] > 0)
    assert "95 %" in labels(top)
    assert len(sample.plot().axes) == 9  # a corner plot


def test_curves_of_a_joint_fit_are_set_apart_where_they_would_hide_each_other(made):
    parts = [record(name=n, level=v) for n, v in (("core", 3.0), ("drop", 2.0))]
    result = made.fit_result(parts)
    fig = result.plot()
    top, *strips = fig.axes
    assert len(strips) == 2
    for k, (d, factor) in enumerate(zip(parts, (10.0, 1.0), strict=True)):
        xy, _ = points(top, k)
        seen = np.isin(d["coords"]["q"], xy[:, 0])
        np.testing.assert_allclose(xy[:, 1], factor * d["y"][0][seen])
        residual = ((d["y"] - d["fit"]) / d["sigma"])[0]
        np.testing.assert_allclose(strips[k].lines[-1].get_ydata(), residual)
    assert labels(top)[:2] == ["core × 10¹", "drop"]
    near = plot.plot_sas_fit(result, offset=1.0).axes[0]
    np.testing.assert_allclose(points(near)[0][:, 1].max(), parts[0]["y"].max())
    other = plot.plot_sas_fit(result, offset=3.0).axes[0]
    assert labels(other)[0] == "core × 3"


def test_curves_of_different_ranges_stay_where_they_are(made):
    low = record(np.geomspace(1e-4, 6e-3, 30), "usans")
    high = record(np.geomspace(5e-3, 0.3, 30), "sans")
    top = made.fit_result([low, high]).plot().axes[0]
    assert labels(top)[:2] == ["usans", "sans"]


def test_of_many_data_sets_some_are_shown_and_residuals_share_a_strip(made):
    result = made.fit_result([record(name=f"t{k}") for k in range(10)])
    fig = result.plot(max_sets=6)
    assert len(fig.axes) == 2
    assert len(fig.axes[0].containers) == 6
    assert "6 of 10 data sets" in fig.get_suptitle()
    texts = [t.get_text() for t in fig.legends[0].get_texts()]
    assert texts[0] == "t0 × 10⁵" and texts[5] == "t9"
    # what all have in common is said once
    assert sorted(texts[6:]) == ["I + 2σ, I near or below 0", "fit"]


def test_data_alone_have_no_residuals():
    d = record()
    data = from_arrays(d["coords"]["q"], d["y"][0], d["sigma"][0])
    fig = plot.plot_sas_fit(data)
    (ax,) = fig.axes
    assert len(ax.containers) == 1 and labels(ax)[0] == "data"


def test_results_of_small_angle_data_draw_what_is_asked_for(made):
    result = made.fit_result([record()])
    with pytest.raises(ModelError, match=r"view is 'maps'; .*'parts', 'pattern'"):
        result.plot(view="maps")
    with pytest.raises(DataError, match="no image"):
        result.plot(view="pattern")
    with pytest.raises(ModelError, match=r"call result\.bind"):
        result.plot(view="sizes")


def test_data_of_another_kind_are_refused(made):
    with pytest.raises(DataError, match="no data of small-angle scattering"):
        plot.plot_sas_fit(made.fit_result())
    with pytest.raises(DataError, match="only checksums"):
        plot.plot_sas_fit(made.fit_result([{"sha256": {}, "shape": (1, 4)}]))
    lost = record(mask=np.zeros((1, 40), bool))
    with pytest.raises(DataError, match="no point"):
        plot.plot_sas_fit(made.fit_result([lost]))


def test_long_titles_are_broken_between_words():
    lines = wrapped("one two three four", 9).split("\n")
    assert lines == ["one two", "three", "four"]
