"""`fit`: bounded least squares through the trust region, scipy or optax."""

import dataclasses
import os
import warnings
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import FitError, FitWarning, ParameterError
from ..problem import AbstractProblem, BareCost
from . import trust_region as tr
from .approach import Frame, approached, frame
from .box import Box, box
from .checkpoint import Checkpoint, fingerprint
from .finish import finish
from .progress import Callback, Reporter
from .providers import Objective, automatic
from .refinement import ROUNDS, refined, refines
from .result import FitResult

BLOCK = 10
"""Trials between two progress calls."""

FIRST_ORDER = ("lbfgs", "adam", "adamw")
METHODS = ("tr", "scipy-trf", "nelder-mead", "powell", *FIRST_ORDER)


def start_vector(problem: AbstractProblem, start: Any) -> Float[Array, " p"]:
    """X of a start given as nothing, a mapping of names, a vector or a result."""
    x = _start_vector(problem, start)
    lost = np.flatnonzero(~np.isfinite(np.asarray(x)))
    if lost.size:
        name, value = problem.parameters.labels[lost[0]], float(x[lost[0]])
        raise ParameterError(f"start has {name} = {value}; expected finite numbers")
    return x


def _start_vector(problem: AbstractProblem, start: Any) -> Float[Array, " p"]:
    if start is None:
        return problem.start()
    if isinstance(start, FitResult):
        known = start.amplitude_values | start.values
        start = {n: known[n] for n in problem.parameters.labels if n in known}
    if isinstance(start, Mapping):
        labels = problem.parameters.labels
        x = np.array(problem.start())
        for name, value in start.items():
            if name in labels:
                x[labels.index(name)] = value
            elif name in problem.parameters.slices():
                x[problem.parameters.slices()[name]] = value
            else:
                raise ParameterError(
                    f"start names {name!r}, which is not free; free are {list(labels)}"
                )
        return jnp.asarray(x)
    x = jnp.asarray(start, float)
    if x.shape != (problem.n_parameters,):
        raise ParameterError(
            f"start has shape {x.shape}; expected ({problem.n_parameters},) for "
            f"{list(problem.parameters.labels)}"
        )
    return x


def start_state(
    objective: Objective | Frame, limits: Box, x: Array, options: tr.Options
) -> tr.State:
    """Trust-region state at x; call under jit."""
    whole = objective.objective if isinstance(objective, Frame) else objective
    n = whole.problem.count
    return tr.start(
        objective.normal,
        x,
        limits.lo,
        limits.hi,
        limits.scale,
        n,
        options,
        exact=whole.exact,
    )


def advance_state(
    objective: Objective | Frame,
    limits: Box,
    state: tr.State,
    options: tr.Options,
    trials: Any,
) -> tr.State:
    """State after some more trials; call under jit."""
    whole = objective.objective if isinstance(objective, Frame) else objective
    return tr.advance(
        state,
        objective.normal,
        objective.cost,
        limits.lo,
        limits.hi,
        limits.scale,
        whole.problem.count,
        options,
        exact=whole.exact,
        trials=trials,
        wrap=limits.wrap,
    )


_start = eqx.filter_jit(start_state)
_advance = eqx.filter_jit(advance_state)


def prior_peak(problem: AbstractProblem) -> Float[Array, ""]:
    """Largest log prior density in the box, on a grid per parameter."""
    total = 0.0
    for p in problem.parameters.free:
        size = max(1, int(np.size(p.value)))
        for k in range(size):
            lo = float(np.ravel(np.asarray(p.lo))[k if np.ndim(p.lo) else 0])
            hi = float(np.ravel(np.asarray(p.hi))[k if np.ndim(p.hi) else 0])
            if p.prior is None:
                total -= np.log(hi - lo) if np.isfinite(hi - lo) else 0.0
                continue
            mean, sd = float(p.prior.mean), float(p.prior.variance) ** 0.5
            wide = 20 * sd if np.isfinite(sd) else 1e3 * abs(float(p.value))
            low = max(lo, mean - wide) if np.isfinite(mean) else lo
            high = min(hi, mean + wide) if np.isfinite(mean) else hi
            grid = np.unique(
                np.concatenate(
                    [
                        np.linspace(low, high, 4001),
                        np.geomspace(max(low, 1e-9 * max(high, 1e-300)), high, 2001)
                        if high > 0
                        else [low],
                        np.clip([mean], low, high),
                    ]
                )
            )
            inside = grid[(grid > lo) & (grid < hi)]
            density = np.asarray(p.prior.log_prob(inside if inside.size else grid))
            total += float(np.max(density[np.isfinite(density)]))
    return jnp.asarray(total)


def make_objective(
    problem: AbstractProblem, prior: bool = False, linear: str = "profile"
) -> Objective:
    """Objective on the provider that fits in memory."""
    problem = automatic(problem)
    peak = prior_peak(problem) if prior else jnp.zeros(())
    return Objective(problem, peak, prior, linear if problem.linear else "profile")


