"""Transport coefficient J(t) and shear rate γ̇(t), and their cumulative integrals.

    rate="power"   J(t) = D0 t^α + D_offset       γ̇(t) = γ̇0 t^β + γ̇_offset
    rate="offset"  J(t) = D0 + D_offset t^α       γ̇(t) = γ̇0 + γ̇_offset t^β

J is d Var[x]/dt: for Brownian motion twice the Stokes-Einstein coefficient. t = 0 is
read as half a step, and a rate below 1e-10 as 1e-10 (`floor="plain"`) or as a softplus
of it (`floor="smooth"`), so that the integrals grow strictly.

Units: times in s, J in Å²/s, shear rates in 1/s, radii in Å, viscosities in Pa s.

References:
    [1] H. He et al., PNAS 121 (31), e2401162121 (2024).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..errors import DataError, ModelError
from ..numerics import cumulative_rectangle, cumulative_trapezoid, power_integral
from ..numerics._checks import positive
from ..numerics._dtype import common_float

RATES = ("power", "offset")
FLOORS = ("plain", "smooth")
INTEGRATIONS = ("trapezoid", "rectangle", "analytic")
RATE_FLOOR = 1e-10
BOLTZMANN = 1.380649e-23
"""Boltzmann constant in J/K (exact)."""


def chosen(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse an option that does not exist."""
    if value not in known:
        raise ModelError(f"{name} is {value!r}; expected one of {list(known)}")


def time_step(t: Floats) -> float:
    """Step of a uniform time axis in s.

    Raises:
        DataError: fewer than two times, not increasing, or steps that differ by more
            than 1e-6 of themselves.
    """
    t = np.asarray(t, dtype=float)
    if t.ndim != 1 or t.size < 2:
        raise DataError(f"t has shape {t.shape}; expected at least two times")
    steps = np.diff(t)
    if not np.all(np.isfinite(steps)) or not steps[0] > 0:
        raise DataError("t must be finite and increasing")
    if t[0] < 0:
        raise DataError(f"t starts at {t[0]} s; expected no negative times")
    if np.max(np.abs(steps - steps[0])) > 1e-6 * steps[0]:
        raise DataError("t is not uniform: its steps differ by more than 1e-6")
    return float(steps[0])


def log_times(t: Floats, dt: Scalar) -> Float[Array, "..."]:
    """Logarithm of t, with t ≤ max(dt/2, 1e-8) read as that: a constant of the grid."""
    t, dt = common_float(t, dt)
    least = jnp.maximum(0.5 * dt, 1e-8)
    return jnp.log(jnp.where(t > least, t, least))


def power_law(
    log_t: Floats, amplitude: Scalar, exponent: Scalar, constant: Scalar
) -> Float[Array, "..."]:
    """Amplitude t^exponent + constant, from log t."""
    log_t, a, p, c = common_float(log_t, amplitude, exponent, constant)
    return a * jnp.exp(p * log_t) + c


def spelt(rate: str, amplitude: Scalar, constant: Scalar) -> tuple[Scalar, Scalar]:
    """(factor of the power, constant) of a rate's two numbers."""
    chosen("rate", rate, RATES)
    return (amplitude, constant) if rate == "power" else (constant, amplitude)


def floored(
    f: Floats, floor: str = "plain", width: Scalar = 1e-3
) -> Float[Array, "..."]:
    """A rate kept above 1e-10.

    "plain" has no derivative below; "smooth" is 1e-10 + w softplus((f - 1e-10)/w),
    which differs from f by less than w log 2 and lets a fit return.
    """
    chosen("floor", floor, FLOORS)
    f, width = common_float(f, width)
    if floor == "plain":
        return jnp.where(f > RATE_FLOOR, f, RATE_FLOOR)
    return RATE_FLOOR + width * jax.nn.softplus((f - RATE_FLOOR) / width)


