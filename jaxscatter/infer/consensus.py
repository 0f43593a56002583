"""`consensus`: posteriors of shards of the data, sampled apart and combined.

Each shard s of K has the posterior p(θ)^(1/K) L_s(θ); their product is the posterior.
With mean m_s and covariance C_s of its draws θ_sj, P_s = C_s⁻¹ and P = Σ P_s,

    θ_j = P⁻¹ Σ P_s θ_sj

are draws of mean P⁻¹ Σ P_s m_s and covariance P⁻¹: the posterior, where every shard's
is a Gaussian. θ holds the parameters and the linear amplitudes together, because shards
that see one amplitude know it together. What is combined is the parameters; amplitudes
are then drawn given them and all data, as in `sample`.

References:
    [1] S. L. Scott et al., Int. J. Manag. Sci. Eng. Manag. 11, 78 (2016).
"""

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ModelError, SamplingError, SamplingWarning
from ..problem import AbstractProblem, Problem
from . import _consensus_notes as notes
from .draws import collect
from .least_squares import start_vector
from .pooling import COMBINES, Pool, piece, pooled
from .posterior_mode import map_fit
from .progress import Callback, Event, Reporter
from .result import FitResult, SampleResult
from .sampling import sample
from .shards import Shard, deal


class Settings(NamedTuple):
    """What every shard is sampled with."""

    chains: int
    warmup: int
    draws: int
    target_accept: float
    max_depth: int
    allow_improper: bool


def consensus(
    problem: AbstractProblem,
    shards: int = 4,
    *,
    split: str = "random",
    combine: str = "full",
    seed: int = 0,
    start: FitResult | Mapping[str, float] | None = None,
    chains: int = 2,
    warmup: int = 1000,
    draws: int = 1000,
    linear: str | None = None,
    target_accept: float = 0.95,
    max_depth: int = 8,
    allow_improper: bool = False,
    compare: bool = True,
    progress: bool | Callback = False,
    warn: bool = True,
) -> SampleResult:
    """Approximate posterior from shards of the data, by consensus Monte Carlo.

    Exact where every shard's posterior is Gaussian, otherwise not, and flagged
    "approximate". `sample` on a problem spread over devices by `shard` is exact; this
    is for data that no chain can go through often enough. Interrupted, or stopped by
    `progress`, it combines the shards that are finished, and says so.

    Args:
        problem: its data in memory.
        shards: K, at least 2.
        split: "random", "contiguous" (runs of points) or "groups" (whole groups).
        combine: "full" weighs by inverse covariance matrices; "diagonal" by inverse
            variances, parameter by parameter, which loses what correlations tell and
            is wider; "robust" is "full" without the shards that do not vary or whose
            mean lies further from the median than 3 x 1.4826 MAD and than 3 of their
            own standard deviations.
        seed: of the split and of the chains.
        start: a fit to start around; default a `map_fit` of all data.
        chains: per shard, as all following ones of `sample`.
        warmup: steps that adapt, per chain.
        draws: kept steps per chain; the result has as many.
        linear: how amplitudes are treated.
        target_accept: mean acceptance.
        max_depth: largest depth of a tree.
        allow_improper: sample although a prior is improper.
        compare: compare with the Laplace approximation at the mode of all data.
        progress: phases are called "shard 1/4 NUTS draws".
        warn: issue `SamplingWarning`s too; they are in the result either way.

    Returns:
        Draws with `extras`: "shards" (a table: points, seed, converged, kept,
        divergences, ...), "shard_means" and "shard_sds" by label, "shard_diagnostics",
        "agreement" and, with `compare`, "laplace" (distance of the means in standard
        deviations, ratio of the standard deviations).

    Raises:
        DataError: streamed data, or shards that leave too few points.
        ModelError: an unknown `split` or `combine`, or one the model does not allow; a
            joint problem.
        SamplingError: no shard was finished, or one does not vary.
        PriorError: an improper prior.
    """
    if combine not in COMBINES:
        raise ModelError(f"combine {combine!r} is not known; expected of {COMBINES}")
    whole: Problem = problem.single("js.consensus", "use js.sample, which is exact")
    whole, mode = whole.explicit_where(linear or whole.default_linear_mode)
    _no_circles(whole)
    parts = deal(whole, shards, split, seed)
    settings = Settings(chains, warmup, draws, target_accept, max_depth, allow_improper)
    begin = time.monotonic()
    best = _best(whole, start, mode) if compare or start is None else start
    known = _known(whole, best)
    posts, stopped = _sampled(parts, known, mode, settings, seed, progress)
    pieces = [piece(p, post) for p, post in zip(parts, posts, strict=False)]
    pool = pooled(pieces, _labels(whole, parts), combine)
    arguments = {"shards": shards, "split": split, "combine": combine}
    result = _collected(whole, pool, mode, seed, arguments | settings._asdict())
    result.extras = notes.record(parts, posts, pieces, pool, arguments)
    said = [
        notes.headline(pool, shards, len(posts), combine),
        *notes.cut_short(stopped, shards),
        *notes.failures(posts),
    ]
    if compare and isinstance(best, FitResult):
        result.extras["laplace"], far = notes.against(best, result)
        said += far
    said += [*pool.said, *notes.small(parts, whole), *notes.scale_note(whole)]
    said += notes.bounded(whole, pieces)
    converged = not stopped and all(post.converged for post in posts)
    flags = {
        "approximate": True,
        "not_converged": not converged,
        "stopped": stopped,
        "shards_disagree": bool(pool.agreement.sentences("shard")),
        "shards_dropped": bool(pool.dropped),
    }
    result.flags = (*(n for n, on in flags.items() if on), *result.flags)
    result.warnings = (*said, *result.warnings)
    result.converged = converged
    result.statistics["shards"] = float(len(posts) - len(pool.dropped))
    result.statistics["seconds"] = time.monotonic() - begin
    if warn:
        for sentence in result.warnings:
            warnings.warn(sentence, SamplingWarning, stacklevel=2)
    return result


