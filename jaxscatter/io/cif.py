"""CIF: crystal structures of small molecules and minerals, through gemmi.

Read are the cell, the sites of the asymmetric unit with their occupancies and
displacements (U or B, isotropic or not, or β_ij), and the operations: the file's own
list, else those of its Hall symbol, Hermann-Mauguin symbol or number. Where a file
gives a site no occupancy it is 1; where it gives no displacement it is 0, with a
warning. Ions are read as neutral atoms, with a warning.

Units: lengths in Å, angles in degrees, B and U in Å².

References:
    [1] S. R. Hall, F. H. Allen and I. D. Brown, Acta Cryst. A47, 655 (1991): CIF.
    [2] M. Wojdyr, J. Open Source Softw. 7, 4200 (2022): gemmi.
"""

import os
import pathlib
import warnings
from typing import Any

import numpy as np

from ..errors import DataError, DataWarning, FormatError
from . import space_group as groups
from ._existing import existing_file
from .crystal_record import (
    CrystalRecord,
    element_of,
    isotropic_u,
    symmetric,
    u_of_beta,
    volume,
)

_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_SIX = ("11", "22", "33", "12", "13", "23")
_TRIPLETS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop.operation_xyz",
)
_HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
_SYMBOL = ("_space_group_name_H-M_alt", "_symmetry_space_group_name_H-M")
_NUMBER = ("_space_group_IT_number", "_symmetry_Int_Tables_number")
_STRAIN = 1e-3


