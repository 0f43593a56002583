"""Azimuths in degrees: one turn, ranges that may wrap, and their selection."""

import warnings
from collections.abc import Sequence

import numpy as np

from .._types import Floats
from ..errors import DataError, DataWarning

FLOW_AND_BACK = ((-10.0, 10.0), (170.0, 190.0))
"""Ranges kept by default: along and against the direction 0."""


def normalised(phi: Floats) -> np.ndarray:
    """Angles in (-180, 180]."""
    turned = np.mod(np.asarray(phi, dtype=float), 360.0)
    return np.where(turned > 180.0, turned - 360.0, turned)


def in_range(phi: Floats, lo: float, hi: float) -> np.ndarray:
    """Whether angles lie in a range, which wraps if lo > hi after normalisation."""
    angle = normalised(phi)
    low, high = float(normalised(lo)), float(normalised(hi))
    if low <= high:
        return np.asarray((angle >= low) & (angle <= high))
    return np.asarray((angle >= low) | (angle <= high))


def selected(
    phi: Floats,
    ranges: Sequence[tuple[float, float]] = FLOW_AND_BACK,
    fallback: bool = True,
) -> np.ndarray:
    """Positions of the angles in the union of ranges, in their order.

    Args:
        phi: degrees.
        ranges: pairs (lo, hi) in degrees, both included.
        fallback: all angles, with a warning, where none lies in a range.

    Raises:
        DataError: no angle lies in a range, and no fallback.
    """
    phi = np.atleast_1d(np.asarray(phi, dtype=float))
    keep = np.zeros(phi.shape, bool)
    for lo, hi in ranges:
        keep |= in_range(phi, lo, hi)
    if keep.any():
        return np.flatnonzero(keep)
    said = f"no angle lies in {[tuple(map(float, r)) for r in ranges]} degrees"
    if not fallback:
        raise DataError(f"{said}; there are {phi.tolist()}")
    warnings.warn(f"{said}: all {phi.size} are used", DataWarning, stacklevel=2)
    return np.arange(phi.size)


def mirrored(phi: Floats) -> bool:
    """Whether every angle (degrees) is 0 or 90 modulo 180: its own mirror image.

    Shear acts through cos²(φ0 - φ), which is then the same for φ0 and -φ0.
    """
    turned = np.mod(np.asarray(phi, dtype=float), 90.0)
    return bool(np.all(np.minimum(turned, 90.0 - turned) < 1e-6))
