"""Which beams take part: chosen on the host, once, for all tilts of a pattern.

A beam g is strong where |s_g| <= s_max for any of the tilts (their union, so that no
beam enters from one pixel to the next), with 2K s_g = -(2K·g + g²). With `omega_max`,
beams that also have ω_g = |2K s_g|/|U_g| above it everywhere, and |2K s_g| above
`s_min`, become weak: they act through Bethe potentials (`bethe=True`) or are dropped.
Reflections that a centring of the lattice extinguishes couple to none of the others and
are left out.

The matrix of the potential holds at row g, column h the coefficient of h - g with F's
sign, see `bloch`.

Units: |g|, s in 1/Å, 2K s and U in 1/Å².

References:
    [1] J. M. Zuo and A. L. Weickenmeier, Ultramicroscopy 57, 375 (1995).
"""

import warnings
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import ArrayLike, Float, Int, Num

from ..errors import DataWarning, ModelError
from . import electron, lattice
from .geometry import Frame, wave_vectors

GRAZING = 0.05
"""Beams with 1 + g_n/K_n below this travel along the surface and are dropped."""
BETHE_RATIO = 15.0
"""Least |2K s_w|/max|U| of weak beams for which Bethe potentials are trusted."""


class Beams(eqx.Module):
    """Reflections of a calculation and the index of every coupling.

    Args:
        hkl: strong beams; 000 among them.
        weak: beams that act through Bethe potentials.
        differences: every h - g once, both kinds.
        index: where h - g stands in `differences`; row g, column h, strong first.
        entrance: position of 000.
    """

    hkl: Int[np.ndarray, "n 3"]
    weak: Int[np.ndarray, "w 3"]
    differences: Int[np.ndarray, "m 3"]
    index: Int[np.ndarray, "a a"]
    entrance: int = eqx.field(static=True)

    @property
    def n(self) -> int:
        """Number of strong beams."""
        return self.hkl.shape[0]

    def position(self, hkl: Sequence[int] | Int[np.ndarray, "3"]) -> int:
        """Where a reflection stands among the strong beams.

        Raises:
            ModelError: it is not there.
        """
        found = np.flatnonzero(np.all(np.asarray(self.hkl) == np.asarray(hkl), axis=1))
        if found.size != 1:
            raise ModelError(
                f"reflection {list(map(int, hkl))} is not among the {self.n} strong "
                "beams; enlarge g_max or s_max, or list the beams"
            )
        return int(found[0])

    def positions(
        self, hkls: Int[ArrayLike, "out 3"] | Sequence[Sequence[int]]
    ) -> tuple[int, ...]:
        """Where several reflections stand."""
        return tuple(self.position(hkl) for hkl in np.asarray(hkls))

    def __repr__(self) -> str:
        weak = f" and {self.weak.shape[0]} weak" if self.weak.shape[0] else ""
        return f"Beams({self.n} strong{weak}, {self.differences.shape[0]} couplings)"


def beams(
    hkl: Num[ArrayLike, "n 3"] | Sequence[Sequence[int]],
    weak: Num[ArrayLike, "w 3"] | Sequence[Sequence[int]] | None = None,
) -> Beams:
    """`Beams` from explicit lists.

    Raises:
        ModelError: 000 missing, a beam listed twice, numbers that are not integers.
    """
    strong = _integers("hkl", hkl)
    rest = _integers("weak", np.zeros((0, 3), int) if weak is None else weak)
    both = np.concatenate([strong, rest])
    _, counts = np.unique(both, axis=0, return_counts=True)
    if np.any(counts > 1):
        twice = np.unique(both, axis=0)[counts > 1][0].tolist()
        raise ModelError(f"beam {twice} is listed twice; expected each beam once")
    at = np.flatnonzero(~np.any(strong, axis=1))
    if at.size != 1:
        raise ModelError("beam 000 is not in the list; the incident beam is needed")
    pairs = both[None, :, :] - both[:, None, :]
    unique, index = np.unique(pairs.reshape(-1, 3), axis=0, return_inverse=True)
    n = both.shape[0]
    return Beams(
        hkl=strong,
        weak=rest,
        differences=unique,
        index=index.reshape(n, n).astype(np.int32),
        entrance=int(at[0]),
    )


