"""XPCS data: two-time matrices in, one `Dataset` of the triangle t2 > t1 out.

c2 is symmetric, so every pair of times counts once; the diagonal never counts.

Units: times in s, angles in degrees, q in 1/Å.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from .._types import Floats
from ..errors import DataError, DataWarning
from ..io import read_two_time
from ..io.two_time import symmetric_within_noise as _symmetric
from ..problem import Dataset
from .angles import selected
from .transport import time_step

DIMS = {
    "early": ("point",),
    "late": ("point",),
    "phi": ("group",),
    "q": ("group",),
    "t": (None,),
    "dt": (),
}
LARGEST_Q = 10.0
"""1/Å; no X-rays in use scatter further."""
UNITS = {"t": "s", "dt": "s", "phi": "degree", "q": "1/Å", "y": ""}


def load(
    path: str | os.PathLike,
    *,
    q: float | None = None,
    dt: float | None = None,
    start_frame: int = 1,
    end_frame: int = -1,
    sigma: ArrayLike | Sequence[float] | None = None,
    phi_ranges: Sequence[tuple[float, float]] | None = None,
    fallback: bool = True,
    exclude_t0: bool = False,
) -> Dataset:
    """Measured c2 of one Q at several angles, from any layout that `io` reads.

    Args:
        path: APS-U, older APS, plain HDF5 or npz.
        q: 1/Å; the nearest one in the file.
        dt: s between frames; default from the file.
        start_frame: first frame, counted from 1.
        end_frame: last frame, included; -1 is the last.
        sigma: errors, see `from_matrices`.
        phi_ranges: degrees, see `selected`; default all angles.
        fallback: all angles, with a warning, where none lies in the ranges.
        exclude_t0: leave out the first frame.

    Raises:
        FileNotFoundError, FormatError: no such file, or no known layout.
        DataError: frames, angles or errors that cannot be used; no dt anywhere.
    """
    read = read_two_time(path, q=q, dt=dt, start_frame=start_frame, end_frame=end_frame)
    keep = np.arange(len(read.phi))
    if phi_ranges is not None:
        keep = selected(read.phi, phi_ranges, fallback)
    sigma = None if sigma is None else np.asarray(sigma, dtype=float)
    if sigma is not None and sigma.ndim and len(sigma) == len(read.phi):
        sigma = sigma[keep]
    said = tuple(read.metadata.get("warnings", ()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "c2 is not symmetric")  # the reader said so
        return from_matrices(
            read.c2[keep],
            read.phi[keep],
            t=read.t,
            q=read.q[keep],
            sigma=sigma,
            exclude_t0=exclude_t0,
            metadata={"sample": str(os.fspath(path)), "warnings": said},
        )


def from_matrices(
    c2: Floats,
    phi: Floats,
    *,
    q: Floats,
    t: Floats | None = None,
    dt: float | None = None,
    sigma: ArrayLike | Sequence[float] | None = None,
    exclude_t0: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Dataset:
    """Dataset of matrices (φ, n, n): groups are angles, points the pairs t2 > t1.

    Args:
        c2: full symmetric matrices; points that are not finite are masked.
        phi: degrees, one per matrix.
        q: 1/Å, one, or one per matrix.
        t: uniform times in s; default dt k.
        dt: step in s, needed without t.
        sigma: one error, one per angle, or one per entry (φ, n, n); without it the
            covariance is scaled by the reduced χ². Points with sigma ≤ 0 are masked.
        exclude_t0: leave out the first frame.
        metadata: kept with the data.

    Raises:
        DataError: shapes that do not belong together, fewer than two frames, nothing
            finite, q ≤ 0, neither t nor dt, or an error ≤ 0 for a whole angle.
    """
    c2 = np.asarray(c2, dtype=float)
    phi = np.atleast_1d(np.asarray(phi, dtype=float))
    if c2.ndim == 2:
        c2 = c2[None]
    if c2.ndim != 3 or c2.shape[1] != c2.shape[2]:
        last = c2.ndim == 3 and c2.shape[0] == c2.shape[1]
        hint = ": np.moveaxis(c2, -1, 0) puts the angles first" if last else ""
        raise DataError(f"c2 has shape {c2.shape}; expected (φ, n, n){hint}")
    angles, n = c2.shape[:2]
    if phi.shape != (angles,) or not np.all(np.isfinite(phi)):
        raise DataError(f"phi has shape {phi.shape}; expected {angles} finite angles")
    if n < 2 or angles < 1:
        raise DataError(f"c2 has shape {c2.shape}; expected at least two frames")
    wide_q = np.broadcast_to(np.asarray(q, dtype=float), (angles,))
    if not np.all(np.isfinite(wide_q) & (wide_q > 0)):
        raise DataError(f"q is {q}; expected positive numbers in 1/Å")
    if np.any(wide_q > LARGEST_Q):
        warnings.warn(
            f"q is {float(wide_q.max()):g}; is it in 1/Å? 1 1/nm is 0.1 1/Å",
            DataWarning,
            stacklevel=2,
        )
    if dt is not None and not (np.isfinite(dt) and dt > 0):
        raise DataError(f"dt is {dt} s; expected a positive finite number")
    if t is None:
        if dt is None:
            raise DataError("neither t nor dt is given; dt in s is needed")
        t = float(dt) * np.arange(n)
    t = np.asarray(t, dtype=float)
    if t.shape != (n,):
        raise DataError(f"t has shape {t.shape}; expected {n} times")
    step = time_step(t)
    if dt is not None and abs(float(dt) - step) > 1e-6 * step:
        raise DataError(f"dt is {dt} s, but the steps of t are {step:.6g} s")
    errors = _errors(sigma, c2.shape)
    first = 1 if exclude_t0 else 0
    early, late = np.triu_indices(n - first, 1)
    early, late = early + first, late + first
    y = c2[:, early, late]
    mask = np.isfinite(y)
    if not mask.any():
        raise DataError("no value of c2 off the diagonal is finite")
    tilted = [float(p) for p, m in zip(phi, c2, strict=True) if not _symmetric(m)]
    if tilted:
        warnings.warn(
            f"c2 is not symmetric beyond its noise at phi {tilted}: the upper triangle "
            "is used",
            DataWarning,
            stacklevel=2,
        )
    s = None if errors is None else errors[:, early, late]
    if s is not None:
        mask &= np.isfinite(s) & (s > 0)
    if not mask.all():
        warnings.warn(
            f"{int((~mask).sum())} of {mask.size} points are not finite or have no "
            "error and are masked",
            DataWarning,
            stacklevel=2,
        )
    coords = {
        "early": early.astype(np.int32),
        "late": late.astype(np.int32),
        "phi": phi,
        "q": wide_q.copy(),
        "t": t,
        "dt": np.array(step),
    }
    return Dataset(
        np.where(mask, y, 0.0),
        None if s is None else np.where(mask, s, 1.0),
        mask,
        coords,
        DIMS,
        UNITS,
        {
            "technique": "xpcs",
            "group": "phi",
            "x": "late",
            "y_label": "c2",
            **(metadata or {}),
        },
    )


def to_matrices(data: Dataset, values: Floats) -> np.ndarray:
    """Values (φ, point) as symmetric matrices (φ, n, n), NaN where no point is."""
    n = len(np.asarray(data.coords["t"]))
    early, late = (np.asarray(data.coords[k]) for k in ("early", "late"))
    values = np.asarray(values, dtype=float)
    out = np.full((len(values), n, n), np.nan)
    out[:, early, late] = values
    out[:, late, early] = values
    return out


def _errors(
    sigma: ArrayLike | Sequence[float] | None, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Errors as wide as c2."""
    if sigma is None:
        return None
    s = np.asarray(sigma, dtype=float)
    if s.ndim == 0:
        s = np.broadcast_to(s, shape[:1])
    if s.shape == shape[:1]:
        if not np.all(np.isfinite(s) & (s > 0)):
            raise DataError(f"sigma is {sigma}; expected positive numbers")
        return np.broadcast_to(s[:, None, None], shape)
    if s.shape != shape:
        raise DataError(
            f"sigma has shape {s.shape}; expected one number, {shape[0]} of them, or "
            f"{shape}"
        )
    return s
