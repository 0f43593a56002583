"""Spheres with a square well against the closed form in mpmath, limits and SasView."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.sas.hard_spheres import hardsphere
from jaxscatter.sas.square_well import squarewell

Q = np.array([0.0, 1e-7, 1e-3, 0.0099, 0.0101, 0.02, 0.05, 0.2, 1.0])
VALUE = jax.jit(squarewell)
SLOPES = jax.jit(jax.jacfwd(squarewell, argnums=(1, 2, 3, 4)))


def closed_form(q, radius, phi, depth, width):
    """Sharma and Sharma's expression with inverse powers of k = 2qR, in 60 digits."""
    with mp.workdps(60):
        # 1e-9 stands for zero: S is even in k, which makes it 1e-14.
        k = 2 * mp.mpf(radius) * (mp.mpf(float(q)) or mp.mpf("1e-9"))
        phi, depth, width = mp.mpf(phi), mp.mpf(depth), mp.mpf(width)
        alpha = ((1 + 2 * phi) ** 2 + phi**3 * (phi - 4)) / (1 - phi) ** 4
        beta = -phi / 3 * (18 + 20 * phi - 12 * phi**2 + phi**4) / (1 - phi) ** 4
        s, c, wide = mp.sin(k), mp.cos(k), width * k
        total = alpha * k**3 * (s - k * c)
        total += 2 * beta * k**2 * (k * s - (k**2 / 2 - 1) * c - 1)
        last = (4 * k**3 - 24 * k) * s - (k**4 - 12 * k**2 + 24) * c + 24
        total += phi * alpha / 2 * last
        total -= depth * k**3 * (mp.sin(wide) - s + k * (c - width * mp.cos(wide)))
        return float(1 / (1 + 24 * phi * total / k**6))


@pytest.mark.parametrize(
    "values", [(50.0, 0.04, 1.5, 1.2), (50.0, 0.15, -1.0, 1.7), (5.0, 0.08, 0.7, 3.0)]
)
def test_square_well_agrees_with_the_closed_form(values):
    exact = [closed_form(q, *values) for q in Q]
    np.testing.assert_allclose(VALUE(Q, *values), exact, rtol=1e-12)


def test_square_well_agrees_with_sasview(reference):
    stored = reference("sas/structure_factors.json")
    for case in stored["cases"]["squarewell"]:
        value = VALUE(np.array(case["q"]), *case["parameters"].values())
        np.testing.assert_allclose(
            value, case["S"], rtol=stored["rtol"]["squarewell"], err_msg=case["id"]
        )


def test_without_a_well_the_compressibility_is_that_of_carnahan_and_starling():
    """d[η(1 + η + η² - η³)/(1 - η)³]/dη = 1/S(0)."""
    phi = 0.3
    pressure = jax.grad(lambda x: x * (1 + x + x**2 - x**3) / (1 - x) ** 3)
    np.testing.assert_allclose(
        VALUE(np.array(0.0), 50.0, phi, 0.0, 1.2), 1 / pressure(phi), rtol=1e-13
    )


def test_without_a_well_dilute_spheres_are_those_of_percus_and_yevick():
    """The two cores differ at third order in the volume fraction."""
    gap = [
        np.max(np.abs(VALUE(Q, 50.0, phi, 0.0, 1.2) - hardsphere(Q, 50.0, phi)))
        for phi in (1e-2, 1e-3)
    ]
    assert gap[0] < 1e-5
    np.testing.assert_allclose(gap[0] / gap[1], 1000.0, rtol=0.2)


def test_no_particles_is_no_interaction():
    np.testing.assert_array_equal(VALUE(Q, 50.0, 0.0, 1.5, 1.2), 1.0)


@pytest.mark.parametrize(
    "values", [(0.0, 0.04, 1.5, 1.2), (50.0, 0.0, 1.5, 1.2), (50.0, 0.04, 0.0, 1.0)]
)
def test_gradients_are_finite_at_the_limits(values):
    for slope in SLOPES(Q, *values):
        assert np.all(np.isfinite(slope))


def test_square_well_gradients():
    # Arguments of order one suit the step of the finite differences.
    scaled = jax.jit(lambda x, r, *well: squarewell(x / 80, 40 * r, *well))
    check_grads(
        scaled,
        (np.array([0.0, 0.4, 2.5]), 1.1, 0.06, 0.9, 1.3),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-5,
    )


def test_vmap_is_a_loop_and_compiles_once():
    depth = jnp.array([-1.0, 0.0, 1.2])
    traces = []

    def traced(q, depth):
        traces.append(1)
        return squarewell(q, 50.0, 0.05, depth, 1.3)

    f = jax.jit(traced)
    loop = [f(jnp.asarray(Q), d) for d in depth]
    assert len(traces) == 1
    batch = jax.vmap(squarewell, (None, None, None, 0, None))(
        jnp.asarray(Q), 50.0, 0.05, depth, 1.3
    )
    np.testing.assert_allclose(batch, loop, rtol=1e-14)


def test_single_precision_keeps_five_digits():
    values = [np.float32(x) for x in (50.0, 0.05, 1.0, 1.3)]
    with jax.numpy_dtype_promotion("strict"):
        q = jnp.asarray(Q, jnp.float32)
        value = squarewell(q, *(jnp.asarray(x) for x in values))
    assert value.dtype == jnp.float32
    exact = [closed_form(x, *map(float, values)) for x in np.asarray(q)]
    np.testing.assert_allclose(value, exact, rtol=1e-5)
