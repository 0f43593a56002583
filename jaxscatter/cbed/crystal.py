"""A crystal: cell, sites of the asymmetric unit, and the operations of its space group.

Cell, positions, occupancies and displacements are array leaves that can be
differentiated and fitted; elements and operations are static. What is an atom and what
the image of one is decided once, when the crystal is built, and positions are kept on
their special positions from then on.

Units: cell in Å and degrees, positions in fractions of the cell, B = 8π²⟨u²⟩ and U in
Å². U_ij is that of CIF, T = exp(-2π² Σ U_ij a*_i a*_j h_i h_j).

References:
    [1] International Tables for Crystallography, vol. A, chapter 1.4.
"""

import dataclasses
import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Num

from .._types import as_float
from ..errors import DataError, DataWarning
from ..io.crystal_record import metric
from . import lattice
from .debye_waller import beta_of, equivalent_b, u_of
from .operations import Operations, identity
from .operations import space_group as named_group
from .scattering_factors import atomic_number
from .sites import SiteImages, check_overlaps, images_of

_METRIC = 5e-3
"""How far, relatively, the cell's metric may be from invariant under the operations."""


@dataclasses.dataclass(frozen=True)
class Site:
    """An atom of the asymmetric unit.

    Args:
        symbol: element; charges are dropped with a warning.
        position: fractions of the cell.
        b_iso: B in Å².
        occupancy: from 0 to 1.
        u_aniso: U_ij in Å² of CIF, (3, 3); its B is then added to b_iso.
        label: for tables; without one, the element.
    """

    symbol: str
    position: Sequence[float | int]
    b_iso: float | int = 0.0
    occupancy: float | int = 1.0
    u_aniso: Any = None
    label: str = ""


def element_of(symbol: str) -> str:
    """Element of a site's symbol: "Si4+", "SI" and "Si#1" are Si, "D" is H.

    Raises:
        KeyError: no element from H to Lr.
    """
    letters = re.match(r"[A-Za-z]*", symbol)
    name = letters.group().capitalize() if letters else ""
    name = {"D": "H", "T": "H"}.get(name, name)
    atomic_number(name)
    if re.search(r"\d*[+-]\d*$", symbol):
        warnings.warn(
            f"site of {symbol!r}: factors of the neutral atom {name!r} are taken",
            DataWarning,
            stacklevel=3,
        )
    return name


