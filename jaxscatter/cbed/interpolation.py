"""A measured image between its pixels, differentiable in where it is asked.

    "linear"   the four pixels around a point: continuous, its slope is not
    "cubic"    the cubic B-spline through all pixels, edges mirrored: two derivatives

The B-spline's coefficients are solved for once, on the host. Cubic values may pass
below the pixels around them: sample maps of variances linearly.

Positions are (row, column) = (j, i), the centre of the first pixel at (0, 0). A point
outside [0, rows - 1] x [0, columns - 1] has a value, that of the nearest edge, but is
not `known`.

Units: positions in pixels, values in those of the image.

References:
    [1] M. Unser, IEEE Signal Process. Mag. 16 (6), 22 (1999), B-spline interpolation.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, ArrayLike, Bool, Float
from scipy import ndimage

from .._types import as_float
from ..errors import DataError, ModelError

KINDS = ("linear", "cubic")


class Interpolation(eqx.Module):
    """An image, or a stack of images of one shape, made ready by `interpolation`."""

    nodes: Float[Array, "*stack h w"]
    """Pixels (linear) or coefficients of the B-spline (cubic)."""
    spoilt: Float[Array, "*stack h w"] | None
    """1 where a pixel has no value, 0 elsewhere; None if all have."""
    kind: str = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.nodes.shape[-2:]
        return rows, columns

    def __call__(self, positions: Float[ArrayLike, "*n 2"]) -> Float[Array, "*n"]:
        """Values of one image at (row, column)."""
        p = as_float(positions)
        rows, columns = self.shape
        j = jnp.clip(p[..., 0], 0, rows - 1)
        i = jnp.clip(p[..., 1], 0, columns - 1)
        if self.kind == "linear":
            return map_coordinates(self.nodes, [j, i], order=1, mode="nearest")
        at_j, weight_j = _support(j, rows)
        at_i, weight_i = _support(i, columns)
        patch = self.nodes[at_j[..., :, None], at_i[..., None, :]]
        return jnp.einsum("...jk,...j,...k->...", patch, weight_j, weight_i)

    def known(self, positions: Float[ArrayLike, "*n 2"]) -> Bool[Array, "*n"]:
        """Whether a point lies inside the image, away from pixels without a value."""
        p = as_float(positions)
        rows, columns = self.shape
        j, i = p[..., 0], p[..., 1]
        inside = (j >= 0) & (j <= rows - 1) & (i >= 0) & (i <= columns - 1)
        if self.spoilt is None:
            return inside
        touched = map_coordinates(self.spoilt, [j, i], order=1, mode="nearest")
        return inside & (touched == 0)


def _support(x: Float[Array, "*n"], length: int) -> tuple[Array, Float[Array, "*n 4"]]:
    """Indices and weights of the four coefficients around each point of one axis."""
    base = jnp.floor(x)
    t = x - base
    s = 1 - t
    weights = jnp.stack(
        [
            s**3 / 6,
            2 / 3 - t * t * (2 - t) / 2,
            2 / 3 - s * s * (2 - s) / 2,
            t**3 / 6,
        ],
        axis=-1,
    )
    at = base.astype(int)[..., None] + jnp.arange(-1, 3).reshape((1,) * x.ndim + (4,))
    mirrored = jnp.abs(at)
    mirrored = jnp.where(at > length - 1, 2 * (length - 1) - at, mirrored)
    # at the last pixel of a short axis the fourth index, of weight 0, may still be out
    return jnp.clip(mirrored, 0, length - 1), weights


def interpolation(
    image: ArrayLike, kind: str = "linear", valid: ArrayLike | None = None
) -> Interpolation:
    """Make an image, (rows, columns), or a stack of them ready to be sampled.

    Args:
        image: pixels; under `valid` they may be anything.
        kind: "linear" or "cubic".
        valid: true where a pixel has a value. The others are filled from the nearest
            one that has, so that the spline does not ring, and are not `known`.

    Raises:
        DataError: not an image of at least 2 x 2 pixels, or a pixel that isn't finite
            where it should be valid.
        ModelError: no such kind.
    """
    if kind not in KINDS:
        raise ModelError(f"kind is {kind!r}; expected one of {list(KINDS)}")
    pixels = np.array(image, dtype=float)
    if pixels.ndim < 2 or min(pixels.shape[-2:]) < 2:
        raise DataError(
            f"image has shape {pixels.shape}; expected at least 2 x 2 pixels"
        )
    good = np.ones(pixels.shape, bool)
    if valid is not None:
        good = np.asarray(valid, dtype=bool)
        if good.shape != pixels.shape:
            raise DataError(
                f"valid has shape {good.shape}; expected that of image, {pixels.shape}"
            )
    wrong = good & ~np.isfinite(pixels)
    if np.any(wrong):
        at = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise DataError(
            f"image is {pixels[at]} at {at}, one of {int(wrong.sum())} such pixels; "
            "expected finite pixels, or valid False there"
        )
    for index in np.ndindex(pixels.shape[:-2]):
        here = good[index]
        if not np.any(here):
            raise DataError(f"valid is False on all of image {index}")
        if not np.all(here):
            nearest = ndimage.distance_transform_edt(
                ~here, return_distances=False, return_indices=True
            )
            pixels[index] = pixels[index][tuple(np.asarray(nearest))]
        if kind == "cubic":
            pixels[index] = ndimage.spline_filter(pixels[index], order=3, mode="mirror")
    spoilt = None if np.all(good) else as_float(~good)
    return Interpolation(as_float(pixels), spoilt, kind)
