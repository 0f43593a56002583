"""QENS figures from hand-made datasets: axes, curves, files."""

import numpy as np
import pytest

from jaxscatter import plot
from jaxscatter.errors import DataError


def test_the_overview_has_spectra_and_intensities(made, tmp_path):
    path = tmp_path / "o.png"
    runs = {str(t): made.dataset(temp=t) for t in (290.0, 260.0)}
    fig = plot.plot_overview(runs, path)
    assert made.is_png(path)
    left, right = fig.axes
    assert left.get_xlabel() == "ω [meV]" and right.get_xlabel() == "Q [1/Å]"
    assert len(right.lines) == 2
    (legend,) = fig.legends
    texts = [t.get_text() for t in legend.get_texts()]
    assert texts[0] == "benzene, 290 K, Ei 3.6 meV, inc"
    assert len(plot.plot_overview(runs["290.0"]).axes[1].lines) == 1
    with pytest.raises(DataError, match="dataset is empty"):
        plot.plot_overview({})


def test_the_map_shows_good_rows_in_the_window_without_masked_points(made, tmp_path):
    path = tmp_path / "map.png"
    d = made.dataset()
    fig = plot.plot_sqw_map(d, path, energy_window=1.3)
    assert made.is_png(path)
    assert fig.axes[0].get_xlabel() == "ω [meV]"
    assert fig.axes[0].get_ylabel() == "Q [1/Å]"
    assert fig.axes[1].get_ylabel() == "S(Q, ω) [arb. units]"
    image = fig.axes[0].collections[0].get_array()
    inside = np.abs(d["e"]) <= 1.3
    assert image.shape == (d["good"].size, inside.sum())
    assert np.ma.getmaskarray(image).sum() == 1
    with pytest.raises(DataError, match="no positive intensity"):
        plot.plot_sqw_map(d | {"errs": 0 * d["errs"]})


def test_fits_per_bin_come_from_a_result_or_from_bins(made, tmp_path):
    assert len(plot.plot_per_q_fits(made.fit_result()).axes) == 6
    d = made.dataset()
    bins = [(d["e"], d["data"][i], d["errs"][i], d["q"][i]) for i in (2, 3)]
    fig = plot.plot_per_q_fits(bins, [b[1] for b in bins], tmp_path / "q.png")
    assert made.is_png(tmp_path / "q.png")
    assert len(fig.axes) == 4
    assert fig.axes[0].get_title() == f"Q = {d['q'][2]:.3g} 1/Å"
    assert len(fig.axes[1].lines[-1].get_xdata()) == d["e"].size - 1
    assert len(plot.plot_per_q_fits(bins).axes) == 2
    with pytest.raises(DataError, match="1 curves for 2 bins"):
        plot.plot_per_q_fits(bins, [bins[0][1]])


def test_half_widths_with_functions_values_and_draws(made, tmp_path):
    q = np.array([1.5, 0.5, 1.0, 2.0])
    hwhm = np.array([0.3, 0.04, 0.15, np.nan])
    fine = np.linspace(0, 1.5, 20)
    models = {
        "fickian": lambda q: 0.15 * q**2,
        "ss": 0.15 * q**2 / (1 + q**2),
        "posterior": (fine, np.linspace(0.1, 0.2, 50)[:, None] * fine[None, :] ** 2),
    }
    path = tmp_path / "h.png"
    fig = plot.plot_hwhm_vs_q2(q, hwhm, 0.01 * q, models, path, resolution=0.05)
    assert made.is_png(path)
    (ax,) = fig.axes
    assert ax.get_xlabel() == "Q² [1/Å²]" and ax.get_ylabel() == "Γ, HWHM [meV]"
    (bars,) = ax.containers
    np.testing.assert_array_equal(bars.lines[0].get_xdata(), q[:3] ** 2)
    lines = {line.get_label(): line for line in ax.lines}
    x, y = lines["fickian"].get_xydata().T
    np.testing.assert_allclose(y, 0.15 * x)
    np.testing.assert_array_equal(lines["ss"].get_xdata(), np.sort(q) ** 2)
    x, y = lines["posterior"].get_xydata().T
    np.testing.assert_allclose(y, 0.15 * x)
    with pytest.raises(DataError, match="curve 'short'"):
        plot.plot_hwhm_vs_q2(q, hwhm, models={"short": np.zeros(2)})
    with pytest.raises(DataError, match="no finite half width"):
        plot.plot_hwhm_vs_q2(q, np.nan * hwhm)


def test_posteriors_from_a_result_or_from_an_array(made, tmp_path):
    sample = made.sample_result()
    names = ["D_t", "u2"]
    array = np.stack([sample.draws[n].ravel() for n in names], axis=1)
    units = {"D_t": "Å²/ps", "u2": "Å²"}
    a = plot.plot_posteriors(sample, names, reference_values={"u2": 0.5})
    b = plot.plot_posteriors(array, names, tmp_path / "p.png", units=units)
    assert made.is_png(tmp_path / "p.png")
    for fig in (a, b):
        labels = [ax.get_xlabel() for ax in fig.axes]
        assert labels == ["D_t [Å²/ps]", "u2 [Å²]"]
    path = tmp_path / "j.png"
    c = plot.plot_joint_posterior(array, names, path, names=names, units=units)
    assert made.is_png(path)
    assert c.axes[0].get_xlabel() == "D_t [Å²/ps]"
    assert plot.plot_joint_posterior(sample, names).axes[0].get_ylabel() == "u2 [Å²]"
    with pytest.raises(DataError, match="expected \\(draw, parameter\\)"):
        plot.plot_posteriors(array, ["D_t"])
