"""Space-group operations x' = R x + t as integer matrices and translations.

A host object without JAX arrays: it is compared and hashed by its numbers, so that a
crystal that holds it can enter jit without compiling anew.

Units: x and t in fractions of the cell.

References:
    [1] International Tables for Crystallography, vol. A, chapter 1.5.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from ..io import space_group as groups

_GRID = 24
"""Translations of every space group in its standard settings are multiples of 1/24."""
_SNAP = 2e-3


class Operations:
    """All operations of a space group, centring translations included.

    Args:
        rotations: integer matrices R that act on columns of fractional coordinates.
        translations: t; those within 0.002 of a multiple of 1/24 become that.

    Raises:
        DataError: no identity, a matrix that is not unimodular, or a list that is not
            closed under composition.
    """

    def __init__(
        self,
        rotations: ArrayLike | Sequence,
        translations: ArrayLike | Sequence,
    ):
        given = np.asarray(rotations, float)
        t = np.asarray(translations, float)
        if given.ndim != 3 or given.shape[1:] != (3, 3) or t.shape != given.shape[:2]:
            raise DataError(
                f"rotations {given.shape} and translations {t.shape}: expected "
                "(m, 3, 3) and (m, 3)"
            )
        if not (np.all(np.isfinite(t)) and np.all(given == np.round(given))):
            raise DataError("expected operations of integer matrices and finite shifts")
        t = t - np.floor(t)
        near = np.round(t * _GRID) / _GRID
        t = np.where(np.abs(t - near) < _SNAP, near, t) % 1.0
        self.rotations = given.astype(np.int64)
        self.translations = t
        for array in (self.rotations, self.translations):
            array.setflags(write=False)
        determinants = np.round(np.linalg.det(given))
        if not np.all(np.abs(determinants) == 1):
            bad = given[np.abs(determinants) != 1][0]
            raise DataError(f"operation {bad.tolist()}: expected determinant 1 or -1")
        identity = np.all(self.rotations == np.eye(3), axis=(1, 2)) & np.all(
            t == 0, axis=1
        )
        if np.count_nonzero(identity) != 1:
            raise DataError(
                f"operations hold the identity {np.count_nonzero(identity)} times; "
                "expected once"
            )
        self.identity = int(np.argmax(identity))
        self._key = (self.rotations.tobytes(), self.translations.tobytes())
        self._hash = hash(self._key)
        self._check_closed()

    def _check_closed(self) -> None:
        r, t = self.rotations, self.translations
        code = r.reshape(-1, 9) @ 19 ** np.arange(9)
        products = np.einsum("aij,bjk->abik", r, r).reshape(-1, 9) @ 19 ** np.arange(9)
        shifts = (np.einsum("aij,bj->abi", r, t) + t[:, None]).reshape(-1, 3)
        pair, candidate = np.nonzero(products[:, None] == code)
        apart = shifts[pair] - t[candidate]
        found = np.all(np.abs(apart - np.round(apart)) < _SNAP, axis=1)
        hits = np.bincount(pair[found], minlength=len(products))
        if not np.all(hits == 1):
            i, j = divmod(int(np.argmax(hits != 1)), len(r))
            raise DataError(
                f"operations {i} and {j} combine to one that is listed {hits.min()} "
                "times; expected a group with each operation once"
            )

    def __len__(self) -> int:
        return len(self.rotations)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Operations) and self._key == other._key
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Operations({len(self)})"

    @property
    def centrosymmetric(self) -> bool:
        """Whether -1 is among the rotations, about whatever centre."""
        return bool(np.any(np.all(self.rotations == -np.eye(3), axis=(1, 2))))

    @property
    def inverts_origin(self) -> bool:
        """Whether x → -x is an operation, so that F is real for real factors."""
        turned = np.all(self.rotations == -np.eye(3), axis=(1, 2))
        return bool(np.any(turned & np.all(self.translations == 0, axis=1)))


def identity() -> Operations:
    """The operation of P1."""
    return Operations(np.eye(3, dtype=int)[None], np.zeros((1, 3)))


def space_group(
    name: str | int, setting: int | None = None, cell: ArrayLike | None = None
) -> Operations:
    """Operations of a space group by symbol or number; needs the package gemmi.

    Args:
        name: Hermann-Mauguin symbol ("P n a 21", "Pna2_1", "F d -3 m:2") or number.
        setting: with a number, as `io.space_group` counts them: the origin choice where
            there are two, 1 for hexagonal and 2 for rhombohedral axes.
        cell: decides where a symbol leaves the unique axis or the axes open.

    Raises:
        DataError: no such space group or setting.
        ImportError: gemmi is not installed.
    """
    if isinstance(name, int):
        found = groups.of_number(name, 1 if setting is None else setting, cell)
    elif setting is None:
        found = groups.of_symbol(name.replace("_", ""), cell)
    else:
        raise DataError(
            f"setting is {setting!r} of {name!r}; expected it with a number only, and "
            "in a symbol as 'F d -3 m:2'"
        )
    return Operations(found.rotations, found.translations)
