"""Patterns as bare numbers: PyExtal and Felix images, stacks of LARBED patterns.

None of these files says what it is, so the size is all that can be checked.

- `.img` of PyExtal: eight bytes of header, then big-endian float32, 1024 x 1024.
- `.img`, `.bin` of Felix: no header, little-endian float64, n x n.
- `.npy`: a stack (reflection, row, column), and integers (reflection, 3) beside it.

Units: intensities are left as stored.

References:
    [1] PyExtal, github.com/swampni/PyExtal.
    [2] Felix, github.com/WarwickMicroscopy/Felix.
"""

import math
import os
import pathlib
import tokenize

import numpy as np

from ..errors import FormatError
from ._existing import existing_file

_HEADER = 8
_BROKEN_NPY = (
    ValueError, OSError, EOFError, TypeError, OverflowError, SyntaxError,
    RecursionError, MemoryError, tokenize.TokenError,
)  # fmt: skip


def read_img(
    path: str | os.PathLike[str], shape: tuple[int, int] = (1024, 1024)
) -> np.ndarray:
    """Pattern (row, column) of a PyExtal `.img` file, float32.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: the size is not that of `shape`.
    """
    path = existing_file(path, "an .img file")
    _check_shape(path, shape)
    need, size = _HEADER + 4 * math.prod(shape), path.stat().st_size
    if size != need:
        raise FormatError(
            f"{path}: {size} bytes; expected {need}, a header of {_HEADER} and "
            f"{shape[0]} x {shape[1]} of float32 (another size: shape=)"
        )
    raw = path.read_bytes()
    pixels = np.frombuffer(raw, ">f4", math.prod(shape), _HEADER)
    return pixels.reshape(shape).astype(np.float32)


def read_felix(
    path: str | os.PathLike[str], shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Pattern (row, column) of a Felix image without header, square unless `shape`.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: the size is not that of a square, or of `shape`.
    """
    path = existing_file(path, "a Felix image")
    size = path.stat().st_size
    if shape is None:
        side = math.isqrt(size // 8)
        shape = (side, side)
    _check_shape(path, shape)
    if size != 8 * math.prod(shape):
        raise FormatError(
            f"{path}: {size} bytes; expected {8 * math.prod(shape)}, {shape[0]} x "
            f"{shape[1]} of float64 (not square: shape=)"
        )
    return np.frombuffer(path.read_bytes(), "<f8").reshape(shape).astype(np.float64)


def read_stack(
    path: str | os.PathLike[str], g_index: str | os.PathLike[str] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Patterns (n, row, column) of a `.npy` file and their reflections (n, 3).

    Args:
        path: the stack; a single pattern (row, column) is a stack of one.
        g_index: a `.npy` file of as many integers h, k, l; None leaves them out.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at a path.
        FormatError: no array of numbers, or not of these shapes.
    """
    path = existing_file(path, "a .npy file of patterns")
    stack = _array(path)
    if stack.ndim == 2:
        stack = stack[None]
    if stack.ndim != 3 or 0 in stack.shape or stack.dtype.kind not in "fiu":
        raise FormatError(
            f"{path}: {stack.dtype} of shape {stack.shape}; expected real numbers "
            "(reflection, row, column)"
        )
    if g_index is None:
        return stack, None
    beside = existing_file(g_index, "a .npy file of reflections")
    hkl = _array(beside)
    if hkl.shape != (len(stack), 3) or hkl.dtype.kind not in "fiu":
        raise FormatError(
            f"{beside}: {hkl.dtype} of shape {hkl.shape}; expected integers "
            f"({len(stack)}, 3) for the patterns of {path.name}"
        )
    whole = np.isfinite(hkl).all() and (np.abs(hkl) < 2**31).all()
    if not whole or (hkl != np.rint(hkl)).any():
        raise FormatError(f"{beside}: not all integers; expected h, k, l in rows")
    return stack, hkl.astype(np.int64)


def _check_shape(path: pathlib.Path, shape: tuple[int, int]) -> None:
    if min(shape) < 1:
        raise FormatError(f"{path}: shape is {shape}; expected (rows, columns) >= 1")


def _array(path: pathlib.Path) -> np.ndarray:
    """The array of a `.npy` file, native byte order.

    Mapped before it is copied: a header that promises more than the file holds is then
    refused, where reading would ask for the memory first.
    """
    with path.open("rb") as file:
        start = file.read(6)
    if start != np.lib.format.MAGIC_PREFIX:
        raise FormatError(f"{path}: begins with {start!r}; expected a .npy file")
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except _BROKEN_NPY as error:
        raise FormatError(f"{path}: expected a complete .npy file ({error})") from error
    if mapped.dtype.kind not in "fiu":
        raise FormatError(f"{path}: holds {mapped.dtype}; expected real numbers")
    return np.array(mapped, mapped.dtype.newbyteorder("="))
