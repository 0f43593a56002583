"""Detailed balance: the asymmetry of S(Q, ω) at a temperature.

Units: omega in meV, temperature in K. omega > 0 is energy lost by the neutron. The
factor belongs on the model before its convolution with the resolution.

References:
    [1] S. W. Lovesey, Theory of Neutron Scattering from Condensed Matter, vol. 1,
        Oxford (1984), section 3.2.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..constants import KB
from ..errors import ParameterError
from ..numerics import expm1_over
from ..numerics._checks import positive
from ..numerics._dtype import common_float

CONVENTIONS = ("bose", "exp_half")

_COLD = -40.0  # ω/kT below which 1 - eˣ is 1 to the last digit


def detailed_balance(
    omega: Floats, temperature: Floats, convention: str = "bose"
) -> Float[Array, "..."]:
    """Factor x/(1 - e⁻ˣ), x = ω/k_BT, on a symmetric S(Q, ω): S(ω) = eˣ S(-ω) after it.

    1 at ω = 0, x for x ≫ 1 and |x|e⁻|ˣ| for x ≪ -1. The other convention is e^(x/2).
    Both obey detailed balance and differ by an even factor, (x/2)/sinh(x/2); "bose"
    keeps the susceptibility ωS/k_BT of the symmetric S(Q, ω). Where e^(x/2) would
    overflow it stays at the largest number to the power 0.9.

    Args:
        omega: energy transfer.
        temperature: of the sample.
        convention: "bose" or "exp_half".

    Raises:
        ParameterError: `temperature` ≤ 0 or unknown `convention`.
    """
    positive("temperature", temperature)
    if convention not in CONVENTIONS:
        raise ParameterError(
            f"convention is {convention!r}; expected one of {list(CONVENTIONS)}"
        )
    omega, temperature = common_float(omega, temperature)
    x = omega / (KB * temperature)
    if convention == "exp_half":
        largest = math.log(float(jnp.finfo(x.dtype).max)) * 0.9
        return jnp.exp(jnp.minimum(x / 2, largest))
    cold = x < _COLD
    tail = jnp.where(cold, x, _COLD)
    rest = jnp.where(cold, 0.0, x)
    return jnp.where(cold, -tail * jnp.exp(tail), 1 / expm1_over(-rest))
