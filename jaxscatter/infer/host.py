"""scipy on the host: the reference least squares, and simplex or Powell searches."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from ..errors import FitError
from ..problem import ParameterSet
from . import trust_region as tr
from .finish import finish, held_at
from .progress import Callback, Reporter
from .providers import Objective, cost_at, normal_at
from .result import FitResult

BLOCK = 50
"""Evaluations between two progress calls."""
LIMIT = 20000

SEARCHES = {
    "nelder-mead": ("Nelder-Mead", {"xtol": ("xatol", 1e-8), "ftol": ("fatol", 1e-10)}),
    "powell": ("Powell", {"xtol": ("xtol", 1e-8), "ftol": ("ftol", 1e-12)}),
}
UNITS = ("scales", "bounds", "own")


class Stopped(Exception):
    """The caller asked scipy to stop."""


class _Trace:
    """Costs seen by scipy, the best point so far, and the way out of its loop."""

    def __init__(self, reporter: Reporter, x: np.ndarray, limit: int):
        self.reporter, self.best, self.costs, self.limit = reporter, x, [], limit

    @property
    def wall(self) -> float:
        """More than any finite cost seen."""
        worst = max((c for c in self.costs if c < np.inf), default=np.inf)
        return worst + abs(worst) + 1.0

    def __call__(self, x: np.ndarray, cost: float) -> None:
        if cost < min(self.costs, default=np.inf):
            self.best = np.array(x)
        self.costs.append(cost)
        done = len(self.costs)
        if done % BLOCK == 0 and not self.reporter("fit", done, self.limit, cost):
            raise Stopped


@dataclasses.dataclass(frozen=True)
class Search:
    """How a search without gradients goes; tolerances as scipy has them.

    Args:
        method: "nelder-mead" or "powell".
        xtol: of the parameters, in `units`.
        ftol: of the cost: absolute for the simplex, relative for Powell.
        max_evaluations: most values of the cost.
        adaptive: simplex coefficients that depend on the number of parameters.
        units: "scales", the parameters' typical sizes; "bounds", where 0 and 1 are
            their bounds; "own".

    Raises:
        FitError: a value that cannot be.
    """

    method: str
    xtol: float | int | None = None
    ftol: float | int | None = None
    max_evaluations: int = LIMIT
    adaptive: bool = False
    units: str = "scales"

    def __post_init__(self) -> None:
        if self.units not in UNITS:
            raise FitError(f"units is {self.units!r}; expected one of {UNITS}")
        if self.max_evaluations < 1:
            raise FitError(
                f"max_evaluations is {self.max_evaluations}; expected at least 1"
            )
        if self.adaptive and self.method != "nelder-mead":
            raise FitError(f"adaptive is for 'nelder-mead', not {self.method!r}")

    @classmethod
    def of(cls, method: str, tolerances: Mapping[str, Any], options: Any) -> "Search":
        """From the arguments of `fit`."""
        known = {"max_evaluations", "adaptive", "units"}
        unknown = sorted(set(options) - known)
        if unknown:
            raise TypeError(
                f"method {method!r} has no options {unknown}; there are {sorted(known)}"
            )
        return cls(method, **tolerances, **options)

    def frame(self, parameters: ParameterSet) -> tuple[np.ndarray, np.ndarray]:
        """Origin and unit of each entry of x."""
        lo, hi = (np.asarray(b) for b in parameters.bounds())
        if self.units == "own":
            return np.zeros_like(lo), np.ones_like(lo)
        if self.units == "scales":
            return np.zeros_like(lo), np.asarray(parameters.scales())
        if not np.all(np.isfinite(hi - lo)):
            pairs = zip(parameters.labels, hi - lo, strict=True)
            names = [n for n, width in pairs if not np.isfinite(width)]
            raise FitError(f"units='bounds' needs finite bounds, which {names} lack")
        return lo, hi - lo

    @property
    def settings(self) -> dict[str, Any]:
        """Options of scipy."""
        given = {"xtol": self.xtol, "ftol": self.ftol}
        out: dict[str, Any] = {
            name: usual if given[key] is None else float(given[key])  # type: ignore
            for key, (name, usual) in SEARCHES[self.method][1].items()
        }
        out |= {"maxiter": self.max_evaluations, "maxfev": self.max_evaluations}
        return out | ({"adaptive": True} if self.adaptive else {})


@dataclasses.dataclass(frozen=True)
class Found:
    """Where scipy ended, the cost there, and every cost it saw."""

    x: np.ndarray
    value: float
    code: int
    message: str
    costs: np.ndarray
    njev: int = 0

    @property
    def success(self) -> bool:
        """Whether scipy says that it converged."""
        return self.code > 0


@eqx.filter_jit
def _residuals(objective: Objective, x: jax.Array) -> jax.Array:
    return objective.problem.residuals(x)


@eqx.filter_jit
def _jacobian(objective: Objective, x: jax.Array) -> jax.Array:
    return jax.jacfwd(objective.problem.residuals)(x)


def compiled_cost(objective: Any) -> Callable[[np.ndarray], float]:
    """Cost of an objective, as a function of NumPy arrays."""
    return lambda x: float(cost_at(objective, jnp.asarray(x)))


def fit_host(
    objective: Objective,
    method: str,
    x0: jax.Array,
    *,
    scale_covariance: bool | None,
    seed: int,
    progress: bool | Callback,
    warn: bool,
    arguments: dict[str, Any],
    tolerances: Mapping[str, Any],
    options: Mapping[str, Any],
) -> FitResult:
    """Fit by scipy, with the same result object; see `fit`."""
    parameters = objective.problem.parameters
    lo, hi = (np.asarray(b) for b in parameters.bounds())
    if method == "scipy-trf":
        if options:
            raise TypeError(f"method {method!r} has no options {sorted(options)}")
        found = _least_squares(objective, x0, progress)
    else:
        search = Search.of(method, tolerances, options)
        found = searched(
            compiled_cost(objective), search, parameters, x0, progress=progress
        )
    x = found.x
    h, gradient, _ = (np.asarray(v) for v in normal_at(objective, jnp.asarray(x)))
    calls = len(found.costs)
    return finish(
        objective,
        x,
        code=found.code,
        message=found.message,
        success=found.success,
        method=method,
        history={"cost": found.costs},
        counts={"nit": calls, "nfev": calls, "njev": found.njev},
        at_bound=held_at(x, gradient, np.diagonal(h), lo, hi),
        scale_covariance=scale_covariance,
        seed=seed,
        arguments=arguments,
        warn=warn,
    )


def searched(
    cost: Callable[[np.ndarray], float],
    search: Search,
    parameters: ParameterSet,
    x0: Any,
    *,
    progress: bool | Callback = False,
) -> Found:
    """End of a search without gradients from `x0`, within the parameters' bounds."""
    origin, unit = search.frame(parameters)
    lo, hi = (np.asarray(b) for b in parameters.bounds())

    def run(start: np.ndarray, trace: _Trace) -> Any:
        def of(z: np.ndarray) -> float:
            x = np.clip(origin + z * unit, lo, hi)
            value = float(cost(x))
            trace(x, value if np.isfinite(value) else np.inf)
            # a wall, but finite: Powell's method compares and subtracts
            return value if np.isfinite(value) else trace.wall

        limits = zip((lo - origin) / unit, (hi - origin) / unit, strict=True)
        out: Any = optimize.minimize(
            of,
            (start - origin) / unit,
            method=SEARCHES[search.method][0],
            bounds=list(limits),
            options=search.settings,
        )
        out.x = np.clip(origin + out.x * unit, lo, hi)
        return out

    return _ended(run, np.clip(x0, lo, hi), progress, search.max_evaluations)


