"""Sticky hard spheres against the closed form in mpmath, limits and SasView."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.sas.hard_spheres import hardsphere
from jaxscatter.sas.sticky_spheres import stickyhardsphere

Q = np.array([0.0, 1e-7, 1e-3, 0.0094, 0.0096, 0.02, 0.05, 0.2, 1.0])
VALUE = jax.jit(stickyhardsphere)
SLOPES = jax.jit(jax.jacfwd(stickyhardsphere, argnums=(1, 2, 3, 4)))
UNPHYSICAL = [
    (50.0, 0.3, 0.05, 0.02),  # no real root
    (50.0, 0.02, 0.05, 0.005),  # a root beyond 1 + 2η
    (50.0, 0.74, 0.1, 0.5),  # the outer spheres fill more than space
]


def closed_form(q, radius, phi, epsilon, tau):
    """Menon's expressions with inverse powers of k = qa, in 60 digits."""
    with mp.workdps(60):
        q = mp.mpf(float(q)) or mp.mpf("1e-12")  # S is even in q
        radius, phi, epsilon, tau = map(mp.mpf, (radius, phi, epsilon, tau))
        eta, k = phi / (1 - epsilon) ** 3, 2 * q * radius / (1 - epsilon)
        qa, qb = eta / 6, tau + eta / (1 - eta)
        qc = (1 + eta / 2) / (1 - eta) ** 2
        lam = (qb - mp.sqrt(qb**2 - 2 * qa * qc)) / qa
        mu = lam * eta * (1 - eta)
        alpha = (1 + 2 * eta - mu) / (1 - eta) ** 2
        beta = (mu - 3 * eta) / (2 * (1 - eta) ** 2)
        s, c = mp.sin(k), mp.cos(k)
        a = alpha * (s - k * c) / k**3 + beta * (1 - c) / k**2 - lam * s / (12 * k)
        b = alpha * (1 / (2 * k) - s / k**2 + (1 - c) / k**3)
        b += beta * (1 / k - s / k**2) - lam / 12 * (1 - c) / k
        return float(1 / ((1 + 12 * eta * a) ** 2 + (12 * eta * b) ** 2))


@pytest.mark.parametrize(
    "values",
    [(50.0, 0.2, 0.05, 0.2), (50.0, 1e-6, 0.01, 0.1), (50.0, 0.45, 0.1, 1.0)],
)
def test_sticky_spheres_agree_with_the_closed_form(values):
    exact = [closed_form(q, *values) for q in Q]
    np.testing.assert_allclose(VALUE(Q, *values), exact, rtol=1e-12)


def test_sticky_spheres_agree_with_sasview(reference):
    stored = reference("sas/structure_factors.json")
    for case in stored["cases"]["stickyhardsphere"]:
        value = VALUE(np.array(case["q"]), *case["parameters"].values())
        np.testing.assert_allclose(
            value,
            case["S"],
            rtol=stored["rtol"]["stickyhardsphere"],
            err_msg=case["id"],
        )


def test_without_stickiness_they_are_larger_hard_spheres():
    """The gap closes as 1/τ."""
    radius, phi, epsilon = 50.0, 0.3, 0.05
    hard = hardsphere(Q, radius / (1 - epsilon), phi / (1 - epsilon) ** 3)
    np.testing.assert_allclose(VALUE(Q, radius, phi, epsilon, 1e9), hard, rtol=1e-8)


def test_no_particles_is_no_interaction():
    np.testing.assert_array_equal(VALUE(Q, 50.0, 0.0, 0.05, 0.2), 1.0)


@pytest.mark.parametrize("values", UNPHYSICAL)
def test_where_there_is_no_fluid_the_value_is_nan_and_the_gradient_is_not(values):
    assert np.all(np.isnan(VALUE(Q, *values)))
    for slope in SLOPES(Q, *values):
        np.testing.assert_array_equal(slope, 0.0)


def test_nan_stays_with_its_member_of_a_batch():
    good = (50.0, 0.2, 0.05, 0.2)
    batch = jnp.array([good, *UNPHYSICAL])
    mean = jax.jit(
        jax.vmap(
            jax.value_and_grad(lambda p: jnp.sum(stickyhardsphere(0.02, *p))),
        )
    )
    value, slope = mean(batch)
    np.testing.assert_array_equal(np.isnan(value), [False, True, True, True])
    assert np.all(np.isfinite(slope))
    alone = SLOPES(np.array(0.02), *good)
    np.testing.assert_allclose(slope[0], np.array(alone), rtol=1e-12)


@pytest.mark.parametrize(
    "values", [(0.0, 0.2, 0.05, 0.2), (50.0, 0.0, 0.01, 0.2), (50.0, 0.3, 0.1, 1e6)]
)
def test_gradients_are_finite_at_the_limits(values):
    for slope in SLOPES(Q, *values):
        assert np.all(np.isfinite(slope))


@pytest.mark.slow
def test_sticky_sphere_gradients():
    # Arguments of order one suit the step of the finite differences.
    scaled = jax.jit(lambda x, r, *rest: stickyhardsphere(x / 80, 40 * r, *rest))
    check_grads(
        scaled,
        (np.array([0.0, 0.4, 2.5]), 1.1, 0.2, 0.05, 0.3),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-5,
    )


def test_vmap_is_a_loop_and_compiles_once():
    tau = jnp.array([0.15, 0.3, 2.0])
    traces = []

    def traced(q, tau):
        traces.append(1)
        return stickyhardsphere(q, 50.0, 0.2, 0.05, tau)

    f = jax.jit(traced)
    loop = [f(jnp.asarray(Q), t) for t in tau]
    assert len(traces) == 1
    batch = jax.vmap(stickyhardsphere, (None, None, None, None, 0))(
        jnp.asarray(Q), 50.0, 0.2, 0.05, tau
    )
    np.testing.assert_allclose(batch, loop, rtol=1e-14)


def test_single_precision_keeps_five_digits():
    values = [np.float32(x) for x in (50.0, 0.2, 0.05, 0.3)]
    with jax.numpy_dtype_promotion("strict"):
        q = jnp.asarray(Q, jnp.float32)
        value = stickyhardsphere(q, *(jnp.asarray(x) for x in values))
    assert value.dtype == jnp.float32
    exact = [closed_form(x, *map(float, values)) for x in np.asarray(q)]
    np.testing.assert_allclose(value, exact, rtol=1e-5)
