"""Where a pattern is compared: regions of display space, and the disks they apply to.

Either the measured image is sampled anew for each geometry (`ROI.positions`), with K_t
fixed, or the samples stay where a first geometry put them and `experiment_to_offset`
says which K_t they belong to. The second keeps the data of a fit the same. See
`display` for the spaces.

Units: positions, shifts and gl in pixels (LARBED: steps of the scan), angles in
degrees.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Shaped

from .._types import Scalar, as_float
from ..errors import DataError
from .display import (
    Pair,
    disk_displacements,
    display_to_experiment,
    pair,
    rotation_matrix,
)
from .interpolation import Interpolation


class Region(eqx.Module):
    """A parallelogram of nx by ny samples, its corners among them.

    Args:
        corners: (3, 2), offsets (j, i) from `dp_center` of the top left, the top right
            and the bottom left corner.
        nx: samples from top left to top right.
        ny: samples from top left to bottom left.

    Raises:
        DataError: corners that aren't three finite pairs, or that leave no room for
            more than one sample along an edge.
    """

    corners: Float[Array, "..."] = eqx.field(
        converter=lambda value: as_float(jnp.asarray(value))
    )
    nx: int = eqx.field(static=True, converter=int)
    ny: int = eqx.field(static=True, converter=int)

    def __check_init__(self):
        if isinstance(self.corners, Tracer):
            return
        corners = np.asarray(self.corners)
        if corners.shape != (3, 2) or not np.all(np.isfinite(corners)):
            raise DataError(
                f"corners are {corners.tolist()}; expected three finite pairs (j, i)"
            )
        if self.nx < 1 or self.ny < 1:
            raise DataError(
                f"samples are ({self.nx}, {self.ny}); expected at least (1, 1)"
            )
        right, down = corners[1:] - corners[0]
        flat = np.hypot(*right) * np.hypot(*down) * 1e-9
        narrow = abs(right[0] * down[1] - right[1] * down[0]) <= flat
        if (
            (self.nx > 1 and not np.any(right))
            or (self.ny > 1 and not np.any(down))
            or (self.nx > 1 and self.ny > 1 and narrow)
        ):
            raise DataError(
                f"corners {corners.tolist()} span no area for ({self.nx}, {self.ny}) "
                "samples"
            )

    @classmethod
    def from_rows(cls, rows: Any) -> "Region":
        """Region of four rows: the three corners (j, i), and (nx, ny)."""
        table = np.asarray(rows, dtype=float)
        if table.shape != (4, 2):
            raise DataError(
                f"rows have shape {table.shape}; expected three corners and (nx, ny)"
            )
        return cls(table[:3], int(table[3, 0]), int(table[3, 1]))

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.nx * self.ny

    @property
    def steps(self) -> Float[Array, "2 2"]:
        """From one sample to the next, along nx and along ny.

        Along an edge with one sample it is one pixel, in the edge's direction or, if
        the edge has no length, perpendicular to the other.
        """
        corners = self.corners
        right, down = corners[1] - corners[0], corners[2] - corners[0]
        across = jnp.asarray([0.0, 1.0], corners.dtype)
        return jnp.stack(
            [
                _step(right, self.nx, jnp.stack([-down[1], down[0]]), across),
                _step(down, self.ny, jnp.stack([right[1], -right[0]]), across[::-1]),
            ]
        )

    def offsets(self) -> Float[Array, "points 2"]:
        """Samples as offsets (j, i) from `dp_center`, row by row from the top left."""
        columns = jnp.arange(self.nx, dtype=self.corners.dtype)
        rows = jnp.arange(self.ny, dtype=self.corners.dtype)
        right, down = self.steps
        grid = rows[:, None, None] * down[None, None, :]
        grid = grid + columns[None, :, None] * right[None, None, :]
        return grid.reshape(-1, 2) + self.corners[:1]

    def padded(self, padding: int) -> "Region":
        """The same samples with so many more, equally spaced, beyond each side."""
        if padding < 0:
            raise DataError(f"padding is {padding}; expected 0 or more samples")
        right, down = self.steps
        nx, ny = self.nx + 2 * padding, self.ny + 2 * padding
        start = self.corners[0] - padding * (right + down)
        return Region(
            jnp.stack([start, start + (nx - 1) * right, start + (ny - 1) * down]),
            nx,
            ny,
        )


def _step(edge: Array, samples: int, *fallbacks: Array) -> Float[Array, "2"]:
    if samples > 1:
        return edge / (samples - 1)
    along = edge
    for other in fallbacks:
        along = jnp.where(jnp.all(along == 0), other, along)
    return along / jnp.hypot(along[0], along[1])


def _index(hkl: Any) -> tuple[int, int, int]:
    values = np.asarray(hkl, dtype=float)
    if values.shape != (3,) or np.any(values != np.round(values)):
        raise DataError(f"hkl is {hkl}; expected three integers")
    h, k, l = (int(v) for v in values)  # noqa: E741
    return h, k, l


class ROI(eqx.Module):
    """Regions of a pattern, the disks they are read in, and the turn of the display.

    Args:
        regions: what is compared.
        disks: hkl of each disk.
        x_axis: hkl of g_x, horizontal in display space.
        rotation: ρ.
        dp_center: (row, column) of the centre of disk 000 in display space.
        pivot: the point the rotation leaves in place; `dp_center` by default, which
            keeps rotation and shift apart in a fit. `image_centre` turns the picture.
        dp_size: (rows, columns) of display space, for figures.
        mask: (regions, disks), true where a region is read in a disk; all by default.

    Raises:
        DataError: no region or disk, a disk twice, a mask of another shape or without
            a true entry.
    """

    regions: tuple[Region, ...]
    disks: tuple[tuple[int, int, int], ...] = eqx.field(static=True)
    x_axis: tuple[int, int, int] = eqx.field(static=True)
    rotation: Float[Array, ""]
    dp_center: Float[Array, "2"]
    pivot: Float[Array, "2"]
    mask: Bool[Array, "regions disks"]
    dp_size: tuple[int, int] | None = eqx.field(static=True)

    def __init__(
        self,
        regions: Sequence[Region],
        disks: Any,
        x_axis: Any,
        rotation: Scalar,
        dp_center: Pair,
        *,
        pivot: Pair | None = None,
        dp_size: Sequence[int] | None = None,
        mask: Any = None,
    ):
        self.regions = tuple(regions)
        self.disks = tuple(_index(hkl) for hkl in disks)
        self.x_axis = _index(x_axis)
        self.rotation = as_float(rotation)
        self.dp_center = pair(dp_center)
        self.pivot = self.dp_center if pivot is None else pair(pivot)
        self.dp_size = None if dp_size is None else (int(dp_size[0]), int(dp_size[1]))
        shape = (len(self.regions), len(self.disks))
        chosen = np.ones(shape, bool) if mask is None else np.asarray(mask)
        if 0 in shape:
            raise DataError(f"there are {shape} regions and disks; expected some")
        if len(set(self.disks)) < len(self.disks):
            raise DataError(f"disks are {list(self.disks)}; expected each once")
        if chosen.shape != shape or not np.all(np.isin(chosen, (0, 1))):
            raise DataError(
                f"mask has shape {chosen.shape}; expected 0 or 1 for each of {shape} "
                "regions and disks"
            )
        if not np.any(chosen):
            raise DataError("mask is empty; expected a region in some disk")
        self.mask = jnp.asarray(chosen.astype(bool))

    @property
    def size(self) -> int:
        """Number of samples in one disk."""
        return sum(region.size for region in self.regions)

    def offsets(self) -> Float[Array, "points 2"]:
        """Samples of all regions, one after the other, as offsets from `dp_center`."""
        return jnp.concatenate([region.offsets() for region in self.regions])

    def padded(self, padding: int) -> "ROI":
        """The same with so many more samples around each region."""
        wider = tuple(region.padded(padding) for region in self.regions)
        return eqx.tree_at(lambda roi: roi.regions, self, wider)

    def chosen(self) -> Bool[Array, "disks points"]:
        """The mask for each sample."""
        counts = [region.size for region in self.regions]
        return self.mask[np.repeat(np.arange(len(counts)), counts)].T

    def _centres(
        self,
        rotation: Scalar,
        shift: Pair,
        diskshift: Float[ArrayLike, "disks 2"] | None,
        places: Float[ArrayLike, "disks 2"] | None,
        gl: Scalar,
    ) -> Float[Array, "disks 2"]:
        """Detector position of each disk's centre."""
        first = display_to_experiment(self.dp_center, self.pivot, rotation, shift)
        centres = jnp.broadcast_to(first[None, :], (len(self.disks), 2))
        if diskshift is not None:
            centres = centres + as_float(diskshift)
        if places is not None:
            centres = centres + disk_displacements(places, gl, rotation)
        return centres

    def positions(
        self,
        rotation: Scalar | None = None,
        shift: Pair = (0.0, 0.0),
        diskshift: Float[ArrayLike, "disks 2"] | None = None,
        places: Float[ArrayLike, "disks 2"] | None = None,
        gl: Scalar = 1.0,
        magnification: Scalar = 1.0,
    ) -> Float[Array, "disks points 2"]:
        """Detector position (row, column) of every sample in every disk.

        Args:
            rotation: in place of the ROI's own.
            shift: of the whole pattern, (j, i).
            diskshift: of each disk.
            places: (x, y) of each disk over |g_x|, in CBED.
            gl: pixels per |g_x|, used with `places`.
            magnification: gl over the gl that K_t of the samples was made with.
        """
        rho = self.rotation if rotation is None else rotation
        centres = self._centres(rho, shift, diskshift, places, gl)
        turned = self.offsets() @ rotation_matrix(rho).T * as_float(magnification)
        return centres[:, None, :] + turned[None, :, :]

    def experiment_to_offset(
        self,
        positions: Float[ArrayLike, "disks points 2"],
        rotation: Scalar | None = None,
        shift: Pair = (0.0, 0.0),
        diskshift: Float[ArrayLike, "disks 2"] | None = None,
        places: Float[ArrayLike, "disks 2"] | None = None,
        gl: Scalar = 1.0,
    ) -> Float[Array, "disks points 2"]:
        """Offset (j down, i right) of detector positions from their disk's centre.

        In pixels and in display space, for `kt_of_offset`; the arguments are those of
        `positions`, which it undoes.
        """
        rho = self.rotation if rotation is None else rotation
        centres = self._centres(rho, shift, diskshift, places, gl)
        return (as_float(positions) - centres[:, None, :]) @ rotation_matrix(rho)

    def sample(
        self, image: Interpolation, positions: Float[ArrayLike, "disks points 2"]
    ) -> tuple[Float[Array, "disks points"], Bool[Array, "disks points"]]:
        """The measured intensity at `positions`, and which samples are used.

        Args:
            image: one pattern for all disks (CBED), or a stack with one for each
                (LARBED).
            positions: as from `positions`.

        Returns:
            Values, and a mask that is false where a region isn't read in a disk, or
            the sample lies outside the image.
        """
        p = as_float(positions)
        if image.nodes.ndim == 2:
            return image(p), image.known(p) & self.chosen()
        if image.nodes.shape[0] != len(self.disks):
            raise DataError(
                f"image is a stack of {image.nodes.shape[0]}; expected one for each of "
                f"{len(self.disks)} disks"
            )
        values, known = jax.vmap(lambda one, at: (one(at), one.known(at)))(image, p)
        return values, known & self.chosen()

    def images(self, values: Shaped[ArrayLike, "disks points"]) -> list[Array]:
        """Samples as one (disks, ny, nx) array for each region."""
        flat = jnp.asarray(values)
        ends = np.cumsum([region.size for region in self.regions])[:-1]
        return [
            part.reshape(-1, region.ny, region.nx)
            for region, part in zip(
                self.regions, jnp.split(flat, ends, axis=1), strict=True
            )
        ]
