"""`profile`: χ² along one parameter, everything else refitted."""

import dataclasses
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import interpolate, optimize

from ..errors import FitError, FitWarning
from . import trust_region as tr
from .least_squares import Box, advance_state, box, make_objective, start_state
from .providers import Objective
from .result import FitResult


@dataclasses.dataclass(frozen=True)
class Profile:
    """χ² above its minimum along one parameter, and the interval it gives.

    `lower` and `upper` are where delta chi2 reaches `level`; None where it does not
    within the bounds or the grid, so that the interval is one-sided.
    """

    name: str
    unit: str
    grid: np.ndarray
    delta_chi2: np.ndarray
    level: float
    best: float
    lower: float | None
    upper: float | None


@eqx.filter_jit
def _refit(
    objective: Objective,
    limits: Box,
    values: Float[Array, " m"],
    x: Float[Array, "m p"],
    options: tr.Options,
    position: int,
) -> tuple[Array, Array]:
    """Cost and code with the parameter at `position` held at each of `values`."""

    def value_of(o: Objective) -> Any:
        return o.problem.parameters.parameters[position].value

    def one(value: Array, x: Array) -> tuple[Array, Array]:
        held = eqx.tree_at(value_of, objective, value)
        state = start_state(held, limits, x, options)
        state = advance_state(held, limits, state, options, None)
        return state.cost, state.code

    return jax.vmap(one)(values, x)


def profile(
    result: FitResult,
    name: str,
    *,
    points: int = 21,
    width: float = 4.0,
    level: float = 1.0,
) -> Profile:
    """Asymmetric interval of a parameter from delta chi2 = `level`.

    Args:
        result: a fit with its problem.
        name: a free, shared parameter.
        points: of the grid.
        width: half width of the grid in standard errors.
        level: 1 for 68 %, 4 for 95 %; times reduced chi2 if the fit scaled its errors.

    Raises:
        FitError: the parameter is not free, local, or not determined; or the result
            is a MAP, whose priors a profile of chi2 would leave out.
    """
    problem = result._need()
    problem.require_likelihood("js.profile")
    if "MAP" in result.method:
        raise FitError(
            "a profile follows chi2 without priors: take the result of `fit` or "
            "`multistart`, or `sample`"
        )
    if name not in problem.parameters or not problem.parameters[name].free:
        raise FitError(
            f"{name!r} is not a free parameter; there are {list(result.labels)}"
        )
    if np.ndim(problem.parameters[name].value):
        raise FitError(f"{name!r} is local; profiles are of shared parameters")
    best, error = result[name], result.error(name)
    p = problem.parameters[name]
    lo, hi = float(p.lo), float(p.hi)
    if not np.isfinite(error):
        if np.isinf(error):
            raise FitError(f"{name!r} is not determined by the data: no interval")
        error = 0.05 * float(p.scale)
    grid = best + error * np.linspace(-width, width, points)
    grid = np.unique(np.clip(np.append(grid, best), lo, hi))
    sub = problem.with_(parameters={name: {"fixed": True}})
    if sub.n_parameters == 0:
        costs = np.array(
            [float(sub.with_(parameters={name: v}).cost(jnp.zeros(0))) for v in grid]
        )
        codes = np.ones(len(grid))
    else:
        at = result.labels.index(name)
        others = np.delete(result.x, at)
        # along the valley: the others follow the joint covariance
        slope = np.delete(result.cov[:, at], at) / max(result.cov[at, at], 1e-300)
        start = others[None] + np.outer(grid - best, slope)
        limits = box(sub)
        start = np.clip(start, np.asarray(limits.lo), np.asarray(limits.hi))
        cost, code = _refit(
            make_objective(sub),
            limits,
            jnp.asarray(grid),
            jnp.asarray(start),
            tr.Options(max_trials=60),
            sub.parameters.names.index(name),
        )
        costs, codes = np.asarray(cost), np.asarray(code)
    if np.any(codes <= 0):
        warnings.warn(
            f"{int(np.sum(codes <= 0))} of {len(grid)} refits along {name} did not "
            "converge",
            FitWarning,
            stacklevel=2,
        )
    factor = result.statistics["red_chi2"] if result.scaled else 1.0
    finite = np.isfinite(costs)
    grid, costs = grid[finite], costs[finite]
    floor = min(float(costs.min()), result.statistics["cost"])
    delta = 2 * (costs - floor) / factor
    if 2 * (result.statistics["cost"] - costs.min()) > 1e-3:
        warnings.warn(
            f"the profile of {name} found a lower chi2 than the fit: refit from there",
            FitWarning,
            stacklevel=2,
        )
    # the signed root is straight where chi2 is a parabola
    root = interpolate.PchipInterpolator(grid, np.sign(grid - best) * np.sqrt(delta))

    def edge(side: int) -> float | None:
        def beyond(value: Any) -> Any:
            return side * root(value) - level**0.5

        part = grid[side * (grid - best) >= 0][::side]
        change = np.flatnonzero(np.diff(np.sign(beyond(part))))
        if not len(change):
            return None
        first = change[0]
        ends = sorted(part[first : first + 2])
        return float(optimize.brentq(beyond, *ends))  # type: ignore[arg-type]

    return Profile(
        name=name,
        unit=p.unit,
        grid=grid,
        delta_chi2=delta,
        level=level,
        best=best,
        lower=edge(-1),
        upper=edge(1),
    )
