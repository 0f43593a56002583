"""Where the variance comes from, and which parameters that adds."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import ModelError
from jaxscatter.problem import Dataset, Gaussian

DATA = Dataset(
    np.array([1.0, 2.0, 9.0]),
    np.array([0.1, 0.2, 0.3]),
    np.array([True, True, False]),
    units={"y": "1/cm"},
)
MU, SIGMA = jnp.array([1.0, 2.0]), jnp.array([0.1, 0.2])


def test_variances():
    def variance(mu, sigma, theta):
        return sigma**2 + theta["gain"] * mu

    theta = {"noise_scale": 3.0, "jitter": 0.4, "gain": 2.0}
    for noise, expected in {
        "known": [0.01, 0.04],
        "scale_marginal": [0.01, 0.04],
        "scale": [0.09, 0.36],
        "jitter": [0.17, 0.2],
        "model": [2.01, 4.04],
    }.items():
        made = Gaussian(noise, variance if noise == "model" else None)
        np.testing.assert_allclose(made.variances(MU, SIGMA, theta), expected)
        assert made.fixed_weights == (noise in ("known", "scale_marginal"))


def test_parameters_of_the_noise():
    assert Gaussian().parameters(DATA) == ()
    (scale,) = Gaussian("scale").parameters(DATA)
    assert scale.name == "noise_scale" and scale.value == 1.0
    (jitter,) = Gaussian("jitter").parameters(DATA)
    assert jitter.unit == "1/cm" and jitter.lo == 0
    np.testing.assert_allclose(jitter.value, 0.15)  # masked points do not count
    np.testing.assert_allclose(jitter.hi, 1.5)


def test_what_cannot_be_is_refused():
    with pytest.raises(ModelError, match="'loud' is not known"):
        Gaussian("loud")
    with pytest.raises(ModelError, match="go together"):
        Gaussian("model")
    with pytest.raises(ModelError, match="go together"):
        Gaussian("known", lambda mu, sigma, theta: sigma)
