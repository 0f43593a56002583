"""Averages of one model over orientations and over distributions of sizes.

    <F> = Σ w F / Σ w,  <F²> = Σ w F² / Σ w,  likewise <V>, <V_shell> and <R_eff>

over the outer product of all distributions, each orientation-averaged first. Points
that make no body are left out. Work goes in chunks, so that memory does not grow with
the number of points.

Units: q in 1/Å; <F> in 1e-2 · 1e-6/Å² · Å³ and <F²> in 1e-4 of its square, so that
<F²>/V is in 1/cm.

References:
    [1] M. Kotlarchyk and S.-H. Chen, J. Chem. Phys. 79, 2461 (1983).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from . import dispersion, orientation
from .declaration import (
    AbstractAxial,
    AbstractForm,
    AbstractIntensity,
    AbstractSpherical,
    AbstractTriaxial,
    Quantity,
)
from .dispersion import Distribution
from .orientation import Band, Rule

HELD = 1 << 18
"""Numbers per array held at a time unless a chunk is asked for."""

Values = Mapping[str, Any]
ANGLES = ("theta", "phi", "psi")
Directed = (AbstractAxial, AbstractTriaxial)
Weigh = Callable[[Float[Array, " n"], Any], Float[Array, " n"]]


class Moments(eqx.Module):
    """Averages of one model at n values of q."""

    f1: Float[Array, " n"]
    """<F>"""
    f2: Float[Array, " n"]
    """<F²>"""
    form_volume: Float[Array, ""]
    """<V> in Å³"""
    shell_volume: Float[Array, ""]
    """<V_shell> in Å³"""
    radius: Float[Array, ""]
    """<R_eff> of the mode asked for, in Å; 0 for mode 0"""
    weighed: Float[Array, " n"] | None = None
    """<F² S> with each size's own S, where that was asked for"""


class _Grid(eqx.Module):
    """Outer product of the points of several distributions."""

    points: dict[str, Float[Array, " k"]]
    w: Float[Array, " k"]


def distributed(
    form: AbstractForm, distributions: Mapping[str, Distribution]
) -> tuple[Quantity, ...]:
    """The rows of the table that really have more than one point."""
    return tuple(
        row
        for row in form.quantities
        if row.name in distributions and distributions[row.name].size > 1
    )


def _grid(
    rows: tuple[Quantity, ...],
    values: Values,
    distributions: Mapping[str, Distribution],
) -> _Grid:
    xs, ws = [], []
    for row in rows:
        if row.kind == "orientation":
            x, w = dispersion.points(
                distributions[row.name], 0.0, values[f"{row.name}_pd"], -180.0, 180.0
            )
            w = w * jnp.abs(jnp.cos(jnp.deg2rad(x))) if row.name == "theta" else w
        else:
            x, w = dispersion.points(
                distributions[row.name],
                values[row.name],
                values.get(f"{row.name}_pd", 0.0),
                row.lo,
                row.hi,
            )
        xs.append(x)
        ws.append(w)
    shape = tuple(x.shape[0] for x in xs)
    total = jnp.ones(())
    for i, w in enumerate(ws):
        total = total[..., None] * w.reshape((1,) * i + (-1,))
    flat = {}
    for i, (row, x) in enumerate(zip(rows, xs, strict=True)):
        along = x.reshape((1,) * i + (-1,) + (1,) * (len(xs) - i - 1))
        flat[row.name] = jnp.ravel(jnp.broadcast_to(along, shape))
    return _Grid(flat, jnp.ravel(total))


