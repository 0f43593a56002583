"""The Bloch-wave equation: amplitudes and intensities of all beams below a foil.

With 2K s_g = K² - |K + g|², K_n = K·n and g_n = g·n, ψ(t) = M exp(2πi t H) e₀, where

    symmetric    H = [M_g² 2K s_g δ_gh + M_g M_h U_gh]/(2K_n), M_g = 1/√(1 + g_n/K_n)
    high_energy  H = [2K s'_g δ_gh + U_gh]/(2K_n), s'_g = -(2K·g+g²)/(2(K+g)·n), M = 1
    wave_eq      as symmetric with M = 1 and 2K s_g = -(2K g_z + g_x² + g_y²)

U_gh = U(h - g) + i U'(h - g) with both coefficients in the sign of
F(g) = Σ f exp(+2πi g·r); U_0 only shifts the common phase and is left out, i U'_0 stays
on the diagonal. Bethe potentials of weak beams w (`Beams.weak`) replace

    U_gh -> U_gh - Σ_w U_gw U_wh/(2K s_w).

Units: K, g, s in 1/Å, U in 1/Å², thickness in Å, energy in keV.

References:
    [1] J. C. H. Spence and J. M. Zuo, Electron Microdiffraction (1992), chapter 3.
    [2] M. De Graef, Introduction to Conventional TEM (2003), chapter 5.
    [3] H. Bethe, Ann. Phys. 392, 55 (1928).
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Complex, Float, Num

from .._types import as_float
from ..errors import ModelError
from ..numerics.chebyshev_waves import (
    Plan,
    SecondOrder,
    tiled_waves,
    waves_plan,
)
from ..numerics.unitary_waves import exponential_waves, unitary_waves
from . import electron
from ._checks import check_hermitian, check_leaving, check_thickness, check_weak
from .absorption import NoAbsorption, absorption_rule
from .beams import Beams
from .geometry import Frame, wave_vectors
from .structure_factors import optical_potential

FORMS = ("symmetric", "high_energy", "wave_eq")
SOLVERS = ("cheb", "eigh", "expm")
TILE_NUMBERS = 2**19
"""Amplitudes of a tile of tilts, with tangents: 8 MiB for each term of a recursion that
holds three, so that they stay near the processor."""


class Settings(eqx.Module):
    """How a crystal's waves are calculated.

    Args:
        form: of the wave equation, one of `FORMS`.
        solver: "cheb" for all tilts at once; "eigh" by eigenvalues (elastic only);
            "expm" for checks.
        table: of the scattering factors.
        absorption: rule as in `optical_potential`; "none" for elastic.
        refraction: K² = K0² + U_0 inside the crystal.
        tile: tilts propagated at a time; by default as many as keep the waves of
            all tangents within `TILE_NUMBERS`, from 16 to 256.
    """

    form: str = eqx.field(static=True, default="symmetric")
    solver: str = eqx.field(static=True, default="cheb")
    table: str = eqx.field(static=True, default="lobato")
    absorption: Any = eqx.field(static=True, default="thomas")
    refraction: bool = eqx.field(static=True, default=False)
    tile: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        for name, known in (("form", FORMS), ("solver", SOLVERS)):
            if getattr(self, name) not in known:
                raise ModelError(
                    f"{name} is {getattr(self, name)!r}; expected one of {known}"
                )
        if self.tile is not None and self.tile < 1:
            raise ModelError(f"tile is {self.tile}; expected 1 or more tilts")

    def tilts(self, n_beams: int, tangents: int = 0) -> int:
        """Tilts at a time of so many beams, with so many tangents beside them."""
        if self.tile is not None:
            return self.tile
        return min(256, max(16, TILE_NUMBERS // (n_beams * (1 + tangents))))


class Coefficients(eqx.Module):
    """U and U' of every coupling, in the order of `Beams.differences`.

    `absorptive` is None where there is no absorption.
    """

    elastic: Complex[Array, " m"]
    absorptive: Complex[Array, " m"] | None = None


@eqx.filter_jit
def _potential(crystal, hkl, energy, settings):
    return optical_potential(
        crystal,
        hkl,
        energy,
        table=settings.table,
        absorption=settings.absorption,
    )


def coefficients(
    crystal: Any, beams: Beams, energy: Num[ArrayLike, ""], settings: Settings
) -> Coefficients:
    """U and U' of a crystal of independent atoms."""
    electron.wavenumber(energy)  # refuses an energy that is not positive
    u, w = _potential(crystal, beams.differences, as_float(energy), settings)
    elastic = isinstance(absorption_rule(settings.absorption), NoAbsorption)
    return Coefficients(u, None if elastic else w)


