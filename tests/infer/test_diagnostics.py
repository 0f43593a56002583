"""Diagnostics against closed forms of simple processes and against arviz."""

import re
import warnings

import numpy as np
import pytest

from jaxscatter.infer import diagnostics as dg


def normal(seed, shape):
    return np.random.default_rng(seed).normal(size=shape)


def autoregressive(seed, phi, shape):
    """Stationary x' = φ x + √(1 - φ²) z: autocorrelation time (1 + φ)/(1 - φ)."""
    z = normal(seed, shape)
    x = np.empty(shape)
    x[:, 0] = z[:, 0]
    for t in range(1, shape[1]):
        x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi**2) * z[:, t]
    return x


SETS = {
    "independent": normal(0, (4, 1000)),
    "correlated": autoregressive(1, 0.9, (4, 1000)),
    "antithetic": autoregressive(2, -0.5, (4, 500)),
    "odd length": autoregressive(3, 0.5, (3, 401)),
    "short": normal(4, (2, 9)),
    "shifted": autoregressive(5, 0.5, (4, 300)) + np.arange(4.0)[:, None],
    "wider": normal(6, (4, 300)) * np.array([1.0, 1, 1, 4])[:, None],
    "heavy tails": np.random.default_rng(7).standard_cauchy((4, 500)),
    "ties": np.round(autoregressive(8, 0.5, (4, 400)), 1),
    "trend": normal(9, (2, 200)) + np.linspace(0, 3, 200)[None, :],
}
EACH = pytest.mark.parametrize("name", SETS)


@pytest.fixture(scope="module")
def arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("arviz")


@pytest.mark.peer
@EACH
def test_values_are_those_of_arviz(arviz, name):
    x = SETS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = [
            (dg.r_hat(x), arviz.rhat(x, method="rank")),
            (dg.ess_bulk(x), arviz.ess(x, method="bulk")),
            (dg.ess_tail(x), arviz.ess(x, method="tail")),
            (dg.ess_mean(x), arviz.ess(x, method="mean")),
            (dg.mcse_mean(x), arviz.mcse(x, method="mean")),
        ]
        energies = arviz.bfmi(x)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, float(theirs), rtol=1e-6)
    np.testing.assert_allclose(dg.e_bfmi(x), energies, rtol=1e-6)


