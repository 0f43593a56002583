"""Lines and numbers of text files of spectra."""

import os
import re

import numpy as np

from ..errors import FormatError
from ._existing import existing_file

_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|nan|inf(?:inity)?)", re.IGNORECASE
)


def text_lines(path: str | os.PathLike[str], expected: str) -> list[str]:
    """Lines of a text file, without trailing blanks.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: empty or binary.
    """
    path = existing_file(path, expected)
    raw = path.read_bytes()
    if b"\0" in raw:
        raise FormatError(f"{path}: binary, not text; expected {expected}")
    return [x.rstrip() for x in raw.decode("utf-8-sig", errors="replace").split("\n")]


def number(word: str) -> float | None:
    """Value of a word that is one number, Fortran exponents included, or None."""
    if not _NUMBER.fullmatch(word):
        return None
    return float(word.lower().replace("d", "e"))


def row(words: list[str]) -> list[float] | None:
    """Values of words that are all numbers, or None."""
    values = [number(w) for w in words]
    return None if None in values else [v for v in values if v is not None]


def same_axes(path: str | os.PathLike[str], axes: list[np.ndarray]) -> np.ndarray:
    """The energies that all spectra share.

    Raises:
        FormatError: they do not.
    """
    first = axes[0]
    for i, axis in enumerate(axes[1:], 2):
        if axis.shape != first.shape:
            raise FormatError(
                f"{path}: spectrum {i} has {axis.size} energies; expected {first.size} "
                "as the first (is the file complete?)"
            )
        if not np.allclose(axis, first, rtol=1e-9, atol=1e-9, equal_nan=True):
            raise FormatError(
                f"{path}: the energies of spectrum {i} are not those of the first; "
                "expected one axis for all"
            )
    return first
