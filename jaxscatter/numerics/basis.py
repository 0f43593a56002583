"""Convolved Lorentzians of any width from one table: a Chebyshev basis in the width.

For a fixed instrument, y(ω_i; Γ) = Σ_j K_j L(ω_i - κ_j; Γ) D is analytic in Γ > 0 and
falls like 1/Γ. With x = (Γ - c)/(Γ + c), which maps all widths to -1 < x < 1,

    y(ω_i; Γ) = Σ_k T_k(x) C_ki / (Γ + c)

converges geometrically: 64 terms hold 1e-13 of the peak for every Γ from 0 to ∞. A sum
of N Lorentzians then costs N x k Chebyshev values and one product with the table, in
place of N x (n + m) profile values and a convolution.

Units: widths and energies share one energy unit.

References:
    [1] L. N. Trefethen, Approximation Theory and Approximation Practice, SIAM (2013),
        chapters 3 and 8.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, ArrayLike, Float
from scipy.fft import dct

from .._types import Scalar
from ._dtype import common_float

_NODES = 192
_SCALES = (0.04, 0.08, 0.16, 0.32)
_TINY = 1e-14  # of c: below it the map's slope is not resolved, and y is constant


class LorentzianTable(NamedTuple):
    """Coefficients (..., k, n) and the width c of the map, for `lorentzian_moments`."""

    coefficients: np.ndarray
    scale: float


def tabulate(
    convolved: Callable[[Float[Array, " m"]], Float[Array, "m *g n"]],
    window: float,
    tolerance: float | None = None,
) -> LorentzianTable | None:
    """Table of a convolved unit Lorentzian, or None where it would not be accurate.

    Args:
        convolved: widths (m,) -> convolved profiles (m, ..., n).
        window: size of the energy window, which sets the scale of the widths.
        tolerance: largest error over the highest value; default 500 machine epsilons.
            Checked at widths from 1e-6 to 1e2 windows that are no nodes.
    """
    eps = float(jnp.finfo(jnp.result_type(float)).eps)
    tolerance = 500 * eps if tolerance is None else tolerance
    theta = (np.arange(_NODES) + 0.5) * np.pi / _NODES
    x = np.cos(theta)
    best: LorentzianTable | None = None
    for scale in (s * window for s in _SCALES):
        widths = scale * (1 + x) / (1 - x)
        values = np.asarray(convolved(jnp.asarray(widths)))
        weighted = values * (widths + scale).reshape(-1, *(1,) * (values.ndim - 1))
        c = np.asarray(dct(weighted, type=2, axis=0)) / _NODES
        c[0] /= 2
        size = np.abs(c).reshape(_NODES, -1).max(axis=1)
        tail = np.cumsum(size[::-1])[::-1]
        enough = np.flatnonzero(tail <= 0.1 * tolerance * size.max())
        terms = int(enough[0]) if enough.size else _NODES
        if best is None or terms < best.coefficients.shape[0]:
            best = LorentzianTable(c[:terms], scale)
    assert best is not None
    test = window * np.geomspace(1e-6, 1e2, _NODES)  # same shape: one compilation
    exact = np.asarray(convolved(jnp.asarray(test)))
    rows = _rows(jnp.asarray(test), jnp.asarray(best.scale), len(best.coefficients))
    got = np.tensordot(np.asarray(rows).T, best.coefficients, axes=1)
    peak = np.abs(exact).max(axis=-1, keepdims=True)
    if not np.all(np.abs(got - exact) <= tolerance * peak):
        return None
    return LorentzianTable(np.moveaxis(best.coefficients, 0, -2), best.scale)


def _chebyshev(x: Array, terms: int) -> Array:
    """T_k(x), (terms, n), by T_(m+j) = 2 T_m T_j - T_(m-j)."""
    t = jnp.stack([jnp.ones_like(x), x])
    while t.shape[0] < terms:
        m = t.shape[0] - 1
        t = jnp.concatenate([t, 2 * t[m][None] * t[1:] - t[m - 1 :: -1]])
    return t[:terms]


@functools.cache
def _derivative(terms: int) -> np.ndarray:
    """D with T_k'(x) = Σ_j D_kj T_j(x): 2k for odd k - j > 0, half of it for j = 0."""
    k, j = np.indices((terms, terms))
    d = np.where((k > j) & ((k - j) % 2 == 1), 2.0 * k, 0.0)
    d[:, 0] /= 2
    return d


def _polynomials(gammas: Array, scale: Array, terms: int) -> tuple[Array, Array]:
    """T_k(x), (terms, n), and 1/(Γ + c)."""
    g = jnp.maximum(gammas, _TINY * scale)
    inverse = 1 / (g + scale)
    return _chebyshev((g - scale) * inverse, terms), inverse


@functools.partial(jax.jit, static_argnums=2)
def _rows(gammas: Array, scale: Array, terms: int) -> Array:
    """T_k(x)/(Γ + c), (terms, n)."""
    t, inverse = _polynomials(gammas, scale, terms)
    return t * inverse[None]


def _moments(terms: int) -> Callable[[Array, Array, Array], Array]:
    @jax.custom_jvp
    def moments(weights: Array, gammas: Array, scale: Array) -> Array:
        t, inverse = _polynomials(gammas, scale, terms)
        return (t * inverse[None]) @ weights  # as in the rule, to be computed once

    def rule(primals, tangents):
        weights, gammas, scale = primals
        t, inverse = _polynomials(gammas, scale, terms)
        value = t * inverse[None]
        out = jnp.zeros(terms, t.dtype)
        if not isinstance(tangents[0], SymbolicZero):
            out = out + value @ tangents[0]
        if not isinstance(tangents[1], SymbolicZero):
            # d/dΓ of T_k(x)/(Γ + c), with dx/dΓ = 2c/(Γ + c)²
            slope = jnp.asarray(_derivative(terms), t.dtype) @ t
            slope = slope * (2 * scale * inverse)[None] - t
            out = out + slope @ (jnp.square(inverse) * weights * tangents[1])
        return value @ weights, out

    moments.defjvp(rule, symbolic_zeros=True)
    return moments


def lorentzian_moments(
    weights: Float[ArrayLike, " n"],
    gammas: Float[ArrayLike, " n"],
    scale: Scalar,
    terms: int,
) -> Float[Array, " terms"]:
    """Σ_n w_n T_k(x_n)/(Γ_n + c), whose product with a table is the convolved sum.

    Γ is floored at 1e-14 c. The table's scale c is a constant: no derivative.
    """
    weights, gammas, c = common_float(weights, gammas, scale)
    return _moments(terms)(weights, gammas, c)
