"""The sums of a problem at a point x, by whichever way its model offers.

`TwoPass` goes through `columns`: one pass for G and h, which give the amplitudes a, and
one for the sums at fixed a. `OnePass` needs a single one. The model's `normal_block`
sums about reference amplitudes a₀, found from a few points; with δ = a - a₀,

    χ² = χ₀² - 2 δᵀh₀ + δᵀGδ,   h = h₀ + G a₀,   (∂A)ᵀWr = (∂A)ᵀWr₀ - (∂A)ᵀWA δ

and nothing cancels, for r₀ is nearly r. Under a robust loss a₀ is iterated until it is
the best a, and the weights are those at r₀.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from . import amplitudes as amp
from . import newton, sums
from .model import BlockSums

BLOCK_POINTS = {"cpu": 1 << 17, "gpu": 1 << 23, "tpu": 1 << 23}
"""Points of all groups together that one step of `OnePass` takes."""
REWEIGHTINGS = 60
"""Most rounds of reweighting under a robust loss."""


class TwoPass(eqx.Module):
    """Sums by the model's `columns`."""

    problem: Any
    at: sums.Point

    def gram(
        self, a: Float[Array, "g k"] | None = None
    ) -> tuple[Float[Array, "g k k"], Float[Array, "g k"]]:
        """G and h per group; with a robust loss, its weights taken at `a`.

        Of counts, those of which the best amplitudes are the solution.
        """
        if self.problem.likelihood.counts:
            return newton.gram(self.problem, self.at)
        return sums.gram(self.problem, self.at, a)

    def misfit(
        self, a: Float[Array, "g k"]
    ) -> tuple[Float[Array, " g"], Float[Array, " g"]]:
        """Σ W r² (Σ ρ with a robust loss) and ½ Σ log(v/σ²) per group."""
        return sums.misfit(self.problem, self.at, a)

    def tangents(self, a: Float[Array, "g k"], marginal: bool) -> sums.Tangents:
        """Sums with derivatives, see `sums.tangent_sums`."""
        return sums.tangent_sums(self.problem, self.at, a, marginal)


class OnePass(eqx.Module):
    """Sums by the model's `normal_block`; the same numbers as `TwoPass`."""

    problem: Any
    total: BlockSums
    reference: Float[Array, "g k"]
    slopes: Any
    """∂θ of the block parameters per group and tangent, (g, p, t)."""
    d_a: Any
    """∂a per group and tangent, (g, k, t), where amplitudes are parameters."""

    def gram(self) -> tuple[Float[Array, "g k k"], Float[Array, "g k"]]:
        """G and h per group; none where the amplitudes are parameters."""
        g = self.total.gram
        if not self.problem.linear:
            return jnp.zeros((len(g), 0, 0)), jnp.zeros((len(g), 0))
        return g, self.total.h + jnp.einsum("gkl,gl->gk", g, self.reference)

    def misfit(
        self, a: Float[Array, "g k"]
    ) -> tuple[Float[Array, " g"], Float[Array, " g"]]:
        """Σ W r² per group, and no log terms."""
        delta, residual = self._shifted(a)
        chi2 = self.total.chi2 - jnp.sum(delta * (self.total.h + residual), axis=1)
        return jnp.maximum(chi2, 0.0), jnp.zeros_like(chi2)

    def _shifted(self, a: Array) -> tuple[Array, Array]:
        """δ = a - a₀ and AᵀWr at a."""
        if not self.problem.linear:
            return jnp.zeros_like(self.reference), self.total.h
        delta = a - self.reference
        return delta, self.total.h - jnp.einsum("gkl,gl->gk", self.total.gram, delta)

    def tangents(self, a: Float[Array, "g k"], marginal: bool) -> sums.Tangents:
        """Sums with derivatives, see `sums.tangent_sums`."""
        total = self.total
        delta, residual = self._shifted(a)
        a = a if self.problem.linear else self.reference
        side = jnp.einsum("gpkl,gpt->gtkl", total.side, self.slopes)
        d_h = jnp.einsum("gpk,gpt->gtk", total.d_h, self.slopes)
        quad = jnp.einsum("gpkql,gk,gl->gpq", total.quad, a, a)
        m = jnp.einsum("gpq,gpt,gqs->gts", quad, self.slopes, self.slopes)
        # AᵀWJ and JᵀWr of J = (∂A) a
        n = jnp.einsum("gtkl,gk->glt", side, a)
        d_r = d_h - jnp.einsum("gtkl,gl->gtk", side, delta)
        slope = -jnp.einsum("gtk,gk->gt", d_r, a)
        if self.d_a is not None:
            slope = slope - jnp.einsum("gk,gkt->gt", residual, self.d_a)
            cross = jnp.einsum("glt,gls->gts", n, self.d_a)
            own = jnp.einsum("gkt,gkl,gls->gts", self.d_a, total.gram, self.d_a)
            m = m + cross + jnp.swapaxes(cross, 1, 2) + own
            n = jnp.zeros((len(m), 0, m.shape[-1]))
        chi2, log_v = self.misfit(a)
        d_gram = d_y = None
        if marginal:
            d_gram = side + jnp.swapaxes(side, 2, 3)
            d_y = d_h + jnp.einsum("gtkl,gl->gtk", side, self.reference)
        return sums.Tangents(chi2, log_v, slope, m, n, d_gram, d_y)


