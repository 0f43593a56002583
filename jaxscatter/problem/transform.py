"""Bijections between the box of a parameter and the real line.

Used by samplers, by Laplace in u and by the optax route; never by least squares, whose
optimum may lie on a bound. Table: x(u) and log|dx/du| of each kind.

    none   u                            0
    lower  lo + exp(u)                  u
    upper  hi - exp(u)                  u
    both   lo + (hi - lo) s(u)          log(hi - lo) - softplus(u) - softplus(-u)
    log    lo (hi/lo)^s(u)              log(x log(hi/lo)) - softplus(u) - softplus(-u)

with s(u) = 1/(1 + exp(-u)). "log" serves log-uniform priors over decades.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

KINDS = ("none", "lower", "upper", "both", "log")


def kind_of(lo: float, hi: float, log: bool = False) -> str:
    """Kind of transform for bounds `lo`, `hi`; `log` asks for the one in log x."""
    if log and lo > 0 and np.isfinite(hi):
        return "log"
    if np.isfinite(lo):
        return "both" if np.isfinite(hi) else "lower"
    return "upper" if np.isfinite(hi) else "none"


def _masks(kinds: Sequence[str]) -> dict[str, np.ndarray]:
    return {k: np.array([kind == k for kind in kinds], dtype=bool) for k in KINDS}


def to_x(
    u: Float[Array, " p"],
    lo: Float[Array, " p"],
    hi: Float[Array, " p"],
    kinds: Sequence[str],
) -> tuple[Float[Array, " p"], Float[Array, " p"]]:
    """User values x(u) and log|dx/du|, one per entry."""
    m = _masks(kinds)
    log_box = (
        jnp.log(jnp.where(m["log"], lo, 1.0)),
        jnp.log(jnp.where(m["log"], hi, 1.0)),
    )
    low = jnp.where(m["log"], log_box[0], jnp.where(m["upper"] | m["none"], 0.0, lo))
    high = jnp.where(m["log"], log_box[1], jnp.where(m["both"] | m["upper"], hi, 1.0))
    width = jnp.where(m["both"] | m["log"], high - low, 1.0)
    exponent = jnp.exp(jnp.where(m["lower"] | m["upper"], u, 0.0))
    inside = low + width * jax.nn.sigmoid(u)
    bounded = jnp.log(width) - jax.nn.softplus(u) - jax.nn.softplus(-u)
    log_x = jnp.where(m["log"], inside, 0.0)
    x = jnp.where(m["none"], u, inside)
    x = jnp.where(m["lower"], low + exponent, x)
    x = jnp.where(m["upper"], high - exponent, x)
    x = jnp.where(m["log"], jnp.exp(log_x), x)
    slope = jnp.where(m["none"], 0.0, bounded + log_x)
    slope = jnp.where(m["lower"] | m["upper"], u, slope)
    return x, slope


def to_u(
    x: Float[Array, " p"],
    lo: Float[Array, " p"],
    hi: Float[Array, " p"],
    kinds: Sequence[str],
) -> Float[Array, " p"]:
    """Unconstrained image of x, moved inside the box by 1e-6 of its width first.

    With one finite bound, only an x on or beyond it is moved: nothing tells its scale.
    """
    m = _masks(kinds)
    log = m["log"]
    value = jnp.where(log, jnp.log(jnp.where(log, jnp.clip(x, lo, hi), 1.0)), x)
    low = jnp.where(log, jnp.log(jnp.where(log, lo, 1.0)), lo)
    high = jnp.where(log, jnp.log(jnp.where(log, hi, 1.0)), hi)
    boxed = m["both"] | log
    width = jnp.where(boxed, high - low, 1.0)
    fraction = jnp.where(boxed, (value - low) / width, 0.5)
    fraction = jnp.clip(fraction, 1e-6, 1 - 1e-6)
    u = jnp.where(boxed, jnp.log(fraction) - jnp.log1p(-fraction), x)
    margin = 1e-6 * jnp.maximum(1.0, jnp.abs(x))
    above = jnp.where(m["lower"], jnp.where(x > lo, x - lo, margin), 1.0)
    below = jnp.where(m["upper"], jnp.where(x < hi, hi - x, margin), 1.0)
    u = jnp.where(m["lower"], jnp.log(above), u)
    return jnp.where(m["upper"], jnp.log(below), u)
