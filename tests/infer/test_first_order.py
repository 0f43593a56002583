"""Fits by optax in unconstrained coordinates."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxscatter.errors import FitError, ModelError
from jaxscatter.infer import fit
from jaxscatter.infer import trust_region as tr
from jaxscatter.problem import AbstractModel, Dataset, Parameter, ParameterSet, Problem


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_named_methods_find_the_minimum_of_the_trust_region(cases, decay_fit, method):
    result = fit(cases.decay(), method, warn=False)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, decay_fit.x, rtol=1e-3)
    np.testing.assert_allclose(result.cov, decay_fit.cov, rtol=1e-2)


def test_any_optax_transformation_is_a_method(cases, decay_fit):
    result = fit(cases.decay(), optax.adam(0.03), steps=1500, warn=False)
    assert result.success and result.method == "GradientTransformationExtraArgs"
    np.testing.assert_allclose(result.x, decay_fit.x, rtol=1e-3)


def test_minibatches_are_polished_to_the_same_minimum(cases, decay_fit):
    result = fit(cases.decay(), "adam", batch=20, steps=400, seed=2, warn=False)
    assert result.success
    np.testing.assert_allclose(result.x, decay_fit.x, rtol=1e-6)
    np.testing.assert_allclose(result.cov, decay_fit.cov, rtol=1e-4)
    with pytest.raises(FitError, match="batch is 41"):
        fit(cases.decay(), "adam", batch=41)
    with pytest.raises(FitError, match="lbfgs"):
        fit(cases.decay(), "lbfgs", batch=20)


def test_too_few_steps_are_a_failure_that_names_the_remedy(cases):
    result = fit(cases.decay(), "adam", steps=50, start=[9.0, 0.9], warn=False)
    assert not result.success and "more steps" in result.message


def test_a_stopped_first_order_fit_says_so(cases):
    result = fit(
        cases.decay(), "lbfgs", progress=lambda e: False, start=[9.0, 0.9], warn=False
    )
    assert result.code in (tr.STOPPED, tr.FTOL, tr.GTOL)
    result = fit(
        cases.decay(), "adam", batch=20, steps=400, progress=lambda e: False, warn=False
    )
    assert result.code == tr.STOPPED and "stopped" in result.flags


class Cumulative(AbstractModel):
    """A model whose points depend on each other."""

    parameters: ParameterSet
    amplitudes: tuple = ()

    def columns(self, prepared, theta, coords):
        return jnp.cumsum(theta["s"] * coords["t"])[:, None]

    @property
    def independent_points(self):
        return False


def test_minibatches_are_refused_where_points_depend_on_each_other():
    t = np.arange(1.0, 9.0)
    problem = Problem(
        Cumulative(ParameterSet([Parameter("s", 1.0, bounds=(0, 3))])),
        Dataset(np.cumsum(t), np.ones_like(t), coords={"t": t}),
    )
    with pytest.raises(ModelError, match="Cumulative"):
        fit(problem, "adam", batch=4)
