"""Bounded trust region on the normal equations: H ≈ JᵀWJ, g = ∇cost, cost.

The solver sees two callbacks, `normal(x) -> (H, g, cost)` and `cost(x)`, so neither
residuals nor Jacobian need exist as whole arrays. The box is closed: iterates may lie
exactly on a bound. Every loop is a `lax` loop of fixed shape, safe under `jit` and
`vmap`; the state is float64 even for a float32 model. Nothing raises here: the end is a
code in the state, and the driver decides what to say.

Units: x in the units of the parameters; inside a trial, steps are in units of the
curvature, y = S·(x' - x), where a step of length 1 changes the cost by about 1/2.

References:
    [1] J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory,
        Lecture Notes in Mathematics 630, 105 (1978).
    [2] A. R. Conn, N. I. M. Gould and Ph. L. Toint, Trust-Region Methods, SIAM (2000).
"""

from collections.abc import Callable
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from .._types import Floats, Scalar, as_float
from ..errors import ConfigError

Normal: TypeAlias = Callable[[Array], tuple[Array, Array, Array]]
Cost: TypeAlias = Callable[[Array], Array]
Wrap: TypeAlias = Callable[[Array], Array]

RUNNING = 0
FTOL, GTOL, XTOL, EXACT = 1, 2, 3, 4
STALLED, MAXITER, NONFINITE_START, NONFINITE_JACOBIAN, STOPPED = -1, -2, -3, -4, -5

MESSAGES = {
    RUNNING: "running",
    FTOL: "converged: a full Newton step would change the cost by less than ftol",
    GTOL: "converged: the projected gradient is below gtol",
    XTOL: "converged: the last Newton step was shorter than xtol",
    EXACT: "converged: the fit is exact",
    STALLED: "stalled: the trust region shrank to rounding size",
    MAXITER: "stopped: the largest number of trials was reached",
    NONFINITE_START: "failed: cost or gradient is not finite at the start",
    NONFINITE_JACOBIAN: "failed: the Jacobian is not finite where the cost is",
    STOPPED: "stopped by the caller",
}
"""Text of each end code; codes > 0 are successes."""

_FRACTIONS = tuple(0.5**k for k in range(10))


class Options(eqx.Module):
    """Tolerances of the trust region (relative) and the largest number of trials.

    Without `history` the state keeps no record per trial: in a batch those arrays,
    copied at every trial of every lane, cost as much as a small model.
    """

    ftol: Scalar = 1e-10
    gtol: Scalar = 1e-8
    xtol: Scalar = 1e-12
    max_trials: int = eqx.field(static=True, default=200)
    history: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        if self.max_trials < 1:
            raise ConfigError(f"max_trials = {self.max_trials}; expected at least 1")

    @classmethod
    def single(cls, max_trials: int = 200) -> "Options":
        """Tolerances a model computed in float32 can meet."""
        return cls(ftol=1e-6, gtol=1e-4, xtol=1e-7, max_trials=max_trials)


class State(eqx.Module):
    """Where a fit stands: enough to stop after any trial and go on, bit for bit."""

    x: Float[Array, " p"]
    H: Float[Array, "p p"]
    g: Float[Array, " p"]
    cost: Float[Array, ""]
    S: Float[Array, " p"]
    radius: Float[Array, ""]
    trials: Int[Array, ""]
    njev: Int[Array, ""]
    code: Int[Array, ""]
    cost_history: Float[Array, " trials"]
    radius_history: Float[Array, " trials"]
    accepted_history: Bool[Array, " trials"]

    @property
    def success(self) -> Bool[ArrayLike, "..."]:
        """True where a convergence test was met."""
        return self.code > 0


def scaling(H: Float[Array, "p p"]) -> Float[Array, " p"]:
    """Curvature scale Dᵢ = √max(Hᵢᵢ, 0), floored at 1e-14 of its maximum."""
    d = jnp.sqrt(jnp.maximum(jnp.diagonal(H), 0.0))
    top = jnp.max(d)
    return jnp.where(top > 0, jnp.maximum(d, 1e-14 * top), 1.0)


def seen(H: Floats, scale: Floats) -> Bool[Array, " p"]:
    """True for parameters the data see: Dᵢ scaleᵢ > 1e-12 maxⱼ Dⱼ scaleⱼ."""
    d = jnp.sqrt(jnp.maximum(jnp.diagonal(as_float(H)), 0.0)) * as_float(scale)
    return d > 1e-12 * jnp.max(d)


