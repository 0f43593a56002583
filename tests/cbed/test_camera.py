"""What a camera makes of intensities."""

import jax
import numpy as np
import pytest

from jaxscatter.cbed.camera import Camera
from jaxscatter.cbed.detector import Detector
from jaxscatter.errors import ModelError

FLAT = np.full((2, 30, 31), 0.25)


def test_counts_and_background_scale_an_image():
    camera = Camera(counts=400, background=3.0)
    assert camera.margin == 0
    np.testing.assert_allclose(camera.recorded(FLAT), 103.0)


def test_a_point_spread_keeps_the_sum_and_takes_the_margin():
    point = np.zeros((41, 41))
    point[20, 20] = 1.0
    camera = Camera(psf=(1.1, 0.3))
    seen = camera.recorded(point)
    assert seen.shape == (21, 21) and camera.margin == 10
    assert seen.sum() == pytest.approx(1.0)
    assert seen.argmax() == 10 * 21 + 10
    wider = Camera(psf=(1.1, 0.0), kind="fourier", padding=4).recorded(FLAT)
    np.testing.assert_allclose(wider, np.full((2, 22, 23), 0.25))


def test_noise_has_the_variance_of_the_detector():
    detector = Detector(4.0, 1e-4, 1.2, 2.0, 0.8)
    flat = np.full((200, 200), 0.25)
    noisy = Camera(counts=400, detector=detector, variance="zuo2000").recorded(
        flat, jax.random.key(0)
    )
    expected = 0.8 * 2.0 * (1.2 * 100 + 1e-4 * 100**2 + 4.0)
    assert np.var(noisy) == pytest.approx(expected, rel=0.03)
    assert np.mean(noisy) == pytest.approx(100.0, abs=0.4)
    poisson = Camera(counts=400).recorded(flat, jax.random.key(0))
    assert np.var(poisson) == pytest.approx(100.0, rel=0.03)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"counts": 0.0}, "counts is 0.0"),
        ({"counts": float("nan")}, "counts is nan"),
        ({"background": -1.0}, "background is -1.0"),
        ({"kind": "disk"}, "kind is 'disk'"),
        ({"variance": "none"}, "variance is 'none'"),
        ({"padding": 3}, "padding is 3; 'radial_voigt' needs 10"),
    ],
)
def test_cameras_that_cannot_be_are_refused(changes, match):
    with pytest.raises(ModelError, match=match):
        Camera(**changes)
