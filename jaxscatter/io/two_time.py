"""Two-time correlations c2(φ, t₁, t₂) of XPCS: readers of four layouts.

- `aps_u`: HDF5 of APS after its upgrade; `xpcs/twotime/correlation_map` holds one half
  matrix per bin (Q, φ) of `xpcs/qmap`, paired with `processed_bins` by position.
- `aps_old`: HDF5 of APS before; `exchange/C2T_all` holds one half matrix per entry of
  `xpcs/dqlist` and `xpcs/dphilist`.
- `plain`: HDF5 or npz with `c2` (matrix, N, N), `t`, `phi` and `q`.
- `cache`: npz of `two_time_cache`, which homodyne and its relatives write too.

The layout is found from the content, never from the name. The diagonal is left as
stored, NaNs are kept, and only the matrices and frames asked for are read.

Units: q in 1/Å, phi in degrees, dt and t in s. Files in 1/nm have to be converted by
whoever knows that they are (1 nm⁻¹ = 0.1 Å⁻¹).
"""

import contextlib
import os
import pathlib
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import h5py
import numpy as np

from ..errors import DataError, DataWarning, FormatError

Number: TypeAlias = float | int

_APS_U_Q = "xpcs/qmap/dynamic_v_list_dim0"
_APS_U_PHI = "xpcs/qmap/dynamic_v_list_dim1"
_APS_U_BINS = "xpcs/twotime/processed_bins"
_APS_U_C2 = "xpcs/twotime/correlation_map"
_APS_U_DT = (
    "entry/instrument/detector_1/frame_time",
    "xpcs/twotime/config/stride_frame",
    "xpcs/twotime/config/avg_frame",
)
_APS_OLD = ("xpcs/dqlist", "xpcs/dphilist", "exchange/C2T_all")
_PLAIN = ("c2", "phi", "q", "t")
_CACHE = ("c2_exp", "phi_angles_list", "wavevector_q_list", "t1")
_DEFAULT_Q = 0.0054  # 1/Å, the default of homodyne
_SAME_Q = 1e-10
_UNIFORM = 1e-6
_BROKEN_HDF5 = (OSError, RuntimeError, KeyError, TypeError, ValueError)
_BROKEN = (*_BROKEN_HDF5, EOFError, zipfile.BadZipFile, zlib.error)


class TwoTime(NamedTuple):
    """Two-time correlations of one Q at several azimuths.

    Attributes:
        c2: matrices (phi, N, N), full, with the diagonal as it was measured.
        phi: azimuth of each matrix in degrees.
        q: Q of each matrix in 1/Å; they differ where a layout mixes neighbours.
        dt: time between frames in s.
        t: times (N,) in s, from 0.
        metadata: layout, path, q_asked, start_frame, end_frame (as asked), members
            (names or row numbers read), skipped (of invalid bins), and warnings (one
            sentence each, issued as `DataWarning` too).
    """

    c2: np.ndarray
    phi: np.ndarray
    q: np.ndarray
    dt: float
    t: np.ndarray
    metadata: dict[str, Any]


class _Table(NamedTuple):
    """The matrices of a file, unread: one row per matrix."""

    layout: str
    q: np.ndarray
    phi: np.ndarray
    names: list[Any]
    shapes: list[tuple[int, ...]]
    read: Callable[[int, slice, slice], np.ndarray]
    half: bool
    t: np.ndarray | None  # of all frames, where the layout stores it
    dt: float | None
    dt_source: str
    skipped: tuple[Any, ...] = ()


