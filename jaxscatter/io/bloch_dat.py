"""Input of Bloch-wave programs (`.dat`): crystal, beam, beams and structure factors.

A text of one keyword a line, in this order; those in brackets may be left out:

    crystal NAME [: dw = iso|bij|uij  occ = 1|par]
    cell a b c alpha beta gamma
    atom LABEL x y z B | b11 b22 b33 b12 b13 b23 [occupancy]   (one line a site)
    spg NUMBER SETTING
    [v0]  hv  zone u v w  norm u v w  kt kx ky kz  xaxis h k l  conv  samp
    hkl N and N lines h k l  |  sele sgmax gmax bmin kflag
    [sgmax]  sgmin  omeg
    aper R  |  out N and N lines h k l
    abs
    [adj N and N lines h k l |U| phase |U'| phase']

`#` before a word starts a comment; within one it is part of a label (Si#1). `xaxi` and
`crys` are read as `xaxis` and `crystal`.

Units: lengths Å, angles and phases degrees, hv kV, v0 and abs V, B and U_ij Å², U of a
reflection 1/Å², aper 1/Å, conv in lengths of xaxis, samp pixels. zone and norm are in
axes of the direct lattice, kt and xaxis in those of the reciprocal lattice.

References:
    [1] J. M. Zuo and J. C. H. Spence, Electron Microdiffraction, Plenum (1992).
    [2] J. M. Zuo and A. L. Weickenmeier, Ultramicroscopy 57, 375 (1995): sele, omeg.
"""

import os
import pathlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, DataWarning, FormatError
from . import space_group
from ._existing import existing_file
from .crystal_record import (
    CrystalRecord,
    element_of,
    metric,
    symmetric,
    u_of_beta,
    volume,
)

Operations = tuple[np.ndarray, np.ndarray]

