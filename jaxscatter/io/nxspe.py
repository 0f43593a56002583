"""NXSPE: direct-geometry spectra S(row, ħω) in HDF5, as Mantid writes them.

An NXSPE file holds one NXentry of any name with the bin edges `data/energy`, the
matrices `data/data` and `data/error` (row, energy), detector angles `data/polar`, and
`NXSPE_info/fixed_energy`. Masked points are NaN with error 0. Spectra without a
detector are rows of zeros that have **no** entry in `polar`, so `polar` is never
indexed by row number here. The format has no place for Q: a file that was re-binned in
Q still carries angles, and nothing tells it apart from one that was not. Whoever knows
the Q of the rows passes `q=` or `q_edges=`.

Units: energies in meV, Q in 1/Å, angles in degrees. Intensities are left as stored.
"""

import os
import pathlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import h5py
import numpy as np
from jaxtyping import ArrayLike

from ..constants import NEUTRON_ENERGY
from ..errors import DataError, DataWarning, FormatError
from ._units import stated_energy_unit

Number: TypeAlias = float | int
Numbers: TypeAlias = ArrayLike | Sequence[Any]
"""What NumPy can turn into an array: numbers, arrays, or (nested) sequences."""

_MEV_PER = {"meV": 1.0, "ueV": 1e-3}
_BROKEN_HDF5 = (OSError, RuntimeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class NxspeFile:
    """What one NXSPE file holds: spectra by row, their mask, and the Q of each row.

    `data` and `error` are as stored, NaN included; `mask` is True where a point may be
    used (finite, error > 0). `q` is NaN for a row without a detector. `unit_stated` is
    whether the file names the unit of its energies.
    """

    energy_edges: np.ndarray
    energy: np.ndarray
    data: np.ndarray
    error: np.ndarray
    mask: np.ndarray
    q: np.ndarray
    q_source: str
    ei: float
    psi: float
    ki_over_kf_scaling: bool | None
    polar: np.ndarray
    azimuthal: np.ndarray
    title: str
    unit_stated: bool = True


def elastic_q(two_theta_deg: Numbers, ei: Number) -> np.ndarray:
    """Elastic momentum transfer Q = 2 kᵢ sin(θ) in 1/Å of scattering angles 2θ."""
    if not (np.isfinite(ei) and ei > 0):
        raise DataError(f"incident energy ei={ei!r} meV: expected a positive number")
    ki = np.sqrt(ei / NEUTRON_ENERGY)
    theta = np.radians(np.asarray(two_theta_deg, float)) / 2
    return np.asarray(2 * ki * np.sin(theta))


def read(
    path: str | os.PathLike[str],
    *,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    ei: Number | None = None,
    fallback_ei: Number | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
    entry: str | None = None,
) -> NxspeFile:
    """Contents of an NXSPE file, with Q per row from `q`, `q_edges` or the angles.

    Args:
        path: the file.
        q: Q of each row (n_row,); overrides the angles.
        q_edges: edges of rows that are Q bins (n_row + 1,); their centres become Q.
        ei: incident energy that overrides the file's.
        fallback_ei: incident energy used only where the file states none.
        energy_sign: -1 where the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV", of the stored energies, where the file states
            none; None takes meV there. The result is in meV.
        entry: name of the NXentry, for a file with several.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not a complete NXSPE file, or rows and angles cannot be matched.
        DataError: `q`, `q_edges`, `ei`, `energy_sign` or `energy_unit` is unusable.
    """
    if energy_sign not in (1, -1):
        raise DataError(f"energy_sign={energy_sign!r}: expected +1 or -1")
    if energy_unit not in (None, *_MEV_PER):
        raise DataError(f"energy_unit={energy_unit!r}: expected one of {[*_MEV_PER]}")
    path = _existing_file(path)
    raw = _stored(path, entry)
    stated = stated_energy_unit(raw["units"])
    if raw["units"] and stated is None:
        raise FormatError(f"{path}: energies in {raw['units']!r}; expected meV")
    if stated is not None and energy_unit not in (None, stated):
        raise DataError(
            f"{path}: energy_unit={energy_unit!r}, but the file states {stated!r}; "
            "expected that one, or none"
        )
    edges = _checked_edges(path, raw) * _MEV_PER[stated or energy_unit or "meV"]
    data, error = raw["data"], raw["error"]
    if energy_sign == -1:
        edges, data, error = -edges[::-1], data[:, ::-1], error[:, ::-1]
    mask = np.isfinite(data) & np.isfinite(error) & (error > 0)
    if not mask.any():
        raise FormatError(
            f"{path}: no usable point in data/data; expected some finite values with "
            "errors > 0"
        )
    energy_i = next(
        (float(e) for e in (ei, raw["ei"], fallback_ei) if e is not None), np.nan
    )
    rows_q, source = _row_q(path, data, raw["polar"], energy_i, q, q_edges)
    return NxspeFile(
        energy_edges=edges,
        energy=0.5 * (edges[:-1] + edges[1:]),
        data=data,
        error=error,
        mask=mask,
        q=rows_q,
        q_source=source,
        ei=energy_i,
        psi=np.nan if raw["psi"] is None else raw["psi"],
        ki_over_kf_scaling=None if raw["scaled"] is None else bool(raw["scaled"]),
        polar=raw["polar"],
        azimuthal=raw["azimuthal"],
        title=raw["title"],
        unit_stated=stated is not None,
    )


def tree(path: str | os.PathLike[str]) -> str:
    """HDF5 tree of a file as text: one line per group or dataset, with attributes."""
    path = _existing_file(path)
    lines = [str(path)]

    def visit(name: str, node: Any) -> None:
        text = "  " * (name.count("/") + 1) + name.rsplit("/", 1)[-1]
        if isinstance(node, h5py.Dataset):
            text += f"  {node.shape} {node.dtype}"
            if node.size == 1:
                text += f" = {_text(np.ravel(node[()])[0])}"
        else:
            text += "/"
        notes = [f"{k}={_text(np.ravel(v)[0])}" for k, v in node.attrs.items()]
        lines.append(text + (f"  [{', '.join(notes)}]" if notes else ""))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except _BROKEN_HDF5 as error:
        raise FormatError(f"{path}: expected a complete HDF5 file ({error})") from error
    return "\n".join(lines)


def write(
    path: str | os.PathLike[str],
    *,
    energy_edges: Numbers,
    data: Numbers,
    error: Numbers,
    ei: Number,
    q: Numbers | None = None,
    polar: Numbers | None = None,
    mask: Numbers | None = None,
    psi: Number = float("nan"),
    entry: str = "spectra",
) -> pathlib.Path:
    """Path of the NXSPE file written, complete or not at all.

    Rows get the angles `polar` in degrees, or those at which `q` is the elastic Q.
    Points where `mask` is False are stored as the format has it: NaN with error 0.
    """
    edges = np.asarray(energy_edges, float)
    values, errors = np.array(data, float), np.array(error, float)
    if values.ndim != 2 or errors.shape != values.shape:
        raise DataError(
            f"data {values.shape} and error {errors.shape}: expected one (row, energy)"
        )
    if edges.shape != (values.shape[1] + 1,) or not np.all(np.diff(edges) > 0):
        raise DataError(
            f"energy_edges {edges.shape}: expected {values.shape[1] + 1} strictly "
            "increasing bin edges"
        )
    if (q is None) == (polar is None):
        raise DataError("expected exactly one of q= and polar=")
    angles = _angles(q, ei) if polar is None else np.asarray(polar, float)
    if angles.shape != (len(values),):
        raise DataError(f"polar or q {angles.shape}: expected ({len(values)},)")
    if mask is not None:
        hidden = ~np.broadcast_to(np.asarray(mask, bool), values.shape)
        values[hidden], errors[hidden] = np.nan, 0.0

    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with h5py.File(partial, "w") as file:
            file.attrs["NX_class"] = "NXroot"
            top = file.create_group(entry)
            top.attrs["NX_class"] = "NXentry"
            top["definition"] = np.array([b"NXSPE"])
            top["definition"].attrs["version"] = "1.3"
            top["program_name"] = np.array([b"jaxscatter"])
            info = top.create_group("NXSPE_info")
            info.attrs["NX_class"] = "NXcollection"
            for name, value, unit in (
                ("fixed_energy", float(ei), "meV"),
                ("psi", float(psi), "degrees"),
            ):
                info[name] = np.array([value])
                info[name].attrs["units"] = unit
            info["ki_over_kf_scaling"] = np.array([1], np.int32)
            group = top.create_group("data")
            group.attrs["NX_class"] = "NXdata"
            group["energy"] = edges
            group["energy"].attrs["units"] = "meV"
            packed = {"compression": "gzip", "shuffle": True}
            group.create_dataset("data", data=values, **packed)
            group.create_dataset("error", data=errors, **packed)
            group["polar"] = angles
            for name in ("azimuthal", "polar_width", "azimuthal_width"):
                group[name] = np.zeros_like(angles)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _existing_file(path: str | os.PathLike[str]) -> pathlib.Path:
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected an NXSPE file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected an NXSPE file")
    return path


def _stored(path: pathlib.Path, entry: str | None) -> dict[str, Any]:
    """Arrays and numbers of the entry, as stored."""
    try:
        with h5py.File(path, "r") as file:
            name = _entry_name(path, file, entry)
            top: Any = file[name]
            group = top["data"]
            missing = [k for k in ("energy", "error") if k not in group]
            if missing:
                raise FormatError(
                    f"{path}: {name}/data lacks {', '.join(missing)}; expected data, "
                    "error, energy and polar"
                )
            info = top["NXSPE_info"] if "NXSPE_info" in top else {}
            ei = _number(info, "fixed_energy", "efixed")
            return {
                "data": np.asarray(group["data"][()], float),
                "error": np.asarray(group["error"][()], float),
                "energy": np.ravel(group["energy"][()]).astype(float),
                "units": _text(group["energy"].attrs.get("units", "")),
                "polar": _column(group, "polar"),
                "azimuthal": _column(group, "azimuthal"),
                # an unknown incident energy may be stored as 0 or NaN
                "ei": ei if ei is not None and np.isfinite(ei) and ei > 0 else None,
                "psi": _number(info, "psi"),
                "scaled": _number(info, "ki_over_kf_scaling"),
                "title": _text(np.ravel(top["title"][()])[0])
                if "title" in top
                else name,
            }
    except FormatError:
        raise
    except _BROKEN_HDF5 as error:
        raise FormatError(
            f"{path}: expected a complete NXSPE (HDF5) file ({error})"
        ) from error


def _entry_name(path: pathlib.Path, file: Any, entry: str | None) -> str:
    groups = [k for k in file if isinstance(file[k], h5py.Group)]
    usable = [k for k in groups if f"{k}/data/data" in file]
    if entry is not None:
        if entry not in usable:
            raise FormatError(
                f"{path}: no entry {entry!r} with data/data; expected one of {usable}"
            )
        return entry
    if not usable:
        raise FormatError(
            f"{path}: not NXSPE; expected an NXentry with data/data, found top-level "
            f"{sorted(file) or 'nothing'}"
        )
    if len(usable) > 1:
        raise FormatError(
            f"{path}: several entries {usable}; expected one, or choose with entry="
        )
    return usable[0]


def _checked_edges(path: pathlib.Path, raw: dict[str, Any]) -> np.ndarray:
    data, error, edges = raw["data"], raw["error"], raw["energy"]
    if data.ndim != 2 or 0 in data.shape:
        raise FormatError(
            f"{path}: data/data has shape {data.shape}; expected (row, energy)"
        )
    if error.shape != data.shape:
        raise FormatError(
            f"{path}: data/error has shape {error.shape}; expected {data.shape} as "
            "data/data"
        )
    if edges.shape != (data.shape[1] + 1,):
        raise FormatError(
            f"{path}: data/energy has {edges.size} values; expected the "
            f"{data.shape[1] + 1} bin edges of {data.shape[1]} energies"
        )
    if not (np.all(np.isfinite(edges)) and np.all(np.diff(edges) > 0)):
        raise FormatError(
            f"{path}: data/energy does not increase; expected finite, strictly "
            "increasing bin edges"
        )
    return edges


def _row_q(
    path: pathlib.Path,
    data: np.ndarray,
    polar: np.ndarray,
    ei: Number,
    q: Numbers | None,
    q_edges: Numbers | None,
) -> tuple[np.ndarray, str]:
    """Q per row and where it came from."""
    n_row = len(data)
    if q is not None and q_edges is not None:
        raise DataError("q and q_edges: expected only one of them")
    if q is not None:
        return _checked_q("q", q, n_row), "q="
    if q_edges is not None:
        edges = _checked_q("q_edges", q_edges, n_row + 1)
        if not np.all(np.diff(edges) > 0):
            raise DataError("q_edges: expected strictly increasing values")
        return 0.5 * (edges[:-1] + edges[1:]), "q_edges="
    if polar.size == 0:
        raise FormatError(f"{path}: no data/polar; expected it, or pass q=")
    if np.isnan(ei):
        raise FormatError(
            f"{path}: no NXSPE_info/fixed_energy (or efixed) to turn angles into Q; "
            "pass ei= or q="
        )
    if polar.size == n_row:
        return elastic_q(polar, ei), "polar angle of each row"
    rows = np.flatnonzero(np.any(data != 0, axis=1))  # NaN counts as not zero
    if polar.size != rows.size:
        raise FormatError(
            f"{path}: {polar.size} polar angles for {n_row} rows, {rows.size} of them "
            "not all zero; expected one of these two numbers, or pass q="
        )
    warnings.warn(
        f"{path.name}: {polar.size} polar angles for {n_row} rows were given to the "
        "rows that are not all zero. Q is ambiguous (the rows may be Q bins): pass q= "
        "or q_edges=",
        DataWarning,
        stacklevel=3,
    )
    out = np.full(n_row, np.nan)
    out[rows] = elastic_q(polar, ei)
    return out, "polar angles on the rows that are not all zero (ambiguous)"


def _checked_q(name: str, value: Numbers, n: int) -> np.ndarray:
    array = np.asarray(value, float)
    if array.shape != (n,):
        raise DataError(f"{name} has shape {array.shape}: expected ({n},)")
    if not np.all(np.isfinite(array) & (array >= 0)):
        raise DataError(f"{name}: expected finite values >= 0 in 1/Å")
    return array


def _angles(q: Numbers | None, ei: Number) -> np.ndarray:
    reach = elastic_q(180.0, ei)
    ratio = np.asarray(q, float) / reach
    if not np.all((ratio >= 0) & (ratio <= 1)):
        raise DataError(f"q: expected values in [0, {reach:.4f}] 1/Å for ei={ei} meV")
    return 2 * np.degrees(np.arcsin(ratio))


def _column(group: Any, name: str) -> np.ndarray:
    return np.ravel(group[name][()]).astype(float) if name in group else np.empty(0)


def _number(group: Any, *names: str) -> float | None:
    """First value of the first dataset so named; shapes () and (1,) both occur."""
    for name in names:
        if name in group and np.size(group[name][()]):
            return float(np.ravel(group[name][()])[0])
    return None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
