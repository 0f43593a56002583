"""Bloch states: dispersion surfaces, eigenpairs, and files of a simulation.

The Bloch waves of one tilt are H C = C diag(γ), with H of `bloch`, so that

    ψ_g(t) = M_g Σ_j C_gj exp(2πi γ_j t) (C⁻¹)_j0

and |C_0j|² is how much the incident beam excites branch j where nothing is absorbed.

Units: K_t, γ in 1/Å, thickness in Å, energy in keV, angles in mrad.

References:
    [1] J. C. H. Spence and J. M. Zuo, Electron Microdiffraction (1992), chapter 3.
    [2] C. J. Humphreys, Rep. Prog. Phys. 42, 1825 (1979).
"""

import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Num

from .._types import as_float
from ..io.bloch_hdf5 import BlochSimulation, Eigenpairs, write_simulation
from . import electron, lattice
from .beams import Beams
from .bloch import (
    Coefficients,
    Settings,
    coefficients,
    diffraction,
    hamiltonian,
    inner_wavenumber,
    matrices,
)
from .curves import tilt_line
from .display import Pair, pair
from .geometry import Frame, disk
from .pattern import aperture_radius, chosen_beams, intensity_blocks

_BLOCK = 2**22
"""Numbers in the matrices of a block of tilts."""


class DispersionSurface(NamedTuple):
    """γ_j, largest first, and the excitations |C_0j|² along a line of tilts."""

    kt: Float[Array, "points 2"]
    angle: Float[np.ndarray, " points"]
    gamma: Float[np.ndarray, "points n"]
    excitation: Float[np.ndarray, "points n"]


def dispersion_surface(
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    *,
    hkl: Any = None,
    span: float | int = 20.0,
    points: int = 101,
    through: Pair | None = None,
    direction: Pair | None = None,
    beams: Beams | None = None,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    **selection: Any,
) -> DispersionSurface:
    """Branches of the dispersion surface and their excitations along a line of tilts.

    Absorption is left out: the branches are those of the elastic crystal.

    Args:
        crystal: what diffracts.
        frame: zone, x axis and surface.
        energy: of the electrons.
        hkl: a reflection whose Bragg position is the middle, see `tilt_line`.
        span: from the first to the last tilt in mrad.
        points: on the line.
        through: K_t of the middle.
        direction: (x, y) of the line.
        beams: that take part; by default
        **selection: chooses them, see `select_beams`.
        settings: equation and scattering factors.
        potential: coefficients instead of those of independent atoms.
    """
    line = tilt_line(
        frame, crystal.cell, energy, span=span, points=points, hkl=hkl,
        through=through, direction=direction,
    )  # fmt: skip
    chosen = chosen_beams(crystal, frame, energy, line.kt, beams, **selection)
    parts = [
        (values[..., ::-1], np.square(np.abs(vectors[:, chosen.entrance, ::-1])))
        for h, _ in _hamiltonians(
            crystal, chosen, line.kt, energy, frame, settings, potential, False
        )
        for values, vectors in [np.linalg.eigh(h)]
    ]
    gamma, excitation = (np.concatenate(p) for p in zip(*parts, strict=True))
    return DispersionSurface(*line, gamma, excitation)


def eigenpairs(
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    kt: Num[ArrayLike, "tilts 2"],
    *,
    output: Any = None,
    beams: Beams | None = None,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    **selection: Any,
) -> tuple[Eigenpairs, ...]:
    """γ_j, M_g C_gj and (C⁻¹)_j0 of every tilt, as simulation files hold them.

    ψ_g(t) = Σ_j eigenvector_gj exp(2πi eigenvalue_j t) cinv_j.

    Args:
        crystal: what diffracts.
        frame: zone, x axis and surface.
        energy: of the electrons.
        kt: tangential wave vectors.
        output: hkl of the rows; all strong beams by default.
        beams: that take part; by default
        **selection: chooses them, see `select_beams`.
        settings: equation, scattering factors, absorption.
        potential: coefficients instead of those of independent atoms.
    """
    chosen = chosen_beams(crystal, frame, energy, kt, beams, **selection)
    shown = chosen.hkl if output is None else np.asarray(output)
    rows = list(chosen.positions(shown))
    entrance = chosen.entrance
    pairs = []
    for h, metric in _hamiltonians(
        crystal, chosen, as_float(kt), energy, frame, settings, potential, True
    ):
        for one, m in zip(h, metric, strict=True):
            if np.allclose(one, one.conj().T, rtol=0.0, atol=1e-15):
                values, vectors = np.linalg.eigh(one)
                first = vectors[entrance].conj()
            else:
                values, vectors = np.linalg.eig(one)
                first = np.linalg.solve(vectors, np.eye(len(one))[entrance])
            pairs.append(Eigenpairs(values, m[rows, None] * vectors[rows], first))
    return tuple(pairs)


