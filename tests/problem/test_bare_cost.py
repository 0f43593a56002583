"""Costs made of curves, data and mask."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import ModelError
from jaxscatter.problem import (
    Amplitude,
    Dataset,
    Gaussian,
    Parameter,
    Problem,
    bare_cost,
    model,
)

T = np.linspace(0.0, 2.0, 9)


def columns(theta, coords):
    return jnp.exp(-theta["k"] * coords["t"])[:, None]


def decay(y=None, mask=None, **kwargs):
    y = 2.0 * np.exp(-1.5 * T) if y is None else y
    table = [Parameter("k", 1.0, "1/s", (0.1, 10.0))]
    data = Dataset(y, np.full_like(T, 0.1), mask, {"t": T})
    return Problem(
        model(columns, table, [Amplitude("a")], name="decay"), data, **kwargs
    )


@eqx.filter_jit
def cost_of(bare, x):
    return bare.cost(x)


def absolute(mu, y, mask):
    return jnp.sum(mask * jnp.abs(mu - y))


def test_the_cost_is_that_of_the_curves_with_amplitudes_held_or_solved_for():
    x = jnp.array([1.1])
    y = 2.0 * np.exp(-1.5 * T)
    held = bare_cost(decay(), absolute, {"a": 3.0})
    np.testing.assert_allclose(
        cost_of(held, x), np.abs(3.0 * np.exp(-1.1 * T) - y).sum(), rtol=1e-12
    )
    solved = bare_cost(decay(), absolute)
    shape = np.exp(-1.1 * T)
    a = shape @ y / (shape @ shape)
    np.testing.assert_allclose(
        cost_of(solved, x), np.abs(a * shape - y).sum(), rtol=1e-12
    )
    np.testing.assert_allclose(solved.predict(x)[0], a * shape, rtol=1e-12)
    assert held.linear == () and len(solved.linear) == 1
    assert held.name == "absolute of decay"
    assert bare_cost(decay(), lambda *v: absolute(*v)).cost_name == "cost"
    assert bare_cost(decay(), absolute, name="L1").name == "L1 of decay"


def test_the_gradient_is_that_of_finite_differences():
    bare = bare_cost(decay(), lambda mu, y, mask: jnp.sum((mu - y) ** 4))
    cost = jax.jit(lambda x: bare.cost(x))
    slope = jax.jacfwd(cost)(jnp.array([1.1]))[0]
    step = (cost(jnp.array([1.1 + 1e-5])) - cost(jnp.array([1.1 - 1e-5]))) / 2e-5
    np.testing.assert_allclose(slope, step, rtol=1e-6)


def test_masked_data_and_curves_have_no_effect():
    y, mask = 2.0 * np.exp(-1.5 * T), np.ones(9, bool)
    mask[3] = False
    values = []
    for under in (0.0, 1e9, np.nan):
        y[3] = under
        plain = bare_cost(decay(y, mask), lambda mu, y, m: jnp.sum((mu - y) ** 2))
        x = jnp.array([1.2])
        slope = eqx.filter_jit(lambda p, x: jax.jacfwd(p.cost)(x))(plain, x)
        values.append((cost_of(plain, x), *slope))
    assert np.all(np.isfinite(values))
    np.testing.assert_array_equal(values, [values[0]] * 3)


def test_changes_reach_the_problem_and_keep_the_cost():
    held = bare_cost(decay(), absolute, {"a": 3.0})
    new = held.with_(parameters={"k": {"value": 2.0, "bounds": (1.0, 4.0)}})
    assert new.cost_name == "absolute" and new.named(new.start())["k"] == 2.0
    x = jnp.array([1.1])
    np.testing.assert_allclose(cost_of(new, x), cost_of(held, x))


def test_a_host_function_is_not_traced():
    def of_numpy(mu, y, mask):
        assert isinstance(mu, np.ndarray)
        return 0.0

    bare_cost(decay(), of_numpy, differentiable=False)
    with pytest.raises(ModelError, match=r"write it in jax\.numpy.*differentiable"):
        bare_cost(decay(), lambda mu, y, m: float(mu.sum()))
    with pytest.raises(ModelError, match="one real number"):
        bare_cost(decay(), lambda mu, y, m: mu)
    with pytest.raises(ModelError, match="one real number"):
        bare_cost(decay(), lambda mu, y, m: None)


def test_what_cannot_be_used_is_refused_by_name():
    p = decay()
    with pytest.raises(ModelError, match="expected one Problem"):
        bare_cost(js.joint(p, p), absolute)
    with pytest.raises(ModelError, match=r"each of \['a'\]"):
        bare_cost(p, absolute, {"scale": 1.0})
    with pytest.raises(ModelError, match="finite"):
        bare_cost(p, absolute, {"a": np.nan})
    with pytest.raises(ModelError, match="mixed"):
        bare_cost(decay(precision="mixed"), absolute)
    with pytest.raises(ModelError, match=r"js\.shard"):
        bare_cost(js.shard(p), absolute)
    with pytest.raises(ModelError, match="noise has parameters"):
        bare_cost(decay(likelihood=Gaussian("scale")), absolute)


@pytest.mark.parametrize("what", ["end", "normal", "residuals", "loglike"])
def test_there_are_no_squares_and_no_likelihood(what):
    with pytest.raises(ModelError, match="absolute of decay"):
        getattr(bare_cost(decay(), absolute), what)(jnp.array([1.0]))


VERBS = {
    "js.sample": js.sample,
    "js.map_fit": js.map_fit,
    "js.multistart": js.multistart,
    "js.consensus": lambda p: js.consensus(p, 2),
    "js.fit_batch": js.fit_batch,
    "js.shard": js.shard,
    "js.streamed": js.streamed,
    "js.joint": lambda p: js.joint(p, p),
}


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_of_a_likelihood_refuse_it_by_name(verb):
    with pytest.raises(ModelError, match=rf"{verb} takes no bare cost.*absolute of"):
        VERBS[verb](bare_cost(decay(), absolute))
