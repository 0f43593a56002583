"""The npz cache of a two-time correlation that was read and cut once.

It holds `wavevector_q_list`, `phi_angles_list`, `t1`, `t2`, `c2_exp` and, as one JSON
string, `cache_metadata_json`: what was asked for. homodyne and its relatives write the
same keys. Nothing is pickled, and a cache of another Q, other frames or another dt is
never used. Beside it lie `phi_angles_list.txt` and `wavevector_q_list.txt`.

Units: q in 1/Å, phi in degrees, t1, t2 and dt in s.
"""

import json
import os
import pathlib
import string
from typing import Any

import numpy as np

from ..errors import DataError, FormatError
from .two_time import Number, TwoTime, _opened, _whole_frames, read_two_time
from .two_time_write import checked, whole

CACHE_TEMPLATE = "cached_c2_q${wavevector_q}_frames_${start_frame}_${end_frame}.npz"
"""Default name of a cache, for `cache_name`."""

CACHE_VERSION = "2.0"
_META = "cache_metadata_json"
_SAME_Q = 1e-8
_SAME_DT = 1e-6


def cache_name(template: str = CACHE_TEMPLATE, **values: str | Number) -> str:
    """File name from a template with `${name}`, `wavevector_q` as %.4f.

    Raises:
        DataError: a name without a value, or a result that leaves its folder.
    """
    texts = {
        k: f"{v:.4f}" if k == "wavevector_q" and not isinstance(v, str) else str(v)
        for k, v in values.items()
    }
    try:
        name = string.Template(template).substitute(texts)
    except KeyError as error:
        raise DataError(
            f"cache name {template!r}: no value for {error}; expected one of "
            f"{sorted(values)}"
        ) from error
    except ValueError as error:
        raise DataError(
            f"cache name {template!r}: {error}; expected ${{name}}"
        ) from error
    if "/" in name or "\\" in name or ".." in name or "\0" in name or not name.strip():
        raise DataError(
            f"cache name {name!r}: expected a file name without path separators or '..'"
        )
    return name


def write_cache(
    path: str | os.PathLike[str],
    two_time: TwoTime,
    q: Number,
    start_frame: int,
    end_frame: int,
    *,
    compress: bool = True,
) -> pathlib.Path:
    """Path of the cache written; it and its two lists are complete or not there at all.

    Args:
        path: the npz file; the two lists go to its folder.
        two_time: what `read_two_time` gave for the next three.
        q: as asked for, in 1/Å.
        start_frame: as asked for, from 1.
        end_frame: as asked for, included; -1 where the last was asked for.
        compress: whether to deflate the arrays.
    """
    checked(two_time)
    if not (np.isfinite(q) and q > 0):
        raise DataError(f"q={q!r}: expected a positive number in 1/Å")
    first, last = _whole_frames(start_frame, end_frame)
    path = pathlib.Path(path)
    meta = {
        "config_wavevector_q": float(q),
        "actual_wavevector_q": float(np.mean(two_time.q)),
        "q_variance": float(np.var(two_time.q)),
        "q_count": len(two_time.q),
        "start_frame": first,
        "end_frame": last,
        "phi_count": len(two_time.phi),
        "cache_version": CACHE_VERSION,
        "selective_q_caching": True,
        "dt": float(two_time.dt),
    }
    arrays: dict[str, Any] = {
        "wavevector_q_list": two_time.q,
        "phi_angles_list": two_time.phi,
        "t1": two_time.t,
        "t2": two_time.t,
        "c2_exp": two_time.c2,
        _META: np.array(json.dumps(meta, allow_nan=False)),
    }
    for name, column, style, header in (
        ("phi_angles_list.txt", two_time.phi, "%.6f", "Phi angles (degrees)"),
        ("wavevector_q_list.txt", two_time.q, "%.8e", "Wavevector q (1/Angstrom)"),
    ):
        with whole(path.with_name(name)) as partial:
            np.savetxt(partial, column, fmt=style, header=header)
    # an open file, because numpy appends .npz to any other name
    with whole(path) as partial, partial.open("wb") as file:
        save = np.savez_compressed if compress else np.savez
        save(file, allow_pickle=False, **arrays)
    return path


def read_cache(
    path: str | os.PathLike[str],
    q: Number,
    start_frame: int,
    end_frame: int,
    *,
    dt: Number | None = None,
) -> TwoTime | None:
    """What is cached at `path`, or None where it has to be built (again).

    None means: no file, no metadata, another version, a Q that differs by more than
    1e-8 1/Å, other frames as asked for, or another `dt` in s where one is given.

    Raises:
        FormatError: the file is not a complete cache; delete it to have it built again.
        DataError: its arrays do not fit together.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        return None
    with _opened(path) as file:
        text = str(file[_META][()]) if _META in file else None
    if text is None:
        return None
    try:
        meta = json.loads(text)
        stored_q = float(meta["config_wavevector_q"])
        stored = meta["start_frame"], meta["end_frame"], meta["cache_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(
            f"{path}: unusable {_META} ({error}); expected the Q, frames and version "
            "that were cached. Delete the file to have it built again"
        ) from error
    same = abs(stored_q - q) <= _SAME_Q  # False for NaN
    if not same or stored != (start_frame, end_frame, CACHE_VERSION):
        return None
    two_time = read_two_time(path)
    if dt is not None and not abs(two_time.dt - dt) <= _SAME_DT * dt:
        return None
    asked = {"q_asked": float(q), "start_frame": start_frame, "end_frame": end_frame}
    return two_time._replace(metadata=two_time.metadata | asked)
