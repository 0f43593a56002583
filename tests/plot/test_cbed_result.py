"""Figures of fits of diffraction patterns, from records made by hand."""

import numpy as np
import pytest

from jaxscatter import cbed, plot
from jaxscatter.errors import DataError, ModelError
from jaxscatter.plot.cbed_result import is_diffraction

HKL = [(0, 0, 0), (1, -1, 1), (-1, 1, -1)]
RNG = np.random.default_rng(4)


def record(data, fit):
    """A Dataset as a result keeps it, with a fitted pattern."""
    return {
        "y": np.asarray(data.y),
        "sigma": np.asarray(data.sigma),
        "mask": np.asarray(data.mask),
        "fit": fit,
        "coords": {k: np.asarray(v) for k, v in data.coords.items()},
        "dims": dict(data.dims),
        "units": dict(data.units),
        "metadata": dict(data.metadata),
    }


def images(h=6, w=8, n=3):
    fit = 100 + 50 * np.sin(np.arange(n * h * w) / 7.0).reshape(n, h, w)
    y = RNG.poisson(fit).astype(float)
    hkl = [(k, -k, 0) for k in range(n)]
    data = cbed.from_images(hkl, y, variance=fit)
    return record(data, fit.reshape(n, -1))


def disks(regions):
    n = sum(r * c for r, c in regions)
    at = np.stack([np.zeros(n), np.arange(n, dtype=float)], axis=-1)
    fit = 200 + 80 * np.cos(np.arange(3 * n) / 5.0).reshape(3, n)
    y = RNG.poisson(fit).astype(float)
    mask = np.ones((3, n), bool)
    mask[0, :2] = False
    data = cbed.from_samples(
        HKL, np.stack([at] * 3), y, np.sqrt(fit), mask, {"regions": regions}
    )
    return record(data, fit)


def test_images_are_drawn_beside_their_simulation(made, tmp_path):
    result = made.fit_result([images()])
    assert is_diffraction(result.data[0])
    fig = result.plot(path=tmp_path / "fit.png")
    assert made.is_png(tmp_path / "fit.png")
    drawn = [ax for ax in fig.axes if ax.images]
    panels = [ax for ax in drawn if ax.images[0].get_array().shape == (6, 8)]
    assert len(panels) == 9
    d = result.data[0]
    np.testing.assert_allclose(panels[3].images[0].get_array(), d["y"][1].reshape(6, 8))
    np.testing.assert_allclose(
        panels[5].images[0].get_array(),
        ((d["fit"] - d["y"]) / d["sigma"])[1].reshape(6, 8),
    )
    labels = {ax.get_ylabel() for ax in fig.axes}
    assert {"intensity [counts]", "simulation - experiment [σ]"} <= labels


def test_errors_are_scaled_where_the_data_have_none(made):
    d = images()
    plain = made.fit_result([d]).plot()
    scaled = made.fit_result([d], scaled=True, red_chi2=4.0).plot()

    def difference(fig):
        panels = [ax for ax in fig.axes if ax.images]
        return panels[2].images[0].get_array()

    np.testing.assert_allclose(difference(scaled), difference(plain) / 2)


def test_lines_of_a_disk_are_profiles_with_error_bars(made, tmp_path):
    """Two lines in each of three disks: six panels, the shorter ones shorter."""
    result = made.fit_result([disks([(1, 12), (7, 1)])])
    fig = result.plot(path=tmp_path / "fit.png")
    assert made.is_png(tmp_path / "fit.png")
    tops = [ax for ax in made.visible(fig) if ax.containers]
    assert len(tops) == 6
    assert tops[1].get_title().endswith(" · 2")
    counts = [len(ax.containers[0].lines[0].get_xdata()) for ax in tops]
    assert sorted(counts) == [7, 7, 7, 10, 12, 12]
    lows = {ax.get_xlabel() for ax in made.visible(fig)} - {""}
    assert lows == {"distance along the profile [px]"}
    x = np.concatenate([np.ravel(ax.lines[0].get_xdata()) for ax in tops])
    assert x.min() == 0.0 and x.max() == 11.0


def test_regions_of_a_disk_are_images(made):
    fig = made.fit_result([disks([(3, 5)])]).plot(view="fit")
    panels = [ax for ax in fig.axes if ax.images]
    assert [ax.images[0].get_array().shape for ax in panels[:3]] == [(3, 5)] * 3
    hidden = np.ma.masked_invalid(panels[0].images[0].get_array())
    assert np.sum(hidden.mask) == 2


