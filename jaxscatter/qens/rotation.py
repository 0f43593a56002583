"""Rotational diffusion of rigid molecules: intensities and half widths.

Units: q in 1/Å, radius in Å, rotational diffusion coefficients in 1/ps, half widths
(HWHM) in meV, theta in degrees. A rotor is S(Q, ω) = w₀ δ(ω) + Σ wᵢ L(ω; Γᵢ), returned
as weights and half widths with the elastic component first, of width 0.

References:
    [1] V. F. Sears, Can. J. Phys. 45, 237 (1967), isotropic rotor.
    [2] L. D. Favro, Phys. Rev. 119, 53 (1960), symmetric top.
"""

import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import lpmv

from .._types import Floats, Scalar
from ..constants import HBAR
from ..errors import ParameterError
from ..numerics import spherical_bessel
from ..numerics._checks import finite, nonnegative, positive
from ..numerics._dtype import common_float


def bessel_weights(
    q: Floats, radius: Floats
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """Squares (j₀², j₁², j₂²) of the spherical Bessel functions at x = QR.

    (1, 0, 0) with zero gradient at q = 0.

    Raises:
        ParameterError: `radius` ≤ 0 or `q` < 0.
    """
    nonnegative("q", q)
    positive("radius", radius)
    q, radius = common_float(q, radius)
    j0, j1, j2 = jnp.square(spherical_bessel(2, q * radius))
    return j0, j1, j2


def rot_widths_isotropic(
    d_r: Floats,
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Half widths (2ħD_r, 6ħD_r) of the l = 1 and l = 2 terms.

    Raises:
        ParameterError: `d_r` ≤ 0.
    """
    positive("d_r", d_r)
    (d_r,) = common_float(d_r)
    return 2 * HBAR * d_r, 6 * HBAR * d_r


def rot_widths_anisotropic(
    d_t: Floats, d_s: Floats
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """Half widths ħ(D_s + D_t), 6ħD_t and ħ(4D_s + 2D_t) at θ = 90°, l ≤ 2.

    They belong to (l, m) = (1, ±1), (2, 0) and (2, ±2), with weights 3j₁², 5j₂²/4 and
    15j₂²/4.

    Args:
        d_t: tumbling, of the symmetry axis.
        d_s: spinning, about the symmetry axis.

    Raises:
        ParameterError: `d_t` ≤ 0 or `d_s` ≤ 0.
    """
    positive("d_t", d_t)
    positive("d_s", d_s)
    d_t, d_s = common_float(d_t, d_s)
    return HBAR * (d_s + d_t), 6 * HBAR * d_t, HBAR * (4 * d_s + 2 * d_t)


class _Terms(NamedTuple):
    """Components of a rotor: order l, factor of j_l², factors of D_t and D_s."""

    order: np.ndarray
    factor: np.ndarray
    tumbling: np.ndarray
    spinning: np.ndarray


@functools.lru_cache(maxsize=64)
def _symmetric_top(lmax: int, theta: float) -> _Terms:
    """Terms (l, m ≥ 0) of non-zero weight for a scatterer at `theta` degrees."""
    finite("theta", theta)
    x = math.cos(math.radians(theta))
    rows = []
    for l in range(lmax + 1):  # noqa: E741
        for m in range(l + 1):
            ratio = math.factorial(l - m) / math.factorial(l + m)
            factor = (2 * l + 1) * (2 if m else 1) * ratio * float(lpmv(m, l, x)) ** 2
            # What vanishes by symmetry comes out near 1e-32, as cos 90° is 6e-17.
            if factor > 1e-20:
                rows.append((l, factor, l * (l + 1) - m * m, m * m))
    order, factor, tumbling, spinning = map(np.array, zip(*rows, strict=True))
    return _Terms(order, factor, tumbling.astype(float), spinning.astype(float))


def _lmax(lmax: int) -> int:
    if lmax < 0:
        raise ParameterError(f"lmax must be at least 0, got {lmax}")
    return int(lmax)


def _intensities(
    q: Floats, radius: Floats, lmax: int, terms: _Terms, renormalize: bool
) -> Array:
    nonnegative("q", q)
    positive("radius", radius)
    q, radius = common_float(q, radius)
    squares = jnp.square(spherical_bessel(lmax, q * radius))
    factor = jnp.asarray(terms.factor, dtype=squares.dtype)
    factor = factor.reshape(factor.shape + (1,) * (squares.ndim - 1))
    weights = factor * squares[terms.order]
    return weights / jnp.sum(weights, axis=0)[None, ...] if renormalize else weights


def isotropic_rotor(
    q: Floats,
    radius: Floats,
    d_r: Scalar,
    lmax: int,
    renormalize: bool = False,
    weights: Float[Array, "..."] | None = None,
) -> tuple[Float[Array, "..."], Float[Array, " n"]]:
    """Weights (2l+1) j_l²(QR) and half widths ħl(l+1)D_r, l = 0 … lmax.

    The weights add up to 1 as lmax grows; cut at lmax = 2 they keep 0.81 at QR = 3.0
    and 0.29 at QR = 4.5. Returned shapes are (n, *q.shape) and (n,), n = lmax + 1.

    Args:
        q: momentum transfer.
        radius: distance of the scatterer from the centre of rotation.
        d_r: rotational diffusion coefficient.
        lmax: highest order, a Python integer.
        renormalize: divide the weights by their sum.
        weights: what an earlier call with the same q, radius and lmax returned; they
            do not depend on the diffusion coefficient.

    Raises:
        ParameterError: `q` < 0, `radius` ≤ 0, `d_r` ≤ 0 or `lmax` < 0.
    """
    lmax = _lmax(lmax)
    positive("d_r", d_r)
    l = np.arange(lmax + 1)  # noqa: E741
    terms = _Terms(l, 2.0 * l + 1, l * (l + 1.0), np.zeros(lmax + 1))
    (d_r,) = common_float(d_r)
    widths = HBAR * jnp.asarray(terms.tumbling, dtype=d_r.dtype) * d_r
    if weights is None:
        weights = _intensities(q, radius, lmax, terms, renormalize)
    return weights, widths


def anisotropic_rotor(
    q: Floats,
    radius: Floats,
    d_t: Scalar,
    d_s: Scalar,
    lmax: int,
    theta: float = 90.0,
    renormalize: bool = False,
    weights: Float[Array, "..."] | None = None,
) -> tuple[Float[Array, "..."], Float[Array, " n"]]:
    """Weights and half widths of a symmetric top's rotational diffusion, l ≤ lmax.

    Component (l, m) weighs (2l+1) j_l²(QR) (l-|m|)!/(l+|m|)! [P_l^|m|(cos θ)]² and has
    the half width ħ[D_t l(l+1) + m²(D_s - D_t)]. The signs of m are added up, and
    components that vanish by symmetry are left out: at θ = 90° those with l + m odd.
    At D_s = D_t the shape is that of `isotropic_rotor`, and at θ = 90° it is
    stationary there along (D_s + δ, D_t - δ). Returned shapes are (n, *q.shape) and
    (n,).

    Args:
        q: momentum transfer.
        radius: distance of the scatterer from the centre of rotation.
        d_t: tumbling, of the symmetry axis.
        d_s: spinning, about the symmetry axis.
        lmax: highest order, a Python integer; 2 is the usual truncation, and 8 holds
            all but 1e-3 of the intensity up to QR = 6.
        theta: polar angle of the scatterer from the symmetry axis, a Python number.
        renormalize: divide the weights by their sum.
        weights: what an earlier call with the same q, radius, lmax and theta returned;
            they do not depend on the diffusion coefficients.

    Raises:
        ParameterError: `q` < 0, `radius` ≤ 0, `d_t` ≤ 0, `d_s` ≤ 0 or `lmax` < 0.
    """
    lmax = _lmax(lmax)
    positive("d_t", d_t)
    positive("d_s", d_s)
    terms = _symmetric_top(lmax, float(theta))
    d_t, d_s = common_float(d_t, d_s)
    widths = HBAR * (
        jnp.asarray(terms.tumbling, dtype=d_t.dtype) * d_t
        + jnp.asarray(terms.spinning, dtype=d_s.dtype) * d_s
    )
    if weights is None:
        weights = _intensities(q, radius, lmax, terms, renormalize)
    return weights, widths
