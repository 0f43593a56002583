"""Spherical Bessel functions and the Voigt profile against mpmath and their limits."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.numerics import spherical_bessel, voigt

POINTS = [1e-12, 1e-3, 0.1, 0.99, 1.01, 2.0, np.pi, 3.9, 4.1, 7.1, 13.9, 14.1, 26.9]
POINTS += [27.1, 40.0, 60.0, 150.0]


def exact_bessel(l, x):  # noqa: E741
    with mp.workdps(40):
        x = mp.mpf(float(x))
        return float(mp.sqrt(mp.pi / (2 * x)) * mp.besselj(l + mp.mpf("0.5"), x))


def exact_voigt(omega, sigma, gamma):
    s = mp.mpf(sigma)
    z = (mp.mpf(omega) + 1j * mp.mpf(gamma)) / (s * mp.sqrt(2))
    return mp.re(mp.exp(-z * z) * mp.erfc(-1j * z)) / (s * mp.sqrt(2 * mp.pi))


@pytest.mark.parametrize("lmax", [0, 1, 2, 8, 25])
def test_bessel_functions_agree_with_mpmath(lmax):
    values = np.asarray(jax.jit(lambda x: spherical_bessel(lmax, x))(np.array(POINTS)))
    exact = [[exact_bessel(l, x) for x in POINTS] for l in range(lmax + 1)]  # noqa: E741
    np.testing.assert_allclose(values, exact, rtol=3e-14, atol=3e-16)


def test_bessel_functions_at_the_origin():
    value = spherical_bessel(5, 0.0)
    np.testing.assert_array_equal(value, [1, 0, 0, 0, 0, 0])
    slope = jax.jit(jax.jacfwd(lambda x: spherical_bessel(5, x)))(0.0)
    np.testing.assert_allclose(slope, [0, 1 / 3, 0, 0, 0, 0], atol=1e-16)
    curvature = jax.jit(jax.hessian(lambda x: spherical_bessel(3, x)))(0.0)
    np.testing.assert_allclose(curvature, [-1 / 3, 0, 2 / 15, 0], atol=1e-16)


def test_bessel_functions_are_odd_or_even():
    x = np.linspace(0.0, 30.0, 7)
    sign = np.array([1, -1, 1, -1, 1])[:, None]
    np.testing.assert_allclose(
        spherical_bessel(4, -x), sign * spherical_bessel(4, x), rtol=1e-14
    )


@pytest.mark.parametrize("x", [0.0, 1e-3, 1.0, 3.0, 4.0, 9.5, 60.0])
def test_bessel_gradients(x):
    check_grads(
        jax.jit(lambda x: spherical_bessel(3, x)),
        (x,),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-5,
    )


def test_bessel_derivative_agrees_with_mpmath():
    slope = jax.jit(jax.vmap(jax.jacfwd(lambda x: spherical_bessel(25, x))))(
        np.array(POINTS)
    )
    for i, x in enumerate(POINTS[1:], start=1):
        below = np.array([exact_bessel(l, x) for l in range(27)])  # noqa: E741
        exact = [l / x * below[l] - below[l + 1] for l in range(26)]  # noqa: E741
        np.testing.assert_allclose(slope[i], exact, rtol=1e-11, atol=1e-15)


def test_bessel_maps_like_a_loop():
    x = np.linspace(0.0, 40.0, 9)
    one = jax.jit(lambda v: spherical_bessel(6, v))
    loop = np.stack([one(v) for v in x], axis=1)
    np.testing.assert_allclose(one(x), loop, rtol=1e-13, atol=1e-16)
    mapped = jax.vmap(one, out_axes=1)(x)
    np.testing.assert_allclose(mapped, loop, rtol=1e-13, atol=1e-16)


def test_bessel_in_float32_under_strict_promotion():
    x = np.linspace(0.0, 60.0, 101)
    all_orders = jax.jit(lambda x: spherical_bessel(25, x))
    with jax.numpy_dtype_promotion("strict"):
        single = all_orders(x.astype(np.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, all_orders(x), atol=1e-5)


def test_bessel_refuses_a_negative_order():
    with pytest.raises(ValueError, match="lmax"):
        spherical_bessel(-1, 1.0)


@pytest.mark.parametrize(
    ("omega", "sigma", "gamma"),
    [
        (0.0, 0.04, 0.1),
        (1.2, 0.04, 0.1),
        (0.7, 0.04, 0.01),
        (0.68, 0.04, 0.01),
        (0.5, 1e-5, 0.1),
        (0.0, 1e-6, 1e-3),
    ],
)
def test_voigt_and_its_gradient_agree_with_mpmath(omega, sigma, gamma):
    value = float(voigt(omega, sigma, gamma))
    slopes = jax.jit(jax.grad(voigt, (0, 1, 2)))(omega, sigma, gamma)
    with mp.workdps(40):
        exact = float(exact_voigt(omega, sigma, gamma))
        exact_slopes = [
            float(mp.diff(exact_voigt, (omega, sigma, gamma), order))
            for order in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        ]
    np.testing.assert_allclose(value, exact, rtol=1e-13)
    np.testing.assert_allclose(slopes, exact_slopes, rtol=1e-11, atol=1e-300)


def test_voigt_tends_to_gaussian_and_lorentzian():
    omega = np.linspace(-0.2, 0.2, 11)
    gauss = np.exp(-(omega**2) / (2 * 0.04**2)) / (0.04 * np.sqrt(2 * np.pi))
    lorentz = 0.03 / np.pi / (omega**2 + 0.03**2)
    np.testing.assert_allclose(voigt(omega, 0.04, 0.0), gauss, rtol=1e-7)
    np.testing.assert_allclose(voigt(omega, 0.0, 0.03), lorentz, rtol=1e-14)


def test_voigt_is_regular_at_zero_sigma():
    """At σ = 0 the slope vanishes and ∂²V/∂σ² = ∂²L/∂ω², the heat equation."""
    omega, gamma = 0.3, 0.1
    slope = jax.jit(jax.grad(voigt, 1))(omega, 0.0, gamma)
    curvature = jax.jit(jax.grad(jax.grad(voigt, 1), 1))(omega, 0.0, gamma)
    r2 = omega**2 + gamma**2
    lorentz_curvature = gamma / np.pi * (8 * omega**2 / r2**3 - 2 / r2**2)
    assert slope == 0.0
    np.testing.assert_allclose(curvature, lorentz_curvature, rtol=1e-12)
    check_grads(jax.jit(voigt), (omega, 0.0, gamma), order=2, rtol=1e-3)


@pytest.mark.parametrize("sigma", [0.0, 1e-9, 0.03])
def test_voigt_centre_moves_it(sigma):
    omega = np.linspace(-0.3, 0.3, 7)
    moved = voigt(omega, sigma, 0.05, center=0.1)
    np.testing.assert_allclose(moved, voigt(omega - 0.1, sigma, 0.05), rtol=1e-14)


def test_voigt_has_unit_area():
    # ω = tan(θ) scaled to the width: the midpoint rule converges geometrically.
    theta = np.pi * ((np.arange(4000) + 0.5) / 4000 - 0.5)
    jacobian = 0.1 / np.cos(theta) ** 2
    area = np.sum(voigt(0.1 * np.tan(theta), 0.04, 0.05) * jacobian) * np.pi / 4000
    np.testing.assert_allclose(area, 1.0, rtol=1e-12)


def test_voigt_in_float32_under_strict_promotion():
    omega = np.linspace(-1.0, 1.0, 41)
    with jax.numpy_dtype_promotion("strict"):
        single = voigt(omega.astype(np.float32), 0.04, 0.05)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, voigt(omega, 0.04, 0.05), rtol=1e-5)
