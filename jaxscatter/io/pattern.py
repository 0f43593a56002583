"""Electron diffraction patterns from any format that holds one.

- DM3 and DM4, told by their first four bytes.
- `.npy`; npz and HDF5 with one array of two or three dimensions, or the one named.
- `.img` and `.bin` without a header that names them: PyExtal's or Felix's by the size.

Units: intensities are left as stored.
"""

import math
import os
import pathlib
from typing import Any

import h5py
import numpy as np

from ..errors import DataError, FormatError
from ._existing import existing_file
from .bloch_hdf5 import _MOST_PACKED, _SMALL, _array
from .bloch_img import read_felix, read_img, read_stack
from .dm import read_dm
from .two_time import _opened

DM = (b"\0\0\0\3", b"\0\0\0\4")
NPY = b"\x93NUMPY"
ARCHIVES = (b"PK\x03\x04", b"\x89HDF")
_HEADER = 8


def read_pattern(
    path: str | os.PathLike[str],
    entry: str | None = None,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """A pattern (row, column), or a stack (n, row, column), in float64.

    Args:
        path: the file.
        entry: name of the array where npz or HDF5 holds several.
        shape: (rows, columns) of bare numbers that are not square.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no known format, a broken file, or no real pattern in it.
        DataError: several arrays and no `entry`, or no such entry.
    """
    path = existing_file(path, "a pattern (DM3, DM4, .npy, npz, HDF5, .img or .bin)")
    with path.open("rb") as file:
        start = file.read(6)
    if start[:4] in DM:
        pattern = read_dm(path).data
    elif start == NPY:
        pattern = read_stack(path)[0]
        pattern = pattern[0] if len(pattern) == 1 else pattern
    elif start[:4] in ARCHIVES:
        pattern = _entry(path, entry)
    elif path.suffix.lower() in (".img", ".bin"):
        pattern = _bare(path, shape)
    else:
        raise FormatError(
            f"{path}: begins with {start!r}; expected a pattern in DM3, DM4, .npy, "
            "npz, HDF5, .img or .bin"
        )
    if pattern.dtype.kind not in "fiu" or pattern.ndim not in (2, 3):
        raise FormatError(
            f"{path}: {pattern.dtype} of shape {pattern.shape}; expected real numbers "
            "(row, column) or (n, row, column)"
        )
    return pattern.astype(np.float64)


def pattern_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of an npz or HDF5 file that may be a pattern.

    Raises:
        FormatError: a damaged file.
    """
    with _opened(pathlib.Path(path)) as file:
        return _shapes(file)


def bare_layouts(path: str | os.PathLike[str]) -> dict[str, tuple[int, int]]:
    """Square shape of the image for each program whose bare numbers have this size."""
    size = pathlib.Path(path).stat().st_size
    found = {}
    for name, header, width in (("PyExtal", _HEADER, 4), ("Felix", 0, 8)):
        side = math.isqrt(max(size - header, 0) // width)
        if side > 1 and header + width * side * side == size:
            found[name] = (side, side)
    return found


def _bare(path: pathlib.Path, shape: tuple[int, int] | None) -> np.ndarray:
    """Numbers without a description: the program is the one whose size this is."""
    found = bare_layouts(path)
    if shape is not None:
        size, n = path.stat().st_size, math.prod(shape)
        found = {"PyExtal": shape} if size == _HEADER + 4 * n else {"Felix": shape}
    if len(found) != 1:
        raise FormatError(
            f"{path}: {path.stat().st_size} bytes fit {[*found] or 'no square image'}; "
            "expected the size of one .img or .bin (not square: shape=; else read_img "
            "or read_felix)"
        )
    if "PyExtal" in found:
        return read_img(path, found["PyExtal"])
    return read_felix(path, found["Felix"])


def _shapes(file: Any) -> dict[str, tuple[int, ...]]:
    """Arrays of real numbers of two or three dimensions."""
    found: dict[str, tuple[int, ...]] = {}

    def look(name: str, node: Any) -> None:
        # groups have no shape, and empty datasets none that is a tuple
        shape = getattr(node, "shape", None) or ()
        if len(shape) in (2, 3) and 0 not in shape and node.dtype.kind in "fiu":
            found[name] = shape

    if isinstance(file, h5py.File):
        file.visititems(look)
    else:
        for name in file:
            look(name, file[name])
    return found


def _entry(path: pathlib.Path, entry: str | None) -> np.ndarray:
    """The array of that name, or the only one."""
    with _opened(path) as file:
        found = _shapes(file)
        name = next(iter(found)) if entry is None and len(found) == 1 else entry
        if name not in found:
            problem = (
                "choose one with entry=" if found else "expected one of 2 or 3 axes"
            )
            asked = "" if entry is None else f"no entry {entry!r}; "
            raise DataError(f"{asked}there are the arrays {found}; {problem}")
        if isinstance(file, h5py.File):
            limit = _MOST_PACKED * path.stat().st_size + _SMALL
            return _array(path, file, name, "fiu", limit)
        return np.asarray(file[name])
