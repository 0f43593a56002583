"""Amplitudes integrated out of the likelihood, and drawn back afterwards.

Modes, for y ~ N(A a, W⁻¹) and log L_prof = -½χ²(a*) - ½ Σ log 2πσ²:

    profile      log L_prof, a* within the declared bounds
    flat         log L_prof - ½ log|G| + (k/2) log 2π            flat prior on a
    gaussian     prior a ~ N(m, S): density of y under N(A m, W⁻¹ + A S Aᵀ)
    nonnegative  flat + log P(a >= lower), a ~ N(a*, G⁻¹)        flat prior, a >= lower
    explicit     amplitudes are ordinary parameters

A factor c(θ) in a column changes `flat` by -log c: models state their normalisation.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import logsumexp, ndtr, ndtri
from jaxtyping import Array, Float

from ..errors import ModelError
from ..numerics import small
from . import amplitudes as amp
from .amplitudes import Amplitude, Arrow, Solution

# Three terms, the default of the asymptotic series, err by 4e-9 at -20.
log_ndtr = functools.partial(jax.scipy.special.log_ndtr, series_order=10)

MODES = ("profile", "flat", "gaussian", "nonnegative", "explicit")
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_FALLS = np.array([2.0, 40.0])
_NO_CLOSED_FORM = ("jitter", "model", "poisson")
_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)


def default_mode(amplitudes: Sequence[Amplitude], noise: str) -> str:
    """Mode for sampling: nonnegative if declared, gaussian if priors exist, else flat.

    Noise that depends on the model has no closed form and needs `explicit`.
    """
    if not amplitudes:
        return "profile"
    if noise in _NO_CLOSED_FORM or noise.startswith("loss="):
        return "explicit"
    if any(a.prior for a in amplitudes) and noise != "scale_marginal":
        return "gaussian"
    try:
        check_mode("nonnegative", amplitudes, noise)
    except ModelError:
        return "flat"
    return "nonnegative"


def check_mode(mode: str, amplitudes: Sequence[Amplitude], noise: str) -> None:
    """Raise `ModelError` where a mode has no closed form for these amplitudes.

    `noise` is the likelihood's `kind`.
    """
    if mode not in MODES:
        raise ModelError(f"linear mode {mode!r} is not known; expected one of {MODES}")
    if mode in ("profile", "explicit"):
        if mode == "profile" and noise == "model" and amplitudes:
            raise ModelError(
                "noise='model' has a variance that depends on the amplitudes, so they "
                "cannot be profiled in closed form; use linear='explicit'"
            )
        return
    if noise in _NO_CLOSED_FORM or noise.startswith("loss="):
        raise ModelError(
            f"noise {noise!r} leaves no closed form for linear={mode!r}; "
            "use linear='explicit'"
        )
    if mode == "gaussian":
        missing = [a.name for a in amplitudes if a.prior is None and a.held is None]
        if missing:
            raise ModelError(f"amplitudes {missing} have no Gaussian prior")
        if noise == "scale_marginal":
            raise ModelError(
                "noise='scale_marginal' with Gaussian amplitude priors has no closed "
                "form; use noise='scale'"
            )
    if mode == "nonnegative":
        shared, local = _constrained(amplitudes)
        n_shared = sum(a.shared for a in amplitudes)
        boxed = [a.name for a in amplitudes if np.isfinite(a.upper)]
        if boxed:
            raise ModelError(f"amplitudes {boxed} have an upper bound")
        if not shared and not local:
            raise ModelError("no amplitude has a lower bound")
        if noise == "scale_marginal":
            raise ModelError("noise='scale_marginal' has no closed form with bounds")
        if n_shared > 1 or len(local) > (1 if n_shared else 2):
            raise ModelError(
                "non-negative marginals are known for two bounded local amplitudes, "
                "or for one shared amplitude and one bounded local amplitude"
            )


def _constrained(amplitudes: Sequence[Amplitude]) -> tuple[list[int], list[int]]:
    """Positions, among the shared and among the local, of the bounded ones."""
    s, el = amp.split(amplitudes)
    return (
        [i for i, c in enumerate(s) if np.isfinite(amplitudes[c].lower)],
        [i for i, c in enumerate(el) if np.isfinite(amplitudes[c].lower)],
    )


def evaluation_point(
    mode: str, amplitudes: Sequence[Amplitude], arr: Arrow
) -> Solution:
    """Amplitudes at which χ² enters the log likelihood of `mode`."""
    if mode == "gaussian":
        return amp.unconstrained(amplitudes, amp.with_priors(amplitudes, arr)[0])
    if mode in ("flat", "nonnegative"):
        return amp.unconstrained(amplitudes, arr)
    return amp.solve(amplitudes, arr)


def correction(
    mode: str, amplitudes: Sequence[Amplitude], arr: Arrow, a: Float[Array, "g k"]
) -> Float[Array, ""]:
    """What a mode adds to -½χ²(a) - ½ Σ log 2πσ² at its own evaluation point `a`."""
    if mode in ("profile", "explicit") or not amplitudes:
        return jnp.zeros(())
    k = arr.ss.shape[0] + arr.hl.size
    if mode == "gaussian":
        full, log_s = amp.with_priors(amplitudes, arr)
        penalty = jnp.zeros(())
        for i, declared in enumerate(amplitudes):
            if declared.held is not None:
                continue
            mean, sd = declared.prior or (0.0, 1.0)
            z = (a[:1, i] if declared.shared else a[:, i]) - mean
            penalty = penalty + jnp.sum(jnp.square(z / sd))
        logdet = amp.logdet(full, amp.schur_complement(full))
        return -0.5 * penalty - log_s - 0.5 * logdet
    flat = 0.5 * k * math.log(2 * math.pi) - 0.5 * amp.logdet(
        arr, amp.schur_complement(arr)
    )
    if mode == "flat":
        return flat
    return flat + log_probability_allowed(amplitudes, arr)


def log_probability_allowed(
    amplitudes: Sequence[Amplitude], arr: Arrow
) -> Float[Array, ""]:
    """Log P(a >= lower) under N(a*, G⁻¹), by at most one quadrature of 96 points."""
    _, local = _constrained(amplitudes)
    solution = amp.unconstrained(amplitudes, arr)
    bounds_s, bounds_l = _lower(amplitudes)
    if arr.ss.shape[0]:
        lower, offset, slope = _given_shared(solution, arr, bounds_s, bounds_l, local)
        return _log_tail(lower, offset, slope) if local else log_ndtr(-lower)
    given = small.inverse(arr.ll)
    i = local[0]
    sd = jnp.sqrt(given[:, i, i])
    above = (solution.local[:, i] - bounds_l[i]) / sd
    if len(local) == 1:
        return jnp.sum(log_ndtr(above))
    j = local[1]
    along = given[:, i, j] / sd
    rest = given[:, j, j] - along**2
    rest = jnp.sqrt(jnp.maximum(rest, 1e-14 * given[:, j, j]))
    offset = (solution.local[:, j] - bounds_l[j]) / rest
    tails = jax.vmap(_log_tail)(-above, offset[:, None], (along / rest)[:, None])
    return jnp.sum(tails)


def _given_shared(
    solution: Solution,
    arr: Arrow,
    bounds_s: np.ndarray,
    bounds_l: np.ndarray,
    local: list[int],
) -> tuple[Array, Array, Array]:
    """Bound, offsets and slopes of `_log_density` in z = (shared - mean)/sd."""
    sd = jnp.sqrt(small.inverse(solution.schur)[0, 0])
    given = small.inverse(arr.ll)
    slope = -small.solve(arr.ll, jnp.swapaxes(arr.sl, 1, 2))[:, :, 0]
    lower = jnp.asarray(-jnp.inf)
    if np.isfinite(bounds_s[0]):
        lower = (bounds_s[0] - solution.shared[0]) / sd
    if not local:
        return lower, jnp.zeros(0), jnp.zeros(0)
    i = local[0]
    local_sd = jnp.sqrt(given[:, i, i])
    offset = (solution.local[:, i] - bounds_l[i]) / local_sd
    return lower, offset, slope[:, i] * sd / local_sd


def _lower(amplitudes: Sequence[Amplitude]) -> tuple[np.ndarray, np.ndarray]:
    s, el = amp.split(amplitudes)
    lower = np.array([a.lower for a in amplitudes])
    return lower[s], lower[el]


def _log_density(z: Array, offset: Array, slope: Array) -> Array:
    """Log of exp(-½z²) Π Φ(offset + slope z), for z of any shape: concave in z."""
    wide = (1,) * z.ndim + (-1,)
    ratio = offset.reshape(wide) + slope.reshape(wide) * z[..., None]
    return -0.5 * z**2 + jnp.sum(log_ndtr(ratio), axis=-1)


def _hazard(r: Array) -> Array:
    """Slope φ(r)/Φ(r) of log Φ, by its limit where both logs are large."""
    far = r < -1e4
    near = jnp.where(far, 0.0, r)
    ratio = jnp.exp(-0.5 * near**2 - _LOG_ROOT_2PI - log_ndtr(near))
    return jnp.where(far, -r, ratio)


def _panels(lower: Array, offset: Array, slope: Array) -> Array:
    """Edges of the panels in which that density, cut at `lower`, is to be integrated.

    They lie where it has fallen by e² and by e⁴⁰ on either side of its mode, so that
    far tails, sharp steps and products of many groups are all resolved. No gradient:
    the nodes of a quadrature may stand anywhere.
    """
    lower, offset, slope = lax.stop_gradient((lower, offset, slope))

    def derivatives(z: Array) -> tuple[Array, Array]:
        r = offset + slope * z
        m = _hazard(r)
        bend = jnp.clip(m * (m + r), 0.0, 1.0)
        return -z + jnp.sum(slope * m), -1 - jnp.sum(slope**2 * bend)

    def newton(_: Any, state: tuple) -> tuple:
        z, low, high = state
        first, second = derivatives(z)
        low, high = jnp.where(first >= 0, z, low), jnp.where(first <= 0, z, high)
        new = z - first / second
        inside = (new >= low) & (new <= high)
        return jnp.where(inside, new, 0.5 * (low + high)), low, high

    # The slope of each log Φ shrinks along its own sign: at 0 it bounds the mode.
    pull = slope * _hazard(offset)
    low, high = jnp.sum(jnp.minimum(pull, 0.0)), jnp.sum(jnp.maximum(pull, 0.0))
    start = (jnp.clip(jnp.zeros(()), low, high), low, high)
    mode = jnp.maximum(lax.fori_loop(0, 20, newton, start)[0], lower)
    top = _log_density(mode, offset, slope)
    reach = jnp.sqrt(2 * _FALLS)
    steep = jnp.maximum(-derivatives(mode)[0], 1e-300)
    far = jnp.stack(
        [jnp.minimum(reach, mode - lower), jnp.minimum(reach, _FALLS / steep)]
    )
    sign = np.array([[-1.0], [1.0]])

    def bisect(_: Any, state: tuple) -> tuple:
        near, far = state
        middle = 0.5 * (near + far)
        fallen = _log_density(mode + sign * middle, offset, slope)
        fallen = fallen < top - _FALLS[None]
        return jnp.where(fallen, near, middle), jnp.where(fallen, middle, far)

    _, far = lax.fori_loop(0, 14, bisect, (jnp.zeros_like(far), far))
    return jnp.concatenate([mode - far[0, ::-1], mode[None], mode + far[1]])


def _by_panels(lower: Array, offset: Array, slope: Array) -> Array:
    """Log of ∫ N(z; 0, 1) Π Φ(offset + slope z) dz over z > lower, by quadrature."""
    edges = _panels(lower, offset, slope)
    half, middle = 0.5 * jnp.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    # A cut that counts moves the nodes along: the domain has a derivative too.
    frozen = lax.stop_gradient(lower)
    cut = edges[0] <= frozen
    shift = jnp.where(
        cut, jnp.where(cut, lower, 0.0) - jnp.where(cut, frozen, 0.0), 0.0
    )
    z = middle[:, None] + half[:, None] * _NODES[None] + shift
    log_w = jnp.log(jnp.maximum(half, 1e-300))[:, None] + np.log(_WEIGHTS)[None]
    return logsumexp(log_w + _log_density(z, offset, slope)) - _LOG_ROOT_2PI


def _distances(lower: Array, offset: Array, slope: Array) -> Array:
    """How far each mean lies above its bound, in its own standard deviations."""
    own = offset / jnp.sqrt(1 + jnp.square(slope))
    return jnp.concatenate([-jnp.atleast_1d(lower), own])


def _log_nearest(lower: Array, offset: Array, slope: Array) -> Array:
    """The same if only the nearest bound matters: one marginal tail."""
    return log_ndtr(jnp.min(_distances(lower, offset, slope)))


def _tail_and_slopes(*at: Array) -> tuple[Array, tuple[Array, ...]]:
    """That log integral and its gradient.

    The other bounds take no more than the sum of their own tails from the nearest one;
    where that is below e⁻⁴⁰ of it, as on most data, nothing is integrated. The loop
    runs once or not at all: unlike `cond`, it stays a branch under vmap.
    """
    distance = jnp.sort(_distances(*lax.stop_gradient(at)))
    others = log_ndtr(-distance[1]) + math.log(distance.size)
    alone = others < log_ndtr(distance[0]) - 40.0
    every = tuple(range(len(at)))
    value, slopes = jax.value_and_grad(_log_nearest, every)(*at)

    def integrate(state: tuple) -> tuple[Array, Array, tuple[Array, ...]]:
        # tied to the loop's state, or the compiler would move it out of the loop
        here = lax.optimization_barrier((state[0], *at))[1:]
        return jnp.asarray(True), *jax.value_and_grad(_by_panels, every)(*here)

    return lax.while_loop(lambda s: ~s[0], integrate, (alone, value, slopes))[1:]


@jax.custom_jvp
def _log_tail(lower: Array, offset: Array, slope: Array) -> Array:
    """Log of ∫ N(z; 0, 1) Π Φ(offset + slope z) dz over z > lower."""
    return _tail_and_slopes(lower, offset, slope)[0]


@_log_tail.defjvp
def _log_tail_jvp(primals, tangents):
    value, slopes = _tail_and_slopes(*primals)
    change = jnp.zeros_like(value)
    for slope, tangent in zip(slopes, tangents, strict=True):
        change = change + jnp.sum(slope * tangent)
    return value, change


def _above(key: Array, lower: Array) -> Array:
    """Standard normal draw given that it exceeds `lower`."""
    u = jax.random.uniform(key, jnp.shape(lower), minval=1e-300, maxval=1.0)
    near = jnp.minimum(lower, 30.0)
    tail = lower - jnp.log(u) / jnp.maximum(lower, 1.0)
    return jnp.where(lower < 30.0, -ndtri(u * ndtr(-near)), tail)


def draw(
    key: Array, mode: str, amplitudes: Sequence[Amplitude], arr: Arrow
) -> Float[Array, "g k"]:
    """One draw of the amplitudes given everything else, in the prior of `mode`.

    `profile` gives a* itself: that mode ignores their uncertainty.
    """
    if mode in ("profile", "explicit"):
        return amp.solve(amplitudes, arr).per_group(amplitudes)
    if mode == "gaussian":
        arr = amp.with_priors(amplitudes, arr)[0]
    solution = amp.unconstrained(amplitudes, arr)
    bounded = mode == "nonnegative"
    shared, local = _constrained(amplitudes) if bounded else ([], [])
    bounds_s, bounds_l = _lower(amplitudes)
    n_local = arr.ll.shape[-1]
    order = local + [i for i in range(n_local) if i not in local]
    key_s, key_l = jax.random.split(key)
    given = small.inverse(arr.ll)
    s = solution.shared
    if arr.ss.shape[0]:
        bounded_s = bool(shared or local)
        s = _draw_shared(key_s, solution, arr, bounded_s, bounds_s, bounds_l, local)
    step = small.solve(arr.ll, jnp.swapaxes(arr.sl, 1, 2))
    mean = solution.local - jnp.einsum("gls,s->gl", step, s - solution.shared)
    if not n_local:
        a_l = mean
    else:
        permuted = given[:, np.array(order)[:, None], np.array(order)[None, :]]
        lower, pivot = small.ldl(permuted)
        chol = lower * jnp.sqrt(pivot)[:, None, :]
        limit = jnp.asarray(bounds_l[order])[None] - mean[:, np.array(order)]
        keys = jax.random.split(key_l, n_local)
        groups = mean.shape[0]
        z: list = []
        for i in range(n_local):
            partial = sum((chol[:, i, m] * z[m] for m in range(i)), jnp.zeros(groups))
            if i >= len(local):
                z.append(jax.random.normal(keys[i], (groups,)))
            elif i == 0 and len(local) == 2:
                z.append(_first_of_two(keys[i], chol, limit))
            else:
                z.append(_above(keys[i], (limit[:, i] - partial) / chol[:, i, i]))
        steps = jnp.einsum("glm,gm->gl", chol, jnp.stack(z, axis=1))
        a_l = mean + steps[:, np.argsort(order)]
        if local:
            # The exact bound survives rounding of mean + step.
            a_l = jnp.where(
                np.isin(np.arange(n_local), local)[None],
                jnp.maximum(a_l, bounds_l[None]),
                a_l,
            )
    shape = (a_l.shape[0], s.shape[0])
    return amp.in_columns(amplitudes, jnp.broadcast_to(s[None], shape), a_l)


def _grid_draw(key: Array, lower: Array, offset: Array, slope: Array) -> Array:
    """Draw from the density of `_log_density` cut at `lower`, by its tabulated sum."""
    edges = _panels(lower, offset, slope)
    t = jnp.linspace(0.0, 1.0, 256, endpoint=False)
    z = edges[:-1, None] + jnp.diff(edges)[:, None] * t[None]
    z = jnp.concatenate([jnp.ravel(z), edges[-1:]])
    log_density = _log_density(z, offset, slope)
    density = jnp.exp(log_density - jnp.max(log_density))
    area = jnp.cumsum(0.5 * (density[1:] + density[:-1]) * jnp.diff(z))
    cumulative = jnp.concatenate([jnp.zeros(1), area])
    return jnp.interp(jax.random.uniform(key) * cumulative[-1], cumulative, z)


def _draw_shared(
    key: Array,
    solution: Solution,
    arr: Arrow,
    bounded: bool,
    bounds_s: np.ndarray,
    bounds_l: np.ndarray,
    local: list[int],
) -> Array:
    """Shared amplitudes with the bounded local ones integrated out."""
    if not bounded:
        lower, pivot = small.ldl(small.inverse(solution.schur))
        z = jax.random.normal(key, solution.shared.shape)
        return solution.shared + (lower * jnp.sqrt(pivot)[None, :]) @ z
    limits = _given_shared(solution, arr, bounds_s, bounds_l, local)
    sd = jnp.sqrt(small.inverse(solution.schur)[0, 0])
    drawn = solution.shared + sd * _grid_draw(key, *limits)
    return jnp.maximum(drawn, bounds_s)


def _first_of_two(key: Array, chol: Array, limit: Array) -> Array:
    """First standard normal of a bounded pair, the second integrated out."""

    def one(key: Array, c: Array, lim: Array) -> Array:
        offset, slope = -lim[1:] / c[1, 1], c[1:, 0] / c[1, 1]
        return _grid_draw(key, lim[0] / c[0, 0], offset[:1], slope[:1])

    return jax.vmap(one)(jax.random.split(key, chol.shape[0]), chol, limit)
