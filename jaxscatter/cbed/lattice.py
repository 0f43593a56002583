"""The lattice: bases, volume and lengths |g|, from six numbers a b c α β γ.

A cell is an array (a, b, c, α, β, γ). Crystal Cartesian axes have x along a and z along
c*. Any triclinic cell will do.

Units: a, b, c in Å, angles in degrees, g in 1/Å with |g| = 1/d (no 2π).

References:
    [1] International Tables for Crystallography, vol. B, chapter 1.1.
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Num

from .._types import as_float
from ..errors import DataError


def _cosines(cell: Num[ArrayLike, "6"]) -> Float[Array, "3"]:
    """Of α, β, γ, as sines of the complements: those of right angles are exact."""
    return jnp.sin(jnp.deg2rad(90.0 - as_float(cell)[3:]))


def direct_basis(cell: Num[ArrayLike, "6"]) -> Float[Array, "3 3"]:
    """Rows a, b, c in Cartesian Å: a along x, b in the plane of x and y."""
    a, b, c = as_float(cell)[:3]
    cos_a, cos_b, cos_c = _cosines(cell)
    sin_c = jnp.sin(jnp.deg2rad(as_float(cell)[5]))
    tilt = (cos_a - cos_b * cos_c) / sin_c
    height = jnp.sqrt(1 - cos_b**2 - tilt**2)
    zero = jnp.zeros_like(a)
    return jnp.stack(
        [
            jnp.stack([a, zero, zero]),
            jnp.stack([b * cos_c, b * sin_c, zero]),
            jnp.stack([c * cos_b, c * tilt, c * height]),
        ]
    )


def metric(cell: Num[ArrayLike, "6"]) -> Float[Array, "3 3"]:
    """Metric tensor a_i·a_j in Å²."""
    cos_a, cos_b, cos_c = _cosines(cell)
    one = jnp.ones_like(cos_a)
    angles = jnp.stack(
        [
            jnp.stack([one, cos_c, cos_b]),
            jnp.stack([cos_c, one, cos_a]),
            jnp.stack([cos_b, cos_a, one]),
        ]
    )
    edges = as_float(cell)[:3]
    return angles * jnp.outer(edges, edges)


def volume(cell: Num[ArrayLike, "6"]) -> Float[Array, ""]:
    """Ω = √det(a_i·a_j) in Å³."""
    x, y, z = _cosines(cell)
    return jnp.prod(as_float(cell)[:3]) * jnp.sqrt(
        1 - x**2 - y**2 - z**2 + 2 * x * y * z
    )


def reciprocal_basis(cell: Num[ArrayLike, "6"]) -> Float[Array, "3 3"]:
    """Rows a*, b*, c* in 1/Å with a_i·a*_j = δ_ij, so that g = hkl @ rows."""
    a, b, c = direct_basis(cell)
    rows = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)])
    return rows / jnp.dot(a, jnp.cross(b, c))


def vectors(
    hkl: Num[ArrayLike, "*n 3"], cell: Num[ArrayLike, "6"]
) -> Float[Array, "*n 3"]:
    """G = h a* + k b* + l c* in crystal Cartesian axes, 1/Å."""
    return as_float(hkl) @ reciprocal_basis(cell)


def lengths_of(
    hkl: Num[ArrayLike, "*n 3"], cell: Num[ArrayLike, "6"]
) -> Float[Array, "*n"]:
    """|g| in 1/Å; 0 with gradient 0 at hkl = 000."""
    square = jnp.sum(jnp.square(vectors(hkl, cell)), axis=-1)
    origin = square == 0
    return jnp.where(origin, 0.0, jnp.sqrt(jnp.where(origin, 1.0, square)))


def checked_cell(cell: Num[ArrayLike, "6"]) -> None:
    """Refuse a cell that spans no volume; a traced one passes unseen.

    Raises:
        DataError: a number that is not finite, an edge that is not positive, or angles
            that cannot meet in one corner.
    """
    if isinstance(cell, Tracer):
        return
    x = np.asarray(cell, dtype=float)
    if not np.all(np.isfinite(x)):
        raise DataError(f"cell is {x.tolist()}; expected finite numbers")
    if np.any(x[:3] <= 0) or np.any(x[3:] <= 0) or np.any(x[3:] >= 180):
        raise DataError(
            f"cell is {x.tolist()}; expected edges above 0 Å and angles between 0 and "
            "180 degrees"
        )
    p, q, r = np.cos(np.deg2rad(x[3:]))
    square = 1 - p**2 - q**2 - r**2 + 2 * p * q * r
    if not square > 1e-12:
        raise DataError(
            f"cell has angles {x[3:].tolist()} and no volume; expected three edges "
            "that do not lie in one plane"
        )
