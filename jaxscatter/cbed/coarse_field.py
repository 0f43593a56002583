"""A measured template, and the wider simulated field it is looked for in.

Both live on whole pixels of display space, as offsets from `dp_center`: the template
covers the regions of a `ROI`, the field reaches further by the longest shift on every
side. The field is simulated at the nodes of a sparser grid and brought to pixels by
cubic splines.

Units: offsets, gl and shifts in pixels, K_t in 1/Å, energy in keV, thickness in Å.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._types import as_float
from ..errors import DataError, ModelError
from ..numerics.chebyshev_waves import Plan
from . import bloch
from ._checks import check_weak
from .beams import Beams
from .bloch import Settings
from .coarse_targets import State
from .crystal import Crystal
from .geometry import Frame
from .interpolation import Interpolation
from .matching import best_shift, upsampling
from .refined import Refined, names_of
from .regions import ROI, Region
from .structure_factors import optical_potential

_FEWEST = 4
_HALF = 0.5
"""Pixels beyond its outermost samples that belong to a region, at most."""


class Lattice(NamedTuple):
    """Pixels of the template, and nodes of the field around it."""

    box: ROI
    """One region that holds all pixels of the template."""
    covered: Bool[np.ndarray, "disks h w"]
    nodes: Float[np.ndarray, "nodes 2"]
    """Offsets (j, i) from `dp_center`."""
    down: Float[np.ndarray, "rows nodes_j"]
    right: Float[np.ndarray, "columns nodes_i"]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the field."""
        return len(self.down), len(self.right)


def lattice(
    roi: ROI, radius: int, spacing: float | int, nx: int | None = None
) -> Lattice:
    """Pixels that the regions of a ROI cover, and a field around them.

    Args:
        roi: regions and disks.
        radius: longest shift.
        spacing: of the nodes of the field, at most; never below one pixel.
        nx: nodes along the longer side, instead.

    Raises:
        DataError: the regions cover too few pixels.
    """
    edges = corners_of(roi)
    low = np.floor(edges.min(axis=0) - _HALF).astype(int)
    high = np.ceil(edges.max(axis=0) + _HALF).astype(int)
    j, i = np.mgrid[low[0] : high[0] + 1, low[1] : high[1] + 1]
    pixels = np.stack([j, i], axis=-1).astype(float)
    inside = np.stack([_inside(region, pixels) for region in roi.regions])
    rows, columns = (np.flatnonzero(inside.any(axis=(0, axis))) for axis in (2, 1))
    if inside.any(axis=0).sum() < _FEWEST:
        raise DataError(
            f"the regions of roi cover {int(inside.any(axis=0).sum())} whole pixels; "
            f"expected {_FEWEST} or more"
        )
    kept = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside, pixels = inside[(slice(None), *kept)], pixels[kept]
    covered = np.einsum("rji,rd->dji", inside, np.asarray(roi.mask)) > 0
    h, w = pixels.shape[:2]
    corners = np.array([pixels[0, 0], pixels[0, -1], pixels[-1, 0]])
    box = ROI(
        [Region(corners, w, h)], roi.disks, roi.x_axis, roi.rotation, roi.dp_center,
        pivot=roi.pivot,
    )  # fmt: skip
    if nx is not None:
        spacing = (max(h, w) + 2 * radius - 1) / (nx - 1)
    sides, lines = [], []
    for start, length in zip(pixels[0, 0], (h, w), strict=True):
        full = length + 2 * radius
        intervals = int(np.ceil((full - 1) / spacing - 1e-9))
        count = min(full, max(_FEWEST, intervals + 1))
        sides.append(upsampling(count, full))
        lines.append(start - radius + np.linspace(0, full - 1, count))
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
    return Lattice(box, covered, grid, sides[0], sides[1])


