"""NXcanSAS, read: every SASdata of every SASentry of an HDF5 file, 1-D or 2-D.

Groups are found by their attribute `canSAS_class`, or `NX_class` in files from before
it; names are free. I is the signal; an attribute `uncertainties` (once `uncertainty`)
of I names its errors, `resolutions` of Q its resolution (Qdev, or dQw and dQl of a
slit), and without these attributes the canonical names Idev, Qdev, dQw, dQl are taken.
2-D data have Qx and Qy, as matrices or as axes. Strings may be bytes or arrays of one.
External links are not followed.

Units: 1/Å and 1/cm leave whatever the file has; wavelength Å, distance m, thickness cm.

References:
    NXcanSAS application definition,
    https://manual.nexusformat.org/classes/applications/NXcanSAS.html
"""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError
from . import _sas_clean as clean
from .curve import Curve, Image

_BROKEN_HDF5 = (OSError, RuntimeError, KeyError, TypeError, ValueError)
_LARGEST = 100_000_000  # numbers in one array: a tiny file can claim any size
_DEEPEST = 4
_SLIT = ("dQw", "dQl")
_POLAR = ("Qdev_parallel", "Qdev_perpendicular")


def read_nxcansas(path: str | os.PathLike[str]) -> tuple[Curve | Image, ...]:
    """The curves and images of an NXcanSAS file, in its order.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no complete HDF5 file, no SASdata in it, or arrays and units that
            cannot be used.
    """
    path = clean.existing_file(path)
    try:
        with h5py.File(path, "r") as file:
            found = [
                _data(path, entry, group)
                for entry in _default_first(file, _groups(file, "SASentry"))
                for group in _default_first(entry, _groups(entry, "SASdata", depth=1))
            ]
            top = sorted(file)
    except FormatError:
        raise
    except _BROKEN_HDF5 as error:
        raise FormatError(
            f"{path}: expected a complete NXcanSAS (HDF5) file ({error})"
        ) from error
    if not found:
        raise FormatError(
            f"{path}: HDF5 without SASdata, with top-level {top or 'nothing'}; "
            "expected a group of canSAS_class SASentry with one of SASdata"
        )
    return tuple(found)


def _default_first(parent: h5py.Group, groups: Any) -> list[h5py.Group]:
    """The groups, the one that `parent` names as its default before the others.

    A file of ours holds a fit beside its data; the data are what is read first.
    """
    named = parent.attrs.get("default", b"")
    text = named.decode() if isinstance(named, bytes) else str(named)
    return sorted(groups, key=lambda g: str(g.name).rsplit("/", 1)[-1] != text)


def _groups(parent: Any, kind: str, depth: int = _DEEPEST) -> Iterator[Any]:
    """Groups of a class below `parent`, in the order of names."""
    for name in parent:
        if isinstance(parent.get(name, getlink=True), h5py.ExternalLink):
            continue
        group = parent.get(name)
        if not isinstance(group, h5py.Group):
            continue
        if kind in (_attribute(group, "canSAS_class"), _attribute(group, "NX_class")):
            yield group
        elif depth > 1:
            yield from _groups(group, kind, depth - 1)


def _data(path: pathlib.Path, entry: Any, group: Any) -> Curve | Image:
    """The curve or image of one SASdata."""
    name = group.name.strip("/")
    where = f"{path}: {name}"
    signal = _attribute(group, "signal") or "I"
    if not isinstance(group.get(signal), h5py.Dataset):
        raise FormatError(
            f"{where}: no dataset {signal!r} among {sorted(group)}; expected I and Q"
        )
    stored = group[signal]
    columns: dict[str, Any] = {}
    i_unit = _attribute(stored, "units") or _assumed(path, signal, "1/cm")
    values = _array(where, group, signal)
    columns["intensity"], unit = clean.intensities(where, values, i_unit)
    errors = _named(group, stored, "uncertainties", "uncertainty", "I", "Idev")
    if errors:
        values = _array(where, group, errors[0])
        own = _attribute(group[errors[0]], "units") or i_unit
        columns["sigma"], its_unit = clean.intensities(where, values, own)
        if its_unit != unit:
            raise FormatError(
                f"{where}: {errors[0]} in {own!r} for I in {i_unit!r}; expected one "
                "kind"
            )
    factor = _attribute(stored, "scaling_factor")
    if factor:
        scale = _array(where, group, factor)
        columns = {k: v * scale for k, v in columns.items()}
    metadata = _description(path, entry)
    labels: dict[str, Any] = {
        "title": _text(entry, "title"),
        "run": _text(entry, "run"),
        "name": name,
        "intensity_unit": unit,
    }
    read = _image if "Qx" in group and "Qy" in group else _curve
    return read(path, group, columns, i_unit, metadata, labels)


