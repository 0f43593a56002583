"""`multistart`: many starts, scored, fitted together; the distinct optima listed."""

import math
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import stats

from ..errors import FitError, FitWarning
from ..problem import AbstractProblem
from . import trust_region as tr
from .least_squares import (
    Box,
    advance_state,
    box,
    concluded,
    make_objective,
    run_trust_region,
    start_state,
    start_vector,
)
from .progress import Callback, Reporter
from .provenance import key
from .providers import Objective
from .result import FitResult

TRIALS = 60
BLOCK = 10
METHODS = ("sobol", "lhs", "prior", "jitter")


def starts(
    problem: AbstractProblem,
    n: int,
    method: str,
    seed: int,
    centre: Array | None = None,
) -> Float[Array, "n p"]:
    """Start vectors drawn in the box, the given start first.

    Sobol and Latin hypercube points fill the box of the sampling coordinates
    (log-uniformly where the prior is); "prior" draws from the priors; "jitter" is the
    start vector plus a tenth of the scales. Infinite bounds give a spread of one scale.
    """
    if method not in METHODS:
        raise FitError(f"method {method!r} is not known; expected one of {METHODS}")
    x0 = problem.start() if centre is None else centre
    p = problem.n_parameters
    lo, hi = problem.parameters.bounds()
    scale = problem.parameters.scales()
    if method == "jitter":
        z = jax.random.normal(key(seed, "starts"), (n, p))
        x = x0[None] + 0.1 * scale[None] * z
        return jnp.clip(x, lo[None], hi[None]).at[0].set(x0)
    if method == "prior":
        return _from_priors(problem, n, seed).at[0].set(x0)
    rng = np.random.default_rng(seed)
    if method == "sobol":
        power = math.ceil(math.log2(max(n, 2)))
        fractions = stats.qmc.Sobol(p, rng=rng).random_base2(power)[:n]
    else:
        fractions = stats.qmc.LatinHypercube(p, rng=rng).random(n)
    fractions = np.clip(fractions, 1e-6, 1 - 1e-6)
    coordinates = problem.coordinates
    bounded = np.array([k in ("both", "log") for k in coordinates.kinds], dtype=bool)
    u0 = coordinates.to_u(jnp.clip(x0, lo, hi))
    spread = stats.norm.ppf(fractions)
    u = np.where(bounded, np.log(fractions / (1 - fractions)), np.asarray(u0) + spread)
    # an unbounded u is x itself, so its spread is the parameter's scale
    free = np.array([k == "none" for k in coordinates.kinds], dtype=bool)
    u = np.where(free, np.asarray(x0) + np.asarray(scale) * spread, u)
    x = jax.vmap(lambda u: coordinates.to_x(u)[0])(jnp.asarray(u))
    return jnp.clip(x, lo[None], hi[None]).at[0].set(x0)


def _from_priors(problem: AbstractProblem, n: int, seed: int) -> Float[Array, "n p"]:
    lo, hi = problem.parameters.bounds()
    keys = jax.random.split(key(seed, "starts"), max(1, len(problem.parameters.free)))
    parts = []
    for k, p in zip(keys, problem.parameters.free, strict=False):
        shape = (n, max(1, int(np.size(p.value))))
        if p.prior is not None:
            parts.append(p.prior.sample(k, shape))
        elif np.all(np.isfinite(np.asarray(p.hi) - np.asarray(p.lo))):
            parts.append(
                jax.random.uniform(k, shape) * jnp.ravel(p.hi - p.lo)[None]
                + jnp.ravel(p.lo)[None]
            )
        else:
            parts.append(
                jnp.ravel(p.value)[None]
                + jnp.ravel(p.scale)[None] * jax.random.normal(k, shape)
            )
    return jnp.clip(jnp.concatenate(parts, axis=1), lo[None], hi[None])


@eqx.filter_jit
def _begin(
    objective: Objective, limits: Box, x: Float[Array, "m p"], options: tr.Options
) -> tr.State:
    return jax.vmap(lambda x: start_state(objective, limits, x, options))(x)


@eqx.filter_jit
def _go_on(
    objective: Objective, limits: Box, state: tr.State, options: tr.Options, trials: Any
) -> tr.State:
    return jax.vmap(lambda s: advance_state(objective, limits, s, options, trials))(
        state
    )


