"""Small-angle data: files and arrays in, one `Dataset` out.

Units: q and resolutions in 1/Å, I in 1/cm.
"""

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError, DataWarning
from ..io import Curve, Image, read_sas
from ..problem import Dataset
from . import resolution as smearing

WEIGHTS = ("dI", "none", "sqrt", "I")
"""What the standard deviations are: the file's, 1, √I or I."""
Numbers = ArrayLike | Sequence[float]


def load(
    path: str | os.PathLike,
    *,
    entry: int | str | None = None,
    q_range: tuple[Any, Any] | None = None,
    weights: str = "dI",
    resolution: bool = True,
    oversample: int = 1,
) -> Dataset:
    """One measured curve or image, from any format `io.read_sas` knows.

    Args:
        path: text, NIST, canSAS XML or NXcanSAS file.
        entry: which data set, by number or name, where the file holds several.
        q_range: (lowest, highest) q in 1/Å that counts.
        weights: standard deviations: "dI" of the file, "none" (1), "sqrt" (√I), "I".
        resolution: whether the file's own resolution smears the model.
        oversample: points of the calculated curve per step of q, where it is smeared;
            results say when more are needed.

    Raises:
        FileNotFoundError, FormatError: no such file, or no known format.
        DataError: several data sets and no `entry`, an empty range, unusable errors.
    """
    read = read_sas(path, entry)
    if entry is None:  # fits that were saved beside their data are not data
        data = [d for d in read if not d.name.rsplit("/", 1)[-1].startswith("fit")]
        read = tuple(data) or read
    if len(read) > 1:
        named = {i: d.name or d.title for i, d in enumerate(read)}
        raise DataError(
            f"{os.fspath(path)} holds {len(read)} data sets: {named}; choose one with "
            "entry="
        )
    only = next(iter(read))
    return from_curve(only, q_range, weights, resolution, oversample)


def from_curve(
    data: Curve | Image,
    q_range: tuple[Any, Any] | None = None,
    weights: str = "dI",
    resolution: bool = True,
    oversample: int = 1,
) -> Dataset:
    """Dataset of what a reader returns; arguments as in `load`."""
    if isinstance(data, Image):
        return _from_image(data, q_range, weights, resolution)
    given = {}
    if resolution and data.dq is not None:
        given = {"dq": data.dq}
    elif resolution and data.q_length is not None:
        given = {"q_length": data.q_length, "q_width": data.q_width}
    metadata = {
        **data.metadata,
        "title": data.title,
        "run": data.run,
        "entry": data.name,
    }
    return from_arrays(
        data.q,
        data.intensity,
        data.sigma,
        q_range=q_range,
        weights=weights,
        mask=data.mask,
        unit=data.intensity_unit,
        metadata=metadata,
        oversample=oversample,
        **given,
    )


def from_arrays(
    q: Numbers,
    intensity: Numbers,
    sigma: Numbers | None = None,
    *,
    dq: Numbers | None = None,
    q_length: Numbers | None = None,
    q_width: Numbers | None = None,
    q_range: tuple[Any, Any] | None = None,
    weights: str = "dI",
    mask: Numbers | None = None,
    unit: str = "1/cm",
    metadata: dict[str, Any] | None = None,
    oversample: int = 1,
) -> Dataset:
    """Dataset of one curve.

    Args:
        q: (n,) in 1/Å, positive, in any order.
        intensity: (n,) in `unit`.
        sigma: (n,) standard deviations; without, see `weights`.
        dq: (n,) standard deviation of a pinhole's resolution in 1/Å.
        q_length: (n,) slit length in 1/Å.
        q_width: (n,) slit width in 1/Å.
        q_range: (lowest, highest) q that counts.
        weights: see `load`.
        mask: True where a point counts.
        unit: of the intensity.
        metadata: title, file, ...
        oversample: see `load`.

    Raises:
        DataError: shapes disagree, q is negative or not finite, or nothing is left.
    """
    q = np.asarray(q, float)
    columns = {
        "intensity": intensity,
        "sigma": sigma,
        "dq": dq,
        "q_length": q_length,
        "q_width": q_width,
        "mask": mask,
    }
    if q.ndim != 1 or q.size == 0:
        raise DataError(f"q has shape {q.shape}; expected (n,) in 1/Å")
    if not np.all(np.isfinite(q)) or np.any(q < 0):
        raise DataError(
            f"q holds {q[~np.isfinite(q) | (q < 0)][0]}; expected values >= 0 in 1/Å"
        )
    order = np.argsort(q, kind="stable")
    arrays: dict[str, Any] = {}
    for name, column in columns.items():
        if column is None:
            arrays[name] = None
            continue
        array = np.asarray(column, bool if name == "mask" else float)
        if array.shape != q.shape and not (name.startswith("q_") and array.ndim == 0):
            raise DataError(f"{name} has shape {array.shape}, q has {q.shape}")
        arrays[name] = np.broadcast_to(array, q.shape)[order]
    q = q[order]
    keep = np.ones(q.shape, bool) if arrays["mask"] is None else arrays["mask"]
    keep = keep & _inside(q, q_range)
    coords: dict[str, Any] = {"q": q}
    smear = _resolution(q, arrays, oversample)
    if smear is not None:
        coords |= {"q_calc": smear.q_calc, "smear": smear.matrix}
    dims = {"q": ("point",), "q_calc": (None,), "smear": ("point", None)}
    return Dataset(
        arrays["intensity"],
        _errors(arrays["intensity"], arrays["sigma"], weights),
        keep,
        coords,
        {k: dims[k] for k in coords},
        {"q": "1/Å", "q_calc": "1/Å", "y": unit},
        {
            **(metadata or {}),
            "resolution": "none" if smear is None else smear.kind,
            "weights": weights,
            **{
                k: arrays[k]
                for k in ("dq", "q_length", "q_width")
                if smear is not None and arrays[k] is not None
            },
        },
    )


