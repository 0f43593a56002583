import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.io import Curve, Image

Q, Y = np.array([0.01, 0.02, 0.03]), np.array([3.0, 2.0, 1.0])
GRID = np.ones((2, 3))


def test_arrays_are_copied_as_float64():
    q = np.array([1, 2, 3])
    curve = Curve(q, Y.astype(np.float32), mask=np.array([1, 0, 1]))
    q[0] = 7
    assert curve.q.tolist() == [1.0, 2.0, 3.0]
    assert (curve.q.dtype, curve.intensity.dtype) == (np.float64, np.float64)
    assert curve.mask is not None
    assert curve.mask.tolist() == [True, False, True]
    assert Image(GRID, GRID, GRID.astype(int)).intensity.dtype == np.float64


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"sigma": Y[:2]}, "sigma has shape"),
        ({"q": GRID, "intensity": GRID}, "q has shape"),
        ({"q": Y[:0], "intensity": Y[:0]}, "q has shape"),
        ({"q_length": Y}, "both of q_length and q_width"),
        ({"q_length": Y, "q_width": Y, "dq": Y}, "not both"),
        ({"intensity_unit": "furlong"}, "intensity_unit='furlong'"),
    ],
)
def test_a_curve_that_makes_no_sense_is_refused(fields, told):
    with pytest.raises(DataError, match=told):
        Curve(**{"q": Q, "intensity": Y, **fields})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"qy": Q}, "qy has shape"),
        ({"qx": GRID[None], "qy": GRID[None], "intensity": GRID[None]}, "qx has shape"),
        ({"dqx": GRID}, "both of dqx and dqy"),
        ({"dq_axes": "round"}, "dq_axes='round'"),
    ],
)
def test_an_image_that_makes_no_sense_is_refused(fields, told):
    with pytest.raises(DataError, match=told):
        Image(**{"qx": GRID, "qy": GRID, "intensity": GRID, **fields})


def test_metadata_are_not_shared_between_curves():
    one, two = Curve(Q, Y), Curve(Q, Y)
    one.metadata["wavelength"] = 6.0
    assert two.metadata == {}
