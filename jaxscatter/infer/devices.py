"""Many devices, many processes, and the compilation cache."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

from ..errors import DataError, DeviceError
from ..problem import AbstractProblem, Problem


def enable_cache(folder: str | os.PathLike | None = None) -> pathlib.Path:
    """Keep compiled programs in `folder` between runs, and return it.

    The default is `jaxscatter` in the user's cache folder. The command line turns this
    on; importing the package does not.
    """
    if folder is None:
        base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        folder = pathlib.Path(base) / "jaxscatter"
    path = pathlib.Path(folder).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return path


def shard(problem: AbstractProblem, devices: Sequence[Any] | None = None) -> Problem:
    """The problem with its points spread over devices, for any verb.

    Every device sums its own points and one `psum` joins the sums, so results are those
    of one device to rounding. Sampling runs its chains vectorised, each step on all
    devices. With several processes (`initialize`) every process holds the same problem
    and keeps the points of its own devices only; all must run the same program.

    Args:
        problem: its data in memory.
        devices: default all, of all processes.

    Raises:
        DataError: the data are streamed from a file.
        DeviceError: no device.
        ModelError: a joint problem.
    """
    whole: Problem = problem.single("js.shard", "it stays on one device")
    if whole.data.streamed:
        raise DataError("streamed data stay on one device; load them to shard them")
    devices = jax.devices() if devices is None else list(devices)
    if not devices:
        raise DeviceError("no device to spread the points over")
    mesh: Mesh = jax.make_mesh(
        (len(devices),), ("data",), devices=devices, axis_types=(AxisType.Auto,)
    )
    return whole.with_(mesh=mesh)


def initialize(coordinator: str, processes: int, index: int) -> None:
    """Join the processes of one run; call it before anything touches a device.

    Args:
        coordinator: "host:port" of process 0.
        processes: how many there are.
        index: number of this one, from 0.

    Raises:
        DeviceError: an index out of range, or no connection.
    """
    if not 0 <= index < processes:
        raise DeviceError(f"index is {index}; expected 0 to {processes - 1}")
    platforms: Any = getattr(jax.config, "jax_platforms", None)
    if platforms in (None, "", "cpu"):
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(coordinator, processes, index)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DeviceError(
            f"process {index} of {processes} cannot join {coordinator}: {reason}"
        ) from error
