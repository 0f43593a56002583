"""DAVE group files (.grp): spectra on one energy axis as text, read and written.

The numbers of energies and of rows, the energies, the values of the rows (mostly Q),
and then for each row a line "# Group i" and the pairs "value error". Captions carry
units: "# Energy transfer (micro eV) values". Mantid writes these files too.

Units: as `spectra`. An error that is not positive masks its point; written files use
the value 0 and the error -1.

References:
    [1] R. T. Azuah et al., J. Res. Natl. Inst. Stand. Technol. 114, 341 (2009): DAVE.
"""

import os
import pathlib
import re

import numpy as np

from ..errors import DataError, FormatError
from ._spectra_text import number, row, text_lines
from .nxspe import Numbers
from .spectra import (
    MEV_PER,
    Spectra,
    Stored,
    assembled,
    stated_energy_unit,
    stated_q_factor,
)

FORMAT = "DAVE grp"
_EXPECTED = "a DAVE group file (.grp)"
_COUNT = re.compile(r"#\s*Number of (?P<what>.*?)\s*values\s*:?", re.IGNORECASE)
_VALUES = re.compile(r"#\s*(?P<what>.*?)\s*values\s*:?", re.IGNORECASE)
_GROUP = re.compile(r"#\s*Group\b.*", re.IGNORECASE)
_UNIT_TEXT = {"meV": "meV", "ueV": "micro eV"}
_OTHER_AXES = r"wavelength|time|tof|spacing|angstrom|second|momentum|\bq\b"


