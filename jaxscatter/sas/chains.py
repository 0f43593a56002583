"""Semiflexible chains with excluded volume: flexible cylinders.

A chain of contour length L and Kuhn length b has R_g² = ε² ⟨R_g²⟩₀, with the ideal
⟨R_g²⟩₀ of Kratky and Porod and the expansion ε² of [1, 2]. Its scattering function
S_WR(q, L, b) of [2] joins, with continuous value and slope, a Debye or
excluded-volume coil at small q to a sum of two powers of q and the line π/(qL) at
large q. It is fitted to simulations and good to some per cent; it has kinks at
L = 4b and steps at L = 10b and where the excluded-volume term sets in.

Units: q in 1/Å, lengths Å, scattering length densities 1e-6/Å².

References:
    [1] J. S. Pedersen and P. Schurtenberger, Macromolecules 29, 7602 (1996).
    [2] W.-R. Chen, P. D. Butler and L. J. Magid, Langmuir 22, 6539 (2006).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics import expm1_over, two_j1_over_x
from ..numerics._dtype import common_float
from ..numerics.debye import debye
from .declaration import AbstractIntensity, number, size, sld

_NU = 0.585  # exponent of excluded volume
_LONG = 4.0  # L/b above which excluded volume matters
_SMALLEST = 1e-3  # q R_g below which excluded volume is not felt


def ideal_ratio(x: Floats) -> Float[Array, "..."]:
    """6⟨R_g²⟩₀/(Lb) of a Kratky-Porod chain with x = L/b > 0 Kuhn lengths.

    1 - 3/(2x) + 3/(2x²) - 3(1 - e^(-2x))/(4x³): x/2, a rod, as x → 0.
    """
    (x,) = common_float(x)
    stiff = x < 1.0
    near, far = jnp.where(stiff, x, 0.0), jnp.where(stiff, 1.0, x)
    # Σ_(k≥4) ¾ (-2)^k x^(k-3)/k!, from its leading term x/2
    series = jnp.ones_like(x)
    for k in range(24, 4, -1):
        series = 1 - 2 * near / k * series
    inverse = 1 / far
    direct = 1 - inverse * (
        1.5 + inverse * (-1.5 - 0.75 * inverse * jnp.expm1(-2 * far))
    )
    return jnp.where(stiff, 0.5 * near * series, direct)


def _power(x: Array, exponent: float) -> Array:
    """Power of x > 0; derivatives of x**exponent take longer to compile."""
    return jnp.exp(exponent * jnp.log(x))


def expanded_square(length: Floats, kuhn_length: Floats) -> Float[Array, "..."]:
    """ε² Lb/6 in Å², R_g² of a long chain with excluded volume."""
    length, kuhn_length = common_float(length, kuhn_length)
    x = length / kuhn_length
    swollen = 1 + jnp.square(x / 3.12) + (x / 8.67) ** 3
    return length * kuhn_length / 6 * _power(swollen, 0.176 / 3)


def _coil(q: Array, length: Array, kuhn_length: Array) -> tuple[Array, Array, Array]:
    """Local stiffness, Debye and excluded-volume terms of a long chain."""
    ratio = length / kuhn_length
    x = q * jnp.sqrt(expanded_square(length, kuhn_length))
    y = jnp.square(x)
    shape = 4 - 11 * jnp.exp(-y) + 7 * expm1_over(-y)
    swelling = jnp.where(ratio > 10, 3.06 * _power(ratio, -0.44), 1.0)
    weight = 0.5 * (1 + jnp.tanh((x - 1.523) / 0.1477))
    power = _power(jnp.where(x > _SMALLEST, x, 1.0), -1 / _NU)
    far = power * (1.22 + power * (0.4288 - 1.651 * power))
    return (
        swelling * shape / (15 * ratio),
        (1 - weight) * debye(y),
        jnp.where(x > _SMALLEST, weight * far, 0.0),
    )


def _tail(
    q: Array, at: Array, value: Array, slope: Array, length: Array, exponents: tuple
) -> Array:
    """X₁ (q/q₀)^-p₁ + X₂ (q/q₀)^-p₂ + π/(qL) with the given value and slope at q₀."""
    first, second = exponents
    line = math.pi / (at * length)
    rest, fall = value - line, at * slope + line
    x1 = (fall + second * rest) / (second - first)
    log = jnp.log(jnp.maximum(q, at) / at)
    return (
        x1 * jnp.exp(-first * log)
        + (rest - x1) * jnp.exp(-second * log)
        + math.pi / (jnp.maximum(q, at) * length)
    )


def _long(q: Array, length: Array, kuhn_length: Array) -> Array:
    """S_WR for L > 4b."""
    at = 3.1 / kuhn_length
    near = jnp.ravel(jnp.minimum(q, at))
    # one call for all points: it is what takes long to compile
    points = jnp.concatenate([near, 1.05 * near, at[None]])

    def coil(points: Array) -> tuple[Array, Array, Array]:
        return _coil(points, length, kuhn_length)

    parts, slopes = jax.jvp(coil, (points,), (jnp.ones_like(points),))
    value, slope = (x[0][-1] + x[1][-1] + x[2][-1] for x in (parts, slopes))
    n = near.size
    stiff, ideal, swollen = (x[:n] for x in parts)
    falls = parts[1][n:-1] + parts[2][n:-1] < ideal + swollen
    low = jnp.reshape(stiff + ideal + jnp.where(falls, swollen, 0.0), q.shape)
    high = _tail(q, at, value, slope, length, (4.12, 4.42))
    return jnp.where(q <= at, low, high)


def _short(q: Array, length: Array, kuhn_length: Array) -> Array:
    """S_WR for L ≤ 4b."""
    ratio = length / kuhn_length
    square = expanded_square(length, kuhn_length) * ideal_ratio(ratio)
    reduced = jnp.sqrt(square) / kuhn_length
    at = jnp.maximum(1.9 / reduced, 3.0) / kuhn_length
    points = jnp.append(jnp.minimum(q, at), at)

    def coil(points: Array) -> Array:
        return debye(jnp.square(points) * square)

    values, slopes = jax.jvp(coil, (points,), (jnp.ones_like(points),))
    high = _tail(q, at, values[-1], slopes[-1], length, (5.36, 5.62))
    return jnp.where(q <= at, jnp.reshape(values[:-1], q.shape), high)


def worm_like_chain(
    q: Floats, length: Scalar, kuhn_length: Scalar
) -> Float[Array, "..."]:
    """S_WR(q, L, b), 1 at q = 0 (for L > 4b to 2e-9).

    For L ≤ 4b the coil ends at q = max(1.9/R_g, 3/b): SasView compares 1.9/R_g in 1/Å
    with 3, a pure number, and so leaves the coil too early for L < 2b.

    Args:
        q: in 1/Å, any shape.
        length: contour length L > 0 in Å.
        kuhn_length: b > 0 in Å.
    """
    q, length, kuhn_length = common_float(q, length, kuhn_length)
    is_long = length > _LONG * kuhn_length
    border = _LONG * kuhn_length
    return jnp.where(
        is_long,
        _long(q, jnp.where(is_long, length, border), kuhn_length),
        _short(q, jnp.where(is_long, border, length), kuhn_length),
    )


def elliptical_section(
    q: Floats, radius: Scalar, axis_ratio: Scalar, nodes: int
) -> Float[Array, "..."]:
    """⟨B²(q r)⟩ over directions in the section's plane, half axes R and xR.

    The integrand is periodic: equidistant points converge like no others.
    """
    phi = 0.5 * math.pi * (np.arange(nodes) + 0.5) / nodes
    shape = (1,) * jnp.ndim(q) + (-1,)
    cos2 = jnp.asarray(np.cos(phi) ** 2).reshape(shape)
    square = 1 + cos2 * (jnp.square(axis_ratio) - 1)
    r = radius * jnp.sqrt(square)
    return jnp.mean(jnp.square(two_j1_over_x(jnp.asarray(q)[..., None] * r)), axis=-1)


def _chain(q: Floats, p: Any) -> Float[Array, "..."]:
    """Δ² L S_WR; without length there is nothing."""
    length = jnp.where(p.length > 0, p.length, 1.0)
    kuhn = jnp.where(p.kuhn_length > 0, p.kuhn_length, 1.0)
    contrast = jnp.square(p.sld - p.sld_solvent)
    return contrast * p.length * worm_like_chain(q, length, kuhn)


class FlexibleCylinder(AbstractIntensity):
    """Chain of circular section: 1e-4 Δ² πR²L B²(qR) S_WR, per unit volume 1."""

    name = "flexible_cylinder"
    category = "cylinder"
    table = (
        size("length", 1000.0, "contour length"),
        size("kuhn_length", 100.0, "twice the persistence length"),
        size("radius", 20.0, "of the section"),
        sld("sld", 1.0, "of the chain"),
        sld("sld_solvent", 6.3, "of the solvent"),
    )
    reference = "Pedersen & Schurtenberger 1996; Chen et al. 2006"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 Δ² πR²L B²(qR) S_WR(q, L, b)."""
        section = math.pi * p.radius**2 * jnp.square(two_j1_over_x(q * p.radius))
        return 1e-4 * section * _chain(q, p)

    def valid(self, p: Any) -> Any:
        """Kuhn length b > 0."""
        return p.kuhn_length > 0


