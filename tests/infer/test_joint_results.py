"""Every verb on joined problems: against dense fits, and against one another."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import optimize

from jaxscatter.errors import FitWarning, FormatError
from jaxscatter.infer import (
    fit,
    laplace,
    load_result,
    map_fit,
    multistart,
    profile,
    sample,
)
from jaxscatter.problem import Amplitude, Dataset, Parameter, Problem, joint, model

SIGMA = 0.005


class Traces:
    """How often the first part's function was traced; compared by identity."""

    count = 0


TRACES = Traces()


def first(n=20, seed=0, **kwargs):
    """y = a exp(-k t) + b, k = 1.3."""
    t = np.linspace(0, 3, n)
    y = 2 * np.exp(-1.3 * t) + 0.3 + SIGMA * np.random.default_rng(seed).normal(size=n)

    def columns(theta, coords):
        TRACES.count += 1
        decay = jnp.exp(-theta["k"] * coords["t"])
        return jnp.stack([decay, jnp.ones_like(decay)], 1)

    prior = dist.Normal(1.0, 1.0)
    table = [Parameter("k", 1.0, "1/s", (0.1, 5.0), prior=prior)]
    amplitudes = (Amplitude("a", lower=0.0), Amplitude("b"))
    shape = model(columns, table, amplitudes, name="decay")
    return Problem(shape, Dataset(y, np.full(n, SIGMA), coords={"t": t}), **kwargs)


def second(n=31, seed=1, **kwargs):
    """y = a exp(-k s²)/(1 + (s/w)²), k = 1.3 and w = 2.6: another model."""
    s = np.linspace(0, 2, n)
    y = 3 * np.exp(-1.3 * s**2) / (1 + (s / 2.6) ** 2)
    y = y + SIGMA * np.random.default_rng(seed).normal(size=n)

    def columns(theta, coords):
        s = coords["s"]
        shape = jnp.exp(-theta["k"] * s**2) / (1 + (s / theta["w"]) ** 2)
        return shape[:, None]

    table = [
        Parameter("k", 2.0, "1/s", (0.1, 5.0)),
        Parameter("w", 1.0, "m", (0.5, 9.0)),
    ]
    shape = model(columns, table, (Amplitude("a", lower=0.0),), name="bell")
    return Problem(shape, Dataset(y, np.full(n, SIGMA), coords={"s": s}), **kwargs)


def shared(seed=0, **kwargs):
    return joint(
        first(seed=seed),
        second(seed=seed + 1),
        shared=("k",),
        names=("slow", "fast"),
        **kwargs,
    )


@pytest.fixture(scope="module")
def best():
    return fit(shared(), warn=False)


def dense(problem):
    """Weighted residuals of both data sets over (k, w, a, b, a'), by hand."""
    one, two = problem.given
    t, s = one.coords["t"], two.coords["s"]

    def residuals(v):
        k, w, a, b, c = v
        mu = a * jnp.exp(-k * t) + b
        nu = c * jnp.exp(-k * s**2) / (1 + (s / w) ** 2)
        return jnp.concatenate([one.y[0] - mu, two.y[0] - nu]) / SIGMA

    return residuals


