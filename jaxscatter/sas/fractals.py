"""Fractal aggregates and fractal surfaces.

All follow from pair correlations r^(p-2) e^(-r/ξ), whose transform is

    ∫₀^∞ r^(p-1) e^(-r/ξ) sin(qr)/q dr = Γ(p+1) ξ^(p+1) T_p(qξ)
    T_p(x) = sin(p atan x)/(p x (1+x²)^(p/2)),  T_p(0) = 1.

Written this way nothing is special at q = 0, at D = 1 or at D = 0.
Units: see `declaration`.

References:
    [1] J. Teixeira, J. Appl. Cryst. 21, 781 (1988), aggregates of spheres.
    [2] D. F. R. Mildner and P. L. Hall, J. Phys. D 19, 1535 (1986), fractal solids.
    [3] A. J. Hurd, D. W. Schaefer and J. E. Martin, Phys. Rev. A 35, 2361 (1987).
"""

from typing import Any

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import sinc, three_j1_over_x
from .declaration import AbstractIntensity, number, size, sld
from .power_laws import power
from .spheres import ball, sphere_volume


def _atan_over(x: Floats) -> Float[Array, "..."]:
    """atan(x)/x, 1 at x = 0."""
    near = jnp.abs(x) < 0.25
    square = jnp.square(jnp.where(near, x, 0.0))
    series = jnp.zeros_like(square)
    for k in range(14, -1, -1):
        series = 1 / (2 * k + 1) - square * series
    large = jnp.where(near, 1.0, x)
    return jnp.where(near, series, jnp.arctan(large) / large)


def cut_off(x: Floats, order: Floats) -> Float[Array, "..."]:
    """T_p(x) = sin(p atan x)/(p x (1+x²)^(p/2)), 1 at x = 0, atan(x)/x at p = 0."""
    fall = jnp.exp(-0.5 * order * jnp.log1p(jnp.square(x)))
    return sinc(order * jnp.arctan(x)) * _atan_over(x) * fall


def aggregate(
    q: Floats, radius: Floats, dimension: Floats, length: Floats
) -> Float[Array, "..."]:
    """S(q) = 1 + Γ(D+1)(ξ/R)^D T_{D-1}(qξ) of an aggregate of spheres [1].

    Args:
        q: in 1/Å.
        radius: R of a sphere in Å.
        dimension: D of the aggregate.
        length: ξ, size of the aggregate in Å.
    """
    radius = jnp.asarray(radius)
    exists = radius > 0
    ratio = jnp.where(exists, length, 0.0) / jnp.where(exists, radius, 1.0)
    number_inside = jnp.exp(gammaln(dimension + 1)) * power(ratio, dimension)
    return 1 + number_inside * cut_off(q * length, dimension - 1)


class Fractal(AbstractIntensity):
    """Aggregate of spheres with fractal dimension D up to a length ξ [1]."""

    name = "fractal"
    category = "shape-independent"
    table = (
        number("volfraction", 0.05, lo=0.0, hi=1.0, doc="of the spheres"),
        size("radius", 5.0, "of a sphere"),
        number("fractal_dim", 2.0, lo=0.0, hi=6.0, doc="D of the aggregate"),
        number("cor_length", 100.0, "Å", lo=0.0, doc="ξ, size of the aggregate"),
        sld("sld_block", 2.0, "of the spheres"),
        sld("sld_solvent", 6.4, "of the solvent"),
    )
    owns_volfraction = True
    reference = "Teixeira 1988"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 φ S(q) F²."""
        f = (p.sld_block - p.sld_solvent) * ball(q, p.radius)
        s = aggregate(q, p.radius, p.fractal_dim, p.cor_length)
        return 1e-4 * p.volfraction * s * jnp.square(f)

    def volume(self, p: Any) -> Any:
        """V(R) of one sphere."""
        return sphere_volume(p.radius)


class FractalCoreShell(AbstractIntensity):
    """Aggregate of core-shell spheres; R of [1] is their outer radius."""

    name = "fractal_core_shell"
    category = "shape-independent"
    table = (
        size("radius", 60.0, "of the core"),
        size("thickness", 10.0, "of the shell"),
        sld("sld_core", 1.0),
        sld("sld_shell", 2.0),
        sld("sld_solvent", 3.0),
        number("volfraction", 0.05, lo=0.0, doc="of the spheres"),
        number("fractal_dim", 2.0, lo=0.0, hi=6.0, doc="D of the aggregate"),
        number("cor_length", 100.0, "Å", lo=0.0, doc="ξ, size of the aggregate"),
    )
    owns_volfraction = True
    reference = "Teixeira 1988"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 φ S(q) F²."""
        outer = p.radius + p.thickness
        core = (p.sld_core - p.sld_shell) * ball(q, p.radius)
        f = core + (p.sld_shell - p.sld_solvent) * ball(q, outer)
        s = aggregate(q, outer, p.fractal_dim, p.cor_length)
        return 1e-4 * p.volfraction * s * jnp.square(f)

    def volume(self, p: Any) -> Any:
        """V(R+t) of one sphere."""
        return sphere_volume(p.radius + p.thickness)


