"""Sums over the data that fits and posteriors are made of, from `columns` alone.

At x, with a the amplitudes, r = y - A a, J = ∂(A a)/∂x at fixed a, W = mask/v:

    pass 1   G = AᵀWA, h = AᵀWy per group, then a
    pass 2   M = JᵀWJ, N = AᵀWJ, JᵀWr, Σ W r²  (and ∂G, ∂h for marginal likelihoods)

where a likelihood that is not Gaussian has its own curvature for W, slope for Wr and
cost for ½ Σ W r² (`Points`).

Tangents go through `prepare` once and through `columns` chunk by chunk, in forward
mode. A parameter that is local to a group has a tangent in that group only, so a group
sees (shared + local kinds) of them, however many groups there are.

`jaxscatter.problem.passes` decides between these and a model's own `normal_block`.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P
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

    y: Any
    sigma: Any
    mask: Any
    coords: dict[str, Any]


def whole(problem: Any) -> Chunk:
    """All points of the problem as one chunk."""
    data = problem.data
    return Chunk(data.y, data.sigma, data.mask, data.coords)


def over_chunks(problem: Any, body: Any, size: int) -> Any:
    """Sum of `body(chunk)` over chunks of `size` points, one in memory at a time.

    On a mesh every device sums its own points; one `psum` joins the sums.
    """
    data, mesh = problem.data, problem.mesh
    if data.streamed:
        return _scanned(data.chunk_at, data.n_points // size, body)
    axes = dict(data.dims)
    if mesh is None:
        return _scanned_array(whole(problem), axes, body, size)
    points = P(None, mesh.axis_names[0])

    def part(chunk: Chunk) -> Any:
        total = _scanned_array(chunk, axes, body, size)
        return lax.psum(total, mesh.axis_names[0])

    along = {
        k: P(*(mesh.axis_names[0] if d == "point" else None for d in axes[k]))
        for k in data.coords
    }
    spec = Chunk(points, points, points, along)
    return jax.shard_map(
        part, mesh=mesh, in_specs=(spec,), out_specs=P(), check_vma=False
    )(whole(problem))


def _scanned_array(chunk: Chunk, axes: dict, body: Any, size: int) -> Any:
    """Sum of `body` over slices of `size` points of arrays in memory."""
    n_points = chunk.y.shape[1]
    if size == n_points:
        return body(chunk)
    return _scanned(_cutter(chunk, axes, size), n_points // size, body)


def _cutter(chunk: Chunk, axes: dict, size: int) -> Any:
    """`cut(i)` gives the i-th run of `size` points."""

    def cut(array: Array, dims: tuple, start: Array) -> Array:
        for axis, d in enumerate(dims):
            if d == "point":
                array = lax.dynamic_slice_in_dim(array, start, size, axis)
        return array

    def at(i: Array) -> Chunk:
        both = ("group", "point")
        return Chunk(
            cut(chunk.y, both, i * size),
            cut(chunk.sigma, both, i * size),
            cut(chunk.mask, both, i * size),
            {k: cut(v, axes[k], i * size) for k, v in chunk.coords.items()},
        )

    return at


def _scanned(chunk_at: Any, count: int, body: Any) -> Any:
    if count == 1:
        return body(chunk_at(0))
    shapes = jax.eval_shape(lambda: body(chunk_at(jnp.asarray(0))))
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def step(total: Any, i: Array) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, body(chunk_at(i))), None

    return lax.scan(step, zero, jnp.arange(count))[0]


def _over_chunks(problem: Any, body: Any) -> Any:
    """Sum of `body(chunk)` over the chunks the problem was given."""
    data = problem.data
    size = problem.chunk or data.n_points
    if problem.mesh is not None:
        size = min(size, data.n_points // problem.mesh.size)
    return over_chunks(problem, body, size)


def per_point(problem: Any, group: Any, *per_group: Any) -> Float[Array, "g n *k"]:
    """Numbers per point that `group` gives, as `over_groups` calls it."""
    data = problem.data
    if data.streamed:
        raise ModelError(
            "the data are read chunk by chunk, so no array of all points exists"
        )

    def body(chunk: Chunk) -> Array:
        return over_groups(problem, group, chunk, *per_group)

    if problem.chunk is None or problem.mesh is not None:
        return body(whole(problem))
    count = data.n_points // problem.chunk
    cut = _cutter(whole(problem), dict(data.dims), problem.chunk)
    parts = lax.map(lambda i: body(cut(i)), jnp.arange(count))
    parts = jnp.moveaxis(parts, 0, 1)
    return parts.reshape(data.n_groups, -1, *parts.shape[3:])


def largest_divisor(n: int, most: int) -> int:
    """Largest divisor of n that is not above `most`."""
    return max(d for d in range(1, n + 1) if n % d == 0 and d <= max(1, most))


def over_groups(problem: Any, body: Any, chunk: Chunk, *per_group: Any) -> Any:
    """`body(y, sigma, mask, coords, fixed, *per_group)` of every group, stacked."""
    axes = {k: 0 if d[:1] == ("group",) else None for k, d in problem.data.dims}
    axes = {k: axes[k] for k in chunk.coords}
    in_axes = (0, 0, 0, axes, 0, *(0 for _ in per_group))
    return jax.vmap(body, in_axes=in_axes)(
        chunk.y,
        chunk.sigma,
        chunk.mask,
        chunk.coords,
        fixed_local(problem),
        *per_group,
    )


def fixed_local(problem: Any) -> dict[str, Array]:
    """Values (g,) of the local parameters that are held."""
    groups = problem.data.n_groups
    return {
        p.name: jnp.broadcast_to(jnp.asarray(p.value), (groups,))
        for p in problem.parameters
        if p.local and not p.free and p.tie is None
    }


def columns_of(
    problem: Any, prepared: Any, xs: Array, xl: Array, coords: dict, fixed: dict, n: int
) -> tuple[Array, dict]:
    """A (n, k) of one group and its θ."""
    where = problem.layout
    values = dict(zip(where.shared, xs, strict=True))
    values |= dict(zip(where.local, xl, strict=True))
    theta = problem.parameters.resolve(values | fixed)
    if problem.precision == "mixed":
        low = jax.tree.map(lambda v: v.astype(jnp.float32), theta)
        a = problem.model.columns(problem.model.lowered(prepared), low, coords)
    else:
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
    return a.astype(float), theta


def all_columns(problem: Any, at: Point) -> Float[Array, "g n k"]:
    """A of all groups, held as a whole."""
    prepared = eqx.combine(at.dynamic, at.static)

    def group(y, sigma, mask, coords, fixed, xl):
        del sigma, mask
        return columns_of(problem, prepared, at.xs, xl, coords, fixed, y.size)[0]

    return per_point(problem, group, at.xl)


def mean_of(problem: Any, columns: Array, theta: dict, coords: dict, a: Array) -> Array:
    """μ = A a, with amplitudes solved for, explicit, or absent."""
    if problem.linear:
        return columns @ a
    if problem.model.amplitudes:
        return columns @ problem.model.amplitude_values(theta, coords)
    return columns[:, 0]


def gram(
    problem: Any, at: Point, a: Float[Array, "g k"] | None = None
) -> tuple[Float[Array, "g k k"], Float[Array, "g k"]]:
    """Pass 1: G and h per group, with the weights a robust loss has at `a`."""
    prepared = eqx.combine(at.dynamic, at.static)
    k = len(problem.linear)

    def group(y, sigma, mask, coords, fixed, xl, a):
        columns, theta = columns_of(problem, prepared, at.xs, xl, coords, fixed, y.size)
        # noise that depends on the mean never comes with solved amplitudes
        w = mask / problem.likelihood.variances(y, sigma, theta)
        if a is not None:
            w = w * problem.likelihood.loss_weight(w * jnp.square(y - columns @ a))
        weighted = columns * w[:, None]
        return weighted.T @ columns, weighted.T @ y

    if k == 0:
        groups = problem.data.n_groups
        return jnp.zeros((groups, 0, 0)), jnp.zeros((groups, 0))
    return _over_chunks(
        problem, lambda chunk: over_groups(problem, group, chunk, at.xl, a)
    )


def misfit(
    problem: Any, at: Point, a: Float[Array, "g k"]
) -> tuple[Float[Array, " g"], Float[Array, " g"]]:
    """Pass 2 without tangents: Σ ρ(W r²) and ½ Σ log(v/σ²) per group."""
    prepared = eqx.combine(at.dynamic, at.static)
    likelihood = problem.likelihood

    def group(y, sigma, mask, coords, fixed, xl, a):
        columns, theta = columns_of(problem, prepared, at.xs, xl, coords, fixed, y.size)
        mu = mean_of(problem, columns, theta, coords, a)
        v = likelihood.variances(mu, sigma, theta)
        chi2 = likelihood.points(y, mu, v, mask).chi2
        return jnp.sum(chi2), jnp.sum(likelihood.log_terms(v, sigma, mask))

    return _over_chunks(
        problem, lambda chunk: over_groups(problem, group, chunk, at.xl, a)
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
    likelihood = problem.likelihood
    # counts have weights that vary with μ, which their own slope allows for
    fixed_weights = likelihood.fixed_weights or likelihood.counts

    def group(y, sigma, mask, coords, fixed, xl, a):
        def evaluate(dynamic, xs, xl):
            prepared = eqx.combine(dynamic, at.static)
            columns, theta = columns_of(
                problem, prepared, xs, xl, coords, fixed, y.size
            )
            mu = mean_of(problem, columns, theta, coords, a)
            if fixed_weights:
                return mu, columns, None
            return mu, columns, likelihood.variances(mu, sigma, theta)

        primal = (at.dynamic, at.xs, xl)
        out: Any = evaluate(*primal)
        d_out: Any = jax.vmap(lambda t: jax.jvp(evaluate, primal, t)[1])(at.tangents)
        mu, columns = out[0], out[1][:, :k]
        d_mu, d_columns = d_out[0], d_out[1][:, :, :k]
        v = jnp.square(sigma) if fixed_weights else out[2]
        points = likelihood.points(y, mu, v, mask)
        w = points.weight
        weighted = d_mu * w[None]
        slope = -d_mu @ points.pull
        m = weighted @ d_mu.T
        n = columns.T @ weighted.T
        if not fixed_weights:
            d_log_v = d_out[2] / v[None]
            slope = slope + 0.5 * d_log_v @ (mask - w * jnp.square(y - mu))
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
            chi2=jnp.sum(points.chi2),
            log_v=jnp.sum(likelihood.log_terms(v, sigma, mask)),
            slope=slope,
            m=m,
            n=n,
            d_gram=d_gram,
            d_h=d_h,
        )

    return _over_chunks(
        problem, lambda chunk: over_groups(problem, group, chunk, at.xl, a)
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
