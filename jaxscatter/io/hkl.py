"""Structure factors as text for Fourier synthesis, in columns that VESTA reads.

A title, the line "Generated", a line of column names, then per reflection h k l |Fo|
|Fc| Re Fc, Im Fc and σ(Fo). Fo is what was refined, Fc what the independent atoms give;
both have the sign F(g) = Σ f exp(+2πi g·r).

Units: those of the structure factors given, electrons for X-ray ones.

References:
    [1] K. Momma and F. Izumi, J. Appl. Cryst. 44, 1272 (2011): VESTA.
"""

import os
import pathlib
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, FormatError
from ._existing import existing_file
from .crystal_record import Numbers
from .two_time_write import whole

_GENERATED = "Generated"
_COLUMNS = ("h", "k", "l", "|Fo|", "|Fc|", "Fc(re)", "Fc(im)", "sigma")
_LARGEST = 2**31


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """Reflections `hkl` (n, 3), |Fo| and σ(Fo) (n,), complex Fc (n,), and a title."""

    hkl: np.ndarray
    f_obs: np.ndarray
    f_calc: np.ndarray
    sigma: np.ndarray
    title: str = ""


def write_hkl(
    path: str | os.PathLike[str],
    hkl: Numbers,
    f_obs: Numbers,
    f_calc: Numbers,
    sigma: Numbers | None = None,
    *,
    title: str = "jaxscatter",
) -> pathlib.Path:
    """Path of the text written, complete or not at all.

    Args:
        path: the file.
        hkl: reflections (n, 3), each once; VESTA expects those unique by symmetry.
        f_obs: refined Fo (n,), complex or magnitudes.
        f_calc: Fc (n,) of independent atoms, complex; their phases are used.
        sigma: standard errors of |Fo| (n,); None writes zeros.
        title: first line.

    Raises:
        DataError: shapes that differ, values not finite, or a reflection twice.
    """
    index, fo, fc = np.asarray(hkl), np.abs(np.asarray(f_obs)), np.asarray(f_calc)
    error = np.zeros(len(fo)) if sigma is None else np.asarray(sigma, float)
    n = len(index)
    if index.shape != (n, 3) or index.dtype.kind not in "iu" or n == 0:
        raise DataError(
            f"hkl is {index.dtype} of shape {index.shape}; expected integers (n, 3)"
        )
    for name, value in (("f_obs", fo), ("f_calc", fc), ("sigma", error)):
        if value.shape != (n,) or not np.isfinite(value).all():
            raise DataError(
                f"{name} has shape {value.shape}; expected ({n},) of finite values"
            )
    if (error < 0).any():
        raise DataError(f"sigma is {error.min():g} somewhere; expected it >= 0")
    if len(np.unique(index, axis=0)) != n:
        raise DataError(f"{n} reflections, some of them twice; expected each once")
    lines = [
        " ".join(title.split()) or "-",
        _GENERATED,
        "".join(f"{c:<6}" for c in _COLUMNS[:3])
        + "".join(f"{c:<15}" for c in _COLUMNS[3:]).rstrip(),
    ]
    columns = np.stack([fo, np.abs(fc), np.real(fc), np.imag(fc), error], 1)
    for h, row in zip(index.tolist(), columns.tolist(), strict=True):
        start = "".join(f"{x:<6d}" for x in h)
        lines.append(start + "".join(f"{x:<15.7g}" for x in row).rstrip())
    with whole(path) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", "utf-8")
    return pathlib.Path(path)


def read_hkl(path: str | os.PathLike[str]) -> ReflectionTable:
    """The reflections of a text that `write_hkl` or PyExtal wrote.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no such text; the line is named.
    """
    path = existing_file(path, "a text of structure factors")
    raw = path.read_bytes()
    if b"\0" in raw:
        raise FormatError(f"{path}: binary, starting {raw[:8]!r}; expected text")
    lines = raw.decode("utf-8-sig", errors="replace").splitlines()
    head = [*lines[:3], "", "", ""]
    if head[1].strip() != _GENERATED or head[2].split()[:3] != ["h", "k", "l"]:
        raise FormatError(
            f"{path}: begins with the lines {lines[:3]}; expected a title, "
            f"{_GENERATED!r}, and column names that begin with h k l"
        )
    rows = [
        _row(path, number, line)
        for number, line in enumerate(lines[3:], 4)
        if line.strip()
    ]
    if not rows:
        raise FormatError(f"{path}: no reflection after line 3; expected some")
    values = np.array(rows)
    hkl = values[:, :3].astype(np.int64)
    if len(np.unique(hkl, axis=0)) != len(hkl):
        raise FormatError(f"{path}: reflections occur twice; expected each once")
    return ReflectionTable(
        hkl=hkl,
        f_obs=values[:, 3],
        f_calc=values[:, 5] + 1j * values[:, 6],
        sigma=values[:, 7],
        title=lines[0].strip(),
    )


def _row(path: pathlib.Path, number: int, line: str) -> list[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError as error:
        raise FormatError(f"{path}: line {number}: {error}") from error
    if len(row) != len(_COLUMNS) or not np.isfinite(row).all():
        raise FormatError(
            f"{path}: line {number}: {line.split()}; expected {len(_COLUMNS)} finite "
            f"numbers {' '.join(_COLUMNS)}"
        )
    if any(not x.is_integer() or abs(x) >= _LARGEST for x in row[:3]):
        raise FormatError(f"{path}: line {number}: {row[:3]}; expected integers h k l")
    return row
