"""The one pass over the data: all sums that fits and posteriors are made of.

At x, with a the amplitudes, r = y - A a, J = ∂(A a)/∂x at fixed a, W = mask/v:

    pass 1   G = AᵀWA, h = AᵀWy per group, then a
    pass 2   M = JᵀWJ, N = AᵀWJ, JᵀWr, Σ W r²  (and ∂G, ∂h for marginal likelihoods)

Tangents go through `prepare` once and through `columns` chunk by chunk, in forward
mode. A parameter that is local to a group has a tangent in that group only, so a group
sees (shared + local kinds) of them, however many groups there are.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from ..errors import ModelError
from .parameter import ParameterSet


class Layout(NamedTuple):
    """Where the shared and the local free parameters lie in x (host constants)."""

    shared: tuple[str, ...]
    local: tuple[str, ...]
    at_shared: np.ndarray
    at_local: np.ndarray
    size: int

    @property
    def per_group(self) -> np.ndarray:
        """(group, tangent) positions in x of each group's tangents."""
        groups = self.at_local.shape[0]
        wide = np.broadcast_to(self.at_shared, (groups, len(self.shared)))
        return np.concatenate([wide, self.at_local], axis=1)


def layout(parameters: ParameterSet, groups: int) -> Layout:
    """Positions of the free parameters."""
    slices = parameters.slices()
    shared = tuple(p.name for p in parameters.free if not p.local)
    local = tuple(p.name for p in parameters.free if p.local)
    at_local = [np.arange(slices[n].start, slices[n].stop) for n in local]
    return Layout(
        shared,
        local,
        np.array([slices[n].start for n in shared], dtype=int),
        np.array(at_local, dtype=int).reshape(len(local), groups).T,
        sum(s.stop - s.start for s in slices.values()),
    )


class Point(NamedTuple):
    """A point x, split for the passes, with the tangents of `prepare`."""

    xs: Array
    xl: Array
    dynamic: Any
    static: Any
    tangents: Any


def point(problem: Any, x: Float[Array, " p"], tangents: bool) -> Point:
    """Prepare the model at x and push the unit tangents through `prepare`."""
    where = problem.layout
    xs, xl = x[where.at_shared], x[where.at_local]

    def prepared(s: Array) -> Any:
        names = [p.name for p in problem.parameters if not p.local]
        values = dict(zip(where.shared, s, strict=True))
        return problem.model.prepare(problem.parameters.resolve(values, names))

    dynamic, static = eqx.partition(prepared(xs), eqx.is_inexact_array)
    if not tangents:
        return Point(xs, xl, dynamic, static, None)
    n_s, n_l = len(where.shared), len(where.local)
    eye = jnp.eye(n_s + n_l)
    d_shared, d_local = eye[:, :n_s], eye[:, n_s:]

    def push(v: Array) -> Any:
        return jax.jvp(
            lambda s: eqx.filter(prepared(s), eqx.is_inexact_array), (xs,), (v,)
        )[1]

    if n_s:
        d_dynamic = jax.vmap(push)(jnp.eye(n_s))
    else:
        d_dynamic = jax.tree.map(lambda v: jnp.zeros((0, *v.shape), v.dtype), dynamic)
    if n_l:
        d_dynamic = jax.tree.map(
            lambda v: jnp.concatenate([v, jnp.zeros((n_l, *v.shape[1:]), v.dtype)]),
            d_dynamic,
        )
    return Point(xs, xl, dynamic, static, (d_dynamic, d_shared, d_local))


class Chunk(NamedTuple):
    """A run of points of every group."""

    y: Array
    sigma: Array
    mask: Array
    coords: dict[str, Array]


def _chunk(problem: Any, start: Any, size: int) -> Chunk:
    data = problem.data
    if size == data.n_points:
        return Chunk(data.y, data.sigma, data.mask, data.coords)

    def cut(array: Array, dims: tuple) -> Array:
        for axis, d in enumerate(dims):
            if d == "point":
                array = lax.dynamic_slice_in_dim(array, start, size, axis)
        return array

    both = ("group", "point")
    return Chunk(
        cut(data.y, both),
        cut(data.sigma, both),
        cut(data.mask, both),
        {k: cut(data.coords[k], d) for k, d in data.dims},
    )


