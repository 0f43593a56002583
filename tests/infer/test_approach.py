"""First steps in better coordinates lead to the optimum, and never away from it."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.infer import trust_region as tr
from jaxscatter.infer.approach import approached, frame
from jaxscatter.infer.box import box
from jaxscatter.infer.least_squares import _advance, _start, make_objective

T = 0.1 * np.arange(60)
TRUTH = {"D0": 2000.0, "alpha": -0.4, "D_offset": 50.0}


@pytest.fixture(scope="module")
def problem():
    phi = np.zeros(1)
    square = np.array(xpcs.c2(TRUTH, T, phi, q=0.0054, model="static"))
    noise = np.triu(np.random.default_rng(0).normal(0, 0.01, square.shape), 1)
    square += noise + np.swapaxes(noise, 1, 2)
    data = xpcs.from_matrices(square, phi, q=0.0054, t=T, sigma=0.01)
    return xpcs.problem(data, "static", values={"D0": 500.0, "alpha": 0.2})


def run(problem, x=None):
    """(x, cost, trials) where the fit proper begins."""
    x = problem.start() if x is None else x
    settings = tr.Options()
    state, trials = approached(
        make_objective(problem),
        box(problem),
        x,
        lambda f, b, x: _start(f, b, x, settings),
        lambda f, b, s, n: _advance(f, b, s, settings, n),
    )
    return state.x, float(state.cost), trials


@pytest.mark.slow
def test_they_end_near_where_the_fit_ends(problem):
    x, cost, trials = run(problem)
    fit = js.fit(problem, warn=False)
    assert 0 < trials <= 60 and cost < float(problem.cost(problem.start()))
    assert fit.success and fit.statistics["nit"] < 60
    assert fit.statistics["chi2"] <= 2 * cost * (1 + 1e-12)
    np.testing.assert_allclose(cost, problem.cost(x), rtol=1e-12)


@pytest.mark.slow
def test_the_gradient_is_that_of_the_cost_in_either_coordinates(problem):
    objective = make_objective(problem)
    for better in (False, True):
        one = frame(objective, better)
        z = problem.start()
        z = problem.coordinates.to_z(z) if better else z
        h, g, c = one.normal(z)
        steps = 1e-5 * np.diag(np.maximum(np.abs(np.asarray(z)), 0.1))
        slope = [(one.cost(z + s) - one.cost(z - s)) / (2 * np.max(s)) for s in steps]
        np.testing.assert_allclose(g, slope, rtol=1e-4)
        np.testing.assert_allclose(c, one.cost(z), rtol=1e-12)
        assert np.all(np.linalg.eigvalsh(h) > -1e-9 * np.trace(h))


def test_the_fit_stays_in_the_box(problem):
    narrow = problem.with_(parameters={"alpha": {"bounds": (-0.1, 0.5)}})
    x, _, _ = run(narrow)
    lo, hi = narrow.parameters.bounds()
    assert np.all((x >= lo) & (x <= hi))
    fit = js.fit(narrow, warn=False)
    assert fit["alpha"] == -0.1 and "at_bound" in fit.flags


def test_a_start_they_cannot_use_is_kept_or_bettered(problem):
    x = problem.start().at[2].set(-1e5)  # a rate below zero everywhere
    end, cost, _ = run(problem, x)
    assert jnp.all(jnp.isfinite(end)) and cost <= float(problem.cost(x))


def test_models_without_such_coordinates_are_left_alone(cases):
    problem = cases.decay()
    x, _, trials = run(problem)
    assert trials == 0
    np.testing.assert_array_equal(x, problem.start())
