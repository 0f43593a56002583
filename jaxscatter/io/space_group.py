"""Operations of space groups by number and setting, by symbol, or from triplets.

Operations act on fractional positions as x' = R x + t, R of integers and t in twelfths
or twenty-fourths; centring translations are included and the identity comes first. All
of it needs gemmi.

A setting is the number behind a space group's in a `.dat` file: the origin choice where
there are two; 1 for hexagonal and 2 for rhombohedral axes; for monoclinic groups 1 and
2 as in the tables of 1952 (unique axis c, unique axis b), unless the cell's angles
leave only the other; for orthorhombic groups 1 to 6 for abc, ba-c, cab, -cba, bca and
a-cb.

References:
    [1] International Tables for X-ray Crystallography I (1952): the two settings of
        monoclinic groups.
    [2] International Tables for Crystallography A (2016): origin choices and axes.
    [3] M. Wojdyr, J. Open Source Softw. 7, 4200 (2022): gemmi.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .crystal_record import Numbers, metric

_MONOCLINIC = range(3, 16)
_ORTHORHOMBIC = range(16, 75)
_FIRST_SETTING = {
    3: "P 1 1 2", 4: "P 1 1 21", 5: "B 1 1 2", 6: "P 1 1 m", 7: "P 1 1 b",
    8: "B 1 1 m", 9: "B 1 1 b", 10: "P 1 1 2/m", 11: "P 1 1 21/m", 12: "B 1 1 2/m",
    13: "P 1 1 2/b", 14: "P 1 1 21/b", 15: "B 1 1 2/b",
}  # fmt: skip
_AXES = ("", "ba-c", "cab", "-cba", "bca", "a-cb")
_ORIGINS = ("1", "2")
_MOST = 192


class SpaceGroup(NamedTuple):
    """Operations x' = R x + t (m, 3, 3) and (m, 3), and the symbol they belong to."""

    symbol: str | None
    rotations: np.ndarray
    translations: np.ndarray


def of_number(number: int, setting: int = 1, cell: Numbers | None = None) -> SpaceGroup:
    """Space group by its number in the tables (1 to 230) and a setting.

    Raises:
        DataError: there is no such number or setting.
        ImportError: gemmi is not installed.
    """
    table = gemmi_for("space groups").spacegroup_table()
    table = gemmi_for("space groups").spacegroup_table()
    groups = [s for s in table if s.number == number]
    if not groups:
        raise DataError(f"space group number is {number}; expected 1 to 230")
    choices: dict[int, Any]
    if number in _MONOCLINIC:
        second = groups[0]
        first = next(s for s in groups if s.xhm() == _FIRST_SETTING[number])
        choices = {1: first, 2: second}
        if cell is not None:
            _, beta, gamma = np.asarray(cell, float)[3:]
            if gamma == 90 != beta:
                choices[1] = second
    elif groups[0].ext in (*_ORIGINS, "H", "R"):
        standard = [s for s in groups if s.qualifier == groups[0].qualifier]
        choices = dict(enumerate(standard, 1))
    elif number in _ORTHORHOMBIC:
        found = {s.qualifier: s for s in groups}
        choices = {i: found[a] for i, a in enumerate(_AXES, 1) if a in found}
    else:
        choices = {1: groups[0]}
    if setting not in choices:
        raise DataError(
            f"setting of space group {number} is {setting}; expected one of "
            f"{[*choices]}"
        )
    return _space_group(choices[setting].xhm(), choices[setting].operations())


def of_symbol(symbol: str, cell: Numbers | None = None) -> SpaceGroup:
    """Space group of a Hermann-Mauguin symbol such as "P 21/c" or "F d -3 m:2".

    The cell's angles decide between hexagonal and rhombohedral axes, and the unique
    axis, where the symbol does not; the first origin is taken where it names none.

    Raises:
        DataError: no symbol of a space group.
        ImportError: gemmi is not installed.
    """
    gemmi = gemmi_for("space groups")
    angles = (0.0, 0.0) if cell is None else np.asarray(cell, float)[[3, 5]].tolist()
    found = gemmi.find_spacegroup_by_name(symbol, *angles)
    if found is None:
        raise DataError(
            f"space group is {symbol!r}; expected a Hermann-Mauguin symbol such as "
            "'F d -3 m:2'"
        )
    return _space_group(found.xhm(), found.operations())


def of_hall(symbol: str) -> SpaceGroup:
    """Space group of a Hall symbol such as "-F 4vw 2vw 3"."""
    gemmi = gemmi_for("space groups")
    try:
        operations = gemmi.symops_from_hall(symbol)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"Hall symbol is {symbol!r}: {error}") from error
    found = gemmi.find_spacegroup_by_ops(operations)
    return _space_group(None if found is None else found.xhm(), operations)


