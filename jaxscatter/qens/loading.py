"""Measured spectra as dictionaries: reading files and naming what they are.

A dataset is a dictionary with the keys name, sample, temp (K, -1 if unknown), ei (meV,
nan if unknown), kind ("inc" or "coh"), e_raw and e (meV), data, errs and mask (row,
energy), good (indices of usable rows), q (1/Å), q_edges (or None), q_source and format.
Points that must not be used have mask False, errs 0 and data 0.

`read_nxspe` and its kin read NXSPE by the rules of older programs; `read_run` reads any
format, and adds has_errors (False: errs are 1) and said (what was assumed).
"""

import logging
import os
import pathlib
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, DataWarning, FormatError
from ..io import Spectra, nxspe, read_spectra
from ..io.nxspe import elastic_q as compute_q_from_2theta

__all__ = [
    "compute_q_from_2theta",
    "inspect_nxspe",
    "load_dataset",
    "read_nxspe",
    "read_nxspe_with_overrides",
    "read_run",
]

_LOG = logging.getLogger("jaxscatter")
_NAME = re.compile(
    r"(?P<sample>.+)_(?P<temp>\d+(?:\.\d+)?)_(?P<ei>\d+)_(?P<kind>[^_]+)\.nxspe",
    re.IGNORECASE,
)
PathLike = str | os.PathLike[str]


def inspect_nxspe(path: PathLike) -> None:
    """Print the HDF5 tree of a file."""
    print(nxspe.tree(path))


