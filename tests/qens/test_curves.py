"""Fits of tables: Γ(Q) and EISF(Q)."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.constants import HBAR
from jaxscatter.errors import DataError, ModelError
from jaxscatter.qens import eisf as factors
from jaxscatter.qens.curves import EISF

Q = np.linspace(0.3, 2.0, 12)


@pytest.mark.parametrize(
    ("model", "truth", "width"),
    [
        ("fickian", {"D_translation": 0.25}, lambda q: HBAR * 0.25 * q**2),
        (
            "jump",
            {"D_translation": 0.25, "tau": 1.5},
            lambda q: HBAR * 0.25 * q**2 / (1 + 0.25 * 1.5 * q**2),
        ),
        (
            "chudley_elliott",
            {"D_translation": 0.25, "jump_length": 2.5},
            lambda q: HBAR * 6 * 0.25 / 6.25 * (1 - np.sinc(q * 2.5 / np.pi)),
        ),
        (
            "hall_ross",
            {"tau": 2.0, "jump_rms": 1.1},
            lambda q: HBAR / 2.0 * (1 - np.exp(-(q**2) * 1.21 / 2)),
        ),
    ],
)
def test_half_widths_give_back_the_translation(model, truth, width):
    rng = np.random.default_rng(2)
    y = width(Q)
    error = 0.02 * y + 1e-4
    problem = qens.hwhm_problem(
        Q, y + error * rng.standard_normal(Q.size), error, model
    )
    fit = js.fit(problem)
    assert fit.success
    for name, value in truth.items():
        assert abs(fit[name] - value) < 3.5 * fit.error(name)


@pytest.mark.parametrize("model", list(EISF))
@pytest.mark.parametrize("immobile", [False, True])
def test_elastic_fractions_give_back_the_motion(model, immobile):
    curve, rows, _ = EISF[model]
    truth = {n: 1.2 * s for n, (_, _, s, _) in rows.items()}
    y = np.asarray(curve(Q, truth))
    y = 0.3 + 0.7 * y if immobile else y
    problem = qens.eisf_problem(Q, y, np.full(Q.size, 0.01), model, immobile=immobile)
    fit = js.fit(problem)
    assert fit.success
    if model != "alkyl_spheres":  # whose two radii are nearly one number at these Q
        for name, value in truth.items():
            np.testing.assert_allclose(fit[name], value, rtol=1e-4)
    assert fit.statistics["chi2"] < 1e-2


def test_rows_that_cannot_be_used_are_left_out_and_said():
    y = np.array(factors.eisf_sphere(Q, 2.0))
    y[3] = np.nan
    error = np.full(Q.size, 0.01)
    error[5] = 0.0
    problem = qens.eisf_problem(Q, y, error, "sphere")
    assert problem.data.n_points == 10
    assert "2 of 12 rows were left out" in problem.warnings[0]


def test_tables_of_the_classic_analysis_fit_as_they_come():
    """Columns of `extract_hwhm`: fits that failed there are NaN."""
    width = np.array(HBAR * 0.2 * Q**2)
    width[0] = np.nan
    fit = js.fit(qens.hwhm_problem(Q, width, 0.01 + 0 * Q, "fickian"), warn=False)
    np.testing.assert_allclose(fit["D_translation"], 0.2, rtol=1e-6)


def test_what_cannot_be_used_is_refused():
    one = np.ones(3)
    with pytest.raises(ModelError, match="'isotropic' has 3 lines"):
        qens.hwhm_problem(one, one, one, "isotropic")
    with pytest.raises(ModelError, match="it has no width"):
        qens.hwhm_problem(one, one, one, "dho")
    with pytest.raises(KeyError, match="did you mean 'sphere'"):
        qens.eisf_problem(one, one, one, "spere")
    with pytest.raises(DataError, match=r"shapes \[\(3,\), \(2,\), \(3,\)\]"):
        qens.eisf_problem(one, one[:2], one)
    with pytest.raises(DataError, match="1 of 3 rows can be used"):
        qens.hwhm_problem([0.5, -1.0, np.nan], one, one)
