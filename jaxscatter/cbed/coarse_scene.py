"""A measured image beside what is simulated for it, as coarse refinement needs them.

Units: energy in keV, thickness in Å, K_t in 1/Å, gl and shifts in pixels.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError, ModelError
from . import electron
from .beams import Beams
from .coarse_field import (
    Forward,
    corners_of,
    lattice,
    matches,
    measured,
    structure_numbers,
)
from .coarse_targets import State
from .geometry import Frame, kt_of_offset
from .interpolation import Interpolation, interpolation
from .parameters import GL_SPAN
from .pattern import chosen_beams, disk_places
from .refined import none, refined
from .regions import ROI

_PER_FRINGE = 6
"""Nodes for each fringe of the thickest foil."""
THICKER = 1.5
"""Thickness the nodes are close enough for, over the present one."""
_BACKGROUNDS = ("pattern", "disk")
_LEAST_USED = 0.75
"""Share of the pixels used at first below which nothing is compared."""
_MARGIN = 1.1
_MOST = 201
"""Points of a scan of gl, at most."""


class Scene:
    """Image, regions, beams and nodes; arguments as of `CoarseOptimize`."""

    def __init__(
        self,
        image: np.ndarray,
        roi: ROI,
        frame: Frame,
        state: State,
        given: Mapping[str, Any],
        *,
        radius: int,
        nx: int | None,
        filter: Callable[..., Any] | None,
        mask: ArrayLike | None,
        per_disk: bool,
        sampling: str,
    ):
        self.roi, self.frame, self.radius = roi, frame, radius
        self._given, self._nx = given, nx
        self._filter, self._per_disk = filter, per_disk
        self._image = self._ready(image, mask, sampling)
        self._prepare(state)

    def at(self, state: State) -> "Scene":
        """The same image beside another state."""
        out = copy.copy(self)
        out._prepare(state)
        return out

    def reaching(self, state: State, thickest: float) -> "Scene":
        """One whose nodes are close enough for a thickest foil."""
        if self._nx is not None or thickest <= THICKER * state.thickness * (1 + 1e-9):
            return self
        return self.at(state.with_(thickness=thickest / THICKER))

    def _ready(self, image: np.ndarray, mask: Any, sampling: str) -> Interpolation:
        """The measured image or stack, filtered, for being read between pixels."""
        disks = len(self.roi.disks)
        if image.ndim not in (2, 3) or (image.ndim == 3 and len(image) != disks):
            raise DataError(
                f"image has shape {image.shape}; expected (rows, columns), or an image "
                f"for each of the {disks} disks of roi"
            )
        valid = None
        if mask is not None:
            valid = np.asarray(mask)
            if valid.shape not in (image.shape, image.shape[-2:]):
                raise DataError(
                    f"mask has shape {valid.shape}; expected {image.shape}, True where "
                    "a pixel counts"
                )
            valid = np.broadcast_to(valid.astype(bool), image.shape)
        plane = interpolation(image, "linear", valid)
        if self._filter is not None:
            # linear nodes are the pixels themselves, with the gaps filled
            stack = np.asarray(plane.nodes).reshape((-1, *image.shape[-2:]))
            shown = np.stack([self._filtered(one, False) for one in stack])
            image = shown.reshape(image.shape)
        return interpolation(image, sampling, valid)

    def _filtered(self, image: np.ndarray, sim: bool) -> np.ndarray:
        assert self._filter is not None
        out = np.asarray(self._filter(np.array(image), sim=sim), float)
        if out.shape != image.shape or not np.all(np.isfinite(out)):
            raise ModelError(
                f"filter made shape {out.shape} of {image.shape}, or numbers that are "
                "not finite; expected an image like the one it was given"
            )
        return out

    def _prepare(self, state: State) -> None:
        """Beams, pixels and nodes about a state."""
        frame, how = self.frame, self._given["settings"]
        self._grid = lattice(self.roi, self.radius, self._spacing(state), self._nx)
        beams, rules = self._given["beams"], {}
        if not isinstance(beams, Beams):
            beams, rules = None, {"table": how.table, **(beams or {})}
        widest = self._nodes(state.with_(gl=state.gl * (1 - GL_SPAN)))
        chosen = chosen_beams(
            state.crystal, frame, state.energy, widest, beams, **rules
        )
        factors = none(len(chosen.differences))
        if len(self._given["reflections"]):
            factors = refined(
                chosen.differences,
                state.crystal.operations,
                self._given["reflections"],
                self._given["equivalents"],
            )
        numbers = structure_numbers(
            factors, state.crystal, state.energy, how, self._given["start"]
        )
        rows = chosen.positions(np.asarray(self.roi.disks))
        self._forward = Forward(chosen, factors, numbers, frame, how, rows)
        _, used = self._template(state)
        self._pixels = int(np.sum(used))
        if not self._pixels:
            raise DataError(
                "no pixel of the regions lies on the image and counts; check gl, "
                "rotation, dp_center and mask"
            )

    def _spacing(self, state: State) -> float:
        """Of the nodes: a fringe of the longest g has K/(g t) of K_t."""
        cell = state.crystal.cell
        x_length = float(self.frame.x_length(cell))
        hkl = np.asarray(self.roi.disks, float)
        g = np.linalg.norm(np.asarray(self.frame.lab_vectors(hkl, cell)), axis=1)
        k = float(electron.wavenumber(state.energy))
        fringe = k / (max(float(g.max()), x_length) * THICKER * state.thickness)
        return max(1.0, fringe * state.gl / x_length / _PER_FRINGE)

    def _nodes(self, state: State) -> np.ndarray:
        """K_t of the nodes."""
        x_length = self.frame.x_length(state.crystal.cell)
        at = kt_of_offset(self._grid.nodes, np.array(state.kt), state.gl, x_length)
        return np.asarray(at)

    def moved(self, state: State, shift: ArrayLike) -> np.ndarray:
        """K_t at the centre of 000 once a shift, or each of several, is applied."""
        x_length = self.frame.x_length(state.crystal.cell)
        at = kt_of_offset(np.asarray(shift), np.array(state.kt), state.gl, x_length)
        return np.asarray(at)

    def _template(self, state: State) -> tuple[Any, Any]:
        places = None
        if self._image.nodes.ndim == 2:
            cell, hkl = state.crystal.cell, np.asarray(self.roi.disks)
            places = disk_places(self.frame, cell, hkl)
        values, known = measured(
            self._grid.box, self._image, places, jnp.asarray(state.gl)
        )
        return values, known & jnp.asarray(self._grid.covered)

    def plan(self, states: Sequence[State], longest: float) -> Any:
        """Of the solver, for all of these states."""
        kt = [self._nodes(state) for state in states]
        return self._forward.plan(states, kt, longest, _MARGIN)

    def matched(
        self, state: State, times: Sequence[float] | np.ndarray, plan: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best shift and correlation for each thickness."""
        kt = self._nodes(state)
        sparse = self._forward.sparse(state, kt, times, plan)
        if not bool(jnp.all(jnp.isfinite(sparse))):
            # the spectrum has left what was planned for
            again = self.plan([state], float(np.max(times)))
            sparse = self._forward.sparse(state, kt, times, again)
        if not bool(jnp.all(jnp.isfinite(sparse))):
            raise ModelError(
                f"intensities are not finite at energy {state.energy} keV, cell "
                f"{np.asarray(state.crystal.cell).tolist()}"
            )
        template, used = self._template(state)
        # a pattern that has left the image would agree too well
        used = used & (jnp.sum(used) >= _LEAST_USED * self._pixels)
        filtered = None if self._filter is None else self._filtered
        return matches(template, used, sparse, self._grid, self._per_disk, filtered)

    def evaluated(self, state: State, plan: Any) -> tuple[float, np.ndarray]:
        """Correlation and best shift at the state's own thickness."""
        shifts, r = self.matched(state, [state.thickness], plan)
        return float(r[0]), shifts[0]

    def gl_points(self, state: State, width: float) -> int:
        """So many that the outermost pixels move by two from one to the next."""
        corners = corners_of(self.roi)
        reach = float(np.max(np.hypot(*corners.T))) / state.gl
        if self._image.nodes.ndim == 2:
            cell, hkl = state.crystal.cell, np.asarray(self.roi.disks)
            places = np.asarray(disk_places(self.frame, cell, hkl))
            reach += float(np.max(np.hypot(*places.T)))
        return min(max(11, math.ceil(width * reach / 2) + 1), _MOST)


