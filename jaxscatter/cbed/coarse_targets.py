"""What a coarse refinement can vary, one number each, and how it changes a pattern.

Coordinates are those a site's symmetry leaves free: with x(Si) of a site on (x, x, x)
y and z follow. Of the cell those of its crystal system: a of a cubic one takes b and c
along.

Units: energy in keV, thickness and edges in Å, angles in degrees, B in Å², positions in
fractions of the cell, K_t in 1/Å, gl in pixels.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ModelError
from .crystal import Crystal
from .model import CELL

_FREE = 1e-9
SPAN_ENERGY = 5.0
SPAN_POSITION = 0.005
B_RANGE = (0.0, 2.0)
SPAN_EDGE = 0.02
"""Of an edge, relatively."""
SPAN_ANGLE = 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Crystal, beam and foil of a pattern.

    Attributes:
        crystal: what diffracts.
        energy: of the electrons.
        kt: (k_x, k_y) at the centre of 000.
        thickness: of the foil.
        gl: pixels per |g_x|.
    """

    crystal: Crystal
    energy: float
    kt: tuple[float, float]
    thickness: float
    gl: float

    def with_(self, **changes: Any) -> "State":
        """The same with other values."""
        return dataclasses.replace(self, **changes)

    def with_crystal(self, **leaves: Any) -> "State":
        """The same with other numbers of the crystal."""
        return self.with_(crystal=self.crystal.with_(**leaves))


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """A number that is varied.

    Attributes:
        name: as of a parameter of `problem`.
        unit: of its value.
        value: it starts from.
        lo, hi: it stays between.
        change: (state, value) -> the state with it.
    """

    name: str
    unit: str
    value: float
    lo: float
    hi: float
    change: Callable[[State, float], State]

    def __post_init__(self):
        if not (np.isfinite(self.lo) and np.isfinite(self.hi) and self.lo < self.hi):
            raise ModelError(
                f"bounds of {self.name} are ({self.lo}, {self.hi}); expected two "
                "finite numbers, the second the larger"
            )


def changed(
    state: State, targets: Sequence[Target], values: Sequence[float | int]
) -> State:
    """The state with all targets at their values."""
    for target, value in zip(targets, values, strict=True):
        state = target.change(state, float(value))
    return state


def plain(name: str, unit: str, value: float, bounds: Sequence[float | int]) -> Target:
    """Thickness, gl or energy: a number of the state itself, above zero."""
    lo, hi = pair_of(f"bounds of {name}", bounds)
    if not lo > 0:
        raise ModelError(f"bounds of {name} are ({lo}, {hi}); expected them above 0")
    return Target(name, unit, value, lo, hi, lambda s, v: s.with_(**{name: v}))


def b_targets(
    crystal: Crystal, sites: Sequence[str] | None, bounds: Sequence[float | int]
) -> list[Target]:
    """B of sites."""
    lo, hi = pair_of("bounds of B", bounds)
    if lo < 0:
        raise ModelError(f"bounds of B are ({lo}, {hi}) Å²; expected 0 or more")
    out = []
    for i in _positions(crystal, sites):

        def change(state: State, value: float, i: int = i) -> State:
            b = np.array(state.crystal.b_iso)
            b[i] = value
            return state.with_crystal(b_iso=b)

        name, now = f"B({crystal.labels[i]})", float(crystal.b_iso[i])
        out.append(Target(name, "Å²", now, lo, hi, change))
    return out


def position_targets(
    crystal: Crystal, sites: Sequence[str] | None, span: float | int
) -> list[Target]:
    """Free coordinates of sites.

    Raises:
        ModelError: symmetry holds all of them where they are.
    """
    at = np.asarray(crystal.site_positions())
    out = []
    for i in _positions(crystal, sites):
        for axis, direction in free_directions(crystal.images.projection[i]):
            value = float(at[i, axis])

            def change(
                state: State,
                x: float,
                i: int = i,
                direction: np.ndarray = direction,
                value: float = value,
            ) -> State:
                moved = np.array(state.crystal.positions)
                moved[i] += (x - value) * direction
                return state.with_crystal(positions=moved)

            name = f"{'xyz'[axis]}({crystal.labels[i]})"
            out.append(Target(name, "", value, value - span, value + span, change))
    if not out:
        chosen = list(crystal.labels if sites is None else sites)
        raise ModelError(
            f"sites {chosen} have no free coordinate; symmetry holds them in place"
        )
    return out


