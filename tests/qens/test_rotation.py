"""Rotors: intensities and half widths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import spherical_jn

from jaxscatter.constants import HBAR
from jaxscatter.qens.lineshapes import lorentz_sum
from jaxscatter.qens.rotation import (
    anisotropic_rotor,
    bessel_weights,
    isotropic_rotor,
    rot_widths_anisotropic,
    rot_widths_isotropic,
)

RADIUS = 2.48
OMEGA = np.linspace(-2.0, 2.0, 41)


def spectrum(weights, widths):
    """Quasi-elastic part plus the elastic line, broadened so that it is finite."""
    return lorentz_sum(OMEGA, weights, widths + 0.05)


def test_bessel_weights_agree_with_stored_numbers(reference):
    for case in reference("qens/seed_kernels.json")["bessel"]:
        weights = bessel_weights(case["q"], case["R"])
        # The peer's closed form of j2 has no digits left at x = 2.5e-4.
        n = 3 if case["q"] > 0.01 else 2
        np.testing.assert_allclose(weights[:n], case["w"][:n], rtol=1e-7)


def test_bessel_weights_keep_their_digits_near_the_origin():
    x = 1e-3
    exact = (1 - x**2 / 3 + 2 * x**4 / 45, (x / 3 * (1 - x**2 / 10)) ** 2, x**4 / 225)
    np.testing.assert_allclose(bessel_weights(x, 1.0), exact, rtol=1e-6)
    np.testing.assert_array_equal(bessel_weights(0.0, RADIUS), (1.0, 0.0, 0.0))


@pytest.mark.parametrize("q", [0.0, 1e-4, 0.7, 1.8])
def test_bessel_weight_gradients(q):
    check_grads(
        jax.jit(bessel_weights),
        (q, RADIUS),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-4,
        atol=1e-5,
    )
    slopes = jax.jit(jax.jacrev(bessel_weights))(0.0, RADIUS)
    np.testing.assert_array_equal(slopes, (0.0, 0.0, 0.0))


def test_widths_of_the_seed():
    np.testing.assert_allclose(
        rot_widths_isotropic(0.3), np.array([2, 6]) * HBAR * 0.3, rtol=1e-15
    )
    np.testing.assert_allclose(
        rot_widths_anisotropic(0.1, 0.6),
        HBAR * np.array([0.7, 0.6, 2.6]),
        rtol=1e-14,
    )


def test_isotropic_rotor_agrees_with_qensmodels(reference):
    stored = reference("qens/qensmodels_widths.json")
    seen = 0
    for case in stored["cases"]:
        if case["model"] != "IsotropicRotationalDiffusion":
            continue
        seen, p = seen + 1, case["params"]
        for k, q in enumerate(stored["q"]):
            weights, widths = isotropic_rotor(q, p["radius"], p["DR"], 5)
            np.testing.assert_allclose(widths / HBAR, case["hwhm"][k], rtol=3e-7)
            np.testing.assert_allclose(weights[1:], case["qisf"][k][1:], rtol=1e-5)
            np.testing.assert_allclose(weights[0], case["eisf"][k], rtol=1e-6)
    assert seen == 2


def test_isotropic_weights_agree_with_scipy():
    q = 1.7
    l = np.arange(13)  # noqa: E741
    exact = (2 * l + 1) * spherical_jn(l, q * RADIUS) ** 2
    np.testing.assert_allclose(
        isotropic_rotor(q, RADIUS, 0.1, 12)[0], exact, rtol=1e-11
    )


@pytest.mark.parametrize("theta", [90.0, 0.0, 54.7, 123.0])
@pytest.mark.parametrize("lmax", [2, 5, 8])
def test_equal_coefficients_give_the_isotropic_rotor(lmax, theta):
    top = spectrum(*anisotropic_rotor(1.5, RADIUS, 0.2, 0.2, lmax, theta))
    ball = spectrum(*isotropic_rotor(1.5, RADIUS, 0.2, lmax))
    np.testing.assert_allclose(top, ball, rtol=1e-12)


@pytest.mark.parametrize("theta", [90.0, 30.0])
def test_weights_add_up_to_one_as_lmax_grows(theta):
    lost = [
        1 - float(jnp.sum(anisotropic_rotor(1.8, RADIUS, 0.1, 0.6, lmax, theta)[0]))
        for lmax in (2, 4, 8, 12, 16)
    ]
    assert all(a > b for a, b in itertools.pairwise(lost))
    assert 0.70 < lost[0] < 0.72 and abs(lost[-1]) < 1e-13
    kept = jnp.sum(isotropic_rotor(1.2, RADIUS, 0.1, 2)[0])
    np.testing.assert_allclose(kept, 0.81, atol=0.005)


@pytest.mark.parametrize("theta", [0.0, 20.0, 90.0, 137.0, 180.0])
def test_low_orders_at_any_angle(theta):
    """The squared rotation matrix elements for l ≤ 2 in closed form."""
    d_t, d_s, q = 0.1, 0.6, 1.3
    c2, s2 = np.cos(np.radians(theta)) ** 2, np.sin(np.radians(theta)) ** 2
    j0, j1, j2 = np.asarray(bessel_weights(q, RADIUS))
    exact = {
        0.0: j0,
        2 * d_t: 3 * j1 * c2,
        d_t + d_s: 3 * j1 * s2,
        6 * d_t: 5 * j2 * (3 * c2 - 1) ** 2 / 4,
        5 * d_t + d_s: 5 * j2 * 3 * s2 * c2,
        2 * d_t + 4 * d_s: 5 * j2 * 0.75 * s2**2,
    }
    weights, widths = anisotropic_rotor(q, RADIUS, d_t, d_s, 2, theta)
    assert widths[0] == 0.0
    found = dict(zip(np.round(np.asarray(widths) / HBAR, 12), weights, strict=True))
    for width, weight in exact.items():
        np.testing.assert_allclose(
            found.get(np.round(width, 12), 0.0), weight, rtol=1e-12, atol=1e-15
        )


def test_the_default_angle_gives_the_four_components_of_benzene():
    weights, widths = anisotropic_rotor(1.3, RADIUS, 0.1, 0.6, 2)
    j0, j1, j2 = np.asarray(bessel_weights(1.3, RADIUS))
    g1, g2, g3 = rot_widths_anisotropic(0.1, 0.6)
    np.testing.assert_allclose(weights, [j0, 3 * j1, 5 * j2 / 4, 15 * j2 / 4])
    np.testing.assert_allclose(widths, [0.0, g1, g2, g3], rtol=1e-14)


def test_the_rotor_is_stationary_where_both_coefficients_agree():
    def moved(delta):
        return spectrum(
            *anisotropic_rotor(1.5, RADIUS, 0.2 - delta, 0.2 + delta, lmax=2)
        )

    np.testing.assert_allclose(jax.jit(jax.jacfwd(moved))(0.0), 0.0, atol=1e-14)
    assert np.max(np.abs(jax.jit(jax.jacfwd(jax.jacfwd(moved)))(0.0))) > 1e-3


@pytest.mark.parametrize("q", [0.0, 0.7, 1.8])
def test_rotor_gradients(q):
    def total(q, radius, d_t, d_s):
        return spectrum(*anisotropic_rotor(q, radius, d_t, d_s, 3, 60.0, True))

    check_grads(
        jax.jit(total),
        (q, RADIUS, 0.4, 0.6),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-3,
        atol=1e-3,
    )


def test_renormalised_weights_add_up_to_one():
    weights, widths = anisotropic_rotor(1.8, RADIUS, 0.1, 0.6, 2, renormalize=True)
    np.testing.assert_allclose(jnp.sum(weights), 1.0, rtol=1e-14)
    plain = anisotropic_rotor(1.8, RADIUS, 0.1, 0.6, 2)
    np.testing.assert_allclose(weights * jnp.sum(plain[0]), plain[0], rtol=1e-13)
    np.testing.assert_array_equal(widths, plain[1])


def test_rotors_map_like_a_loop():
    q = np.array([0.0, 0.4, 1.1, 1.8])
    loop = np.stack([anisotropic_rotor(v, RADIUS, 0.1, 0.6, 4)[0] for v in q], axis=1)
    rotor = jax.jit(
        jax.vmap(lambda v: anisotropic_rotor(v, RADIUS, 0.1, 0.6, 4)[0], out_axes=1)
    )
    np.testing.assert_allclose(rotor(q), loop, rtol=1e-12, atol=1e-15)
    together = anisotropic_rotor(q, RADIUS, 0.1, 0.6, 4)[0]
    np.testing.assert_allclose(together, loop, rtol=1e-12, atol=1e-15)


def test_rotors_keep_float32_under_strict_promotion():
    q = np.linspace(0.1, 1.8, 5)
    with jax.numpy_dtype_promotion("strict"):
        weights, widths = anisotropic_rotor(
            q.astype(np.float32), RADIUS, np.float32(0.1), np.float32(0.6), 8, 60.0
        )
    assert weights.dtype == widths.dtype == jnp.float32
    exact = anisotropic_rotor(q, RADIUS, 0.1, 0.6, 8, 60.0)
    np.testing.assert_allclose(weights, exact[0], atol=1e-5)
    np.testing.assert_allclose(widths, exact[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: bessel_weights(1.0, 0.0), "radius"),
        (lambda: bessel_weights(-1.0, 1.0), "q"),
        (lambda: rot_widths_isotropic(0.0), "d_r"),
        (lambda: rot_widths_anisotropic(0.0, 1.0), "d_t"),
        (lambda: rot_widths_anisotropic(1.0, -1.0), "d_s"),
        (lambda: isotropic_rotor(1.0, 1.0, -0.1, 2), "d_r"),
        (lambda: isotropic_rotor(1.0, 1.0, 0.1, -1), "lmax"),
        (lambda: anisotropic_rotor(1.0, 1.0, 0.1, 0.0, 2), "d_s"),
        (lambda: anisotropic_rotor(1.0, -1.0, 0.1, 0.1, 2), "radius"),
    ],
)
def test_rotors_refuse_values_outside_their_domain(call, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        call()