def at_bound(state: State, lo: Floats, hi: Floats) -> Bool[Array, " p"]:
    """True where x lies on a bound and -g pushes outward."""
    lower = (state.x == as_float(lo)) & (state.g > 0)
    return lower | ((state.x == as_float(hi)) & (state.g < 0))


def start(
    normal: Normal,
    x0: Floats,
    lo: Floats,
    hi: Floats,
    scale: Floats,
    n: ArrayLike,
    options: Options,
    exact: bool = True,
) -> State:
    """State at `x0` clipped into the box, with the tests that need no trial done.

    Args:
        normal: x -> (H, g, cost).
        x0: start values.
        lo: lower bounds, may be -inf.
        hi: upper bounds, may be inf.
        scale: typical size of each parameter.
        n: number of valid data points.
        options: tolerances.
        exact: cost is half a sum of squares, with no log terms.
    """
    lo, hi, scale, n = as_float(lo), as_float(hi), as_float(scale), as_float(n)
    x = jnp.clip(as_float(x0), lo, hi)
    H, g, c = _evaluate(normal, x)
    S = scaling(H)
    length = jnp.linalg.norm(S * x)
    code = _convergence(x, H, g, c, lo, hi, scale, n, options, exact)
    code = jnp.where(jnp.all(jnp.isfinite(H)), code, NONFINITE_JACOBIAN)
    finite = jnp.isfinite(c) & jnp.all(jnp.isfinite(g))
    count = options.max_trials if options.history else 0
    return State(
        x=x,
        H=H,
        g=g,
        cost=c,
        S=S,
        radius=jnp.where(length > 0, length, jnp.sqrt(2 * _size(c, n, exact))),
        trials=jnp.zeros((), jnp.int32),
        njev=jnp.ones((), jnp.int32),
        code=jnp.where(finite, code, NONFINITE_START).astype(jnp.int32),
        cost_history=jnp.full(count, jnp.nan, dtype=x.dtype),
        radius_history=jnp.full(count, jnp.nan, dtype=x.dtype),
        accepted_history=jnp.zeros(count, dtype=bool),
    )


def advance(
    state: State,
    normal: Normal,
    cost: Cost | None,
    lo: Floats,
    hi: Floats,
    scale: Floats,
    n: ArrayLike,
    options: Options,
    exact: bool = True,
    trials: ArrayLike | None = None,
    wrap: Wrap | None = None,
) -> State:
    """State after at most `trials` more trials, fewer where a code is reached.

    Args:
        state: where to go on from.
        normal: x -> (H, g, cost); called at taken points only.
        cost: x -> cost; called once per trial. None takes the cost that `normal` gives
            and calls that at every trial: cheaper under vmap, where a trial that one
            lane takes makes all lanes pay for both.
        lo: lower bounds, may be -inf.
        hi: upper bounds, may be inf.
        scale: typical size of each parameter.
        n: number of valid data points.
        options: tolerances; `max_trials` counts all blocks together.
        exact: cost is half a sum of squares, with no log terms.
        trials: size of the block, may be traced; None runs to the end.
        wrap: brings circular parameters back into their window after a taken step.
    """
    lo, hi, scale, n = as_float(lo), as_float(hi), as_float(scale), as_float(n)
    limit = jnp.asarray(options.max_trials, jnp.int32)
    if trials is not None:
        limit = jnp.minimum(limit, state.trials + jnp.asarray(trials, jnp.int32))

    def goes_on(state):
        return (state.code == RUNNING) & (state.trials < limit)

    def body(state):
        return _trial(state, normal, cost, lo, hi, scale, n, options, exact, wrap)

    return lax.while_loop(goes_on, body, state)


def solve(
    normal: Normal,
    cost: Cost,
    x0: Floats,
    lo: Floats,
    hi: Floats,
    scale: Floats,
    n: ArrayLike,
    options: Options,
    exact: bool = True,
    wrap: Wrap | None = None,
) -> State:
    """State at the end of a whole fit: `start`, then `advance` until a code is set."""
    first = start(normal, x0, lo, hi, scale, n, options, exact)
    return advance(first, normal, cost, lo, hi, scale, n, options, exact, wrap=wrap)


def _evaluate(normal, x):
    H, g, c = normal(x)
    return as_float(H), as_float(g), as_float(c)


