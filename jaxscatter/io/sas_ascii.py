"""Text tables of small-angle data: generic columns, NIST 6-column, NIST 2-D.

Three layouts, told apart by their headers:

- generic: Q, I, dI, dQ (two to seven columns, those after the fourth ignored),
  separated by blanks, commas or semicolons; the header is what comes before five
  consecutive rows of as many numbers, the table ends at the first line that differs.
- NIST 6-column (.ABS, .cor): after a line "The 6 columns ..." (SANS) or "EMP LEVEL ..."
  (USANS): Q, I, dI, sigmaQ, meanQ, shadow factor; sigmaQ < 0 is a slit of that length.
- NIST 2-D (.dat): a line "Data columns ..." or "ASCII data ..."; Qx, Qy, I, and then,
  where the header names err(I): dI, Qz, sigmaQ along and across Q, shadow factor, mask.

Units: 1/Å and 1/cm, unless the header gives another behind a column's name, such as
"Q (1/nm)"; they leave as 1/Å and 1/cm. Wavelength in Å, distance in m, thickness in cm.

References:
    [1] S. R. Kline, J. Appl. Cryst. 39, 895 (2006): the NIST macros that write these.
    [2] SasView documentation, "Data Formats".
"""

import os
import pathlib
import re
from typing import Any, NamedTuple

import numpy as np

from ..errors import FormatError
from . import _sas_clean as clean
from . import _sas_units as units
from .curve import Curve, Image

MINIMUM_ROWS = 5
_MANY_COLUMNS = 8
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[ed][+-]?\d+)?|nan|inf(?:inity)?)", re.IGNORECASE
)
_DECIMAL_COMMAS = re.compile(r"\d,\d.*(?:;|(?<![\s,])\s+(?![\s,]))|;.*\d,\d|\s\d+,\d")
_BRACKET = (
    r"(?:\((?P<round>(?:[^()]|\([^()]*\))*)\)|\[(?P<square>[^\]]*)\]"
    r"|/\s*(?P<slash>[^\s,;|]+))"
)
_Q_UNIT = re.compile(rf"(?:^|[\s,;|<\"#])\|?[qx]\|?>?\s*{_BRACKET}", re.IGNORECASE)
_I_UNIT = re.compile(
    rf"(?:^|[\s,;|<\"#])[iy](?:\s*\([qx]\))?>?\s*{_BRACKET}", re.IGNORECASE
)
_ROLES = {
    "q": {"q", "x"},
    "I": {"i", "y", "intensity", "iq"},
    "dI": {"di", "dy", "err", "error", "idev", "sigma", "sigmai", "std", "ierr"},
    "dQ": {"dq", "dx", "qdev", "sigmaq", "dsigq", "dqdev"},
}


class _Table(NamedTuple):
    values: np.ndarray  # (row, column)
    header: list[str]
    first_line: int  # of the numbers, counted from 1


def read_ascii(path: str | os.PathLike[str]) -> tuple[Curve | Image, ...]:
    """The curve or image of a text file, as a tuple of one.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: binary, fewer than five rows, eight or more columns that no header
            names, an unknown unit, decimal commas, columns in another order, or a
            negative dQ.
    """
    path = clean.existing_file(path)
    lines = _text(path).splitlines()
    start = _after(lines, ("the 6 columns", "emp level"))
    if start is not None:
        return (_nist_curve(path, _table(path, lines, start, 6)),)
    columns = next(
        (x for x in lines if "data columns" in x.lower() and "qx" in x.lower()), None
    )
    start = _after(lines, ("ascii data",))
    if columns is not None or start is not None:
        after = lines.index(columns) + 1 if columns is not None else 0
        return (_nist_image(path, _table(path, lines, start or after), columns),)
    return (_generic_curve(path, _table(path, lines, 0)),)


def _generic_curve(path: pathlib.Path, table: _Table) -> Curve:
    """Curve of a table of Q, I, dI, dQ."""
    n = table.values.shape[1]
    if n >= _MANY_COLUMNS:
        raise FormatError(
            f"{path}: {n} columns from line {table.first_line}; expected Q, I, dI, dQ. "
            "2-D ASCII needs its header line 'Data columns are Qx - Qy - I(Qx,Qy) ...'"
        )
    _check_order(path, table)
    metadata, q_unit, i_unit = _described(path, table, "ascii")
    q, i, *rest = table.values[:, :4].T
    intensity, unit = clean.intensities(str(path), i, i_unit)
    sigma = clean.intensities(str(path), rest[0], i_unit)[0] if rest else None
    dq = clean.q_values(str(path), rest[1], q_unit) if len(rest) > 1 else None
    q = clean.q_values(str(path), q, q_unit)
    return clean.cleaned(
        path,
        {"q": q, "intensity": intensity, "sigma": sigma, "dq": dq},
        metadata=metadata,
        name=path.stem,
        intensity_unit=unit,
    )


