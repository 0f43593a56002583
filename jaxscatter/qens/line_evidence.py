"""Log evidence of lines in one spectrum, with the error of its own integration.

    Z = N!/V ∫ dx ∫ da  L(x, a),   a ≥ 0 but for slope and curvature

over x = (ln Γ₁ < … < ln Γ_N, shift) and the intensities a. V is the volume of the
priors: ln Γ and the shift uniform over their ranges, no line and no background higher
than the highest point, slope and curvature within ± that. The integral over a, a
Gaussian cut at zero, is estimated by sampling one intensity after the other [1]; that
over x by importance sampling from the Gaussian approximation at the optimum, with the
heavy tails of Student's t, mixed with the prior. So a width on its bound, a line that
nothing shows or one that cannot be told from the elastic line count for what they are,
which Laplace's formula alone gets wrong.

References:
    [1] M. Keane, Econometrica 62, 95 (1994); A. Genz, J. Comput. Graph. Stat. 1, 141
        (1992).
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, log_ndtr, logsumexp, ndtr, ndtri
from jaxtyping import Array, Float, PRNGKeyArray

from ..problem import Problem

_LOG_2PI = math.log(2 * math.pi)
_SHARES = (0.7, 0.1, 0.2)  # of the approximation, a threefold wider one, the prior
_FREEDOM = 4.0  # of Student's t
_RIDGE = 1e-12  # relative; tells lines of equal width apart


def log_evidence(
    problem: Problem,
    best: Float[np.ndarray, "q d"],
    areas: Float[np.ndarray, "q k"],
    lines: int,
    low: Float[np.ndarray, " d"],
    high: Float[np.ndarray, " d"],
    draws: int = 4096,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Ln Z and its standard error, (q,) each.

    Args:
        problem: from `lines_problem`, with Gaussian noise of known errors.
        best: ln of the widths in increasing order, and the shift if there is one.
        areas: intensities at the optimum.
        lines: number of Lorentzians.
        low: least values of `best` that the prior allows.
        high: largest ones.
        draws: of the importance sampling.
        seed: of the draws.
    """
    keys = jax.random.split(jax.random.key(seed), len(best))
    data = problem.data
    dims = dict(data.dims)
    coords = {
        name: v
        if dims[name][:1] == ("group",)
        else jnp.broadcast_to(v, (len(best), *np.shape(v)))
        for name, v in data.coords.items()
    }
    given = (keys, jnp.asarray(best), jnp.asarray(areas), coords)
    observed = (data.y, data.sigma, data.mask)
    value, error = _each(
        problem, given, observed, lines, jnp.asarray(low), jnp.asarray(high), draws
    )
    return np.asarray(value), np.asarray(error)


@eqx.filter_jit
def _each(
    problem: Problem,
    given: tuple,
    observed: tuple,
    lines: int,
    low: Array,
    high: Array,
    draws: int,
) -> tuple[Array, Array]:
    """`log_evidence` of one spectrum after the other."""
    bounded = jnp.array([np.isfinite(a.lower) for a in problem.linear])

    def one(row: tuple) -> tuple[Array, Array]:
        (key, best, areas, coords), (y, sigma, mask) = row
        weight = jnp.where(mask > 0, 1 / sigma, 0.0)
        top = jnp.max(jnp.where(mask > 0, jnp.abs(y), 0.0))
        noise = jnp.sum(jnp.where(mask > 0, jnp.log(sigma) + 0.5 * _LOG_2PI, 0.0))

        def columns(x: Array) -> Array:
            theta = {f"hwhm_{i + 1}": jnp.exp(x[i]) for i in range(lines)}
            if x.size > lines:
                theta["center"] = x[lines]
            return problem.model.columns(None, theta, coords)

        def inside(key: Array, x: Array) -> Array:
            return _over_areas(key, columns(x), y, weight, bounded, top)

        factor = _precision(columns, best, areas, weight, low, high)
        log_w = _importance(key, inside, best, factor, lines, low, high, draws)
        mean = logsumexp(log_w) - math.log(draws)
        # relative spread of the weights, over the root of their number
        ratio = jnp.exp(log_w - mean)
        return mean - noise, jnp.std(ratio) / math.sqrt(draws)

    return jax.lax.map(one, (given, observed))


