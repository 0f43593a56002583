"""Devices and the compilation cache."""

import os
import pathlib

import jax


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
