"""Many QENS data sets through `fit_batch`: temperature series, independent spectra."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import qens

OMEGA = np.linspace(-1.0, 1.0, 81)


def spectra(count, seed=0):
    """An elastic line and a Lorentzian of random width; (data, widths)."""
    rng = np.random.default_rng(seed)
    widths = rng.uniform(0.08, 0.4, count)
    rows = []
    for k, g in enumerate(widths):
        one = qens.simulate(
            qens.get_model("delta_lorentz"),
            {"A0": 0.4, "hwhm": float(g)},
            q=[1.0],
            omega=OMEGA,
            sigma_res=0.04,
            amplitude=3.0,
            background=0.1,
            noise=0.02,
            seed=seed + k,
        )
        rows.append((OMEGA, one.y[0], one.sigma[0], 1.0))
    return rows, widths


@pytest.mark.slow
def test_independent_spectra_have_pulls_of_unit_width_and_no_hidden_failure():
    """One NaN spectrum is reported by its code and leaves the others bit for bit."""
    rows, widths = spectra(60)
    problem = qens.lines_problem(qens.from_bins(rows, 0.04), 1, background="flat")
    found = js.fit_batch(problem, warn=False)
    assert found.success.all()
    pulls = (found.values[:, 0] - widths) / found.stderr[:, 0]
    assert 0.75 < np.std(pulls) < 1.25 and abs(np.mean(pulls)) < 0.5
    broken = list(rows)
    broken[7] = (OMEGA, np.full(OMEGA.size, np.nan), rows[7][2], 1.0)
    data = qens.from_bins(broken, 0.04)
    again = js.fit_batch(qens.lines_problem(data, 1, background="flat"), warn=False)
    assert not again.success[7] and np.isnan(again.values[7]).all()
    others = np.arange(60) != 7
    np.testing.assert_array_equal(again.values[others], found.values[others])
    np.testing.assert_array_equal(again.stderr[others], found.stderr[others])
    assert any("1 of 60" in w or "fit 7" in w or "[7]" in w for w in again.warnings)


@pytest.mark.slow
def test_a_temperature_series_of_whole_data_sets_runs_as_a_batch():
    """Four Q each, one global amplitude; chained and side by side agree."""
    truth = [0.12, 0.18, 0.27]
    sets = [
        qens.simulate(
            "translation_only",
            {"D_translation": d, "u2": 0.1},
            q=[0.5, 0.9, 1.3, 1.7],
            omega=OMEGA,
            sigma_res=0.04,
            amplitude=2.0,
            background=0.05,
            noise=0.02,
            seed=k,
        )
        for k, d in enumerate(truth)
    ]
    problems = [qens.problem(s, "translation_only") for s in sets]
    data = [p.given for p in problems]
    side = js.fit_batch(problems[0], data, warn=False)
    chained = js.fit_batch(problems[0], data, chain=True, warn=False)
    assert side.success.all() and chained.success.all()
    at = side.names.index("D_translation")
    pulls = (side.values[:, at] - truth) / side.stderr[:, at]
    assert np.all(np.abs(pulls) < 3.5)
    np.testing.assert_allclose(chained.values, side.values, rtol=1e-5)
    alone = js.fit(problems[2])
    np.testing.assert_allclose(side.values[2, at], alone["D_translation"], rtol=1e-6)
