"""The sums of an XPCS fit over square tiles of the two-time triangle.

A derivative of the shape is a weight per pair times a difference of two table entries,

    ∂_p m = u (E_p[b] - E_p[a]) + v (X_p[b] - X_p[a]),   u = ∂m/∂E, v = ∂m/∂x,

with E_p, X_p tables over the frames. Sums of products of two such derivatives over a
tile are therefore row sums, column sums and products of the weight matrices u², uv, v²
with the tables: no array of one number per pair and parameter is made. sin and cos are
taken of the frames only; a pair costs one exponential.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import Arrangement, BlockSums, Dataset

TILE = 64
"""Largest side of a tile, in frames."""
SERIES = 0.1
"""Phase below which sinc and its slope are taken from their series."""


def tiled(data: Dataset) -> Arrangement | None:
    """Pairs in the order of tiles, row by row; None if a pair occurs twice."""
    early, late = (np.asarray(data.coords[k]) for k in ("early", "late"))
    n = len(np.asarray(data.coords["t"]))
    row, col, side = tile_pairs(n)
    where = np.full((n, n), -1)
    where[early, late] = np.arange(len(early))
    inside = (row < n) & (col < n)
    row, col = np.minimum(row, n - 1), np.minimum(col, n - 1)
    order = np.where(inside, where[row, col], -1)
    if np.count_nonzero(order >= 0) != len(early):
        return None
    coords = {
        "early": np.minimum(row, col),
        "late": np.maximum(row, col),
        "row": row,
        "col": col,
    }
    return Arrangement(
        order, {k: v.astype(np.int32) for k, v in coords.items()}, side**2
    )


def tile_pairs(n: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(row, column) of every pair of the tiles that cover t2 > t1, and their side."""
    down, right, side = tile_corners(n)
    return *pairs_of(down, right, side), side


def tile_corners(n: int, most: int = TILE) -> tuple[np.ndarray, np.ndarray, int]:
    """First row and column of every tile, and their side."""
    count = -(-n // most)
    side = -(-n // count)
    down, right = np.triu_indices(count)
    return down * side, right * side, side


def pairs_of(
    down: np.ndarray, right: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """(row, column) of every pair of some tiles, row by row."""
    r, c = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    row = down[:, None] + r.ravel()[None]
    col = right[:, None] + c.ravel()[None]
    return row.ravel(), col.ravel()


class Tables(NamedTuple):
    """Tables of a tile: of its rows and of its columns, relative to its first row."""

    rows: Float[Array, "s ..."]
    cols: Float[Array, "s ..."]

    def difference(self) -> Float[Array, "s s"]:
        """Entry of the column minus entry of the row."""
        return self.cols[None, :] - self.rows[:, None]


def tables(
    table: Float[Array, "... n"], rows: Array, cols: Array, dtype: Any
) -> Tables:
    """Tables at the tile's frames, last axis of `table` first."""
    table = jnp.moveaxis(table, -1, 0)
    first = table[rows[:1]]
    return Tables(*((table[i] - first).astype(dtype) for i in (rows, cols)))


def sinc_and_slope(
    x: Float[Array, "s s"], sin: Float[Array, "s s"], cos: Float[Array, "s s"]
) -> tuple[Array, Array]:
    """sin(x)/x and its derivative from x and its sine and cosine."""
    near = jnp.abs(x) < SERIES
    x2 = jnp.square(jnp.where(near, x, 0.0))
    s = 1 - x2 / 6 * (1 - x2 / 20 * (1 - x2 / 42 * (1 - x2 / 72)))
    d = 1 - x2 / 10 * (1 - x2 / 28 * (1 - x2 / 54 * (1 - x2 / 88)))
    inverse = 1 / jnp.where(near, 1.0, x)
    far = sin * inverse
    return jnp.where(near, s, far), jnp.where(near, -x / 3 * d, (cos - far) * inverse)


def phase_parts(phase: Tables) -> tuple[Array, Array, Array]:
    """Phase of every pair with its sine and cosine, taken of the frames only."""
    (sa, sb), (ca, cb) = map(jnp.sin, phase), map(jnp.cos, phase)
    sin = sb[None, :] * ca[:, None] - cb[None, :] * sa[:, None]
    cos = cb[None, :] * ca[:, None] + sb[None, :] * sa[:, None]
    return phase.difference(), sin, cos


class Shape(NamedTuple):
    """m = e^-E sinc^k(x) of a tile; ∂m/∂E is -m."""

    m: Float[Array, "s s"]
    by_phase: Float[Array, "s s"] | None


def tile_shape(exponent: Tables, phase: Tables | None, power: int) -> Shape:
    """Shape and its slope in the phase; `power` is k."""
    # pairs below the diagonal count nothing, but must stay finite
    decay = jnp.exp(-jnp.maximum(exponent.difference(), 0.0))
    if phase is None:
        return Shape(decay, None)
    s, ds = sinc_and_slope(*phase_parts(phase))
    lower = s if power == 2 else s**3
    return Shape(decay * lower * s, power * decay * lower * ds)


def first_sums(
    m: Float[Array, "s s"], w: Float[Array, "s s"], r: Float[Array, "s s"], chi2: Array
) -> BlockSums:
    """G and h for the columns [m, 1], with χ²."""
    wr, wm = w * r, w * m
    cross = jnp.sum(wm)
    gram = jnp.array([[jnp.sum(wm * m), cross], [cross, jnp.sum(w)]])
    return BlockSums(gram, jnp.array([jnp.sum(wr * m), jnp.sum(wr)]), chi2)


def second_sums(
    shape: Shape,
    d_exponent: Tables,
    d_phase: Tables | None,
    w: Float[Array, "s s"],
    r: Float[Array, "s s"],
) -> tuple[Array, Array, Array, Array]:
    """Σ W ∂m m, Σ W ∂m, Σ W ∂m r (p,) and Σ W ∂m ∂m (p, p); E's entries first."""
    m, v = shape
    wm = w * m
    single = -jnp.stack([_linear(wm * f, d_exponent) for f in (m, 1.0, r)])
    double = _quadratic(wm * m, d_exponent, d_exponent)
    if v is None or d_phase is None:
        return single[0], single[1], single[2], double
    wv = w * v
    more = jnp.stack([_linear(wv * f, d_phase) for f in (m, 1.0, r)])
    cross = -_quadratic(wm * v, d_exponent, d_phase)
    own = _quadratic(wv * v, d_phase, d_phase)
    single = jnp.concatenate([single, more], axis=1)
    double = jnp.block([[double, cross], [cross.T, own]])
    return single[0], single[1], single[2], double


def _linear(weight: Float[Array, "s s"], table: Tables) -> Float[Array, " t"]:
    """Σ_ab U_ab (A_b - A_a)."""
    return jnp.sum(weight, axis=0) @ table.cols - jnp.sum(weight, axis=1) @ table.rows


def _quadratic(
    weight: Float[Array, "s s"], left: Tables, right: Tables
) -> Float[Array, "t u"]:
    """Σ_ab U_ab (A_b - A_a)(C_b - C_a)."""
    by_row, by_col = jnp.sum(weight, axis=1), jnp.sum(weight, axis=0)
    both = (left.cols * by_col[:, None]).T @ right.cols
    both = both + (left.rows * by_row[:, None]).T @ right.rows
    return (
        both - left.rows.T @ (weight @ right.cols) - (weight @ left.cols).T @ right.rows
    )
