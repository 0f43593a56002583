"""Radii of the spheres that stand for other bodies in a structure factor.

Units: lengths Å, volumes Å³.

References:
    [1] A. Isihara, J. Chem. Phys. 18, 1446 (1950), convex bodies.
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics._dtype import common_float


def _cube_root(x: Floats) -> Float[Array, "..."]:
    """∛x of x ≥ 0; at 0 its infinite slope is taken as 0, for bodies without size."""
    (x,) = common_float(x)
    empty = x <= 0
    return jnp.where(empty, 0.0, jnp.cbrt(jnp.where(empty, 1.0, x)))


def of_volume(volume: Floats) -> Any:
    """Radius (3V/4π)^⅓ of the sphere of the same volume."""
    return _cube_root(3 * volume / (4 * math.pi))


def of_excluded_volume(radius: Floats, length: Floats) -> Any:
    """½ [¾ R (2RL + (R+L)(πR+L))]^⅓, excluded volume of a cylinder."""
    inside = 2 * radius * length + (radius + length) * (math.pi * radius + length)
    return 0.5 * _cube_root(0.75 * radius * inside)


def of_curvature(polar: Floats, equatorial: Floats) -> Float[Array, "..."]:
    """Radius of mean curvature of an ellipsoid of revolution.

    ½ [2 (δ+1) a b²]^⅓ with δ = ¾ b₁ b₂ [1]; equal to both half axes where they agree.
    With e² = 1 - ρ², ρ the ratio of the smaller to the larger half axis,
    b₁ = 1 + asin(e)/(eρ) and b₂ = 1 + ½ (ρ²/e) ln((1+e)/(1-e)). A flat disk (a = 0)
    has b (3π/32)^⅓, a needle (b = 0) none.
    """
    a, b = common_float(polar, equatorial)
    prolate = a > b
    low, high = jnp.where(prolate, b, a), jnp.where(prolate, a, b)
    ratio = low / jnp.where(high > 0, high, 1.0)
    e2 = (1 - ratio) * (1 + ratio)
    near = e2 < 0.01
    small = jnp.where(near, e2, 0.0)
    e = jnp.sqrt(jnp.where(near, 0.25, e2))
    # asin(e)/e and ln((1+e)/(1-e))/2e in powers of e²
    arc_series, log_series = jnp.zeros_like(small), jnp.zeros_like(small)
    for k in range(9, -1, -1):
        arc_series = math.comb(2 * k, k) / (4**k * (2 * k + 1)) + small * arc_series
        log_series = 1 / (2 * k + 1) + small * log_series
    # asin(e) and atanh(e) lose half of their digits where e is nearly 1
    flat = ratio <= 0
    ln = jnp.log((1 + e) / jnp.where(flat, 1.0, ratio))
    arc = jnp.where(near, arc_series, jnp.arctan2(e, ratio) / e)
    log = jnp.where(near, log_series, jnp.where(flat, 0.0, ln) / e)
    # b₁ a b² and b₂ of an oblate body are those of a prolate one, with b₁ a b²
    # free of the division by ρ
    b1 = jnp.square(high) * b * (ratio + arc)
    b2 = 1 + jnp.square(ratio) * log
    return 0.5 * _cube_root(1.5 * b1 * b2 + 2 * a * jnp.square(b))