def _sum(
    function: Callable[[dict[str, Array]], Any],
    grid: _Grid,
    held: int,
    chunk: int | None,
) -> Any:
    """Σ_k w_k function(point k), `held` numbers per point, chunk by chunk."""
    count = grid.w.shape[0]
    if count == 1:
        return jax.tree.map(
            lambda v: grid.w[0] * v, function({k: v[0] for k, v in grid.points.items()})
        )

    def part(points: dict[str, Array], w: Array) -> Any:
        out = jax.vmap(function)(points)
        return jax.tree.map(
            lambda v: jnp.sum(w.reshape((-1,) + (1,) * (v.ndim - 1)) * v, axis=0), out
        )

    size = max(1, HELD // max(held, 1)) if chunk is None else max(1, chunk)
    if count <= size:
        return part(grid.points, grid.w)
    pieces = math.ceil(count / size)
    size = math.ceil(count / pieces)
    take = np.minimum(np.arange(pieces * size), count - 1)
    weight = jnp.where(
        jnp.asarray(np.arange(pieces * size) < count), grid.w[take], 0.0
    ).reshape(pieces, size)
    points = {k: v[take].reshape(pieces, size) for k, v in grid.points.items()}

    # recomputed in reverse mode: its memory would grow with the points otherwise
    @jax.checkpoint
    def step(total: Any, piece: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, part(*piece)), None

    shapes = jax.eval_shape(
        lambda: part({k: v[0] for k, v in points.items()}, weight[0])
    )
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    return lax.scan(step, zero, (points, weight))[0]


class _Body(NamedTuple):
    """A form with its parameters and the sizes of it that are distributed."""

    form: Any
    rows: tuple[Quantity, ...]
    values: Values
    distributions: Mapping[str, Distribution]
    chunk: int | None

    @classmethod
    def of(
        cls,
        form: AbstractForm,
        values: Values,
        distributions: Mapping[str, Distribution],
        chunk: int | None = None,
    ) -> "_Body":
        rows = distributed(form, distributions)
        sizes = tuple(row for row in rows if row.kind == "volume")
        return cls(form, sizes, values, distributions, chunk)

    def at(self, point: Mapping[str, Any], nodes: int = 1) -> Any:
        """Parameters at one point of the distributions."""
        p = self.form.namespace({**self.values, **point})
        p.nodes = nodes
        return p

    def grid(self, among: tuple[str, ...] | None = None) -> _Grid:
        """Points and weights of the distributed sizes, or of some of them."""
        rows = tuple(r for r in self.rows if among is None or r.name in among)
        return _grid(rows, self.values, self.distributions)

    def sizes(self, mode: int = 0) -> tuple[Array, ...]:
        """Σw, Σw V, Σw V_shell and Σw R_eff of the valid points."""

        def one(point: dict[str, Array]) -> tuple[Array, ...]:
            p = self.at(point)
            valid = jnp.asarray(self.form.valid(p))
            radius = self.form.radii(p)[mode - 1] if mode else 0.0
            kept = (1.0, self.form.volume(p), self.form.shell_volume(p), radius)
            # a point that makes no body may have sizes that are not numbers
            return tuple(jnp.where(valid, jnp.asarray(v, float), 0.0) for v in kept)

        return _sum(one, self.grid(), 4, None)


def moments(
    form: AbstractForm,
    q: Float[Array, " n"],
    values: Values,
    distributions: Mapping[str, Distribution],
    rule: Rule,
    mode: int = 0,
    chunk: int | None = None,
    weigh: Weigh | None = None,
) -> Moments:
    """Averages of `form` over orientations and sizes.

    Args:
        form: the model.
        q: in 1/Å, in the order `rule` was made for.
        values: parameters by name, and widths as `name_pd`.
        distributions: of the parameters that are distributed.
        rule: nodes in bands of q, from `orientation.bands`.
        mode: effective radius wanted, counted from 1; 0 for none.
        chunk: points of the distributions held at a time.
        weigh: S of a size with effective radius R of `mode`, `weigh(q, R)`, for
            `Moments.weighed`.
    """
    body = _Body.of(form, values, distributions, chunk)
    norm, v_form, v_shell, radius = body.sizes(mode)
    share = 1.0 / jnp.where(norm > 0, norm, 1.0)
    out = [_band(body, q[b.start : b.stop], b, mode, weigh) for b in rule]
    f1, f2, *more = (share * jnp.concatenate(part) for part in zip(*out, strict=True))
    return Moments(
        1e-2 * f1,
        (1.0 if isinstance(form, AbstractIntensity) else 1e-4) * f2,
        _positive(share * v_form),
        _positive(share * v_shell),
        share * radius,
        1e-4 * more[0] if more else None,
    )


def volume_ratio(
    form: AbstractForm, values: Values, distributions: Mapping[str, Distribution]
) -> Float[Array, ""]:
    """<V>/<V_shell>, the enclosed volume per volume of material."""
    _, v_form, v_shell, _ = _Body.of(form, values, distributions).sizes()
    return v_form / _positive(v_shell)


def _positive(volume: Array) -> Array:
    """The volume, or 1 where there is none: F is 0 there and can be divided."""
    return jnp.where(volume > 0, volume, 1.0)


def _band(
    body: _Body,
    q: Float[Array, " n"],
    band: Band,
    mode: int,
    weigh: Weigh | None,
) -> tuple[Float[Array, " n"], ...]:
    """Σw <F>, Σw <F²> and, where sizes are weighed, Σw <F²> S of one band of q."""
    if weigh is None and _separable(body.form, body.rows):
        return _separate(body, q, band)

    def one(point: dict[str, Array]) -> tuple[Array, ...]:
        p = body.at(point, band.inner)
        valid = jnp.asarray(body.form.valid(p))
        f1, f2 = (jnp.where(valid, f, 0.0) for f in _oriented(body.form, q, p, band))
        if weigh is None:
            return f1, f2
        return f1, f2, f2 * weigh(q, body.form.radii(p)[mode - 1])

    held = q.shape[0] * _nodes(body.form, band)
    return _sum(one, body.grid(), held, body.chunk)


def _nodes(form: AbstractForm, band: Band) -> int:
    if isinstance(form, AbstractTriaxial):
        return band.outer * band.inner
    return band.outer if isinstance(form, AbstractAxial) else 1


def evaluations(
    form: AbstractForm, distributions: Mapping[str, Distribution], band: Band
) -> int:
    """How many bodies and directions one value of q takes."""
    rows = tuple(r for r in distributed(form, distributions) if r.kind == "volume")
    sizes = [distributions[r.name].size for r in rows]
    if _separable(form, rows):
        return sum(sizes) * _nodes(form, band) + math.prod(sizes)
    return math.prod(sizes) * _nodes(form, band)


def _separable(form: AbstractForm, rows: tuple[Quantity, ...]) -> bool:
    """Whether the sums over the distributed sizes factorise."""
    if not isinstance(form, Directed) or len(form.split) < 2 or not rows:
        return False
    if type(form).valid is not AbstractForm.valid:
        return False
    return all(sum(r.name in names for names in form.split) == 1 for r in rows)


def _oriented(
    form: AbstractForm, q: Float[Array, " n"], p: Any, band: Band
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """<F> and <F²> over orientations of one body."""
    if isinstance(form, AbstractSpherical):
        f = form.amplitude(q, p)
        return f, jnp.square(f)
    if isinstance(form, AbstractIntensity):
        f2 = form.intensity(q, p)
        return jnp.zeros_like(f2), f2
    components, weights = _directions(form, q, band)
    f = _amplitude(form, components, p)
    axes = tuple(range(1, f.ndim))
    return jnp.sum(weights * f, axis=axes), jnp.sum(weights * jnp.square(f), axis=axes)


def _amplitude(form: Any, components: tuple[Array, ...], p: Any) -> Array:
    """F: the contrast times all factors."""
    factors = form.factors(*components, p)
    return form.contrast(p) * math.prod(factors[1:], start=factors[0])


def _directions(
    form: Any, q: Float[Array, " n"], band: Band
) -> tuple[tuple[Array, ...], Array]:
    """Components of q in the body and weights, (n, nodes) or (n, nodes, azimuths)."""
    if isinstance(form, AbstractAxial):
        sin, cos, w = orientation.polar(band.outer, form.nodes_in)
        along = q[:, None]
        return (along * sin[None, :], along * cos[None, :]), jnp.asarray(w)[None, :]
    sin, cos, w = orientation.polar(band.outer, "cosine")
    t, wt = orientation.gauss(band.inner)
    phi = 0.5 * math.pi * t
    a = sin[:, None] * np.cos(phi)[None, :]
    b = sin[:, None] * np.sin(phi)[None, :]
    c = cos[:, None]  # one number for all azimuths, so that factors of it are too
    along = q[:, None, None]
    weights = jnp.asarray(w[:, None] * wt[None, :])[None]
    return tuple(along * jnp.asarray(v)[None] for v in (a, b, c)), weights


def _separate(
    body: _Body, q: Float[Array, " n"], band: Band
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """<F> and <F²> where the sum over each factor's own sizes is taken by itself."""
    components, weights = _directions(body.form, q, band)
    contrast = body.form.contrast(body.at({}))
    f1, f2 = contrast, jnp.square(contrast)
    held = math.prod(components[0].shape)
    for i, names in enumerate(body.form.split):

        def factor(point: dict[str, Array], i: int = i) -> tuple[Array, Array]:
            g = body.form.factors(*components, body.at(point, band.inner))[i]
            return g, jnp.square(g)

        g1, g2 = _sum(factor, body.grid(names), held, body.chunk)
        f1, f2 = f1 * g1, f2 * g2
    axes = tuple(range(1, weights.ndim))
    return jnp.sum(weights * f1, axis=axes), jnp.sum(weights * f2, axis=axes)


def oriented_pattern(
    form: AbstractForm,
    qx: Float[Array, " n"],
    qy: Float[Array, " n"],
    values: Values,
    distributions: Mapping[str, Distribution],
    nodes: int = 76,
    chunk: int | None = None,
) -> Moments:
    """<F²> of a body at fixed orientation, averaged over sizes and jitter.

    Args:
        form: the model; one without direction gives its isotropic pattern.
        qx: detector points in 1/Å.
        qy: their other component.
        values: parameters, among them theta, phi and psi in degrees and their jitter
            widths `theta_pd`, ... in degrees.
        distributions: of sizes and angles.
        nodes: of a body's own inner integral, if it has one.
        chunk: points of the distributions held at a time.
    """
    rows = distributed(form, distributions)
    grid = _grid(rows, values, distributions)
    angles = {r.name for r in form.quantities if r.kind == "orientation"}
    free = {r.name for r in rows if r.kind == "orientation"}

    def one(point: dict[str, Array]) -> tuple[Array, ...]:
        sizes = {k: v for k, v in point.items() if k not in free}
        p = form.namespace({**values, **sizes})
        p.nodes = nodes
        valid = jnp.asarray(form.valid(p))
        if isinstance(form, Directed):
            view: Any = [values[a] if a in angles else 0.0 for a in ANGLES]
            jitter: Any = [point[a] if a in free else 0.0 for a in ANGLES]
            at: Any = orientation.in_body(qx, qy, tuple(view), tuple(jitter))
            if isinstance(form, AbstractAxial):
                square = jnp.square(at[0]) + jnp.square(at[1])
                on_axis = square == 0.0
                root = jnp.sqrt(jnp.where(on_axis, 1.0, square))
                at = (jnp.where(on_axis, 0.0, root), at[2])
            f1 = _amplitude(form, at, p)
            f2 = jnp.square(f1)
        else:
            q = jnp.sqrt(jnp.square(qx) + jnp.square(qy))
            f1, f2 = _oriented(form, q, p, Band(0, q.shape[0], 1, nodes))
        kept = (1.0, form.volume(p), form.shell_volume(p))
        return tuple(
            jnp.where(valid, jnp.asarray(v, float), 0.0) for v in (f1, f2, *kept)
        )

    f1, f2, norm, v_form, v_shell = _sum(one, grid, qx.shape[0], chunk)
    share = 1.0 / jnp.where(norm > 0, norm, 1.0)
    factor = 1.0 if isinstance(form, AbstractIntensity) else 1e-4
    return Moments(
        1e-2 * share * f1,
        factor * share * f2,
        _positive(share * v_form),
        _positive(share * v_shell),
        jnp.zeros(()),
    )
