"""Ensemble samplers against the exact posterior."""

import numpy as np
import pytest

from jaxscatter.errors import SamplingError
from jaxscatter.infer import sample


@pytest.mark.slow
@pytest.mark.parametrize(("method", "draws"), [("aies", 600), ("ess", 200)])
def test_ensembles_sample_the_exact_posterior(cases, method, draws):
    post = sample(cases.line(), method, warmup=200, draws=draws, walkers=16, warn=False)
    assert post.method == method.upper()
    assert post["s"].shape == (2, 16 * draws)
    mean, cov, _ = cases.exact(cases.line())
    for i, name in enumerate(("i", "s")):
        sd = np.sqrt(cov[i, i])
        assert abs(post[name].mean() - mean[i]) < 0.15 * sd
        assert abs(post[name].std() / sd - 1) < 0.15


def test_ensembles_need_an_even_number_of_enough_walkers(cases):
    for walkers in (2, 5):
        with pytest.raises(SamplingError, match=f"walkers is {walkers}"):
            sample(cases.line(), "aies", walkers=walkers)


def test_a_stopped_ensemble_keeps_its_draws(cases):
    def stop(event):
        return event.step < 300

    post = sample(
        cases.line(),
        "aies",
        warmup=200,
        draws=600,
        walkers=16,
        progress=stop,
        warn=False,
    )
    assert post["s"].shape == (1, 16 * 100) and "stopped" in post.flags
    with pytest.raises(SamplingError, match="warm-up"):
        sample(
            cases.line(),
            "aies",
            warmup=200,
            draws=600,
            walkers=16,
            progress=lambda e: False,
        )