def _ended(run: Any, start: np.ndarray, progress: Any, limit: int) -> Found:
    """What scipy says at its end, or where it was stopped."""
    reporter = Reporter(progress)
    trace = _Trace(reporter, start, limit)
    njev = 0
    try:
        out = run(start, trace)
        x, message = np.asarray(out.x), f"scipy: {out.message}"
        value = out.cost if "cost" in out else out.fun
        code, njev = tr.FTOL if out.success else tr.MAXITER, int(out.get("njev", 0))
        least = min(trace.costs)
        if out.success and value > trace.costs[0]:
            code, message = tr.STALLED, f"{message} But it ended above its start."
        if value > least:  # a line search may end above where it has been
            x, value = trace.best, least
    except (Stopped, KeyboardInterrupt):
        x, code, message = trace.best, tr.STOPPED, tr.MESSAGES[tr.STOPPED]
        value = min(trace.costs, default=np.inf)
    finally:
        reporter.close()
    return Found(x, float(value), code, message, np.array(trace.costs), njev)


def _least_squares(objective: Objective, x0: Any, progress: bool | Callback) -> Found:
    """Scipy's trust region reflective, to the last digit."""
    parts = objective.problem.parts
    squares = not any(p.likelihood.robust or p.likelihood.counts for p in parts)
    if not (objective.exact and squares):
        raise FitError("method 'scipy-trf' needs a cost that is a sum of squares")
    lo, hi = (np.asarray(b) for b in objective.problem.parameters.bounds())

    def jacobian(x: np.ndarray) -> np.ndarray:
        return np.asarray(_jacobian(objective, jnp.asarray(x)))

    def run(start: np.ndarray, trace: _Trace) -> Any:
        def residuals(x: np.ndarray) -> np.ndarray:
            r = np.asarray(_residuals(objective, jnp.asarray(x)))
            trace(x, 0.5 * float(r @ r))
            return r

        # strictly inside, as the method asks
        width = np.where(np.isfinite(hi - lo), hi - lo, 1.0)
        return optimize.least_squares(
            residuals,
            np.clip(start, lo + 1e-10 * width, hi - 1e-10 * width),
            jac=jacobian,  # type: ignore[arg-type]
            bounds=(lo, hi),
            method="trf",
            x_scale="jac",
            ftol=1e-12,
            xtol=1e-12,
            gtol=1e-12,
        )

    return _ended(run, np.clip(x0, lo, hi), progress, LIMIT)
