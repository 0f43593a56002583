"""Figures of patterns and curves: what is drawn where, and in which units."""

import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.plot.cbed import (
    indices,
    plot_cbed_image,
    plot_dispersion_surface,
    plot_larbed_stack,
    plot_rocking_curves,
    plot_thickness_series,
)

ROW, COLUMN = np.mgrid[:40, :50]
IMAGE = np.where(np.hypot(ROW - 20, COLUMN - 25) < 9, 0.4 + 0.01 * COLUMN, 0.0)
HKL = [(0, 0, 0), (1, -1, 1)]


def texts(ax):
    return [t.get_text() for t in ax.texts]


def test_a_pattern_has_its_disks_named_and_a_bar_in_reciprocal_angstrom(made, tmp_path):
    path = tmp_path / "cbed.png"
    fig = plot_cbed_image(
        IMAGE, path, scale=0.02, hkl=[*HKL, (0, 0, 4)],
        centres=[(20, 25), (5, 8), (20, 90)], title="Si $[110]$", label="counts",
    )  # fmt: skip
    assert made.is_png(path)
    ax, bar = fig.axes
    np.testing.assert_array_equal(ax.images[0].get_array(), IMAGE)
    # the third disk lies beyond the image
    assert texts(ax) == ["0.2 1/Å"] + [indices(h) for h in HKL]
    assert ax.texts[2].get_position() == (8, 5)
    x = ax.lines[0].get_xdata()
    assert x[1] - x[0] == pytest.approx(10)  # pixels of 0.02 1/Å
    assert bar.get_ylabel() == "counts"
    assert ax.get_title() == r"Si \$[110]\$"


def test_colours_may_be_logarithmic():
    ax = plot_cbed_image(IMAGE, log=True).axes[0]
    drawn = ax.images[0]
    np.testing.assert_array_equal(np.ma.getmaskarray(drawn.get_array()), IMAGE == 0)
    assert drawn.norm.vmax == IMAGE.max()
    assert drawn.norm.vmin == pytest.approx(np.percentile(IMAGE[IMAGE > 0], 1))
    ax = plot_cbed_image(IMAGE, log=True, limits=(1e-3, 1.0)).axes[0]
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (1e-3, 1.0)
    with pytest.raises(DataError, match="no intensity is above 0"):
        plot_cbed_image(0 * IMAGE, log=True)


@pytest.mark.parametrize("common", [False, True])
def test_a_stack_has_a_panel_for_each_reflection(common, made, tmp_path):
    stack = np.stack([IMAGE, 3 * IMAGE, IMAGE])
    path = tmp_path / "larbed.png"
    fig = plot_larbed_stack(
        stack, path, hkl=[*HKL, (0, 0, 2)], scale=0.01, common=common, label="counts"
    )
    assert made.is_png(path)
    panels = [ax for ax in fig.axes if ax.images and ax.get_visible()]
    assert [ax.get_title() for ax in panels[:2]] == [indices(h) for h in HKL]
    top = [ax.images[0].norm.vmax for ax in panels]
    assert top == ([3 * IMAGE.max()] * 3 if common else [s.max() for s in stack])
    assert texts(panels[0]) == ["0.1 1/Å"] and not texts(panels[1])
    assert fig.get_suptitle() == ("" if common else "colours: counts")


@pytest.mark.parametrize("shape", [(5, 9), (1, 30), (40, 50)])
def test_a_bar_does_not_widen_its_image(shape):
    ax = plot_cbed_image(np.ones(shape), scale=0.02).axes[0]
    rows, columns = shape
    assert ax.get_ylim() == (rows - 0.5, -0.5)
    assert ax.get_xlim() == (-0.5, columns - 0.5)