class Diffraction(eqx.Module):
    """S, d and M of H = S U S + diag(d) for every tilt, and what weak beams add."""

    scale: Float[Array, "tilts n"]
    diagonal: Float[Array, "tilts n"]
    metric: Float[Array, "tilts n"]
    weak: Float[Array, "tilts w"] | None = None
    """1/(2K s_w)"""


def diffraction(
    cell: Num[ArrayLike, "6"],
    beams: Beams,
    frame: Frame,
    kt: Float[Array, "tilts 2"],
    wavenumber: Float[Array, ""],
    form: str = "symmetric",
) -> Diffraction:
    """Everything but the potential, for every tilt.

    Args:
        cell: a, b, c, α, β, γ.
        beams: strong and weak ones.
        frame: zone, x axis and surface.
        kt: tangential wave vectors.
        wavenumber: K, inside the crystal.
        form: of the wave equation.
    """
    k = wave_vectors(kt, wavenumber)
    normal = frame.surface(cell, k)
    k_n = jnp.sum(k * normal, axis=1)[:, None]
    g = frame.lab_vectors(as_float(beams.hkl), cell)
    g_n = normal @ g.T
    check_leaving(1 + g_n / k_n, beams.hkl)
    twice_ks = _twice_ks(k, g, form)
    weak = None
    if beams.weak.shape[0]:
        weak = 1 / _twice_ks(k, frame.lab_vectors(as_float(beams.weak), cell), form)
    flat = jnp.ones_like(g_n)
    if form == "symmetric":
        metric = 1 / jnp.sqrt(1 + g_n / k_n)
        diagonal = jnp.square(metric) * twice_ks / (2 * k_n)
    elif form == "high_energy":
        # K s'/K_n: the factor departs from 1 only where the surface is inclined
        slope = jnp.linalg.norm(k, axis=1)[:, None] / k_n
        metric, diagonal = flat, slope * twice_ks / (2 * (k_n + g_n))
    else:
        metric, diagonal = flat, twice_ks / (2 * k_n)
    return Diffraction(metric / jnp.sqrt(2 * k_n), diagonal, metric, weak)


def _twice_ks(k, g, form):
    """2K s_g in 1/Å²."""
    if form == "wave_eq":
        across = jnp.sum(jnp.square(g[:, :2]), axis=1)[None, :]
        return -(2 * k[:, 2:] * g[:, 2][None, :] + across)
    return -(2 * (k @ g.T) + jnp.sum(jnp.square(g), axis=1)[None, :])


def matrices(
    beams: Beams, values: Coefficients
) -> tuple[Complex[Array, "a a"], Complex[Array, "a a"] | None]:
    """U without U_0, and U' with U'_0, at row g and column h the coefficient h - g.

    Raises:
        ModelError: the coefficients are not those of `beams.differences`.
    """
    for name in ("elastic", "absorptive"):
        given = getattr(values, name)
        if given is not None and given.shape != beams.differences.shape[:1]:
            raise ModelError(
                f"{name} has shape {given.shape}; expected one coefficient for each "
                f"of the {beams.differences.shape[0]} differences of the beams"
            )
    size = beams.index.shape[0]
    off = jnp.asarray(~np.eye(size, dtype=bool))
    u = jnp.where(off, values.elastic[beams.index], 0.0)
    w = None if values.absorptive is None else values.absorptive[beams.index]
    return u, w


