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


def of_volume(volume: Floats) -> Any:
    """Radius (3V/4π)^⅓ of the sphere of the same volume."""
    return jnp.cbrt(3 * volume / (4 * math.pi))


def of_excluded_volume(radius: Floats, length: Floats) -> Any:
    """½ [¾ R (2RL + (R+L)(πR+L))]^⅓, excluded volume of a cylinder."""
    inside = 2 * radius * length + (radius + length) * (math.pi * radius + length)
    return 0.5 * jnp.cbrt(0.75 * radius * inside)


def of_curvature(polar: Floats, equatorial: Floats) -> Float[Array, "..."]:
    """Radius of mean curvature of an ellipsoid of revolution.

    ½ [2 (δ+1) a b²]^⅓ with δ = ¾ b₁ b₂ [1]; equal to both half axes where they agree.
    With e² = 1 - ρ², ρ the ratio of the smaller to the larger half axis,
    b₁ = 1 + asin(e)/(eρ) and b₂ = 1 + ½ (ρ²/e) ln((1+e)/(1-e)).
    """
    a, b = jnp.asarray(polar, float), jnp.asarray(equatorial, float)
    prolate = a > b
    low, high = jnp.where(prolate, b, a), jnp.where(prolate, a, b)
    empty = low <= 0
    ratio = jnp.where(empty, 1.0, low) / jnp.where(empty, 1.0, high)
    e2 = (1 - ratio) * (1 + ratio)
    near = e2 < 0.01
    small = jnp.where(near, e2, 0.0)
    e = jnp.sqrt(jnp.where(near, 0.25, e2))
    # asin(e)/e and ln((1+e)/(1-e))/2e in powers of e²
    arc_series = 1 + small * (
        1 / 6
        + small
        * (3 / 40 + small * (15 / 336 + small * (105 / 3456 + small * 945 / 42240)))
    )
    log_series = 1 + small * (
        1 / 3 + small * (1 / 5 + small * (1 / 7 + small * (1 / 9 + small / 11)))
    )
    arc = jnp.where(near, arc_series, jnp.arcsin(e) / e)
    log = jnp.where(near, log_series, jnp.arctanh(e) / e)
    b1 = 1 + arc / ratio
    b2 = 1 + jnp.square(ratio) * log
    # b1 and b2 are those of a prolate and of an oblate body: their product is of both
    delta = 0.75 * b1 * b2
    radius = 0.5 * jnp.cbrt(2 * (delta + 1) * a * jnp.square(b))
    return jnp.where(empty, 0.0, radius)
