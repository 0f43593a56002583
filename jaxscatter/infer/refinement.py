"""Models whose numerical resolution depends on where the parameters go.

A model may be accurate only near its start (`AbstractModel.refined`): a fit that has
left that region goes on with a finer one, and says so.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import AbstractModel, AbstractProblem, Problem

ROUNDS = 3
"""Times a fit goes on with a finer model."""


def refines(problem: AbstractProblem) -> bool:
    """Whether any of its models may have to be replaced by a finer one."""
    kinds = [type(part.model) for part in problem.parts]
    return any(kind.refined is not AbstractModel.refined for kind in kinds)


def refined(problem: AbstractProblem, x: Float[Array, " p"]) -> AbstractProblem:
    """The problem with models that are accurate at x: itself, if they are."""
    theta = problem.named(x)
    count = iter(range(len(problem.parts)))

    def change(part: Problem) -> Problem:
        return part.refined(problem.part_theta(next(count), theta))

    return problem.each(change)


def refined_over(problem: AbstractProblem, draws: Mapping[str, Any]) -> AbstractProblem:
    """The same at the largest drawn value of every parameter at once."""
    x = np.array(problem.start())
    for i, label in enumerate(problem.parameters.labels):
        if label in draws:
            x[i] = np.max(np.asarray(draws[label]))
    return refined(problem, jnp.asarray(x))