def inner_wavenumber(
    beams: Beams,
    values: Coefficients,
    energy: Num[ArrayLike, ""],
    refraction: bool,
) -> Float[Array, ""]:
    """K of the incident wave, with the mean inner potential where asked for."""
    k = electron.wavenumber(as_float(energy))
    if not refraction:
        return k
    mean = jnp.real(values.elastic[beams.index[0, 0]])
    return jnp.sqrt(jnp.square(k) + mean)


def plan_waves(
    beams: Beams,
    values: Coefficients,
    parts: Diffraction,
    longest: float | int,
    margin: float | int = 1.05,
    real: bool | None = None,
) -> Plan:
    """Terms and segments of the "cheb" solver, from real numbers on the host.

    Args:
        beams: strong and weak ones.
        values: their coefficients.
        parts: of the tilts, or of the extreme ones.
        longest: largest thickness that will be asked for, Å.
        margin: factor on the spectrum for parameters that will move.
        real: whether U will stay real; found from the numbers by default.
    """
    n = beams.n
    u, w = matrices(beams, values)
    if real is None:
        real = bool(jnp.max(jnp.abs(u.imag)) <= 1e-10 * jnp.max(jnp.abs(u)))
    return waves_plan(
        u[:n, :n].real if real else u[:n, :n],
        None if w is None else w[:n, :n],
        parts.scale,
        parts.diagonal,
        longest,
        margin,
        far=_far(u, w, parts.weak, n),
    )


def _far(u, w, weak, n):
    """Weak beams as levels that act at second order."""
    if weak is None:
        return None
    full = u if w is None else u + 1j * w
    return SecondOrder(full[:n, n:], full[n:, :n], weak)


def waves(
    beams: Beams,
    values: Coefficients,
    parts: Diffraction,
    thickness: Float[Array, " times"],
    settings: Settings,
    plan: Plan | None = None,
    rows: tuple[int, ...] | None = None,
) -> Complex[Array, "tilts times out"]:
    """ψ_g(t) at every tilt for the beams at positions `rows`.

    Raises:
        ModelError: "cheb" under a trace without a plan, "eigh" with absorption.
    """
    u, w = matrices(beams, values)
    n = beams.n
    kept = tuple(range(n)) if rows is None else rows
    metric = parts.metric[:, list(kept)]
    if settings.solver == "cheb":
        if plan is None:
            plan = _plan_here(beams, values, parts, thickness)
        psi = tiled_waves(
            u[:n, :n],
            None if w is None else w[:n, :n],
            parts.scale,
            parts.diagonal,
            thickness,
            plan,
            entrance=beams.entrance,
            rows=kept,
            tile=settings.tilts(n),
            far=_far(u, w, parts.weak, n),
        )
        return psi * metric[:, None, :]
    if settings.solver == "eigh" and w is not None:
        raise ModelError(
            "solver='eigh' is for elastic scattering; with absorption use 'cheb', or "
            "absorption='none'"
        )
    propagate = unitary_waves if settings.solver == "eigh" else exponential_waves

    def one(scale, diagonal, weak):
        h = hamiltonian(u, w, scale, diagonal, weak)
        return propagate(h, thickness, beams.entrance)

    psi = jax.lax.map(
        lambda p: one(*p),
        (parts.scale, parts.diagonal, parts.weak),
        batch_size=min(settings.tilts(n), 64),
    )
    return psi[:, :, list(kept)] * metric[:, None, :]


def hamiltonian(
    u: Complex[Array, "a a"],
    w: Complex[Array, "a a"] | None,
    scale: Float[Array, " n"],
    diagonal: Float[Array, " n"],
    weak: Float[Array, " w"] | None,
) -> Complex[Array, "n n"]:
    """H of one tilt, from `matrices` and one row of `diffraction`."""
    n = scale.shape[0]
    full = u if w is None else u + 1j * w
    inside = full[:n, :n]
    if weak is not None:
        inside = inside - (full[:n, n:] * weak[None, :]) @ full[n:, :n]
    return scale[:, None] * inside * scale[None, :] + jnp.diag(diagonal)