def _rate(
    t: Floats,
    amplitude: Scalar,
    exponent: Scalar,
    offset: Scalar,
    dt: Scalar,
    rate: str,
    floor: str,
    width: Scalar,
) -> Float[Array, "..."]:
    """Either rate, in its spelling and above its floor."""
    factor, constant = spelt(rate, amplitude, offset)
    return floored(
        power_law(log_times(t, dt), factor, exponent, constant), floor, width
    )


def transport_coefficient(
    t: Floats,
    d0: Scalar,
    alpha: Scalar,
    d_offset: Scalar,
    dt: Scalar,
    rate: str = "power",
    floor: str = "plain",
    width: Scalar = 1e-3,
) -> Float[Array, "..."]:
    """J(t) in Å²/s, above 1e-10; `width` in Å²/s of a smooth floor.

    α = 0 gives the constant D0 + D_offset in both spellings.
    """
    return _rate(t, d0, alpha, d_offset, dt, rate, floor, width)


def shear_rate(
    t: Floats,
    gamma_dot_t0: Scalar,
    beta: Scalar,
    gamma_dot_t_offset: Scalar,
    dt: Scalar,
    rate: str = "power",
    floor: str = "plain",
    width: Scalar = 1e-6,
) -> Float[Array, "..."]:
    """γ̇(t) in 1/s, above 1e-10: a negative rate is cut, not mirrored."""
    return _rate(t, gamma_dot_t0, beta, gamma_dot_t_offset, dt, rate, floor, width)


def cumulative_rate(
    t: Float[Array, " n"],
    amplitude: Scalar,
    exponent: Scalar,
    offset: Scalar,
    dt: Scalar,
    *,
    rate: str = "power",
    floor: str = "plain",
    width: Scalar = 1e-6,
    integration: str = "trapezoid",
) -> Float[Array, " n"]:
    """F_k in steps, so that ∫ of the floored rate from t_a to t_b is dt (F_b - F_a).

    Args:
        t: uniform times.
        amplitude: D0 or γ̇0.
        exponent: α or β.
        offset: D_offset or γ̇_offset.
        dt: step of t.
        rate: spelling, see the module.
        floor: "plain" or "smooth".
        width: of a smooth floor.
        integration: "trapezoid"; "rectangle" (Σ_(j ≤ k) f_j, of older programs);
            "analytic", exact for the power law, with the floor put on each step's mean.
    """
    chosen("integration", integration, INTEGRATIONS)
    factor, constant = spelt(rate, amplitude, offset)
    log_t = log_times(t, dt)
    if integration != "analytic":
        f = floored(power_law(log_t, factor, exponent, constant), floor, width)
        if integration == "rectangle":
            return cumulative_rectangle(f)
        return cumulative_trapezoid(f)
    t, factor, exponent, constant, dt = common_float(t, factor, exponent, constant, dt)
    # below its floor the time stands still, and so does t^p
    held = jnp.maximum(jnp.exp(log_t[:1]) - t[:1], 0.0)
    steps = power_integral(log_t[:-1], log_t[1:], exponent)
    steps = steps.at[0].add(jnp.sum(held * jnp.exp(exponent * log_t[:1])))
    mean = floored(factor * steps / dt + constant, floor, width)
    return jnp.concatenate([jnp.zeros(1, mean.dtype), jnp.cumsum(mean)])


def stokes_einstein(
    radius: Scalar, viscosity: Scalar, temperature: Scalar
) -> Float[Array, ""]:
    """D = k_B T/(6π η R) in Å²/s; D0 of Brownian motion is twice it.

    Args:
        radius: hydrodynamic radius in Å.
        viscosity: Pa s.
        temperature: K.

    Raises:
        ParameterError: a value that is not positive.
    """
    for name, value in (
        ("radius", radius),
        ("viscosity", viscosity),
        ("temperature", temperature),
    ):
        positive(name, value)
    r, eta, temp = common_float(radius, viscosity, temperature)
    # 1 m²/s is 1e20 Å²/s, and the radius is in 1e-10 m
    return BOLTZMANN * temp / (6 * math.pi * eta * r) * 1e30
