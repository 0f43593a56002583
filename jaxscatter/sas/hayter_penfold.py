"""Structure factor of charged spheres: the (rescaled) mean spherical approximation.

Spheres of diameter σ = 2R and charge z repel each other through the screened Coulomb
potential of Hayter and Penfold,

    βU(r) = γ₀ σ e^{-κ(r-σ)}/r,  γ₀ = 4 ℓ z²/(σ(2 + κσ)²),
    κ² = 4πℓ (6zφ/(πσ³) + 2 N c),  ℓ = e²/(4π ε₀ ε k T),

screened by their own monovalent counterions and the salt of concentration c. The
closure is c(r) = -βU(r) outside the core and g(r) = 0 inside. Where that gives a
negative contact value, the core grows, at fixed tail, until the contact value is zero
(Hansen and Hayter): σ → σ/s, φ → φ/s³.

S(q) is the inverse square of Baxter's factor, which equals the result of the original
algebra of Hayter and Penfold on its physical branch but needs neither e^{κσ} nor
differences of large numbers: it is smooth from κσ → 0 to many hundreds. Rescaling sets
in wherever the contact value is negative, also at the weak couplings where the original
program gives up, and the root is always the one that starts at uncharged spheres.

Units: q in 1/Å, radius in Å, charge in e, temperature in K, salt in mol/L, dielectric
constant relative. The constants are those of the original program (CODATA 1973), so
that numbers agree with it and with SasView.

References:
    [1] J. B. Hayter and J. Penfold, Mol. Phys. 42, 109 (1981),
        doi:10.1080/00268978100100091.
    [2] J.-P. Hansen and J. B. Hayter, Mol. Phys. 46, 651 (1982).
    [3] J. S. Høye and L. Blum, J. Stat. Phys. 16, 399 (1977).
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats, Scalar, as_float
from ..numerics._dtype import common_float
from ._hayter_coefficients import Core, core, power_series
from ._sine_moments import sine_moments

_CHARGE, _BOLTZMANN, _VACUUM, _AVOGADRO = (
    1.602189e-19,
    1.380662e-23,
    8.85418782e-12,
    6.022e23,
)
# ℓ ε T in Å K, and ions per Å³ of a 1:1 salt at 1 mol/L.
_BJERRUM = 1e10 * _CHARGE**2 / (4 * math.pi * _VACUUM * _BOLTZMANN)
_IONS = 2e-27 * _AVOGADRO
_SMALLEST = 1e-3  # Å; a smaller radius counts as this one, κσ would be infinite
_UNSCREENED = 1e-12  # smallest (κσ)², a screening length of a million diameters
_TERMS = 12
_NEAR = 0.25


def hayter_msa(
    q: Floats,
    radius_effective: Scalar,
    volfraction: Scalar,
    charge: Scalar,
    temperature: Scalar,
    concentration_salt: Scalar,
    dielectconst: Scalar,
) -> Float[Array, "..."]:
    """S(q) of charged spheres in the rescaled mean spherical approximation.

    S → 1 for φ → 0 and for q → ∞, and S → `hardsphere` for charge → 0 (the charge may
    be zero). NaN, with zero derivatives, for arguments without a meaning (φ outside
    [0, 0.95), a negative charge, salt or radius, T or ε not positive) and where no
    core below a volume fraction of 0.95 has a contact value of zero.

    The contact value as function of the arguments passes zero where rescaling sets in:
    S is continuous there, its slope is not. Computed in the default precision,
    float64, whatever the type of the arguments, which is that of the result.

    Args:
        q: momentum transfer ≥ 0, any shape.
        radius_effective: radius R ≥ 0; below 1e-3 Å it counts as 1e-3 Å.
        volfraction: volume fraction φ.
        charge: charge z ≥ 0 of a particle.
        temperature: temperature.
        concentration_salt: concentration c ≥ 0 of monovalent salt.
        dielectconst: relative dielectric constant of the solvent.
    """
    given = common_float(
        q,
        radius_effective,
        volfraction,
        charge,
        temperature,
        concentration_salt,
        dielectconst,
    )
    q, radius, phi, z, kelvin, salt, epsilon = (as_float(x) for x in given)
    sane = (radius >= 0) & (phi >= 0) & (phi < 0.95) & (z >= 0) & (salt >= 0)
    sane = sane & (kelvin > 0) & (epsilon > 0)

    sigma = 2 * jnp.where(radius > _SMALLEST, radius, _SMALLEST)
    eta = jnp.where(sane, phi, 0.1)
    bjerrum = _BJERRUM / jnp.where(sane, kelvin * epsilon, 2e4)
    ions = 6 * z * eta / (math.pi * sigma) + _IONS * salt * jnp.square(sigma)
    k2 = 4 * math.pi * bjerrum * jnp.where(sane, ions, 1.0)
    k = jnp.sqrt(jnp.where(k2 > _UNSCREENED, k2, _UNSCREENED))
    strength = 4 * bjerrum * jnp.square(z) / (sigma * jnp.square(2 + k))

    found = core(eta, k, strength)
    # Rescaled, the contact value is zero to round-off; a failed search left it far
    # below.
    sane = sane & (found.factor.contact > -1e-3 * (1 + found.factor.repulsion))
    s = _inverse_square(jnp.abs(q) * sigma * jnp.exp(-found.log_size), found)
    return jnp.where(sane, s, jnp.nan).astype(given[0].dtype)


def _tail_table() -> np.ndarray:
    """Coefficients of Kᵐ of ∫u rⁿ⁺¹ dr / (n + 1)!, shape (m, n)."""
    m = range(_TERMS)
    f = [math.factorial(i + 1) for i in m]
    return np.array([[(-1) ** i / (f[i] * (i + j + 3) * f[j]) for j in m] for i in m])


def _inverse_square(y: Array, core: Core) -> Array:
    """1/|Q(y)|² of the factor, y = q times the diameter of the core."""
    m = sine_moments(y)
    k, y2, (u, v) = core.k, jnp.square(y), core.decay
    a, b, c = (12 * core.eta * x for x in core.factor[:3])
    pole = 1 / (jnp.square(k) + y2)

    # ∫u(r) (e^{iyr} - 1)/(iy) dr = real + iy·imaginary: by parts, which is 0/0 at
    # K = y = 0, and there by its series in both.
    near = (y < _NEAR) & (k < _NEAR)
    y2_near = jnp.where(near, y2, 0.0)
    table = jnp.asarray(_tail_table(), dtype=k.dtype)
    series = power_series(jnp.where(k < _NEAR, k, _NEAR), table)
    even, odd = jnp.zeros_like(y), jnp.zeros_like(y)
    for n in reversed(range(0, _TERMS - 1, 2)):
        even = series[n] - y2_near * even
        odd = series[n + 1] - y2_near * odd
    part_real, part_imag = m.sine + v - u * m.cosine, m.versine - u * m.sine
    real = jnp.where(near, even, (part_real * k - y2 * part_imag) * pole)
    imaginary = jnp.where(near, odd, (part_real + k * part_imag) * pole)

    # δK ∫₁^∞ and the step at r = 1 together are δK(1 + K E)/(K - iy), with
    # E = (e^{iy} - 1)/(iy).
    step = 1 + k * m.cosine
    tail = core.factor.delta * k * pole
    q_real = 1 + a * m.t_sine + b * m.sine + c * real
    q_real = q_real - tail * k * (step - y2 * m.sine)
    q_imag = y * (
        a * m.t_versine
        + b * m.versine
        + c * imaginary
        - tail * (step + jnp.square(k) * m.sine)
    )
    return 1 / (jnp.square(q_real) + jnp.square(q_imag))
