"""Bicelles: disks with a rim of one material and faces of another.

With D(R) = πR² B(q_ab R) of a section and Z(L) = L sinc(q_c L/2) along the axis (see
`cylinders`), a core of radius R and length L, a rim of thickness t_r and faces of
thickness t_f have

    F = (ρ_core - ρ_face) D(R) Z(L) + (ρ_face - ρ_rim) D(R) Z(L + 2t_f)
      + (ρ_rim - ρ_solvent) D(R + t_r) Z(L + 2t_f).

The rim is as high as the whole; normalised by the outer volume. Units: see
`declaration`.

References:
    [1] J. S. Pedersen, Adv. Colloid Interface Sci. 70, 171 (1997), bodies in shells.
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from . import effective_radius
from .cylinders import LYING, LYING_TRIAXIAL, disk, ellipse, rod
from .declaration import AbstractAxial, AbstractTriaxial, size, sld


def _layered(
    inner: Array, outer: Array, q_c: Floats, p: Any
) -> tuple[Float[Array, "..."]]:
    """F from the sections of the core and of the whole."""
    whole = rod(q_c, p.length + 2 * p.thick_face)
    core = (p.sld_core - p.sld_face) * rod(q_c, p.length)
    faces = (p.sld_face - p.sld_rim) * whole
    return (inner * (core + faces) + (p.sld_rim - p.sld_solvent) * outer * whole,)


class CoreShellBicelle(AbstractAxial):
    """Circular bicelle."""

    name = "core_shell_bicelle"
    category = "cylinder"
    table = (
        size("radius", 80.0, "of the core"),
        size("thick_rim", 10.0, "of the rim"),
        size("thick_face", 10.0, "of each face"),
        size("length", 50.0, "of the core, along the axis"),
        sld("sld_core", 1.0),
        sld("sld_face", 4.0),
        sld("sld_rim", 4.0),
        sld("sld_solvent", 1.0),
        *LYING,
    )
    modes = (
        "excluded volume",
        "equivalent volume sphere",
        "outer rim radius",
        "half outer thickness",
        "half diagonal",
    )
    reference = "Pedersen 1997"

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """F of the module's formula."""
        inner = disk(q_ab, p.radius)
        return _layered(inner, disk(q_ab, p.radius + p.thick_rim), q_c, p)

    def volume(self, p: Any) -> Any:
        """π(R+t_r)²(L+2t_f)."""
        return math.pi * (p.radius + p.thick_rim) ** 2 * (p.length + 2 * p.thick_face)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        radius, half = p.radius + p.thick_rim, 0.5 * p.length + p.thick_face
        return (
            effective_radius.of_excluded_volume(radius, 2 * half),
            effective_radius.of_volume(self.volume(p)),
            radius,
            half,
            jnp.hypot(radius, half),
        )

    def extent(self, p: Any) -> Any:
        """Larger of R+t_r and L/2+t_f."""
        return jnp.maximum(p.radius + p.thick_rim, 0.5 * p.length + p.thick_face)


class CoreShellBicelleElliptical(AbstractTriaxial):
    """Bicelle of elliptical section with half axes R and x R, and R+t_r and xR+t_r.

    I(q) is the mean of the oriented patterns. SasView's is not: where it averages, the
    argument of the outer section is r + t_r q_ab, of no body's section, and its curves
    differ from the mean of its own patterns by some per cent.
    """

    name = "core_shell_bicelle_elliptical"
    category = "cylinder"
    table = (
        size("radius", 30.0, "half axis a of the core"),
        size("x_core", 3.0, "b/a of the core", unit=""),
        size("thick_rim", 8.0, "of the rim"),
        size("thick_face", 14.0, "of each face"),
        size("length", 50.0, "of the core, along the axis"),
        sld("sld_core", 4.0),
        sld("sld_face", 7.0),
        sld("sld_rim", 1.0),
        sld("sld_solvent", 6.0),
        *LYING_TRIAXIAL,
    )
    modes = (
        "equivalent cylinder excluded volume",
        "equivalent volume sphere",
        "outer rim average radius",
        "outer rim min radius",
        "outer max radius",
        "half outer thickness",
        "half diagonal",
    )
    reference = "Pedersen 1997"

    def factors(self, q_a: Floats, q_b: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """F of the module's formula with D(a, b) = πab B(r)."""
        a, b, rim = p.radius, p.x_core * p.radius, p.thick_rim
        inner = ellipse(q_a, q_b, a, b)
        return _layered(inner, ellipse(q_a, q_b, a + rim, b + rim), q_c, p)

    def volume(self, p: Any) -> Any:
        """π(a+t_r)(b+t_r)(L+2t_f)."""
        a, b = p.radius + p.thick_rim, p.x_core * p.radius + p.thick_rim
        return math.pi * a * b * (p.length + 2 * p.thick_face)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        a, b = p.radius + p.thick_rim, p.x_core * p.radius + p.thick_rim
        half = 0.5 * p.length + p.thick_face
        high = jnp.maximum(a, b)
        return (
            effective_radius.of_excluded_volume(jnp.sqrt(a * b), 2 * half),
            effective_radius.of_volume(self.volume(p)),
            0.5 * (a + b),
            jnp.minimum(a, b),
            high,
            half,
            jnp.hypot(high, half),
        )

    def extent(self, p: Any) -> Any:
        """Largest outer half dimension."""
        return jnp.maximum(self.cross_extent(p), 0.5 * p.length + p.thick_face)

    def cross_extent(self, p: Any) -> Any:
        """Larger outer half axis of the section."""
        return jnp.maximum(1.0, p.x_core) * p.radius + p.thick_rim
