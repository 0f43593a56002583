"""The incident wave vector, the lab axes, and where a wave vector falls on a detector.

Lab axes are rows (x, y, z): z along the zone [uvw], x the part of the reciprocal vector
`x_axis` perpendicular to it, y = z x x. The electron travels along +z. A wave vector is
given by its tangential part K_t = (k_x, k_y) in the lab's plane; K_z follows from
K = √(K_0² + U_0), U_0 only where refraction is asked for.

On the detector (CBED) or in the scan (LARBED) `gl` pixels or steps make up |g_x|:
K_t = K_t0 + (|g_x|/gl)(i x̂ - j ŷ), pixel offset i to the right and j down.

Units: K_t, g in 1/Å, lengths in Å, tilts in degrees, angles of rotation in degrees.

References:
    [1] J. C. H. Spence and J. M. Zuo, Electron Microdiffraction (1992), chapters 3, 4.
"""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Num

from .._types import as_float
from ..errors import ModelError
from . import lattice

_PARALLEL = 1e-6  # sine of the smallest angle between x_axis and the zone


def lab_axes(
    cell: Num[ArrayLike, "6"],
    zone: Num[ArrayLike, "3"],
    x_axis: Num[ArrayLike, "3"],
) -> Float[Array, "3 3"]:
    """Rows x̂, ŷ, ẑ in crystal Cartesian axes.

    Args:
        cell: a, b, c, α, β, γ.
        zone: [uvw], the direction the electron travels in.
        x_axis: hkl of the reciprocal vector along x.

    Raises:
        ModelError: `zone` is zero, or `x_axis` is parallel to it.
    """
    direction = as_float(zone) @ lattice.direct_basis(cell)
    g = as_float(x_axis) @ lattice.reciprocal_basis(cell)
    length, g_length = jnp.linalg.norm(direction), jnp.linalg.norm(g)
    if not isinstance(length, Tracer) and not isinstance(g_length, Tracer):
        sine = jnp.linalg.norm(jnp.cross(direction, g))
        if not float(sine) > _PARALLEL * float(length * g_length):
            raise ModelError(
                f"x_axis {np.asarray(x_axis).tolist()} is parallel to the zone "
                f"{np.asarray(zone).tolist()}, or one of them is zero; expected a "
                "reciprocal vector with a part perpendicular to the zone"
            )
    z = direction / length
    across = g - jnp.dot(g, z) * z
    x = across / jnp.linalg.norm(across)
    return jnp.stack([x, jnp.cross(z, x), z])


def _numbers(values):
    """A tuple of plain numbers, which hash and compare by value."""
    return tuple(np.asarray(values).tolist())


