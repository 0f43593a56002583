"""Closed-form algebra of small symmetric positive definite matrices, k up to about 6.

Unrolled LDLᵀ over the leading batch axes: no LAPACK call, so it fuses, vmaps and
differentiates like elementwise arithmetic. Pivots are floored relative to their
diagonal, so a collinear or vanishing column gives a finite answer and gradient.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

_FLOOR = 1e-14


def ldl(
    g: Float[Array, "*b k k"],
) -> tuple[Float[Array, "*b k k"], Float[Array, "*b k"]]:
    """Unit lower triangle L and pivots d of G = L diag(d) Lᵀ, d > 0 by a floor."""
    k = g.shape[-1]
    if k == 0:
        return g, jnp.zeros(g.shape[:-1], g.dtype)
    one, zero = jnp.ones_like(g[..., 0, 0]), jnp.zeros_like(g[..., 0, 0])
    lower = [[zero] * k for _ in range(k)]
    pivot: list = []
    for i in range(k):
        for j in range(i):
            s = g[..., i, j]
            for m in range(j):
                s = s - lower[i][m] * lower[j][m] * pivot[m]
            lower[i][j] = s / pivot[j]
        s = g[..., i, i]
        for m in range(i):
            s = s - jnp.square(lower[i][m]) * pivot[m]
        floor = _FLOOR * g[..., i, i]
        s = jnp.where(s > floor, s, floor)
        pivot.append(jnp.where(s > 0, s, 1.0))
        lower[i][i] = one
    rows = [jnp.stack(row, axis=-1) for row in lower]
    return jnp.stack(rows, axis=-2), jnp.stack(pivot, axis=-1)


def solve(
    g: Float[Array, "*b k k"], rhs: Float[Array, "*b k m"]
) -> Float[Array, "*b k m"]:
    """X of G X = rhs for positive definite G, by `ldl`."""
    k = g.shape[-1]
    if k == 0:
        return rhs
    lower, pivot = ldl(g)
    x: list = []
    for i in range(k):
        s = rhs[..., i, :]
        for m in range(i):
            s = s - lower[..., i, m][..., None] * x[m]
        x.append(s)
    x = [row / pivot[..., i][..., None] for i, row in enumerate(x)]
    for i in reversed(range(k)):
        for m in range(i + 1, k):
            x[i] = x[i] - lower[..., m, i][..., None] * x[m]
    return jnp.stack(x, axis=-2)


def inverse(g: Float[Array, "*b k k"]) -> Float[Array, "*b k k"]:
    """Inverse of positive definite G."""
    eye = jnp.broadcast_to(jnp.eye(g.shape[-1], dtype=g.dtype), g.shape)
    return solve(g, eye)


def logdet(g: Float[Array, "*b k k"]) -> Float[Array, "*b"]:
    """Log determinant of positive definite G."""
    return jnp.sum(jnp.log(ldl(g)[1]), axis=-1)