def _size(c, n, exact):
    """Yardstick of the cost: c itself, or max(|c|, n/2) where it may be negative."""
    return c if exact else jnp.maximum(jnp.abs(c), n / 2)


def _convergence(x, H, g, c, lo, hi, scale, n, options, exact):
    """EXACT, GTOL or RUNNING at a point where `normal` has just been called."""
    # D of this point, not S with its memory: S is far too large after a plateau.
    d = scaling(H)
    ahead = jnp.where(g > 0, x - lo, jnp.where(g < 0, hi - x, 0.0))
    push = jnp.minimum(jnp.abs(g) / d, d * ahead)
    steepest = jnp.max(jnp.where(seen(H, scale), push, 0.0))
    flat = steepest <= options.gtol * jnp.sqrt(2 * _size(c, n, exact))
    code = jnp.where(flat, GTOL, RUNNING)
    return jnp.where(c <= 1e-28 * n, EXACT, code) if exact else code


def _trial(state, normal, cost, lo, hi, scale, n, options, exact, wrap):
    """One step proposed, judged, and taken or not; then the tests in their order."""
    x, S, c = state.x, state.S, state.cost
    size = _size(c, n, exact)
    sees = seen(state.H, scale)
    g = jnp.where(sees, state.g, 0.0)
    B = jnp.where(sees[:, None] & sees[None, :], state.H, 0.0)
    B = B / (S[:, None] * S[None, :])
    q = g / S
    low, high = (lo - x) * S, (hi - x) * S
    # Landing on a distant bound at once may hide other parameters for good.
    near = 0.01 * jnp.sqrt(2 * size)
    low_cap = jnp.where(-low > near, 0.9 * low, low)
    high_cap = jnp.where(high > near, 0.9 * high, high)

    free = ~(((low == 0) & (g > 0)) | ((high == 0) & (g < 0)))
    y0, lam = _damped(B, q, free, sees, state.radius)
    inside = jnp.all(free) & jnp.all((low_cap <= y0) & (y0 <= high_cap))
    damped = B + (lam + 1e-14 * x.size) * jnp.eye(x.size)
    y = _box_minimum(damped, q, low_cap, high_cap, y0, inside)

    proposed = jnp.clip(x + y / S, lo, hi)
    proposed = jnp.where(y == low, lo, jnp.where(y == high, hi, proposed))
    shortened = (y == low_cap) & (low_cap != low)
    shortened |= (y == high_cap) & (high_cap != high)
    newton = (lam == 0) & ~jnp.any(shortened)

    landed = proposed if wrap is None else wrap(proposed)
    H_new, g_new = state.H, state.g
    if cost is None:
        H_new, g_new, c_new = _evaluate(normal, landed)
    else:
        c_new = as_float(cost(proposed))
    pred = -(q @ y + 0.5 * y @ B @ y)
    act = jnp.where(jnp.isfinite(c_new), c - c_new, -jnp.inf)
    ratio = jnp.where(pred > 0, act / jnp.where(pred > 0, pred, 1.0), -1.0)

    length = jnp.linalg.norm(y)
    radius = state.radius
    grown = jnp.where(
        (ratio > 0.9) & (lam > 0), jnp.maximum(radius, 2 * length), radius
    )
    radius = jnp.where(ratio < 0.25, jnp.minimum(radius, length) / 4, grown)

    ftol = options.ftol * size
    small = newton & (pred <= ftol) & (jnp.abs(act) <= ftol)
    take = jnp.where(small, act > 0, ratio > 1e-4)
    if cost is not None:
        H_new, g_new = lax.cond(
            take,
            lambda at: _evaluate(normal, at)[:2],
            lambda at: (state.H, state.g),
            landed,
        )
    broken = take & ~(jnp.all(jnp.isfinite(H_new)) & jnp.all(jnp.isfinite(g_new)))
    take = take & ~broken

    x_new = jnp.where(take, landed, x)
    c_new = jnp.where(take, c_new, c)
    H_new = jnp.where(take, H_new, state.H)
    g_new = jnp.where(take, g_new, state.g)
    S_new = jnp.where(take, jnp.maximum(0.9 * S, scaling(H_new)), S)

    tests = _convergence(x_new, H_new, g_new, c_new, lo, hi, scale, n, options, exact)
    still = jnp.linalg.norm(S_new * jnp.maximum(jnp.abs(x_new), 1e-10 * scale))
    short = jnp.max(jnp.abs(proposed - x) / scale) <= options.xtol
    trials = state.trials + 1
    code = jnp.select(
        [
            broken,
            small,
            take & newton & short,
            radius < 1e-13 * still,
            take & (tests != RUNNING),
            trials >= options.max_trials,
        ],
        [NONFINITE_JACOBIAN, FTOL, XTOL, STALLED, tests, MAXITER],
        RUNNING,
    )
    history = state.cost_history, state.radius_history, state.accepted_history
    if options.history:
        new = c_new, radius, take
        history = tuple(
            h.at[state.trials].set(v) for h, v in zip(history, new, strict=True)
        )
    return State(
        x=x_new,
        H=H_new,
        g=g_new,
        cost=c_new,
        S=S_new,
        radius=radius,
        trials=trials,
        njev=state.njev + (take | broken).astype(jnp.int32),
        code=code.astype(jnp.int32),
        cost_history=history[0],
        radius_history=history[1],
        accepted_history=history[2],
    )


