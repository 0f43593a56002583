"""Cutting problems: every point once, every prior once, one compilation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import jaxscatter as js
from jaxscatter.errors import DataError, ModelError
from jaxscatter.infer.shards import deal, of_groups, split_groups
from jaxscatter.problem import Amplitude, Dataset, Parameter, Problem, model

GROUPS, POINTS = 5, 31
T = np.linspace(0.0, 1.0, POINTS)
Q = np.linspace(0.5, 1.5, GROUPS)
TRACES = []


def columns(theta, coords):
    TRACES.append(1)
    shape = jnp.exp(-theta["rate"] * coords["q"] * coords["t"]) + theta["tilt"]
    return jnp.stack([shape, jnp.ones_like(shape)], axis=1)


def problem(**changes):
    rng = np.random.default_rng(0)
    y = 2.0 * np.exp(-1.2 * Q[:, None] * T) + 0.3 + 0.05 * rng.normal(size=(5, 31))
    mask = np.ones(y.shape, bool)
    mask[:, 7] = False  # nowhere
    mask[2, 3:6] = False  # in one group
    table = [
        Parameter("rate", 1.0, "1/s", (0.1, 9.0), prior=dist.Normal(1.0, 0.5)),
        Parameter(
            "tilt",
            0.01 * np.arange(GROUPS),
            bounds=(-1.0, np.linspace(1.0, 2.0, GROUPS)),
            prior=dist.Normal(0.0, 0.2),
            local=True,
        ),
    ]
    amplitudes = [
        Amplitude("a", prior=(2.0, 1.0)),
        Amplitude("b", prior=(0.0, 0.5), shared=True),
    ]
    data = Dataset(y, np.full_like(y, 0.05), mask, {"t": T, "q": Q})
    return Problem(model(columns, table, amplitudes), data, **changes)


X = np.array([1.3, 0.02, -0.01, 0.03, 0.0, 0.05])
A = np.array([[2.1, 0.3], [1.9, 0.3], [2.0, 0.3], [2.2, 0.3], [1.8, 0.3]])


def log_joint(p, x, a):
    """log p(θ) p(a) L without constants, from the definitions, shared b counted once.

    a is that of the groups of p.
    """
    mu = np.asarray(p.predict(jnp.asarray(x), jnp.asarray(a)))
    data = p.given
    total = -0.5 * np.sum(np.asarray(data.mask) * ((data.y - mu) / data.sigma) ** 2)
    total += float(p.logprior(jnp.asarray(x)))
    for i, declared in enumerate(p.linear):
        mean, sd = declared.prior
        values = a[:1, i] if declared.shared else a[:, i]
        total -= 0.5 * np.sum(((values - mean) / sd) ** 2)
    return total


@pytest.mark.parametrize("split", ["random", "contiguous", "groups"])
@pytest.mark.parametrize("shards", [2, 3])
def test_the_shards_multiply_to_the_whole_posterior(split, shards):
    """Differences of the joint log density between two points add up over shards."""
    whole = problem()
    parts = deal(whole, shards, split, seed=4)
    labels = whole.parameters.labels
    other, other_a = X + 0.01 * np.arange(6), A * 1.05

    def rise(p, rows, picked):
        return log_joint(p, other[picked], other_a[rows]) - log_joint(
            p, X[picked], A[rows]
        )

    total = sum(
        rise(s.problem, list(s.groups), [labels.index(n) for n in s.labels])
        for s in parts
    )
    np.testing.assert_allclose(total, rise(whole, range(GROUPS), range(6)), rtol=1e-9)


@pytest.mark.parametrize("split", ["random", "contiguous"])
def test_points_are_dealt_once_in_shards_of_one_shape(split):
    whole = problem()
    parts = deal(whole, 4, split, seed=1)
    assert {s.problem.data.y.shape for s in parts} == {(GROUPS, 8)}
    assert sum(s.points for s in parts) == whole.given.n_valid
    times = [
        np.asarray(s.problem.given.coords["t"])[np.asarray(s.problem.given.mask)[0] > 0]
        for s in parts
    ]
    np.testing.assert_array_equal(np.sort(np.concatenate(times)), np.delete(T, 7))
    if split == "contiguous":
        assert all(a[-1] < b[0] for a, b in itertools.pairwise(times))
    for s in parts:  # fillers of weight 0 are points of another shard
        assert len(set(np.asarray(s.problem.given.coords["t"]).tolist())) == 8


def test_random_shards_follow_the_seed():
    first, again, other = (
        np.asarray(deal(problem(), 3, "random", seed)[0].problem.given.coords["t"])
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_groups_are_dealt_in_turn_with_their_local_parameters():
    parts = deal(problem(), 2, "groups", seed=0)
    assert [s.groups for s in parts] == [(0, 2, 4), (1, 3)]
    assert parts[1].labels == ("rate", "tilt[1]", "tilt[3]")
    assert parts[1].amplitudes == ("b", "a[1]", "a[3]")
    tilt = parts[1].problem.parameters["tilt"]
    np.testing.assert_allclose(tilt.value, [0.01, 0.03])
    np.testing.assert_allclose(tilt.bounds[1], [1.25, 1.75])
    assert type(tilt.prior).__name__ == "Normal"  # its whole prior
    assert float(parts[1].problem.parameters["rate"].prior.variance) == 0.5  # x 2
    a, b = parts[1].problem.linear
    assert a.prior == (2.0, 1.0) and b.prior == (0.0, pytest.approx(0.5 * 2**0.5))


def test_one_problem_per_group_gives_the_sums_of_that_group():
    whole = problem(explicit=True)
    parts = split_groups(whole)
    assert len(parts) == GROUPS and parts[3].parameters.labels == (
        "rate",
        "tilt[0]",
        "a[0]",
        "b",
    )
    tilt, a = 0.01 * np.arange(GROUPS), np.linspace(1.0, 2.0, GROUPS)
    x = jnp.asarray([1.3, *tilt, *a, 0.3])
    costs = [
        p.cost(jnp.asarray([1.3, tilt[g], a[g], 0.3])) for g, p in enumerate(parts)
    ]
    np.testing.assert_allclose(np.sum(costs), whole.cost(x), rtol=1e-12)


def test_groups_compile_once():
    parts = split_groups(problem())
    cost = jax.jit(lambda p, x: p.cost(x))
    x = jnp.asarray([1.3, 0.02])
    cost(parts[0], x)
    before = len(TRACES)
    values = [float(cost(p, x)) for p in parts]
    assert len(TRACES) == before and len(set(values)) == GROUPS


def test_a_problem_of_one_group_is_itself():
    line = of_groups(problem(), [2])
    assert of_groups(line, [0]) is line and len(split_groups(line)) == 1


def test_a_group_without_points_is_named():
    whole = problem()
    mask = np.asarray(whole.given.mask) > 0
    mask[3] = False
    g = whole.given
    empty = Dataset(g.y, g.sigma, mask, g.coords, dict(g.dims))
    with pytest.raises(DataError, match="group 3: no point counts"):
        split_groups(whole.with_(data=empty))


@pytest.mark.parametrize(
    ("shards", "split", "error", "text"),
    [
        (1, "random", DataError, "shards is 1"),
        (16, "random", DataError, "16 shards of 30 points"),
        (6, "groups", DataError, "6 shards of 5 groups"),
        (3, "angles", ModelError, "'angles' is not known"),
        (10, "contiguous", DataError, "shard 1 has 0 points of group 2, fewer"),
    ],
)
def test_what_cannot_be_cut_is_named(shards, split, error, text):
    with pytest.raises(error, match=text):
        deal(problem(), shards, split, seed=0)


def test_points_that_belong_together_are_not_parted():
    class Whole(js.problem.AbstractModel):
        parameters: js.ParameterSet
        amplitudes: tuple

        def columns(self, prepared, theta, coords):
            return theta["m"] * jnp.ones((len(coords["t"]), 1))

        @property
        def independent_points(self):
            return False

    own = Whole(js.ParameterSet([Parameter("m", 1.0)]), ())
    p = Problem(own, Dataset(np.ones((5, 31)), coords={"t": T, "q": Q}))
    with pytest.raises(ModelError, match="use split='groups'"):
        deal(p, 3, "random", seed=0)
    assert len(deal(p, 3, "groups", seed=0)) == 3
