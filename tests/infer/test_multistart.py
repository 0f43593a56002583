"""Many starts: distinct optima, failures, reproducibility."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import FitError, FitWarning
from jaxscatter.infer import multistart
from jaxscatter.infer.multistart import clusters, starts
from jaxscatter.problem import Dataset, Parameter, Problem, model


def two_modes(**kwargs):
    """μ = k² t: k and -k fit equally well."""
    t = np.linspace(0.1, 1, 10)
    y = 4.0 * t + 0.01 * np.cos(7 * t)
    m = model(
        lambda th, c: (jnp.square(th["k"]) * c["t"])[:, None],
        [Parameter("k", 1.0, bounds=(-5.0, 5.0))],
        name="square",
    )
    return Problem(m, Dataset(y, np.full_like(y, 0.05), coords={"t": t}), **kwargs)


@pytest.fixture(scope="module")
def both():
    with pytest.warns(FitWarning, match="2 distinct optima"):
        return multistart(two_modes(), n=16, seed=1)


def test_symmetric_modes_are_both_reported(both):
    assert "multimodal" in both.flags
    np.testing.assert_allclose(np.sort(both.optima["k"]), [-2, 2], atol=0.01)
    np.testing.assert_allclose(both.optima["delta_chi2"], 0, atol=1e-6)
    assert np.sum(both.optima["count"]) <= 4 == len(both.starts["cost"])
    assert "2 distinct optima found by 4 fits" in both.summary()
    assert both.summary().splitlines()[1].startswith("! 2 distinct optima")


def test_the_same_seed_gives_the_same_optima(both):
    again = multistart(two_modes(), n=16, seed=1, warn=False)
    np.testing.assert_array_equal(again.starts["k"], both.starts["k"])
    assert again.x == both.x


def test_one_start_is_the_start_itself():
    result = multistart(two_modes(), n=1, warn=False)
    assert result.x[0] == pytest.approx(2.0, abs=0.01)
    assert len(result.starts["cost"]) == 1 and "multimodal" not in result.flags
    with pytest.raises(FitError, match="n is 0"):
        multistart(two_modes(), n=0)


def test_starts_that_all_fail_raise():
    m = model(
        lambda th, c: (th["k"] * c["t"] * jnp.nan)[:, None],
        [Parameter("k", 1.0, bounds=(0.0, 5.0))],
    )
    t = np.ones(4)
    problem = Problem(m, Dataset(t, t, coords={"t": t}))
    with pytest.raises(FitError, match="any of the 4 starts"):
        multistart(problem, n=4)


@pytest.mark.parametrize("method", ["sobol", "lhs", "prior", "jitter"])
def test_starts_lie_in_the_box_and_begin_with_the_own_one(cases, method):
    problem = cases.decay()
    x = np.asarray(starts(problem, 9, method, seed=2, centre=jnp.array([3.0, 0.4])))
    lo, hi = (np.asarray(b) for b in problem.parameters.bounds())
    assert x.shape == (9, 2) and np.all(x >= lo) and np.all(x <= hi)
    np.testing.assert_allclose(x[0], [3.0, 0.4])
    assert len(np.unique(x[:, 0])) == 9
    if method in ("sobol", "lhs"):  # one point in every third of the box
        assert len(set(np.floor(3 * (x[:, 0] - lo[0]) / (hi - lo)[0]))) == 3
    with pytest.raises(FitError, match="'grid'"):
        starts(problem, 4, "grid", seed=0)


def test_clusters_are_single_linkage_with_equal_costs():
    x = np.array([[0.0], [0.0009], [0.0018], [1.0], [0.0], [0.5]])
    cost = np.array([2.0, 2.0, 2.0, 1.0, 2.1, np.nan])
    np.testing.assert_array_equal(clusters(x, cost), [1, 1, 1, 0, 2, -1])


def test_a_stopped_multistart_says_so():
    result = multistart(two_modes(), n=16, progress=lambda e: False, warn=False)
    assert "stopped" in result.flags and result.warnings[0].startswith("stopped")
