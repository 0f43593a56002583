"""Guinier and Porod laws, power laws and what is built from them.

Functions of q without a particle behind them: `scale` carries the unit, 1/cm.
Units: see `declaration`.

References:
    [1] A. Guinier and G. Fournet, Small-Angle Scattering of X-Rays, Wiley (1955).
    [2] G. Beaucage, J. Appl. Cryst. 28, 717 (1995), unified exponential and power law.
    [3] B. Hammouda, J. Appl. Cryst. 43, 716 (2010), objects of any dimension.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import erf
from jaxtyping import Array, Float

from .._types import Floats
from .declaration import AbstractIntensity, Control, Quantity, number


def power(x: Floats, exponent: Floats) -> Float[Array, "..."]:
    """x^p for x > 0 and 0 where x is not positive, with finite derivatives there."""
    x = jnp.asarray(x)
    positive = x > 0
    log = jnp.log(jnp.where(positive, x, 1.0))
    return jnp.where(positive, jnp.exp(exponent * log), 0.0)


class Guinier(AbstractIntensity):
    """Guinier's law exp(-|R_g| R_g q²/3).

    A negative R_g describes an intensity that rises from q = 0.
    """

    name = "guinier"
    category = "shape-independent"
    table = (number("rg", 60.0, "Å", doc="radius of gyration"),)
    reference = "Guinier & Fournet 1955"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """exp(-|R_g| R_g q²/3)."""
        return jnp.exp(-jnp.abs(p.rg) * p.rg / 3 * jnp.square(q))


class Porod(AbstractIntensity):
    """Porod's law of sharp surfaces, q⁻⁴."""

    name = "porod"
    category = "shape-independent"
    table = ()
    zero_q = False
    reference = "Guinier & Fournet 1955"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """q⁻⁴."""
        del p
        return jnp.square(jnp.square(1 / q))


class PowerLaw(AbstractIntensity):
    """q^-power."""

    name = "power_law"
    reference = "empirical function"
    category = "shape-independent"
    table = (number("power", 4.0, doc="exponent"),)
    zero_q = False

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """q^-power."""
        return jnp.exp(-p.power * jnp.log(q))


class GuinierPorod(AbstractIntensity):
    """Guinier's law of a body of dimension 3 - s joined to a power law.

    With n = 3 - s, m = (p - s)/2 and y = (q R_g)²/n it is q⁻ˢ e^-y below y = m and
    q⁻ˢ e^-m (m/y)^m, which falls as q⁻ᵖ, above: value and slope are continuous [3].
    Where there is no power law to join (p ≤ s) or no size, q⁻ˢ is left.
    """

    name = "guinier_porod"
    category = "shape-independent"
    table = (
        number("rg", 60.0, "Å", lo=0.0, doc="radius of gyration"),
        number("s", 1.0, lo=0.0, hi=3.0, doc="0 for spheres, 1 rods, 2 platelets"),
        number("porod_exp", 3.0, lo=0.0, doc="exponent of the power law"),
    )
    zero_q = False
    reference = "Hammouda 2010"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """q⁻ˢ exp(-y), or q⁻ˢ exp(-m - m ln(y/m)) where y > m."""
        n, m = 3 - p.s, 0.5 * (p.porod_exp - p.s)
        full, joined = n <= 0, m > 0
        y = jnp.square(q * p.rg) / jnp.where(full, 1.0, n)
        m_safe = jnp.where(joined, m, 1.0)
        beyond = y > m_safe
        ratio = jnp.where(beyond, y, m_safe) / m_safe
        fall = jnp.where(beyond, m_safe * (1 + jnp.log(ratio)), y)
        fall = jnp.where(joined, fall, 0.0)
        curve = jnp.exp(-p.s * jnp.log(q) - fall)
        return jnp.where(full & joined & (p.rg > 0), 0.0, curve)


class UnifiedPowerRg(AbstractIntensity):
    """Structural levels, each a Guinier and a power law; `UnifiedPowerRg(level=2)`.

    Σ G_i e^-(qR_i)²/3 + B_i e^-(qR_{i+1})²/3 [erf(qR_i/√6)³/q]^P_i: level 1 is the
    largest, its power law ends where the next smaller size begins [2]; that of the
    last level goes on. Without levels it is 1/q, as in SasView.
    """

    name = "unified_power_Rg"
    category = "shape-independent"
    table = (
        Quantity("rg", 15.8, "Å", 0.0, doc="radius of gyration", per="level"),
        Quantity("power", 4.0, doc="exponent of the power law", per="level"),
        Quantity("B", 4.5e-6, "1/cm", doc="of the power law", per="level"),
        Quantity("G", 400.0, "1/cm", 0.0, doc="of Guinier's law", per="level"),
    )
    controls = (Control("level", 1, 0, 6, "number of levels"),)
    reference = "Beaucage 1995"

    @property
    def zero_q(self) -> bool:  # type: ignore[override]
        """Whether q = 0 has a value: with levels it has."""
        return self.counts["level"] > 0

    def intensity(self, q: Float[Array, "..."], p: Any) -> Float[Array, "..."]:
        """Sum over the levels; ΣG at q = 0."""
        if p.level == 0:
            return 1 / q
        moving = q > 0
        q_safe = jnp.where(moving, q, 1.0)

        def level(rg: Any, above: Any, exponent: Any, b: Any, g: Any) -> Any:
            square = jnp.square(q)
            hard = power(erf(q * rg / math.sqrt(6)), 3.0) / q_safe
            tail = jnp.exp(-square * jnp.square(above) / 3)
            law = jnp.where(moving, b * tail * power(hard, exponent), 0.0)
            return g * jnp.exp(-square * jnp.square(rg) / 3) + law

        above = jnp.concatenate([p.rg[1:], jnp.zeros(1, p.rg.dtype)])
        each = jax.vmap(level)(p.rg, above, p.power, p.B, p.G)
        return jnp.sum(each, axis=0)


class TwoPowerLaw(AbstractIntensity):
    """Two power laws that meet at a crossover.

    A q^-m1 up to q_c and A q_c^(m2-m1) q^-m2 above: continuous, with a kink.
    """

    name = "two_power_law"
    reference = "empirical function"
    category = "shape-independent"
    table = (
        number("coefficent_1", 1.0, doc="A; spelt as in SasView"),
        number("crossover", 0.04, "1/Å", lo=0.0, doc="q where the exponent changes"),
        number("power_1", 1.0, lo=0.0, doc="exponent below the crossover"),
        number("power_2", 4.0, lo=0.0, doc="exponent above the crossover"),
    )
    zero_q = False

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """A q^-m1 (max(q, q_c)/q_c)^-(m2-m1)."""
        crossed = p.crossover > 0
        # a crossover at 0 leaves the second law with a vanishing amplitude
        log_c = jnp.where(crossed, jnp.log(jnp.where(crossed, p.crossover, 1.0)), -690)
        log_q = jnp.log(q)
        past = jnp.where(q > p.crossover, log_q - log_c, 0.0)
        fall = p.power_1 * log_q + (p.power_2 - p.power_1) * past
        return p.coefficent_1 * jnp.exp(-fall)


class Line(AbstractIntensity):
    """A straight line in q."""

    name = "line"
    reference = "empirical function"
    category = "shape-independent"
    table = (
        number("intercept", 1.0, "1/cm", doc="value at q = 0"),
        number("slope", 1.0, "Å/cm", doc="derivative with respect to q"),
    )

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """The line a + bq of intercept a and slope b."""
        return p.intercept + p.slope * q