def test_the_fit_is_the_dense_fit_of_both_data_sets(best):
    residuals = jax.jit(dense(shared()))
    jacobian = jax.jit(jax.jacfwd(residuals))
    out = optimize.least_squares(
        lambda v: np.asarray(residuals(v)),
        [1.0, 1.0, 1.0, 0.1, 1.0],
        jac=lambda v: np.asarray(jacobian(v)),
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    j = np.asarray(jacobian(out.x))
    errors = np.sqrt(np.diagonal(np.linalg.inv(j.T @ j)))
    got = [*best.x, *best.linear["value"]]
    np.testing.assert_array_less(np.abs(got - out.x) / errors, 1e-6)
    stderr = [best.error("k"), best.error("w"), *best.linear["stderr"]]
    np.testing.assert_allclose(stderr, errors, rtol=1e-6)
    np.testing.assert_allclose(best.statistics["chi2"], 2 * out.cost, rtol=1e-10)
    assert best.statistics["dof"] == 51 - 5


def test_a_joint_result_names_its_parts(best):
    assert best.success and best.labels == ("k", "w")
    assert list(best.linear["label"]) == ["a[slow]", "b", "a[fast]"]
    assert [d["name"] for d in best.data] == ["slow", "fast"]
    assert [d["fit"].shape for d in best.data] == [(1, 20), (1, 31)]
    assert list(best.groups["part"]) == ["slow", "fast"]
    assert sum(best.groups["chi2"]) == pytest.approx(best.statistics["chi2"])
    assert list(best.groups["n_valid"]) == [20, 31]
    curves = best.predict()
    np.testing.assert_array_equal(curves[1], best.data[1]["fit"])
    text = best.summary()
    assert text.startswith("joint: decay (slow) + bell (fast)")
    assert f"slow: {best.groups['chi2'][0]:.6g} for 20 points" in text


def test_two_halves_with_everything_shared_are_the_whole(cases):
    y, groups = cases.curves(), len(cases.q)
    bounds = {n: {"bounds": (0.0, 9.0)} for n in ("a", "b")}

    def part(points):
        problem = cases.decay(explicit=True)
        data = Dataset(
            y[:, points],
            np.full((groups, len(points)), cases.sigma),
            coords={"t": cases.t[points], "q": cases.q},
        )
        return problem.with_(data=data, parameters=bounds)

    whole = fit(part(np.arange(40)), warn=False)
    halves = joint(part(np.arange(0, 40, 2)), part(np.arange(1, 40, 2)), shared=True)
    both = fit(halves, warn=False)
    assert both.labels == whole.labels
    np.testing.assert_allclose(both.x, whole.x, rtol=1e-8)
    np.testing.assert_allclose(both.cov, whole.cov, rtol=1e-6, atol=1e-12)
    for name in ("chi2", "dof", "aicc"):
        np.testing.assert_allclose(
            both.statistics[name], whole.statistics[name], rtol=1e-8
        )


def test_errors_pass_through_a_function_tie():
    """A rate and a width from one length: w = c/k, checked by hand-made residuals."""
    problem = joint(
        first(),
        second(),
        shared=("k",),
        ties={"w": (lambda k, c: c / k, ("k", "c"))},
        parameters={"c": Parameter("c", 2.0, "m/s", (0.5, 20.0))},
    )
    best = fit(problem, warn=False)
    apart = fit(joint(first(), second(), shared=("k",)), warn=False)
    np.testing.assert_allclose(best["w"], apart["w"], rtol=1e-6)
    np.testing.assert_allclose(best["c"], apart["w"] * apart["k"], rtol=1e-6)
    np.testing.assert_allclose(best.error("w"), apart.error("w"), rtol=1e-4)
    slope = np.array([apart["w"], apart["k"]])
    error = np.sqrt(slope @ apart.cov @ slope)
    np.testing.assert_allclose(best.error("c"), error, rtol=1e-4)
    row = list(best.parameters["name"]).index("w")
    assert best.parameters["tie"][row] == "a function of k, c"


@pytest.mark.slow
def test_multistart_and_profile_work_on_joined_problems(best):
    many = multistart(shared(), n=8, seed=2, warn=False)
    np.testing.assert_allclose(many.x, best.x, rtol=1e-5)
    interval = profile(best, "w", points=9)
    assert interval.upper is not None and interval.lower is not None
    width = 0.5 * (interval.upper - interval.lower)
    np.testing.assert_allclose(width, best.error("w"), rtol=0.05)


@pytest.mark.slow
def test_other_methods_find_the_same_end(best):
    for method in ("scipy-trf", "lbfgs"):
        other = fit(shared(), method, warn=False)
        off = np.abs(other.x - best.x) / np.sqrt(np.diagonal(best.cov))
        assert np.max(off) < 1e-3


@pytest.mark.slow
def test_posteriors_agree_with_laplace(tmp_path, cases):
    problem = shared(parameters={"w": {"bounds": (0.1, 30.0)}})
    mode = map_fit(problem, warn=False)
    gauss = laplace(mode, draws=2000, warn=False)
    post = sample(
        problem, start=mode, warmup=cases.warmup, draws=cases.draws, warn=False
    )
    assert post.linear_mode == "nonnegative"
    assert set(post.linear_draws) == {"a[slow]", "b", "a[fast]"}
    for name in ("k", "w", "a[slow]", "b", "a[fast]"):
        one, two = post[name].ravel(), gauss[name].ravel()
        assert abs(one.mean() - two.mean()) < 0.25 * two.std()
        assert one.std() == pytest.approx(two.std(), rel=0.2)
    bands = [d["band"].shape for d in post.data]
    assert bands == [(2, 1, 20), (2, 1, 31)]
    for i, result in enumerate((post, gauss)):
        result.save(tmp_path / f"{i}.h5")
        back = load_result(tmp_path / f"{i}.h5")
        assert back.summary() == result.summary()
        np.testing.assert_array_equal(back["k"], result["k"])
        np.testing.assert_array_equal(back.data[1]["band"], result.data[1]["band"])


def test_a_joint_fit_survives_a_file_bit_for_bit(best, tmp_path):
    best.save(tmp_path / "joint.h5")
    back = load_result(tmp_path / "joint.h5")
    assert back.to_dict() == best.to_dict() and back.summary() == best.summary()
    for got, kept in zip(back.data, best.data, strict=True):
        assert got["name"] == kept["name"]
        for name in ("y", "sigma", "mask", "fit"):
            np.testing.assert_array_equal(got[name], kept[name])
    again = back.bind(shared()).predict()
    np.testing.assert_allclose(again[0], best.data[0]["fit"], rtol=1e-12)
    assert fit(shared(), start=back, warn=False).success


def test_a_checkpoint_is_of_one_joint_problem(best, tmp_path):
    path = tmp_path / "run.h5"
    done = fit(shared(), checkpoint=path, warn=False)
    on = fit(shared(), checkpoint=path, warn=False)
    np.testing.assert_array_equal(on.x, done.x)
    np.testing.assert_allclose(done.x, best.x, rtol=1e-9)
    for other in (shared(seed=5), shared(parameters={"w": 2.0})):
        with pytest.raises(FormatError, match="other data, parameters"):
            fit(other, checkpoint=path, warn=False)


def test_a_second_data_set_compiles_nothing(best):
    before = TRACES.count
    again = fit(shared(seed=5), warn=False)
    assert TRACES.count == before
    assert again.success and again["k"] != best["k"]


def test_what_a_part_has_to_say_is_said_with_its_name():
    noisy = second().with_(warnings=("the sample moved",))
    with pytest.warns(FitWarning, match="fast: the sample moved"):
        result = fit(joint(first(), noisy, shared=("k",), names=("slow", "fast")))
    assert result.warnings == ("fast: the sample moved",)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(shared())
