"""Sampling coordinates of XPCS: the rates at a middle time of the measurement.

D0 and α, γ̇0 and β are almost degenerate, because D0 is the power law at 1 s, wherever
that lies. At t_ref = √(dt t_max) the law is known best, so samplers use

    log D_ref = log D0 + α log t_ref,   α,   D_offset/D_ref

and likewise log γ̇_ref and β. The engine adds the Jacobian: priors are on D0 and γ̇0.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import ParameterSet, SamplingCoordinates

_FREE = (-math.inf, math.inf)


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
    if _positive(parameters, "D0"):
        out.append(
            SamplingCoordinates(
                ("D0", "alpha", "D_offset"),
                _to_z3,
                _to_x3,
                _support3,
                ("log D_ref", "alpha", "D_offset/D_ref"),
                log_t,
            )
        )
        out.append(_pair(("D0", "alpha"), ("log D_ref", "alpha"), log_t))
    if _positive(parameters, "gamma_dot_t0"):
        names = ("log gamma_dot_ref", "beta")
        out.append(_pair(("gamma_dot_t0", "beta"), names, log_t))
    return tuple(out)


def _positive(parameters: ParameterSet, name: str) -> bool:
    return name in parameters and bool(np.all(np.asarray(parameters[name].lo) > 0))


def _pair(
    names: tuple[str, ...], z_names: tuple[str, ...], log_t: tuple[Array]
) -> SamplingCoordinates:
    return SamplingCoordinates(names, _to_z2, _to_x2, _support2, z_names, log_t)


def _to_z2(x: Float[Array, "2"], log_t: Array) -> Float[Array, "2"]:
    return jnp.stack([jnp.log(x[0]) + x[1] * log_t, x[1]])


def _to_x2(z: Float[Array, "2"], log_t: Array) -> Float[Array, "2"]:
    return jnp.stack([jnp.exp(z[0] - z[1] * log_t), z[1]])


def _to_z3(x: Float[Array, "3"], log_t: Array) -> Float[Array, "3"]:
    log_ref = jnp.log(x[0]) + x[1] * log_t
    return jnp.stack([log_ref, x[1], x[2] * jnp.exp(-log_ref)])


def _to_x3(z: Float[Array, "3"], log_t: Array) -> Float[Array, "3"]:
    return jnp.stack([jnp.exp(z[0] - z[1] * log_t), z[1], z[2] * jnp.exp(z[0])])


def _support2(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.array([_FREE[0], lo[1]]), np.array([_FREE[1], hi[1]])


def _support3(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([_FREE[0], lo[1], _FREE[0]]),
        np.array([_FREE[1], hi[1], _FREE[1]]),
    )
