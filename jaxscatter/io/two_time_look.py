"""What a two-time file holds, without reading its matrices.

Units: q in 1/Å, phi in degrees, dt in s.
"""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .two_time import _APS_OLD, _APS_U_C2, _opened, _step, _table, _valid


class TwoTimeContents(NamedTuple):
    """Layout and table of the matrices of a file.

    Attributes:
        layout: "aps_u", "aps_old", "plain" or "cache".
        q: of each matrix in 1/Å.
        phi: of each matrix in degrees.
        frames: smallest and largest side of the matrices.
        dt: s, or None where the file does not say it.
        dt_note: why not, or an empty text.
        skipped: matrices whose bin means nothing.
    """

    layout: str
    q: np.ndarray
    phi: np.ndarray
    frames: tuple[int, int]
    dt: float | None
    dt_note: str
    skipped: tuple[str, ...]


def two_time_contents(path: str | os.PathLike[str]) -> TwoTimeContents | None:
    """What the file holds; None where it is HDF5 or npz of another kind.

    Raises:
        FileNotFoundError: no such file.
        FormatError: a layout that is incomplete, or a damaged file.
        DataError: a table whose parts do not fit together.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with _opened(path) as file:
        if not any(k in file for k in (_APS_U_C2, _APS_OLD[2], "c2", "c2_exp")):
            return None
        table = _valid(_table(file), [])
        sides = [n for shape in table.shapes for n in shape[-2:]]
        dt, note = None, ""
        try:
            dt = _step(table, None, [])
        except DataError as error:
            note = str(error)
    keep = np.isfinite(table.q)
    frames = (min(sides, default=0), max(sides, default=0))
    skipped = tuple(str(s) for s in table.skipped)
    return TwoTimeContents(
        table.layout, table.q[keep], table.phi[keep], frames, dt, note, skipped
    )
