"""Rectangular boxes: solid, hollow and with shells on their faces.

A box of edges A, B, C and contrast Δ has F = Δ s(q_a, A) s(q_b, B) s(q_c, C) with
s(q, L) = L sinc(qL/2), the Fourier transform of an edge. Units: see `declaration`.

References:
    [1] P. Mittelbach and G. Porod, Acta Phys. Austriaca 14, 185 (1961).
    [2] R. Nayuk and K. Huber, Z. Phys. Chem. 226, 837 (2012), hollow boxes.
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import sinc
from . import effective_radius
from .declaration import TRIAXIAL_ANGLES, AbstractTriaxial, angle, size, sld

_MODES = (
    "equivalent cylinder excluded volume",
    "equivalent volume sphere",
    "half length_a",
    "half length_b",
    "half length_c",
    "equivalent circular cross-section",
    "half ab diagonal",
    "half diagonal",
)
_OUTER_MODES = (
    "equivalent cylinder excluded volume",
    "equivalent outer volume sphere",
    "half length_a",
    "half length_b",
    "half length_c",
    "equivalent outer circular cross-section",
    "half ab diagonal",
    "half diagonal",
)
_AT_ZERO = tuple(angle(row.name, 0.0, doc=row.doc) for row in TRIAXIAL_ANGLES)


def edge(q: Floats, length: Floats) -> Float[Array, "..."]:
    """L sinc(qL/2) in Å: amplitude of a segment of length L along its direction."""
    return jnp.asarray(length) * sinc(0.5 * q * length)


class Parallelepiped(AbstractTriaxial):
    """Box of edges A, B, C: F = Δ s(q_a, A) s(q_b, B) s(q_c, C)."""

    name = "parallelepiped"
    category = "parallelepiped"
    table = (
        sld("sld", 4.0, "of the box"),
        sld("sld_solvent", 1.0, "of the solvent"),
        size("length_a", 35.0, "edge A"),
        size("length_b", 75.0, "edge B"),
        size("length_c", 400.0, "edge C"),
        *TRIAXIAL_ANGLES,
    )
    modes = _MODES
    reference = "Mittelbach & Porod 1961"
    split = (("length_a",), ("length_b",), ("length_c",))

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_a: Floats, q_b: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """s(q_a, A), s(q_b, B) and s(q_c, C)."""
        return edge(q_a, p.length_a), edge(q_b, p.length_b), edge(q_c, p.length_c)

    def volume(self, p: Any) -> Any:
        """ABC."""
        return p.length_a * p.length_b * p.length_c

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`."""
        edges = p.length_a, p.length_b, p.length_c
        return _rod_of_three(*edges), *_of_edges(*edges)

    def extent(self, p: Any) -> Any:
        """Half of the longest edge."""
        return 0.5 * _longest(p.length_a, p.length_b, p.length_c)

    def cross_extent(self, p: Any) -> Any:
        """Half of the longer of A and B."""
        return 0.5 * jnp.maximum(p.length_a, p.length_b)


