"""Fits of decays: measured data against scipy, recovery, ties between groups, τ(q)."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import curve_fit

import jaxscatter as js
from jaxscatter.errors import DataError, ModelError, ParameterError
from jaxscatter.xpcs import (
    age_cuts,
    c2,
    cut_table,
    decay_problem,
    double_exponential,
    from_matrices,
    power_law_problem,
    relaxation_times,
    stretched_exponential,
)

DATA = pathlib.Path(__file__).parent.parent / "data/xpcs"
TAU = np.geomspace(0.01, 30.0, 60)


@pytest.fixture(scope="module")
def measured():
    """The stored two-time correlation of 350 frames, with 0.5 s between them."""
    with np.load(DATA / "nsls2_two_time.npz") as stored:
        c = np.ones((350, 350))
        early, late = np.triu_indices(350, 1)
        c[early, late] = c[late, early] = stored["triangle"]
    return from_matrices(c[None], np.zeros(1), q=0.01, dt=0.5)


def cuts_of(curves, sigma=None, tau=TAU):
    """A dataset of given curves (group, lag)."""
    curves = np.atleast_2d(curves)
    s = None if sigma is None else np.full(curves.shape, sigma)
    return js.Dataset(curves, s, coords={"tau": tau}, dims={"tau": ("point",)})


@pytest.mark.peer
def test_mean_over_all_ages_gives_the_fit_of_scipy(measured, reference):
    """Γ is per second here and per frame there, so it differs by dt = 0.5 s."""
    known = reference("xpcs/nsls2_g2_fit.json")
    cuts = age_cuts(measured, 1, max_lag=149 * 0.5)
    problem = decay_problem(cuts, bounds={"ginf": (0.9, 1.2), "gamma": (0.0, 4.0)})
    fit = js.fit(problem, warn=False)
    table = cut_table(fit)
    errors = dict(zip(known["params"], known["stderr"], strict=True))
    for ours, theirs, factor in (
        ("contrast", "beta", 1.0),
        ("gamma", "Gamma", 0.5),
        ("ginf", "ginf", 1.0),
        ("exponent", "alpha", 1.0),
    ):
        sigma = errors[theirs]
        assert abs(factor * table[ours][0] - known["params"][theirs]) < 0.02 * sigma
        np.testing.assert_allclose(factor * table[f"{ours}_error"][0], sigma, rtol=0.02)
    np.testing.assert_allclose(fit.statistics["red_chi2"], known["red_chi2"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.peer
def test_noisy_cuts_are_fitted_no_worse_than_by_scipy(measured, reference):
    known = reference("xpcs/nsls2_age_fits.json")
    ages = 0.5 * (np.array(known["age_index"]) + 0.5)
    cuts = age_cuts(measured, ages, width=0.5, errors="none")
    fit = js.fit(decay_problem(cuts), warn=False)
    for y, curve, m, least in zip(
        cuts.y, fit.predict(), cuts.mask > 0, known["r2"], strict=True
    ):
        r2 = 1 - np.sum((y - curve)[m] ** 2) / np.sum((y[m] - y[m].mean()) ** 2)
        assert r2 >= least - 1e-6


@pytest.mark.parametrize(
    ("decay", "curve", "truth"),
    [
        (
            "stretched",
            stretched_exponential(TAU, 0.7, 1.6),
            {"gamma": 0.7, "exponent": 1.6},
        ),
        (
            "single",
            stretched_exponential(TAU, 1 / 2.5, 0.6),
            {"tau_c": 2.5, "exponent": 0.6},
        ),
        (
            "double",
            double_exponential(TAU, 0.2, 6.0, 0.35, 1.2, 0.9),
            {
                "tau_fast": 0.2,
                "tau_slow": 6.0,
                "fraction": 0.35,
                "exponent_fast": 1.2,
                "exponent_slow": 0.9,
            },
        ),
    ],
)
def test_parameters_of_an_exact_curve_come_back(decay, curve, truth):
    data = cuts_of(1.02 + 0.3 * np.asarray(curve), 1e-4)
    fit = js.fit(decay_problem(data, decay), warn=False)
    table = cut_table(fit)
    for name, value in (truth | {"contrast": 0.3, "ginf": 1.02}).items():
        np.testing.assert_allclose(table[name], value, rtol=1e-4)


@pytest.mark.slow
def test_errors_of_many_groups_are_calibrated():
    """Sixty groups of one truth in one problem: deviations over their errors."""
    rng = np.random.default_rng(3)
    clean = 1.0 + 0.2 * np.asarray(stretched_exponential(TAU, 0.5, 0.9))
    data = cuts_of(clean + 0.004 * rng.normal(size=(60, TAU.size)), 0.004)
    problem = decay_problem(data, bounds={"ginf": (0.9, 1.1)})
    table = cut_table(js.fit(problem, warn=False))
    for name, truth in (
        ("gamma", 0.5),
        ("exponent", 0.9),
        ("contrast", 0.2),
        ("ginf", 1.0),
    ):
        z = (table[name] - truth) / table[f"{name}_error"]
        assert abs(z.mean()) < 4 / np.sqrt(60), name
        assert 0.6 < np.var(z) < 1.6, name


@pytest.mark.slow
def test_groups_may_share_a_parameter_or_hold_one():
    curves = [1 + 0.2 * stretched_exponential(TAU, g, 1.3) for g in (0.1, 1.0, 5.0)]
    data = cuts_of(np.stack([np.asarray(c) for c in curves]), 1e-3)
    fit = js.fit(decay_problem(data, shared=["exponent"]), warn=False)
    assert fit.labels == ("gamma[0]", "gamma[1]", "gamma[2]", "exponent")
    table = cut_table(fit)
    np.testing.assert_allclose(table["gamma"], [0.1, 1.0, 5.0], rtol=1e-4)
    np.testing.assert_allclose(table["exponent"], [1.3, 1.3, 1.3], rtol=1e-4)
    held = js.fit(decay_problem(data, fixed={"exponent": 1.3}), warn=False)
    assert held.labels == ("gamma[0]", "gamma[1]", "gamma[2]")
    np.testing.assert_allclose(cut_table(held)["gamma"], [0.1, 1.0, 5.0], rtol=1e-6)
    both = decay_problem(data, "double", shared=["tau_fast", "ratio"])
    assert not both.parameters["tau_slow"].local
    given = decay_problem(data, values={"gamma": 0.4, "exponent": 1.0})
    np.testing.assert_array_equal(given.parameters["gamma"].value, 0.4)


def test_decay_at_an_age_follows_the_transport_of_that_age():
    """c2 = 1 + contrast e^(-q² ∫J), so 2Γ is q² J(age) where J hardly changes."""
    t, q = 0.1 * np.arange(150), 0.01
    theta = {"D0": 3000.0, "alpha": 0.5, "D_offset": 1000.0}
    matrix = np.asarray(c2(theta, t, 0.0, q=q, contrast=0.2, model="static"))
    data = from_matrices(matrix[None], np.zeros(1), q=q, t=t)
    ages = np.array([5.0, 7.5, 10.0])
    cuts = age_cuts(data, ages, width=0.3, errors="none")
    fit = js.fit(decay_problem(cuts, fixed={"exponent": 1.0}), warn=False)
    known = 0.5 * q**2 * (3000.0 * np.sqrt(ages) + 1000.0)
    np.testing.assert_allclose(cut_table(fit)["gamma"], known, rtol=5e-3)
    tau, _ = relaxation_times(fit)
    np.testing.assert_allclose(tau, 1 / known, rtol=5e-3)
    np.testing.assert_array_equal(cut_table(fit)["age"], ages)


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [0.2, 1.0, 3.0])
def test_cost_has_a_finite_slope_at_the_ends_of_the_bounds(exponent):
    tau = np.concatenate([[0.0], TAU])
    curve = 1.0 + 0.2 * np.asarray(stretched_exponential(tau, 0.5, 0.9))
    problem = decay_problem(cuts_of(curve, 0.01, tau))
    slope = jax.jit(jax.grad(problem.cost))
    for gamma in (0.0, float(problem.parameters["gamma"].hi[0])):
        at = slope(jnp.array([gamma, exponent]))
        assert np.all(np.isfinite(at))
        assert np.all(np.isfinite(problem.normal(jnp.array([gamma, exponent])).hessian))


def test_times_come_from_every_decay():
    curve = 1.0 + 0.2 * np.asarray(stretched_exponential(TAU, 0.5, 1.0))
    data = cuts_of(curve + 1e-3 * np.sin(40 * TAU), 1e-3)
    rate = js.fit(decay_problem(data), warn=False)
    time = js.fit(decay_problem(data, "single"), warn=False)
    (a, a_error), (b, b_error) = relaxation_times(rate), relaxation_times(time)
    np.testing.assert_allclose(a, b, rtol=1e-5)
    np.testing.assert_allclose(a_error, b_error, rtol=1e-3)
    known = rate.derive("tau_c", lambda p: 1 / p["gamma"][0])
    np.testing.assert_allclose([a[0], a_error[0]], known, rtol=1e-10)


def test_power_law_of_exact_times():
    q = np.array([0.003, 0.005, 0.009, 0.02])
    for a, b in ((2.5e-5, -2.0), (3e-2, -1.0), (7.0, 0.5)):
        fit = js.fit(power_law_problem(q, a * q**b, 0.01 * a * q**b), warn=False)
        np.testing.assert_allclose(fit["b"], b, rtol=1e-9)
        np.testing.assert_allclose(fit.amplitude_values["a"], a, rtol=1e-8)


@pytest.mark.peer
def test_power_law_with_weights_is_that_of_scipy():
    rng = np.random.default_rng(5)
    q = np.geomspace(0.003, 0.03, 9)
    error = 2.5e-5 * q**-1.8 * np.linspace(0.02, 0.2, 9)
    tau = 2.5e-5 * q**-1.8 + error * rng.normal(size=9)
    fit = js.fit(power_law_problem(q, tau, error), warn=False)
    known, cov = curve_fit(
        lambda q, a, b: a * q**b,
        q,
        tau,
        p0=(fit.amplitude_values["a"] * 1.2, fit["b"] - 0.05),
        sigma=error,
        absolute_sigma=True,
        xtol=1e-12,
        ftol=1e-12,
    )
    got = [fit.amplitude_values["a"], fit["b"]]
    np.testing.assert_allclose(got, known, rtol=1e-6)
    errors = [fit.linear["stderr"][0], fit.error("b")]
    np.testing.assert_allclose(errors, np.sqrt(np.diag(cov)), rtol=1e-4)
    more = power_law_problem(np.append(q, 0.05), np.append(tau, np.nan), None)
    assert more.data.n_points == 9


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        (("exponential",), {}, ModelError, "decay is 'exponential'"),
        ((), {"shared": ["beta"]}, ParameterError, r"decay has no \['beta'\]"),
        ((), {"fixed": {"tau_c": 1.0}}, ParameterError, "has no"),
        ((), {"bounds": {"contrst": (0.0, 1.0)}}, ParameterError, "'ginf'"),
        ((), {"values": {"gamma": -1.0}}, ParameterError, "outside its bounds"),
    ],
)
def test_what_does_not_exist_or_fit_is_named(arguments, options, error, text):
    with pytest.raises(error, match=text):
        decay_problem(cuts_of(np.ones(TAU.size)), *arguments, **options)


def test_data_of_another_kind_are_refused():
    with pytest.raises(DataError, match="no coordinate 'tau'"):
        decay_problem(js.Dataset(np.ones((1, 5))))
    with pytest.raises(DataError, match="tau must not be negative"):
        decay_problem(cuts_of(np.ones(TAU.size), tau=-TAU))
    q = np.array([0.01, 0.02])
    with pytest.raises(DataError, match="have shapes"):
        power_law_problem(q, np.ones(3))
    with pytest.raises(DataError, match="q must be positive"):
        power_law_problem(-q, np.ones(2))
    with pytest.raises(DataError, match="two different q"):
        power_law_problem(q, np.array([1.0, np.nan]))
    fit = js.fit(power_law_problem(q, np.array([4.0, 1.0])), warn=False)
    with pytest.raises(ModelError, match="no coordinate 'tau'"):
        cut_table(fit)