def read_cif(path: str | os.PathLike[str], block: str | None = None) -> CrystalRecord:
    """The crystal of a CIF file, or of its data block named `block`.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no CIF, no or several structures in it, or one that cannot be used.
        ImportError: gemmi is not installed.
    """
    path = existing_file(path, "a CIF file")
    cif = groups.gemmi_for("CIF files").cif
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    try:
        document = cif.read_string(text)
        chosen = _chosen(path, document, block)
        return _record(path, cif, chosen)
    except FormatError:
        raise
    except (DataError, RuntimeError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from error


def _chosen(path: pathlib.Path, document: Any, name: str | None) -> Any:
    """The data block that is named, or the only one with a structure in it."""
    usable = {
        b.name: b
        for b in document
        if b.find_values("_cell_length_a") and b.find_values("_atom_site_fract_x")
    }
    if name is not None:
        if name not in usable:
            raise FormatError(
                f"{path}: no structure in a data block {name!r}; expected one of "
                f"{[*usable]}"
            )
        return usable[name]
    if not usable:
        raise FormatError(
            f"{path}: no structure in data blocks {[b.name for b in document]}; "
            "expected _cell_length_a and _atom_site_fract_x"
        )
    if len(usable) > 1:
        raise FormatError(
            f"{path}: structures in data blocks {[*usable]}; choose one with block="
        )
    return next(iter(usable.values()))


def _record(path: pathlib.Path, cif: Any, block: Any) -> CrystalRecord:
    cell = np.array([_number(cif, block, f"_cell_{name}") for name in _CELL])
    volume(cell)
    labels, symbols, kept = _sites(path, cif, block)
    positions = np.stack(
        [_numbers(cif, block, f"_atom_site_fract_{x}", len(kept)) for x in "xyz"], 1
    )[kept]
    for label, x in zip(labels, positions, strict=True):
        if not np.isfinite(x).all():
            raise DataError(f"site {label!r} has no position; expected three numbers")
    occupancies = _numbers(cif, block, "_atom_site_occupancy", len(kept))[kept]
    b_iso, u_aniso = _displacements(path, cif, block, cell, labels, kept)
    group = _group(path, cif, block, cell)
    change = groups.metric_change(cell, group.rotations)
    if change > _STRAIN:
        _warn(
            path,
            f"the operations change the cell by {change:.2g} of its metric; expected "
            "axes and angles of the space group's setting",
        )
    return CrystalRecord(
        cell=cell,
        labels=labels,
        symbols=symbols,
        positions=positions,
        occupancies=np.where(np.isnan(occupancies), 1.0, occupancies),
        b_iso=b_iso,
        u_aniso=u_aniso,
        rotations=group.rotations,
        translations=group.translations,
        space_group=group.symbol,
        name=block.name,
    )


def _sites(
    path: pathlib.Path, cif: Any, block: Any
) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Labels and elements of the sites, and which rows of the loop they are."""
    n = len(block.find_values("_atom_site_fract_x"))
    if n == 0:
        raise DataError("no site in the loop of _atom_site_fract_x; expected some")
    labels = _texts(cif, block, "_atom_site_label", n)
    types = _texts(cif, block, "_atom_site_type_symbol", n)
    flags = _texts(cif, block, "_atom_site_calc_flag", n)
    if labels is None and types is None:
        raise DataError("no _atom_site_label or _atom_site_type_symbol; expected one")
    names = labels or [f"{t}{i}" for i, t in enumerate(types or (), 1)]
    kept = np.array([f.lower() not in ("dum", "dummy") for f in flags or ["calc"] * n])
    symbols, ions = [], set()
    for i in np.flatnonzero(kept):
        stated = "" if types is None else types[i]
        symbol, charged = (
            element_of(stated) if stated else element_of(names[i], whole=False)
        )
        symbols.append(symbol)
        if charged:
            ions.add(stated or names[i])
    if ions:
        _warn(path, f"ions {sorted(ions)} are read as neutral atoms")
    return tuple(names[i] for i in np.flatnonzero(kept)), tuple(symbols), kept


def _displacements(
    path: pathlib.Path,
    cif: Any,
    block: Any,
    cell: np.ndarray,
    labels: tuple[str, ...],
    kept: np.ndarray,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Isotropic B of all sites, or U_ij of all where one of them is anisotropic."""
    n = len(kept)
    u = _numbers(cif, block, "_atom_site_U_iso_or_equiv", n)[kept]
    b = _numbers(cif, block, "_atom_site_B_iso_or_equiv", n)[kept]
    b = np.where(np.isnan(u), b, 8 * np.pi**2 * u)
    tensors = _tensors(cif, block, cell)
    missing = [
        label
        for label, value in zip(labels, b, strict=True)
        if np.isnan(value) and label not in tensors
    ]
    if missing:
        _warn(
            path,
            f"sites {missing} have no displacement parameter; B = 0 is taken, set it "
            "to what the temperature asks for",
        )
    b = np.where(np.isnan(b), 0.0, b)
    if not any(label in tensors for label in labels):
        return b, None
    spheres = isotropic_u(cell, b)
    return None, np.array(
        [tensors.get(label, s) for label, s in zip(labels, spheres, strict=True)]
    )


def _tensors(cif: Any, block: Any, cell: np.ndarray) -> dict[str, np.ndarray]:
    """U_ij by label, of the sites whose six elements are numbers."""
    n = len(block.find_values("_atom_site_aniso_label"))
    labels = _texts(cif, block, "_atom_site_aniso_label", n)
    if labels is None:
        return {}
    out: dict[str, np.ndarray] = {}
    for kind in ("U", "B", "beta"):
        tags = [f"_atom_site_aniso_{kind}_{ij}" for ij in _SIX]
        six = np.stack([_numbers(cif, block, tag, n) for tag in tags], 1)
        values = symmetric(six)
        if kind == "B":
            values = values / (8 * np.pi**2)
        if kind == "beta":
            values = u_of_beta(cell, values)
        for label, value in zip(labels, values, strict=True):
            if np.isfinite(value).all():
                out.setdefault(label, value)
    return out


def _group(
    path: pathlib.Path, cif: Any, block: Any, cell: np.ndarray
) -> groups.SpaceGroup:
    for tag in _TRIPLETS:
        triplets = block.find_values(tag)
        if triplets:
            return groups.of_triplets([cif.as_string(t) for t in triplets])
    hall = _first(cif, block, _HALL)
    if hall:
        return groups.of_hall(hall)
    symbol = _first(cif, block, _SYMBOL)
    if symbol:
        if groups.has_two_origins(symbol):
            _warn(path, f"{symbol!r} leaves the origin open; origin choice 1 is taken")
        return groups.of_symbol(symbol, cell)
    number = _first(cif, block, _NUMBER)
    if number:
        if not number.isdecimal():
            raise DataError(f"space group number is {number!r}; expected 1 to 230")
        return groups.of_number(int(number[:4]), 1, cell)
    raise DataError(
        "no space group; expected its operations (_space_group_symop_operation_xyz), "
        "symbol or number"
    )


def _first(cif: Any, block: Any, tags: tuple[str, ...]) -> str:
    for tag in tags:
        value = block.find_value(tag)
        text = "" if value is None else cif.as_string(value).strip()
        if text:
            return text
    return ""


def _number(cif: Any, block: Any, tag: str) -> float:
    value = block.find_value(tag)
    if value is None:
        raise DataError(f"no {tag}; expected the six cell parameters")
    return float(cif.as_number(value))


def _numbers(cif: Any, block: Any, tag: str, n: int) -> np.ndarray:
    """Numbers of a column, NaN where there is none; standard deviations are cut off."""
    texts = block.find_values(tag)
    if not texts:
        return np.full(n, np.nan)
    _check_length(tag, len(texts), n)
    return np.array([cif.as_number(t) for t in texts], float)


def _texts(cif: Any, block: Any, tag: str, n: int) -> list[str] | None:
    """Texts of a column, empty where unknown; None where there is no column."""
    texts = block.find_values(tag)
    if not texts:
        return None
    _check_length(tag, len(texts), n)
    return [cif.as_string(t).strip() for t in texts]


def _check_length(tag: str, found: int, n: int) -> None:
    if found != n:
        raise DataError(f"{tag} has {found} values; expected {n} as its loop has sites")


def _warn(path: pathlib.Path, what: str) -> None:
    warnings.warn(f"{path.name}: {what}", DataWarning, stacklevel=4)
