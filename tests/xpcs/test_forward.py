"""The columns of the engine against the matrices of `c2`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter import xpcs
from jaxscatter.errors import ModelError
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


@pytest.mark.slow
def test_results_carry_half_of_d0():
    import jaxscatter as js

    _, _, problem = made()
    fit = js.fit(problem, warn=False, max_trials=2)
    value, error, unit = fit.derived["D_stokes_einstein"]
    np.testing.assert_allclose(value, fit["D0"] / 2)
    np.testing.assert_allclose(error, fit.error("D0") / 2)
    assert unit == "Å²/s"


def test_a_rate_on_its_floor_is_said():
    _, _, problem = made()
    theta = {**THETA, "D_offset": -5000.0, "gamma_dot_t_offset": -0.1}
    said = problem.model.cautions(theta, {"phi": PHI})
    assert len(said) == 2
    assert said[0].startswith("J(t) is on its floor of 1e-10 Å²/s at 14 of 14 times")
    assert "shear rate is on its floor" in said[1]
    assert problem.model.cautions(THETA, {"phi": PHI}) == ()


def test_single_precision_is_refused_unless_wanted(monkeypatch):
    _, data, _ = made()
    monkeypatch.setattr(jax.config, "read", lambda name: False)
    with pytest.raises(ModelError, match="JAX runs in single precision"):
        xpcs.problem(data, values=THETA)


@pytest.mark.slow
def test_several_q_share_the_physics():
    """Groups of two Q and one angle each: one fit, amplitudes of their own."""
    import jaxscatter as js

    qs, theta = (
        np.array([0.004, 0.007]),
        {"D0": 1500.0, "alpha": -0.4, "D_offset": 30.0},
    )
    squares = np.stack(
        [
            np.asarray(
                xpcs.c2(theta, T, 0.0, q=q, model="static", contrast=c, offset=1.0)
            )
            for q, c in zip(qs, (0.2, 0.35), strict=True)
        ]
    )
    data = xpcs.from_matrices(squares, np.zeros(2), q=qs, t=T, sigma=0.001)
    fit = js.fit(xpcs.problem(data, "static"), warn=False)
    for name, value in theta.items():
        np.testing.assert_allclose(fit[name], value, rtol=1e-5)
    contrast = [fit.amplitude_values[f"contrast[{i}]"] for i in range(2)]
    np.testing.assert_allclose(contrast, [0.2, 0.35], rtol=1e-6)
