"""Measured patterns as arrays: disks of one CBED image, or LARBED images.

A CBED image is read at the samples of a `ROI`, once, with the geometry it is believed
to have; a fit then moves the K_t these samples belong to (see `model`). LARBED images
are taken whole, or cropped.

Standard deviations come from the detector (`Detector`), at the counts with their
background. Without one it is a counter of single electrons, σ² = I, and a pixel below
one count is given σ = 1. A deconvolved image has those of its own intensities: that it
correlates neighbours is left out.

Units: counts, pixels, degrees.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import ArrayLike, Bool

from ..errors import DataError, DataWarning
from ..problem import Dataset
from .crystal import Crystal
from .dataset import from_images, from_samples
from .deconvolution import ITERATIONS, lucy_richardson, radial_mtf
from .detector import Detector
from .display import display_to_experiment
from .geometry import Frame
from .interpolation import interpolation
from .regions import ROI

Numbers: TypeAlias = ArrayLike | Sequence[Any]
COUNTER = (0.0, 0.0, 1.0, 1.0, 1.0)
"""Numbers of a detector that counts single electrons, σ² = I."""
UNKNOWN = "unknown"


def from_pattern(
    image: Numbers,
    roi: ROI,
    *,
    gl: float | int,
    crystal: Crystal,
    frame: Frame,
    shift: Sequence[float | int] = (0.0, 0.0),
    detector: Detector | Sequence[float | int] | None = None,
    variance: Any = None,
    model: str = "pyextal",
    background: Numbers = 0.0,
    mtf: Numbers | tuple[Numbers, Numbers] | None = None,
    iterations: int = ITERATIONS,
    sampling: str = "linear",
    mask: Numbers | None = None,
    clip: float | int | bool | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Dataset:
    """Samples of the disks of a CBED image; arguments as in `load`.

    Positions are kept from where `shift` puts the centre of 000, so that the shift a
    fit finds is a correction.
    """
    counts = np.asarray(image, float)
    if counts.ndim != 2:
        raise DataError(
            f"image has shape {counts.shape}; expected one pattern (rows, columns)"
        )
    if not (np.isfinite(gl) and gl > 0):
        raise DataError(f"gl is {gl}; expected pixels per |g_x| above 0")
    if tuple(frame.x_axis) != tuple(roi.x_axis):
        raise DataError(
            f"frame has the x axis {[*frame.x_axis]}, roi {[*roi.x_axis]}; expected "
            "the same"
        )
    valid = _valid(mask, counts.shape)
    base = _background(background, counts.shape)
    counts = _fit_counts(counts, valid, clip)
    camera = _detector(detector)
    sharp = counts - base
    if mtf is not None:
        factors = _mtf(mtf, counts.shape)
        filled = np.where(valid, counts, np.median(counts[valid]))
        sharp = np.asarray(lucy_richardson(filled, factors, base, camera, iterations))
    offsets, at = _positions(roi, gl, crystal, frame, shift)
    y, used = roi.sample(interpolation(sharp, sampling, valid), at)
    sigma = _sampled_sigma(variance, detector, camera, model, roi, at, y, base, valid)
    _tell_lost(roi, np.asarray(used))
    note = {
        **(metadata or {}),
        "gl": float(gl),
        "rotation": float(roi.rotation),
        "centre": tuple(float(x) for x in np.asarray(offsets)),
        "pattern": counts.shape,
        "regions": tuple((r.ny, r.nx) for r in roi.regions),
    }
    return from_samples(
        np.asarray(roi.disks), at - offsets, np.asarray(y), sigma, used, note
    )


def from_stack(
    hkl: Numbers,
    images: Numbers,
    *,
    centre: Sequence[float | int] | None = None,
    crop: Sequence[int] | None = None,
    detector: Detector | Sequence[float | int] | None = None,
    variance: Any = None,
    model: str = "pyextal",
    background: Numbers = 0.0,
    mask: Numbers | None = None,
    clip: float | int | bool | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Dataset:
    """LARBED images with their variances, cropped; arguments as in `load`."""
    counts = np.asarray(images, float)
    if counts.ndim != 3:
        raise DataError(f"images have shape {counts.shape}; expected (disks, h, w)")
    valid = _valid(mask, counts.shape)
    base = _background(background, counts.shape)
    counts = _fit_counts(counts, valid, clip)
    spread = _variance(variance, detector, counts.shape)
    if spread is None and variance is None:
        spread = np.asarray(_detector(detector).variance(counts, model))
        _tell_floor(counts[valid])
    _, h, w = counts.shape
    middle = ((h - 1) / 2, (w - 1) / 2) if centre is None else tuple(centre)
    if len(middle) != 2 or not np.all(np.isfinite(middle)):
        raise DataError(f"centre is {middle}; expected (row, column)")
    top, bottom, left, right = (0, h, 0, w) if crop is None else _crop(crop, h, w)
    part = np.s_[:, top:bottom, left:right]
    return from_images(
        hkl if isinstance(hkl, np.ndarray) else np.asarray(hkl),
        (counts - base)[part],
        None if spread is None else spread[part],
        (middle[0] - top, middle[1] - left),
        valid[part],
        metadata,
    )


def _valid(mask: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
    if mask is None:
        return np.ones(shape, bool)
    chosen = np.asarray(mask)
    if chosen.shape not in (shape, shape[-2:]) or not np.all(np.isin(chosen, (0, 1))):
        raise DataError(
            f"mask has shape {chosen.shape}; expected {shape} of 0 (not used) and 1"
        )
    out = np.broadcast_to(chosen.astype(bool), shape)
    if not out.any():
        raise DataError("mask is False everywhere; expected some pixel to count")
    return out


def _background(background: Any, shape: tuple[int, ...]) -> np.ndarray:
    base = np.asarray(background, float)
    if base.shape not in ((), shape, shape[-2:]) or not np.all(base >= 0):
        raise DataError(
            f"background has shape {base.shape} and minimum {np.min(base)}; expected "
            f"a number or {shape}, none negative"
        )
    if not np.all(np.isfinite(base)):
        raise DataError("background is not finite everywhere; expected counts")
    return base


def _fit_counts(counts: np.ndarray, valid: np.ndarray, clip: Any) -> np.ndarray:
    """Counts that are finite and not negative where they are used."""
    if clip is not None and clip is not False:
        least = float(clip)
        if not (np.isfinite(least) and least >= 0):
            raise DataError(f"clip is {clip}; expected counts of 0 or more")
        kept = np.isfinite(counts) & (counts >= least)
        lost = int(np.sum(valid & ~kept))
        if lost:
            warnings.warn(
                f"{lost} of {int(valid.sum())} pixels are below {least:g} counts or "
                f"not finite and are read as {least:g}; mask them to leave them out",
                DataWarning,
                stacklevel=4,
            )
        counts = np.where(kept, counts, least)
    bad = valid & ~(np.isfinite(counts) & (counts >= 0))
    if np.any(bad):
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"counts is {counts[at]} at {at}, one of {int(bad.sum())} such pixels; "
            "expected finite counts, none negative: give clip to replace them, or mask"
        )
    return counts


def _detector(detector: Any) -> Detector:
    if isinstance(detector, Detector):
        return detector
    given = COUNTER if detector is None else detector
    numbers = np.asarray(given, float).ravel().tolist()
    if len(numbers) != 5:
        raise DataError(
            f"detector is {numbers}; expected the five numbers varB, delta, A, g, m"
        )
    return Detector(*numbers)


def _mtf(mtf: Any, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(mtf, tuple):
        if len(mtf) != 2:
            raise DataError(f"mtf holds {len(mtf)} arrays; expected frequency, values")
        frequency, values = (np.asarray(m, float) for m in mtf)
        return radial_mtf((shape[0], shape[1]), frequency, values)
    return np.asarray(mtf, float)


def _variance(variance: Any, detector: Any, shape: tuple[int, ...]) -> Any:
    """The map that was given; None where there is none."""
    if variance is None or (isinstance(variance, str) and variance == UNKNOWN):
        return None
    if detector is not None:
        raise DataError("detector and variance are both given; expected one")
    spread = np.asarray(variance, float)
    if spread.shape != shape:
        raise DataError(f"variance has shape {spread.shape}; expected {shape}")
    return spread


def _positions(
    roi: ROI, gl: Any, crystal: Crystal, frame: Frame, shift: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Centre of 000 on the detector, and the positions of all samples."""
    move = np.asarray(shift, float)
    if move.shape != (2,) or not np.all(np.isfinite(move)):
        raise DataError(f"shift is {shift}; expected a pair (j, i) of pixels")
    lab = np.asarray(frame.lab_vectors(np.asarray(roi.disks, float), crystal.cell))
    places = lab[:, :2] / float(frame.x_length(crystal.cell))
    at = roi.positions(shift=move, places=places, gl=float(gl))
    first = display_to_experiment(roi.dp_center, roi.pivot, roi.rotation, move)
    return np.asarray(first), np.asarray(at)


