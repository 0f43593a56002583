"""Simulated images: noise of the stated size, and the truth beside them."""

import numpy as np
import pytest

from jaxscatter.cbed.detector import Detector
from jaxscatter.cbed.simulate import simulate
from jaxscatter.errors import DataError

DISKS = [(0, 0, 0), (1, -1, 1), (-1, 1, -1)]


def arguments(silicon, row, **changes):
    frame, beams = row
    length = float(frame.x_length(silicon.cell))
    return {
        "crystal": silicon,
        "hkl": DISKS,
        "shape": (6, 7),
        "counts": 1e4,
        "background": 20.0,
        "energy": 200.0,
        "thickness": 500.0,
        "frame": frame,
        "gl": 6.0,
        "kt": [0.0, 2.2 * length],
        "beams": beams,
        **changes,
    }


def test_noise_has_the_variance_it_states(silicon, row):
    exact = simulate(**arguments(silicon, row, noise=False))
    assert not exact.sigma_given and exact.metadata["noise"] == "none"
    chosen = arguments(silicon, row)
    pulls = []
    for seed in range(20):
        data = simulate(**chosen, seed=seed)
        assert data.metadata["truth"]["thickness"] == 500.0
        assert data.metadata["truth"]["scale"] == 1e4
        pulls.append((data.y - exact.y) / np.sqrt(np.maximum(exact.y, 1.0)))
    assert abs(np.std(pulls) - 1) < 0.04 and abs(np.mean(pulls)) < 0.05
    again = simulate(**chosen, seed=19)
    np.testing.assert_array_equal(again.y, data.y)


def test_a_camera_adds_its_own_noise(silicon, row):
    camera = Detector(3.15, 4e-5, 1.2, 2.2, 0.111)
    data = simulate(**arguments(silicon, row, detector=camera))
    assert data.metadata["noise"] == "camera"
    np.testing.assert_allclose(data.sigma**2, camera.variance(data.y), rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"counts": 0.0}, "counts is 0.0"),
        ({"background": -1.0}, "background is -1.0"),
        ({"shape": (0, 4)}, "expected \\(rows, columns\\)"),
    ],
)
def test_what_cannot_be_is_refused(silicon, row, changes, words):
    with pytest.raises(DataError, match=words):
        simulate(**arguments(silicon, row, **changes))
