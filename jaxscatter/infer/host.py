"""scipy on the host: the reference least squares, and simplex or Powell searches."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from ..errors import FitError
from . import trust_region as tr
from .finish import finish, held_at
from .progress import Callback, Reporter
from .providers import Objective, cost_at, normal_at
from .result import FitResult

BLOCK = 50
"""Evaluations between two progress calls."""
LIMIT = 20000

_SEARCHES = {
    "nelder-mead": ("Nelder-Mead", {"xatol": 1e-8, "fatol": 1e-10}),
    "powell": ("Powell", {"xtol": 1e-8, "ftol": 1e-12}),
}


class _Stopped(Exception):
    """The caller asked scipy to stop."""


class _Trace:
    """Costs seen by scipy, the best point so far, and the way out of its loop."""

    def __init__(self, reporter: Reporter, x: np.ndarray):
        self.reporter, self.best, self.costs = reporter, x, []

    def __call__(self, x: np.ndarray, cost: float) -> None:
        if cost < min(self.costs, default=np.inf):
            self.best = np.array(x)
        self.costs.append(cost)
        done = len(self.costs)
        if done % BLOCK == 0 and not self.reporter("fit", done, LIMIT, cost):
            raise _Stopped


@eqx.filter_jit
def _residuals(objective: Objective, x: jax.Array) -> jax.Array:
    return objective.problem.residuals(x)


@eqx.filter_jit
def _jacobian(objective: Objective, x: jax.Array) -> jax.Array:
    return jax.jacfwd(objective.problem.residuals)(x)


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
) -> FitResult:
    """Fit by scipy, with the same result object; see `fit`."""
    lo, hi = (np.asarray(b) for b in objective.problem.parameters.bounds())
    start = np.clip(np.asarray(x0), lo, hi)
    reporter = Reporter(progress)
    trace = _Trace(reporter, start)
    run = _least_squares if method == "scipy-trf" else _search
    njev = 0
    try:
        out = run(objective, method, start, lo, hi, trace)
        x, success, message = np.asarray(out.x), bool(out.success), str(out.message)
        code, njev = tr.FTOL if success else tr.STALLED, int(out.get("njev", 0))
        message = f"scipy: {message}"
    except (_Stopped, KeyboardInterrupt):
        x, success, code = trace.best, False, tr.STOPPED
        message = tr.MESSAGES[code]
    finally:
        reporter.close()
    h, gradient, _ = (np.asarray(v) for v in normal_at(objective, jnp.asarray(x)))
    calls = len(trace.costs)
    return finish(
        objective,
        x,
        code=code,
        message=message,
        success=success,
        method=method,
        history={"cost": np.array(trace.costs)},
        counts={"nit": calls, "nfev": calls, "njev": njev},
        at_bound=held_at(x, gradient, np.diagonal(h), lo, hi),
        scale_covariance=scale_covariance,
        seed=seed,
        arguments=arguments,
        warn=warn,
    )


def _least_squares(
    objective: Objective,
    method: str,
    x0: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    trace: _Trace,
) -> Any:
    """Scipy's trust region reflective, to the last digit."""
    if not objective.exact:
        raise FitError(f"method {method!r} needs a cost that is a sum of squares")

    def residuals(x: np.ndarray) -> np.ndarray:
        r = np.asarray(_residuals(objective, jnp.asarray(x)))
        trace(x, 0.5 * float(r @ r))
        return r

    def jacobian(x: np.ndarray) -> np.ndarray:
        return np.asarray(_jacobian(objective, jnp.asarray(x)))

    # strictly inside, as the method asks
    width = np.where(np.isfinite(hi - lo), hi - lo, 1.0)
    return optimize.least_squares(
        residuals,
        np.clip(x0, lo + 1e-10 * width, hi - 1e-10 * width),
        jac=jacobian,  # type: ignore[arg-type]
        bounds=(lo, hi),
        method="trf",
        x_scale="jac",
        ftol=1e-12,
        xtol=1e-12,
        gtol=1e-12,
    )


def _search(
    objective: Objective,
    method: str,
    x0: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    trace: _Trace,
) -> Any:
    """A search without gradients, in units of the parameters' typical sizes."""
    scale = np.asarray(objective.problem.parameters.scales())

    def cost(z: np.ndarray) -> float:
        value = float(cost_at(objective, jnp.asarray(z * scale)))
        value = value if np.isfinite(value) else np.inf
        trace(np.clip(z * scale, lo, hi), value)
        return value

    name, tolerances = _SEARCHES[method]
    out: Any = optimize.minimize(
        cost,
        x0 / scale,
        method=name,
        bounds=list(zip(lo / scale, hi / scale, strict=True)),
        options={"maxiter": LIMIT, "maxfev": LIMIT, **tolerances},
    )
    out.x = np.clip(out.x * scale, lo, hi)
    return out
