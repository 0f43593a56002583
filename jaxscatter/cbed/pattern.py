"""Patterns: CBED disks on a detector and LARBED stacks.

A detector position p belongs in the disk of g to the tilt

    K_t = K_t0 + (|g_x|/gl)(i x̂ - j ŷ),  (j, i) = Rᵀ(p - p_g),
    p_g = dp_center + gl R (-y_g, x_g)

see `display` for R. A disk of g is full where |K_t - K_t0| ≤ K sin α; overlapping disks
are added incoherently. In LARBED every g has an image of its own, and p_g = dp_center.
Every different K_t is calculated once, at the pixel itself: nothing is interpolated.
Intensities are those of a beam of intensity 1.

Work goes by blocks of tilts, so that memory does not grow with the image. HOLZ lines
appear where beams of higher Laue zones take part, 2K·g + g² = 0.

Units: K_t in 1/Å, thickness in Å, energy in keV, α in mrad, rotation in degrees, gl and
positions in pixels.

References:
    [1] J. C. H. Spence and J. M. Zuo, Electron Microdiffraction (1992), chapters 3, 4.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, ArrayLike, Float, Num, PRNGKeyArray

from .._types import as_float
from ..errors import ModelError
from . import electron
from .beams import Beams, select_beams
from .bloch import Coefficients, Settings, bloch_intensities, coefficients, plan
from .camera import Camera
from .display import Pair, disk_displacements, image_centre, pair, rotation_matrix
from .geometry import Frame, disk, kt_of_offset

NUMBERS = 4_000_000
"""Most complex numbers of a block of tilts that are alive at a time, about."""
MOST_TILTS = 4096
_DIRECTIONS = 64
_CELLS = 40
_SAME = 6
"""Decimals of a pixel to which two tilts have to agree to be one."""


def chosen_beams(
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    kt: Num[ArrayLike, "tilts 2"],
    beams: Beams | None = None,
    **selection: Any,
) -> Beams:
    """The beams given, or those `select_beams` finds for the tilts of a pattern.

    Of very many tilts those in different cells of a 40 x 40 grid over them stand for
    all, beside the outermost.

    Raises:
        ModelError: both beams and rules of their selection are given.
    """
    if beams is not None:
        if selection:
            raise ModelError(
                f"beams and {sorted(selection)} are both given; expected either a list "
                "of beams or rules for their selection"
            )
        return beams
    few = _representatives(np.asarray(kt, float))
    return select_beams(crystal, frame, float(as_float(energy)), few, **selection)


def _representatives(kt: np.ndarray) -> np.ndarray:
    if len(kt) <= _CELLS**2:
        return kt
    low = kt.min(axis=0)
    cell = np.maximum((kt.max(axis=0) - low) / _CELLS, 1e-12)
    _, first = np.unique(np.floor((kt - low) / cell), axis=0, return_index=True)
    return np.concatenate([kt[first], _outermost(kt)])


def _outermost(kt: np.ndarray) -> np.ndarray:
    """The tilts furthest in 64 directions, at most half a per cent inside all."""
    angle = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    towards = np.stack([np.cos(angle), np.sin(angle)])
    return kt[np.unique(np.argmax(kt @ towards, axis=0))]


def intensity_blocks(
    crystal: Any,
    beams: Beams,
    kt: Num[ArrayLike, "tilts 2"],
    thickness: Num[ArrayLike, " times"],
    *,
    energy: Num[ArrayLike, ""],
    frame: Frame,
    output: Any,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
) -> Iterator[tuple[slice, Float[np.ndarray, "block times out"]]]:
    """Intensities of any number of tilts, one block after the other.

    Arguments are those of `bloch_intensities`.
    """
    tilts, t = np.asarray(kt, float), as_float(thickness)
    if not len(tilts):
        return
    how = Settings() if settings is None else settings
    values = potential
    if values is None:
        values = coefficients(crystal, beams, energy, how)
    arguments: dict[str, Any] = {
        "energy": energy, "frame": frame, "settings": how, "potential": values
    }  # fmt: skip
    if how.solver == "cheb":
        # the width of the spectrum is a convex function of the tilt
        outer = _outermost(tilts) if len(tilts) > _DIRECTIONS else tilts
        energy_number = {**arguments, "energy": float(as_float(energy))}
        arguments["plan"] = plan(crystal, beams, outer, t, **energy_number)
    room = NUMBERS // (beams.n + beams.weak.shape[0] + t.size * len(output))
    size = min(len(tilts), MOST_TILTS, max(room, 1))
    for start in range(0, len(tilts), size):
        block = tilts[start : start + size]
        # every block has the same shape: one compilation
        full = np.concatenate([block, np.repeat(block[-1:], size - len(block), axis=0)])
        found = bloch_intensities(
            crystal, beams, full, t, output=np.asarray(output), **arguments
        )
        yield slice(start, start + len(block)), np.asarray(found)[: len(block)]


def aperture_radius(
    frame: Frame,
    cell: Num[ArrayLike, "6"],
    energy: Num[ArrayLike, ""],
    conv: float | int | None = None,
    alpha: float | int | None = None,
) -> float:
    """Radius K sin α = conv |g_x| of a disk in 1/Å.

    Raises:
        ModelError: not exactly one of `conv` and `alpha`, or a negative one.
    """
    if (conv is None) == (alpha is None):
        raise ModelError(f"conv is {conv} and alpha is {alpha}; expected one of them")
    name, value = ("conv", conv) if alpha is None else ("alpha", alpha)
    if value is None or not (math.isfinite(value) and value >= 0):
        raise ModelError(f"{name} is {value}; expected 0 or more")
    if name == "conv":
        return float(value) * float(frame.x_length(cell))
    return float(electron.wavenumber(as_float(energy))) * math.sin(value / 1000)


def disk_places(
    frame: Frame, cell: Num[ArrayLike, "6"], hkl: Any
) -> Float[Array, "disks 2"]:
    """(x, y) of every g, its parts along x̂ and ŷ over |g_x|."""
    g = frame.lab_vectors(np.asarray(hkl, float).reshape(-1, 3), cell)
    return g[:, :2] / frame.x_length(cell)


def disk_centres(
    frame: Frame,
    cell: Num[ArrayLike, "6"],
    hkl: Any,
    *,
    gl: float | int,
    dp_center: Pair,
    rotation: float | int = 0.0,
    whole_pixels: bool = False,
) -> Float[np.ndarray, "disks 2"]:
    """(row, column) on the detector of the centres of CBED disks.

    Args:
        frame: zone and x axis.
        cell: a, b, c, α, β, γ.
        hkl: of the disks.
        gl: pixels per |g_x|.
        dp_center: (row, column) of the centre of disk 000.
        rotation: of the pattern.
        whole_pixels: move disks to whole pixels from 000.
    """
    places = disk_places(frame, cell, hkl)
    moved = np.asarray(disk_displacements(places, as_float(gl), as_float(rotation)))
    if whole_pixels:
        moved = np.round(moved)
    return np.asarray(pair(dp_center)) + moved


def simulate_cbed(
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    thickness: Num[ArrayLike, "..."] | float | int,
    *,
    gl: float | int,
    shape: Sequence[int],
    conv: float | int | None = None,
    alpha: float | int | None = None,
    kt0: Pair = (0.0, 0.0),
    rotation: float | int = 0.0,
    dp_center: Pair | None = None,
    disks: Any = None,
    whole_pixels: bool = False,
    beams: Beams | None = None,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    camera: Camera | None = None,
    key: PRNGKeyArray | None = None,
    **selection: Any,
) -> Float[np.ndarray, "*times h w"]:
    """A CBED pattern: the disks of all beams on one image.

    Args:
        crystal: what diffracts.
        frame: zone, x axis and surface.
        energy: of the electrons.
        thickness: one number, or several for as many images.
        gl: pixels per |g_x|.
        shape: (rows, columns) of the image.
        conv: radius of a disk over |g_x|, or
        alpha: half angle of convergence.
        kt0: K_t of the centres of the disks.
        rotation: of the pattern, see `display`.
        dp_center: (row, column) of the centre of disk 000; the image's by default.
        disks: hkl of the disks shown; by default all strong beams on the image.
        whole_pixels: move every disk by less than a pixel, to a whole number of pixels
            from 000. All then share their tilts: faster by the number of disks.
        beams: that take part; by default
        **selection: chooses them, see `select_beams`.
        settings: equation, solver, scattering factors, absorption.
        potential: coefficients instead of those of independent atoms.
        camera: point spread, counts and background.
        key: of `jax.random`, for noise.

    Raises:
        ModelError: no image of this kind, see the arguments.
    """
    taken = Camera() if camera is None else camera
    _check_image(gl, shape)
    cell = crystal.cell
    radius = aperture_radius(frame, cell, energy, conv, alpha)
    area, _ = disk(radius, _CELLS // 2, np.asarray(pair(kt0)))
    chosen = chosen_beams(crystal, frame, energy, area, beams, **selection)
    middle = image_centre(shape) if dp_center is None else dp_center
    centre = np.asarray(pair(middle)) + taken.margin
    rows, columns = (int(n) + 2 * taken.margin for n in shape)
    x_length = float(frame.x_length(cell))
    pixels = radius * float(gl) / x_length
    hkl = _indices(chosen.hkl if disks is None else disks)
    chosen.positions(hkl)  # refuses disks of no beam
    at = disk_centres(
        frame, cell, hkl, gl=gl, dp_center=centre, rotation=rotation,
        whole_pixels=whole_pixels,
    )  # fmt: skip
    turn = np.asarray(rotation_matrix(as_float(rotation)))
    found = [_inside(p, pixels, (rows, columns), turn) for p in at]
    if disks is None:
        on = [i for i, (places, _) in enumerate(found) if places.size]
        hkl, found = hkl[on], [found[i] for i in on]
    counts = [places.size for places, _ in found]
    if not sum(counts):
        raise ModelError(
            f"no disk falls on the image of shape {tuple(shape)}; move dp_center "
            f"{tuple(np.asarray(middle).tolist())} or change gl {gl}"
        )
    place = np.concatenate([places for places, _ in found])
    which = np.repeat(np.arange(len(hkl)), counts)
    offset, tilt = np.unique(
        np.concatenate([np.round(offsets, _SAME) for _, offsets in found]) + 0.0,
        axis=0,
        return_inverse=True,
    )
    order = np.argsort(tilt, kind="stable")
    place, which, tilt = place[order], which[order], tilt[order]
    t = np.atleast_1d(np.asarray(thickness, float))
    image = np.zeros((t.size, rows * columns))
    kt = kt_of_offset(offset, pair(kt0), gl, x_length)
    for block, intensity in intensity_blocks(
        crystal, chosen, kt, t, energy=energy, frame=frame, output=hkl,
        settings=settings, potential=potential,
    ):  # fmt: skip
        a, b = np.searchsorted(tilt, (block.start, block.stop))
        values = intensity[tilt[a:b] - block.start, :, which[a:b]]
        for one, part in zip(image, values.T, strict=True):
            one += np.bincount(place[a:b], part, minlength=one.size)
    shown = taken.recorded(image.reshape(-1, rows, columns), key)
    return shown if np.ndim(thickness) else shown[0]


def simulate_larbed(
    crystal: Any,
    frame: Frame,
    energy: Num[ArrayLike, ""],
    thickness: Num[ArrayLike, "..."] | float | int,
    *,
    gl: float | int,
    shape: Sequence[int],
    disks: Any,
    kt0: Pair = (0.0, 0.0),
    rotation: float | int = 0.0,
    dp_center: Pair | None = None,
    beams: Beams | None = None,
    settings: Settings | None = None,
    potential: Coefficients | None = None,
    camera: Camera | None = None,
    key: PRNGKeyArray | None = None,
    **selection: Any,
) -> Float[np.ndarray, "*times disks h w"]:
    """A LARBED scan: an image over the tilts for every g.

    Args:
        crystal: what diffracts.
        frame: zone, x axis and surface.
        energy: of the electrons.
        thickness: one number, or several for as many stacks.
        gl: steps of the scan per |g_x|.
        shape: (rows, columns) of an image.
        disks: hkl of the images.
        kt0: K_t at `dp_center`.
        rotation: of the pattern.
        dp_center: (row, column) where K_t is `kt0`; the image's centre by default.
        beams: that take part; by default
        **selection: chooses them, see `select_beams`.
        settings: equation, solver, scattering factors, absorption.
        potential: coefficients instead of those of independent atoms.
        camera: point spread, counts and background.
        key: of `jax.random`, for noise.
    """
    taken = Camera() if camera is None else camera
    _check_image(gl, shape)
    hkl = _indices(disks)
    middle = image_centre(shape) if dp_center is None else dp_center
    centre = np.asarray(pair(middle)) + taken.margin
    rows, columns = (int(n) + 2 * taken.margin for n in shape)
    j, i = np.mgrid[:rows, :columns]
    grid = np.stack([j.ravel(), i.ravel()], axis=-1)
    offset = (grid - centre) @ np.asarray(rotation_matrix(as_float(rotation)))
    kt = kt_of_offset(offset, pair(kt0), gl, frame.x_length(crystal.cell))
    chosen = chosen_beams(crystal, frame, energy, kt, beams, **selection)
    t = np.atleast_1d(np.asarray(thickness, float))
    stack = np.zeros((t.size, len(hkl), rows * columns))
    for block, intensity in intensity_blocks(
        crystal, chosen, kt, t, energy=energy, frame=frame, output=hkl,
        settings=settings, potential=potential,
    ):  # fmt: skip
        stack[:, :, block] = np.moveaxis(intensity, 0, -1)
    shown = taken.recorded(stack.reshape(t.size, len(hkl), rows, columns), key)
    return shown if np.ndim(thickness) else shown[0]


def _inside(
    centre: np.ndarray, radius: float, shape: tuple[int, int], turn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the pixels of a disk, and their offsets in display space."""
    first = np.maximum(np.floor(centre - radius), 0).astype(int)
    last = np.minimum(np.ceil(centre + radius) + 1, shape).astype(int)
    last = np.maximum(last, first)  # a disk off the image
    j, i = np.mgrid[first[0] : last[0], first[1] : last[1]]
    p = np.stack([j.ravel(), i.ravel()], axis=-1)
    offset = p - centre
    kept = np.hypot(*offset.T) <= radius * (1 + 1e-9)
    return p[kept] @ np.array([shape[1], 1]), offset[kept] @ turn


def _indices(hkl: Any) -> np.ndarray:
    values = np.asarray(hkl)
    if values.ndim != 2 or values.shape[1] != 3 or not len(values):
        raise ModelError(f"disks have shape {values.shape}; expected (n, 3)")
    if len(np.unique(values, axis=0)) < len(values):
        raise ModelError(f"disks are {values.tolist()}; expected each once")
    return values


def _check_image(gl: float | int, shape: Sequence[int]) -> None:
    if not (math.isfinite(gl) and gl > 0):
        raise ModelError(f"gl is {gl}; expected a number of pixels above zero")
    if len(shape) != 2 or min(shape) < 1:
        raise ModelError(f"shape is {tuple(shape)}; expected (rows, columns)")
