"""Every verb on counts: closed forms of a constant rate, scipy, coverage, files."""

import json
import os
import pathlib
import subprocess
import sys
import types
from typing import Any

import jax.numpy as jnp
import matplotlib.figure
import numpy as np
import pytest
from scipy import optimize, special, stats

import jaxscatter as js
from jaxscatter.errors import DataError, FitError, ModelError, PriorError
from jaxscatter.infer import (
    fit,
    fit_batch,
    laplace,
    load_result,
    map_fit,
    multistart,
    profile,
    sample,
)
from jaxscatter.problem import (
    Amplitude,
    Dataset,
    Gaussian,
    Parameter,
    Poisson,
    Problem,
    joint,
    model,
)

T = np.linspace(0.0, 3.0, 40)
TRUTH = {"k": 1.5, "a": 9.0, "b": 1.0}
TRACES = types.SimpleNamespace(count=0)
AMPLITUDES = (Amplitude("a", lower=0.0), Amplitude("b", lower=0.0))


def curve(k, a, b):
    return a * np.exp(-k * T) + b


def decay_columns(theta, coords):
    TRACES.count += 1
    decay = jnp.exp(-theta["k"] * coords["t"])
    return jnp.stack([decay, jnp.ones_like(decay)], axis=1)


DECAY = model(
    decay_columns, [Parameter("k", 1.0, "1/s", (0.05, 20.0))], AMPLITUDES, name="decay"
)


def decay_problem(seed=1, mask=None, y=None, **more):
    y = np.random.default_rng(seed).poisson(curve(**TRUTH)) if y is None else y
    data = Dataset(y, mask=mask, coords={"t": T})
    return Problem(DECAY, data, likelihood=Poisson(), **more)


def rate_columns(theta, coords):
    return jnp.ones_like(coords["t"])[:, None] * theta["rate"]


COUNTS = np.array([3, 0, 1, 2, 2, 5, 1, 0, 2, 4, 1, 3], float)
SUM, N = COUNTS.sum(), COUNTS.size


def rate_problem(y=COUNTS, **more):
    """One constant rate as a parameter: its posterior is a gamma distribution."""
    table = [Parameter("rate", 1.0, bounds=(0.0, 60.0))]
    data = Dataset(y, coords={"t": np.arange(float(y.size))})
    return Problem(model(rate_columns, table), data, likelihood=Poisson(), **more)


@pytest.fixture(scope="module")
def decay_fit():
    return fit(decay_problem(), warn=False)


@pytest.fixture(scope="module")
def rate_fit():
    return fit(rate_problem(), warn=False)


def deviance(y, mu):
    return 2 * np.sum(mu - y + special.xlogy(y, y / mu))


def test_a_constant_rate_is_the_mean_with_its_error(rate_fit):
    assert rate_fit["rate"] == pytest.approx(SUM / N, rel=1e-8)
    assert rate_fit.error("rate") == pytest.approx(np.sqrt(SUM) / N, rel=1e-8)
    s = rate_fit.statistics
    expected = deviance(COUNTS, SUM / N)
    assert s["deviance"] == s["chi2"] == pytest.approx(expected, rel=1e-9)
    assert s["dof"] == N - 1 and not rate_fit.scaled
    assert s["aic"] == pytest.approx(expected + 2)
    assert s["bic"] == pytest.approx(expected + np.log(N))


def test_a_solved_amplitude_is_the_same_as_a_parameter():
    ones = model(
        lambda theta, c: jnp.ones_like(c["t"])[:, None], [], [Amplitude("a", lower=0.0)]
    )
    mask = np.arange(N) != 5
    data = Dataset(COUNTS, mask=mask, coords={"t": np.arange(float(N))})
    result = fit(Problem(ones, data, likelihood=Poisson()), warn=False)
    total = COUNTS[mask].sum()
    assert result.amplitude_values["a"] == pytest.approx(total / (N - 1), rel=1e-12)
    error = np.sqrt(total) / (N - 1)
    assert result.linear["stderr"][0] == pytest.approx(error, rel=1e-12)


