"""Baxter's factor of hard spheres with a screened Coulomb tail, and its root.

The closure is c(r) = -G e^{-K(r-1)}/r outside a unit core and g(r) = 0 inside, at the
volume fraction η. Its factor Q(r) has inside the core the slope A r + b + c u(r) with
u(r) = (1 - e^{-Kr})/K, and outside the tail K δ/(12η) e^{-K(r-1)}. In these variables
every coefficient stays finite for K → 0 and for K → ∞, and no e^{+K} appears.

With X = 12ηG/K² and T = -X/δ, A, b and c are linear in δ and δ·h, where h/K is the
transform ∫₁^∞ r [g(r) - 1] e^{-K(r-1)} dr; eliminating h leaves a quartic in T. The
branch that starts at the uncharged sphere is its largest root.

Units: lengths in core diameters; everything here is dimensionless.

References:
    [1] R. J. Baxter, Aust. J. Phys. 21, 563 (1968).
    [2] J. S. Høye and L. Blum, J. Stat. Phys. 16, 399 (1977).
    [3] J.-P. Hansen and J. B. Hayter, Mol. Phys. 46, 651 (1982).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

_TERMS = 20
_DENSEST = 0.95  # volume fraction of the rescaled core that the search won't pass
_SHORTEST = 1e-4  # nor does it shrink lengths by more than this
_NEWTON = 13  # steps from an upper bound of the quartic's roots; 11 were ever needed
_SEARCH = 60  # steps of the search over core sizes; 10 were ever needed


class Moments(NamedTuple):
    """Integrals over 0 ≤ r ≤ 1 of u = φ₁, v = φ₂ and w = φ₃.

    u = (1 - e^{-Kr})/K, v = (r - u)/K and w = (r²/2 - v)/K tend to r, r²/2 and r³/6.
    """

    u_end: Array  # u(1)
    v_end: Array  # v(1) = ∫u
    ru: Array
    rru: Array
    v: Array
    rv: Array
    w: Array
    rw: Array
    uu: Array
    uv: Array
    uw: Array


def _moment_table() -> np.ndarray:
    """Coefficients of Kⁿ of each of the `Moments`, shape (_TERMS, 11)."""
    rows = []
    for n in range(_TERMS):
        f1, f2, f3 = (math.factorial(n + i) for i in (1, 2, 3))
        f4 = math.factorial(n + 4)
        row = [1 / f1, 1 / f2, 1 / (f1 * (n + 3)), 1 / (f1 * (n + 4))]
        row += [1 / (f2 * (n + 3)), 1 / (f2 * (n + 4))]
        row += [1 / (f3 * (n + 4)), 1 / (f3 * (n + 5))]
        row += [(2 ** (n + 2) - 2) / (f2 * (n + 3))]
        row += [(2 ** (n + 3) - 5 - n) / (f3 * (n + 4))]
        row += [(2 ** (n + 4) - 6 - n - (n + 4) * (n + 3) / 2) / (f4 * (n + 5))]
        rows.append([(-1) ** n * value for value in row])
    return np.array(rows)


def power_series(x: Float[Array, ""], table: Float[Array, "n m"]) -> Array:
    """Σ xⁿ table[n] of one positive number: few operations to compile."""
    powers = jnp.exp(jnp.log(x) * jnp.arange(table.shape[0], dtype=x.dtype))
    return jnp.sum(powers[:, None] * table, axis=0)


def core_moments(k: Float[Array, ""]) -> Moments:
    """The `Moments` at the screening constant `k` > 0, relative error about 1e-14."""
    small = k < 1.0
    near, far = jnp.where(small, k, 0.5), jnp.where(small, 1.0, k)
    table = jnp.asarray(_moment_table(), dtype=k.dtype)
    series = power_series(near, table)
    decay = jnp.exp(-far)
    u_end = (1 - decay) / far
    v_end = (1 - u_end) / far
    decay1 = (u_end - decay) / far
    ru = (0.5 - decay1) / far
    rru = (1 / 3 - (2 * decay1 - decay) / far) / far
    v = (0.5 - v_end) / far
    rv = (1 / 3 - ru) / far
    uu = (v_end - (u_end - (1 - jnp.square(decay)) / (2 * far)) / far) / far
    uv = (ru - uu) / far
    closed = [u_end, v_end, ru, rru, v, rv, (1 / 6 - v) / far, (0.125 - rv) / far]
    closed += [uu, uv, (rru / 2 - uv) / far]
    return Moments(*jnp.where(small, series, jnp.stack(closed)))


class Closure(NamedTuple):
    """The closure at one core size, before T is known.

    A and b are linear in (1, δ, δh), hence their coefficients are triples.
    """

    quartic: tuple[Array, ...]  # coefficients of T⁴, T³, …, 1
    coupling: Array  # X
    strength: Array  # G
    k: Array
    moments: Moments
    a: Float[Array, "3"]
    b: Float[Array, "3"]
    h: tuple[Array, ...]  # E₀, E₁ of the numerator and P of the denominator of h


class Factor(NamedTuple):
    """Coefficients of Baxter's factor inside the core, and what they imply."""

    a: Array
    b: Array
    c: Array
    delta: Array
    repulsion: Array  # G/T
    contact: Array  # g at contact