def _nist_curve(path: pathlib.Path, table: _Table) -> Curve:
    """Curve of the six columns of NIST."""
    metadata, q_unit, i_unit = _described(path, table, "nist-1d")
    q, i, sigma, dq, q_mean, shadow = table.values.T
    q, dq, q_mean = (clean.q_values(str(path), x, q_unit) for x in (q, dq, q_mean))
    intensity, unit = clean.intensities(str(path), i, i_unit)
    sigma, _ = clean.intensities(str(path), sigma, i_unit)
    resolution: dict[str, np.ndarray | None] = {"dq": dq}
    if (dq < 0).any():
        if (dq > 0).any():
            raise FormatError(
                f"{path}: sigmaQ of both signs; expected all positive (pinhole) or all "
                "negative (slit)"
            )
        resolution = {"q_length": -dq}
    return clean.cleaned(
        path,
        {"q": q, "intensity": intensity, "sigma": sigma, **resolution},
        kept={"q_mean": q_mean, "shadow_factor": shadow},
        metadata=metadata,
        name=path.stem,
        intensity_unit=unit,
    )


def _nist_image(path: pathlib.Path, table: _Table, columns: str | None) -> Image:
    """Image of a list of pixels."""
    n = table.values.shape[1]
    if n < 3 or (columns is None and n > 3):
        raise FormatError(
            f"{path}: column order unclear, {n} columns from line {table.first_line}; "
            "expected Qx Qy I, or a header line 'Data columns are Qx - Qy - I(Qx,Qy) "
            "- err(I) - ...' that names them"
        )
    metadata, _, _ = _described(path, table, "nist-2d")
    metadata["source_units"] = {"q": "1/A", "intensity": "1/cm"}  # the layout's own
    names = ["qx", "qy", "intensity"]
    if columns is not None and "err(i)" in columns.lower():
        names.append("sigma")
    names += ["qz", "dqx", "dqy", "shadow_factor", "hidden"]
    data = dict(zip(names, table.values.T, strict=False))
    pixel = {k: data[k] for k in ("qx", "qy", "intensity")}
    if not (np.isfinite(data["qx"]) & np.isfinite(data["qy"])).all():
        raise FormatError(f"{path}: Qx or Qy is not finite; expected numbers")
    if "shadow_factor" in data:
        metadata["shadow_factor"] = data["shadow_factor"]
    sigma = data.get("sigma")
    both = "dqx" in data and "dqy" in data and data["dqx"].any() and data["dqy"].any()
    return Image(
        **pixel,
        sigma=sigma if sigma is not None and sigma.any() else None,
        dqx=data["dqx"] if both else None,
        dqy=data["dqy"] if both else None,
        dq_axes="polar" if both else "xy",
        mask=data["hidden"] == 0 if "hidden" in data else None,
        name=path.stem,
        metadata=metadata,
    )


