"""Reduced small-angle data as arrays: a curve I(q) and an image I(qx, qy).

Units: q and its resolutions in 1/Å, intensity and its errors in `intensity_unit`, which
is 1/cm unless a file has no absolute scale. Arrays are NumPy float64. The readers of
`sas_files` convert; whoever builds these by hand gives them in these units.

Keys of `metadata` where a file states them: `path`, `format`, `source_units` (of q and
intensity, as written there), `wavelength` (Å), `detector_distance` (m), `thickness`
(cm), `transmission` (0 to 1), `instrument`, `radiation`, `sample`, `runs`, `header`
(lines before the numbers of a text file), `q_mean` (1/Å) and `shadow_factor` of NIST
files, `dropped_rows` (q = 0 or not a number), `nan_rows`, and `sorted` (whether the
rows stood in another order).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError

INTENSITY_UNITS = ("1/cm", "cm^2/g", "counts", "a.u.")


@dataclass(frozen=True, eq=False)
class Curve:
    """One I(q), its rows sorted by q where a reader made it.

    Rows that are not finite or have sigma <= 0 are still here; a `Dataset` masks them.

    Attributes:
        q: momentum transfer (n,).
        intensity: (n,).
        sigma: standard deviations of the intensity, or None where there are none.
        dq: standard deviations of a pinhole's resolution, or None.
        q_length: slit length (n,), "dQl", across the scan: I is averaged over 0..dQl.
        q_width: slit width (n,), "dQw", along the scan.
        mask: True where a point counts; None for all.
        title: what the sample is called.
        run: identification of the measurement.
        name: where in the file it was, such as "sasentry01/sasdata01".
        intensity_unit: "1/cm", "cm^2/g", "counts" or "a.u.".
        metadata: what else is known, by the keys of this module.

    Raises:
        DataError: arrays that are not one-dimensional and of one length, half a slit,
            both a pinhole and a slit, or an unknown unit.
    """

    q: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray | None = None
    dq: np.ndarray | None = None
    q_length: np.ndarray | None = None
    q_width: np.ndarray | None = None
    mask: np.ndarray | None = None
    title: str = ""
    run: str = ""
    name: str = ""
    intensity_unit: str = "1/cm"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        names = ("q", "intensity", "sigma", "dq", "q_length", "q_width", "mask")
        _keep_arrays(self, names)
        if self.q.ndim != 1 or self.q.size == 0:
            raise DataError(f"q has shape {self.q.shape}; expected (n,) with n >= 1")
        if (self.q_length is None) != (self.q_width is None):
            raise DataError("expected both of q_length and q_width, or neither")
        if self.dq is not None and self.q_length is not None:
            raise DataError("expected dq of a pinhole or a slit, not both")


@dataclass(frozen=True, eq=False)
class Image:
    """One I(qx, qy): a detector's pixels, as a matrix or as a list.

    Attributes:
        qx: horizontal momentum transfer of each pixel, (ny, nx) or (n,).
        qy: vertical momentum transfer of each pixel.
        intensity: of the shape of `qx`, like all that follows.
        sigma: standard deviations of the intensity, or None.
        dqx: standard deviation of the resolution along the first of `dq_axes`, or None.
        dqy: the same along the second.
        mask: True where a pixel counts; None for all.
        title: what the sample is called.
        run: identification of the measurement.
        name: where in the file it was.
        intensity_unit: "1/cm", "cm^2/g", "counts" or "a.u.".
        dq_axes: "xy", or "polar" for a resolution along and across (qx, qy).
        metadata: what else is known, by the keys of this module.

    Raises:
        DataError: arrays of different shapes, half a resolution, other `dq_axes`, or
            an unknown unit.
    """

    qx: np.ndarray
    qy: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray | None = None
    dqx: np.ndarray | None = None
    dqy: np.ndarray | None = None
    mask: np.ndarray | None = None
    title: str = ""
    run: str = ""
    name: str = ""
    intensity_unit: str = "1/cm"
    dq_axes: str = "xy"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        _keep_arrays(self, ("qx", "qy", "intensity", "sigma", "dqx", "dqy", "mask"))
        if self.qx.ndim not in (1, 2) or self.qx.size == 0:
            raise DataError(f"qx has shape {self.qx.shape}; expected (ny, nx) or (n,)")
        if (self.dqx is None) != (self.dqy is None):
            raise DataError("expected both of dqx and dqy, or neither")
        if self.dq_axes not in ("xy", "polar"):
            raise DataError(f"dq_axes={self.dq_axes!r}: expected 'xy' or 'polar'")


def _keep_arrays(data: Curve | Image, names: tuple[str, ...]) -> None:
    """Copies as float64 (mask: bool), all of the shape of the first."""
    if data.intensity_unit not in INTENSITY_UNITS:
        raise DataError(
            f"intensity_unit={data.intensity_unit!r}: expected one of {INTENSITY_UNITS}"
        )
    shape = np.shape(getattr(data, names[0]))
    for name in names:
        value = getattr(data, name)
        if value is None:
            continue
        array = np.array(value, bool if name == "mask" else np.float64)
        if array.shape != shape:
            raise DataError(f"{name} has shape {array.shape}, {names[0]} has {shape}")
        object.__setattr__(data, name, array)
