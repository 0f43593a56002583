"""What the spectrometer sees of S(Q, ω): lines exactly, everything else sampled.

Lorentzians are convolved in closed form or to rounding. Detailed balance multiplies the
unconvolved S by F(ω), and F(0) = 1, so that

    (F S) ⊗ R = S ⊗ R + [(F - 1) S + F C] ⊗ R

with C the part of the model that is no sum of Lorentzians. What is in the bracket has
no elastic line and no sharp peak at ω = 0, so sampling it on the resolution's grid is
good: for a line narrower than a step D it errs by about D/(4π k_B T) of the line's
area, 1e-4 at 300 K and 0.03 meV.

Units: ω and widths in meV, temperature in K.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics._dtype import common_float
from .detailed_balance import detailed_balance as balance
from .lineshapes import lorentz_sum
from .resolution import Resolution

Continuum = Callable[[Float[Array, "..."]], Float[Array, "..."]]


def spectrum(
    instrument: Resolution,
    weights: Floats,
    widths: Floats,
    *,
    continuum: Continuum | None = None,
    temperature: Scalar | None = None,
    detailed_balance: str = "bose",
    center: Scalar = 0.0,
    lines: Float[Array, " n"] | None = None,
) -> Float[Array, " n"]:
    """Convolved F(ω) [Σ wᵢ L(ω - c; Γᵢ) + C(ω - c)] on the data's energies.

    Args:
        instrument: resolution of one Q.
        weights: areas of the Lorentzians.
        widths: their half widths, 0 being a delta.
        continuum: C, a function of ω.
        temperature: None leaves S symmetric, F = 1.
        detailed_balance: which F, see `detailed_balance`.
        center: c, shift of the whole model.
        lines: Σ wᵢ L ⊗ R where it is known already.
    """
    out = instrument.lorentzians(weights, widths, center) if lines is None else lines
    if continuum is None and temperature is None:
        return out
    # a delta is where F = 1
    weights, widths = common_float(weights, widths)
    broad = jnp.where(widths > 0, weights, 0.0)
    safe = jnp.where(widths > 0, widths, 1.0)

    def rest(omega: Float[Array, "..."]) -> Float[Array, "..."]:
        smooth = jnp.zeros_like(omega) if continuum is None else continuum(omega)
        if temperature is None:
            return smooth
        factor = balance(omega, temperature, detailed_balance)
        return (factor - 1) * lorentz_sum(omega, broad, safe) + factor * smooth

    return out + instrument.sampled(rest, center)
