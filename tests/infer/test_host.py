"""Fits by scipy on the host."""

import numpy as np
import pytest

from jaxscatter.errors import FitError
from jaxscatter.infer import fit
from jaxscatter.infer import trust_region as tr
from jaxscatter.infer.host import Search, searched
from jaxscatter.problem import Gaussian, Parameter, ParameterSet


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


def test_searches_take_tolerances_and_units(cases, decay_fit):
    p = cases.decay()
    fine = fit(p, "nelder-mead", warn=False)
    coarse = fit(p, "nelder-mead", xtol=1e-2, ftol=1e-2, warn=False)
    assert coarse.success
    assert coarse.statistics["nfev"] < 0.7 * fine.statistics["nfev"]
    for units in ("bounds", "own"):
        result = fit(
            p, "nelder-mead", xtol=1e-6, adaptive=True, units=units, warn=False
        )
        np.testing.assert_allclose(result.x, decay_fit.x, rtol=1e-3)
    few = fit(p, "powell", max_evaluations=20, warn=False)
    assert not few.success and few.statistics["nfev"] < 40


def test_options_a_search_does_not_have_are_refused(cases):
    with pytest.raises(TypeError, match="steps"):
        fit(cases.decay(), "nelder-mead", steps=10)
    with pytest.raises(TypeError, match="adaptive"):
        fit(cases.decay(), "scipy-trf", adaptive=True)
    with pytest.raises(FitError, match="nelder-mead"):
        fit(cases.decay(), "powell", adaptive=True)
    with pytest.raises(FitError, match="'pixels'"):
        fit(cases.decay(), "powell", units="pixels")
    with pytest.raises(FitError, match="at least 1"):
        fit(cases.decay(), "powell", max_evaluations=0)
    with pytest.raises(FitError, match=r"finite bounds, which \['i', 's'\]"):
        fit(cases.line(), "powell", units="bounds")


def test_powell_passes_over_costs_that_are_not_finite():
    table = ParameterSet([Parameter("x", 0.3, bounds=(0.0, 5.0))])

    def cost(x):
        return (x[0] - 1.0) ** 2 if x[0] < 3.0 else np.nan

    found = searched(cost, Search("powell"), table, np.array([0.3]))
    assert found.success
    np.testing.assert_allclose(found.x, [1.0], atol=1e-6)


def test_a_line_search_that_ends_above_its_start_is_no_success():
    """Powell's method looks along whole bounds and may miss a dip at the start."""
    table = ParameterSet([Parameter("x", 0.3, bounds=(0.0, 5.0))])
    found = searched(
        lambda x: float(abs(x[0] - 0.3) > 0.01),
        Search("powell"),
        table,
        np.array([0.3]),
    )
    assert not found.success and "above its start" in found.message
    np.testing.assert_array_equal([found.x[0], found.value], [0.3, 0.0])
