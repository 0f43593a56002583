"""HDF5 files of other programs, opened so that damage is one clear error.

A damaged file may state any size for an array, so a size is checked against that of the
file before memory is taken for it.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError, JaxscatterError
from ._existing import existing_file

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_BROKEN = (
    OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError, IndexError,
    OverflowError, MemoryError, NotImplementedError,
)  # fmt: skip
_MOST_PACKED = 5000  # deflate reaches 1032


def is_hdf5(path: pathlib.Path) -> bool:
    """Whether the file begins as HDF5 does."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


@contextlib.contextmanager
def opened(path: str | os.PathLike[str], expected: str) -> Iterator[Any]:
    """The open file; whatever HDF5 raises inside becomes a FormatError.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not HDF5, or not complete.
    """
    path = existing_file(path, expected)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except JaxscatterError:
        raise
    except _BROKEN as error:
        raise FormatError(
            f"{path}: expected {expected}, complete HDF5 ({error})"
        ) from error


def numbers(group: Any, name: str, expected: str) -> np.ndarray:
    """A data set of numbers, as float64 and in its own shape.

    Raises:
        FormatError: absent, not numbers, or larger than its file can hold.
    """
    where = f"{group.file.filename}: {group.name.rstrip('/')}/{name}"
    node = group.get(name)
    if not isinstance(node, h5py.Dataset):
        raise FormatError(f"{where} is not there; expected {expected}")
    if node.dtype.kind not in "iuf":
        raise FormatError(f"{where} has type {node.dtype}; expected {expected}")
    check_size(node)
    with np.errstate(all="ignore"):
        return np.asarray(node[()], float)


def check_size(node: h5py.Dataset) -> None:
    """Refuse a data set that states more numbers than its file can hold.

    Raises:
        FormatError: it does.
    """
    most = _MOST_PACKED * os.path.getsize(node.file.filename)
    if node.size is None or node.size * node.dtype.itemsize > most:
        raise FormatError(
            f"{node.file.filename}: {node.name} has shape {node.shape}, more than the "
            "file can hold; expected a complete file"
        )


def text(value: Any) -> str:
    """First element of an attribute or data set as text; "" for None."""
    if value is None or np.size(value) == 0:
        return ""
    first = np.ravel(np.asarray(value))[0]
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)
