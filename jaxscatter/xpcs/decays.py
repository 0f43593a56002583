"""Decays of g2(τ) at one age, and how their times depend on q.

    stretched    m = exp(-2 (Γτ)^p)                              g2 = ginf + contrast m
    single       m = exp(-2 (τ/τ_c)^p), so Γ = 1/τ_c
    double       m = (f e^(-(τ/τ_1)^p_1) + (1 - f) e^(-(τ/τ_2)^p_2))²

    τ(q) = a q^b: b = -2 for diffusion, -1 for straight motion

Γ in 1/s is Γ per frame over dt, the time from frame to frame. All are 1 at τ = 0.

Units: times in s, rates in 1/s, q in 1/Å.

References:
    [1] A. Madsen, R. L. Leheny, H. Guo, M. Sprung, O. Czakkel, New J. Phys. 12, 055001
        (2010).
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics._dtype import common_float

LINEAR_BELOW = 1e-12
"""Below it x^p is the straight line through 0, whose slope is finite."""


def _stretched_power(x: Floats, exponent: Scalar) -> Float[Array, "..."]:
    """x^p for x ≥ 0 and p > 0, with finite derivatives at x = 0.

    Below `LINEAR_BELOW` it is a straight line from 0, off by 2e-3 at most for p = 0.2,
    by 3e-7 for p = 0.5 and by 1e-13 from p = 0.95 on.
    """
    x, p = common_float(x, exponent)
    least = jnp.asarray(LINEAR_BELOW, x.dtype)
    above = x > least
    log_x = jnp.log(jnp.where(above, x, least))  # of a constant where x may be 0
    power = jnp.exp(p * log_x)
    line = x * jnp.exp((p - 1) * math.log(LINEAR_BELOW))
    return jnp.where(above, power, line)


def stretched_exponential(
    tau: Floats, gamma: Scalar, exponent: Scalar
) -> Float[Array, "..."]:
    """Squared field correlation exp(-2 (Γτ)^p) of a stretched or compressed decay.

    Args:
        tau: lags in s.
        gamma: Γ in 1/s.
        exponent: p; 1 is a simple exponential.
    """
    tau, gamma, exponent = common_float(tau, gamma, exponent)
    return jnp.exp(-2 * _stretched_power(gamma * tau, exponent))


def double_exponential(
    tau: Floats,
    tau_fast: Scalar,
    tau_slow: Scalar,
    fraction: Scalar,
    exponent_fast: Scalar,
    exponent_slow: Scalar,
) -> Float[Array, "..."]:
    """Square of f e^(-(τ/τ_1)^p_1) + (1 - f) e^(-(τ/τ_2)^p_2).

    Args:
        tau: lags in s.
        tau_fast: τ_1 > 0 in s.
        tau_slow: τ_2 > 0 in s.
        fraction: f, of the first in the field correlation.
        exponent_fast: p_1.
        exponent_slow: p_2.

    With f = 1, f = 0, or two equal decays it is the single one.
    """
    tau, t1, t2, f, p1, p2 = common_float(
        tau, tau_fast, tau_slow, fraction, exponent_fast, exponent_slow
    )
    first = jnp.exp(-_stretched_power(tau / t1, p1))
    second = jnp.exp(-_stretched_power(tau / t2, p2))
    return jnp.square(f * first + (1 - f) * second)


def power_of_q(q: Floats, exponent: Scalar) -> Float[Array, "..."]:
    """q^b for q > 0, with q in 1/Å."""
    q, b = common_float(q, exponent)
    return jnp.exp(b * jnp.log(q))
