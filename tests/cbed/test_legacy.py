"""Refinement under other metrics, and by nested searches."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.cbed.bloch import Settings
from jaxscatter.cbed.dataset import from_images
from jaxscatter.cbed.legacy import fit_legacy, metric_cost
from jaxscatter.cbed.metrics import BaseGOF, Chi2
from jaxscatter.cbed.problem import problem
from jaxscatter.errors import FitError, ModelError, ParameterError

DISKS = [(0, 0, 0), (1, -1, 1), (-1, 1, -1)]
SIDE, COUNTS, FLAT = 6, 1e5, 50.0
TRUE = {"thickness": 600.0, "shift_i": 0.3}
FREE = ["U(1,-1,1)", "thickness", "shift_i"]


class MeanDistance(BaseGOF):
    """A metric of one's own, for images of one scale."""

    def __call__(self, sim: Any, exp: Any, mask: Any = None) -> Any:
        used = jnp.ones(exp.shape, bool) if mask is None else mask
        return jnp.sum(jnp.where(used, jnp.abs(COUNTS * sim - exp), 0.0))


class OnHost(BaseGOF):
    """One that is no function of JAX arrays."""

    def __call__(self, sim: Any, exp: Any, mask: Any = None) -> Any:
        assert isinstance(sim, np.ndarray)
        return 1 - float(np.corrcoef(sim[mask], exp[mask])[0, 1])


@pytest.fixture(scope="module")
def given(silicon, row):
    frame, beams = row
    length = float(frame.x_length(silicon.cell))
    return {
        "crystal": silicon,
        "energy": 200.0,
        "thickness": 600.0,
        "frame": frame,
        "gl": 8.0,
        "kt": [0.1 * length, 2.2 * length],
        "reflections": [(1, -1, 1), (2, -2, 2)],
        "beams": beams,
        "background": "pattern",
        "free": FREE,
        "settings": Settings(absorption="none"),
    }


def images(values):
    y = np.asarray(values).reshape(len(DISKS), SIDE, SIDE)
    return from_images(DISKS, y, variance=y)


@pytest.fixture(scope="module")
def twin(given):
    """Noiseless images, the true U, and the problem a little off."""
    p = problem(images(np.full((3, SIDE, SIDE), COUNTS)), **given, start=TRUE)
    truth = {n: float(p.named(p.start())[n]) for n in FREE}
    exact = COUNTS * np.asarray(p.model.prepare(p.named(p.start()))) + FLAT
    start = {"U(1,-1,1)": 1.02 * truth["U(1,-1,1)"], "thickness": 606.0, "shift_i": 0.0}
    return problem(images(exact), **given, start=start), truth


def near(result, truth):
    np.testing.assert_allclose(result["U(1,-1,1)"], truth["U(1,-1,1)"], rtol=1e-3)
    np.testing.assert_allclose(result["thickness"], 600.0, rtol=1e-3)
    np.testing.assert_allclose(result["shift_i"], 0.3, atol=0.02)


@pytest.mark.parametrize(
    "method", ["nelder-mead", pytest.param("lbfgs", marks=pytest.mark.slow)]
)
def test_the_correlation_distance_is_a_bare_cost_and_finds_the_truth(twin, method):
    p, truth = twin
    cost = metric_cost(p, "xcorrelation")
    assert cost.cost_name == "XCorrelation"
    raw = np.asarray(p.model.prepare(p.named(p.start())))
    r = np.corrcoef(raw.ravel(), np.asarray(p.given.y).ravel())[0, 1]
    np.testing.assert_allclose(cost.cost(p.start()), 1 - r, rtol=1e-9)
    result = js.fit(cost, method, warn=False)
    assert result.success and result.flags[0] == "bare_cost"
    near(result, truth)


def test_metrics_of_ones_own_see_disks_first(twin):
    p, _ = twin
    own = metric_cost(p, MeanDistance())
    raw = np.asarray(p.model.prepare(p.named(p.start())))
    expected = np.abs(COUNTS * raw - np.asarray(p.given.y)).sum()
    np.testing.assert_allclose(own.cost(p.start()), expected, rtol=1e-9)
    assert own.cost_name == "MeanDistance"
    host = metric_cost(p, OnHost(), differentiable=False)
    few = js.fit(host, "powell", max_evaluations=3, warn=False)
    assert few.statistics["cost"] < 1.0


@pytest.mark.parametrize("metric", ["chi2", "Chi2_const", Chi2()])
def test_metrics_of_squares_are_problems_themselves(twin, metric):
    with pytest.raises(ModelError, match="fit the problem itself"):
        metric_cost(twin[0], metric)


def test_what_is_no_pattern_or_metric_is_refused(twin):
    p, _ = twin
    with pytest.raises(ModelError, match="'pearson'"):
        metric_cost(p, "pearson")
    with pytest.raises(ModelError, match="one pattern"):
        fit_legacy(js.joint(p, p))
    with pytest.raises(ParameterError, match=r"ranges name \['gl'\]"):
        fit_legacy(p, ranges={"gl": (1, 2)})
    with pytest.raises(ParameterError, match="about its start"):
        fit_legacy(p, ranges={"U(1,-1,1)": (1.0, 2.0)})
    with pytest.raises(FitError, match="outer search"):
        fit_legacy(p.with_(parameters={"U(1,-1,1)": {"fixed": True}}))
    value = float(p.start()[p.parameters.labels.index("U(1,-1,1)")])
    with pytest.raises(FitError, match="outer search"):
        fit_legacy(p, ranges={"U(1,-1,1)": (value, value)})


def test_nested_searches_of_a_metric_count_their_simulations(twin):
    p, truth = twin
    result = fit_legacy(metric_cost(p, "XCorrelation"), warn=False)
    assert result.success and result.method == "legacy"
    near(result, truth)
    assert result.statistics["nfev"] > 20 * result.statistics["nit"]
    assert "legacy fit" in result.summary()


def test_a_range_without_width_holds_a_factor(twin):
    """The forbidden reflection starts at 0, and 5 % of that are none."""
    cost = metric_cost(twin[0], "XCorrelation")
    two = cost.with_(parameters={"U(2,-2,2)": {"fixed": False, "value": 0.0}})
    assert "U(2,-2,2)" in two.parameters.labels
    result = fit_legacy(two, max_simulations=3, warn=False)
    assert "U(2,-2,2)" not in result.labels and not result.success
    assert any(s.startswith("U(2,-2,2) held") for s in result.warnings)


@pytest.mark.slow
def test_nested_searches_end_where_least_squares_does(twin):
    p, truth = twin
    joint = js.fit(p, warn=False)
    result = fit_legacy(p, warn=False)
    assert result.success and result.labels == joint.labels, result.message
    near(result, truth)
    error, known = (np.sqrt(np.diag(r.cov)) for r in (result, joint))
    np.testing.assert_allclose(error, known, rtol=0.1)
    p_jacobian = 1 + len(joint.labels)
    spent = joint.statistics["nfev"] + p_jacobian * joint.statistics["njev"]
    assert result.statistics["nfev"] > 10 * spent
