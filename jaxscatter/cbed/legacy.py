"""Refinement as older programs do it: other metrics, and nested searches.

`metric_cost` puts a metric of `metrics` in the place of χ². `fit_legacy` minimises by a
simplex over structure factors, normalised to their ranges,

    p = (U - min)/(max - min)

around Powell's method over everything else. `js.fit(problem)` reaches the same minimum
in a small part of the simulations, and with the errors of all parameters together.

Units: as in `model`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ModelError, ParameterError
from ..infer.host import Search
from ..infer.least_squares import start_vector
from ..infer.nested import fit_nested
from ..infer.progress import Callback
from ..infer.result import FitResult
from ..problem import AbstractProblem, BareCost, Problem, bare_cost
from .metrics import METRICS, BaseGOF
from .metrics import metric as metric_of
from .model import DiffractionModel

RANGE = 0.05
"""Half width of the default range of a structure factor and of the thickness, in parts
of their values, and of a phase in radians."""
SHIFT_RANGE = 2.0
"""Half width of the default range of a shift, in pixels."""
OUTER_TOLERANCE = 1e-4
"""Of the simplex, in normalised parameters and in χ²/dof or the metric."""
INNER_TOLERANCE = 0.1
"""Of Powell's method, in Å, pixels and degrees."""
INNER_CHANGE = 1e-4
"""Relative change of the cost at which Powell's method ends."""


def metric_cost(
    problem: Problem,
    metric: str | BaseGOF,
    *,
    differentiable: bool = True,
) -> BareCost:
    """A pattern under a metric that is no χ²: a bare cost, for `js.fit`, `fit_legacy`.

    The metric sees the raw simulation, without scale and background, beside the data;
    both have a row for each disk, and are 0 under the mask.

    Args:
        problem: from `js.cbed.problem`.
        metric: a name, as "xcorrelation", or a `BaseGOF` of one's own.
        differentiable: as in `js.bare_cost`.

    Raises:
        ModelError: no such metric, one of squares, or no problem of a pattern.
    """
    _diffraction(problem)
    known = {name.lower(): kind for name, kind in METRICS.items()}
    if isinstance(metric, str):
        kind = known.get(metric.lower(), BaseGOF)
    else:
        kind = type(metric)
    if kind.least_squares:
        raise ModelError(
            f"{kind.__name__} is a sum of squares: fit the problem itself, with its "
            "variance in the data's sigma and its background in js.cbed.problem"
        )
    chosen = metric_of(metric)
    raw = {a.name: 1.0 if a.name == "scale" else 0.0 for a in problem.linear}
    return bare_cost(
        problem,
        chosen,
        raw or None,
        differentiable=differentiable,
        name=type(chosen).__name__,
    )


def fit_legacy(
    problem: AbstractProblem,
    *,
    ranges: Mapping[str, tuple[float | int, float | int]] | None = None,
    start: Any = None,
    max_simulations: int = 2000,
    scale_covariance: bool | None = None,
    progress: bool | Callback = False,
    warn: bool = True,
) -> FitResult:
    """Refinement by a simplex over structure factors around Powell over the rest.

    `statistics["nfev"]` counts simulations, `["nit"]` the inner searches. Errors are
    those of the least squares at the end; a bare cost has none.

    Args:
        problem: from `js.cbed.problem` or `metric_cost`.
        ranges: (min, max) by name. Default of structure factors and thickness: 0.95 to
            1.05 of the start value; of a phase 0.05 rad about it, of shifts 2 pixels,
            else the bounds. One without width, as that of a value 0, holds it.
        start: as in `js.fit`.
        max_simulations: of one search, inner or outer.
        scale_covariance: as in `js.fit`.
        progress: as in `js.fit`, after every inner search.
        warn: as in `js.fit`.

    Raises:
        ModelError: no problem of a pattern.
        ParameterError: ranges of what is not free, or that the start lies outside of.
        FitError: no structure factor, or nothing else, is free.
    """
    model = _diffraction(problem)
    names = _structure_factors(problem, model)
    given, labels = dict(ranges or {}), problem.parameters.labels
    unknown = sorted(set(given) - set(labels))
    if unknown:
        raise ParameterError(f"ranges name {unknown}; free are {list(labels)}")
    x = dict(zip(labels, map(float, start_vector(problem, start)), strict=True))
    changes: dict[str, Any] = {n: {"value": v} for n, v in x.items()}
    still: list[str] = []
    for name in labels:
        own = problem.parameters[name]
        lo, hi = _range(name, x[name], (float(own.lo), float(own.hi)), given.get(name))
        if hi > lo:
            changes[name] |= {"bounds": (lo, hi), "circular": False}
        else:
            changes[name] |= {"fixed": True}
            still.append(name)
    within = problem.with_(parameters=changes)
    inner = [n for n in within.parameters.labels if n not in names]
    tolerance = OUTER_TOLERANCE
    if isinstance(within, Problem):  # the cost is χ²/2
        tolerance *= 0.5 * max(1, within.n_valid - within.n_parameters)
    said = (f"{', '.join(still)} held: a range without width",) if still else ()
    return fit_nested(
        within,
        inner,
        Search(
            "nelder-mead",
            xtol=OUTER_TOLERANCE,
            ftol=tolerance,
            max_evaluations=max_simulations,
            adaptive=True,
            units="bounds",
        ),
        Search(
            "powell",
            xtol=INNER_TOLERANCE,
            ftol=INNER_CHANGE,
            max_evaluations=max_simulations,
            units="own",
        ),
        method="legacy",
        scale_covariance=scale_covariance,
        progress=progress,
        warn=warn,
        extra_warnings=said,
    )


def _diffraction(problem: Any) -> DiffractionModel:
    """The model; refuses what is no single pattern."""
    parts = getattr(problem, "parts", ())
    models = [part.model for part in parts]
    if len(models) != 1 or not isinstance(models[0], DiffractionModel):
        raise ModelError(
            f"problem is {getattr(problem, 'name', problem)!r}; expected that of one "
            "pattern, from js.cbed.problem"
        )
    return models[0]


def _structure_factors(problem: Any, model: DiffractionModel) -> list[str]:
    """Free U, U' and phases."""
    wanted = model.refined_factors.names()
    return [n for n in problem.parameters.labels if n in wanted]


def _range(
    name: str, value: float, bounds: tuple[float, float], given: Any
) -> tuple[float, float]:
    """Bounds of one parameter in these searches."""
    if given is not None:
        lo, hi = (float(v) for v in given)
        if not (np.isfinite(lo) and np.isfinite(hi) and lo <= value <= hi):
            raise ParameterError(
                f"range of {name} is ({lo}, {hi}); expected numbers about its start "
                f"{value}"
            )
        return lo, hi
    if name.startswith("phase"):  # turns freely
        half = float(np.degrees(RANGE))
        return value - half, value + half
    if name.startswith(("U(", "U'(", "thickness")):
        half = RANGE * abs(value)
    elif name.startswith(("shift_", "diskshift_")):
        half = SHIFT_RANGE
    else:
        return bounds
    return max(bounds[0], value - half), min(bounds[1], value + half)
