"""Experiment, simulation and difference: images and profiles, disk by disk."""

import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.plot.cbed import indices
from jaxscatter.plot.cbed_fit import (
    plot_agreement,
    plot_disk_comparison,
    plot_profile_comparison,
)

RNG = np.random.default_rng(4)
MODEL = 100 + 50 * np.sin(np.arange(2 * 8 * 9)).reshape(2, 8, 9)
SIGMA = np.sqrt(MODEL)
DATA = MODEL + SIGMA * RNG.normal(size=MODEL.shape)
HKL = [(0, 0, 0), (0, 0, -2)]


def panels(fig):
    return [ax for ax in fig.axes if ax.images]


def test_images_stand_beside_their_simulation_and_difference(made, tmp_path):
    path = tmp_path / "disks.png"
    mask = np.ones(DATA.shape, bool)
    mask[0, 2, 3] = False
    fig = plot_disk_comparison(
        DATA, MODEL, path, sigma=SIGMA, mask=mask, hkl=HKL, scale=0.05, label="counts"
    )
    assert made.is_png(path)
    shown = panels(fig)
    assert len(shown) == 6
    assert [ax.get_title() for ax in shown[:3]] == [
        "experiment",
        "simulation",
        "difference",
    ]
    assert [shown[k].get_ylabel() for k in (0, 3)] == [indices(h) for h in HKL]
    first = shown[0].images[0]
    assert np.ma.getmaskarray(first.get_array())[2, 3]
    np.testing.assert_array_equal(shown[3].images[0].get_array(), DATA[1])
    assert shown[0].images[0].norm.vmax == shown[1].images[0].norm.vmax
    difference = shown[5].images[0]
    np.testing.assert_allclose(
        difference.get_array(), ((MODEL - DATA) / SIGMA)[1], rtol=1e-12
    )
    assert difference.norm.vmin == -difference.norm.vmax <= -3
    labels = [ax.get_ylabel() for ax in fig.axes if not ax.images]
    assert labels.count("counts") == 2
    assert labels.count("simulation - experiment [σ]") == 1


def test_without_errors_the_difference_is_in_per_cent():
    fig = plot_disk_comparison(DATA[0], MODEL[0])
    shown = panels(fig)
    expected = 100 * (MODEL - DATA)[0] / DATA[0].max()
    np.testing.assert_allclose(shown[2].images[0].get_array(), expected)
    assert "simulation - experiment [%]" in [ax.get_ylabel() for ax in fig.axes]


def test_profiles_have_error_bars_and_their_difference_below(made, tmp_path):
    angle = np.linspace(-3, 3, 72)
    data, model, sigma = (a.reshape(2, 72) for a in (DATA, MODEL, SIGMA))
    data = data.copy()
    data[1, 5] = np.nan
    path = tmp_path / "profiles.png"
    fig = plot_profile_comparison(angle, data, model, path, sigma=sigma, hkl=HKL)
    assert made.is_png(path)
    tops = [ax for ax in fig.axes if ax.containers]
    assert [ax.get_title() for ax in tops] == [indices(h) for h in HKL]
    points = tops[1].containers[0].lines[0].get_xydata()
    assert len(points) == 71 and angle[5] not in points[:, 0]
    (stems,) = tops[0].containers[0].lines[2]
    ends = np.array([s[:, 1] for s in stems.get_segments()])
    np.testing.assert_allclose(ends[:, 1], data[0] + sigma[0])
    np.testing.assert_array_equal(tops[0].lines[-1].get_ydata(), model[0])
    strip = next(ax for ax in fig.axes if ax.get_ylabel() == "diff. [σ]")
    drawn = strip.lines[-1].get_ydata()
    np.testing.assert_allclose(drawn, ((model - data) / sigma)[0])
    assert strip.get_ylim()[1] > np.max(np.abs(drawn))
    assert strip.get_xlabel() == "angle [mrad]"
    assert sorted(t.get_text() for t in fig.legends[0].get_texts()) == [
        "experiment",
        "simulation",
    ]


def test_one_profile_and_profiles_of_their_own_abscissa():
    data, model = (a.reshape(2, 72) for a in (DATA, MODEL))
    fig = plot_profile_comparison(np.arange(72), data[0], model[0], x_label="pixel")
    strip = fig.axes[1]
    assert strip.get_xlabel() == "pixel" and strip.get_ylabel() == "diff."
    np.testing.assert_allclose(strip.lines[-1].get_ydata(), (model - data)[0])
    own = np.stack([np.arange(72.0), np.arange(72.0) / 2])
    fig = plot_profile_comparison(own, data, model)
    tops = [ax for ax in fig.axes if ax.containers]
    assert tops[1].containers[0].lines[0].get_xdata().max() == 35.5
    many = plot_profile_comparison(
        np.arange(36), DATA.reshape(4, 36)[:4], MODEL.reshape(4, 36)
    )
    assert len([ax for ax in many.axes if ax.get_visible()]) == 8


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"simulation": MODEL[:, 1:]}, "simulation has shape"),
        ({"sigma": SIGMA[0]}, "sigma has shape"),
        ({"mask": np.ones(3)}, "mask has shape"),
        ({"mask": np.zeros(MODEL.shape)}, "no pixel that counts"),
        ({"hkl": HKL[:1]}, "hkl has 1 rows; expected 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, match):
    with pytest.raises(DataError, match=match):
        plot_disk_comparison(**({"experiment": DATA, "simulation": MODEL} | changes))
    with pytest.raises(DataError, match="expected 3 axes"):
        plot_disk_comparison(np.ones(3), np.ones(3))


def test_profiles_are_not_joined_where_they_leap():
    """Two profiles of 5 points, 40 steps apart: one gap, and none within."""
    x = np.concatenate([np.arange(5.0), np.arange(45.0, 50.0)])
    fig = plot_profile_comparison(x, np.ones((1, 10)), np.ones((1, 10)))
    (line,) = [a for a in fig.axes[0].get_lines() if a.get_label() == "simulation"]
    assert np.isnan(line.get_xdata()).nonzero()[0].tolist() == [5]


def test_agreement_marks_the_largest_of_each_curve():
    at = np.array([1.0, 2.0, 3.0])
    fig = plot_agreement(at, [[0.1, 0.9, 0.2], [0.5, 0.4, 0.3]], names=["a", "b"])
    assert [t.get_text() for t in fig.axes[0].texts] == ["2", "1"]
    assert fig.axes[0].get_xlabel() == "thickness [Å]"
    with pytest.raises(DataError, match="correlation has shape"):
        plot_agreement(at, np.ones((2, 4)))
