"""Noise with parameters, and losses with heavy tails, beside amplitudes per group."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxscatter.infer import fit, sample
from jaxscatter.problem import Amplitude, Dataset, Gaussian, Parameter, Problem, model

GROUPS, N, SIGMA = 2, 25, 0.5
SETTINGS = {"warmup": 200, "draws": 400, "warn": False}
GRID = np.linspace(-4.0, 8.0, 4001)


def levels(y, likelihood, **more):
    """y_g = a_g and noise: given the noise, groups are independent."""
    built = model(
        lambda theta, c: jnp.ones_like(c["t"])[:, None],
        [],
        [Amplitude("a")],
        name="levels",
    )
    data = Dataset(y, np.full(y.shape, SIGMA), coords={"t": np.arange(float(N))})
    return Problem(built, data, likelihood=likelihood, **more)


BOXED = {"a": Parameter("a", 1.0, bounds=(-4.0, 8.0))}


def drawn(width, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([[1.0], [3.0]]) + width * rng.normal(size=(GROUPS, N))


def by_grid(log_density, values):
    """Mean and standard deviation of a density on a grid."""
    weight = np.exp(log_density - np.max(log_density))
    weight /= weight.sum()
    mean = np.sum(weight * values)
    return mean, np.sqrt(np.sum(weight * (values - mean) ** 2))


def agrees(draws, mean, sd):
    assert abs(np.mean(draws) - mean) < 0.25 * sd
    assert np.std(draws) == pytest.approx(sd, rel=0.2)


def log_of_width(y, widths):
    """Log L of one common width, each group's level integrated over all numbers."""
    spread = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    free = GROUPS * (N - 1)
    return -free * np.log(widths) - 0.5 * spread / widths**2


def student(y, a):
    """Log density of t with 3 degrees of freedom, by scipy."""
    return np.sum(stats.t.logpdf(y, 3.0, loc=a, scale=SIGMA))


def with_outliers():
    y = drawn(SIGMA, 2)
    y[0, ::8] += 6.0
    return y


def test_student_t_has_its_density_up_to_a_constant():
    """The constant is that of the degrees of freedom, so no parameter enters it."""
    y, loss = with_outliers(), Gaussian(loss="student_t", nu=3.0)
    p = levels(y, loss, explicit=BOXED)
    missing = [
        sum(student(y[g], a[g]) for g in range(GROUPS)) - float(p.loglike(jnp.array(a)))
        for a in ((1.0, 3.0), (-2.0, 7.0), (1.7, 2.2))
    ]
    np.testing.assert_allclose(missing, missing[0], rtol=1e-10)
    own = stats.t.logpdf(0.0, 3.0) - stats.norm.logpdf(0.0)
    np.testing.assert_allclose(missing[0], GROUPS * N * own, rtol=1e-10)


def test_student_t_is_sampled_with_explicit_amplitudes():
    y, loss = with_outliers(), Gaussian(loss="student_t", nu=3.0)
    post = sample(levels(y, loss, explicit=BOXED), **SETTINGS)
    for g in range(GROUPS):
        density = np.array([student(y[g], a) for a in GRID[::8]])
        agrees(post[f"a[{g}]"], *by_grid(density, GRID[::8]))
    assert abs(post["a[0]"].mean() - 1.0) < 0.5  # not at y's mean, 1.9


@pytest.mark.slow
def test_a_scale_of_the_errors_is_fitted_and_sampled_beside_amplitudes():
    """Errors said to be half of what they are."""
    y = drawn(2 * SIGMA)
    p = levels(y, Gaussian("scale"))
    best = fit(p, warn=False)
    spread = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    s = np.sqrt(spread / (GROUPS * N)) / SIGMA
    assert best["noise_scale"] == pytest.approx(s, rel=1e-6)
    post = sample(p, **SETTINGS)
    assert post.linear_mode == "flat"
    s = np.linspace(1.0, 4.0, 3000)
    density = log_of_width(y, s * SIGMA) - np.log(s)  # log-uniform prior
    agrees(post["noise_scale"], *by_grid(density, s))
    expected = SIGMA * np.sqrt(np.mean(post["noise_scale"] ** 2) / N)
    assert post.linear_draws["a[0]"].std() == pytest.approx(expected, rel=0.15)


@pytest.mark.slow
def test_jitter_is_fitted_and_sampled_beside_amplitudes():
    """Levels of groups are free of each other, the added deviation is common."""
    y = drawn(np.hypot(SIGMA, 0.8), 1)
    p = levels(y, Gaussian("jitter"))
    best = fit(p, warn=False)
    spread = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    total = np.sqrt(spread / (GROUPS * N))
    assert best["jitter"] == pytest.approx(np.sqrt(total**2 - SIGMA**2), rel=1e-5)
    np.testing.assert_allclose(best.linear["value"], y.mean(axis=1), rtol=1e-10)
    post = sample(p.with_(explicit=BOXED), **SETTINGS)
    j = np.linspace(0.0, 3.0, 4000)
    agrees(post["jitter"], *by_grid(log_of_width(y, np.hypot(SIGMA, j)), j))
    for g in range(GROUPS):
        assert abs(post[f"a[{g}]"].mean() - y[g].mean()) < 0.05
        expected = np.sqrt(np.mean(SIGMA**2 + post["jitter"] ** 2) / N)
        assert post[f"a[{g}]"].std() == pytest.approx(expected, rel=0.15)
