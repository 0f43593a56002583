"""Searches on the host for the number, or numbers, of least cost.

Numbers are searched as u in [-1, 1] between their bounds: one by Brent's bounded
method, several by Powell's or by a simplex. An interrupt, or a callback that says so,
ends a search with the best point so far.

References:
    [1] R. P. Brent, Algorithms for Minimization without Derivatives (1973), chapter 5.
    [2] M. J. D. Powell, Comput. J. 7, 155 (1964).
    [3] J. A. Nelder and R. Mead, Comput. J. 7, 308 (1965).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from ..errors import ModelError
from ..infer.progress import Callback, Reporter

METHODS = ("powell", "nelder-mead")
_XTOL = 1e-3
_FTOL = 1e-5
_SIMPLEX = 0.3
"""Edge of the first simplex, in half widths of the bounds."""


class Stopped(Exception):
    """The caller asked to stop."""


class Trace:
    """Costs so far, the best of them, and the way out of a search.

    Args:
        phase: name for progress.
        total: evaluations expected.
        progress: as everywhere.
    """

    def __init__(self, phase: str, total: int, progress: bool | Callback = False):
        self.phase, self.total = phase, total
        self.reporter = Reporter(progress)
        self.costs: list[float] = []
        self.best: Any = None
        self.least = np.inf

    def __call__(self, cost: float, what: Any) -> None:
        """Take note of a point, and of whether to go on.

        Raises:
            Stopped: the caller said so.
        """
        self.note(cost, what)
        step = len(self.costs)
        if not self.reporter(self.phase, step, max(self.total, step), cost):
            raise Stopped

    def note(self, cost: float, what: Any) -> None:
        """Take note of a point without progress."""
        if cost < self.least or self.best is None:
            self.least, self.best = cost, what
        self.costs.append(cost)


def attempt(work: Callable[[], Any], trace: Trace) -> bool:
    """Do it, and say whether it was stopped; with nothing found, the stop goes on.

    Raises:
        KeyboardInterrupt: before the first point was evaluated.
    """
    try:
        work()
    except (Stopped, KeyboardInterrupt):
        if trace.best is None:
            raise
        return True
    finally:
        trace.reporter.close()
    return False


def search(
    cost: Callable[[np.ndarray], float],
    start: Sequence[float | int],
    bounds: Sequence[tuple[float, float]],
    method: str = "powell",
) -> None:
    """Evaluate `cost` on the way to its minimum; what it sees is for it to keep.

    Args:
        cost: of the numbers.
        start: values of them.
        bounds: (lo, hi) of each.
        method: of several numbers, one of `METHODS`.

    Raises:
        ModelError: no such method.
    """
    if method not in METHODS:
        raise ModelError(f"method is {method!r}; expected one of {list(METHODS)}")
    lo, hi = np.array(bounds, float).T
    middle, half = 0.5 * (lo + hi), 0.5 * (hi - lo)

    def scaled(u: Any) -> float:
        inside = np.clip(np.atleast_1d(np.asarray(u, float)), -1.0, 1.0)
        return cost(middle + half * inside)

    u0 = np.clip((np.asarray(start, float) - middle) / half, -1.0, 1.0)
    if len(u0) == 1:
        scaled(u0)
        optimize.minimize_scalar(
            scaled, bounds=(-1.0, 1.0), method="bounded", options={"xatol": _XTOL}
        )
    elif method == "powell":
        optimize.minimize(
            scaled, u0, method="Powell", bounds=[(-1.0, 1.0)] * len(u0),
            options={"xtol": _XTOL, "ftol": _FTOL},
        )  # fmt: skip
    else:
        # a step that would leave the box goes the other way
        steps = np.where(u0 + _SIMPLEX > 1.0, -_SIMPLEX, _SIMPLEX)
        simplex = np.vstack([u0, u0 + np.diag(steps)])
        optimize.minimize(
            scaled, u0, method="Nelder-Mead", bounds=[(-1.0, 1.0)] * len(u0),
            options={"xatol": _XTOL, "fatol": _FTOL, "initial_simplex": simplex},
        )  # fmt: skip
