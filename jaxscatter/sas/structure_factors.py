"""The structure factors as declared models; their formulas have a module each.

Units: radius_effective in Å, volfraction a pure number, temperature in K, salt in
mol/L, charge in elementary charges.
"""

from typing import Any

from jaxtyping import Array, Float

from .._types import Floats
from .declaration import AbstractInteraction, Quantity, number, size
from .hard_spheres import hardsphere
from .hayter_penfold import hayter_msa
from .square_well import squarewell
from .sticky_spheres import stickyhardsphere


def _radius(value: float = 50.0) -> Quantity:
    return size("radius_effective", value, "of the particles in S(q)")


def _volfraction(value: float, hi: float = 0.74) -> Quantity:
    return number("volfraction", value, "", 0.0, hi, "volume fraction of particles")


class HardSphere(AbstractInteraction):
    """Hard spheres in the Percus-Yevick approximation."""

    name = "hardsphere"
    category = "structure-factor"
    table = (_radius(), _volfraction(0.2))
    reference = "Percus & Yevick 1958"

    def structure(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """S(q), see `hard_spheres`."""
        return hardsphere(q, p.radius_effective, p.volfraction)


class SquareWell(AbstractInteraction):
    """Spheres with a square attraction in the mean spherical approximation."""

    name = "squarewell"
    category = "structure-factor"
    table = (
        _radius(),
        _volfraction(0.04, 0.08),
        number("welldepth", 1.5, "kT", 0.0, 1.5, "depth of the well"),
        number("wellwidth", 1.2, "diameters", 1.0, doc="outer edge of the well"),
    )
    reference = "Sharma & Sharma 1977"

    def structure(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """S(q), see `square_well`."""
        return squarewell(
            q, p.radius_effective, p.volfraction, p.welldepth, p.wellwidth
        )


class StickyHardSphere(AbstractInteraction):
    """Hard spheres with a narrow, deep attraction; NaN where no solution exists."""

    name = "stickyhardsphere"
    category = "structure-factor"
    table = (
        _radius(),
        _volfraction(0.2),
        number("perturb", 0.05, "", 0.01, 0.1, "width of the well over the diameter"),
        number("stickiness", 0.2, "", doc="inverse strength of the attraction"),
    )
    reference = "Menon et al. 1991"

    def structure(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """S(q), see `sticky_spheres`."""
        return stickyhardsphere(
            q, p.radius_effective, p.volfraction, p.perturb, p.stickiness
        )


class HayterMsa(AbstractInteraction):
    """Charged spheres in a dielectric, rescaled mean spherical approximation."""

    name = "hayter_msa"
    category = "structure-factor"
    table = (
        _radius(20.75),
        _volfraction(0.0192),
        number("charge", 19.0, "e", 1e-6, 200.0, "of a particle"),
        number("temperature", 318.16, "K", 0.0, doc="of the solution"),
        number("concentration_salt", 0.0, "mol/L", 0.0, doc="of a 1:1 electrolyte"),
        number("dielectconst", 71.08, "", 0.0, doc="relative permittivity"),
    )
    reference = "Hayter & Penfold 1981, Hansen & Hayter 1982"

    def structure(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """S(q), see `hayter_penfold`."""
        return hayter_msa(
            q,
            p.radius_effective,
            p.volfraction,
            p.charge,
            p.temperature,
            p.concentration_salt,
            p.dielectconst,
        )
