"""Bessel functions divided by their leading power, smooth at 0: form factors of bodies.

    Λ_n(x) = n! 2ⁿ J_n(x)/xⁿ            Λ_n' = -x/(2(n+1)) Λ_{n+1}
    S_n(x) = (2n+1)!! j_n(x)/xⁿ         S_n' = -x/(2n+3) S_{n+1}

Both are even, entire and 1 at x = 0; S_0 is sin(x)/x. Their derivatives stay in the
family, so every order is as clean at 0 as the value. JAX has no J₀ and J₁ (its
`bessel_jn` was measured wrong by more than the value at x = 75).

References:
    [1] NIST Digital Library of Mathematical Functions, 10.6, 10.8, 10.17 and 10.51.
"""

import fractions
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial import chebyshev

from .._types import Floats
from ._dtype import common_float
from .trig import sincos

_FAR = 8.0  # |x| from which J₀ and J₁ are taken from modulus and phase
_ORIGIN = 1.0  # |x| below which S_n is summed as a series, and ½ more per order

# Chebyshev coefficients in 2(8/x)² - 1 of P_n and of Q_n x/8, where
# J_n(x) = √(2/πx) (P_n cos χ - Q_n sin χ), χ = x - (2n+1)π/4: computed with mpmath at
# 60 digits from J_n and Y_n at 48 nodes. The next ones are below 3e-17.
_P = (
    (
        0.9994603493475186654,
        -0.0005365220468132117425,
        3.075184787519474622e-6,
        -5.170594537606097701e-8,
        1.630646463515138309e-9,
        -7.864091377237069999e-11,
        5.168262387349192462e-12,
        -4.304578869925391222e-13,
        4.326595743154940564e-14,
        -5.069034095935236078e-15,
        6.748072215733873704e-16,
        -1.001151372346778583e-16,
    ),
    (
        1.0009030408600137,
        0.0008989898330859408556,
        -3.987284300488908523e-6,
        6.177633960644298535e-8,
        -1.871890749106306609e-9,
        8.816898659582338898e-11,
        -5.704863640395644702e-12,
        4.699195515230542375e-13,
        -4.684223783990489222e-14,
        5.452674896044717168e-15,
        -7.221180842274017919e-16,
        1.066768911433541246e-16,
    ),
)
_Q = (
    (
        -0.0155558546053370091,
        0.00006838519942611649599,
        -7.414498411060647265e-7,
        1.797245724796899178e-8,
        -7.271915936866319979e-10,
        4.220121904668738444e-11,
        -3.206747420996634745e-12,
        3.006145125351706311e-13,
        -3.336328185322426997e-14,
        4.255225040245461123e-15,
        -6.09993013164005001e-16,
    ),
    (
        0.04677778706953532524,
        -0.00009627723549157079324,
        9.138615257955454124e-7,
        -2.095978138408342246e-8,
        8.229193327650554129e-10,
        -4.68636368817694523e-11,
        3.515218794968608085e-12,
        -3.264315674327899926e-13,
        3.596776582916529193e-14,
        -4.561252395077297194e-15,
        6.508282957783383954e-16,
    ),
)
_P_POWERS = tuple(chebyshev.cheb2poly(c) for c in _P)
_Q_POWERS = tuple(chebyshev.cheb2poly(c) for c in _Q)


def _horner(powers: np.ndarray, x: Array) -> Array:
    value = jnp.full_like(x, powers[-1])
    for c in powers[-2::-1]:
        value = value * x + float(c)
    return value


