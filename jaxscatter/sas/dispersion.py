"""Distributions of sizes and orientations on a fixed number of points.

A grid of `npts` points spans ±`nsigmas` σ about the centre and moves with it, so that
values and weights are smooth in centre and width and shapes stay fixed. Points outside
the limits keep their place with weight 0. Weights sum to 1.

Widths are relative to the centre (σ = width · centre) for sizes, and absolute in
degrees for orientations, whose distributions are centred on 0.

    gaussian    exp(-(x-c)²/2σ²)
    lognormal   exp(-½ ((ln x - ln c)/s)²)/(x s), s = |σ/c|; c is the median
    schulz      exp(z ln z + (z-1) ln R - R z - ln c - ln Γ(z)), R = x/c, z = (c/σ)²
    rectangle   1 where |x-c| <= √3 σ
    uniform     1 on c ± σ
    boltzmann   exp(-|x-c|/σ)
    array       points and weights of the user's own

References:
    [1] G. V. Schulz, Z. Phys. Chem. B 43, 25 (1939).
    [2] M. Kotlarchyk and S.-H. Chen, J. Chem. Phys. 79, 2461 (1983).
"""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, ArrayLike, Float

from .._types import Scalar
from ..errors import ModelError

DEFAULTS: dict[str, tuple[int, float]] = {
    "gaussian": (35, 3.0),
    "lognormal": (80, 8.0),
    "schulz": (80, 8.0),
    "rectangle": (35, 1.73205),
    "uniform": (35, 1.0),
    "boltzmann": (35, 3.0),
    "array": (0, 0.0),
}
"""Points and half width in σ of each kind."""

_SMALLEST = 1e-8  # Å; lognormal and Schulz need x > 0


class Distribution(eqx.Module):
    """Which distribution, on how many points; the width is a parameter.

    Args:
        kind: one of `DEFAULTS`.
        npts: points; below 2 the parameter is a single value.
        nsigmas: half width of the grid in σ.
        x, w: points and weights of kind "array".
        relative: whether the width is relative to the centre.

    Raises:
        ModelError: an unknown kind, or an array without points.
    """

    kind: str = eqx.field(static=True, default="gaussian")
    npts: int = eqx.field(static=True, default=35)
    nsigmas: float | int = eqx.field(static=True, default=3.0)
    relative: bool = eqx.field(static=True, default=True)
    x: Any = None
    w: Any = None

    def __check_init__(self):
        if self.kind not in DEFAULTS:
            raise ModelError(
                f"distribution {self.kind!r} is not known; expected one of "
                f"{sorted(DEFAULTS)}"
            )
        sizes = [0 if v is None else np.asarray(v).size for v in (self.x, self.w)]
        if self.kind == "array" and (sizes[0] == 0 or sizes[0] != sizes[1]):
            raise ModelError(
                "a distribution of kind 'array' needs as many weights as points; got "
                f"{sizes[0]} points and {sizes[1]} weights"
            )
        if self.nsigmas < 0 or not math.isfinite(self.nsigmas):
            raise ModelError(f"pd_nsigma is {self.nsigmas}; expected a number >= 0")

    @property
    def size(self) -> int:
        """Number of points; 1 for a single value."""
        if self.kind == "array":
            return int(np.shape(self.x)[0])
        return self.npts if self.npts >= 2 else 1


def chosen(
    kind: str | None = None,
    npts: float | int | None = None,
    nsigmas: float | int | None = None,
    relative: bool = True,
    x: ArrayLike | Sequence[float] | None = None,
    w: ArrayLike | Sequence[float] | None = None,
) -> Distribution:
    """A distribution with the usual number of points and width for its kind.

    With only a number of points given, the grid spans ±3 σ, as elsewhere.
    """
    named = "gaussian" if kind is None else str(kind).lower()
    if named not in DEFAULTS:
        return Distribution(named)
    points, width = DEFAULTS[named]
    if kind is None or (nsigmas is None and npts is not None):
        width = 3.0
    return Distribution(
        named,
        points if npts is None else int(npts),
        width if nsigmas is None else float(nsigmas),
        relative,
        None if x is None else jnp.asarray(x, float),
        None if w is None else jnp.asarray(w, float),
    )


def points(
    distribution: Distribution,
    centre: Scalar,
    width: Scalar,
    lo: float | int = -math.inf,
    hi: float | int = math.inf,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Points x and weights w of a distribution, Σw = 1.

    Args:
        distribution: kind and grid.
        centre: of the distribution, in the parameter's unit; orientations give 0.
        width: relative or absolute, see `Distribution`; 0 puts all points on the
            centre.
        lo: lower limit; points outside are moved onto it with weight 0.
        hi: upper limit, likewise.
    """
    centre, lo, hi = jnp.asarray(centre, float), float(lo), float(hi)
    if distribution.kind == "array":
        return _within(distribution.x, distribution.w, lo, hi)
    if distribution.size == 1:
        return centre[None], jnp.ones((1,))
    sigma = jnp.asarray(width, float) * (centre if distribution.relative else 1.0)
    reach = 1.0 if distribution.kind == "uniform" else distribution.nsigmas
    # The grid in units of σ is constant: with u = (x - c)/σ no weight divides by a
    # width of zero.
    u = jnp.linspace(-reach, reach, distribution.size)
    x = centre + u * sigma
    if distribution.kind in ("lognormal", "schulz"):
        lo = max(lo, _SMALLEST)
        w = _skewed(distribution.kind, u, x, centre, sigma, lo)
    elif distribution.kind == "gaussian":
        w = jnp.exp(-0.5 * jnp.square(u))
    elif distribution.kind == "boltzmann":
        w = jnp.exp(-jnp.abs(u))
    elif distribution.kind == "rectangle":
        w = (jnp.abs(u) <= math.sqrt(3.0)).astype(u.dtype)
    else:
        w = jnp.ones_like(u)
    return _within(x, w, lo, hi)


def _skewed(kind: str, u: Array, x: Array, centre: Array, sigma: Array, lo: float):
    """Weights of lognormal and Schulz; where the width is 0, those of a point."""
    wide = jnp.abs(sigma) > 1e-6 * jnp.abs(centre)
    s = jnp.where(wide, sigma, 1.0)
    c = jnp.where(wide & (centre > 0), centre, 1.0)
    inside = wide & (x > lo)
    ratio = jnp.where(inside, x, c) / c
    if kind == "lognormal":
        width = jnp.abs(s / c)
        log_w = -0.5 * jnp.square(jnp.log(ratio) / width) - jnp.log(ratio)
    else:
        z = jnp.square(c / s)
        log_w = (z - 1) * jnp.log(ratio) - ratio * z + z * jnp.log(z) - gammaln(z)
    highest = jnp.max(jnp.where(inside, log_w, -jnp.inf))
    scaled = log_w - jnp.where(jnp.isfinite(highest), highest, 0.0)
    # without width all points coincide: the Gaussian's weights give the same sums
    return jnp.where(wide, jnp.exp(scaled), jnp.exp(-0.5 * jnp.square(u)))


def _within(x: Array, w: Array, lo: float, hi: float) -> tuple[Array, Array]:
    keep = (x >= lo) & (x <= hi)
    w = jnp.where(keep, w, 0.0)
    total = jnp.sum(w)
    w = w / jnp.where(total > 0, total, 1.0)
    inside = jnp.where(x < lo, lo, jnp.where(x > hi, hi, x))
    return jnp.where(jnp.isfinite(inside), inside, x), w