def _integers(
    name: str, hkl: ArrayLike | Sequence[Sequence[int]]
) -> Int[np.ndarray, "n 3"]:
    values = np.asarray(hkl)
    if values.ndim != 2 or values.shape[1] != 3:
        raise ModelError(f"{name} has shape {values.shape}; expected (n, 3)")
    if not np.all(np.round(values) == values) or not np.all(np.isfinite(values)):
        raise ModelError(f"{name} holds numbers that are not integers")
    return values.astype(np.int64)


def deviations(
    hkl: Num[ArrayLike, "n 3"],
    cell: Num[ArrayLike, "6"],
    frame: Frame,
    energy: float | int,
    kt: Num[ArrayLike, "tilts 2"],
) -> Float[np.ndarray, "tilts n"]:
    """s_g = -(2K·g + g²)/(2K) in 1/Å on the host, for choosing beams."""
    wavenumber = float(electron.wavenumber(float(energy)))
    k = np.asarray(wave_vectors(np.asarray(kt, float), wavenumber))
    g = np.asarray(frame.lab_vectors(np.asarray(hkl, float), cell))
    square = np.sum(np.square(g), axis=1)
    return -(2 * k @ g.T + square[None, :]) / (2 * wavenumber)


def candidates(cell: Num[ArrayLike, "6"], g_max: float | int) -> np.ndarray:
    """All hkl with |g| <= g_max, by length, 000 first."""
    edges = np.linalg.norm(np.asarray(lattice.direct_basis(cell)), axis=1)
    # |h| <= |a||g|, since h = a·g
    most = np.floor(edges * float(g_max) + 1e-9).astype(int)
    if np.prod(2.0 * most + 1) > 5e7:
        raise ModelError(f"g_max is {g_max} 1/Å; expected a smaller sphere of beams")
    axes = [np.arange(-m, m + 1) for m in most]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(hkl @ np.asarray(lattice.reciprocal_basis(cell)), axis=1)
    kept = lengths <= float(g_max) + 1e-12
    hkl, lengths = hkl[kept], lengths[kept]
    order = np.lexsort((-hkl[:, 2], -hkl[:, 1], -hkl[:, 0], np.round(lengths, 9)))
    return hkl[order]


def centred(hkl: Int[np.ndarray, "n 3"], crystal: Any) -> np.ndarray:
    """Mask of the reflections no centring translation extinguishes."""
    rotations = np.asarray(crystal.operations.rotations)
    translations = np.asarray(crystal.operations.translations, float)
    pure = np.all(rotations == np.eye(3, dtype=int), axis=(1, 2))
    phases = hkl @ translations[pure].T
    return np.all(np.abs(phases - np.round(phases)) < 1e-6, axis=1)


