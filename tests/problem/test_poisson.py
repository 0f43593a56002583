"""A problem of counts has the cost, gradient and curvature of the dense likelihood."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import gammaln

from jaxscatter.errors import DataError, ModelError
from jaxscatter.problem import (
    Amplitude,
    Dataset,
    Gaussian,
    Parameter,
    Poisson,
    Problem,
    joint,
    model,
)

T = np.linspace(0.1, 3.0, 24)
Q = np.array([0.5, 1.0, 1.7])
RATES = np.array([[9.0, 1.0], [4.0, 0.6], [2.0, 0.0]])
X = jnp.array([0.9, 0.2])
POSITIVE = (Amplitude("a", lower=0.0), Amplitude("b", lower=0.0))
ARROW = (Amplitude("a", lower=0.0), Amplitude("b", lower=0.0, shared=True))


def shapes(k, w, q):
    decay = jnp.exp(-k * q * T) * (1 + w * jnp.cos(3 * T))
    return jnp.stack([decay, 1 + w * T], axis=1)


def columns(theta, coords):
    k, w, t = theta["k"], theta["w"], coords["t"]
    decay = jnp.exp(-k * coords["q"] * t) * (1 + w * jnp.cos(3 * t))
    return jnp.stack([decay, 1 + w * t], axis=1)


def counted(seed=0):
    rng = np.random.default_rng(seed)
    mu = np.stack([shapes(1.0, 0.3, q) @ r for q, r in zip(Q, RATES, strict=True)])
    y = rng.poisson(mu).astype(float)
    y[2, T > 0.8] = 0.0  # leaves the constant of that group on its bound
    mask = rng.uniform(size=y.shape) > 0.1
    return np.where(mask, y, -9.0), mask  # what is masked need be no count


def problem(amplitudes=POSITIVE, likelihood=None, data=None, **more):
    y, mask = counted()
    table = [
        Parameter("k", 1.0, bounds=(0.05, 9.0)),
        Parameter("w", 0.1, bounds=(0.0, 0.9)),
    ]
    return Problem(
        model(columns, table, amplitudes),
        data or Dataset(y, mask=mask, coords={"t": T, "q": Q}),
        likelihood=likelihood or Poisson(),
        **more,
    )


def explicit(**more):
    table = {n: Parameter(n, 2.0, bounds=(0.0, 99.0)) for n in "ab"}
    return problem(explicit=table, **more)


def dense(x, a, y, mask):
    """Log L of a flat vector of curves, by the definition."""
    mu = jnp.concatenate([shapes(x[0], x[1], q) @ a[i] for i, q in enumerate(Q)])
    y, mask = jnp.ravel(jnp.asarray(y)), np.ravel(mask)
    y = jnp.where(mask, y, 1.0)
    return jnp.sum(jnp.where(mask, y * jnp.log(mu) - mu - gammaln(y + 1), 0.0))


WHOLE = jnp.concatenate([X, jnp.asarray([8.0, 5.0, 2.5, 1.2, 0.5, 0.1])])


def test_gradient_and_hessian_are_those_of_the_dense_likelihood():
    p, (y, mask) = explicit(), counted()

    def known(x):
        return dense(x[:2], x[2:].reshape(2, 3).T, y, mask)

    assert p.parameters.labels[2:] == ("a[0]", "a[1]", "a[2]", "b[0]", "b[1]", "b[2]")
    for order in (lambda f: f, jax.grad, jax.hessian):
        found = jax.jit(order(lambda x: p.loglike(x)))(WHOLE)
        expected = jax.jit(order(known))(WHOLE)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_the_triple_is_fisher_and_score():
    p, (y, mask) = explicit(), counted()
    triple = eqx.filter_jit(lambda p, x: p.normal(x))(p, WHOLE)

    def mean(x):
        a = x[2:].reshape(2, 3).T
        each = [shapes(x[0], x[1], q) @ a[i] for i, q in enumerate(Q)]
        return jnp.concatenate(each)

    j, mu = np.asarray(jax.jacfwd(mean)(WHOLE)), np.asarray(mean(WHOLE))
    y, w = np.ravel(np.where(mask, y, 0.0)), np.ravel(mask) * 1.0
    fisher = (j * (w / mu)[:, None]).T @ j
    np.testing.assert_allclose(triple.hessian, fisher, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(triple.gradient, j.T @ (w * (1 - y / mu)), rtol=1e-9)
    log = np.log(np.where(y > 0, y, 1.0) / np.where(y > 0, mu, 1.0))
    half = np.sum(w * (mu - y + y * log))
    np.testing.assert_allclose(triple.cost, half, rtol=1e-11)
    r = np.asarray(p.residuals(WHOLE))
    np.testing.assert_allclose(r, w * (y - mu) / np.sqrt(mu), rtol=1e-9)


@pytest.mark.parametrize(
    "amplitudes",
    [
        pytest.param(POSITIVE, id="local"),
        pytest.param(ARROW, id="arrow", marks=pytest.mark.slow),
    ],
)
def test_the_projected_cost_has_its_own_gradient_and_second_derivative(amplitudes):
    """Also with amplitudes on their bound, which the third group sees to."""
    p, (y, mask) = problem(amplitudes), counted()
    at = eqx.filter_jit(lambda p, x: (p.normal(x), p.solution(x), p.loglike(x)))
    triple, solution, value = at(p, X)
    a = solution.per_group(amplitudes)
    np.testing.assert_allclose(value, dense(X, a, y, mask), rtol=1e-11)
    cost = eqx.filter_jit(lambda x: p.cost(x))
    slope = eqx.filter_jit(lambda x: p.normal(x).gradient)
    np.testing.assert_allclose(jax.jit(jax.grad(p.loglike))(X), -triple.gradient)
    curved = jax.jit(jax.hessian(p.loglike))(X)
    for i, h in enumerate(1e-5 * np.eye(2)):
        step = jnp.asarray(h)
        central = (cost(X + step) - cost(X - step)) / 2e-5
        np.testing.assert_allclose(triple.gradient[i], central, rtol=1e-6)
        central = -(slope(X + step) - slope(X - step)) / 2e-5
        np.testing.assert_allclose(curved[i], central, rtol=1e-5, atol=1e-5)


def test_projection_is_a_schur_complement_of_the_fisher_matrix():
    """The amplitudes that are free eliminated from the explicit Fisher matrix."""
    p = problem()
    triple, solution = eqx.filter_jit(lambda p, x: (p.normal(x), p.solution(x)))(p, X)
    a = solution.per_group(POSITIVE)
    assert solution.free_local.sum() == 5
    x = jnp.concatenate([X, jnp.ravel(a.T)])
    whole = np.asarray(eqx.filter_jit(lambda p, x: p.normal(x))(explicit(), x).hessian)
    free = np.ravel(np.asarray(solution.free_per_group(POSITIVE)).T) > 0
    rest = 2 + np.flatnonzero(free)
    cross, own = whole[:2][:, rest], whole[np.ix_(rest, rest)]
    expected = whole[:2, :2] - cross @ np.linalg.solve(own, cross.T)
    np.testing.assert_allclose(triple.hessian, expected, rtol=1e-8)


@pytest.mark.parametrize("make", [problem, explicit])
def test_chunks_add_up_to_the_whole(make):
    x = X if make is problem else WHOLE
    run = eqx.filter_jit(lambda p, x: (p.normal(x), p.loglike(x)))
    one, several = run(make(), x), run(make(chunk=7), x)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(several), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_errors_of_the_data_do_not_count():
    y, mask = counted()
    p = problem(data=Dataset(y, np.full(y.shape, 3.0), mask, {"t": T, "q": Q}))
    run = eqx.filter_jit(lambda p, x: p.loglike(x))
    assert run(p, X) == run(problem(), X)


def test_single_precision_of_the_model_is_seen_in_its_digits_only():
    run = eqx.filter_jit(lambda p, x: p.normal(x))
    mixed, double = run(problem(precision="mixed"), X), run(problem(), X)
    np.testing.assert_allclose(mixed.cost, double.cost, rtol=1e-5)
    np.testing.assert_allclose(mixed.hessian, double.hessian, rtol=1e-4)


@pytest.mark.parametrize("mode", ["flat", "gaussian", "nonnegative"])
def test_there_is_no_closed_integral_over_amplitudes(mode):
    p = problem()
    assert p.default_linear_mode == "explicit"
    with pytest.raises(ModelError, match=f"'{mode}'; use linear='explicit'"):
        p.loglike(X, mode)


def test_negative_counts_are_refused_and_doubtful_ones_said_once():
    y, mask = counted()
    y[1, 3], mask[1, 3] = -2.0, True
    with pytest.raises(DataError, match="group 1, point 3"):
        problem(data=Dataset(y, mask=mask, coords={"t": T, "q": Q}))
    y[1, 3] = 2.5
    p = problem(data=Dataset(y, mask=mask, coords={"t": T, "q": Q}), warnings=("x",))
    again = p.with_(parameters={"k": 2.0}).with_(explicit=True)
    assert p.warnings == again.warnings == ("x", p.warnings[1])
    assert "whole numbers" in p.warnings[1]
    assert p.with_(likelihood=Gaussian()).warnings == ("x",)


def test_counts_join_data_with_errors():
    """Costs and log likelihoods add up."""
    y = RATES.sum(axis=1)[:, None] * np.exp(-T)[None]
    data = Dataset(y, np.full(y.shape, 0.3), coords={"t": T, "q": Q})
    parts = problem(), problem(likelihood=Gaussian(), data=data)
    both = joint(*parts, shared=True)
    run = eqx.filter_jit(lambda p, x: (p.cost(x), p.loglike(x), p.normal(x).hessian))
    whole, own = run(both, X), [run(p, X) for p in parts]
    for k in range(3):
        np.testing.assert_allclose(whole[k], own[0][k] + own[1][k], rtol=1e-10)
    bare = problem(likelihood=Gaussian(), data=Dataset(y, coords={"t": T, "q": Q}))
    with pytest.raises(ModelError, match="have no errors and the others do"):
        joint(parts[0], bare, shared=True)
