"""Linear amplitudes of counts: Newton steps within the declared bounds.

The cost Σ μ - y log μ is convex in a for μ = A a. With c the curvature and s = y/μ - 1
the pull of each point at a, a step is the least-squares problem of

    G = Aᵀ diag(c) A,   h = G a + Aᵀ s

solved within the bounds as any other (`amplitudes.solve`), and shortened where the cost
would not fall. The first step, from amplitudes that share the counts, is least squares
of variance y + mean; in the next c is the Fisher weight 1/μ, then y/μ².
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from . import amplitudes as amp
from . import sums
from .amplitudes import Amplitude
from .likelihood import Points, Poisson

STEPS = 20
"""Most steps."""
FISHER_STEPS = 3
"""First steps, which do not use the curvature."""
NEAR = 1e-2
"""Expected gain, per smallest count, below which a step is taken as it is.

From there full Newton steps converge on such a (self-concordant) cost.
"""
END = 1e-20
"""Expected gain per count at which the steps end."""
SHARE = 1e-8
"""Of the Fisher weights added to the curvature, which no counts would leave at 0."""

_LENGTHS = np.concatenate([[0.0], 2.0 ** -np.arange(12.0)[::-1]])


def gram(
    problem: Any, at: sums.Point
) -> tuple[Float[Array, "g k k"], Float[Array, "g k"]]:
    """G of the Fisher weights and h per group, solved by the best amplitudes.

    Their derivatives are those of the amplitudes of least cost.
    """
    if not problem.linear:
        return sums.gram(problem, at)
    columns = sums.all_columns(problem, at)
    y, mask = problem.data.y.astype(float), problem.data.mask.astype(float)
    fixed = lax.stop_gradient(columns)
    a, settled = best(problem.linear, fixed, y, mask)
    a, settled = lax.stop_gradient((a, settled))
    points = _points(columns, y, mask, a)
    exact = _solved(problem.linear, columns, _curvature(points, y), points.pull, a)
    a = jnp.where(settled, exact, a)
    points = _points(columns, y, mask, a)
    # a kink of the cost, where means are floored, leaves a pull that no step follows
    pull = jnp.where(settled, points.pull, 0.0)
    return _step(columns, points.weight, pull, a)


def best(
    amplitudes: Sequence[Amplitude],
    columns: Float[Array, "g n k"],
    y: Float[Array, "g n"],
    mask: Float[Array, "g n"],
) -> tuple[Float[Array, "g k"], Any]:
    """Amplitudes (held ones included) of least cost, and where they are stationary.

    Groups take steps of their own length unless an amplitude joins them.
    """
    joined = any(a.shared for a in amplitudes)

    def whole(values: Float[Array, "*t g"]) -> Array:
        """Sums that decide about a step, one per group."""
        if not joined:
            return values
        total = jnp.sum(values, axis=-1, keepdims=True)
        return jnp.broadcast_to(total, values.shape)

    def cost(mu: Float[Array, "g n"]) -> Float[Array, " g"]:
        return whole(0.5 * jnp.sum(_at(y, mu, mask).chi2, axis=1))

    def best_length(mu: Array, change: Array) -> Array:
        """The length of least cost for each group; the shortest of equal ones."""
        costs = lax.map(lambda t: cost(mu + t * change), jnp.asarray(_LENGTHS))
        return jnp.asarray(_LENGTHS)[jnp.argmin(costs, axis=0)]

    counts = mask * y
    total = jnp.sum(counts, axis=1)
    least = jnp.min(jnp.where(counts > 0, counts, jnp.inf), axis=1)
    least = jnp.where(joined, jnp.min(least), least)
    mean = total / jnp.maximum(jnp.sum(mask, axis=1), 1.0)
    first = mask / (y + jnp.where(mean > 0, mean, 1.0)[:, None])

    def body(state: tuple) -> tuple:
        a, count, _, _ = state
        mu = _means(columns, a)
        points = _at(y, mu, mask)
        begins = count == 0
        pull = jnp.where(begins, first * (y - mu), points.pull)
        weight = jnp.where(count < FISHER_STEPS, points.weight, _curvature(points, y))
        weight = jnp.where(begins, first, weight)
        d = _solved(amplitudes, columns, weight, pull, a) - a
        change = _means(columns, d)
        gain = whole(jnp.sum(points.pull * change, axis=1))
        near = (gain <= NEAR * least) & ~begins
        t = lax.cond(
            jnp.all(near),
            lambda: jnp.ones_like(gain),
            lambda: jnp.where(near, 1.0, best_length(mu, change)),
        )
        moves = (t > 0) & (gain > END * whole(total))
        going = jnp.any(moves) | (count < FISHER_STEPS)
        return a + t[:, None] * d, count + 1, near[:, None], going

    start = (
        _shares(amplitudes, columns, total, mask),
        jnp.asarray(0),
        jnp.zeros((len(y), 1), bool),
        jnp.asarray(True),
    )
    a, _, settled, _ = lax.while_loop(lambda s: s[3] & (s[1] < STEPS), body, start)
    return a, settled


def _shares(
    amplitudes: Sequence[Amplitude],
    columns: Float[Array, "g n k"],
    total: Float[Array, " g"],
    mask: Float[Array, "g n"],
) -> Float[Array, "g k"]:
    """Amplitudes with which all columns share the counts, off the bounds."""
    height = jnp.sum(mask[:, :, None] * columns, axis=1)
    counts = jnp.broadcast_to(total[:, None], height.shape)
    shared = np.array([v.shared for v in amplitudes])
    if shared.any():
        height, counts = (
            jnp.where(shared[None], jnp.sum(v, axis=0, keepdims=True), v)
            for v in (height, counts)
        )
    seen = height > 0
    share = counts / jnp.where(seen, height, 1.0) / len(amplitudes)
    low, high, held = (
        jnp.broadcast_to(jnp.asarray(row, float)[None], height.shape)
        for row in (
            [v.lower for v in amplitudes],
            [v.upper for v in amplitudes],
            [np.nan if v.held is None else v.held for v in amplitudes],
        )
    )
    share = jnp.clip(jnp.where(seen, share, 0.0), low, high)
    return jnp.where(jnp.isnan(held), share, held)


def _means(columns: Array, a: Array) -> Array:
    """μ = A a of all groups."""
    return jnp.einsum("gnk,gk->gn", columns, a)


def _at(y: Array, mu: Array, mask: Array) -> Points:
    return jax.vmap(lambda y, mu, mask: Poisson().points(y, mu, mu, mask))(y, mu, mask)


def _points(columns: Array, y: Array, mask: Array, a: Array) -> Points:
    return _at(y, _means(columns, a), mask)


def _curvature(points: Points, y: Array) -> Array:
    """Y/μ² and a share of the Fisher weight 1/μ."""
    return points.weight * (y * points.weight + SHARE)


def _step(
    columns: Array, weight: Array, pull: Array, a: Array
) -> tuple[Float[Array, "g k k"], Float[Array, "g k"]]:
    weighted = columns * weight[:, :, None]
    g = jnp.einsum("gnk,gnl->gkl", weighted, columns)
    h = jnp.einsum("gkl,gl->gk", g, a) + jnp.einsum("gnk,gn->gk", columns, pull)
    return g, h


def _solved(
    amplitudes: Sequence[Amplitude],
    columns: Array,
    weight: Array,
    pull: Array,
    a: Array,
) -> Array:
    """Where one step from `a` leads."""
    arr = amp.arrow(amplitudes, *_step(columns, weight, pull, a))
    return amp.solve(amplitudes, arr).per_group(amplitudes)
