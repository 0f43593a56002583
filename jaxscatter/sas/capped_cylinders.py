"""Cylinders that end in parts of spheres: flat or round caps, and bells.

A sphere of radius R_e ≥ R meets each end of a cylinder of radius R and length L. Its
part beyond the end has height H = R_e ∓ √(R_e² - R²): less than half a sphere makes a
cap, more makes a bell. At depth Hy below the tip, 0 < y < 1, its radius ρ and its
distance z from the middle of the body are

    ρ² = Hy (2R_e - Hy),    z = L/2 + H (1 - y),

    F = Δ {2π H ∫₀¹ ρ² B(q_ab ρ) cos(q_c z) dy + πR²L B(q_ab R) sinc(q_c L/2)}.

B is even, so the integrand has derivatives of every order in y and Gauss nodes
converge at once; flat caps, R_e ≫ R, are no special case. Units: see `declaration`.

References:
    [1] H. Kaya, J. Appl. Cryst. 37, 223 (2004).
    [2] H. Kaya and N.-R. de Souza, J. Appl. Cryst. 37, 508 (2004).
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics import sincos, two_j1_over_x
from ..numerics._dtype import common_float
from . import effective_radius, orientation
from .cylinders import disk, rod
from .declaration import AXIAL_ANGLES, AbstractAxial, size, sld

_TOUCH = 1e-14  # of R_e²: nearer to equal radii than this, they are
_MODES = (
    "equivalent cylinder excluded volume",
    "equivalent volume sphere",
    "radius",
    "half length",
    "half total length",
)


def offset(end: Floats, radius: Floats) -> Float[Array, "..."]:
    """√(R_e² - R²), distance of the sphere's centre from the cylinder's end.

    0 where R_e ≤ R, and without slope there: it would be infinite.
    """
    end, radius = common_float(end, radius)
    square = (end - radius) * (end + radius)
    apart = square > _TOUCH * jnp.square(end)
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)


def cap_height(end: Floats, radius: Floats) -> Float[Array, "..."]:
    """R_e - √(R_e² - R²), without cancellation for flat caps."""
    below = end + offset(end, radius)
    empty = below <= 0
    return jnp.where(empty, 0.0, jnp.square(radius) / jnp.where(empty, 1.0, below))


def bell_height(end: Floats, radius: Floats) -> Float[Array, "..."]:
    """R_e + √(R_e² - R²)."""
    end, radius = common_float(end, radius)
    return end + offset(end, radius)


def ends_volume(end: Floats, height: Floats) -> Any:
    """2π H² (R_e - H/3) in Å³, both ends."""
    return 2 * math.pi * jnp.square(height) * (end - height / 3)


def ends_amplitude(
    q_ab: Floats,
    q_c: Floats,
    end: Scalar,
    height: Scalar,
    length: Scalar,
    nodes: int,
) -> Float[Array, "..."]:
    """2π H ∫₀¹ ρ² B(q_ab ρ) cos(q_c z) dy in Å³ by `nodes` Gauss nodes.

    Args:
        q_ab: across the axis.
        q_c: along it, of equal shape.
        end: radius R_e of the sphere in Å.
        height: H in Å.
        length: L of the cylinder in Å.
        nodes: static.
    """
    y, w = orientation.gauss(nodes)
    depth = height * jnp.asarray(y)
    square = depth * (2 * end - depth)
    empty = square <= 0
    rho = jnp.where(empty, 0.0, jnp.sqrt(jnp.where(empty, 1.0, square)))
    z = 0.5 * length + height - depth
    weight = 2 * math.pi * height * jnp.asarray(w) * jnp.where(empty, 0.0, square)
    along = (1,) * jnp.ndim(q_ab) + (-1,)
    across, axial = jnp.asarray(q_ab)[..., None], jnp.asarray(q_c)[..., None]
    _, cos = sincos(axial * z.reshape(along))
    wave = two_j1_over_x(across * rho.reshape(along)) * cos
    return jnp.sum(weight.reshape(along) * wave, axis=-1)


class CappedCylinder(AbstractAxial):
    """Cylinder with a cap on each end; radius_cap = radius makes hemispheres.

    The effective radius "half total length" is SasView's, L/2 + R_c + √(R_c² - R²):
    the body ends at L/2 + R_c - √(R_c² - R²), which agrees for hemispheres only.
    """

    name = "capped_cylinder"
    category = "cylinder"
    table = (
        sld("sld", 4.0, "of the body"),
        sld("sld_solvent", 1.0, "of the solvent"),
        size("radius", 20.0, "of the cylinder"),
        size("radius_cap", 20.0, "of the caps' spheres, at least radius"),
        size("length", 400.0, "of the cylinder, without the caps"),
        *AXIAL_ANGLES,
    )
    modes = _MODES
    reference = "Kaya & de Souza 2004"

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """Caps and cylinder."""
        height = cap_height(p.radius_cap, p.radius)
        ends = ends_amplitude(q_ab, q_c, p.radius_cap, height, p.length, p.nodes)
        return (ends + disk(q_ab, p.radius) * rod(q_c, p.length),)

    def volume(self, p: Any) -> Any:
        """πR²L and the caps."""
        height = cap_height(p.radius_cap, p.radius)
        ends = ends_volume(p.radius_cap, height)
        return math.pi * p.radius**2 * p.length + ends

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        height = cap_height(p.radius_cap, p.radius)
        half = 0.5 * p.length
        return (
            effective_radius.of_excluded_volume(p.radius, 2 * (half + height)),
            effective_radius.of_volume(self.volume(p)),
            p.radius,
            half,
            half + bell_height(p.radius_cap, p.radius),
        )

    def valid(self, p: Any) -> Any:
        """R_c ≥ R."""
        return p.radius_cap >= p.radius

    def extent(self, p: Any) -> Any:
        """Larger of R and L/2 + H."""
        half = 0.5 * p.length + cap_height(p.radius_cap, p.radius)
        return jnp.maximum(p.radius, half)

    def cross_extent(self, p: Any) -> Any:
        """R, no less than H: the nodes of the caps' own integral."""
        return p.radius