def multistart(
    problem: AbstractProblem,
    n: int = 32,
    method: str = "sobol",
    *,
    seed: int = 0,
    start: Any = None,
    keep: int | None = None,
    prior: bool = False,
    scale_covariance: bool | None = None,
    progress: bool | Callback = False,
    warn: bool = True,
) -> FitResult:
    """Best of many fits, with every distinct optimum found.

    All `n` starts are scored by their cost, the best are fitted together in one vmap
    (60 trials), and the best of them goes on alone to its end.

    Args:
        problem: what to fit.
        n: number of starts.
        method: "sobol", "lhs", "prior" or "jitter", see `starts`.
        seed: of the draws.
        start: one start of your own; default the start values. Always among them.
        keep: how many are fitted; default a quarter of `n`, at least 4.
        prior: maximise the posterior density instead, as `map_fit`.
        scale_covariance: as in `fit`.
        progress: as in `fit`.
        warn: as in `fit`.

    Returns:
        The best fit. Its `optima` table lists distinct optima, best first; its `starts`
        table every fitted end point with cost, code and cluster. More than one optimum
        within delta chi2 < 9 is a warning.

    Raises:
        FitError: every start failed.
    """
    problem.require_likelihood("js.multistart")
    if n < 1:
        raise FitError(f"n is {n}; expected at least one start")
    objective = make_objective(problem, prior)
    problem = objective.problem
    name = "multistart MAP" if prior else "multistart"
    common: dict[str, Any] = {
        "scale_covariance": scale_covariance,
        "seed": seed,
        "throw": True,
        "arguments": {"n": n, "method": method, "keep": keep},
        "method": name,
    }
    if problem.n_parameters == 0:
        return run_trust_region(
            objective,
            problem.start(),
            tr.Options(),
            progress=False,
            warn=warn,
            **common,
        )
    limits = box(problem)
    own = None if start is None else start_vector(problem, start)
    drawn = starts(problem, n, method, seed, own)
    reporter = Reporter(progress)
    options = tr.Options()
    # the state at every start holds its cost, so scoring compiles nothing of its own
    state = _begin(objective, limits, drawn, options)
    cost = np.asarray(state.cost)
    if not np.any(np.isfinite(cost)):
        raise FitError(f"the cost is not finite at any of the {n} starts")
    reporter("starts", n, n, float(np.nanmin(cost)))
    keep = min(n, max(4, math.ceil(n / 4)) if keep is None else keep)
    order = np.argsort(np.where(np.isfinite(cost), cost, np.inf))[:keep]
    if 0 not in order:
        order = np.append(order[:-1], 0)
    state = jax.tree.map(lambda leaf: leaf[order], state)
    done, stopped = 0, False
    try:
        while done < TRIALS and np.any(np.asarray(state.code) == tr.RUNNING):
            state = _go_on(objective, limits, state, options, jnp.asarray(BLOCK))
            done += BLOCK
            best = float(np.nanmin(np.asarray(state.cost)))
            if not reporter("fits", done, TRIALS, best):
                stopped = True
                break
    except KeyboardInterrupt:
        stopped = True
    finally:
        reporter.close()
    x, end = np.array(state.x), np.array(state.cost, float)
    codes = np.array(state.code)
    if not np.any(np.isfinite(end)):
        raise FitError(f"all {len(end)} fits failed: no finite cost at their ends")
    winner = int(np.nanargmin(end))
    alone = jnp.where(jnp.arange(len(end)) == winner, state.code, tr.STOPPED)
    state = eqx.tree_at(lambda s: s.code, state, alone)
    if not stopped:
        # the compiled batch again, in which every other lane stands still
        more = jnp.asarray(options.max_trials)
        state = _go_on(objective, limits, state, options, more)
    best_state = jax.tree.map(lambda leaf: leaf[winner], state)
    x[winner], end[winner] = best_state.x, best_state.cost
    codes[winner] = best_state.code
    result = concluded(objective, best_state, int(best_state.code), warn=warn, **common)
    seen = np.asarray(tr.seen(state.H[winner], limits.scale))
    cluster = clusters(x[:, seen] / np.asarray(limits.scale)[seen], end)
    result.starts = {
        "cost": end,
        "code": codes,
        "cluster": cluster,
        **{name: x[:, i] for i, name in enumerate(result.labels)},
    }
    best = float(result.statistics["cost"])
    table: dict[str, list] = {k: [] for k in ("cost", "delta_chi2", "count")}
    table |= {name: [] for name in result.labels}
    for c in np.unique(cluster[cluster >= 0]):
        members = np.flatnonzero(cluster == c)
        first = members[np.argmin(end[members])]
        if codes[first] <= 0:
            continue
        table["cost"].append(end[first])
        table["delta_chi2"].append(max(0.0, 2 * (end[first] - best)))
        table["count"].append(float(len(members)))
        for i, name in enumerate(result.labels):
            table[name].append(x[first, i])
    rank = np.argsort(table["cost"])
    result.optima = {k: np.array(v)[rank] for k, v in table.items()}
    near = int(np.sum(result.optima["delta_chi2"] < 9))
    if near > 1:
        result.flags = (*result.flags, "multimodal")
        sentence = (
            f"{near} distinct optima lie within delta chi2 < 9 of the best: the "
            "posterior has several modes, which NUTS started at one may miss"
        )
        result.warnings = (sentence, *result.warnings)
        if warn:
            warnings.warn(sentence, FitWarning, stacklevel=2)
    if stopped:
        result.flags = (*result.flags, "stopped")
        result.warnings = (
            "stopped before all fits had converged: optima may be missing",
            *result.warnings,
        )
    return result


def clusters(x: Float[np.ndarray, "m p"], cost: Float[np.ndarray, " m"]) -> np.ndarray:
    """Single-linkage label of each end point, best cost first; -1 where not finite.

    Linked: distance below 1e-3 in scaled x and cost within 1e-6 relative.
    """
    m = len(cost)
    label = np.full(m, -1)
    finite = np.isfinite(cost)
    near = np.linalg.norm(x[:, None] - x[None], axis=-1) < 1e-3
    size = np.maximum(np.abs(cost)[:, None], np.abs(cost)[None])
    near &= np.abs(cost[:, None] - cost[None]) <= 1e-6 * np.maximum(size, 1e-12)
    current = 0
    for i in np.argsort(np.where(finite, cost, np.inf)):
        if not finite[i] or label[i] >= 0:
            continue
        front = [i]
        while front:
            j = front.pop()
            if label[j] < 0 and finite[j]:
                label[j] = current
                front += list(np.flatnonzero(near[j] & (label < 0)))
        current += 1
    return label