def _curve(
    path: pathlib.Path,
    group: Any,
    columns: dict[str, Any],
    i_unit: str,
    metadata: dict[str, Any],
    labels: dict[str, Any],
) -> Curve:
    where = f"{path}: {labels['name']}"
    if "Q" not in group:
        raise FormatError(
            f"{where}: no Q, nor Qx and Qy, among {sorted(group)}; expected one"
        )
    shape = columns["intensity"].shape
    if len(shape) != 1:
        raise FormatError(
            f"{where}: I has shape {shape} over {_attribute(group, 'I_axes')!r}; "
            "expected I(Q) of one dimension, or Qx and Qy for an image"
        )
    columns["q"], q_unit = _q(path, where, group, "Q", None)
    names = _named(group, group["Q"], "resolutions", "resolution", "Q", "")
    if not names:
        names = [k for k in _SLIT if k in group] or _named(
            group, group["Q"], "uncertainties", "uncertainty", "Q", "Qdev"
        )
    slit = len(names) == 2 or names in (["dQw"], ["dQl"])
    if len(names) > 2:
        raise FormatError(f"{where}: resolutions {names} of Q; expected one or two")
    fields = {k: ("q_length" if k == "dQl" else "q_width") for k in names}
    if len(names) == 2 and set(names) != set(_SLIT):
        fields = dict(zip(names, ("q_width", "q_length"), strict=True))
    for k in names:
        values, _ = _q(path, where, group, k, q_unit)
        # a slit may be stored once for all points
        values = np.full(shape, values.flat[0]) if values.size == 1 else values
        columns[fields[k] if slit else "dq"] = values
    kept = {}
    for k, key in (("Qmean", "q_mean"), ("ShadowFactor", "shadow_factor")):
        if k in group and group[k].shape == shape:
            kept[key] = _array(where, group, k)
    if "q_mean" in kept:
        kept["q_mean"] = _q(path, where, group, "Qmean", q_unit)[0]
    return clean.cleaned(
        path,
        columns,
        mask=_mask(where, group, shape),
        kept=kept,
        metadata={**metadata, "source_units": {"q": q_unit, "intensity": i_unit}},
        **labels,
    )


def _image(
    path: pathlib.Path,
    group: Any,
    columns: dict[str, Any],
    i_unit: str,
    metadata: dict[str, Any],
    labels: dict[str, Any],
) -> Image:
    where = f"{path}: {labels['name']}"
    shape = columns["intensity"].shape
    columns["qx"], q_unit = _q(path, where, group, "Qx", None)
    columns["qy"], _ = _q(path, where, group, "Qy", q_unit)
    if len(shape) == 2 and columns["qx"].ndim == columns["qy"].ndim == 1:
        columns["qx"], columns["qy"] = _mesh(group, columns["qx"], columns["qy"])
    names = [
        k
        for axis in ("Qx", "Qy")
        for k in _named(group, group[axis], "resolutions", "resolution", axis, "")
    ]
    names = names or [k for k in ("Qxdev", "Qydev") if k in group]
    if names and len(names) != 2:
        raise FormatError(
            f"{where}: resolutions {names} of Qx and Qy; expected one of each"
        )
    for field, k in zip(("dqx", "dqy"), names, strict=False):
        columns[field], _ = _q(path, where, group, k, q_unit)
    for k, v in columns.items():
        if v.shape != shape or v.ndim not in (1, 2):
            raise FormatError(
                f"{where}: {k} has shape {v.shape} and I has {shape}; expected one "
                "shape of one or two dimensions"
            )
        if k in ("qx", "qy", "dqx", "dqy") and not np.isfinite(v).all():
            raise FormatError(f"{where}: {k} is not finite; expected numbers")
    return Image(
        **columns,
        dq_axes="polar" if tuple(names) == _POLAR else "xy",
        mask=_mask(where, group, shape),
        metadata={**metadata, "source_units": {"q": q_unit, "intensity": i_unit}},
        **labels,
    )