def _over_chunks(problem: Any, body: Any) -> Any:
    """Sum of `body(chunk)` over the chunks of the points, one in memory at a time."""
    size = problem.chunk or problem.data.n_points
    count = problem.data.n_points // size
    if count == 1:
        return body(_chunk(problem, 0, problem.data.n_points))
    shapes = jax.eval_shape(lambda: body(_chunk(problem, 0, size)))
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def step(total: Any, i: Array) -> tuple[Any, None]:
        part = body(_chunk(problem, i * size, size))
        return jax.tree.map(jnp.add, total, part), None

    return lax.scan(step, zero, jnp.arange(count))[0]


def _over_groups(problem: Any, body: Any, chunk: Chunk, *per_group: Any) -> Any:
    """`body(y, sigma, mask, coords, fixed, *per_group)` of every group, stacked."""
    axes = {k: 0 if d[:1] == ("group",) else None for k, d in problem.data.dims}
    fixed = {
        p.name: jnp.asarray(p.value)
        for p in problem.parameters
        if p.local and not p.free and p.tie is None
    }
    in_axes = (0, 0, 0, axes, 0, *(0 for _ in per_group))
    return jax.vmap(body, in_axes=in_axes)(
        chunk.y, chunk.sigma, chunk.mask, chunk.coords, fixed, *per_group
    )


def _columns(
    problem: Any, prepared: Any, xs: Array, xl: Array, coords: dict, fixed: dict, n: int
) -> tuple[Array, dict]:
    """A (n, k) of one group and its θ."""
    where = problem.layout
    values = dict(zip(where.shared, xs, strict=True))
    values |= dict(zip(where.local, xl, strict=True))
    theta = problem.parameters.resolve(values | fixed)
    a = problem.model.columns(prepared, theta, coords)
    wanted = (n, max(1, len(problem.model.amplitudes)))
    shape, dtype = getattr(a, "shape", None), getattr(a, "dtype", None)
    real = dtype is not None and jnp.issubdtype(dtype, jnp.floating)
    if shape != wanted or not real:
        got = type(a).__name__ if shape is None else f"shape {shape} of {dtype}"
        raise ModelError(
            f"columns of {problem.model.name!r} returned {got}; expected real numbers "
            f"of shape {wanted}, one column per amplitude"
        )
    return a, theta


def _mean(problem: Any, columns: Array, theta: dict, a: Array) -> Array:
    """μ = A a, with amplitudes solved for, explicit, or absent."""
    if problem.linear:
        return columns @ a
    if problem.model.amplitudes:
        return columns @ jnp.stack([theta[m.name] for m in problem.model.amplitudes])
    return columns[:, 0]


def gram(problem: Any, at: Point) -> tuple[Float[Array, "g k k"], Float[Array, "g k"]]:
    """Pass 1: G and h per group."""
    prepared = eqx.combine(at.dynamic, at.static)
    k = len(problem.linear)

    def group(y, sigma, mask, coords, fixed, xl):
        columns, theta = _columns(problem, prepared, at.xs, xl, coords, fixed, y.size)
        # noise that depends on the mean never comes with solved amplitudes
        v = problem.likelihood.variances(y, sigma, theta)
        weighted = columns * (mask / v)[:, None]
        return weighted.T @ columns, weighted.T @ y

    if k == 0:
        groups = problem.data.n_groups
        return jnp.zeros((groups, 0, 0)), jnp.zeros((groups, 0))
    return _over_chunks(
        problem, lambda chunk: _over_groups(problem, group, chunk, at.xl)
    )


def misfit(
    problem: Any, at: Point, a: Float[Array, "g k"]
) -> tuple[Float[Array, " g"], Float[Array, " g"]]:
    """Pass 2 without tangents: Σ W r² and ½ Σ log(v/σ²) per group."""
    prepared = eqx.combine(at.dynamic, at.static)

    def group(y, sigma, mask, coords, fixed, xl, a):
        columns, theta = _columns(problem, prepared, at.xs, xl, coords, fixed, y.size)
        mu = _mean(problem, columns, theta, a)
        v = problem.likelihood.variances(mu, sigma, theta)
        return (
            jnp.sum(mask * jnp.square(y - mu) / v),
            0.5 * jnp.sum(mask * jnp.log(v / jnp.square(sigma))),
        )

    return _over_chunks(
        problem, lambda chunk: _over_groups(problem, group, chunk, at.xl, a)
    )