class FlexibleCylinderElliptical(AbstractIntensity):
    """Chain of elliptical section with half axes R and xR.

    The volume is πxR²L; SasView has x² instead of x, so that its intensity is larger
    by axis_ratio.
    """

    name = "flexible_cylinder_elliptical"
    category = "cylinder"
    table = (
        size("length", 1000.0, "contour length"),
        size("kuhn_length", 100.0, "twice the persistence length"),
        size("radius", 20.0, "one half axis of the section", lo=1.0),
        number("axis_ratio", 1.5, lo=0.0, doc="the other half axis to radius"),
        sld("sld", 1.0, "of the chain"),
        sld("sld_solvent", 6.3, "of the solvent"),
    )
    reference = "Pedersen & Schurtenberger 1996; Chen et al. 2006"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 Δ² πxR²L ⟨B²(qr)⟩ S_WR(q, L, b)."""
        area = math.pi * p.radius**2 * p.axis_ratio
        mean = elliptical_section(q, p.radius, p.axis_ratio, p.nodes)
        return 1e-4 * area * mean * _chain(q, p)

    def valid(self, p: Any) -> Any:
        """Kuhn length b > 0."""
        return p.kuhn_length > 0

    def cross_extent(self, p: Any) -> Any:
        """Larger half axis: the nodes of the section's own average."""
        return p.radius * jnp.maximum(1.0, p.axis_ratio)
