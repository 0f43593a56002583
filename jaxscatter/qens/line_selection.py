"""How many Lorentzians do the data ask for? One answer per Q, and one for all.

For 0 to 3 lines per Q, with and without what else is fitted, the table holds χ², AICc,
BIC and the log evidence, which `line_evidence` integrates.

References:
    [1] D. S. Sivia and J. Skilling, Data Analysis, 2nd ed., Oxford (2006), chapter 4.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError, ModelError
from ..infer import BatchResult, fit_batch
from ..infer.progress import Callback
from ..infer.report import columns
from ..infer.statistics import goodness
from ..problem import Dataset, Problem
from .line_evidence import log_evidence
from .lines import lines_problem, spread_widths, width_range

CRITERIA = ("log_evidence", "aicc", "bic")


@dataclasses.dataclass(frozen=True, eq=False)
class LineSelection:
    """Fits with 0 to 3 lines side by side; rows are numbers of lines, columns Q.

    Args:
        q: momentum transfers, 1/Å.
        lines: numbers of Lorentzians that were tried.
        chi2, red_chi2, aicc, bic, log_evidence: (lines, q); NaN where a fit failed.
        log_evidence_error: standard error of its integration, (lines, q).
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
    log_evidence_error: np.ndarray
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
        rough = np.argwhere(self.log_evidence_error > 0.5)
        if by == "log_evidence" and len(rough):
            told = ", ".join(
                f"{self.lines[i]} lines at Q = {self.q[k]:.3f}" for i, k in rough
            )
            lines.append(f"ROUGH: ln Z has an error above 0.5 for {told}")
        lines += self._at_bounds()
        name = {
            "log_evidence": "ln Z",
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

    def _at_bounds(self) -> list[str]:
        """A sentence on visible widths and shifts that ended on a bound, if any."""
        found = []
        for n, fit in zip(self.lines, self.fits, strict=True):
            for j, name in enumerate(fit.names):
                on = fit.at_bound[:, j] & fit.success
                if name != "center":
                    on &= fit.column(name.replace("hwhm", "line")) > 0
                if on.any():
                    at = ", ".join(f"{q:.3f}" for q in self.q[on])
                    found.append(f"{name} of {n} lines at Q = {at}")
        if not found:
            return []
        return [f"AT A BOUND: {'; '.join(found)}; the data do not give these values"]


def select_lines(
    data: Dataset,
    lines: Sequence[int] = (0, 1, 2, 3),
    *,
    elastic: bool = True,
    background: str = "linear",
    center: str = "fixed",
    starts: int = 6,
    temperature: float | int | None = None,
    detailed_balance: str = "bose",
    progress: bool | Callback = False,
) -> LineSelection:
    """Fits of every number of Lorentzians at every Q, with what chooses between them.

    Each Q is fitted by itself from several sets of start widths, and the best is kept.

    Args:
        data: from `load` or `from_bins`.
        lines: numbers of Lorentzians, 0 to 3.
        elastic: whether there is an elastic line beside them.
        background: "none", "flat", "linear" or "quadratic".
        center: shift of the model along energy: "fixed" at 0 or "per_q".
        starts: sets of start widths.
        temperature: in K, for detailed balance; None leaves the lines symmetric.
        detailed_balance: "bose" or "exp_half", as for `problem`.
        progress: as for `js.fit_batch`.

    Raises:
        ModelError: a number of lines that is not 0 to 3, or none to choose from; a
            center that all Q would share.
        DataError: data without errors, which no criterion can do without.
    """
    if not data.sigma_given:
        raise DataError(
            "the data have no errors: evidence, AICc and BIC weigh misfit against "
            "them; give errors, or fit lines_problem for one number of lines"
        )
    if not len(lines) or len(set(lines)) < len(lines):
        raise ModelError(f"lines is {list(lines)}; expected different numbers, 0 to 3")
    if center == "global":
        raise ModelError("each Q is fitted by itself: center is 'fixed' or 'per_q'")
    tables, fits = [], []
    for n in lines:
        problem = lines_problem(
            data,
            n,
            elastic=elastic,
            background=background,
            center=center,
            temperature=temperature,
            detailed_balance=detailed_balance,
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


def _judged(
    problem: Problem, data: Dataset, best: BatchResult, n: int
) -> dict[str, np.ndarray]:
    """χ², criteria and log evidence of every Q."""
    names = [f"hwhm_{i + 1}" for i in range(n)]
    ranges = [np.log(width_range(data))] * n
    for p in problem.parameters.free:
        if p.name == "center":
            names.append(p.name)
            ranges.append(np.array([np.min(p.bounds[0]), np.max(p.bounds[1])]))
    low, high = np.array(ranges).reshape(-1, 2).T
    at = np.stack([best.column(k) for k in names], 1) if names else best.values[:, :0]
    at = np.array(at)
    at[:, :n] = np.log(at[:, :n])
    value, error = log_evidence(problem, at, best.amplitudes, n, low, high)
    out: dict[str, list[float]] = {k: [] for k in ("chi2", "red_chi2", "aicc", "bic")}
    for g in range(len(best)):
        used = int(np.count_nonzero(np.asarray(data.mask)[g] > 0))
        inside = int(np.count_nonzero(~best.amplitude_at_bound[g]))
        said = goodness(float(best.chi2[g]), used, len(names), inside)
        for key, column in out.items():
            column.append(said[key] if best.success[g] else math.nan)
    made = {k: np.array(v) for k, v in out.items()}
    made["log_evidence"] = np.where(best.success, value, np.nan)
    made["log_evidence_error"] = np.where(best.success, error, np.nan)
    return made
