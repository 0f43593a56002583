"""Simulated small-angle curves: I(q) of a model, smeared, with Gaussian noise.

Units: q and resolutions in 1/Å, I in 1/cm.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from ..problem import Dataset
from . import arguments, resolution
from .dataset import from_arrays
from .forward import intensity

Numbers: TypeAlias = ArrayLike | Sequence[float]


def simulate(
    model: Any,
    q: Numbers | None = None,
    *,
    dq: Numbers | None = None,
    q_length: Numbers | None = None,
    q_width: Numbers | None = None,
    relative: float | int = 0.0,
    absolute: float | int = 0.0,
    counts: float | int | None = None,
    seed: int | np.integer = 0,
    n_quad: int | None = None,
    chunk: int | None = None,
    **parameters: Any,
) -> Dataset:
    """Data of a known truth, laid out as those of `load`.

    The noise is Gaussian of variance (relative · I)² + absolute² + I / counts. Without
    any of the three there is none, and the data have no errors. The truth is kept in
    the metadata: "model", "truth", "options", "noise" and "seed".

    Args:
        model: name or model object, as in `intensity`.
        q: (n,) in 1/Å, in any order; by default 200 points from 0.003 to 0.5 1/Å in
            equal steps of ln q, what a SANS pinhole instrument covers.
        dq: standard deviation of a pinhole's resolution in 1/Å, one number or (n,).
        q_length: slit length in 1/Å, one number or (n,).
        q_width: slit width in 1/Å, one number or (n,).
        relative: error in units of I, as 0.02.
        absolute: error in 1/cm.
        counts: neutrons or photons of a point per 1/cm; their √N is part of the error.
        seed: the same seed gives the same noise.
        n_quad: as in `intensity`.
        chunk: as in `intensity`.
        parameters: as in `intensity`; others keep their defaults.

    Raises:
        ValueError: an unknown model, values outside limits, q, resolution, noise or
            seed that cannot be used.
        TypeError: an unknown parameter.
    """
    component, values, settings = arguments.read(model, parameters)
    given = np.geomspace(0.003, 0.5, 200) if q is None else q
    at = arguments.checked_q(component, given)
    order = np.argsort(at, kind="stable")
    at = at[order]
    columns: dict[str, Any] = {
        name: _column(name, column, order)
        for name, column in (("dq", dq), ("q_length", q_length), ("q_width", q_width))
        if column is not None
    }
    smearing = _smearing(at, columns)
    clean = np.asarray(
        intensity(
            model, at, resolution=smearing, n_quad=n_quad, chunk=chunk, **parameters
        )
    )
    if not np.all(np.isfinite(clean)):
        raise DataError(f"{component.name} has no value (NaN) for these parameters")
    sigma, noise = _sigma(clean, relative, absolute, counts)
    rng = np.random.default_rng(_seed(seed))
    noisy = clean if sigma is None else clean + sigma * rng.standard_normal(at.size)
    metadata = {
        "title": f"simulated {component.name}",
        "sample": f"simulated {component.name}, seed {seed}",
        "model": component.name,
        "truth": {k: float(v) for k, v in values.items() if np.ndim(v) == 0},
        "options": dict(settings.options),
        "noise": noise,
        "seed": int(seed),
        **columns,
    }
    return from_arrays(
        at,
        noisy,
        sigma,
        weights="none" if sigma is None else "dI",
        metadata=metadata,
        **columns,
    )


def _column(name: str, column: Numbers, order: np.ndarray) -> np.ndarray:
    """A resolution, one number per point in the order of q."""
    array = np.asarray(column, float)
    if array.shape not in ((), order.shape):
        raise DataError(
            f"{name} has shape {array.shape}; expected one number or {order.shape}"
        )
    return np.broadcast_to(array, order.shape)[order]


def _smearing(
    q: np.ndarray, columns: dict[str, np.ndarray]
) -> resolution.Resolution | None:
    if "dq" in columns:
        if len(columns) > 1:
            raise DataError("both dq of a pinhole and a slit are given; expected one")
        return resolution.pinhole(q, columns["dq"])
    if columns:
        none = np.zeros(q.shape)
        length, width = (columns.get(k, none) for k in ("q_length", "q_width"))
        return resolution.slit(q, length, width)
    return None


def _sigma(
    clean: np.ndarray,
    relative: float | int,
    absolute: float | int,
    counts: float | int | None,
) -> tuple[np.ndarray | None, str]:
    """Standard deviations, None for no noise, and their rule in words."""
    for name, value in (("relative", relative), ("absolute", absolute)):
        if not (math.isfinite(value) and value >= 0):
            raise DataError(f"{name} is {value}; expected a number >= 0")
    variance = np.square(relative * clean) + absolute**2
    said = [f"{relative:g} I"] * (relative > 0)
    said += [f"{absolute:g} 1/cm"] * (absolute > 0)
    if counts is not None:
        if not (math.isfinite(counts) and counts > 0):
            raise DataError(f"counts is {counts}; expected a positive number")
        if np.any(clean < 0):
            raise DataError(
                f"I falls to {np.min(clean):.4g} 1/cm, of which there are no counts; "
                "expected I >= 0"
            )
        variance = variance + clean / counts
        said.append(f"√(I / {counts:g})")
    if not said:
        return None, "none"
    if not np.all(variance > 0):
        raise DataError(
            "I is 0 somewhere, and so is its error; expected an absolute error too"
        )
    return np.sqrt(variance), "Gaussian, σ² is the sum of the squares of " + (
        ", ".join(said)
    )


def _seed(seed: int | np.integer) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DataError(f"seed is {seed!r}; expected a whole number >= 0")
    return int(seed)
