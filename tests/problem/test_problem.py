"""The problem's log likelihood, cost and triple against dense formulas.

The dense side builds the whole design by a loop over groups and is differentiated by
jax; it shares nothing with the engine but the model's formula.
"""

import functools
import importlib.util
import pathlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import DataError, ModelError, ParameterError
from jaxscatter.problem import (
    Amplitude,
    Dataset,
    Gaussian,
    Parameter,
    ParameterSet,
    Problem,
    model,
)
from jaxscatter.problem.density import loglike_and_gradient

_SPEC = importlib.util.spec_from_file_location(
    "problem_cases", pathlib.Path(__file__).with_name("cases.py")
)
cases = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cases)
X = cases.X
log_ndtr = functools.partial(jax.scipy.special.log_ndtr, series_order=12)


Case, CASES = cases.Case, cases.CASES


CHUNKED = [
    "profile arrow at zero",
    "flat scale",
    "gaussian arrow scale",
    "nonnegative arrow",
    "explicit model",
]


@pytest.mark.parametrize("name", CHUNKED)
def test_chunks_are_the_whole(name):
    case = CASES[name]
    x = case.x()
    mode = "profile" if case.mode == "explicit" else case.mode

    @eqx.filter_jit
    def everything(problem):
        likelihood = loglike_and_gradient(problem, x, mode)
        curves = problem.predict(x), problem.residuals(x)
        return problem.normal(x), problem.cost(x), likelihood, curves

    whole = everything(case.problem())
    parts = case.problem(chunk=7)
    assert parts.data.n_points == 14 and parts.chunk == 7
    for one, other in zip(
        jax.tree.leaves(whole), jax.tree.leaves(everything(parts)), strict=True
    ):
        size = max(float(jnp.max(jnp.abs(one))), 1e-300)
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-10 * size)


FITS = ["profile arrow at zero", "explicit"]


@pytest.mark.parametrize("name", FITS)
def test_triple_is_the_projected_jacobian_and_the_gradient_of_the_cost(name):
    case = CASES[name]
    problem, x = case.problem(), case.x()
    normal = eqx.filter_jit(problem.normal)(x)
    j, r = problem.jacobian(x), problem.residuals(x)
    scale = jnp.max(jnp.abs(normal.hessian))
    np.testing.assert_allclose(normal.hessian, j.T @ j, rtol=1e-9, atol=1e-11 * scale)
    np.testing.assert_allclose(normal.cost, 0.5 * r @ r, rtol=1e-12)
    gradient = jax.jit(jax.grad(problem.cost))(x)
    scale = jnp.max(jnp.abs(gradient))
    np.testing.assert_allclose(normal.gradient, gradient, rtol=1e-9, atol=1e-11 * scale)
    if not case.low:  # else groups without amplitudes do not see their parameters
        assert not np.any(normal.null)

    h, step = 1e-6, jnp.eye(x.size)
    ends = jax.jit(jax.vmap(problem.residuals))(
        jnp.concatenate([x[None] + h * step, x[None] - h * step])
    )
    central = -(ends[: x.size] - ends[x.size :]).T / (2 * h)
    full = problem.jacobian(x, full_varpro=True)
    np.testing.assert_allclose(full, central, atol=1e-7 * float(jnp.max(jnp.abs(full))))
    np.testing.assert_allclose(full.T @ r, -gradient, rtol=1e-8, atol=1e-9 * scale)


@pytest.mark.parametrize("name", ["profile scale", "profile jitter", "explicit model"])
def test_gradient_of_the_cost_holds_the_log_terms(name):
    case = CASES[name]
    problem, x = case.problem(), case.x()
    assert problem.log_terms
    gradient = jax.jit(jax.grad(problem.cost))(x)
    normal = eqx.filter_jit(problem.normal)(x)
    np.testing.assert_allclose(normal.gradient, gradient, rtol=1e-9, atol=1e-9)
    along = jax.jit(jax.grad(lambda x: -problem.loglike(x)))(x)
    np.testing.assert_allclose(along, gradient, rtol=1e-9, atol=1e-9)


def test_all_amplitudes_at_zero():
    """The first column is positive everywhere, and the second one too."""
    problem = cases.problem(cases.POSITIVE, y=-np.ones((3, 11)))
    x = jnp.asarray(X)
    np.testing.assert_array_equal(
        eqx.filter_jit(problem.amplitudes)(x), np.zeros((3, 2))
    )
    assert problem.jacobian(x).shape == (33, 5)
    normal = eqx.filter_jit(problem.normal)(x)
    np.testing.assert_array_equal(normal.hessian, np.zeros((5, 5)))
    assert np.all(normal.null)


