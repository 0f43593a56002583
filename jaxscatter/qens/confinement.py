"""Diffusion in a confined volume: a harmonic well, a sphere with impermeable walls.

Units: q in 1/Å, diffusion coefficients in Å²/ps, lengths in Å, u2x in Å², half widths
(HWHM) in meV. The motion is S(Q, ω) = w₀ δ(ω) + Σ wᵢ L(ω; Γᵢ), averaged over
orientations, returned as weights and half widths with the elastic component first, of
width 0.

References:
    [1] F. Volino and A. J. Dianoux, Mol. Phys. 41, 271 (1980), the sphere.
    [2] F. Volino, J.-C. Perrin and S. Lyonnard, J. Phys. Chem. B 110, 11217 (2006), the
        Gaussian well.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float
from scipy.special import gammaln, pdtrc, spherical_jn

from .._types import Floats, Scalar
from ..constants import HBAR
from ..errors import ParameterError
from ..numerics import spherical_bessel, three_j1_over_x
from ..numerics._checks import nonnegative, positive
from ..numerics._dtype import common_float

_DIRECTIONS = 64  # Gauss-Legendre nodes in cos(angle to Q) of a well that is not 3-d
_NEAR = 0.5  # |QR - x| below which the quotient of the sphere is a Taylor series
_TAYLOR = 13


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _poisson(terms: int, a: Array) -> Array:
    n = np.arange(terms).reshape((-1,) + (1,) * a.ndim)
    count = jnp.asarray(n, dtype=a.dtype)
    log_factorial = jnp.asarray(gammaln(n + 1.0), dtype=a.dtype)
    none = a == 0.0
    log_a = jnp.log(jnp.where(none, 1.0, a))[None, ...]
    some = jnp.exp(count * log_a - a[None, ...] - log_factorial)
    return jnp.where(none[None, ...], jnp.where(count == 0.0, 1.0, 0.0), some)


@_poisson.defjvp
def _poisson_jvp(terms, primals, tangents):
    (a,), (da,) = primals, tangents
    p = _poisson(terms, a)
    # P_n' = P_{n-1} - P_n: at a = 0 as clean as elsewhere, to every order
    before = jnp.concatenate([jnp.zeros_like(p[:1]), p[:-1]])
    return p, (before - p) * da[None, ...]


def _well_intensities(q: Floats, u2x: Floats, terms: int, ndim: int) -> Array:
    """Weights of a well that confines in `ndim` directions, averaged over the rest."""
    nonnegative("q", q)
    if terms < 1:
        raise ParameterError(f"terms is {terms}; expected at least 1")
    if ndim not in (1, 2, 3):
        raise ParameterError(f"ndim is {ndim}; expected 1, 2 or 3")
    q, u2x = common_float(q, u2x)
    a = jnp.square(q) * u2x
    if ndim == 3:
        return _poisson(terms, a)
    x, w = np.polynomial.legendre.leggauss(_DIRECTIONS)
    cos = (1 + x) / 2
    inside = np.square(cos) if ndim == 1 else 1 - np.square(cos)
    inside = jnp.asarray(inside, dtype=a.dtype).reshape((-1,) + (1,) * a.ndim)
    each = _poisson(terms, inside * a[None, ...])
    share = jnp.asarray(w / 2, dtype=a.dtype)
    return jnp.tensordot(share, each, axes=(0, 1), precision=lax.Precision.HIGHEST)


def well_terms(q_max: float | int, u2x_max: float | int) -> int:
    """Terms after which less than 1e-12 of the weight of `gaussian_well` is lost.

    Args:
        q_max: largest momentum transfer of the data.
        u2x_max: largest mean-square displacement allowed in the fit.
    """
    a = float(q_max) ** 2 * float(u2x_max)
    terms = 2
    while pdtrc(terms - 1, a) > 1e-12:
        terms += 1
    return terms


def gaussian_well(
    q: Floats,
    d: Scalar,
    u2x: Scalar,
    terms: int,
    ndim: int = 3,
    weights: Float[Array, "..."] | None = None,
) -> tuple[Float[Array, "..."], Float[Array, " n"]]:
    """Weights e⁻ᵃ aⁿ/n!, a = Q²⟨u_x²⟩, and half widths nħD/⟨u_x²⟩, n = 0 … terms - 1.

    In a well that confines in two directions (a plane) or one (a line) only that part
    of Q counts: a becomes a sin²ϑ or a cos²ϑ and the weights are averaged over the
    directions of Q, by quadrature, to 1e-12 for a up to 200. The elastic weight is
    e⁻ᵃ for `ndim` = 3, √π e⁻ᵃ erfi(√a)/(2√a) for 2 and √π erf(√a)/(2√a) for 1.
    Returned shapes are (terms, *q.shape) and (terms,).

    Args:
        q: momentum transfer.
        d: diffusion coefficient at short times.
        u2x: mean-square displacement ⟨u_x²⟩ along one axis.
        terms: number of components, a Python integer; see `well_terms`.
        ndim: number of directions that are confined: 3, 2 or 1.
        weights: what an earlier call with the same q, u2x, terms and ndim returned;
            they do not depend on the diffusion coefficient.

    Raises:
        ParameterError: `q` < 0, `d` ≤ 0, `u2x` ≤ 0, `terms` < 1 or another `ndim`.
    """
    positive("d", d)
    positive("u2x", u2x)
    if weights is None:
        weights = _well_intensities(q, u2x, terms, ndim)
    d, u2x = common_float(d, u2x)
    return weights, HBAR * jnp.arange(terms, dtype=d.dtype) * d / u2x


class _Roots(NamedTuple):
    """Lowest x > 0 with j_l'(x) = 0, their l, Taylor series of j_l'(z)/(z - x)."""

    x: np.ndarray
    order: np.ndarray
    series: np.ndarray


@functools.lru_cache(maxsize=16)
def _sphere_roots(count: int) -> _Roots:
    reach, found = 8.0, []
    while len(found) < count:
        reach *= 1.25
        grid = np.arange(0.5, reach, 0.05)  # roots of one l are at least 2.9 apart
        found = []
        for l in range(int(reach) + 1):  # noqa: E741
            slope = spherical_jn(l, grid, derivative=True)
            start = grid[:-1][slope[:-1] * slope[1:] < 0] + 0.025
            found += [(x, l) for x in start]
    x, l = (np.array(v) for v in zip(*found, strict=True))  # noqa: E741
    for _ in range(6):
        value, slope = spherical_jn(l, x), spherical_jn(l, x, derivative=True)
        bend = -2 * slope / x - (1 - l * (l + 1) / x**2) * value
        x = x - slope / bend
    lowest = np.argsort(x)[:count]
    x, l = x[lowest], l[lowest]  # noqa: E741
    # Taylor coefficients of j_l about its extremum, from its differential equation
    c = np.zeros((_TAYLOR + 2, count))
    c[0] = spherical_jn(l, x)
    for k in range(_TAYLOR):
        total = (k * (k + 1) + x**2 - l * (l + 1)) * c[k]
        total += 2 * x * (k + 1) ** 2 * c[k + 1]
        total += 2 * x * c[k - 1] if k >= 1 else 0.0
        total += c[k - 2] if k >= 2 else 0.0
        c[k + 2] = -total / (x**2 * (k + 1) * (k + 2))
    series = c[2:] * np.arange(2, _TAYLOR + 2)[:, None]
    return _Roots(x, l, series)


def _sphere_intensities(q: Floats, radius: Floats, roots: int) -> Array:
    nonnegative("q", q)
    positive("radius", radius)
    q, radius = common_float(q, radius)
    z = (q * radius)[None, ...]
    table = _sphere_roots(roots)
    tail = (1,) * (z.ndim - 1)

    def column(values: np.ndarray) -> Array:
        return jnp.asarray(values, dtype=z.dtype).reshape((-1, *tail))

    x, l = column(table.x), column(table.order)  # noqa: E741
    j = spherical_bessel(int(table.order.max()) + 1, z[0])
    below = j[np.maximum(table.order - 1, 0)]
    slope = (l * below - (l + 1) * j[table.order + 1]) / (2 * l + 1)
    # j_l'(z)/(z - x) is smooth at z = x, and there the quotient is 0/0
    near = jnp.abs(z - x) < _NEAR
    step = jnp.where(near, z - x, 0.0)
    taylor = jnp.zeros_like(step)
    for c in table.series[::-1]:
        taylor = taylor * step + column(c)
    quotient = jnp.where(near, taylor, slope / jnp.where(near, 1.0, z - x))
    factor = 6 * (2 * table.order + 1) * table.x**2
    factor = column(factor / (table.x**2 - table.order * (table.order + 1)))
    moving = factor * jnp.square(z * quotient / (z + x))
    return jnp.concatenate([jnp.square(three_j1_over_x(z)), moving])


def impermeable_sphere(
    q: Floats,
    d: Scalar,
    radius: Scalar,
    roots: int = 98,
    weights: Float[Array, "..."] | None = None,
) -> tuple[Float[Array, "..."], Float[Array, " n"]]:
    """Weights and half widths ħx²D/R² of free diffusion inside a sphere of radius R.

    The elastic weight is (3j₁(QR)/QR)². The others belong to the roots x of
    j_l'(x) = 0, or l j_l(x) = x j_{l+1}(x), in ascending order, and weigh
    (2l+1) 6x²/(x² - l(l+1)) [QR j_l'(QR)/((QR)² - x²)]². At QR = x that is
    (2l+1) (3/2) j_l²(x) (x² - l(l+1))/x². Returned shapes are (roots + 1, *q.shape) and
    (roots + 1,).

    The 98 lowest roots, those below 26.9, are the published table, meant for QR < 20.
    What their weights miss of 1 belongs to lines of half widths above 700 ħD/R²: 4e-5
    at QR = 2, 1e-3 at 10, 1.2e-2 at 20, and all but 1e-2 at 40. The weights that are
    kept stay exact at any QR, and nothing is renormalised: where QR is large check
    1 - Σw, and take more roots (400 miss 6e-4 at 20).

    Args:
        q: momentum transfer.
        d: diffusion coefficient inside the sphere.
        radius: of the sphere.
        roots: number of roots, a Python integer ≥ 1.
        weights: what an earlier call with the same q, radius and roots returned; they
            do not depend on the diffusion coefficient.

    Raises:
        ParameterError: `q` < 0, `d` ≤ 0, `radius` ≤ 0 or `roots` < 1.
    """
    positive("d", d)
    positive("radius", radius)
    if roots < 1:
        raise ParameterError(f"roots is {roots}; expected at least 1")
    if weights is None:
        weights = _sphere_intensities(q, radius, roots)
    d, radius = common_float(d, radius)
    x = np.concatenate([[0.0], _sphere_roots(roots).x])
    squares = jnp.asarray(np.square(x), dtype=d.dtype)
    return weights, HBAR * squares * d / jnp.square(radius)
