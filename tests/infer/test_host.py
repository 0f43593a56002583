"""Fits by scipy on the host."""

import numpy as np
import pytest

from jaxscatter.errors import FitError
from jaxscatter.infer import fit
from jaxscatter.infer import trust_region as tr
from jaxscatter.problem import Gaussian


@pytest.mark.parametrize("method", ["nelder-mead", "powell"])
def test_searches_without_gradient_find_the_same_minimum(cases, decay_fit, method):
    result = fit(cases.decay(), method, warn=False)
    assert result.success
    np.testing.assert_allclose(result.x, decay_fit.x, rtol=1e-4)
    np.testing.assert_allclose(result.cov, decay_fit.cov, rtol=1e-3)
    assert len(result.history["cost"]) == result.statistics["nfev"]


def test_a_search_that_ends_on_a_bound_says_so(cases, bound_fit):
    result = fit(cases.decay(cases.curves(d=-0.05)), "powell", warn=False)
    assert "at_bound" in result.flags and np.isnan(result.error("d"))
    np.testing.assert_allclose(result["tau"], bound_fit["tau"], rtol=1e-3)


def test_scipy_refuses_costs_with_log_terms(cases):
    with pytest.raises(FitError, match="sum of squares"):
        fit(cases.decay(likelihood=Gaussian("scale")), "scipy-trf")


def test_a_search_can_be_stopped_at_its_best_point(cases):
    events = []

    def stop(event):
        events.append(event)
        return False

    result = fit(cases.decay(), "nelder-mead", progress=stop, warn=False)
    assert result.code == tr.STOPPED and len(events) == 1
    assert result.statistics["nfev"] == events[0].step
    np.testing.assert_allclose(
        result.statistics["cost"], result.history["cost"].min(), rtol=1e-9
    )