def corners_of(roi: ROI) -> Float[np.ndarray, "corners 2"]:
    """Offsets of the four corners of every region."""
    three = np.stack([np.asarray(region.corners) for region in roi.regions])
    fourth = three[:, 1] + three[:, 2] - three[:, 0]
    return np.concatenate([three.reshape(-1, 2), fourth])


def _inside(region: Region, pixels: np.ndarray) -> np.ndarray:
    """Which pixels lie in a parallelogram, or up to half a pixel beyond."""
    steps = np.asarray(region.steps, float)
    at = (pixels - np.asarray(region.corners)[0]) @ np.linalg.inv(steps)
    spare = _HALF * np.minimum(1.0, 1.0 / np.linalg.norm(steps, axis=1)) + 1e-9
    last = np.array([region.nx - 1, region.ny - 1])
    return np.all((at >= -spare) & (at <= last + spare), axis=-1)


@eqx.filter_jit
def measured(
    box: ROI, image: Interpolation, places: Any, gl: Any
) -> tuple[Float[Array, "disks h w"], Bool[Array, "disks h w"]]:
    """The template, and where the image has a value for it.

    Args:
        box: of a `lattice`.
        image: one pattern, or one for each disk.
        places: of the disks of one pattern, over |g_x|; None for a stack.
        gl: pixels per |g_x|.
    """
    at = box.positions(places=places, gl=gl)
    values, known = box.sample(image, at)
    region = box.regions[0]
    shape = len(box.disks), region.ny, region.nx
    return values.reshape(shape), known.reshape(shape)


class Forward(NamedTuple):
    """What stays the same while numbers of the crystal and the beam move."""

    beams: Beams
    factors: Refined
    start: Mapping[str, float]
    """U and U' of `factors`."""
    frame: Frame
    settings: Settings
    rows: tuple[int, ...]
    """Where the disks stand among the beams."""

    def plan(
        self,
        states: Sequence[State],
        kt: Sequence[np.ndarray],
        longest: float,
        margin: float,
    ) -> Plan | None:
        """Terms of the "cheb" solver that are enough for all of these states.

        Args:
            states: the most different ones.
            kt: of each.
            longest: largest thickness.
            margin: factor on the spectrum, for those between.

        Raises:
            ModelError: what cannot be calculated, as weak beams at Bragg positions.
        """
        real = None
        symmetric = states[0].crystal.operations.inverts_origin
        if not symmetric or any(f is None for f in self.factors.fixed):
            real = False
        plans = []
        for state, at in zip(states, kt, strict=True):
            values, parts = _matrices(
                state.crystal, as_float(state.energy), self.beams, self.factors,
                _theta(self.start), self.frame, self.settings, as_float(at),
            )  # fmt: skip
            if parts.weak is not None:
                check_weak(parts.weak, bloch.matrices(self.beams, values)[0])
            if self.settings.solver == "cheb":
                plans.append(
                    bloch.plan_waves(self.beams, values, parts, longest, margin, real)
                )
        if self.settings.solver != "cheb":
            return None
        segments = max(p.segments for p in plans)
        return Plan(
            half_range=np.max([np.asarray(p.half_range) for p in plans]),
            length=np.asarray(max(longest / segments, 1e-12)),
            terms=max(p.terms for p in plans),
            segments=segments,
            real=all(p.real for p in plans),
            absorptive=plans[0].absorptive,
        )

    def sparse(
        self, state: State, kt: np.ndarray, times: Any, plan: Plan | None
    ) -> Float[Array, "times disks nodes"]:
        """Intensities at the nodes, all thicknesses from one propagation."""
        return _sparse(
            state.crystal, as_float(state.energy), self.beams, self.factors,
            _theta(self.start), self.frame, self.settings, self.rows,
            as_float(np.asarray(kt)), as_float(np.asarray(times, float)), plan,
        )  # fmt: skip


