"""Cylinders: solid, with a shell, hollow and of elliptical section.

With B(x) = 2J₁(x)/x, a cylinder of radius R and length L and contrast Δ has
F = Δ πR²L B(q_ab R) sinc(q_c L/2); one with half axes a and b has πab B(r) instead,
r² = (a q_a)² + (b q_b)². Units: see `declaration`.

References:
    [1] A. Guinier and G. Fournet, Small-Angle Scattering of X-Rays, Wiley (1955).
    [2] J. S. Pedersen, Adv. Colloid Interface Sci. 70, 171 (1997).
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import sinc, two_j1_over_x
from ..numerics._dtype import common_float
from . import effective_radius
from .declaration import (
    AXIAL_ANGLES,
    AbstractAxial,
    AbstractTriaxial,
    angle,
    size,
    sld,
)

LYING = (
    angle("theta", 90.0, "angle of the axis to the beam"),
    angle("phi", 0.0, "rotation of the axis about the beam"),
)
"""Angles of models that lie along x unless told otherwise."""

LYING_TRIAXIAL = (*LYING, angle("psi", 0.0, "rotation about the axis"))


def disk(q_ab: Floats, radius: Floats) -> Float[Array, "..."]:
    """πR² B(q_ab R) in Å²: a circular section."""
    q_ab, radius = common_float(q_ab, radius)
    return math.pi * jnp.square(radius) * two_j1_over_x(q_ab * radius)


def rod(q_c: Floats, length: Floats) -> Float[Array, "..."]:
    """L sinc(q_c L/2) in Å: a straight line."""
    q_c, length = common_float(q_c, length)
    return length * sinc(0.5 * q_c * length)


def ellipse(q_a: Floats, q_b: Floats, a: Floats, b: Floats) -> Float[Array, "..."]:
    """πab B(r) in Å² with r² = (a q_a)² + (b q_b)²: an elliptical section."""
    q_a, q_b, a, b = common_float(q_a, q_b, a, b)
    square = jnp.square(a * q_a) + jnp.square(b * q_b)
    origin = square == 0.0
    r = jnp.where(origin, 0.0, jnp.sqrt(jnp.where(origin, 1.0, square)))
    return math.pi * a * b * two_j1_over_x(r)


def outer_radii(radius: Floats, half: Floats) -> tuple[Any, ...]:
    """The seven effective radii of a cylinder's outer surface, half length `half`."""
    return (
        effective_radius.of_excluded_volume(radius, 2 * half),
        effective_radius.of_volume(2 * math.pi * radius**2 * half),
        radius,
        half,
        jnp.minimum(radius, half),
        jnp.maximum(radius, half),
        jnp.hypot(radius, half),
    )


class Cylinder(AbstractAxial):
    """Right circular cylinder: F = Δ πR²L B(q_ab R) sinc(q_c L/2)."""

    name = "cylinder"
    category = "cylinder"
    table = (
        sld("sld", 4.0, "of the cylinder"),
        sld("sld_solvent", 1.0, "of the solvent"),
        size("radius", 20.0, "of the cylinder"),
        size("length", 400.0, "of the cylinder"),
        *AXIAL_ANGLES,
    )
    modes = (
        "excluded volume",
        "equivalent volume sphere",
        "radius",
        "half length",
        "half min dimension",
        "half max dimension",
        "half diagonal",
    )
    reference = "Pedersen 1997"
    split = (("radius",), ("length",))

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """πR² B(q_ab R) and L sinc(q_c L/2)."""
        return disk(q_ab, p.radius), rod(q_c, p.length)

    def volume(self, p: Any) -> Any:
        """πR²L."""
        return math.pi * p.radius**2 * p.length

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        return outer_radii(p.radius, 0.5 * p.length)

    def extent(self, p: Any) -> Any:
        """Larger of R and L/2."""
        return jnp.maximum(p.radius, 0.5 * p.length)


