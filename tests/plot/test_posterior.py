"""Corner, marginals, pairs and traces: panels, labels with units, contours."""

import numpy as np
import pytest
from matplotlib.path import Path

from jaxscatter import plot
from jaxscatter.errors import DataError


def test_the_corner_has_a_triangle_of_panels_with_units(made, tmp_path):
    path = tmp_path / "corner.png"
    fig = plot.corner(made.sample_result(), path=path, truths={"D_t": 0.23})
    assert made.is_png(path)
    assert len(made.visible(fig)) == 6
    bottom = [ax.get_xlabel() for ax in fig.axes[-3:]]
    assert bottom == ["D_t [Å²/ps]", "D_s [10⁻⁶ Å²/ps]", "u2 [Å²]"]
    assert fig.axes[3].get_ylabel() == "D_s [10⁻⁶ Å²/ps]"


def test_names_choose_and_order_and_too_many_are_told(made):
    sample = made.sample_result()
    fig = plot.corner(sample, ["u2", "D_t"])
    assert [ax.get_xlabel() for ax in fig.axes[-2:]] == ["u2 [Å²]", "D_t [Å²/ps]"]
    assert "2 of 3 parameters" in plot.corner(sample, max_names=2).get_suptitle()
    with pytest.raises(DataError, match="no draws of \\['D'\\]"):
        plot.corner(sample, ["D"])


def test_contours_hold_the_stated_share_of_the_draws(made):
    """For a Gaussian the 50 % contour lies at r² = 2 ln 2, the 90 % one at 2 ln 10."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 4, 5000))
    fig = plot.joint({"x": x, "y": y}, ("x", "y"))
    (contour,) = fig.axes[0].collections
    draws = np.stack([x.ravel(), y.ravel()], axis=1)
    shares = []
    for path in contour.get_paths():
        longest = max(path.to_polygons(), key=len)
        shares.append(np.mean(Path(longest).contains_points(draws)))
        radius = np.sqrt(np.mean(np.sum(longest**2, axis=1)))
        assert radius == pytest.approx(np.sqrt(-2 * np.log(1 - shares[-1])), rel=0.05)
    assert shares == pytest.approx([0.9, 0.5], abs=0.02)


def test_draws_that_never_move_or_are_not_finite_are_drawn(made):
    still = np.full((2, 100), 3.0)
    odd = np.where(np.arange(200).reshape(2, 100) == 7, np.nan, 0.0)
    odd = odd + np.random.default_rng(0).normal(size=(2, 100))
    draws = {"still": still, "zero": 0 * still, "odd": odd}
    for draw in (plot.corner, plot.marginals, plot.trace):
        draw(made.sample_result(draws)).canvas.draw()


def test_divergent_draws_are_marked(made):
    diverging = np.zeros((4, 200), bool)
    diverging[1, 3] = True
    fig = plot.corner(made.sample_result(stats={"diverging": diverging}))
    marked = [line for line in fig.axes[3].lines if line.get_label() == "divergent"]
    assert len(marked) == 1 and len(marked[0].get_xdata()) == 1


def test_marginals_have_one_panel_each_and_mark_several_values(made, tmp_path):
    path = tmp_path / "m.png"
    fig = plot.marginals(
        made.sample_result(), path=path, truths={"D_s": [5e-6, 7e-6], "u2": 0.4}
    )
    assert made.is_png(path) and len(made.visible(fig)) == 3
    marks = [line.get_xdata()[0] for line in fig.axes[1].lines[-2:]]
    np.testing.assert_allclose(marks, [5.0, 7.0])


def test_the_trace_has_a_row_per_parameter_and_flat_ranks(made, tmp_path):
    path = tmp_path / "trace.png"
    fig = plot.trace(made.sample_result(), path=path, truths={"D_t": 0.23})
    assert made.is_png(path) and len(fig.axes) == 6
    assert fig.axes[2].get_ylabel() == "D_s [10⁻⁶ Å²/ps]"
    assert fig.axes[-1].get_xlabel() == "rank among all draws [%]"
    apart = {"a": np.arange(400.0).reshape(2, 200)}  # ranks of each chain in one half
    right = plot.trace(made.sample_result(apart)).axes[1]
    heights = [patch.get_data().values for patch in right.patches]
    half = heights[0].size // 2
    np.testing.assert_array_equal(heights[0], [2.0] * half + [0.0] * half)


def test_one_chain_gets_a_histogram(made):
    draws = {"D": np.random.default_rng(1).normal(size=(1, 300))}
    sample = made.sample_result(draws, {"D": "Å²/ps"}, method="laplace")
    fig = plot.trace(sample)
    assert fig.axes[1].get_xlabel() == "D [Å²/ps]"
    assert "laplace" in fig.get_suptitle()
