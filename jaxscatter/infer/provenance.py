"""Where a result comes from: versions, devices, precision, seed, arguments."""

import datetime
import importlib.metadata
import json
import platform
from typing import Any

import jax
import numpy as np

from .._version import __version__

PURPOSES = {"starts": 1, "nuts": 2, "linear": 3, "minibatch": 4, "laplace": 5}
"""Fixed numbers folded into a seed, one per use, so that uses do not share draws."""


def key(seed: int, purpose: str) -> jax.Array:
    """Random key of an integer seed for one purpose."""
    return jax.random.fold_in(jax.random.key(seed), PURPOSES[purpose])


def provenance(
    seed: int | None = None, arguments: dict[str, Any] | None = None, model: str = ""
) -> dict[str, Any]:
    """Record that lets somebody else repeat the run."""
    record: dict[str, Any] = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "jaxscatter": __version__,
        "python": platform.python_version(),
    }
    for package in ("jax", "jaxlib", "numpyro", "optax", "equinox", "numpy"):
        try:
            record[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            record[package] = "absent"
    devices = jax.devices()
    record |= {
        "platform": devices[0].platform,
        "device": devices[0].device_kind,
        "devices": len(devices),
        "precision": "float64" if jax.config.read("jax_enable_x64") else "float32",
        "seed": -1 if seed is None else seed,
        "arguments": json.dumps(arguments or {}, default=_plain, sort_keys=True),
        "model": model,
    }
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | jax.Array):
        return np.asarray(value).tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
