"""`sample`: posteriors by NUTS or ensembles on the engine's own log density."""

import os
import time
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ModelError, PriorError, SamplingError, SamplingWarning
from ..problem import AbstractProblem
from .draws import collect
from .least_squares import make_objective
from .progress import Callback, Reporter
from .provenance import key
from .providers import Objective, automatic
from .refinement import refined_over, refines
from .result import FitResult, SampleResult
from .statistics import curvature

METHODS = ("nuts", "aies", "ess")


class View(NamedTuple):
    """What the data and the priors say about the parameters at a point."""

    unseen: np.ndarray
    data: np.ndarray
    posterior: np.ndarray


@eqx.filter_jit
def _view(objective: Objective, x: Float[Array, "m p"]) -> tuple[Array, Array, Array]:
    def one(x: Array) -> tuple[Array, Array, Array]:
        triple = objective.problem.normal(x)
        d = jnp.sqrt(jnp.maximum(jnp.diagonal(triple.hessian), 0.0))
        d = d * objective.problem.parameters.scales()
        unseen = triple.null | (d <= 1e-12 * jnp.max(d))
        return unseen, triple.hessian, objective.augmented(triple, x)[0]

    unseen, data, posterior = jax.vmap(one)(x)
    return jnp.all(unseen, axis=0), data[0], posterior[0]


def view(problem: AbstractProblem, x: Float[Array, " p"], seed: int) -> View:
    """Parameters without effect at x and at two points beside it; both Hessians at x.

    Three points, because a parameter may be stationary at one by symmetry.
    """
    lo, hi = problem.parameters.bounds()
    z = jax.random.normal(key(seed, "nuts"), (2, problem.n_parameters))
    step = 0.03 * problem.parameters.scales()[None] * z
    beside = jnp.clip(x[None] + step, lo[None], hi[None])
    objective = make_objective(problem, prior=True)
    points = jnp.concatenate([x[None], beside])
    return View(*(np.asarray(v) for v in _view(objective, points)))


def sample(
    problem: AbstractProblem,
    method: str = "nuts",
    start: FitResult | Mapping[str, float] | None = None,
    *,
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    linear: str | None = None,
    seed: int = 0,
    target_accept: float = 0.95,
    max_depth: int = 8,
    dense_mass: bool | None = None,
    whiten: bool | None = None,
    chain_method: str | None = None,
    walkers: int | None = None,
    allow_improper: bool = False,
    force: bool = False,
    retry: int = 0,
    progress: bool | Callback = False,
    checkpoint: str | os.PathLike | None = None,
    warn: bool = True,
) -> SampleResult:
    """Posterior sample with a verdict on its convergence.

    Args:
        problem: its data, noise and priors.
        method: "nuts"; or the ensembles "aies" and "ess", for models whose gradient is
            of no use: two independent ensembles take the place of chains.
        start: a fit to start around; default a `map_fit`.
        chains: of NUTS; at least two, for R-hat.
        warmup: steps that adapt the sampler, per chain or walker.
        draws: kept steps per chain or walker.
        linear: how amplitudes are treated: "nonnegative", "flat", "gaussian",
            "profile" (too narrow intervals) or "explicit"; default by declaration.
        seed: same seed, versions and device: same draws.
        target_accept: mean acceptance NUTS adapts its step to.
        max_depth: largest depth of a NUTS tree.
        dense_mass: of NUTS; default up to 30 parameters.
        whiten: NUTS in coordinates scaled by the curvature at the start; default with a
            dense mass, whose adaptation then begins near the identity.
        chain_method: "vectorized", "parallel" (one device per chain), "sequential".
        walkers: per ensemble, even, at least 2 p.
        allow_improper: sample although a prior is improper and the data must make up
            for it.
        force: sample in float32 although the data are too many for its rounding.
        retry: times a failed verdict may change settings and run again.
        progress: as in `fit`; NUTS reports every 100 draws and can be stopped there.
        checkpoint: of NUTS: a file written with every report, from which the same call
            goes on, to the same draws; it is left in place.
        warn: issue `SamplingWarning`s too; they are in the result either way.

    Raises:
        PriorError: an improper prior.
        SamplingError: nothing to sample, or no finite start.
        ModelError: amplitudes that cannot be treated as asked.
    """
    asked = dict(locals())
    problem.require_likelihood("js.sample")
    if method not in METHODS:
        raise SamplingError(
            f"method {method!r} is not known; expected one of {METHODS}"
        )
    for part in problem.parts:
        if method == "nuts" and not part.model.has_gradient:
            raise ModelError(
                f"{part.name!r} has no gradient that NUTS can follow; use "
                "method='aies' or 'ess'"
            )
    given = problem
    problem = problem.each(lambda part: part.for_posterior())
    problem, mode = problem.explicit_where(linear or problem.default_linear_mode)
    problem.check_mode(mode)
    improper = problem.parameters.improper()
    if improper and not allow_improper:
        raise PriorError(
            f"{', '.join(improper)}: infinite bounds and no prior, so the posterior "
            "may be improper; give finite bounds or a prior, or allow_improper=True"
        )
    if not jax.config.read("jax_enable_x64") and problem.n_total > 1e5 and not force:
        raise SamplingError(
            "float32 on more than 1e5 points rounds the log posterior by more than "
            "the acceptance needs; use float64, or force=True"
        )
    if problem.precision == "mixed" and not force:
        raise SamplingError(
            "precision='mixed' rounds the log posterior and is for fits; sample "
            "problem.with_(precision='double'), or force=True"
        )
    problem = automatic(problem)
    x, modes = _start_point(problem, start, seed)
    sub, held, said = _without_unseen(problem, x, seed)
    if sub.n_parameters == 0:
        raise SamplingError("no parameter is left to sample: the data see none")
    keep = np.array([n in sub.parameters.labels for n in problem.parameters.labels])
    centre = x[np.flatnonzero(keep)]
    dense = sub.n_parameters <= 30 if dense_mass is None else dense_mass
    options: dict[str, Any] = {
        "chains": chains,
        "warmup": warmup,
        "draws": draws,
        "target_accept": target_accept,
        "max_depth": max_depth,
        "dense_mass": dense,
        "whiten": dense if whiten is None else whiten,
        "chain_method": chain_method,
        "walkers": walkers,
    }
    if checkpoint is not None and (method != "nuts" or retry):
        raise SamplingError("checkpoint goes with method='nuts' and retry=0")
    result = None
    for attempt in range(retry + 1):
        now = {**options, "checkpoint": checkpoint}
        raw = _run(sub, method, mode, centre, now, seed + attempt, progress)
        result = _finished(raw, problem, held, (*modes, *said), method, mode, options)
        if result.converged or "stopped" in result.flags:
            break
        options = _changed(options, result)
    assert result is not None
    if refines(problem) and "stopped" not in result.flags:
        finer = refined_over(given, result.draws)
        if finer is not given:
            middle = {n: float(np.median(v)) for n, v in result.draws.items()}
            asked |= {"problem": finer, "start": middle}
            return sample(**asked)
    if warn:
        for sentence in result.warnings:
            warnings.warn(sentence, SamplingWarning, stacklevel=2)
    return result


