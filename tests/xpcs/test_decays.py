"""Decays: closed forms, mpmath, limits, derivatives at the ends of their ranges."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.xpcs import double_exponential, power_of_q, stretched_exponential

TAU = jnp.array([0.0, 1e-3, 0.1, 1.0, 7.0, 100.0])


@pytest.mark.parametrize("gamma", [1e-3, 0.3, 2.0])
@pytest.mark.parametrize("exponent", [0.2, 1.0, 1.7, 3.0])
def test_stretched_exponential_is_that_of_mpmath(gamma, exponent):
    got = stretched_exponential(TAU, gamma, exponent)
    known = [
        float(mpmath.exp(-2 * (mpmath.mpf(gamma) * mpmath.mpf(float(t))) ** exponent))
        for t in TAU
    ]
    np.testing.assert_allclose(got, known, rtol=1e-12, atol=1e-300)


def test_without_lag_or_rate_it_is_one():
    assert float(stretched_exponential(jnp.array(0.0), 0.5, 0.2)) == 1.0
    np.testing.assert_array_equal(stretched_exponential(TAU, 0.0, 0.2), 1.0)


@pytest.mark.parametrize("exponent", [0.2, 1.0, 3.0])
def test_derivatives_are_finite_at_no_lag_and_no_rate(exponent):
    slope = jax.jit(jax.grad(stretched_exponential, argnums=(0, 1, 2)))
    curvature = jax.jit(jax.hessian(stretched_exponential, argnums=(0, 1, 2)))
    for tau, gamma in ((0.0, 0.5), (3.0, 0.0), (0.0, 0.0)):
        point = jnp.array(tau), jnp.array(gamma), jnp.array(exponent)
        assert np.all(np.isfinite(slope(*point)))
        assert np.all(np.isfinite(curvature(*point)))
    # without a lag neither rate nor exponent can change it
    at_zero = slope(jnp.array(0.0), jnp.array(0.5), jnp.array(exponent))
    np.testing.assert_array_equal(at_zero[1:], 0.0)
    # a rate of 0 can only grow, and the decay with it
    assert slope(jnp.array(3.0), jnp.array(0.0), jnp.array(exponent))[1] < 0


@pytest.mark.parametrize("exponent", [0.2, 1.0, 3.0])
def test_stretched_exponential_gradients(exponent):
    f = jax.jit(lambda t, g, p: stretched_exponential(t, g, p))
    point = jnp.array(1.3), jnp.array(0.4), jnp.array(exponent)
    check_grads(f, point, order=2, modes=("fwd", "rev"))


def test_two_decays_reduce_to_one():
    one = stretched_exponential(TAU, 1 / 3.0, 0.8)
    # (e^-x)² = e^-2x: the same time and exponent
    for f, second in ((1.0, 50.0), (0.4, 3.0)):
        two = double_exponential(TAU, 3.0, second, f, 0.8, 0.8)
        np.testing.assert_allclose(two, one, rtol=1e-14)
    two = double_exponential(TAU, 0.1, 3.0, 0.0, 1.5, 0.8)
    np.testing.assert_allclose(two, one, rtol=1e-14)


def test_two_decays_are_the_square_of_their_mixture():
    got = double_exponential(TAU, 0.5, 20.0, 0.3, 1.2, 0.7)
    t = np.asarray(TAU)
    field = 0.3 * np.exp(-((t / 0.5) ** 1.2)) + 0.7 * np.exp(-((t / 20) ** 0.7))
    np.testing.assert_allclose(got, field**2, rtol=1e-13)


def test_double_exponential_gradients():
    f = jax.jit(lambda *x: double_exponential(*x))
    point = tuple(jnp.array(v) for v in (1.3, 0.5, 20.0, 0.3, 1.2, 0.7))
    check_grads(f, point, order=2, modes=("fwd", "rev"))
    slope = jax.grad(double_exponential, argnums=(1, 2, 3, 4, 5))
    np.testing.assert_array_equal(slope(jnp.array(0.0), *point[1:]), 0.0)


def test_powers_of_q():
    q = jnp.array([1e-3, 0.02, 1.0])
    np.testing.assert_allclose(power_of_q(q, -2.0), np.asarray(q) ** -2.0, rtol=1e-13)
    np.testing.assert_array_equal(power_of_q(q, 0.0), 1.0)
    point = jnp.array(0.7), jnp.array(-1.7)
    check_grads(jax.jit(lambda q, b: power_of_q(q, b)), point, order=2)


def test_batches_single_precision_and_strict_promotion():
    gammas = jnp.array([0.0, 0.1, 1.0])
    each = [stretched_exponential(TAU, g, 0.7) for g in gammas]
    many = jax.vmap(lambda g: stretched_exponential(TAU, g, 0.7))(gammas)
    np.testing.assert_allclose(many, np.stack(each), rtol=1e-15)
    single = TAU.astype(jnp.float32)
    with jax.numpy_dtype_promotion("strict"):
        got = stretched_exponential(single, jnp.float32(0.3), jnp.float32(0.7))
        two = [jnp.float32(v) for v in (0.5, 20.0, 0.3, 1.2, 0.7)]
        assert double_exponential(single, *two).dtype == jnp.float32
    assert got.dtype == jnp.float32
    known = stretched_exponential(TAU, 0.3, 0.7)
    np.testing.assert_allclose(got, known, rtol=3e-5, atol=1e-7)


def test_one_compilation_serves_all_values():
    f = jax.jit(lambda t, g, p: stretched_exponential(t, g, p))
    for g, p in ((0.1, 0.5), (0.0, 2.0)):
        f(TAU, jnp.array(g), jnp.array(p))
    assert f._cache_size() == 1
