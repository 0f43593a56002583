"""The diagonal of a two-time correlation, replaced by its neighbours for display.

A measured diagonal holds the self-correlation of single photons. It never enters χ².
"""

import numpy as np

from .._types import Floats
from ..errors import DataError, ModelError

METHODS = ("basic", "statistical", "interpolation")
ESTIMATORS = ("median", "mean", "trimmed_mean")


def corrected_diagonal(
    c2: Floats,
    method: str = "basic",
    *,
    window: int = 3,
    estimator: str = "median",
    trim: float = 0.2,
    order: str = "linear",
) -> np.ndarray:
    """Copy of c2, (n, n) or (φ, n, n), with its diagonal replaced.

    Args:
        c2: symmetric matrices.
        method: "basic", the mean of the neighbours (k-1, k) and (k, k+1);
            "statistical", of all entries up to `window` frames away in the row and the
            column; "interpolation", along the diagonal between (k-1, k) and (k, k+1).
        window: frames, of "statistical".
        estimator: "median", "mean" or "trimmed_mean", of "statistical".
        trim: fraction left out at each end, of "trimmed_mean".
        order: "linear" or "cubic", of "interpolation".

    NaNs are left out of a statistic. A matrix of one frame is returned as it is.

    Raises:
        DataError: not square. ModelError: an option that does not exist.
    """
    for name, value, known in (
        ("method", method, METHODS),
        ("estimator", estimator, ESTIMATORS),
        ("order", order, ("linear", "cubic")),
    ):
        if value not in known:
            raise ModelError(f"{name} is {value!r}; expected one of {list(known)}")
    if window < 1:
        raise ModelError(f"window is {window}; expected at least one frame")
    if not 0 <= trim < 0.5:
        raise ModelError(f"trim is {trim}; expected a fraction in [0, 0.5)")
    out = np.array(c2, dtype=float)
    if out.ndim not in (2, 3) or out.shape[-1] != out.shape[-2]:
        raise DataError(f"c2 has shape {out.shape}; expected (n, n) or (φ, n, n)")
    n = out.shape[-1]
    if n <= 1:
        return out
    index = np.arange(n)
    side = 0.5 * (out[..., index[:-1], index[1:]] + out[..., index[1:], index[:-1]])
    if method == "statistical":
        new = _statistic(out, window, estimator, trim)
    elif method == "interpolation" and order == "cubic" and n > 4:
        new = _cubic(side)
    else:
        new = np.empty(out.shape[:-1])
        new[..., 0], new[..., -1] = side[..., 0], side[..., -1]
        new[..., 1:-1] = 0.5 * (side[..., :-1] + side[..., 1:])
    out[..., index, index] = new
    return out


def _statistic(c2: np.ndarray, window: int, estimator: str, trim: float) -> np.ndarray:
    """A robust mean of the entries near each diagonal one."""
    n = c2.shape[-1]
    near = np.full((*c2.shape[:-1], 4 * window), np.nan)
    index = np.arange(n)
    slot = 0
    for o in range(1, window + 1):
        for sign in (1, -1):
            other = index + sign * o
            ok = (other >= 0) & (other < n)
            near[..., ok, slot] = c2[..., other[ok], index[ok]]
            near[..., ok, slot + 1] = c2[..., index[ok], other[ok]]
            slot += 2
    values = np.sort(near, axis=-1)  # NaNs last
    count = np.sum(np.isfinite(values), axis=-1)
    cut = np.zeros_like(count)
    if estimator == "median":
        cut = np.maximum((count - 1) // 2, 0)
    elif estimator == "trimmed_mean":
        cut = (trim * count).astype(int)
    slots = np.arange(values.shape[-1])
    use = (slots >= cut[..., None]) & (slots < (count - cut)[..., None])
    total = np.sum(np.where(use, values, 0.0), axis=-1)
    return np.where(count > 0, total / np.maximum(use.sum(axis=-1), 1), np.nan)


def _cubic(side: np.ndarray) -> np.ndarray:
    """Natural cubic spline of the neighbours, which stand between the frames."""
    from scipy.interpolate import CubicSpline

    m = side.shape[-1]
    spline = CubicSpline(np.arange(m) + 0.5, side, axis=-1, bc_type="natural")
    inner = spline(np.arange(1, m))
    return np.concatenate([side[..., :1], inner, side[..., -1:]], axis=-1)
