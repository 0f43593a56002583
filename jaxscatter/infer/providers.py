"""Providers of the triple (H, g, cost): what a solver sees of a problem.

Dense holds all points at once, streamed one chunk at a time, sharded gives each device
its own points; all run the same passes (`jaxscatter.problem.passes`) and agree to
1e-10. `streamed` picks the chunk from a memory budget; `automatic` streams only what
would not fit; `shard` (in `devices`) spreads a problem over a mesh. A model's own
`normal_block` needs no choice: it goes block by block.
"""

import math
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..problem import AbstractProblem, Problem, passes
from ..problem.problem import Normal

_P = TypeVar("_P", bound=AbstractProblem)

DENSE_LIMIT = 2e7
"""Largest Jacobian held at once, in numbers (160 MB)."""


def tangent_count(problem: Problem) -> int:
    """Tangents a group sees: shared plus kinds of local parameters."""
    where = problem.layout
    return len(where.shared) + len(where.local)


def streamed(problem: _P, numbers: float | int = DENSE_LIMIT / 4) -> _P:
    """The problem in chunks whose columns and tangents hold about `numbers` numbers."""
    problem.require_likelihood("js.streamed")

    def cut(part: Problem) -> Problem:
        columns = max(1, len(part.model.amplitudes))
        per_point = part.data.n_groups * columns * (tangent_count(part) + 1)
        return part.with_(chunk=max(1, math.floor(numbers / per_point)))

    return problem.each(cut)


def automatic(problem: _P) -> _P:
    """The problem as it is if its Jacobian fits, else streamed."""

    def fitting(part: Problem) -> Problem:
        if part.chunk is not None or passes.has_blocks(part):
            return part
        size = part.data.n_groups * part.data.n_points * tangent_count(part)
        return part if size < DENSE_LIMIT else streamed(part, DENSE_LIMIT / 4)

    return problem.each(fitting)


class Objective(eqx.Module):
    """Cost of a fit or of a MAP, and its Gauss-Newton triple.

    `prior` adds -log prior, counted from `peak`, its largest value in the box; a
    Gaussian prior adds exactly the squares of its standardised residuals. `linear`
    other than "profile" takes the amplitudes' marginal likelihood instead. Where the
    scale of the noise is integrated out, these two weigh against (m/2) log χ².
    """

    problem: AbstractProblem
    peak: Float[Array, ""]
    prior: bool = eqx.field(static=True, default=False)
    linear: str = eqx.field(static=True, default="profile")

    def cost(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """What is minimised."""
        if self.linear == "profile":
            total = self._weighed(self.problem.cost(x))
        else:
            total = -self.problem.loglike(x, self.linear)
        return total + self._penalty(x) if self.prior else total

    def slope(self, x: Float[Array, " p"]) -> tuple[Array, Array]:
        """Gradient and cost."""
        _, g, c = self.normal(x)
        return g, c

    @property
    def size(self) -> Float[Array, ""]:
        """What first-order methods divide the cost by: the number of points."""
        return jnp.maximum(self.problem.count, 1.0)

    def normal(self, x: Float[Array, " p"]) -> tuple[Array, Array, Array]:
        """(H, g, cost), with the prior's curvature clipped at 0."""
        return self.augmented(self.problem.normal(x), x)

    def augmented(
        self, triple: Normal, x: Float[Array, " p"]
    ) -> tuple[Array, Array, Array]:
        """(H, g, cost) from the problem's own triple at x."""
        h, g, c = triple.hessian, triple.gradient, triple.cost
        if self.scale_integrated:
            factor = self._count / (2 * c)
            h, g, c = factor * h, factor * g, self._weighed(c)
        if self.linear != "profile":
            c, g = jax.value_and_grad(lambda x: -self.problem.loglike(x, self.linear))(
                x
            )
        if self.prior:
            slope = jax.grad(self._penalty)
            # independent priors: the Hessian is diagonal
            curvature = jax.jvp(slope, (x,), (jnp.ones_like(x),))[1]
            h = h + jnp.diag(jnp.maximum(curvature, 0.0))
            g = g + slope(x)
            c = c + self._penalty(x)
        return h, g, c

    def _penalty(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        return self.peak - self.problem.parameters.log_prior(x)

    def _weighed(self, misfit: Float[Array, ""]) -> Float[Array, ""]:
        if not self.scale_integrated:
            return misfit
        return 0.5 * self._count * jnp.log(2 * misfit)

    @property
    def scale_integrated(self) -> bool:
        """Whether ½χ² is replaced by (m/2) log χ²."""
        weighed = self.prior or self.linear != "profile"
        noises = (part.likelihood.noise for part in self.problem.parts)
        return weighed and "scale_marginal" in noises

    @property
    def _count(self) -> Float[Array, ""]:
        (part,) = self.problem.parts  # this noise cannot be joined
        points = part.data.count
        if self.linear != "flat":
            return points
        groups = part.data.n_groups
        solved = [a for a in part.linear if a.held is None]
        return points - sum(1 if a.shared else groups for a in solved)

    @property
    def exact(self) -> bool:
        """Whether the cost is half a sum of squares and nothing else."""
        return not (self.prior or self.problem.log_terms or self.linear != "profile")


@eqx.filter_jit
def cost_at(objective: Any, x: Float[Array, " p"]) -> Float[Array, ""]:
    """Cost at x, compiled."""
    return objective.cost(x)


@eqx.filter_jit
def normal_at(
    objective: Objective, x: Float[Array, " p"]
) -> tuple[Array, Array, Array]:
    """(H, g, cost) at x, compiled."""
    return objective.normal(x)