def of_triplets(triplets: Sequence[str]) -> SpaceGroup:
    """Space group of coordinate triplets such as "-x, y+1/2, -z".

    Raises:
        DataError: a text is no triplet, or together they are no group.
        ImportError: gemmi is not installed.
    """
    gemmi = gemmi_for("space groups")
    operations = []
    for text in triplets[: _MOST + 1]:
        try:
            operations.append(gemmi.Op(text))
        except (RuntimeError, ValueError) as error:
            raise DataError(f"operation {text!r}: {error}") from error
    if len(triplets) > _MOST:
        raise DataError(f"{len(triplets)} operations; expected at most {_MOST}")
    if not operations:
        raise DataError("no operation; expected at least x,y,z")
    rotations, twentyfourths = _integers(operations)
    if (np.abs(rotations) > 1).any():
        raise DataError("an operation has a factor other than -1, 0, 1; expected none")
    once = np.unique(_codes(rotations, twentyfourths), return_index=True)[1]
    rotations, twentyfourths = rotations[np.sort(once)], twentyfourths[np.sort(once)]
    _check_group(rotations, twentyfourths)
    # gemmi does not recognise a group with an operation twice or out of the cell
    distinct = gemmi.GroupOps([operations[i].wrap() for i in once])
    found = gemmi.find_spacegroup_by_ops(distinct)
    symbol = None if found is None else found.xhm()
    return _identity_first(symbol, rotations, twentyfourths)


def has_two_origins(symbol: str) -> bool:
    """Whether a Hermann-Mauguin symbol leaves open which of two origins is meant."""
    gemmi = gemmi_for("space groups")
    found = gemmi.find_spacegroup_by_name(symbol)
    return found is not None and found.ext in _ORIGINS and ":" not in symbol


def metric_change(cell: Numbers, rotations: Numbers) -> float:
    """Largest change |Rᵀ G R - G| that operations make to a cell's metric tensor G.

    Relative to the lengths of the axes concerned: 0 where the cell has the symmetry.
    """
    g, r = metric(cell), np.asarray(rotations, float)
    lengths = np.sqrt(np.diag(g))
    change = np.einsum("nji,jk,nkl->nil", r, g, r) - g
    return float(np.abs(change / np.outer(lengths, lengths)).max())


def gemmi_for(purpose: str) -> ModuleType:
    """The package gemmi, or an ImportError that says how to get it."""
    try:
        import gemmi
    except ImportError as error:
        raise ImportError(
            f"{purpose} need gemmi: pip install jaxscatter[chem]"
        ) from error
    return gemmi


def _space_group(symbol: str | None, operations: Any) -> SpaceGroup:
    return _identity_first(symbol, *_integers([*operations]))


def _integers(operations: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Rotations, and translations in 1/24 of the cell, within the cell."""
    rotations = np.array([o.rot for o in operations], np.int64)
    if (rotations % 24).any():
        raise DataError("an operation holds a fraction of a coordinate; expected none")
    translations = np.array([o.tran for o in operations], np.int64) % 24
    return rotations // 24, translations


def _identity_first(
    symbol: str | None, rotations: np.ndarray, twentyfourths: np.ndarray
) -> SpaceGroup:
    first = (rotations == np.eye(3)).all((1, 2)) & (twentyfourths == 0).all(1)
    order = np.argsort(~first, kind="stable")
    return SpaceGroup(symbol, rotations[order], twentyfourths[order] / 24)


def _codes(rotations: np.ndarray, twentyfourths: np.ndarray) -> np.ndarray:
    """One integer for each operation with elements in -1, 0, 1."""
    flat = rotations.reshape(*rotations.shape[:-2], 9) + 1
    code = flat @ 3 ** np.arange(9)
    return code * 24**3 + twentyfourths % 24 @ 24 ** np.arange(3)


def _check_group(rotations: np.ndarray, twentyfourths: np.ndarray) -> None:
    """Refuse operations without an identity, or whose products are not among them."""
    if (np.abs(np.linalg.det(rotations)) < 0.5).any():
        raise DataError("an operation has no inverse; expected rotations x' = R x + t")
    known = _codes(rotations, twentyfourths)
    identity = _codes(np.eye(3, dtype=np.int64)[None], np.zeros((1, 3), np.int64))
    if identity not in known:
        raise DataError(f"{len(known)} operations without x,y,z; expected it")
    products = np.einsum("aij,bjk->abik", rotations, rotations)
    moved = np.einsum("aij,bj->abi", rotations, twentyfourths) + twentyfourths[:, None]
    inside = (np.abs(products) <= 1).all((2, 3))
    if not inside.all() or not np.isin(_codes(products, moved), known).all():
        raise DataError(
            f"{len(known)} operations are no group: a product of two is not among "
            "them; expected the full list"
        )