def test_of_many_disks_some_are_shown_and_the_title_says_so(made):
    fig = made.fit_result([images(n=12)]).plot(max_disks=4)
    assert "4 of 12 disks" in fig.get_suptitle()
    assert sum(bool(ax.images) for ax in fig.axes) == 12


def test_disks_without_a_point_are_left_out(made):
    d = images()
    d["mask"][1] = 0.0
    fig = made.fit_result([d]).plot()
    assert sum(bool(ax.images) for ax in fig.axes) == 6
    d["mask"][:] = 0.0
    with pytest.raises(DataError, match="no point of these data counts"):
        made.fit_result([d]).plot()


def test_views_of_parameters_and_correlations(made, tmp_path):
    table = {
        "name": np.array(["thickness", "U(1,-1,1)", "U(2,-2,2)", "energy"]),
        "unit": np.array(["Å", "1/Å²", "1/Å²", "keV"]),
        "value": np.array([800.0, 0.05, 0.01, 200.0]),
        "stderr": np.array([2.0, 1e-4, np.inf, 0.0]),
        "free": np.array([True, True, True, False]),
    }
    d = images()
    d["metadata"]["truth"] = {"thickness": 801.0, "U(1,-1,1)": 0.0501}
    result = made.fit_result([d])
    result.parameters, result.labels = table, ("thickness", "U(1,-1,1)", "U(2,-2,2)")
    result.cov = np.array([[1.0, -0.5, 0.0], [-0.5, 1.0, 0.2], [0.0, 0.2, 1.0]])
    fig = result.plot(view="parameters", path=tmp_path / "p.png")
    labels = [ax.get_ylabel() for ax in made.visible(fig)]
    assert labels == ["thickness [Å]", "U(1,-1,1) [1/Å²]", "U(2,-2,2) [1/Å²]"]
    fig = result.plot(view="correlations", path=tmp_path / "c.png")
    np.testing.assert_allclose(fig.axes[0].images[0].get_array(), result.cov)
    assert "-0.50" in [t.get_text() for t in fig.axes[0].texts]
    for name in ("p.png", "c.png"):
        assert made.is_png(tmp_path / name)
    with pytest.raises(ModelError, match="correlations"):
        result.plot(view="rates")


def test_many_parameters_share_panels_by_kind(made):
    names = [f"U({k},0,0)" for k in range(1, 14)] + ["thickness"]
    result = made.fit_result([images()])
    result.parameters = {
        "name": np.array(names),
        "unit": np.array(["1/Å²"] * 13 + ["Å"]),
        "value": np.arange(14.0),
        "stderr": np.full(14, 0.1),
        "free": np.full(14, True),
    }
    fig = result.plot(view="parameters")
    assert [ax.get_ylabel() for ax in made.visible(fig)] == [
        "U [1/Å²]",
        "thickness [Å]",
    ]
    ticks = [t.get_text() for t in fig.axes[0].get_xticklabels()]
    assert ticks[:2] == ["1,0,0", "2,0,0"]


def test_posteriors_have_the_views_too(made):
    result = made.sample_result()
    result.data = [images()]
    result.statistics = {"red_chi2": 1.0}
    assert result.plot(view="fit").axes
    fig = result.plot(view="correlations")
    assert fig.axes[0].images[0].get_array().shape == (3, 3)
    assert len(made.visible(result.plot(view="parameters"))) == 3


def test_what_cannot_be_drawn_is_told(made):
    d = images()
    assert not is_diffraction(made.record())
    with pytest.raises(DataError, match="there are 1 data sets"):
        plot.plot_cbed_fit(made.fit_result([d]), entry=1)
    bare = {k: v for k, v in d.items() if k != "fit"}
    with pytest.raises(DataError, match="no fitted pattern"):
        plot.plot_cbed_fit(made.fit_result([bare]))
    with pytest.raises(DataError, match="no data of electron diffraction"):
        plot.plot_cbed_fit(made.fit_result())
    shape = {k: v for k, v in d.items() if k != "y"}
    with pytest.raises(DataError, match="checksums"):
        plot.plot_cbed_fit(made.fit_result([shape]))
