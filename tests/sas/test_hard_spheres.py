"""Percus-Yevick spheres against the classical closed form, its limits and SasView."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.sas.hard_spheres import hardsphere

Q = np.array([0.0, 1e-7, 1e-3, 0.0099, 0.0101, 0.02, 0.05, 0.2, 1.0])
VALUE = jax.jit(hardsphere)
SLOPES = jax.jit(jax.jacfwd(hardsphere, argnums=(1, 2)))


def classical(q, radius, phi):
    """The three-term form with inverse powers of x = 2qR, in 60 digits."""
    with mp.workdps(60):
        x, phi = 2 * mp.mpf(float(q)) * mp.mpf(radius), mp.mpf(phi)
        a = ((1 + 2 * phi) / (1 - phi) ** 2) ** 2
        if x == 0:
            return float(1 / a)
        b = -6 * phi * ((1 + phi / 2) / (1 - phi) ** 2) ** 2
        s, c = mp.sin(x), mp.cos(x)
        ff = a * (s - x * c) / x + b * (2 * x * s - (x**2 - 2) * c - 2) / x**2
        last = 4 * (x**3 - 6 * x) * s - (x**4 - 12 * x**2 + 24) * c + 24
        ff += phi * a / 2 * last / x**4
        return float(1 / (1 + 24 * phi * ff / x**2))


@pytest.mark.parametrize("phi", [1e-6, 0.2, 0.55, 0.74])
def test_hard_spheres_agree_with_the_classical_form(phi):
    exact = [classical(q, 50.0, phi) for q in Q]
    np.testing.assert_allclose(VALUE(Q, 50.0, phi), exact, rtol=1e-13)


def test_hard_spheres_agree_with_sasview(reference):
    stored = reference("sas/structure_factors.json")
    for case in stored["cases"]["hardsphere"]:
        value = VALUE(np.array(case["q"]), *case["parameters"].values())
        np.testing.assert_allclose(
            value, case["S"], rtol=stored["rtol"]["hardsphere"], err_msg=case["id"]
        )


def test_no_particles_or_no_radius_is_no_interaction():
    np.testing.assert_array_equal(VALUE(Q, 50.0, 0.0), 1.0)
    np.testing.assert_array_equal(VALUE(Q, 0.0, 0.3), 1.0)


def test_small_concentrations_feel_the_excluded_volume_only():
    """dS/dφ at φ = 0 is -8 times the form amplitude of a sphere of radius 2R."""
    _, slope = SLOPES(Q, 50.0, 0.0)
    x = np.where(Q < 1e-6, 1.0, 100 * Q)
    amplitude = np.where(Q < 1e-6, 1.0, 3 * (np.sin(x) - x * np.cos(x)) / x**3)
    np.testing.assert_allclose(slope, -8 * amplitude, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(("radius", "phi"), [(0.0, 0.2), (50.0, 0.0), (50.0, 0.74)])
def test_gradients_are_finite_at_the_limits(radius, phi):
    for slope in SLOPES(Q, radius, phi):
        assert np.all(np.isfinite(slope))


def test_hard_sphere_gradients():
    # Arguments of order one suit the step of the finite differences.
    scaled = jax.jit(lambda x, r, phi: hardsphere(x / 80, 40 * r, phi))
    x = np.array([0.0, 0.4, 2.5])
    check_grads(scaled, (x, 1.1, 0.3), order=2, modes=("fwd", "rev"), rtol=1e-5)


def test_vmap_is_a_loop_and_compiles_once():
    phi = jnp.array([0.0, 0.1, 0.4])
    traces = []

    def traced(q, phi):
        traces.append(1)
        return hardsphere(q, 50.0, phi)

    f = jax.jit(traced)
    loop = [f(jnp.asarray(Q), p) for p in phi]
    assert len(traces) == 1
    batch = jax.vmap(hardsphere, (None, None, 0))(jnp.asarray(Q), 50.0, phi)
    np.testing.assert_allclose(batch, loop, rtol=1e-14)


def test_single_precision_keeps_six_digits():
    with jax.numpy_dtype_promotion("strict"):
        q = jnp.asarray(Q, jnp.float32)
        value = hardsphere(q, jnp.float32(50), jnp.float32(0.4))
    assert value.dtype == jnp.float32
    exact = [classical(x, 50.0, float(np.float32(0.4))) for x in np.asarray(q)]
    np.testing.assert_allclose(value, exact, rtol=3e-6)