def closure(eta: Array, k: Array, strength: Array) -> Closure:
    """Everything that follows linearly from η, K and the contact coupling G."""
    m = core_moments(k)
    coupling = 12 * eta * strength / jnp.square(k)
    scale = 1 / jnp.square(1 - eta)
    decay = jnp.exp(-k)
    one, zero = jnp.ones_like(k), jnp.zeros_like(k)
    # (1 - 4η)A - 6ηb = area and 3ηA/2 + (1 + 2η)b = length, of (1, δ, δh) each
    c = jnp.stack([zero, 1 + k, k])
    area = jnp.stack([one, -1 - k, zero]) + 12 * eta * m.ru * c
    length = jnp.stack([zero, k / 2, -one]) - 6 * eta * m.rru * c
    a = scale * ((1 + 2 * eta) * area + 6 * eta * length)
    b = scale * ((1 - 4 * eta) * length - 1.5 * eta * area)
    # T and K·(the equation of h), with ∫(A r + b + c u) u and ∫(A r + b + c u)(v - w)
    f = 12 * eta * (a * m.ru + b * m.v_end + c * m.uu)
    f = f + jnp.stack([one, decay / 2 - 1, zero])
    e = -12 * eta * k * (a * (m.rv - m.rw) + b * (m.v - m.w) + c * (m.uv - m.uw))
    e = e + jnp.stack([zero, k * ((1 + k) * m.v_end - 0.5), decay / 2])
    e1 = strength / 2 - coupling * e[1]
    quartic = (
        one,
        -f[0],
        coupling * (f[1] - e[2]),
        coupling * (f[0] * e[2] - f[2] * e[0]),
        -coupling * (coupling * f[1] * e[2] + f[2] * e1),
    )
    return Closure(quartic, coupling, strength, k, m, a, b, (e[0], e1, e[2]))


def factor(at: Closure, t: Array) -> Factor:
    """The factor that belongs to a root `t` of the quartic."""
    inverse = 1 / t
    delta = -at.coupling * inverse
    e0, e1, p = at.h
    h = -inverse * (e0 + e1 * inverse) / (1 + p * delta * inverse)
    linear = jnp.stack([jnp.ones_like(delta), delta, delta * h])
    a, b = jnp.sum(at.a * linear), jnp.sum(at.b * linear)
    c = delta * (1 + at.k + at.k * h)
    repulsion = at.strength * inverse
    contact = a + b + c * at.moments.u_end - repulsion
    return Factor(a, b, c, delta, repulsion, contact)


def _largest_root(at: Closure) -> Array:
    """Largest root of the quartic: Newton's steps down from an upper bound."""
    _, c3, c2, c1, c0 = (jnp.abs(c) for c in at.quartic)
    bound = jnp.maximum(c3, jnp.sqrt(c2))
    bound = jnp.maximum(bound, jnp.maximum(jnp.cbrt(c1), jnp.sqrt(jnp.sqrt(c0 / 2))))
    t = 2 * bound
    for _ in range(_NEWTON):
        value, slope = at.quartic[0], jnp.zeros_like(t)
        for coefficient in at.quartic[1:]:
            slope = slope * t + value
            value = value * t + coefficient
        t = t - value / slope
    return t


def rescaled(log_size: Array, eta: Array, k: Array, strength: Array) -> Closure:
    """The closure of a core of exp(-log_size) diameters, with the same tail."""
    size = jnp.exp(log_size)
    return closure(
        eta / (size * jnp.square(size)),
        k / size,
        strength * size * jnp.exp(k - k / size),
    )


def _follows(
    at: Closure, found: Factor, log_size: Array, eta: Array
) -> tuple[Array, ...]:
    """K, u(1), v(1), the volume fraction of the core and its `Factor`."""
    scaled = eta * jnp.exp(-3 * log_size)
    return (at.k, at.moments.u_end, at.moments.v_end, scaled, *found)


class _Search(NamedTuple):
    low: Array
    high: Array
    f_low: Array
    f_high: Array
    side: Array  # which end moved last: 1 high, -1 low, 0 while the ends are tried
    width: Array
    t: Array
    log_size: Array
    follows: tuple[Array, ...]  # see `_follows`
    steps: Array


