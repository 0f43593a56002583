"""The box a solver works in."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import AbstractProblem


class Box(eqx.Module):
    """Bounds, scales and period of the free parameters, as the solver takes them."""

    lo: Float[Array, " p"]
    hi: Float[Array, " p"]
    scale: Float[Array, " p"]
    low: Float[Array, " p"]
    period: Float[Array, " p"]

    def wrap(self, x: Float[Array, " p"]) -> Float[Array, " p"]:
        """Circular parameters back in their window."""
        safe = jnp.where(jnp.isfinite(self.period), self.period, 1.0)
        turned = self.low + jnp.mod(x - self.low, safe)
        return jnp.where(jnp.isfinite(self.period), turned, x)


def box(problem: AbstractProblem) -> Box:
    """Box of a problem; circular parameters get infinite bounds and a period."""
    lo, hi = problem.parameters.bounds()
    circular = np.array(problem.parameters.circular(), dtype=bool)
    return Box(
        lo=jnp.where(circular, -jnp.inf, lo),
        hi=jnp.where(circular, jnp.inf, hi),
        scale=problem.parameters.scales(),
        low=jnp.where(circular, lo, 0.0),
        period=jnp.where(circular, hi - lo, jnp.inf),
    )
