"""Panels of data, fit and residuals: what is drawn, and with which labels."""

import dataclasses

import numpy as np
import pytest

from jaxscatter import plot
from jaxscatter.errors import DataError
from jaxscatter.plot import groups


def drawn(ax, label):
    """Points of an error bar container."""
    (bars,) = [c for c in ax.containers if c.get_label() == label]
    return bars.lines[0].get_xydata()


def test_each_group_has_a_panel_and_a_residual_strip_with_units(made, tmp_path):
    path = tmp_path / "fit.png"
    fig = plot.fit(made.fit_result(), path)
    assert made.is_png(path)
    top, strips = fig.axes[::2], fig.axes[1::2]
    assert len(top) == len(strips) == 3
    assert [ax.get_title() for ax in top] == [f"Q = {q:g} 1/Å" for q in (0.5, 1, 1.5)]
    assert top[0].get_ylabel() == "S(Q, ω) [1/meV]"
    assert strips[-1].get_xlabel() == "ω [meV]"
    assert strips[0].get_ylabel() == "res. [σ]"
    assert "reduced χ² = 1.2" in fig.get_suptitle()


def test_masked_points_are_not_drawn_and_x_is_in_order(made):
    result = made.fit_result()
    d = result.data[0]
    fig = plot.fit(result)
    xy = drawn(fig.axes[0], "data")
    keep = d["mask"][0] > 0
    order = np.argsort(d["coords"]["omega"][keep])
    np.testing.assert_array_equal(xy[:, 0], d["coords"]["omega"][keep][order])
    np.testing.assert_array_equal(xy[:, 1], d["y"][0, keep][order])
    residual = fig.axes[1].lines[-1].get_ydata()
    expected = ((d["y"] - d["fit"]) / d["sigma"])[0, keep][order]
    np.testing.assert_allclose(residual, expected, rtol=1e-14)


def test_residuals_have_the_scaled_error_where_the_error_is_not_known(made):
    result = made.fit_result(scaled=True, red_chi2=4.0)
    plain = plot.fit(dataclasses.replace(result, scaled=False))
    scaled = plot.fit(result)
    ratio = plain.axes[1].lines[-1].get_ydata() / scaled.axes[1].lines[-1].get_ydata()
    np.testing.assert_allclose(ratio, 2.0)


def test_many_groups_are_thinned_and_the_title_says_so(made):
    fig = plot.fit(made.fit_result([made.record(30)]), max_groups=4)
    assert len(fig.axes) == 8
    assert "4 of 30 groups" in fig.get_suptitle()
    assert fig.axes[0].get_title() == "Q = 0.5 1/Å"
    assert fig.axes[6].get_title() == "Q = 1.5 1/Å"


def test_the_default_x_is_the_first_point_coordinate_else_the_index(made):
    d = made.record(1, metadata={})
    assert groups.panels(d)[0].x_label == "ω [meV]"
    bare = made.record(1, metadata={}, coords={}, dims={}, units={})
    (panel,) = groups.panels(bare)
    assert panel.x_label == "point" and panel.title == "" and panel.y_label == "y"
    np.testing.assert_array_equal(panel.x, np.arange(40))


def test_x_may_differ_from_group_to_group(made):
    x = np.stack([np.arange(40.0), np.arange(40.0) + 100])
    d = made.record(2)
    d["coords"]["omega"], d["dims"]["omega"] = x, ("group", "point")
    np.testing.assert_array_equal(groups.panels(d)[1].x, x[1])


def test_band_log_axes_and_data_sets_of_different_units(made, tmp_path):
    first = made.record(1)
    first["band"] = np.stack([0.9 * first["fit"], 1.1 * first["fit"]])
    second = made.record(1, units={"omega": "s", "y": "1/cm"})
    fig = plot.fit(made.fit_result([first, second]), log_y=True)
    assert fig.axes[0].get_yscale() == "log" and fig.axes[0].get_xscale() == "linear"
    assert fig.axes[1].get_xlabel() == "ω [meV]"
    assert fig.axes[3].get_xlabel() == "ω [s]"
    assert fig.axes[2].get_ylabel() == "S(Q, ω) [1/cm]"
    assert "95 %" in fig.axes[0].get_legend_handles_labels()[1]
    third = made.record(1)
    third["coords"]["omega"] = np.geomspace(1e-3, 1, 40)
    third["metadata"] |= {"log_x": True, "log_y": True}
    fig = plot.fit(made.fit_result([third]), tmp_path / "log.pdf")
    assert fig.axes[0].get_xscale() == fig.axes[0].get_yscale() == "log"
    assert (tmp_path / "log.pdf").exists()


def test_a_million_points_are_thinned(made):
    d = made.record(1, 100_000)
    assert groups.panels(d)[0].x.size <= groups.MOST_POINTS


def test_a_fit_that_failed_says_so(made):
    fig = plot.fit(made.fit_result(success=False))
    assert "NOT CONVERGED" in fig.get_suptitle()


def test_checksums_wrong_names_and_nothing_are_errors(made):
    lost = made.fit_result([{"sha256": {}, "shape": (1, 2)}])
    with pytest.raises(DataError, match="only checksums"):
        plot.fit(lost)
    with pytest.raises(DataError, match="metadata\\['x'\\] is 'energy'"):
        plot.fit(made.fit_result([made.record(metadata={"x": "energy"})]))
    with pytest.raises(DataError, match="no group"):
        plot.fit(made.fit_result([]))
