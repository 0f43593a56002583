"""Better coordinates of XPCS: the rates and their slopes at a middle time.

D0, α and D_offset are almost degenerate, and so are the three of the shear: D0 is the
power law at 1 s, wherever that lies, and an offset trades against an exponent. What the
data tell is the rate at t_ref = √(dt t_max) and how it changes there. So, with
ρ = D_offset/(D0 t_ref^α),

    log J(t_ref) = log(D0 t_ref^α (1 + ρ)),   d log J/d log t = α/(1 + ρ),   ρ

take the place of the three parameters in samplers and in the first steps of a fit, and
log D_ref and α where the offset is held. The engine adds the Jacobian: priors are on D0
and γ̇0. Samplers stay where the rate at t_ref is positive, ρ > -1.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import ParameterSet, SamplingCoordinates

_LEAST = -0.999


def at_reference_time(
    parameters: ParameterSet, dt: float, t_max: float
) -> tuple[SamplingCoordinates, ...]:
    """Coordinates of the power laws of a table; the widest that is free is used.

    Args:
        parameters: the model's table; an amplitude that may be zero has no logarithm
            and stays as it is.
        dt: s between frames.
        t_max: last time in s.
    """
    log_t = (jnp.asarray(0.5 * (math.log(dt) + math.log(t_max))),)
    out = []
    for names, law in (
        (("D0", "alpha", "D_offset"), "J"),
        (("gamma_dot_t0", "beta", "gamma_dot_t_offset"), "gamma_dot"),
    ):
        first = names[0]
        if first not in parameters or not np.all(np.asarray(parameters[first].lo) > 0):
            continue
        slope = f"d log {law}/d log t"
        three = (f"log {law}(t_ref)", slope, f"{names[2]}/reference")
        two = (f"log {law}(t_ref)", names[1])
        out += [
            SamplingCoordinates(
                names, _to_z3, _to_x3, _support3, three, log_t, first_steps=True
            ),
            SamplingCoordinates(
                names[:2], _to_z2, _to_x2, _support2, two, log_t, first_steps=True
            ),
        ]
    return tuple(out)


def _to_z2(x: Float[Array, "2"], log_t: Array) -> Float[Array, "2"]:
    return jnp.stack([jnp.log(x[0]) + x[1] * log_t, x[1]])


def _to_x2(z: Float[Array, "2"], log_t: Array) -> Float[Array, "2"]:
    return jnp.stack([jnp.exp(z[0] - z[1] * log_t), z[1]])


def _to_z3(x: Float[Array, "3"], log_t: Array) -> Float[Array, "3"]:
    reference = x[0] * jnp.exp(x[1] * log_t)
    ratio = jnp.maximum(x[2] / reference, _LEAST)
    return jnp.stack([jnp.log(reference * (1 + ratio)), x[1] / (1 + ratio), ratio])


def _to_x3(z: Float[Array, "3"], log_t: Array) -> Float[Array, "3"]:
    reference, exponent = jnp.exp(z[0]) / (1 + z[2]), z[1] * (1 + z[2])
    amplitude = reference * jnp.exp(-exponent * log_t)
    return jnp.stack([amplitude, exponent, z[2] * reference])


def _support2(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.array([-np.inf, lo[1]]), np.array([np.inf, hi[1]])


def _support3(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    del lo, hi  # the bounds are no box in these coordinates
    return np.array([-np.inf, -np.inf, -1.0]), np.full(3, np.inf)
