"""A model whose accuracy ends somewhere, and the verbs that go on beyond."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.infer.refinement import refined, refined_over, refines
from jaxscatter.problem import AbstractModel, Amplitude, Parameter, ParameterSet

T = np.linspace(0.0, 4.0, 40)


class Series(AbstractModel):
    """e^(-kt) as a power series that is good up to `reach`."""

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...] = ()
    terms: int = eqx.field(static=True, default=8)
    reach: float = eqx.field(static=True, default=0.4)

    def columns(self, prepared: Any, theta: dict, coords: dict):
        x = -theta["k"] * coords["t"]
        total = jnp.ones_like(x)
        for n in range(self.terms, 0, -1):
            total = 1 + x / n * total
        return total[:, None]

    def refined(self, theta: dict, data: Any):
        if float(theta["k"]) <= self.reach:
            return None
        finer = Series(self.parameters, (), 4 * self.terms, 2 * self.reach)
        return finer, f"the series was continued to k = {2 * self.reach:g}"


def made(rate):
    rng = np.random.default_rng(1)
    y = np.exp(-rate * T) + 0.01 * rng.normal(size=T.size)
    data = js.Dataset(y, np.full(T.size, 0.01), coords={"t": T})
    table = ParameterSet([Parameter("k", 0.3, unit="1/s", bounds=(0.0, 3.0))])
    return js.Problem(Series(table), data)


def test_a_fit_that_leaves_its_region_goes_on_with_a_finer_model():
    problem = made(0.7)
    assert refines(problem)
    with pytest.warns(js.errors.FitWarning, match="the series was continued"):
        result = js.fit(problem)
    assert result.problem.model.terms == 32
    np.testing.assert_allclose(result["k"], 0.7, atol=4 * result.error("k"))
    assert "continued to k = 0.8" in result.summary()


def test_a_fit_that_stays_says_nothing():
    result = js.fit(made(0.2))
    assert result.problem.model.terms == 8
    assert not result.warnings


@pytest.mark.slow
def test_a_posterior_whose_draws_leave_is_drawn_again():
    post = js.sample(made(0.4), chains=2, warmup=100, draws=100, seed=2, warn=False)
    assert post.problem.model.terms == 32
    assert any("the series was continued" in w for w in post.warnings)


def test_joined_problems_refine_the_part_that_needs_it():
    joint = js.joint(made(0.2), made(0.7), names=("slow", "fast"))
    finer = refined(joint, jnp.asarray([0.2, 0.7]))
    assert [p.model.terms for p in finer.parts] == [8, 32]
    assert refined(joint, jnp.asarray([0.2, 0.3])) is joint


def test_the_largest_draws_decide():
    problem = made(0.2)
    assert refined_over(problem, {"k": np.array([[0.1, 0.39]])}) is problem
    assert refined_over(problem, {"k": np.array([[0.1, 0.41]])}) is not problem


def test_models_without_a_resolution_of_their_own_are_left_alone():
    model = js.model(
        lambda theta, coords: jnp.exp(-theta["k"] * coords["t"])[:, None],
        [Parameter("k", 0.3, bounds=(0.0, 3.0))],
    )
    assert not refines(js.Problem(model, made(0.2).given))