def read_nxspe(
    path: PathLike,
    *,
    q: nxspe.Numbers | None = None,
    q_edges: nxspe.Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> dict[str, Any]:
    """Dataset of a file named `<sample>_<T>_<100 Ei>_<kind>.nxspe`.

    The incident energy is the file's own; the name's where the file states none.

    Args:
        path: the file.
        q: Q of each row; without it the detector angles are used.
        q_edges: edges of rows that are Q bins (one more than rows).
        energy_sign: -1 where the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV", where the file states none (None: meV).
    """
    path = pathlib.Path(path)
    match = _NAME.fullmatch(path.name)
    if match is None and path.exists() and not path.is_dir():
        raise FormatError(
            f"{path.name}: expected a name <sample>_<T in K>_<100 Ei in meV>_<kind>"
            ".nxspe; read_nxspe_with_overrides takes any name"
        )
    file = nxspe.read(
        path,
        q=q,
        q_edges=q_edges,
        fallback_ei=float(match["ei"]) / 100 if match else None,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )
    assert match is not None  # a path that is not a file has raised in the reader
    temp = float(match["temp"])
    return _dataset(
        path,
        file,
        sample=match["sample"],
        temp=int(temp) if temp.is_integer() else temp,
        kind=match["kind"].lower(),
        q_edges=q_edges,
    )


def read_nxspe_with_overrides(
    path: PathLike,
    *,
    sample: str | None = None,
    temp: float | int | None = None,
    ei: float | int | None = None,
    kind: str | None = None,
    q: nxspe.Numbers | None = None,
    q_edges: nxspe.Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> dict[str, Any]:
    """Dataset of a file of any name; what is not given is "?", -1 K, the file's, "inc".

    The other arguments are those of `read_nxspe`.
    """
    path = pathlib.Path(path)
    if ei is not None and not (np.isfinite(ei) and ei > 0):
        raise DataError(f"ei={ei!r} meV: expected a positive number")
    file = nxspe.read(
        path,
        q=q,
        q_edges=q_edges,
        ei=ei,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )
    return _dataset(
        path,
        file,
        sample="?" if sample is None else sample,
        temp=-1 if temp is None else temp,
        kind="inc" if kind is None else kind.lower(),
        q_edges=q_edges,
    )


def read_run(
    path: PathLike | Sequence[PathLike],
    *,
    q: nxspe.Numbers | str | None = None,
    q_edges: nxspe.Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> dict[str, Any]:
    """Dataset of a file of any known format, which its content tells.

    Args:
        path: the file, or several files of text columns.
        q: Q of each row; for INX also "angle" or "q".
        q_edges: edges of rows that are Q bins.
        energy_sign: -1 where the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV", where the file states none.

    Raises:
        FileNotFoundError, FormatError: no such file, or of no known format.
        DataError: the Q of the rows is not known, or no row is usable.
    """
    spectra = read_spectra(
        path, q=q, q_edges=q_edges, energy_sign=energy_sign, energy_unit=energy_unit
    )
    return run_of(spectra, path, q_edges)


def run_of(
    spectra: Spectra,
    path: PathLike | Sequence[PathLike],
    q_edges: nxspe.Numbers | None = None,
) -> dict[str, Any]:
    """Dataset of spectra read from `path`; logs what the file was recognised as.

    Raises:
        DataError: the Q of the rows is not known, or no row is usable.
    """
    name = file_name(path)
    if spectra.q is None:
        raise DataError(
            f"{name}: Q of its {len(spectra.data)} rows is not known ({spectra.format}:"
            f" {spectra.q_source}); expected q= or q_edges= in 1/Å"
        )
    mask = spectra.mask
    data = np.where(mask, spectra.data, 0.0)
    errors = mask.astype(float) if spectra.error is None else spectra.error
    positive = np.count_nonzero(data > 0, axis=1)
    least = 0.5 * data.shape[1] if spectra.format == "NXSPE" else 0
    good = np.flatnonzero((positive > least) & np.isfinite(spectra.q))
    if good.size == 0:
        raise DataError(
            f"{name}: no usable row; expected some with "
            + ("more than half of their " if least else "")
            + "points > 0"
        )
    for sentence in (f"recognised as {spectra.format}", *spectra.said):
        _LOG.info("%s: %s", name, sentence)
    return {
        "name": name,
        "sample": spectra.title or "?",
        "temp": -1 if spectra.temperature is None else spectra.temperature,
        "ei": np.nan if spectra.ei is None else spectra.ei,
        "kind": "inc",
        "e_raw": spectra.energy,
        "e": spectra.energy.copy(),
        "data": data,
        "errs": np.where(mask, errors, 0.0),
        "mask": mask,
        "good": good,
        "q": spectra.q,
        "q_edges": None if q_edges is None else np.asarray(q_edges, float),
        "q_source": spectra.q_source,
        "format": spectra.format,
        "has_errors": spectra.error is not None,
        "said": spectra.said,
    }


def file_name(path: PathLike | Sequence[PathLike]) -> str:
    """Name of a file, or names of several, without folders."""
    paths = [path] if isinstance(path, str | os.PathLike) else path
    return ", ".join(pathlib.Path(p).name for p in paths)


def load_dataset(
    file_list: Iterable[PathLike],
    data_dir: PathLike = ".",
    critical_files: Iterable[PathLike] | None = None,
    verbose: bool = True,
    q_edges: nxspe.Numbers | Mapping[str, nxspe.Numbers] | None = None,
) -> dict[str, dict[str, Any]]:
    """Datasets by file name, as given in `file_list`; unreadable ones are left out.

    Args:
        file_list: names relative to `data_dir`.
        data_dir: folder of the files.
        critical_files: names whose failure is an error, not a DataWarning.
        verbose: log one line per file (logger "jaxscatter", level INFO).
        q_edges: edges of rows that are Q bins, for all files or by file name.

    Raises:
        RuntimeError: no file could be read.
    """
    if isinstance(file_list, str | os.PathLike):
        raise DataError(f"file_list={file_list!r}: expected a list of file names")
    critical = {os.fspath(f) for f in critical_files or ()}
    out: dict[str, dict[str, Any]] = {}
    for name in [os.fspath(f) for f in file_list]:
        path = pathlib.Path(data_dir) / name
        if isinstance(q_edges, Mapping):
            edges = q_edges.get(name, q_edges.get(path.name))
        else:
            edges = q_edges
        try:
            d = read_nxspe(path, q_edges=edges)
        except (OSError, ValueError) as error:
            if name in critical:
                raise
            warnings.warn(f"left out {name}: {error}", DataWarning, stacklevel=2)
            continue
        out[name] = d
        if verbose:
            _LOG.info(
                "%s: Ei %.2f meV, %s K, %d good rows",
                name,
                d["ei"],
                d["temp"],
                d["good"].size,
            )
    if not out:
        raise RuntimeError(f"none of the files could be read from {data_dir}")
    return out


def _dataset(
    path: pathlib.Path,
    file: nxspe.NxspeFile,
    *,
    sample: str,
    temp: float | int,
    kind: str,
    q_edges: nxspe.Numbers | None,
) -> dict[str, Any]:
    data = np.where(np.isfinite(file.data), file.data, 0.0)
    errs = np.where(np.isfinite(file.error) & (file.error > 0), file.error, 0.0)
    usable = np.count_nonzero(data > 0, axis=1) > data.shape[1] / 2
    good = np.flatnonzero(usable & np.isfinite(file.q))
    if good.size == 0:
        raise DataError(
            f"{path.name}: no usable row; expected some with more than half of their "
            "points > 0"
        )
    return {
        "name": path.name,
        "sample": sample,
        "temp": temp,
        "ei": file.ei,
        "kind": kind,
        "e_raw": file.energy,
        "e": file.energy.copy(),
        "data": data,
        "errs": errs,
        "mask": file.mask,
        "good": good,
        "q": file.q,
        "q_edges": None if q_edges is None else np.asarray(q_edges, float),
        "q_source": file.q_source,
        "format": "hdf5",
    }
