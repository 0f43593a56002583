"""MAP and Laplace against closed forms."""

import numpy as np
import numpyro.distributions as dist
import pytest

from jaxscatter.errors import FitError, ModelError
from jaxscatter.infer import fit, laplace, map_fit
from jaxscatter.problem import Gaussian, Parameter


@pytest.fixture(scope="module")
def line_map(cases):
    return map_fit(cases.line(), warn=False)


def test_the_mode_of_a_gaussian_posterior_is_its_mean(cases, line_map):
    mean, cov, _ = cases.exact(cases.line())
    np.testing.assert_allclose(line_map.x, mean, rtol=1e-8)
    np.testing.assert_allclose(line_map.cov, cov, rtol=1e-8)
    assert line_map.method == "MAP" and line_map.success


@pytest.mark.parametrize("space", ["x", "u"])
def test_the_evidence_of_a_gaussian_posterior_is_exact(cases, line_map, space):
    mean, cov, log_evidence = cases.exact(cases.line())
    post = laplace(line_map, space=space, draws=2000)
    assert post.statistics["log_evidence"] == pytest.approx(log_evidence, abs=1e-8)
    assert post.statistics["pareto_k"] < 0.5 and post.converged
    draws = np.stack([post["i"][0], post["s"][0]])
    error = np.sqrt(np.diagonal(cov) / 2000)
    assert np.all(np.abs(draws.mean(1) - mean) < 4 * error)
    np.testing.assert_allclose(np.cov(draws), cov, rtol=0.15, atol=0.1 * cov.max())


def test_laplace_draws_repeat_with_their_seed(line_map):
    one, two, other = (laplace(line_map, draws=50, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one["s"], two["s"])
    assert np.any(one["s"] != other["s"])


def test_laplace_refuses_parameters_on_a_bound_and_unknown_spaces(bound_fit, line_map):
    with pytest.raises(FitError, match="d at a bound"):
        laplace(bound_fit)
    with pytest.raises(FitError, match="'z'"):
        laplace(line_map, space="z")


def test_the_mode_does_not_depend_on_the_transform(cases):
    """A log-uniform prior samples in log x; so does a density 1/x without that name.

    With an infinite upper bound the transform of the second is lo + exp(u).
    """

    class Reciprocal(dist.LogUniform):
        pass

    def table(prior, hi):
        return [
            Parameter("tau", 2.0, "ps", (0.1, hi), prior=prior),
            Parameter("d", 0.1, "1/ps", (0.0, 1.0)),
        ]

    modes = [
        map_fit(cases.decay(parameters=table(prior, hi), sigma=0.4), warn=False)
        for prior, hi in [
            (dist.LogUniform(0.1, 10.0), 10.0),
            (Reciprocal(0.1, 10.0), 10.0),
            (dist.LogUniform(0.1, 10.0), np.inf),
        ]
    ]
    kinds = {m.problem.coordinates.kinds for m in modes}
    assert len(kinds) > 1
    for mode in modes[1:]:
        np.testing.assert_allclose(mode.x, modes[0].x, rtol=1e-6)


def test_an_integrated_scale_weighs_priors_like_known_errors(cases):
    """With σ multiplied by any factor the MAP under scale_marginal stays."""
    modes = [
        map_fit(cases.line(sigma=s, likelihood=Gaussian("scale_marginal")), warn=False)
        for s in (0.3, 1.0, None)
    ]
    mean, cov, _ = cases.exact(cases.line())
    for mode in modes:
        np.testing.assert_allclose(mode.x, modes[0].x, rtol=1e-6)
        np.testing.assert_allclose(mode.cov, modes[0].cov, rtol=1e-5)
    np.testing.assert_allclose(modes[0].x, mean, atol=0.1 * np.sqrt(cov.max()))
    np.testing.assert_allclose(modes[0].cov, cov, rtol=0.6)


def test_marginal_modes_are_refused_where_there_is_no_closed_form(cases):
    problem = cases.decay(likelihood=Gaussian("jitter"))
    with pytest.raises(ModelError, match="explicit"):
        map_fit(problem, linear="marginal")


def test_without_priors_the_mode_is_the_fit(cases, decay_fit):
    mode = map_fit(cases.decay(), warn=False)
    np.testing.assert_allclose(mode.x, decay_fit.x, rtol=1e-6)
    np.testing.assert_allclose(mode.cov, decay_fit.cov, rtol=1e-5)


def test_missing_errors_are_said(cases):
    post = laplace(fit(cases.line(sigma=None), warn=False), draws=100, warn=False)
    assert any("sigma = 1 was taken" in w for w in post.warnings)
