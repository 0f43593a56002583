"""Sphere in shells whose density changes exponentially.

In a shell from r₁ to r₂ = r₁ + t the density goes from ρ₁ to ρ₂ as

    ρ(u) = ρ₁ + (ρ₂ - ρ₁) h(u),  h = (e^{Au} - 1)/(e^A - 1),  u = (r - r₁)/t,

a straight line for A = 0. Integrated by parts with G(r) = V(r) j(qr), whose derivative
is 4πr² sin(qr)/(qr), its amplitude is

    ρ₂ G(r₂) - ρ₁ G(r₁) - (ρ₂ - ρ₁) <G>,  <G> = ∫₀¹ h'(u) G(r₁ + tu) du.

Units: see `declaration`.

References:
    [1] L. A. Feigin and D. I. Svergun, Structure Analysis by Small-Angle X-Ray and
        Neutron Scattering, Plenum (1987).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import expm1_over, sinc, sincos
from ..numerics._dtype import common_float
from .declaration import AbstractSpherical, Control, Quantity, size, sld
from .spheres import ball, sphere_volume

_THIN = 1.0  # qt below which <G> is a series: the closed form divides by (qt)²
_TERMS = 8  # (1/2)^16/17! is 4e-20
_STEEP = 40.0  # e^-40 is below the rounding of 1
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)


def _ends(steepness: Array) -> tuple[Array, Array]:
    """h'(0) = A/(e^A - 1) and h'(1) = A + h'(0), both 1 at A = 0."""
    rising = steepness > 0
    up = jnp.where(rising, steepness, 0.0)
    down = jnp.where(rising, 0.0, steepness)
    # e^A only of A ≤ 0, so that nothing overflows
    at_0 = jnp.where(rising, jnp.exp(-up) / expm1_over(-up), 1 / expm1_over(down))
    at_1 = jnp.where(rising, 1 / expm1_over(-up), jnp.exp(down) / expm1_over(down))
    return at_0, at_1


def _slope_moments(steepness: Array) -> list[Array]:
    """∫ h'(u) (u - ½)^n du of n = 0 ... 2 `_TERMS`, by nodes where h' lives."""
    rising = steepness > 0
    # not |A|, whose slope at 0 is that of the other side of `rising`
    size = jnp.where(rising, steepness, -steepness)
    far = size > _STEEP
    width = jnp.where(far, _STEEP / jnp.where(far, size, 1.0), 1.0)
    # depth below the steep end, 0 ... width
    depth = width * jnp.asarray(0.5 * (1 - _NODES), steepness.dtype)
    density = jnp.asarray(_WEIGHTS, steepness.dtype) * jnp.exp(-size * depth)
    density = density / jnp.sum(density)
    v = jnp.where(rising, 0.5 - depth, depth - 0.5)
    powers = [density]
    for _ in range(2 * _TERMS):
        powers.append(powers[-1] * v)
    return [jnp.sum(power) for power in powers]


def _thin(
    q: Array, inner: Array, thickness: Array, steepness: Array
) -> Float[Array, "..."]:
    """Amplitude of ρ = h, as a series in qt about the middle of the shell.

    ∫ 4πr² h sin(qr)/(qr) dr with sin(qr)/q = m sinc(qm) cos(qtv) + cos(qm) t v
    sinc(qtv), r = m + tv: only moments of h in v remain.
    """
    slopes = _slope_moments(steepness)
    moments = [(0.5 ** (n + 1) - slopes[n + 1]) / (n + 1) for n in range(2 * _TERMS)]
    middle = inner + 0.5 * thickness
    minus_y2 = -jnp.square(q * thickness)
    even, odd = jnp.zeros_like(q), jnp.zeros_like(q)
    for j in reversed(range(_TERMS - 1)):
        n = 2 * j
        a = middle * moments[n] + thickness * moments[n + 1]
        b = middle * moments[n + 1] + thickness * moments[n + 2]
        even = a / math.factorial(n) + minus_y2 * even
        odd = b / math.factorial(n + 1) + minus_y2 * odd
    _, cos = sincos(q * middle)
    total = middle * sinc(q * middle) * even + thickness * cos * odd
    return 4 * math.pi * thickness * total


