"""Small-angle data as files: NXcanSAS, with the fitted curve beside what was measured.

Units: q and resolutions in 1/Å, I in the data's own unit.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from ..infer.result import FitResult, SampleResult
from ..io import Curve, Image, write_nxcansas
from ..problem import Dataset

Result: TypeAlias = FitResult | SampleResult


def save(
    data: Dataset | Result,
    path: str | os.PathLike[str],
    fit: Result | ArrayLike | None = None,
) -> pathlib.Path:
    """Path of the NXcanSAS file written, complete or not at all.

    Every data set becomes a SASentry with `sasdata01` and, where a fit is known,
    `fit01` at the same q. Of a joint fit every part is written. Points that do not
    count are hidden by a mask.

    Args:
        data: from `load`, `from_arrays` or `simulate`; or a result, which holds its
            data and the fitted curve (of a posterior, the median of its curves).
        path: file to write; an older one is replaced.
        fit: for data: a result of theirs, or the model's I at their points.

    Raises:
        DataError: no small-angle data, or a fit of other data.
        FileNotFoundError: no such folder.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected a file name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name}")
    if isinstance(data, Dataset):
        item = _measured(_record(data))
        return write_nxcansas(path, item, _curve_of(data, fit, item))
    if fit is not None:
        raise DataError("a result holds its own fit; give the data to add another one")
    items, curves = [], []
    for record in data.data:
        item = _measured(record)
        items.append(item)
        curves.append(_like(record.get("fit"), item))
    return write_nxcansas(path, items, curves)


def _record(data: Dataset) -> dict[str, Any]:
    """Data as results keep them."""
    return {
        "y": np.asarray(data.y),
        "sigma": np.asarray(data.sigma),
        "mask": np.asarray(data.mask) > 0,
        "coords": data.coords,
        "units": dict(data.units),
        "metadata": data.metadata,
    }


def _measured(record: Mapping[str, Any]) -> Curve | Image:
    """What was measured, for the writer."""
    if "y" not in record:
        raise DataError(
            "the result holds only checksums of its data, too large to be stored: save "
            "where the data are"
        )
    coords, metadata = record["coords"], record.get("metadata", {})
    if "q" not in coords and "qx" not in coords:
        raise DataError("the data have no coordinate 'q'; use js.sas.load")
    mask = np.asarray(record["mask"])[0]
    sigma = np.asarray(record["sigma"], float)[0]
    common: dict[str, Any] = {
        "mask": None if mask.all() else mask,
        # unit weights are how data without errors are kept
        "sigma": None if np.all(sigma == 1) else sigma,
        "title": str(metadata.get("title", "")),
        "run": str(metadata.get("run", "")),
        "intensity_unit": dict(record.get("units", {})).get("y") or "1/cm",
        "metadata": dict(metadata),
    }
    y = np.asarray(record["y"], float)[0]
    if "qx" in coords:
        shape = tuple(metadata.get("shape", y.shape))
        arrays = {"qx": coords["qx"], "qy": coords["qy"], "intensity": y}
        arrays |= {k: common.pop(k) for k in ("mask", "sigma")}
        return Image(
            **{
                k: None if v is None else np.reshape(np.asarray(v), shape)
                for k, v in arrays.items()
            },
            **common,
        )
    return Curve(np.asarray(coords["q"], float), y, **common, **_resolution(metadata))


def _resolution(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Columns dq or q_length and q_width, where the data were made with them."""
    if metadata.get("dq") is not None:
        return {"dq": np.asarray(metadata["dq"], float)}
    sides = {k: metadata.get(k) for k in ("q_length", "q_width")}
    known = [np.asarray(v, float) for v in sides.values() if v is not None]
    if not known:
        return {}
    return {
        k: np.zeros(known[0].shape) if v is None else np.asarray(v, float)
        for k, v in sides.items()
    }


def _curve_of(data: Dataset, fit: Any, item: Curve | Image) -> np.ndarray | None:
    """The fitted curve of these data."""
    if not isinstance(fit, FitResult | SampleResult):
        return _like(fit, item)
    y = np.asarray(data.y)
    for record in fit.data:
        if "fit" in record and np.array_equal(np.asarray(record["y"]), y):
            return _like(record["fit"], item)
    raise DataError("the fit is of other data, or holds no curve for these")


def _like(fit: Any, item: Curve | Image) -> np.ndarray | None:
    """A curve in the shape of its data."""
    if fit is None:
        return None
    fit = np.asarray(fit, float)
    if fit.size != item.intensity.size:
        raise DataError(
            f"fit has shape {fit.shape}; expected {item.intensity.shape} as the data"
        )
    return fit.reshape(item.intensity.shape)
