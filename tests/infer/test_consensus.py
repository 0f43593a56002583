"""`consensus` against exact posteriors, against `sample`, and what it says."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

from jaxscatter import xpcs
from jaxscatter.errors import (
    DataError,
    ModelError,
    PriorError,
    SamplingError,
    SamplingWarning,
)
from jaxscatter.infer import (
    _consensus_notes,
    consensus,
    fit,
    load_result,
    map_fit,
    sample,
)
from jaxscatter.infer.consensus import _collected, shard_seed
from jaxscatter.infer.pooling import Piece, pooled
from jaxscatter.problem import Amplitude, Dataset, Gaussian, Parameter, Problem, model

GROUPS, POINTS, SIGMA = 4, 60, 0.3
T = np.linspace(0.0, 1.0, POINTS)
Q = np.linspace(0.5, 1.5, GROUPS)
MEAN, SD = np.array([0.0, 0.5]), np.array([0.2, 1.0])
QUICK = {"warmup": 300, "draws": 1000, "warn": False}


def plane_columns(theta, coords):
    return (theta["i"] * coords["q"] + theta["s"] * coords["t"])[:, None]


def plane(y=None, table=None, **options):
    """y = i q + s t, whose priors weigh about as much as the data."""
    if y is None:
        rng = np.random.default_rng(0)
        y = Q[:, None] + 2.0 * T + SIGMA * rng.normal(size=(GROUPS, POINTS))
    table = table or [
        Parameter("i", 0.5, "m", prior=dist.Normal(MEAN[0], SD[0])),
        Parameter("s", 1.0, prior=dist.Normal(MEAN[1], SD[1])),
    ]
    data = Dataset(y, np.full_like(y, SIGMA), coords={"t": T, "q": Q})
    return Problem(model(plane_columns, table, name="plane"), data, **options)


def plane_posterior(problem):
    y = np.asarray(problem.given.y).ravel() / SIGMA
    a = np.stack([np.repeat(Q, POINTS), np.tile(T, GROUPS)], axis=1) / SIGMA
    cov = np.linalg.inv(a.T @ a + np.diag(SD**-2))
    return cov @ (a.T @ y + MEAN / SD**2), cov


def agrees(post, names, mean, cov):
    """Mean and covariance within their Monte Carlo errors, of at least 600 draws."""
    draws = np.stack([post[n].ravel() for n in names])
    sd = np.sqrt(np.diagonal(cov))
    away = (draws.mean(axis=1) - mean) / sd
    assert np.all(np.abs(away) < 4 / np.sqrt(600)), away
    unit = np.cov(draws) / np.outer(sd, sd) - cov / np.outer(sd, sd)
    assert np.all(np.abs(unit) < 4 * np.sqrt(2 / 600)), unit


@pytest.mark.parametrize("split", ["random", "contiguous", "groups"])
def test_full_consensus_is_exact_for_a_gaussian(split):
    problem = plane()
    post = consensus(problem, 4, split=split, **QUICK)
    agrees(post, ["i", "s"], *plane_posterior(problem))
    assert post.converged and post["i"].shape == (2, 1000)
    assert post.flags == ("approximate",) and post.problem is problem


def test_diagonal_consensus_is_wider_where_shards_correlate():
    """Runs of t correlate i and s differently: the weights miss what that tells."""
    problem = plane()
    post = consensus(problem, 4, split="contiguous", combine="diagonal", **QUICK)
    _, exact = plane_posterior(problem)
    covs = []
    for rows in np.array_split(np.arange(POINTS), 4):
        a = np.stack([np.repeat(Q, 15), np.tile(T[rows], GROUPS)], axis=1) / SIGMA
        covs.append(np.linalg.inv(a.T @ a + np.diag(SD**-2) / 4))
    w = np.stack([1 / np.diagonal(c) for c in covs])
    w /= w.sum(axis=0)
    want = sum(np.diag(v) @ c @ np.diag(v) for v, c in zip(w, covs, strict=True))
    got = np.cov(np.stack([post["i"].ravel(), post["s"].ravel()]))
    np.testing.assert_allclose(got, want, rtol=0.2)
    assert np.all(np.diagonal(got) > 1.5 * np.diagonal(exact))


def amplitude_columns(theta, coords):
    tilt = theta["s"] * coords["t"]
    return jnp.stack([jnp.ones_like(tilt), tilt], axis=1)


def amplitude_plane():
    """y = a_g + s t: the second amplitude is 1 for all that matters."""
    rng = np.random.default_rng(1)
    y = np.array([0.4, 0.9, 0.1, 0.6])[:, None] + 2.0 * T
    y = y + SIGMA * rng.normal(size=y.shape)
    amplitudes = [
        Amplitude("a", prior=(0.5, 0.05)),
        Amplitude("one", 1 - 1e-9, 1 + 1e-9, shared=True, prior=(1.0, 1e-6)),
    ]
    table = [Parameter("s", 1.0, prior=dist.Normal(0.5, 0.3))]
    data = Dataset(y, np.full_like(y, SIGMA), coords={"t": T})
    return Problem(model(amplitude_columns, table, amplitudes), data)


@pytest.mark.parametrize(
    "split",
    [pytest.param(split, marks=pytest.mark.slow) for split in ("contiguous", "groups")],
)
def test_amplitudes_that_several_shards_see_count_once(split):
    """Their priors are as strong as the data here, and both are used once."""
    problem = amplitude_plane()
    y = np.asarray(problem.given.y).ravel() / SIGMA
    a = np.kron(np.eye(GROUPS), np.ones((POINTS, 1)))
    a = np.concatenate([np.tile(T, GROUPS)[:, None], a], axis=1) / SIGMA
    prior = np.array([0.3, *[0.05] * GROUPS]) ** -2.0
    cov = np.linalg.inv(a.T @ a + np.diag(prior))
    mean = cov @ (a.T @ y + prior * 0.5)
    post = consensus(problem, 4, split=split, **QUICK)
    assert post.linear_mode == "gaussian"
    agrees(post, ["s", *(f"a[{g}]" for g in range(GROUPS))], mean, cov)
    # apart, each shard would know the amplitudes less well, and s with them
    assert {"s", "a[3]", "one"} <= set(post.extras["shard_means"])


@pytest.mark.slow
def test_what_is_kept_of_the_shards_goes_to_the_file(tmp_path):
    post = consensus(plane(), 3, **QUICK)
    shards = post.extras["shards"]
    assert shards["points"].tolist() == [80, 80, 80] and shards["kept"].all()
    assert shards["seed"].tolist() == [shard_seed(0, i) for i in range(3)]
    assert np.all(shards["rhat"] < 1.02) and np.all(shards["ess"] > 400)
    mean, cov = plane_posterior(plane())
    compare = post.extras["laplace"]
    assert list(compare["name"]) == ["i", "s"]
    np.testing.assert_allclose(compare["mode"], mean, rtol=1e-5)
    np.testing.assert_allclose(compare["stderr"] ** 2, np.diagonal(cov), rtol=1e-6)
    assert np.all(np.abs(compare["distance"]) < 0.2)
    assert np.all(np.abs(compare["sd_ratio"] - 1) < 0.1)
    read = load_result(post.save(tmp_path / "run.h5"))
    assert read.flags == post.flags and read.warnings == post.warnings
    for name in ("shards", "shard_means", "shard_sds", "laplace"):
        for k, column in post.extras[name].items():
            np.testing.assert_array_equal(read.extras[name][k], column)
    assert read.extras["agreement"] == post.extras["agreement"]
    rows = read.extras["shard_diagnostics"]["2"]
    assert list(rows["name"]) == ["i", "s"] and np.all(rows["ess_bulk"] > 400)
    assert read.summary() == post.summary()


def test_the_first_line_says_that_it_is_approximate():
    with pytest.warns(SamplingWarning) as said:
        post = consensus(plane(), 2, **(QUICK | {"warn": True}))
    assert str(said[0].message).startswith("approximate: consensus of 2 shards (full)")
    assert post.summary().splitlines()[1].startswith("! approximate: consensus of 2")
    assert any("smallest shard has 120 points; for 2" in w for w in post.warnings)
    assert "10000 are recommended" in post.summary()


@pytest.mark.slow
def test_shards_that_disagree_are_said_and_robust_leaves_one_out():
    y = np.array(plane().given.y)
    y[:, 48:] += 4.0
    problem = plane(y)
    post = consensus(problem, 5, split="contiguous", **QUICK)
    assert "shards_disagree" in post.flags
    assert any("disagree on" in w for w in post.warnings)
    robust = consensus(problem, 5, split="contiguous", combine="robust", **QUICK)
    assert "shards_dropped" in robust.flags
    assert robust.extras["shards"]["kept"].tolist() == [True] * 4 + [False]
    assert any(
        w.startswith("shard 4 is left out: it lies far") for w in robust.warnings
    )
    assert robust.warnings[0].startswith("approximate: consensus of 4 of 5 shards")
    # the posterior of the other 48 points, with 4/5 of the priors
    a = np.stack([np.repeat(Q, 48), np.tile(T[:48], GROUPS)], axis=1) / SIGMA
    cov = np.linalg.inv(a.T @ a + 0.8 * np.diag(SD**-2))
    mean = cov @ (a.T @ (y[:, :48].ravel() / SIGMA) + 0.8 * MEAN / SD**2)
    agrees(robust, ["i", "s"], mean, cov)


def test_stopping_keeps_the_finished_shards():
    phases = []

    def stop(event):
        phases.append(event.phase)
        return event.phase != "shard 3/4 NUTS draws"

    def interrupt(event):
        if event.phase == "shard 3/4 NUTS warm-up":
            raise KeyboardInterrupt

    for callback in (stop, interrupt):
        post = consensus(plane(), 4, progress=callback, **QUICK)
        assert "stopped" in post.flags and not post.converged
        assert len(post.extras["shards"]["points"]) == 2
        assert post.warnings[0].startswith("approximate: consensus of 2 of 4 shards")
        assert any("stopped before all 4 shards" in w for w in post.warnings)
    assert "shard 1/4 NUTS warm-up" in phases
    with pytest.raises(SamplingError, match="before the first shard was finished"):
        consensus(plane(), 4, progress=lambda e: False, **QUICK)


def test_local_parameters_without_a_finished_shard_are_named():
    """As after an early end with whole groups in the shards."""

    def columns(theta, coords):
        return (theta["b"] + theta["s"] * coords["t"])[:, None]

    table = [
        Parameter("s", 1.0, bounds=(-9.0, 9.0)),
        Parameter("b", 0.5, bounds=(-9.0, 9.0), local=True),
    ]
    problem = Problem(model(columns, table), plane().given)
    draws = np.random.default_rng(0).normal(size=(2, 50, 3))
    known = Piece(("s", "b[0]", "b[2]"), draws, {})
    pool = pooled([known, known], problem.parameters.labels, "full")
    with pytest.raises(SamplingError, match=r"b\[1\], b\[3\]: belongs to groups"):
        _collected(problem, pool, "profile", 0, {})
    held = pool._replace(held={"b[1]": 0.5, "b[3]": 0.5})
    with pytest.raises(SamplingError, match=r"b\[1\], b\[3\] cannot be determined"):
        _collected(problem, held, "profile", 0, {})


def test_the_same_seed_draws_the_same():
    a, b, c = (consensus(plane(), 2, seed=s, **QUICK) for s in (3, 3, 4))
    np.testing.assert_array_equal(a["i"], b["i"])
    assert np.any(a["i"] != c["i"])
    assert a.provenance["seed"] == 3 and '"shards": 2' in a.provenance["arguments"]


def test_all_shards_are_compiled_once():
    traces = []

    def columns(theta, coords):
        traces.append(1)
        return (theta["i"] * coords["q"] + theta["s"] * coords["t"])[:, None]

    table = plane().parameters
    given = plane().given
    settings = {"warmup": 20, "draws": 20, "compare": False, "start": {"i": 0.9}}
    p = Problem(model(columns, list(table)), given)
    consensus(p, 2, **settings, warn=False)
    before = len(traces)
    consensus(p, 2, **settings, seed=1, warn=False)
    again = len(traces) - before
    # what a second call traces is not traced per shard
    before = len(traces)
    rows = np.concatenate([np.arange(POINTS)] * 2)
    longer = p.with_(data=given.arranged(rows))
    consensus(longer, 4, **settings, warn=False)
    assert again == 0 and len(traces) - before < 10


@pytest.mark.slow
def test_what_only_one_shard_sees_has_its_weight_from_there():
    """c acts late: the early shards hold it, and its prior counts once."""

    def columns(theta, coords):
        late = jnp.maximum(coords["t"] - 0.5, 0.0)
        return (theta["i"] + theta["c"] * late)[:, None]

    rng = np.random.default_rng(4)
    y = 1.0 + 2.0 * np.maximum(T - 0.5, 0.0) + SIGMA * rng.normal(size=POINTS)
    table = [
        Parameter("i", 0.5, bounds=(-20.0, 20.0)),
        Parameter("c", 1.0, prior=dist.Normal(1.0, 0.5)),
    ]
    data = Dataset(y, np.full_like(y, SIGMA), coords={"t": T})
    p = Problem(model(columns, table), data)
    post = consensus(p, 2, split="contiguous", **QUICK)
    a = np.stack([np.ones(POINTS), np.maximum(T - 0.5, 0.0)], axis=1) / SIGMA
    cov = np.linalg.inv(a.T @ a + np.diag([0.0, 4.0]))
    mean = cov @ (a.T @ (y / SIGMA) + np.array([0.0, 4.0]))
    agrees(post, ["i", "c"], mean, cov)
    assert post.held == {}


def test_what_no_shard_sees_is_held():
    def columns(theta, coords):
        return (theta["i"] + 0.0 * theta["u"] * coords["t"])[:, None]

    table = [Parameter(n, 1.0, bounds=(-9.0, 9.0)) for n in ("i", "u")]
    y = 1.0 + SIGMA * np.random.default_rng(0).normal(size=POINTS)
    data = Dataset(y, np.full_like(y, SIGMA), coords={"t": T})
    post = consensus(Problem(model(columns, table), data), 2, **QUICK)
    assert list(post.draws) == ["i"] and set(post.held) == {"u"}
    assert any(w.startswith("u cannot be determined") for w in post.warnings)


def test_bounds_that_set_the_width_are_said():
    """s is hardly seen: K flat posteriors are not K Gaussians."""
    y = np.array(plane().given.y)
    table = [
        Parameter("i", 0.5, bounds=(-5.0, 5.0)),
        Parameter("s", 2.0, bounds=(1.95, 2.05)),
    ]
    post = consensus(plane(y, table), 4, **QUICK)
    assert any(w.startswith("s: in a shard the bounds") for w in post.warnings)
    assert not any(w.startswith("i: in a shard") for w in post.warnings)


@pytest.mark.slow
def test_robust_losses_are_sampled_with_explicit_amplitudes():
    rng = np.random.default_rng(5)
    y = 1.5 + 2.0 * T + SIGMA * rng.standard_t(3, size=(1, POINTS))
    table = [Parameter("s", 1.0, bounds=(-20.0, 20.0))]
    amplitudes = [Amplitude("a", 0.0, 9.0), Amplitude("b", 0.5, 1.5)]
    data = Dataset(y, np.full_like(y, SIGMA), coords={"t": T})
    own = model(amplitude_columns, table, amplitudes)
    p = Problem(own, data, likelihood=Gaussian(loss="soft_l1"))
    p = p.with_(explicit=True, parameters={"b": {"fixed": True, "value": 1.0}})
    post = consensus(p, 2, **QUICK)
    whole = sample(p, warmup=300, draws=1000, warn=False)
    assert set(post.draws) == {"s", "a[0]"} and post.linear_draws == {}
    for n in post.draws:
        assert abs(post[n].mean() - whole[n].mean()) < 0.3 * whole[n].std()
        assert post[n].std() == pytest.approx(whole[n].std(), rel=0.2)


def test_a_start_may_be_a_fit_or_values():
    best = map_fit(plane(), warn=False)
    a = consensus(plane(), 2, start=best, **QUICK)
    b = consensus(plane(), 2, start=fit(plane(), warn=False), **QUICK)
    c = consensus(plane(), 2, start={"s": 2.0}, compare=False, **QUICK)
    mean, cov = plane_posterior(plane())
    for post in (a, b, c):
        agrees(post, ["i", "s"], mean, cov)
    assert "laplace" not in c.extras and "laplace" in b.extras


def test_an_integrated_scale_is_said():
    (said,) = _consensus_notes.scale_note(plane(likelihood=Gaussian("scale_marginal")))
    assert "every shard integrates over a scale of its own" in said
    assert _consensus_notes.scale_note(plane()) == []


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"shards": 1}, DataError, "shards is 1"),
        ({"shards": 40}, DataError, "40 shards of 60 points"),
        ({"shards": 5, "split": "groups"}, DataError, "5 shards of 4 groups"),
        ({"split": "angles"}, ModelError, "split 'angles'"),
        ({"combine": "mean"}, ModelError, "combine 'mean'"),
        ({"chains": 0}, SamplingError, "shard 0: chains = 0"),
    ],
)
def test_what_cannot_be_done_is_named(options, error, text):
    with pytest.raises(error, match=text):
        consensus(plane(), **options)


def test_improper_priors_and_angles_are_refused():
    free = plane().with_(parameters={"i": {"prior": None}})
    with pytest.raises(PriorError, match="i: infinite bounds and no prior"):
        consensus(free, 2)
    table = [
        Parameter("i", 0.5, bounds=(-180.0, 180.0), circular=True),
        Parameter("s", 1.0, bounds=(-9.0, 9.0)),
    ]
    with pytest.raises(ModelError, match="i: angles over their whole period"):
        consensus(plane(table=table), 2)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["random", "groups"])
def test_consensus_is_near_the_posterior_of_xpcs(split):
    truth = {"D0": 1e4, "alpha": -0.3, "D_offset": 0.0}
    data = xpcs.simulate(
        "static_isotropic",
        truth,
        q=0.0054,
        dt=0.1,
        n_frames=100,
        phi=[0.0, 30.0, 60.0, 90.0],
        contrast=[0.3, 0.25, 0.35, 0.28],
        noise=0.01,
        seed=2,
    )
    p = xpcs.problem(
        data, "static_isotropic", values=truth, fixed={"D_offset": truth["D_offset"]}
    )
    whole = sample(p, warmup=500, draws=1000, warn=False)
    post = consensus(p, 2, split=split, warmup=500, draws=1000, warn=False)
    assert post.converged and "shards_disagree" not in post.flags
    for n in ("D0", "alpha", "contrast[2]", "offset[1]"):
        sd = whole[n].std()
        assert abs(post[n].mean() - whole[n].mean()) < 0.3 * sd
        assert post[n].std() == pytest.approx(sd, rel=0.15)
    assert np.corrcoef(post["D0"].ravel(), post["alpha"].ravel())[
        0, 1
    ] == pytest.approx(
        np.corrcoef(whole["D0"].ravel(), whole["alpha"].ravel())[0, 1], abs=0.1
    )
