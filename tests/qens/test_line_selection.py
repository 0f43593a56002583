"""The number of Lorentzians that data ask for."""

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.errors import DataError, ModelError
from jaxscatter.qens.line_selection import _evidence, _half_gaussian

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


def test_the_evidence_of_one_width_and_one_area_agrees_with_quadrature():
    """Two unknowns, Γ and its area: the Laplace form against the double integral."""
    rng = np.random.default_rng(3)
    sigma = np.full(OMEGA.size, 0.05)

    def line(g):
        return g / np.pi / (OMEGA**2 + g**2)

    y = 2.0 * line(0.2) + sigma * rng.standard_normal(OMEGA.size)
    low, high = 0.05, 1.0
    span = np.log(high / low)

    def cost(log_g, a):
        return 0.5 * np.sum(np.square((y - a * line(np.exp(log_g))) / sigma))

    from scipy.optimize import minimize

    best = minimize(lambda p: cost(*p), [np.log(0.2), 2.0], tol=1e-12)
    log_g, a = best.x
    top = np.max(np.abs(y)) / np.max(line(np.exp(log_g)))
    z, _ = dblquad(
        lambda t, area: np.exp(best.fun - cost(t, area)),
        a - 0.3,
        a + 0.3,
        log_g - 0.3,
        log_g + 0.3,
    )
    exact = np.log(z / span / top) - best.fun
    exact -= np.sum(np.log(sigma)) + 0.5 * y.size * np.log(2 * np.pi)
    h = 1e-5
    slope = (line(np.exp(log_g + h)) - line(np.exp(log_g - h))) / (2 * h)
    got = _evidence(
        line(np.exp(log_g))[:, None],
        slope[:, None, None],
        y,
        sigma,
        np.array([a]),
        1,
        False,
        span,
    )
    np.testing.assert_allclose(got, exact, atol=0.02)


@pytest.mark.parametrize(("slope", "curvature"), [(0.0, 2.0), (3.0, 1.0), (40.0, 1.0)])
def test_an_area_at_zero_enters_by_its_half_of_a_gaussian(slope, curvature):
    exact = quad(lambda a: np.exp(-slope * a - 0.5 * curvature * a * a), 0, np.inf)[0]
    np.testing.assert_allclose(_half_gaussian(slope, curvature), np.log(exact), 1e-8)


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
    import dataclasses

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
