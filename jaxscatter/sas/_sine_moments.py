"""Moments of sin and cos over the unit interval, entire functions of k².

Structure factors of spheres are made of them: with k = q σ they are the Fourier
transforms of the polynomials that liquid-state closures put inside the core.

Units: k is dimensionless.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

_NEAR = 1.0  # below: series; above: closed forms, which have lost one digit there
_TERMS = 9  # 1/19! is 8e-18


class SineMoments(NamedTuple):
    """Moments at k, each even in k."""

    cosine: Float[Array, "..."]
    """∫cos(kt) dt = sin(k)/k."""
    sine: Float[Array, "..."]
    """∫sin(kt) dt / k = (1 - cos k)/k²."""
    versine: Float[Array, "..."]
    """∫(1 - cos kt) dt / k² = (1 - sin(k)/k)/k²."""
    t_sine: Float[Array, "..."]
    """∫t sin(kt) dt / k = (sin k - k cos k)/k³."""
    t_versine: Float[Array, "..."]
    """∫t (1 - cos kt) dt / k²."""


def _split(k: Array) -> tuple[Array, Array, Array]:
    """Where k is small, k² there and 0 elsewhere, and k elsewhere with 2 there."""
    small = jnp.abs(k) < _NEAR
    return small, jnp.square(jnp.where(small, k, 0.0)), jnp.where(small, _NEAR, k)


def _series(k2: Array, first: int, power: int) -> Array:
    """Σ (-k²)ʲ / ((2j + first)! (2j + power)), without the second factor for 0."""
    total = jnp.zeros_like(k2)
    for j in reversed(range(_TERMS)):
        factor = 2 * j + power if power else 1
        total = 1 / (math.factorial(2 * j + first) * factor) - k2 * total
    return total


def sine_moments(k: Float[Array, "..."]) -> SineMoments:
    """All `SineMoments` at `k` ≥ 0 with one sine and one cosine, exact at k = 0."""
    small, k2, far = _split(k)
    sine, cosine, square = jnp.sin(far), jnp.cos(far), jnp.square(far)
    s0 = sine / far
    c1 = (1 - cosine) / square
    return SineMoments(
        jnp.where(small, _series(k2, 1, 0), s0),
        jnp.where(small, _series(k2, 2, 0), c1),
        jnp.where(small, _series(k2, 3, 0), (1 - s0) / square),
        jnp.where(small, _series(k2, 1, 3), (s0 - cosine) / square),
        jnp.where(small, _series(k2, 2, 4), (0.5 - s0 + c1) / square),
    )


def odd_moments(k: Float[Array, "..."]) -> tuple[Array, Array, Array]:
    """∫tⁿ sin(kt) dt / k of n = 1, 2 and 4: 1/3, 1/4 and 1/6 at k = 0."""
    small, k2, far = _split(k)
    sine, cosine, square = jnp.sin(far), jnp.cos(far), jnp.square(far)
    s0 = sine / far
    t2 = (2 * s0 - 2 * (1 - cosine) / square - cosine) / square
    return (
        jnp.where(small, _series(k2, 1, 3), (s0 - cosine) / square),
        jnp.where(small, _series(k2, 1, 4), t2),
        jnp.where(small, _series(k2, 1, 6), (4 * s0 - 12 * t2 - cosine) / square),
    )
