"""Intensities with derivatives that cost what physics needs, not what parameters do.

However many parameters move the geometry (scale, rotation, shifts, tilts), a tilt feels
them through K_t alone: two tangents. Thickness needs no propagation of its own, and a
refined potential one tangent each. The derivative of the intensities is therefore made
from unit tangents of these channels, tile by tile, and contracted with whatever
tangents the parameters ask for; unused channels are not propagated.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array


def channelled(evaluate: Callable[..., Array], tile: int) -> Callable[..., Array]:
    """A function (channels, rest, kt, t) of the values of `evaluate`, tile by tile.

    `evaluate(channels, rest, kt, t)` gives intensities (tilts, ...) of a tile of tilts,
    each depending on its own K_t only. Derivatives, forward and reverse, hold for the
    numbers in `channels`, `kt` and `t`; `rest` counts as constant.

    Args:
        evaluate: pure function of a mapping of numbers, a tree, kt (tilts, 2) and the
            thickness.
        tile: tilts at a time.
    """

    def mapped(function, kt):
        """`function` of each tile, joined along the tilts of its results."""
        n = kt.shape[0]
        if n <= tile:
            return function(kt)
        tiles = -(-n // tile)
        index = jnp.minimum(jnp.arange(tiles * tile), n - 1).reshape(tiles, tile)
        out = jax.lax.map(lambda here: function(kt[here]), index)

        def joined(x):
            return x.reshape(tiles * tile, *x.shape[2:])[:n]

        return jax.tree.map(joined, out)

    @jax.custom_jvp
    def intensities(channels, rest, kt, t):
        return mapped(lambda kt: evaluate(channels, rest, kt, t), kt)

    def rule(primals, tangents):
        channels, rest, kt, t = primals
        d_channels, _, d_kt, d_t = tangents
        moving = {n: d for n, d in d_channels.items() if not _zero(d)}

        def slopes(kt):
            return _slopes(
                lambda c, kt, t: evaluate({**channels, **c}, rest, kt, t),
                {n: channels[n] for n in moving},
                None if _zero(d_kt) else kt,
                None if _zero(d_t) else t,
                (kt, t),
            )

        value, by_channel, by_kt, by_t = mapped(slopes, kt)
        total = jnp.zeros_like(value)
        for name, d in moving.items():
            total = total + d * by_channel[name]
        if by_kt is not None:
            across = (slice(None), *(None,) * (value.ndim - 1))
            total = total + d_kt[:, 0][across] * by_kt[0]
            total = total + d_kt[:, 1][across] * by_kt[1]
        if by_t is not None:
            total = total + d_t * by_t
        return value, total

    intensities.defjvp(rule, symbolic_zeros=True)
    return intensities


def _zero(tangent: Any) -> bool:
    return isinstance(tangent, SymbolicZero)


def _slopes(evaluate, channels: Mapping[str, Array], kt, t, at):
    """Value and derivatives of a tile along every channel that moves."""
    here, thickness = at
    value = evaluate(channels, here, thickness)
    by_channel: dict[str, Array] = {}
    if channels:
        names = tuple(channels)

        def along(unit):
            d = {n: unit[i] for i, n in enumerate(names)}
            return jax.jvp(
                lambda c: evaluate(c, here, thickness), (dict(channels),), (d,)
            )[1]

        pushed = jax.vmap(along)(jnp.eye(len(names), dtype=here.dtype))
        by_channel = {n: pushed[i] for i, n in enumerate(names)}
    by_kt = by_t = None
    if kt is not None:

        def across(unit):
            d = jnp.broadcast_to(unit[None, :], kt.shape)
            return jax.jvp(lambda k: evaluate(channels, k, thickness), (kt,), (d,))[1]

        pushed = jax.vmap(across)(jnp.eye(2, dtype=kt.dtype))
        by_kt = (pushed[0], pushed[1])
    if t is not None:
        by_t = jax.jvp(
            lambda t: evaluate(channels, here, t), (t,), (jnp.ones_like(t),)
        )[1]
    return value, by_channel, by_kt, by_t