def structure_numbers(
    factors: Refined,
    crystal: Crystal,
    energy: float,
    settings: Settings,
    start: Mapping[str, float | int],
) -> dict[str, float]:
    """U and U' of reflections: those given, the others of independent atoms.

    Raises:
        ModelError: a name that is not one of theirs.
    """
    names = factors.names()
    for name in start:
        if name not in names:
            raise ModelError(
                f"start holds {name!r}; expected U and U' of reflections, {list(names)}"
            )
    if not names:
        return {}
    both = optical_potential(
        crystal, np.asarray(factors.hkl), energy, table=settings.table,
        absorption=settings.absorption,
    )  # fmt: skip
    out: dict[str, float] = {}
    for kind, values in enumerate(both):
        numbers = factors.numbers(np.asarray(values))
        for hkl, (value, degrees) in zip(factors.hkl, numbers, strict=True):
            name, phase = names_of(hkl)[2 * kind : 2 * kind + 2]
            out[name] = value
            if degrees is not None:
                out[phase] = degrees
    return {**out, **{name: float(value) for name, value in start.items()}}


def _theta(start: Mapping[str, float]) -> dict[str, Array]:
    return {name: as_float(value) for name, value in start.items()}


@eqx.filter_jit
def _matrices(crystal, energy, beams, factors, start, frame, settings, kt):
    """U and U' of all couplings, and what belongs to the tilts."""
    values = bloch.coefficients(crystal, beams, energy, settings)
    values = factors.replaced(values, start)
    k = bloch.inner_wavenumber(beams, values, energy, settings.refraction)
    parts = bloch.diffraction(crystal.cell, beams, frame, kt, k, settings.form)
    return values, parts


@eqx.filter_jit
def _sparse(
    crystal, energy, beams, factors, start, frame, settings, rows, kt, times, plan
):
    values, parts = _matrices(
        crystal, energy, beams, factors, start, frame, settings, kt
    )
    psi = bloch.waves(beams, values, parts, times, settings, plan, rows)
    return jnp.moveaxis(jnp.square(psi.real) + jnp.square(psi.imag), 0, -1)


@jax.jit
def upsampled(
    sparse: Float[Array, "disks nodes"],
    down: Float[Array, "rows nodes_j"],
    right: Float[Array, "columns nodes_i"],
) -> Float[Array, "disks rows columns"]:
    """The field at whole pixels."""
    grid = sparse.reshape(-1, down.shape[1], right.shape[1])
    return jnp.einsum("jk,dkl,il->dji", down, grid, right)


@eqx.filter_jit
def _matched(template, mask, sparse, down, right, per_disk):
    def one(field):
        return best_shift(template, mask, upsampled(field, down, right), per_disk)

    return jax.lax.map(one, sparse)


def matches(
    template: Float[Array, "disks h w"],
    mask: Bool[Array, "disks h w"],
    sparse: Float[Array, "times disks nodes"],
    grid: Lattice,
    per_disk: bool,
    filtered: Callable[[np.ndarray, bool], np.ndarray] | None,
) -> tuple[Float[np.ndarray, "times 2"], Float[np.ndarray, " times"]]:
    """Best shift and correlation for each thickness.

    Args:
        template: measured, filtered already.
        mask: where it is used.
        sparse: simulated, at the nodes.
        grid: of both.
        per_disk: whether each disk has a mean of its own.
        filtered: of one simulated image, on the host.
    """
    down, right = jnp.asarray(grid.down), jnp.asarray(grid.right)
    if filtered is None:
        found = _matched(template, mask, sparse, down, right, per_disk)
        return np.asarray(found.shift), np.asarray(found.correlation)
    shifts, correlations = [], []
    for one in sparse:
        field = np.asarray(upsampled(one, down, right))
        shown = np.stack([filtered(image, True) for image in field])
        match = best_shift(template, mask, jnp.asarray(shown), per_disk)
        shifts.append(np.asarray(match.shift))
        correlations.append(float(match.correlation))
    return np.array(shifts), np.array(correlations)
