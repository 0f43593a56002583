"""Differentiable inference for scattering science.

Importing this package turns on 64-bit floats in JAX unless the environment says
`JAXSCATTER_X64=0`. That is its one side effect; no device is touched, and parts are
imported when first used.
"""

import importlib as _importlib
import os as _os
from typing import TYPE_CHECKING

import jax as _jax

if _os.environ.get("JAXSCATTER_X64", "1") != "0":
    _jax.config.update("jax_enable_x64", True)

from ._version import __version__ as __version__

_MODULES = (
    "cbed",
    "examples",
    "infer",
    "io",
    "numerics",
    "plot",
    "problem",
    "qens",
    "sas",
    "xpcs",
)
_NAMES = {
    "Amplitude": "problem",
    "Dataset": "problem",
    "Gaussian": "problem",
    "joint": "problem",
    "model": "problem",
    "Parameter": "problem",
    "ParameterSet": "problem",
    "Poisson": "problem",
    "Problem": "problem",
    "bare_cost": "problem",
    "combine_fits": "infer",
    "consensus": "infer",
    "enable_cache": "infer",
    "initialize": "infer",
    "shard": "infer",
    "fit": "infer",
    "fit_batch": "infer",
    "laplace": "infer",
    "load_result": "infer",
    "map_fit": "infer",
    "multistart": "infer",
    "profile": "infer",
    "sample": "infer",
    "split_groups": "infer",
    "streamed": "infer",
}

if TYPE_CHECKING:
    from . import cbed, examples, infer, io, numerics, plot, problem, qens, sas, xpcs
    from .infer import (
        combine_fits,
        consensus,
        enable_cache,
        fit,
        fit_batch,
        initialize,
        laplace,
        load_result,
        map_fit,
        multistart,
        profile,
        sample,
        shard,
        split_groups,
        streamed,
    )
    from .problem import (
        Amplitude,
        Dataset,
        Gaussian,
        Parameter,
        ParameterSet,
        Poisson,
        Problem,
        bare_cost,
        joint,
        model,
    )

__all__ = [
    "Amplitude",
    "Dataset",
    "Gaussian",
    "Parameter",
    "ParameterSet",
    "Poisson",
    "Problem",
    "bare_cost",
    "cbed",
    "combine_fits",
    "consensus",
    "enable_cache",
    "examples",
    "fit",
    "fit_batch",
    "infer",
    "initialize",
    "io",
    "joint",
    "laplace",
    "load_result",
    "map_fit",
    "model",
    "multistart",
    "numerics",
    "plot",
    "problem",
    "profile",
    "qens",
    "sample",
    "sas",
    "shard",
    "split_groups",
    "streamed",
    "xpcs",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(_importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})
