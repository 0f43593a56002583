"""Debye-Waller factors T(g) of atoms that vibrate harmonically.

    isotropic   exp(-Bs²) = exp(-2π²⟨u²⟩g²),  B = 8π²⟨u²⟩
    bij         exp(-Σ β_ij h_i h_j)
    uij         exp(-2π² Σ U_ij a*_i a*_j h_i h_j)

U_ij is that of CIF: its axes are along a*, b*, c* and are not orthogonal in general.

Units: g = 2s in 1/Å, B, ⟨u²⟩ and U in Å², β without unit.

References:
    [1] K. N. Trueblood et al., Acta Cryst. A52, 770 (1996).
"""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Num

from .._types import Floats, as_float
from ..numerics._dtype import common_float
from .lattice import metric, reciprocal_basis


def isotropic(g: Floats, b: Floats) -> Float[Array, "..."]:
    """exp(-B g²/4); `g` and `b` broadcast."""
    g, b = common_float(g, b)
    return jnp.exp(-b * jnp.square(g) / 4)


def bij(
    hkl: Num[ArrayLike, "*n 3"], beta: Float[ArrayLike, "3 3"]
) -> Float[Array, "*n"]:
    """exp(-Σ β_ij h_i h_j)."""
    h = as_float(hkl)
    return jnp.exp(-jnp.einsum("...i,ij,...j->...", h, as_float(beta), h))


def uij(
    hkl: Num[ArrayLike, "*n 3"],
    u: Float[ArrayLike, "3 3"],
    cell: Num[ArrayLike, "6"],
) -> Float[Array, "*n"]:
    """exp(-2π² Σ U_ij a*_i a*_j h_i h_j)."""
    return bij(hkl, beta_of(u, cell))


def beta_of(
    u: Float[ArrayLike, "*n 3 3"], cell: Num[ArrayLike, "6"]
) -> Float[Array, "*n 3 3"]:
    """β_ij = 2π² U_ij a*_i a*_j."""
    star = jnp.linalg.norm(reciprocal_basis(cell), axis=-1)
    return 2 * jnp.pi**2 * as_float(u) * _shaped(jnp.outer(star, star), u)


def u_of(
    beta: Float[ArrayLike, "*n 3 3"], cell: Num[ArrayLike, "6"]
) -> Float[Array, "*n 3 3"]:
    """U_ij = β_ij/(2π² a*_i a*_j), the inverse of `beta_of`."""
    star = jnp.linalg.norm(reciprocal_basis(cell), axis=-1)
    return as_float(beta) / (2 * jnp.pi**2 * _shaped(jnp.outer(star, star), beta))


def equivalent_b(
    u: Float[ArrayLike, "*n 3 3"], cell: Num[ArrayLike, "6"]
) -> Float[Array, "*n"]:
    """B_eq = (8π²/3) Σ U_ij a*_i a*_j a_i·a_j, the mean over all directions."""
    beta = beta_of(u, cell)
    return 4 / 3 * jnp.einsum("...ij,ij->...", beta, metric(cell))


def _shaped(
    tensor: Float[Array, "3 3"], like: Float[ArrayLike, "*n 3 3"]
) -> Float[Array, "*n 3 3"]:
    return jnp.broadcast_to(tensor, jnp.shape(like))