def test_scipy_finds_the_same_optimum(decay_fit):
    y = decay_fit.data[0]["y"][0]

    def half(v):
        return 0.5 * deviance(y, curve(*v))

    start = [1.4, 8.0, 1.2]
    known = optimize.minimize(
        half, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    found = decay_fit["k"], *decay_fit.amplitude_values.values()
    assert decay_fit.success
    np.testing.assert_allclose(found, known.x, rtol=1e-5)
    assert decay_fit.statistics["cost"] <= known.fun + 1e-9
    # errors: the inverse of the whole Fisher matrix
    k, a, _ = found
    j = np.stack([-a * T * np.exp(-k * T), np.exp(-k * T), np.ones_like(T)])
    cov = np.linalg.inv((j / curve(*found)) @ j.T)
    errors = decay_fit.error("k"), *decay_fit.linear["stderr"]
    np.testing.assert_allclose(errors, np.sqrt(np.diagonal(cov)), rtol=1e-6)


def test_other_methods_end_there_too_or_refuse(decay_fit):
    for method in ("lbfgs", "nelder-mead"):
        assert fit(decay_problem(), method, warn=False)["k"] == pytest.approx(
            decay_fit["k"], rel=1e-4
        )
    with pytest.raises(FitError, match="needs a cost that is a sum of squares"):
        fit(decay_problem(), "scipy-trf")


def test_multistart_and_map_find_the_fit(decay_fit):
    best = multistart(decay_problem(), 4, warn=False)
    assert best["k"] == pytest.approx(decay_fit["k"], rel=1e-6)
    assert len(best.optima["cost"]) == 1
    assert map_fit(decay_problem(), warn=False)["k"] == pytest.approx(
        decay_fit["k"], rel=1e-5
    )


def test_a_profile_ends_where_the_deviance_has_risen_by_one(rate_fit):
    found = profile(rate_fit, "rate", points=41)

    def rise(rate):
        return deviance(COUNTS, rate) - deviance(COUNTS, SUM / N) - 1

    assert found.lower == pytest.approx(optimize.brentq(rise, 0.5, 2.0), rel=1e-4)
    assert found.upper == pytest.approx(optimize.brentq(rise, 2.0, 5.0), rel=1e-4)


def test_laplace_is_near_the_gamma_posterior(rate_fit):
    """Flat prior on (0, 60): the evidence is Γ(S+1)/(n^(S+1) 60 Π y!)."""
    post = laplace(rate_fit, draws=4000, warn=False)
    exact = special.gammaln(SUM + 1) - (SUM + 1) * np.log(N) - np.log(60)
    exact -= special.gammaln(COUNTS + 1).sum()
    # Stirling: the next term of the expansion is 1/(12 S)
    assert post.statistics["log_evidence"] == pytest.approx(exact, abs=0.2 / SUM)
    assert post["rate"].std() == pytest.approx(np.sqrt(SUM) / N, rel=0.05)


def test_laplace_names_what_to_do_with_solved_amplitudes(decay_fit):
    with pytest.raises(ModelError, match=r"fit problem.with_\(explicit=True\)"):
        laplace(decay_fit)


def test_nuts_draws_from_the_gamma_posterior(rate_fit):
    post = sample(
        rate_problem(), start=rate_fit, warmup=200, draws=500, seed=2, warn=False
    )
    draws = np.ravel(post["rate"])
    known = stats.gamma(SUM + 1, scale=1 / N)
    few = np.sqrt(400)  # effective draws, at least
    assert abs(draws.mean() - known.mean()) < 4 * known.std() / few
    assert draws.std() == pytest.approx(known.std(), rel=0.15)
    middle = np.median(draws)
    assert abs(known.cdf(middle) - 0.5) < 4 * 0.5 / few


@pytest.mark.slow
def test_nuts_takes_amplitudes_as_parameters(decay_fit):
    with pytest.raises(PriorError, match=r"a, b: infinite bounds"):
        sample(decay_problem())
    with pytest.raises(ModelError, match="use linear='explicit'"):
        sample(decay_problem(), linear="flat")
    bounded = {n: Parameter(n, 2.0, bounds=(0.0, 60.0)) for n in "ab"}
    post = sample(
        decay_problem(explicit=bounded),
        start=decay_fit,
        warmup=300,
        draws=500,
        warn=False,
    )
    assert post.linear_mode == "none" and set(post.draws) == {"k", "a[0]", "b[0]"}
    labels = ("k", "a[0]", "b[0]")
    # the posterior by summation over a grid
    k, a, b = np.meshgrid(
        np.linspace(0.3, 6, 80), np.linspace(2, 22, 60), np.linspace(0, 2.5, 60)
    )
    y, mu = decay_fit.data[0]["y"][0], np.zeros((*k.shape, 1))
    log = np.zeros(k.shape)
    for t, count in zip(T, y, strict=True):
        mu = np.maximum(a * np.exp(-k * t) + b, 1e-300)
        log += count * np.log(mu) - mu
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    for label, grid in zip(labels, (k, a, b), strict=True):
        mean = np.sum(weight * grid)
        sd = np.sqrt(np.sum(weight * (grid - mean) ** 2))
        assert abs(post[label].mean() - mean) < 0.2 * sd
        assert post[label].std() == pytest.approx(sd, rel=0.15)


def test_low_counts_are_fitted_without_bias_and_with_right_errors():
    """A line on a background of mean 2 per bin.

    With σ² = max(y, 1) that rate comes out as E[y/v]/E[1/v] = 1.364.
    """

    def columns(theta, coords):
        line = jnp.exp(-8 * (coords["t"] - theta["c"]) ** 2)
        return jnp.stack([line, jnp.ones_like(line)], axis=1)

    line = model(columns, [Parameter("c", 1.2, bounds=(0.5, 2.5))], AMPLITUDES)
    rng, truth = np.random.default_rng(0), {"c": 1.4, "a": 12.0, "b": 2.0}
    mean = np.exp(-8 * (T - 1.4) ** 2) * 12.0 + 2.0
    y = rng.poisson(mean[None], size=(500, T.size)).astype(float)
    data = Dataset(y, coords={"t": T})
    counts = fit_batch(line, data, likelihood=Poisson(), warn=False)
    assert counts.success.all()
    for name, true in truth.items():
        found, error = counts.column(name), counts.error(name)
        pull = (found - true) / error
        assert abs(found.mean() - true) < 4 * found.std() / np.sqrt(500)
        assert np.mean(np.abs(pull) < 1) == pytest.approx(0.683, abs=0.07)
    data = Dataset(y, np.sqrt(np.maximum(y, 1.0)), coords={"t": T})
    squares = fit_batch(line, data, warn=False)
    assert squares.column("b").mean() == pytest.approx(1.364, abs=0.06)
    assert np.mean(np.abs(squares.column("b") - 2.0) < squares.error("b")) < 0.2


def test_a_batch_is_a_loop():
    y = np.random.default_rng(4).poisson(curve(1.5, 30.0, 3.0)[None], (3, T.size))
    y = y.astype(float)
    many = fit_batch(
        DECAY, Dataset(y, coords={"t": T}), likelihood=Poisson(), warn=False
    )
    for i in range(3):
        alone = fit(decay_problem(y=y[i]), warn=False)
        assert many[i]["k"] == pytest.approx(alone["k"], rel=1e-7)
        assert many[i].error("k") == pytest.approx(alone.error("k"), rel=1e-6)
        assert many.chi2[i] == pytest.approx(alone.statistics["deviance"], rel=1e-9)
        for n, v in alone.amplitude_values.items():
            assert many[i][n] == pytest.approx(v, rel=1e-7)
    np.testing.assert_allclose(many.data[0]["sigma"][:, 0] ** 2, many.predict()[:, 0])
    assert "deviance" in many.summary() and "from the counts" in many.summary()


def test_a_batch_says_which_data_are_no_counts():
    y = np.random.default_rng(4).poisson(3.0, (3, T.size)).astype(float)
    y[2, 7] = -1.0
    with pytest.raises(DataError, match="data set 2, group 0, point 7"):
        fit_batch(DECAY, Dataset(y, coords={"t": T}), likelihood=Poisson())
    y[2, 7] = 1.5
    said = fit_batch(
        DECAY, Dataset(y, coords={"t": T}), likelihood=Poisson(), warn=False
    ).warnings
    assert sum("whole numbers" in s for s in said) == 1


def test_one_compilation_serves_all_counts_of_a_shape(decay_fit):
    before = TRACES.count
    fit(decay_problem(seed=7, mask=T < 2.5), warn=False)
    assert TRACES.count == before


def test_no_counts_leave_the_rate_on_its_bound():
    result = fit(rate_problem(np.zeros(12)), warn=False)
    assert result.success and result["rate"] == 0 and "at_bound" in result.flags
    assert result.statistics["deviance"] == 0
    solved = fit(decay_problem(y=np.zeros(T.size)), warn=False)
    assert solved.linear["at_bound"].all()
    assert list(solved.amplitude_values.values()) == [0.0, 0.0]


def test_floored_means_are_counted_in_the_warnings():
    def sloped(theta, coords):
        return (theta["rate"] * (1 - coords["t"]))[:, None]

    y = np.array([4.0, 2.0, 0.0, 0.0])
    data = Dataset(y, coords={"t": np.array([0.0, 0.5, 1.5, 2.0])})
    p = Problem(
        model(sloped, [Parameter("rate", 1.0, bounds=(0.0, 60.0))]),
        data,
        likelihood=Poisson(),
    )
    result = fit(p, warn=False)
    assert result["rate"] == pytest.approx(4.0, rel=1e-6)  # 6 counts over 1 + 1/2
    (said,) = (s for s in result.warnings if "that floor was taken" in s)
    assert said.startswith("at 2 of 4 points the model is below 1e-12")


def test_a_poor_model_is_called_poor_and_a_good_one_is_not():
    rng = np.random.default_rng(5)
    good = fit(rate_problem(rng.poisson(0.4, 3000).astype(float)), warn=False)
    assert "poor_fit" not in good.flags and good.statistics["p_value"] > 1e-3
    mixed = rng.poisson(rng.choice([0.1, 0.7], 3000)).astype(float)
    poor = fit(rate_problem(mixed), warn=False)
    assert "poor_fit" in poor.flags
    assert any("expected: the model does not" in s for s in poor.warnings)


def test_errors_of_counts_are_never_scaled():
    for run in (fit, fit_batch):
        with pytest.raises(ModelError, match="errors follow from the counts"):
            run(decay_problem(), scale_covariance=True)


def test_results_keep_what_counts_need(decay_fit, tmp_path):
    loaded: Any = load_result(decay_fit.save(tmp_path / "fit.h5"))
    assert loaded.statistics == decay_fit.statistics
    assert loaded.summary() == decay_fit.summary()
    assert "deviance" in loaded.summary() and "from the counts" in loaded.summary()
    kept = loaded.data[0]
    np.testing.assert_allclose(kept["sigma"], np.sqrt(kept["fit"]))
    assert isinstance(decay_fit.plot(), matplotlib.figure.Figure)


def test_counts_and_data_with_errors_are_fitted_together(decay_fit):
    rng = np.random.default_rng(8)
    y = curve(1.5, 3.0, 0.5) + 0.1 * rng.normal(size=T.size)
    measured = Problem(DECAY, Dataset(y, np.full(T.size, 0.1), coords={"t": T}))
    alone = fit(measured, warn=False)
    both = fit(joint(decay_problem(), measured, shared=["k"]), warn=False)
    precision = decay_fit.error("k") ** -2 + alone.error("k") ** -2
    assert both.error("k") == pytest.approx(precision**-0.5, rel=0.1)
    s = both.statistics
    assert s["chi2"] == pytest.approx(np.sum(both.groups["chi2"]))
    assert s["deviance"] == pytest.approx(both.groups["chi2"][0])
    assert both.success and s["p_value"] > 1e-4
    assert "from the given sigma and the counts" in both.summary()


def test_the_name_is_public():
    assert js.Poisson is Poisson and Gaussian is js.Gaussian


SHARDED = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_poisson import decay_problem
import jaxscatter as js
out = [js.fit(p, warn=False) for p in (decay_problem(), js.shard(decay_problem()))]
print(json.dumps([[r["k"], r.error("k"), r.statistics["deviance"]] for r in out]))
"""


@pytest.mark.slow
def test_counts_spread_over_devices_give_the_same():
    flags = "--xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", SHARDED, str(pathlib.Path(__file__).parent)],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    one, four = json.loads(done.stdout)
    np.testing.assert_allclose(one, four, rtol=1e-9)
