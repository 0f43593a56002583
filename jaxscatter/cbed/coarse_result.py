"""What a coarse refinement found, and the curves it looked along.

Units: energy in keV, thickness in Å, K_t in 1/Å, gl and shifts in pixels.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.signal import find_peaks

from .coarse_targets import State, Target
from .geometry import Frame

NEAR = 0.03
"""A maximum this close to the highest, relatively, is another candidate."""
_AT_BOUND = 0.01
"""Of the width of the bounds."""
_PROMINENCE = 2e-3
"""Least dip of r, beside a maximum, that separates it from another."""


@dataclasses.dataclass(frozen=True, eq=False)
class CoarseScan:
    """Correlation against one number, at each the best over all shifts.

    Attributes:
        name, unit: of the number.
        values: where it was looked at.
        correlation: r there.
        shift: (n, 2), (j, i) in display space.
        kt: (n, 2), K_t at the centre of 000.
    """

    name: str
    unit: str
    values: Float[np.ndarray, " n"]
    correlation: Float[np.ndarray, " n"]
    shift: Float[np.ndarray, "n 2"]
    kt: Float[np.ndarray, "n 2"]

    @property
    def best(self) -> int:
        """Position of the highest correlation."""
        return int(np.argmax(self.correlation))

    @property
    def maxima(self) -> tuple[int, ...]:
        """Positions of the local maxima, the highest first; the ends may be some."""
        low = float(np.min(self.correlation)) - 1.0
        ends = np.concatenate([[low], self.correlation, [low]])
        at = find_peaks(ends, prominence=_PROMINENCE)[0] - 1
        order = np.argsort(-self.correlation[at], kind="stable")
        return tuple(int(i) for i in at[order])

    @property
    def candidates(self) -> tuple[int, ...]:
        """Those of the maxima within a few per cent of the highest."""
        top = float(self.correlation[self.best])
        within = top - NEAR * abs(top)
        return tuple(i for i in self.maxima if self.correlation[i] >= within)

    @property
    def multimodal(self) -> bool:
        """Whether more than one maximum is as good, within a few per cent."""
        return len(self.candidates) > 1

    def warnings(self) -> tuple[str, ...]:
        """What has to be known before the highest is believed."""
        out = []
        if self.best in (0, len(self.values) - 1) and len(self.values) > 1:
            out.append(
                f"the correlation is highest at the end of the range of {self.name}, "
                f"{self.values[self.best]:g} {self.unit}: widen the bounds"
            )
        if self.multimodal:
            others = ", ".join(
                f"{self.values[i]:g} {self.unit} (r {self.correlation[i]:.4f})"
                for i in self.candidates
            )
            out.append(
                f"{self.name} is multimodal: {others} are within {100 * NEAR:g} % of "
                "the highest correlation; start a fit from each"
            )
        return tuple(out)

    def summary(self) -> str:
        """Warnings first, then the maxima."""
        lines = [f"WARNING: {text}" for text in self.warnings()]
        lines.append(
            f"correlation at {len(self.values)} values of {self.name}, "
            f"{self.values[0]:g} to {self.values[-1]:g} {self.unit}"
        )
        lines.append(f"{self.name + '/' + self.unit:>16}{'r':>10}{'K_t / 1/Å':>24}")
        for i in self.maxima:
            lines.append(
                f"{self.values[i]:16.6g}{self.correlation[i]:10.5f}"
                f"{self.kt[i, 0]:13.6f},{self.kt[i, 1]:10.6f}"
            )
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, eq=False)
class CoarseResult:
    """Where the correlation was highest. No errors belong to these numbers.

    Attributes:
        values, units: of what was varied, by name.
        correlation: r.
        shift: (j, i) in display space, from where the search started.
        history: costs 1 - r in the order they were found.
        state: crystal, energy, K_t, thickness and gl with what was found.
        frame: zone and x axis.
        rotation: of the pattern.
        given: beams, settings, reflections, start and equivalents, as they came.
        warnings: numbers at a bound, and what else has to be known first.
        interrupted: whether it was stopped before its end.
        scan: along thickness or gl, where there was one.
    """

    values: Mapping[str, float]
    units: Mapping[str, str]
    correlation: float
    shift: tuple[float, float]
    history: Float[np.ndarray, " n"]
    state: State
    frame: Frame
    rotation: float
    given: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    scan: CoarseScan | None = None

    @property
    def cost(self) -> float:
        """Correlation distance 1 - r."""
        return 1.0 - self.correlation

    @property
    def kt(self) -> tuple[float, float]:
        """(k_x, k_y) at the centre of 000."""
        return self.state.kt

    def arguments(self) -> dict[str, Any]:
        """Arguments of `problem` beside data: `problem(data, **r.arguments())`."""
        names = (f.name for f in dataclasses.fields(State))
        return {
            **{name: getattr(self.state, name) for name in names},
            "frame": self.frame,
            "rotation": self.rotation,
            **self.given,
        }

    def summary(self) -> str:
        """Warnings first, then values and where they put the pattern."""
        lines = [f"WARNING: {text}" for text in self.warnings]
        if self.interrupted:
            lines.append("WARNING: stopped before its end; the best so far is kept")
        lines.append(
            f"correlation r {self.correlation:.5f}, cost 1 - r {self.cost:.3g}, "
            f"{len(self.history)} evaluations"
        )
        for name, value in self.values.items():
            lines.append(f"{name:16}{value:14.6g} {self.units[name]}")
        kx, ky = self.state.kt
        hkl = np.asarray(self.frame.tangential_hkl(np.array([kx, ky]), self.cell))
        lines.append(
            f"{'K_t':16}{kx:14.6f} {ky:.6f} 1/Å, hkl "
            + " ".join(f"{x:.5f}" for x in hkl)
        )
        lines.append(
            f"{'shift':16}{self.shift[0]:14.3f} {self.shift[1]:.3f} px (down, right)"
        )
        lines.append(
            "found by correlation: no errors are claimed; fit a problem from here"
        )
        return "\n".join(lines)

    @property
    def cell(self) -> np.ndarray:
        """The crystal's a, b, c, α, β, γ."""
        return np.asarray(self.state.crystal.cell)


def cautions(
    targets: Sequence[Target],
    values: Float[np.ndarray, " n"],
    shift: Float[np.ndarray, "2"],
    radius: int,
    scan: CoarseScan | None = None,
) -> tuple[str, ...]:
    """Numbers at a bound, a shift at its longest, and a scan of several maxima.

    Args:
        targets: what was varied.
        values: of them.
        shift: that was found.
        radius: longest shift.
        scan: along the one of them, if any.
    """
    out = []
    for target, value in zip(targets, values, strict=True):
        room = min(value - target.lo, target.hi - value)
        if room < _AT_BOUND * (target.hi - target.lo):
            out.append(
                f"{target.name} is {value:.6g} {target.unit}, at a bound of "
                f"({target.lo:.6g}, {target.hi:.6g})"
            )
    if np.hypot(*shift) > radius - 0.5:
        out.append(
            f"the shift ({shift[0]:.2f}, {shift[1]:.2f}) px is as long as "
            f"search_radius {radius} allows; enlarge it, or move kt"
        )
    if scan is not None and scan.multimodal:
        out.append(scan.warnings()[-1])
    return tuple(out)