def read_dave(
    path: str | os.PathLike[str],
    *,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> Spectra:
    """Spectra of a DAVE group file; see `assembled` for the arguments.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: incomplete, in another layout, or not in energies.
        DataError: an argument that cannot be used or contradicts the file.
    """
    lines = _Lines(path, text_lines(path, _EXPECTED))
    lines.caption(_COUNT, "'# Number of ... values'")
    n = lines.count()
    lines.caption(_COUNT, "'# Number of ... values'")
    rows = lines.count()
    x_caption = lines.caption(_VALUES, "'# <caption> (<unit>) values'")
    unit = _energy_unit(path, x_caption)
    energy = lines.table(n, 1)[:, 0]
    y_caption = lines.caption(_VALUES, "'# <caption> (<unit>) values'")
    y = lines.table(rows, 1)[:, 0]
    groups = []
    for _ in range(rows):
        lines.caption(_GROUP, "'# Group ...'")
        groups.append(lines.table(n, 2))
    lines.end()
    block = np.array(groups)
    factor = _q_factor(y_caption)
    stored = Stored(
        format=FORMAT,
        energy=energy,
        data=block[:, :, 0],
        error=block[:, :, 1],
        unit=unit,
        q=None if factor is None else factor * y,
        no_q=f"its rows are {y_caption!r}",
        two_theta=y if re.search(r"degree|theta", y_caption, re.I) else None,
    )
    return assembled(
        path,
        stored,
        q=q,
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )


def write_dave(
    path: str | os.PathLike[str],
    *,
    energy: Numbers,
    q: Numbers,
    data: Numbers,
    error: Numbers,
    mask: Numbers | None = None,
    energy_unit: str = "meV",
) -> pathlib.Path:
    """Path of the DAVE group file written, complete or not at all.

    Numbers are written with all their digits. Points where `mask` is False, or that
    could not be used, become the value 0 with the error -1.

    Args:
        path: the file.
        energy: energies in meV.
        q: Q of each row in 1/Å.
        data: values (row, energy).
        error: standard deviations, of the shape of data.
        mask: True where a point counts.
        energy_unit: "meV" or "ueV", of the file.

    Raises:
        DataError: shapes that do not fit, or energies or Q that cannot be read back.
    """
    if energy_unit not in _UNIT_TEXT:
        raise DataError(f"energy_unit={energy_unit!r}: expected one of {[*_UNIT_TEXT]}")
    x, rows = np.asarray(energy, float), np.atleast_1d(np.asarray(q, float))
    values, errors = np.array(data, float), np.array(error, float)
    shape = (rows.size, x.size)
    if values.shape != shape or errors.shape != shape:
        raise DataError(
            f"data {values.shape} and error {errors.shape}: expected {shape}, Q by "
            "energy"
        )
    if not (np.all(np.isfinite(x)) and np.all(np.diff(x) > 0)):
        raise DataError("energy: expected finite, strictly increasing values")
    if not np.all(np.isfinite(rows) & (rows >= 0)):
        raise DataError("q: expected finite values >= 0 in 1/Å")
    good = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if mask is not None:
        good = good & np.broadcast_to(np.asarray(mask, bool), shape)
    values, errors = np.where(good, values, 0.0), np.where(good, errors, -1.0)
    lines = [
        "# Number of Energy transfer values", str(x.size),
        "# Number of q values", str(rows.size),
        f"# Energy transfer ({_UNIT_TEXT[energy_unit]}) values",
        *(repr(float(v)) for v in x / MEV_PER[energy_unit]),
        "# q (1/Angstroms) values",
        *(repr(float(v)) for v in rows),
    ]  # fmt: skip
    for i, (v, e) in enumerate(zip(values, errors, strict=True)):
        lines.append(f"# Group {i}")
        lines += [f"{float(a)!r} {float(b)!r}" for a, b in zip(v, e, strict=True)]
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text("\n".join(lines) + "\n", "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def looks_like_dave(lines: list[str]) -> bool:
    """Whether lines begin as a DAVE group file does."""
    first = next((x.strip() for x in lines if x.strip()), "")
    return _COUNT.fullmatch(first) is not None


class _Lines:
    """Lines of the file in their order, each taken once."""

    def __init__(self, path: str | os.PathLike[str], lines: list[str]):
        self.path, self.at = path, 0
        self.lines = [(i, x.strip()) for i, x in enumerate(lines, 1) if x.strip()]

    def next(self, expected: str) -> tuple[int, str]:
        if self.at >= len(self.lines):
            raise FormatError(f"{self.path}: ends early; expected {expected}")
        self.at += 1
        return self.lines[self.at - 1]

    def caption(self, pattern: re.Pattern[str], expected: str) -> str:
        i, line = self.next(expected)
        match = pattern.fullmatch(line)
        if match is None:
            raise FormatError(f"{self.path}, line {i}: {line!r}; expected {expected}")
        return match.groupdict().get("what") or ""

    def count(self) -> int:
        i, line = self.next("a number of values")
        value = number(line)
        most = len(self.lines)
        if value is None or not value.is_integer() or not 1 <= value <= most:
            raise FormatError(
                f"{self.path}, line {i}: {line!r}; expected a number of values from 1 "
                f"to {most}, the lines of the file"
            )
        return int(value)

    def table(self, n: int, columns: int) -> np.ndarray:
        """`n` lines of so many numbers."""
        out = []
        what = "one number" if columns == 1 else f"{columns} numbers"
        for k in range(n):
            i, line = self.next(f"{what}, {k + 1} of {n}")
            values = row(line.split())
            if values is None or len(values) != columns:
                raise FormatError(
                    f"{self.path}, line {i}: {line!r}; expected {what}, {k + 1} of {n}"
                )
            out.append(values)
        return np.array(out)

    def end(self) -> None:
        if self.at < len(self.lines):
            i, line = self.lines[self.at]
            raise FormatError(
                f"{self.path}, line {i}: {line!r} after the last group; expected the "
                "end of the file"
            )


def _energy_unit(path: str | os.PathLike[str], caption: str) -> str | None:
    """Unit that the caption of the first axis states."""
    unit = stated_energy_unit(caption)
    bracket = re.search(r"\(\s*(\S.*?)\s*\)\s*$", caption)
    other = re.search(_OTHER_AXES, caption, re.IGNORECASE)
    if unit is None and (bracket or other):
        swapped = stated_q_factor(caption) is not None
        raise FormatError(
            f"{path}: the first axis is {caption!r}; expected energies in meV or "
            "micro eV" + ("; energy and Q are exchanged" if swapped else "")
        )
    return unit


def _q_factor(caption: str) -> float | None:
    """What turns the values of the rows into Q in 1/Å, None where they are no Q."""
    factor = stated_q_factor(caption)
    if factor is not None:
        return factor
    named = re.match(r"(?:q|momentum transfer)\b", caption, re.IGNORECASE)
    return 1.0 if named and "(" not in caption else None
