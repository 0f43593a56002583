"""S(Q, ω) by rows as every reader of spectra returns it, checked and in our units.

A reader states what it found in a file as `Stored`; `assembled` converts, orders and
masks it, or says what is wrong. What had to be assumed is kept as sentences.

Units: energies in meV, Q in 1/Å, angles in degrees, temperatures in K. Intensities are
left as stored.
"""

import os
import re
from dataclasses import dataclass

import numpy as np

from ..constants import HBAR
from ..errors import DataError, FormatError
from ._units import stated_energy_unit as stated_energy_unit
from .nxspe import Number, Numbers, elastic_q

MEV_PER = {"meV": 1.0, "ueV": 1e-3, "rad/ps": HBAR}
_ROUNDED = 1e-3
ELASTIC_Q = (
    "Q of a row is the elastic one, 2 k sin(theta), of its scattering angle: at other "
    "energies the true Q differs"
)
NO_ERRORS = "the file has no errors, and none are invented"
_PER_ANGSTROM = re.compile(
    r"1\s*/\s*(?P<a>Å|A|ang|angstroms?)|(?P<b>Å|A|ang|angstroms?)\s*\^?[({]?-1[)}]?"
    r"|A!U-1!N",
    re.IGNORECASE,
)
_PER_NM = re.compile(r"1\s*/\s*nm|nm\s*\^?[({]?-1[)}]?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra by row: energies (n,), data, error and mask (row, n), Q of each row.

    `error` is None where the format has no errors. `mask` is True where a point may be
    used: finite, and of an error > 0. `energy_edges` (n + 1,), `q` and `two_theta`
    (row,), `ei` and `temperature` are None where the file does not say; `q_source`
    tells where Q came from or why there is none. `said` are sentences on what was
    assumed.
    """

    energy: np.ndarray
    energy_edges: np.ndarray | None
    data: np.ndarray
    error: np.ndarray | None
    mask: np.ndarray
    q: np.ndarray | None
    q_source: str
    two_theta: np.ndarray | None
    ei: float | None
    temperature: float | None
    title: str
    format: str
    said: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Stored:
    """What a reader found, in the units and the order of its file.

    `energy` are points (n,) or, where `edges_allowed`, bin edges (n + 1,). `unit` is
    what the file states, a key of `MEV_PER` or None. `q`, in 1/Å, are points (row,) or
    bin edges (row + 1,).
    """

    format: str
    energy: np.ndarray
    data: np.ndarray
    error: np.ndarray | None
    unit: str | None = None
    edges_allowed: bool = False
    q: np.ndarray | None = None
    no_q: str = "the file has none"
    two_theta: np.ndarray | None = None
    ei: float | None = None
    temperature: float | None = None
    title: str = ""
    said: tuple[str, ...] = ()


def assembled(
    path: str | os.PathLike[str],
    stored: Stored,
    *,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> Spectra:
    """Checked spectra of what a reader found.

    Args:
        path: the file, for messages.
        stored: what was found.
        q: Q of each row, in place of the file's.
        q_edges: edges of rows that are Q bins, in place of the file's.
        energy_sign: -1 where the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV", where the file states no unit.

    Raises:
        FormatError: shapes that do not fit, an energy axis out of order, a Q that is
            negative or not finite, or no usable point.
        DataError: an argument that cannot be used or contradicts the file.
    """
    if energy_sign not in (1, -1):
        raise DataError(f"energy_sign={energy_sign!r}: expected +1 or -1")
    said = list(stored.said)
    with np.errstate(all="ignore"):
        scale = _mev_per(path, stored.unit, energy_unit, said)
        edges = _checked_shapes(path, stored)
        data, error = stored.data, stored.error
        axis = stored.energy * scale
        if not np.all(np.isfinite(axis)):
            raise FormatError(f"{path}: an energy is not finite; expected finite ones")
        steps = np.diff(axis)
        backwards = bool(np.all(steps < 0))
        if not (backwards or np.all(steps > 0)):
            at = int(np.argmax(steps <= 0))
            raise FormatError(
                f"{path}: the energies neither increase nor decrease throughout: "
                f"{axis[at]:.6g} meV is followed by {axis[at + 1]:.6g} meV; expected a "
                "sorted axis"
            )
        if backwards:
            said.append("the energies decrease in the file, and were reversed")
        if backwards != (energy_sign == -1):
            axis, data = axis[::-1], data[:, ::-1]
            error = None if error is None else error[:, ::-1]
        axis = _uniform(energy_sign * axis, said)
        mask = np.isfinite(data)
        if error is not None:
            mask = mask & np.isfinite(error) & (error > 0)
        if not mask.any():
            raise FormatError(
                f"{path}: no usable point; expected some finite values with errors > 0"
            )
        if error is None:
            said.append(NO_ERRORS)
        rows_q, source = _row_q(path, stored, q, q_edges, said)
    return Spectra(
        energy=0.5 * (axis[:-1] + axis[1:]) if edges else axis,
        energy_edges=axis if edges else None,
        data=data,
        error=error,
        mask=mask,
        q=rows_q,
        q_source=source,
        two_theta=stored.two_theta,
        ei=stored.ei,
        temperature=stored.temperature,
        title=stored.title.strip(),
        format=stored.format,
        said=tuple(said),
    )


def stated_q_factor(text: str) -> float | None:
    """What turns numbers of a unit such as "1/nm" into 1/Å, or None if unknown."""
    if _PER_NM.search(text):
        return 0.1
    return 1.0 if _PER_ANGSTROM.search(text) else None


def _mev_per(
    path: str | os.PathLike[str],
    stated: str | None,
    given: str | None,
    said: list[str],
) -> float:
    """Scale of the stored energies to meV."""
    if given not in (None, "meV", "ueV"):
        raise DataError(f"energy_unit={given!r}: expected one of ['meV', 'ueV']")
    if stated is not None and given is not None and given != stated:
        raise DataError(
            f"{path}: energy_unit={given!r}, but the file states {stated!r}; expected "
            "that one, or none"
        )
    if stated is None and given is None:
        said.append("the file states no energy unit: meV was assumed")
    return MEV_PER[stated or given or "meV"]


def _uniform(axis: np.ndarray, said: list[str]) -> np.ndarray:
    """An axis that is uniform but for the digits it was stored with, made uniform.

    Convolutions are exact on uniform axes, and 32-bit numbers break uniformity.
    """
    even = np.linspace(axis[0], axis[-1], axis.size)
    off, step = float(np.max(np.abs(axis - even))), float(even[1] - even[0])
    if not 1e-9 * step < off < _ROUNDED * step:
        return axis
    said.append(
        f"the steps of energy, {step:.6g} meV, are equal but for rounding, and were "
        "made equal"
    )
    return even


def _checked_shapes(path: str | os.PathLike[str], stored: Stored) -> bool:
    """Whether the energies are bin edges, once all shapes fit."""
    data, error, n = stored.data, stored.error, stored.energy.size
    if stored.energy.ndim != 1 or data.ndim != 2 or 0 in data.shape:
        raise FormatError(
            f"{path}: data {data.shape} on energies {stored.energy.shape}; expected "
            "(row, energy) and (energy,)"
        )
    if error is not None and error.shape != data.shape:
        raise FormatError(
            f"{path}: errors of shape {error.shape}; expected {data.shape}, as the data"
        )
    rows, columns = data.shape
    edges = stored.edges_allowed and n == columns + 1
    if not (edges or n == columns):
        swapped = n == rows or (stored.edges_allowed and n == rows + 1)
        allowed = f"{columns} or {columns + 1}" if stored.edges_allowed else columns
        raise FormatError(
            f"{path}: {n} energies for data of shape {data.shape}; expected {allowed}"
            + ("; energy and Q look exchanged" if swapped else "")
        )
    if columns < 3:
        raise FormatError(f"{path}: {columns} energies; expected at least 3")
    for name, values in (("q", stored.q), ("two_theta", stored.two_theta)):
        size = rows if values is None else values.size
        if size not in ((rows, rows + 1) if name == "q" else (rows,)):
            raise FormatError(
                f"{path}: {size} values of {name} for {rows} rows of {columns} "
                "energies; expected one a row"
            )
    return edges


def _row_q(
    path: str | os.PathLike[str],
    stored: Stored,
    q: Numbers | None,
    q_edges: Numbers | None,
    said: list[str],
) -> tuple[np.ndarray | None, str]:
    """Q per row, and where it is from."""
    rows = len(stored.data)
    if q is not None and q_edges is not None:
        raise DataError("q and q_edges: expected only one of them")
    if q is not None:
        return given_q("q", q, rows), "q="
    if q_edges is not None:
        edges = given_q("q_edges", q_edges, rows + 1)
        if not np.all(np.diff(edges) > 0):
            raise DataError("q_edges: expected strictly increasing values")
        return 0.5 * (edges[:-1] + edges[1:]), "q_edges="
    if stored.q is not None:
        own = stored.q
        bad = own[~(np.isfinite(own) & (own >= 0))]
        if bad.size:
            raise FormatError(
                f"{path}: Q of a row is {bad[0]:.6g} 1/Å; expected finite values >= 0"
            )
        if own.size == rows + 1:
            if not np.all(np.diff(own) > 0):
                raise FormatError(
                    f"{path}: the edges of Q bins do not increase; expected that"
                )
            return 0.5 * (own[:-1] + own[1:]), "the centres of the file's Q bins"
        return own, "the file"
    if stored.two_theta is not None and stored.ei is not None:
        if not np.all(np.isfinite(stored.two_theta)):
            raise FormatError(f"{path}: a scattering angle is not finite")
        said.append(ELASTIC_Q)
        return elastic_q(np.abs(stored.two_theta), stored.ei), "scattering angles"
    return None, stored.no_q


def given_q(name: str, value: Numbers, n: int) -> np.ndarray:
    """The argument `q` or `q_edges` as `n` numbers.

    Raises:
        DataError: another number of values, or one that is negative or not finite.
    """
    array = np.atleast_1d(np.asarray(value, float))
    if array.shape != (n,):
        raise DataError(f"{name} has shape {array.shape}: expected ({n},)")
    if not np.all(np.isfinite(array) & (array >= 0)):
        raise DataError(f"{name}: expected finite values >= 0 in 1/Å")
    return array


def positive(value: Number | None) -> float | None:
    """A number that is finite and > 0, or None: files store 0 for what is unknown."""
    if value is None or not np.isfinite(value) or value <= 0:
        return None
    return float(value)