def _start_point(
    problem: AbstractProblem, start: Any, seed: int
) -> tuple[Float[Array, " p"], tuple[str, ...]]:
    """Where to start, and what a multi-start said about other modes."""
    from .least_squares import start_vector
    from .posterior_mode import map_fit

    if isinstance(start, FitResult):
        x = start_vector(problem, start)
        several = "multimodal" in start.flags
        said = (
            "the multi-start found several optima of similar chi2; chains started at "
            "the best may miss the others",
        )
        return x, said if several else ()
    best = map_fit(problem, start, seed=seed, warn=False)
    return jnp.asarray(best.x), ()


def _without_unseen(
    problem: AbstractProblem, x: Float[Array, " p"], seed: int
) -> tuple[AbstractProblem, dict[str, float], tuple[str, ...]]:
    """The problem with parameters that have no effect held where they are.

    Combinations the data do not see are sampled, and said.
    """
    seen = view(problem, x, seed)
    null = seen.unseen
    held: dict[str, float] = {}
    changes: dict[str, Any] = {}
    slices = problem.parameters.slices()
    for p in problem.parameters.free:
        part = np.asarray(x[slices[p.name]])
        if null[slices[p.name]].all():
            value = part if np.ndim(p.value) else part[0]
            changes[p.name] = {"fixed": True, "value": value}
            held |= dict(
                zip(
                    problem.parameters.labels[slices[p.name]],
                    part.tolist(),
                    strict=True,
                )
            )
    curved = curvature(
        seen.data,
        np.asarray(problem.parameters.scales()),
        np.zeros(len(null), bool),
        null,
        problem.parameters.labels,
    )
    said = tuple(
        f"the data determine only a combination of {', '.join(d)}: along the other the "
        "posterior is the prior"
        for d in curved.null
        if len(d) > 1
    )
    if not held:
        return problem, {}, said
    sentence = (
        f"{', '.join(held)} cannot be determined: the data do not depend on it in this "
        "model, so it is held and not sampled (its posterior is its prior)"
    )
    return problem.with_(parameters=changes), held, (sentence, *said)


def _changed(options: dict[str, Any], result: SampleResult) -> dict[str, Any]:
    """Settings for another attempt, by what failed (spec table of symptoms)."""
    s, new = result.statistics, dict(options)
    total = options["chains"] * options["draws"]
    if 0 < s.get("divergences", 0) < 0.01 * total:
        new["target_accept"], new["warmup"] = 0.98, 2 * options["warmup"]
    elif s.get("saturated", 0) >= 0.01:
        new["dense_mass"], new["max_depth"] = True, options["max_depth"] + 2
    else:
        new["warmup"], new["draws"] = 2 * options["warmup"], 2 * options["draws"]
    return new