class Frame(eqx.Module):
    """Zone and x axis of a pattern; the lab axes follow from the cell.

    Args:
        zone: [uvw].
        x_axis: hkl along x.
        normal: "zone", "beam" (the surface turns with the beam), or [uvw]; the unit
            vector of the exit surface, along the propagation.
    """

    zone: tuple[float | int, ...] = eqx.field(static=True, converter=_numbers)
    x_axis: tuple[float | int, ...] = eqx.field(static=True, converter=_numbers)
    normal: str | tuple[float | int, ...] = eqx.field(
        static=True,
        default="zone",
        converter=lambda v: v if isinstance(v, str) else _numbers(v),
    )

    def __check_init__(self):
        for name in ("zone", "x_axis"):
            if len(getattr(self, name)) != 3:
                raise ModelError(f"{name} is {getattr(self, name)}; expected 3 numbers")
        if isinstance(self.normal, str):
            if self.normal not in ("zone", "beam"):
                raise ModelError(
                    f"normal is {self.normal!r}; expected 'zone', 'beam' or [uvw]"
                )
        elif len(self.normal) != 3:
            raise ModelError(f"normal is {self.normal}; expected 3 numbers")

    def axes(self, cell: Num[ArrayLike, "6"]) -> Float[Array, "3 3"]:
        """Rows x̂, ŷ, ẑ in crystal Cartesian axes."""
        return lab_axes(cell, np.asarray(self.zone), np.asarray(self.x_axis))

    def lab_vectors(
        self, hkl: Num[ArrayLike, "*n 3"], cell: Num[ArrayLike, "6"]
    ) -> Float[Array, "*n 3"]:
        """G in lab axes, 1/Å."""
        return lattice.vectors(hkl, cell) @ self.axes(cell).T

    def x_length(self, cell: Num[ArrayLike, "6"]) -> Float[Array, ""]:
        """|g| of the x axis in 1/Å, the length `gl` pixels stand for."""
        return lattice.lengths_of(jnp.asarray(self.x_axis, float), cell)

    def surface(
        self, cell: Num[ArrayLike, "6"], k: Float[ArrayLike, "tilts 3"]
    ) -> Float[Array, "tilts 3"]:
        """Unit normal of the exit surface for each wave vector, lab axes.

        Raises:
            ModelError: the beam does not leave through this surface.
        """
        k = as_float(k)
        if self.normal == "beam":
            return k / jnp.linalg.norm(k, axis=1)[:, None]
        if self.normal == "zone":
            n = jnp.array([0.0, 0.0, 1.0])
        else:
            uvw = as_float(np.asarray(self.normal)) @ lattice.direct_basis(cell)
            n = self.axes(cell) @ (uvw / jnp.linalg.norm(uvw))
        along = k @ n
        if not isinstance(along, Tracer) and not bool(jnp.all(along > 0)):
            raise ModelError(
                f"normal {self.normal} points against the beam; expected the normal of "
                "the exit surface, along the propagation"
            )
        return jnp.broadcast_to(n[None, :], k.shape)

    def tangential(
        self, kt_hkl: Num[ArrayLike, "3"] | Sequence[float], cell: Num[ArrayLike, "6"]
    ) -> Float[Array, "2"]:
        """K_t (k_x, k_y) in 1/Å from its components on a*, b*, c*.

        Raises:
            ModelError: K_t does not lie in the zone's plane.
        """
        lab = self.lab_vectors(jnp.asarray(kt_hkl, dtype=jnp.result_type(float)), cell)
        if not isinstance(lab, Tracer):
            height, length = abs(float(lab[2])), float(jnp.linalg.norm(lab))
            if height > 1e-3 * max(length, 1e-12):
                raise ModelError(
                    f"K_t {np.asarray(kt_hkl).tolist()} has the part {height:.3g} 1/Å "
                    f"along the zone; expected K_t perpendicular to {self.zone}"
                )
        return lab[:2]

    def tangential_hkl(
        self, kt: Num[ArrayLike, "*n 2"], cell: Num[ArrayLike, "6"]
    ) -> Float[Array, "*n 3"]:
        """Components of K_t on a*, b*, c* from (k_x, k_y) in 1/Å."""
        cartesian = as_float(kt) @ self.axes(cell)[:2]
        return cartesian @ lattice.direct_basis(cell).T


def tilted(
    wavenumber: Num[ArrayLike, ""],
    tilt_x: Num[ArrayLike, "*n"],
    tilt_y: Num[ArrayLike, "*n"],
) -> Float[Array, "*n 2"]:
    """K_t = K (sin tilt_x, sin tilt_y), tilts in degrees."""
    angles = jnp.stack([as_float(tilt_x), as_float(tilt_y)], axis=-1)
    return as_float(wavenumber) * jnp.sin(jnp.deg2rad(angles))


def wave_vectors(
    kt: Num[ArrayLike, "tilts 2"], wavenumber: Num[ArrayLike, ""]
) -> Float[Array, "tilts 3"]:
    """K = K_t + ẑ √(K² - K_t²) in lab axes.

    Raises:
        ModelError: |K_t| exceeds K; a traced one gives NaN.
    """
    kt, k = as_float(kt), as_float(wavenumber)
    rest = jnp.square(k) - jnp.sum(jnp.square(kt), axis=1)
    if not isinstance(rest, Tracer) and not bool(jnp.all(rest > 0)):
        longest = float(jnp.sqrt(jnp.max(jnp.sum(jnp.square(kt), axis=1))))
        raise ModelError(
            f"|K_t| reaches {longest:.4g} 1/Å and K is {float(k):.4g} 1/Å; expected "
            "|K_t| < K"
        )
    return jnp.concatenate([kt, jnp.sqrt(rest)[:, None]], axis=1)


def kt_of_offset(
    offset: Num[ArrayLike, "*n 2"],
    kt0: Num[ArrayLike, "2"],
    gl: Num[ArrayLike, ""],
    x_length: Num[ArrayLike, ""],
) -> Float[Array, "*n 2"]:
    """K_t of pixels at offset (j down, i right) from the one of K_t0.

    Args:
        offset: (j, i) in pixels.
        kt0: K_t at offset 0.
        gl: pixels per |g_x|.
        x_length: |g_x| in 1/Å.
    """
    offset = as_float(offset)
    step = as_float(x_length) / as_float(gl)
    across = jnp.stack([offset[..., 1], -offset[..., 0]], axis=-1)
    return step * across + as_float(kt0).reshape((1,) * (across.ndim - 1) + (2,))


