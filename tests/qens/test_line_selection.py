"""The number of Lorentzians that data ask for."""

import dataclasses

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.errors import DataError, ModelError
from jaxscatter.numerics import voigt

OMEGA = np.linspace(-1.0, 1.0, 81)


def made(model, values, seed=0, noise=0.02):
    return qens.simulate(
        model,
        values,
        q=[0.8, 1.6],
        omega=OMEGA,
        sigma_res=0.03,
        amplitude=3.0,
        background=0.05,
        noise=noise,
        seed=seed,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "values", "lines"),
    [
        ("elastic", {}, 0),
        ("delta_lorentz", {"A0": 0.3, "hwhm": 0.15}, 1),
        (
            "two_lorentzian",
            {"A0": 0.2, "share_1": 0.5, "hwhm_1": 0.04, "hwhm_2": 0.4},
            2,
        ),
    ],
)
def test_the_number_that_was_simulated_is_chosen(model, values, lines):
    data = made(model, values)
    found = qens.select_lines(data, (0, 1, 2, 3))
    for by in ("log_evidence", "bic"):
        assert found.best_for_all(by) == lines, by
    assert list(found.best()) == [lines, lines]
    text = found.summary()
    assert text.splitlines()[-1].split()[0] == "all"
    assert "NO GOOD FIT" not in text
    widths = found.fits[-1].values
    assert np.all(np.diff(widths, axis=1) >= 0)


@pytest.fixture(scope="module")
def small():
    """One line at two Q, fitted with none and with one."""
    data = made("delta_lorentz", {"A0": 0.3, "hwhm": 0.15})
    return data, qens.select_lines(data, (0, 1), starts=2)


def test_fits_are_those_of_each_q_by_itself(small):
    data, found = small
    alone = js.fit(qens.lines_problem(data, 1))
    np.testing.assert_allclose(found.chi2[1].sum(), alone.statistics["chi2"], rtol=1e-7)
    for k in range(2):
        np.testing.assert_allclose(
            found.fits[1].values[k, 0], alone[f"hwhm_1[{k}]"], rtol=1e-5
        )


def test_the_summary_says_first_where_nothing_fits(small):
    _, found = small
    assert list(found.best()) == [1, 1] and found.best_for_all("aicc") == 1
    poor = dataclasses.replace(found, red_chi2=found.red_chi2 + 9.0)
    assert poor.summary().startswith("NO GOOD FIT at 2 of 2 Q")
    lost = np.array(found.log_evidence)
    lost[0, 1] = np.nan
    gone = dataclasses.replace(found, log_evidence=lost)
    assert gone.summary().startswith("NO FIT: 0 lines at Q = 1.600")
    assert gone.best_for_all() == 1
    empty = dataclasses.replace(found, log_evidence=np.full_like(lost, np.nan))
    assert list(empty.best()) == [-1, -1]
    with pytest.raises(ModelError, match="no number of lines"):
        empty.best_for_all()


def test_spectra_that_move_with_q_get_a_shift_each():
    rng = np.random.default_rng(2)
    shifts, rows = np.array([0.02, -0.03]), []
    for q, c in zip((0.8, 1.6), shifts, strict=True):
        y = 0.5 * voigt(OMEGA - c, 0.03, 0.0) + 2.0 * voigt(OMEGA - c, 0.03, 0.15)
        y = np.asarray(y) + 0.1
        s = 0.02 * np.sqrt(y)
        rows.append((OMEGA, y + s * rng.standard_normal(y.size), s, q))
    data = qens.from_bins(rows, 0.03)
    fixed = qens.select_lines(data, (0, 1), starts=2)
    assert fixed.summary().startswith("NO GOOD FIT at 2 of 2 Q")
    found = qens.select_lines(data, (0, 1), center="per_q", starts=2)
    assert list(found.best()) == [1, 1]
    assert np.all(np.abs(found.red_chi2[1] - 1) < 0.5)
    fit = found.fits[1]
    pulls = (fit.column("center") - shifts) / fit.error("center")
    assert np.all(np.abs(pulls) < 4)
    # one parameter more than without, of 81 points
    chi2, n, m = found.chi2[1], OMEGA.size, 2 + 4
    np.testing.assert_allclose(found.bic[1], chi2 + m * np.log(n))
    with pytest.raises(ModelError, match="'fixed' or 'per_q'"):
        qens.select_lines(data, (0, 1), center="global")


def test_what_ends_on_a_bound_is_said(small):
    _, found = small
    assert "AT A BOUND" not in found.summary()
    fit = found.fits[1]
    on = np.array(fit.at_bound)
    on[1, 0] = True
    edge = dataclasses.replace(fit, at_bound=on)
    told = dataclasses.replace(found, fits=(found.fits[0], edge)).summary()
    assert "AT A BOUND: hwhm_1 of 1 lines at Q = 1.600; the data do not" in told


def test_an_evidence_with_a_large_error_is_said(small):
    _, found = small
    error = np.array(found.log_evidence_error)
    assert error.max() < 0.1 and "ROUGH" not in found.summary()
    error[1, 0] = 0.7
    rough = dataclasses.replace(found, log_evidence_error=error)
    assert "ROUGH: ln Z has an error above 0.5 for 1 lines at" in rough.summary()
    assert "ROUGH" not in rough.summary("bic")


def test_choices_that_do_not_exist_are_refused(small):
    data, found = small
    with pytest.raises(ModelError, match="by is 'chi2'"):
        found.best("chi2")
    with pytest.raises(ModelError, match="expected different numbers"):
        qens.select_lines(data, (1, 1))
    with pytest.raises(ModelError, match="lines is 5"):
        qens.select_lines(data, (5,))
    blind = js.Dataset(data.y, None, None, dict(data.coords), dict(data.dims))
    with pytest.raises(DataError, match="the data have no errors"):
        qens.select_lines(blind)
