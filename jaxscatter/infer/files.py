"""Results in HDF5: format `jaxscatter-result`, version 1.

    /              attrs: format, version, kind (fit, sample or batch), created (UTC)
    /status        method, linear_mode, what the driver says; warnings, flags
    /parameters    name, unit, value, stderr, lo, hi, free, at_bound, tie     (fit)
    /covariance    (p, p), attrs: order (free labels), scaled; /x beside it   (fit)
    /linear        labels, unit, value, stderr, at_bound, mode, covariance    (fit)
    /history, /groups, /optima, /starts, /derived                             (fit)
    /posterior/L   (chain, draw) of the free label L, attr unit            (sample)
    /linear_draws/L, /sample_stats, /diagnostics, /held, /units, /warmup   (sample)
    /extras        tables of what only some methods have, if any           (sample)
    /fits          one row per fit, named as in `BatchResult`, attrs: names (batch)
    /statistics    scalars as attrs
    /data/0 ...    y, sigma, mask, fit, residual = (y - fit)/sigma, coords, ...
    /provenance    versions, device, precision, seed, arguments, model

Tables are groups of equally long datasets, records are attributes; what is neither is
JSON text. Arrays come back bit for bit. Strings are UTF-8. "/" in a name is written
%2F. Readers ignore groups they do not know. Nothing is pickled.
"""

import hashlib
import json
import os
import pathlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import h5py
import jax
import numpy as np

from ..errors import FormatError
from .batch_result import BatchResult
from .result import FitResult, SampleResult

__all__ = ["FORMAT", "VERSION", "load_result", "save"]

FORMAT = "jaxscatter-result"
VERSION = 1

PathLike = str | os.PathLike[str]
_TEXT = h5py.string_dtype("utf-8")
_BROKEN = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
_TUPLES = ("warnings", "flags")