def _sampled_sigma(variance, detector, camera, model, roi, at, y, base, valid):
    """Standard deviations at the samples, or None where they are not known."""
    spread = _variance(variance, detector, valid.shape)
    if spread is not None:
        if not np.all(spread[valid] > 0):
            raise DataError(
                f"variance is {np.min(spread[valid])} somewhere; expected it above 0"
            )
        spreads = interpolation(spread, valid=valid)
        return np.sqrt(np.asarray(roi.sample(spreads, at)[0]))
    if variance is not None:
        return None
    below = np.broadcast_to(base, valid.shape)
    seen = np.asarray(y) + np.asarray(roi.sample(interpolation(below), at)[0])
    _tell_floor(seen)
    return np.sqrt(np.asarray(camera.variance(seen, model)))


def _tell_floor(counts: np.ndarray) -> None:
    """Warn where one count, the least a variance is calculated for, is much."""
    if np.mean(counts < 1) > 0.5:
        warnings.warn(
            f"{np.mean(counts < 1):.0%} of the intensities lie below one count, the "
            "least that a detector's variance is for; give variance, or counts",
            DataWarning,
            stacklevel=3,
        )


def _tell_lost(roi: ROI, used: np.ndarray) -> None:
    """Warn of disks of which no sample lies on the image."""
    lost = [
        list(disk)
        for disk, chosen, seen in zip(
            roi.disks, np.asarray(roi.chosen()), used, strict=True
        )
        if chosen.any() and not seen.any()
    ]
    if lost:
        warnings.warn(
            f"disks {lost} lie outside the image; check gl, rotation and dp_center",
            DataWarning,
            stacklevel=3,
        )


def _crop(crop: Any, h: int, w: int) -> tuple[int, int, int, int]:
    edges = np.asarray(crop)
    if edges.shape != (4,) or not np.all(edges == np.round(edges)):
        raise DataError(
            f"crop is {crop}; expected (first row, end row, first column, end column)"
        )
    top, bottom, left, right = (int(e) for e in edges)
    if not (0 <= top < bottom <= h and 0 <= left < right <= w):
        raise DataError(f"crop is {list(crop)}; expected a part of {h} x {w} pixels")
    return top, bottom, left, right