def _over_areas(
    key: PRNGKeyArray, table: Array, y: Array, weight: Array, bounded: Array, top: Array
) -> Float[Array, ""]:
    """Log of ∫ exp(-χ²/2) da / V_a, by one draw where `a` is bounded by zero."""
    height = jnp.max(jnp.abs(jnp.where(weight[:, None] > 0, table, 0.0)), axis=0)
    log_room = jnp.log(top / height) + jnp.where(bounded, 0.0, math.log(2.0))
    scaled = table * weight[:, None]
    size = jnp.sqrt(jnp.sum(jnp.square(scaled), axis=0))
    scaled = scaled / size[None, :]
    k = size.size
    gram = scaled.T @ scaled + _RIDGE * jnp.eye(k)
    # factored in reverse order, so that L of G⁻¹ = L Lᵀ is lower triangular
    c = jnp.linalg.cholesky(gram[::-1, ::-1])
    lower = jax.scipy.linalg.solve_triangular(c, jnp.eye(k), lower=True).T[::-1, ::-1]
    mean = lower @ (lower.T @ (scaled.T @ (y * weight)))
    chi2 = jnp.sum(jnp.square(y * weight - scaled @ mean))
    log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(c)))
    allowed = jnp.zeros(())
    z: list[Array] = []
    u = jax.random.uniform(key, (k,), minval=1e-12)
    for i in range(k):
        partial = mean[i] + sum((lower[i, j] * z[j] for j in range(i)), jnp.zeros(()))
        least = jnp.where(bounded[i], -partial / lower[i, i], -jnp.inf)
        allowed = allowed + log_ndtr(-least)
        # drawn above `least`; far out the tail is exponential
        far = least > 30.0
        safe = jnp.where(far, 0.0, least)
        near = -ndtri(u[i] * ndtr(-safe))
        tail = least - jnp.log(u[i]) / jnp.maximum(least, 1.0)
        z.append(jnp.where(far, tail, near))
    log_areas = 0.5 * k * _LOG_2PI - 0.5 * log_det - jnp.sum(jnp.log(size))
    return log_areas + allowed - 0.5 * chi2 - jnp.sum(log_room)


def _precision(
    columns, best: Array, areas: Array, weight: Array, low: Array, high: Array
) -> Array:
    """Lower factor of the precision of x with a integrated out, never below a prior's.

    The areas' own bounds are left out: this only places draws.
    """
    slopes = jnp.einsum("nkd,k->nd", jax.jacfwd(columns)(best), areas)
    slopes = slopes * weight[:, None]
    scaled = columns(best) * weight[:, None]
    scaled = scaled / jnp.linalg.norm(scaled, axis=0)[None, :]
    gram = scaled.T @ scaled + _RIDGE * jnp.eye(scaled.shape[1])
    across = scaled.T @ slopes
    h = slopes.T @ slopes - across.T @ jnp.linalg.solve(gram, across)
    return jnp.linalg.cholesky(h + jnp.diag(12 / jnp.square(high - low)))


def _importance(
    key: PRNGKeyArray,
    inside,
    best: Array,
    factor: Array,
    lines: int,
    low: Array,
    high: Array,
    draws: int,
) -> Float[Array, " draw"]:
    """Log of integrand times prior of x over the density it was drawn from."""
    d = best.size
    keys = jax.random.split(key, 5)
    areas = jax.random.split(keys[0], draws)
    if d == 0:
        return jax.vmap(lambda k: inside(k, best))(areas)
    normal = jax.random.normal(keys[1], (draws, d))
    # Student's t: a normal over the root of chi2/freedom
    chi2 = 2 * jax.random.gamma(keys[2], _FREEDOM / 2, (draws,))
    t = normal / jnp.sqrt(chi2 / _FREEDOM)[:, None]
    step = jax.scipy.linalg.solve_triangular(factor.T, t.T, lower=False).T
    unit = jax.random.uniform(keys[3], (draws, d))
    uniform = low[None, :] + (high - low)[None, :] * unit
    ordered = jnp.sort(uniform[:, :lines], axis=1)
    uniform = jnp.concatenate([ordered, uniform[:, lines:]], axis=1)
    which = jnp.arange(draws) / draws
    wide = (which >= _SHARES[0]) & (which < _SHARES[0] + _SHARES[1])
    x = best[None, :] + jnp.where(wide, 3.0, 1.0)[:, None] * step
    x = jnp.where((which < _SHARES[0] + _SHARES[1])[:, None], x, uniform)
    log_prior = math.lgamma(lines + 1) - jnp.sum(jnp.log(high - low))
    allowed = jnp.all((x >= low[None, :]) & (x <= high[None, :]), axis=1)
    if lines > 1:
        allowed &= jnp.all(jnp.diff(x[:, :lines], axis=1) > 0, axis=1)
    distance = jnp.sum(jnp.square((x - best[None, :]) @ factor), axis=1)
    parts = [
        math.log(share) + _log_t(distance / scale**2, factor) - d * math.log(scale)
        for share, scale in zip(_SHARES[:2], (1.0, 3.0), strict=True)
    ]
    parts.append(jnp.broadcast_to(math.log(_SHARES[2]) + log_prior, (draws,)))
    log_q = logsumexp(jnp.stack(parts), axis=0)
    log_l = jax.vmap(inside)(areas, jnp.where(allowed[:, None], x, best[None, :]))
    return jnp.where(allowed, log_l + log_prior - log_q, -jnp.inf)


def _log_t(distance: Array, factor: Array) -> Array:
    """Log density of Student's t, of squared distances in its own scale."""
    d, nu = factor.shape[0], _FREEDOM
    top = gammaln(0.5 * (nu + d)) - gammaln(0.5 * nu) - 0.5 * d * math.log(nu * math.pi)
    top = top + jnp.sum(jnp.log(jnp.diagonal(factor)))
    return top - 0.5 * (nu + d) * jnp.log1p(distance / nu)
