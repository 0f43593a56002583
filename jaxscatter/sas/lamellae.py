"""Lamellae: single sheets and stacks, averaged over directions.

A sheet's amplitude per area a(q) is taken along its normal; the average over
directions is 2π/q². With one repeat distance d per sheet,

    I(q) = 2π a²(q) S(q)/(d q²),

S = 1 and d the thickness for single sheets. Nothing is divided by a volume. There is
no finite value at q = 0.

Units: q in 1/Å, lengths Å, scattering length densities 1e-6/Å².

References:
    [1] F. Nallet, R. Laversanne and D. Roux, J. Phys. II 3, 487 (1993).
    [2] M. Bergström, J. S. Pedersen, P. Schurtenberger and S. U. Egelhaaf,
        J. Phys. Chem. B 103, 9888 (1999).
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..numerics import sinc, sincos
from ..numerics._dtype import common_float
from .declaration import AbstractIntensity, Control, number, size, sld

_MOST = 10_000  # layers


def bilayer(q: Floats, p: Any) -> Float[Array, "..."]:
    """Amplitude 2{Δh [sin q(H+T) - sin qT] + Δt sin qT}/q per area of a bilayer.

    Heads of length H outside, tails of length T inside, Δ against the solvent.
    """
    whole, tail = p.length_head + p.length_tail, p.length_tail
    outer, inner = whole * sinc(q * whole), tail * sinc(q * tail)
    head_contrast = p.sld_head - p.sld_solvent
    return 2 * (head_contrast * outer + (p.sld - p.sld_head) * inner)


def caille(
    q: Floats, layers: int, spacing: Scalar, parameter: Scalar
) -> Float[Array, "..."]:
    """S = 1 + 2 Σ_(n<N) (1 - n/N) cos(nqd) exp(-q²d²α_n) of a smectic stack [1].

    α_n = η/(4π²) (ln πn + γ), γ of Euler: layers that undulate.

    Args:
        q: in 1/Å, any shape.
        layers: N, static.
        spacing: d in Å.
        parameter: η of Caillé, ≥ 0.
    """
    q, spacing, parameter = common_float(q, spacing, parameter)
    n = np.arange(1, layers)
    shape = (1,) * q.ndim + (-1,)
    phase = (q * spacing)[..., None]
    alpha = (np.log(np.pi * n) + np.euler_gamma) / (4 * np.pi**2)
    _, cos = sincos(phase * jnp.asarray(n.astype(float)).reshape(shape))
    damped = jnp.exp(-jnp.square(phase) * parameter * jnp.asarray(alpha).reshape(shape))
    weight = jnp.asarray(2 * (1 - n / layers)).reshape(shape)
    return 1 + jnp.sum(weight * cos * damped, axis=-1)


def paracrystal(
    q: Floats, layers: Scalar, spacing: Scalar, sigma: Scalar
) -> Float[Array, "..."]:
    """S = 1 + 2 Σ_(n<N) (1 - n/N) wⁿ cos(nqd), w = exp(-½ (qσd)²), of a paracrystal.

    Between whole N, the mixture of stacks of the two nearest numbers, whose mean is N.

    Args:
        q: in 1/Å, any shape.
        layers: N ≥ 1, any number.
        spacing: d in Å.
        sigma: standard deviation σ of the distance of neighbours, relative to d.
    """
    q, layers, spacing, sigma = common_float(q, layers, spacing, sigma)
    whole = lax.stop_gradient(jnp.floor(layers))
    more = layers - whole
    return (1 - more) * _stack(q, whole, spacing, sigma) + more * _stack(
        q, whole + 1, spacing, sigma
    )


def _stack(q: Array, n: Array, spacing: Array, sigma: Array) -> Array:
    """Fejér sum of a whole number of layers, S = coth(u/2) - (1-zⁿ)/(2n sinh²(u/2)).

    z = e^(-u), u = ½(qσd)² - iqd. At the Bragg peaks of a perfect stack u = 0: there
    S = {n D(nu) + 2(sinh u - u)/u²} / {2(cosh u - 1)/u²} with D of Debye, in series.
    """
    turn = q * spacing
    turn = turn - 2 * math.pi * lax.stop_gradient(jnp.round(turn / (2 * math.pi)))
    damping = 0.5 * jnp.square(q * spacing * sigma)
    near = jnp.square(n) * (jnp.square(damping) + jnp.square(turn)) < 1.0
    zero = jnp.zeros_like(turn)
    u = lax.complex(jnp.where(near, damping, zero), -jnp.where(near, turn, zero))
    v, u2 = n * u, jnp.square(u)
    one = jnp.ones_like(u)
    coil, odd, even = one, one, one
    for k in range(19, 2, -1):
        coil = 1 - v / k * coil
    for k in range(8, 1, -1):
        odd = 1 + u2 / (2 * k * (2 * k + 1)) * odd
        even = 1 + u2 / ((2 * k - 1) * 2 * k) * even
    close = jnp.real((n * coil + u / 3 * odd) / even)
    z = jnp.exp(-lax.complex(*(jnp.where(near, 1.0, x) for x in (damping, -turn))))
    last = jnp.exp(-n * jnp.where(near, 1.0, damping))
    sin, cos = sincos(n * jnp.where(near, 1.0, turn))
    power = lax.complex(last * cos, last * sin)
    far = (1 + z) / (1 - z) - 2 * z * (1 - power) / (n * jnp.square(1 - z))
    return jnp.where(near, close, jnp.real(far))


def _per_repeat(q: Floats, distance: Floats) -> Float[Array, "..."]:
    """1e-4 · 2π/(d q²), with 1 for a distance of 0."""
    q, distance = common_float(q, distance)
    safe = jnp.where(distance > 0, distance, 1.0)
    return 2e-4 * math.pi / (safe * jnp.square(q))


class _Lamellar(AbstractIntensity):
    """Common to all: where they are listed, and no value at q = 0."""

    category = "lamellae"
    zero_q = False


class Lamellar(_Lamellar):
    """Single sheet: 1e-4 · 4πΔ² · 2 sin²(qd/2)/(d q⁴)."""

    name = "lamellar"
    table = (
        size("thickness", 50.0, "d of the sheet"),
        sld("sld", 1.0, "of the sheet"),
        sld("sld_solvent", 6.0, "of the solvent"),
    )
    reference = "Nallet et al. 1993"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 · 2π Δ² d sinc²(qd/2)/q²."""
        wave = (p.sld - p.sld_solvent) * sinc(0.5 * q * p.thickness)
        return 2e-4 * math.pi * p.thickness * jnp.square(wave / q)


