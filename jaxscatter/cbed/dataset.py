"""Patterns as data: disks of one CBED image, LARBED images, or profiles at known K_t.

A group is a disk or an image; its points are pixels with their offset (j, i) from the
centre of 000. Units: counts, pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from ..problem import Dataset


def from_profiles(
    hkl: ArrayLike | Sequence[Sequence[int]],
    offsets: ArrayLike,
    y: ArrayLike,
    sigma: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Dataset:
    """Intensities of several disks at the same offsets from their centres.

    Args:
        hkl: of the disks.
        offsets: (j, i) in pixels.
        y: counts.
        sigma: standard deviations; without, covariances are scaled.
        mask: True where a point counts; all finite ones by default.
        metadata: titles, file names, sources.
    """
    return _dataset(
        hkl, offsets, y, sigma, mask, {**(metadata or {}), "kind": "profiles"}
    )


def from_images(
    hkl: ArrayLike | Sequence[Sequence[int]],
    images: ArrayLike,
    variance: ArrayLike | None = None,
    centre: Sequence[float | int] | None = None,
    mask: ArrayLike | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Dataset:
    """LARBED images, one for each reflection, on one scan.

    Args:
        hkl: of the images.
        images: counts.
        variance: map of each image; without, covariances are scaled.
        centre: (row, column) of the K_t the problem is given; the middle by default.
        mask: True where a pixel counts.
        metadata: titles, file names, sources.

    Raises:
        DataError: shapes that differ, or a variance that is not positive.
    """
    stack = np.asarray(images, float)
    if stack.ndim != 3:
        raise DataError(f"images have shape {stack.shape}; expected (disks, h, w)")
    n, h, w = stack.shape
    sigma = None
    if variance is not None:
        v = np.asarray(variance, float)
        if v.shape != stack.shape:
            raise DataError(f"variance has shape {v.shape}; images have {stack.shape}")
        used = np.isfinite(stack) if mask is None else np.asarray(mask, bool)
        if not np.all(v[used] > 0):
            raise DataError("variance holds values that are not positive; expected > 0")
        sigma = np.sqrt(np.where(v > 0, v, np.nan)).reshape(n, -1)
    middle = ((h - 1) / 2, (w - 1) / 2) if centre is None else tuple(centre)
    rows, columns = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    offsets = np.stack([rows.ravel() - middle[0], columns.ravel() - middle[1]], axis=-1)
    flat = None if mask is None else np.asarray(mask, bool).reshape(n, -1)
    note = {**(metadata or {}), "kind": "larbed", "image": (h, w), "centre": middle}
    return _dataset(hkl, offsets, stack.reshape(n, -1), sigma, flat, note)


def from_samples(
    hkl: ArrayLike | Sequence[Sequence[int]],
    positions: ArrayLike,
    y: ArrayLike,
    sigma: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Dataset:
    """Samples of the disks of one CBED image.

    Args:
        hkl: of the disks.
        positions: (j, i) on the detector from the centre of disk 000.
        y: counts.
        sigma: standard deviations.
        mask: True where a sample counts.
        metadata: titles, file names, sources.
    """
    return _dataset(
        hkl, positions, y, sigma, mask, {**(metadata or {}), "kind": "cbed"}
    )


def _dataset(hkl, offsets, y, sigma, mask, metadata) -> Dataset:
    disks = np.asarray(hkl)
    values = np.asarray(y, float)
    if disks.ndim != 2 or disks.shape[1] != 3 or values.ndim != 2:
        raise DataError(
            f"hkl has shape {disks.shape} and y {values.shape}; expected (disks, 3) "
            "and (disks, points)"
        )
    if len(disks) != len(values):
        raise DataError(f"there are {len(disks)} disks and {len(values)} rows of y")
    if len({tuple(row) for row in disks.tolist()}) < len(disks):
        raise DataError(f"disks are {disks.tolist()}; expected each once")
    at = np.asarray(offsets, float)
    if at.shape[-2:] != (values.shape[1], 2):
        raise DataError(
            f"offsets have shape {at.shape}; expected a pair (j, i) for each of "
            f"{values.shape[1]} points"
        )
    if not np.all(np.isfinite(at)):
        raise DataError("offsets hold values that are not finite")
    along = ("point",) if at.ndim == 2 else ("group", "point")
    used = np.isfinite(values) if mask is None else np.asarray(mask).astype(bool)
    columns = disks.astype(int)
    return Dataset(
        values,
        sigma,
        used,
        coords={
            "disk": np.arange(len(disks)),
            "point": np.arange(values.shape[1]),
            "j": at[..., 0],
            "i": at[..., 1],
            "h": columns[:, 0],
            "k": columns[:, 1],
            "l": columns[:, 2],
        },
        dims={
            "disk": ("group",),
            "point": ("point",),
            "j": along,
            "i": along,
            **dict.fromkeys("hkl", ("group",)),
        },
        units={"y": "counts", "j": "px", "i": "px"},
        metadata=metadata,
    )