def select_beams(
    crystal: Any,
    frame: Frame,
    energy: float | int,
    kt: Num[ArrayLike, "tilts 2"] | None = None,
    *,
    g_max: float | int = 2.0,
    s_max: float | int = 0.03,
    s_min: float | int | None = None,
    omega_max: float | int | None = None,
    bethe: bool = False,
    holz: bool = True,
    n_max: int = 600,
    table: str = "lobato",
) -> Beams:
    """Beams that matter somewhere on a grid of tilts.

    Args:
        crystal: what diffracts.
        frame: zone and x axis.
        energy: in keV.
        kt: tangential wave vectors of the pattern in 1/Å; the zone axis by default.
        g_max: longest g in 1/Å.
        s_max: largest |s_g| in 1/Å of a beam that takes part.
        s_min: |2K s_g| in 1/Å² below which a beam is strong whatever its ω.
        omega_max: ω_g above which a beam is weak; 10 to 30 is usual.
        bethe: let weak beams act through Bethe potentials instead of dropping them.
        holz: include beams of higher Laue zones.
        n_max: most strong beams.
        table: of the scattering factors, for ω.

    Raises:
        ModelError: more than `n_max` beams, or a weak beam close to its Bragg position.
    """
    from .structure_factors import optical_potential

    tilts = np.zeros((1, 2)) if kt is None else np.asarray(kt, float)
    cell = crystal.cell
    hkl = candidates(cell, g_max)
    hkl = hkl[centred(hkl, crystal)]
    if not holz:
        zone = np.asarray(frame.zone, float)
        hkl = hkl[np.abs(hkl @ zone) <= 1e-9 * np.abs(hkl) @ np.abs(zone)]
    s = np.min(np.abs(deviations(hkl, cell, frame, energy, tilts)), axis=0)
    inside = (s <= float(s_max)) | ~np.any(hkl, axis=1)
    hkl, s = hkl[inside], s[inside]
    hkl, s = _without_grazing(hkl, s, crystal, frame, energy, tilts)
    weak = np.zeros(len(hkl), bool)
    largest = 0.0
    if omega_max is not None:
        u, _ = optical_potential(crystal, hkl, energy, table=table, absorption="none")
        size = np.abs(np.asarray(u))
        largest = float(size[np.any(hkl, axis=1)].max(initial=0.0))
        distance = 2 * float(electron.wavenumber(float(energy))) * s
        weak = distance > float(omega_max) * np.maximum(size, 1e-12)
        if s_min is not None:
            weak &= distance > float(s_min)
        weak &= np.any(hkl, axis=1)
    strong = hkl[~weak]
    if len(strong) > n_max:
        raise ModelError(
            f"{len(strong)} strong beams and n_max is {n_max}; reduce g_max or s_max, "
            "set omega_max, or raise n_max"
        )
    if not (bethe and np.any(weak)):
        return beams(strong)
    closest = float(np.min(s[weak])) * 2 * float(electron.wavenumber(float(energy)))
    check_bethe(closest, largest)
    return beams(strong, hkl[weak])


def check_bethe(closest: float, largest: float, warn: bool = True) -> None:
    """Refuse weak beams at their Bragg position, and warn of those close to it.

    Args:
        closest: smallest |2K s_w| of the weak beams on the grid of tilts.
        largest: max |U|.
        warn: of those above max |U| but too close for one per cent.
    """
    ratio = closest / max(largest, 1e-300)
    if ratio < 1.0:
        raise ModelError(
            f"a weak beam comes within |2K s| = {closest:.3g} 1/Å² on this grid of "
            f"tilts, less than max|U| = {largest:.3g} 1/Å²: Bethe potentials diverge; "
            "raise s_min or omega_max, or use all beams (bethe=False)"
        )
    if warn and ratio < BETHE_RATIO:
        warnings.warn(
            f"weak beams come within |2K s|/max|U| = {ratio:.1f}; Bethe potentials "
            f"reach 1 % of the intensity only above {BETHE_RATIO:g}; raise s_min or "
            "use all beams (bethe=False)",
            DataWarning,
            stacklevel=3,
        )


def _without_grazing(hkl, s, crystal, frame, energy, tilts):
    wavenumber = float(electron.wavenumber(float(energy)))
    k = np.asarray(wave_vectors(tilts, wavenumber))
    normal = np.asarray(frame.surface(crystal.cell, k))
    g = np.asarray(frame.lab_vectors(hkl.astype(float), crystal.cell))
    along = 1 + (normal @ g.T) / np.sum(k * normal, axis=1)[:, None]
    grazing = np.min(along, axis=0) <= GRAZING
    if np.any(grazing):
        warnings.warn(
            f"{int(grazing.sum())} beams leave along the surface (1 + g_n/K_n <= "
            f"{GRAZING}) and were dropped, {hkl[grazing][0].tolist()} among them",
            DataWarning,
            stacklevel=4,
        )
    return hkl[~grazing], s[~grazing]
