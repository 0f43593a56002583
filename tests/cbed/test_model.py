"""What the parameters of a pattern move: the crystal, and K_t of the pixels."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxscatter.cbed.geometry import kt2pixel
from jaxscatter.cbed.model import (
    CELL,
    crystal_at,
    diskshift_names,
    pixel_kt,
    site_names,
)

PIXELS = np.array([[[0.0, 0.0], [0.0, 10.0], [-10.0, 0.0]]])


def test_every_number_of_a_crystal_has_a_name(gallium_arsenide):
    names = site_names(gallium_arsenide)
    assert {"B(Ga)", "x(As)", "occupancy(As)"} <= set(names)
    theta = {name: jnp.asarray(0.3) for name in names}
    theta |= {name: jnp.asarray(60.0 + i) for i, name in enumerate(CELL)}
    moved = crystal_at(gallium_arsenide, theta)
    np.testing.assert_array_equal(moved.cell, 60.0 + np.arange(6))
    np.testing.assert_array_equal(moved.b_iso, [0.3, 0.3])
    np.testing.assert_array_equal(moved.occupancies, [0.3, 0.3])
    np.testing.assert_array_equal(moved.positions, np.full((2, 3), 0.3))
    assert crystal_at(gallium_arsenide, {}) is gallium_arsenide
    only = crystal_at(gallium_arsenide, {"B(As)": jnp.asarray(1.0)})
    np.testing.assert_array_equal(only.b_iso, [0.5854, 1.0])


def test_pixels_to_the_right_lie_along_x_and_those_above_along_y(silicon, row):
    frame, _ = row
    length = float(frame.x_length(silicon.cell))
    kt0 = np.array([0.1, 0.2])
    kt = pixel_kt(PIXELS, None, kt0, frame, silicon.cell, 20.0, 0.0, np.zeros(2))[0]
    step = 10 * length / 20.0
    np.testing.assert_allclose(
        np.asarray(kt) - kt0, [[0, 0], [step, 0], [0, step]], atol=1e-15
    )
    back = kt2pixel(kt, kt0, 20.0, length)
    np.testing.assert_allclose(back, PIXELS[0], atol=1e-12)


def test_a_shifted_pattern_is_read_at_shifted_pixels(silicon, row):
    frame, _ = row
    there = np.array([1.5, -2.0])
    args = (None, np.zeros(2), frame, silicon.cell, 20.0, 25.0)
    moved = pixel_kt(PIXELS + there, *args, there)
    np.testing.assert_allclose(moved, pixel_kt(PIXELS, *args, np.zeros(2)), atol=1e-15)
    # a disk that moves on its own, likewise
    own = pixel_kt(PIXELS + there, *args, np.zeros(2), there[None])
    np.testing.assert_allclose(own, moved, atol=1e-15)


def test_a_turned_pattern_runs_along_its_own_x(silicon, row):
    frame, _ = row
    angle = np.deg2rad(30.0)
    along = 10 * np.array([[[np.sin(angle), np.cos(angle)]]])
    kt = pixel_kt(
        along, None, np.zeros(2), frame, silicon.cell, 20.0, 30.0, np.zeros(2)
    )
    length = float(frame.x_length(silicon.cell))
    np.testing.assert_allclose(kt[0, 0], [0.5 * length, 0.0], atol=1e-15)


def test_geometry_has_derivatives_at_the_centre(silicon, row):
    frame, _ = row

    def kt(gl, rotation, shift):
        return pixel_kt(
            np.zeros((1, 1, 2)),
            np.zeros((1, 2)),
            np.zeros(2),
            frame,
            silicon.cell,
            gl,
            rotation,
            shift,
        )

    slopes = jax.jit(jax.jacfwd(kt, argnums=(0, 1, 2)))(20.0, 0.0, jnp.zeros(2))
    assert all(np.all(np.isfinite(s)) for s in slopes)


def test_disk_shifts_are_named_after_the_disk():
    assert diskshift_names((1, -1, 0)) == ("diskshift_j(1,-1,0)", "diskshift_i(1,-1,0)")
