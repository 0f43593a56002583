"""Dense and streamed sums, and the objective of a MAP."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.infer import fit, providers, streamed
from jaxscatter.infer.least_squares import make_objective
from jaxscatter.infer.providers import cost_at, normal_at
from jaxscatter.problem import Gaussian


def test_streamed_fits_are_dense_fits(cases, decay_fit):
    problem = streamed(cases.decay(), numbers=200.0)
    assert problem.chunk == 8  # 200 / (4 groups x 2 columns x 3 passes)
    result = fit(problem, warn=False)
    np.testing.assert_allclose(result.x, decay_fit.x, rtol=1e-8)
    np.testing.assert_allclose(result.cov, decay_fit.cov, rtol=1e-8)
    for name in ("chi2", "dof", "red_chi2"):
        got, expected = result.statistics[name], decay_fit.statistics[name]
        np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_only_what_does_not_fit_is_streamed(cases, monkeypatch):
    problem = cases.decay()
    assert providers.automatic(problem) is problem
    monkeypatch.setattr(providers, "DENSE_LIMIT", 100)
    assert providers.automatic(problem).chunk is not None


@pytest.mark.parametrize("noise", ["known", "scale_marginal"])
@pytest.mark.parametrize("linear", ["profile", "flat"])
def test_the_gradient_of_a_map_is_that_of_its_cost(cases, noise, linear):
    problem = cases.decay(likelihood=Gaussian(noise))
    objective = make_objective(problem, prior=True, linear=linear)
    x = jnp.array([1.6, 0.3])
    h, g, c = normal_at(objective, x)
    np.testing.assert_allclose(c, cost_at(objective, x), rtol=1e-12)
    steps = 1e-5 * np.eye(2)
    ends = [(cost_at(objective, x + s), cost_at(objective, x - s)) for s in steps]
    slope = [(high - low) / 2e-5 for high, low in ends]
    np.testing.assert_allclose(g, slope, rtol=1e-6)
    assert np.all(np.linalg.eigvalsh(np.asarray(h)) > 0)
