"""Intervals from chi2 along one parameter."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import FitError
from jaxscatter.infer import fit, map_fit, profile
from jaxscatter.problem import Dataset, Parameter, Problem, model


def test_the_profile_of_a_linear_problem_is_its_standard_error(cases):
    result = fit(cases.line(), warn=False)
    p = profile(result, "s")
    assert p.lower == pytest.approx(result["s"] - result.error("s"), rel=1e-5)
    assert p.upper == pytest.approx(result["s"] + result.error("s"), rel=1e-5)
    z = (p.grid - result["s"]) / result.error("s")
    np.testing.assert_allclose(p.delta_chi2, z**2, atol=1e-6)
    two = profile(result, "s", level=4.0)
    assert two.upper == pytest.approx(result["s"] + 2 * result.error("s"), rel=1e-4)


@pytest.mark.slow
def test_the_profile_of_a_skewed_problem_is_asymmetric_and_exact():
    """μ = ln k of one mean: delta chi2 = n (ln k - ln k̂)²/σ², so k̂ exp(±σ/√n)."""
    y = np.full(4, 0.7) + np.array([0.1, -0.1, 0.2, -0.2])
    flat = model(
        lambda th, c: (jnp.log(th["k"]) * jnp.ones_like(c["t"]))[:, None],
        [Parameter("k", 1.0, bounds=(1e-3, 1e3), scale=1.0)],
    )
    problem = Problem(flat, Dataset(y, np.ones(4), coords={"t": np.arange(4.0)}))
    result = fit(problem, warn=False)
    p = profile(result, "k", points=81)
    assert p.best == pytest.approx(np.exp(0.7), rel=1e-6)
    assert p.lower == pytest.approx(np.exp(0.7 - 0.5), rel=1e-3)
    assert p.upper == pytest.approx(np.exp(0.7 + 0.5), rel=1e-3)


def test_a_parameter_on_its_bound_has_a_one_sided_interval(bound_fit):
    p = profile(bound_fit, "d")
    assert p.lower is None and p.grid[0] == 0.0
    assert p.best == 0.0
    assert p.upper is None or p.upper > 0


def test_profiles_refuse_what_they_cannot_follow(cases, decay_fit):
    with pytest.raises(FitError, match="'rate'"):
        profile(decay_fit, "rate")
    with pytest.raises(FitError, match="without priors"):
        profile(map_fit(cases.line(), warn=False), "s")
