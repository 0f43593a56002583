"""Spectra as text columns: energy, intensity, error.

Two or three columns, separated by blanks, commas or semicolons. Lines that begin with
#, ! or %, and words before the first row of numbers, are comments. A blank line, or a
line with a single whole number (the number of a spectrum, as Mantid writes it), begins
the next spectrum, and several files may be given: all spectra share one energy axis.
Without the third column there are no errors.

Units: as `spectra`. A comment that names one of meV and µeV states the unit.
"""

import os
import re
from collections.abc import Sequence

import numpy as np

from ..errors import DataError, FormatError
from ._spectra_text import row, same_axes, text_lines
from .nxspe import Numbers
from .spectra import Spectra, Stored, assembled, stated_energy_unit

FORMAT = "text columns"
_EXPECTED = "text columns of energy, intensity and error"
_COMMENT = re.compile(r"\s*[#!%]")
_BETWEEN = re.compile(r"\s*[,;]\s*|\s+")
_INDEX = re.compile(r"\s*\d+\s*")
_OTHER_AXES = re.compile(
    r"\b(?:wavelength|time[- ]of[- ]flight|tof|d-?spacing|momentum transfer)\b", re.I
)

Block = list[list[float]]


def read_spectra_ascii(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> Spectra:
    """Spectra of one or several files of columns; arguments as for `assembled`.

    Q is not in such a file; `Spectra.q` is None without `q` or `q_edges`.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at a path.
        FormatError: another number of columns, words between numbers, or spectra on
            different energies.
        DataError: an argument that cannot be used or contradicts a file.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not paths:
        raise DataError("path=[]: expected at least one file")
    blocks: list[np.ndarray] = []
    units: set[str] = set()
    for one in paths:
        found, comments = _read(one)
        blocks += found
        unit = stated_energy_unit(comments)
        units |= set() if unit is None else {unit}
        other = _OTHER_AXES.search(comments)
        if unit is None and other:
            raise FormatError(
                f"{one}: its comments name {other[0]!r}; expected energies in meV or "
                "µeV"
            )
    name = ", ".join(os.fspath(p) for p in paths)
    if len({b.shape[1] for b in blocks}) > 1:
        raise FormatError(f"{name}: spectra with and without errors; expected one kind")
    if len(units) > 1:
        raise FormatError(f"{name}: energies in {sorted(units)}; expected one unit")
    stored = Stored(
        format=FORMAT,
        energy=same_axes(name, [b[:, 0] for b in blocks]),
        data=np.array([b[:, 1] for b in blocks]),
        error=np.array([b[:, 2] for b in blocks]) if blocks[0].shape[1] == 3 else None,
        unit=units.pop() if units else None,
        no_q="text columns have none",
    )
    return assembled(
        name,
        stored,
        q=q,
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )


def looks_like_spectra(lines: list[str]) -> bool:
    """Whether the first row of numbers is one of two or three columns."""
    for line in lines:
        if _COMMENT.match(line) or not line.strip() or _INDEX.fullmatch(line):
            continue
        values = row(_BETWEEN.split(line.strip()))
        if values is not None:
            return len(values) in (2, 3)
    return False


def _read(path: str | os.PathLike[str]) -> tuple[list[np.ndarray], str]:
    """Spectra of one file, and the text of its comments."""
    blocks: list[Block] = [[]]
    comments: list[str] = []
    columns = 0
    for i, line in enumerate(text_lines(path, _EXPECTED), 1):
        if _COMMENT.match(line):
            comments.append(line)
            continue
        if not line or _INDEX.fullmatch(line):
            blocks.append([])
            continue
        values = row(_BETWEEN.split(line.strip()))
        if values is None and columns == 0:
            comments.append(line)
            continue
        if values is None:
            raise FormatError(f"{path}, line {i}: {line!r}; expected numbers")
        if len(values) not in (2, 3):
            raise FormatError(
                f"{path}, line {i}: {len(values)} columns; expected 3 (energy, "
                "intensity, error) or 2"
            )
        if columns and len(values) != columns:
            raise FormatError(
                f"{path}, line {i}: {len(values)} columns; expected {columns} as above"
            )
        columns = len(values)
        blocks[-1].append(values)
    if not columns:
        raise FormatError(f"{path}: no row of numbers; expected {_EXPECTED}")
    return [np.array(b) for b in blocks if b], "\n".join(comments)
