"""Priors by name, and their densities."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

from jaxscatter.errors import PriorError
from jaxscatter.problem import prior

LO, HI = jnp.array([-jnp.inf]), jnp.array([jnp.inf])
CASES = {
    "uniform": ((-1.0, 3.0), stats.uniform(-1, 4)),
    "normal": ((0.2, 0.5), stats.norm(0.2, 0.5)),
    "truncated_normal": ((0.0, 1.0, -0.5, 2.0), stats.truncnorm(-0.5, 2.0)),
    "log_normal": ((0.3, 0.7), stats.lognorm(0.7, scale=np.exp(0.3))),
    "log_uniform": ((0.1, 10.0), stats.loguniform(0.1, 10.0)),
    "half_normal": ((2.0,), stats.halfnorm(scale=2.0)),
}


@pytest.mark.parametrize("kind", CASES)
def test_densities_are_those_of_scipy_and_end_with_the_support(kind):
    numbers, expected = CASES[kind]
    made = prior.named(kind, *numbers)

    @jax.jit
    def log_density(x):
        return prior.log_density(made, x, LO, HI)

    for x in (-3.0, -0.2, 0.15, 1.3, 50.0):
        got = log_density(jnp.array([x]))
        np.testing.assert_allclose(got, expected.logpdf(x), rtol=1e-6, atol=1e-6)
        assert np.all(np.isfinite(jax.grad(log_density)(jnp.array([x]))))


def test_on_the_edge_of_an_open_support_the_limit_counts():
    """A width of exactly 0, on its bound, has the half-normal density at 0."""
    made = prior.named("half_normal", 2.0)
    got = prior.log_density(made, jnp.zeros(1), LO, HI)
    np.testing.assert_allclose(got, stats.halfnorm(scale=2).logpdf(0.0), rtol=1e-6)


def test_outside_the_support_there_is_no_density_even_eagerly():
    made = prior.named("log_normal", 0.0, 1.0)
    assert prior.log_density(made, jnp.array([-1.0]), LO, HI) == -jnp.inf


def test_default_is_uniform_between_the_bounds():
    lo, hi = jnp.array([1.0]), jnp.array([5.0])
    got = prior.log_density(None, jnp.array([2.0, 3.0]), lo, hi)
    np.testing.assert_allclose(got, -2 * np.log(4))
    assert prior.log_density(None, jnp.array([2.0]), lo, HI) == 0


def test_bad_names_and_numbers_are_refused():
    with pytest.raises(PriorError, match="'gamma' is not known"):
        prior.named("gamma", 1.0)
    with pytest.raises(PriorError, match="not finite"):
        prior.named("normal", np.nan, 1.0)
    for kind, numbers in [
        ("normal", (0.0, -1.0)),
        ("normal", (0.0,)),
        ("uniform", (0.0, 1.0, 2.0)),
        ("uniform", (2.0, 1.0)),
        ("truncated_normal", (0.0, 1.0)),
        ("log_uniform", (-1.0, 1.0)),
        ("half_normal", (0.0,)),
    ]:
        with pytest.raises(PriorError, match=kind):
            prior.named(kind, *numbers)


def test_only_scalar_numpyro_distributions_are_priors():
    prior.check("D", None)
    prior.check("D", dist.Gamma(1.0, 2.0))
    for bad in ("normal", dist.MultivariateNormal(jnp.zeros(2), jnp.eye(2))):
        with pytest.raises(PriorError, match="'D'"):
            prior.check("D", bad)


def test_log_uniform_is_told():
    assert prior.is_log_uniform(prior.named("log_uniform", 1e-3, 1e3))
    assert not prior.is_log_uniform(prior.named("uniform", 0.0, 1.0))
