"""First steps of a least-squares fit in a model's own better coordinates.

A curved valley (a power law with an offset) costs the trust region hundreds of short
steps in the named parameters, and a few in coordinates that straighten it. The bounds
are no box there, so these steps may leave it. The fit proper goes on from the best of
three points, the start, the last one inside and the end drawn into the box, and decides
about convergence.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from . import trust_region as tr
from .box import Box
from .providers import Objective

TRIALS = 60
_INSIDE = 1e-6


class Frame(eqx.Module):
    """An objective as a function of the named parameters or of better coordinates.

    Which of the two is a number, so that one compilation serves both.
    """

    objective: Objective
    better: Bool[Array, ""]

    @property
    def has_better(self) -> bool:
        """Whether the model has coordinates for first steps."""
        groups = self.objective.problem.coordinates.groups
        return any(g.first_steps for g in groups)

    def x(self, z: Float[Array, " p"]) -> Float[Array, " p"]:
        """Named parameters of a point."""
        if not self.has_better:
            return z
        coordinates = self.objective.problem.coordinates
        # what is not used must stay finite for the derivatives' sake
        safe = jnp.where(self.better, z, coordinates.to_z(z))
        return jnp.where(self.better, coordinates.from_z(safe), z)

    def cost(self, z: Float[Array, " p"]) -> Float[Array, ""]:
        """What is minimised."""
        return self.objective.cost(self.x(z))

    def normal(self, z: Float[Array, " p"]) -> tuple[Array, Array, Array]:
        """(H, g, cost) with respect to the point."""
        h, g, c = self.objective.normal(self.x(z))
        if not self.has_better:
            return h, g, c
        slope = jax.jacfwd(self.objective.problem.coordinates.from_z)(
            self.objective.problem.coordinates.to_z(self.x(z))
        )
        slope = jnp.where(self.better, slope, jnp.eye(len(z)))
        return slope.T @ h @ slope, slope.T @ g, c


def frame(objective: Objective, better: bool = False) -> Frame:
    """Frame of an objective; the named parameters unless `better`."""
    return Frame(objective, jnp.asarray(better))


def approached(
    objective: Objective,
    limits: Box,
    x: Float[Array, " p"],
    start: Callable[..., tr.State],
    advance: Callable[..., tr.State],
) -> tuple[tr.State, int]:
    """State at which the fit proper begins, and the trials it took to get there.

    Args:
        objective: of the fit.
        limits: its box.
        x: start values.
        start: `start(frame, box, x)`, compiled.
        advance: `advance(frame, box, state, trials)`, compiled.
    """
    plain = frame(objective)
    first = start(plain, limits, x)
    if not plain.has_better or int(first.code) != tr.RUNNING:
        return first, 0
    coordinates = objective.problem.coordinates
    moved = np.zeros(x.shape, bool)
    for group, at in zip(coordinates.groups, coordinates.index, strict=True):
        moved[list(at)] = group.first_steps
    wide = eqx.tree_at(
        lambda b: (b.lo, b.hi, b.scale),
        limits,
        (
            jnp.where(moved, coordinates.lo + _INSIDE, limits.lo),
            jnp.where(moved, coordinates.hi - _INSIDE, limits.hi),
            jnp.where(moved, 1.0, limits.scale),
        ),
    )
    better = frame(objective, better=True)
    state = start(better, wide, _to_z(better, first.x))
    inside, lowest = first.x, float(first.cost)
    while int(state.code) == tr.RUNNING and int(state.trials) < TRIALS:
        state = advance(better, wide, state, jnp.asarray(1))
        x = _named(better, state.x)
        if bool(jnp.all((x >= limits.lo) & (x <= limits.hi))):
            inside, lowest = x, float(state.cost)
    trials = int(state.trials)
    end = jnp.clip(_named(better, state.x), limits.lo, limits.hi)
    states = [first, start(plain, limits, end)]
    if lowest < float(first.cost) and not np.array_equal(inside, end):
        states.append(start(plain, limits, inside))
    costs = [float(s.cost) for s in states]
    return states[int(np.nanargmin(costs))], trials


@eqx.filter_jit
def _to_z(frame: Frame, x: Array) -> Array:
    return frame.objective.problem.coordinates.to_z(x)


@eqx.filter_jit
def _named(frame: Frame, z: Array) -> Array:
    return frame.x(z)