def _damped(B, q, free, sees, radius):
    """Minimiser y of q·y + ½ yᵀBy with |y| ≤ radius in the free space, and its λ.

    λ = 0 where the undamped step fits, else the smallest found with |y| ≤ radius.
    """
    moves = free & sees
    both = moves[:, None] & moves[None, :]
    w, V = jnp.linalg.eigh(jnp.where(both, B, jnp.eye(q.size)))
    top = w[-1]
    w = jnp.maximum(w, 1e-14 * top)
    t = V.T @ jnp.where(moves, q, 0.0)
    fits = jnp.linalg.norm(t / w) <= radius

    upper = jnp.log(jnp.linalg.norm(t) / radius) + 1.0
    lower = jnp.minimum(jnp.log(1e-16 * top), upper - 40.0)

    def halve(_, ends):
        lower, upper = ends
        middle = 0.5 * (lower + upper)
        long = jnp.linalg.norm(t / (w + jnp.exp(middle))) > radius
        return jnp.where(long, middle, lower), jnp.where(long, upper, middle)

    _, upper = lax.fori_loop(0, 50, halve, (lower, upper))
    lam = jnp.where(fits, 0.0, jnp.exp(upper))
    return -jnp.where(moves, V @ (t / (w + lam)), 0.0), lam


def _box_minimum(M, q, low, high, y0, inside):
    """Minimiser of q·y + ½ yᵀMy on [low, high]; `y0` as it is where `inside`.

    Projected Gauss-Seidel finds the active bounds, Newton on the rest the minimum.
    """

    def value(y):
        return q @ y + 0.5 * y @ M @ y

    y = jnp.clip(y0, low, high)
    y = jnp.where(inside, y0, jnp.where(value(y) < 0, y, 0.0))
    fractions = jnp.asarray(_FRACTIONS)
    tiny = 1e-10 * jnp.max(jnp.abs(q))

    def sweep(i, y):
        best = y[i] - (q[i] + M[i] @ y) / M[i, i]
        return y.at[i].set(jnp.clip(best, low[i], high[i]))

    def improve(carry):
        y, before, rounds, _ = carry
        y = lax.fori_loop(0, y.size, sweep, y)
        strict = (low < y) & (y < high)
        both = strict[:, None] & strict[None, :]
        slope = jnp.where(strict, q + M @ y, 0.0)
        d = jnp.linalg.solve(jnp.where(both, M, jnp.eye(q.size)), -slope)
        line = y[None, :] + fractions[:, None] * d[None, :]
        line = jnp.clip(line, low[None, :], high[None, :])
        values = jax.vmap(value)(line)
        values = jnp.where(jnp.isnan(values), jnp.inf, values)
        best = jnp.argmin(values)
        y = jnp.where(values[best] < value(y), line[best], y)
        after = value(y)
        slope = q + M @ y
        ahead = jnp.where(slope > 0, y - low, high - y)
        done = jnp.max(jnp.minimum(jnp.abs(slope), ahead)) <= tiny
        done |= before - after < 1e-14 * jnp.abs(after)
        return y, after, rounds + 1, done

    def goes_on(carry):
        return (carry[2] < 30) & ~carry[3]

    return lax.while_loop(goes_on, improve, (y, value(y), 0, inside))[0]