def _thick(
    q: Array, inner: Array, thickness: Array, steepness: Array
) -> Float[Array, "..."]:
    """<G> in closed form for qt ≥ `_THIN`.

    G = (4π/q³) Im[(1 - iqr) e^{iqr}]; with z = A + iqt,
    <G> = (4π/q³) Im[h'(u) e^{iqr} ((1 - iqr)/z + iqt/z²)] between u = 0 and 1.
    """
    y = q * thickness
    square = jnp.square(steepness) + jnp.square(y)

    def at(radius: Array) -> Array:
        x = q * radius
        sin, cos = sincos(x)
        # (1 - ix)/z + iy/z² = real + i imaginary
        real = (steepness - x * y) / square + 2 * steepness * jnp.square(y) / square**2
        imaginary = (
            -(y + x * steepness) / square
            + y * (jnp.square(steepness) - jnp.square(y)) / square**2
        )
        return cos * imaginary + sin * real

    at_0, at_1 = _ends(steepness)
    return 4 * math.pi / q**3 * (at_1 * at(inner + thickness) - at_0 * at(inner))


def graded_shell(
    q: Floats,
    inner: Floats,
    thickness: Floats,
    sld_in: Floats,
    sld_out: Floats,
    steepness: Floats,
) -> Float[Array, "..."]:
    """∫ 4πr² ρ(r) sin(qr)/(qr) dr over one shell, in 1e-6/Å² · Å³.

    Args:
        q: any shape; the rest are scalars.
        inner: r₁.
        thickness: t; 0 gives 0.
        sld_in: ρ₁ at r₁.
        sld_out: ρ₂ at r₁ + t.
        steepness: A; the slope at r₂ is e^A times that at r₁.
    """
    q, inner, thickness, start, end, steepness = common_float(
        q, inner, thickness, sld_in, sld_out, steepness
    )
    below, above = ball(q, inner), ball(q, inner + thickness)
    thin = q * thickness < _THIN
    near = _thin(jnp.where(thin, q, 0.0), inner, thickness, steepness)
    q_far = jnp.where(thin, _THIN, q)
    t_far = jnp.where(thin, 1.0, thickness)
    far = above - _thick(q_far, inner, t_far, steepness)
    graded = jnp.where(thin, near, far)
    return start * (above - below) + (end - start) * graded


class Onion(AbstractSpherical):
    """Sphere with n_shells graded shells; `Onion(n_shells=4)`.

    A = 0 is the straight line that A → 0 tends to. (SasView keeps the density at sld_in
    for A = 0 alone; sld_out = sld_in does that for every A.)
    """

    name = "onion"
    category = "sphere"
    table = (
        sld("sld_core", 1.0),
        size("radius_core", 200.0),
        sld("sld_solvent", 6.4),
        sld("sld_in", 1.7, "at the inner surface of a shell", per="n_shells"),
        sld("sld_out", 2.0, "at the outer surface of a shell", per="n_shells"),
        size("thickness", 40.0, "of a shell", per="n_shells"),
        Quantity("A", 1.0, doc="steepness of a shell", per="n_shells"),
    )
    controls = (Control("n_shells", 1, 0, 10, "number of shells"),)
    modes = ("outer radius",)
    reference = "Feigin & Svergun 1987"

    def outer(self, p: Any) -> Any:
        """Radius of the outermost surface in Å."""
        return p.radius_core + jnp.sum(p.thickness)

    def amplitude(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """ρ_core G(r_0) + Σ shells - ρ_0 G(r_N)."""
        ends = p.sld_core * ball(q, p.radius_core) - p.sld_solvent * ball(
            q, self.outer(p)
        )
        if p.n_shells == 0:
            return ends
        inner = p.radius_core + jnp.cumsum(p.thickness) - p.thickness
        shell = jax.vmap(lambda *row: graded_shell(q, *row))
        each = shell(inner, p.thickness, p.sld_in, p.sld_out, p.A)
        return ends + jnp.sum(each, axis=0)

    def volume(self, p: Any) -> Any:
        """V of the outermost surface."""
        return sphere_volume(self.outer(p))

    def radii(self, p: Any) -> tuple[Any, ...]:
        """The outermost surface."""
        return (self.outer(p),)