class Crystal(eqx.Module):
    """A crystal; `Crystal.from_sites`, `from_cif`, `from_dat` build one.

    Attributes:
        cell: a, b, c, α, β, γ.
        positions: (n, 3) of the asymmetric unit.
        occupancies: (n,).
        b_iso: (n,) isotropic B.
        u_aniso: (n, 3, 3) U_ij whose factor multiplies that of b_iso, or None.
        symbols, labels: elements and names of the sites.
        operations: of the space group.
        images: the atoms of one cell.
    """

    cell: Float[Array, "6"] = eqx.field(converter=as_float)
    positions: Float[Array, "n 3"] = eqx.field(converter=as_float)
    occupancies: Float[Array, " n"] = eqx.field(converter=as_float)
    b_iso: Float[Array, " n"] = eqx.field(converter=as_float)
    u_aniso: Float[Array, "n 3 3"] | None = eqx.field(
        converter=lambda u: None if u is None else as_float(u)
    )
    symbols: tuple[str, ...] = eqx.field(static=True)
    labels: tuple[str, ...] = eqx.field(static=True)
    operations: Operations = eqx.field(static=True)
    images: SiteImages = eqx.field(static=True)

    def __check_init__(self):
        _check_leaves(self)

    @classmethod
    def from_sites(
        cls,
        cell: Num[ArrayLike, "6"] | Sequence[float | int],
        sites: Sequence[Site],
        operations: Operations | None = None,
        space_group: str | int | None = None,
        setting: int | None = None,
        tolerance: float | int = 0.02,
    ) -> "Crystal":
        """A crystal of `sites`, in P1 unless operations or a space group are given.

        Args:
            cell: a, b, c, α, β, γ.
            sites: of the asymmetric unit.
            operations: explicit ones, or
            space_group: symbol or number.
            setting: of a numbered group, as `operations.space_group` takes it.
            tolerance: distance in Å below which two images are one atom.

        Raises:
            DataError: what no crystal can be: no volume, an occupancy outside 0 to 1, a
                negative B, a U that is not positive semi-definite, NaN, coinciding
                atoms, or a cell that the operations do not leave as it is.
            KeyError: an unknown element.
        """
        if not sites:
            raise DataError("sites are empty; expected at least one atom")
        if operations is not None and space_group is not None:
            raise DataError("operations and space_group are both given; expected one")
        if space_group is not None:
            operations = named_group(space_group, setting, np.asarray(cell, float))
        tensors = None
        if any(site.u_aniso is not None for site in sites):
            zero = np.zeros((3, 3))
            tensors = np.array(
                [zero if s.u_aniso is None else s.u_aniso for s in sites], float
            )
        return _built(
            cell=np.asarray(cell, float),
            positions=np.array([s.position for s in sites], float),
            occupancies=np.array([s.occupancy for s in sites], float),
            b_iso=np.array([s.b_iso for s in sites], float),
            u_aniso=tensors,
            symbols=tuple(s.symbol for s in sites),
            labels=tuple(s.label or s.symbol for s in sites),
            operations=identity() if operations is None else operations,
            tolerance=tolerance,
        )

    @classmethod
    def from_record(cls, record: Any, tolerance: float | int = 0.02) -> "Crystal":
        """The crystal of an `io.crystal_record.CrystalRecord`."""
        n = len(record.symbols)
        return _built(
            cell=np.asarray(record.cell, float),
            positions=np.array(record.positions, float),
            occupancies=np.array(record.occupancies, float),
            b_iso=np.zeros(n) if record.b_iso is None else np.array(record.b_iso),
            u_aniso=None if record.u_aniso is None else np.array(record.u_aniso),
            symbols=tuple(record.symbols),
            labels=tuple(record.labels),
            operations=Operations(record.rotations, record.translations),
            tolerance=tolerance,
        )

    @classmethod
    def from_cif(cls, path: str | os.PathLike[str], **options: Any) -> "Crystal":
        """The crystal of a CIF file; `options` are those of `read_cif`."""
        from ..io.cif import read_cif

        return cls.from_record(read_cif(path, **options))

    @classmethod
    def from_dat(cls, path: str | os.PathLike[str], **options: Any) -> "Crystal":
        """The crystal of a `.dat` file; `options` are those of `read_dat`."""
        from ..io.bloch_dat import read_dat

        return cls.from_record(read_dat(path, **options).crystal)

    def with_(self, **leaves: ArrayLike | Sequence[Any]) -> "Crystal":
        """The same crystal with other numbers: cell=, positions=, b_iso=, ...

        Atoms stay the images they are: a site does not leave its special position.
        """
        known = ("cell", "positions", "occupancies", "b_iso", "u_aniso")
        for name in leaves:
            if name not in known:
                raise DataError(f"leaf is {name!r}; expected one of {list(known)}")
        lists = {k: np.array(v) for k, v in leaves.items() if isinstance(v, Sequence)}
        return dataclasses.replace(self, **{**leaves, **lists})

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def rotations(self) -> np.ndarray:
        """(m, 3, 3) integer matrices R of the operations x' = R x + t."""
        return self.operations.rotations

    @property
    def translations(self) -> np.ndarray:
        """(m, 3) translations t of the operations."""
        return self.operations.translations

    def site_positions(self) -> Float[Array, "n 3"]:
        """Positions of the sites, projected onto their special positions."""
        turned = jnp.einsum("nij,nj->ni", self.images.projection, self.positions)
        return turned + as_float(self.images.offset)

    def atom_positions(self) -> Float[Array, "atom 3"]:
        """Positions of all atoms of one cell, not wrapped into it."""
        of = self.site_positions()[self.images.site]
        rotations = as_float(self.rotations[self.images.operation])
        shifts = as_float(self.translations[self.images.operation])
        return jnp.einsum("kij,kj->ki", rotations, of) + shifts

    def atom_betas(self) -> Float[Array, "atom 3 3"] | None:
        """β_ij of all atoms from `u_aniso`, or None."""
        if self.u_aniso is None:
            return None
        beta = beta_of(self.u_aniso, self.cell)
        flat = jnp.reshape(beta, (len(self), 9))
        site = jnp.einsum("nij,nj->ni", self.images.tensors, flat)
        site = jnp.reshape(site, (len(self), 3, 3))
        r = as_float(self.rotations[self.images.operation])
        return jnp.einsum("kij,kjl,kml->kim", r, site[self.images.site], r)

    def expanded(
        self,
    ) -> tuple[
        Float[Array, "atom 3"],
        Float[Array, " atom"],
        Float[Array, " atom"],
        Float[Array, "atom 3 3"] | None,
        tuple[str, ...],
    ]:
        """(positions, occupancies, b_iso, u_aniso or None, symbols) of all atoms."""
        site = self.images.site
        beta = self.atom_betas()
        return (
            self.atom_positions(),
            self.occupancies[site],
            self.b_iso[site],
            None if beta is None else u_of(beta, self.cell),
            tuple(self.symbols[i] for i in site),
        )

    def equivalent_b(self) -> Float[Array, " n"]:
        """B of the sites, averaged over directions where it is anisotropic."""
        if self.u_aniso is None:
            return self.b_iso
        return self.b_iso + equivalent_b(self.u_aniso, self.cell)

    def volume(self) -> Float[Array, ""]:
        """Volume of the cell in Å³."""
        return lattice.volume(self.cell)

    def composition(self) -> dict[str, float]:
        """Atoms of each element in one cell, with their occupancies."""
        counts = self.images.multiplicities * np.asarray(self.occupancies)
        return {
            symbol: float(
                sum(c for s, c in zip(self.symbols, counts, strict=True) if s == symbol)
            )
            for symbol in dict.fromkeys(self.symbols)
        }

    def summary(self) -> str:
        """A table of the cell and the sites."""
        a, b, c, *angles = np.asarray(self.cell).tolist()
        formula = " ".join(f"{k}{v:g}" for k, v in self.composition().items())
        lines = [
            f"{formula}, {len(self.images)} atoms, {len(self.operations)} operations",
            f"a {a:.5f}  b {b:.5f}  c {c:.5f} Å  "
            + "  ".join(f"{n} {x:.3f}" for n, x in zip("αβγ", angles, strict=True))
            + f"°  volume {float(self.volume()):.3f} Å³",
            f"{'site':8}{'element':8}{'atoms':>6}{'occupancy':>11}{'B/Å²':>9}"
            f"{'x':>10}{'y':>10}{'z':>10}",
        ]
        for i, (x, y, z) in enumerate(np.asarray(self.site_positions())):
            lines.append(
                f"{self.labels[i]:8}{self.symbols[i]:8}"
                f"{self.images.multiplicities[i]:6d}{float(self.occupancies[i]):11.4f}"
                f"{float(self.equivalent_b()[i]):9.4f}{x:10.5f}{y:10.5f}{z:10.5f}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Crystal({', '.join(self.symbols)}; {len(self.images)} atoms)"


def _built(
    *,
    cell: np.ndarray,
    positions: np.ndarray,
    occupancies: np.ndarray,
    b_iso: np.ndarray,
    u_aniso: np.ndarray | None,
    symbols: tuple[str, ...],
    labels: tuple[str, ...],
    operations: Operations,
    tolerance: float | int,
) -> Crystal:
    """A crystal whose special positions are found here."""
    if positions.shape != (len(symbols), 3):
        raise DataError(
            f"positions have shape {positions.shape}; expected ({len(symbols)}, 3)"
        )
    if cell.shape != (6,):
        raise DataError(f"cell has shape {cell.shape}; expected (6,)")
    lattice.checked_cell(cell)
    if not np.all(np.isfinite(positions)):
        raise DataError(f"positions are {positions.tolist()}; expected finite numbers")
    images = images_of(positions, operations, cell, tolerance)
    crystal = Crystal(
        cell=cell,
        positions=positions,
        occupancies=occupancies,
        b_iso=b_iso,
        u_aniso=u_aniso,
        symbols=tuple(element_of(s) for s in symbols),
        labels=labels,
        operations=operations,
        images=images,
    )
    check_overlaps(images, operations, positions, occupancies, cell, tolerance)
    return crystal


def _check_leaves(crystal: Crystal) -> None:
    """Refuse numbers that no crystal has; traced ones pass unseen."""
    n = len(crystal.symbols)
    shapes = {
        "cell": (6,),
        "positions": (n, 3),
        "occupancies": (n,),
        "b_iso": (n,),
        "u_aniso": (n, 3, 3),
    }
    for name, shape in shapes.items():
        leaf = getattr(crystal, name)
        if leaf is None:
            continue
        if leaf.shape != shape:
            raise DataError(f"{name} has shape {leaf.shape}; expected {shape}")
        if isinstance(leaf, Tracer):
            continue
        x = np.asarray(leaf)
        if not np.all(np.isfinite(x)):
            raise DataError(f"{name} is {x.tolist()}; expected finite numbers")
        if name == "cell":
            lattice.checked_cell(x)
            _check_metric(x, crystal.operations)
        if name == "occupancies" and np.any((x < 0) | (x > 1)):
            raise DataError(f"occupancies are {x.tolist()}; expected 0 to 1")
        if name == "b_iso" and np.any(x < 0):
            raise DataError(f"b_iso is {x.tolist()} Å²; expected at least 0")
        if name == "u_aniso":
            _check_tensors(x, crystal.labels)


def _check_tensors(u: np.ndarray, labels: tuple[str, ...]) -> None:
    for label, tensor in zip(labels, u, strict=True):
        scale = max(float(np.abs(tensor).max()), 1e-12)
        if np.abs(tensor - tensor.T).max() > 1e-6 * scale:
            raise DataError(f"U of {label!r} is {tensor.tolist()}; expected symmetry")
        # scaling of the axes does not change the signs of the eigenvalues
        least = float(np.linalg.eigvalsh(tensor)[0])
        if least < -1e-6 * scale:
            raise DataError(
                f"U of {label!r} has the eigenvalue {least:.3g} Å²; expected a "
                "positive semi-definite tensor"
            )


def _check_metric(cell: np.ndarray, operations: Operations) -> None:
    """a_i·a_j must be what the rotations make of it."""
    gram = metric(cell)
    r = operations.rotations
    apart = np.abs(np.einsum("kia,ij,kjb->kab", r, gram, r) - gram)
    if apart.max() > _METRIC * gram.max():
        worst = int(np.argmax(apart.max(axis=(1, 2))))
        raise DataError(
            f"cell is {cell.tolist()}; expected one that the operation "
            f"{r[worst].tolist()} of the space group leaves as it is"
        )
