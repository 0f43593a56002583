"""LAMP HDF: S(Q, ω) of the ILL, one matrix with its axes.

An entry holds a group with `DATA` and `errors` (row, energy), `X` (energy) and `Y`
(row). The names of the axes, with units, are in the attribute `long_name`, if they were
set. Points that the instrument cannot reach have the error -1. `PARAMETERS` is a text
of lines "name = value"; temperature and wavelength are taken from it.

Units: as `spectra`.

References:
    [1] D. Richard, M. Ferrand, G. J. Kearley, J. Neutron Res. 4, 33 (1996): LAMP.
"""

import os
import re
from typing import Any

import h5py
import numpy as np

from ..constants import NEUTRON_ENERGY
from ..errors import FormatError
from ._hdf5 import numbers, opened, text
from .nxspe import Numbers
from .spectra import Spectra, Stored, assembled, positive, stated_energy_unit

FORMAT = "LAMP HDF"
_EXPECTED = "a LAMP file with DATA, errors, X and Y in entry1/data1"
_NUMBER = r"\s*=\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)"
_TEMPERATURE = re.compile(r"Sample\s+temperature\s*\[K\]" + _NUMBER)
_WAVELENGTH = re.compile(r"Wavelength\s*\(angstroms?\)" + _NUMBER, re.IGNORECASE)
_UNNAMED = {"", "x", "y"}


def read_lamp(
    path: str | os.PathLike[str],
    *,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> Spectra:
    """Spectra of a LAMP HDF file; see `assembled` for the arguments.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not a complete LAMP file, or its X is no energy transfer.
        DataError: an argument that cannot be used or contradicts the file.
    """
    with opened(path, _EXPECTED) as file:
        group = lamp_group(file)
        if group is None:
            raise FormatError(
                f"{path}: expected {_EXPECTED}, found {sorted(file) or 'nothing'}"
            )
        names = {k: _name(group, k) for k in ("X", "Y")}
        unit = stated_energy_unit(names["X"])
        if unit is None and names["X"].lower() not in _UNNAMED:
            raise FormatError(
                f"{path}: X is {names['X']!r}; expected an energy transfer in meV or "
                "µeV"
            )
        y = np.ravel(numbers(group, "Y", _EXPECTED))
        is_q = names["Y"].lower() in _UNNAMED or "wavevector" in names["Y"].lower()
        is_angle = bool(re.search(r"angle|theta", names["Y"], re.IGNORECASE))
        about = text(group["PARAMETERS"][()]) if "PARAMETERS" in group else ""
        stored = Stored(
            format=FORMAT,
            energy=np.ravel(numbers(group, "X", _EXPECTED)),
            data=np.atleast_2d(numbers(group, "DATA", _EXPECTED)),
            error=np.atleast_2d(numbers(group, "errors", _EXPECTED)),
            unit=unit,
            q=y if is_q else None,
            no_q=f"its Y is {names['Y']!r}",
            two_theta=y if is_angle else None,
            ei=_incident_energy(about),
            temperature=positive(_found(_TEMPERATURE, about)),
            title=_name(group, "DATA"),
            said=()
            if "wavevector" in names["Y"].lower() or not is_q
            else ("the file does not name its Y axis: Q in 1/Å was assumed",),
        )
    return assembled(
        path,
        stored,
        q=q,
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )


def lamp_group(file: Any) -> Any | None:
    """The group of an open file that holds a LAMP matrix, or None."""
    for name in file:
        entry = file[name]
        for inner in entry if isinstance(entry, h5py.Group) else ():
            group = entry[inner]
            if isinstance(group, h5py.Group) and "DATA" in group and "X" in group:
                return group
    return None


def _name(group: Any, axis: str) -> str:
    """What the file calls an axis."""
    return text(group[axis].attrs.get("long_name")).strip() if axis in group else ""


def _found(pattern: re.Pattern[str], about: str) -> float | None:
    match = pattern.search(about)
    try:
        return None if match is None else float(match[1])
    except ValueError:
        return None


def _incident_energy(about: str) -> float | None:
    """E = 2.072125 (2π/λ)² in meV of the wavelength in the text."""
    wavelength = positive(_found(_WAVELENGTH, about))
    return (
        None if wavelength is None else NEUTRON_ENERGY * (2 * np.pi / wavelength) ** 2
    )
