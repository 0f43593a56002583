"""Fits of bare costs."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxscatter as js
from jaxscatter.errors import FitError, FitWarning, ModelError
from jaxscatter.infer import trust_region as tr
from jaxscatter.problem import Amplitude, Dataset, Parameter, Problem, model

T = np.linspace(-1.0, 1.0, 21)


def bump(theta, coords):
    return jnp.exp(-(((coords["t"] - theta["c"]) / theta["w"]) ** 2))[:, None]


def problem(mask=None, y=None, **fields):
    """A bump at 0.2 of width 0.5, times 3 plus 7: scale and offset are free to r."""
    y = 3.0 * np.exp(-(((T - 0.2) / 0.5) ** 2)) + 7.0 if y is None else y
    table = [
        Parameter("c", 0.0, "mm", **{"bounds": (-0.9, 0.9), **fields}),
        Parameter("w", 0.8, "mm", (0.1, 3.0)),
    ]
    data = Dataset(y, np.ones_like(y), mask, {"t": T})
    return Problem(model(bump, table, [Amplitude("a")], name="bump"), data)


def pearson(mu, y, mask):
    """1 - r over used points."""
    n = jnp.sum(mask)
    dm = jnp.where(mask, mu - jnp.sum(mu) / n, 0.0)
    dy = jnp.where(mask, y - jnp.sum(y) / n, 0.0)
    return 1 - jnp.sum(dm * dy) / jnp.sqrt(jnp.sum(dm**2) * jnp.sum(dy**2))


def bare(p=None, cost=pearson, **kwargs):
    p = problem() if p is None else p
    return js.bare_cost(p, cost, {"a": 1.0}, **kwargs)


@pytest.fixture(scope="module")
def best():
    return js.fit(bare(), warn=False)


def test_the_correlation_distance_finds_the_truth_whatever_scale_and_offset(best):
    assert best.success and best.method == "lbfgs", best.message
    np.testing.assert_allclose(best.x, [0.2, 0.5], atol=1e-4)
    assert best.statistics["cost"] < 1e-7
    assert best.linear_mode == "held" and best.amplitude_values == {"a": 1.0}
    np.testing.assert_allclose(best.predict()[0].max(), 1.0, atol=1e-2)


@pytest.mark.parametrize("method", ["nelder-mead", "powell", "adam", "adamw", "optax"])
def test_every_other_method_finds_it_too(method):
    chosen = optax.adam(0.02) if method == "optax" else method
    result = js.fit(bare(), chosen, warn=False)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [0.2, 0.5], atol=2e-3)


def test_a_host_function_is_searched_by_the_simplex():
    def distance(mu, y, mask):
        return 1 - np.corrcoef(mu[mask], y[mask])[0, 1]

    mask = T != T[4]
    host = bare(problem(mask), distance, differentiable=False)
    result = js.fit(host, warn=False)
    assert result.method == "nelder-mead" and result.success
    np.testing.assert_allclose(result.x, [0.2, 0.5], atol=1e-4)
    for method in ("lbfgs", optax.adam(0.1)):
        with pytest.raises(FitError, match="needs a gradient"):
            js.fit(host, method)


def test_amplitudes_that_are_solved_for_are_reported():
    def distance(mu, y, mask):
        return jnp.sum(jnp.where(mask, (mu - y) ** 2, 0.0))

    y = 3.0 * np.exp(-(((T - 0.2) / 0.5) ** 2))
    result = js.fit(js.bare_cost(problem(y=y), distance), warn=False)
    assert result.success and result.linear_mode == "profile"
    np.testing.assert_allclose(result.x, [0.2, 0.5], atol=1e-3)
    np.testing.assert_allclose(result.amplitude_values["a"], 3.0, atol=1e-2)


def test_there_are_no_errors_and_the_result_says_so_first(best):
    assert np.all(np.isnan(best.cov)) and np.isnan(best.error("c"))
    assert best.flags == ("bare_cost",)
    lines = best.summary().splitlines()
    assert lines[1].startswith("! pearson is a bare cost and no likelihood")
    assert "cost     pearson = " in best.summary()
    for word in ("chi2  ", "AICc", "reduced", "±"):
        assert word not in best.summary()
    with pytest.warns(FitWarning, match="no standard errors"):
        js.fit(bare(), "powell")


def test_bounds_ties_and_fixed_parameters_hold():
    result = js.fit(bare(problem(bounds=(-0.9, 0.1))), warn=False)
    np.testing.assert_allclose(result["c"], 0.1, atol=1e-4)
    assert "at_bound" in result.flags
    fixed = bare().with_(parameters={"c": {"value": 0.2, "fixed": True}})
    result = js.fit(fixed, warn=False)
    assert result.labels == ("w",)
    np.testing.assert_allclose(result["w"], 0.5, atol=1e-4)
    tied = bare().with_(parameters={"c": {"tie": lambda w: 0.4 * w}})
    result = js.fit(tied, warn=False)
    np.testing.assert_allclose([result["c"], result["w"]], [0.2, 0.5], atol=1e-4)
    none = fixed.with_(parameters={"w": {"fixed": True}})
    result = js.fit(none, warn=False)
    assert result.success and result.labels == ()
    np.testing.assert_allclose(result.statistics["cost"], none.cost(jnp.zeros(0)))


def test_data_under_a_mask_change_nothing():
    mask = np.abs(T - 0.5) > 0.01
    y = 3.0 * np.exp(-(((T - 0.2) / 0.5) ** 2)) + 7.0
    spoilt = np.where(mask, y, np.nan)
    a, b = (js.fit(bare(problem(mask, v)), warn=False) for v in (y, spoilt))
    np.testing.assert_array_equal(a.x, b.x)
    np.testing.assert_allclose(a.x, [0.2, 0.5], atol=1e-4)
    assert "masked" in a.flags


def test_a_result_comes_back_from_its_file(best, tmp_path):
    back: Any = js.load_result(best.save(tmp_path / "bare.h5"))
    assert back.summary() == best.summary()
    np.testing.assert_array_equal(back.x, best.x)
    assert np.all(np.isnan(back.cov))
    np.testing.assert_allclose(back.bind(bare()).predict(), best.predict())


def test_a_result_is_drawn(best, tmp_path):
    pytest.importorskip("matplotlib")
    best.plot(path=tmp_path / "bare.png")
    assert (tmp_path / "bare.png").exists()


def test_what_needs_squares_or_a_likelihood_is_refused(best):
    for method in ("tr", "scipy-trf", "newton"):
        with pytest.raises(FitError, match=rf"{method}.*pearson.*lbfgs"):
            js.fit(bare(), method)
    with pytest.raises(ModelError, match=r"js\.laplace takes no bare cost"):
        js.laplace(best)
    with pytest.raises(ModelError, match=r"js\.profile takes no bare cost"):
        js.profile(best, "c")
    with pytest.raises(ModelError, match="result 0 is of a bare cost"):
        js.combine_fits([best, best])
    with pytest.raises(FitError, match="no covariance"):
        js.fit(bare(), scale_covariance=True)
    with pytest.raises(TypeError, match="batch"):
        js.fit(bare(), "adam", batch=3)
    with pytest.raises(TypeError, match="steps"):
        js.fit(bare(), "powell", steps=3)


def test_no_finite_cost_at_the_start_is_an_error():
    with pytest.raises(FitError, match=r"pearson.* nan at the start"):
        js.fit(bare(problem(y=np.full_like(T, 2.0))))


def test_unfinished_fits_say_so():
    result = js.fit(bare(), "adam", steps=3, warn=False)
    assert not result.success and "not_converged" in result.flags
    result = js.fit(bare(), "nelder-mead", max_evaluations=9, warn=False)
    assert not result.success and result.statistics["nfev"] <= 12
    result = js.fit(bare(), "lbfgs", progress=lambda e: False, warn=False)
    assert result.code in (tr.STOPPED, tr.FTOL, tr.GTOL)
