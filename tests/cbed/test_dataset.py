"""Patterns as data: what is one group, and what is refused."""

import numpy as np
import pytest

from jaxscatter.cbed.dataset import from_images, from_profiles, from_samples
from jaxscatter.errors import DataError, DataWarning

DISKS = [(0, 0, 0), (1, -1, 1)]


def test_images_become_groups_with_offsets_from_the_middle():
    images = np.arange(2 * 3 * 5, dtype=float).reshape(2, 3, 5) + 1
    data = from_images(DISKS, images, variance=images)
    assert data.y.shape == (2, 15)
    np.testing.assert_array_equal(data.sigma, np.sqrt(data.y))
    np.testing.assert_array_equal(data.coords["j"][[0, 7, 14]], [-1, 0, 1])
    np.testing.assert_array_equal(data.coords["i"][[0, 7, 14]], [-2, 0, 2])
    moved = from_images(DISKS, images, centre=(0, 1))
    assert moved.coords["j"][0] == 0 and moved.coords["i"][0] == -1
    assert not moved.sigma_given


def test_samples_of_one_image_keep_a_place_for_each_disk():
    positions = np.zeros((2, 4, 2))
    data = from_samples(DISKS, positions, np.ones((2, 4)))
    assert data.metadata["kind"] == "cbed"
    assert dict(data.dims)["j"] == ("group", "point")


def test_pixels_that_are_not_finite_are_masked():
    images = np.ones((2, 2, 2))
    images[0, 0, 0] = np.nan
    data = from_images(DISKS, images)
    assert data.n_valid == 7


def test_masked_pixels_may_have_any_variance():
    images, variance = np.ones((2, 2, 2)), np.ones((2, 2, 2))
    variance[1, 1, 1] = 0.0
    mask = variance > 0
    data = from_images(DISKS, images, variance=variance, mask=mask)
    assert data.n_valid == 7


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: from_images(DISKS, np.ones((2, 3))), "expected \\(disks, h, w\\)"),
        (lambda: from_images(DISKS, np.ones((3, 2, 2))), "2 disks and 3 rows"),
        (
            lambda: from_images(DISKS, np.ones((2, 2, 2)), np.zeros((2, 2, 2))),
            "not positive",
        ),
        (
            lambda: from_images(DISKS, np.ones((2, 2, 2)), np.ones((2, 2, 3))),
            "variance has shape",
        ),
        (
            lambda: from_images([(0, 0, 0)] * 2, np.ones((2, 2, 2))),
            "each once",
        ),
        (
            lambda: from_profiles(DISKS, np.zeros((3, 2)), np.ones((2, 4))),
            "offsets have shape",
        ),
        (
            lambda: from_profiles(DISKS, np.full((4, 2), np.inf), np.ones((2, 4))),
            "not finite",
        ),
        (
            lambda: from_profiles(np.zeros(3), np.zeros((4, 2)), np.ones((2, 4))),
            "expected \\(disks, 3\\)",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(call, words):
    with pytest.raises(DataError, match=words):
        call()


def test_an_error_that_is_not_positive_masks_its_point():
    sigma = np.ones((2, 4))
    sigma[0, 1] = 0.0
    with pytest.warns(DataWarning, match="1 of 8 points"):
        data = from_profiles(DISKS, np.zeros((4, 2)), np.ones((2, 4)), sigma)
    assert data.n_valid == 7
