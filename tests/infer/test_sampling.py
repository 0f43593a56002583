"""`sample`: what is refused, what is said, and what is tried again."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

from jaxscatter.errors import (
    ModelError,
    ParameterError,
    PriorError,
    SamplingError,
    SamplingWarning,
)
from jaxscatter.infer import sample, sampling
from jaxscatter.problem import Dataset, Gaussian, Parameter, Problem, model


def raw(problem, x, seed=0, **statistics):
    """What a sampler hands back, made by hand."""
    chains = len(x)
    return {
        "x": np.asarray(x, float),
        "stats": {"e_bfmi": np.ones(chains)},
        "statistics": {"divergences": 0.0, "saturated": 0.0, **statistics},
        "warmup": {},
        "stopped": False,
        "seconds": 1.0,
        "problem": problem,
        "seed": seed,
    }


@pytest.fixture
def canned(monkeypatch):
    """Replaces the sampler: what each attempt returns, and the options it got."""
    seen = []

    def install(*answers):
        def run(problem, method, mode, centre, options, seed, progress):
            x, statistics = answers[min(len(seen), len(answers) - 1)]
            seen.append({**options, "seed": seed, "labels": problem.parameters.labels})
            return raw(problem, x[..., : problem.n_parameters], seed, **statistics)

        monkeypatch.setattr(sampling, "_run", run)
        return seen

    return install


def independent(p=2, draws=500, chains=4, seed=0, spread=0.05):
    return 1.0 + spread * np.random.default_rng(seed).normal(size=(chains, draws, p))


def test_improper_priors_are_refused_by_name(cases):
    free = cases.line().with_(parameters={"i": {"prior": None}})
    with pytest.raises(PriorError, match="i: infinite bounds and no prior"):
        sample(free)


def test_unknown_methods_and_modes_are_refused(cases):
    with pytest.raises(SamplingError, match="'hmc'"):
        sample(cases.line(), "hmc")
    with pytest.raises(ModelError, match="'integrated'"):
        sample(cases.decay(), linear="integrated")
    with pytest.raises(ModelError, match="explicit"):
        sample(cases.decay(likelihood=Gaussian("jitter")), linear="flat")
    with pytest.raises(ParameterError, match="'slope'"):
        sample(cases.line(), start={"slope": 1.0})


def test_a_good_sample_has_nothing_to_say(cases, canned):
    canned((independent(), {}))
    post = sample(cases.line())
    assert post.converged and post.warnings == () and post.flags == ()
    assert "verdict  converged: 4 chains x 500 draws" in post.summary()


@pytest.mark.parametrize(
    ("statistics", "word", "change"),
    [
        ({"divergences": 3.0}, "diverged", {"target_accept": 0.98, "warmup": 2000}),
        ({"saturated": 0.1}, "tree depth", {"dense_mass": True, "max_depth": 10}),
        ({"divergences": 200.0}, "reparametrise", {"warmup": 2000, "draws": 2000}),
    ],
)
def test_a_failed_verdict_is_said_first_and_tried_again(
    cases, canned, statistics, word, change
):
    seen = canned((independent(), statistics), (independent(seed=1), {}))
    with pytest.warns(SamplingWarning, match=word):
        post = sample(cases.line())
    assert not post.converged and "not_converged" in post.flags
    assert word in post.summary().splitlines()[1]
    seen.clear()
    post = sample(cases.line(), retry=3, seed=5)
    assert post.converged and len(seen) == 2
    assert {k: seen[1][k] for k in change} == change
    assert [s["seed"] for s in seen] == [5, 6] and post.provenance["seed"] == 6


def test_chains_that_disagree_double_the_work(cases, canned):
    apart = independent()
    apart[0] += 1.0
    seen = canned((apart, {}))
    post = sample(cases.line(), retry=2, warn=False)
    assert not post.converged
    assert [s["draws"] for s in seen] == [1000, 2000, 4000]
    assert "different levels" in post.warnings[0]


def blind_problem():
    """u only multiplies a free amplitude and has no effect; f g is one product."""
    t = np.linspace(0, 3, 20)
    y = 2.0 * np.exp(-t) + 0.01 * np.cos(9 * t)

    def columns(theta, coords):
        c = theta["f"] * theta["g"] * jnp.exp(-coords["t"]) + 0.0 * theta["u"]
        return c[:, None]

    table = [Parameter(n, 1.0, bounds=(0.1, 9.0)) for n in "fgu"]
    return Problem(
        model(columns, table), Dataset(y, np.full_like(y, 0.05), coords={"t": t})
    )


def test_what_the_data_do_not_see_is_held_or_said(canned):
    seen = canned((independent(), {}))
    post = sample(blind_problem(), start={"u": 2.5, "f": 1.3}, warn=False)
    assert seen[0]["labels"] == ("f", "g")
    assert post.held == {"u": 2.5} and post.labels == ("f", "g", "u")
    assert any(w.startswith("u cannot be determined") for w in post.warnings)
    assert any("combination of f, g" in w for w in post.warnings)
    assert "u = 2.5 held, not sampled" in post.summary()
    values = post.derive("f + u", lambda th: th["f"] + th["u"])
    np.testing.assert_allclose(values, post["f"] + 2.5)


def test_modes_of_a_multistart_are_remembered(cases, canned, decay_fit):
    import dataclasses

    canned((independent(), {}))
    several = dataclasses.replace(decay_fit, flags=("multimodal",))
    post = sample(cases.decay(), start=several, warn=False)
    assert any("several optima" in w for w in post.warnings)


def test_starts_are_spread_twice_as_wide_as_the_posterior(cases):
    problem = cases.line()
    mean, cov, _ = cases.exact(problem)
    points, found = sampling.dispersed(
        problem, jnp.asarray(mean), 4000, seed=1, mode="profile"
    )
    np.testing.assert_allclose(found, cov, rtol=1e-6)
    np.testing.assert_allclose(
        np.cov(np.asarray(points).T), 2 * cov, rtol=0.1, atol=2e-4
    )


@pytest.mark.slow
def test_calibration_ranks_are_uniform():
    """Truths drawn from the prior rank uniformly among the draws of their posterior."""
    t = np.linspace(0, 4, 15)
    rng = np.random.default_rng(11)

    def columns(theta, coords):
        return (theta["a"] * jnp.exp(-coords["t"] / theta["tau"]))[:, None]

    table = [
        Parameter("tau", 1.5, bounds=(0.5, 3.0)),
        Parameter("a", 2.0, bounds=(0.0, 6.0), prior=dist.Normal(2.0, 0.5)),
    ]
    decay = model(columns, table)
    ranks = []
    for run in range(200):
        truth = {"tau": rng.uniform(0.5, 3.0), "a": 2.0 + 0.5 * rng.normal()}
        y = truth["a"] * np.exp(-t / truth["tau"]) + 0.2 * rng.normal(size=t.size)
        problem = Problem(decay, Dataset(y, np.full(15, 0.2), coords={"t": t}))
        post = sample(problem, chains=4, warmup=200, draws=200, seed=run, warn=False)
        thin = {n: post[n][:, ::8].ravel() for n in truth}
        ranks.append([np.mean(thin[n] < truth[n]) for n in truth])
    counts = [np.histogram(r, bins=10, range=(0, 1))[0] for r in np.transpose(ranks)]
    for c in counts:
        # chi2 with 9 degrees of freedom: 27.9 is its 99.9 % point
        assert np.sum((c - 20.0) ** 2 / 20.0) < 27.9, c
