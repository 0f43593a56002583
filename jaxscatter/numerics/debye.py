"""Debye function of Gaussian chains, smooth at 0.

References:
    [1] P. Debye, J. Phys. Colloid Chem. 51, 18 (1947).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ._dtype import common_float

_NEAR = 1.0  # |x| below which the series is used
_TERMS = 19


def debye(x: Floats) -> Float[Array, "..."]:
    """2(e⁻ˣ - 1 + x)/x², 1 at x = 0: P(q) of a Gaussian chain at x = (q R_g)².

    Tends to 1 - x/3 as x → 0 and to 2/x as x → ∞.
    """
    (x,) = common_float(x)
    near = jnp.abs(x) < _NEAR
    small = jnp.where(near, x, 0.0)
    series = jnp.ones_like(x)
    for k in range(_TERMS, 2, -1):
        series = 1 - small / k * series
    large = jnp.where(near, _NEAR, x)
    # one division at a time: x² would overflow long before 2/x vanishes
    direct = 2 * (1 - (1 - jnp.exp(-large)) / large) / large
    return jnp.where(near, series, direct)
