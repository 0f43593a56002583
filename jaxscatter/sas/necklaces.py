"""Pearls on a string: spheres joined by thin rods, freely jointed.

With N pearls of radius R on M = N - 1 rods of length e, centres A = e + 2R apart,
s = sinc(qA), ψ = j(qR) of a pearl, Λ the mean of sinc along a rod seen from its own
end and β that seen from a pearl's centre, all pairs sum to [1]

    pearls          m_s² ψ² (2 T_N - N)
    rods            m_r² [M (2Λ - sinc²(qe/2)) + 2β² T_(M-1)]
    pearls, rods    4 m_s m_r ψ β T_M,        T_n = Σ_(k<n) (n-k) sᵏ,

with sums instead of their closed forms in 1/(1-s)², which cancel as q → 0.

Units: q in 1/Å, lengths Å, scattering length densities 1e-6/Å².

References:
    [1] R. Schweins and K. Huber, Macromol. Symp. 211, 25 (2004).
"""

import math
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.scipy.special import sici
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import sinc
from ..numerics._dtype import common_float
from . import effective_radius, orientation
from .declaration import AbstractIntensity, Control, size, sld
from .spheres import ball, sphere_volume

_NEAR = 2.0  # width below which the mean is taken by Gauss nodes
_T, _W = orientation.gauss(10)


def mean_sinc(start: Floats, width: Floats) -> Float[Array, "..."]:
    """Mean of sin(x)/x over [start, start + width], start, width ≥ 0.

    (Si(start + width) - Si(start))/width, and sinc(start) at width 0.
    """
    start, width = common_float(start, width)
    start, width = jnp.broadcast_arrays(start, width)
    near = width < _NEAR
    narrow, wide = jnp.where(near, width, 0.0), jnp.where(near, _NEAR, width)
    along = (1,) * start.ndim + (-1,)
    steps = jnp.asarray(_T, start.dtype).reshape(along) * narrow[..., None]
    nodes = sinc(start[..., None] + steps)
    gauss = jnp.sum(jnp.asarray(_W, start.dtype).reshape(along) * nodes, axis=-1)
    above, below = sici(start + wide)[0], sici(jnp.where(near, 0.0, start))[0]
    return jnp.where(near, gauss, (above - below) / wide)


def pair_sums(s: Floats, n: int) -> tuple[Array, Array, Array]:
    """T_(n-2), T_(n-1) and T_n with T_m = Σ_(k<m) (m-k) sᵏ."""
    (s,) = common_float(s)

    def longer(state: tuple[Array, ...], x: None) -> tuple[tuple[Array, ...], None]:
        del x
        powers, _, middle, last = state
        powers = 1 + s * powers
        return (powers, middle, last, last + powers), None

    start = (jnp.zeros_like(s),) * 4
    (_, first, middle, last), _ = lax.scan(longer, start, None, length=n, unroll=8)
    return first, middle, last


class PearlNecklace(AbstractIntensity):
    """Pearls on strings; `PearlNecklace(num_pearls=3)`."""

    name = "pearl_necklace"
    category = "cylinder"
    table = (
        size("radius", 80.0, "of a pearl"),
        size("edge_sep", 350.0, "length of a string between two pearls' surfaces"),
        size("thick_string", 2.5, "diameter of a string"),
        sld("sld", 1.0, "of the pearls"),
        sld("sld_string", 1.0, "of the strings"),
        sld("sld_solvent", 6.3, "of the solvent"),
    )
    controls = (Control("num_pearls", 3, 1, 10_000, "number of pearls"),)
    modes = ("equivalent volume sphere",)
    reference = "Schweins & Huber 2004"

    def intensity(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """1e-4 times the sum over all pairs."""
        pearls, strings = p.num_pearls, p.num_pearls - 1
        edge, step = p.edge_sep, p.edge_sep + 2 * p.radius
        sphere = (p.sld - p.sld_solvent) * ball(q, p.radius)
        string = (p.sld_string - p.sld_solvent) * self._string(p)
        line = 2 * mean_sinc(0.0, q * edge) - jnp.square(sinc(0.5 * q * edge))
        line = 2 * mean_sinc(0.0, q * edge) - jnp.square(sinc(0.5 * q * edge))
        own = strings * line
        seen = string * mean_sinc(q * p.radius, q * edge)
        rods, mixed, spheres = pair_sums(sinc(q * step), pearls)
        return 1e-4 * (
            jnp.square(sphere) * (2 * spheres - pearls)
            + jnp.square(string) * own
            + 2 * jnp.square(seen) * rods
            + 4 * sphere * seen * mixed
        )

    def _string(self, p: Any) -> Any:
        """Volume of one string in Å³."""
        return 0.25 * math.pi * p.edge_sep * p.thick_string**2

    def volume(self, p: Any) -> Any:
        """N pearls and N - 1 strings."""
        pearls = p.num_pearls * sphere_volume(p.radius)
        return pearls + (p.num_pearls - 1) * self._string(p)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """Of the sphere of equal volume."""
        return (effective_radius.of_volume(self.volume(p)),)
