"""Cumulative sums and integrals of power laws."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.numerics import (
    cumulative_rectangle,
    cumulative_trapezoid,
    expm1_over,
    power_integral,
)


def test_trapezoids_are_exact_for_straight_lines():
    t = np.arange(7.0)
    table = cumulative_trapezoid(jnp.asarray(2.0 + 3.0 * t))
    np.testing.assert_allclose(table, 2 * t + 1.5 * t**2, rtol=1e-15)


def test_rectangles_hold_the_running_sum():
    np.testing.assert_array_equal(
        cumulative_rectangle(jnp.asarray([1.0, 2.0, 4.0])), [1.0, 3.0, 7.0]
    )


@pytest.mark.parametrize("x", [0.0, 1e-9, -1e-3, 0.0999, 0.1, 0.1001, -3.0, 40.0])
def test_expm1_over_is_that_of_forty_digits(x):
    with mpmath.workdps(40):
        exact = float(mpmath.expm1(x) / x) if x else 1.0
        slope = float(mpmath.diff(lambda z: mpmath.expm1(z) / z, x)) if x else 0.5
    value, got = jax.jit(jax.value_and_grad(expm1_over))(x)
    np.testing.assert_allclose(value, exact, rtol=1e-15)
    np.testing.assert_allclose(got, slope, rtol=2e-14)


@pytest.mark.parametrize("p", [-2.0, -1.0, -1 + 1e-9, -2 / 3, 0.0, 0.5, 2.0])
def test_power_integrals_hold_their_closed_form_and_the_logarithm(p):
    a, b = 0.05, 17.0
    exact = float(mpmath.quad(lambda t: t**p, np.geomspace(a, b, 6)))
    slope = float(
        mpmath.quad(lambda t: t**p * mpmath.log(t), np.geomspace(a, b, 6).tolist())
    )
    at = np.log(a), np.log(b)
    value, got = jax.jit(jax.value_and_grad(lambda p: power_integral(*at, p)))(p)
    np.testing.assert_allclose(value, exact, rtol=1e-13)
    np.testing.assert_allclose(got, slope, rtol=1e-11, atol=1e-12)


def test_power_integrals_have_derivatives_of_second_order_at_minus_one():
    f = jax.jit(lambda p: power_integral(-1.0, 1.5, p))
    check_grads(f, (jnp.asarray(-1.0),), order=2, modes=("fwd", "rev"), rtol=1e-5)


def test_expm1_over_keeps_float32():
    got = expm1_over(np.float32(1e-4))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, 1.00005, rtol=1e-6)
