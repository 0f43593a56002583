"""From a `.dat` file of a Bloch-wave program to the arguments of `problem`.

What such a file says, and what becomes of it:

    zone, norm, xaxis   a `Frame`; a norm along the zone is "zone"
    kt                  K_t at the centre of disk 000
    conv, samp          radius conv |g_x| of a disk, and gl = samp/conv
    hkl                 exactly these beams
    sele, sgmax         beams with |g| <= gmax and |2K s_g| <= sgmax, all of them
                        strong: sgmin, omeg and bmin would make some of them
                        approximate, by rules that differ between programs
    v0                  refraction, by U_0 of the crystal's own atoms
    abs, adj            absorption: U'_0 of the mean potential `abs`, and the U' that
                        `adj` gives; "none" where both are zero
    adj                 reflections to refine, and their start values

Of a reflection, its opposite and its equivalents in `adj` the first is refined; the
others must agree with it, U(-h) = U(h)* and U(hR) = U(h) exp(-2πi h·t). Phases are read
as those of F(g) = Σ f exp(+2πi g·r).

Units: lengths in Å, K_t and radii in 1/Å, U in 1/Å², energy in keV, phases in degrees.
"""

import dataclasses
import os
from typing import Any

import numpy as np

from ..errors import DataError
from ..io.bloch_dat import BlochInput, Operations, read_dat
from . import electron
from .absorption import AbstractAbsorption, MeanPotential
from .beams import Beams, beams, candidates, centred, select_beams
from .bloch import Settings
from .crystal import Crystal
from .geometry import Frame, disk
from .operations import identity
from .refined import names_of, refined
from .symmetry import equivalents

_AGREE = 2e-3
"""How far equivalents may differ, relatively: files hold few digits."""
_SAMPLES = 6
"""Pixels from the centre of a disk to its edge, on which beams are selected."""

Hkl = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class DatSetup:
    """A measurement as a `.dat` file describes it; `setup_from_dat` makes one.

    Attributes:
        crystal: of the file.
        frame: zone, x axis and surface.
        energy: of the electrons.
        kt: (k_x, k_y) at the centre of 000.
        aperture: radius of a disk.
        gl: samples per |g_x|.
        beams: those listed, or arguments of `select_beams`.
        disks: (n, 3) whose intensities are wanted.
        settings: absorption and refraction.
        reflections: of `adj`, one of each orbit.
        start: their values, by parameter name.
        equivalents: whether an orbit holds all symmetry equivalents.
        given: the file as it was read.
    """

    crystal: Crystal
    frame: Frame
    energy: float
    kt: np.ndarray
    aperture: float
    gl: float
    beams: Beams | dict[str, Any]
    disks: np.ndarray
    settings: Settings
    reflections: tuple[Hkl, ...]
    start: dict[str, float]
    equivalents: bool
    given: BlochInput

    def arguments(self) -> dict[str, Any]:
        """Arguments of `problem` beside data, crystal, thickness and gl.

        `problem(data, setup.crystal, thickness=..., gl=..., **setup.arguments())`;
        gl is a measured pattern's own, not that of the file's samples.
        """
        names = (
            "frame",
            "energy",
            "kt",
            "beams",
            "settings",
            "reflections",
            "start",
            "equivalents",
        )
        return {name: getattr(self, name) for name in names}


def setup_from_dat(
    path: str | os.PathLike[str],
    *,
    absorption: str | AbstractAbsorption | None = None,
    equivalents: bool = True,
    operations: Operations | None = None,
) -> DatSetup:
    """Crystal, beam, beams and start values of a `.dat` file.

    Args:
        path: the file.
        absorption: rule in place of the file's.
        equivalents: whether a reflection of `adj` stands for all its symmetry
            equivalents, or only for its opposite.
        operations: in place of those of `spg`, as for `io.read_dat`.

    Raises:
        FileNotFoundError, FormatError: see `io.read_dat`.
        DataError: `adj` contradicts itself or the symmetry, or lists 000 or a
            reflection that the space group extinguishes.
        ModelError: an x axis along the zone, K_t off the zone's plane, or listed
            beams without 000.
    """
    given = read_dat(path, operations)
    crystal = Crystal.from_record(given.crystal)
    frame = Frame(_plain(given.zone), _plain(given.xaxis), _normal(given))
    kt = np.asarray(frame.tangential(given.kt, crystal.cell))
    aperture = given.conv * float(frame.x_length(crystal.cell))
    chosen, disks = _beams(given, crystal, frame, kt, aperture)
    reflections, start, lost = _adjusted(given, crystal, equivalents)
    if absorption is None:
        absorption = MeanPotential(given.abs) if given.abs or lost else "none"
    if isinstance(absorption, str) and absorption == "none":
        start = {name: u for name, u in start.items() if "'" not in name}
    return DatSetup(
        crystal=crystal,
        frame=frame,
        energy=given.energy,
        kt=kt,
        aperture=aperture,
        gl=given.samp / given.conv,
        beams=chosen,
        disks=disks,
        settings=Settings(absorption=absorption, refraction=bool(given.v0)),
        reflections=reflections,
        start=start,
        equivalents=equivalents,
        given=given,
    )


