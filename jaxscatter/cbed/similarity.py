"""Likeness of two images whatever their scale: R, correlations, slopes.

A mask is true where a pixel is used; what lies under a false one, NaN included, has no
effect on values and derivatives.

Units: intensities in any one unit.

References:
    [1] C. D. Kuglin and D. C. Hines, Proc. IEEE Int. Conf. Cybernetics and Society,
        163 (1975), phase correlation.
"""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from .._types import Floats
from ..errors import DataError
from ..numerics._dtype import common_float

Mask = Bool[ArrayLike, "..."] | None


def used_pixels(mask: Mask, shape: tuple[int, ...]) -> Bool[Array, "..."]:
    """Where a pixel is used: everywhere without a mask."""
    if mask is None:
        return jnp.ones(shape, bool)
    if jnp.shape(mask) != shape:
        raise DataError(f"mask has shape {jnp.shape(mask)}; expected {shape}")
    return jnp.asarray(mask)


def compared(sim: Floats, exp: Floats, mask: Mask) -> tuple[Array, Array, Array]:
    """Both images, zero where they aren't used, and where they are."""
    sim, exp = common_float(sim, exp)
    if sim.shape != exp.shape:
        raise DataError(
            f"sim has shape {sim.shape}, exp {exp.shape}; expected the same"
        )
    used = used_pixels(mask, exp.shape)
    return jnp.where(used, sim, 0.0), jnp.where(used, exp, 0.0), used


def ratio(above: Array, below: Array, least: Array | float) -> Array:
    """Quotient, or 0 where `below` does not exceed `least` ≥ 0."""
    ok = below > least
    return jnp.where(ok, above / jnp.where(ok, below, 1.0), 0.0)


def r_factor(sim: Floats, exp: Floats, mask: Mask = None) -> Float[Array, ""]:
    """Residual Σ|Iᵗ - Iˣ|/Σ Iˣ of a scaled simulation; 0 if nothing was measured."""
    t, x, _ = compared(sim, exp, mask)
    return ratio(jnp.sum(jnp.abs(t - x)), jnp.sum(x), 0.0)


def zncc(sim: Floats, exp: Floats, mask: Mask = None) -> Float[Array, ""]:
    """Zero-mean normalised cross-correlation r of the used pixels, from -1 to 1.

    0, with zero gradient, if either image is constant, and nan if a used pixel of the
    simulation is. The figure of merit is 1 - r.
    """
    t, x, used = compared(sim, exp, mask)
    n = jnp.sum(used).astype(t.dtype)
    eps = jnp.finfo(t.dtype).eps
    dt = jnp.where(used, t - ratio(jnp.sum(t), n, 0.0), 0.0)
    dx = jnp.where(used, x - ratio(jnp.sum(x), n, 0.0), 0.0)
    tt, xx = jnp.sum(dt * dt), jnp.sum(dx * dx)
    ok = (tt > eps * jnp.sum(t * t)) & (xx > eps * jnp.sum(x * x))
    # two roots: the product of the sums may overflow or vanish
    norm = jnp.sqrt(jnp.where(ok, tt, 1.0)) * jnp.sqrt(jnp.where(ok, xx, 1.0))
    return jnp.where(ok | jnp.isnan(tt), jnp.sum(dt * dx) / norm, 0.0)


def phase_correlation(
    moved: Float[ArrayLike, "h w"], fixed: Float[ArrayLike, "h w"], mask: Mask = None
) -> Float[Array, "h w"]:
    """Correlation of phases: the inverse transform of F_m F_f*/|F_m F_f*|.

    Where `moved` is `fixed` rolled by whole pixels it is 1 at that shift, 0 elsewhere;
    its maximum is a figure of merit, the place of it the displacement, modulo the
    shape. Pixels that aren't used take the mean of those that are.
    """
    a, b, used = compared(moved, fixed, mask)
    n = jnp.sum(used).astype(a.dtype)
    a, b = (jnp.where(used, v, ratio(jnp.sum(v), n, 0.0)) for v in (a, b))
    cross = jnp.fft.fft2(a) * jnp.conj(jnp.fft.fft2(b))
    power = jnp.square(jnp.real(cross)) + jnp.square(jnp.imag(cross))
    some = power > 0
    phases = cross / jnp.sqrt(jnp.where(some, power, 1.0))
    return jnp.real(jnp.fft.ifft2(jnp.where(some, phases, 0.0)))


def sobel(image: Float[ArrayLike, "h w"]) -> Float[Array, "h w"]:
    """Magnitude √(s_j² + s_i²) of the Sobel slopes [-1 0 1] ⊗ [1 2 1], edges mirrored.

    A pixel is clean if it and its eight neighbours are.
    """
    (values,) = common_float(image)
    wide = jnp.pad(values, 1, mode="symmetric")
    down = wide[2:, :] - wide[:-2, :]
    right = wide[:, 2:] - wide[:, :-2]
    s_j = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    s_i = right[:-2, :] + 2 * right[1:-1, :] + right[2:, :]
    power = jnp.square(s_j) + jnp.square(s_i)
    steep = power > 0
    return jnp.where(steep, jnp.sqrt(jnp.where(steep, power, 1.0)), 0.0)
