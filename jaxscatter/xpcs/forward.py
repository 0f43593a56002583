"""c2 of one angle as columns: correlation shape and 1.

The two integrals are tables over the frames, made once for all angles; a point costs
two look-ups in each. Units: q in 1/Å, gap in Å, times in s, angles in degrees.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..problem import AbstractModel, Amplitude, ParameterSet
from .correlation import SMOOTHING, shape, shear_phase
from .transport import cumulative_rate


class XpcsModel(AbstractModel):
    """A static or sheared sample under one convention, for any number of angles."""

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    t: Float[Array, " n"]
    dt: Float[Array, ""]
    h: Float[Array, ""]
    flow: bool = eqx.field(static=True)
    convention: str = eqx.field(static=True)
    rate: str = eqx.field(static=True)
    floor: str = eqx.field(static=True)
    integration: str = eqx.field(static=True)

    @property
    def name(self) -> str:
        """Model, convention and spelling of the rates, as results state them."""
        model = "laminar_flow" if self.flow else "static_isotropic"
        return f"{model} ({self.convention}, rate={self.rate})"

    def prepare(self, theta: dict[str, Any]) -> dict[str, Array]:
        """Cumulative integrals of J and γ̇ over the frames, in steps."""
        options = {
            "rate": self.rate,
            "floor": self.floor,
            "integration": self.integration,
        }

        def table(amplitude: str, exponent: str, offset: str, width: float) -> Array:
            rate = theta[amplitude], theta[exponent], theta[offset]
            return cumulative_rate(self.t, *rate, self.dt, width=width, **options)

        out = {"transport": table("D0", "alpha", "D_offset", 1e-3)}
        if self.flow:
            shear = "gamma_dot_t0", "beta", "gamma_dot_t_offset"
            out["strain"] = table(*shear, 1e-6)
        return out

    def columns(
        self, prepared: dict[str, Array], theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, "n 2"]:
        """Shape and baseline at the pairs (early, late) of one angle."""
        early, late, q = coords["early"], coords["late"], coords["q"]

        def between(table: Array) -> Array:
            d = self.dt * (table[late] - table[early])
            if self.convention == "homodyne_v2":
                return jnp.sqrt(jnp.square(d) + SMOOTHING * jnp.square(self.dt))
            return d

        exponent = jnp.square(q) * between(prepared["transport"])
        phase = jnp.zeros_like(exponent)
        if self.flow:
            strain = between(prepared["strain"])
            phase = shear_phase(strain, coords["phi"], theta["phi0"], q, self.h)
        m = shape(exponent, phase, self.convention)
        return jnp.stack([m, jnp.ones_like(m)], axis=1)
