"""Correlation peaks, correlation lengths and gels.

Functions of q for structures that are no particles: bicontinuous phases, networks,
blends, phase separation. Units: see `declaration`; the amplitudes in 1/cm.

References:
    [1] L. S. Ornstein and F. Zernike, Proc. Acad. Sci. Amsterdam 17, 793 (1914).
    [2] P. Debye, H. R. Anderson and H. Brumberger, J. Appl. Phys. 28, 679 (1957).
    [3] M. Teubner and R. Strey, J. Chem. Phys. 87, 3195 (1987).
    [4] M. Shibayama, T. Tanaka and C. C. Han, J. Chem. Phys. 97, 6829 (1992), gels.
    [5] G. Evmenenko et al., Polymer 42, 2907 (2001), static and dynamic lengths.
    [6] H. Furukawa, Physica A 123, 497 (1984), spinodal decomposition.
    [7] B. Hammouda, D. L. Ho and S. R. Kline, Macromolecules 37, 6932 (2004).
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from .declaration import AbstractIntensity, number
from .power_laws import power


def _screened(q: Floats, length: Floats, exponent: Floats) -> Float[Array, "..."]:
    """1/(1 + |qξ|^m), 1 at qξ = 0."""
    return 1 / (1 + power(jnp.abs(q * length), exponent))


class BroadPeak(AbstractIntensity):
    """Broad peak on a power law: [A q⁻ⁿ + C/(1 + |(q - q₀)ξ|^m)]^p.

    Not a number where the bracket is negative and p is not 1.
    """

    name = "broad_peak"
    reference = "empirical function"
    category = "shape-independent"
    table = (
        number("porod_scale", 1e-5, doc="A of the power law"),
        number("porod_exp", 3.0, doc="n of the power law"),
        number("peak_scale", 10.0, doc="C of the peak"),
        number("correlation_length", 50.0, "Å", doc="ξ, inverse width of the peak"),
        number("peak_pos", 0.1, "1/Å", doc="q₀ of the peak"),
        number("width_exp", 2.0, doc="m, exponent of the peak's flanks"),
        number("shape_exp", 1.0, doc="p, exponent of the whole"),
    )
    zero_q = False

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """[A q⁻ⁿ + C/(1 + |(q - q₀)ξ|^m)]^p."""
        peak = _screened(q - p.peak_pos, p.correlation_length, p.width_exp)
        inside = p.porod_scale * jnp.exp(-p.porod_exp * jnp.log(q))
        inside = inside + p.peak_scale * peak
        outside = jnp.where(p.shape_exp == 1.0, inside, jnp.nan)
        return jnp.where(
            inside > 0,
            power(inside, p.shape_exp),
            jnp.where((inside == 0) & (p.shape_exp != 1.0), 0.0, outside),
        )


class CorrelationLength(AbstractIntensity):
    """Power law of large clusters and screened polymer: A q⁻ⁿ + C/(1 + (qξ)^m) [7]."""

    name = "correlation_length"
    category = "shape-independent"
    table = (
        number("lorentz_scale", 10.0, lo=0.0, doc="C of the polymer"),
        number("porod_scale", 1e-6, lo=0.0, doc="A of the clusters"),
        number("cor_length", 50.0, "Å", lo=0.0, doc="ξ of the polymer"),
        number("porod_exp", 3.0, lo=0.0, doc="n of the clusters"),
        number("lorentz_exp", 2.0, lo=0.0, doc="m of the polymer"),
    )
    zero_q = False
    reference = "Hammouda, Ho & Kline 2004"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """A q⁻ⁿ + C/(1 + (qξ)^m)."""
        clusters = p.porod_scale * jnp.exp(-p.porod_exp * jnp.log(q))
        return clusters + p.lorentz_scale * _screened(q, p.cor_length, p.lorentz_exp)


class Lorentz(AbstractIntensity):
    """Ornstein-Zernike function 1/(1 + (qξ)²)."""

    name = "lorentz"
    category = "shape-independent"
    table = (number("cor_length", 50.0, "Å", lo=0.0, doc="ξ, screening length"),)
    reference = "Ornstein & Zernike 1914"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1/(1 + (qξ)²)."""
        return 1 / (1 + jnp.square(q * p.cor_length))


