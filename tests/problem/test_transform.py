"""Bijections to the real line: values, Jacobians, round trips and far ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.problem import transform

INF = np.inf
CASES = {
    "none": (-INF, INF, False),
    "lower": (0.5, INF, False),
    "upper": (-INF, 2.0, False),
    "both": (-1.0, 3.0, False),
    "log": (1e-3, 1e3, True),
}
KINDS = tuple(CASES)
LO = jnp.array([lo for lo, _, _ in CASES.values()])
HI = jnp.array([hi for _, hi, _ in CASES.values()])


@jax.jit
def to_x(u):
    return transform.to_x(u, LO, HI, KINDS)


@jax.jit
def to_u(x):
    return transform.to_u(x, LO, HI, KINDS)


@pytest.mark.parametrize("kind", CASES)
def test_bounds_choose_the_kind(kind):
    lo, hi, log = CASES[kind]
    assert transform.kind_of(lo, hi, log) == kind


def test_a_log_prior_down_to_zero_has_no_log_coordinate():
    assert transform.kind_of(0.0, 1.0, True) == "both"
    assert transform.kind_of(1.0, INF, True) == "lower"


def test_values():
    u = np.array([0.3, -0.4, 0.7, 1.2, -0.5])
    s = 1 / (1 + np.exp(-u))
    expected = [
        u[0],
        0.5 + np.exp(u[1]),
        2 - np.exp(u[2]),
        -1 + 4 * s[3],
        1e-3 * 1e6 ** s[4],
    ]
    np.testing.assert_allclose(to_x(jnp.asarray(u))[0], expected, rtol=1e-14)


@pytest.mark.parametrize("shift", [-30.0, -3.0, 0.0, 2.0, 8.0])
def test_log_slope_is_that_of_differentiation(shift):
    u = jnp.array([0.1, -0.2, 0.3, 0.4, -0.5]) + shift
    slope = jnp.diagonal(jax.jacfwd(lambda u: to_x(u)[0])(u))
    np.testing.assert_allclose(to_x(u)[1], jnp.log(jnp.abs(slope)), atol=1e-12)


def test_round_trip():
    for u in np.random.default_rng(0).normal(size=(20, 5)):
        np.testing.assert_allclose(to_u(to_x(jnp.asarray(u))[0]), u, atol=1e-9)


def test_small_values_over_a_lower_bound_survive():
    """A diffusion coefficient of 1e-11 m²/s over 0 is no rounding error."""
    lo, hi = jnp.zeros(1), jnp.array([INF])
    x = jnp.array([1e-11])
    u = transform.to_u(x, lo, hi, ("lower",))
    np.testing.assert_allclose(transform.to_x(u, lo, hi, ("lower",))[0], x, rtol=1e-12)


def test_values_on_and_beyond_bounds_are_moved_inside():
    for x in (LO, HI, LO - 1, HI + 1):
        x = jnp.where(jnp.isfinite(x), x, 1.0)
        u = to_u(x)
        assert np.all(np.isfinite(u))
        inside = to_x(u)[0]
        assert np.all((inside > LO) & (inside < HI))
    both = to_x(to_u(LO.at[0].set(0).at[2].set(0)))[0][3]
    np.testing.assert_allclose(both, -1 + 4e-6, rtol=1e-9)


@pytest.mark.parametrize("u", [-700.0, -100.0, 100.0, 700.0])
def test_far_ends_are_finite_with_finite_gradients(u):
    u = jnp.full(5, u)
    x, slope = to_x(u)
    assert np.all(np.isfinite(x)) and np.all(np.isfinite(slope))
    assert np.all((x >= LO) & (x <= HI))
    assert np.all(np.isfinite(jax.jacfwd(lambda u: to_x(u)[0])(u)))
    assert np.all(np.isfinite(jax.grad(lambda u: jnp.sum(to_x(u)[1]))(u)))


def test_gradient_of_the_way_back_is_finite():
    for x in (LO, HI, 0.7 * jnp.ones(5)):
        x = jnp.where(jnp.isfinite(x), x, 1.0)
        assert np.all(np.isfinite(jax.jacfwd(to_u)(x)))
