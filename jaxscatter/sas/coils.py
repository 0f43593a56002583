"""Polymer chains in solution and in the melt.

Units: see `declaration`; `i_zero` in 1/cm is the forward scattering.

References:
    [1] P. Debye, J. Phys. Colloid Chem. 51, 18 (1947), Gaussian chains.
    [2] J. S. Higgins and H. C. Benoit, Polymers and Neutron Scattering, Oxford (1994),
        Schulz-Zimm distributed chains.
    [3] B. Hammouda, Adv. Polym. Sci. 106, 87 (1993), excluded volume.
    [4] H. Benoit, J. Polym. Sci. 11, 507 (1953), stars.
    [5] V. Yu. Borue and I. Ya. Erukhimovich, Macromolecules 21, 3240 (1988),
        weakly charged polyelectrolytes.
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import debye, expm1_over, lower_gamma_ratio
from .declaration import AbstractIntensity, number, size

# of the literature's numerical results, and of SasView: mol/L in 1/Å³
_PER_MOLAR = 6.022136e-4

_NEAR = 0.2  # (1+u)z below which the distributed coil is summed as a series
_TERMS = 22


def _log1p_over(x: Floats) -> Float[Array, "..."]:
    """ln(1+x)/x, 1 at x = 0."""
    near = jnp.abs(x) < 0.1
    small = jnp.where(near, x, 0.0)
    series = jnp.zeros_like(small)
    for k in range(16, 0, -1):
        series = 1 / k - small * series
    large = jnp.where(near, 1.0, x)
    return jnp.where(near, series, jnp.log1p(large) / large)


def distributed_coil(z: Floats, u: Floats) -> Float[Array, "..."]:
    """2[(1+uz)^(-1/u) - 1 + z]/((1+u)z²), chains of a Schulz-Zimm distribution.

    u = Mw/Mn - 1 ≥ 0, z = (q R_g)²/(1+2u) with R_g² the z-average; the Debye function
    at u = 0 and 1 at z = 0.
    """
    z, u = jnp.asarray(z), jnp.asarray(u)
    near = (1 + u) * z < _NEAR
    small = jnp.where(near, z, 0.0)
    # Σ (-z)ᵏ 2/(k+2)! Π(1+ju), the integral 2∫(1-s)(1+uzs)^-(2+1/u) ds by powers of z
    series = jnp.ones_like(small)
    for k in range(_TERMS, 0, -1):
        series = 1 - small * ((1 + (k + 1) * u) / (k + 2)) * series
    large = jnp.where(near, 1.0, z)
    rest = 1 - jnp.exp(-large * _log1p_over(u * large))
    direct = 2 * (1 - rest / large) / ((1 + u) * large)
    return jnp.where(near, series, direct)


def excluded_volume_coil(x: Floats, porod_exp: Floats) -> Float[Array, "..."]:
    """2∫₀¹(1-s) exp(-U s^(2/m)) ds, chains with a fractal dimension m.

    U = x (2/m+1)(2/m+2)/6 with x = (q R_g)²; the Debye function at m = 2, Guinier's
    law of every x as m → ∞ and 1 as m → 0.
    """
    porod_exp = jnp.asarray(porod_exp)
    exists = porod_exp > 0
    m = jnp.where(exists, porod_exp, 1.0)
    u = x * (2 / m + 1) * (2 / m + 2) / 6
    orders = jnp.stack([m / 2, m]).reshape((2,) + (1,) * jnp.ndim(u))
    half, whole = lower_gamma_ratio(orders, u[None, ...])
    return jnp.where(exists, 2 * half - whole, 1.0)


class MonoGaussCoil(AbstractIntensity):
    """Gaussian chains of one length: I₀ D((q R_g)²), D of Debye."""

    name = "mono_gauss_coil"
    category = "shape-independent"
    table = (
        number("i_zero", 70.0, "1/cm", lo=0.0, doc="intensity at q = 0"),
        size("rg", 75.0, "radius of gyration"),
    )
    modes = ("R_g", "2R_g", "3R_g", "sqrt(5/3)*R_g")
    reference = "Debye 1947"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """I₀ 2(e⁻ˣ - 1 + x)/x², x = (q R_g)²."""
        return p.i_zero * debye(jnp.square(q * p.rg))

    def radii(self, p: Any) -> tuple[Any, ...]:
        """Multiples of R_g; the last is the sphere of the same R_g."""
        return p.rg, 2 * p.rg, 3 * p.rg, math.sqrt(5 / 3) * p.rg


class PolyGaussCoil(AbstractIntensity):
    """Gaussian chains whose lengths follow a Schulz-Zimm distribution [2]."""

    name = "poly_gauss_coil"
    category = "shape-independent"
    table = (
        number("i_zero", 70.0, "1/cm", lo=0.0, doc="intensity at q = 0"),
        number("rg", 75.0, "Å", lo=0.0, doc="radius of gyration, z-average"),
        number("polydispersity", 2.0, lo=1.0, doc="Mw/Mn of the polymer"),
    )
    reference = "Higgins & Benoit 1994"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """I₀ times `distributed_coil`."""
        u = p.polydispersity - 1
        return p.i_zero * distributed_coil(jnp.square(q * p.rg) / (1 + 2 * u), u)


class PolymerExclVolume(AbstractIntensity):
    """Chains with excluded volume, swollen or collapsed [3].

    The exponent is 5/3 in a good solvent, 2 for Gaussian chains, 3 for collapsed ones.
    """

    name = "polymer_excl_volume"
    category = "shape-independent"
    table = (
        number("rg", 60.0, "Å", lo=0.0, doc="radius of gyration"),
        number("porod_exp", 3.0, lo=0.0, doc="exponent at high q"),
    )
    reference = "Hammouda 1993"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """Equal to m U^(-m/2) [γ(m/2, U) - U^(-m/2) γ(m, U)]."""
        return excluded_volume_coil(jnp.square(q * p.rg), p.porod_exp)


class StarPolymer(AbstractIntensity):
    """Star of f Gaussian arms [4]; one arm is Debye's chain."""

    name = "star_polymer"
    category = "shape-independent"
    table = (
        number("rg_squared", 100.0, "Å²", lo=0.0, doc="of the whole star"),
        number("arms", 3.0, lo=1.0, hi=6.0, doc="number of arms"),
    )
    reference = "Benoit 1953"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """D(v)/f + (1 - 1/f) ((1 - e⁻ᵛ)/v)², v = q²R_g² f/(3f-2)."""
        v = jnp.square(q) * (p.rg_squared * p.arms / (3 * p.arms - 2))
        across = jnp.square(expm1_over(-v))
        return (debye(v) - across) / p.arms + across