@pytest.mark.peer
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [60, 1000, 5000])
def test_pareto_k_is_that_of_arviz(arviz, seed, size):
    rng = np.random.default_rng(seed)
    for log_ratios in (rng.normal(size=size), 2 * rng.exponential(size=size)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            k = arviz.psislw(log_ratios.copy(), reff=1.0)[1]
        np.testing.assert_allclose(dg.pareto_k(log_ratios), float(k), rtol=1e-6)


def test_independent_draws_count_in_full():
    x = normal(10, (4, 4000))
    assert dg.ess_bulk(x) == pytest.approx(x.size, rel=0.1)
    assert dg.ess_mean(x) == pytest.approx(x.size, rel=0.1)
    assert dg.ess_tail(x) == pytest.approx(x.size, rel=0.15)
    assert dg.mcse_mean(x) == pytest.approx(1 / np.sqrt(x.size), rel=0.06)
    assert abs(dg.r_hat(x) - 1) < 2e-3


@pytest.mark.parametrize("phi", [0.5, 0.9, -0.4])
def test_correlated_draws_count_by_their_autocorrelation_time(phi):
    x = autoregressive(11, phi, (4, 20000))
    expected = x.size * (1 - phi) / (1 + phi)
    assert dg.ess_mean(x) == pytest.approx(expected, rel=0.1)
    assert dg.ess_bulk(x) == pytest.approx(expected, rel=0.1)
    assert dg.mcse_mean(x) == pytest.approx(1 / np.sqrt(expected), rel=0.06)


@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_bfmi_of_a_correlated_energy(phi):
    """⟨(Eₜ - Eₜ₋₁)²⟩/var = 2(1 - φ)."""
    values = dg.e_bfmi(autoregressive(12, phi, (3, 20000)))
    np.testing.assert_allclose(values, 2 * (1 - phi), rtol=0.1)


def test_r_hat_of_separated_chains():
    """Ranks bound it, so only the order is asked: 1 at rest, growing with distance."""
    values = [
        dg.r_hat(normal(13, (2, 500)) + np.array([[-d], [d]])) for d in (0, 0.5, 2)
    ]
    assert values[0] < 1.01 and 1.05 < values[1] < values[2]


def test_r_hat_sees_a_wider_chain_by_the_fold():
    x = SETS["wider"]
    assert dg.r_hat(x) > 1.05


def test_r_hat_is_invariant_under_monotone_maps():
    x = SETS["correlated"]
    assert dg.ess_bulk(np.exp(x)) == pytest.approx(dg.ess_bulk(x), rel=1e-12)


@pytest.mark.parametrize("k", [0.3, 0.6, 0.9])
def test_pareto_k_of_pareto_ratios(k):
    """Ratios u⁻ᵏ of uniform u have tail index k."""
    u = np.random.default_rng(14).uniform(size=200_000)
    assert dg.pareto_k(-k * np.log(u)) == pytest.approx(k, abs=0.08)


@pytest.mark.parametrize(
    "log_ratios",
    [
        np.zeros(1000),
        np.full(100, -np.inf),
        np.array([0.0, 1.0, 2.0]),
        np.array([]),
        np.append(np.zeros(99), np.nan),
        np.append(np.zeros(99), np.inf),
        np.append(np.full(99, -1e4), 0.0),
    ],
)
def test_pareto_k_without_a_tail_is_infinite(log_ratios):
    assert dg.pareto_k(log_ratios) == np.inf


def test_pareto_k_allows_zero_ratios():
    log_ratios = normal(15, 1000)
    with_zeros = np.where(log_ratios < -1, -np.inf, log_ratios)
    assert dg.pareto_k(with_zeros) == dg.pareto_k(log_ratios)


ONE_NAN = normal(16, (4, 100))
ONE_NAN[2, 3] = np.nan


@pytest.mark.parametrize(
    "draws",
    [np.ones((4, 100)), ONE_NAN, np.full((2, 50), np.inf), normal(17, (4, 3))],
    ids=["constant", "nan", "infinite", "three draws"],
)
def test_what_cannot_be_told_is_nan(draws):
    for function in (dg.r_hat, dg.ess_bulk, dg.ess_tail, dg.ess_mean, dg.mcse_mean):
        assert np.isnan(function(draws))


def test_one_chain_has_sizes_but_no_r_hat():
    x = normal(18, (1, 1000))
    assert np.isnan(dg.r_hat(x))
    assert dg.ess_bulk(x) == pytest.approx(1000, rel=0.2)


def test_stuck_chains_at_different_levels_have_infinite_r_hat():
    x = np.broadcast_to(np.arange(4.0)[:, None], (4, 100))
    assert dg.r_hat(x) == np.inf
    assert dg.ess_bulk(x) < 10


def test_bfmi_of_a_bad_chain_is_nan_alone():
    energy = normal(19, (3, 100))
    energy[0] = 1.0
    energy[1, 5] = np.nan
    values = dg.e_bfmi(energy)
    assert np.all(np.isnan(values[:2])) and np.isfinite(values[2])
    assert np.isnan(dg.e_bfmi(np.ones((1, 2)))[0])


GOOD = {
    "r_hat": {"a": 1.001, "b": 1.005},
    "ess_bulk": {"a": 900.0, "b": 800.0},
    "ess_tail": {"a": 700.0, "b": 400.0},
    "chains": 4,
    "divergences": 0,
    "draws": 4000,
    "e_bfmi": np.full(4, 0.9),
    "saturation": 0.0,
}


def test_a_good_sample_has_converged():
    assert dg.verdict(**GOOD) == (True, [])
    assert dg.verdict(**GOOD | {"e_bfmi": np.array([])})[0]


@pytest.mark.parametrize(
    ("change", "symptom", "remedy"),
    [
        ({"r_hat": {"a": 1.0, "b": 1.02}}, "R-hat of b is 1.020", "double warm-up"),
        ({"r_hat": {"a": 1.0, "b": 1.5}}, "R-hat of b is 1.50", "multistart"),
        ({"r_hat": {"a": np.nan, "b": 1.0}}, "R-hat of a is nan", "double warm-up"),
        ({"ess_bulk": {"a": 399.0, "b": 800.0}}, "bulk .* of a is 399", "double"),
        ({"ess_tail": {"a": 500.0, "b": np.nan}}, "tail .* of b is nan", "double"),
        ({"divergences": 3}, "3 of 4000", "0.98"),
        ({"divergences": 40}, "40 of 4000", "reparametrise"),
        ({"saturation": 0.01}, "1.0 % of the draws", "whitening"),
        ({"saturation": np.nan}, "largest tree depth", "null directions"),
        ({"e_bfmi": np.array([0.9, 0.3])}, "E-BFMI is 0.30", "robust likelihood"),
        ({"e_bfmi": np.array([0.9, np.nan])}, "E-BFMI is nan", "heavier-tailed"),
        (
            {"chains": 1, "r_hat": {"a": np.nan, "b": np.nan}},
            "one chain",
            "at least two",
        ),
    ],
)
def test_each_failure_names_its_remedy(change, symptom, remedy):
    converged, reasons = dg.verdict(**GOOD | change)
    assert not converged and len(reasons) == 1
    assert re.search(symptom, reasons[0])
    assert remedy in reasons[0]


def test_all_failures_are_listed():
    bad = {"r_hat": {"a": 2.0}, "ess_bulk": {"a": 3.0}, "ess_tail": {"a": 3.0}}
    bad |= {"divergences": 400, "saturation": 0.5, "e_bfmi": np.array([0.1])}
    converged, reasons = dg.verdict(**GOOD | bad)
    assert not converged and len(reasons) == 6
