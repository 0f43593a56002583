"""Nested fits: a search over some parameters around a search over the others.

    minimum over v of  f(v),   f(v) = minimum over w of cost(v, w)

where both minima are found without gradients. Only worth it to follow what other
programs do: a fit of all parameters together needs far fewer evaluations.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..errors import FitError, ParameterError
from ..problem import AbstractProblem, BareCost, ParameterSet
from . import trust_region as tr
from .bare import cost_function, finish_bare
from .finish import finish, held_at
from .host import Found, Search, Stopped, compiled_cost, searched
from .least_squares import make_objective, start_vector
from .progress import Callback, Reporter
from .providers import normal_at
from .result import FitResult


def fit_nested(
    problem: AbstractProblem,
    inner: Sequence[str],
    outer_search: Search,
    inner_search: Search,
    *,
    start: Any = None,
    method: str = "nested",
    scale_covariance: bool | None = None,
    seed: int = 0,
    progress: bool | Callback = False,
    warn: bool = True,
    extra_warnings: tuple[str, ...] = (),
) -> FitResult:
    """Fit by a search over the other parameters around one over `inner`.

    Each inner search starts where the best one so far ended. Errors are those of the
    least squares at the end point, amplitudes projected out; `nfev` counts every value
    of the cost, `nit` the inner searches.

    Args:
        problem: what to fit, a bare cost too.
        inner: names of free parameters.
        outer_search: tolerances and units of the outer search.
        inner_search: the same of the inner ones.
        start: as in `fit`.
        method: what results call it.
        scale_covariance: as in `fit`.
        seed: for the record.
        progress: as in `fit`; an event after every inner search.
        warn: as in `fit`.
        extra_warnings: sentences for the result.

    Raises:
        ParameterError: `inner` names what is not free.
        FitError: no free parameter is left for one of the searches, or the cost is not
            finite at the start.
    """
    tables, places = _split(problem.parameters, inner)
    x0 = np.clip(start_vector(problem, start), *problem.parameters.bounds())
    bare = isinstance(problem, BareCost)
    objective: Any = None if bare else make_objective(problem)
    cost = cost_function(problem) if bare else compiled_cost(objective)
    if not np.isfinite(cost(x0)):
        raise FitError("the cost is not finite at the start of a nested fit")
    nest = _Nest(cost, x0, places, tables[1], inner_search, outer_search, progress)
    try:
        first = x0[places[0]]
        found = searched(nest, outer_search, tables[0], first)
    finally:
        nest.reporter.close()
    x, code, message = nest.best, found.code, f"outer {found.message}"
    if found.success and not nest.converged:
        code = tr.STALLED
        message = "the inner search about the best point has not converged"
    end: dict[str, Any] = {
        "code": code,
        "message": message,
        "method": method,
        "history": nest.costs,
        "seed": seed,
        "warn": warn,
        "arguments": {"start": x0, "inner": list(inner)},
        "extra_warnings": extra_warnings,
    }
    if bare:
        if scale_covariance is not None:
            raise FitError("a bare cost has no covariance to scale")
        counts = {"nit": len(nest.costs), "nfev": nest.evaluations, "njev": 0}
        return finish_bare(problem, x, value=nest.value, counts=counts, **end)
    h, gradient, _ = (np.asarray(v) for v in normal_at(objective, jnp.asarray(x)))
    lo, hi = problem.parameters.bounds()
    end |= {"history": {"cost": np.array(nest.costs)}, "success": code > 0}
    return finish(
        objective,
        x,
        counts={"nit": len(nest.costs), "nfev": nest.evaluations, "njev": 1},
        at_bound=held_at(x, gradient, np.diagonal(h), lo, hi),
        scale_covariance=scale_covariance,
        **end,
    )


class _Nest:
    """The outer cost: the end of an inner search, and the best of all."""

    def __init__(
        self,
        cost: Any,
        x0: np.ndarray,
        places: tuple[np.ndarray, np.ndarray],
        table: ParameterSet,
        inner: Search,
        outer: Search,
        progress: bool | Callback,
    ):
        self.cost, self.places, self.table, self.inner = cost, places, table, inner
        self.limit, self.reporter = outer.max_evaluations, Reporter(progress)
        self.best, self.value = np.array(x0, float), np.inf
        self.converged, self.evaluations = False, 0
        self.costs: list[float] = []

    def __call__(self, v: np.ndarray) -> float:
        x = self.best.copy()
        x[self.places[0]] = v

        def inside(w: np.ndarray) -> float:
            here = x.copy()
            here[self.places[1]] = w
            return self.cost(here)

        found: Found = searched(inside, self.inner, self.table, x[self.places[1]])
        self.evaluations += len(found.costs)
        self.costs.append(found.value)
        if found.value < self.value:
            x[self.places[1]] = found.x
            self.best, self.value = x, found.value
            # one that finds nothing better than its start is at its end
            self.converged = found.code != tr.MAXITER
        heard = self.reporter("nested", len(self.costs), self.limit, self.value)
        if found.code == tr.STOPPED or not heard:
            raise Stopped
        return found.value


def _split(
    parameters: ParameterSet, inner: Sequence[str]
) -> tuple[tuple[ParameterSet, ParameterSet], tuple[np.ndarray, np.ndarray]]:
    """Tables in which only the outer, or only the inner ones are free, and their x."""
    slices = parameters.slices()
    wrong = [n for n in inner if n not in slices]
    if wrong:
        raise ParameterError(f"inner names {wrong}; free parameters are {list(slices)}")
    groups = [n for n in slices if n not in inner], [n for n in slices if n in inner]
    tables, places = [], []
    for name, own, others in zip(("outer", "inner"), groups, groups[::-1], strict=True):
        if not own:
            raise FitError(f"no free parameter is left for the {name} search")
        held = (parameters[n].with_(fixed=True, circular=False) for n in others)
        tables.append(parameters.replace(*held))
        at = [np.arange(slices[n].start, slices[n].stop) for n in own]
        places.append(np.concatenate(at))
    return (tables[0], tables[1]), (places[0], places[1])
