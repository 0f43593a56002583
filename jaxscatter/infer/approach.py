"""First steps of a least-squares fit in a model's own better coordinates.

A curved valley (a power law with an offset) costs the trust region hundreds of short
steps in the named parameters, and a few in coordinates that straighten it. The bounds
are no box there, so these steps may leave it. The fit proper goes on from the best of
three, the start, the last point inside and the end drawn into the box, and decides about
convergence.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from ..problem.coordinates import Coordinates
from . import trust_region as tr
from .box import Box
from .providers import Objective

TRIALS = 60
_INSIDE = 1e-6


def approached(
    objective: Objective, limits: Box, x: Float[Array, " p"]
) -> tuple[Float[Array, " p"], int]:
    """Where the fit should start, and the trials it took to get there."""
    coordinates = objective.problem.coordinates
    if not any(g.first_steps for g in coordinates.groups):
        return x, 0
    end, trials = _walked(objective, limits, jnp.clip(x, limits.lo, limits.hi))
    return end, int(trials)


@eqx.filter_jit
def _walked(objective: Objective, limits: Box, x: Array) -> tuple[Array, Array]:
    problem = objective.problem
    coordinates: Coordinates = problem.coordinates
    moved = np.zeros(x.shape, bool)
    for group, at in zip(coordinates.groups, coordinates.index, strict=True):
        moved[list(at)] = group.first_steps
    lo = jnp.where(moved, coordinates.lo + _INSIDE, limits.lo)
    hi = jnp.where(moved, coordinates.hi - _INSIDE, limits.hi)
    scale = jnp.where(moved, 1.0, limits.scale)

    def normal(z: Array) -> Any:
        h, g, c = objective.normal(coordinates.from_z(z))
        slope = jax.jacfwd(coordinates.from_z)(z)
        return slope.T @ h @ slope, slope.T @ g, c

    def cost(z: Array) -> Array:
        return objective.cost(coordinates.from_z(z))

    common = (lo, hi, scale, problem.data.count, tr.Options(max_trials=TRIALS))
    first = tr.start(normal, coordinates.to_z(x), *common, exact=objective.exact)

    def trial(carry: tuple) -> tuple:
        state, kept = carry
        state = tr.advance(
            state, normal, cost, *common, exact=objective.exact, trials=1
        )
        x = coordinates.from_z(state.x)
        inside = jnp.all((x >= limits.lo) & (x <= limits.hi))
        return state, jnp.where(inside, x, kept)

    def goes_on(carry: tuple) -> Array:
        return (carry[0].code == tr.RUNNING) & (carry[0].trials < TRIALS)

    state, kept = lax.while_loop(goes_on, trial, (first, x))
    end = jnp.clip(coordinates.from_z(state.x), limits.lo, limits.hi)
    points = jnp.stack([x, kept, end])
    costs = jnp.stack([objective.cost(p) for p in points])
    return points[jnp.nanargmin(costs)], state.trials
