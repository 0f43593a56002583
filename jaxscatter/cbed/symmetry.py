"""Reflections that a space group ties to each other, and the numbers that stay free.

For an operation x → R x + t and F(g) = Σ f exp(+2πi g·r), with hkl as row vectors,

    U(hR) = U(h) exp(-2πi h·t),        U(-h) = U(h)*

and the same for U' on its own: the full coefficient U + iU' obeys neither with -h. An
orbit is all of ±hR. Its representative is the member that comes last when sorted, and

    hR =  h with h·t not an integer    the orbit is absent, U = 0
    hR = -h                            the phase is πh·t modulo π: one signed number

Everything about indices happens once on the host; what a fit repeats is a gather.

Units: U in 1/Å², phases in degrees.

References:
    [1] International Tables for Crystallography, vol. B, chapter 1.4.
    [2] J. M. Zuo, Rep. Prog. Phys. 67, 2053 (2004), section 3.
"""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Complex, Float, Int

from ..errors import DataError
from .operations import Operations

_INTEGER = 1e-6


class Equivalents(NamedTuple):
    """Reflections `hkl` (k, 3) whose U is `phase` times that of one, or its conjugate.

    `conjugate` (k,) says which.
    """

    hkl: Int[np.ndarray, "k 3"]
    phase: Complex[np.ndarray, " k"]
    conjugate: Bool[np.ndarray, " k"]


def _whole(hkl: ArrayLike) -> Int[np.ndarray, "m 3"]:
    given = np.asarray(hkl)
    if given.ndim != 2 or given.shape[1] != 3 or not len(given):
        raise DataError(f"hkl has shape {given.shape}; expected (m, 3) with m > 0")
    whole = np.round(given).astype(np.int64)
    if not np.all(np.isfinite(given)) or not np.array_equal(whole, given):
        raise DataError(f"hkl is {given.tolist()[:3]}; expected integers")
    return whole


def _point_group(operations: Operations) -> tuple[np.ndarray, np.ndarray]:
    """Each rotation once, with one of its translations; the identity first."""
    r, t = operations.rotations, operations.translations
    order = np.argsort(np.arange(len(r)) != operations.identity, kind="stable")
    once = np.unique(r[order].reshape(-1, 9), axis=0, return_index=True)[1]
    chosen = order[np.sort(once)]
    return r[chosen], t[chosen]


def _turns(x: np.ndarray) -> np.ndarray:
    """exp(2πi x), exact where 2x is an integer."""
    x = x - np.round(x)
    twice = np.abs(2 * x - np.round(2 * x)) < _INTEGER
    return np.where(
        twice, np.cos(2 * np.pi * np.round(2 * x) / 2), np.exp(2j * np.pi * x)
    )


def equivalents(hkl: ArrayLike | Sequence[int], operations: Operations) -> Equivalents:
    """Every reflection equivalent to one, -h included, each once, itself first.

    Args:
        hkl: three integers.
        operations: of the space group.
    """
    h = _whole(np.asarray(hkl)[None])[0]
    r, t = _point_group(operations)
    turned = h @ r
    every = np.concatenate([turned, -turned])
    phase = np.concatenate([_turns(-(t @ h)), _turns(t @ h)])
    first = np.sort(np.unique(every, axis=0, return_index=True)[1])
    return Equivalents(every[first], phase[first], first >= len(r))


def absent(hkl: ArrayLike, operations: Operations) -> Bool[np.ndarray, " m"]:
    """Whether lattice centring, glides or screws forbid each reflection."""
    h = _whole(hkl)
    out = np.zeros(len(h), bool)
    for rotation, shift in zip(
        operations.rotations, operations.translations, strict=True
    ):
        turns = h @ shift
        broken = np.abs(turns - np.round(turns)) > _INTEGER
        out |= broken & np.all(h @ rotation == h, axis=1)
    return out