def kt2pixel(
    kt: Num[ArrayLike, "*n 2"],
    kt0: Num[ArrayLike, "2"],
    gl: Num[ArrayLike, ""],
    x_length: Num[ArrayLike, ""],
) -> Float[Array, "*n 2"]:
    """Offset (j, i) in pixels of K_t from K_t0; the inverse of `kt_of_offset`."""
    kt = as_float(kt)
    moved = kt - as_float(kt0).reshape((1,) * (kt.ndim - 1) + (2,))
    pixels = moved * (as_float(gl) / as_float(x_length))
    return jnp.stack([-pixels[..., 1], pixels[..., 0]], axis=-1)


def set_tilt0(
    kt: Num[ArrayLike, "2"],
    pixel: Num[ArrayLike, "2"],
    gl: Num[ArrayLike, ""],
    x_length: Num[ArrayLike, ""],
) -> Float[Array, "2"]:
    """K_t0 such that the pixel at offset (j, i) sees K_t."""
    return as_float(kt) - kt_of_offset(pixel, jnp.zeros(2), gl, x_length)


def convergence_angle(
    conv: Num[ArrayLike, ""],
    x_length: Num[ArrayLike, ""],
    wavelength: Num[ArrayLike, ""],
) -> Float[Array, ""]:
    """Semi-angle α = λ conv |g_x| of a disk of radius conv |g_x|, in mrad."""
    return 1000 * as_float(wavelength) * as_float(conv) * as_float(x_length)


def disk(
    radius: Num[ArrayLike, ""],
    samples: int,
    centre: Sequence[float | int] | Num[ArrayLike, "2"] = (0.0, 0.0),
    rectangle: bool = False,
) -> tuple[Float[Array, "tilts 2"], Bool[np.ndarray, "side side"]]:
    """Square grid of K_t over a disk: its points inside, and where they lie.

    Args:
        radius: of the disk in 1/Å.
        samples: pixels from the centre to the edge; the side has 2·samples + 1.
        centre: K_t of the centre.
        rectangle: keep the corners.

    Returns:
        K_t of the points inside, row by row from the top left, and the mask of the
        square image they fill.
    """
    if samples < 0:
        raise ModelError(f"samples is {samples}; expected 0 or more pixels")
    line = np.arange(-samples, samples + 1)
    j, i = np.meshgrid(line, line, indexing="ij")
    inside = np.ones(j.shape, bool)
    if not rectangle:
        inside = np.hypot(i, j) <= samples * (1 + 1e-12)
    offset = np.stack([j[inside], i[inside]], axis=-1).astype(float)
    kt0 = jnp.asarray(centre, float)
    return kt_of_offset(offset, kt0, max(samples, 1), radius), inside


def tilt_grid(
    extent: Sequence[float | int], shape: Sequence[int]
) -> Float[Array, "tilts 2"]:
    """K_t on a rectangle of full widths `extent` in 1/Å, rows from the top down.

    Args:
        extent: (along x, along y).
        shape: (rows, columns).
    """
    rows, columns = shape
    x = np.linspace(-0.5, 0.5, columns) * extent[0] if columns > 1 else np.zeros(1)
    y = np.linspace(0.5, -0.5, rows) * extent[1] if rows > 1 else np.zeros(1)
    y, x = np.meshgrid(y, x, indexing="ij")
    return jnp.asarray(np.stack([x.ravel(), y.ravel()], axis=-1))


def bragg_tilt(
    hkl: Num[ArrayLike, "3"], frame: Frame, cell: Num[ArrayLike, "6"]
) -> Float[Array, "2"]:
    """K_t = -g_t/2 at which a reflection of the zero Laue zone is excited, 1/Å."""
    return -0.5 * frame.lab_vectors(as_float(hkl), cell)[:2]


def mrad(kt: Num[ArrayLike, "*n 2"], wavenumber: Num[ArrayLike, ""]) -> np.ndarray:
    """Tilt angles in mrad of K_t, for axes of figures."""
    return 1000 * np.arcsin(np.asarray(kt) / float(as_float(wavenumber)))