def _inside(q: np.ndarray, q_range: tuple[Any, Any] | None) -> np.ndarray:
    if q_range is None:
        return np.ones(q.shape, bool)
    lo, hi = (float(v) for v in q_range)
    inside = (q >= lo) & (q <= hi)
    if not inside.any():
        raise DataError(
            f"no point lies in q_range ({lo:g}, {hi:g}) 1/Å; the data reach from "
            f"{q.min():g} to {q.max():g}"
        )
    return inside


def _errors(
    intensity: np.ndarray, sigma: np.ndarray | None, weights: str
) -> np.ndarray | None:
    """Standard deviations; None where they are not known and count as 1."""
    if weights not in WEIGHTS:
        raise DataError(f"weights={weights!r}; expected one of {WEIGHTS}")
    if weights == "dI":
        if sigma is None:
            warnings.warn(
                "the data have no errors: all points weigh the same, and errors of "
                "parameters are scaled by the reduced chi2",
                DataWarning,
                stacklevel=4,
            )
        return sigma
    if weights == "none":
        return None
    size = np.abs(intensity)
    return np.sqrt(size) if weights == "sqrt" else size


def _resolution(
    q: np.ndarray, arrays: dict[str, Any], oversample: int
) -> smearing.Resolution | None:
    dq, length, width = (arrays[k] for k in ("dq", "q_length", "q_width"))
    if dq is not None and length is not None:
        raise DataError("both dq of a pinhole and a slit are given; expected one")
    if dq is not None and np.any(dq > 0):
        return smearing.pinhole(q, dq, oversample)
    if length is not None or width is not None:
        sides = [np.zeros(q.shape) if s is None else s for s in (length, width)]
        if np.any(sides[0] > 0) or np.any(sides[1] > 0):
            return smearing.slit(q, sides[0], sides[1], oversample)
    return None


def _from_image(
    data: Image,
    q_range: tuple[Any, Any] | None,
    weights: str,
    resolution: bool,
) -> Dataset:
    qx, qy = data.qx.ravel(), data.qy.ravel()
    keep = np.isfinite(qx) & np.isfinite(qy)
    if data.mask is not None:
        keep &= data.mask.ravel()
    qx, qy = (np.where(keep, v, 0.0) for v in (qx, qy))
    keep &= _inside(np.hypot(qx, qy), q_range)
    intensity = data.intensity.ravel()
    sigma = None if data.sigma is None else data.sigma.ravel()
    coords: dict[str, Any] = {"qx": qx, "qy": qy}
    smeared = False
    if resolution and data.dqx is not None and data.dqy is not None:
        smeared = bool(np.any(data.dqx > 0) or np.any(data.dqy > 0))
    if smeared:
        dqx, dqy = (
            np.where(keep & np.isfinite(w), w, 0.0)
            for w in (np.asarray(data.dqx).ravel(), np.asarray(data.dqy).ravel())
        )
        smear = smearing.pinhole_plane(qx, qy, dqx, dqy, axes=data.dq_axes)
        coords |= {
            "qx_calc": smear.qx_calc,
            "qy_calc": smear.qy_calc,
            "smear_weights": smear.weights,
        }
    dims = {
        "qx": ("point",),
        "qy": ("point",),
        "qx_calc": ("point", None),
        "qy_calc": ("point", None),
        "smear_weights": (None,),
    }
    return Dataset(
        intensity,
        _errors(intensity, sigma, weights),
        keep,
        coords,
        {k: dims[k] for k in coords},
        {"qx": "1/Å", "qy": "1/Å", "y": data.intensity_unit},
        {
            **data.metadata,
            "title": data.title,
            "run": data.run,
            "shape": data.intensity.shape,
            "resolution": "pinhole" if smeared else "none",
            "weights": weights,
        },
    )
