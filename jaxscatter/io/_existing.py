"""Paths that must hold a file before a reader opens it."""

import os
import pathlib

from ..errors import FormatError


def existing_file(path: str | os.PathLike[str], expected: str) -> pathlib.Path:
    """`path`, where there is a file with something in it; `expected` says what.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: the file is empty.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected {expected}")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected {expected}")
    if path.stat().st_size == 0:
        raise FormatError(f"{path}: empty file; expected {expected}")
    return path