class RectangularPrism(AbstractTriaxial):
    """Box of edges A, B = b2a_ratio A and C = c2a_ratio A."""

    name = "rectangular_prism"
    category = "parallelepiped"
    table = (
        sld("sld", 6.3, "of the box"),
        sld("sld_solvent", 1.0, "of the solvent"),
        size("length_a", 35.0, "edge A"),
        size("b2a_ratio", 1.0, "B/A", unit=""),
        size("c2a_ratio", 1.0, "C/A", unit=""),
        *_AT_ZERO,
    )
    modes = _MODES
    reference = "Nayuk & Huber 2012"

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_a: Floats, q_b: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """s(q_a, A) s(q_b, B) s(q_c, C)."""
        a, b, c = _edges(p)
        return (edge(q_a, a) * edge(q_b, b) * edge(q_c, c),)

    def volume(self, p: Any) -> Any:
        """ABC."""
        return math.prod(_edges(p))

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`; the first takes C for the length of the cylinder."""
        return _rod_along_c(*_edges(p)), *_of_edges(*_edges(p))

    def extent(self, p: Any) -> Any:
        """Half of the longest edge."""
        return 0.5 * _longest(*_edges(p))

    def cross_extent(self, p: Any) -> Any:
        """Half of the longer of A and B."""
        return 0.5 * p.length_a * jnp.maximum(1.0, p.b2a_ratio)


class HollowRectangularPrism(AbstractTriaxial):
    """Box of outer edges A, b2a_ratio A, c2a_ratio A with walls of equal thickness.

    Walls thicker than half of an edge make no body.
    """

    name = "hollow_rectangular_prism"
    category = "parallelepiped"
    table = (
        sld("sld", 6.3, "of the walls"),
        sld("sld_solvent", 1.0, "of the solvent, outside and inside"),
        size("length_a", 35.0, "outer edge A"),
        size("b2a_ratio", 1.0, "B/A", unit=""),
        size("c2a_ratio", 1.0, "C/A", unit=""),
        size("thickness", 1.0, "t, of the walls"),
        *_AT_ZERO,
    )
    modes = _OUTER_MODES
    reference = "Nayuk & Huber 2012"

    def contrast(self, p: Any) -> Any:
        """Δ."""
        return p.sld - p.sld_solvent

    def factors(self, q_a: Floats, q_b: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """Amplitude of the outer box less that of the cavity."""
        whole, cavity = (
            edge(q_a, a) * edge(q_b, b) * edge(q_c, c)
            for a, b, c in (_edges(p), self.cavity(p))
        )
        return (whole - cavity,)

    def cavity(self, p: Any) -> tuple[Any, Any, Any]:
        """Inner edges A - 2t, B - 2t and C - 2t."""
        a, b, c = _edges(p)
        return a - 2 * p.thickness, b - 2 * p.thickness, c - 2 * p.thickness

    def volume(self, p: Any) -> Any:
        """ABC."""
        return math.prod(_edges(p))

    def shell_volume(self, p: Any) -> Any:
        """Volume of the walls, without the difference of two boxes."""
        (a, b, c), t = _edges(p), p.thickness
        return 2 * t * (a * b + b * c + c * a - 2 * t * (a + b + c) + 4 * t**2)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """Of the outer box, in the order of `modes`."""
        return _rod_along_c(*_edges(p)), *_of_edges(*_edges(p))

    def valid(self, p: Any) -> Any:
        """Whether the walls leave each other room."""
        a, b, c = self.cavity(p)
        return jnp.minimum(jnp.minimum(a, b), c) >= 0

    def extent(self, p: Any) -> Any:
        """Half of the longest edge."""
        return 0.5 * _longest(*_edges(p))

    def cross_extent(self, p: Any) -> Any:
        """Half of the longer of A and B."""
        return 0.5 * p.length_a * jnp.maximum(1.0, p.b2a_ratio)


class CoreShellParallelepiped(AbstractTriaxial):
    """Box of edges A, B, C with a slab on each face; its edges stay unfilled.

    With T(q, L, t) = s(q, L + 2t) - s(q, L), the slabs on the faces normal to a have
    (ρ_a - ρ_0) T(q_a, A, t_a) s(q_b, B) s(q_c, C), and those of b and c likewise.
    """

    name = "core_shell_parallelepiped"
    category = "parallelepiped"
    table = (
        sld("sld_core", 1.0),
        sld("sld_a", 2.0, "of the slabs normal to a"),
        sld("sld_b", 4.0, "of the slabs normal to b"),
        sld("sld_c", 2.0, "of the slabs normal to c"),
        sld("sld_solvent", 6.0),
        size("length_a", 35.0, "edge A of the core"),
        size("length_b", 75.0, "edge B of the core"),
        size("length_c", 400.0, "edge C of the core"),
        size("thick_rim_a", 10.0, "t_a"),
        size("thick_rim_b", 10.0, "t_b"),
        size("thick_rim_c", 10.0, "t_c"),
        *_AT_ZERO,
    )
    modes = (
        "equivalent cylinder excluded volume",
        "equivalent volume sphere",
        "half outer length_a",
        "half outer length_b",
        "half outer length_c",
        "equivalent circular cross-section",
        "half outer ab diagonal",
        "half outer diagonal",
    )
    reference = "Mittelbach & Porod 1961"

    def factors(self, q_a: Floats, q_b: Floats, q_c: Floats, p: Any) -> tuple[Any, ...]:
        """Core and three pairs of slabs."""
        outer = self.outer(p)
        a, b, c = edge(q_a, p.length_a), edge(q_b, p.length_b), edge(q_c, p.length_c)
        on_a, on_b, on_c = (
            edge(q, long) - inner
            for q, long, inner in zip((q_a, q_b, q_c), outer, (a, b, c), strict=True)
        )
        return (
            (p.sld_core - p.sld_solvent) * a * b * c
            + (p.sld_a - p.sld_solvent) * on_a * b * c
            + (p.sld_b - p.sld_solvent) * a * on_b * c
            + (p.sld_c - p.sld_solvent) * a * b * on_c,
        )

    def outer(self, p: Any) -> tuple[Any, Any, Any]:
        """Outer edges A + 2t_a, B + 2t_b and C + 2t_c."""
        return (
            p.length_a + 2 * p.thick_rim_a,
            p.length_b + 2 * p.thick_rim_b,
            p.length_c + 2 * p.thick_rim_c,
        )

    def volume(self, p: Any) -> Any:
        """ABC + 2 t_a BC + 2 t_b AC + 2 t_c AB."""
        a, b, c = p.length_a, p.length_b, p.length_c
        slabs = p.thick_rim_a * b * c + p.thick_rim_b * a * c + p.thick_rim_c * a * b
        return a * b * c + 2 * slabs

    def radii(self, p: Any) -> tuple[Any, ...]:
        """In the order of `modes`.

        As in SasView the first has edges with one slab each, A + t_a, and the sixth is
        of the section without its corners.
        """
        a, b, c = p.length_a, p.length_b, p.length_c
        section = a * b + 2 * p.thick_rim_a * b + 2 * p.thick_rim_b * a
        _, *halves, _, ab, abc = _of_edges(*self.outer(p))
        return (
            _rod_of_three(a + p.thick_rim_a, b + p.thick_rim_b, c + p.thick_rim_c),
            effective_radius.of_volume(self.volume(p)),
            *halves,
            _disk(section),
            ab,
            abc,
        )

    def extent(self, p: Any) -> Any:
        """Half of the longest outer edge."""
        return 0.5 * _longest(*self.outer(p))

    def cross_extent(self, p: Any) -> Any:
        """Half of the longer of the outer A and B."""
        return 0.5 * jnp.maximum(*self.outer(p)[:2])


def _edges(p: Any) -> tuple[Any, Any, Any]:
    """A, B and C from A and two ratios."""
    return p.length_a, p.length_a * p.b2a_ratio, p.length_a * p.c2a_ratio


def _longest(a: Floats, b: Floats, c: Floats) -> Any:
    return jnp.maximum(jnp.maximum(a, b), c)


def _disk(section: Floats) -> Any:
    """Radius of the circle of this area; 0 for none, where its slope is taken as 0."""
    section = jnp.asarray(section)
    empty = section <= 0
    return jnp.where(empty, 0.0, jnp.sqrt(jnp.where(empty, 1.0, section) / math.pi))


def _rod_along_c(a: Floats, b: Floats, c: Floats) -> Any:
    """Excluded volume of the cylinder of length C and section AB."""
    return effective_radius.of_excluded_volume(_disk(a * b), c)


def _rod_of_three(a: Floats, b: Floats, c: Floats) -> Any:
    """Excluded volume of a cylinder: its section is of the two most equal edges."""
    low, high = jnp.minimum(jnp.minimum(a, b), c), _longest(a, b, c)
    middle = jnp.maximum(jnp.minimum(a, b), jnp.minimum(jnp.maximum(a, b), c))
    flat = middle - low > high - middle
    radius = _disk(middle * jnp.where(flat, high, low))
    return effective_radius.of_excluded_volume(radius, jnp.where(flat, low, high))


def _of_edges(a: Floats, b: Floats, c: Floats) -> tuple[Any, ...]:
    """All effective radii of a box but the first."""
    across = jnp.hypot(a, b)
    return (
        effective_radius.of_volume(a * b * c),
        0.5 * a,
        0.5 * b,
        0.5 * c,
        _disk(a * b),
        0.5 * across,
        0.5 * jnp.hypot(across, c),
    )