def begin(problem: Any, x: Float[Array, " p"], tangents: bool) -> TwoPass | OnePass:
    """The passes at x; `tangents` says whether derivatives will be asked for."""
    if not has_blocks(problem):
        return TwoPass(problem, sums.point(problem, x, tangents))
    return _one_pass(problem, x, tangents)


def profile(problem: Any, at: TwoPass | OnePass) -> amp.Solution:
    """Amplitudes of least cost within their bounds.

    A robust loss reweights until they stay: at the end the cost is stationary in them.
    """
    solution = amp.solve(problem.linear, amp.arrow(problem.linear, *at.gram()))
    if not (problem.likelihood.robust and problem.linear) or isinstance(at, OnePass):
        return solution

    def solved(a: Array) -> amp.Solution:
        return amp.solve(problem.linear, amp.arrow(problem.linear, *at.gram(a)))

    first = solution.per_group(problem.linear)
    return solved(_reweighted(lambda a: solved(a).per_group(problem.linear), first))


def _reweighted(again: Any, a: Array) -> Array:
    """Fixed point a = again(a)."""

    def step(carry: tuple) -> tuple:
        a, _, count = carry
        new = again(a)
        return new, jnp.max(jnp.abs(new - a)) / jnp.max(jnp.abs(new)), count + 1

    def moves(carry: tuple) -> Array:
        return (carry[1] > 1e-12) & (carry[2] < REWEIGHTINGS)

    start = a, jnp.asarray(jnp.inf, a.dtype), jnp.asarray(0)
    return lax.while_loop(moves, step, start)[0]


def has_blocks(problem: Any) -> bool:
    """Whether the model's `normal_block` gives this problem's sums."""
    likelihood = problem.likelihood
    if problem.block is None or not likelihood.fixed_weights:
        return False
    own = set(problem.model.block_parameters)
    return bool(own) and not any(p.local for p in problem.parameters if p.name in own)


def reference_amplitudes(problem: Any, at: sums.Point) -> Float[Array, "g k"]:
    """Amplitudes from the few points of `problem.pilot`: near the best, never far off.

    The 1e-6 of the diagonal keeps them finite where columns are alike.
    """
    g, h = sums.gram(problem.on_pilot(), at)
    ridge = (1 + 1e-6 * jnp.eye(g.shape[-1]))[None]
    arr = amp.arrow(problem.linear, g * ridge, h)
    return amp.solve(problem.linear, arr).per_group(problem.linear)


def _one_pass(problem: Any, x: Float[Array, " p"], tangents: bool) -> OnePass:
    model, where = problem.model, problem.layout
    at = sums.point(problem, x, tangents=False)
    own = model.block_parameters
    theta = _shared(problem, at.xs)
    prepared, d_prepared = eqx.combine(at.dynamic, at.static), None
    if tangents:
        slopes = _prepared_slopes(model, theta, own)
        d_prepared = () if slopes is None else slopes
    if problem.linear:
        reference = reference_amplitudes(problem, at)
    else:
        reference = values(problem, at.xs, at.xl)
    if problem.likelihood.robust and problem.linear:

        def again(a: Array) -> Array:
            total = _totals(problem, at, prepared, None, a)
            return profile(problem, OnePass(problem, total, a, None, None)).per_group(
                problem.linear
            )

        reference = _reweighted(again, reference)
    total = _totals(problem, at, prepared, d_prepared, reference)
    if not tangents:
        return OnePass(problem, total, reference, None, None)
    n_s, n_l, groups = len(where.shared), len(where.local), problem.data.n_groups
    jacobian = jax.jacfwd(lambda xs: jnp.stack([_shared(problem, xs)[n] for n in own]))
    slopes = jnp.concatenate(
        [jacobian(at.xs).reshape(len(own), n_s), jnp.zeros((len(own), n_l))], axis=1
    )
    slopes = jnp.broadcast_to(slopes, (groups, *slopes.shape))
    d_a = None if problem.linear else _value_slopes(problem, at.xs, at.xl)
    return OnePass(problem, total, reference, slopes, d_a)


