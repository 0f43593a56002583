"""Contrast and offset from quantiles."""

import pathlib

import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.xpcs import quantile_scaling

FILE = pathlib.Path(__file__).parent.parent / "data/xpcs/preproc_homodyne_v2.npz"


@pytest.mark.peer
def test_quantiles_are_those_of_homodyne():
    with np.load(FILE) as peer:
        c2, expected = peer["basic"], peer["quantile_contrast_offset"]
    k = np.arange(len(c2))
    got = quantile_scaling(c2, 0.1 * np.abs(k[:, None] - k[None]))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)


def test_a_step_gives_its_two_heights():
    lag = np.linspace(0, 10, 1000)
    got = quantile_scaling(np.where(lag < 3, 1.4, 1.1), lag)
    np.testing.assert_allclose(got, (0.3, 1.1), rtol=1e-14)


def test_few_points_give_the_middle_of_the_bounds_and_bounds_are_kept():
    assert quantile_scaling(np.ones(99), np.arange(99.0)) == (0.5, 1.0)
    got = quantile_scaling(np.full(200, 9.0), np.arange(200.0), (0.1, 0.4), (0.9, 1.1))
    assert got == (0.4, 1.1)


def test_values_that_are_not_finite_are_left_out():
    lag = np.linspace(0, 10, 1000)
    y = 1.0 + 0.2 * np.exp(-lag)
    spoilt = np.where(np.arange(1000) % 3 == 0, np.nan, y)
    keep = np.isfinite(spoilt)
    assert quantile_scaling(spoilt, lag) == quantile_scaling(y[keep], lag[keep])


def test_shapes_must_agree():
    with pytest.raises(DataError, match=r"\(3,\) and lag \(4,\)"):
        quantile_scaling(np.ones(3), np.ones(4))