def debye_waller(shared):
    def columns(theta, coords):
        q2 = coords["q"] ** 2
        shape = jnp.exp(-q2 * theta["u"] / 3) / (1 + (coords["t"] * theta["w"]) ** 2)
        return shape[:, None]

    parameters = [
        Parameter("u", 0.3, bounds=(0.0, 3.0)),
        Parameter("w", 1.3, bounds=(0.1, 9.0)),
    ]
    made = model(columns, parameters, [Amplitude("a", lower=0.0, shared=shared)])
    return Problem(made, cases.data())


def test_a_factor_of_free_amplitudes_is_a_null_direction():
    x = jnp.array([0.5, 1.1])
    normal = eqx.filter_jit(debye_waller(False).normal)(x)
    np.testing.assert_array_equal(normal.null, [True, False])
    np.testing.assert_array_equal(normal.hessian[0], [0, 0])
    np.testing.assert_array_equal(normal.hessian[:, 0], [0, 0])
    assert normal.gradient[0] == 0 and normal.gradient[1] != 0
    seen = eqx.filter_jit(debye_waller(True).normal)(x)
    assert not np.any(seen.null) and seen.hessian[0, 0] > 0


def test_prior_is_a_density_of_x_whatever_the_transform():
    import numpyro.distributions as dist

    prior = dist.LogUniform(0.01, 5.0)
    x = jnp.asarray(X)
    with_prior = cases.problem(parameters={"r": {"prior": prior}})
    assert with_prior.coordinates.kinds[0] == "log"
    plain = cases.problem()
    assert plain.coordinates.kinds[0] == "both"
    difference = with_prior.logprior(x) - plain.logprior(x)
    expected = -np.log(X[0] * np.log(500)) + np.log(4.99)
    np.testing.assert_allclose(difference, expected, rtol=1e-5)
    np.testing.assert_allclose(
        plain.logpost(x, "flat"), plain.loglike(x, "flat") + plain.logprior(x)
    )


def test_one_compilation_serves_data_bounds_priors_and_new_lambdas():
    import numpyro.distributions as dist

    traces = []

    @eqx.filter_jit
    def run(problem, x):
        traces.append(1)
        return problem.normal(x), problem.logpost(x, "flat")

    def make(seed, value, bounds, mean, slope):
        parameters = [
            Parameter("r", value, bounds=bounds, doc=f"{seed}"),
            Parameter("w", 1.0, prior=dist.Normal(mean, 1.0)),
            Parameter("f", value, fixed=True),
            Parameter("g", 0.0, tie=lambda r: r + 1),
        ]
        made = model(
            lambda theta, coords: jnp.stack(
                [
                    jnp.exp(-theta["r"] * coords["t"] * theta["f"]),
                    slope * coords["t"] * theta["w"] * theta["g"],
                ],
                axis=1,
            ),
            parameters,
            ["a", "b"],
        )
        given = cases.data(seed, metadata={"title": f"run {seed}", "seed": seed})
        return Problem(made, given)

    one = run(make(0, 0.5, (0.0, 2.0), 0.0, 1.0), jnp.array([0.4, 0.5]))
    two = run(make(1, 0.7, (0.1, 3.0), 0.5, 1.0), jnp.array([0.4, 0.5]))
    assert len(traces) == 1
    assert float(one[1]) != float(two[1])
    run(make(1, 0.7, (0.1, 3.0), 0.5, 2.0), jnp.array([0.4, 0.5]))
    assert len(traces) == 2  # a captured number is part of the model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("amplitudes", "noise", "mode"),
    [
        (cases.ARROW, "jitter", "profile"),
        (cases.POSITIVE, "known", "nonnegative"),
        (cases.ARROW, "known", "nonnegative"),
        (cases.PRIOR, "known", "gaussian"),
    ],
    ids=["jitter", "nonnegative", "arrow", "gaussian"],
)
def test_derivatives_are_finite_in_the_corners(amplitudes, noise, mode):
    """Columns that vanish on a bound, amplitudes that switch, jitter at 0."""

    def columns(theta, coords):
        shape = theta["h"] * jnp.exp(-theta["r"] * coords["t"])
        return jnp.stack([shape, jnp.ones_like(coords["t"])], axis=1)

    table = [
        Parameter("h", 0.5, bounds=(0.0, 1.0)),
        Parameter("r", 0.5, bounds=(0.0, 5.0)),
    ]
    made = model(columns, table, amplitudes)

    @eqx.filter_jit
    def run(problem, xs):
        def f(x):
            return problem.loglike(x, mode)

        return jax.vmap(problem.normal)(xs), jax.vmap(jax.value_and_grad(f))(xs)

    for y in (np.zeros((3, 11)), np.ones((3, 11)), -np.ones((3, 11))):
        given = Dataset(y, np.ones((3, 11)), coords=cases.data().coords)
        problem = Problem(made, given, likelihood=Gaussian(noise))
        xs = [[h, r] for h in (0.0, 1.0) for r in (0.0, 5.0)]
        xs = np.array([[*x, 0.0][: problem.n_parameters] for x in xs])
        for leaf in jax.tree.leaves(run(problem, jnp.asarray(xs))):
            assert np.all(np.isfinite(leaf))


