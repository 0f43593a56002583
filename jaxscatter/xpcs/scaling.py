"""Contrast and offset of the angles: how they are found, and from data alone.

mode                 contrast and offset
"varpro"             of every angle, solved for at every step
"individual"         of every angle, as parameters
"averaged"           one pair for all angles, solved for at every step
"auto"               "averaged" from three angles on, else "varpro"
"constant"           of every angle, held at its quantile estimate
"constant_averaged"  one pair, held at the mean of the quantile estimates
"fixed"              held at given numbers
"fourier"            Σ_k [c_k cos kφ + s_k sin kφ], k ≤ 2, with the coefficients as
parameters; "individual" for six angles and fewer
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats
from ..errors import DataError, ModelError
from ..problem import Parameter, prior
from .parameters import DEFAULTS

FEWEST = 100
ORDER = 2
"""Largest k of "fourier"."""
AVERAGED_FROM = 3
"""Angles from which "auto" takes one pair for all."""
SCALINGS = (
    "varpro",
    "individual",
    "averaged",
    "auto",
    "constant",
    "constant_averaged",
    "fixed",
    "fourier",
)
_FIRST = {"contrast": (0.1, 0.8), "offset": (0.5, 1.5)}
_HIGHER = {"contrast": 0.2, "offset": 0.3}


def resolved(scaling: str, n_angles: int) -> str:
    """The mode that "auto" and "fourier" become for so many angles."""
    if scaling == "auto":
        return "averaged" if n_angles >= AVERAGED_FROM else "varpro"
    if scaling == "fourier" and n_angles <= 2 * (ORDER + 1):
        return "individual"
    return scaling


def held(
    scaling: str,
    data: Any,
    bounds: dict[str, tuple[float, float]],
    given: dict[str, float | Sequence[float] | np.ndarray | None],
) -> dict[str, np.ndarray]:
    """Contrast and offset per group for the modes that hold them.

    Raises:
        ModelError: "fixed" without numbers, numbers with another mode, or quantiles of
            streamed data.
        DataError: numbers of the wrong count or outside the bounds.
    """
    groups = data.n_groups
    missing = [n for n, v in given.items() if v is None]
    if scaling == "fixed":
        if missing:
            raise ModelError(f"scaling='fixed' needs {' and '.join(missing)}")
        return {n: _per_group(n, v, groups, bounds[n]) for n, v in given.items()}
    if len(missing) < len(given):
        named = [n for n in given if n not in missing]
        raise ModelError(f"{' and '.join(named)} go with scaling='fixed' only")
    if data.streamed:
        raise ModelError(f"scaling={scaling!r} needs all points at once; use load")
    lag = np.asarray(data.coords["late"]) - np.asarray(data.coords["early"])
    lag = lag.astype(float)
    y = np.where(np.asarray(data.mask) > 0, np.asarray(data.y), np.nan)
    pairs = [
        quantile_scaling(row, lag, bounds["contrast"], bounds["offset"]) for row in y
    ]
    table = np.array(pairs)
    if scaling == "constant_averaged":
        table = np.broadcast_to(table.mean(axis=0), table.shape)
    return {"contrast": table[:, 0].copy(), "offset": table[:, 1].copy()}


def _per_group(
    name: str, value: Any, groups: int, bounds: tuple[float, float]
) -> np.ndarray:
    v = np.asarray(value, dtype=float)
    if v.shape not in ((), (groups,)) or not np.all(np.isfinite(v)):
        raise DataError(f"{name} is {value}; expected one finite number or {groups}")
    if np.any((v < bounds[0]) | (v > bounds[1])):
        raise DataError(f"{name} is {value}, outside its bounds {bounds}")
    return np.broadcast_to(v, (groups,)).copy()


def fourier_names(name: str) -> tuple[str, ...]:
    """Names of the coefficients of contrast or offset, in the order of the series."""
    pairs = ((f"{name}_c{k}", f"{name}_s{k}") for k in range(1, ORDER + 1))
    return (f"{name}_c0", *(n for pair in pairs for n in pair))


def fourier_terms(phi: Any) -> Float[Array, "..."]:
    """1, cos φ, sin φ, cos 2φ, ... of an angle in degrees, along a last axis."""
    turn = jnp.deg2rad(jnp.asarray(phi))
    terms = [jnp.ones_like(turn)]
    for k in range(1, ORDER + 1):
        terms += [jnp.cos(k * turn), jnp.sin(k * turn)]
    return jnp.stack(terms, axis=-1)


def fourier_parameters(phi: np.ndarray, solved: dict[str, np.ndarray]) -> list:
    """The coefficients as parameters, from least squares to solved values."""
    terms = np.asarray(fourier_terms(phi))
    out = []
    for name, values in solved.items():
        start, *_ = np.linalg.lstsq(terms, values, rcond=None)
        r = DEFAULTS[name]
        for label, value in zip(fourier_names(name), start, strict=True):
            first = label.endswith("_c0")
            lo, hi = _FIRST[name] if first else (-_HIGHER[name], _HIGHER[name])
            margin = 1e-3 * (hi - lo)
            mean, sd = (r.mean, r.sd) if first else (0.0, _HIGHER[name])
            out.append(
                Parameter(
                    label,
                    float(np.clip(value, lo + margin, hi - margin)),
                    bounds=(lo, hi),
                    prior=prior.named("truncated_normal", mean, sd, lo, hi),
                    doc=f"Fourier coefficient of the {name} over the angles",
                )
            )
    return out


def quantile_scaling(
    c2: Floats,
    lag: Floats,
    contrast_bounds: tuple[float, float] | None = None,
    offset_bounds: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """(contrast, offset) of one angle.

    The offset is the 10th percentile of c2 at the longest fifth of the lags, the
    contrast the 90th percentile at the shortest fifth minus the offset, both drawn into
    their bounds. Fewer than 100 finite points give the middles of the bounds.

    Args:
        c2: values of any shape; not finite ones are left out.
        lag: |t1 - t2| of the same shape, in any unit.
        contrast_bounds: default [0, 1].
        offset_bounds: default [0.5, 1.5].

    Raises:
        DataError: different shapes.
    """
    y, tau = np.asarray(c2, dtype=float), np.asarray(lag, dtype=float)
    if y.shape != tau.shape:
        raise DataError(
            f"c2 has shape {y.shape} and lag {tau.shape}; expected the same"
        )
    own = {n: (DEFAULTS[n].lo, DEFAULTS[n].hi) for n in ("contrast", "offset")}
    c_lo, c_hi = contrast_bounds or own["contrast"]
    o_lo, o_hi = offset_bounds or own["offset"]
    good = np.isfinite(y) & np.isfinite(tau)
    y, tau = y[good], tau[good]
    if y.size < FEWEST:
        return 0.5 * (c_lo + c_hi), 0.5 * (o_lo + o_hi)
    far = y[tau >= np.percentile(tau, 80)]
    near = y[tau <= np.percentile(tau, 20)]
    offset = float(np.clip(np.percentile(far, 10), o_lo, o_hi))
    contrast = float(np.clip(np.percentile(near, 90) - offset, c_lo, c_hi))
    return contrast, offset