def save(
    result: FitResult | SampleResult | BatchResult,
    path: PathLike,
    data_limit: float | int = 64e6,
) -> pathlib.Path:
    """Path of the file that now holds the result; it appears complete or not at all.

    Args:
        result: what a fit or a sampler returned; its `problem` is not stored.
        path: file to write; an older one is replaced.
        data_limit: data sets of more than this many bytes in all are stored as SHA-256
            of their arrays.
    """
    path = pathlib.Path(path)
    writers = {"fit": _fit_groups, "sample": _sample_groups, "batch": _batch_groups}
    kind = getattr(result, "kind", None)
    if kind not in writers:
        raise TypeError(
            f"cannot save {result!r}: expected a FitResult, SampleResult or BatchResult"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a file name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name}")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with h5py.File(partial, "w", track_order=True) as file:
            file.attrs["format"] = FORMAT
            file.attrs["version"] = VERSION
            file.attrs["kind"] = kind
            file.attrs["created"] = str(result.provenance.get("created", ""))
            for name, content in writers[kind](result).items():
                _write(file, name, content)
            _annotate(file, result)
            _write_data(file, result.data, data_limit)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def load_result(path: PathLike) -> FitResult | SampleResult | BatchResult:
    """Result stored by `save`, without a problem: `bind` one before `predict`.

    Where only checksums of the data are stored, each entry of `data` holds "sha256" (of
    y, sigma and mask as little-endian bytes, by name) and "shape".

    Raises:
        FormatError: not such a file, a damaged one, or one of a newer version.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a result file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r")
    except PermissionError:
        raise
    except OSError as error:
        raise FormatError(f"{path}: not HDF5, or damaged ({error})") from None
    with file:
        kind = _checked_kind(path, file.attrs)
        try:
            return _READERS[kind](file)
        except _BROKEN as error:
            raise FormatError(f"{path}: damaged or incomplete ({error})") from error


def _checked_kind(path: pathlib.Path, attrs: Any) -> str:
    form, version = attrs.get("format"), attrs.get("version")
    kind = attrs.get("kind")
    if form != FORMAT:
        raise FormatError(f"{path}: format {form!r}; expected {FORMAT!r}")
    if not isinstance(version, np.integer) or version < 1:
        raise FormatError(f"{path}: version {version!r}; expected 1 to {VERSION}")
    if version > VERSION:
        raise FormatError(
            f"{path}: version {version} is newer than this jaxscatter reads "
            f"({VERSION}); update jaxscatter"
        )
    if kind not in _READERS:
        raise FormatError(f"{path}: kind {kind!r}; expected one of {list(_READERS)}")
    return kind


def _fit_groups(r: FitResult) -> dict[str, Any]:
    linear = _renamed(r.linear, "label", "labels")
    size = len(next(iter(linear.values()), ()))
    rows = [(label, *row) for label, row in r.derived.items()]
    return {
        "status": {
            "method": r.method,
            "linear_mode": r.linear_mode,
            "code": r.code,
            "message": r.message,
            "success": r.success,
            "warnings": _strings(r.warnings),
            "flags": _strings(r.flags),
        },
        "parameters": r.parameters,
        "x": r.x,
        "covariance": r.cov,
        "linear": linear
        | {"mode": _strings([r.linear_mode] * size), "covariance": r.linear_cov},
        "statistics": r.statistics,
        "history": r.history,
        "derived": {
            "label": _strings(row[0] for row in rows),
            "value": np.array([row[1] for row in rows], float),
            "stderr": np.array([row[2] for row in rows], float),
            "unit": _strings(row[3] for row in rows),
        },
        "groups": r.groups,
        "optima": r.optima,
        "starts": r.starts,
        "provenance": r.provenance,
    }


def _read_fit(file: Any) -> FitResult:
    status = _read(file["status"])
    linear = _read(file["linear"])
    linear_cov = linear.pop("covariance")
    del linear["mode"]
    derived = _read(file["derived"])
    order = file["covariance"].attrs["order"]
    return FitResult(
        parameters=_read(file["parameters"]),
        labels=tuple(str(label) for label in order),
        x=_read(file["x"]),
        cov=_read(file["covariance"]),
        scaled=bool(file["covariance"].attrs["scaled"]),
        linear=_renamed(linear, "labels", "label"),
        linear_cov=linear_cov,
        statistics=_read(file["statistics"]),
        history=_read(file["history"]),
        data=_read_data(file),
        provenance=_read(file["provenance"]),
        derived={
            str(label): (float(value), float(error), str(unit))
            for label, value, error, unit in zip(
                *(derived[k] for k in ("label", "value", "stderr", "unit")), strict=True
            )
        },
        groups=_read(file["groups"]) if "groups" in file else {},
        optima=_read(file["optima"]),
        starts=_read(file["starts"]),
        **_named(
            status,
            ("method", "linear_mode", "code", "message", "success", *_TUPLES),
        ),
    )


def _sample_groups(r: SampleResult) -> dict[str, Any]:
    return {
        "status": {
            "method": r.method,
            "linear_mode": r.linear_mode,
            "converged": r.converged,
            "warnings": _strings(r.warnings),
            "flags": _strings(r.flags),
        },
        "posterior": r.draws,
        "linear_draws": r.linear_draws,
        "units": r.units,
        "sample_stats": r.sample_stats,
        "diagnostics": r.diagnostics,
        "statistics": r.statistics,
        "held": r.held,
        "warmup": r.warmup,
        "derived": r.derived,
        "provenance": r.provenance,
        **({"extras": r.extras} if r.extras else {}),
    }


def _read_sample(file: h5py.File) -> SampleResult:
    names = ("linear_draws", "units", "sample_stats", "diagnostics", "statistics")
    more = ("held", "warmup", "derived", "provenance")
    return SampleResult(
        draws=_read(file["posterior"]),
        data=_read_data(file),
        extras=_read(file["extras"]) if "extras" in file else {},
        **{name: _read(file[name]) for name in (*names, *more)},
        **_named(
            _read(file["status"]), ("method", "linear_mode", "converged", *_TUPLES)
        ),
    )


_BATCH_ARRAYS = (
    *("values", "stderr", "cov", "scaled", "at_bound", "undetermined", "amplitudes"),
    *("amplitude_stderr", "amplitude_at_bound", "chi2", "red_chi2", "dof", "n_valid"),
    *("code", "nit"),
)
_BATCH_NAMES = ("names", "units", "amplitude_names", "amplitude_units", "warnings")


def _batch_groups(r: BatchResult) -> dict[str, Any]:
    return {
        "status": {
            **{name: _strings(getattr(r, name)) for name in _BATCH_NAMES},
            "known_noise": r.known_noise,
        },
        "fits": {name: getattr(r, name) for name in _BATCH_ARRAYS},
        "provenance": r.provenance,
    }


def _read_batch(file: h5py.File) -> BatchResult:
    status, fits = _read(file["status"]), _read(file["fits"])
    fields: dict[str, Any] = {name: fits[name] for name in _BATCH_ARRAYS}
    fields |= {name: tuple(str(v) for v in status[name]) for name in _BATCH_NAMES}
    return BatchResult(
        **fields,
        known_noise=status["known_noise"],
        provenance=_read(file["provenance"]),
        records=_read_data(file),
    )


_READERS = {"fit": _read_fit, "sample": _read_sample, "batch": _read_batch}


def _annotate(file: Any, result: Any) -> None:
    """Attributes that tell other readers order and units."""
    if result.kind == "fit":
        attrs = file["covariance"].attrs
        attrs.create("order", list(result.labels), (len(result.labels),), _TEXT)
        attrs["scaled"] = bool(result.scaled)
        return
    if result.kind == "batch":
        return
    for group in ("posterior", "linear_draws"):
        for stored in file[group]:
            unit = result.units.get(_name(stored), "")
            file[group][stored].attrs["unit"] = unit


def _renamed(table: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if k == old else k: v for k, v in table.items()}


def _named(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {
        name: tuple(str(v) for v in record[name]) if name in _TUPLES else record[name]
        for name in names
    }


def _write_data(file: Any, data: list[dict[str, Any]], limit: float | int) -> None:
    group = file.create_group("data", track_order=True)
    whole = sum(_bytes(d) for d in data) <= limit
    for i, d in enumerate(data):
        if "y" not in d:  # was loaded from a file that held checksums
            _write(group, str(i), d)
        elif not whole:
            _write(group, str(i), _checksum(d))
        else:
            _write(group, str(i), d)
            if "fit" in d and "residual" not in d:
                y, sigma, fit = (np.asarray(d[k]) for k in ("y", "sigma", "fit"))
                residual = np.where(
                    np.asarray(d["mask"]) > 0, (y - fit) / sigma, np.nan
                )
                stored = group[str(i)].create_dataset("residual", data=residual)
                stored.attrs["derived"] = True


def _read_data(file: Any) -> list[dict[str, Any]]:
    group = file["data"]
    return [_read(group[str(i)]) for i in range(len(group))]


def _bytes(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(_bytes(v) for v in value.values())
    return int(getattr(value, "nbytes", 0))


def _checksum(d: Mapping[str, Any]) -> dict[str, Any]:
    sums = {}
    for name in ("y", "sigma", "mask"):
        array = np.asarray(d[name])
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        sums[name] = hashlib.sha256(np.ascontiguousarray(little).data).hexdigest()
    return {"sha256": sums, "shape": np.shape(d["y"])}


def _strings(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), dtype=object)


def _write(group: h5py.Group, name: str, value: Any) -> None:
    """Store one value: mapping as group, array as dataset, scalar as attribute."""
    name = _stored_name(str(name))
    if isinstance(value, Mapping):
        below = group.create_group(name, track_order=True)
        for key, item in value.items():
            _write(below, key, item)
    elif isinstance(value, np.ndarray | jax.Array):
        _write_array(group, name, np.asarray(value))
    elif isinstance(value, str | bool | float | np.number | np.bool_) or (
        isinstance(value, int) and -(2**63) <= value < 2**63
    ):
        group.attrs[name] = value
    else:
        text = json.dumps(value, default=_jsonable, ensure_ascii=False)
        stored = group.create_dataset(name, data=text, dtype=_TEXT)
        stored.attrs["json"] = "tuple" if isinstance(value, tuple) else "value"


def _write_array(group: h5py.Group, name: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "UO":
        group.create_dataset(name, data=array)
        return
    if not all(isinstance(item, str) for item in array.flat):
        raise TypeError(f"{group.name}/{name}: an array of objects that are not text")
    stored = group.create_dataset(name, data=array.astype(object), dtype=_TEXT)
    stored.attrs["dtype"] = array.dtype.str


def _read(item: Any) -> Any:
    if isinstance(item, h5py.Dataset):
        if h5py.check_string_dtype(item.dtype) is None:
            return np.asarray(item[()])
        text = item.asstr()[()]
        if "json" not in item.attrs:
            return np.asarray(text, dtype=object).astype(item.attrs["dtype"])
        value = json.loads(str(text))
        return tuple(value) if item.attrs["json"] == "tuple" else value
    out = {}
    for key, value in item.attrs.items():
        out[_name(key)] = value.item() if isinstance(value, np.generic) else value
    for key, below in item.items():
        if "derived" not in below.attrs or isinstance(below, h5py.Group):
            out[_name(key)] = _read(below)
    return out


def _stored_name(name: str) -> str:
    """HDF5 takes "/" for a path and "." for the group itself, and no empty name."""
    name = name.replace("%", "%25").replace("/", "%2F")
    return {"": "%", ".": "%2E"}.get(name, name)


def _name(stored: str) -> str:
    if stored == "%":
        return ""
    return stored.replace("%2E", ".").replace("%2F", "/").replace("%25", "%")


def _jsonable(value: Any) -> Any:
    if isinstance(value, np.ndarray | jax.Array):
        return np.asarray(value).tolist()
    return value.item() if isinstance(value, np.generic) else str(value)
