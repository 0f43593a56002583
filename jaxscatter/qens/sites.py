"""Jumps of a scatterer among equivalent sites of a circle: intensities and half widths.

Units: q in 1/Å, radius in Å, tau in ps, half widths (HWHM) in meV, sigma without unit.
The motion is S(Q, ω) = w₀ δ(ω) + Σ wᵢ L(ω; Γᵢ), averaged over orientations, returned
as weights and half widths with the elastic component first, of width 0.

References:
    [1] J. D. Barnes, J. Chem. Phys. 58, 5193 (1973), N sites.
    [2] A. Chahid, A. Alegría and J. Colmenero, Macromolecules 27, 3282 (1994),
        log-normal distribution of jump rates.
"""

import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..constants import HBAR
from ..errors import ParameterError
from ..numerics import sinc
from ..numerics._checks import nonnegative, positive
from ..numerics._dtype import common_float

_RATES = 21  # points of the distribution of ln(rate), as in QENSmodels
_REACH = math.sqrt(-2 * math.log(0.1))  # its ends in sigma: a tenth of the peak


class _Circle(NamedTuple):
    """Constants of N sites: chords in radii, transform of j₀, factors of ħ/τ."""

    chords: np.ndarray
    transform: np.ndarray
    rates: np.ndarray


def _whole(n: int | float) -> int:
    if not math.isfinite(n) or n != int(n) or n < 2:
        raise ParameterError(f"n is {n}; expected a whole number, at least 2")
    return int(n)


@functools.lru_cache(maxsize=64)
def _circle(n: int) -> _Circle:
    """What does not depend on a parameter, with j and N - j, k and N - k added up."""
    half = np.arange(n // 2 + 1)
    twice = np.where((half == 0) | (2 * half == n), 1.0, 2.0)
    # reduced modulo N, so that the cosines of equal angles are equal to the last bit
    angle = 2 * np.pi * (np.outer(half, half) % n) / n
    transform = np.outer(twice, twice) * np.cos(angle) / n
    chords = 2 * np.sin(np.pi * half / n)
    return _Circle(chords, transform, 2 * np.sin(np.pi * half / n) ** 2)


def _site_intensities(q: Floats, radius: Floats, n: int) -> Array:
    """Weights of the n // 2 + 1 components of different width."""
    nonnegative("q", q)
    positive("radius", radius)
    q, radius = common_float(q, radius)
    x = q * radius
    circle = _circle(n)
    chords = jnp.asarray(circle.chords, dtype=x.dtype)
    j0 = sinc(chords.reshape((-1,) + (1,) * x.ndim) * x[None, ...])
    transform = jnp.asarray(circle.transform, dtype=x.dtype)
    return jnp.tensordot(transform, j0, axes=1, precision=lax.Precision.HIGHEST)


def n_sites(
    q: Floats,
    radius: Floats,
    tau: Scalar,
    n: int | float,
    weights: Float[Array, "..."] | None = None,
) -> tuple[Float[Array, "..."], Float[Array, " m"]]:
    """Weights and half widths (2ħ/τ) sin²(πk/N) of jumps between neighbouring sites.

    Component k weighs (1/N) Σⱼ j₀(2QR sin(πj/N)) cos(2πjk/N), j = 1 … N; k and N - k
    have one width and are added up, so that n // 2 + 1 components are returned, of
    shapes (n // 2 + 1, *q.shape) and (n // 2 + 1,). The weights add up to 1. With two
    sites the half width is 2ħ/τ, with three (a methyl group) 3ħ/(2τ).

    Args:
        q: momentum transfer.
        radius: of the circle.
        tau: mean time between jumps: one to the left and one to the right have the
            rate 1/(2τ) each. Where τ is the inverse of that rate, give half of it.
        n: number of sites, a whole Python number.
        weights: what an earlier call with the same q, radius and n returned; they do
            not depend on the time.

    Raises:
        ParameterError: `q` < 0, `radius` ≤ 0, `tau` ≤ 0, `n` < 2 or not whole.
    """
    n = _whole(n)
    positive("tau", tau)
    (tau,) = common_float(tau)
    widths = HBAR * jnp.asarray(_circle(n).rates, dtype=tau.dtype) / tau
    if weights is None:
        weights = _site_intensities(q, radius, n)
    return weights, widths


def log_normal_sites(
    q: Floats,
    radius: Floats,
    tau: Scalar,
    sigma: Scalar,
    n: int | float,
    weights: Float[Array, "..."] | None = None,
) -> tuple[Float[Array, "..."], Float[Array, " m"]]:
    """Weights and half widths of `n_sites` with jump rates spread log-normally.

    Every quasi-elastic component of half width Γ becomes 21 of half widths Γ exp(σtᵢ)
    and weights ∝ exp(-tᵢ²/2), tᵢ equally spaced within ±√(-2 ln 0.1): the rule of
    QENSmodels. The elastic weight is that of `n_sites`, and so is the whole at σ = 0,
    where the derivative with respect to σ vanishes: the rule is even in t. Returned
    shapes are (m, *q.shape) and (m,), m = 1 + 21 (n // 2).

    Args:
        q: momentum transfer.
        radius: of the circle.
        tau: mean time between jumps at the middle of the distribution.
        sigma: standard deviation of the logarithm of the jump rate.
        n: number of sites, a whole Python number.
        weights: what an earlier call with the same q, radius and n returned; they do
            not depend on the time or on sigma.

    Raises:
        ParameterError: `q` < 0, `radius` ≤ 0, `tau` ≤ 0, `sigma` < 0, `n` < 2 or not
            whole.
    """
    n = _whole(n)
    positive("tau", tau)
    nonnegative("sigma", sigma)
    tau, sigma = common_float(tau, sigma)
    t = np.linspace(-_REACH, _REACH, _RATES)
    share = np.exp(-np.square(t) / 2)
    share /= np.sum(share)
    _, middle = n_sites(0.0, 1.0, tau, n, weights=jnp.zeros(()))
    spread = jnp.exp(sigma * jnp.asarray(t, dtype=sigma.dtype))
    widths = jnp.concatenate([middle[:1], jnp.outer(middle[1:], spread).ravel()])
    if weights is None:
        plain = _site_intensities(q, radius, n)
        shares = jnp.asarray(share, dtype=plain.dtype)
        shares = shares.reshape((1, -1) + (1,) * (plain.ndim - 1))
        moving = plain[1:, None] * shares
        moving = moving.reshape((-1, *plain.shape[1:]))
        weights = jnp.concatenate([plain[:1], moving])
    return weights, widths
