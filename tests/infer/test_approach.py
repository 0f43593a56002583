"""First steps in better coordinates lead to the optimum, and never away from it."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.infer.approach import approached
from jaxscatter.infer.box import box
from jaxscatter.infer.least_squares import make_objective

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


def test_they_end_where_the_fit_ends(problem):
    objective = make_objective(problem)
    x, trials = approached(objective, box(problem), problem.start())
    fit = js.fit(problem, warn=False)
    assert trials > 0 and objective.cost(x) <= objective.cost(problem.start())
    np.testing.assert_allclose(2 * objective.cost(x), fit.statistics["chi2"], rtol=1e-6)
    assert fit.success and fit.statistics["nit"] < 40


def test_they_stay_in_the_box(problem):
    narrow = problem.with_(parameters={"alpha": {"bounds": (-0.1, 0.5)}})
    x, _ = approached(make_objective(narrow), box(narrow), narrow.start())
    lo, hi = narrow.parameters.bounds()
    assert np.all((x >= lo) & (x <= hi))
    fit = js.fit(narrow, warn=False)
    assert fit["alpha"] == -0.1 and "at_bound" in fit.flags


def test_a_start_they_cannot_use_is_kept(problem):
    x = problem.start().at[2].set(-1e5)  # a rate below zero everywhere
    end, _ = approached(make_objective(problem), box(problem), x)
    cost = make_objective(problem).cost
    assert jnp.all(jnp.isfinite(end)) and cost(end) <= cost(x)


def test_models_without_such_coordinates_are_left_alone(cases):
    problem = cases.decay()
    x, trials = approached(make_objective(problem), box(problem), problem.start())
    assert trials == 0 and x is not None
    np.testing.assert_array_equal(x, problem.start())
