"""Template matching: where in a wider simulated field a measured template lies.

A template T_d(x) of some disks, with a mask m_d of the pixels that are used, is
compared with a field F_d that is wider by a margin on every side, at all shifts s,

    r(s) = Σ m (T - T̄)(F(x + s) - F̄(s))/√(Σ m (T - T̄)² Σ m (F(x + s) - F̄(s))²)

All disks move together and make one r. T̄ and F̄ are means over the used pixels, of all
disks or (`per_disk`) of each. Sums over all whole shifts come from fast Fourier
transforms; the peak is then refined by Newton steps on r itself, the field between its
pixels being a cubic B-spline. What lies under a false mask, NaN included, has no
effect.

Units: shifts in pixels (j down, i right); intensities in any one unit.

References:
    [1] J. P. Lewis, Vision Interface 95, 120 (1995), normalised correlation by sums.
    [2] D. Padfield, IEEE Trans. Image Process. 21, 2706 (2012), masks.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float
from scipy import ndimage
from scipy.interpolate import make_interp_spline

from .._types import as_float
from ..errors import DataError
from .similarity import ratio, zncc

_SPACINGS = np.array([0.5, 0.25, 0.1, 0.05])
"""Pixels between the points that each Newton step takes its derivatives from."""
_STENCIL = np.array(
    [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)], float
)
_DAMPING = 1e-4


class Match(NamedTuple):
    """The best shift and the correlation there."""

    shift: Float[Array, "2"]
    correlation: Float[Array, ""]


def upsampling(nodes: int, points: int) -> Float[np.ndarray, "points nodes"]:
    """Matrix of the cubic spline through equidistant nodes, at equidistant points.

    First and last of both coincide. With fewer than four nodes the polynomial through
    them.
    """
    if not 2 <= nodes <= points:
        raise DataError(f"nodes are {nodes}; expected 2 to {points}, as many as points")
    at = np.linspace(0.0, 1.0, nodes)
    spline = make_interp_spline(at, np.eye(nodes), k=min(3, nodes - 1))
    return np.asarray(spline(np.linspace(0.0, 1.0, points)))


def correlation_surface(
    template: Float[ArrayLike, "disks h w"],
    mask: Bool[ArrayLike, "..."],
    field: Float[ArrayLike, "..."],
    per_disk: bool = False,
) -> Float[Array, "shifts_j shifts_i"]:
    """Correlation r of the template with the field at all whole shifts.

    The first is that of equal top left corners. 0 where either is constant.
    """
    x, used, t = as_float(template), jnp.asarray(mask), as_float(field)
    _check(x.shape, used.shape, t.shape)
    rows, columns = t.shape[1:]
    inside = rows - x.shape[1] + 1, columns - x.shape[2] + 1
    eps = jnp.finfo(t.dtype).eps
    m = used.astype(t.dtype)
    n = _total(m, per_disk)
    raw = jnp.where(used, x, 0.0)
    x = jnp.where(used, raw - ratio(_total(raw, per_disk), n, 0.0), 0.0)
    # sums of squares about a level near the mean lose less
    level = jnp.mean(t, axis=(0, 1, 2), keepdims=True)
    if per_disk:
        level = jnp.mean(t, axis=(1, 2), keepdims=True)
    t = t - level

    def transform(a):
        return jnp.fft.rfft2(a, (rows, columns))

    def sums(a, b):
        all_shifts = jnp.fft.irfft2(jnp.conj(a) * b, (rows, columns))
        return all_shifts[:, : inside[0], : inside[1]]

    of_mask, of_field = transform(m), transform(t)
    covariance = jnp.sum(sums(transform(x), of_field), axis=0)
    first, second = sums(of_mask, of_field), sums(of_mask, transform(t * t))
    if not per_disk:
        first = jnp.sum(first, axis=0, keepdims=True)
        second = jnp.sum(second, axis=0, keepdims=True)
    spread = jnp.sum(second - ratio(jnp.square(first), n, 0.0), axis=0)
    # a field without contrast leaves the rounding of its level and of the transforms
    floor = eps * jnp.sum(second + 2 * level[..., :1] * first + level**2 * n, axis=0)
    floor = jnp.abs(floor) + 64 * eps * jnp.sum(t * t)
    contrast = jnp.sum(x * x)
    ok = (spread > floor) & (contrast > eps * jnp.sum(raw * raw))
    norm = jnp.sqrt(jnp.where(ok, spread, 1.0)) * jnp.sqrt(
        jnp.where(contrast > 0, contrast, 1.0)
    )
    return jnp.clip(jnp.where(ok, covariance / norm, 0.0), -1.0, 1.0)


def disk_zncc(
    sim: Float[ArrayLike, "disks h w"],
    exp: Float[ArrayLike, "disks h w"],
    mask: Bool[ArrayLike, "disks h w"],
) -> Float[Array, ""]:
    """`zncc` of the deviations from the mean of each disk; 0 where one is constant."""
    used = jnp.asarray(mask)
    n = jnp.sum(used, axis=(1, 2), keepdims=True).astype(as_float(sim).dtype)
    centred, plain = [], jnp.asarray(True)
    for image in (as_float(sim), as_float(exp)):
        raw = jnp.where(used, image, 0.0)
        mean = ratio(jnp.sum(raw, axis=(1, 2), keepdims=True), n, 0.0)
        rest = jnp.where(used, raw - mean, 0.0)
        eps = jnp.finfo(rest.dtype).eps
        plain &= jnp.sum(rest * rest) > eps * jnp.sum(raw * raw)
        centred.append(rest)
    centred = [jnp.where(plain, rest, 0.0) for rest in centred]
    return zncc(centred[0], centred[1], used)


@functools.partial(jax.jit, static_argnames=("per_disk",))
def best_shift(
    template: Float[ArrayLike, "disks h w"],
    mask: Bool[ArrayLike, "..."],
    field: Float[ArrayLike, "..."],
    per_disk: bool = False,
) -> Match:
    """The shift of largest correlation from the middle of the field, between pixels.

    Args:
        template: measured.
        mask: true where a pixel of it is used.
        field: simulated, wider than the template by as much on all sides: by the
            longest shift that is looked at, in any direction.
        per_disk: whether each disk has a mean, and so a background, of its own.

    Raises:
        DataError: shapes that do not fit.
    """
    x, used, t = as_float(template), jnp.asarray(mask), as_float(field)
    surface = correlation_surface(x, used, t, per_disk)
    radius = (surface.shape[0] - 1) // 2
    if surface.shape != (2 * radius + 1, 2 * radius + 1):
        raise DataError(
            f"field has shape {t.shape} and template {x.shape}; expected a margin of "
            "the same width on all sides"
        )
    down, right = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    away = np.hypot(down, right)
    reached = jnp.where(away <= radius + 1e-9, surface, -jnp.inf)
    # of equal ones, as where there is no contrast, the nearest
    near = jnp.where(reached >= jnp.max(reached), away, np.inf)
    top = jnp.argmin(near)
    whole = jnp.stack(jnp.unravel_index(top, surface.shape)).astype(t.dtype) - radius
    nodes = _nodes(t)
    measure = disk_zncc if per_disk else zncc
    _, h, w = x.shape

    def at(shift):
        return measure(_moved(nodes, shift + radius, h, w), x, used)

    value_at = jax.vmap(at)

    def step(now, spacing):
        shift, value = now
        r = value_at(shift[None, :] + spacing * _STENCIL)
        slope = jnp.stack([r[0] - r[1], r[2] - r[3]]) / 2
        c_jj, c_ii = r[0] + r[1] - 2 * value, r[2] + r[3] - 2 * value
        c_ji = (r[4] - r[5] - r[6] + r[7]) / 4
        # along a row of reflections nothing depends on the shift across it
        damping = _DAMPING * (jnp.abs(c_jj) + jnp.abs(c_ii))
        c_jj, c_ii = c_jj - damping, c_ii - damping
        determinant = c_jj * c_ii - c_ji * c_ji
        peaked = (c_jj < 0) & (determinant > 0)
        newton = jnp.stack(
            [c_ji * slope[1] - c_ii * slope[0], c_ji * slope[0] - c_jj * slope[1]]
        )
        newton = newton / jnp.where(peaked, determinant, 1.0)
        tried = shift + spacing * jnp.where(peaked, newton, 0.0)
        tried = jnp.clip(tried, whole - 1, whole + 1)
        length = jnp.sqrt(jnp.sum(jnp.square(tried)) + 1e-300)
        tried = tried * jnp.minimum(1.0, radius / length)
        reaches = at(tried)
        better = reaches > value
        after = jnp.where(better, tried, shift), jnp.where(better, reaches, value)
        return after, None

    found, _ = jax.lax.scan(step, (whole, at(whole)), jnp.asarray(_SPACINGS))
    return Match(*found)


def _check(template: tuple, mask: tuple, field: tuple) -> None:
    if template != mask:
        raise DataError(
            f"mask has shape {mask}, template {template}; expected the same"
        )
    if field[0] != template[0] or any(
        f < t for f, t in zip(field[1:], template[1:], strict=True)
    ):
        raise DataError(
            f"field has shape {field}, template {template}; expected as many disks, at "
            "least as large"
        )


def _total(values: Array, per_disk: bool) -> Float[Array, "..."]:
    return jnp.sum(values, axis=(1, 2) if per_disk else (0, 1, 2), keepdims=True)


def _nodes(field: Float[Array, "disks rows columns"]) -> Float[Array, "disks a b"]:
    """Coefficients of the B-spline of each disk, with two more beyond each edge."""
    down, right = (
        jnp.asarray(ndimage.spline_filter1d(np.eye(n), 3, axis=0, mode="mirror"))
        for n in field.shape[1:]
    )
    inner = jnp.einsum("jk,dkl,il->dji", down, field, right)
    return jnp.pad(inner, ((0, 0), (2, 2), (2, 2)), mode="reflect")


def _moved(
    nodes: Float[Array, "disks a b"], corner: Float[Array, "2"], h: int, w: int
) -> Float[Array, "disks h w"]:
    """The h by w pixels of the field whose top left one lies at `corner`."""
    base = jnp.floor(corner)
    t = corner - base
    s = 1 - t
    weights = jnp.stack(
        [s**3 / 6, 2 / 3 - t * t * (2 - t) / 2, 2 / 3 - s * s * (2 - s) / 2, t**3 / 6]
    )
    # the first of four coefficients lies one before the pixel; two are padding
    first = base.astype(int) + 1
    patch = jax.lax.dynamic_slice(
        nodes, (0, first[0], first[1]), (nodes.shape[0], h + 3, w + 3)
    )
    rows = sum(weights[k, 0] * patch[:, k : k + h, :] for k in range(4))
    return sum(weights[k, 1] * rows[:, :, k : k + w] for k in range(4))  # type: ignore[index]
