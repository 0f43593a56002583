"""Linear amplitudes a of y = A(θ) a + noise: declaration and closed-form solutions.

With W the weights, G = AᵀWA and h = AᵀWy per group. An amplitude is local to its group
or shared by all groups, so the full G is an arrow: a block per group, bordered by the
shared ones. Everything here works on the arrow, eliminating the local blocks first.

References:
    [1] G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from ..errors import ModelError
from ..numerics import small

FREE, LOWER, UPPER = 0, -1, 1


class Amplitude(eqx.Module):
    """One column's linear amplitude.

    Args:
        name: what it is called in results.
        lower, upper: bounds; (0, inf) is non-negative.
        shared: one value for all groups, else one per group.
        prior: mean and standard deviation of a Gaussian prior, or None.
        unit: of the amplitude.
        held: fixed value of a column that depends on θ but has no amplitude of its own;
            it takes part in no solution, integral or report.
    """

    name: str = eqx.field(static=True)
    lower: float = eqx.field(static=True, default=-np.inf)
    upper: float = eqx.field(static=True, default=np.inf)
    shared: bool = eqx.field(static=True, default=False)
    prior: tuple[float, float] | None = eqx.field(static=True, default=None)
    unit: str = eqx.field(static=True, default="")
    held: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if not self.lower < self.upper:
            raise ModelError(
                f"amplitude {self.name!r} has bounds ({self.lower}, {self.upper}); "
                "expected lower < upper"
            )
        if self.held is not None and (self.shared or self.constrained or self.prior):
            raise ModelError(
                f"amplitude {self.name!r} is held; it can have neither bounds nor a "
                "prior, nor be shared"
            )
        if self.prior is not None and not self.prior[1] > 0:
            raise ModelError(
                f"amplitude {self.name!r} has a prior of standard deviation "
                f"{self.prior[1]}; expected > 0"
            )

    @property
    def constrained(self) -> bool:
        """Whether it has a finite bound."""
        return bool(np.isfinite(self.lower) or np.isfinite(self.upper))

    @property
    def states(self) -> tuple[int, ...]:
        """The states it can be in: free, at its lower, at its upper bound."""
        return (
            (FREE,)
            + ((LOWER,) if np.isfinite(self.lower) else ())
            + ((UPPER,) if np.isfinite(self.upper) else ())
        )


def declared(amplitudes: Sequence[Amplitude | str]) -> tuple[Amplitude, ...]:
    """Amplitudes with plain names turned into free local ones, checked together."""
    out = tuple(Amplitude(a) if isinstance(a, str) else a for a in amplitudes)
    names = [a.name for a in out]
    if len(set(names)) < len(names):
        raise ModelError(f"amplitude names are not distinct: {names}")
    if len(out) > 6:
        raise ModelError(f"{len(out)} amplitudes per group; at most 6 are solved")
    if out and all(a.held is not None for a in out):
        raise ModelError(f"all amplitudes are held: {names}; declare none instead")
    shared = [a for a in out if a.shared]
    mixed = 1 < len(shared) < len(out)
    if mixed and any(a.constrained for a in shared):
        raise ModelError(
            f"shared amplitudes {[a.name for a in shared]} have bounds; beside local "
            "amplitudes only a single shared one may be bounded"
        )
    return out


class Arrow(eqx.Module):
    """G and h of all groups: shared block, border and local blocks."""

    ss: Float[Array, "s s"]
    sl: Float[Array, "g s l"]
    ll: Float[Array, "g l l"]
    hs: Float[Array, " s"]
    hl: Float[Array, "g l"]


def split(amplitudes: Sequence[Amplitude]) -> tuple[np.ndarray, np.ndarray]:
    """Column numbers of the shared and of the local amplitudes, held ones left out."""
    shared = np.array([a.shared for a in amplitudes], dtype=bool)
    solved = np.array([a.held is None for a in amplitudes], dtype=bool)
    return np.flatnonzero(shared), np.flatnonzero(~shared & solved)


def _held_columns(amplitudes: Sequence[Amplitude]) -> tuple[np.ndarray, np.ndarray]:
    """Column numbers and values of the held amplitudes."""
    held = [(i, a.held) for i, a in enumerate(amplitudes) if a.held is not None]
    index = np.array([i for i, _ in held], dtype=int)
    return index, np.array([v for _, v in held], dtype=float)


def arrow(
    amplitudes: Sequence[Amplitude], g: Float[Array, "g k k"], h: Float[Array, "g k"]
) -> Arrow:
    """Arrow of the per-group G and h, with held columns moved into h."""
    s, el = split(amplitudes)
    fixed, values = _held_columns(amplitudes)
    if fixed.size:
        h = h - jnp.sum(g[:, :, fixed] * values[None, None, :], axis=2)
    return Arrow(
        ss=jnp.sum(g[:, s[:, None], s[None, :]], axis=0),
        sl=g[:, s[:, None], el[None, :]],
        ll=g[:, el[:, None], el[None, :]],
        hs=jnp.sum(h[:, s], axis=0),
        hl=h[:, el],
    )


def with_priors(
    amplitudes: Sequence[Amplitude], arr: Arrow
) -> tuple[Arrow, Float[Array, ""]]:
    """Arrow of G + S⁻¹ and h + S⁻¹ m, and ½ Σ log S over all amplitudes."""
    mean = np.array([a.prior[0] if a.prior else 0.0 for a in amplitudes])
    precision = np.array([a.prior[1] ** -2 if a.prior else 0.0 for a in amplitudes])
    s, el = split(amplitudes)
    groups = arr.ll.shape[0]
    log_s = -0.5 * np.log(np.where(precision > 0, precision, 1.0))
    new = Arrow(
        ss=arr.ss + np.diag(precision[s]),
        sl=arr.sl,
        ll=arr.ll + np.diag(precision[el])[None],
        hs=arr.hs + (precision * mean)[s],
        hl=arr.hl + (precision * mean)[el][None],
    )
    return new, jnp.asarray(log_s[s].sum() + groups * log_s[el].sum())


class Solution(eqx.Module):
    """Amplitudes at a state, and the arrow reduced to the free ones."""

    shared: Float[Array, " s"]
    local: Float[Array, "g l"]
    free_shared: Float[Array, " s"]
    free_local: Float[Array, "g l"]
    reduced: Arrow
    schur: Float[Array, "s s"]

    def per_group(self, amplitudes: Sequence[Amplitude]) -> Float[Array, "g k"]:
        """Amplitudes of each group in column order, shared ones repeated."""
        groups = self.local.shape[0]
        shared = jnp.broadcast_to(self.shared[None], (groups, self.shared.shape[0]))
        return in_columns(amplitudes, shared, self.local)

    def free_per_group(self, amplitudes: Sequence[Amplitude]) -> Float[Array, "g k"]:
        """1 where the amplitude is free, 0 where it sits on a bound."""
        groups = self.local.shape[0]
        shape = (groups, self.shared.shape[0])
        free = jnp.broadcast_to(self.free_shared[None], shape)
        return in_columns(amplitudes, free, self.free_local, held=0.0)


def in_columns(
    amplitudes: Sequence[Amplitude],
    shared: Array,
    local: Array,
    held: float | None = None,
) -> Float[Array, "g k"]:
    """(g, s) and (g, l) values put back into column order.

    Held amplitudes get their value, or `held` where it is given.
    """
    s, el = split(amplitudes)
    fixed, values = _held_columns(amplitudes)
    values = values if held is None else np.full(fixed.size, held)
    rest = jnp.broadcast_to(values[None], (local.shape[0], fixed.size))
    order = np.argsort(np.concatenate([s, el, fixed]))
    return jnp.concatenate([shared, local, rest], axis=1)[:, order]


def solve(amplitudes: Sequence[Amplitude], arr: Arrow) -> Solution:
    """a* = argmin ½aᵀGa - hᵀa within the declared bounds, and what is free there.

    The set of amplitudes on a bound is found without gradient; the values then come
    from one linear solve, so derivatives of every order are exact for that set.
    """
    if not any(a.constrained for a in amplitudes):
        return unconstrained(amplitudes, arr)
    state = _active(amplitudes, jax.tree.map(lax.stop_gradient, arr))
    solution = solve_given(amplitudes, arr, *state)
    return eqx.tree_at(
        lambda v: (v.shared, v.local),
        solution,
        tuple(
            _inside(v, amplitudes, i)
            for v, i in zip(
                (solution.shared, solution.local), split(amplitudes), strict=True
            )
        ),
    )


def _inside(
    a: Float[Array, "*g k"], amplitudes: Sequence[Amplitude], index: np.ndarray
) -> Float[Array, "*g k"]:
    """Free values that rounding put outside their bounds, put back on them."""
    low = np.array([amplitudes[i].lower for i in index])
    high = np.array([amplitudes[i].upper for i in index])
    low, high = jnp.broadcast_to(low, a.shape), jnp.broadcast_to(high, a.shape)
    return jnp.where(a < low, low, jnp.where(a > high, high, a))


def unconstrained(amplitudes: Sequence[Amplitude], arr: Arrow) -> Solution:
    """a* = G⁻¹h, bounds ignored."""
    s, el = split(amplitudes)
    zero = jnp.zeros(len(s)), jnp.zeros((arr.ll.shape[0], len(el)))
    return solve_given(amplitudes, arr, *zero)


def _bound_values(amplitudes: Sequence[Amplitude], index: np.ndarray) -> np.ndarray:
    """Value in the states lower, free (0) and upper of the amplitudes of `index`."""
    low = np.array([amplitudes[i].lower for i in index])
    high = np.array([amplitudes[i].upper for i in index])
    return np.stack(
        [
            np.where(np.isfinite(low), low, 0.0),
            np.clip(np.zeros(len(index)), low, high),
            np.where(np.isfinite(high), high, 0.0),
        ]
    )


def _held(state: Array, diagonal: Array, table: np.ndarray) -> tuple[Array, Array]:
    """(free mask, held value) of a state; a vanished column is held at 0."""
    free = (state == FREE) & (diagonal > 0)
    value = jnp.where(
        state == LOWER, table[0], jnp.where(state == UPPER, table[2], table[1])
    )
    return free.astype(diagonal.dtype), jnp.where(free, 0.0, value)


def solve_given(
    amplitudes: Sequence[Amplitude],
    arr: Arrow,
    state_shared: Float[Array, " s"],
    state_local: Float[Array, "g l"],
) -> Solution:
    """Amplitudes when those with a non-zero state are held at their bound."""
    s, el = split(amplitudes)
    groups = arr.ll.shape[0]
    diag_s = jnp.diagonal(arr.ss)
    diag_l = jnp.diagonal(arr.ll, axis1=-2, axis2=-1)
    wide = jnp.broadcast_to
    ms, vs = _held(state_shared, diag_s, _bound_values(amplitudes, s))
    tables = _bound_values(amplitudes, el)
    ml, vl = _held(
        state_local, diag_l, np.broadcast_to(tables[:, None], (3, groups, len(el)))
    )
    hs = arr.hs - arr.ss @ vs - jnp.einsum("gsl,gl->s", arr.sl, vl)
    hl = (
        arr.hl
        - jnp.einsum("gij,gj->gi", arr.ll, vl)
        - jnp.einsum("gsl,s->gl", arr.sl, vs)
    )
    reduced = Arrow(
        ss=ms[:, None] * arr.ss * ms[None, :] + jnp.diag(1 - ms),
        sl=ms[None, :, None] * arr.sl * ml[:, None, :],
        ll=ml[:, :, None] * arr.ll * ml[:, None, :]
        + (1 - ml)[:, :, None] * wide(np.eye(len(el)), (groups, len(el), len(el))),
        hs=ms * hs,
        hl=ml * hl,
    )
    rhs_s, rhs_l = reduced.hs[:, None], reduced.hl[:, :, None]
    schur = schur_complement(reduced)
    a_s, a_l = solve_arrow(reduced, schur, rhs_s, rhs_l)
    return Solution(
        shared=a_s[:, 0] * ms + vs,
        local=a_l[:, :, 0] * ml + vl,
        free_shared=ms,
        free_local=ml,
        reduced=reduced,
        schur=schur,
    )


def schur_complement(arr: Arrow) -> Float[Array, "s s"]:
    """G_ss - Σ_g G_sl G_ll⁻¹ G_ls."""
    border = jnp.swapaxes(arr.sl, 1, 2)
    schur = arr.ss - jnp.einsum("gsl,glt->st", arr.sl, small.solve(arr.ll, border))
    # A shared column that the local ones span leaves rounding of either sign.
    own, floor = jnp.diagonal(schur), 1e-14 * jnp.diagonal(arr.ss)
    return schur + jnp.diag(jnp.where(own < floor, floor - own, 0.0))


def solve_arrow(
    arr: Arrow,
    schur: Float[Array, "s s"],
    rhs_s: Float[Array, "s m"],
    rhs_l: Float[Array, "g l m"],
) -> tuple[Float[Array, "s m"], Float[Array, "g l m"]]:
    """Solution of the arrow system for m right-hand sides."""
    x_l = small.solve(arr.ll, rhs_l)
    x_s = small.solve(schur, rhs_s - jnp.einsum("gsl,glm->sm", arr.sl, x_l))
    border = jnp.swapaxes(arr.sl, 1, 2)
    x_l = x_l - small.solve(arr.ll, jnp.einsum("gls,sm->glm", border, x_s))
    return x_s, x_l


def logdet(arr: Arrow, schur: Float[Array, "s s"]) -> Float[Array, ""]:
    """Log determinant of the arrow."""
    return jnp.sum(small.logdet(arr.ll)) + small.logdet(schur)


def _states(amplitudes: Sequence[Amplitude], index: np.ndarray) -> np.ndarray:
    """Every combination of states of the local amplitudes, (c, l)."""
    choices = [amplitudes[i].states for i in index]
    every = list(itertools.product(*choices))
    return np.array(every, dtype=float).reshape(len(every), len(index))


def _local_best(
    g: Float[Array, "l l"],
    h: Float[Array, " l"],
    states: np.ndarray,
    table: np.ndarray,
    bounds: np.ndarray,
) -> tuple[Float[Array, " l"], Float[Array, " l"], Float[Array, ""]]:
    """Optimal state of one group: (state, amplitudes, ½aᵀGa - hᵀa).

    It is the one that violates the conditions of optimality least. Comparing costs
    instead would miss the state wherever two differ by less than their rounding.
    """
    low, high = bounds[:, 0], bounds[:, 1]
    diagonal = jnp.diagonal(g)
    root = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))

    def one(state: Array) -> tuple[Array, Array, Array]:
        free, held = _held(state, diagonal, table)
        reduced = free[:, None] * g * free[None, :] + jnp.diag(1 - free)
        rhs = free * (h - g @ held)
        a = small.solve(reduced, rhs[:, None])[:, 0] * free + held
        outside = jnp.maximum(low - a, a - high) * root
        pull = (g @ a - h) / root
        wrong = jnp.where(state == LOWER, -pull, jnp.where(state == UPPER, pull, 0.0))
        violation = jnp.where(free > 0, outside, jnp.where(diagonal > 0, wrong, 0.0))
        cost = 0.5 * a @ g @ a - h @ a
        return a, cost, jnp.max(jnp.maximum(violation, 0.0), initial=0.0)

    a, cost, violation = jax.vmap(one)(jnp.asarray(states))
    best = jnp.argmin(violation)
    return jnp.asarray(states)[best], a[best], cost[best]


def _active(
    amplitudes: Sequence[Amplitude], arr: Arrow
) -> tuple[Float[Array, " s"], Float[Array, "g l"]]:
    """States of the constrained minimum.

    Without shared amplitudes: enumeration per group; with shared ones only: the same
    on their own block. With both, φ(s), the cost minimised over the local ones, is
    convex and piecewise quadratic: Newton steps on its pieces with a line search, which
    end once the pieces no longer change.
    """
    s, el = split(amplitudes)
    states = _states(amplitudes, el)
    table = _bound_values(amplitudes, el)
    bounds = np.array([[amplitudes[i].lower, amplitudes[i].upper] for i in el])

    def best(g: Array, h: Array) -> tuple[Array, Array, Array]:
        return _local_best(g, h, states, table, bounds.reshape(-1, 2))

    local = jax.vmap(best)
    if len(s) == 0:
        return jnp.zeros(0), local(arr.ll, arr.hl)[0]

    low = np.array([amplitudes[i].lower for i in s])
    high = np.array([amplitudes[i].upper for i in s])
    if len(el) == 0:
        own = _bound_values(amplitudes, s), np.stack([low, high], axis=1)
        state, _, _ = _local_best(arr.ss, arr.hs, _states(amplitudes, s), *own)
        return state, jnp.zeros((arr.hl.shape[0], 0))
    diagonal = jnp.diagonal(arr.ss)
    root = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))

    def phi(shared: Array) -> tuple[Array, Array, Array]:
        """Value, scaled slope and the states of the local amplitudes."""
        h = arr.hl - jnp.einsum("gsl,s->gl", arr.sl, shared)
        state, a, cost = local(arr.ll, h)
        value = 0.5 * shared @ arr.ss @ shared - arr.hs @ shared + jnp.sum(cost)
        slope = arr.ss @ shared - arr.hs + jnp.einsum("gsl,gl->s", arr.sl, a)
        return value, slope / root, state

    def newton(slope: Array, state: Array) -> Array:
        free = (state == FREE).astype(slope.dtype)
        piece = Arrow(
            ss=arr.ss,
            sl=arr.sl * free[:, None, :],
            ll=free[:, :, None] * arr.ll * free[:, None, :]
            + (1 - free)[:, :, None] * np.eye(len(el))[None],
            hs=arr.hs,
            hl=arr.hl,
        )
        return -small.solve(schur_complement(piece), (slope * root)[:, None])[:, 0]

    def remaining(shared: Array, slope: Array) -> Array:
        blocked = ((shared <= low) & (slope > 0)) | ((shared >= high) & (slope < 0))
        return jnp.max(jnp.where(blocked, 0.0, jnp.abs(slope)))

    steps = 2.0 ** -np.arange(12)

    def body(carry: tuple) -> tuple:
        shared, value, slope, state, count, _ = carry
        direction = newton(slope, state)
        trial = shared[None] + steps[:, None] * direction[None]
        trial = jnp.clip(trial, low[None], high[None])
        values, slopes, statuses = jax.vmap(phi)(trial)
        same = jnp.all(statuses[0] == state)
        # Close to the end the value is all rounding; the slope still tells.
        nearer = remaining(trial[0], slopes[0]) < 0.5 * remaining(shared, slope)
        level = values[0] <= value + 1e-13 * jnp.abs(value)
        pick = jnp.where(same | (nearer & level), 0, jnp.argmin(values))
        keep = same | (nearer & level) | (values[pick] < value)
        new = (trial[pick], values[pick], slopes[pick], statuses[pick])
        old = (shared, value, slope, state)
        kept = jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)
        return (*kept, count + 1, same | ~keep)

    first = jnp.clip(unconstrained(amplitudes, arr).shared, low, high)
    start = (first, *phi(first), jnp.asarray(0), jnp.asarray(False))
    shared, _, slope, state, _, _ = lax.while_loop(
        lambda c: ~c[-1] & (c[-2] < 100), body, start
    )
    at_low = (shared <= low) & (slope >= 0)
    at_high = (shared >= high) & (slope <= 0)
    return jnp.where(at_low, LOWER, jnp.where(at_high, UPPER, FREE)) * 1.0, state


def covariance(
    amplitudes: Sequence[Amplitude], solution: Solution
) -> tuple[Float[Array, "s s"], Float[Array, "g l l"], Float[Array, "g s l"]]:
    """Blocks of G⁻¹: shared, local of each group, and between the two.

    Held amplitudes have zero rows.
    """
    arr, schur = solution.reduced, solution.schur
    ms, ml = solution.free_shared, solution.free_local
    c_ss = small.inverse(schur)
    border = jnp.swapaxes(arr.sl, 1, 2)
    x = small.solve(arr.ll, border)
    c_ls = -jnp.einsum("gls,st->glt", x, c_ss)
    c_ll = small.inverse(arr.ll) + jnp.einsum("gls,st,gmt->glm", x, c_ss, x)
    return (
        ms[:, None] * c_ss * ms[None, :],
        ml[:, :, None] * c_ll * ml[:, None, :],
        ms[None, :, None] * jnp.swapaxes(c_ls, 1, 2) * ml[:, None, :],
    )


def share_outside(
    amplitudes: Sequence[Amplitude], draws: Float[Array, "d g k"]
) -> dict[str, Any]:
    """Share of draws of each bounded amplitude outside its bounds."""
    return {
        a.name: float(np.mean((draws[..., i] < a.lower) | (draws[..., i] > a.upper)))
        for i, a in enumerate(amplitudes)
        if a.constrained
    }
