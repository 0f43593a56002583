"""Draws in, a labelled and judged `SampleResult` out."""

import json

import jax.numpy as jnp
import numpy as np

from jaxscatter.infer.draws import collect
from jaxscatter.problem import Amplitude, Dataset, Gaussian, Parameter, Problem, model


def collected(problem, x, **arguments):
    return collect(
        problem,
        x,
        mode="profile",
        stats={"e_bfmi": np.ones(len(x))},
        statistics={"divergences": 0.0, "saturated": 0.0},
        method="NUTS",
        seed=0,
        arguments=arguments,
        said=(),
        held={},
    )


def independent(p=2, draws=500, chains=4, seed=0, spread=0.05):
    return 1.0 + spread * np.random.default_rng(seed).normal(size=(chains, draws, p))


def test_mass_at_a_bound_is_read_as_a_one_sided_interval(cases):
    table = [
        Parameter("i", 0.5, bounds=(0.0, 3.0)),
        Parameter("s", 1.0, bounds=(-5.0, 5.0)),
    ]
    x = independent()
    x[..., 0] = np.abs(x[..., 0] - 1.0)
    problem = cases.line().with_(
        parameters={p.name: {"bounds": p.bounds, "prior": None} for p in table}
    )
    post = collected(problem, x)
    limit = np.quantile(x[..., 0], 0.95)
    assert "at_bound" in post.flags
    assert f"i has its mass at its bound 0: read it as < {limit:.5g}" in post.summary()


def test_a_narrow_posterior_near_a_far_bound_is_not_at_it(cases):
    """Twenty widths from a bound, yet within a thousandth of the range."""
    table = {"i": (0.0, 3.0), "s": (0.0, 5000.0)}
    problem = cases.line().with_(
        parameters={n: {"bounds": b, "prior": None} for n, b in table.items()}
    )
    assert "at_bound" not in collected(problem, independent()).flags


def test_missing_errors_are_said(cases):
    post = collected(cases.line(sigma=None), independent())
    assert any("sigma = 1 was taken" in w for w in post.warnings)


def test_tied_parameters_have_draws_and_arguments_are_recorded(cases):
    problem = cases.line()
    m = problem.model
    table = [
        *m.parameters,
        Parameter("half", 1.0, "m", tie=lambda s: 0.5 * s),
    ]
    tied = Problem(m, problem.data, parameters=type(m.parameters)(table))
    post = collected(tied, independent(), target_accept=0.9)
    np.testing.assert_allclose(post["half"], 0.5 * post["s"])
    assert post.units["half"] == "m"
    assert json.loads(post.provenance["arguments"])["target_accept"] == 0.9


def test_amplitudes_share_the_scale_of_errors_that_is_integrated_out():
    """A constant seen n times has the standard error and tails of Student's t."""
    n = 8
    y = 3.0 + 0.4 * np.random.default_rng(5).normal(size=n)
    table = [Parameter("dull", 0.5, bounds=(0.0, 1.0))]
    flat = model(
        lambda theta, coords: jnp.ones((n, 1)) * (1 + 0 * theta["dull"]),
        table,
        [Amplitude("a")],
    )
    noise = Gaussian("scale_marginal")
    problem = Problem(flat, Dataset(y, np.full(n, 7.0)), likelihood=noise)
    x = np.full((4, 5000, 1), 0.5)
    post = collect(
        problem,
        x,
        mode="flat",
        stats={"e_bfmi": np.ones(4)},
        statistics={},
        method="NUTS",
        seed=0,
        arguments={},
        said=(),
        held={},
        verdict=(True, []),
    )
    drawn = next(iter(post.linear_draws.values())).ravel()
    error = y.std(ddof=1) / np.sqrt(n)
    np.testing.assert_allclose(drawn.mean(), y.mean(), atol=4 * error / np.sqrt(20000))
    wide = error * np.sqrt((n - 1) / (n - 3))
    np.testing.assert_allclose(drawn.std(), wide, rtol=0.04)
