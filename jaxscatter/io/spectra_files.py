"""Files of S(Q, ω) in any known format, read through one door.

The format is found from the content, never from the name. HDF5 is told apart by its
groups: NXSPE, LAMP, a processed Mantid workspace, MDANSE. Text is a DAVE group file,
INX, or columns.

Units: energies in meV, Q in 1/Å, whatever the file has.
"""

import os
import pathlib
from collections.abc import Callable, Sequence

import h5py
import numpy as np

from ..errors import DataError, FormatError
from . import dave, inx, lamp, mantid, mdanse, nxspe, spectra_ascii
from ._existing import existing_file
from ._hdf5 import check_size, is_hdf5, opened
from .nxspe import Numbers
from .spectra import ELASTIC_Q, Spectra

NXSPE = "NXSPE"
_EXPECTED = "spectra: NXSPE, LAMP HDF, Mantid NeXus, MDANSE, DAVE grp, INX or columns"
_HEAD = 4096

Path = str | os.PathLike[str]


def spectra_format(path: Path) -> str:
    """Name of the format of a file of spectra, from its content.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: none that is known.
    """
    path = existing_file(path, _EXPECTED)
    if is_hdf5(path):
        with opened(path, _EXPECTED) as file:
            return _hdf5_format(path, file)
    lines = _head(path)
    if dave.looks_like_dave(lines):
        return dave.FORMAT
    if inx.looks_like_inx(lines):
        return inx.FORMAT
    if spectra_ascii.looks_like_spectra(lines):
        return spectra_ascii.FORMAT
    raise FormatError(f"{path}: not recognised; expected {_EXPECTED}")


def read_spectra(
    path: Path | Sequence[Path],
    *,
    q: Numbers | str | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> Spectra:
    """Spectra of a file of any known format, or of several files of columns.

    Args:
        path: the file.
        q: Q of each row, in place of what the file says; for INX also "angle" or "q",
            the meaning of the first number of each block.
        q_edges: edges of rows that are Q bins, in place of what the file says.
        energy_sign: -1 where the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV", where the file states none.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no known format, incomplete, or with axes that are not Q and energy
            transfer.
        DataError: an argument that cannot be used or contradicts the file.
    """
    if not isinstance(path, str | os.PathLike):
        for one in path:
            if (found := spectra_format(one)) != spectra_ascii.FORMAT:
                raise FormatError(
                    f"{one}: {found}; expected one such file alone (only text columns "
                    "may be several)"
                )
        return spectra_ascii.read_spectra_ascii(
            list(path),
            q=_numbers(q, path),
            q_edges=q_edges,
            energy_sign=energy_sign,
            energy_unit=energy_unit,
        )
    found = spectra_format(path)
    if found == inx.FORMAT:
        return inx.read_inx(
            path,
            q=q,
            q_edges=q_edges,
            energy_sign=energy_sign,
            energy_unit=energy_unit,
        )
    reader: Callable[..., Spectra] = {
        NXSPE: _nxspe,
        lamp.FORMAT: lamp.read_lamp,
        mantid.FORMAT: mantid.read_mantid,
        mdanse.FORMAT: mdanse.read_mdanse,
        dave.FORMAT: dave.read_dave,
        spectra_ascii.FORMAT: spectra_ascii.read_spectra_ascii,
    }[found]
    return reader(
        path,
        q=_numbers(q, path),
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )


def _hdf5_format(path: pathlib.Path, file: h5py.File) -> str:
    if any(f"{k}/data/data" in file for k in file):
        return NXSPE
    if mantid.mantid_entries(file):
        return mantid.FORMAT
    if lamp.lamp_group(file) is not None:
        return lamp.FORMAT
    if mdanse.mdanse_group(file) is not None:
        return mdanse.FORMAT
    raise FormatError(
        f"{path}: HDF5 of another kind, with {sorted(file) or 'nothing'}; expected "
        f"{_EXPECTED}"
    )


def _nxspe(
    path: Path,
    *,
    q: Numbers | None,
    q_edges: Numbers | None,
    energy_sign: int,
    energy_unit: str | None,
) -> Spectra:
    """`nxspe.read` as `Spectra`."""
    with opened(path, "an NXSPE file") as file:
        for group in (file[k]["data"] for k in file if f"{k}/data/data" in file):
            for node in group.values():
                if isinstance(node, h5py.Dataset):
                    check_size(node)
    file = nxspe.read(
        path,
        q=q,
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )
    said = []
    if not file.unit_stated and energy_unit is None:
        said.append("the file states no energy unit: meV was assumed")
    if "polar" in file.q_source:
        said.append(ELASTIC_Q)
    angles = file.polar if file.polar.size == len(file.data) else None
    return Spectra(
        energy=file.energy,
        energy_edges=file.energy_edges,
        data=file.data,
        error=file.error,
        mask=file.mask,
        q=file.q,
        q_source=file.q_source,
        two_theta=angles,
        ei=None if np.isnan(file.ei) else file.ei,
        temperature=None,
        title=file.title,
        format=NXSPE,
        said=tuple(said),
    )


def _numbers(q: Numbers | str | None, path: object) -> Numbers | None:
    """`q` for a format that leaves nothing open."""
    if isinstance(q, str):
        raise DataError(
            f"q={q!r}: expected numbers for {path}; only INX files leave open what the "
            "first number of a block is"
        )
    return q


def _head(path: pathlib.Path) -> list[str]:
    """First lines of a text file, none of a binary one."""
    with path.open("rb") as file:
        raw = file.read(_HEAD)
    if b"\0" in raw:
        return []
    lines = raw.decode("utf-8-sig", errors="replace").split("\n")
    return [x.rstrip() for x in (lines if len(raw) < _HEAD else lines[:-1])]
