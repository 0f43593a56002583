"""A search around a search."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import FitError, ParameterError
from jaxscatter.infer import trust_region as tr
from jaxscatter.infer.host import Search
from jaxscatter.infer.nested import fit_nested

OUTER = Search("nelder-mead", xtol=1e-4, ftol=1e-4, adaptive=True, units="bounds")
INNER = Search("powell", xtol=1e-4, ftol=1e-6)


def test_the_end_and_its_errors_are_those_of_least_squares(cases, decay_fit):
    result = fit_nested(cases.decay(), ["d"], OUTER, INNER, warn=False)
    assert result.success and result.method == "nested"
    np.testing.assert_allclose(result.x, decay_fit.x, rtol=2e-3)
    np.testing.assert_allclose(result.cov, decay_fit.cov, rtol=0.02)
    s = result.statistics
    assert s["nfev"] > 3 * s["nit"] == 3 * len(result.history["cost"])
    np.testing.assert_allclose(s["cost"], result.history["cost"].min(), rtol=1e-9)


def distance(mu, y, mask):
    return jnp.sum(jnp.where(mask, jnp.abs(mu - y), 0.0)) / jnp.sum(mask)


def test_bare_costs_are_nested_too(cases):
    bare = js.bare_cost(cases.decay(), distance)
    result = fit_nested(bare, ["d"], OUTER, INNER, warn=False)
    assert result.success and result.flags[0] == "bare_cost"
    np.testing.assert_allclose(result["tau"], cases.truth["tau"], rtol=0.1)
    with pytest.raises(FitError, match="no covariance"):
        fit_nested(bare, ["d"], OUTER, INNER, scale_covariance=True)


def test_it_can_be_stopped_after_any_inner_search(cases):
    events = []

    def stop(event):
        events.append(event)
        return len(events) < 3

    result = fit_nested(cases.decay(), ["d"], OUTER, INNER, progress=stop, warn=False)
    assert result.code == tr.STOPPED and result.statistics["nit"] == 3
    np.testing.assert_allclose(result.statistics["cost"], events[-1].value, rtol=1e-9)


def test_searches_cut_short_are_not_converged(cases):
    few = Search("powell", max_evaluations=5)
    result = fit_nested(cases.decay(), ["d"], OUTER, few, warn=False)
    assert not result.success and "inner search" in result.message
    few = Search("nelder-mead", max_evaluations=5)
    result = fit_nested(cases.decay(), ["d"], few, INNER, warn=False)
    assert not result.success and "outer scipy" in result.message


def test_what_cannot_be_nested_is_refused(cases):
    with pytest.raises(ParameterError, match=r"inner names \['q'\]"):
        fit_nested(cases.decay(), ["q"], OUTER, INNER)
    with pytest.raises(FitError, match="left for the outer search"):
        fit_nested(cases.decay(), ["tau", "d"], OUTER, INNER)
    with pytest.raises(FitError, match="left for the inner search"):
        fit_nested(cases.decay(), [], OUTER, INNER)
