"""XPCS data that stay in their file: `stream`, for matrices larger than memory."""

import os
from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from ..io import TwoTimeFile
from ..problem import StreamedDataset
from ..problem.streamed import Piece, Reader
from .angles import selected
from .dataset import DIMS, UNITS
from .tiles import pairs_of, tile_corners

SIDE = 128
"""Side of a tile read at once, in frames."""
POINTS = 1 << 20
"""Points of all angles in a chunk."""


class TileReader(Reader):
    """Chunks of tiles of the triangle t2 > t1, in the order of `tile_corners`."""

    def __init__(
        self,
        file: TwoTimeFile,
        keep: np.ndarray,
        sigma: np.ndarray,
        first: int,
        dtype: type,
    ):
        self.file, self.keep, self.first, self.dtype = file, keep, first, dtype
        self.sigma = sigma.astype(dtype)
        n = len(file.t)
        self.down, self.right, self.side = tile_corners(n, SIDE)
        self.block = self.side**2
        self.points = (n - first) * (n - first - 1) // 2
        tiles = len(self.down)
        self.per_chunk = max(1, min(tiles, POINTS // (self.block * len(keep))))
        self.count = -(-tiles // self.per_chunk)

    def read(self, index: int) -> Piece:
        """The chunk of that number; tiles past the last have weight 0."""
        tiles = np.arange(index * self.per_chunk, (index + 1) * self.per_chunk)
        real = tiles < len(self.down)
        tiles = np.minimum(tiles, len(self.down) - 1)
        n, groups = len(self.file.t), len(self.keep)
        row, col = (
            v.reshape(len(tiles), self.block)
            for v in pairs_of(self.down[tiles], self.right[tiles], self.side)
        )
        y = np.zeros((groups, len(tiles), self.block))
        for i in np.flatnonzero(real):
            y[:, i] = self._tile(int(row[i, 0]), int(col[i, 0]))
        counts = (row < col) & (col < n) & (row >= self.first) & real[:, None]
        mask = counts[None] & np.isfinite(y)
        row, col = np.minimum(row, n - 1).ravel(), np.minimum(col, n - 1).ravel()
        coords = {
            "early": np.minimum(row, col),
            "late": np.maximum(row, col),
            "row": row,
            "col": col,
        }
        wide = np.broadcast_to(self.sigma[:, None], (groups, row.size))
        return Piece(
            np.where(mask, y, 0.0).reshape(groups, -1).astype(self.dtype),
            np.ascontiguousarray(wide),
            mask.reshape(groups, -1).astype(self.dtype),
            {k: v.astype(np.int32) for k, v in coords.items()},
        )

    def _tile(self, down: int, right: int) -> np.ndarray:
        """c2 (angle, block) of one tile; zero past the last frame."""
        n, side = len(self.file.t), self.side
        rows = slice(down, min(down + side, n))
        cols = slice(right, min(right + side, n))
        out = np.zeros((len(self.keep), side, side))
        if rows.start < n and cols.start < n:
            values = self.file.tile(rows, cols)[self.keep]
            out[:, : values.shape[1], : values.shape[2]] = values
        return out.reshape(len(self.keep), -1)


def stream(
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
    single: bool = False,
) -> StreamedDataset:
    """Measured c2 of one Q, left in its HDF5 file and read tile by tile.

    Everything that `load` gives works on it but what needs all points at once: figures
    of matrices, residuals, predictions. Every evaluation reads the file again.

    Args:
        path: APS-U, older APS or plain HDF5.
        q: 1/Å; the nearest one in the file.
        dt: s between frames; default from the file.
        start_frame: first frame, counted from 1.
        end_frame: last frame, included; -1 is the last.
        sigma: one error, or one per angle; without it the covariance is scaled by the
            reduced χ².
        phi_ranges: degrees, see `selected`; default all angles.
        fallback: all angles, with a warning, where none lies in the ranges.
        exclude_t0: leave out the first frame.
        single: hold chunks in single precision, for `precision="mixed"`.

    Raises:
        FileNotFoundError, FormatError: no such file, or not an HDF5 layout.
        DataError: frames, angles or errors that cannot be used.
    """
    file = TwoTimeFile(path, q=q, dt=dt, start_frame=start_frame, end_frame=end_frame)
    keep = np.arange(len(file.phi))
    errors = np.ones(len(keep)) if sigma is None else np.asarray(sigma, dtype=float)
    errors = np.broadcast_to(errors, keep.shape) if errors.ndim == 0 else errors
    if errors.shape != keep.shape or not np.all(np.isfinite(errors) & (errors > 0)):
        raise DataError(
            f"sigma is {sigma}; expected one positive number, or {len(keep)} of them"
        )
    if phi_ranges is not None:
        keep = selected(file.phi, phi_ranges, fallback)
    reader = TileReader(
        file,
        keep,
        errors[keep],
        1 if exclude_t0 else 0,
        np.float32 if single else np.float64,
    )
    coords = {
        "phi": file.phi[keep],
        "q": file.q[keep],
        "t": file.t,
        "dt": np.array(file.dt),
    }
    return StreamedDataset(
        reader,
        coords,
        {k: DIMS[k] for k in coords},
        UNITS,
        {
            "technique": "xpcs",
            "group": "phi",
            "x": "late",
            "y_label": "c2",
            "sample": str(os.fspath(path)),
            "warnings": file.metadata["warnings"],
        },
        sigma_given=sigma is not None,
        block=reader.block,
    )