def test_predictions_and_amplitudes():
    problem, x = cases.problem(), jnp.asarray(X)
    full = np.asarray(cases.design(x, problem.data))
    a = np.asarray(problem.amplitudes(x))
    for g in range(3):
        w = np.sqrt(problem.data.mask[g]) / problem.data.sigma[g]
        best = np.linalg.lstsq(full[g] * w[:, None], problem.data.y[g] * w)[0]
        np.testing.assert_allclose(a[g], best, rtol=1e-10)
    np.testing.assert_allclose(
        problem.predict(x), np.einsum("gnk,gk->gn", full, a), rtol=1e-12
    )
    given = jnp.ones((3, 2))
    np.testing.assert_allclose(problem.predict(x, given), full.sum(axis=2), rtol=1e-12)
    explicit = cases.problem(explicit=True)
    x = jnp.concatenate([x, jnp.asarray(a.T.ravel())])
    np.testing.assert_allclose(explicit.amplitudes(x), a)
    np.testing.assert_allclose(explicit.cost(x), problem.cost(x[:5]), rtol=1e-12)


def test_the_border_is_the_weighted_product_of_columns_and_tangents():
    problem, x = cases.problem(cases.POSITIVE), jnp.asarray(X)
    _, (end,) = eqx.filter_jit(problem.end)(x)
    solution, n, groups = end.solution, end.n, end.chi2
    a = solution.per_group(problem.linear)
    tangents = jax.jacfwd(
        lambda x: jnp.einsum("gnk,gk->gn", cases.design(x, problem.data), a)
    )(x)
    w = problem.data.mask / problem.data.sigma**2
    full = cases.design(x, problem.data)
    free = solution.free_per_group(problem.linear)
    expected = jnp.einsum("gnk,gn,gnp->gkp", full, w, tangents) * free[:, :, None]
    np.testing.assert_allclose(n, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(jnp.sum(groups), 2 * problem.cost(x), rtol=1e-12)


def test_explicit_amplitudes_become_parameters():
    problem = cases.problem(cases.PRIOR_ARROW, explicit=True)
    assert problem.parameters.labels[-4:] == ("a[0]", "a[1]", "a[2]", "b")
    assert problem.linear == () and problem.default_linear_mode == "profile"
    given = {"a": Parameter("a", 0.4, bounds=(0.0, 1.0))}
    problem = cases.problem(explicit=given)
    np.testing.assert_array_equal(problem.start()[5:8], [0.4] * 3)
    with pytest.raises(ModelError, match=r"no amplitudes \['z'\]"):
        cases.problem(explicit={"z": Parameter("z", 0.4)})


def test_copies_keep_what_they_were_changed_to():
    problem = cases.problem(parameters={"r": 0.9})
    assert problem.with_(chunk=4).named(problem.start())["r"] == 0.9
    jitter = problem.with_(
        likelihood=Gaussian("jitter"), explicit=True, parameters={"jitter": 0.2}
    )
    assert jitter.parameters["jitter"].value == 0.2 and "a" in jitter.parameters
    changed = jitter.with_(parameters={"a": 0.3, "r": 0.8})
    assert changed.parameters["jitter"].value == 0.2
    np.testing.assert_array_equal(changed.parameters["a"].value, [0.3] * 3)
    known = changed.with_(likelihood=Gaussian())
    assert "jitter" not in known.parameters
    np.testing.assert_array_equal(known.parameters["a"].value, [0.3] * 3)
    solved = known.with_(explicit=False)
    assert "a" not in solved.parameters and solved.parameters["r"].value == 0.8
    with pytest.raises(ParameterError, match="no parameter 'E'"):
        problem.with_(parameters={"E": 1.0})
    assert problem.with_(warnings=("take care",)).warnings == ("take care",)


def test_what_does_not_fit_together_is_named():
    with pytest.raises(ParameterError, match="no parameter 'E'"):
        cases.problem(parameters={"E": 1.0})
    with pytest.raises(ParameterError, match=r"'test model' needs parameters \['c'"):
        cases.problem(parameters=ParameterSet([Parameter("r", 1.0)]))
    with pytest.raises(DataError, match="chunk is 0"):
        cases.problem(chunk=0)
    with pytest.raises(ModelError, match="cannot be profiled"):
        cases.problem(noise="model")
    with pytest.raises(ModelError, match="no Gaussian prior"):
        cases.problem().loglike(jnp.asarray(X), "gaussian")