def _hamiltonians(
    crystal: Any,
    beams: Beams,
    kt: Float[Array, "tilts 2"],
    energy: Num[ArrayLike, ""],
    frame: Frame,
    settings: Settings | None,
    potential: Coefficients | None,
    absorption: bool,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """H and M of all tilts, block by block."""
    how = Settings() if settings is None else settings
    values = potential
    if values is None:
        values = coefficients(crystal, beams, energy, how)
    u, w = matrices(beams, values)
    if not absorption:
        w = None
    k = inner_wavenumber(beams, values, energy, how.refraction)
    size = max(1, _BLOCK // beams.n**2)
    for start in range(0, kt.shape[0], size):
        parts = diffraction(
            crystal.cell, beams, frame, kt[start : start + size], k, how.form
        )
        h = jax.vmap(lambda s, d, v: hamiltonian(u, w, s, d, v))(
            parts.scale, parts.diagonal, parts.weak
        )
        yield np.asarray(h), np.asarray(parts.metric)


def save_simulation(
    path: str | os.PathLike[str],
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    thickness: Num[ArrayLike, " times"] | Sequence[float | int],
    *,
    samples: int,
    conv: float | int | None = None,
    alpha: float | int | None = None,
    kt0: Pair = (0.0, 0.0),
    output: Any = None,
    pairs: bool = False,
    beams: Beams | None = None,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    **selection: Any,
) -> pathlib.Path:
    """Path of an HDF5 file with the intensities of a disk of tilts.

    The file is that of `io.bloch_hdf5`: its alpha is in mrad, snorm the normal [uvw] of
    the exit surface, the zone where the surface turns with the beam.

    Args:
        path: of the file.
        crystal: what diffracts.
        frame: zone, x axis and surface.
        energy: of the electrons.
        thickness: several.
        samples: pixels from the centre of the disk to its edge, see `disk`.
        conv: radius of the disk over |g_x|, or
        alpha: half angle of convergence.
        kt0: K_t of the centre.
        output: hkl stored; all strong beams by default.
        pairs: store the eigenpairs, too; they take n² numbers a tilt.
        beams: that take part; by default
        **selection: chooses them, see `select_beams`.
        settings: equation, solver, scattering factors, absorption.
        potential: coefficients instead of those of independent atoms.
    """
    cell = crystal.cell
    radius = aperture_radius(frame, cell, energy, conv, alpha)
    kt, inside = disk(radius, samples, np.asarray(pair(kt0)))
    chosen = chosen_beams(crystal, frame, energy, kt, beams, **selection)
    shown = np.asarray(chosen.hkl if output is None else output)
    t = np.atleast_1d(np.asarray(thickness, float))
    given: dict[str, Any] = {"settings": settings, "potential": potential}
    intensity = np.concatenate(
        [
            part
            for _, part in intensity_blocks(
                crystal, chosen, kt, t, energy=energy, frame=frame, output=shown,
                **given,
            )
        ]
    )  # fmt: skip
    solved = None
    if pairs:
        solved = eigenpairs(
            crystal, frame, energy, kt, output=shown, beams=chosen, **given
        )
    k, x_length = float(electron.wavenumber(as_float(energy))), frame.x_length(cell)
    reciprocal = np.asarray(lattice.reciprocal_basis(cell))
    upward = jnp.stack([jnp.zeros_like(x_length), x_length])
    normal = frame.zone if isinstance(frame.normal, str) else frame.normal
    return write_simulation(
        path,
        BlochSimulation(
            hkl=shown,
            kt=np.asarray(frame.tangential_hkl(kt, cell)),
            gmxr=reciprocal @ reciprocal.T,
            tilt0=np.asarray(frame.tangential_hkl(pair(kt0), cell)),
            gg=np.asarray(frame.x_axis, float),
            gh=np.asarray(frame.tangential_hkl(upward, cell)),
            snorm=np.asarray(normal, float),
            nx=inside.shape[0],
            disks=radius / float(x_length),
            alpha=1000 * math.asin(radius / k),
            bigK=k,
            thickness=t,
            intensity=intensity,
            eigenpairs=solved,
        ),
    )
