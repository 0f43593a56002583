"""Coarse refinement: where a pattern is, before a fit, by correlation.

A field wider than the regions of a `ROI` is simulated and the measured disks are looked
for in it at all shifts within a radius (`matching`); the cost of any other number is
1 - r at the best shift. Disks stay where gl and `dp_center` put them on the detector:
what is shifted is the K_t that belongs to them, in all disks alike,

    K_t0 → K_t0 + (|g_x|/gl)(s_i x̂ - s_j ŷ)

so that every search finds the orientation beside its own numbers. The cost has no
statistical meaning, and no errors follow from it. Where less than three quarters of the
pixels used at first are left on the image, r counts as 0.

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

from ..errors import ModelError
from ..infer.progress import Callback
from .beams import Beams
from .bloch import Settings
from .coarse_result import CoarseResult, CoarseScan, cautions
from .coarse_scene import THICKER, Scene, check
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

_STEP = 10.0
_EVALUATIONS = 25
"""A search of one number may take, for progress."""
_CANDIDATES = 4
"""Maxima of a scan that are refined, at most."""


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
        check(energy, thickness, gl, kt, search_radius, nx, background, frame, roi)
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
            np.asarray(image, float), roi, frame, self.state, self._given,
            radius=int(search_radius), nx=nx, filter=filter, mask=mask,
            per_disk=background == "disk", sampling=sampling,
        )  # fmt: skip

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
        return self._reaching(bounds)._thicknesses(bounds, step)

    def _range(self, bounds: Sequence[float | int] | None) -> tuple[float, float]:
        t = self.state.thickness
        usual = (0.5 * t, THICKER * t)
        lo, hi = pair_of("bounds of thickness", usual if bounds is None else bounds)
        if not lo > 0:
            raise ModelError(
                f"bounds of thickness are ({lo}, {hi}); expected them above 0"
            )
        return lo, hi

    def _reaching(self, bounds: Sequence[float | int] | None) -> "CoarseOptimize":
        """The same with nodes close enough for the thickest foil."""
        out = copy.copy(self)
        out._scene = self._scene.reaching(self.state, self._range(bounds)[1])
        return out

    def _thicknesses(
        self, bounds: Sequence[float | int] | None, step: float | int
    ) -> CoarseScan:
        if not (math.isfinite(step) and step > 0):
            raise ModelError(f"step is {step}; expected a thickness above 0")
        state, (lo, hi) = self.state, self._range(bounds)
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
        """K_t and thickness of highest correlation: a scan, then Brent's method.

        Where the scan is multimodal the search goes on from each of its best maxima.

        Args:
            bounds: as of `thickness_scan`.
            step: likewise.
            progress: True, or a function of events.
        """
        wide = self._reaching(bounds)
        scan = wide._thicknesses(bounds, step)
        start = float(scan.values[scan.best])
        target = plain("thickness", "Å", start, self._range(bounds))
        trace = Trace("thickness", len(scan.values) + _EVALUATIONS, progress)
        for i, r in enumerate(scan.correlation.tolist()):
            trace.note(1 - r, (scan.values[i : i + 1], r, scan.shift[i]))
        return wide._polished(target, scan, trace)

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
        count = steps
        if count is None:
            count = self._scene.gl_points(state, target.hi - target.lo)
        if count < 3:
            raise ModelError(f"steps is {steps}; expected 3 or more")
        values = np.linspace(target.lo, target.hi, count)
        # K_t of the nodes reaches furthest where gl is smallest
        plan = self._scene.plan([state.with_(gl=target.lo)], state.thickness)
        trace = Trace("gl", count + _EVALUATIONS, progress)
        found: list[tuple[float, np.ndarray, np.ndarray]] = []

        def along() -> None:
            for value in values:
                here = state.with_(gl=float(value))
                r, shift = self._scene.evaluated(here, plan)
                found.append((r, shift, self._scene.moved(here, shift)))
                trace(1 - r, (np.array([value]), r, shift))

        stopped = attempt(along, trace)
        r, shifts, kt = (np.array(v) for v in zip(*found, strict=True))
        scan = CoarseScan("gl", "px", values[: len(found)], r, shifts, kt)
        if stopped:
            return self._result([target], trace, stopped, scan)
        return self._polished(target, scan, trace)

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

    def _polished(self, target: Target, scan: CoarseScan, trace: Trace) -> CoarseResult:
        """The best maxima of a scan, refined between their neighbours."""
        last = len(scan.values) - 1
        parts = []
        for i in list(dict.fromkeys([scan.best, *scan.candidates]))[:_CANDIDATES]:
            near = scan.values[max(i - 1, 0)], scan.values[min(i + 1, last)]
            parts.append(([scan.values[i]], [(float(near[0]), float(near[1]))]))
        return self._run([target], trace, parts, "powell", scan)

    def _searched(
        self,
        phase: str,
        targets: Sequence[Target],
        method: str,
        progress: bool | Callback,
    ) -> CoarseResult:
        trace = Trace(phase, _EVALUATIONS * len(targets) ** 2, progress)
        parts = [([t.value for t in targets], [(t.lo, t.hi) for t in targets])]
        return self._run(targets, trace, parts, method)

    def _run(
        self,
        targets: Sequence[Target],
        trace: Trace,
        parts: Sequence[tuple[Sequence[float], Sequence[tuple[float, float]]]],
        method: str,
        scan: CoarseScan | None = None,
    ) -> CoarseResult:
        """Search from each start within its bounds."""
        corners = [self.state] + [
            changed(self.state, targets, [ends[k] for ends in bounds])
            for _, bounds in parts
            for k in (0, 1)
        ]
        plan = self._scene.plan(corners, max(s.thickness for s in corners))

        def cost(x: np.ndarray) -> float:
            r, shift = self._scene.evaluated(
                changed(self.state, targets, x.tolist()), plan
            )
            trace(1 - r, (x, r, shift))
            return 1 - r

        def work() -> None:
            for start, bounds in parts:
                search(cost, start, bounds, method)

        return self._result(targets, trace, attempt(work, trace), scan)

    def _result(
        self,
        targets: Sequence[Target],
        trace: Trace,
        stopped: bool,
        scan: CoarseScan | None,
    ) -> CoarseResult:
        x, r, shift = trace.best
        state = changed(self.state, targets, x.tolist())
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
            warnings=cautions(targets, x, shift, self._scene.radius, scan),
            interrupted=stopped,
            scan=scan,
        )


def _two(values: Any) -> tuple[float, float]:
    first, second = np.asarray(values, float).tolist()
    return first, second
