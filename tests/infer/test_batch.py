"""Many fits at once: each as if it were alone, whatever became of its neighbours."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import (
    DataError,
    DataWarning,
    DeviceError,
    FitError,
    FitWarning,
    ModelError,
    ParameterError,
)
from jaxscatter.infer import BatchResult, fit_batch, lanes
from jaxscatter.infer import trust_region as tr
from jaxscatter.infer.batch import covariances, starts
from jaxscatter.infer.batch_result import NO_DATA
from jaxscatter.infer.statistics import curvature
from jaxscatter.problem import Amplitude, Dataset, Parameter, Problem, model

COUNT, POINTS, SIGMA = 8, 32, 0.05
CENTRES = np.linspace(-1.0, 1.0, COUNT)
WIDTHS = np.linspace(0.7, 1.2, COUNT)
TRACES: list[int] = []


def peak_columns(theta, coords):
    TRACES.append(1)
    z = (coords["t"] - theta["centre"]) / theta["width"]
    return jnp.stack([jnp.exp(-0.5 * jnp.square(z)), jnp.ones_like(z)], 1)


PEAK = model(
    peak_columns,
    [
        Parameter("centre", 0.0, "mm", bounds=(-3.0, 3.0)),
        Parameter("width", 1.0, "mm", bounds=(0.2, 4.0)),
    ],
    [Amplitude("height", 0.0, np.inf, unit="counts"), Amplitude("background")],
    name="peak",
)


def grid(k, points=POINTS):
    """Every data set has a grid of its own."""
    return np.linspace(-4.0, 4.0 + 0.01 * k, points)


def curve(k, points=POINTS, seed=0):
    t = grid(k, points)
    noise = np.random.default_rng((seed, k)).normal(size=points)
    z = (t - CENTRES[k]) / WIDTHS[k]
    return 2.0 * np.exp(-0.5 * z**2) + 0.5 + SIGMA * noise


def dataset(k, y=None, sigma=SIGMA, points=POINTS, seed=0, **kwargs):
    y = curve(k, points, seed) if y is None else y
    given = None if sigma is None else np.full(points, sigma)
    return Dataset(y, given, coords={"t": grid(k, points)}, **kwargs)


def datasets(**kwargs):
    return [dataset(k, **kwargs) for k in range(COUNT)]


@pytest.fixture(scope="module")
def batch():
    return fit_batch(PEAK, datasets(), warn=False)


def test_every_fit_is_that_of_fit(batch):
    assert batch.names == ("centre", "width") and batch.units == ("mm", "mm")
    assert batch.amplitude_names == ("height", "background")
    assert batch.success.all() and np.all(batch.nit > 1)
    for k in (0, 5):
        alone = js.fit(Problem(PEAK, dataset(k)), warn=False)
        np.testing.assert_allclose(batch.values[k], alone.x, rtol=1e-7)
        np.testing.assert_allclose(batch.cov[k], alone.cov, rtol=1e-6)
        np.testing.assert_allclose(
            batch.stderr[k], [alone.error(n) for n in batch.names], rtol=1e-6
        )
        np.testing.assert_allclose(batch.amplitudes[k], alone.linear["value"])
        np.testing.assert_allclose(
            batch.amplitude_stderr[k], alone.linear["stderr"], rtol=1e-6
        )
        for name in ("chi2", "red_chi2", "dof"):
            np.testing.assert_allclose(getattr(batch, name)[k], alone.statistics[name])
        assert batch.code[k] == alone.code and batch.nit[k] == alone.statistics["nit"]
    np.testing.assert_allclose(batch.column("centre"), CENTRES, atol=0.1)


@pytest.fixture(scope="module")
def spoilt():
    """The same with a NaN, a mask without points and a line of zeros among them."""
    sets = datasets()
    sets[2] = eqx.tree_at(lambda d: d.y, sets[2], np.full((1, POINTS), np.nan))
    sets[4] = eqx.tree_at(lambda d: d.mask, sets[4], np.zeros((1, POINTS)))
    sets[6] = dataset(6, y=np.zeros(POINTS))
    return fit_batch(PEAK, sets, warn=False)


def test_bad_data_sets_do_not_touch_the_others(batch, spoilt):
    others = [0, 1, 3, 5, 7]
    for name in ("values", "cov", "amplitudes", "amplitude_stderr", "chi2", "nit"):
        np.testing.assert_array_equal(
            getattr(spoilt, name)[others], getattr(batch, name)[others]
        )
    assert spoilt.code[2] == tr.NONFINITE_START and spoilt.code[4] == NO_DATA
    for k in (2, 4):
        assert np.isnan(spoilt.values[k]).all() and np.isnan(spoilt.chi2[k])
        assert not spoilt.success[k] and "failed" in spoilt[k].message
    # zeros are fitted exactly, and tell nothing about the peak
    assert spoilt.success[6] and spoilt.undetermined[6].all()
    assert np.isinf(spoilt.stderr[6]).all() and spoilt.chi2[6] < 1e-20


def test_the_summary_names_the_bad_ones_first(spoilt):
    lines = spoilt.summary().splitlines()
    assert lines[1].startswith("! 1 of 8 fits have not converged (failed: cost")
    assert lines[1].endswith(": 2") and lines[2].endswith(": 4")
    assert any("centre is not determined by the data in 1 fits: 6" in v for v in lines)
    assert "status   6 of 8 converged" in lines
    assert spoilt.failed.tolist() == [2, 4]


def test_warnings_are_issued_where_they_are_wanted(spoilt):
    sets = datasets()
    sets[4] = eqx.tree_at(lambda d: d.mask, sets[4], np.zeros((1, POINTS)))
    with pytest.warns(FitWarning, match="no valid point.*: 4"):
        fit_batch(PEAK, sets)


def test_a_second_batch_is_not_compiled_again(batch):
    before = len(TRACES)
    again = fit_batch(PEAK, datasets(seed=1), warn=False)
    assert len(TRACES) == before
    assert not np.array_equal(again.values, batch.values)


def test_shorter_data_sets_are_padded_without_weight(batch):
    """To the next power of two, 32: nothing new is compiled."""
    sets = datasets()
    sets[1], sets[3] = dataset(1, points=20), dataset(3, points=27)
    before = len(TRACES)
    result = fit_batch(PEAK, sets, warn=False)
    assert len(TRACES) == before
    np.testing.assert_array_equal(result.values[0], batch.values[0])
    np.testing.assert_array_equal(result.n_valid, [32, 20, 32, 27, 32, 32, 32, 32])
    alone = js.fit(Problem(PEAK, sets[3]), warn=False)
    np.testing.assert_allclose(result.values[3], alone.x, rtol=1e-7)
    np.testing.assert_allclose(result.red_chi2[3], alone.statistics["red_chi2"])


def test_groups_of_one_data_set_are_fits_of_their_own(batch):
    """Here with a group that is all NaN, and a problem that brings its own settings."""
    y = np.stack([curve(k) for k in range(COUNT)])
    y[5] = np.nan
    t = np.stack([grid(k) for k in range(COUNT)])
    with pytest.warns(DataWarning, match="32 of 256"):
        data = Dataset(y, np.full_like(y, SIGMA), coords={"t": t})
    problem = Problem(PEAK, data, {"width": {"value": 0.8, "bounds": (0.1, 0.9)}})
    result = fit_batch(problem, warn=False)
    assert result.code[5] == NO_DATA
    free = WIDTHS < 0.75
    np.testing.assert_allclose(result.values[free], batch.values[free], rtol=1e-6)
    assert result.at_bound[6, 1] and np.isnan(result.stderr[6, 1])
    assert result.values[6, 1] == 0.9 and np.isfinite(result.stderr[6, 0])
    assert "width is at a bound" in " ".join(result.warnings)


def test_a_chain_starts_from_its_neighbour():
    """A peak that drifts out of reach of the first start is followed."""
    drift = np.linspace(0.0, 2.5, COUNT)
    sets = [
        dataset(k, 2.0 * np.exp(-0.5 * ((grid(k) - drift[k]) / 0.3) ** 2) + 0.5)
        for k in range(COUNT)
    ]
    sets[3] = eqx.tree_at(lambda d: d.mask, sets[3], np.zeros((1, POINTS)))
    start = {"centre": -0.1, "width": 0.3}
    chained = fit_batch(PEAK, sets, start=start, chain=True, warn=False)
    good = np.arange(COUNT) != 3
    np.testing.assert_allclose(chained.column("centre")[good], drift[good], atol=1e-6)
    assert chained.code[3] == NO_DATA
    lost = fit_batch(PEAK, sets, start=start, warn=False)
    assert abs(lost.column("centre")[-1] - drift[-1]) > 0.1


def test_starts_come_by_name_by_array_and_from_a_guess(batch):
    def guess(data):
        top = jnp.argmax(jnp.where(data.mask > 0, data.y, -jnp.inf)[0])
        return {"centre": data.coords["t"][top]}

    def on_the_host(data):
        return {"centre": float(data.coords["t"][np.argmax(data.y[0])])}

    top = [grid(k)[np.argmax(curve(k))] for k in range(COUNT)]
    ways: list[dict[str, Any]] = [
        {"guess": guess},
        {"guess": on_the_host},
        {"start": {"centre": top}},
        {"start": np.stack([top, np.ones(COUNT)], 1)},
    ]
    runs = [fit_batch(PEAK, datasets(), warn=False, **given) for given in ways]
    for run in runs:
        np.testing.assert_array_equal(run.values, runs[0].values)
    np.testing.assert_allclose(runs[0].values, batch.values, rtol=1e-6)
    again = fit_batch(PEAK, datasets(), start=batch, warn=False)
    assert np.all(again.nit <= 1)


def test_starts_that_are_not_finite_are_those_of_the_table(batch):
    x = starts(batch.many, batch.names, {"centre": np.full(COUNT, np.nan)})
    np.testing.assert_array_equal(x, np.tile([0.0, 1.0], (COUNT, 1)))


@pytest.mark.parametrize(
    ("given", "error", "what"),
    [
        ({"start": {"center": 1.0}}, ParameterError, "'center', which is not free"),
        ({"start": {"centre": [1.0, 2.0]}}, ParameterError, r"'centre' has shape"),
        ({"start": np.zeros((3, 2))}, ParameterError, r"\(3, 2\); expected \(2,\)"),
        ({"start": {}, "guess": dict}, FitError, "start and guess"),
        ({"block": 0}, FitError, "block is 0"),
        ({"parameters": {"tau": 1.0}}, ParameterError, "tau"),
        ({"datasets": []}, DataError, "datasets is empty"),
        ({"datasets": None}, FitError, "needs datasets"),
        ({"model": peak_columns}, ModelError, "got a function"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(given, error, what):
    arguments: dict[str, Any] = {
        "model": PEAK,
        "datasets": datasets(),
        "warn": False,
        **given,
    }
    with pytest.raises(error, match=what):
        fit_batch(**arguments)


def test_a_problem_brings_its_own_settings_and_no_devices():
    problem = Problem(PEAK, dataset(0))
    with pytest.raises(ModelError, match="explicit"):
        fit_batch(problem, datasets(), explicit=True)
    with pytest.raises(DeviceError, match="one device"):
        fit_batch(js.shard(problem), datasets())


def test_an_interrupt_leaves_what_was_done(batch, monkeypatch):
    monkeypatch.setattr(lanes, "TRIALS", 5)
    seen = []

    def interrupt(event):
        seen.append(event)
        raise KeyboardInterrupt

    result = fit_batch(PEAK, datasets(), progress=interrupt, warn=False)
    assert len(seen) == 1 and seen[0].phase == "fits" and seen[0].total == COUNT
    unfinished = result.code == tr.STOPPED
    assert unfinished.any() and not result.success[unfinished].any()
    assert np.all(np.isfinite(result.values)) and np.all(result.nit[unfinished] == 5)
    assert result.warnings[0] == "stopped before all fits had ended"
    stopped = fit_batch(PEAK, datasets(), progress=lambda e: False, warn=False)
    np.testing.assert_array_equal(stopped.values, result.values)


def test_progress_counts_the_fits_that_ended():
    seen = []
    fit_batch(PEAK, datasets(), progress=seen.append, warn=False)
    steps = [e.step for e in seen]
    assert steps == sorted(steps) and steps[-1] == COUNT


def line_columns(theta, coords):
    return (theta["i"] + theta["s"] * coords["t"])[:, None]


LINE = model(line_columns, [Parameter("i", 0.5), Parameter("s", 1.0)], name="line")


@pytest.mark.parametrize("sigma", [0.3, None])
def test_errors_cover_the_truth(sigma):
    """Closed form of a weighted straight line, and 68 % of 600 intervals."""
    count, t = 600, np.linspace(-1.0, 1.0, 24)
    rng = np.random.default_rng(5)
    y = 1.0 + 2.0 * t[None] + 0.3 * rng.normal(size=(count, t.size))
    given = None if sigma is None else np.full_like(y, sigma)
    result = fit_batch(LINE, Dataset(y, given, coords={"t": t}), warn=False)
    a = np.stack([np.ones_like(t), t], 1)
    best = y @ a @ np.linalg.inv(a.T @ a)
    np.testing.assert_allclose(result.values, best, atol=1e-7)
    chi2 = np.sum((y - best @ a.T) ** 2, axis=1)
    variance = 0.3**2 if sigma else (chi2 / 22)[:, None, None]
    np.testing.assert_allclose(
        result.cov,
        variance * np.linalg.inv(a.T @ a)[None] * np.ones((count, 1, 1)),
        atol=1e-12,
    )
    assert np.all(result.scaled == (sigma is None))
    pull = (result.values - [1.0, 2.0]) / result.stderr
    assert np.all(np.abs(np.mean(np.abs(pull) < 1, axis=0) - 0.683) < 0.05)
    assert np.all(np.abs(np.mean(pull, axis=0)) < 0.1)


def test_trials_are_limited():
    """A bound far away is approached by 0.9 of its distance, so one trial is few."""
    t = np.linspace(-1.0, 1.0, 24)
    y = np.stack([0 * t, 3 * t])
    data = Dataset(y, np.full_like(y, 1e-3), coords={"t": t})
    bounds = {"s": {"value": 2.0, "bounds": (1.0, 9.0)}}
    result = fit_batch(LINE, data, parameters=bounds, max_trials=1, warn=False)
    assert np.all(result.nit == 1)
    assert result.code[0] == tr.MAXITER and not result.success[0]


def test_blocks_give_what_one_block_gives():
    t = np.linspace(-1.0, 1.0, 24)
    y = np.random.default_rng(6).normal(size=(37, t.size))
    data = Dataset(y, np.ones_like(y), coords={"t": t})
    whole = fit_batch(LINE, data, warn=False)
    blocks = fit_batch(LINE, data, block=9, warn=False)
    assert whole.many.block == 64 and blocks.many.block == 8
    np.testing.assert_allclose(blocks.values, whole.values, rtol=1e-12, atol=1e-14)


def test_amplitudes_alone_need_no_search():
    fixed = {"centre": {"fixed": True}, "width": {"fixed": True}}
    result = fit_batch(PEAK, datasets(), parameters=fixed, warn=False)
    assert result.names == () and result.values.shape == (COUNT, 0)
    assert result.success.all()
    a = np.stack([np.exp(-0.5 * grid(3) ** 2), np.ones(POINTS)], 1)
    best = np.linalg.lstsq(a, curve(3), rcond=None)[0]
    np.testing.assert_allclose(result.amplitudes[3], best, rtol=1e-10)


def test_noise_with_a_parameter_starts_from_all_data_sets():
    t = np.linspace(-1.0, 1.0, 24)
    y = 1.0 + 2.0 * t + 0.3 * np.random.default_rng(7).normal(size=(3, t.size))
    data = Dataset(y, np.full_like(y, 0.1), coords={"t": t})
    result = fit_batch(LINE, data, likelihood=js.Gaussian("jitter"), warn=False)
    assert result.names == ("i", "s", "jitter") and result.success.all()
    alone = js.fit(result.problem(1), warn=False)
    np.testing.assert_allclose(result.values[1], alone.x, rtol=1e-5)


def test_covariances_are_those_of_one_fit_at_a_time():
    """Random H, some parameters at a bound, unseen or in a null direction."""
    rng = np.random.default_rng(8)
    names, scale = ("a", "b", "c"), np.array([1.0, 10.0, 0.1])
    j = rng.normal(size=(6, 9, 3)) * [1.0, 1e3, 1e-4]
    j[1, :, 2] = 1e-3 * j[1, :, 1] - 2 * j[1, :, 0]
    j[2, :, 1] = 0.0
    bound = np.zeros((6, 3), bool)
    bound[3, 0] = bound[4, :] = True
    h = np.einsum("bnp,bnq->bpq", j, j)
    h[5] = np.nan
    unseen = np.zeros((6, 3), bool)
    cov, stderr = covariances(h, scale, bound, unseen, names)
    for k in range(5):
        one = curvature(h[k], scale, bound[k], unseen[k], names)
        np.testing.assert_allclose(stderr[k], one.stderr, rtol=1e-9)
        np.testing.assert_allclose(cov[k], one.cov, rtol=1e-9, atol=1e-300)
    assert np.isinf(stderr[1]).any() and np.isinf(stderr[2, 1])
    assert np.isnan(cov[5]).all() and np.isnan(stderr[5]).all()


def test_a_row_goes_on_as_a_problem_of_its_own(batch):
    problem = batch.problem(3)
    np.testing.assert_array_equal(problem.start(), batch.values[3])
    assert isinstance(batch, BatchResult)
    z = (grid(3) - batch[3]["centre"]) / batch[3]["width"]
    curve = batch[3]["height"] * np.exp(-0.5 * z**2) + batch[3]["background"]
    np.testing.assert_allclose(batch.predict()[3, 0], curve, rtol=1e-10)
