"""Noise of a camera: its formulas by hand, its floor, and counts with that noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed.detector import Detector, simulate_counts
from jaxscatter.errors import ModelError, ParameterError

DTPAR = (3.15, 4e-5, 1.2, 2.2, 0.111)


@pytest.fixture
def camera():
    return Detector(*DTPAR)


def test_the_efficiency_and_both_variances_are_those_of_the_formulas(camera):
    """By hand at I = 1000: 1/DQE = 1.2 + 0.04 + 0.00315."""
    inverse = 1.24315
    np.testing.assert_allclose(camera.dqe(1000.0), 1 / inverse, rtol=1e-14)
    np.testing.assert_allclose(
        camera.variance(1000.0), 2200 + 0.111 * 2.2 * 0.24315, rtol=1e-14
    )
    np.testing.assert_allclose(
        camera.variance(1000.0, "zuo2000"), 0.111 * 2.2 * 1243.15, rtol=1e-14
    )
    np.testing.assert_allclose(camera.pedestal, 3.15 * 2.2 * 0.111, rtol=1e-14)


def test_zuo_s_variance_is_intensity_over_efficiency(camera):
    counts = jnp.asarray([1.0, 30.0, 4e4])
    np.testing.assert_allclose(
        camera.variance(counts, "zuo2000"),
        camera.m * camera.g * counts / camera.dqe(counts),
        rtol=1e-14,
    )


@pytest.mark.parametrize("model", ["pyextal", "zuo2000"])
def test_less_than_one_count_is_one_count(camera, model):
    few = jnp.asarray([-5.0, 0.0, 0.3, 1.0])
    variance = camera.variance(few, model)
    np.testing.assert_array_equal(variance, np.full(4, variance[-1]))
    np.testing.assert_array_equal(camera.dqe(few), np.full(4, camera.dqe(1.0)))
    slope = jax.vmap(jax.grad(lambda i: camera.variance(i, model)))(few)
    assert np.all(np.isfinite(slope)) and np.all(slope[:3] == 0)
    assert np.isnan(camera.variance(jnp.nan, model))


@pytest.mark.parametrize("model", ["pyextal", "zuo2000"])
def test_variance_has_derivatives_in_the_counts_and_in_the_camera(model):
    def variance(intensity, *dtpar):
        return Detector(*dtpar).variance(intensity, model)

    check_grads(jax.jit(variance), (50.0, *DTPAR), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("A", 0.0), ("g", -1.0), ("m", 0.0), ("varB", -1), ("delta", -1)],
)
def test_a_camera_that_cannot_be_is_refused(name, value):
    numbers = dict(zip(("varB", "delta", "A", "g", "m"), DTPAR, strict=True))
    with pytest.raises(ParameterError, match=name):
        Detector(**{**numbers, name: value})
    with pytest.raises(ParameterError, match=name):
        Detector(**{**numbers, name: np.nan})


def test_an_unknown_model_of_the_variance_is_refused(camera):
    with pytest.raises(ModelError, match="zuo2000"):
        camera.variance(1.0, "zuo2001")


def test_simulated_counts_have_the_mean_and_the_variance_asked_for(camera):
    """20000 draws: the mean to 5 standard errors, the variance to 5 √(2/n)."""
    mean = jnp.full(20_000, 60.0)
    for detector, variance in ((None, 60.0), (camera, camera.variance(60.0))):
        counts = np.asarray(simulate_counts(jax.random.key(3), mean, detector))
        np.testing.assert_allclose(
            counts.mean(), 60.0, atol=5 * np.sqrt(variance / mean.size)
        )
        np.testing.assert_allclose(counts.var(), variance, rtol=5 * np.sqrt(2 / 2e4))
    poisson = np.asarray(simulate_counts(jax.random.key(3), mean))
    np.testing.assert_array_equal(poisson, np.round(poisson))