def read_two_time(
    path: str | os.PathLike[str],
    *,
    q: Number | None = None,
    dt: Number | None = None,
    start_frame: Number | np.integer = 1,
    end_frame: Number | np.integer = -1,
    q_tolerance: Number = 0.1,
) -> TwoTime:
    """Two-time correlations at the stored Q nearest to `q`, from any known layout.

    `aps_u` and `plain` give the matrices of exactly the nearest Q. `aps_old` gives all
    within `q_tolerance` of it and, where these are fewer than five, the ten nearest of
    the file whatever their Q, as its other readers do, with a warning. `cache` gives
    all that it holds. Matrices of invalid bins are left out with a warning.

    Args:
        path: the file.
        q: in 1/Å; without it 0.0054 in the two APS layouts, everything otherwise.
        dt: time between frames in s, instead of the file's.
        start_frame: first frame, counted from 1.
        end_frame: last frame, included; -1 is the last of the file.
        q_tolerance: fraction of Q, for `aps_old` and for the warning that no Q is near.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: none of the layouts, incomplete, or needs a missing filter.
        DataError: arguments, shapes, times or values are unusable, or neither `dt` nor
            the file says how long a frame is.
    """
    for name, value in (("q", q), ("dt", dt), ("q_tolerance", q_tolerance)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise DataError(f"{name}={value!r}: expected a positive number")
    first, last = _whole_frames(start_frame, end_frame)
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected a file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    notes: list[str] = []
    with _opened(path) as file:
        table = _valid(_table(file), notes)
        rows = _rows(table, q, q_tolerance, notes)
        frames = _frames(table, rows, first, last, notes)
        step = _step(table, dt, notes)
        t = step * np.arange(frames.stop - frames.start)
        c2, phi = np.empty((len(rows), t.size, t.size)), table.phi[rows]
        marked: dict[str, list[Any]] = {}
        for k, row in enumerate(rows):
            c2[k] = _matrix(table, row, frames, marked)
        notes += [f"matrices {names} are {what}" for what, names in marked.items()]
        empty = ~np.isfinite(c2).any(axis=(1, 2))
        if empty.all():
            raise DataError(f"no finite value in the {len(c2)} matrices of c2")
        if empty.any():
            notes.append(f"no finite value in the matrices of phi {phi[empty]}")
    for note in notes:
        warnings.warn(f"{path.name}: {note}", DataWarning, stacklevel=2)
    metadata = {
        "layout": table.layout,
        "path": str(path),
        "q_asked": None if q is None else float(q),
        "start_frame": first,
        "end_frame": last,
        "members": tuple(table.names[i] for i in rows),
        "skipped": table.skipped,
        "warnings": tuple(notes),
    }
    return TwoTime(c2, phi, table.q[rows], step, t, metadata)


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
    """The file as a mapping; errors in the block get its path, or are its format's."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(4) == b"PK\x03\x04"
            raw.seek(0)
            # numpy leaves a broken file open where it has opened it itself
            opened = np.load(raw, allow_pickle=False) if zipped else h5py.File(path)
            with opened as file:
                yield file
    except (DataError, FormatError) as error:
        raise type(error)(f"{path}: {error}") from error
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise FormatError(
            f"{path}: expected a complete HDF5 or npz file without pickles ({reason})"
        ) from error


def _table(file: Any) -> _Table:
    """The layout in the order aps_u, aps_old, plain, cache."""
    if isinstance(file, h5py.File):
        if _APS_U_Q in file and _APS_U_C2 in file:
            return _aps_u(file)
        if all(name in file for name in _APS_OLD):
            q, phi = (_column(file[name]) for name in _APS_OLD[:2])
            dt = (None, "this layout stores no frame time")
            return _members(file[_APS_OLD[2]], "aps_old", q, phi, dt)
    if "c2" in file:
        return _stack(file, "plain", _PLAIN)
    if "c2_exp" in file:
        return _stack(file, "cache", _CACHE)
    raise FormatError(
        f"not a known two-time layout; expected {_APS_U_C2}, {_APS_OLD[2]}, c2 or "
        f"c2_exp, found top-level {sorted(file) or 'nothing'}"
    )


def _aps_u(file: Any) -> _Table:
    for name in (_APS_U_PHI, _APS_U_BINS):
        if name not in file:
            raise FormatError(f"no {name}; expected it beside {_APS_U_C2}")
    qs, phis = _column(file[_APS_U_Q]), _column(file[_APS_U_PHI])
    bins = _column(file[_APS_U_BINS])
    inside = (bins == np.round(bins)) & (bins >= 1) & (bins <= qs.size * phis.size)
    index = bins[inside].astype(int) - 1
    q, phi = np.full(bins.size, np.nan), np.full(bins.size, np.nan)
    q[inside], phi[inside] = qs[index // phis.size], phis[index % phis.size]
    missing = [name for name in _APS_U_DT if name not in file]
    dt = (None, f"no {', '.join(missing)}")
    if not missing:
        times = [float(_column(file[name])[0]) for name in _APS_U_DT]
        dt = (float(np.prod(times)), " · ".join(_APS_U_DT))
    return _members(file[_APS_U_C2], "aps_u", q, phi, dt)


def _members(
    group: Any, layout: str, q: np.ndarray, phi: np.ndarray, dt: tuple[Any, str]
) -> _Table:
    """Half matrices of a group, paired by position in the order of their names."""
    # numbers compare as numbers: 10 comes after 9 even without leading zeros
    names = sorted(group, key=lambda k: [p.zfill(20) for p in re.split(r"(\d+)", k)])
    if not len(names) == q.size == phi.size:
        found = f"{len(names)} matrices in {group.name}, {q.size} Q, {phi.size} phi"
        raise DataError(f"{found}: expected as many of each")

    def read(row: int, down: slice, right: slice) -> np.ndarray:
        return _numbers(group[names[row]], (down, right))

    shapes = [getattr(group[name], "shape", ()) for name in names]
    return _Table(layout, q, phi, names, shapes, read, True, None, *dt)


def _stack(file: Any, layout: str, keys: tuple[str, ...]) -> _Table:
    """Full matrices along the first axis of one array."""
    c2_key, phi_key, q_key, t_key = keys
    missing = [name for name in (phi_key, q_key) if name not in file]
    if missing:
        raise FormatError(
            f"no {', '.join(missing)}; expected {', '.join(keys)}, found {sorted(file)}"
        )
    c2 = file[c2_key]
    shape = getattr(c2, "shape", ())
    if len(shape) != 3:
        raise DataError(f"{c2_key} has shape {shape}; expected (n, N, N)")
    phi, q = _column(file[phi_key]), _column(file[q_key])
    q = np.repeat(q, len(c2)) if q.size == 1 else q
    if not len(c2) == phi.size == q.size:
        found = f"{c2_key} {c2.shape}, {phi_key} ({phi.size},), {q_key} ({q.size},)"
        last = c2.shape[0] == c2.shape[1] and c2.shape[2] == phi.size
        hint = f"; the axis of angles comes first in {c2_key}" if last else ""
        raise DataError(f"{found}: expected as many angles and Q as matrices{hint}")
    t = np.asarray(file[t_key][()], float) if t_key in file else None
    if t_key == "t1" and t is not None and "t2" in file:
        other = np.asarray(file["t2"][()], float)
        if not np.array_equal(other, t):
            raise DataError(f"t1 {t.shape} and t2 {other.shape}: expected one grid")

    def read(row: int, down: slice, right: slice) -> np.ndarray:
        return _numbers(c2, (row, down, right))

    names, shapes = list(range(len(c2))), [c2.shape[1:]] * len(c2)
    return _Table(layout, q, phi, names, shapes, read, False, t, None, f"no {t_key}")


def _valid(table: _Table, notes: list[str]) -> _Table:
    """The table with NaN as the Q of rows whose bin, Q or angle means nothing."""
    good = np.isfinite(table.q) & np.isfinite(table.phi) & (table.q > 0)
    if not good.any():
        raise DataError(
            f"no finite Q > 0 with an angle for any of {good.size} matrices"
        )
    lost = tuple(table.names[i] for i in np.flatnonzero(~good))
    if lost:
        notes.append(f"skipped {[*lost]}: their bins have no finite Q > 0 and angle")
    return table._replace(q=np.where(good, table.q, np.nan), skipped=lost)


def _rows(
    table: _Table, q: Number | None, tolerance: Number, notes: list[str]
) -> list[int]:
    """Numbers of the matrices to read."""
    valid = np.flatnonzero(np.isfinite(table.q))
    if q is None and not table.half:
        return valid.tolist()
    asked = _DEFAULT_Q if q is None else q
    nearest = float(table.q[np.nanargmin(np.abs(table.q - asked))])
    stored = np.unique(np.round(table.q[valid], 10))
    choice = f"{nearest:g} of {stored.size} values from {stored[0]:g} to {stored[-1]:g}"
    if q is None and stored.size > 1:
        notes.append(
            f"no q was given: took {choice}, nearest to {_DEFAULT_Q:g}; pass q="
        )
    elif abs(nearest - asked) > tolerance * asked:
        notes.append(f"no q is near {asked:g}: took {choice}; is it in 1/Å?")
    if table.layout == "cache":
        return valid.tolist()
    apart = np.abs(table.q - nearest)
    if table.layout != "aps_old":
        return np.flatnonzero(apart <= _SAME_Q).tolist()
    rows = np.flatnonzero(apart <= tolerance * nearest)
    if len(rows) >= 5 or len(rows) == len(valid):
        return rows.tolist()
    rows = np.sort(valid[np.argsort(apart[valid], kind="stable")[:10]])
    low, high = table.q[rows].min(), table.q[rows].max()
    notes.append(
        f"fewer than 5 matrices within {tolerance:g} of q={nearest:g}: took the "
        f"nearest {len(rows)}, q from {low:g} to {high:g} 1/Å"
    )
    return rows.tolist()


def _whole_frames(start: Any, end: Any) -> tuple[int, int]:
    for name, value in (("start_frame", start), ("end_frame", end)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise DataError(f"{name}={value!r}: expected a whole number")
    if start < 1:
        raise DataError(f"start_frame={start}: expected at least 1, the first frame")
    if end != -1 and end < start:
        raise DataError(f"end_frame={end}: expected -1 or at least {start}, the start")
    return int(start), int(end)


def _frames(
    table: _Table, rows: list[int], start: int, end: int, notes: list[str]
) -> slice:
    """The frames of both axes, of matrices that are square and of one size."""
    n = max(table.shapes[rows[0]], default=0)
    for i in rows:
        if table.shapes[i] != (n, n):
            found = f"matrix {table.names[i]} has shape {table.shapes[i]}"
            raise DataError(f"{found}; expected all square of one size, ({n}, {n})")
    if table.t is not None and table.t.shape != (n,):
        raise DataError(f"t has shape {table.t.shape}; expected ({n},)")
    last = n if end == -1 else min(end, n)
    if end > n:
        notes.append(f"end_frame={end} is past the last of {n} frames: took {n}")
    if last - start < 1:
        raise DataError(f"frames {start} to {last} of {n}; expected at least two")
    return slice(start - 1, last)


def _step(table: _Table, dt: Number | None, notes: list[str]) -> float:
    """Time between frames in s: the argument, else what the file says."""
    stored = table.dt
    if table.t is not None:
        step = np.diff(table.t)
        stored = float(step.mean())
        if not (stored > 0 and np.abs(step - stored).max() <= _UNIFORM * stored):
            raise DataError("t does not increase evenly; expected k·dt in s")
    if dt is not None:
        if stored is not None and not abs(dt - stored) <= _UNIFORM * dt:
            notes.append(f"dt={dt:g} s was given and used; the file says {stored:g} s")
        return float(dt)
    if stored is None:
        raise DataError(f"the file does not say dt ({table.dt_source}); pass dt= in s")
    if not (np.isfinite(stored) and stored > 0):
        raise DataError(f"dt={stored!r} s from {table.dt_source}; expected > 0")
    return stored


def _matrix(
    table: _Table, row: int, frames: slice, marked: dict[str, list[Any]]
) -> np.ndarray:
    """One full matrix."""
    c2, name = table.read(row, frames, frames), table.names[row]
    if not table.half:
        if not symmetric_within_noise(c2):
            marked.setdefault("not symmetric beyond their noise", []).append(name)
        return c2
    # a half may be padded with zeros or with NaN
    filled, number = c2 != 0, ~np.isnan(c2)
    upper, lower = (np.triu(filled, 1).any(), np.tril(filled, -1).any())
    if not lower or (upper and not np.tril(number, -1).any()):
        half = c2
    elif not (upper and np.triu(number, 1).any()):
        half = c2.T
    elif _mirrored(c2):
        # C = U + Uᵀ would double it
        marked.setdefault("full already, not halves", []).append(name)
        return c2
    else:
        raise DataError(
            f"matrix {name} is neither symmetric nor a half: expected a half"
        )
    return np.triu(half) + np.triu(half, 1).T


def _mirrored(c2: np.ndarray) -> bool:
    """C = Cᵀ to the precision of float32."""
    return np.allclose(c2, c2.T, rtol=1e-5, atol=1e-6, equal_nan=True)


def symmetric_within_noise(c2: np.ndarray) -> bool:
    """Whether C - Cᵀ is as small as entries of one lag differ from frame to frame."""
    every = -(-len(c2) // 500)  # of many frames a sample will do
    some, after = c2[:-1:every, :-1:every], c2[1::every, 1::every]
    above = np.triu(np.isfinite(some) & np.isfinite(some.T) & np.isfinite(after), 1)
    if not above.any():
        return True
    with np.errstate(invalid="ignore"):
        apart, noise = np.abs(some - some.T), np.abs(some - after)
    scale = 3 * np.median(noise[above]) + 1e-6 * np.median(np.abs(some[above]))
    return bool(np.median(apart[above]) <= scale)


def _numbers(data: Any, index: tuple[Any, ...]) -> np.ndarray:
    """Values of a slice; a missing compression filter is registered or named."""
    stored = isinstance(data, h5py.Dataset)
    pipeline: Any = data.id.get_create_plist() if stored else None
    for i in range(pipeline.get_nfilters() if stored else 0):
        code, _, _, name = pipeline.get_filter(i)
        if not h5py.h5z.filter_avail(code):
            with contextlib.suppress(ImportError):
                import hdf5plugin  # noqa: F401  (registers its filters)
        if not h5py.h5z.filter_avail(code):
            wanted = f"{data.name} needs the HDF5 filter {code} ({name.decode()})"
            raise FormatError(f"{wanted}: expected it, pip install jaxscatter[io]")
    return np.asarray(data[index], np.float64)


def _column(data: Any) -> np.ndarray:
    return np.ravel(data[()]).astype(np.float64)
