"""Structure factor of hard spheres with a square well, mean spherical approximation.

The potential is +∞ below the diameter σ = 2R, -ε kT out to λσ and zero beyond. With
φ the volume fraction, k = q σ and fₙ(k) = ∫₀¹ tⁿ sin(kt)/k dt,

    1/S(q) = 1 + 24φ {α f₁(k) + β f₂(k) + γ f₄(k) - ε [λ³ f₁(λk) - f₁(k)]},
    α = [(1 + 2φ)² + φ³(φ - 4)]/(1 - φ)⁴,
    β = -(φ/3)(18 + 20φ - 12φ² + φ⁴)/(1 - φ)⁴,  γ = αφ/2.

The core is not that of Percus and Yevick but agrees with the Carnahan-Starling
compressibility, 1/S(0) = α without a well; S differs at order φ³. The
approximation holds for dilute particles with shallow wells, and S may become
negative or infinite outside (the spinodal); no attempt is made to hide it.

Units: q in 1/Å, radius in Å, depth in kT, width in diameters.

References:
    [1] R. V. Sharma and K. C. Sharma, Physica A 89, 213 (1977).
    [2] N. F. Carnahan and K. E. Starling, J. Chem. Phys. 51, 635 (1969).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics._dtype import common_float
from ._sine_moments import odd_moments


def squarewell(
    q: Floats,
    radius_effective: Scalar,
    volfraction: Scalar,
    welldepth: Scalar,
    wellwidth: Scalar,
) -> Float[Array, "..."]:
    """S(q) of hard spheres with a square well, after Sharma and Sharma.

    1/S(0) = α - 8φε(λ³ - 1); S → 1 for φ → 0 and for q → ∞.

    Args:
        q: momentum transfer ≥ 0, any shape.
        radius_effective: radius R ≥ 0 of the hard core.
        volfraction: volume fraction φ, 0 ≤ φ < 1; trustworthy to about 0.08.
        welldepth: depth ε in kT; positive attracts, negative is a shoulder.
        wellwidth: width λ ≥ 1 in units of the diameter.
    """
    q, radius, phi, depth, width = common_float(
        q, radius_effective, volfraction, welldepth, wellwidth
    )
    k = 2 * q * radius
    f1, f2, f4 = odd_moments(k)
    f1_well, _, _ = odd_moments(width * k)
    phi2 = jnp.square(phi)
    scale = 1 / jnp.square(jnp.square(1 - phi))
    alpha = scale * (jnp.square(1 + 2 * phi) + phi2 * phi * (phi - 4))
    beta = -scale * phi / 3 * (18 + 20 * phi - 12 * phi2 + jnp.square(phi2))
    core = alpha * (f1 + phi / 2 * f4) + beta * f2
    well = depth * (width * jnp.square(width) * f1_well - f1)
    return 1 / (1 + 24 * phi * (core - well))
