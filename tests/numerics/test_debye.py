"""The Debye function against forty digits, with derivatives at 0."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.numerics import debye


def _exact(x):
    return 2 * (mpmath.exp(-x) - 1 + x) / x**2


@pytest.mark.parametrize("x", [1e-9, 1e-3, 0.3, 0.9999, 1.0001, 7.0, 900.0, -0.5, -3.0])
def test_values_and_slopes_are_those_of_forty_digits(x):
    with mpmath.workdps(40):
        exact = float(_exact(mpmath.mpf(x)))
        slope = float(mpmath.diff(_exact, mpmath.mpf(x)))
    value, got = jax.jit(jax.value_and_grad(debye))(x)
    np.testing.assert_allclose(value, exact, rtol=2e-15)
    np.testing.assert_allclose(got, slope, rtol=2e-14)


def test_derivatives_at_zero_are_those_of_the_series():
    np.testing.assert_allclose(jax.jit(debye)(0.0), 1.0, rtol=0)
    np.testing.assert_allclose(jax.jit(jax.grad(debye))(0.0), -1 / 3, rtol=1e-15)
    second = jax.jit(jax.grad(jax.grad(debye)))(0.0)
    np.testing.assert_allclose(second, 1 / 6, rtol=1e-15)


def test_far_out_it_is_two_over_x():
    value, slope = jax.jit(jax.value_and_grad(debye))(1e160)
    np.testing.assert_allclose(value, 2e-160, rtol=1e-15)
    assert np.isfinite(slope)


@pytest.mark.parametrize("x", [0.0, 1.0, 5.0])
def test_gradients_in_both_modes(x):
    check_grads(jax.jit(debye), (x,), order=2, modes=("fwd", "rev"))


def test_single_precision_stays_single_and_accurate():
    x = np.geomspace(1e-6, 1e4, 60)
    single = debye(jnp.asarray(x, jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, debye(jnp.asarray(x)), rtol=1e-6)