class TwoLorentzian(AbstractIntensity):
    """Sum of two functions A/(1 + |qξ|ⁿ).

    The sign of a length has no meaning here.
    """

    name = "two_lorentzian"
    reference = "empirical function"
    category = "shape-independent"
    table = (
        number("lorentz_scale_1", 10.0, doc="A of the first"),
        number("lorentz_length_1", 100.0, "Å", doc="ξ of the first"),
        number("lorentz_exp_1", 3.0, doc="n of the first"),
        number("lorentz_scale_2", 1.0, doc="A of the second"),
        number("lorentz_length_2", 10.0, "Å", doc="ξ of the second"),
        number("lorentz_exp_2", 2.0, doc="n of the second"),
    )

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """Σ A/(1 + |qξ|ⁿ)."""
        first = _screened(q, p.lorentz_length_1, p.lorentz_exp_1)
        second = _screened(q, p.lorentz_length_2, p.lorentz_exp_2)
        return p.lorentz_scale_1 * first + p.lorentz_scale_2 * second


class Dab(AbstractIntensity):
    """Two phases with sharp random interfaces, ξ³/(1 + (qξ)²)² of Debye [2]."""

    name = "dab"
    category = "shape-independent"
    table = (number("cor_length", 50.0, "Å", lo=0.0, doc="ξ, correlation length"),)
    reference = "Debye, Anderson & Brumberger 1957"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """ξ³/(1 + (qξ)²)²."""
        return p.cor_length**3 / jnp.square(1 + jnp.square(q * p.cor_length))


