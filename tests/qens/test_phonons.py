"""Oscillators, polynomials and the delta of a grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from jaxscatter.qens.phonons import background_polynomials, delta, dho


@pytest.mark.parametrize("gamma", [0.05, 0.7, 2.0, 9.0])
def test_the_oscillator_has_unit_area(gamma):
    area = quad(
        lambda u: np.cosh(u) * _dho(np.sinh(u), 2.0, gamma),
        -18,
        18,
        points=[-np.arcsinh(2.0), 0.0, np.arcsinh(2.0)],
        limit=400,
        epsabs=1e-11,
    )[0]
    np.testing.assert_allclose(area, 1.0, rtol=1e-9)


def _dho(omega, omega0, gamma):
    """The formula as published, in NumPy."""
    bottom = (omega**2 - omega0**2) ** 2 + (2 * gamma * omega) ** 2
    return 2 / np.pi * omega0**2 * gamma / bottom


def test_the_oscillator_is_the_published_formula():
    omega = np.linspace(-5.0, 5.0, 41)
    np.testing.assert_allclose(dho(omega, 2.0, 0.3), _dho(omega, 2.0, 0.3), rtol=1e-12)


def test_weak_damping_gives_two_lorentzians_and_strong_damping_one():
    gamma = 1e-4
    omega = 2.0 + gamma * np.linspace(-3, 3, 7)
    line = gamma / np.pi / ((omega - 2.0) ** 2 + gamma**2)
    np.testing.assert_allclose(dho(omega, 2.0, gamma), line / 2, rtol=1e-3)
    width = 2.0**2 / (2 * 500.0)
    omega = width * np.linspace(-3, 3, 7)
    line = width / np.pi / (omega**2 + width**2)
    np.testing.assert_allclose(dho(omega, 2.0, 500.0), line, rtol=1e-4)


@pytest.mark.parametrize("omega", [0.0, 1.0, 2.0])
def test_oscillator_gradients(omega):
    check_grads(jax.jit(dho), (omega, 2.0, 0.4), order=2, modes=("fwd", "rev"))


def test_polynomials_start_with_the_constant():
    x = np.linspace(-1.0, 2.0, 5)
    exact = 0.5 - 2 * x + 3 * x**2
    np.testing.assert_allclose(background_polynomials(x, [0.5, -2, 3.0]), exact)
    c = np.array([0.5, -2.0, 3.0])
    np.testing.assert_allclose(jax.jit(background_polynomials)(x, c), exact)
    np.testing.assert_array_equal(background_polynomials(x, []), 0.0)
    check_grads(jax.jit(background_polynomials), (x, c), order=2, modes=("fwd", "rev"))
    mapped = jax.vmap(background_polynomials, in_axes=(0, None))(x, c)
    np.testing.assert_allclose(mapped, exact)


def test_the_delta_holds_its_area_in_the_nearest_point():
    """The documented examples of QENSmodels, and a grid of unequal steps."""
    np.testing.assert_array_equal(
        delta(np.arange(5.0), 5.0, 2.0), [0.0, 0.0, 5.0, 0.0, 0.0]
    )
    x = np.array([-1.0, -0.2, 0.1, 0.5, 2.0])
    for center in (-1.0, 0.0, 0.45, 1.9):
        line = delta(x, 3.0, center)
        assert np.count_nonzero(line) == 1
        assert np.argmax(line) == np.argmin(np.abs(x - center))
        np.testing.assert_allclose(np.trapezoid(line, x), 3.0, rtol=1e-14)


def test_the_delta_is_zero_outside_the_grid():
    x = np.arange(5.0)
    np.testing.assert_array_equal(delta(x, 1.0, -0.1), 0.0)
    np.testing.assert_array_equal(delta(x, 1.0, 4.1), 0.0)
    slopes = jax.jit(jax.jacfwd(delta, argnums=(1, 2)))(x, 2.0, 1.2)
    np.testing.assert_array_equal(slopes[0], [0.0, 1.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(slopes[1], 0.0)


def test_phonons_keep_float32_under_strict_promotion():
    x = np.linspace(-3.0, 3.0, 31)
    small = x.astype(np.float32)
    c = np.array([0.1, 0.2])
    with jax.numpy_dtype_promotion("strict"):
        singles = (
            dho(small, np.float32(2.0), np.float32(0.3)),
            background_polynomials(small, c.astype(np.float32)),
            delta(small, np.float32(1.0), np.float32(0.0)),
        )
    doubles = dho(x, 2.0, 0.3), background_polynomials(x, c), delta(x, 1.0, 0.0)
    for single, double in zip(singles, doubles, strict=True):
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dho(1.0, 0.0, 0.1), "^omega0 must be positive, got 0"),
        (lambda: dho(1.0, 1.0, -0.1), "^gamma must be positive, got -0.1"),
        (lambda: background_polynomials(1.0, np.ones((2, 2))), "^coefficients"),
        (lambda: delta(np.ones(1)), "^x has 1 points"),
        (lambda: delta(np.zeros(3)), "^x is not strictly increasing"),
    ],
)
def test_phonons_refuse_values_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()
