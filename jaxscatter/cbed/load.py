"""Measured patterns from files: disks of one CBED image, or LARBED images.

See `measured` for what becomes of them, `io.read_pattern` for the formats.

Units: counts, pixels, degrees.
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..errors import DataError, ModelError
from ..io.pattern import read_pattern
from ..problem import Dataset
from .crystal import Crystal
from .deconvolution import ITERATIONS
from .detector import Detector
from .geometry import Frame
from .measured import UNKNOWN, Numbers, from_pattern, from_stack
from .regions import ROI

Path: TypeAlias = str | os.PathLike[str]
Hkl: TypeAlias = tuple[int, int, int]
_ONLY_CBED = ("gl", "crystal", "frame", "shift", "mtf", "sampling")
_ONLY_LARBED = ("hkl", "centre", "crop")
_USUAL = {"shift": (0.0, 0.0), "sampling": "linear"}


def load(
    path: Path | Mapping[Hkl, Path],
    *,
    roi: ROI | None = None,
    gl: float | int | None = None,
    crystal: Crystal | None = None,
    frame: Frame | None = None,
    shift: Sequence[float | int] = (0.0, 0.0),
    hkl: Path | Numbers | None = None,
    centre: Sequence[float | int] | None = None,
    crop: Sequence[int] | None = None,
    detector: Detector | Sequence[float | int] | None = None,
    variance: Path | Mapping[Hkl, Path] | Numbers | None = None,
    model: str = "pyextal",
    background: Path | Numbers = 0.0,
    mtf: Path | Numbers | tuple[Numbers, Numbers] | None = None,
    iterations: int = ITERATIONS,
    sampling: str = "linear",
    mask: Path | Numbers | None = None,
    clip: float | int | bool | None = None,
    entry: str | None = None,
    shape: tuple[int, int] | None = None,
    **unknown: Any,
) -> Dataset:
    """The disks of one CBED image (with `roi`), or LARBED images (with `hkl`).

    Args:
        path: a file that `io.read_pattern` reads: a CBED image, or a stack of LARBED
            images. Several files of one LARBED image each as a mapping {hkl: path}.
        roi: regions and disks to read from a CBED image.
        gl: pixels per |g_x|, with `roi`.
        crystal: places the disks, with `frame` and `roi`.
        frame: whose x axis is that of `roi`.
        shift: of the pattern, (j, i), from where `roi` expects it.
        hkl: of the images of a stack, (n, 3), or a `.npy` file of them.
        centre: (row, column) of the K_t the problem is given, in the whole image; the
            middle by default.
        crop: (first row, end row, first column, end column) to keep, ends excluded.
        detector: its five numbers [varB, delta, A, g, m], or a `Detector`.
        variance: in place of the detector's: a map or a stack of them, files as for
            `path`, or "unknown" to have covariances scaled.
        model: of the detector's variance, "pyextal" or "zuo2000".
        background: counts of it to subtract; a number, an array or a file.
        mtf: of the camera, to deconvolve a CBED image by Lucy-Richardson: on the
            frequencies of `fft2`, or a curve (frequency, values), see `radial_mtf`.
        iterations: of Lucy-Richardson.
        sampling: "linear" or "cubic" between pixels.
        mask: True where a pixel counts; of one image, or of each.
        clip: counts below it, and those that are not finite, are read as this; True
            is one count.
        entry: name of the array where npz or HDF5 holds several.
        shape: (rows, columns) of a file of bare numbers that is not square.
        **unknown: refused, with the nearest name that exists.

    Raises:
        FileNotFoundError, FormatError: no such file, or no known format.
        DataError: what cannot be used: NaN or negative counts without `clip`, shapes
            that differ, an argument that is missing.
        ModelError: an argument that does not exist, or is of the other kind of data.
    """
    given = dict(locals())
    known = [n for n in given if n != "unknown"]
    for name in unknown:
        close = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {known}"
        raise ModelError(f"load has no argument {name!r}; {hint}")
    options = {
        "detector": detector,
        "model": model,
        "clip": clip,
        "background": _image(background, entry, shape),
        "mask": None if mask is None else _image(mask, entry, shape),
    }
    if roi is None:
        _refuse(given, _ONLY_CBED, "of a CBED image, which needs roi")
        images, index = _stack(path, hkl, entry, shape)
        if isinstance(variance, Mapping):
            variance = _mapped(variance, index, entry, shape)
        options["variance"] = _image(variance, entry, shape)
        note = {"sample": _named(path)}
        return from_stack(
            index, images, centre=centre, crop=crop, metadata=note, **options
        )
    _refuse(given, _ONLY_LARBED, "of LARBED images; these are disks of one")
    if isinstance(path, Mapping) or isinstance(variance, Mapping):
        raise DataError("path and variance of a CBED image are one file each")
    missing = [n for n in ("gl", "crystal", "frame") if given[n] is None]
    if gl is None or crystal is None or frame is None:
        raise DataError(f"roi is given without {missing}; expected them, for the disks")
    if isinstance(mtf, str | os.PathLike):
        mtf = read_pattern(mtf, entry, shape)
    return from_pattern(
        read_pattern(path, entry, shape),
        roi,
        gl=gl,
        crystal=crystal,
        frame=frame,
        shift=shift,
        mtf=mtf,
        iterations=iterations,
        sampling=sampling,
        variance=_image(variance, entry, shape),
        metadata={"sample": _named(path)},
        **options,
    )


def _refuse(given: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """Refuse arguments that say nothing about data of this kind."""
    for name in names:
        value = given[name]
        if value is not None and not np.array_equal(value, _USUAL.get(name, ())):
            raise ModelError(f"{name} is an argument {what}; expected it left out")


def _named(path: Any) -> str:
    if isinstance(path, Mapping):
        return ", ".join(os.fspath(p) for p in path.values())
    return os.fspath(path)


def _image(value: Any, entry: str | None, shape: tuple[int, int] | None) -> Any:
    """An array or number as it is, or what the file at this path holds."""
    if isinstance(value, str | os.PathLike) and value != UNKNOWN:
        return read_pattern(value, entry, shape)
    return value


def _index(hkl: Any) -> Hkl:
    try:
        values = np.asarray(hkl, float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != (3,) or not np.all(values == np.round(values)):
        raise DataError(f"hkl is {hkl!r}; expected three integers (h, k, l)")
    h, k, m = (int(v) for v in values)
    return h, k, m


def _stack(
    path: Any, hkl: Any, entry: str | None, shape: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, h, w) and their reflections (n, 3)."""
    if isinstance(path, Mapping):
        if hkl is not None:
            raise DataError("hkl is given twice, by itself and as the keys of path")
        if not path:
            raise DataError("path is an empty mapping; expected {hkl: file}")
        index = np.array([_index(g) for g in path], int)
        return _mapped(path, index, entry, shape), index
    if hkl is None:
        raise DataError(
            f"{os.fspath(path)}: neither roi nor hkl is given; expected roi to read "
            "disks from one CBED image, or hkl of LARBED images"
        )
    images = read_pattern(path, entry, shape)
    images = images[None] if images.ndim == 2 else images
    rows = read_pattern(hkl) if isinstance(hkl, str | os.PathLike) else np.asarray(hkl)
    if rows.ndim != 2:
        raise DataError(f"hkl has shape {rows.shape}; expected (n, 3)")
    index = np.array([_index(g) for g in rows.tolist()], int)
    if len(index) != len(images):
        raise DataError(f"hkl has {len(index)} rows; expected {len(images)}, one each")
    return images, index


def _mapped(files: Any, index: np.ndarray, entry: Any, shape: Any) -> np.ndarray:
    """Images of several files in the order of `index`."""
    by = {_index(g): f for g, f in files.items()}
    wanted = [_index(g) for g in index.tolist()]
    if set(by) != set(wanted):
        raise DataError(f"files are of {sorted(by)}; expected {sorted(wanted)}")
    read = [read_pattern(by[g], entry, shape) for g in wanted]
    shapes = {r.shape for r in read}
    if len(shapes) > 1 or read[0].ndim != 2:
        raise DataError(
            f"images have shapes {sorted(shapes)}; expected one of two axes"
        )
    return np.stack(read)