class Tangents(eqx.Module):
    """Pass 2 with tangents, per group; t counts the group's own tangents."""

    chi2: Float[Array, "*g"]
    log_v: Float[Array, "*g"]
    slope: Float[Array, "*g t"]
    m: Float[Array, "*g t t"]
    n: Float[Array, "*g k t"]
    d_gram: Any
    d_h: Any


def tangent_sums(
    problem: Any, at: Point, a: Float[Array, "g k"], marginal: bool
) -> Tangents:
    """Pass 2: the sums above, `slope` being the gradient of ½χ² + ½ Σ log v.

    Args:
        problem: its model, data, likelihood and parameters.
        at: from `point` with tangents.
        a: amplitudes at which J is taken.
        marginal: also ∂G and ∂h.
    """
    k = len(problem.linear)
    fixed_weights = problem.likelihood.fixed_weights

    def group(y, sigma, mask, coords, fixed, xl, a):
        def evaluate(dynamic, xs, xl):
            prepared = eqx.combine(dynamic, at.static)
            columns, theta = _columns(problem, prepared, xs, xl, coords, fixed, y.size)
            mu = _mean(problem, columns, theta, a)
            if fixed_weights:
                return mu, columns, None
            return mu, columns, problem.likelihood.variances(mu, sigma, theta)

        primal = (at.dynamic, at.xs, xl)
        out: Any = evaluate(*primal)
        d_out: Any = jax.vmap(lambda t: jax.jvp(evaluate, primal, t)[1])(at.tangents)
        mu, columns = out[0], out[1][:, :k]
        d_mu, d_columns = d_out[0], d_out[1][:, :, :k]
        v = jnp.square(sigma) if fixed_weights else out[2]
        w = mask / v
        r = y - mu
        weighted = d_mu * w[None]
        slope = -weighted @ r
        m = weighted @ d_mu.T
        n = columns.T @ weighted.T
        if not fixed_weights:
            d_log_v = d_out[2] / v[None]
            slope = slope + 0.5 * d_log_v @ (mask - w * r**2)
            m = m + 0.5 * (d_log_v * mask[None]) @ d_log_v.T
        d_gram = d_h = None
        if marginal:
            side = jnp.einsum("tnk,n,nl->tkl", d_columns, w, columns)
            d_gram = side + jnp.swapaxes(side, 1, 2)
            d_h = jnp.einsum("tnk,n->tk", d_columns, w * y)
            if not fixed_weights:
                dw = -(d_out[2] / v[None]) * w[None]
                d_gram = d_gram + jnp.einsum("nk,tn,nl->tkl", columns, dw, columns)
                d_h = d_h + jnp.einsum("nk,tn->tk", columns, dw * y[None])
        return Tangents(
            chi2=jnp.sum(w * r**2),
            log_v=0.5 * jnp.sum(mask * jnp.log(v / jnp.square(sigma))),
            slope=slope,
            m=m,
            n=n,
            d_gram=d_gram,
            d_h=d_h,
        )

    return _over_chunks(
        problem, lambda chunk: _over_groups(problem, group, chunk, at.xl, a)
    )


def scatter(
    where: Layout, array: Float[Array, "g ..."], axes: int
) -> Float[Array, "..."]:
    """Sum over groups of arrays whose last `axes` axes are tangents, as axes of x."""
    if not where.local:
        return jnp.sum(array, axis=0)
    index = where.per_group
    if axes == 1:
        return jnp.zeros(where.size).at[index].add(array)
    return (
        jnp.zeros((where.size, where.size))
        .at[index[:, :, None], index[:, None, :]]
        .add(array)
    )


def spread(where: Layout, n: Float[Array, "g k t"]) -> Float[Array, "g k p"]:
    """Per-group tangent axis widened to all of x."""
    if not where.local:
        return n
    groups, k, _ = n.shape
    wide = jnp.zeros((groups, k, where.size))
    rows = np.arange(groups)[:, None]
    return wide.at[rows, :, where.per_group].set(jnp.swapaxes(n, 1, 2))
