"""Display space, a pattern turned so that g_x points right, and the detector.

A point of display space, (j, i) = (row, column), rows down, shows the tilt
K_t0 + (|g_x|/gl)(i x̂ - j ŷ) for its offset (j, i) from `dp_center`, the centre of disk
000. On the detector it lies at

    p = R (p_disp - pivot) + pivot + shift + gl R (-y_d, x_d)
    R = [[cos ρ, sin ρ], [-sin ρ, cos ρ]]    on (j, i), ρ the rotation

so that g_x runs along (sin ρ, cos ρ). (x_d, y_d) are the parts of g_d along x̂ and ŷ
over |g_x|: in CBED all disks share one image. In LARBED each has its own, and there is
no such term.

Units: positions, shifts and gl in pixels (LARBED: steps of the scan), angles in
degrees.

References:
    [1] J. C. H. Spence and J. M. Zuo, Electron Microdiffraction (1992), chapter 4.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Num

from .._types import Scalar, as_float
from .interpolation import Interpolation

Pair = Sequence[float | int] | Num[ArrayLike, "2"]


def pair(value: Any) -> Float[Array, "2"]:
    """Two numbers (j, i) as an array."""
    return as_float(jnp.asarray(value))


def _row(pair: Float[Array, "2"], ndim: int) -> Float[Array, "..."]:
    """A pair beside an array of pairs of so many dimensions."""
    return pair.reshape((1,) * (ndim - 1) + (2,))


def rotation_matrix(rotation: Scalar) -> Float[Array, "2 2"]:
    """R, from offsets (j, i) of display space to those of the detector."""
    angle = jnp.deg2rad(as_float(rotation))
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([cos, sin]), jnp.stack([-sin, cos])])


def display_to_experiment(
    points: Float[ArrayLike, "*n 2"],
    pivot: Pair,
    rotation: Scalar,
    shift: Pair = (0.0, 0.0),
) -> Float[Array, "*n 2"]:
    """Detector position R (p - pivot) + pivot + shift of a point of display space."""
    p, c = as_float(points), pair(pivot)
    turned = (p - _row(c, p.ndim)) @ rotation_matrix(rotation).T
    return turned + _row(c + pair(shift), p.ndim)


def experiment_to_display(
    positions: Float[ArrayLike, "*n 2"],
    pivot: Pair,
    rotation: Scalar,
    shift: Pair = (0.0, 0.0),
) -> Float[Array, "*n 2"]:
    """Point of display space of a detector position; undoes `display_to_experiment`."""
    p, c = as_float(positions), pair(pivot)
    turned = (p - _row(c + pair(shift), p.ndim)) @ rotation_matrix(rotation)
    return turned + _row(c, p.ndim)


def display_to_offset(
    points: Float[ArrayLike, "*n 2"], dp_center: Pair
) -> Float[Array, "*n 2"]:
    """Offset (j down, i right) from the disk's centre in pixels, for `kt_of_offset`."""
    p = as_float(points)
    return p - _row(pair(dp_center), p.ndim)


def disk_displacements(
    places: Float[ArrayLike, "disks 2"], gl: Scalar, rotation: Scalar
) -> Float[Array, "disks 2"]:
    """Detector displacements (j, i) of disks from 000, gl R (-y, x).

    Args:
        places: (x, y) of each g, its parts along x̂ and ŷ over |g_x|.
        gl: pixels per |g_x|.
        rotation: ρ.
    """
    x, y = as_float(places).T
    return as_float(gl) * jnp.stack([-y, x], axis=-1) @ rotation_matrix(rotation).T


def image_centre(shape: Sequence[int]) -> tuple[float, float]:
    """(row, column) of the middle of an image, halfway between its first and last."""
    return (shape[0] - 1) / 2, (shape[1] - 1) / 2


def display_image(
    image: Interpolation,
    size: Sequence[int],
    pivot: Pair,
    rotation: Scalar,
    shift: Pair = (0.0, 0.0),
) -> tuple[Float[Array, "rows columns"], Bool[Array, "rows columns"]]:
    """One pattern as display space shows it, and where it is known.

    Args:
        image: the pattern.
        size: (rows, columns) of the display.
        pivot: the point the rotation leaves in place.
        rotation: ρ.
        shift: of the whole pattern.
    """
    j, i = np.mgrid[: size[0], : size[1]]
    grid = np.stack([j, i], axis=-1).astype(float)
    at = display_to_experiment(grid, pivot, rotation, shift)
    return image(at), image.known(at)
