"""Elastic incoherent structure factors: the elastic part A₀(Q) of localised motions.

For fits of elastic intensities at each Q. Units: q in 1/Å, radii in Å, u2x in Å².

References:
    [1] M. Bée, Quasielastic Neutron Scattering, Adam Hilger (1988).
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..errors import ParameterError
from ..numerics import sinc, three_j1_over_x
from ..numerics._checks import nonnegative, positive
from ..numerics._dtype import common_float
from .confinement import _well_intensities
from .sites import _site_intensities, _whole


def eisf_isotropic(q: Floats, radius: Floats) -> Float[Array, "..."]:
    """Rotation on a sphere: j₀²(QR).

    Raises:
        ParameterError: `q` < 0 or `radius` ≤ 0.
    """
    nonnegative("q", q)
    positive("radius", radius)
    q, radius = common_float(q, radius)
    return jnp.square(sinc(q * radius))


def eisf_n_sites(q: Floats, radius: Floats, n: int | float) -> Float[Array, "..."]:
    """Jumps among N sites of a circle: (1/N) Σ j₀(2QR sin(πj/N)), j = 1 … N.

    Raises:
        ParameterError: `q` < 0, `radius` ≤ 0, `n` < 2 or not whole.
    """
    return _site_intensities(q, radius, _whole(n))[0]


def eisf_sphere(q: Floats, radius: Floats) -> Float[Array, "..."]:
    """Free diffusion inside a sphere: (3j₁(QR)/QR)².

    Raises:
        ParameterError: `q` < 0 or `radius` ≤ 0.
    """
    nonnegative("q", q)
    positive("radius", radius)
    q, radius = common_float(q, radius)
    return jnp.square(three_j1_over_x(q * radius))


def eisf_alkyl_spheres(
    q: Floats, radius_min: Scalar, radius_max: Scalar, n: int | float
) -> Float[Array, "..."]:
    """Chain of N units in spheres of growing radii: (1/N) Σ (3j₁(QRᵢ)/QRᵢ)².

    The radii are equally spaced from `radius_min` to `radius_max`, both included; in
    which order does not matter.

    Raises:
        ParameterError: `q` < 0, a radius ≤ 0, `n` < 2 or not whole.
    """
    n = _whole(n)
    nonnegative("q", q)
    positive("radius_min", radius_min)
    positive("radius_max", radius_max)
    q, low, high = common_float(q, radius_min, radius_max)
    along = jnp.asarray(np.linspace(0.0, 1.0, n), dtype=q.dtype)
    radii = (low + (high - low) * along).reshape((-1,) + (1,) * q.ndim)
    return jnp.mean(jnp.square(three_j1_over_x(radii * q[None, ...])), axis=0)


def eisf_well(q: Floats, u2x: Floats, ndim: int = 3) -> Float[Array, "..."]:
    """Diffusion in a harmonic well: exp(-a), a = Q²⟨u_x²⟩, in three dimensions.

    √π e⁻ᵃ erfi(√a)/(2√a) in two and √π erf(√a)/(2√a) in one, as `gaussian_well`.

    Raises:
        ParameterError: `q` < 0, `u2x` < 0 or `ndim` not 1, 2 or 3.
    """
    nonnegative("u2x", u2x)
    return _well_intensities(q, u2x, 1, ndim)[0]


def immobile(p: Floats, eisf: Floats) -> Float[Array, "..."]:
    """Elastic fraction p + (1 - p) A₀ where the part p of the scatterers is at rest.

    Raises:
        ParameterError: `p` outside 0 … 1.
    """
    nonnegative("p", p)
    if not isinstance(p, Tracer) and np.max(p) > 1:
        raise ParameterError(f"p must be at most 1, got {np.max(p)}")
    p, eisf = common_float(p, eisf)
    return p + (1 - p) * eisf