def _plan_here(beams, values, parts, thickness):
    leaves = jax.tree.leaves((values, parts, thickness))
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        raise ModelError(
            "solver='cheb' chooses its number of terms before compilation; inside jit "
            "or grad pass plan=, made by plan(...) of real numbers, or use "
            "solver='eigh' (elastic) or 'expm'"
        )
    return plan_waves(beams, values, parts, float(np.max(np.asarray(thickness))))


def _prepared(crystal, beams, kt, energy, frame, settings, potential):
    """Coefficients and geometry, checked where they are numbers."""
    values = potential
    if values is None:
        values = coefficients(crystal, beams, energy, settings)
    u, w = matrices(beams, values)
    if potential is not None:
        check_hermitian("elastic", u)
        if w is not None:
            check_hermitian("absorptive", w)
    k = inner_wavenumber(beams, values, energy, settings.refraction)
    parts = diffraction(crystal.cell, beams, frame, as_float(kt), k, settings.form)
    if parts.weak is not None:
        check_weak(parts.weak, u)
    return values, parts


def bloch_amplitudes(
    crystal: Any,
    beams: Beams,
    kt: Num[ArrayLike, "tilts 2"],
    thickness: Num[ArrayLike, " times"] | float | int,
    *,
    energy: Num[ArrayLike, ""],
    frame: Frame,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    output: Any = None,
    plan: Plan | None = None,
) -> Complex[Array, "tilts times out"]:
    """Amplitudes ψ_g below the foil, without the common phase exp(2πi K_n t).

    Args:
        crystal: what diffracts.
        beams: from `beams` or `select_beams`.
        kt: tangential wave vectors (k_x, k_y), see `geometry`.
        thickness: foil thicknesses along the normal, >= 0.
        energy: of the electrons.
        frame: zone, x axis and surface.
        settings: equation, solver, scattering factors, absorption.
        potential: coefficients to use instead of those of independent atoms.
        output: hkl (out, 3) of the beams wanted; all strong ones by default.
        plan: of the "cheb" solver, needed inside jit and grad.

    Raises:
        ModelError: what cannot be calculated, see the arguments.
    """
    chosen = Settings() if settings is None else settings
    t = jnp.atleast_1d(as_float(thickness))
    check_thickness(t)
    values, parts = _prepared(crystal, beams, kt, energy, frame, chosen, potential)
    rows = None if output is None else beams.positions(output)
    return waves(beams, values, parts, t, chosen, plan, rows)


def bloch_intensities(
    crystal: Any,
    beams: Beams,
    kt: Num[ArrayLike, "tilts 2"],
    thickness: Num[ArrayLike, " times"] | float | int,
    **arguments: Any,
) -> Float[Array, "tilts times out"]:
    """I_g = |ψ_g|² of a beam of intensity 1, by `bloch_amplitudes`."""
    psi = bloch_amplitudes(crystal, beams, kt, thickness, **arguments)
    return jnp.square(psi.real) + jnp.square(psi.imag)


def plan(
    crystal: Any,
    beams: Beams,
    kt: Num[ArrayLike, "tilts 2"],
    thickness: Num[ArrayLike, " times"] | float | int,
    *,
    energy: float | int,
    frame: Frame,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    margin: float | int = 1.05,
    real: bool | None = None,
) -> Plan:
    """Terms and segments of the "cheb" solver for use inside jit and grad.

    Good for any thickness up to the largest given, and for parameters that widen the
    spectrum by less than `margin`; NaN beyond.
    """
    chosen = Settings() if settings is None else settings
    check_thickness(jnp.asarray(thickness))
    values, parts = _prepared(crystal, beams, kt, energy, frame, chosen, potential)
    longest = float(np.max(np.asarray(thickness)))
    return plan_waves(beams, values, parts, longest, margin, real)
