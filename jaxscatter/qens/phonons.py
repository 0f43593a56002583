"""What lies under a quasi-elastic line: oscillators, polynomials, a delta on a grid.

Units: omega, omega0, gamma, x and center in one energy unit (meV); profiles are per
that unit.

References:
    [1] B. Fåk and B. Dorner, Physica B 234, 1107 (1997), damped harmonic oscillator.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float

from .._types import Floats, Scalar
from ..errors import ParameterError
from ..numerics._checks import positive
from ..numerics._dtype import common_float


def dho(omega: Floats, omega0: Floats, gamma: Floats) -> Float[Array, "..."]:
    """Damped oscillator (2/π) ω₀²γ/[(ω² - ω₀²)² + (2γω)²], of area 1 over all ω.

    Both lines, at ±ω₀, are in it, of equal height: multiply by `detailed_balance`.
    Where γ ≪ ω₀ they are Lorentzians of half width γ and area ½; where γ ≫ ω₀ it is
    one Lorentzian of half width ω₀²/(2γ).

    Args:
        omega: energy transfer.
        omega0: energy of the oscillator.
        gamma: damping, half width at half maximum of a line.

    Raises:
        ParameterError: `omega0` ≤ 0 or `gamma` ≤ 0.
    """
    positive("omega0", omega0)
    positive("gamma", gamma)
    omega, omega0, gamma = common_float(omega, omega0, gamma)
    # (ω² - ω₀²) as a product keeps its digits at the line
    away = (omega - omega0) * (omega + omega0)
    shape = jnp.square(away) + jnp.square(2 * gamma * omega)
    return 2 / jnp.pi * jnp.square(omega0) * gamma / shape


def background_polynomials(
    x: Floats, coefficients: Floats | Sequence[Any]
) -> Float[Array, "..."]:
    """Polynomial Σ cᵢ xⁱ, the constant first; no coefficients give 0.

    Args:
        x: where.
        coefficients: c₀, c₁, … as one axis.

    Raises:
        ParameterError: `coefficients` has another number of axes than one.
    """
    (x,) = common_float(x)
    if not isinstance(coefficients, ArrayLike):
        coefficients = jnp.asarray([*coefficients], dtype=x.dtype)
    x, c = common_float(x, coefficients)
    if c.ndim != 1:
        raise ParameterError(
            f"coefficients has the shape {c.shape}; expected one axis of c₀, c₁, …"
        )
    total = jnp.zeros_like(x)
    for i in reversed(range(c.shape[0])):
        total = total * x + c[i]
    return total


def delta(
    x: Float[ArrayLike, " n"], scale: Scalar = 1.0, center: Scalar = 0.0
) -> Float[Array, " n"]:
    """Area `scale` in the one point of `x` nearest to `center`, 0 outside the grid.

    The value is scale/Δx with Δx half the distance between the neighbours, so that a
    sum by the trapezoidal rule is `scale`. It is no function of `center` that could be
    fitted: its derivative is zero. A model's elastic line is convolved exactly with the
    resolution and never put on the grid; this is for comparisons with QENSmodels.

    Raises:
        ParameterError: `x` has fewer than two points or is not increasing.
    """
    x, scale, center = common_float(x, scale, center)
    if x.shape[0] < 2:
        raise ParameterError(f"x has {x.shape[0]} points; expected at least 2")
    if not isinstance(x, Tracer) and not np.all(np.diff(x) > 0):
        raise ParameterError("x is not strictly increasing; sort the energies first")
    half = jnp.diff(x) / 2
    width = jnp.concatenate([half[:1], half[1:] + half[:-1], half[-1:]])
    nearest = jnp.argmin(jnp.abs(x - center))
    hit = jnp.arange(x.shape[0]) == nearest
    inside = (center >= x[0]) & (center <= x[-1])
    return jnp.where(hit & inside, scale / width, 0.0)
