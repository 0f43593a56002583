"""Line shapes in energy and the Debye-Waller factor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.qens.lineshapes import (
    GAMMA_FLOOR,
    debye_waller,
    gnorm,
    lorentz,
    lorentz_sum,
    voigt,
)

OMEGA = np.linspace(-1.0, 1.0, 21)
WEIGHTS = np.array([0.3, 0.5, 0.2])
GAMMAS = np.array([0.02, 0.1, 0.5])


def loop_sum(omega, weights, gammas):
    """The same sum without the tangent rule: plain broadcasting."""
    g = jnp.maximum(gammas, GAMMA_FLOOR)[:, None]
    return jnp.sum(weights[:, None] * g / (omega[None, :] ** 2 + g**2), 0) / jnp.pi


def test_line_shapes_agree_with_stored_numbers(reference):
    stored = reference("qens/seed_kernels.json")
    omega = np.array(stored["omega"])[:: stored["lineshape_stride"]]
    for case in stored["lineshape"]:
        np.testing.assert_allclose(
            lorentz(omega, case["lorentz_gamma"]), case["lorentz"], rtol=1e-12
        )
        np.testing.assert_allclose(
            gnorm(omega, case["gauss_sigma"]), case["gauss"], rtol=1e-11, atol=1e-300
        )


def test_gamma_is_the_half_width_at_half_maximum():
    np.testing.assert_allclose(lorentz(0.07, 0.07), lorentz(0.0, 0.07) / 2, rtol=1e-14)


def test_lorentz_has_unit_area():
    """With ω = Γ tan θ the integrand is constant: any equispaced rule is exact."""
    theta = np.pi * ((np.arange(64) + 0.5) / 64 - 0.5)
    area = np.pi * np.mean(lorentz(0.2 * np.tan(theta), 0.2) * 0.2 / np.cos(theta) ** 2)
    np.testing.assert_allclose(area, 1.0, rtol=1e-12)


def test_gnorm_has_unit_area():
    omega = np.linspace(-1.0, 1.0, 201)
    np.testing.assert_allclose(np.sum(gnorm(omega, 0.06)) * 0.01, 1.0, rtol=1e-12)


def test_gamma_has_a_floor_below_which_nothing_changes():
    assert lorentz(0.0, 0.0) == lorentz(0.0, GAMMA_FLOOR)
    assert jax.grad(lorentz, 1)(0.1, GAMMA_FLOOR / 2) == 0.0
    assert np.isfinite(jax.grad(lorentz, 1)(0.0, GAMMA_FLOOR))


@pytest.mark.parametrize("sigma", [0.0, -0.1, np.nan])
def test_gnorm_refuses_a_width_that_is_not_positive(sigma):
    with pytest.raises(ValueError, match="sigma"):
        gnorm(OMEGA, sigma)


def test_lorentz_sum_is_the_weighted_sum():
    expected = sum(
        w * np.asarray(lorentz(OMEGA, g)) for w, g in zip(WEIGHTS, GAMMAS, strict=True)
    )
    np.testing.assert_allclose(
        lorentz_sum(OMEGA, WEIGHTS, GAMMAS), expected, rtol=1e-13
    )
    np.testing.assert_allclose(
        lorentz_sum(OMEGA, 0.5, GAMMAS[1]), 0.5 * lorentz(OMEGA, GAMMAS[1]), rtol=1e-14
    )


def test_lorentz_sum_derivatives_are_those_of_plain_broadcasting():
    args = jnp.asarray(OMEGA), jnp.asarray(WEIGHTS), jnp.asarray(GAMMAS)
    for derivative in (jax.jacfwd, jax.jacrev):
        ours = jax.jit(derivative(lorentz_sum, (0, 1, 2)))(*args)
        plain = jax.jit(derivative(loop_sum, (0, 1, 2)))(*args)
        for a, b in zip(ours, plain, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
    ours = jax.jit(jax.hessian(lambda *a: lorentz_sum(*a).sum(), (1, 2)))(*args)
    plain = jax.jit(jax.hessian(lambda *a: loop_sum(*a).sum(), (1, 2)))(*args)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-9)


def test_lorentz_sum_gradients():
    check_grads(
        jax.jit(lorentz_sum),
        (OMEGA, WEIGHTS, GAMMAS + 0.5),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-4,
        atol=1e-4,
    )


def test_vmapped_tangents_share_one_table_of_lines():
    """Tangents pushed together enter as one matrix product, not p evaluations."""

    def pushed(tangents):
        return jax.vmap(
            lambda t: jax.jvp(
                lambda g: lorentz_sum(OMEGA, WEIGHTS, g), (jnp.asarray(GAMMAS),), (t,)
            )[1]
        )(tangents)

    for p in (3, 5):
        shapes = [
            v.aval.shape
            for eqn in jax.make_jaxpr(pushed)(jnp.ones((p, 3))).jaxpr.eqns
            for v in eqn.outvars
        ]
        assert (p, 3, OMEGA.size) not in shapes
        assert (p, OMEGA.size) in shapes


def test_lorentz_sum_maps_like_a_loop():
    gammas = np.stack([GAMMAS, 2 * GAMMAS])
    mapped = jax.vmap(lambda g: lorentz_sum(OMEGA, WEIGHTS, g))(gammas)
    loop = np.stack([lorentz_sum(OMEGA, WEIGHTS, g) for g in gammas])
    np.testing.assert_allclose(mapped, loop, rtol=1e-13)


def test_line_shapes_keep_float32_under_strict_promotion():
    omega = OMEGA.astype(np.float32)
    weights, gammas = WEIGHTS.astype(np.float32), GAMMAS.astype(np.float32)
    with jax.numpy_dtype_promotion("strict"):
        pairs = [
            (lorentz(omega, 0.05), lorentz(OMEGA, 0.05)),
            (gnorm(omega, 0.3), gnorm(OMEGA, 0.3)),
            (lorentz_sum(omega, weights, gammas), lorentz_sum(OMEGA, WEIGHTS, GAMMAS)),
        ]
    for single, double in pairs:
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, double, rtol=1e-5)


def test_voigt_is_offered_beside_the_other_line_shapes():
    np.testing.assert_allclose(
        voigt(OMEGA, 0.0, 0.05), lorentz(OMEGA, 0.05), rtol=1e-13
    )


@pytest.mark.parametrize(("q", "u2"), [(0.0, 0.1), (1.3, 0.0), (0.0, 0.0), (2.0, 0.3)])
def test_debye_waller_value_and_gradients(q, u2):
    np.testing.assert_allclose(debye_waller(q, u2), np.exp(-q * q * u2 / 3), rtol=1e-15)
    check_grads(jax.jit(debye_waller), (q, u2), order=2, modes=("fwd", "rev"))


def test_debye_waller_refuses_negative_q():
    with pytest.raises(ValueError, match=r"q must be at least 0, got -0\.1"):
        debye_waller(np.array([0.3, -0.1]), 0.1)
