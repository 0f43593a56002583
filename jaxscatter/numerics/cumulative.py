"""Cumulative integrals of sampled functions and of power laws.

Sums count in steps of the grid: an integral is the step times the difference of two
table entries. Every function is differentiable at t = 0 and at the exponents where the
closed form has a removable singularity.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ._dtype import common_float


def cumulative_trapezoid(f: Float[Array, " n"]) -> Float[Array, " n"]:
    """F_0 = 0, F_k = F_(k-1) + (f_(k-1) + f_k)/2."""
    return jnp.concatenate([jnp.zeros(1, f.dtype), jnp.cumsum(0.5 * (f[1:] + f[:-1]))])


def cumulative_rectangle(f: Float[Array, " n"]) -> Float[Array, " n"]:
    """F_k = Σ_(j ≤ k) f_j."""
    return jnp.cumsum(f)


def expm1_over(x: Floats) -> Float[Array, "..."]:
    """(eˣ - 1)/x, 1 at x = 0."""
    (x,) = common_float(x)
    small = jnp.abs(x) < 0.1
    near = jnp.where(small, x, 0.0)
    far = jnp.where(small, 1.0, x)
    series = jnp.ones_like(x)
    for k in range(11, 1, -1):
        series = 1 + near / k * series
    return jnp.where(small, series, jnp.expm1(far) / far)


def power_integral(
    log_a: Floats, log_b: Floats, exponent: Scalar
) -> Float[Array, "..."]:
    """∫ₐᵇ t^p dt from the logarithms of the limits, log(b/a) at p = -1."""
    log_a, log_b, p = common_float(log_a, log_b, exponent)
    width = log_b - log_a
    return jnp.exp((p + 1) * log_a) * width * expm1_over((p + 1) * width)