def test_rocking_curves_run_over_milliradians(made, tmp_path):
    angle = np.linspace(-5, 5, 11)
    intensity = np.stack([np.cos(angle / 9) ** 2, np.sin(angle / 9) ** 2], axis=1)
    path = tmp_path / "rocking.png"
    fig = plot_rocking_curves(angle, intensity, path, hkl=HKL)
    assert made.is_png(path)
    (ax,) = fig.axes
    assert ax.get_xlabel() == "angle [mrad]" and ax.get_ylabel() == "intensity"
    for line, column in zip(ax.lines, intensity.T, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.stack([angle, column], 1))
    names = [t.get_text() for t in fig.legends[0].get_texts()]
    assert names == [indices(h) for h in HKL]
    (ax,) = plot_rocking_curves(angle, intensity, log=True).axes
    assert ax.get_yscale() == "log" and np.isnan(ax.lines[1].get_ydata()[5])
    alone = plot_rocking_curves(angle, intensity[:, 0])
    assert not alone.legends


def test_of_many_beams_the_strongest_are_drawn_and_equal_ones_once():
    t = np.linspace(0, 1000, 21)
    strength = np.array([1.0, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    series = strength * np.sin(t / 150)[:, None] ** 2
    hkl = [(n, -n, 12) for n in range(10)]
    fig = plot_thickness_series(t, series, hkl=hkl, title="Si")
    (ax,) = fig.axes
    assert ax.get_xlabel() == "thickness [Å]"
    names = [t.get_text() for t in fig.legends[0].get_texts()]
    expected = [indices(hkl[k]) for k in (0, 2, 4, 5, 6, 7, 8, 9)]
    assert names == [n + " (2 equal)" * (k == 1) for k, n in enumerate(expected)]
    assert ax.get_title() == "Si · 8 strongest of 9 curves"


def test_branches_are_wide_where_they_are_excited(made, tmp_path):
    angle = np.linspace(-4, 4, 9)
    gamma = np.stack([0.002 + 0 * angle, 1e-4 * angle, -0.002 + 0 * angle], axis=1)
    share = 1 / (1 + np.exp(angle))
    excitation = np.stack([share, 1 - share, 0 * share], axis=1)
    path = tmp_path / "branches.png"
    fig = plot_dispersion_surface(angle, gamma, excitation, path, branches=2)
    assert made.is_png(path)
    top, low = fig.axes
    assert top.get_ylabel() == "γ [1/Å]" and low.get_xlabel() == "angle [mrad]"
    assert len(top.collections) == len(low.lines) == 2
    widths = top.collections[0].get_linewidths()
    assert np.all(np.diff(widths) < 0)
    np.testing.assert_array_equal(low.lines[1].get_ydata(), excitation[:, 1])
    bottom, upper = top.get_ylim()
    assert -0.001 < bottom < -4e-4 and 0.002 < upper < 0.0025
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["1", "2"]


def test_indices_have_bars():
    assert indices((1, -1, 10)) == r"$1\,\overline{1}\,10$"


@pytest.mark.parametrize(
    ("draw", "match"),
    [
        (lambda: plot_cbed_image(np.zeros(4)), r"image has shape \(4,\)"),
        (lambda: plot_cbed_image(np.full((2, 2), np.nan)), "finite"),
        (lambda: plot_cbed_image(IMAGE, scale=0.0), "scale is 0.0"),
        (lambda: plot_larbed_stack(IMAGE[None], hkl=HKL), "hkl has 2 rows; expected 1"),
        (
            lambda: plot_rocking_curves(np.zeros(3), np.zeros((4, 2))),
            r"intensity has shape \(4, 2\); expected \(3, out\)",
        ),
        (
            lambda: plot_dispersion_surface(
                np.zeros(3), np.zeros((3, 2)), np.zeros((3, 1))
            ),
            "gamma has shape",
        ),
        (
            lambda: plot_dispersion_surface([0], [[1, 1]], [[1, 1]]),
            "1 angles",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(draw, match):
    with pytest.raises(DataError, match=match):
        draw()