class CoreShellCylinder(AbstractAxial):
    """Cylinder whose shell covers side and ends alike."""

    name = "core_shell_cylinder"
    category = "cylinder"
    table = (
        sld("sld_core", 4.0),
        sld("sld_shell", 4.0),
        sld("sld_solvent", 1.0),
        size("radius", 20.0, "of the core"),
        size("thickness", 20.0, "of the shell"),
        size("length", 400.0, "of the core"),
        *AXIAL_ANGLES,
    )
    modes = (
        "excluded volume",
        "equivalent volume sphere",
        "outer radius",
        "half outer length",
        "half min outer dimension",
        "half max outer dimension",
        "half outer diagonal",
    )
    reference = "Pedersen 1997"

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """(ρc - ρs) core + (ρs - ρ0) whole, each πR²L B(q_ab R) sinc(q_c L/2)."""
        core = disk(q_ab, p.radius) * rod(q_c, p.length)
        whole = disk(q_ab, p.radius + p.thickness) * rod(
            q_c, p.length + 2 * p.thickness
        )
        return (
            (p.sld_core - p.sld_shell) * core + (p.sld_shell - p.sld_solvent) * whole,
        )

    def volume(self, p: Any) -> Any:
        """π(R+t)²(L+2t)."""
        return math.pi * (p.radius + p.thickness) ** 2 * (p.length + 2 * p.thickness)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        return outer_radii(p.radius + p.thickness, 0.5 * p.length + p.thickness)

    def extent(self, p: Any) -> Any:
        """Larger of R+t and L/2+t."""
        return jnp.maximum(p.radius, 0.5 * p.length) + p.thickness


class HollowCylinder(AbstractAxial):
    """Tube with open ends, normalised by the volume of its wall."""

    name = "hollow_cylinder"
    category = "cylinder"
    table = (
        size("radius", 20.0, "of the hole"),
        size("thickness", 10.0, "of the wall"),
        size("length", 400.0, "of the tube"),
        sld("sld", 6.3, "of the wall"),
        sld("sld_solvent", 1.0, "of the solvent, inside and outside"),
        *LYING,
    )
    modes = (
        "excluded volume",
        "equivalent outer volume sphere",
        "outer radius",
        "half length",
        "half outer min dimension",
        "half outer max dimension",
        "half outer diagonal",
    )
    reference = "Pedersen 1997"
    split = (("radius", "thickness"), ("length",))

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """π[(R+t)² B(q_ab (R+t)) - R² B(q_ab R)] and L sinc(q_c L/2)."""
        ring = disk(q_ab, p.radius + p.thickness) - disk(q_ab, p.radius)
        return ring, rod(q_c, p.length)

    def volume(self, p: Any) -> Any:
        """π(R+t)²L, hole included."""
        return math.pi * (p.radius + p.thickness) ** 2 * p.length

    def shell_volume(self, p: Any) -> Any:
        """π((R+t)² - R²)L."""
        return math.pi * p.thickness * (2 * p.radius + p.thickness) * p.length

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        return outer_radii(p.radius + p.thickness, 0.5 * p.length)

    def extent(self, p: Any) -> Any:
        """Larger of R+t and L/2."""
        return jnp.maximum(p.radius + p.thickness, 0.5 * p.length)


class EllipticalCylinder(AbstractTriaxial):
    """Cylinder of elliptical section: F = Δ πabL B(r) sinc(q_c L/2)."""

    name = "elliptical_cylinder"
    category = "cylinder"
    table = (
        size("radius_minor", 20.0, "half axis a of the section"),
        size("axis_ratio", 1.5, "b/a of the section", lo=1.0, unit=""),
        size("length", 400.0, "of the cylinder", lo=1.0),
        sld("sld", 4.0, "of the cylinder"),
        sld("sld_solvent", 1.0, "of the solvent"),
        *LYING_TRIAXIAL,
    )
    modes = (
        "equivalent cylinder excluded volume",
        "equivalent volume sphere",
        "average radius",
        "min radius",
        "max radius",
        "equivalent circular cross-section",
        "half length",
        "half min dimension",
        "half max dimension",
        "half diagonal",
    )
    reference = "Pedersen 1997"
    split = (("radius_minor", "axis_ratio"), ("length",))

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_a: Floats, q_b: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """πab B(r) and L sinc(q_c L/2)."""
        major = p.axis_ratio * p.radius_minor
        return ellipse(q_a, q_b, p.radius_minor, major), rod(q_c, p.length)

    def volume(self, p: Any) -> Any:
        """πabL."""
        return math.pi * p.radius_minor**2 * p.axis_ratio * p.length

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        a, b, half = p.radius_minor, p.axis_ratio * p.radius_minor, 0.5 * p.length
        low, high = jnp.minimum(a, b), jnp.maximum(a, b)
        mean = a * jnp.sqrt(p.axis_ratio)
        return (
            effective_radius.of_excluded_volume(mean, p.length),
            effective_radius.of_volume(self.volume(p)),
            0.5 * (a + b),
            low,
            high,
            mean,
            half,
            jnp.minimum(low, half),
            jnp.maximum(high, half),
            jnp.hypot(high, half),
        )

    def extent(self, p: Any) -> Any:
        """Larger of b and L/2."""
        return jnp.maximum(self.cross_extent(p), 0.5 * p.length)

    def cross_extent(self, p: Any) -> Any:
        """Half axis b."""
        return p.axis_ratio * p.radius_minor
