"""First-order fits in unconstrained u, on optax: L-BFGS, Adam, any transformation.

For costs that are not sums of squares, many parameters, or a Hessian that does not fit;
otherwise the trust region is better. The best point seen is returned, not the last.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import FitError, ModelError
from ..problem import Problem
from . import trust_region as tr
from .finish import finish, held_at
from .progress import Callback, Reporter
from .provenance import key
from .providers import Objective, normal_at
from .result import FitResult

BLOCK = 50
"""Steps between two progress calls."""


class Walk(eqx.Module):
    """State of a first-order fit: where it is, and the best point so far."""

    u: Float[Array, " p"]
    optimiser: Any
    best_u: Float[Array, " p"]
    best: Float[Array, ""]
    last: Float[Array, ""]
    small: Any
    step: Any
    code: Any


def _loss(objective: Any, u: Array, cost: Any = None) -> Array:
    x, _ = objective.problem.coordinates.to_x(u)
    return (cost or objective.cost)(x) / objective.size


def _value_and_slope(objective: Any, u: Array) -> tuple[Array, Array]:
    """Loss and its gradient in u, from the forward-mode sums."""

    @jax.custom_jvp
    def cost(x: Array) -> Array:
        return objective.cost(x)

    @cost.defjvp
    def _(primals, tangents):
        g, c = objective.slope(primals[0])
        return c, g @ tangents[0]

    return jax.value_and_grad(lambda u: _loss(objective, u, cost))(u)


def _optimiser(method: Any, steps: int, learning_rate: float) -> Any:
    import optax

    if not isinstance(method, str):
        if not (hasattr(method, "init") and hasattr(method, "update")):
            raise FitError(
                f"method {method!r} is neither a name nor an optax transformation"
            )
        return method
    if method == "lbfgs":
        search = optax.scale_by_zoom_linesearch(max_linesearch_steps=20)
        return optax.lbfgs(memory_size=10, linesearch=search)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, learning_rate, max(1, steps // 20), steps, 0.0
    )
    return {"adam": optax.adam, "adamw": optax.adamw}[method](schedule)


@eqx.filter_jit
def _block(
    objective: Any, walk: Walk, method: Any, steps: int, rate: float, count: int
) -> Walk:
    """At most `count` further steps."""
    import optax

    optimiser = _optimiser(method, steps, rate)
    searching = method == "lbfgs"

    def value_fn(u: Array) -> Array:
        return _loss(objective, u)

    def go(carry: tuple[Walk, Array]) -> Array:
        walk, done = carry
        return (walk.code == tr.RUNNING) & (done < count) & (walk.step < steps)

    def body(carry: tuple[Walk, Array]) -> tuple[Walk, Array]:
        walk, done = carry
        value, slope = _value_and_slope(objective, walk.u)
        finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(slope))
        if searching:
            updates, state = optimiser.update(
                slope,
                walk.optimiser,
                walk.u,
                value=value,
                grad=slope,
                value_fn=value_fn,
            )
        else:
            updates, state = optimiser.update(slope, walk.optimiser, walk.u)
        new: Any = optax.apply_updates(walk.u, updates)
        better = finite & (value < walk.best)
        flat = jnp.abs(walk.last - value) <= 1e-10 * jnp.maximum(jnp.abs(value), 1e-30)
        small = jnp.where(flat, walk.small + 1, 0)
        code = jnp.where(jnp.max(jnp.abs(slope)) < 1e-8, tr.GTOL, tr.RUNNING)
        if searching:
            stuck = jnp.all(updates == 0)
            code = jnp.where(stuck & (code == tr.RUNNING), tr.STALLED, code)
            code = jnp.where(small >= 3, tr.FTOL, code)
        code = jnp.where(finite, code, tr.NONFINITE_JACOBIAN)
        return (
            Walk(
                u=jnp.where(code == tr.RUNNING, new, walk.u),
                optimiser=state,
                best_u=jnp.where(better, walk.u, walk.best_u),
                best=jnp.where(better, value, walk.best),
                last=value,
                small=small,
                step=walk.step + 1,
                code=code.astype(jnp.int32),
            ),
            done + 1,
        )

    return jax.lax.while_loop(go, body, (walk, jnp.asarray(0)))[0]


def fit_first_order(
    objective: Objective,
    method: Any,
    x0: Array,
    *,
    scale_covariance: bool | None,
    seed: int,
    progress: bool | Callback,
    warn: bool,
    arguments: dict[str, Any],
    steps: int = 2000,
    batch: int | None = None,
    learning_rate: float = 0.05,
) -> FitResult:
    """Fit by an optax transformation; see `fit`.

    Args:
        objective: sums of squares.
        method: a name of `fit` or an optax transformation.
        x0: start vector.
        scale_covariance: as in `fit`.
        seed: as in `fit`.
        progress: as in `fit`.
        warn: as in `fit`.
        arguments: as the caller gave them, for the record.
        steps: largest number of steps; the length of Adam's schedule.
        batch: points per minibatch and group; Adam only, finished by the trust region.
        learning_rate: peak rate of Adam.
    """
    if batch is not None:
        return _minibatch(
            objective,
            method,
            x0,
            scale_covariance=scale_covariance,
            seed=seed,
            progress=progress,
            warn=warn,
            arguments=arguments,
            steps=steps,
            batch=batch,
            learning_rate=learning_rate,
        )
    how: dict[str, Any] = {"steps": steps, "learning_rate": learning_rate}
    walk, code, history = walked(objective, method, x0, progress=progress, **how)
    return _finished(
        objective,
        method,
        walk.best_u,
        code,
        int(walk.step),
        history,
        scale_covariance=scale_covariance,
        seed=seed,
        warn=warn,
        arguments=arguments,
    )


def walked(
    objective: Any,
    method: Any,
    x0: Array,
    *,
    steps: int = 2000,
    learning_rate: float | int = 0.05,
    progress: bool | Callback = False,
) -> tuple[Walk, int, list[float]]:
    """End of a walk from `x0`, its code, and the best cost after each block of steps.

    Args:
        objective: has `problem`, `cost`, `slope` and `size`.
        method: a name of `fit` or an optax transformation.
        x0: start vector.
        steps: largest number of steps; the length of Adam's schedule.
        learning_rate: peak rate of Adam.
        progress: as in `fit`.

    Raises:
        FitError: no finite cost.
    """
    problem = objective.problem
    lo, hi = problem.parameters.bounds()
    u = problem.coordinates.to_u(jnp.clip(x0, lo, hi))
    walk = Walk(
        u=u,
        optimiser=_optimiser(method, steps, learning_rate).init(u),
        best_u=u,
        best=jnp.asarray(jnp.inf),
        last=jnp.asarray(jnp.inf),
        small=jnp.asarray(0),
        step=jnp.asarray(0),
        code=jnp.asarray(tr.RUNNING, jnp.int32),
    )
    reporter = Reporter(progress)
    size = float(objective.size)
    history = []
    code = tr.RUNNING
    try:
        while code == tr.RUNNING and int(walk.step) < steps:
            walk = _block(objective, walk, method, steps, learning_rate, BLOCK)
            code = int(walk.code)
            history.append(float(walk.best) * size)
            if not reporter("fit", int(walk.step), steps, history[-1]):
                code = tr.STOPPED if code == tr.RUNNING else code
    except KeyboardInterrupt:
        code = tr.STOPPED
    finally:
        reporter.close()
    if not np.isfinite(float(walk.best)):
        raise FitError("the cost is not finite at the start of a first-order fit")
    return walk, code, history


def method_name(method: Any) -> str:
    """What a method is called in results."""
    return method if isinstance(method, str) else type(method).__name__


def _finished(
    objective: Objective,
    method: Any,
    u: Array,
    code: int,
    steps: int,
    history: list[float],
    *,
    scale_covariance: bool | None,
    seed: int,
    warn: bool,
    arguments: dict[str, Any],
) -> FitResult:
    """Result at the best point, converged only if its gradient says so."""
    problem = objective.problem
    x, _ = problem.coordinates.to_x(u)
    h, g, c = (np.asarray(v) for v in normal_at(objective, x))
    d = np.sqrt(np.maximum(np.diagonal(h), 0.0))
    seen = d > 0
    scaled = np.abs(g)[seen] / d[seen]
    lo, hi = problem.parameters.bounds()
    near = np.minimum(np.asarray(x - lo), np.asarray(hi - x))[seen] * d[seen]
    left = float(np.max(np.minimum(scaled, near), initial=0.0))
    size = np.sqrt(2 * max(float(c), 0.5 * problem.n_valid))
    name = method_name(method)
    near_enough = left <= 1e-3 * size / np.sqrt(problem.n_valid)
    good = bool(near_enough) and code != tr.STOPPED
    if good:
        code = code if code > 0 else tr.GTOL
        message = "converged: the scaled gradient is negligible against the errors"
    else:
        code = code if code < 0 else tr.MAXITER
        message = (
            f"{tr.MESSAGES[code]}; the scaled gradient is {left:.2g}: more steps, or "
            "finish with method='tr'"
        )
    return finish(
        objective,
        x,
        code=code,
        message=message,
        success=good,
        method=name,
        history={"cost": np.array(history)},
        counts={"nit": steps, "nfev": steps, "njev": steps},
        at_bound=held_at(np.asarray(x), g, np.diagonal(h), lo, hi),
        scale_covariance=scale_covariance,
        seed=seed,
        arguments=arguments,
        warn=warn,
    )


def _subset(problem: Problem, index: Array) -> Problem:
    """The problem seen through some of its points."""
    data = problem.data

    def take(array: Array, dims: tuple) -> Array:
        for axis, d in enumerate(dims):
            if d == "point":
                array = jnp.take(array, index, axis=axis)
        return array

    both = ("group", "point")
    coords = {k: take(data.coords[k], d) for k, d in data.dims}
    return eqx.tree_at(
        lambda p: (p.data.y, p.data.sigma, p.data.mask, p.data.coords),
        problem,
        (take(data.y, both), take(data.sigma, both), take(data.mask, both), coords),
    )


@eqx.filter_jit
def _epoch(
    objective: Objective,
    u: Array,
    state: Any,
    order: Array,
    method: str,
    steps: int,
    rate: float,
) -> tuple[Array, Any, Array]:
    """One pass over the batches of `order` (batch, point); also the mean u."""
    import optax

    optimiser = _optimiser(method, steps, rate)

    def step(carry: tuple, index: Array) -> tuple:
        u, state = carry
        part = eqx.tree_at(
            lambda o: o.problem, objective, _subset(objective.problem.parts[0], index)
        )
        _, slope = _value_and_slope(part, u)
        updates, state = optimiser.update(slope, state, u)
        new = optax.apply_updates(u, updates)
        return (new, state), new

    (u, state), path = jax.lax.scan(step, (u, state), order)
    return u, state, jnp.mean(path, axis=0)


def _minibatch(
    objective: Objective,
    method: Any,
    x0: Array,
    *,
    scale_covariance: bool | None,
    seed: int,
    progress: bool | Callback,
    warn: bool,
    arguments: dict[str, Any],
    steps: int,
    batch: int,
    learning_rate: float,
) -> FitResult:
    """Adam on random subsets of the points, averaged, then polished on all of them."""
    problem: Problem = objective.problem.single("`batch`", "leave it out")
    if method != "adam":
        raise FitError(f"minibatches need method='adam', not {method!r}")
    if not problem.model.independent_points:
        raise ModelError(
            f"{problem.model.name!r} computes neighbouring points together, so random "
            "subsets cannot be evaluated; leave `batch` out"
        )
    if problem.chunk is not None:
        problem = problem.with_(chunk=None)
        objective = eqx.tree_at(lambda o: o.problem, objective, problem)
    points = problem.data.n_points
    if not 1 <= batch <= points:
        raise FitError(f"batch is {batch}; expected 1 to {points} points")
    per_epoch = points // batch
    epochs = max(1, steps // per_epoch)
    lo, hi = problem.parameters.bounds()
    u = problem.coordinates.to_u(jnp.clip(x0, lo, hi))
    state = _optimiser("adam", steps, learning_rate).init(u)
    reporter = Reporter(progress)
    keys = jax.random.split(key(seed, "minibatch"), epochs)
    tail: list[Array] = []
    done, stopped = 0, False
    try:
        for i in range(epochs):
            order = jax.random.permutation(keys[i], points)[: per_epoch * batch]
            u, state, mean = _epoch(
                objective,
                u,
                state,
                order.reshape(per_epoch, batch),
                "adam",
                steps,
                learning_rate,
            )
            done = i + 1
            if done >= 0.8 * epochs:
                tail.append(mean)
            if not reporter("minibatch", i + 1, epochs, 0.0):
                stopped = True
                break
    except KeyboardInterrupt:
        stopped = True
    finally:
        reporter.close()
    average = jnp.mean(jnp.stack(tail), axis=0) if tail else u
    if stopped:
        return _finished(
            objective,
            method,
            average,
            tr.STOPPED,
            done * per_epoch,
            [],
            scale_covariance=scale_covariance,
            seed=seed,
            warn=warn,
            arguments=arguments,
        )
    from .least_squares import make_objective, run_trust_region

    x, _ = problem.coordinates.to_x(average)
    return run_trust_region(
        make_objective(problem),
        x,
        tr.Options(max_trials=10),
        scale_covariance=scale_covariance,
        seed=seed,
        progress=False,
        throw=True,
        warn=warn,
        arguments={**arguments, "batch": batch},
        method="adam",
    )