def _search(eta: Array, k: Array, strength: Array) -> tuple[Array, ...]:
    """T, the logarithm of the scale and what follows; not differentiable.

    The first step tries the scale 1, the second the smallest one.
    """
    zero, one = jnp.zeros_like(eta), jnp.ones_like(eta)
    lowest = jnp.log(jnp.maximum(jnp.cbrt(eta / _DENSEST), _SHORTEST))
    tolerance = 8 * jnp.finfo(eta.dtype).eps

    def going(s: _Search) -> Array:
        return (s.width > tolerance) & (s.steps < _SEARCH)

    def step(s: _Search) -> _Search:
        """Regula falsi; the end that stays is damped after Anderson and Björck."""
        x = (s.low * s.f_high - s.high * s.f_low) / (s.f_high - s.f_low)
        x = jnp.where(s.steps == 0, s.high, jnp.where(s.steps == 1, s.low, x))
        at = rescaled(x, eta, k, strength)
        t = _largest_root(at)
        found = factor(at, t)
        # Contact value relative to its two parts: nearly linear in the logarithm,
        # where the contact value itself spans orders of magnitude.
        part = jnp.abs(found.contact + found.repulsion)
        f = found.contact / (part + found.repulsion)

        up = f < 0
        damping = 1 - f / jnp.where(up, s.f_high, s.f_low)
        damping = jnp.where(damping > 0, damping, 0.5)
        damp_low = jnp.where(up & (s.side > 0), damping, one)
        damp_high = jnp.where(~up & (s.side < 0), damping, one)
        width = jnp.abs(x - jnp.where(up, s.high, s.low))
        # At the scale 1 a positive contact value ends the search, at the smallest
        # scale a negative one.
        over = (f == 0) | ((s.steps == 0) & ~up) | ((s.steps == 1) & up)
        width = jnp.where(over, zero, jnp.where(s.steps < 2, one, width))
        return _Search(
            low=jnp.where(up, s.low, x),
            high=jnp.where(up, x, s.high),
            f_low=jnp.where(up, damp_low * s.f_low, f),
            f_high=jnp.where(up, f, damp_high * s.f_high),
            side=jnp.where(s.steps < 2, zero, jnp.where(up, one, -one)),
            width=width,
            t=t,
            log_size=x,
            follows=_follows(at, found, x, eta),
            steps=s.steps + 1,
        )

    start = _Search(
        low=lowest,
        high=zero,
        f_low=one,
        f_high=-one,
        side=zero,
        width=one,
        t=one,
        log_size=zero,
        follows=(zero,) * (4 + len(Factor._fields)),
        steps=jnp.zeros((), jnp.int32),
    )
    end = lax.while_loop(going, step, start)
    return (end.t, end.log_size, *end.follows)


class Core(NamedTuple):
    """The solution: the core and Baxter's factor inside and outside of it."""

    t: Array
    log_size: Array  # of the scale s; the diameter of the core is σ/s
    k: Array
    decay: tuple[Array, Array]  # u(1) and v(1)
    eta: Array
    factor: Factor


def _state(
    x: tuple[Array, ...],
) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
    """What vanishes at the solution, and what follows from it.

    Vanish: the quartic, and the contact value or, without rescaling, the logarithm.
    """
    t, log_size, eta, k, strength = x
    at = rescaled(log_size, eta, k, strength)
    found = factor(at, t)
    value = at.quartic[0]
    for coefficient in at.quartic[1:]:
        value = value * t + coefficient
    zero = jnp.where(log_size < 0, found.contact, log_size)
    return (value, zero), _follows(at, found, log_size, eta)


def _along(slopes, dx) -> Array:
    """Σ slope · dx."""
    total = slopes[0] * dx[0]
    for slope, step in zip(slopes[1:], dx[1:], strict=True):
        total = total + slope * step
    return total


@jax.custom_jvp
def _solution(eta: Array, k: Array, strength: Array) -> tuple[Array, ...]:
    return _search(eta, k, strength)


@_solution.defjvp
def _solution_jvp(primals, tangents):
    # The implicit function theorem. The root comes from `_solution` itself, so that
    # the rule can be differentiated again, exactly, to any order.
    out = _solution(*primals)
    point = (out[0], out[1], *primals)
    basis = tuple(jnp.eye(len(point), dtype=out[0].dtype))
    residual, follows = jax.vmap(lambda *dx: jax.jvp(_state, (point,), (dx,))[1])(
        *basis
    )
    (q_t, q_s, *q_p), (g_t, g_s, *g_p) = residual
    dq, dg = _along(q_p, tangents), _along(g_p, tangents)
    determinant = q_t * g_s - q_s * g_t
    dx = (
        (q_s * dg - g_s * dq) / determinant,
        (g_t * dq - q_t * dg) / determinant,
        *tangents,
    )
    return out, (dx[0], dx[1], *(_along(row, dx) for row in follows))


def core(
    eta: Float[Array, ""], k: Float[Array, ""], strength: Float[Array, ""]
) -> Core:
    """The core at which the contact value isn't negative, and its `Factor`.

    The scale is 1 (logarithm 0) where the contact value is positive without rescaling,
    else that at which it vanishes. Where there is no such scale, the smallest one
    tried, at which the contact value is still negative.

    Args:
        eta: volume fraction of the unscaled core.
        k: screening constant times the diameter of the unscaled core, > 0.
        strength: coupling at contact of the unscaled core, ≥ 0.
    """
    t, log_size, k, u, v, eta, *found = _solution(eta, k, strength)
    return Core(t, log_size, k, (u, v), eta, Factor(*found))
