"""Special functions with clean values and derivatives: spherical Bessel, Voigt.

Units: arguments share whatever unit the caller uses.

References:
    [1] F. W. J. Olver and D. J. Sookne, Math. Comp. 26, 941 (1972), backward
        recurrence.
    [2] NIST Digital Library of Mathematical Functions, 7.12 and 10.51.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import wofz
from jaxtyping import Array, Float

from .._types import Floats
from ._dtype import common_float

_FAR = 12.0  # |z| beyond which ten terms of the asymptotic series reach 1e-16
_FAR_TERMS = 10


def _upward(lmax: int, x: Array) -> Array:
    """Bessel functions by upward recurrence, stable where |x| > lmax."""
    sin, cos = jnp.sin(x), jnp.cos(x)
    terms = [sin / x, (sin / x - cos) / x]
    for l in range(1, lmax):  # noqa: E741
        terms.append((2 * l + 1) / x * terms[l] - terms[l - 1])
    return jnp.stack(terms[: lmax + 1])


def _downward(lmax: int, x: Array) -> Array:
    """Bessel functions by downward recurrence, for |x| < lmax + 2 and at x = 0.

    The recurrence runs on h_l = (2l+1)!! j_l / x^l, which tends to 1 at x = 0: it
    never divides by x and never over- or underflows.
    """
    x2 = jnp.square(x)
    above, here = jnp.ones_like(x), jnp.ones_like(x)
    kept: list[Array] = [here] * (lmax + 2)
    for l in range(lmax + 18 + lmax // 2, 0, -1):  # noqa: E741
        above, here = here, here - x2 / ((2 * l + 1) * (2 * l + 3)) * above
        if l <= lmax + 2:
            kept[l - 1] = here
    origin = jnp.abs(x) < 1.0
    x_one = jnp.where(origin, 1.0, x)
    x_zero = jnp.where(x == 0.0, 1.0, x)
    h0 = jnp.where(x == 0.0, 1.0, jnp.sin(x_zero) / x_zero)
    h1 = 3 * (jnp.sin(x_one) / x_one - jnp.cos(x_one)) / jnp.square(x_one)
    # j_0 and j_1 have no common zero: the larger one sets the scale.
    use_h1 = ~origin & (jnp.abs(kept[0]) < jnp.abs(kept[1] * x / 3))
    scale = jnp.where(
        use_h1,
        h1 / jnp.where(use_h1, kept[1], 1.0),
        h0 / jnp.where(use_h1, 1.0, kept[0]),
    )
    power = scale
    terms = []
    for l in range(lmax + 1):  # noqa: E741
        terms.append(power * kept[l])
        power = power * x / (2 * l + 3)
    return jnp.stack(terms)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _bessel(lmax: int, x: Array) -> Array:
    top = max(lmax, 1)
    small = jnp.abs(x) < lmax + 2.0
    down = _downward(top, jnp.where(small, x, 0.0))
    up = _upward(top, jnp.where(small, lmax + 2.0, x))
    return jnp.where(small[None, ...], down, up)[: lmax + 1]


@_bessel.defjvp
def _bessel_jvp(lmax, primals, tangents):
    (x,), (dx,) = primals, tangents
    j = _bessel(lmax + 1, x)
    # (2l+1) j_l' = l j_{l-1} - (l+1) j_{l+1}: no division by x, so every order of
    # derivative is as clean at x = 0 as the values.
    slopes = [-j[1]]
    for l in range(1, lmax + 1):  # noqa: E741
        slopes.append((l * j[l - 1] - (l + 1) * j[l + 1]) / (2 * l + 1))
    return j[: lmax + 1], jnp.stack(slopes) * dx[None, ...]


def spherical_bessel(lmax: int, x: Floats) -> Float[Array, "..."]:
    """Spherical Bessel functions j₀(x) … j_lmax(x), stacked along a new first axis.

    Downward recurrence below |x| = lmax + 2 and upward above. Derivatives of any
    order come from j_l' = (l j_{l-1} - (l+1) j_{l+1})/(2l+1), so x = 0 is an ordinary
    point.

    Args:
        lmax: highest order, a Python integer ≥ 0.
        x: argument of any shape.
    """
    if lmax < 0:
        raise ValueError(f"lmax must be at least 0, got {lmax}")
    (x,) = common_float(x)
    return _bessel(int(lmax), x)


def voigt(
    omega: Floats, sigma: Floats, gamma: Floats, center: Floats = 0.0
) -> Float[Array, "..."]:
    """Voigt profile Re w(z)/(σ√2π), z = (ω - c + iΓ)/(σ√2), of unit area.

    The convolution of a Gaussian of standard deviation `sigma` ≥ 0 with a Lorentzian
    of half width `gamma` ≥ 0. Tends to the Lorentzian as σ → 0 and to the Gaussian as
    Γ → 0; with both zero it is a delta, not a number at ω = c.

    Far from the centre, |z| > 12, the asymptotic series (1/π) Re Σ (2k-1)!! i σ²ᵏ/u²ᵏ⁺¹
    with u = ω - c + iΓ is used: it is regular at σ = 0, and its derivatives don't
    cancel as those of w do.
    """
    omega, sigma, gamma, center = common_float(omega, sigma, gamma, center)
    x, gamma, sigma = jnp.broadcast_arrays(omega - center, gamma, sigma)
    far = jnp.square(x) + jnp.square(gamma) > 2 * _FAR**2 * jnp.square(sigma)

    u = lax.complex(jnp.where(far, x, 0.0), jnp.where(far, gamma, 1.0))
    inverse = 1 / u
    sigma_far = jnp.where(far, sigma, 0.0)
    ratio = jnp.square(inverse * lax.complex(sigma_far, jnp.zeros_like(sigma_far)))
    series = jnp.ones_like(ratio)
    for k in range(_FAR_TERMS, 0, -1):
        series = 1 + (2 * k - 1) * ratio * series
    wings = -jnp.imag(inverse * series) / jnp.pi

    sigma_near = jnp.where(far, 1.0, sigma)
    scale = 1 / (sigma_near * jnp.sqrt(2.0).astype(sigma.dtype))
    z = lax.complex(jnp.where(far, 0.0, x) * scale, jnp.where(far, 1.0, gamma) * scale)
    core = jnp.real(wofz(z)) * scale / jnp.sqrt(jnp.pi).astype(sigma.dtype)
    return jnp.where(far, wings, core)
