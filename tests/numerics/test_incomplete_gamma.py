"""The lower incomplete gamma ratio against forty digits, in both arguments."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.numerics import debye, lower_gamma_ratio

ORDERS = (0.05, 0.5, 1.0, 1.7, 4.0, 10.0)


@functools.cache
def _derivatives():
    """Value, ∂a, ∂x and ∂²a, compiled once for all points."""

    def all_of_them(a, x):
        f, by_a = lower_gamma_ratio, jax.grad(lower_gamma_ratio)
        return f(a, x), by_a(a, x), jax.grad(f, 1)(a, x), jax.grad(by_a)(a, x)

    return jax.jit(jax.vmap(all_of_them))


def _exact(a, x):
    return a * x ** (-a) * mpmath.gammainc(a, 0, x)


@pytest.mark.parametrize("a", ORDERS)
def test_values_and_derivatives_are_those_of_forty_digits(a):
    # 12 above a the series hands over to the continued fraction
    xs = (1e-8, 0.3, 5.0, a + 11.99, a + 12.01, 60.0, 1e4)
    with mpmath.workdps(40):
        rows = []
        for x in map(mpmath.mpf, xs):
            at = mpmath.mpf(a)
            along_a = functools.partial(_exact, x=x)
            first, second = mpmath.diff(along_a, at), mpmath.diff(along_a, at, 2)
            along_x = mpmath.diff(functools.partial(_exact, at), x)
            rows.append([float(v) for v in (_exact(at, x), first, along_x, second)])
    got = np.transpose(_derivatives()(jnp.full(len(xs), a), jnp.asarray(xs)))
    np.testing.assert_allclose(got, rows, rtol=3e-13)


def test_at_zero_argument_it_is_one_and_at_order_zero_too():
    np.testing.assert_array_equal(lower_gamma_ratio(jnp.asarray([0.3, 2.0]), 0.0), 1.0)
    np.testing.assert_allclose(
        lower_gamma_ratio(0.0, jnp.asarray([0.0, 1.0, 50.0])), 1.0, rtol=1e-14
    )


def test_large_orders_tend_to_the_exponential():
    x = np.array([0.0, 1.0, 20.0])
    got = lower_gamma_ratio(1e9, jnp.asarray(x))
    np.testing.assert_allclose(got, np.exp(-x), rtol=1e-7)


def test_orders_one_and_two_make_the_debye_function():
    x = np.geomspace(1e-6, 1e3, 40)
    one, two = lower_gamma_ratio(jnp.asarray([[1.0], [2.0]]), jnp.asarray(x)[None, :])
    np.testing.assert_allclose(2 * one - two, debye(jnp.asarray(x)), rtol=2e-14)


def test_forward_mode_agrees_with_reverse_mode_also_at_zero():
    a, x = jnp.full(3, 1.3), jnp.asarray([0.0, 3.0, 20.0])
    forward = jax.jit(jax.vmap(jax.jacfwd(lower_gamma_ratio, (0, 1))))(a, x)
    _, by_a, by_x, _ = _derivatives()(a, x)
    np.testing.assert_allclose(forward, (by_a, by_x), rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(by_x[0], -1.3 / 2.3, rtol=1e-15)


def test_single_precision_stays_single_and_accurate():
    x = np.geomspace(1e-3, 1e3, 50)
    single = lower_gamma_ratio(1.3, jnp.asarray(x, jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(
        single, lower_gamma_ratio(1.3, jnp.asarray(x)), rtol=3e-6
    )
