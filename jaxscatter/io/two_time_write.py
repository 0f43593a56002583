"""Writers of two-time correlations c2(φ, t₁, t₂), complete files or none.

Layouts and units are those of `two_time`.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import h5py
import numpy as np

from ..errors import DataError
from .two_time import (
    _APS_U_BINS,
    _APS_U_C2,
    _APS_U_DT,
    _APS_U_PHI,
    _APS_U_Q,
    _UNIFORM,
    TwoTime,
    _mirrored,
)

_PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def write_aps_u(path: str | os.PathLike[str], two_time: TwoTime) -> pathlib.Path:
    """Path of the APS-U file written, complete or not at all.

    The half matrices keep their precision (float64). The frame time is dt with stride
    and averaging 1, so that the file is read back without `dt`.
    """
    checked(two_time)
    c2, phi, q = two_time.c2, two_time.phi, two_time.q
    odd = [float(a) for a, matrix in zip(phi, c2, strict=True) if not _mirrored(matrix)]
    if odd:
        raise DataError(f"c2 at phi {odd}: expected C = Cᵀ, as one half is stored")
    qs = np.unique(q)
    phis = phi[np.sort(np.unique(phi, return_index=True)[1])]
    bins = 1 + np.searchsorted(qs, q) * len(phis)
    bins += np.argmax(phi[:, None] == phis[None, :], axis=1)
    if len(np.unique(bins)) != len(bins):
        raise DataError("q and phi: two matrices of one pair; expected each pair once")
    with whole(path) as partial, h5py.File(partial, "w") as file:
        file[_APS_U_Q], file[_APS_U_PHI] = qs, phis
        file[_APS_U_BINS] = np.sort(bins)
        for i in np.argsort(bins):
            name = f"{_APS_U_C2}/c2_{bins[i]:05d}"
            file.create_dataset(name, data=np.triu(c2[i]), **_PACKED)
        for name, value in zip(_APS_U_DT, (two_time.dt, 1, 1), strict=True):
            file[name] = value
        file["entry/instrument/detector_1/count_time"] = two_time.dt
    return pathlib.Path(path)


def write_plain(path: str | os.PathLike[str], two_time: TwoTime) -> pathlib.Path:
    """Path of the HDF5 file of `c2`, `t`, `phi`, `q` written, whole or not at all."""
    checked(two_time)
    with whole(path) as partial, h5py.File(partial, "w") as file:
        # no chunk spans two matrices: reading one Q unpacks no other
        side = min(512, two_time.c2.shape[-1])
        chunks = (1, side, side)
        file.create_dataset("c2", data=two_time.c2, chunks=chunks, **_PACKED)
        for name, unit in (("t", "s"), ("phi", "degrees"), ("q", "1/Å")):
            file[name] = getattr(two_time, name)
            file[name].attrs["units"] = unit
    return pathlib.Path(path)


def write_npz(path: str | os.PathLike[str], two_time: TwoTime) -> pathlib.Path:
    """Path of the npz file of `c2`, `t`, `phi`, `q` written, whole or not at all."""
    checked(two_time)
    arrays = {k: getattr(two_time, k) for k in ("c2", "t", "phi", "q")}
    # an open file, because numpy appends .npz to any other name
    with whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return pathlib.Path(path)


def checked(two_time: TwoTime) -> None:
    """Raise `DataError` where shapes, times, Q or angles could not be read back."""
    c2 = two_time.c2
    if c2.ndim != 3 or c2.shape[1] != c2.shape[2] or c2.shape[1] < 2 or not len(c2):
        raise DataError(f"c2 has shape {c2.shape}; expected (phi, N, N) with N >= 2")
    for name, value in (("phi", two_time.phi), ("q", two_time.q)):
        if value.shape != (len(c2),):
            raise DataError(f"{name} has shape {value.shape}; expected ({len(c2)},)")
        if not (np.isfinite(value) & ((value > 0) | (name == "phi"))).all():
            raise DataError(f"{name}={value.tolist()}: expected finite, and q > 0")
    if not (np.isfinite(two_time.dt) and two_time.dt > 0):
        raise DataError(f"dt={two_time.dt!r}: expected a positive time in s")
    t = two_time.dt * np.arange(c2.shape[1])
    same = two_time.t.shape == t.shape
    if not same or not np.abs(two_time.t - t).max() <= _UNIFORM * two_time.dt:
        raise DataError(
            f"t: expected dt = {two_time.dt:g} s times 0, ..., {t.size - 1}"
        )


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Name beside `path` to write to; it becomes `path` where the block succeeds."""
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
