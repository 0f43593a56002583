"""NUTS against exact posteriors, with itself, and with other methods."""

import os
import subprocess
import sys

import numpy as np
import pytest

from jaxscatter.errors import SamplingError
from jaxscatter.infer import laplace, sample
from jaxscatter.infer.nuts import block_size
from jaxscatter.problem import Gaussian, Parameter


def agrees(post, names, mean, cov, factor=4.0):
    """Mean and covariance of the draws within their Monte Carlo errors."""
    rows = [list(post.diagnostics["name"]).index(n) for n in names]
    ess = post.diagnostics["ess_bulk"][rows]
    draws = np.stack([post[n].ravel() for n in names])
    sd = np.sqrt(np.diagonal(cov))
    assert np.all(np.abs(draws.mean(1) - mean) < factor * sd / np.sqrt(ess))
    spread = np.sqrt(np.diagonal(np.cov(draws))) / sd
    assert np.all(np.abs(spread - 1) < factor * np.sqrt(0.5 / ess) + 0.02)
    off = np.corrcoef(draws) - cov / np.outer(sd, sd)
    assert np.all(np.abs(off) < factor / np.sqrt(ess.min()))


def test_a_gaussian_posterior_is_sampled_exactly(cases, line_draws):
    mean, cov, _ = cases.exact(cases.line())
    agrees(line_draws, ["i", "s"], mean, cov)
    assert line_draws.statistics["divergences"] == 0


def test_unwhitened_coordinates_sample_the_same_posterior(cases):
    post = sample(
        cases.line(), warmup=cases.warmup, draws=cases.draws, whiten=False, warn=False
    )
    mean, cov, _ = cases.exact(cases.line())
    agrees(post, ["i", "s"], mean, cov)


def marginal_grid(cases, problem):
    """Log of the flat marginal posterior on a grid, by dense linear algebra."""
    y = np.asarray(problem.data.y)
    tau, d = np.linspace(1.0, 1.7, 161), np.linspace(0.0, 0.45, 161)
    rate = 1 / tau[:, None, None] + d[None, :, None] * cases.q**2
    log_p = np.zeros((161, 161))
    for g in range(len(cases.q)):
        e = np.exp(-rate[:, :, g, None] * cases.t)
        columns = np.stack([e, np.ones_like(e)], -1) / cases.sigma
        gram = np.einsum("abni,abnj->abij", columns, columns)
        h = np.einsum("abni,n->abi", columns, y[g] / cases.sigma)
        best = np.linalg.solve(gram, h[..., None])[..., 0]
        log_p += 0.5 * np.einsum("abi,abi->ab", h, best)
        log_p -= 0.5 * np.linalg.slogdet(gram)[1]
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    grid = np.stack(np.meshgrid(tau, d, indexing="ij"))
    mean = np.einsum("ab,kab->k", p, grid)
    away = grid - mean[:, None, None]
    return mean, np.einsum("ab,kab,lab->kl", p, away, away)


def test_a_posterior_with_amplitudes_is_that_of_quadrature(cases, decay_draws):
    mean, cov = marginal_grid(cases, cases.decay())
    assert decay_draws.linear_mode == "flat"
    agrees(decay_draws, ["tau", "d"], mean, cov)


def test_fit_laplace_and_nuts_agree_where_the_posterior_is_nearly_gaussian(
    decay_fit, decay_draws
):
    gauss = laplace(decay_fit, warn=False)
    for name in ("tau", "d"):
        sd = decay_fit.error(name)
        for post in (decay_draws, gauss):
            assert abs(post[name].mean() - decay_fit[name]) < 0.5 * sd
            assert abs(post[name].std() / sd - 1) < 0.2
    for row, label in enumerate(decay_fit.linear["label"]):
        sd = decay_fit.linear["stderr"][row]
        draws = decay_draws.linear_draws[str(label)]
        assert abs(draws.mean() - decay_fit.linear["value"][row]) < 0.5 * sd
        assert abs(draws.std() / sd - 1) < 0.2


