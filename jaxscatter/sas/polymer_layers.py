"""Spheres that carry polymer: micelles with a corona of chains, adsorbed layers.

Units: see `declaration`; adsorbed amounts mg/m², mass densities g/cm³.

References:
    [1] J. S. Pedersen, J. Appl. Cryst. 33, 637 (2000), micelles.
    [2] S. King, P. Griffiths, J. Hone and T. Cosgrove, Macromol. Symp. 190, 33 (2002),
        adsorbed layers.
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import debye, expm1_over, sinc, three_j1_over_x
from .declaration import AbstractIntensity, number, sld


class PolymerMicelle(AbstractIntensity):
    """Spherical core with Gaussian chains around it that don't interact.

    N chains; with β = v (ρ - ρ_0) of core and corona, x = (q Rg)², ψ = (1 - e⁻ˣ)/x, the
    Debye function D and s = sinc(q(R + d Rg)),
    I = n [N² βs² j² + N βc² D + 2 N² βs βc j ψ s + N(N-1) βc² ψ² s²].
    """

    name = "polymer_micelle"
    category = "sphere"
    table = (
        number("ndensity", 8.94, "1e15/cm³", 0.0, doc="number density of the micelles"),
        number("v_core", 62624.0, "Å³", 0.0, doc="volume of one block in the core"),
        number("v_corona", 61940.0, "Å³", 0.0, doc="volume of one block outside"),
        sld("sld_solvent", 6.4),
        sld("sld_core", 0.34),
        sld("sld_corona", 0.8),
        number("radius_core", 45.0, "Å", 0.0, doc="R, of the core"),
        number("rg", 20.0, "Å", 0.0, doc="Rg, of a chain in the corona"),
        number(
            "d_penetration", 1.0, doc="d; chains sit at R + d Rg, 1 for none inside"
        ),
        number("n_aggreg", 6.0, doc="N, chains per micelle"),
    )
    reference = "Pedersen 2000"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """I/scale in 1/cm."""
        n, x = p.n_aggreg, jnp.square(q * p.rg)
        core = n * p.v_core * (p.sld_core - p.sld_solvent)
        core = core * three_j1_over_x(q * p.radius_core)
        chain = p.v_corona * (p.sld_corona - p.sld_solvent)
        ring = expm1_over(-x) * sinc(q * (p.radius_core + p.d_penetration * p.rg))
        between = n * (n - 1) * jnp.square(chain * ring)
        square = (
            jnp.square(core)
            + n * jnp.square(chain) * debye(x)
            + 2 * n * core * chain * ring
            + between
        )
        return 1e-13 * p.ndensity * square


class AdsorbedLayer(AbstractIntensity):
    """Layer on a sphere that is matched by the solvent, much larger than the layer.

    I = 6πφ/R [(ρ_sh - ρ_0) Γ/(δ q)]² exp(-(qσ)²) · 1e-2 with the adsorbed amount Γ, its
    mass density δ and second moment σ.
    """

    name = "adsorbed_layer"
    category = "sphere"
    table = (
        number("second_moment", 23.0, "Å", 0.0, doc="σ, of the profile of the layer"),
        number("adsorbed_amount", 1.9, "mg/m²", 0.0, doc="Γ"),
        number("density_shell", 0.7, "g/cm³", 0.0, doc="δ, of the adsorbed substance"),
        number("radius", 500.0, "Å", 0.0, doc="R, of the particle"),
        number("volfraction", 0.14, lo=0.0, doc="φ, of the particles"),
        sld("sld_shell", 1.5),
        sld("sld_solvent", 6.3),
    )
    owns_volfraction = True
    zero_q = False
    reference = "King et al. 2002"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """I/scale in 1/cm."""
        layer = (p.sld_shell - p.sld_solvent) * p.adsorbed_amount / p.density_shell
        amplitude = layer / q * jnp.exp(-0.5 * jnp.square(q * p.second_moment))
        return 0.06 * math.pi * p.volfraction / p.radius * jnp.square(amplitude)
