"""NXcanSAS, written: curves and images with what is known of them, and their fits.

One SASentry per data set holds `sasdata01` and, where a fit is given, `fit01` with the
model's intensity at its own Q. Numbers are float64 as in memory: a file read back has
the same bits. Names, attributes and units follow version 1.1 of the
application definition: `Q@resolutions` names Qdev, or dQw and dQl of a slit, and
`I@uncertainties` names Idev. A mask is stored as the format has it, True for hidden.

Units: q in 1/angstrom, intensity in its own unit, wavelength angstrom, distance m,
thickness cm.

References:
    NXcanSAS application definition,
    https://manual.nexusformat.org/classes/applications/NXcanSAS.html
"""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import h5py
import numpy as np
from jaxtyping import Array

from .._version import __version__
from ..errors import DataError
from .curve import Curve, Image
from .two_time_write import whole

Data: TypeAlias = Curve | Image
Fit: TypeAlias = Curve | Image | Array | np.ndarray | None
_Q_UNIT = "1/angstrom"
_POLAR = ("Qdev_parallel", "Qdev_perpendicular")


def write_nxcansas(
    path: str | os.PathLike[str],
    data: Data | Sequence[Data],
    fit: Fit | Sequence[Fit] = None,
) -> pathlib.Path:
    """Path of the NXcanSAS file written, complete or not at all.

    Args:
        path: the file.
        data: what was measured, one or several.
        fit: the model's intensity for `data`: an array of its shape, or a `Curve` or
            `Image` of its own Q; for several data a sequence, None for no fit.

    Raises:
        DataError: nothing to write, or a fit that does not belong to its data.
    """
    several = [data] if isinstance(data, Curve | Image) else list(data)
    if isinstance(fit, Curve | Image | Array | np.ndarray) or fit is None:
        fits = [fit] * (1 if fit is not None else len(several))
    else:
        fits = list(fit)
    if not several or len(fits) != len(several):
        raise DataError(
            f"{len(several)} data and {len(fits)} fits; expected at least one of the "
            "data, and a fit (or None) for each"
        )
    pairs = [(x, _of_data(x, y)) for x, y in zip(several, fits, strict=True)]
    with whole(path) as partial, h5py.File(partial, "w") as file:
        _mark(file, "NXroot", default="sasentry01", creator=f"jaxscatter {__version__}")
        for i, (item, model) in enumerate(pairs, 1):
            entry = file.create_group(f"sasentry{i:02d}")
            _mark(entry, "NXentry", "SASentry", version="1.1", default="sasdata01")
            entry["definition"] = "NXcanSAS"
            entry["title"] = item.title
            entry["run"] = item.run
            _write_data(entry, "sasdata01", item)
            if model is not None:
                _write_data(entry, "fit01", model)
                process = entry.create_group("sasprocess")
                _mark(process, "NXprocess", "SASprocess")
                process["name"] = f"jaxscatter {__version__}"
                process["description"] = "fit01 is the model fitted to sasdata01"
            _write_description(entry, item.metadata)
    return pathlib.Path(path)


def _of_data(data: Data, fit: Fit) -> Data | None:
    """The fit as a curve or image of the kind of its data."""
    if fit is None or isinstance(fit, Curve | Image):
        if fit is not None and type(fit) is not type(data):
            raise DataError(
                f"fit is {type(fit).__name__}; expected {type(data).__name__} as data"
            )
        return fit
    if fit.shape != data.intensity.shape:
        raise DataError(
            f"fit has shape {fit.shape}; expected {data.intensity.shape} as the data, "
            "or a Curve or Image of its own Q"
        )
    common = {"mask": data.mask, "intensity_unit": data.intensity_unit}
    if isinstance(data, Curve):
        return Curve(data.q, np.asarray(fit), **common)
    return Image(data.qx, data.qy, np.asarray(fit), **common)


def _write_data(entry: Any, name: str, data: Data) -> None:
    """One SASdata."""
    group = entry.create_group(name)
    _mark(group, "NXdata", "SASdata", signal="I", name=name)
    unit = data.intensity_unit
    _write_array(group, "I", data.intensity, unit)
    if data.sigma is not None:
        _write_array(group, "Idev", data.sigma, unit)
        group["I"].attrs["uncertainties"] = "Idev"
    if isinstance(data, Curve):
        group.attrs["I_axes"] = "Q"
        group.attrs["Q_indices"] = 0
        _write_array(group, "Q", data.q, _Q_UNIT)
        found = {"Qdev": data.dq, "dQw": data.q_width, "dQl": data.q_length}
        names = [k for k, v in found.items() if v is not None]
        if names:
            attributes = group["Q"].attrs
            attributes["resolutions"] = names[0] if len(names) == 1 else names
            attributes["resolutions_description"] = (
                "Gaussian" if names == ["Qdev"] else "Slit"
            )
    else:
        axes = ["Qx", "Qy"]
        group.attrs["I_axes"] = axes if data.intensity.ndim == 2 else "Q"
        group.attrs["Q_indices"] = [0, 1] if data.intensity.ndim == 2 else 0
        _write_array(group, "Qx", data.qx, _Q_UNIT)
        _write_array(group, "Qy", data.qy, _Q_UNIT)
        names = _POLAR if data.dq_axes == "polar" else ("Qxdev", "Qydev")
        found = dict(zip(names, (data.dqx, data.dqy), strict=True))
        if data.dqx is not None:
            for axis, resolution in zip(axes, names, strict=True):
                group[axis].attrs["resolutions"] = resolution
                group[axis].attrs["resolutions_description"] = "Gaussian"
    for key, values in found.items():
        if values is not None:
            _write_array(group, key, values, _Q_UNIT)
    if data.mask is not None:
        group["Mask"] = (~data.mask).astype(np.uint8)
        group.attrs["mask"] = "Mask"
        group.attrs["Mask_indices"] = group.attrs["Q_indices"]


def _write_description(entry: Any, metadata: dict[str, Any]) -> None:
    """SASinstrument and SASsample, with what there is."""
    instrument = entry.create_group("sasinstrument")
    _mark(instrument, "NXinstrument", "SASinstrument")
    source = instrument.create_group("sassource")
    _mark(source, "NXsource", "SASsource")
    detector = instrument.create_group("sasdetector")
    _mark(detector, "NXdetector", "SASdetector")
    sample = entry.create_group("sassample")
    _mark(sample, "NXsample", "SASsample")
    for group, name, key, unit in (
        (instrument, "name", "instrument", None),
        (source, "radiation", "radiation", None),
        (source, "incident_wavelength", "wavelength", "angstrom"),
        (detector, "SDD", "detector_distance", "m"),
        (sample, "name", "sample", None),
        (sample, "thickness", "thickness", "cm"),
        (sample, "transmission", "transmission", "none"),
    ):
        if key in metadata:
            group[name] = metadata[key] if unit is None else float(metadata[key])
            if unit is not None:
                group[name].attrs["units"] = unit


def _write_array(group: Any, name: str, values: np.ndarray, unit: str) -> None:
    group.create_dataset(name, data=values, dtype=np.float64)
    group[name].attrs["units"] = unit


def _mark(group: Any, nexus: str, cansas: str | None = None, **more: str) -> None:
    """The classes of a group, and further attributes."""
    group.attrs["NX_class"] = nexus
    if cansas is not None:
        group.attrs["canSAS_class"] = cansas
    for key, value in more.items():
        group.attrs[key] = value
