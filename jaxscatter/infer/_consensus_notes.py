"""What a consensus keeps of its shards, and what it says about them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..problem import Problem
from .pooling import Piece, Pool
from .result import FitResult, SampleResult, Table
from .shards import Shard

POINTS = 10_000
"""Points of a shard from which on its posterior can be hoped to be Gaussian."""
POINTS_PER_PARAMETER = 1500


def record(
    parts: Sequence[Shard],
    posts: Sequence[SampleResult],
    pieces: Sequence[Piece],
    pool: Pool,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """What the result keeps of its shards."""
    pairs = list(zip(parts, posts, strict=False))
    shown = ("divergences", "accept", "steps", "ebfmi", "saturated", "seconds")
    nan = float("nan")
    shards: Table = {
        "points": np.array([part.points for part, _ in pairs]),
        "groups": np.array([len(part.groups) for part, _ in pairs]),
        "seed": np.array([post.provenance["seed"] for _, post in pairs]),
        "converged": np.array([post.converged for _, post in pairs]),
        "kept": np.array([i not in pool.dropped for i in range(len(pairs))]),
        "rhat": np.array([np.max(p.diagnostics["rhat"]) for p in posts]),
        "ess": np.array([np.min(p.diagnostics["ess_bulk"]) for p in posts]),
        **{k: np.array([p.statistics.get(k, nan) for p in posts]) for k in shown},
    }
    return {
        "consensus": arguments,
        "shards": shards,
        "shard_means": _by_label(pieces, pool.all_labels, "mean"),
        "shard_sds": _by_label(pieces, pool.all_labels, "sd"),
        "shard_diagnostics": {str(i): p.diagnostics for i, p in enumerate(posts)},
        "agreement": pool.agreement.to_dict(),
    }


def _by_label(pieces: Sequence[Piece], labels: Sequence[str], what: str) -> Table:
    out = {}
    for n in labels:
        column = [
            getattr(p, what)[p.labels.index(n)] if n in p.labels else np.nan
            for p in pieces
        ]
        out[n] = np.array(column, float)
    return out


def headline(pool: Pool, shards: int, finished: int, combine: str) -> str:
    """First thing to say of a consensus."""
    used = finished - len(pool.dropped)
    of = f"{used} of {shards}" if used < shards else str(shards)
    a = pool.agreement
    return (
        f"approximate: consensus of {of} shards ({combine}), exact only where every "
        f"shard's posterior is Gaussian; largest disagreement of two shards "
        f"{a.largest:.2f} standard deviations, all together p = {a.p_value:.2g}"
    )


def cut_short(stopped: bool, shards: int) -> list[str]:
    """What an early end means."""
    if not stopped:
        return []
    return [
        f"stopped before all {shards} shards were sampled: this is the posterior of "
        "the finished shards' data, with their share of the priors"
    ]


def failures(posts: Sequence[SampleResult]) -> list[str]:
    """What the shards' own chains had to say, shard by shard."""
    out = []
    for i, post in enumerate(posts):
        if not post.converged:
            out.append(f"shard {i} has not converged: {post.warnings[0]}")
    return out


def against(best: FitResult, result: SampleResult) -> tuple[Table, list[str]]:
    """Distance from the Laplace approximation of all data, per parameter."""
    names = [n for n in best.labels if n in result.draws]
    error = np.array([best.error(n) for n in names])
    mean = np.array([result.draws[n].mean() for n in names])
    sd = np.array([result.draws[n].std(ddof=1) for n in names])
    usable = np.isfinite(error) & (error > 0)
    safe = np.where(usable, error, 1.0)
    mode = np.array([best[n] for n in names])
    table = {
        "name": np.array(names),
        "mode": mode,
        "stderr": error,
        "distance": np.where(usable, (mean - mode) / safe, np.nan),
        "sd_ratio": np.where(usable, sd / safe, np.nan),
    }
    far = [
        f"{n} ({d:+.1f} standard deviations, sd ratio {r:.2f})"
        for n, d, r in zip(names, table["distance"], table["sd_ratio"], strict=True)
        if abs(d) > 1 or not (np.isnan(r) or 2 / 3 < r < 1.5)
    ]
    if not far:
        return table, []
    return table, [
        f"far from the Laplace approximation of all data: {', '.join(far)}; check by "
        "js.sample, or take fewer shards"
    ]


def small(parts: Sequence[Shard], problem: Problem) -> list[str]:
    """Whether the shards have too few points."""
    least = min(part.points for part in parts)
    wanted = max(POINTS, POINTS_PER_PARAMETER * problem.n_parameters)
    if least >= wanted:
        return []
    return [
        f"the smallest shard has {least} points; for {problem.n_parameters} parameters "
        f"at least {wanted} are recommended: take fewer shards, or js.sample"
    ]


def scale_note(problem: Problem) -> list[str]:
    """What a scale that is integrated over means here."""
    if problem.likelihood.noise != "scale_marginal":
        return []
    return [
        "noise='scale_marginal': every shard integrates over a scale of its own; with "
        "noise='scale' they share one"
    ]


def bounded(problem: Problem, pieces: Sequence[Piece]) -> list[str]:
    """Shards whose posteriors their bounds cut: as Gaussians they would be too narrow.

    K flat posteriors multiply to the same flat one, K Gaussians to a narrower one.
    """
    lo, hi = (np.asarray(b) for b in problem.parameters.bounds())
    names = []
    for k, n in enumerate(problem.parameters.labels):
        if not np.isfinite(hi[k] - lo[k]):
            continue
        sds = [p.sd[p.labels.index(n)] for p in pieces if n in p.labels]
        if sds and max(sds) > 0.2 * (hi[k] - lo[k]):
            names.append(n)
    if not names:
        return []
    return [
        f"{', '.join(names)}: in a shard the bounds, not the data, set the width; the "
        "combination is too narrow there"
    ]