class Barbell(AbstractAxial):
    """Cylinder with a bell on each end; radius_bell = radius makes hemispheres.

    The effective radius "equivalent cylinder excluded volume" is SasView's, of a
    cylinder of the bells' radius R_b and of length L + 2(R + √(R_b² - R²)).
    """

    name = "barbell"
    category = "cylinder"
    table = (
        sld("sld", 4.0, "of the body"),
        sld("sld_solvent", 1.0, "of the solvent"),
        size("radius_bell", 40.0, "of the bells, at least radius"),
        size("radius", 20.0, "of the bar"),
        size("length", 400.0, "of the bar, without the bells"),
        *AXIAL_ANGLES,
    )
    modes = _MODES
    reference = "Kaya 2004"

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_ab: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """Bells and bar."""
        height = bell_height(p.radius_bell, p.radius)
        ends = ends_amplitude(q_ab, q_c, p.radius_bell, height, p.length, p.nodes)
        return (ends + disk(q_ab, p.radius) * rod(q_c, p.length),)

    def volume(self, p: Any) -> Any:
        """πR²L and the bells."""
        height = bell_height(p.radius_bell, p.radius)
        ends = ends_volume(p.radius_bell, height)
        return math.pi * p.radius**2 * p.length + ends

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        apart = offset(p.radius_bell, p.radius)
        half = 0.5 * p.length
        whole = 2 * (half + p.radius + apart)
        return (
            effective_radius.of_excluded_volume(p.radius_bell, whole),
            effective_radius.of_volume(self.volume(p)),
            p.radius,
            half,
            half + p.radius_bell + apart,
        )

    def valid(self, p: Any) -> Any:
        """R_b ≥ R."""
        return p.radius_bell >= p.radius

    def extent(self, p: Any) -> Any:
        """L/2 + H."""
        return 0.5 * p.length + bell_height(p.radius_bell, p.radius)

    def cross_extent(self, p: Any) -> Any:
        """H, no less than R_b: the nodes of the bells' own integral."""
        return bell_height(p.radius_bell, p.radius)
