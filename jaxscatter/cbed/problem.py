"""Problems of electron diffraction: a pattern, a crystal, and what is refined.

Units: as in `model`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from ..errors import DataError, ModelError, ParameterError
from ..problem import Amplitude, Dataset, Likelihood, Parameter, ParameterSet, Problem
from . import bloch, electron
from .beams import Beams, check_bethe, deviations, select_beams
from .bloch import Settings
from .crystal import Crystal
from .geometry import Frame
from .model import (
    DiffractionModel,
    diskshift_names,
    pixel_kt,
)
from .parameters import (
    GL_SPAN,
    adjusted,
    pattern_table,
    shift_bound,
    without_still_numbers,
)
from .refined import none, refined
from .structure_factors import optical_potential

BACKGROUNDS = ("disk", "pattern", "none")


def problem(
    data: Dataset,
    crystal: Crystal,
    *,
    energy: float | int,
    thickness: float | int,
    frame: Frame,
    gl: float | int,
    kt: Float[ArrayLike, "2"] | Sequence[float | int] = (0.0, 0.0),
    rotation: float | int = 0.0,
    reflections: Sequence[Sequence[int]] = (),
    start: Mapping[str, float | int] | None = None,
    free: Sequence[str] | None = None,
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
    priors: Mapping[str, Any] | None = None,
    ties: Mapping[str, Any] | None = None,
    background: str = "disk",
    shift_disks: bool = False,
    psf: str | None = None,
    padding: int = 10,
    beams: Beams | Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    likelihood: Likelihood | None = None,
    equivalents: bool = True,
    margin: float | int = 1.1,
) -> Problem:
    """A problem of the disks of one CBED pattern, or of LARBED images.

    The scale c (>= 0) is common to all disks and the background to a disk; both are
    linear, solved for at every step, and need no start values.

    Args:
        data: from `load`, `from_images` or `simulate`.
        crystal: what diffracts; reflections that are not refined scatter as its
            independent atoms do.
        energy: of the electrons, keV.
        thickness: start value, Å.
        frame: zone, x axis and surface.
        gl: pixels or scan steps per |g_x|.
        kt: K_t of the pattern's centre (k_x, k_y), 1/Å.
        rotation: of the pattern, degrees.
        reflections: hkl whose U and U' are refined.
        start: start values by parameter name, instead of those of the crystal.
        free: names of the parameters to vary; "geometry" stands for gl, rotation and
            shifts. By default U and U' of the reflections, thickness, and geometry.
        bounds: (lo, hi) by name.
        priors: numpyro distributions by name. Without: normal of 5 % about U and U',
            log-normal of 5 % about the thickness, normal for geometry.
        ties: name of another parameter, or a function of parameters, by name.
        background: "disk", "pattern" (one for all disks) or "none".
        shift_disks: let every disk but 000 move on its own (CBED).
        psf: "radial_voigt" or "fourier" for images blurred by the probe, with the
            parameters sigma and gamma (LARBED).
        padding: pixels simulated around a blurred image.
        beams: what takes part, or arguments of `select_beams`.
        settings: equation, solver, scattering factors, absorption.
        likelihood: `Gaussian()` noise options and robust losses, or `Poisson()`.
        equivalents: whether all symmetry equivalents of a reflection follow it, or
            only its opposite.
        margin: factor on the spectrum that the Chebyshev terms allow for.

    Raises:
        ValueError: what does not fit together, by name.
        TypeError: an unknown parameter.
    """
    settings = Settings() if settings is None else settings
    start, bounds = dict(start or {}), dict(bounds or {})
    priors, ties = dict(priors or {}), dict(ties or {})
    _check(data, energy, thickness, gl, background, psf, shift_disks)
    hkl = _disks(data)
    pixels = _pixels(data, padding if psf is not None else 0)
    in_disks = data.metadata.get("kind") == "cbed"
    if in_disks:
        pixels = np.broadcast_to(pixels, (len(hkl), *pixels.shape[1:]))
    places = _places(hkl, crystal, frame) if in_disks else None
    kt0 = np.asarray(kt, float)
    grid = _tilts(pixels, places, kt0, frame, crystal, gl, rotation)
    if not isinstance(beams, Beams):
        wanted = {"table": settings.table, **(beams or {})}
        beams = select_beams(crystal, frame, energy, grid, **wanted)
    elif len(beams.weak):
        _check_weak(beams, crystal, frame, energy, grid, settings)
    rows = beams.positions(np.asarray(hkl))
    factors = none(len(beams.differences))
    if len(reflections):
        factors = refined(
            beams.differences, crystal.operations, reflections, equivalents
        )
    table = pattern_table(
        crystal, factors, settings, energy, thickness, gl, rotation, psf
    )
    if shift_disks:
        most = shift_bound(gl)
        for disk in hkl:
            for name in diskshift_names(disk):
                table[name] = Parameter(
                    name, 0.0, "px", (-most, most), fixed=not any(disk)
                )
    table = adjusted(table, crystal, start, free, bounds, priors, ties, hkl)
    chosen = without_still_numbers(table, crystal)
    if settings.solver == "cheb":
        grid = _reach(pixels, places, kt0, frame, crystal, chosen)
        plan = _plan(chosen, crystal, beams, factors, frame, grid, settings, margin)
    else:
        plan = None
    parameters = ParameterSet(chosen.values())
    image = None
    if psf is not None:
        image = tuple(n + 2 * padding for n in data.metadata["image"])
    model = DiffractionModel(
        parameters=parameters,
        amplitudes=_amplitudes(background),
        crystal=crystal,
        beams=beams,
        refined_factors=factors,
        plan=plan,
        pixels=jnp.asarray(np.array(pixels)),
        places=None if places is None else jnp.asarray(places),
        kt0=jnp.asarray(kt0),
        frame=frame,
        settings=settings,
        rows=rows,
        hkl=hkl,
        image=image,
        probe=psf,
        padding=padding if psf is not None else 0,
    )
    return Problem(model, data, likelihood=likelihood)


def _check(data, energy, thickness, gl, background, psf, shift_disks):
    if not isinstance(data, Dataset) or "disk" not in dict(data.dims):
        raise DataError("data hold no disks; use js.cbed.load or js.cbed.from_images")
    for name, value in (("energy", energy), ("thickness", thickness), ("gl", gl)):
        if not (math.isfinite(value) and value > 0):
            raise ParameterError(f"{name} is {value}; expected a number above 0")
    if background not in BACKGROUNDS:
        raise ModelError(f"background is {background!r}; expected one of {BACKGROUNDS}")
    if psf is not None and "image" not in data.metadata:
        raise DataError(
            "psf needs whole images; these data are samples of regions, which have no "
            "neighbours to blur from"
        )
    if shift_disks and data.metadata.get("kind") != "cbed":
        raise ModelError(
            "shift_disks is for disks of one CBED image; these data share their K_t"
        )


def _check_weak(beams, crystal, frame, energy, grid, settings):
    """Refuse listed weak beams at their Bragg position, and warn of close ones."""
    s = deviations(beams.weak, crystal.cell, frame, energy, grid)
    u = optical_potential(
        crystal, beams.differences, energy, table=settings.table, absorption="none"
    )[0]
    off = np.any(beams.differences != 0, axis=1)
    closest = 2 * float(electron.wavenumber(energy)) * float(np.min(np.abs(s)))
    check_bethe(closest, float(np.max(np.abs(np.asarray(u)[off]))))


def _disks(data: Dataset) -> tuple[tuple[int, int, int], ...]:
    rows = zip(*(np.asarray(data.coords[n]).astype(int) for n in "hkl"), strict=True)
    return tuple((int(h), int(k), int(m)) for h, k, m in rows)


def _pixels(data: Dataset, padding: int) -> np.ndarray:
    """Offsets (j, i) from 000, (1 or groups, points, 2), of what is simulated."""
    if padding:
        (h, w), (row, column) = data.metadata["image"], data.metadata["centre"]
        j, i = np.meshgrid(
            np.arange(-padding, h + padding) - row,
            np.arange(-padding, w + padding) - column,
            indexing="ij",
        )
        return np.stack([j.ravel(), i.ravel()], axis=-1)[None].astype(float)
    j, i = np.asarray(data.coords["j"]), np.asarray(data.coords["i"])
    return np.stack([np.atleast_2d(j), np.atleast_2d(i)], axis=-1).astype(float)


def _places(hkl, crystal: Crystal, frame: Frame) -> np.ndarray:
    """(x, y) of each g in parts of |g_x|."""
    lab = np.asarray(frame.lab_vectors(np.asarray(hkl, float), crystal.cell))
    return lab[:, :2] / float(frame.x_length(crystal.cell))


def _tilts(
    pixels, places, kt0, frame, crystal, gl, rotation, shift=(0.0, 0.0)
) -> np.ndarray:
    """Some hundred K_t that span the pattern, and the same where gl is at its bounds.

    `GL_SPAN` is taken for the bounds, which the choice of beams must not depend on.
    """
    few = _spread(pixels, places, kt0, frame, crystal, gl, rotation, shift)
    return np.concatenate([few, kt0 + (1 + GL_SPAN) * (few - kt0)])


def _spread(pixels, places, kt0, frame, crystal, gl, rotation, shift) -> np.ndarray:
    """Some hundred K_t of a pattern, its outermost ones among them."""
    kt = pixel_kt(
        pixels, places, kt0, frame, crystal.cell, gl, rotation, np.asarray(shift)
    )
    flat = np.asarray(kt).reshape(-1, 2)
    few = flat[:: max(1, len(flat) // 200)]
    return np.concatenate([few, flat[np.argmin(flat, 0)], flat[np.argmax(flat, 0)]])


def _reach(pixels, places, kt0, frame, crystal, table) -> np.ndarray:
    """K_t of a pattern whose geometry goes to its bounds."""

    def ends(name: str) -> tuple[float, ...]:
        row = table[name]
        if row.fixed or not np.all(np.isfinite([row.lo, row.hi])):
            return (float(row.value),)
        return (float(row.lo), float(row.hi))

    names = ("gl", "rotation", "shift_j", "shift_i")
    disks = max((ends(n)[-1] for n in table if n.startswith("diskshift")), default=0.0)
    corners = []
    for gl, rotation, down, right in itertools.product(*(ends(n) for n in names)):
        shift = np.array([down, right])
        shift = shift + disks * np.where(shift < 0, -1.0, 1.0)
        corners.append(
            _spread(pixels, places, kt0, frame, crystal, gl, rotation, shift)
        )
    return np.concatenate(corners)


def _plan(table, crystal, beams, factors, frame, grid, settings, margin):
    """Chebyshev terms for the largest thickness and any pixel of the pattern."""
    theta = {n: jnp.asarray(row.value) for n, row in table.items()}
    energy = float(theta["energy"])
    values = factors.replaced(
        bloch.coefficients(crystal, beams, energy, settings), theta
    )
    wavenumber = bloch.inner_wavenumber(beams, values, energy, settings.refraction)
    parts = bloch.diffraction(
        crystal.cell, beams, frame, jnp.asarray(grid), wavenumber, settings.form
    )
    row = table["thickness"]
    longest = float(row.value) if row.fixed else float(row.hi)
    real = None
    if any(f is None for f in factors.fixed) or not crystal.operations.inverts_origin:
        real = False
    return bloch.plan_waves(beams, values, parts, longest, margin, real)


def _amplitudes(background: str) -> tuple[Amplitude, ...]:
    scale = Amplitude("scale", lower=0.0, shared=True, unit="counts")
    if background == "none":
        return (scale,)
    return (
        scale,
        Amplitude("background", shared=background == "pattern", unit="counts"),
    )
