"""Ellipsoids: of revolution, with a shell, and with three axes.

With j(x) = 3(sin x - x cos x)/x³, an ellipsoid of half axes a, b, c and contrast Δ has
F = Δ V j(√((q_a a)² + (q_b b)² + (q_c c)²)), V = 4πabc/3. Units: see `declaration`.

References:
    [1] A. Guinier and G. Fournet, Small-Angle Scattering of X-Rays, Wiley (1955).
    [2] J. S. Pedersen, Adv. Colloid Interface Sci. 70, 171 (1997).
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import three_j1_over_x
from . import effective_radius
from .declaration import (
    AXIAL_ANGLES,
    TRIAXIAL_ANGLES,
    AbstractAxial,
    AbstractTriaxial,
    angle,
    size,
    sld,
)

_ORIGIN = 1e-4  # x² below which four terms of the series are exact


def ellipsoid_volume(a: Floats, b: Floats, c: Floats) -> Any:
    """4πabc/3 in Å³ for half axes a, b, c."""
    return 4 * math.pi / 3 * a * b * c


def of_square(x2: Floats) -> Float[Array, "..."]:
    """j(√x²) from x², with the derivatives in x² that a root at 0 would lose."""
    x2 = jnp.asarray(x2)
    near = x2 < _ORIGIN
    y = jnp.where(near, x2, 0.0)
    series = 1 - y / 10 * (1 - y / 28 * (1 - y / 54))
    return jnp.where(near, series, three_j1_over_x(jnp.sqrt(jnp.where(near, 1.0, x2))))


class Ellipsoid(AbstractAxial):
    """Ellipsoid of revolution: F = Δ V j(√((q_ab Re)² + (q_c Rp)²))."""

    name = "ellipsoid"
    category = "ellipsoid"
    table = (
        sld("sld", 4.0, "of the ellipsoid"),
        sld("sld_solvent", 1.0, "of the solvent"),
        size("radius_polar", 20.0, "half axis along the symmetry axis"),
        size("radius_equatorial", 400.0, "half axis across it"),
        *AXIAL_ANGLES,
    )
    modes = (
        "average curvature",
        "equivalent volume sphere",
        "min radius",
        "max radius",
    )
    reference = "Guinier & Fournet 1955"
    nodes_in = "cosine"

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """V j."""
        across, along = q_ab * p.radius_equatorial, q_c * p.radius_polar
        return (self.volume(p) * of_square(jnp.square(across) + jnp.square(along)),)

    def volume(self, p: Any) -> Any:
        """4π Rp Re²/3."""
        return ellipsoid_volume(
            p.radius_polar, p.radius_equatorial, p.radius_equatorial
        )

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        return _radii(p.radius_polar, p.radius_equatorial)

    def extent(self, p: Any) -> Any:
        """Larger half axis."""
        return jnp.maximum(p.radius_polar, p.radius_equatorial)


class CoreShellEllipsoid(AbstractAxial):
    """Ellipsoid of revolution in a shell, normalised by its whole volume.

    Half axes of the core are R across and x_core R along the axis; the shell adds t
    across and x_polar_shell t along it.
    """

    name = "core_shell_ellipsoid"
    category = "ellipsoid"
    table = (
        size("radius_equat_core", 20.0, "R, half axis of the core across the axis"),
        size("x_core", 3.0, "polar over equatorial half axis of the core", unit=""),
        size("thick_shell", 30.0, "t, thickness of the shell at the equator"),
        size("x_polar_shell", 1.0, "thickness at the poles over t", unit=""),
        sld("sld_core", 2.0),
        sld("sld_shell", 1.0),
        sld("sld_solvent", 6.3),
        angle("theta", 0.0, doc=AXIAL_ANGLES[0].doc),
        angle("phi", 0.0, doc=AXIAL_ANGLES[1].doc),
    )
    modes = (
        "average outer curvature",
        "equivalent volume sphere",
        "min outer radius",
        "max outer radius",
    )
    reference = "Pedersen 1997"
    nodes_in = "cosine"

    def surfaces(self, p: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """(polar, equatorial) half axes of the core and of the outer surface."""
        polar = p.radius_equat_core * p.x_core
        outer = polar + p.thick_shell * p.x_polar_shell
        return (
            (polar, p.radius_equat_core),
            (outer, p.radius_equat_core + p.thick_shell),
        )

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """(ρc - ρs) V j of the core + (ρs - ρ0) V j of the outer surface."""
        core, whole = (
            ellipsoid_volume(polar, equatorial, equatorial)
            * of_square(jnp.square(q_ab * equatorial) + jnp.square(q_c * polar))
            for polar, equatorial in self.surfaces(p)
        )
        inside, outside = p.sld_core - p.sld_shell, p.sld_shell - p.sld_solvent
        return (inside * core + outside * whole,)

    def volume(self, p: Any) -> Any:
        """Volume inside the outer surface."""
        _, (polar, equatorial) = self.surfaces(p)
        return ellipsoid_volume(polar, equatorial, equatorial)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """Of the outer surface, in the order of `modes`."""
        return _radii(*self.surfaces(p)[1])

    def extent(self, p: Any) -> Any:
        """Larger outer half axis."""
        return jnp.maximum(*self.surfaces(p)[1])


class TriaxialEllipsoid(AbstractTriaxial):
    """Ellipsoid of half axes a, b, c: F = Δ V j(√((q_a a)² + (q_b b)² + (q_c c)²)).

    The three radii may have any order.
    """

    name = "triaxial_ellipsoid"
    category = "ellipsoid"
    table = (
        sld("sld", 4.0, "of the ellipsoid"),
        sld("sld_solvent", 1.0, "of the solvent"),
        size("radius_equat_minor", 20.0, "half axis a"),
        size("radius_equat_major", 400.0, "half axis b"),
        size("radius_polar", 10.0, "half axis c"),
        *TRIAXIAL_ANGLES,
    )
    modes = (
        "equivalent biaxial ellipsoid average curvature",
        "equivalent volume sphere",
        "min radius",
        "max radius",
    )
    reference = "Pedersen 1997"

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_a: Floats, q_b: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """V j."""
        x2 = (
            jnp.square(q_a * p.radius_equat_minor)
            + jnp.square(q_b * p.radius_equat_major)
            + jnp.square(q_c * p.radius_polar)
        )
        return (self.volume(p) * of_square(x2),)

    def volume(self, p: Any) -> Any:
        """4πabc/3."""
        return ellipsoid_volume(
            p.radius_equat_minor, p.radius_equat_major, p.radius_polar
        )

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`.

        The first replaces the two half axes that are closer to each other by their
        geometric mean.
        """
        a, b, c = p.radius_equat_minor, p.radius_equat_major, p.radius_polar
        low = jnp.minimum(jnp.minimum(a, b), c)
        high = jnp.maximum(jnp.maximum(a, b), c)
        middle = jnp.maximum(jnp.minimum(a, b), jnp.minimum(jnp.maximum(a, b), c))
        flat = middle - low > high - middle
        polar = jnp.where(flat, low, high)
        pair = middle * jnp.where(flat, high, low)
        empty = pair <= 0
        equatorial = jnp.where(empty, 0.0, jnp.sqrt(jnp.where(empty, 1.0, pair)))
        return (
            effective_radius.of_curvature(polar, equatorial),
            effective_radius.of_volume(self.volume(p)),
            low,
            high,
        )

    def extent(self, p: Any) -> Any:
        """Largest half axis."""
        return jnp.maximum(self.cross_extent(p), p.radius_polar)

    def cross_extent(self, p: Any) -> Any:
        """Larger of a and b."""
        return jnp.maximum(p.radius_equat_minor, p.radius_equat_major)


def _radii(polar: Floats, equatorial: Floats) -> tuple[Any, ...]:
    """Mean curvature, equal volume, smaller and larger half axis."""
    return (
        effective_radius.of_curvature(polar, equatorial),
        effective_radius.of_volume(ellipsoid_volume(polar, equatorial, equatorial)),
        jnp.minimum(polar, equatorial),
        jnp.maximum(polar, equatorial),
    )