_PLACE = {
    "crystal": 0, "cell": 1, "atom": 2, "spg": 3, "v0": 4, "hv": 5, "zone": 6,
    "norm": 7, "kt": 8, "xaxis": 9, "conv": 10, "samp": 11, "hkl": 12, "sele": 12,
    "sgmax": 13, "sgmin": 14, "omeg": 15, "aper": 16, "out": 16, "abs": 17, "adj": 18,
}  # fmt: skip
_SHORT = {"crys": "crystal", "xaxi": "xaxis"}
_OPTIONAL = {"v0", "sgmax", "adj"}
_MANDATORY = {p: [k for k, q in _PLACE.items() if p == q] for p in _PLACE.values()}
_MANDATORY = {p: k for p, k in _MANDATORY.items() if not _OPTIONAL & {*k}}
_NUMBERS = {
    "cell": 6, "v0": 1, "hv": 1, "zone": 3, "norm": 3, "kt": 3, "xaxis": 3, "conv": 1,
    "sele": 4, "sgmax": 1, "sgmin": 1, "omeg": 1, "aper": 1, "abs": 1,
}  # fmt: skip
_SIZES = {"iso": 1, "bij": 6, "uij": 6}
_POSITIVE = {"hv", "conv"}
_NOT_NEGATIVE = {"sgmax", "sgmin", "omeg", "aper"}
_NOT_ZERO = {"zone", "norm", "xaxis"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([edED][+-]?\d{1,3})?")
_ACROSS = 1e-3
_STRAIN = 1e-3


@dataclass(frozen=True, eq=False)
class BlochInput:
    """What a `.dat` file holds, under its keywords; `energy` in keV is its `hv`.

    Of `hkl` (n, 3) and `sele` (sgmax, gmax, bmin, kflag), and of `aper` and `out`
    (n, 3), exactly one is given. For the reflections `adj_hkl` (n, 3), `adj` (n, 4)
    holds |U|, its phase, |U'| and its phase.
    """

    crystal: CrystalRecord
    spg: tuple[int, int]
    energy: float
    zone: np.ndarray
    norm: np.ndarray
    kt: np.ndarray
    xaxis: np.ndarray
    conv: float
    samp: int
    sgmin: float
    omeg: float
    abs: float
    v0: float | None = None
    hkl: np.ndarray | None = None
    sele: np.ndarray | None = None
    sgmax: float | None = None
    aper: float | None = None
    out: np.ndarray | None = None
    adj_hkl: np.ndarray | None = None
    adj: np.ndarray | None = None

    def __post_init__(self):
        for one, other in (("hkl", "sele"), ("aper", "out")):
            if (getattr(self, one) is None) == (getattr(self, other) is None):
                raise DataError(f"expected exactly one of {one} and {other}")
        if (self.adj is None) != (self.adj_hkl is None):
            raise DataError("expected both of adj and adj_hkl, or neither")


class _Line(NamedTuple):
    """A line that is no comment, and errors that name it."""

    path: pathlib.Path
    number: int
    words: list[str]

    def error(self, what: str) -> FormatError:
        """What is wrong, after the file's name and the line's number."""
        return FormatError(f"{self.path}: line {self.number}: {what}")

    def integers(self, words: list[str], n: int, what: str) -> np.ndarray:
        """`words` as n integers."""
        if len(words) != n or not all(re.fullmatch(r"[+-]?\d{1,6}", w) for w in words):
            raise self.error(f"{what} is {' '.join(words)!r}; expected {n} integers")
        return np.array([int(w) for w in words], np.int64)

    def floats(self, words: list[str], n: int, what: str) -> np.ndarray:
        """`words` as n finite numbers; Fortran's exponents (1.0d-3) are read too."""
        if len(words) != n:
            raise self.error(f"{what} is {' '.join(words)!r}; expected {n} numbers")
        for word in words:
            if not _NUMBER.fullmatch(word):
                raise self.error(f"{what} holds {word!r}; expected a number")
        values = np.array([float(re.sub("[dD]", "e", w)) for w in words])
        if not np.isfinite(values).all():
            raise self.error(f"{what} is {' '.join(words)!r}; expected finite numbers")
        return values


def read_dat(
    path: str | os.PathLike[str], operations: Operations | None = None
) -> BlochInput:
    """The crystal, the beam and the choices of a `.dat` file.

    Args:
        path: the file.
        operations: rotations (m, 3, 3) and translations (m, 3) that stand for those of
            `spg`; without them gemmi is needed.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not text, a keyword unknown, missing, twice or out of order, or a
            value that cannot be; the line is named.
        ImportError: gemmi is not installed and `operations` is not given.
    """
    path = existing_file(path, "a .dat file of a Bloch-wave program")
    raw = path.read_bytes()
    if b"\0" in raw:
        raise FormatError(f"{path}: binary, starting {raw[:8]!r}; expected text")
    found: dict[str, Any] = {}
    at: dict[str, _Line] = {}
    atoms: list[_Line] = []
    last = ""
    line = _Line(path, 1, [])
    lines = _lines(path, raw.decode("utf-8-sig", errors="replace"))
    for line in lines:
        word = line.words[0].lower()
        key = _SHORT.get(word, word)
        _check_place(line, key, last)
        if key == "atom":
            atoms.append(line)
        else:
            found[key] = _value(line, key, lines)
        at.setdefault(key, line)
        last = key
    _check_skipped(line, "the end", _PLACE.get(last, -1), max(_MANDATORY) + 1)
    _check_across(at["kt"], found)
    return _input(path, found, at, atoms, operations)


def _lines(path: pathlib.Path, text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.splitlines(), 1):
        words = re.sub(r"(^|\s)#.*", "", line).split()
        if words:
            yield _Line(path, number, words)


def _check_place(line: _Line, key: str, last: str) -> None:
    """Refuse a keyword that is unknown, or does not follow `last`."""
    if key not in _PLACE:
        after = f" after the {last!r} before it" if last else ""
        raise line.error(
            f"{' '.join(line.words)!r}{after}; expected one of the keywords {[*_PLACE]}"
        )
    before = _PLACE.get(last, -1)
    if key == last != "atom":
        raise line.error(f"{key!r} a second time; expected it once")
    if _PLACE[key] == before and key != last:
        raise line.error(f"{key!r} after {last!r}; expected only one of them")
    if _PLACE[key] < before:
        raise line.error(f"{key!r} after {last!r}; expected the order {[*_PLACE]}")
    _check_skipped(line, repr(key), before, _PLACE[key])


def _check_skipped(line: _Line, key: str, before: int, place: int) -> None:
    skipped = [" or ".join(k) for p, k in _MANDATORY.items() if before < p < place]
    if skipped:
        raise line.error(f"{key} without {', '.join(skipped)} before it; expected them")


def _value(line: _Line, key: str, lines: Iterator[_Line]) -> Any:
    """What a keyword's line, and those that it announces, hold."""
    words = line.words[1:]
    if key == "crystal":
        return _crystal(line, " ".join(words))
    if key == "spg":
        return line.integers(words, 2, "number and setting of the space group").tolist()
    if key == "samp":
        (samp,) = line.integers(words, 1, key).tolist()
        if samp < 1:
            raise line.error(f"samp is {samp}; expected at least one pixel")
        return samp
    if key in ("hkl", "out", "adj"):
        return _announced(line, key, lines)
    values = line.floats(words, _NUMBERS[key], key)
    if key in _POSITIVE and not values[0] > 0:
        raise line.error(f"{key} is {values[0]:g}; expected it > 0")
    if key in _NOT_NEGATIVE and not values[0] >= 0:
        raise line.error(f"{key} is {values[0]:g}; expected it >= 0")
    if key in _NOT_ZERO and not values.any():
        raise line.error(f"{key} is zero; expected a direction")
    if key == "cell":
        try:
            volume(values)
        except DataError as error:
            raise line.error(str(error)) from error
    return float(values[0]) if _NUMBERS[key] == 1 else values


def _crystal(line: _Line, text: str) -> tuple[str, str, bool]:
    """Name, kind of displacements, and whether occupancies are given."""
    name, _, options = text.partition(":")
    chosen = {"dw": "iso", "occ": "1"}
    given = re.findall(r"(\w+)\s*=\s*(\w+)", options)
    rest = re.sub(r"\w+\s*=\s*\w+", "", options).strip(" ,;")
    allowed = {"dw": [*_SIZES], "occ": ["1", "par"]}
    for option, value in given:
        if value.lower() not in allowed.get(option.lower(), ()):
            raise line.error(f"{option} = {value}; expected one of {allowed}")
        chosen[option.lower()] = value.lower()
    if rest:
        raise line.error(f"{rest!r} after the name; expected dw = ... and occ = ...")
    return name.strip(), chosen["dw"], chosen["occ"] == "par"


def _announced(line: _Line, key: str, lines: Iterator[_Line]) -> Any:
    """The reflections, and with `adj` their values, in the lines that follow."""
    (n,) = line.integers(line.words[1:], 1, f"number of lines of {key}").tolist()
    if n < 1:
        raise line.error(f"{key} announces {n} lines; expected at least one")
    seen: dict[tuple[int, ...], int] = {}
    values = []
    for i in range(n):
        row = next(lines, None)
        what = f"line {i + 1} of the {n} that {key} announces"
        if row is None:
            raise line.error(f"{key} announces {n} lines, {i} follow; expected {n}")
        if row.words[0].lower() in _PLACE | _SHORT:
            raise row.error(f"{row.words[0]!r} where {what} should be")
        index = tuple(row.integers(row.words[:3], 3, what).tolist())
        if index in seen:
            raise row.error(f"{index} is in line {seen[index]} too; expected it once")
        seen[index] = row.number
        if key == "adj":
            values.append(row.floats(row.words[3:], 4, what))
        elif len(row.words) > 3:
            raise row.error(f"{what} is {' '.join(row.words)!r}; expected 3 integers")
    indices = np.array([*seen], np.int64)
    return (indices, np.array(values)) if key == "adj" else indices


def _check_across(line: _Line, found: dict[str, Any]) -> None:
    """Refuse a K_t out of the zero Laue plane of `zone`."""
    g = metric(found["cell"])
    zone, kt = found["zone"], found["kt"]
    across = zone @ kt / np.sqrt(zone @ g @ zone)
    size = np.sqrt(max(kt @ np.linalg.inv(g) @ kt, 0.0))
    if abs(across) > _ACROSS * size:
        raise line.error(
            f"kt has {across / size:.3g} of its length along zone {zone.tolist()}; "
            "expected zone . kt = 0"
        )


def _input(
    path: pathlib.Path,
    found: dict[str, Any],
    at: dict[str, _Line],
    atoms: list[_Line],
    operations: Operations | None,
) -> BlochInput:
    name, dw, partial = found.pop("crystal")
    cell = found.pop("cell")
    number, setting = spg = tuple(found.pop("spg"))
    labels, symbols, values = _sites(path, atoms, dw, partial)
    b_iso = values[:, 3] if dw == "iso" else None
    u_aniso = None if dw == "iso" else symmetric(values[:, 3:9])
    if dw == "bij" and u_aniso is not None:
        u_aniso = u_of_beta(cell, u_aniso)
    try:
        group = (
            space_group.SpaceGroup(None, *operations)
            if operations is not None
            else space_group.of_number(number, setting, cell)
        )
    except DataError as error:
        raise at["spg"].error(str(error)) from error
    change = space_group.metric_change(cell, group.rotations)
    if change > _STRAIN:
        _warn(
            path,
            f"space group {number} {setting} changes the cell by {change:.2g} of its "
            "metric; expected the axes of that setting",
        )
    try:
        crystal = CrystalRecord(
            cell=cell,
            labels=labels,
            symbols=symbols,
            positions=values[:, :3],
            occupancies=values[:, -1] if partial else np.ones(len(values)),
            b_iso=b_iso,
            u_aniso=u_aniso,
            rotations=group.rotations,
            translations=group.translations,
            space_group=group.symbol,
            setting=setting,
            name=name,
        )
    except DataError as error:
        raise FormatError(f"{path}: {error}") from error
    found["energy"] = found.pop("hv")
    found["adj_hkl"], found["adj"] = found.pop("adj", (None, None))
    return BlochInput(crystal=crystal, spg=spg, **found)


def _sites(
    path: pathlib.Path, atoms: list[_Line], dw: str, partial: bool
) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Labels and elements, and rows of position, displacements and occupancy."""
    n = 3 + _SIZES[dw] + partial
    labels, symbols, values, ions = [], [], [], []
    for line in atoms:
        label, row = "".join(line.words[1:2]), line.words[2:]
        try:
            symbol, charged = element_of(label)
        except DataError as error:
            raise line.error(str(error)) from error
        numbers = line.floats(row, n, f"site {label!r} (dw = {dw}, occ = "
                              f"{'par' if partial else 1})")  # fmt: skip
        if dw == "iso" and numbers[3] < 0:
            raise line.error(f"B of {label!r} is {numbers[3]:g} Å²; expected B >= 0")
        if partial and not 0 <= numbers[-1] <= 1:
            raise line.error(
                f"occupancy of {label!r} is {numbers[-1]:g}; expected 0 to 1"
            )
        labels.append(label)
        symbols.append(symbol)
        values.append(numbers)
        if charged:
            ions.append(label)
    if ions:
        _warn(path, f"ions {ions} are read as neutral atoms")
    return tuple(labels), tuple(symbols), np.array(values)


def _warn(path: pathlib.Path, what: str) -> None:
    warnings.warn(f"{path.name}: {what}", DataWarning, stacklevel=4)