class LamellarHg(_Lamellar):
    """Single bilayer of heads and tails."""

    name = "lamellar_hg"
    table = (
        size("length_tail", 15.0, "T of one tail"),
        size("length_head", 10.0, "H of one head"),
        sld("sld", 0.4, "of the tails"),
        sld("sld_head", 3.0, "of the heads"),
        sld("sld_solvent", 6.0, "of the solvent"),
    )
    reference = "Nallet et al. 1993"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 · 2π a²/(2(H+T) q²)."""
        thickness = 2 * (p.length_head + p.length_tail)
        return _per_repeat(q, thickness) * jnp.square(bilayer(q, p))


class LamellarStackCaille(_Lamellar):
    """Stack of undulating sheets; `LamellarStackCaille(Nlayers=20)`."""

    name = "lamellar_stack_caille"
    table = (
        size("thickness", 30.0, "of a sheet"),
        size("d_spacing", 400.0, "repeat distance d"),
        number("Caille_parameter", 0.1, lo=0.0, hi=0.8, doc="η: how far sheets bend"),
        sld("sld", 6.3, "of the sheets"),
        sld("sld_solvent", 1.0, "of the solvent"),
    )
    controls = (Control("Nlayers", 20, 1, _MOST, "number of layers"),)
    reference = "Nallet et al. 1993"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 · 2π a² S/(d q²), a = Δδ sinc(qδ/2)."""
        contrast = p.sld - p.sld_solvent
        sheet = contrast * p.thickness * sinc(0.5 * q * p.thickness)
        stack = caille(q, p.Nlayers, p.d_spacing, p.Caille_parameter)
        return _per_repeat(q, p.d_spacing) * jnp.square(sheet) * stack

    def valid(self, p: Any) -> Any:
        """Repeat distance d > 0."""
        return p.d_spacing > 0


class LamellarHgStackCaille(_Lamellar):
    """Stack of undulating bilayers; `LamellarHgStackCaille(Nlayers=30)`."""

    name = "lamellar_hg_stack_caille"
    table = (
        size("length_tail", 10.0, "T of one tail"),
        size("length_head", 2.0, "H of one head"),
        size("d_spacing", 40.0, "repeat distance d"),
        number("Caille_parameter", 0.001, lo=0.0, hi=0.8, doc="η: how far sheets bend"),
        sld("sld", 0.4, "of the tails"),
        sld("sld_head", 2.0, "of the heads"),
        sld("sld_solvent", 6.0, "of the solvent"),
    )
    controls = (Control("Nlayers", 30, 1, _MOST, "number of layers"),)
    reference = "Nallet et al. 1993"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 · 2π a² S/(d q²)."""
        stack = caille(q, p.Nlayers, p.d_spacing, p.Caille_parameter)
        return _per_repeat(q, p.d_spacing) * jnp.square(bilayer(q, p)) * stack

    def valid(self, p: Any) -> Any:
        """Repeat distance d > 0."""
        return p.d_spacing > 0


class LamellarStackParacrystal(_Lamellar):
    """Stack of sheets whose neighbours' distances vary; normalised per sheet."""

    name = "lamellar_stack_paracrystal"
    table = (
        size("thickness", 33.0, "of a sheet"),
        number("Nlayers", 20.0, lo=1.0, doc="number of layers, any number"),
        number("d_spacing", 250.0, "Å", lo=0.0, doc="repeat distance d"),
        number("sigma_d", 0.0, lo=0.0, doc="its standard deviation, relative to d"),
        sld("sld", 1.0, "of the sheets"),
        sld("sld_solvent", 6.34, "of the solvent"),
    )
    reference = "Bergström et al. 1999"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 · 2π Δ² sinc²(qδ/2) S/q²."""
        wave = (p.sld - p.sld_solvent) * sinc(0.5 * q * p.thickness) / q
        stack = paracrystal(q, p.Nlayers, p.d_spacing, p.sigma_d)
        return 2e-4 * math.pi * jnp.square(wave) * stack
