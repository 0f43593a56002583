"""The structure factors as declared models; their formulas have a module each.

Units: radius_effective in Å, volfraction a pure number.
"""

from typing import Any

from jaxtyping import Array, Float

from .._types import Floats
from .declaration import AbstractInteraction, number, size
from .hard_spheres import hardsphere

RADIUS = size("radius_effective", 50.0, "of the particles in S(q)")


def volfraction(value: float, hi: float = 0.74) -> Any:
    """The row of the volume fraction."""
    return number("volfraction", value, "", 0.0, hi, "volume fraction of particles")


class HardSphere(AbstractInteraction):
    """Hard spheres in the Percus-Yevick approximation."""

    name = "hardsphere"
    category = "structure-factor"
    table = (RADIUS, volfraction(0.2))
    reference = "Percus & Yevick 1958"

    def structure(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """S(q), see `hard_spheres`."""
        return hardsphere(q, p.radius_effective, p.volfraction)
