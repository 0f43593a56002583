"""Joined problems: sums, slopes of ties, densities against dense ones, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

from jaxscatter.errors import ModelError
from jaxscatter.infer import consensus, fit, shard, split_groups
from jaxscatter.problem import (
    AbstractModel,
    Amplitude,
    Coordinates,
    Dataset,
    Gaussian,
    Parameter,
    ParameterSet,
    Problem,
    SamplingCoordinates,
    joint,
    model,
)

from . import cases

normal = eqx.filter_jit(lambda problem, x: problem.normal(x))
cost = eqx.filter_jit(lambda problem, x: problem.cost(x))
residuals = eqx.filter_jit(
    lambda problem, x: (problem.residuals(x), jax.jacfwd(problem.residuals)(x))
)
predict = eqx.filter_jit(lambda problem, x: problem.predict(x))
amplitudes = eqx.filter_jit(lambda problem, x: problem.amplitudes(x))
loglike = eqx.filter_jit(lambda problem, x, mode: problem.loglike(x, mode))

PRIOR = Amplitude("a", prior=(1.5, 0.8))


def decay(n=9, seed=0, amplitudes=(PRIOR,), **kwargs):
    """y = a exp(-k t): one shape."""
    t = np.linspace(0.1, 3.0, n)
    y = 2 * np.exp(-1.3 * t) + 0.1 * np.random.default_rng(seed).normal(size=n)
    table = [Parameter("k", 1.0, "1/s", (0.1, 5.0), prior=dist.LogNormal(0.1, 0.5))]
    shape = model(
        lambda theta, coords: jnp.exp(-theta["k"] * coords["t"])[:, None],
        table,
        amplitudes,
        name="decay",
    )
    return Problem(shape, Dataset(y, np.full(n, 0.1), coords={"t": t}), **kwargs)


def peak(n=14, seed=1, **kwargs):
    """y = a / (1 + (s/w)²) + b: another shape with other coordinates."""
    s = np.linspace(-4.0, 4.0, n)
    y = 3 / (1 + (s / 0.7) ** 2) + 0.5
    y = y + 0.2 * np.random.default_rng(seed).normal(size=n)
    table = [Parameter("w", 0.5, "m", (0.1, 5.0), prior=dist.Normal(0.6, 0.3))]

    def columns(theta, coords):
        shape = 1 / (1 + (coords["s"] / theta["w"]) ** 2)
        return jnp.stack([shape, jnp.ones_like(shape)], 1)

    shape = model(columns, table, (PRIOR, Amplitude("b", prior=(0.0, 1.0))), name="p")
    return Problem(shape, Dataset(y, np.full(n, 0.2), coords={"s": s}), **kwargs)


TIE = {"w": (lambda k, c: c / k**2, ("k", "c"))}


def tied():
    """The width is c/k² of the other sample's rate, c a parameter of its own."""
    more = {"c": Parameter("c", 1.1, "m/s2", (0.2, 4.0), prior=dist.Normal(1.0, 0.2))}
    return joint(decay(), peak(), ties=TIE, parameters=more)


def test_the_log_posterior_is_that_of_one_dense_normal():
    """y ~ N(A m, W⁻¹ + A S Aᵀ) over both data sets, and each prior once."""
    problem = tied()
    for k, c in ((1.0, 1.1), (1.6, 0.7)):
        width = c / k**2
        t = problem.given[0].coords["t"]
        s = problem.given[1].coords["s"]
        a = np.zeros((len(t) + len(s), 3))
        a[: len(t), 0] = np.exp(-k * t)
        a[len(t) :, 1] = 1 / (1 + (s / width) ** 2)
        a[len(t) :, 2] = 1.0
        y = np.concatenate([np.asarray(d.y)[0] for d in problem.given])
        noise = np.concatenate([np.full(len(t), 0.1), np.full(len(s), 0.2)])
        mean, sd = np.array([1.5, 1.5, 0.0]), np.array([0.8, 0.8, 1.0])
        cov = np.diag(noise**2) + (a * sd**2) @ a.T
        wanted = stats.multivariate_normal(a @ mean, cov).logpdf(y)
        x = jnp.array([k, c])
        got = loglike(problem, x, problem.default_linear_mode)
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
        # truncated by the bounds only where the priors say nothing
        prior = stats.lognorm(0.5, scale=np.exp(0.1)).logpdf(k)
        prior += stats.norm(1.0, 0.2).logpdf(c)
        np.testing.assert_allclose(problem.logprior(x), prior, rtol=1e-12)
        np.testing.assert_allclose(
            got + problem.logprior(x), problem.logpost(x, "gaussian"), rtol=1e-12
        )