class BePolyelectrolyte(AbstractIntensity):
    """Weakly charged polyelectrolyte with salt, mean field of [5].

    With x = q² + κ², κ² = 4πL_B(2C_s + αC_a), concentrations in 1/Å³:
    I = 12 K C_a x/[48πL_B α²C_a + x(b²q² - 12hC_a)].
    """

    name = "be_polyelectrolyte"
    category = "shape-independent"
    table = (
        number("contrast_factor", 10.0, "barn", doc="K of the polymer"),
        number("bjerrum_length", 7.1, "Å", lo=0.0),
        number("virial_param", 12.0, "Å³", doc="h, attraction where positive"),
        number("monomer_length", 10.0, "Å", lo=0.0, doc="b"),
        number("salt_concentration", 0.0, "mol/L", doc="of monovalent salt"),
        number("ionization_degree", 0.05, lo=0.0, doc="α, charges per monomer"),
        number("polymer_concentration", 0.7, "mol/L", lo=0.0, doc="of monomers"),
    )
    reference = "Borue & Erukhimovich 1988"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """12 K C_a/[48πL_B α²C_a/x + b²q² - 12hC_a]."""
        density = _PER_MOLAR * p.polymer_concentration
        ions = 2 * _PER_MOLAR * p.salt_concentration + p.ionization_degree * density
        q2 = jnp.square(q)
        screened = q2 + 4 * math.pi * p.bjerrum_length * ions
        charge = 48 * math.pi * p.bjerrum_length * density * p.ionization_degree**2
        bare = screened == 0
        repulsion = jnp.where(bare, 0.0, charge / jnp.where(bare, 1.0, screened))
        stiffness = repulsion + q2 * p.monomer_length**2 - 12 * p.virial_param * density
        empty = stiffness == 0
        result = 12 * p.contrast_factor * density / jnp.where(empty, 1.0, stiffness)
        return jnp.where(empty, 0.0, result)