def fit(
    problem: AbstractProblem,
    method: str | Any = None,
    start: Any = None,
    *,
    max_trials: int = 200,
    ftol: float | None = None,
    gtol: float | None = None,
    xtol: float | None = None,
    scale_covariance: bool | None = None,
    seed: int = 0,
    progress: bool | Callback = False,
    checkpoint: str | os.PathLike | None = None,
    throw: bool = True,
    warn: bool = True,
    **options: Any,
) -> FitResult:
    """Least-squares fit with amplitudes projected out and bounds respected.

    Args:
        problem: what to fit.
        method: "tr" (the default: bounded trust region on the normal equations),
            "scipy-trf", "nelder-mead", "powell" (host reference and gradient-free),
            "lbfgs", "adam", "adamw" or an optax `GradientTransformation` (see
            `first_order`). A bare cost takes all but the first two; its default is
            "lbfgs", or "nelder-mead" where there is no gradient.
        start: mapping of names, vector, or earlier result; default the start values.
        max_trials: of the trust region.
        ftol: relative change of the cost, default 1e-10.
        gtol: relative size of the projected gradient, default 1e-8.
        xtol: length of a step in the parameters' scales, default 1e-12. With
            precision="mixed" the three defaults are 1e-6, 1e-4 and 1e-7. The searches
            "nelder-mead" and "powell" have their own, see `host.Search`.
        scale_covariance: multiply by the reduced chi2; default only if the data have no
            errors of their own.
        seed: for minibatches.
        progress: True prints; a callable gets `Event`s and may return False to stop.
        checkpoint: of the trust region: a file written every ten trials, from which
            the same call goes on, to the same bits; it is left in place.
        throw: raise `FitError` where cost or Jacobian is not finite.
        warn: issue `FitWarning`s too; they are in the result either way.
        options: of the first-order methods: `steps`, `batch`, `learning_rate`; of the
            searches: `max_evaluations`, `adaptive`, `units`.

    Raises:
        FitError: nothing finite to start from.
        ParameterError: a start that does not fit the parameters.
    """
    if isinstance(problem, BareCost):
        from .bare import fit_bare

        return fit_bare(
            problem,
            method,
            start_vector(problem, start),
            tolerances={"ftol": ftol, "xtol": xtol},
            scale_covariance=scale_covariance,
            seed=seed,
            progress=progress,
            checkpoint=checkpoint,
            warn=warn,
            options=options,
        )
    method = "tr" if method is None else method
    objective = make_objective(problem)
    x0 = start_vector(problem, start)
    common: dict[str, Any] = {
        "scale_covariance": scale_covariance,
        "seed": seed,
        "progress": progress,
        "warn": warn,
        "arguments": {"method": str(method), "start": np.asarray(x0), **options},
    }
    if isinstance(method, str) and method not in METHODS:
        raise FitError(f"method {method!r} is not known; expected one of {METHODS}")
    if problem.n_parameters == 0:
        method, options = "tr", {}
    first_order = not isinstance(method, str) or method in FIRST_ORDER
    if checkpoint is not None and first_order:
        raise FitError("first-order methods write no checkpoints; use method='tr'")
    if first_order:
        from .first_order import fit_first_order

        return fit_first_order(objective, method, x0, **common, **options)
    if checkpoint is not None and method != "tr":
        raise FitError(f"method {method!r} writes no checkpoints; use 'tr'")
    if method != "tr":
        from .host import fit_host

        tolerances = {"ftol": ftol, "xtol": xtol}
        return fit_host(
            objective, method, x0, **common, tolerances=tolerances, options=options
        )
    if options:
        raise TypeError(f"method {method!r} has no options {sorted(options)}")
    usual = tr.Options(max_trials=max_trials)
    if problem.precision == "mixed":
        usual = tr.Options.single(max_trials)
    given = {"ftol": ftol, "gtol": gtol, "xtol": xtol}
    settings = dataclasses.replace(
        usual, **{k: v for k, v in given.items() if v is not None}
    )
    more: dict[str, Any] = {"throw": throw, "method": "tr", "checkpoint": checkpoint}
    if checkpoint is not None or not refines(problem):
        return run_trust_region(objective, x0, settings, **more, **common)
    quiet: dict[str, Any] = common | {"warn": False}
    result = run_trust_region(objective, x0, settings, **more, **quiet)
    for _ in range(ROUNDS):
        finer = refined(problem, jnp.asarray(result.x))
        if finer is problem or result.code == tr.STOPPED:
            break
        problem = finer
        x = start_vector(problem, result)
        result = run_trust_region(make_objective(problem), x, settings, **more, **quiet)
    if warn:
        for sentence in result.warnings:
            warnings.warn(sentence, FitWarning, stacklevel=2)
    return result