@functools.cache
def _near(n: int) -> np.ndarray:
    """Powers of s = x²/32 - 1 that give Λ_n to 1e-17 for |x| < 8.

    The Taylor series in x² about 0 cancels to 4e-14 there; moved to the middle of the
    interval in exact fractions and economised, it does not.
    """
    half = fractions.Fraction(int(_FAR) ** 2, 2)
    terms = 48
    about_middle = [fractions.Fraction(0)] * terms
    for k in range(terms):
        c = fractions.Fraction(
            (-1) ** k * math.factorial(n),
            4**k * math.factorial(k) * math.factorial(n + k),
        )
        for i in range(k + 1):
            about_middle[i] += c * half**k * math.comb(k, i)
    economised = [fractions.Fraction(0)] * terms
    for m, c in enumerate(about_middle):
        for i in range(m // 2 + 1):
            share = c * math.comb(m, i) / fractions.Fraction(2) ** m
            economised[m - 2 * i] += share if m == 2 * i else 2 * share
    kept = [float(c) for c in economised]
    last = max(i for i, c in enumerate(kept) if abs(c) > 1e-17)
    return chebyshev.cheb2poly(kept[: last + 1])


def _far(n: int, x: Array) -> Array:
    """Λ_n for x >= 8: J₀ and J₁ by modulus and phase, upward recurrence from there."""
    inverse = _FAR / x
    s = 2 * jnp.square(inverse) - 1
    sin, cos = sincos(x)
    root = jax.lax.rsqrt(jnp.pi * x)

    def order(i: int) -> Array:
        p, q = _horner(_P_POWERS[i], s), inverse * _horner(_Q_POWERS[i], s)
        if i == 0:
            return root * (p * (cos + sin) - q * (sin - cos))
        return root * (p * (sin - cos) + q * (sin + cos))

    if n < 2:
        here = order(n)
    else:
        below, here = order(0), order(1)
        for i in range(1, n):
            below, here = here, 2 * i / x * here - below
    return math.factorial(n) * (2 / x) ** n * here


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _lambda(n: int, x: Array) -> Array:
    size = jnp.abs(x)
    near = size < _FAR
    s = jnp.square(jnp.where(near, x, 0.0)) * (2 / _FAR**2) - 1
    return jnp.where(near, _horner(_near(n), s), _far(n, jnp.where(near, _FAR, size)))


@_lambda.defjvp
def _lambda_jvp(n, primals, tangents):
    (x,), (dx,) = primals, tangents
    return _lambda(n, x), -x / (2 * (n + 1)) * _lambda(n + 1, x) * dx


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _spherical(n: int, x: Array) -> Array:
    origin = _ORIGIN + 0.5 * n
    near = jnp.abs(x) < origin
    x2 = jnp.square(jnp.where(near, x, 0.0))
    series = jnp.ones_like(x)
    for k in range(9 + 2 * n, 0, -1):
        series = 1 - x2 / (2 * k * (2 * n + 2 * k + 1)) * series
    far = jnp.where(near, origin, x)
    sin, cos = sincos(far)
    inverse = 1 / far
    below, here = cos * inverse, sin * inverse  # j_{-1}, j_0
    for i in range(n):
        below, here = here, (2 * i + 1) * inverse * here - below
    double_factorial = math.prod(range(1, 2 * n + 2, 2))
    return jnp.where(near, series, double_factorial * here * inverse**n)


@_spherical.defjvp
def _spherical_jvp(n, primals, tangents):
    (x,), (dx,) = primals, tangents
    return _spherical(n, x), -x / (2 * n + 3) * _spherical(n + 1, x) * dx


def sinc(x: Floats) -> Float[Array, "..."]:
    """sin(x)/x, 1 at x = 0, with derivatives of every order there."""
    (x,) = common_float(x)
    return _spherical(0, x)


def three_j1_over_x(x: Floats) -> Float[Array, "..."]:
    """3(sin x - x cos x)/x³, the amplitude of a sphere; 1 at x = 0."""
    (x,) = common_float(x)
    return _spherical(1, x)


def two_j1_over_x(x: Floats) -> Float[Array, "..."]:
    """2 J₁(x)/x, the amplitude of a disk; 1 at x = 0."""
    (x,) = common_float(x)
    return _lambda(1, x)


def bessel_j0(x: Floats) -> Float[Array, "..."]:
    """Bessel function J₀(x), to 1e-15 of 1."""
    (x,) = common_float(x)
    return _lambda(0, x)


def bessel_j1(x: Floats) -> Float[Array, "..."]:
    """Bessel function J₁(x), to 1e-15 of 1."""
    (x,) = common_float(x)
    return 0.5 * x * _lambda(1, x)
