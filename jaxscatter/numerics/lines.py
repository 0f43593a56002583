"""Sums of Lorentzians on a grid: pointwise, averaged over a bin, or band limited.

Units: `omega`, `gamma`, `step` and `width` share one energy unit; the profiles are per
that unit and have unit area. `gamma` ≥ 0 is the half width at half maximum.

A convolution on a grid of step D needs the Lorentzian's mean weight near each point. A
sampled value does that only while Γ > 2D. The bin average keeps the area at any Γ but
convolves with a box of variance D²/12, and smears a shift smaller than D. The
band-limited profile, whose Fourier transform exp(-Γ|t|) is cut at |t| = π/D, is exact
at any Γ and any shift for kernels that hold nothing beyond that frequency (sampling
theorem).

Each sum carries a tangent rule made of two matrix products, so that p tangents pushed
through it together cost one (p, n) x (n, N) product, not p evaluations.

References:
    [1] C. E. Shannon, Proc. IRE 37, 10 (1949), sampling of band-limited signals.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from .._types import Floats
from ._dtype import common_float

_Parts = tuple[Array, Array, Array, Array]


def _lorentzian(omega: Array, width: Array, gamma: Array) -> _Parts:
    """The sampled profile and its derivatives by omega, width (none) and gamma."""
    inverse = 1 / (jnp.square(omega) + jnp.square(gamma))
    value = gamma * inverse / jnp.pi
    by_omega = -2 * omega * inverse * value
    by_gamma = (jnp.square(omega) - jnp.square(gamma)) * jnp.square(inverse) / jnp.pi
    return value, by_omega, jnp.zeros_like(value), by_gamma


def _bin_integrated(omega: Array, width: Array, gamma: Array) -> _Parts:
    """The bin average and its derivatives by omega, width and gamma."""
    upper, lower = omega + width / 2, omega - width / 2
    g2 = jnp.square(gamma)

    def inverse(edge):
        den = jnp.square(edge) + g2
        return jnp.where(den == 0.0, 0.0, 1 / jnp.where(den == 0.0, 1.0, den))

    # One atan2 instead of the difference of two atan: no cancellation in the wings.
    angle = jnp.arctan2(gamma * width, g2 + upper * lower)
    high, low = inverse(upper), inverse(lower)
    value = angle / (jnp.pi * width)
    by_omega = gamma * (high - low) / (jnp.pi * width)
    by_width = (gamma * (high + low) / (2 * jnp.pi) - value) / width
    by_gamma = (lower * low - upper * high) / (jnp.pi * width)
    return value, by_omega, by_width, by_gamma


def _phase(omega: Array, step: Array) -> tuple[Array, Array]:
    """Pair (sin b, 1 - cos b) of b = πω/D, by polynomials about a grid point.

    Subtracting the nearest multiple of D first keeps the digits that b itself loses
    far from zero, and polynomials vectorise where calls of sin and cos take most of the
    time.
    """
    nearest = jnp.round(omega / step)
    half = (omega - nearest * step) * (jnp.pi / step) / 2  # |half| ≤ π/4
    square = jnp.square(half)
    sin, cos = jnp.ones_like(square), jnp.ones_like(square)
    for k in range(16, 0, -2):
        sin = 1 - square / (k * (k + 1)) * sin
        cos = 1 - square / (k * (k - 1)) * cos
    sin = sin * half
    even = jnp.mod(nearest, 2.0) == 0.0
    sin_b = jnp.where(even, 2.0, -2.0).astype(square.dtype) * sin * cos
    return sin_b, 2 * jnp.square(jnp.where(even, sin, cos))


def _band_limited(omega: Array, step: Array, gamma: Array) -> _Parts:
    """The band-limited profile and its derivatives by omega, step and gamma.

    With T = π/D and z = (Γ - iω)T the profile is (T/π) Re φ(z), φ(z) = (1 - e⁻ᶻ)/z.
    What depends on ω or Γ alone is computed on its own axis: the table itself costs a
    division and some twenty products per entry.
    """
    t = jnp.pi / step
    a, b = gamma * t, omega * t
    sin_b, rise_b = _phase(omega, step)
    decay, rise_a = jnp.exp(-a), -jnp.expm1(-a)
    cos, sin = decay * (1 - rise_b), decay * sin_b  # e⁻ᶻ
    rise = decay * rise_b + rise_a  # 1 - Re e⁻ᶻ, no cancellation at small z
    den = jnp.square(a) + jnp.square(b)
    small = den < 1e-8
    inverse = 1 / jnp.where(small, 1.0, den)
    re = (rise * a + sin * b) * inverse
    im = (rise * b - sin * a) * inverse
    dre = ((cos - re) * a - (sin - im) * b) * inverse  # φ' = (e⁻ᶻ - φ)/z
    dim = ((cos - re) * b + (sin - im) * a) * inverse

    # φ = 1 - z/2 + z²/6, φ' = -1/2 + z/3 - z²/8 with z = a - ib, good to |z|³/24.
    x, y = jnp.where(small, a, 0.0), jnp.where(small, b, 0.0)
    square = jnp.square(x) - jnp.square(y)
    re = jnp.where(small, 1 - x / 2 + square / 6, re)
    dre = jnp.where(small, -0.5 + x / 3 - square / 8, dre)
    dim = jnp.where(small, -y / 3 + x * y / 4, dim)
    scale = t / jnp.pi
    return scale * re, scale * t * dim, -jnp.square(scale) * cos, scale * t * dre


def _line_sum(profile: Callable[[Array, Array, Array], _Parts]) -> Callable:
    """Σ wᵢ L(ω; Γᵢ) of (omega, width, weights, gammas) with its tangent rule."""

    def parts(omega, width, gammas):
        return profile(omega[None, :], width[None, :], gammas[:, None])

    @jax.custom_jvp
    def total(omega, width, weights, gammas):
        return weights @ parts(omega, width, gammas)[0]

    def rule(primals, tangents):
        omega, width, weights, gammas = primals
        d_omega, d_width, d_weights, d_gammas = tangents
        value, by_omega, by_width, by_gamma = parts(omega, width, gammas)
        out = jnp.zeros_like(omega)
        # A tangent known to be zero (most are) costs nothing.
        if not isinstance(d_weights, SymbolicZero):
            out = out + d_weights @ value
        if not isinstance(d_gammas, SymbolicZero):
            out = out + d_gammas @ (weights[:, None] * by_gamma)
        if not isinstance(d_omega, SymbolicZero):
            out = out + d_omega * (weights @ by_omega)
        if not isinstance(d_width, SymbolicZero):
            out = out + d_width * (weights @ by_width)
        return weights @ value, out

    total.defjvp(rule, symbolic_zeros=True)
    return total


_lorentzian_sum = _line_sum(_lorentzian)
_bin_integrated_sum = _line_sum(_bin_integrated)
_band_limited_sum = _line_sum(_band_limited)


def _flat_sum(total, omega, width, weights, gammas) -> Array:
    """Apply a line sum to arguments of any broadcastable shape."""
    omega, width, weights, gammas = common_float(omega, width, weights, gammas)
    weights, gammas = jnp.broadcast_arrays(jnp.ravel(weights), jnp.ravel(gammas))
    width = jnp.broadcast_to(width, omega.shape)
    flat = total(jnp.ravel(omega), jnp.ravel(width), weights, gammas)
    return jnp.reshape(flat, omega.shape)


def lorentzian_sum(
    omega: Floats, weights: Floats, gammas: Floats
) -> Float[Array, "..."]:
    """Sum Σ wᵢ (1/π) Γᵢ/(ω² + Γᵢ²) of sampled Lorentzians, Γᵢ > 0.

    Returns the shape of `omega`; `weights` and `gammas` are (n,) or scalars.
    """
    return _flat_sum(_lorentzian_sum, omega, 1.0, weights, gammas)


def bin_integrated_sum(
    omega: Floats, weights: Floats, gammas: Floats, width: Floats
) -> Float[Array, "..."]:
    """Sum of Lorentzians averaged over bins of `width` centred at `omega`.

    Tends to a box 1/width as Γ → 0; see `bin_integrated_lorentzian`. `width` is a
    scalar or has the shape of `omega`.
    """
    return _flat_sum(_bin_integrated_sum, omega, width, weights, gammas)


def band_limited_sum(
    omega: Floats, weights: Floats, gammas: Floats, step: Floats
) -> Float[Array, "..."]:
    """Sum of band-limited Lorentzians for a grid of `step`, Γᵢ ≥ 0.

    See `band_limited_lorentzian`. `step` is a scalar or has the shape of `omega`.
    """
    return _flat_sum(_band_limited_sum, omega, step, weights, gammas)


def bin_integrated_lorentzian(
    omega: Floats, gamma: Floats, width: Floats
) -> Float[Array, "..."]:
    """Mean [atan((ω+D/2)/Γ) - atan((ω-D/2)/Γ)]/(πD) of a Lorentzian over a bin D.

    Tends to the Lorentzian for Γ ≫ D and to a box of height 1/D as Γ → 0. Its second
    derivatives don't exist at Γ = 0 on a bin's edge.
    """
    omega, gamma, width = common_float(omega, gamma, width)
    return _bin_integrated(omega, width, gamma)[0]


def band_limited_lorentzian(
    omega: Floats, gamma: Floats, step: Floats
) -> Float[Array, "..."]:
    """Lorentzian cut at the frequency π/D of a grid of step D.

    L = [Γ(1 - E cos ωT) + ωE sin ωT]/(π(ω² + Γ²)), T = π/D, E = exp(-ΓT): the Fourier
    integral of exp(-Γ|t|) over |t| < T. Tends to the Lorentzian for Γ ≫ D and to
    sin(ωT)/(πω) as Γ → 0, which is 1/D at ω = 0 and 0 at every other grid point. Smooth
    at Γ = ω = 0. Small negative side lobes between grid points are part of it.
    """
    omega, gamma, step = common_float(omega, gamma, step)
    return _band_limited(omega, step, gamma)[0]
