"""Structure factor of sticky hard spheres: a narrow square well in Baxter's limit.

The well of the spheres of radius R has the relative width ε of the range a,
a = 2R/(1 - ε), so that η = φ/(1 - ε)³ is the volume fraction of the outer spheres, and
its depth enters through the stickiness τ (small τ is sticky; τ → ∞ gives
Percus-Yevick spheres of diameter a). With k = q a and Baxter's factor,

    S(q) = 1/|Q(k)|²,
    Q(k) = 1 + 12η ∫₀¹ (α t + β)(e^{ikt} - 1)/(ik) dt - λη (e^{ik} - 1)/(ik),
    α = (1 + 2η - μ)/(1 - η)²,  β = (μ - 3η)/(2(1 - η)²),  μ = λη(1 - η),

and λ the smaller root of (η/12)λ² - (τ + η/(1-η))λ + (1 + η/2)/(1-η)² = 0. Without a
real root, or with μ ≥ 1 + 2η, there is no homogeneous fluid: NaN.

Units: q in 1/Å, radius in Å.

References:
    [1] S. V. G. Menon, C. Manohar and K. S. Rao, J. Chem. Phys. 95, 9186 (1991).
    [2] R. J. Baxter, J. Chem. Phys. 49, 2770 (1968).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics._dtype import common_float
from ._sine_moments import sine_moments


def stickyhardsphere(
    q: Floats,
    radius_effective: Scalar,
    volfraction: Scalar,
    perturb: Scalar,
    stickiness: Scalar,
) -> Float[Array, "..."]:
    """S(q) of sticky hard spheres; NaN where they don't form one fluid.

    The derivatives are zero where the value is NaN. S → 1 for φ → 0 and for q → ∞, and
    S → `hardsphere` of radius R/(1 - ε) and volume fraction φ/(1 - ε)³ for τ → ∞.

    Args:
        q: momentum transfer ≥ 0, any shape.
        radius_effective: radius R ≥ 0.
        volfraction: volume fraction φ ≥ 0; NaN unless φ/(1 - ε)³ < 1.
        perturb: width ε of the well in units of a, 0.01 to 0.1.
        stickiness: τ > 0.
    """
    q, radius, phi, epsilon, tau = common_float(
        q, radius_effective, volfraction, perturb, stickiness
    )
    packed = phi / (jnp.square(1 - epsilon) * (1 - epsilon))
    room = packed < 1
    eta = jnp.where(room, packed, 0.5)
    free = 1 - eta
    middle = tau + eta / free
    last = (1 + eta / 2) / jnp.square(free)
    discriminant = jnp.square(middle) - eta * last / 3
    real_root = discriminant > 0
    root = jnp.sqrt(jnp.where(real_root, discriminant, 1.0))
    # This form of the smaller root has no quotient 0/0 at η = 0. A negative `middle`
    # only comes with a negative τ.
    positive = middle + root > 0
    lam = 2 * last / jnp.where(positive, middle + root, 1.0)
    mu = lam * eta * free
    fluid = room & real_root & positive & (mu < 1 + 2 * eta)

    k = 2 * q * radius / (1 - epsilon)
    m = sine_moments(k)
    alpha = (1 + 2 * eta - mu) / jnp.square(free)
    beta = (mu - 3 * eta) / (2 * jnp.square(free))
    inner = alpha * m.t_sine + beta * m.sine - lam / 12 * m.cosine
    outer = alpha * m.t_versine + beta * m.versine - lam / 12 * m.sine
    square = jnp.square(1 + 12 * eta * inner) + jnp.square(12 * eta * k * outer)
    return jnp.where(fluid, 1 / jnp.where(fluid, square, 1.0), jnp.nan)
