"""How many Lorentzians do the data ask for? One answer per Q, and one for all.

For 0 to 3 lines per Q, with and without what else is fitted, the table holds χ², AICc,
BIC and the Laplace approximation of the log evidence,

    ln Z = ln L_max + (m/2) ln 2π + ½ ln |Σ| - ln V + ln N!

with m widths and intensities of covariance Σ, and V the volume of their prior: ln Γ
uniform over the range of widths, no line and no background higher than the highest
point, a slope within ± that. N! counts the ways to number N lines. An intensity that
ends at zero leaves its width undetermined: it enters by the integral over its own half
of a Gaussian, and its width not at all.

References:
    [1] D. S. Sivia and J. Skilling, Data Analysis, 2nd ed., Oxford (2006), chapter 4.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.special import log_ndtr

from ..errors import DataError, ModelError
from ..infer import BatchResult, fit_batch
from ..infer.progress import Callback
from ..infer.report import columns
from ..infer.statistics import goodness
from ..problem import Dataset, Likelihood, Problem
from .lines import lines_problem, spread_widths, width_range

_LOG_2PI = math.log(2 * math.pi)
CRITERIA = ("log_evidence", "aicc", "bic")


@dataclasses.dataclass(frozen=True, eq=False)
class LineSelection:
    """Fits with 0 to 3 lines side by side; rows are numbers of lines, columns Q.

    Args:
        q: momentum transfers, 1/Å.
        lines: numbers of Lorentzians that were tried.
        chi2, red_chi2, aicc, bic, log_evidence: (lines, q); NaN where a fit failed.
        fits: per number of lines, widths in increasing order.
        elastic: whether an elastic line was fitted beside them.
    """

    q: np.ndarray
    lines: tuple[int, ...]
    chi2: np.ndarray
    red_chi2: np.ndarray
    aicc: np.ndarray
    bic: np.ndarray
    log_evidence: np.ndarray
    fits: tuple[BatchResult, ...]
    elastic: bool

    def score(self, by: str = "log_evidence") -> np.ndarray:
        """(lines, q) numbers of which the largest is best.

        Raises:
            ModelError: `by` is not "log_evidence", "aicc" or "bic".
        """
        if by not in CRITERIA:
            raise ModelError(f"by is {by!r}; expected one of {CRITERIA}")
        value = getattr(self, by)
        return value if by == "log_evidence" else -value

    def best(self, by: str = "log_evidence") -> np.ndarray:
        """Number of lines per Q; -1 where no fit succeeded."""
        score = np.where(np.isfinite(self.score(by)), self.score(by), -np.inf)
        chosen = np.asarray(self.lines)[np.argmax(score, axis=0)]
        return np.where(np.all(np.isneginf(score), axis=0), -1, chosen)

    def best_for_all(self, by: str = "log_evidence") -> int:
        """The one number of lines for all Q: the largest sum over Q."""
        score = self.score(by)
        usable = np.all(np.isfinite(score), axis=1)
        if not usable.any():
            raise ModelError("no number of lines was fitted at every Q")
        total = np.where(usable, score.sum(axis=1), -np.inf)
        return int(self.lines[int(np.argmax(total))])

    def summary(self, by: str = "log_evidence") -> str:
        """Text table: difference to the best of each Q, and sums; care comes first."""
        score = self.score(by)
        lines = []
        lost = [
            f"{n} lines at Q = {self.q[k]:.3f}"
            for i, n in enumerate(self.lines)
            for k in np.flatnonzero(~np.isfinite(score[i]))
        ]
        if lost:
            lines.append(f"NO FIT: {', '.join(lost)}; they are left out")
        least = np.nanmin(self.red_chi2, axis=0)
        poor = np.flatnonzero(least > 2)
        if poor.size:
            lines.append(
                f"NO GOOD FIT at {poor.size} of {self.q.size} Q: the least reduced "
                f"chi2 there is {least[poor].min():.3g} to {least[poor].max():.3g}, so "
                "the numbers compare models none of which describes the data"
            )
        name = {
            "log_evidence": "ln Z (Laplace)",
            "aicc": "-AICc/2",
            "bic": "-BIC/2",
        }[by]
        half = 1.0 if by == "log_evidence" else 0.5
        lines.append(
            f"{name} of each number of Lorentzians less that of the best; ln Z of 5 is "
            "decisive"
        )
        best = self.best(by)
        with np.errstate(invalid="ignore"):
            top = np.nanmax(score, axis=0)
        rows = [
            [
                f"{q:.3f}",
                *(f"{half * (score[i, k] - top[k]):.1f}" for i in range(len(score))),
                str(best[k]),
                f"{least[k]:.3g}",
            ]
            for k, q in enumerate(self.q)
        ]
        total = score.sum(axis=1)
        whole = np.nanmax(total)
        rows.append(
            [
                "all",
                *(f"{half * (t - whole):.1f}" for t in total),
                str(self.best_for_all(by)),
                "",
            ]
        )
        names = [f"N={n}" for n in self.lines]
        lines += columns(rows, ["Q (1/Å)", *names, "best", "least red. chi2"])
        return "\n".join(lines)


def select_lines(
    data: Dataset,
    lines: Sequence[int] = (0, 1, 2, 3),
    *,
    elastic: bool = True,
    background: str = "linear",
    starts: int = 6,
    likelihood: Likelihood | None = None,
    progress: bool | Callback = False,
) -> LineSelection:
    """Fits of every number of Lorentzians at every Q, with what chooses between them.

    Each Q is fitted by itself from several sets of start widths, and the best is kept.

    Args:
        data: from `load` or `from_bins`.
        lines: numbers of Lorentzians, 0 to 3.
        elastic: whether there is an elastic line beside them.
        background: "none", "flat" or "linear".
        starts: sets of start widths.
        likelihood: as for `problem`.
        progress: as for `js.fit_batch`.

    Raises:
        ModelError: a number of lines that is not 0 to 3, or none to choose from.
        DataError: data without errors, which no criterion can do without.
    """
    if not data.sigma_given:
        raise DataError(
            "the data have no errors: evidence, AICc and BIC weigh misfit against "
            "them; give errors, or fit lines_problem for one number of lines"
        )
    if not len(lines) or len(set(lines)) < len(lines):
        raise ModelError(f"lines is {list(lines)}; expected different numbers, 0 to 3")
    tables, fits = [], []
    for n in lines:
        problem = lines_problem(
            data, n, elastic=elastic, background=background, likelihood=likelihood
        )
        best = _best_of(problem, data, n, starts, progress)
        tables.append(_judged(problem, data, best, n))
        fits.append(best)
    made = {k: np.array([t[k] for t in tables]) for k in tables[0]}
    return LineSelection(
        np.asarray(data.coords["q"]),
        tuple(int(n) for n in lines),
        fits=tuple(fits),
        elastic=elastic,
        **made,
    )


def _start_sets(data: Dataset, n: int, starts: int) -> list[np.ndarray]:
    """Widths to start from: windows of the range, wide and narrow."""
    low, high = width_range(data)
    if n == 0:
        return [np.zeros(0)]
    span = np.log(high / low)
    sets = []
    for i in range(starts):
        at = (i + 0.5) / starts
        half = 0.5 / (1 + i % 3)  # the whole range, a half and a third of it
        a, b = np.clip([at - half, at + half], 0.02, 0.98)
        sets.append(spread_widths(low * np.exp(a * span), low * np.exp(b * span), n))
    return sets


def _best_of(
    problem: Problem, data: Dataset, n: int, starts: int, progress: Any
) -> BatchResult:
    """The best end point of every Q over all start widths, lines sorted by width.

    All starts are lanes of one batch.
    """
    sets = _start_sets(data, n, starts)
    groups, count = data.n_groups, len(sets)
    repeated = _repeated(problem.given, count)
    start = {f"hwhm_{i + 1}": np.repeat([w[i] for w in sets], groups) for i in range(n)}
    whole = fit_batch(
        problem, repeated, start=start or None, progress=progress, warn=False
    )
    cost = np.where(whole.success, whole.chi2, np.inf).reshape(count, groups)
    chosen = np.argmin(cost, axis=0) * groups + np.arange(groups)
    rows = {
        f.name: getattr(whole, f.name)[chosen]
        for f in dataclasses.fields(whole)
        if isinstance(getattr(whole, f.name), np.ndarray)
    }
    return _sorted(dataclasses.replace(whole, **rows, many=None), n)


def _repeated(data: Dataset, count: int) -> Dataset:
    """All groups `count` times, one set after the other."""

    def along(name: str, value: Any) -> np.ndarray:
        value = np.asarray(value)
        if dict(data.dims)[name][:1] != ("group",):
            return value
        return np.concatenate([value] * count)

    return Dataset(
        np.concatenate([np.asarray(data.y)] * count),
        np.concatenate([np.asarray(data.sigma)] * count) if data.sigma_given else None,
        np.concatenate([np.asarray(data.mask) > 0] * count),
        {k: along(k, v) for k, v in data.coords.items()},
        dict(data.dims),
        dict(data.units),
        data.metadata,
    )


def _sorted(best: BatchResult, n: int) -> BatchResult:
    """Lines numbered by width."""
    if n < 2:
        return best
    at = [best.names.index(f"hwhm_{i + 1}") for i in range(n)]
    lines = [best.amplitude_names.index(f"line_{i + 1}") for i in range(n)]
    rows = np.arange(len(best))[:, None]
    order = np.argsort(best.values[:, at], axis=1)
    p = np.tile(np.arange(len(best.names)), (len(best), 1))
    p[:, at] = np.asarray(at)[order]
    k = np.tile(np.arange(len(best.amplitude_names)), (len(best), 1))
    k[:, lines] = np.asarray(lines)[order]
    of_p = {
        name: getattr(best, name)[rows, p]
        for name in ("values", "stderr", "at_bound", "undetermined")
    }
    of_k = {
        name: getattr(best, name)[rows, k]
        for name in ("amplitudes", "amplitude_stderr", "amplitude_at_bound")
    }
    cov = best.cov[np.arange(len(best))[:, None, None], p[:, :, None], p[:, None, :]]
    return dataclasses.replace(best, **of_p, **of_k, cov=cov)


@eqx.filter_jit
def _curves(problem: Problem, widths: Array) -> tuple[Array, Array]:
    """Columns (q, N, k) and their slopes by ln Γ (q, N, k, n) at the widths (q, n)."""
    n = widths.shape[1]
    of_group = {
        name: 0 if dims[:1] == ("group",) else None
        for name, dims in dict(problem.data.dims).items()
    }

    def one(log_widths: Array, coords: dict[str, Array]) -> Array:
        theta = {f"hwhm_{i + 1}": jnp.exp(log_widths[i]) for i in range(n)}
        return problem.model.columns(None, theta, coords)

    def both(w: Array, coords: dict[str, Array]) -> tuple[Array, Array]:
        return one(w, coords), jax.jacfwd(one)(w, coords)

    axes = {k: of_group[k] for k in problem.data.coords}
    return jax.vmap(both, in_axes=(0, axes))(jnp.log(widths), problem.data.coords)


def _judged(
    problem: Problem, data: Dataset, best: BatchResult, n: int
) -> dict[str, np.ndarray]:
    """χ², criteria and log evidence of every Q."""
    widths = (
        np.stack(
            [best.values[:, best.names.index(f"hwhm_{i + 1}")] for i in range(n)],
            axis=1,
        )
        if n
        else np.zeros((len(best), 0))
    )
    low, high = width_range(data)
    safe = np.where(np.isfinite(widths), widths, low)
    table, slopes = (np.asarray(a) for a in _curves(problem, jnp.asarray(safe)))
    span = np.log(high / low)
    out: dict[str, list[float]] = {
        k: [] for k in ("chi2", "red_chi2", "aicc", "bic", "log_evidence")
    }
    for g in range(len(best)):
        used = np.asarray(data.mask)[g] > 0
        inside = int(np.count_nonzero(~best.amplitude_at_bound[g]))
        said = goodness(float(best.chi2[g]), int(used.sum()), n, inside)
        good = bool(best.success[g])
        for key in ("chi2", "red_chi2", "aicc", "bic"):
            out[key].append(said[key] if good else math.nan)
        out["log_evidence"].append(
            _evidence(
                table[g][used],
                slopes[g][used],
                np.asarray(data.y)[g][used],
                np.asarray(data.sigma)[g][used],
                best.amplitudes[g],
                n,
                problem.model.elastic,  # type: ignore[attr-defined]
                span,
            )
            if good
            else math.nan
        )
    return {k: np.array(v) for k, v in out.items()}


def _evidence(
    table: np.ndarray,
    slopes: np.ndarray,
    y: np.ndarray,
    sigma: np.ndarray,
    a: np.ndarray,
    n: int,
    elastic: bool,
    span: float,
) -> float:
    """Laplace log evidence of one spectrum, see the module."""
    k = a.size
    first = int(elastic)
    residual = (y - table @ a) / sigma
    out = -0.5 * float(residual @ residual) - float(np.sum(np.log(sigma)))
    out -= 0.5 * y.size * _LOG_2PI
    top = float(np.max(np.abs(y)))
    # prior volume of an intensity: no column is higher than the highest point
    room = top / np.max(np.abs(table), axis=0)
    names_slope = k > first + n + 1
    if names_slope:
        room[-1] *= 2  # of either sign
    zero = (a == 0) & (np.arange(k) < first + n + 1)
    scaled = table / sigma[:, None]
    for i in np.flatnonzero(zero):
        pull = -float(scaled[:, i] @ residual)  # >= 0: the cost rises from zero
        stiff = float(scaled[:, i] @ scaled[:, i])
        out += _half_gaussian(max(pull, 0.0), stiff) - math.log(room[i])
    lines = [i for i in range(n) if not zero[first + i]]
    free = np.flatnonzero(~zero)
    moved = [slopes[:, first + i, i] * a[first + i] / sigma for i in lines]
    jacobian = np.stack([*moved, *(scaled[:, i] for i in free)], axis=1)
    h = jacobian.T @ jacobian
    size = np.sqrt(np.diagonal(h))
    sign, log_det = np.linalg.slogdet(h / np.outer(size, size))
    if sign <= 0 or not np.isfinite(log_det):
        return math.nan
    log_det += 2 * float(np.sum(np.log(size)))
    out += 0.5 * len(h) * _LOG_2PI - 0.5 * log_det
    out -= len(lines) * math.log(span) + float(np.sum(np.log(room[free])))
    return out + math.lgamma(len(lines) + 1)


def _half_gaussian(slope: float, curvature: float) -> float:
    """Logarithm of ∫_0^∞ exp(-slope a - curvature a²/2) da."""
    root = math.sqrt(curvature)
    z = slope / root
    return 0.5 * z * z + 0.5 * _LOG_2PI - math.log(root) + float(log_ndtr(-z))
