"""Two-time matrices read in tiles, for files larger than memory.

The same HDF5 layouts, choice of Q and frames as `two_time`; npz files cannot be read in
parts. Only values are taken, above the diagonal; errors come from the caller.

Units: q in 1/Å, phi in degrees, dt and t in s.
"""

import os
import pathlib
import warnings
from typing import Any

import h5py
import numpy as np

from ..errors import DataError, DataWarning, FormatError
from .two_time import (
    Number,
    _frames,
    _rows,
    _step,
    _Table,
    _table,
    _valid,
    _whole_frames,
)


class TwoTimeFile:
    """An open two-time file.

    Args:
        path, q, dt, start_frame, end_frame, q_tolerance: see `read_two_time`.

    Raises:
        FileNotFoundError: no such file.
        FormatError: not HDF5, or none of the layouts.
        DataError: arguments or shapes that cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        q: Number | None = None,
        dt: Number | None = None,
        start_frame: Number | np.integer = 1,
        end_frame: Number | np.integer = -1,
        q_tolerance: Number = 0.1,
    ):
        for name, value in (("q", q), ("dt", dt), ("q_tolerance", q_tolerance)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise DataError(f"{name}={value!r}: expected a positive number")
        first, last = _whole_frames(start_frame, end_frame)
        self.path = pathlib.Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"{path}: no such file")
        if not h5py.is_hdf5(self.path):
            raise FormatError(
                f"{path}: not HDF5, so it cannot be read in parts; use load"
            )
        self._file = h5py.File(self.path)
        notes: list[str] = []
        self._table: _Table = _valid(_table(self._file), notes)
        self._rows = _rows(self._table, q, q_tolerance, notes)
        self._frames = _frames(self._table, self._rows, first, last, notes)
        self.dt = _step(self._table, dt, notes)
        self.t = self.dt * np.arange(self._frames.stop - self._frames.start)
        self.phi, self.q = self._table.phi[self._rows], self._table.q[self._rows]
        self._below = [self._stored_below(row) for row in self._rows]
        for note in notes:
            warnings.warn(f"{self.path.name}: {note}", DataWarning, stacklevel=2)
        self.metadata: dict[str, Any] = {
            "layout": self._table.layout,
            "path": str(path),
            "warnings": tuple(notes),
        }

    def _stored_below(self, row: int) -> bool:
        """Whether a half matrix holds the triangle below the diagonal only."""
        if not self._table.half:
            return False
        start, stop = self._frames.start, self._frames.stop
        few = slice(start, min(start + 8, stop))
        every = slice(start, stop)
        above = np.triu(np.nan_to_num(self._table.read(row, few, every)), 1)
        below = np.tril(np.nan_to_num(self._table.read(row, every, few)), -1)
        return bool(below.any() and not above.any())

    def tile(self, down: slice, right: slice) -> np.ndarray:
        """c2 (phi, rows, columns) of a part above the diagonal: rows before columns."""
        start = self._frames.start
        down = slice(down.start + start, down.stop + start)
        right = slice(right.start + start, right.stop + start)
        parts = [
            self._table.read(row, right, down).T
            if below
            else self._table.read(row, down, right)
            for row, below in zip(self._rows, self._below, strict=True)
        ]
        return np.stack(parts)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
