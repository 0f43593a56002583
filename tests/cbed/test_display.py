"""Display space and detector: quarter turns by hand, and inverses of each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import ndimage

from jaxscatter.cbed.display import (
    disk_displacements,
    display_image,
    display_to_experiment,
    display_to_offset,
    experiment_to_display,
    image_centre,
    rotation_matrix,
)
from jaxscatter.cbed.geometry import kt2pixel, kt_of_offset
from jaxscatter.cbed.interpolation import interpolation

POINTS = np.random.default_rng(0).uniform(-30, 70, (12, 2))


def test_g_x_runs_along_the_rotation_on_the_detector():
    for degrees in (0.0, 30.0, 90.0, -145.505):
        right = rotation_matrix(degrees) @ jnp.asarray([0.0, 1.0])
        angle = np.deg2rad(degrees)
        np.testing.assert_allclose(right, [np.sin(angle), np.cos(angle)], atol=1e-15)
        np.testing.assert_allclose(
            jnp.linalg.det(rotation_matrix(degrees)), 1.0, rtol=1e-14
        )


def test_a_quarter_turn_shows_what_points_down_to_the_right():
    image = np.arange(49.0).reshape(7, 7)
    shown, known = display_image(
        interpolation(image), (7, 7), image_centre((7, 7)), 90.0
    )
    np.testing.assert_allclose(shown, np.rot90(image), atol=1e-12)
    assert np.mean(known) > 0.7  # rounding puts edges outside by 1e-15


def test_the_display_of_any_turn_is_the_affine_transform_of_scipy():
    image = np.random.default_rng(1).uniform(size=(20, 25))
    angle, pivot, shift = np.deg2rad(37.0), np.array([9.0, 11.5]), np.array([1.5, -0.5])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    expected = ndimage.affine_transform(
        image, turn, pivot + shift - turn @ pivot, (18, 22), order=3, mode="mirror"
    )
    shown, known = display_image(
        interpolation(image, "cubic"), (18, 22), pivot, 37.0, shift
    )
    assert 0.5 < np.mean(known) < 1
    known = np.asarray(known)
    np.testing.assert_allclose(np.asarray(shown)[known], expected[known], rtol=1e-11)


def test_detector_and_display_undo_each_other_and_keep_distances():
    there = display_to_experiment(POINTS, (12.0, 40.0), 44.237, (0.7, -3.0))
    back = experiment_to_display(there, (12.0, 40.0), 44.237, (0.7, -3.0))
    np.testing.assert_allclose(back, POINTS, rtol=1e-12)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(there, axis=0), axis=1),
        np.linalg.norm(np.diff(POINTS, axis=0), axis=1),
        rtol=1e-12,
    )
    pivot = display_to_experiment(np.array([12.0, 40.0]), (12.0, 40.0), 10.0, (1, 2))
    np.testing.assert_allclose(pivot, [13.0, 42.0], rtol=1e-14)


def test_a_disk_lies_where_its_wave_vector_falls():
    """K_t0 + g of the reflection at (x, y) |g_x|: the same pixel by both modules."""
    places, gl, x_length = np.array([[1.0, 0.0], [-0.5, 1.3]]), 226.774, 0.319
    offsets = kt2pixel(x_length * places, np.zeros(2), gl, x_length)
    np.testing.assert_allclose(disk_displacements(places, gl, 0.0), offsets, rtol=1e-13)
    turned = disk_displacements(places, gl, 44.237)
    angle = np.deg2rad(44.237)
    np.testing.assert_allclose(
        turned[0], gl * np.array([np.sin(angle), np.cos(angle)]), rtol=1e-13
    )
    np.testing.assert_allclose(turned, offsets @ rotation_matrix(44.237).T, rtol=1e-12)


def test_offsets_are_in_the_order_that_wave_vectors_take_them():
    """One |g_x| to the right of the centre the tilt has gained x_length along x."""
    offset = display_to_offset(np.array([[64.0, 164.0]]), (64, 64))
    kt = kt_of_offset(offset, np.zeros(2), 100.0, 0.5)
    np.testing.assert_allclose(kt, [[0.5, 0.0]], atol=1e-16)


@pytest.mark.parametrize("rotation", [0.0, 90.0, 44.0])
def test_positions_have_derivatives_in_the_geometry(rotation):
    @jax.jit
    def total(rotation, shift, gl):
        p = display_to_experiment(POINTS, (3.0, 4.0), rotation, shift)
        places = jnp.asarray([[1.0, 0.5], [0.0, 0.0]])
        return jnp.sum(jnp.sin(p / 30)) + jnp.sum(
            jnp.cos(disk_displacements(places, gl, rotation))
        )

    at = (rotation, np.array([0.5, 0.0]), 2.0)
    check_grads(total, at, order=2, modes=("fwd", "rev"), rtol=1e-4)
