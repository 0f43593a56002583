"""Fits of bare costs: the same searches and walks, results without errors."""

import os
import warnings as python_warnings
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import FitError, FitWarning
from ..problem import BareCost
from . import trust_region as tr
from .finish import cautions, derive
from .first_order import method_name, walked
from .host import SEARCHES, Search, compiled_cost, searched
from .least_squares import FIRST_ORDER
from .progress import Callback
from .provenance import provenance
from .result import FitResult, Table
from .statistics import Curvature
from .tables import data_record, distinct_amplitudes, parameter_table

FLATTER = 1e-3
"""Part of its first size to which a gradient falls where a walk has converged."""
NEAR = 1e-6
"""Distance to a bound, in typical sizes, at which a parameter counts as held by it."""
_WITHOUT = ("chi2", "dof", "red_chi2", "aic", "aicc", "bic", "p_value")


class BareObjective(eqx.Module):
    """Cost and gradient of a bare cost; `size` is that of the cost at the start.

    Derivatives are pushed forward, so that a model needs no reverse mode.
    """

    problem: BareCost
    size: Float[Array, ""]

    def cost(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """What is minimised."""

        @jax.custom_jvp
        def cost(x: Array) -> Array:
            return self.problem.cost(x)

        @cost.defjvp
        def _(primals, tangents):
            g, c = self.slope(primals[0])
            return c, g @ tangents[0]

        return cost(x)

    def slope(self, x: Float[Array, " p"]) -> tuple[Array, Array]:
        """Gradient and cost."""

        def twice(x: Array) -> tuple[Array, Array]:
            value = self.problem.cost(x)
            return value, value

        return jax.jacfwd(twice, has_aux=True)(x)


@eqx.filter_jit
def _slope_u(objective: BareObjective, x: Array) -> Array:
    """Gradient in the unconstrained coordinates, in parts of the cost's size."""
    coordinates = objective.problem.coordinates

    def cost(u: Array) -> Array:
        return objective.cost(coordinates.to_x(u)[0]) / objective.size

    return jax.grad(cost)(coordinates.to_u(x))


@eqx.filter_jit
def _curves(problem: BareCost, x: Array) -> Array:
    return problem.curves(x)


@eqx.filter_jit
def _end(problem: BareCost, x: Array) -> tuple[Array, Any]:
    """Curves at the end, and the amplitudes that were solved for."""
    solved = problem.problem.solution(x) if problem.linear else None
    return problem.predict(x), solved


def cost_function(problem: BareCost) -> Callable[[np.ndarray], float]:
    """Cost of a vector of NumPy numbers, compiled as far as JAX can follow."""
    if problem.differentiable:
        return compiled_cost(BareObjective(problem, jnp.ones(())))
    y, mask = np.asarray(problem.y), np.asarray(problem.mask)

    def cost(x: np.ndarray) -> float:
        mu = np.asarray(_curves(problem, jnp.asarray(x, float)))
        return float(problem.function(mu, y, mask))

    return cost


def fit_bare(
    problem: BareCost,
    method: Any,
    x0: Array,
    *,
    tolerances: Mapping[str, Any],
    scale_covariance: bool | None,
    seed: int,
    progress: bool | Callback,
    checkpoint: str | os.PathLike | None,
    warn: bool,
    options: Mapping[str, Any],
) -> FitResult:
    """Minimum of a bare cost; see `fit`.

    Raises:
        FitError: what needs a sum of squares, a gradient that is not there, or a start
            without a finite cost.
    """
    method = _chosen(problem, method)
    if scale_covariance is not None or checkpoint is not None:
        raise FitError("a bare cost has no covariance to scale and no checkpoints")
    cost = cost_function(problem)
    first = cost(np.asarray(x0))
    if not np.isfinite(first):
        raise FitError(f"the cost {problem.cost_name!r} is {first} at the start")
    arguments = {"method": str(method), "start": np.asarray(x0), **options}
    end: dict[str, Any] = {"arguments": arguments, "seed": seed, "warn": warn}
    if problem.n_parameters == 0:
        end |= {
            "code": tr.EXACT,
            "message": "nothing is free",
            "counts": {"nit": 0, "nfev": 1, "njev": 0},
        }
        return finish_bare(problem, x0, value=first, method="none", history=[], **end)
    if not isinstance(method, str) or method in FIRST_ORDER:
        return _walk(problem, method, x0, first, progress, options, end)
    search = Search.of(method, tolerances, options)
    found = searched(cost, search, problem.parameters, x0, progress=progress)
    calls = len(found.costs)
    end |= {"code": found.code, "message": found.message}
    end |= {"counts": {"nit": calls, "nfev": calls, "njev": 0}, "history": found.costs}
    return finish_bare(problem, found.x, value=found.value, method=method, **end)


def _chosen(problem: BareCost, method: Any) -> Any:
    """The method, by default what the cost allows."""
    smooth = problem.differentiable and problem.problem.model.has_gradient
    if method is None:
        return "lbfgs" if smooth else "nelder-mead"
    if isinstance(method, str) and method not in (*FIRST_ORDER, *SEARCHES):
        raise FitError(
            f"method {method!r} is not for the bare cost {problem.cost_name!r}, which "
            f"is no sum of squares; use one of {(*FIRST_ORDER, *SEARCHES)} or an optax "
            "transformation"
        )
    first_order = not isinstance(method, str) or method in FIRST_ORDER
    if first_order and not problem.differentiable:
        raise FitError(
            f"method {method_name(method)!r} needs a gradient, and the cost "
            f"{problem.cost_name!r} has none; use one of {tuple(SEARCHES)}"
        )
    return method


def _walk(
    problem: BareCost,
    method: Any,
    x0: Array,
    first: float,
    progress: bool | Callback,
    options: Mapping[str, Any],
    end: dict[str, Any],
) -> FitResult:
    """A first-order fit, converged where its gradient has become small."""
    unknown = sorted(set(options) - {"steps", "learning_rate"})
    if unknown:
        raise TypeError(f"a first-order fit of a bare cost has no options {unknown}")
    objective = BareObjective(problem, jnp.asarray(abs(first) or 1.0))
    walk, code, history = walked(objective, method, x0, progress=progress, **options)
    x, _ = problem.coordinates.to_x(walk.best_u)
    lo, hi = problem.parameters.bounds()
    begun, left = (
        float(np.max(np.abs(_slope_u(objective, at))))
        for at in (jnp.clip(x0, lo, hi), x)
    )
    if code <= 0 and code != tr.STOPPED and left <= FLATTER * begun:
        code = tr.GTOL
    code = code if code != tr.RUNNING else tr.MAXITER
    verdict = "converged" if code > 0 else tr.MESSAGES[code]
    message = f"{verdict}; relative gradient {left:.2g}, at the start {begun:.2g}"
    steps = int(walk.step)
    end |= {
        "code": code,
        "message": message,
        "counts": dict.fromkeys(("nit", "nfev", "njev"), steps),
    }
    value = float(walk.best) * float(objective.size)
    name = method_name(method)
    return finish_bare(problem, x, value=value, method=name, history=history, **end)


def finish_bare(
    problem: BareCost,
    x: Any,
    *,
    value: float,
    code: int,
    message: str,
    method: str,
    history: Any,
    counts: dict[str, int],
    seed: int | None,
    arguments: dict[str, Any],
    warn: bool,
    extra_warnings: tuple[str, ...] = (),
) -> FitResult:
    """Result at `x`, which says first that it has no errors."""
    x = jnp.asarray(x, float)
    curves, solved = _end(problem, x)
    p, labels = problem.n_parameters, problem.parameters.labels
    lo, hi = (np.asarray(b) for b in problem.parameters.bounds())
    room = np.minimum(np.asarray(x) - lo, hi - np.asarray(x))
    at_bound = room <= NEAR * np.asarray(problem.parameters.scales())
    none = np.full((p, p), np.nan)
    curved = Curvature(none, np.full(p, np.nan), (), np.zeros((0, p)))
    linear = _amplitudes(problem, solved)
    said, flags = _care(problem, labels, at_bound, code, message)
    theta = {k: np.asarray(v) for k, v in problem.named(x).items()}
    said = (*said, *cautions(problem, theta), *extra_warnings, *problem.warnings)
    if warn:
        for sentence in said:
            python_warnings.warn(sentence, FitWarning, stacklevel=4)
    given = problem.problem.given
    valid = np.asarray(given.n_valid_per_group, float)
    statistics = {name: np.nan for name in _WITHOUT} | {
        "cost": value,
        "n_valid": float(problem.n_valid),
        "n_parameters": float(p),
        "n_linear": float(len(linear["label"])) if problem.linear else 0.0,
        **{name: float(n) for name, n in counts.items()},
    }
    result = FitResult(
        parameters=parameter_table(problem, np.asarray(x), curved, at_bound),
        labels=labels,
        x=np.asarray(x),
        cov=none,
        scaled=False,
        linear=linear,
        linear_cov=np.full((len(linear["label"]),) * 2, np.nan),
        linear_mode=problem.mode_text("profile"),
        statistics=statistics,
        code=int(code),
        message=message,
        success=code > 0,
        method=method,
        history={"cost": np.asarray(history, float)},
        warnings=said,
        flags=flags,
        data=[data_record(problem.problem, curves)],
        provenance={
            **provenance(seed, arguments, problem.name),
            "cost": problem.cost_name,
        },
        groups={"chi2": np.full(len(valid), np.nan), "n_valid": valid},
        problem=problem,
    )
    derive(result, problem, theta)
    return result


def _amplitudes(problem: BareCost, solved: Any) -> Table:
    """Amplitudes solved for at the end, or held."""
    labels = distinct_amplitudes(problem)
    free = np.ones(len(labels))
    if problem.held is not None:
        own = dict(
            zip((id(a) for a in problem.problem.linear), problem.held, strict=True)
        )
        values = np.array([float(own[id(a)]) for _, a in labels])
    elif solved is None:
        values = np.zeros(0)
    else:
        values = np.concatenate([solved.shared, np.ravel(solved.local)])
        free = np.concatenate([solved.free_shared, np.ravel(solved.free_local)])
    return {
        "label": np.array([name for name, _ in labels]),
        "unit": np.array([a.unit for _, a in labels]),
        "value": values,
        "stderr": np.full(len(labels), np.nan),
        "at_bound": free == 0,
    }


def _care(
    problem: BareCost,
    labels: tuple[str, ...],
    at_bound: np.ndarray,
    code: int,
    message: str,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sentences and flags; first of all that there are no errors."""
    said = [
        f"{problem.cost_name} is a bare cost and no likelihood: parameters have no "
        "standard errors and the fit no chi2"
    ]
    flags = ["bare_cost"]
    if code <= 0:
        said.append(f"the fit has not converged: {message}")
        flags.append("not_converged")
    if at_bound.any():
        names = [labels[i] for i in np.flatnonzero(at_bound)]
        said.append(f"{', '.join(names)} at a bound")
        flags.append("at_bound")
    masked = problem.n_total - problem.n_valid
    if masked:
        said.append(f"{masked} of {problem.n_total} points are masked")
        flags.append("masked")
    if code == tr.STOPPED:
        flags.append("stopped")
    return tuple(said), tuple(flags)
