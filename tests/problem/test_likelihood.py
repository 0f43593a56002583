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


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_losses_are_those_of_scipy(loss):
    from scipy.optimize import least_squares

    z = jnp.array([0.0, 0.3, 0.99, 1.01, 5.0, 40.0])
    made = Gaussian(loss=loss, loss_scale=1.5)

    def residuals(x):
        return np.asarray(z) * x[0]

    known = least_squares(residuals, [1.0], loss=loss, f_scale=1.5, max_nfev=1)
    np.testing.assert_allclose(0.5 * np.sum(made.loss_of(z**2)), known.cost, rtol=1e-6)
    slope = np.sum(made.loss_weight(z**2) * z**2)  # d(cost)/dx at x = 1
    step = 1e-6
    ends = [0.5 * np.sum(made.loss_of((z * (1 + s)) ** 2)) for s in (step, -step)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-8)


def test_student_t_is_its_log_density():
    from scipy.stats import t

    z = jnp.linspace(0.0, 30.0, 7)
    made = Gaussian(loss="student_t", nu=3.0)
    expected = 2 * (t(3.0).logpdf(0.0) - t(3.0).logpdf(z))
    np.testing.assert_allclose(made.loss_of(z**2), expected, rtol=1e-12)
    np.testing.assert_allclose(made.loss_weight(z**2), 4 / (3 + z**2), rtol=1e-12)


def test_losses_that_cannot_be_are_refused():
    assert (
        Gaussian(loss="huber").kind == "loss=huber"
        and Gaussian("scale").kind == "scale"
    )
    with pytest.raises(ModelError, match="loss 'hubert' is not known"):
        Gaussian(loss="hubert")
    with pytest.raises(ModelError, match="needs noise='known'"):
        Gaussian("jitter", loss="huber")
    with pytest.raises(ModelError, match="loss_scale is 0"):
        Gaussian(loss="huber", loss_scale=0.0)
    with pytest.raises(ModelError, match="nu is -1"):
        Gaussian(loss="student_t", nu=-1.0)