def _plain(values: np.ndarray) -> tuple[float | int, ...]:
    """Numbers as a file means them: integers where they are whole."""
    return tuple(int(v) if v == round(v) else v for v in values.tolist())


def _normal(given: BlochInput) -> str | tuple[float | int, ...]:
    """The surface, "zone" where it is that of the zone."""
    if given.zone @ given.norm > 0 and not np.any(np.cross(given.zone, given.norm)):
        return "zone"
    return _plain(given.norm)


def _beams(
    given: BlochInput, crystal: Crystal, frame: Frame, kt: np.ndarray, aperture: float
) -> tuple[Beams | dict[str, Any], np.ndarray]:
    """The beams of the calculation, and the disks that come out."""
    if given.hkl is not None:
        chosen, every = beams(given.hkl), given.hkl
    else:
        largest, g_max, *_ = np.asarray(given.sele).tolist()
        largest = largest if given.sgmax is None else given.sgmax
        wavenumber = float(electron.wavenumber(given.energy))
        chosen = {"g_max": g_max, "s_max": largest / (2 * wavenumber)}
        every = None
    if given.out is not None:
        return chosen, given.out
    if every is None and isinstance(chosen, dict):
        tilts, _ = disk(aperture, _SAMPLES, kt)
        every = select_beams(crystal, frame, given.energy, tilts, **chosen).hkl
    radius = 0.0 if given.aper is None else given.aper
    near = candidates(crystal.cell, radius)
    near = near[centred(near, crystal)]
    inside = np.any(np.all(np.asarray(every)[:, None] == near[None], axis=2), axis=1)
    return chosen, np.asarray(every)[inside]


def _adjusted(
    given: BlochInput, crystal: Crystal, every: bool
) -> tuple[tuple[Hkl, ...], dict[str, float], bool]:
    """Reflections of `adj`, one of each orbit, their values, and whether any U' is."""
    if given.adj_hkl is None or given.adj is None:
        return (), {}, False
    size, angle, lost, lost_angle = np.asarray(given.adj, float).T
    values = np.stack(
        [
            size * np.exp(1j * np.radians(angle)),
            lost * np.exp(1j * np.radians(lost_angle)),
        ],
        axis=1,
    )
    group = crystal.operations if every else identity()
    largest = np.max(np.abs(values), axis=0)
    known: dict[Hkl, tuple[Hkl, np.ndarray]] = {}
    first: dict[Hkl, np.ndarray] = {}
    for row, value in zip(given.adj_hkl.tolist(), values, strict=True):
        hkl: Hkl = (int(row[0]), int(row[1]), int(row[2]))
        if not any(hkl):
            raise DataError(
                "adj lists 0 0 0; expected its absorption in abs, and no U of 000"
            )
        if hkl in known:
            _check_agrees(hkl, value, *known[hkl], largest)
            continue
        first[hkl] = value
        same = equivalents(hkl, group)
        for g, phase, turned in zip(
            same.hkl.tolist(), same.phase, same.conjugate, strict=True
        ):
            follows = np.conj(value) if turned else value
            known[(g[0], g[1], g[2])] = (hkl, follows * phase)
    return tuple(first), _start(first, crystal, every), bool(np.any(lost != 0))


def _check_agrees(
    hkl: Hkl, value: np.ndarray, source: Hkl, wanted: np.ndarray, largest: np.ndarray
) -> None:
    """Refuse U or U' that is not what an equivalent makes of it."""
    for name, one, other, most in zip(("U", "U'"), value, wanted, largest, strict=True):
        if abs(one - other) > _AGREE * max(abs(one), abs(other), 1e-3 * most):
            raise DataError(
                f"adj: {name}{_text(hkl)} is {_polar(one)}, and by {name}"
                f"{_text(source)} it should be {_polar(other)}; expected equivalents "
                "that agree, U(-h) = U(h)*"
            )


def _start(
    first: dict[Hkl, np.ndarray], crystal: Crystal, every: bool
) -> dict[str, float]:
    """Start values under the names `problem` knows."""
    index = np.array([*first], int)
    both = np.unique(np.concatenate([index, -index]), axis=0)
    try:
        factors = refined(both, crystal.operations, [*first], every)
    except ValueError as error:
        raise DataError(f"adj: {error}") from error
    out: dict[str, float] = {}
    for k, letter in enumerate(("U", "U'")):
        values = np.array([v[k] for v in first.values()])
        largest = np.max(np.abs(values))
        for hkl, value, fixed, (number, degrees) in zip(
            first, values, factors.fixed, factors.numbers(values), strict=True
        ):
            name, phase = names_of(hkl)[2 * k : 2 * k + 2]
            out[name] = number
            if degrees is not None:
                out[phase] = degrees
                continue
            angle = 0.0 if fixed is None else fixed
            across = abs((value * np.exp(-1j * np.radians(angle))).imag)
            if across > _AGREE * max(abs(value), 1e-3 * largest):
                raise DataError(
                    f"adj: {letter}{_text(hkl)} is {_polar(value)}; expected a phase "
                    f"of {angle:g} or {angle + 180:g}, by symmetry"
                )
    return out


def _text(hkl: Hkl) -> str:
    return "(" + " ".join(map(str, hkl)) + ")"


def _polar(value: Any) -> str:
    return f"{abs(value):.4g} at {np.degrees(np.angle(value)):.4g}°"
