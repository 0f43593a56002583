"""`Tempered` against the closed forms of powers of densities."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

from jaxscatter.problem import Parameter, ParameterSet, prior
from jaxscatter.problem.tempered import Tempered

X = np.linspace(0.2, 3.0, 9)


@pytest.mark.parametrize(
    ("base", "power_of"),
    [
        (dist.Normal(1.0, 0.4), dist.Normal(1.0, 0.4 * 2)),
        (dist.HalfNormal(0.7), dist.HalfNormal(0.7 * 2)),
        (
            dist.TruncatedNormal(1.0, 0.5, low=0.1, high=4.0),
            dist.TruncatedNormal(1.0, 0.5 * 2, low=0.1, high=4.0),
        ),
    ],
)
def test_a_normal_to_a_power_is_a_wider_normal(base, power_of):
    """Up to a constant: differences of log densities agree."""
    got = np.asarray(Tempered(base, 0.25).log_prob(X))
    wanted = np.asarray(power_of.log_prob(X))
    np.testing.assert_allclose(np.diff(got), np.diff(wanted), rtol=1e-12)


def test_k_of_them_multiply_to_the_prior():
    base = dist.LogNormal(0.3, 0.8)
    parts = [np.asarray(Tempered(base, 1 / 5).log_prob(X)) for _ in range(5)]
    np.testing.assert_allclose(np.sum(parts, axis=0), base.log_prob(X), rtol=1e-12)


def test_the_support_and_the_natural_coordinate_stay():
    base = dist.LogUniform(0.1, 100.0)
    tempered = Tempered(base, 0.5)
    assert prior.is_log_uniform(tempered) and not prior.is_log_uniform(
        Tempered(dist.Normal(0.0, 1.0), 0.5)
    )
    lo, hi = jnp.asarray(0.1), jnp.asarray(100.0)
    assert prior.log_density(tempered, jnp.asarray([200.0]), lo, hi) == -jnp.inf
    table = ParameterSet([Parameter("D", 1.0, bounds=(0.1, 100.0), prior=tempered)])
    assert table.kinds() == ("log",) and table.improper() == ()


def test_it_is_an_argument_of_compiled_functions():
    traces = []

    @jax.jit
    def log_density(d, x):
        traces.append(1)
        return d.log_prob(x)

    for power, scale in ((0.5, 1.0), (0.25, 3.0)):
        base = dist.Normal(jnp.asarray(0.0), jnp.asarray(scale))
        got = log_density(Tempered(base, jnp.asarray(power)), jnp.asarray(1.5))
        np.testing.assert_allclose(got, power * base.log_prob(1.5), rtol=1e-12)
    assert len(traces) == 1


def test_moments_are_those_of_the_wider_normal():
    tempered = Tempered(dist.Normal(2.0, 0.3), 0.25)
    assert float(tempered.mean) == 2.0
    np.testing.assert_allclose(tempered.variance, 0.6**2, rtol=1e-12)