@pytest.mark.slow
def test_slopes_of_a_function_tie_are_exact():
    problem, x = tied(), jnp.array([1.2, 0.9])
    for linear in ("profile", "gaussian"):

        @jax.jit
        def value(x, linear=linear):
            return problem.logpost(x, linear)

        slope = jax.jit(jax.grad(value))(x)
        forward = jax.jit(jax.jacfwd(value))(x)
        step = 1e-5
        central = [
            (value(x + step * e) - value(x - step * e)) / (2 * step) for e in np.eye(2)
        ]
        np.testing.assert_allclose(slope, central, rtol=1e-7)
        np.testing.assert_allclose(slope, forward, rtol=1e-12)
    hessian = np.asarray(jax.jit(jax.hessian(value))(x))
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9)


def test_the_triple_is_that_of_the_dense_residuals():
    """H = JᵀJ of the projected residuals (Kaufman), g = the gradient of the cost."""
    problem, x = tied(), jnp.array([1.2, 0.9])
    triple = normal(problem, x)
    r, full = residuals(problem, x)
    np.testing.assert_allclose(triple.cost, 0.5 * r @ r, rtol=1e-12)
    np.testing.assert_allclose(triple.cost, cost(problem, x), rtol=1e-12)
    np.testing.assert_allclose(triple.gradient, full.T @ r, rtol=1e-9)
    blocks, (k, c) = problem.parts, x
    own = [p.jacobian(v) for p, v in zip(blocks, problem.vectors(x), strict=True)]
    slopes = np.array([[1, 0]]), np.array([[-2 * c / k**3, 1 / k**2]])
    j = np.concatenate([np.asarray(a) @ b for a, b in zip(own, slopes, strict=True)])
    np.testing.assert_allclose(triple.hessian, j.T @ j, rtol=1e-10)
    assert not np.any(triple.null)


@pytest.mark.slow
def test_parts_with_groups_and_locals_add_up():
    one, other = cases.problem(), cases.problem(cases.ARROW, y=cases.data(4).y)
    both = joint(one, other, shared=("r", "w"))
    x = jnp.array([0.7, 0.4, 1.3, 0.9, 1.7, 0.2])
    first, second = x[:5], x[jnp.array([0, 5, 2, 3, 4])]
    assert both.parameters.labels == ("r", "c[0]", "w[0]", "w[1]", "w[2]", "c[1]")
    np.testing.assert_allclose(cost(both, x), cost(one, first) + cost(other, second))
    got, a, b = normal(both, x), normal(one, first), normal(other, second)
    wanted = np.zeros((6, 6))
    at = np.array([0, 5, 2, 3, 4])
    wanted[:5, :5] += a.hessian
    wanted[np.ix_(at, at)] += b.hessian
    np.testing.assert_allclose(got.hessian, wanted, rtol=1e-12)
    for curve, own in zip(predict(both, x), (first, second), strict=True):
        part = one if own is first else other
        np.testing.assert_allclose(curve, predict(part, own), rtol=1e-12)
    named, found = both.named(x), amplitudes(both, x)
    np.testing.assert_allclose(named["rw[1]"], x[0] * x[2:5])
    np.testing.assert_allclose(found[1], amplitudes(other, second))


def test_a_parameter_is_null_only_where_no_part_sees_it():
    """A factor on a free column is invisible, unless another data set has it too."""
    table = [
        Parameter("k", 1.0, "1/s", (0.1, 5.0)),
        Parameter("u", 0.3, "", (0.0, 2.0)),
    ]

    def hidden(theta, coords):
        size = jnp.exp(-theta["u"])
        return size * jnp.exp(-theta["k"] * coords["t"])[:, None]

    t = np.linspace(0.1, 3.0, 9)
    data = Dataset(np.exp(-t), np.full(9, 0.1), coords={"t": t})
    one = Problem(model(hidden, table, ("a",)), data)
    seen = Problem(model(hidden, table), data)
    x = jnp.array([1.0, 0.3, 1.2])
    null = normal(joint(one, one, shared=("u",)), x).null
    np.testing.assert_array_equal(null, [False, True, False])
    assert not np.any(normal(joint(one, seen, shared=("u",)), x).null)


