"""Log likelihood and its gradient, from the sums of one forward-mode pass."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import amplitudes as amp
from . import marginal, passes, sums
from .amplitudes import Arrow


def _amplitudes(problem: Any, mode: str, at: Any, arr: Arrow) -> Array:
    """Amplitudes at which the sums of `mode` are taken."""
    if problem.likelihood.robust:
        return passes.profile(problem, at).per_group(problem.linear)
    point = marginal.evaluation_point(mode, problem.linear, arr)
    return point.per_group(problem.linear)


def count_integrated(problem: Any, mode: str, arr: Arrow) -> int:
    """Number of amplitudes whose integral lowers the degrees of freedom."""
    return arr.ss.shape[0] + arr.hl.size if problem.linear and mode == "flat" else 0


def _assemble(
    problem: Any, mode: str, chi2: Array, log_v: Array, arr: Arrow, a: Array
) -> Float[Array, ""]:
    """Log L of the sums at the evaluation point of `mode`."""
    total = problem.likelihood.constant(problem.data) - log_v
    total = total + marginal.correction(mode, problem.linear, arr, a)
    if problem.likelihood.noise != "scale_marginal":
        return total - 0.5 * chi2
    half = 0.5 * (problem.data.count - count_integrated(problem, mode, arr))
    return (
        total
        + jax.scipy.special.gammaln(half)
        - math.log(2)
        - half * jnp.log(0.5 * chi2)
    )


@eqx.filter_custom_jvp
def loglike(x: Array, *, problem: Any, mode: str) -> Array:
    """Log L at x, with its gradient from `loglike_and_gradient`."""
    at = passes.begin(problem, x, tangents=False)
    arr = amp.arrow(problem.linear, *at.gram())
    a = _amplitudes(problem, mode, at, arr)
    chi2, log_v = at.misfit(a)
    return _assemble(problem, mode, jnp.sum(chi2), jnp.sum(log_v), arr, a)


@loglike.def_jvp
def _loglike_jvp(primals, tangents, *, problem, mode):
    (x,), (dx,) = primals, tangents
    value, gradient = loglike_and_gradient(problem, x, mode)
    return value, gradient @ dx


def loglike_and_gradient(
    problem: Any, x: Float[Array, " p"], mode: str
) -> tuple[Float[Array, ""], Float[Array, " p"]]:
    """Log L and its gradient from one forward-mode pass over the data.

    χ² and the amplitudes' penalty are stationary in a at the evaluation point, so their
    partial derivative at fixed a is the whole one; log|G| and P(a >= 0) bring ∂G, ∂h.
    """
    at = passes.begin(problem, x, tangents=True)
    g, h = at.gram()
    arr = amp.arrow(problem.linear, g, h)
    a = _amplitudes(problem, mode, at, arr)
    integrated = bool(problem.linear) and mode in ("flat", "gaussian", "nonnegative")
    t = at.tangents(a, marginal=integrated)
    where = problem.layout
    chi2, log_v = jnp.sum(t.chi2), jnp.sum(t.log_v)
    value = _assemble(problem, mode, chi2, log_v, arr, a)
    factor = 1.0
    if problem.likelihood.noise == "scale_marginal":
        k = count_integrated(problem, mode, arr)
        factor = (problem.data.count - k) / chi2
    gradient = -factor * sums.scatter(where, t.slope, 1)
    if integrated:

        def correction(g: Array, h: Array) -> Array:
            # a is stationary for χ² + penalty together, so it is a constant here
            return marginal.correction(
                mode, problem.linear, amp.arrow(problem.linear, g, h), a
            )

        bar_g, bar_h = jax.grad(correction, argnums=(0, 1))(g, h)
        local = jnp.einsum("gkl,gtkl->gt", bar_g, t.d_gram)
        local = local + jnp.einsum("gk,gtk->gt", bar_h, t.d_h)
        gradient = gradient + sums.scatter(where, local, 1)
    return value, gradient
