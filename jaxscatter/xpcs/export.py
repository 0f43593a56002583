"""XPCS data as files: matrices again, in the layouts that `load` reads.

Units: times in s, angles in degrees, q in 1/Å.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DataError, ModelError
from ..io import TwoTime, write_aps_u, write_cache, write_npz, write_plain
from ..problem import Dataset
from .diagonal import corrected_diagonal

LAYOUTS = ("aps_u", "plain", "npz", "cache")


def to_two_time(data: Dataset) -> TwoTime:
    """Full matrices of data, for the writers of `io`.

    The diagonal is the coordinate "diagonal" (group, n) where the data have one, and
    else the mean of its neighbours. Masked points are NaN. Errors have no place in it.

    Raises:
        DataError: no XPCS data, or their times do not start at 0.
    """
    for name in ("early", "late", "phi", "q", "t", "dt"):
        if name not in data.coords:
            raise DataError(f"the data have no coordinate {name!r}; use js.xpcs.load")
    y = np.where(np.asarray(data.mask) > 0, np.asarray(data.y), np.nan)
    c2 = corrected_diagonal(filled(data.coords, y, data.mask))
    if "diagonal" in data.coords:
        k = np.arange(c2.shape[-1])
        c2[:, k, k] = np.asarray(data.coords["diagonal"])
    t = np.asarray(data.coords["t"], dtype=float)
    return TwoTime(
        c2,
        np.asarray(data.coords["phi"], dtype=float),
        np.asarray(data.coords["q"], dtype=float),
        float(data.coords["dt"]),
        t,
        dict(data.metadata),
    )


def filled(coords: Mapping[str, Any], values: Any, mask: Any) -> np.ndarray:
    """Values (φ, point) as symmetric matrices (φ, n, n), NaN on the diagonal.

    A point that a problem added, of weight 0, never hides the one whose place it has.
    """
    n = len(np.asarray(coords["t"]))
    early, late = (np.asarray(coords[k]).astype(int) for k in ("early", "late"))
    values, seen = np.asarray(values, dtype=float), np.asarray(mask) > 0
    out = np.full((len(values), n, n), np.nan)
    for matrix, row, valid in zip(out, values, seen, strict=True):
        for keep in (~valid, valid):
            matrix[early[keep], late[keep]] = row[keep]
            matrix[late[keep], early[keep]] = row[keep]
        np.fill_diagonal(matrix, np.nan)
    return out


def save(
    data: Dataset, path: str | os.PathLike[str], layout: str | None = None
) -> pathlib.Path:
    """Path of the file that now holds the data; it appears complete or not at all.

    No layout holds errors: give `sigma` again to `load`.

    Args:
        data: from `load`, `from_matrices` or `simulate`.
        path: file to write; an older one is replaced.
        layout: "aps_u" (HDF5, one half matrix per q and angle), "plain" (HDF5 of c2, t,
            phi, q), "npz" (the same arrays) or "cache" (npz of other programs, one q);
            default "npz" for a name that ends so, else "aps_u".

    Raises:
        ModelError: no such layout. DataError: data that the layout cannot hold.
        FileNotFoundError: no such folder.
    """
    path = pathlib.Path(path)
    if layout is None:
        layout = "npz" if path.suffix.lower() == ".npz" else "aps_u"
    if layout not in LAYOUTS:
        raise ModelError(f"layout is {layout!r}; expected one of {list(LAYOUTS)}")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected a file name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name}")
    two_time = to_two_time(data)
    if layout == "cache":
        if len(np.unique(two_time.q)) > 1:
            raise DataError(
                f"q is {np.unique(two_time.q).tolist()}; expected one for a cache"
            )
        q = float(two_time.q[0])
        return write_cache(path, two_time, q, 1, -1)
    writer = {"aps_u": write_aps_u, "plain": write_plain, "npz": write_npz}[layout]
    return writer(path, two_time)