def free_directions(projection: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(axis, direction) for each free coordinate, the direction 1 along its axis.

    Args:
        projection: (3, 3), onto a special position.
    """
    rows = np.array(projection, float).T
    found: list[tuple[int, np.ndarray]] = []
    for axis in range(3):
        below = rows[len(found) :, axis]
        if not len(below) or np.max(np.abs(below)) < _FREE:
            continue
        pivot = len(found) + int(np.argmax(np.abs(below)))
        rows[[len(found), pivot]] = rows[[pivot, len(found)]]
        rows[len(found)] /= rows[len(found), axis]
        for other in range(3):
            if other != len(found):
                rows[other] -= rows[other, axis] * rows[len(found)]
        found.append((axis, rows[len(found)]))
    # rows are reduced further after they were found
    return [(axis, rows[k].copy()) for k, (axis, _) in enumerate(found)]


def cell_targets(
    crystal: Crystal, edge: float | int = SPAN_EDGE, angle: float | int = SPAN_ANGLE
) -> list[Target]:
    """The free numbers of a cell; the others follow or stay."""
    now = np.asarray(crystal.cell, float)
    out = []
    for first, followers in free_cell(crystal):
        span = edge * now[first] if first < 3 else angle

        together = (first, *followers)

        def change(state: State, value: float, at: tuple[int, ...] = together) -> State:
            cell = np.array(state.crystal.cell)
            cell[list(at)] = value
            return state.with_crystal(cell=cell)

        value = float(now[first])
        unit = "Å" if first < 3 else "deg"
        out.append(Target(CELL[first], unit, value, value - span, value + span, change))
    return out


def free_cell(crystal: Crystal) -> list[tuple[int, list[int]]]:
    """Positions among a, b, c, α, β, γ of the free ones, and of those equal to them.

    Raises:
        ModelError: the operations leave something that is not one of the six, as of a
            primitive cell of a centred lattice.
    """
    rotations = np.asarray(crystal.rotations, float)
    rng = np.random.default_rng(0)
    cells = []
    for _ in range(2):
        a = np.eye(3) + 0.3 * rng.normal(size=(3, 3))
        gram = np.mean([r.T @ (a @ a.T) @ r for r in rotations], axis=0)
        edges = np.sqrt(np.diag(gram))
        cosines = [
            gram[j, k] / (edges[j] * edges[k]) for j, k in ((1, 2), (0, 2), (0, 1))
        ]
        cells.append(np.concatenate([edges, cosines]))
    cells = np.array(cells)
    out: list[tuple[int, list[int]]] = []
    for i in range(6):
        if abs(cells[0, i] - cells[1, i]) < _FREE:
            continue
        for first, followers in out:
            same = np.abs(cells[:, first] - cells[:, i]) < _FREE
            if (first < 3) == (i < 3) and np.all(same):
                followers.append(i)
                break
        else:
            out.append((i, []))
    unit = np.eye(9).reshape(9, 3, 3)
    kept = [
        np.mean([r.T @ (e + e.T) @ r for r in rotations], axis=0).ravel() for e in unit
    ]
    dimension = int(np.linalg.matrix_rank(np.array(kept), tol=1e-6))
    if len(out) != dimension:
        raise ModelError(
            f"the space group leaves {dimension} numbers of the cell free, which are "
            f"not {[CELL[i] for i, _ in out]}; expected a conventional cell"
        )
    return out


def pair_of(name: str, bounds: Sequence[float | int]) -> tuple[float, float]:
    """Two finite numbers, the second the larger."""
    values = np.asarray(bounds, float)
    good = values.shape == (2,) and np.all(np.isfinite(values))
    if not good or not values[0] < values[1]:
        raise ModelError(
            f"{name} are {values.tolist()}; expected two finite numbers, the second "
            "the larger"
        )
    return float(values[0]), float(values[1])


def _positions(crystal: Crystal, sites: Sequence[str] | None) -> list[int]:
    if sites is None:
        return list(range(len(crystal)))
    for label in sites:
        if label not in crystal.labels:
            raise ModelError(
                f"site is {label!r}; expected labels out of {list(crystal.labels)}"
            )
    if len(set(sites)) < len(sites) or not len(sites):
        raise ModelError(f"sites are {list(sites)}; expected some, each once")
    return [crystal.labels.index(label) for label in sites]