def test_fixed_parameters_hold_the_joint_tables_values():
    both = joint(decay(), decay(7, 3), peak(), shared=("k",))
    x = jnp.array([1.4, 0.8])
    held = both.with_(parameters={"k": {"value": 1.4, "fixed": True}})
    assert held.parameters.labels == ("w",)
    np.testing.assert_allclose(cost(held, x[1:]), cost(both, x), rtol=1e-13)
    half = held.with_(parameters={"w": {"tie": lambda k: k / 1.75}})
    assert half.n_parameters == 0
    np.testing.assert_allclose(cost(half, jnp.zeros(0)), cost(both, x), rtol=1e-13)
    again = half.with_(parameters={"w": {"tie": None}, "k": {"fixed": False}})
    np.testing.assert_allclose(cost(again, x), cost(both, x), rtol=1e-13)


def test_changes_of_every_part_keep_the_joint_table():
    both = joint(decay(), decay(7, 3), shared=("k",), parameters={"k": 1.7})
    chunked = both.with_(chunk=4, parameters={"k": {"bounds": (0.5, 3.0)}})
    assert [p.chunk for p in chunked.parts] == [4, 4]
    assert float(chunked.start()[0]) == 1.7
    assert float(chunked.parameters["k"].hi) == 3.0
    np.testing.assert_allclose(
        cost(chunked, jnp.array([1.4])), cost(both, jnp.array([1.4]))
    )
    explicit = chunked.with_(explicit=True)
    assert explicit.parameters.labels == ("k", "a[0][0]", "a[1][0]")
    assert float(explicit.start()[0]) == 1.7


class Sheared(AbstractModel):
    """Two rates whose sum and share are the better coordinates."""

    parameters: ParameterSet
    amplitudes: tuple = ()

    def columns(self, prepared, theta, coords):
        return (theta["k"] * coords["t"] + theta["v"])[:, None]

    @property
    def sampling_coordinates(self):
        def to_z(x):
            return jnp.stack([x[0] + x[1], x[0] / (x[0] + x[1])])

        def to_x(z):
            return jnp.stack([z[0] * z[1], z[0] * (1 - z[1])])

        def support(lo, hi):
            return np.array([sum(lo), 0.0]), np.array([sum(hi), 1.0])

        names = ("k", "v")
        return (SamplingCoordinates(names, to_z, to_x, support, ("sum", "share")),)


def sheared(n):
    table = [
        Parameter("k", 1.0, "1/s", (0.0, 5.0)),
        Parameter("v", 1.0, "", (0.0, 5.0)),
    ]
    t = np.linspace(0.1, 3.0, n)
    data = Dataset(1 + t, np.ones(n), coords={"t": t})
    return Problem(Sheared(ParameterSet(table)), data)


def test_sampling_coordinates_go_by_joint_names_and_fall_back_where_tied():
    apart = joint(sheared(4), sheared(5))
    assert [g.names for g in apart.coordinates.groups] == [
        ("k[0]", "v[0]"),
        ("k[1]", "v[1]"),
    ]
    x = jnp.array([1.0, 2.0, 0.5, 3.0])
    u = apart.coordinates.to_u(x)
    back, log_jacobian = apart.coordinates.to_x(u)
    np.testing.assert_allclose(back, x, rtol=1e-12)
    own = sheared(4).coordinates
    both = sum(own.to_x(own.to_u(part))[1] for part in (x[:2], x[2:]))
    np.testing.assert_allclose(log_jacobian, both, rtol=1e-12)
    shared = joint(sheared(4), sheared(5), shared=True)
    assert [g.names for g in shared.coordinates.groups] == [("k", "v")]
    fixed = joint(sheared(4), sheared(5), ties={"k[1]": "k[0]"})
    assert isinstance(fixed.coordinates, Coordinates)
    assert [g.names for g in fixed.coordinates.groups] == [("k[0]", "v[0]")]


def test_what_cannot_be_joined_is_refused_by_name():
    one, both = decay(), joint(decay(), peak())
    marginal = decay(amplitudes=("a",), likelihood=Gaussian("scale_marginal"))
    for wrong, said in (
        (both, "joint problem itself"),
        (shard(one), "js.shard"),
        (decay(precision="mixed"), "precision='double'"),
        (marginal, r"Gaussian\('scale'\)"),
    ):
        with pytest.raises(ModelError, match=said):
            joint(one, wrong)


def test_verbs_for_one_data_set_are_refused():
    both = joint(decay(), peak())
    for verb, said in (
        (shard, "shard"),
        (consensus, "sample"),
        (split_groups, "split"),
    ):
        with pytest.raises(
            ModelError, match=f"takes no joint problem: .*{said}|{said}"
        ):
            verb(both)
    with pytest.raises(ModelError, match="batch"):
        fit(both, "adam", batch=2)
    with pytest.raises(ModelError, match=r"with_\(data=...\)"):
        both.with_(data=both.given[0])