def test_a_second_run_repeats_and_a_second_dataset_does_not_compile(
    cases, decay_fit, decay_draws
):
    settings = {"warmup": cases.warmup, "draws": cases.draws, "warn": False}
    again = sample(cases.decay(), start=decay_fit, **settings)
    before = cases.traces.count
    np.testing.assert_array_equal(again["tau"], decay_draws["tau"])
    np.testing.assert_array_equal(
        again.linear_draws["a[1]"], decay_draws.linear_draws["a[1]"]
    )
    table = [
        Parameter("tau", 1.7, "ps", (0.2, 8.0)),
        Parameter("d", 0.3, "1/ps", (0, 2)),
    ]
    other = cases.decay(
        cases.curves(seed=8), 0.03, parameters=table, title={"title": "second"}
    )
    post = sample(other, start=decay_fit, **settings)
    assert post.data[0]["metadata"] == {"title": "second"}
    assert np.any(post["tau"] != again["tau"])
    assert cases.traces.count == before


@pytest.mark.slow
def test_chains_one_after_another_draw_what_they_draw_together(cases):
    settings = {"warmup": 20, "draws": 20, "chains": 2, "warn": False}
    together, apart = (
        sample(cases.line(), chain_method=m, **settings)
        for m in ("vectorized", "sequential")
    )
    np.testing.assert_allclose(together["s"], apart["s"], rtol=1e-6)


def test_stopping_keeps_the_draws_made_so_far(cases):
    settings = {"warmup": cases.warmup, "draws": cases.draws, "warn": False}
    events = []

    def stop(event):
        events.append(event)
        return event.phase != "NUTS draws"

    def interrupt(event):
        if event.phase == "NUTS draws":
            raise KeyboardInterrupt

    for callback in (stop, interrupt):
        post = sample(cases.line(), progress=callback, **settings)
        assert post["s"].shape == (4, 100)
        assert "stopped" in post.flags and not post.converged
        assert post.warnings[0].startswith("stopped before")
    assert {e.phase for e in events} == {"NUTS warm-up", "NUTS draws"}
    assert events[-1].total == cases.draws
    with pytest.raises(SamplingError, match="during warm-up"):
        sample(cases.line(), progress=lambda e: False, **settings)


@pytest.mark.slow
def test_a_noise_scale_is_sampled_with_the_rest(cases):
    """Of n points and k flat amplitudes ... here: s near 1 with sd 1/√(2 dof)."""
    post = sample(
        cases.line(likelihood=Gaussian("scale")),
        warmup=cases.warmup,
        draws=cases.draws,
        warn=False,
    )
    assert abs(post["noise_scale"].mean() - 1.0) < 4 / np.sqrt(2 * 22)
    assert post["noise_scale"].std() == pytest.approx(1 / np.sqrt(2 * 22), rel=0.5)


def test_blocks_divide_both_phases_where_they_can():
    assert block_size(1000, 1000) == 100
    assert block_size(150, 250) == 50
    assert block_size(0, 60) == 60
    assert block_size(101, 103) == 100


def test_unusable_settings_are_refused(cases):
    with pytest.raises(SamplingError, match="chains = 0"):
        sample(cases.line(), chains=0)
    with pytest.raises(SamplingError, match="'side by side'"):
        sample(cases.line(), chain_method="side by side")
    with pytest.raises(SamplingError, match="needs 4 devices"):
        sample(cases.line(), chain_method="parallel")


PARALLEL = """
import numpy as np, jax.numpy as jnp, numpyro.distributions as dist
import jaxscatter as js
from jaxscatter.problem import Dataset, model, Parameter, Problem
t = np.linspace(-1, 1, 24)
y = 1 + 2 * t + 0.3 * np.random.default_rng(0).normal(size=24)
m = model(lambda th, c: (th["i"] + th["s"] * c["t"])[:, None],
          [Parameter(n, 1.0, prior=dist.Normal(0.0, 2.0)) for n in "is"])
p = Problem(m, Dataset(y, np.full(24, 0.3), coords={"t": t}))
run = lambda method: js.sample(p, warmup=20, draws=20, chain_method=method, warn=False)
both = [run(method)["s"] for method in ("parallel", "vectorized")]
assert np.allclose(*both, rtol=1e-6), np.abs(both[0] - both[1]).max()
assert js.sample(p, warmup=20, draws=20, warn=False)["s"].shape == (4, 20)
"""


@pytest.mark.slow
def test_one_chain_per_device_draws_what_one_device_draws():
    flags = "--xla_force_host_platform_device_count=4"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(
        [sys.executable, "-c", PARALLEL],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
