"""Contrast and offset of an angle from quantiles of its data, without a model."""

import numpy as np

from .._types import Floats
from ..errors import DataError
from .parameters import DEFAULTS

FEWEST = 100


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