def _text(path: pathlib.Path) -> str:
    """The file decoded; a file that is no text is refused."""
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw:
        raise FormatError(
            f"{path}: binary, starting {raw[:8]!r}; expected text, canSAS XML or "
            "NXcanSAS (HDF5)"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # old headers hold Å or µ of an 8-bit code
        return raw.decode("latin-1")


def _after(lines: list[str], starts: tuple[str, ...]) -> int | None:
    """Index of the line after the first that starts so."""
    for i, line in enumerate(lines):
        if line.strip().strip('"').lower().startswith(starts):
            return i + 1
    return None


def _row(line: str) -> list[float] | None:
    """Two or more numbers of a line, or None where anything else is in it."""
    fields = re.split(r"\s*[,;]\s*|\s+", line.replace('"', "").strip().rstrip(",;"))
    if len(fields) < 2 or not all(_NUMBER.fullmatch(x) for x in fields):
        return None
    return [float(x.lower().replace("d", "e")) for x in fields]


def _table(
    path: pathlib.Path, lines: list[str], start: int, columns: int | None = None
) -> _Table:
    """First block of five or more rows of as many numbers, at or after `start`."""
    block: list[list[float]] = []
    first = best = blanks = 0
    stop = len(lines)
    for i in range(start, len(lines)):
        if not lines[i].strip():
            blanks += 1
            if blanks > 1 and len(block) >= MINIMUM_ROWS:
                stop = i
                break
            continue
        row = _row(lines[i])
        if row and block and blanks < 2 and len(row) == len(block[0]):
            block.append(row)
        elif len(block) >= MINIMUM_ROWS:
            stop = i
            break
        else:
            block, first = ([row] if row else []), i
        blanks = 0
        best = max(best, len(block))
    if len(block) < MINIMUM_ROWS:
        raise FormatError(
            f"{path}: {best} consecutive rows of numbers in {len(lines)} lines; "
            f"expected at least {MINIMUM_ROWS} of Q, I, dI, dQ (or canSAS XML, or "
            "NXcanSAS in HDF5)"
        )
    if columns is not None and len(block[0]) != columns:
        raise FormatError(
            f"{path}: {len(block[0])} columns from line {first + 1}; expected {columns}"
        )
    if any(_DECIMAL_COMMAS.search(x.strip()) for x in lines[first : first + 2]):
        raise FormatError(
            f"{path}: line {first + 1} has commas between digits and another separator "
            "too; expected decimal points"
        )
    rest = sum(_row(x) is not None for x in lines[stop:])
    if rest:
        clean.warn(
            path,
            f"the table ends before line {stop + 1}, which differs; {rest} rows "
            "of numbers after it are not read",
        )
    return _Table(np.array(block), lines[:first], first + 1)


def _check_order(path: pathlib.Path, table: _Table) -> None:
    """Refuse columns whose names or values say another order than Q, I, dI, dQ."""
    q, i = table.values[:, 0], table.values[:, 1]
    steady = bool((np.diff(i) > 0).all()) and i[0] >= 0
    wander = bool((np.diff(q) > 0).any() and (np.diff(q) < 0).any())
    if steady and wander:
        raise FormatError(
            f"{path}: column order unclear, the second column increases steadily and "
            "the first does not; expected Q, I, dI, dQ"
        )
    titles = [x for x in table.header if x.strip()][-1:]
    bare = re.sub(r"\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]", "", "".join(titles))
    names = [re.sub(r"[^a-z]", "", x.lower()) for x in re.split(r"[\s,;|]+", bare)]
    names = [x for x in names if x]
    known = sum(any(x in role for role in _ROLES.values()) for x in names)
    if len(names) != table.values.shape[1] or known < 2:
        return
    for name, place in zip(names, _ROLES, strict=False):
        role = next((k for k, those in _ROLES.items() if name in those), place)
        if role != place:
            raise FormatError(
                f"{path}: line {table.first_line - 1} calls the columns {names}; "
                "expected them in the order Q, I, dI, dQ"
            )


def _described(
    path: pathlib.Path, table: _Table, layout: str
) -> tuple[dict[str, Any], str, str]:
    """Metadata of the header, and the units it gives for q and intensity."""
    header = [x.strip() for x in table.header if x.strip()]
    q_unit = _stated_unit(header, _Q_UNIT, "1/A")
    i_unit = _stated_unit(header, _I_UNIT, "1/cm")
    metadata: dict[str, Any] = {
        "path": str(path),
        "format": layout,
        "source_units": {"q": q_unit, "intensity": i_unit},
        "header": header,
    }
    place = next((i for i, x in enumerate(header[:-1]) if "LAMBDA" in x), None)
    if place is not None:
        # MON CNT, LAMBDA, DET ANG, DET DIST, TRANS, THICK (may carry a letter), ...
        fields = [re.sub(r"[A-Za-z]$", "", x) for x in header[place + 1].split()]
        keys = {1: "wavelength", 3: "detector_distance", 4: "transmission"}
        for at, key in {**keys, 5: "thickness"}.items():
            if at < len(fields) and _NUMBER.fullmatch(fields[at]):
                metadata[key] = float(fields[at])
    return metadata, q_unit, i_unit


def _stated_unit(header: list[str], pattern: re.Pattern[str], default: str) -> str:
    """The last unit that the header gives behind a column's name."""
    stated = default
    for line in header:
        for found in pattern.finditer(line):
            text = found["round"] or found["square"] or found["slash"] or ""
            if units.looks_like_a_unit(text):
                stated = text.strip()
    return stated
