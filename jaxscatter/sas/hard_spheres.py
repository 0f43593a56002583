"""Structure factor of hard spheres in the Percus-Yevick approximation.

With η the volume fraction and k = q σ = 2 q R,

    S(q) = 1 / |Q(k)|²,  Q(k) = 1 + 12η ∫₀¹ (a t + b) (e^{ikt} - 1)/(ik) dt,
    a = (1 + 2η)/(1 - η)²,  b = -3η / (2(1 - η)²),

Baxter's factor of the same S(q) that is usually written as
1/(1 + 24η [α f₁ + β f₂ + γ f₄]): a sum of two squares, so that nothing cancels.

Units: q in 1/Å, radius in Å.

References:
    [1] J. K. Percus and G. J. Yevick, Phys. Rev. 110, 1 (1958).
    [2] R. J. Baxter, Aust. J. Phys. 21, 563 (1968).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics._dtype import common_float
from ._sine_moments import sine_moments

_POINT = 1e-12  # Å; a radius below it means no interaction


def hardsphere(
    q: Floats, radius_effective: Scalar, volfraction: Scalar
) -> Float[Array, "..."]:
    """S(q) of hard spheres, 1/|Q(2qR)|² of Percus and Yevick.

    S(0) = (1 - η)⁴/(1 + 2η)²; S → 1 for η → 0 and for q → ∞. A radius below 1e-12 Å is
    no interaction at all: S = 1, the convention of SasView.

    Args:
        q: momentum transfer ≥ 0, any shape.
        radius_effective: radius R ≥ 0.
        volfraction: volume fraction η, 0 ≤ η < 1.
    """
    q, radius, eta = common_float(q, radius_effective, volfraction)
    k = 2 * q * radius
    m = sine_moments(k)
    scale = 12 * eta / jnp.square(1 - eta)
    a, b = 1 + 2 * eta, -1.5 * eta
    real = 1 + scale * (a * m.t_sine + b * m.sine)
    imaginary = scale * k * (a * m.t_versine + b * m.versine)
    s = 1 / (jnp.square(real) + jnp.square(imaginary))
    return jnp.where(radius < _POINT, jnp.ones_like(s), s)
