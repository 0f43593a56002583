"""Which operations give the atoms of a site: special positions, found on the host.

A site on a special position has fewer images than the group has operations, and only
some of its coordinates are free. Its stabiliser, the operations that map it onto itself
up to a lattice vector, gives a projection x → P x + q onto the position, so that a site
whose coordinates a fit moves stays where the symmetry wants it.

Units: positions in fractions of the cell, cell in Å and degrees, tolerances in Å.

References:
    [1] International Tables for Crystallography, vol. A, chapter 1.4.
"""

import numpy as np

from ..errors import DataError
from ..io.crystal_record import metric
from .operations import Operations


class SiteImages:
    """The atoms of one cell as images of the sites, compared and hashed by value.

    Attributes:
        site, operation: (N,) site and operation of every atom, sorted by site.
        projection, offset: (n, 3, 3) and (n, 3), x → P x + q of every site.
        tensors: (n, 9, 9), the projection of a displacement tensor β, flattened.
    """

    def __init__(
        self,
        site: np.ndarray,
        operation: np.ndarray,
        projection: np.ndarray,
        offset: np.ndarray,
        tensors: np.ndarray,
    ):
        self.site, self.operation = site, operation
        self.projection, self.offset, self.tensors = projection, offset, tensors
        arrays = (site, operation, projection, offset, tensors)
        for array in arrays:
            array.setflags(write=False)
        self._key = tuple(array.tobytes() for array in arrays)
        self._hash = hash(self._key)

    def __len__(self) -> int:
        return len(self.site)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, SiteImages) and self._key == other._key
        )

    def __hash__(self) -> int:
        return self._hash

    @property
    def multiplicities(self) -> np.ndarray:
        """(n,) atoms of every site in one cell."""
        return np.bincount(self.site, minlength=len(self.offset))


def images_of(
    positions: np.ndarray,
    operations: Operations,
    cell: np.ndarray,
    tolerance: float | int = 0.02,
) -> SiteImages:
    """The images of every site that are distinct atoms.

    Args:
        positions: of the asymmetric unit, (n, 3).
        operations: of the space group.
        cell: six numbers.
        tolerance: images closer than this are one atom.

    Raises:
        DataError: the images of a site cannot be told apart or together.
    """
    gram = metric(cell)
    r, t = operations.rotations, operations.translations
    sites, chosen, projections, offsets, tensors = [], [], [], [], []
    for number, x in enumerate(positions):
        images = r @ x + t
        apart = images[:, None] - images
        apart -= np.round(apart)
        same = np.einsum("abi,ij,abj->ab", apart, gram, apart) < tolerance**2
        first = np.argmax(same, axis=1)
        kept = np.flatnonzero(first == np.arange(len(r)))
        stabiliser = np.flatnonzero(same[operations.identity])
        if len(kept) * len(stabiliser) != len(r):
            raise DataError(
                f"site {number} at {x.tolist()} lies so near a special position that "
                f"its images are {tolerance} Å apart; expected it on the position or "
                "farther away"
            )
        shift = np.round(images[stabiliser] - x)
        rotations = r[stabiliser].astype(float)
        sites.append(np.full(len(kept), number))
        chosen.append(kept)
        projections.append(rotations.mean(axis=0))
        offsets.append((t[stabiliser] - shift).mean(axis=0))
        # β' = R β Rᵀ, row by row: (R ⊗ R) vec(β)
        tensors.append(
            np.mean([np.kron(one, one) for one in rotations], axis=0),
        )
    return SiteImages(
        np.concatenate(sites),
        np.concatenate(chosen),
        np.array(projections),
        np.array(offsets),
        np.array(tensors),
    )


def check_overlaps(
    images: SiteImages,
    operations: Operations,
    positions: np.ndarray,
    occupancies: np.ndarray,
    cell: np.ndarray,
    tolerance: float | int = 0.02,
) -> None:
    """Refuse sites that put more than one atom at a point.

    Raises:
        DataError: the occupancies of coinciding sites add up to more than 1.
    """
    gram = metric(cell)
    at = np.einsum(
        "kij,kj->ki", operations.rotations[images.operation], positions[images.site]
    )
    at += operations.translations[images.operation]
    for x in positions:
        apart = at - x
        apart -= np.round(apart)
        here = np.einsum("ki,ij,kj->k", apart, gram, apart) < tolerance**2
        total = float(occupancies[images.site[here]].sum())
        if total > 1 + 1e-3:
            others = np.unique(images.site[here]).tolist()
            raise DataError(
                f"sites {others} coincide at {x.tolist()} with occupancies that add "
                f"up to {total:g}; expected at most 1, and each atom of the asymmetric "
                "unit once"
            )
