"""What a file says about a crystal: cell, sites of the asymmetric unit, operations.

Units: lengths in Å, angles in degrees, B = 8π²⟨u²⟩ and U in Å². Positions are fractions
of the cell. Operations act on positions as x' = R x + t and include the centring
translations. U_ij is that of CIF, T = exp(-2π² Σ U_ij a*_i a*_j h_i h_j) with a*_i the
lengths of the reciprocal axes (without 2π).

References:
    [1] R. W. Grosse-Kunstleve and P. D. Adams, J. Appl. Cryst. 35, 477 (2002):
        conventions of displacement parameters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError

Numbers: TypeAlias = ArrayLike | Sequence[Any]
"""What NumPy can turn into an array: numbers, arrays, or (nested) sequences."""

ELEMENTS = tuple(
    """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn
    Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce
    Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
    Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
    """.split()
)
"""Element symbols; the atomic number of ELEMENTS[i] is i + 1."""

_NOT_POSITIVE = 1e-9


@dataclass(frozen=True, eq=False)
class CrystalRecord:
    """A crystal as a file describes it; exactly one of `b_iso`, `u_aniso` is given.

    `labels` are the file's names of the sites, `symbols` their elements without charge
    or number. `rotations` is (operation, 3, 3) of integers, `translations`
    (operation, 3). `space_group` is the symbol the operations were found by, and
    `setting` the number that a `.dat` file puts behind the space group's.
    """

    cell: np.ndarray
    labels: tuple[str, ...]
    symbols: tuple[str, ...]
    positions: np.ndarray
    occupancies: np.ndarray
    b_iso: np.ndarray | None
    u_aniso: np.ndarray | None
    rotations: np.ndarray
    translations: np.ndarray
    space_group: str | None = None
    setting: int | None = None
    name: str = ""

    def __post_init__(self):
        n, m = len(self.symbols), len(self.rotations)
        if n == 0:
            raise DataError("no atom: expected at least one site")
        if m == 0:
            raise DataError("no operation: expected at least the identity")
        if (self.b_iso is None) == (self.u_aniso is None):
            raise DataError("expected exactly one of b_iso and u_aniso")
        for name, shape in (
            ("cell", (6,)),
            ("positions", (n, 3)),
            ("occupancies", (n,)),
            ("b_iso", (n,)),
            ("u_aniso", (n, 3, 3)),
            ("rotations", (m, 3, 3)),
            ("translations", (m, 3)),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            kind = np.int64 if name == "rotations" else np.float64
            value = np.array(value, kind)
            if value.shape != shape:
                raise DataError(f"{name} has shape {value.shape}; expected {shape}")
            if not np.isfinite(value).all():
                raise DataError(f"{name} is not finite everywhere; expected numbers")
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if len(self.labels) != n:
            raise DataError(f"{len(self.labels)} labels; expected {n}, one a site")
        self._check_values()

    def _check_values(self) -> None:
        volume(self.cell)
        for label, symbol in zip(self.labels, self.symbols, strict=True):
            if symbol not in ELEMENTS:
                raise DataError(f"site {label!r} is of {symbol!r}; expected an element")
        for label, x in zip(self.labels, self.occupancies, strict=True):
            if not 0 <= x <= 1:
                raise DataError(f"occupancy of {label!r} is {x:g}; expected 0 to 1")
        if self.b_iso is not None:
            for label, b in zip(self.labels, self.b_iso, strict=True):
                if b < 0:
                    raise DataError(f"B of {label!r} is {b:g} Å²; expected B >= 0")
        if self.u_aniso is not None:
            for label, u in zip(self.labels, self.u_aniso, strict=True):
                if np.abs(u - u.T).max() > _NOT_POSITIVE:
                    raise DataError(f"U of {label!r} is not symmetric; expected it so")
                least = np.linalg.eigvalsh(u)[0]
                if least < -_NOT_POSITIVE:
                    raise DataError(
                        f"U of {label!r} has the eigenvalue {least:.3g} Å²; expected a "
                        "positive definite tensor, or zero"
                    )


def element_of(text: str, *, whole: bool = True) -> tuple[str, bool]:
    """Element symbol at the start of a site's name, and whether a charge follows it.

    "Cu", "CU+1", "Cu2+" and "Si#1" are names; deuterium counts as hydrogen.

    Args:
        text: the name.
        whole: all letters at the start belong to the symbol; otherwise one or two may,
            as in "OW1".

    Raises:
        DataError: no element.
    """
    found = re.match(r"[A-Za-z]+", text.strip())
    letters = found.group() if found else ""
    tries = [letters] if whole else [letters[:2], letters[:1]]
    for name in tries:
        symbol = "H" if name.upper() == "D" else name.capitalize()
        if symbol in ELEMENTS:
            rest = text.strip()[len(letters) :].split("#")[0]
            return symbol, bool(re.search(r"\d*[+-]\d*", rest))
    raise DataError(f"site {text!r} is of no element; expected one such as Si or Cu#2")


def volume(cell: Numbers) -> float:
    """Volume V = (det G)^½ in Å³ of a cell (a, b, c, α, β, γ) with metric tensor G.

    Raises:
        DataError: there is no such cell.
    """
    values = np.asarray(cell, float)
    if values.shape != (6,):
        raise DataError(f"cell has shape {values.shape}; expected (6,)")
    lengths, angles = values[:3], values[3:]
    if not (np.isfinite(values).all() and (lengths > 0).all()):
        raise DataError(f"cell is {values.tolist()}; expected lengths > 0 in Å")
    if not ((angles > 0) & (angles < 180)).all():
        raise DataError(f"cell is {values.tolist()}; expected angles in (0, 180)°")
    # of unit lengths, so that the test of flatness does not depend on the scale
    unit = np.r_[1.0, 1.0, 1.0, angles]
    squared = np.linalg.det(metric(unit))
    if squared < 1e-12:
        raise DataError(
            f"cell is {values.tolist()}: no volume; expected angles of a parallelepiped"
        )
    return float(np.sqrt(squared) * np.prod(lengths))


def metric(cell: Numbers) -> np.ndarray:
    """Metric tensor G_ij = a_i · a_j in Å² of a cell (a, b, c, α, β, γ)."""
    values = np.asarray(cell, float)
    a, b, c = values[:3]
    # exact zeros for right angles
    cos = np.where(values[3:] == 90, 0.0, np.cos(np.radians(values[3:])))
    return np.array(
        [
            [a * a, a * b * cos[2], a * c * cos[1]],
            [a * b * cos[2], b * b, b * c * cos[0]],
            [a * c * cos[1], b * c * cos[0], c * c],
        ]
    )


def reciprocal_lengths(cell: Numbers) -> np.ndarray:
    """Lengths a*_i of the reciprocal axes (3,) in 1/Å, without 2π."""
    return np.sqrt(np.diag(np.linalg.inv(metric(cell))))


def isotropic_u(cell: Numbers, b_iso: Numbers) -> np.ndarray:
    """U_ij (n, 3, 3) of isotropic B (n,): U a*_i · a*_j / (a*_i a*_j), U = B / 8π²."""
    inverse = np.linalg.inv(metric(cell))
    lengths = np.sqrt(np.diag(inverse))
    shape = (inverse + inverse.T) / (2 * np.outer(lengths, lengths))
    u = np.asarray(b_iso, float) / (8 * np.pi**2)
    return np.asarray(u)[:, None, None] * shape


def u_of_beta(cell: Numbers, beta: Numbers) -> np.ndarray:
    """U_ij (n, 3, 3) = β_ij / (2π² a*_i a*_j) of T = exp(-Σ β_ij h_i h_j)."""
    lengths = reciprocal_lengths(cell)
    return np.asarray(beta, float) / (2 * np.pi**2 * np.outer(lengths, lengths))


def symmetric(six: Numbers) -> np.ndarray:
    """Tensors (n, 3, 3) of the elements 11, 22, 33, 12, 13, 23 in rows (n, 6)."""
    place = np.array([[0, 3, 4], [3, 1, 5], [4, 5, 2]])
    return np.asarray(six, float)[:, place]