def _shared(problem: Any, xs: Array) -> dict[str, Array]:
    """θ without the local parameters."""
    names = [p.name for p in problem.parameters if not p.local]
    values = dict(zip(problem.layout.shared, xs, strict=True))
    return problem.parameters.resolve(values, names)


def _prepared_slopes(model: Any, theta: dict[str, Array], own: tuple[str, ...]) -> Any:
    """Derivatives of `prepare`, leading axis `own`."""

    def prepared(values: Array) -> Any:
        named = theta | dict(zip(own, values, strict=True))
        return eqx.filter(model.prepare(named), eqx.is_inexact_array)

    values = jnp.stack([jnp.asarray(theta[n]) for n in own])
    push = jax.vmap(lambda v: jax.jvp(prepared, (values,), (v,))[1])
    return push(jnp.eye(len(own)))


def values(problem: Any, xs: Array, xl: Array) -> Float[Array, "g k"]:
    """Amplitudes that are parameters, per group."""
    data = problem.data
    coords = {k: data.coords[k] for k, d in data.dims if "point" not in d}
    axes = {k: 0 if d[:1] == ("group",) else None for k, d in data.dims if k in coords}
    where = problem.layout

    def group(coords: dict, fixed: dict, xl: Array) -> Array:
        values = dict(zip(where.shared, xs, strict=True))
        values |= dict(zip(where.local, xl, strict=True))
        theta = problem.parameters.resolve(values | fixed)
        return problem.model.amplitude_values(theta, coords)

    fixed = sums.fixed_local(problem)
    return jax.vmap(group, in_axes=(axes, 0, 0))(coords, fixed, xl)


def _value_slopes(problem: Any, xs: Array, xl: Array) -> Float[Array, "g k t"]:
    """Derivatives of the amplitudes by each group's own tangents."""
    n_s, n_l = xs.shape[0], xl.shape[1]
    eye = jnp.eye(n_s + n_l)

    def push(v: Array) -> Array:
        wide = jnp.broadcast_to(v[n_s:], xl.shape)
        return jax.jvp(lambda s, el: values(problem, s, el), (xs, xl), (v[:n_s], wide))[
            1
        ]

    return jnp.moveaxis(jax.vmap(push)(eye), 0, -1)


def _totals(
    problem: Any, at: sums.Point, prepared: Any, d_prepared: Any, reference: Array
) -> BlockSums:
    """Sums of all blocks per group, in double precision."""
    block, where = problem.block, problem.layout
    if problem.precision == "mixed":
        prepared = problem.model.lowered(prepared)
        if d_prepared is not None:
            d_prepared = problem.model.lowered(d_prepared)

    def group(y, sigma, mask, coords, fixed, xl, a):
        values = dict(zip(where.shared, at.xs, strict=True))
        values |= dict(zip(where.local, xl, strict=True))
        theta = problem.parameters.resolve(values | fixed)
        axes = dict(problem.data.dims)
        along = {k: 0 if "point" in axes[k] else None for k in coords}
        coords = {
            k: v.reshape(*v.shape[:-1], -1, block) if along[k] == 0 else v
            for k, v in coords.items()
        }
        a = a.astype(y.dtype)

        def one(y: Array, w: Array, coords: dict) -> BlockSums:
            out = problem.model.normal_block(
                prepared, d_prepared, theta, coords, w, y, a, problem.likelihood
            )
            return jax.tree.map(lambda v: v.astype(float), out)

        w = (mask / jnp.square(sigma)).reshape(-1, block)
        parts = jax.vmap(one, in_axes=(0, 0, along))(y.reshape(-1, block), w, coords)
        return jax.tree.map(lambda v: jnp.sum(v, axis=0), parts)

    def body(chunk: sums.Chunk) -> BlockSums:
        return sums.over_groups(problem, group, chunk, at.xl, reference)

    return sums.over_chunks(problem, body, _step(problem))


def _step(problem: Any) -> int:
    """Points per group and step: whole blocks that divide the points evenly."""
    if problem.data.streamed:
        return problem.data.chunk
    devices = 1 if problem.mesh is None else problem.mesh.size
    blocks = problem.data.n_points // devices // problem.block
    most = BLOCK_POINTS.get(jax.default_backend(), 1 << 17)
    most = max(1, most // (problem.block * problem.data.n_groups))
    return problem.block * sums.largest_divisor(blocks, most)
