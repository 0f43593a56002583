"""What all readers of small-angle curves share: units, rows and resolutions checked."""

import os
import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DataWarning, FormatError
from . import _sas_units as units
from .curve import Curve

Warn = Callable[[str], None]


def existing_file(path: str | os.PathLike[str]) -> pathlib.Path:
    """`path`, where there is a file with something in it."""
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected a data file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected a data file")
    if path.stat().st_size == 0:
        raise FormatError(f"{path}: empty file; expected small-angle data")
    return path


def warn(path: pathlib.Path, what: str) -> None:
    """Issue a `DataWarning` that names the file."""
    warnings.warn(f"{path.name}: {what}", DataWarning, stacklevel=4)


def q_values(where: str, values: np.ndarray, unit: str) -> np.ndarray:
    """`values` in 1/Å, or a `FormatError` that names the unit found."""
    found = units.per_angstrom(values, unit)
    if found is None:
        raise FormatError(f"{where}: q in unit {unit!r}; expected {units.Q_EXPECTED}")
    return found


def intensities(where: str, values: np.ndarray, unit: str) -> tuple[np.ndarray, str]:
    """`values` and their unit here, or a `FormatError` that names the unit found."""
    found = units.intensity(values, unit)
    if found is None:
        raise FormatError(
            f"{where}: intensity in unit {unit!r}; expected {units.I_EXPECTED}"
        )
    return found


def length_or_none(
    path: pathlib.Path, name: str, value: float, unit: str, to: str
) -> float | None:
    """A length of the description; one in an unknown unit is left out, and said so."""
    found = units.length(value, unit, to)
    if found is None:
        warn(path, f"{name} in unit {unit!r} is left out; expected A, nm, mm, cm or m")
    return found


def cleaned(
    path: pathlib.Path,
    columns: dict[str, np.ndarray | None],
    *,
    mask: np.ndarray | None = None,
    kept: dict[str, np.ndarray] | None = None,
    metadata: dict[str, Any],
    **labels: Any,
) -> Curve:
    """Curve of `columns`, without the rows and resolutions that say nothing.

    Rows with q = 0 or q not a number go (the zeros at the end of a table among them);
    the others are sorted by q, and stay in order where it is equal. Errors that are all
    zero, and resolutions that are, mean that there are none.

    Args:
        path: for messages.
        columns: fields of `Curve`, converted; None for an absent one.
        mask: True where a point counts.
        kept: further columns for the metadata, of the same rows.
        metadata: as in `Curve`; counts of rows are added.
        labels: title, run, name and intensity_unit.
    """
    where = f"{path}: {labels.get('name') or 'table'}"
    given = {k: v for k, v in columns.items() if v is not None}
    lengths = {k: v.shape for k, v in given.items()}
    if len(set(lengths.values())) != 1 or given["q"].ndim != 1:
        told = ", ".join(f"{k} {v}" for k, v in lengths.items())
        raise FormatError(f"{where}: lengths differ ({told}); expected one length")
    lost = ~np.isfinite(given["q"])
    keep = ~lost & (given["q"] != 0)
    if not keep.any():
        raise FormatError(
            f"{where}: {keep.size} rows, none with a finite q other than 0"
        )
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(given["q"][rows], kind="stable")]
    data: dict[str, Any] = {k: v[rows] for k, v in given.items()}
    metadata = {**metadata, **{k: v[rows] for k, v in (kept or {}).items()}}
    metadata["dropped_rows"] = int((~keep).sum())
    metadata["sorted"] = bool((np.diff(rows) < 0).any())
    if lost.any():
        warn(path, f"{int(lost.sum())} of {keep.size} rows have no finite q; dropped")
    sigma = data.get("sigma")
    if sigma is not None and not sigma.any():
        sigma = data["sigma"] = None
    bad = ~np.isfinite(data["intensity"])
    if sigma is not None:
        bad |= ~np.isfinite(sigma)
    metadata["nan_rows"] = int(bad.sum())
    if bad.all():
        raise FormatError(f"{where}: no row with a finite intensity and error")
    if bad.any():
        warn(
            path,
            f"{int(bad.sum())} of {bad.size} rows have an intensity or error that is "
            "not finite; they stay, and a Dataset masks them",
        )
    resolutions = {
        k: _resolution(where, k, data.pop(k, None), bad)
        for k in ("dq", "q_length", "q_width")
    }
    return Curve(
        **data,
        **_one_kind(path, resolutions, data["q"].shape),
        mask=None if mask is None else mask[rows],
        metadata=metadata,
        **labels,
    )


def _resolution(
    where: str, name: str, values: np.ndarray | None, bad: np.ndarray
) -> np.ndarray | None:
    """A resolution that can be used; None where it is zero throughout."""
    if values is None or not np.nan_to_num(values).any():
        return None
    # a row without data needs no resolution, and NaN would spread to the others
    values = np.where(bad & ~np.isfinite(values), 0.0, values)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise FormatError(
            f"{where}: {name}={values[row]:g} in row {row} (and {int(wrong.sum()) - 1} "
            "more); expected a resolution >= 0. A slit is told by the NIST 6-column "
            "line 'The 6 columns are', or by dQl and dQw"
        )
    return values


def _one_kind(
    path: pathlib.Path, found: dict[str, np.ndarray | None], shape: tuple[int, ...]
) -> dict[str, np.ndarray | None]:
    """A pinhole or a slit, whose missing side is 0."""
    if found["q_length"] is None and found["q_width"] is None:
        return {"dq": found["dq"]}
    if found["dq"] is not None:
        warn(path, "resolutions of a pinhole and of a slit; the slit is kept")
    sides = ("q_length", "q_width")
    return {k: np.zeros(shape) if found[k] is None else found[k] for k in sides}