class Orbits(eqx.Module):
    """The orbits of a list of reflections, made by `orbits`.

    U(hkl) = phase · U(orbit) or phase · U(orbit)*, for U and for U' alike.

    Attributes:
        hkl: (m, 3) the list.
        index: (m,) the orbit of each reflection.
        phase: (m,) unit factors, 0 of absent reflections.
        conjugate: (m,) whether U(orbit) is conjugated.
        representatives: (n, 3) hkl of the orbits.
        absent: (n,) whether the space group forbids the orbit.
        fixed: (n,) whether its phase is known up to the sign.
        unit: (n,) exp(iφ) of the fixed phase, 0 ≤ φ < 180 degrees; 1 of others.
        operations: of the space group.
    """

    hkl: Int[np.ndarray, "m 3"]
    index: Int[np.ndarray, " m"]
    phase: Complex[np.ndarray, " m"]
    conjugate: Bool[np.ndarray, " m"]
    representatives: Int[np.ndarray, "n 3"]
    absent: Bool[np.ndarray, " n"]
    fixed: Bool[np.ndarray, " n"]
    unit: Complex[np.ndarray, " n"]
    operations: Operations = eqx.field(static=True)

    def __len__(self) -> int:
        return len(self.representatives)

    def __repr__(self) -> str:
        return f"Orbits({len(self.hkl)} reflections in {len(self)} orbits)"

    def expand(self, values: Complex[ArrayLike, " n"]) -> Complex[Array, " m"]:
        """U of every reflection from that of the orbits; U' by a call of its own."""
        of = jnp.asarray(values)[self.index]
        return jnp.where(self.conjugate, jnp.conj(of), of) * self.phase

    def collapse(self, values: Complex[ArrayLike, " m"]) -> Complex[Array, " n"]:
        """U of the orbits, the mean of what members say; undoes `expand`."""
        turned = jnp.asarray(values) * jnp.conj(jnp.asarray(self.phase))
        turned = jnp.where(self.conjugate, jnp.conj(turned), turned)
        total = jnp.zeros(len(self), turned.dtype).at[self.index].add(turned)
        return total / np.bincount(self.index, minlength=len(self))

    def orbit_of(self, hkl: ArrayLike | Sequence[int]) -> int:
        """Number of the orbit that a reflection belongs to, listed itself or not.

        Raises:
            DataError: none of its equivalents is in the list.
        """
        one = _representatives(_whole(np.asarray(hkl)[None]), self.operations).hkl[0]
        found = np.flatnonzero(np.all(self.representatives == one, axis=1))
        if not len(found):
            raise DataError(
                f"reflection {np.asarray(hkl).tolist()} is in no orbit; expected one "
                "that the beams couple by"
            )
        return int(found[0])

    def from_polar(
        self, size: Float[ArrayLike, " n"], angle: Float[ArrayLike, " n"]
    ) -> Complex[Array, " n"]:
        """U of the orbits from size and phase in degrees.

        Where the phase is fixed, `size` is a signed number along it and `angle` is not
        used.
        """
        size, turn = jnp.asarray(size), jnp.deg2rad(jnp.asarray(angle))
        free = jnp.cos(turn) + 1j * jnp.sin(turn)
        return size * jnp.where(self.fixed, self.unit, free)

    def to_polar(
        self, values: Complex[ArrayLike, " n"]
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """(size, angle in degrees) that `from_polar` turns back into `values`.

        Where the phase is fixed, the size is the signed component along it: a magnitude
        and a phase are taken as |U| cos of the difference. The angle is that of the
        component; of U = 0 it is the fixed phase, or 0.
        """
        given = jnp.asarray(values)
        along = jnp.real(given * jnp.conj(jnp.asarray(self.unit)))
        zero = given == 0
        safe = jnp.where(zero, 1.0, given)
        size = jnp.where(zero, 0.0, jnp.abs(safe))
        free = jnp.where(zero, 0.0, jnp.rad2deg(jnp.angle(safe)))
        known = np.degrees(np.angle(self.unit))
        signed = known + jnp.where(along < 0, 180.0, 0.0)
        return (
            jnp.where(self.fixed, along, size),
            jnp.where(self.fixed, signed, free),
        )


def orbits(hkl: ArrayLike, operations: Operations) -> Orbits:
    """The orbits of reflections (m, 3) under a space group and inversion of hkl.

    Raises:
        DataError: not integers, or none.
    """
    h = _whole(hkl)
    found = _representatives(h, operations)
    kept, index = np.unique(found.hkl, axis=0, return_inverse=True)
    index = index.reshape(-1)
    missing = absent(kept, operations)
    r, t = _point_group(operations)
    inverted = np.all(np.einsum("ni,kij->nkj", kept, r) == -kept[:, None], axis=2)
    fixed = np.any(inverted, axis=1)
    half = kept @ t.T
    half = half[np.arange(len(kept)), np.argmax(inverted, axis=1)]
    # modulo 1 before halving: the sign belongs to the number, not to the phase
    half = np.where(fixed & ~missing, half - np.floor(half + _INTEGER), 0.0) / 2
    return Orbits(
        hkl=h,
        index=index,
        phase=np.where(missing[index], 0.0, found.phase),
        conjugate=found.conjugate,
        representatives=kept,
        absent=missing,
        fixed=fixed,
        unit=_turns(half),
        operations=operations,
    )


def _representatives(h: np.ndarray, operations: Operations) -> Equivalents:
    """The representative of each reflection's orbit, and U(h) in terms of its U."""
    r, t = _point_group(operations)
    turned = np.einsum("mi,kij->mkj", h, r)
    reach = int(np.abs(turned).max())
    base = 2 * reach + 1
    code = (turned + reach) @ np.array([base**2, base, 1])
    # the code of -h is its distance from that of the largest reflection
    both = np.concatenate([code, base**3 - 1 - code], axis=1)
    best = np.argmax(both, axis=1)
    conjugate = best >= len(r)
    operation = best % len(r)
    chosen = turned[np.arange(len(h)), operation]
    chosen = np.where(conjugate[:, None], -chosen, chosen)
    phase = _turns(np.sum(h * t[operation], axis=1))
    return Equivalents(chosen, phase, conjugate)
