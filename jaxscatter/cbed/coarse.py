"""Coarse refinement: where a pattern is, before a fit, by correlation.

A field wider than the regions of a `ROI` is simulated and the measured disks are looked
for in it at all shifts within a radius (`matching`); the cost of any other number is
1 - r at the best shift. Disks stay where gl and `dp_center` put them on the detector:
what is shifted is the K_t that belongs to them, in all disks alike,

    K_t0 → K_t0 + (|g_x|/gl)(s_i x̂ - s_j ŷ)

so that every search finds the orientation beside its own numbers. In an image of
counts the cost has no statistical meaning: no errors follow from it.

    method                            varies          within
    thickness_scan                    thickness       [0.5, 1.5] of it, on a grid
    optimize_orientation_thickness    thickness       the same, and between its points
    optimize_orientation_gl           gl              5 % of it, likewise
    optimize_hv                       energy          5 keV of it
    optimize_dwf                      B of sites      0 to 2 Å²
    optimize_xyz                      positions       0.005 of them, where free
    optimize_cell                     cell            2 %, 2°, those that are free

Units: energy in keV, thickness in Å, K_t in 1/Å, gl and shifts in pixels (LARBED: steps
of the scan), B in Å², cell in Å and degrees.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from ..errors import DataError, ModelError
from ..infer.progress import Callback
from .beams import Beams
from .bloch import Settings
from .coarse_result import CoarseResult, CoarseScan
from .coarse_scene import Scene
from .coarse_search import Trace, attempt, search
from .coarse_targets import (
    B_RANGE,
    SPAN_ANGLE,
    SPAN_EDGE,
    SPAN_ENERGY,
    SPAN_POSITION,
    State,
    Target,
    b_targets,
    cell_targets,
    changed,
    pair_of,
    plain,
    position_targets,
)
from .crystal import Crystal
from .geometry import Frame
from .parameters import GL_SPAN
from .regions import ROI

_BACKGROUNDS = ("pattern", "disk")
_AT_BOUND = 0.01
"""Of the width of the bounds."""
_STEP = 10.0
_EVALUATIONS = 25
"""A search of one number may take, for progress."""


class CoarseOptimize:
    """Searches for orientation, thickness, gl, energy, B, positions and cell.

    Nothing in it changes: `at(result)` is one that starts from what was found.

    Args:
        image: measured, (rows, columns) of a CBED pattern, or (disks, rows, columns)
            of LARBED images in the order of `roi.disks`.
        crystal: what diffracts.
        roi: regions, disks, rotation and centre of 000.
        energy: of the electrons.
        thickness: of the foil.
        frame: zone and x axis; the latter that of `roi`.
        gl: pixels or scan steps per |g_x|.
        kt: K_t at the centre of 000, about which is searched.
        beams: what takes part, or arguments of `select_beams`.
        settings: equation, solver, scattering factors, absorption.
        reflections, start, equivalents: structure factors in place of those of
            independent atoms, as in `problem`.
        search_radius: longest shift, in whole pixels.
        nx: points of the simulated grid along its longer side; by default six to the
            narrowest fringe, K/(g t), of 1.5 times the thickness.
        filter: `filter(image, sim=False)` of one image, which returns one of the same
            shape; applied to measured images, and to simulated ones with `sim=True`.
            Measured pixels that are not used take the value of the nearest one that
            is, before.
        mask: True where a pixel counts.
        background: "pattern", one level for all disks, or "disk", one for each.
        sampling: "cubic" or "linear", between measured pixels.

    Raises:
        ValueError: what does not fit together, by name.
    """

    def __init__(
        self,
        image: ArrayLike,
        crystal: Crystal,
        *,
        roi: ROI,
        energy: float | int,
        thickness: float | int,
        frame: Frame,
        gl: float | int,
        kt: Float[ArrayLike, "2"] | Sequence[float | int] = (0.0, 0.0),
        beams: Beams | Mapping[str, Any] | None = None,
        settings: Settings | None = None,
        reflections: Sequence[Sequence[int]] = (),
        start: Mapping[str, float | int] | None = None,
        equivalents: bool = True,
        search_radius: int = 8,
        nx: int | None = None,
        filter: Callable[..., Any] | None = None,
        mask: ArrayLike | None = None,
        background: str = "pattern",
        sampling: str = "cubic",
    ):
        _check(energy, thickness, gl, kt, search_radius, nx, background, frame, roi)
        how = Settings() if settings is None else settings
        self.state = State(
            crystal, float(energy), _two(kt), float(thickness), float(gl)
        )
        self._given = {
            "beams": beams,
            "settings": how,
            "reflections": reflections,
            "start": dict(start or {}),
            "equivalents": equivalents,
        }
        self._scene = Scene(
            np.asarray(image, float),
            roi,
            frame,
            self.state,
            self._given,
            radius=int(search_radius),
            nx=nx,
            filter=filter,
            mask=mask,
            per_disk=background == "disk",
            sampling=sampling,
        )

    def at(self, result: CoarseResult) -> "CoarseOptimize":
        """The same image, searched from what was found."""
        out = copy.copy(self)
        out.state = result.state
        out._scene = self._scene.at(result.state)
        return out

    def thickness_scan(
        self,
        bounds: Sequence[float | int] | None = None,
        step: float | int = _STEP,
    ) -> CoarseScan:
        """Correlation over a range of thicknesses, all from one propagation.

        Args:
            bounds: (lo, hi); half to one and a half times the present one by default.
            step: between two of them, at most.
        """
        state = self.state
        usual = (0.5 * state.thickness, 1.5 * state.thickness)
        lo, hi = pair_of("bounds of thickness", usual if bounds is None else bounds)
        if not (lo > 0 and math.isfinite(step) and step > 0):
            raise ModelError(
                f"bounds of thickness are ({lo}, {hi}) and step is {step}; expected "
                "them above 0"
            )
        values = np.linspace(lo, hi, max(3, math.ceil((hi - lo) / step) + 1))
        plan = self._scene.plan([state], hi)
        shifts, r = self._scene.matched(state, values, plan)
        kt = self._scene.moved(state, shifts)
        return CoarseScan("thickness", "Å", values, r, shifts, kt)

    def optimize_orientation_thickness(
        self,
        bounds: Sequence[float | int] | None = None,
        step: float | int = _STEP,
        progress: bool | Callback = False,
    ) -> CoarseResult:
        """K_t and thickness of highest correlation: `thickness_scan`, then Brent.

        Args:
            bounds: as of `thickness_scan`.
            step: likewise.
            progress: True, or a function of events.
        """
        scan = self.thickness_scan(bounds, step)
        ends = float(scan.values[0]), float(scan.values[-1])
        target = plain("thickness", "Å", float(scan.values[scan.best]), ends)
        return self._polished(target, scan, progress)

    def optimize_orientation_gl(
        self,
        bounds: Sequence[float | int] | None = None,
        steps: int | None = None,
        progress: bool | Callback = False,
    ) -> CoarseResult:
        """K_t and gl of highest correlation: on a grid, then by Brent's method.

        Args:
            bounds: (lo, hi); 5 % to either side by default.
            steps: of the grid; by default such that the outermost pixels move by two
                from one to the next.
            progress: True, or a function of events.
        """
        state = self.state
        usual = ((1 - GL_SPAN) * state.gl, (1 + GL_SPAN) * state.gl)
        target = plain("gl", "px", state.gl, usual if bounds is None else bounds)
        count = (
            self._scene.gl_points(self.state, target.hi - target.lo)
            if steps is None
            else steps
        )
        if count < 3:
            raise ModelError(f"steps is {steps}; expected 3 or more")
        values = np.linspace(target.lo, target.hi, count)
        # K_t of the nodes reaches furthest where gl is smallest
        plan = self._scene.plan([state.with_(gl=target.lo)], state.thickness)
        trace = Trace("gl", count + _EVALUATIONS, progress)
        found: list[tuple[float, np.ndarray]] = []

        def along() -> None:
            for value in values:
                r, shift = self._scene.evaluated(state.with_(gl=float(value)), plan)
                found.append((r, shift))
                trace(1 - r, (np.array([value]), r, shift))

        stopped = attempt(along, trace)
        r, shifts = (np.array(v) for v in zip(*found, strict=True))
        kt = np.array(
            [
                self._scene.moved(state.with_(gl=float(v)), s)
                for v, s in zip(values, shifts, strict=False)
            ]
        )
        scan = CoarseScan("gl", "px", values[: len(found)], r, shifts, kt)
        return self._polished(target, scan, progress, trace, stopped)

    def optimize_hv(
        self, span: float | int = SPAN_ENERGY, progress: bool | Callback = False
    ) -> CoarseResult:
        """The energy of highest correlation, within `span` keV of the present one."""
        now = self.state.energy
        target = plain("energy", "keV", now, (now - span, now + span))
        return self._searched("energy", [target], "powell", progress)

    def optimize_dwf(
        self,
        sites: Sequence[str] | None = None,
        bounds: Sequence[float | int] = B_RANGE,
        method: str = "powell",
        progress: bool | Callback = False,
    ) -> CoarseResult:
        """B of sites.

        Args:
            sites: their labels; all by default.
            bounds: (lo, hi) in Å².
            method: for several, "powell" or "nelder-mead".
            progress: True, or a function of events.
        """
        targets = b_targets(self.state.crystal, sites, bounds)
        return self._searched("B", targets, method, progress)

    def optimize_xyz(
        self,
        sites: Sequence[str] | None = None,
        span: float | int = SPAN_POSITION,
        method: str = "powell",
        progress: bool | Callback = False,
    ) -> CoarseResult:
        """Free coordinates of sites.

        Args:
            sites: their labels; all by default.
            span: they may move, in fractions of the cell.
            method: for several, "powell" or "nelder-mead".
            progress: True, or a function of events.

        Raises:
            ModelError: symmetry leaves none free.
        """
        targets = position_targets(self.state.crystal, sites, span)
        return self._searched("positions", targets, method, progress)

    def optimize_cell(
        self,
        edge: float | int = SPAN_EDGE,
        angle: float | int = SPAN_ANGLE,
        method: str = "powell",
        progress: bool | Callback = False,
    ) -> CoarseResult:
        """The numbers of the cell that its crystal system leaves free.

        gl stays, so that K_t of a pixel follows |g_x|.

        Args:
            edge: relative half width of the bounds of edges.
            angle: half width of those of angles.
            method: for several, "powell" or "nelder-mead".
            progress: True, or a function of events.
        """
        targets = cell_targets(self.state.crystal, edge, angle)
        return self._searched("cell", targets, method, progress)

    def _polished(
        self,
        target: Target,
        scan: CoarseScan,
        progress: bool | Callback,
        trace: Trace | None = None,
        stopped: bool = False,
    ) -> CoarseResult:
        """A scan's highest point, refined between its neighbours."""
        i, last = scan.best, len(scan.values) - 1
        if trace is None:
            trace = Trace(target.name, len(scan.values) + _EVALUATIONS, progress)
            for value, r, shift in zip(
                scan.values, scan.correlation, scan.shift, strict=True
            ):
                trace.note(1 - float(r), (np.array([value]), float(r), shift))
        near = scan.values[max(i - 1, 0)], scan.values[min(i + 1, last)]
        if stopped or last == 0:
            return self._result([target], trace, stopped, scan)
        start = [float(scan.values[i])]
        bounds = [(float(near[0]), float(near[1]))]
        return self._run([target], trace, start, bounds, "powell", scan)

    def _searched(
        self,
        phase: str,
        targets: Sequence[Target],
        method: str,
        progress: bool | Callback,
    ) -> CoarseResult:
        expected = _EVALUATIONS * len(targets) ** 2
        trace = Trace(phase, expected, progress)
        start = [t.value for t in targets]
        bounds = [(t.lo, t.hi) for t in targets]
        return self._run(targets, trace, start, bounds, method)

    def _run(
        self,
        targets: Sequence[Target],
        trace: Trace,
        start: Sequence[float],
        bounds: Sequence[tuple[float, float]],
        method: str,
        scan: CoarseScan | None = None,
    ) -> CoarseResult:
        corners = [self.state] + [
            changed(self.state, targets, [ends[k] for ends in bounds]) for k in (0, 1)
        ]
        plan = self._scene.plan(corners, max(s.thickness for s in corners))

        def cost(x: np.ndarray) -> float:
            r, shift = self._scene.evaluated(
                changed(self.state, targets, x.tolist()), plan
            )
            trace(1 - r, (x, r, shift))
            return 1 - r

        stopped = attempt(lambda: search(cost, start, bounds, method), trace)
        return self._result(targets, trace, stopped, scan)

    def _result(
        self,
        targets: Sequence[Target],
        trace: Trace,
        stopped: bool,
        scan: CoarseScan | None,
    ) -> CoarseResult:
        x, r, shift = trace.best
        state = changed(self.state, targets, x.tolist())
        warnings = []
        for target, value in zip(targets, x, strict=True):
            room = min(value - target.lo, target.hi - value)
            if room < _AT_BOUND * (target.hi - target.lo):
                warnings.append(
                    f"{target.name} is {value:.6g} {target.unit}, at a bound of "
                    f"({target.lo:.6g}, {target.hi:.6g})"
                )
        if np.hypot(*shift) > self._scene.radius - 0.5:
            warnings.append(
                f"the shift ({shift[0]:.2f}, {shift[1]:.2f}) px is as long as "
                f"search_radius {self._scene.radius} allows; enlarge it, or move kt"
            )
        if scan is not None and scan.multimodal:
            warnings.append(scan.warnings()[-1])
        return CoarseResult(
            values={t.name: float(v) for t, v in zip(targets, x, strict=True)},
            units={t.name: t.unit for t in targets},
            correlation=float(r),
            shift=_two(shift),
            history=np.array(trace.costs),
            state=state.with_(kt=_two(self._scene.moved(state, shift))),
            frame=self._scene.frame,
            rotation=float(self._scene.roi.rotation),
            given=self._given,
            warnings=tuple(warnings),
            interrupted=stopped,
            scan=scan,
        )


def _two(values: Any) -> tuple[float, float]:
    first, second = np.asarray(values, float).tolist()
    return first, second


def _check(energy, thickness, gl, kt, radius, nx, background, frame, roi):
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
