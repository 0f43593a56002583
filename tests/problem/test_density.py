"""The log likelihood and its derivatives against dense formulas.

The dense side builds the whole design by a loop over groups and is differentiated by
jax; it shares nothing with the engine but the model's formula.
"""

import functools
import importlib.util
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import gammaln
from scipy.optimize import lsq_linear

_SPEC = importlib.util.spec_from_file_location(
    "problem_cases", pathlib.Path(__file__).with_name("cases.py")
)
cases = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cases)
CASES = cases.CASES
EVERY = pytest.mark.parametrize("name", CASES)
log_ndtr = functools.partial(jax.scipy.special.log_ndtr, series_order=12)


def log_orthant(which, amplitudes, mean, cov):
    """log P(a >= lower) with at most one coupling amplitude per integral, dense."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    bounded = np.array([np.isfinite(amplitudes[j].lower) for j in which])

    def integral(first, others, cut):
        sd = jnp.sqrt(cov[first, first])
        slope = cov[others, first] / cov[first, first]
        rest = jnp.sqrt(jnp.diagonal(cov)[others] - slope * cov[others, first])
        # the integrand, as a function of the value itself, around its own bulk
        grid = mean[first] + sd * jnp.linspace(-40.0, 40.0, 4001)

        def log_f(t):
            z = (t - mean[first]) / sd
            ratio = mean[others][None] + slope[None] * (t - mean[first])[:, None]
            tails = jnp.sum(log_ndtr(ratio / rest[None]), axis=1)
            return tails - 0.5 * z**2 - jnp.log(sd) - 0.5 * jnp.log(2 * jnp.pi)

        values = jnp.where((grid >= 0) | (not cut), log_f(grid), -jnp.inf)
        live = values > jnp.max(values) - 45
        step = 80 * sd / 4000
        low = jnp.min(jnp.where(live, grid, jnp.inf)) - step
        high = jnp.max(jnp.where(live, grid, -jnp.inf)) + step
        low = jnp.maximum(low, 0.0) if cut else low
        low, high = jax.lax.stop_gradient((low, high))
        t = 0.5 * (high - low) * nodes + 0.5 * (high + low)
        return jax.nn.logsumexp(log_f(t) + jnp.log(0.5 * (high - low) * weights))

    shared = [i for i, j in enumerate(which) if amplitudes[j].shared]
    local = np.array([i for i in range(len(which)) if i not in shared])
    if shared:
        return integral(shared[0], local[bounded[local]], bool(bounded[shared[0]]))
    half = len(which) // 2
    return sum(integral(g, np.array([g + half]), True) for g in range(half))


def dense(case, problem):
    """log L(x) by the whole design, as a function for jax to differentiate."""
    data = problem.data
    mask, y = data.mask.reshape(-1) > 0, data.y.reshape(-1)
    keep = np.flatnonzero(np.asarray(mask))
    y = y[keep]

    def free_columns(x):
        """Which columns are free in the constrained minimum, by scipy."""
        which, full = cases.flat(case.amplitudes, cases.design(x, data))
        w = np.sqrt(1 / np.asarray(variance(x, full @ np.zeros(len(which)))))
        low = [case.amplitudes[j].lower for j in which]
        full = np.asarray(full)[keep] * w[keep][:, None]
        best = lsq_linear(full, np.asarray(y) * w[keep], (low, np.inf), tol=1e-14).x
        return np.flatnonzero(best > np.array(low) + 1e-7)

    def variance(x, mu):
        v = data.sigma.reshape(-1) ** 2
        if case.noise == "scale":
            return v * x[5] ** 2
        if case.noise == "jitter":
            return v + x[5] ** 2
        if case.noise == "model":
            return v * (1 + jnp.exp(mu) * (0.5 + x[0] ** 2))
        return v

    def function(x, free=None):
        which, full = cases.flat(case.amplitudes, cases.design(x, data))
        mu = jnp.zeros(full.shape[0])
        if case.mode == "explicit":
            mu = full @ x[len(x) - len(which) :]
        v = variance(x, mu)[keep]
        full, root = full[keep], jnp.sqrt(v)
        norm = -0.5 * jnp.sum(jnp.log(2 * jnp.pi * v))
        a, b = full / root[:, None], y / root
        k = len(which)
        if case.mode == "explicit":
            return norm - 0.5 * jnp.sum((b - mu[keep] / root) ** 2)
        if case.mode == "gaussian":
            prior = [case.amplitudes[j].prior for j in which]
            mean = np.array([m for m, _ in prior])
            s = np.array([sd for _, sd in prior])
            cov = jnp.eye(len(b)) + (a * s[None] ** 2) @ a.T
            r = b - a @ mean
            quad = r @ jnp.linalg.solve(cov, r)
            log_v = jnp.sum(jnp.log(v))
            full_det = jnp.linalg.slogdet(2 * jnp.pi * cov)[1]
            return -0.5 * (quad + full_det + log_v)
        if case.mode == "profile":
            a = a[:, free]
        gram = a.T @ a
        best = jnp.linalg.solve(gram, a.T @ b)
        chi2 = jnp.sum((b - a @ best) ** 2)
        if case.noise == "scale_marginal":
            m = len(b) - (k if case.mode == "flat" else 0)
            norm = norm + gammaln(m / 2) - jnp.log(2.0) - m / 2 * jnp.log(chi2 / 2)
        else:
            norm = norm - 0.5 * chi2
        if case.mode == "profile":
            return norm
        norm += 0.5 * k * jnp.log(2 * jnp.pi) - 0.5 * jnp.linalg.slogdet(gram)[1]
        if case.mode == "flat":
            return norm
        cov = jnp.linalg.inv(gram)
        return norm + log_orthant(which, case.amplitudes, best, cov)

    if case.mode == "profile":
        free = free_columns(np.asarray(case.x()))
        return lambda x: function(x, free)
    return function


def loglike(case, problem):
    mode = None if case.mode == "explicit" else case.mode
    return lambda x: problem.loglike(x, mode)


@pytest.mark.slow
@EVERY
def test_log_likelihood_and_its_derivatives_are_those_of_the_dense_formula(name):
    case = CASES[name]
    problem, x = case.problem(), case.x()
    f, reference = loglike(case, problem), dense(case, problem)
    expected, slope = jax.jit(jax.value_and_grad(reference))(x)
    both = jax.jit(jax.vmap(jax.value_and_grad(f)))
    size, h = x.size, 1e-5
    steps = h * jnp.concatenate([jnp.zeros((1, size)), jnp.eye(size), -jnp.eye(size)])
    values, slopes = both(x[None] + steps)
    np.testing.assert_allclose(values[0], expected, rtol=1e-9)
    scale = jnp.max(jnp.abs(slope))
    np.testing.assert_allclose(slopes[0], slope, rtol=1e-9, atol=1e-9 * scale)
    central = (values[1 : size + 1] - values[size + 1 :]) / (2 * h)
    np.testing.assert_allclose(central, slope, rtol=1e-5, atol=1e-6 * scale)


SECOND = ["profile at zero", "flat scale", "nonnegative arrow far", "explicit model"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SECOND)
def test_jvp_gradient_and_hessian_agree(name):
    case = CASES[name]
    problem, x = case.problem(), case.x()
    f, h, size = loglike(case, problem), 1e-5, case.x().size
    hessian = jax.jit(jax.hessian(f))(x)
    slopes = jax.jit(jax.vmap(jax.grad(f)))(
        x[None] + h * jnp.concatenate([jnp.eye(size), -jnp.eye(size)])
    )
    central = (slopes[:size] - slopes[size:]) / (2 * h)
    scale = jnp.max(jnp.abs(hessian))
    np.testing.assert_allclose(hessian, central, rtol=1e-4, atol=1e-6 * scale)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-7, atol=1e-9 * scale)

    v = jnp.asarray(np.random.default_rng(0).normal(size=size))
    value, along = jax.jit(lambda x, v: jax.jvp(f, (x,), (v,)))(x, v)
    np.testing.assert_allclose(value, jax.jit(f)(x), rtol=1e-12)
    np.testing.assert_allclose(along, jax.jit(jax.grad(f))(x) @ v, rtol=1e-9)