def _run(
    problem: AbstractProblem,
    method: str,
    mode: str,
    centre: Float[Array, " p"],
    options: dict[str, Any],
    seed: int,
    progress: bool | Callback,
) -> dict[str, Any]:
    """Raw output of a sampler: x, statistics, seconds."""
    begin = time.monotonic()
    reporter = Reporter(progress)
    try:
        if method == "nuts":
            from .nuts import run_nuts

            out = run_nuts(problem, mode, centre, options, seed, reporter)
        else:
            from .ensemble import run_ensembles

            out = run_ensembles(problem, method, mode, centre, options, seed, reporter)
    finally:
        reporter.close()
    out["seconds"] = time.monotonic() - begin
    out["problem"], out["seed"] = problem, seed
    return out


@eqx.filter_jit
def _fallen(problem: AbstractProblem, mode: str, centre: Array, points: Array) -> Array:
    """By how much the log posterior lies below that of the centre."""
    values = jax.vmap(lambda x: problem.logpost(x, mode))(
        jnp.concatenate([centre[None], points])
    )
    return values[0] - values[1:]


def _reached(
    problem: AbstractProblem, mode: str, centre: Array, cov: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Root and square of a covariance made as wide as the posterior along its axes.

    Where curvature vanishes the posterior may still be narrow, by its fourth order: a
    direction is halved until the log posterior has fallen by no more than one.
    """
    scale = np.asarray(problem.parameters.scales())
    w, v = np.linalg.eigh(cov / np.outer(scale, scale))
    root = scale[:, None] * v * np.sqrt(np.maximum(w, 0.0))
    halved = 2.0 ** -np.arange(12.0)
    sides = np.array([-1.0, 1.0])
    steps = sides[:, None, None, None] * halved[None, :, None, None] * root.T
    lo, hi = (np.asarray(b) for b in problem.parameters.bounds())
    points = np.clip(np.asarray(centre) + steps, lo, hi)
    flat = jnp.asarray(points.reshape(-1, len(scale)))
    fallen = np.asarray(_fallen(problem, mode, centre, flat)).reshape(points.shape[:-1])
    near = np.all(np.nan_to_num(fallen, nan=np.inf) <= 1.0, axis=0)
    pick = np.where(near.any(axis=0), near.argmax(axis=0), len(halved) - 1)
    root = root * halved[pick]
    return root, root @ root.T


def dispersed(
    problem: AbstractProblem, centre: Float[Array, " p"], n: int, seed: int, mode: str
) -> tuple[Float[Array, "n p"], Float[Array, "p p"]]:
    """Over-dispersed Laplace draws (covariance 2C) inside the bounds, and C.

    Directions without curvature are as wide as the posterior of `mode` along them, and
    no wider than a tenth of the scales.
    """
    hessian = view(problem, centre, seed).posterior
    scale = np.asarray(problem.parameters.scales())
    p = len(scale)
    c = curvature(
        hessian,
        scale,
        np.zeros(p, bool),
        np.zeros(p, bool),
        problem.parameters.labels,
    )
    cov = c.cov
    lost = ~np.isfinite(c.stderr)
    cov = cov + np.diag(np.where(lost, (0.1 * scale) ** 2, 0.0))
    sd = np.sqrt(np.diagonal(cov))
    # a direction known worse than the box is wide would start everywhere on its edges
    shrink = np.minimum(1.0, 0.25 * scale / np.where(sd > 0, sd, 1.0))
    cov = cov * np.outer(shrink, shrink)
    if lost.any():
        root, cov = _reached(problem, mode, centre, cov)
    else:
        w, v = np.linalg.eigh(cov)
        root = v * np.sqrt(np.maximum(w, 0.0))
    z = np.asarray(jax.random.normal(jax.random.fold_in(key(seed, "nuts"), 7), (n, p)))
    lo, hi = (np.asarray(b) for b in problem.parameters.bounds())
    width = np.where(np.isfinite(hi - lo), hi - lo, 1.0)
    points = np.asarray(centre)[None] + np.sqrt(2.0) * z @ root.T
    points = np.clip(points, lo + 1e-3 * width, hi - 1e-3 * width)
    return jnp.asarray(points), jnp.asarray(cov)


def _finished(
    raw: dict[str, Any],
    problem: AbstractProblem,
    held: dict[str, float],
    said: tuple[str, ...],
    method: str,
    mode: str,
    options: dict[str, Any],
) -> SampleResult:
    """The result of a run, labelled for the problem the user gave."""
    result = collect(
        raw["problem"],
        raw["x"],
        mode=mode,
        stats=raw["stats"],
        statistics={**raw["statistics"], "seconds": raw["seconds"]},
        method={"nuts": "NUTS"}.get(method, method.upper()),
        seed=raw["seed"],
        arguments=options,
        said=said,
        held=held,
        labels=problem.parameters.labels,
    )
    result.warmup = raw.get("warmup", {})
    if raw["stopped"]:
        result.flags = (*result.flags, "stopped")
        result.converged = False
        result.warnings = ("stopped before all draws were made", *result.warnings)
    result.problem = problem
    return result