def run_trust_region(
    objective: Objective,
    x0: Array,
    settings: tr.Options,
    *,
    scale_covariance: bool | None,
    seed: int | None,
    progress: bool | Callback,
    throw: bool,
    warn: bool,
    arguments: dict[str, Any],
    method: str,
    extra_warnings: tuple[str, ...] = (),
    checkpoint: str | os.PathLike | None = None,
) -> FitResult:
    """Drive the trust region in blocks, with progress, interruption and errors."""
    problem = objective.problem
    limits = box(problem)
    reporter = Reporter(progress)
    if problem.n_parameters == 0:
        return _no_parameters(objective, x0, scale_covariance, seed, arguments, warn)
    saved, named = None, frame(objective)
    if checkpoint is not None:
        run = fingerprint(problem, x0, settings, objective.prior, objective.linear)
        saved = Checkpoint(checkpoint, run)
    if saved is not None and saved.exists:
        like = eqx.filter_eval_shape(_start, named, limits, x0, settings)
        state, _, counts = saved.load(like)
        before = counts["before"]
    else:
        state, before = approached(
            objective,
            limits,
            x0,
            lambda f, b, x: _start(f, b, x, settings),
            lambda f, b, s, n: _advance(f, b, s, settings, n),
        )
    whole = not reporter.active and saved is None
    block = settings.max_trials if whole else BLOCK
    code = int(state.code)
    try:
        while code == tr.RUNNING and int(state.trials) < settings.max_trials:
            state = _advance(named, limits, state, settings, jnp.asarray(block))
            code = int(state.code)
            message = tr.MESSAGES[code]
            if saved is not None:
                saved.save(state, before=before)
            if not reporter(
                "fit",
                int(state.trials),
                settings.max_trials,
                float(state.cost),
                message,
            ):
                code = tr.STOPPED if code == tr.RUNNING else code
    except KeyboardInterrupt:
        code = tr.STOPPED
    finally:
        reporter.close()
    return concluded(
        objective,
        state,
        code,
        scale_covariance=scale_covariance,
        seed=seed,
        throw=throw,
        warn=warn,
        arguments=arguments,
        method=method,
        extra_warnings=extra_warnings,
        before=before,
    )


def concluded(
    objective: Objective,
    state: tr.State,
    code: int,
    *,
    scale_covariance: bool | None,
    seed: int | None,
    throw: bool,
    warn: bool,
    arguments: dict[str, Any],
    method: str,
    extra_warnings: tuple[str, ...] = (),
    before: int = 0,
) -> FitResult:
    """Result of a trust-region state that will not be advanced further.

    `before` counts the trials made in other coordinates.
    """
    limits = box(objective.problem)
    if code == tr.RUNNING:
        code = tr.MAXITER
    if code in (tr.NONFINITE_START, tr.NONFINITE_JACOBIAN) and throw:
        raise FitError(_nonfinite(objective, np.asarray(state.x), state, code))
    trials = int(state.trials)
    return finish(
        objective,
        state.x,
        code=code,
        message=tr.MESSAGES[code],
        success=code > 0,
        method=method,
        history={
            "cost": np.asarray(state.cost_history)[:trials],
            "radius": np.asarray(state.radius_history)[:trials],
            "accepted": np.asarray(state.accepted_history)[:trials],
        },
        counts={
            "nit": trials + before,
            "nfev": trials + before + 1,
            "njev": int(state.njev) + before,
        },
        at_bound=np.asarray(tr.at_bound(state, limits.lo, limits.hi)),
        scale_covariance=scale_covariance,
        seed=seed,
        arguments=arguments,
        extra_warnings=extra_warnings,
        warn=warn,
    )


def _no_parameters(
    objective: Objective,
    x0: Array,
    scale_covariance: bool | None,
    seed: int | None,
    arguments: dict[str, Any],
    warn: bool,
) -> FitResult:
    """Only amplitudes are unknown: they are solved in closed form."""
    return finish(
        objective,
        x0,
        code=tr.EXACT,
        message="converged: only linear amplitudes, solved in closed form",
        success=True,
        method="linear",
        history={},
        counts={"nfev": 1, "njev": 0},
        at_bound=np.zeros(0, bool),
        scale_covariance=scale_covariance,
        seed=seed,
        arguments=arguments,
        warn=warn,
    )


def _nonfinite(objective: Objective, x: np.ndarray, state: tr.State, code: int) -> str:
    """Which group or parameter is not finite, and where."""
    problem = objective.problem
    pairs = zip(problem.parameters.labels, x, strict=True)
    at = ", ".join(f"{n} = {v:.6g}" for n, v in pairs)
    if code == tr.NONFINITE_JACOBIAN:
        bad = ~np.isfinite(np.diagonal(np.asarray(state.H)))
        bad |= ~np.isfinite(np.asarray(state.g))
        names = [n for n, b in zip(problem.parameters.labels, bad, strict=True) if b]
        return f"the derivative with respect to {names} is not finite at {at}"
    place = "with finite curves: check priors and noise parameters"
    vectors = problem.vectors(jnp.asarray(x))
    for part, name, vector in zip(
        problem.parts, problem.part_names, vectors, strict=True
    ):
        where = np.argwhere(~np.isfinite(np.asarray(part.predict(vector))))
        if len(where):
            of = f" of {name}" if name else ""
            place = f"first in group {where[0][0]}, point {where[0][1]}{of}"
            break
    return f"the cost is not finite at the start ({place}): {at}"
