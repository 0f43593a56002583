"""Rocking curves and thickness series.

Curves run along a line of tilts K_t = K_t0 + u d̂, of angles u/K about its middle.

Units: K_t in 1/Å, thickness in Å, energy in keV, angles in mrad.

References:
    [1] J. C. H. Spence and J. M. Zuo, Electron Microdiffraction (1992), chapter 3.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Int, Num

from .._types import as_float
from ..errors import ModelError
from ..numerics.chebyshev_waves import Plan
from . import electron
from .beams import Beams
from .bloch import Coefficients, Settings, bloch_intensities
from .display import Pair, pair
from .geometry import Frame
from .pattern import chosen_beams


class TiltLine(NamedTuple):
    """Tilts on a line, and their angles u/K about its middle."""

    kt: Float[Array, "points 2"]
    angle: Float[np.ndarray, " points"]


class RockingCurve(NamedTuple):
    """Intensities of the beams `hkl` along a line of tilts."""

    hkl: Int[np.ndarray, "out 3"]
    kt: Float[Array, "points 2"]
    angle: Float[np.ndarray, " points"]
    intensity: Float[Array, "*times points out"]


class ThicknessSeries(NamedTuple):
    """Intensities of the beams `hkl` at one tilt."""

    hkl: Int[np.ndarray, "out 3"]
    thickness: Float[Array, " times"]
    intensity: Float[Array, "times out"]


def bragg_position(
    hkl: Num[ArrayLike, "3"] | Sequence[int],
    frame: Frame,
    cell: Num[ArrayLike, "6"],
    wavenumber: Num[ArrayLike, ""],
) -> Float[Array, "2"]:
    """K_t along g_t where 2K·g + g² = 0, for reflections of any Laue zone.

    Raises:
        ModelError: g lies along the zone, or is too long to be excited.
    """
    g = frame.lab_vectors(np.asarray(hkl, float), cell)
    k, length = as_float(wavenumber), jnp.linalg.norm(g)
    across = jnp.hypot(g[0], g[1])
    if not isinstance(across, Tracer) and not isinstance(k, Tracer):
        name = np.asarray(hkl).tolist()
        if not float(across) > 1e-9 * max(float(length), 1e-12):
            raise ModelError(
                f"hkl is {name}, along the zone {frame.zone} or zero; expected a "
                "reflection with a part across it"
            )
        if float(length) > 2 * float(k):
            raise ModelError(f"hkl is {name}, longer than 2K = {2 * float(k):.4g} 1/Å")
    # with K_t = K sin θ the condition is |g_t| sin θ + g_z cos θ = -g²/2K
    theta = jnp.arcsin(-length / (2 * k)) - jnp.arctan2(g[2], across)
    return k * jnp.sin(theta) * g[:2] / across


def tilt_line(
    frame: Frame,
    cell: Num[ArrayLike, "6"],
    energy: Num[ArrayLike, ""],
    *,
    span: float | int,
    points: int,
    hkl: Any = None,
    through: Pair | None = None,
    direction: Pair | None = None,
) -> TiltLine:
    """A line of tilts through the Bragg position of a reflection, or through a K_t.

    Args:
        frame: zone and x axis.
        cell: a, b, c, α, β, γ.
        energy: of the electrons.
        span: from the first to the last tilt in mrad.
        points: on the line.
        hkl: the reflection; its Bragg position is the middle.
        through: K_t of the middle instead; the zone axis without a reflection.
        direction: (x, y) of the line; along g_t, or x̂ without a reflection.
    """
    if points < 1 or not (math.isfinite(span) and span >= 0):
        raise ModelError(
            f"span is {span} mrad in {points} points; expected at least 0 and 1"
        )
    k = electron.wavenumber(as_float(energy))
    middle = jnp.zeros(2)
    along = jnp.array([1.0, 0.0])
    if hkl is not None:
        if through is None:
            middle = bragg_position(hkl, frame, cell, k)
        along = frame.lab_vectors(np.asarray(hkl, float), cell)[:2]
    if through is not None:
        middle = pair(through)
    if direction is not None:
        along = pair(direction)
    length = jnp.linalg.norm(along)
    if not isinstance(length, Tracer) and not float(length) > 0:
        raise ModelError(f"direction is {along.tolist()}; expected one of length > 0")
    angle = np.linspace(-0.5, 0.5, points) * float(span) if points > 1 else np.zeros(1)
    u = jnp.asarray(angle)[:, None] * (k / 1000)
    return TiltLine(middle[None, :] + u * (along / length)[None, :], angle)


def rocking_curve(
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    thickness: Num[ArrayLike, "..."] | float | int,
    hkl: Any,
    *,
    span: float | int = 20.0,
    points: int = 101,
    through: Pair | None = None,
    direction: Pair | None = None,
    output: Any = None,
    beams: Beams | None = None,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    plan: Plan | None = None,
    **selection: Any,
) -> RockingCurve:
    """Intensities along a line through the Bragg position of `hkl`.

    Args:
        crystal: what diffracts.
        frame: zone, x axis and surface.
        energy: of the electrons.
        thickness: one number, or several for as many curves.
        hkl: the reflection that is excited in the middle.
        span: from the first to the last tilt in mrad.
        points: on the line.
        through: K_t of the middle, if not the Bragg position.
        direction: (x, y) of the line, if not g_t.
        output: hkl of the curves; 000 and `hkl` by default.
        beams: that take part; by default
        **selection: chooses them, see `select_beams`.
        settings: equation, solver, scattering factors, absorption.
        potential: coefficients instead of those of independent atoms.
        plan: of the "cheb" solver, for jit and grad.
    """
    line = tilt_line(
        frame, crystal.cell, energy, span=span, points=points, hkl=hkl,
        through=through, direction=direction,
    )  # fmt: skip
    chosen = chosen_beams(crystal, frame, energy, line.kt, beams, **selection)
    shown = np.array([(0, 0, 0), np.asarray(hkl)]) if output is None else output
    shown = np.asarray(shown)
    intensity = bloch_intensities(
        crystal, chosen, line.kt, jnp.atleast_1d(as_float(thickness)), energy=energy,
        frame=frame, settings=settings, potential=potential, output=shown, plan=plan,
    )  # fmt: skip
    intensity = jnp.moveaxis(intensity, 1, 0)
    return RockingCurve(shown, *line, intensity if np.ndim(thickness) else intensity[0])


def thickness_series(
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    thickness: Num[ArrayLike, " times"],
    *,
    kt: Pair = (0.0, 0.0),
    output: Any = None,
    beams: Beams | None = None,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    plan: Plan | None = None,
    **selection: Any,
) -> ThicknessSeries:
    """Intensities at one tilt against thickness.

    Args:
        crystal: what diffracts.
        frame: zone, x axis and surface.
        energy: of the electrons.
        thickness: several.
        kt: the tilt; `bragg_position` is that of a reflection.
        output: hkl of the curves; all strong beams by default.
        beams: that take part; by default
        **selection: chooses them, see `select_beams`.
        settings: equation, solver, scattering factors, absorption.
        potential: coefficients instead of those of independent atoms.
        plan: of the "cheb" solver, for jit and grad.
    """
    tilt = pair(kt)[None, :]
    chosen = chosen_beams(crystal, frame, energy, tilt, beams, **selection)
    shown = np.asarray(chosen.hkl if output is None else output)
    t = as_float(thickness)
    intensity = bloch_intensities(
        crystal, chosen, tilt, t, energy=energy, frame=frame, settings=settings,
        potential=potential, output=shown, plan=plan,
    )  # fmt: skip
    return ThicknessSeries(shown, t, intensity[0])
