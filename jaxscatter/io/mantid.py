"""Processed NeXus files of Mantid: a reduced workspace with its axes.

An entry `mantid_workspace_1/workspace` holds `values` and `errors` (row, energy),
`axis1` (energies: points, or bin edges if one more) and `axis2` (rows), each axis with
an attribute `units`. Rows are Q (points or bin edges), scattering angles, or mere
spectrum numbers; only the first tells Q. Masked spectra are zero with error zero.

Units: as `spectra`.

References:
    [1] O. Arnold et al., Nucl. Instrum. Methods A 764, 156 (2014): Mantid.
"""

import dataclasses
import os
import re
from typing import Any

import numpy as np

from ..errors import FormatError
from ._hdf5 import numbers, opened, text
from .nxspe import Numbers
from .spectra import Spectra, Stored, assembled

FORMAT = "Mantid NeXus"
_EXPECTED = (
    "a processed Mantid workspace with values, errors, axis1 and axis2 in "
    "mantid_workspace_1/workspace"
)
_ENTRY = re.compile(r"mantid_workspace_\d+")
_ENERGY = {"deltae", "energytransfer", "energy transfer"}
_LIKE_Q = {"momentumtransfer", "q"}
_LIKE_ANGLE = {"degrees", "theta", "signedtheta", "signed_theta"}


def read_mantid(
    path: str | os.PathLike[str],
    *,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
    entry: str | None = None,
) -> Spectra:
    """Spectra of a processed Mantid file; see `assembled` for the arguments.

    Q is None where rows are spectrum numbers, and for angles of an indirect-geometry
    instrument, whose final energy the file does not tell.

    Args:
        path: the file.
        q: Q of each row.
        q_edges: edges of rows that are Q bins.
        energy_sign: -1 where the file counts neutron energy gain as positive.
        energy_unit: "meV", the only unit of Mantid.
        entry: which workspace, in a file with several.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no complete workspace, several, or one not in energy transfer.
        DataError: an argument that cannot be used or contradicts the file.
    """
    with opened(path, _EXPECTED) as file:
        names = mantid_entries(file)
        if entry is not None and entry not in names:
            raise FormatError(f"{path}: no entry {entry!r}; expected one of {names}")
        if not names:
            raise FormatError(
                f"{path}: expected {_EXPECTED}, found {sorted(file) or 'nothing'}"
            )
        if entry is None and len(names) > 1:
            raise FormatError(
                f"{path}: several workspaces {names}; expected one, or read_mantid "
                "with entry="
            )
        top = file[entry or names[0]]
        group = top["workspace"]
        data = np.atleast_2d(numbers(group, "values", _EXPECTED))
        stored = Stored(
            format=FORMAT,
            energy=_energies(path, group, data),
            data=data,
            error=np.atleast_2d(numbers(group, "errors", _EXPECTED)),
            unit="meV",
            edges_allowed=True,
            title=text(top["title"][()]) if "title" in top else "",
            **_rows(path, group),
        )
        counted = "distribution" in group["axis1"].attrs and not int(
            text(group["axis1"].attrs["distribution"]) or 1
        )
    spectra = assembled(
        path,
        stored,
        q=q,
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )
    if counted and spectra.energy_edges is not None:
        widths = np.diff(spectra.energy_edges)
        if np.ptp(widths) > 1e-3 * widths.mean():
            sentence = (
                "the file holds counts per bin on bins of unequal widths: they were "
                "not divided by the widths"
            )
            return dataclasses.replace(spectra, said=(*spectra.said, sentence))
    return spectra


def mantid_entries(file: Any) -> list[str]:
    """Names of the workspaces of an open file, in their order."""
    found = [k for k in file if _ENTRY.fullmatch(k) and f"{k}/workspace" in file]
    return sorted(found, key=lambda k: int(k.rsplit("_", 1)[1]))


def _energies(path: str | os.PathLike[str], group: Any, data: np.ndarray) -> np.ndarray:
    """Axis 1, which all rows must share."""
    axis = numbers(group, "axis1", _EXPECTED)
    unit = text(group["axis1"].attrs.get("units")).strip()
    if unit.lower() not in _ENERGY:
        swapped = unit.lower() in _LIKE_Q
        raise FormatError(
            f"{path}: axis1 is {unit or 'without a unit'}; expected DeltaE (meV)"
            + ("; energy and Q are exchanged" if swapped else "")
        )
    if axis.ndim != 2:
        return axis
    if len(axis) != len(data) or not np.allclose(axis, axis[:1], rtol=1e-9, atol=0):
        raise FormatError(
            f"{path}: rows have different energies; expected one axis for all (rebin "
            "the workspace)"
        )
    return axis[0]


def _rows(path: str | os.PathLike[str], group: Any) -> dict[str, Any]:
    """Q or angles of the rows, as far as axis 2 tells."""
    axis = np.ravel(numbers(group, "axis2", _EXPECTED))
    unit = text(group["axis2"].attrs.get("units")).strip()
    if unit.lower() in _LIKE_Q:
        return {"q": axis}
    if unit.lower() in _ENERGY:
        raise FormatError(
            f"{path}: axis2 is {unit}; expected MomentumTransfer or spectraNumber; "
            "energy and Q are exchanged"
        )
    reason = f"its axis2 is {unit or 'without a unit'}"
    if unit.lower() in _LIKE_ANGLE and axis.size == len(group["values"]):
        return {"two_theta": axis, "no_q": reason + ", and no final energy is stored"}
    return {"no_q": reason}
