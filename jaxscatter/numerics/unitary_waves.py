"""Waves ψ(t) = exp(2πi t H) e₀ of one matrix, by its eigenvalues or by exponentials.

With H = C diag(w) Cᴴ and E = exp(2πi t w), ψ = C (E · Cᴴ e₀). The derivative of the
exponential is that of Daleckii and Krein,

    dS = C (Φ ∘ (Cᴴ dH C)) Cᴴ,   Φ_jk = (E_j - E_k)/(w_j - w_k)
                                     = 2πi t exp(πi t (w_j + w_k)) sinc(t (w_j - w_k)),

exact where eigenvalues coincide, where derivatives of eigenvectors do not exist. It
holds for any dH, Hermitian or not. H in reciprocal units of t.

References:
    [1] Ju. L. Daleckii and S. G. Krein, AMS Transl. Ser. 2 47, 1 (1965).
    [2] N. J. Higham, Functions of Matrices, SIAM (2008), section 3.2.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Shaped


@jax.custom_jvp
def _waves(h: Array, t: Array, entrance: Array) -> Array:
    return _parts(h, t, entrance)[0]


def _parts(h, t, entrance):
    """ψ, and the eigenvalues and eigenvectors it was made of."""
    w, c = jnp.linalg.eigh(h)
    into = jnp.conj(c).T @ entrance
    phases = jnp.exp((2j * math.pi) * t[:, None] * w[None, :])
    psi = (phases * into[None, :]) @ c.T
    # t = 0 gives e₀ exactly
    return jnp.where((t == 0)[:, None], entrance[None, :], psi), w, c, into


@_waves.defjvp
def _waves_jvp(primals, tangents):
    h, t, entrance = primals
    dh, dt, _ = tangents
    psi, w, c, into = _parts(h, t, entrance)
    inner = jnp.conj(c).T @ (dh @ c)
    half = 0.5 * (w[:, None] + w[None, :])[None]
    gap = (w[:, None] - w[None, :])[None]
    t3 = t[:, None, None]
    phi = (2j * math.pi) * t3 * jnp.exp((2j * math.pi) * t3 * half) * jnp.sinc(t3 * gap)
    inside = jnp.einsum("tjk,jk,k->tj", phi, inner, into)
    along = (2j * math.pi) * (psi @ h.T) * dt[:, None]
    return psi, inside @ c.T + along


def unitary_waves(
    h: Shaped[Array, "n n"], t: Float[Array, " times"], entrance: int = 0
) -> Complex[Array, "times n"]:
    """ψ(t) = exp(2πi t H) e₀ of a Hermitian H, for several t from one decomposition.

    Derivatives of first order, forward and reverse, are exact for degenerate
    eigenvalues too, and for a dH that is not Hermitian: absorption at H without any.

    Args:
        h: Hermitian; only its lower triangle is read.
        t: lengths.
        entrance: index of e₀.
    """
    dtype = jnp.result_type(h.dtype, jnp.complex64)
    start = jnp.zeros(h.shape[0], dtype).at[entrance].set(1.0)
    return _waves(h.astype(dtype), t, start)


def exponential_waves(
    h: Shaped[Array, "n n"], t: Float[Array, " times"], entrance: int = 0
) -> Complex[Array, "times n"]:
    """ψ(t) = exp(2πi t H) e₀ of any H by scaling and squaring, one t at a time.

    Slow; what the other propagators are checked against.
    """
    whole = jax.vmap(lambda t: jax.scipy.linalg.expm((2j * math.pi) * t * h))(t)
    return whole[:, :, entrance]