class MassFractal(AbstractIntensity):
    """Mass fractal of spheres, j²(qR) Γ(D) ξ^D T_{D-1}(qξ) [2]."""

    name = "mass_fractal"
    category = "shape-independent"
    table = (
        number("radius", 10.0, "Å", lo=0.0, doc="R of the spheres"),
        number("fractal_dim_mass", 1.9, lo=1.0, hi=6.0, doc="D"),
        number("cutoff_length", 100.0, "Å", lo=0.0, doc="ξ, size of the fractal"),
    )
    reference = "Mildner & Hall 1986"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """j²(qR) Γ(D) ξ^D T_{D-1}(qξ)."""
        d, length = p.fractal_dim_mass, p.cutoff_length
        s = power(length, d) * jnp.exp(gammaln(d)) * cut_off(q * length, d - 1)
        return jnp.square(three_j1_over_x(q * p.radius)) * s


class SurfaceFractal(AbstractIntensity):
    """Fractal surface, -j²(qR) Γ(6-D) ξ^(6-D) T_{5-D}(qξ) where positive [2].

    A formula for high q: below qξ of about tan(π/(5-D)) it is negative, and 0 is
    returned, as SasView does.
    """

    name = "surface_fractal"
    category = "shape-independent"
    table = (
        number("radius", 10.0, "Å", lo=0.0, doc="R of the spheres"),
        number("fractal_dim_surf", 2.0, lo=1.0, hi=3.0, doc="D of the surface"),
        number("cutoff_length", 500.0, "Å", lo=0.0, doc="ξ, size of the fractal"),
    )
    reference = "Mildner & Hall 1986"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """max(0, -j²(qR) Γ(6-D) ξ^(6-D) T_{5-D}(qξ))."""
        order, length = 5 - p.fractal_dim_surf, p.cutoff_length
        weight = power(length, order + 1) * jnp.exp(gammaln(order + 1))
        s = -weight * cut_off(q * length, order)
        return jnp.square(three_j1_over_x(q * p.radius)) * jnp.where(s > 0, s, 0.0)


class MassSurfaceFractal(AbstractIntensity):
    """Mass fractal of particles with fractal surfaces [3].

    (1 + q²R_c²/3a)^-a (1 + q²r²/3b)^-b, a = D_m/2, b = (6 - D_s - D_m)/2.
    """

    name = "mass_surface_fractal"
    category = "shape-independent"
    table = (
        number("fractal_dim_mass", 1.8, lo=0.0, hi=6.0, doc="D_m of the cluster"),
        number("fractal_dim_surf", 2.3, lo=0.0, hi=6.0, doc="D_s of the particles"),
        number("rg_cluster", 4000.0, "Å", lo=0.0, doc="R_c of the cluster"),
        number("rg_primary", 86.7, "Å", lo=0.0, doc="r of the particles"),
    )
    reference = "Hurd, Schaefer & Martin 1987"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """(1 + q²R_c²/3a)^-a (1 + q²r²/3b)^-b."""
        a = 0.5 * p.fractal_dim_mass
        b = 0.5 * (6 - p.fractal_dim_surf - p.fractal_dim_mass)
        return _level(q * p.rg_cluster, a) * _level(q * p.rg_primary, b)

    def valid(self, p: Any) -> Any:
        """D_m + D_s ≤ 6."""
        return p.fractal_dim_mass + p.fractal_dim_surf <= 6


def _level(x: Floats, order: Floats) -> Float[Array, "..."]:
    """(1 + x²/3a)^-a, 1 as a → 0."""
    order = jnp.asarray(order)
    bent = order > 0
    a = jnp.where(bent, order, 1.0)
    fall = jnp.exp(-a * jnp.log1p(jnp.square(x) / (3 * a)))
    return jnp.where(bent, fall, 1.0)
