"""The columns of the engine against the matrices of `c2`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter import xpcs
from jaxscatter.xpcs.correlation import CONVENTIONS

T = 0.1 * np.arange(14)
PHI = np.array([-30.0, 0.0, 92.0])
THETA = {
    "D0": 1500.0,
    "alpha": -0.4,
    "D_offset": 30.0,
    "gamma_dot_t0": 3e-3,
    "beta": -0.2,
    "gamma_dot_t_offset": 1e-4,
    "phi0": 2.0,
}


def made(convention="pnas", **options):
    square = xpcs.c2(THETA, T, PHI, q=0.0054, h=2e6, convention=convention)
    data = xpcs.from_matrices(square, PHI, q=0.0054, t=T, sigma=0.01)
    problem = xpcs.problem(data, convention=convention, values=THETA, **options)
    return np.asarray(square), data, problem


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("chunk", [None, 40])
def test_predictions_are_the_matrices(convention, chunk):
    square, data, problem = made(convention, chunk=chunk)
    a = jnp.broadcast_to(jnp.asarray([0.5, 1.0]), (3, 2))
    curves = eqx.filter_jit(problem.predict)(problem.start(), a)
    back = xpcs.to_matrices(data, np.asarray(curves))
    off = ~np.eye(len(T), dtype=bool)
    np.testing.assert_allclose(back[:, off], square[:, off], rtol=0, atol=2e-15)


def test_the_best_amplitudes_are_contrast_and_offset():
    _, _, problem = made()
    a = eqx.filter_jit(problem.amplitudes)(problem.start())
    np.testing.assert_allclose(a, [[0.5, 1.0]] * 3, rtol=1e-10)


def test_triple_and_gradient_agree_and_are_finite_on_the_floor():
    _, _, problem = made()
    x = problem.start() * 1.05
    triple = eqx.filter_jit(problem.normal)(x)
    slope = jax.jit(jax.grad(problem.cost))(x)
    np.testing.assert_allclose(triple.gradient, slope, rtol=1e-8, atol=1e-9)
    floored = x.at[jnp.asarray([2, 5])].set(jnp.asarray([-1e5, -0.1]))
    triple = eqx.filter_jit(problem.normal)(floored)
    assert np.all(np.isfinite(triple.hessian)) and np.isfinite(triple.cost)


def test_results_name_convention_and_spelling():
    _, _, problem = made("homodyne_v2")
    assert problem.model.name == "laminar_flow (homodyne_v2, rate=power)"