def check(
    energy: Any,
    thickness: Any,
    gl: Any,
    kt: Any,
    radius: Any,
    nx: Any,
    background: Any,
    frame: Frame,
    roi: ROI,
) -> None:
    """Refuse arguments of `CoarseOptimize` that cannot be, by name."""
    for name, value in (("energy", energy), ("thickness", thickness), ("gl", gl)):
        if not (math.isfinite(value) and value > 0):
            raise ModelError(f"{name} is {value}; expected a number above 0")
    tilt = np.asarray(kt, float)
    if tilt.shape != (2,) or not np.all(np.isfinite(tilt)):
        raise ModelError(f"kt is {kt}; expected two finite numbers")
    if not (isinstance(radius, int | np.integer) and radius >= 1):
        raise ModelError(f"search_radius is {radius}; expected whole pixels, 1 or more")
    if nx is not None and not (isinstance(nx, int | np.integer) and nx >= 4):
        raise ModelError(f"nx is {nx}; expected 4 or more points")
    if background not in _BACKGROUNDS:
        raise ModelError(
            f"background is {background!r}; expected one of {_BACKGROUNDS}"
        )
    if tuple(frame.x_axis) != tuple(roi.x_axis):
        raise DataError(
            f"frame has the x axis {[*frame.x_axis]}, roi {[*roi.x_axis]}; expected "
            "the same"
        )