def _no_circles(problem: Problem) -> None:
    turning = [p.name for p in problem.parameters.free if p.circular]
    if turning:
        raise ModelError(
            f"{', '.join(turning)}: angles over their whole period, whose draws have "
            "no mean to combine; narrow their bounds, or use js.sample"
        )


def _best(problem: Problem, start: Any, mode: str) -> FitResult:
    """Mode of all data: where the shards start, and what they are compared with."""
    if isinstance(start, FitResult) and start.method == "MAP":
        if start.labels == problem.parameters.labels:
            return start
    integrable = bool(problem.linear) and mode == problem.default_linear_mode
    how = "marginal" if integrable and mode != "profile" else "profile"
    return map_fit(problem, start, linear=how, warn=False)


def _known(problem: Problem, start: Any) -> dict[str, float]:
    """Start values by the whole problem's labels."""
    if isinstance(start, FitResult):
        return start.amplitude_values | start.values
    x = np.asarray(start_vector(problem, start))
    return dict(zip(problem.parameters.labels, x.tolist(), strict=True))


def _sampled(
    parts: Sequence[Shard],
    known: dict[str, float],
    mode: str,
    settings: Settings,
    seed: int,
    progress: bool | Callback,
) -> tuple[list[SampleResult], bool]:
    """Posteriors of the finished shards, and whether there should have been more."""
    reporter = Reporter(progress)
    out: list[SampleResult] = []
    stopped = False
    try:
        for i, part in enumerate(parts):

            def told(event: Event, name: str = f"shard {i + 1}/{len(parts)}") -> bool:
                return reporter(
                    f"{name} {event.phase}",
                    event.step,
                    event.total,
                    event.value,
                    event.message,
                )

            try:
                post = _one(part, known, mode, settings, shard_seed(seed, i), told)
            except SamplingError as error:
                if "stopped during warm-up" not in str(error):
                    raise SamplingError(f"shard {i}: {error}") from error
                stopped = True
                break
            if "stopped" in post.flags:
                stopped = True
                break
            out.append(post)
    except KeyboardInterrupt:
        stopped = True
    finally:
        reporter.close()
    if not out:
        raise SamplingError("stopped before the first shard was finished: no draws")
    return out, stopped


def shard_seed(seed: int, index: int) -> int:
    """Seed of the chains of one shard."""
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0] >> 1)


def _one(
    part: Shard,
    known: dict[str, float],
    mode: str,
    settings: Settings,
    seed: int,
    told: Callback,
) -> SampleResult:
    own = part.problem.parameters.labels
    pairs = zip(own, part.labels, strict=True)
    start = {n: known[whole] for n, whole in pairs if whole in known}
    return sample(
        part.problem,
        start=start,
        linear=mode if part.problem.linear else None,
        seed=seed,
        progress=told,
        warn=False,
        **settings._asdict(),
    )


def _labels(problem: Problem, parts: Sequence[Shard]) -> tuple[str, ...]:
    """Parameters of the whole problem, then its amplitudes."""
    amplitudes = dict.fromkeys(n for part in parts for n in part.amplitudes)
    return (*problem.parameters.labels, *amplitudes)


def _collected(
    problem: Problem, pool: Pool, mode: str, seed: int, arguments: dict[str, Any]
) -> SampleResult:
    """The result of the combined draws, on the problem of all data."""
    labels = problem.parameters.labels
    missing = [n for n in labels if n not in pool.labels and n not in pool.held]
    if missing:
        raise SamplingError(
            f"{', '.join(missing)}: belongs to groups whose shard is not finished or "
            "was left out, so there are no draws of it"
        )
    lost = {n: v for n, v in pool.held.items() if n in labels}
    changes = _held(problem, lost)
    sub = problem.with_(parameters=changes) if changes else problem
    lo, hi = (np.asarray(b) for b in sub.parameters.bounds())
    x = pool.draws[..., [pool.labels.index(n) for n in sub.parameters.labels]]
    outside = float(np.mean(np.any((x < lo) | (x > hi), axis=-1)))
    said = tuple(
        f"{n} cannot be determined: no shard's data depend on it, so it is held (its "
        "posterior is its prior)"
        for n in lost
    )
    if outside > 0.05:
        said += (f"{outside:.1%} of the combined draws fell outside the bounds",)
    result = collect(
        sub,
        np.clip(x, lo, hi),
        mode=mode,
        stats={},
        statistics={"clipped": outside},
        method="consensus",
        seed=seed,
        arguments=arguments,
        said=said,
        held=lost,
        verdict=(True, []),
        labels=labels,
    )
    result.problem = problem
    return result


def _held(problem: Problem, lost: Mapping[str, float]) -> dict[str, Any]:
    """Changes that hold the parameters no shard says anything about."""
    changes: dict[str, Any] = {}
    for p in problem.parameters.free:
        own = problem.parameters.labels[problem.parameters.slices()[p.name]]
        if not any(n in lost for n in own):
            continue
        if not all(n in lost for n in own):
            names = ", ".join(n for n in own if n in lost)
            raise SamplingError(
                f"{names} cannot be determined: no shard's data depend on it; leave "
                "its group out, or give it a prior"
            )
        value = [lost[n] for n in own]
        value = value if np.ndim(p.value) else value[0]
        changes[p.name] = {"fixed": True, "value": value}
    return changes
