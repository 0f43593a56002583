"""Small symmetric systems against numpy, and finite answers where G is singular."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.numerics import small


def _matrices(k, n=20):
    a = np.random.default_rng(k).normal(size=(n, k + 3, k))
    return np.swapaxes(a, 1, 2) @ a


@pytest.mark.parametrize("k", [1, 2, 4])
def test_agrees_with_numpy(k):
    g = _matrices(k)
    rhs = np.random.default_rng(9).normal(size=(len(g), k, 2))
    g, rhs = jnp.asarray(g), jnp.asarray(rhs)
    np.testing.assert_allclose(
        jax.jit(small.solve)(g, rhs), np.linalg.solve(g, rhs), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(
        jax.jit(small.inverse)(g), np.linalg.inv(g), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(
        jax.jit(small.logdet)(g), np.linalg.slogdet(g)[1], rtol=1e-9
    )
    lower, pivot = small.ldl(g)
    again = lower @ (pivot[..., None] * jnp.swapaxes(lower, -1, -2))
    np.testing.assert_allclose(again, g, rtol=1e-12, atol=1e-12)


def test_nothing_to_solve():
    empty = jnp.zeros((3, 0, 0))
    assert small.solve(empty, jnp.zeros((3, 0, 2))).shape == (3, 0, 2)
    np.testing.assert_array_equal(small.logdet(empty), np.zeros(3))


def test_gradients():
    g = jnp.asarray(_matrices(3, 2))
    rhs = jnp.ones((2, 3, 1))
    check_grads(jax.jit(small.solve), (g, rhs), order=1, rtol=1e-5)
    check_grads(jax.jit(small.logdet), (g,), order=2, rtol=1e-4)


@pytest.mark.parametrize("case", ["zero", "zero column", "collinear"])
def test_singular_matrices_are_finite_with_finite_gradients(case):
    a = np.random.default_rng(1).normal(size=(8, 3))
    a[:, 2] = {"zero": 0.0, "zero column": 0.0, "collinear": 2 * a[:, 0] - a[:, 1]}[
        case
    ]
    if case == "zero":
        a[:] = 0
    g, rhs = jnp.asarray(a.T @ a), jnp.asarray(a.T @ np.ones((8, 1)))

    def total(g):
        return jnp.sum(small.solve(g, rhs)) + small.logdet(g)

    value, gradient = jax.jit(jax.value_and_grad(total))(g)
    assert np.isfinite(value) and np.all(np.isfinite(gradient))
    x = jax.jit(small.solve)(g, rhs)
    best = np.linalg.lstsq(a, np.ones(8), rcond=1e-10)[0]
    np.testing.assert_allclose(a @ x[:, 0], a @ best, atol=1e-8)
