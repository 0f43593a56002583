"""From an end point to a result: joint covariances, ties, noise and what is said."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.infer import fit
from jaxscatter.problem import Amplitude, Dataset, Gaussian, Parameter, Problem, model


@pytest.mark.parametrize("shared", [False, True], ids=["local", "shared"])
def test_amplitude_covariance_is_that_of_explicit_amplitudes(cases, shared):
    """C_a = G⁻¹ + G⁻¹N C NᵀG⁻¹ equals the block of the full inverse of JᵀWJ."""
    y = cases.curves()
    if shared:
        rng = np.random.default_rng(1)
        rate = 1 / 1.3 + 0.2 * cases.q**2
        y = 2.0 * np.exp(-rate[:, None] * cases.t[None]) + 0.3
        y = y + cases.sigma * rng.normal(size=y.shape)
    problem = cases.decay(y, amplitudes=[Amplitude("a", shared=shared), Amplitude("b")])
    result = fit(problem, warn=False)
    labels = [str(n) for n in result.linear["label"]]

    def mu(x):
        tau, d, *rest = x
        known = dict(zip(labels, rest, strict=True))
        rate = 1 / tau + d * cases.q**2
        a = [known["a"] if shared else known[f"a[{g}]"] for g in range(4)]
        b = [known[f"b[{g}]"] for g in range(4)]
        curve = np.array(a)[:, None] * np.exp(-rate[:, None] * cases.t[None])
        return np.ravel(curve + np.array(b)[:, None]) / cases.sigma

    x = np.concatenate([result.x, result.linear["value"]])
    steps = 1e-6 * np.maximum(np.abs(x), 0.1)
    j = np.stack(
        [(mu(x + h) - mu(x - h)) / (2 * h.max()) for h in np.diag(steps)], axis=1
    )
    whole = np.linalg.inv(j.T @ j)
    np.testing.assert_allclose(result.cov, whole[:2, :2], rtol=1e-5)
    np.testing.assert_allclose(
        result.linear_cov, whole[2:, 2:], rtol=1e-5, atol=1e-6 * whole[2:, 2:].max()
    )
    np.testing.assert_allclose(
        result.linear["stderr"], np.sqrt(np.diagonal(whole))[2:], rtol=1e-5
    )


def test_explicit_amplitudes_give_the_same_fit(cases, decay_fit):
    result = fit(cases.decay(explicit=True), start=decay_fit, warn=False)
    assert result.linear_mode == "explicit"
    np.testing.assert_allclose(result.x[:2], decay_fit.x, rtol=1e-5)
    np.testing.assert_allclose(result.cov[:2, :2], decay_fit.cov, rtol=1e-3)
    for label, value in decay_fit.amplitude_values.items():
        row = list(decay_fit.linear["label"]).index(label)
        assert result[label] == pytest.approx(value, rel=1e-5)
        error = decay_fit.linear["stderr"][row]
        assert result.error(label) == pytest.approx(error, rel=1e-3)


def test_errors_of_tied_parameters_follow_the_gradient(cases, decay_fit):
    """One parametrisation by rate, tau tied to it: σ(1/k) = σ(k)/k²."""
    table = [
        Parameter("k", 0.5, "1/ps", (0.05, 10.0)),
        Parameter("tau", 1.0, "ps", tie=lambda k: 1 / k),
        Parameter("d", 0.1, "1/ps", (0.0, 1.0)),
        Parameter("same", 0.0, "1/ps", tie="d"),
    ]
    result = fit(cases.decay(parameters=table), warn=False)
    assert result["tau"] == pytest.approx(decay_fit["tau"], rel=1e-6)
    assert result.error("tau") == pytest.approx(decay_fit.error("tau"), rel=1e-4)
    assert result.error("tau") == pytest.approx(result.error("k") / result["k"] ** 2)
    assert result.error("same") == result.error("d")


def test_unknown_errors_scale_the_covariance(cases, decay_fit):
    """With sigma = 1 throughout, scaling by reduced chi2 undoes the missing σ."""
    blind = fit(cases.decay(sigma=None), warn=False)
    assert blind.scaled and not decay_fit.scaled
    factor = decay_fit.statistics["red_chi2"]
    np.testing.assert_allclose(blind.cov, decay_fit.cov * factor, rtol=1e-4)
    np.testing.assert_allclose(
        blind.linear_cov, decay_fit.linear_cov * factor, rtol=1e-4
    )
    assert np.isnan(blind.statistics["p_value"])
    kept = fit(cases.decay(sigma=None), scale_covariance=False, warn=False)
    np.testing.assert_allclose(kept.cov * cases.sigma**2, decay_fit.cov, rtol=1e-4)


def test_the_noise_scale_is_found_with_its_own_error(cases, decay_fit):
    """s² = χ²/n at the optimum, and its error is s/√(2n)."""
    result = fit(cases.decay(likelihood=Gaussian("scale")), warn=False)
    n = result.statistics["n_valid"]
    s = np.sqrt(decay_fit.statistics["chi2"] / n)
    assert result["noise_scale"] == pytest.approx(s, rel=1e-6)
    assert result.error("noise_scale") == pytest.approx(s / np.sqrt(2 * n), rel=1e-3)
    assert result.error("tau") == pytest.approx(s * decay_fit.error("tau"), rel=1e-3)
    assert result.statistics["chi2"] == pytest.approx(n, rel=1e-6)


def test_jitter_fills_what_the_errors_leave(cases):
    """Errors given as half of what they are: σ² + j² is the true variance."""
    result = fit(
        cases.decay(sigma=cases.sigma / 2, likelihood=Gaussian("jitter")), warn=False
    )
    assert result.success and "poor_fit" not in result.flags
    missing = np.sqrt(0.75) * cases.sigma
    assert abs(result["jitter"] - missing) < 4 * result.error("jitter")


def test_an_integrated_scale_gives_scaled_errors(cases, decay_fit):
    result = fit(cases.decay(likelihood=Gaussian("scale_marginal")), warn=False)
    factor = decay_fit.statistics["red_chi2"]
    assert result.scaled
    np.testing.assert_allclose(result.x, decay_fit.x, rtol=1e-5)
    np.testing.assert_allclose(result.cov, factor * decay_fit.cov, rtol=1e-4)


def test_a_debye_waller_factor_behind_free_amplitudes_is_reported_first():
    """exp(-q² u) only multiplies a free amplitude: the data cannot see u."""
    t, q = np.linspace(0, 4, 30), np.linspace(0.5, 1.5, 3)
    rng = np.random.default_rng(0)
    y = 2 * np.exp(-t / 1.2)[None] * np.exp(-0.3 * q**2)[:, None]
    y = y + 0.02 * rng.normal(size=y.shape)

    def columns(theta, coords):
        factor = jnp.exp(-theta["u"] * coords["q"] ** 2)
        return (factor * jnp.exp(-coords["t"] / theta["tau"]))[:, None]

    table = [Parameter("tau", 2.0, "ps", (0.1, 10)), Parameter("u", 0.1, "", (0, 1))]
    free = Problem(
        model(columns, table, [Amplitude("a")]),
        Dataset(y, np.full_like(y, 0.02), coords={"t": t, "q": q}),
    )
    result = fit(free, warn=False)
    assert "not_identifiable" in result.flags and result.error("u") == np.inf
    assert np.isfinite(result.error("tau")) and result["u"] == 0.1
    assert result.summary().splitlines()[1].startswith("! u cannot be determined")
    assert "± not determined" in result.summary()
    shared = Problem(
        model(columns, table, [Amplitude("a", shared=True)]),
        Dataset(y, np.full_like(y, 0.02), coords={"t": t, "q": q}),
    )
    seen = fit(shared, warn=False)
    assert abs(seen["u"] - 0.3) < 4 * seen.error("u") < 0.2


def test_factors_of_a_product_are_named_and_the_product_has_an_error(cases):
    def columns(theta, coords):
        return (theta["f"] * theta["g"] * jnp.exp(-coords["t"] / theta["tau"]))[:, None]

    t = cases.t
    rng = np.random.default_rng(4)
    y = 3.0 * np.exp(-t / 1.2) + 0.02 * rng.normal(size=t.size)
    table = [
        Parameter("f", 1.0, "", (0.1, 10)),
        Parameter("g", 2.0, "", (0.1, 10)),
        Parameter("tau", 2.0, "ps", (0.1, 10)),
        Parameter("product", 1.0, tie=lambda f, g: f * g),
    ]
    problem = Problem(
        model(columns, table), Dataset(y, np.full_like(y, 0.02), coords={"t": t})
    )
    result = fit(problem, warn=False)
    assert result.error("f") == result.error("g") == np.inf
    assert "only a combination of f, g" in result.warnings[0]
    value, error = result.derive("f g", lambda th: th["f"] * th["g"])
    assert abs(value - 3.0) < 5 * error < 0.1
    assert result.error("product") == pytest.approx(error, rel=1e-6)
    assert result.derive("f alone", lambda th: th["f"])[1] == np.inf


def test_a_model_that_does_not_describe_the_data_is_said(cases):
    result = fit(cases.decay(sigma=cases.sigma / 3), warn=False)
    assert "poor_fit" in result.flags
    assert any("does not describe the data" in w for w in result.warnings)


def test_amplitudes_held_at_their_bound_are_named(cases):
    amplitudes = [Amplitude("a", lower=0.0), Amplitude("b", lower=0.0)]
    y = cases.curves() - 0.6
    result = fit(cases.decay(y, amplitudes=amplitudes), warn=False)
    assert "amplitude_at_bound" in result.flags
    held = result.linear["at_bound"]
    np.testing.assert_array_equal(result.linear["value"][held], 0.0)
    assert np.all(np.isnan(result.linear["stderr"][held]))
    assert result.statistics["n_linear"] == np.sum(~held)