def _mesh(group: Any, qx: np.ndarray, qy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices of two axes, in the order that `I_axes` gives (y first without it)."""
    if _names(group.attrs.get("I_axes", "")) == ["Qx", "Qy"]:
        x, y = np.meshgrid(qx, qy, indexing="ij")
    else:
        x, y = np.meshgrid(qx, qy)
    return x, y


def _q(
    path: pathlib.Path, where: str, group: Any, name: str, q_unit: str | None
) -> tuple[np.ndarray, str]:
    """Values in 1/Å, and the unit they were stored in."""
    values = _array(where, group, name)
    unit = _attribute(group[name], "units") or q_unit or _assumed(path, name, "1/A")
    return clean.q_values(where, values, unit), unit


def _mask(where: str, group: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """True where a point counts; the file has True for those that do not."""
    names = [_attribute(group, "mask"), "Mask", "mask"]
    name = next((k for k in names if k and k in group), None)
    if name is None:
        return None
    hidden = _array(where, group, name)
    if hidden.shape != shape:
        raise FormatError(
            f"{where}: {name} has shape {hidden.shape}; expected {shape} as I"
        )
    return hidden == 0


def _named(
    group: Any, dataset: Any, key: str, old_key: str, axis: str, usual: str
) -> list[str]:
    """Datasets that an attribute names, else the usual one where it is there."""
    for owner, attribute in (
        (dataset, key),
        (dataset, old_key),
        (group, f"{axis}_{key}"),
        (group, f"{axis}_{old_key}"),
    ):
        names = _names(owner.attrs.get(attribute, ""))
        if names:
            return names
    return [usual] if usual in group else []


def _array(where: str, group: Any, name: str) -> np.ndarray:
    """Numbers of a dataset as float64."""
    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise FormatError(
            f"{where}: {name} is named but not there; expected it among {sorted(group)}"
        )
    size = dataset.size or 0
    if dataset.dtype.kind not in "fiub" or not 0 < size <= _LARGEST:
        raise FormatError(
            f"{where}: {name} is {dataset.dtype} of shape {dataset.shape}; expected "
            f"1 to {_LARGEST} real numbers"
        )
    return np.asarray(dataset[()], np.float64)


def _description(path: pathlib.Path, entry: Any) -> dict[str, Any]:
    """Metadata of an entry that all its data share."""
    found: dict[str, Any] = {"path": str(path), "format": "nxcansas"}
    instrument = next(_groups(entry, "SASinstrument", 1), {})
    source = next(_groups(instrument, "SASsource", 1), {}) if instrument else {}
    sample = next(_groups(entry, "SASsample", 1), {})
    detectors = [*_groups(instrument, "SASdetector", 1)] if instrument else []
    texts = {
        "instrument": _text(instrument, "name"),
        "radiation": _text(source, "radiation"),
        "sample": _text(sample, "ID") or _text(sample, "name"),
    }
    found |= {k: v for k, v in texts.items() if v}
    lengths = {
        "wavelength": (source, ("incident_wavelength", "wavelength"), "a", "A"),
        "thickness": (sample, ("thickness",), "cm", "mm"),
    }
    if len(detectors) == 1:  # nothing says which of several saw these data
        lengths["detector_distance"] = (detectors[0], ("SDD",), "m", "m")
    for key, (group, names, to, usual) in lengths.items():
        value, unit = _number(group, *names)
        if value is not None:
            value = clean.length_or_none(path, key, value, unit or usual, to)
            if value is not None:
                found[key] = value
    transmission, _ = _number(sample, "transmission")
    if transmission is not None:
        found["transmission"] = transmission
    return found


def _number(group: Any, *names: str) -> tuple[float | None, str]:
    """First number of the first dataset so named, and its unit."""
    for name in names:
        dataset = group.get(name)
        if isinstance(dataset, h5py.Dataset) and dataset.size == 1:
            if dataset.dtype.kind in "fiu":
                return float(np.ravel(dataset[()])[0]), _attribute(dataset, "units")
    return None, ""


def _text(group: Any, name: str) -> str:
    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset) or dataset.size != 1:
        return ""
    return _string(np.ravel(dataset[()])[0])


def _attribute(node: Any, name: str) -> str:
    """First string of an attribute; empty where there is none."""
    value = np.ravel(node.attrs.get(name, ""))
    return _string(value[0]) if value.size else ""


def _names(value: Any) -> list[str]:
    """Names in an attribute: a string array, or one string with commas."""
    joined = ",".join(_string(x) for x in np.ravel(value))
    return [x.strip() for x in joined.split(",") if x.strip()]


def _string(value: Any) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.strip()


def _assumed(path: pathlib.Path, name: str, unit: str) -> str:
    clean.warn(path, f"{name} has no units; {unit} is assumed")
    return unit
