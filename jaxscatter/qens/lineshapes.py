"""Line shapes in energy transfer and the Debye-Waller factor.

Units: omega, gamma, sigma and center in meV, q in 1/Å, u2 in Å². Line shapes have unit
area and are in 1/meV. `gamma` is a half width at half maximum (HWHM), `sigma` a
standard deviation.

References:
    [1] M. Bée, Quasielastic Neutron Scattering, Adam Hilger (1988).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import lorentzian_sum, voigt
from ..numerics._checks import nonnegative, positive
from ..numerics._dtype import common_float

__all__ = [
    "GAMMA_FLOOR",
    "debye_waller",
    "gnorm",
    "lorentz",
    "lorentz_sum",
    "voigt",
]

GAMMA_FLOOR: float = 1e-5
"""Smallest half width of a sampled Lorentzian, in meV: narrower ones get this."""


def lorentz(omega: Floats, gamma: Floats) -> Float[Array, "..."]:
    """Lorentzian (1/π) Γ/(ω² + Γ²) of half width Γ = max(gamma, GAMMA_FLOOR).

    Below the floor the derivative with respect to `gamma` is zero.
    """
    omega, gamma = common_float(omega, gamma)
    gamma = jnp.maximum(gamma, GAMMA_FLOOR)
    return gamma / (jnp.pi * (jnp.square(omega) + jnp.square(gamma)))


def gnorm(omega: Floats, sigma: Floats) -> Float[Array, "..."]:
    """Gaussian exp(-ω²/2σ²)/(σ√2π).

    Raises:
        ParameterError: `sigma` ≤ 0.
    """
    positive("sigma", sigma)
    omega, sigma = common_float(omega, sigma)
    root = jnp.sqrt(2 * jnp.pi).astype(sigma.dtype)
    return jnp.exp(-jnp.square(omega / sigma) / 2) / (sigma * root)


def lorentz_sum(omega: Floats, weights: Floats, gammas: Floats) -> Float[Array, "..."]:
    """Sum Σ wᵢ L(ω; Γᵢ) with Γᵢ = max(gammas[i], GAMMA_FLOOR), of the shape of `omega`.

    Its tangent rule is two matrix products with the (n, N) tables of L and ∂L/∂Γ, so
    many tangents pushed together cost one evaluation of each.
    """
    weights, gammas = common_float(weights, gammas)
    return lorentzian_sum(omega, weights, jnp.maximum(gammas, GAMMA_FLOOR))


def debye_waller(q: Floats, u2: Floats) -> Float[Array, "..."]:
    """Debye-Waller factor exp(-Q²⟨u²⟩/3).

    Raises:
        ParameterError: `q` < 0.
    """
    nonnegative("q", q)
    q, u2 = common_float(q, u2)
    return jnp.exp(-jnp.square(q) * u2 / 3)