class TeubnerStrey(AbstractIntensity):
    """Bicontinuous microemulsion of period d and correlation length ξ [3].

    With k = 2πξ/d and t = 1/(1+k²) it is
    8πφ(1-φ)Δ² ξ³t²/[1 + 2t(2t-1)(qξ)² + t²(qξ)⁴].
    """

    name = "teubner_strey"
    category = "shape-independent"
    table = (
        number("volfraction_a", 0.5, lo=0.0, hi=1.0, doc="φ of phase a"),
        number("sld_a", 0.3, "1e-6/Å²", doc="of phase a"),
        number("sld_b", 6.3, "1e-6/Å²", doc="of phase b"),
        number("d", 100.0, "Å", lo=0.0, doc="period of the domains"),
        number("xi", 30.0, "Å", lo=0.0, doc="correlation length"),
    )
    reference = "Teubner & Strey 1987"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 · 8πφ(1-φ)Δ² ξ³t²/[1 + 2t(2t-1)(qξ)² + t²(qξ)⁴]."""
        period, wave = p.d**2, (2 * math.pi * p.xi) ** 2
        empty = period + wave == 0
        t = jnp.where(empty, 1.0, period / jnp.where(empty, 1.0, period + wave))
        x2 = jnp.square(q * p.xi)
        shape = p.xi**3 * t**2 / (1 + 2 * t * (2 * t - 1) * x2 + jnp.square(t * x2))
        contrast = p.volfraction_a * (1 - p.volfraction_a) * (p.sld_a - p.sld_b) ** 2
        return 8e-4 * math.pi * contrast * shape


class GelFit(AbstractIntensity):
    """Polymer gel: a network of fractal dimension D and its inhomogeneities [4]."""

    name = "gel_fit"
    category = "shape-independent"
    table = (
        number("guinier_scale", 1.7, "1/cm", doc="of the inhomogeneities"),
        number("lorentz_scale", 3.5, "1/cm", doc="of the network"),
        number("rg", 104.0, "Å", lo=2.0, doc="of the inhomogeneities"),
        number("fractal_dim", 2.0, lo=0.0, doc="D of the network"),
        number("cor_length", 16.0, "Å", lo=0.0, doc="ξ of the network"),
    )
    reference = "Shibayama, Tanaka & Han 1992"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """L/(1 + (D+1)/3 (qξ)²)^(D/2) + G exp(-(qR_g)²/3)."""
        x = (p.fractal_dim + 1) / 3 * jnp.square(q * p.cor_length)
        network = jnp.exp(-0.5 * p.fractal_dim * jnp.log1p(x))
        clusters = jnp.exp(-jnp.square(q * p.rg) / 3)
        return p.lorentz_scale * network + p.guinier_scale * clusters


class GaussLorentzGel(AbstractIntensity):
    """Gel of frozen and of fluctuating density [5]."""

    name = "gauss_lorentz_gel"
    category = "shape-independent"
    table = (
        number("gauss_scale", 100.0, doc="of the frozen part"),
        number("cor_length_static", 100.0, "Å", lo=0.0, doc="Ξ of the frozen part"),
        number("lorentz_scale", 50.0, doc="of the fluctuations"),
        number("cor_length_dynamic", 20.0, "Å", lo=0.0, doc="ξ of the fluctuations"),
    )
    reference = "Evmenenko et al. 2001"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """G exp(-(qΞ)²/2) + L/(1 + (qξ)²)."""
        frozen = jnp.exp(-0.5 * jnp.square(q * p.cor_length_static))
        moving = 1 / (1 + jnp.square(q * p.cor_length_dynamic))
        return p.gauss_scale * frozen + p.lorentz_scale * moving


class PeakLorentz(AbstractIntensity):
    """Lorentzian peak in q, of height 1."""

    name = "peak_lorentz"
    reference = "empirical function"
    category = "shape-independent"
    table = (
        number("peak_pos", 0.05, "1/Å", doc="q₀ of the peak"),
        number("peak_hwhm", 0.005, "1/Å", doc="half width at half maximum"),
    )

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1/(1 + ((q - q₀)/B)²)."""
        width = jnp.square(p.peak_hwhm)
        whole = width + jnp.square(q - p.peak_pos)
        on_top = whole == 0
        return jnp.where(on_top, 1.0, width / jnp.where(on_top, 1.0, whole))


class GaussianPeak(AbstractIntensity):
    """Gaussian peak in q, of height 1."""

    name = "gaussian_peak"
    reference = "empirical function"
    category = "shape-independent"
    table = (
        number("peak_pos", 0.05, "1/Å", doc="q₀ of the peak"),
        number("sigma", 0.005, "1/Å", lo=0.0, doc="standard deviation"),
    )

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """exp(-½((q - q₀)/σ)²)."""
        off = q - p.peak_pos
        sharp = p.sigma == 0
        x = off / jnp.where(sharp, 1.0, p.sigma)
        needle = jnp.where(off == 0, 1.0, 0.0)
        return jnp.where(sharp, needle, jnp.exp(-0.5 * jnp.square(x)))


class Spinodal(AbstractIntensity):
    """Phase separation at a late stage, with its maximum 1 at q = q₀ [6].

    γ = d+1 for droplets and 2d for a bicontinuous pattern in d dimensions.
    """

    name = "spinodal"
    category = "shape-independent"
    table = (
        number("gamma", 3.0, doc="exponent"),
        number("q_0", 0.1, "1/Å", doc="position of the maximum"),
    )
    reference = "Furukawa 1984"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """(1+γ/2)x²/(γ/2 + x^(2+γ)), x = q/q₀."""
        nowhere = p.q_0 == 0
        x = jnp.abs(q / jnp.where(nowhere, 1.0, p.q_0))
        below = 0.5 * p.gamma + power(x, 2 + p.gamma)
        pole = below == 0
        curve = (1 + 0.5 * p.gamma) * jnp.square(x) / jnp.where(pole, 1.0, below)
        return jnp.where(nowhere | pole, 0.0, curve)
