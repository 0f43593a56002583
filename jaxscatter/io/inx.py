"""INX text, as time-of-flight reduction at TOFTOF and the ILL writes it.

A file is a sequence of blocks, one a detector group. A block has a line of eight whole
numbers, the first the number of lines that follow less one (energies and three further
lines of header) and the last the number of energies; a title; a line that begins with
angle or Q, incident energy (meV), its wave number (1/Å) and temperature (K); a line of
three numbers; and then rows of energy (meV), intensity and error in columns of fixed
width, where numbers may touch.

The first number of the third line is 2θ in degrees, Q, or a mere index, and nothing in
the file tells which: the caller says, or gives Q.

Units: as `spectra`.

References:
    [1] F. Rieutord, INX - Program for time-of-flight data reduction, ILL report
        90RI17T (1990).
"""

import os
import re

import numpy as np

from ..errors import DataError, FormatError
from ._spectra_text import row, same_axes, text_lines
from .nxspe import Numbers, elastic_q
from .spectra import Spectra, Stored, assembled, positive

FORMAT = "INX"
MEANINGS = ("angle", "q")
_EXPECTED = "INX text"
_HEADER = 3
_BEGIN = re.compile(r"\s*\d+(?:\s+-?\d+){6}\s+\d+\s*")
_TOUCHING = re.compile(r"(?<=[\d.])(?=[+-])")


def read_inx(
    path: str | os.PathLike[str],
    *,
    q: Numbers | str | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> Spectra:
    """Spectra of an INX file; see `assembled` for the arguments.

    Args:
        path: the file.
        q: Q of each block; or what the first number of each block's header is: "angle"
            (2θ in degrees, which gives the elastic Q) or "q".
        q_edges: edges of blocks that are Q bins.
        energy_sign: -1 where the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV"; the file states none.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: incomplete, or in another layout.
        DataError: an argument that cannot be used.
    """
    lines = text_lines(path, _EXPECTED)
    while lines and not lines[-1].strip():
        lines.pop()
    heads, titles, tables = [], [], []
    at = 0
    while at < len(lines):
        head, title, table, at = _block(path, lines, at)
        heads.append(head)
        titles.append(title)
        tables.append(table)
    if not tables:
        raise FormatError(f"{path}: no block; expected {_EXPECTED}")
    values = _split(path, tables)
    first = np.array([h[0] for h in heads])
    ei = _common(path, "incident energy", [h[1] for h in heads])
    two_theta = own_q = None
    shown = ", ".join(f"{v:g}" for v in first[:3]) + (", ..." if first.size > 3 else "")
    if isinstance(q, str):
        if q not in MEANINGS:
            raise DataError(f"q={q!r}: expected numbers, 'angle' or 'q'")
        if q == "angle" and (ei is None or not np.all(np.abs(first) <= 180)):
            raise DataError(
                f"{path}: q='angle', but the blocks begin with {shown} at an incident "
                f"energy of {ei} meV; expected angles up to 180 degrees and an energy"
            )
        reach = np.inf if ei is None else float(elastic_q(180.0, ei))
        if q == "q" and not np.all((first >= 0) & (first <= reach)):
            raise DataError(
                f"{path}: q='q', but the blocks begin with {shown}; expected Q from 0 "
                f"to {reach:.3g} 1/Å, what {ei} meV can reach"
            )
        two_theta, own_q = (first, None) if q == "angle" else (None, first)
    stored = Stored(
        format=FORMAT,
        energy=same_axes(path, [v[:, 0] for v in values]),
        data=np.array([v[:, 1] for v in values]),
        error=np.array([v[:, 2] for v in values]),
        q=own_q,
        no_q=(
            f"its blocks begin with {shown}, and nothing tells whether that is Q, an "
            "angle (q='q' or q='angle' says so), or an index"
        ),
        two_theta=two_theta,
        ei=ei,
        temperature=_common(path, "temperature", [h[3] for h in heads], False),
        title=titles[0],
    )
    return assembled(
        path,
        stored,
        q=None if isinstance(q, str) else q,
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )


def looks_like_inx(lines: list[str]) -> bool:
    """Whether lines begin as an INX block does."""
    return bool(lines) and _BEGIN.fullmatch(lines[0]) is not None


def _block(
    path: str | os.PathLike[str], lines: list[str], at: int
) -> tuple[list[float], str, list[tuple[int, str]], int]:
    """Third line, title and numbered data lines of a block, and where it ends."""
    where = f"{path}, line {at + 1}"
    if not _BEGIN.fullmatch(lines[at]):
        raise FormatError(
            f"{where}: {lines[at]!r}; expected the eight whole numbers that begin a "
            "block"
        )
    sizes = [int(w) for w in lines[at].split()]
    n = sizes[-1]
    if sizes[0] != n + _HEADER:
        raise FormatError(
            f"{where}: {sizes[0]} lines for {n} energies; expected {n + _HEADER}"
        )
    end = at + 1 + sizes[0]
    if end > len(lines):
        raise FormatError(
            f"{where}: the block needs {sizes[0]} lines, {len(lines) - at - 1} are "
            "left; expected a complete file"
        )
    head = row(lines[at + 2].split())
    if head is None or len(head) < 4:
        raise FormatError(
            f"{path}, line {at + 3}: {lines[at + 2]!r}; expected angle or Q, incident "
            "energy, wave number, temperature"
        )
    if row(lines[at + 3].split()) is None:
        raise FormatError(
            f"{path}, line {at + 4}: {lines[at + 3]!r}; expected three numbers"
        )
    table = [(i + 1, lines[i]) for i in range(at + 1 + _HEADER, end)]
    return head, lines[at + 1].strip(), table, end


def _split(
    path: str | os.PathLike[str], tables: list[list[tuple[int, str]]]
) -> list[np.ndarray]:
    """Energy, intensity and error of every line.

    Where all lines with blanks between their numbers end these at the same columns, the
    columns are of fixed width, and lines whose numbers touch are cut there.
    """
    ends = {
        tuple(m.end() for m in words)
        for table in tables
        for _, line in table
        if len(words := [*re.finditer(r"\S+", line)]) == 3
    }
    widths = ends.pop() if len(ends) == 1 else None
    out = []
    for table in tables:
        rows = []
        for i, line in table:
            values = _three(line, widths)
            if values is None:
                raise FormatError(
                    f"{path}, line {i}: {line!r}; expected energy, intensity and error"
                )
            rows.append(values)
        out.append(np.array(rows).reshape(-1, 3))
    return out


def _three(line: str, widths: tuple[int, ...] | None) -> list[float] | None:
    words = line.split()
    if len(words) != 3 and widths is not None and len(line) == widths[-1]:
        starts = (0, *widths[:-1])
        words = [line[a:b].strip() for a, b in zip(starts, widths, strict=True)]
    if len(words) != 3:
        words = [w for word in words for w in _TOUCHING.split(word)]
    return row(words) if len(words) == 3 else None


def _common(
    path: str | os.PathLike[str], name: str, values: list[float], strict: bool = True
) -> float | None:
    """The value of all blocks; where they may differ, their mean."""
    found = [v for v in (positive(v) for v in values) if v is not None]
    if not found:
        return None
    if strict and np.ptp(found) > 1e-3 * found[0]:
        raise FormatError(
            f"{path}: blocks of {name} {min(found):g} to {max(found):g}; expected one"
        )
    return float(np.mean(found))
