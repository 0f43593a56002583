"""Priors: numpyro distributions over a parameter in its own unit.

Without one, a parameter with two finite bounds is uniform in them; with an infinite
bound its prior is improper and flat, which fits accept and `sample` refuses.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import PriorError

NAMES = {
    "uniform": "Uniform",
    "normal": "Normal",
    "truncated_normal": "TruncatedNormal",
    "log_normal": "LogNormal",
    "log_uniform": "LogUniform",
    "half_normal": "HalfNormal",
}
_COUNTS = {"truncated_normal": 4, "half_normal": 1}


def named(kind: str, *numbers: float) -> Any:
    """Prior distribution of a name and its numbers, as job files write it.

    Args:
        kind: one of `NAMES`.
        numbers: uniform lo, hi; normal mean, sd; truncated_normal mean, sd, lo, hi;
            log_normal mean and sd of log x; log_uniform lo, hi; half_normal sd.

    Raises:
        PriorError: unknown kind or unusable numbers.
    """
    import numpyro.distributions as dist

    if kind not in NAMES:
        raise PriorError(f"prior {kind!r} is not known; expected one of {list(NAMES)}")
    values = [float(v) for v in numbers]
    if not all(np.isfinite(values)):
        raise PriorError(f"prior {kind!r} has numbers that are not finite: {values}")
    if len(values) != _COUNTS.get(kind, 2):
        raise PriorError(
            f"prior {kind!r} has {len(values)} numbers; expected {_COUNTS.get(kind, 2)}"
        )
    if kind in ("uniform", "truncated_normal") and not values[-2] < values[-1]:
        raise PriorError(f"prior {kind!r} has bounds {values[-2:]}; expected lo < hi")
    try:
        if kind == "truncated_normal":
            mean, sd, lo, hi = values
            return dist.TruncatedNormal(mean, sd, low=lo, high=hi, validate_args=True)
        return getattr(dist, NAMES[kind])(*values, validate_args=True)
    except (TypeError, ValueError) as error:
        raise PriorError(f"prior {kind!r} cannot use {values}: {error}") from None


def check(name: str, prior: Any) -> None:
    """Raise `PriorError` unless `prior` is None or a scalar numpyro distribution."""
    if prior is None:
        return
    import numpyro.distributions as dist

    if not isinstance(prior, dist.Distribution) or prior.event_shape != ():
        raise PriorError(
            f"prior of {name!r} is {prior!r}; expected a univariate numpyro "
            "distribution such as numpyro.distributions.Normal(0.2, 0.05)"
        )


def is_log_uniform(prior: Any) -> bool:
    """Whether the prior is log-uniform, so that log x is its natural coordinate."""
    if type(prior).__name__ == "Tempered":
        prior = prior.base
    return type(prior).__name__ == "LogUniform"


def log_density(
    prior: Any, x: Float[Array, "..."], lo: Array, hi: Array
) -> Float[Array, ""]:
    """Log prior density of one parameter with respect to x, summed over its entries.

    The default uniform density is 1/(hi - lo); an improper flat one counts as 0.
    Outside the support of the prior: -inf with a gradient of 0.
    """
    if prior is not None:
        # A bound on the edge of an open support takes the density's limit there.
        step = 1e-12 * jnp.maximum(1.0, jnp.abs(x))
        other = jnp.where(prior.support(x + step), x + step, x - step)
        near = jnp.where(prior.support(x), x, other)
        allowed = prior.support(near)
        inside = jnp.where(allowed, near, prior.support.feasible_like(x))
        return jnp.sum(jnp.where(allowed, prior.log_prob(inside), -jnp.inf))
    finite = jnp.isfinite(lo) & jnp.isfinite(hi)
    width = jnp.where(finite, hi - lo, 1.0)
    return -jnp.sum(jnp.broadcast_to(jnp.log(width), jnp.shape(x)))
