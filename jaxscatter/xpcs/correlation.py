"""Two-time correlation c2(φ, t1, t2) of diffusing and sheared samples.

    c2 = offset + contrast m,   E = q² ∫J dt,   x = ½ q h cos(φ0 - φ) ∫γ̇ dt

    convention      m                            integrals
    "pnas"          e^-E sinc²(x)                as asked, default trapezoid
    "homodyne_v2"   e^-E sinc⁴(x/π)              trapezoid, |d| = √(d² + 1e-12)
    "homodyne_v1"   e^-E sinc⁴(x)                rectangles

with sinc(x) = sin(x)/x and the integrals between t1 and t2. "pnas" is the published
equation; the other two repeat the numbers of the programs they are named for. Shear
rates fitted under them differ: a small strain has m = 1 - x²/3, 1 - 2x²/(3π²) and
1 - 2x²/3, so γ̇ is π/√2 = 2.22 and 1/√2 = 0.71 times that of "pnas".

Units: q in 1/Å, gap h in Å, times in s, angles in degrees.

References:
    [1] H. He et al., PNAS 121 (31), e2401162121 (2024).
    [2] G. G. Fuller, J. M. Rallison, R. L. Schmidt, L. G. Leal, J. Fluid Mech. 100, 555
        (1980).
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats, Scalar
from ..errors import ModelError, ParameterError
from ..numerics import sinc
from ..numerics._checks import positive
from ..numerics._dtype import common_float
from .parameters import canonical, model_name, physical_names
from .transport import chosen, cumulative_rate, time_step

CONVENTIONS = ("pnas", "homodyne_v2", "homodyne_v1")
SMOOTHING = 1e-12
"""Of homodyne 2: |d| is √(d² + 1e-12), d in steps."""
G1_FLOOR = 1e-10
"""Of homodyne 2: the least g1 before it is squared."""


def shear_phase(
    strain: Floats, phi: Scalar, phi0: Scalar, q: Scalar, h: Scalar
) -> Float[Array, "..."]:
    """Phase x = ½ q h cos(φ0 - φ) Γ of an accumulated strain Γ = ∫γ̇ dt."""
    strain, phi, phi0, q, h = common_float(strain, phi, phi0, q, h)
    return 0.5 * q * h * jnp.cos(math.pi / 180 * (phi0 - phi)) * strain


def g1_diffusion(exponent: Floats) -> Float[Array, "..."]:
    """Field correlation e^(-E/2) of diffusion, E = q² ∫J dt."""
    (e,) = common_float(exponent)
    return jnp.exp(-0.5 * e)


def g1_shear(phase: Floats) -> Float[Array, "..."]:
    """Field correlation |sinc(x)| of laminar flow."""
    return jnp.abs(sinc(phase))


def shape(
    exponent: Floats, phase: Floats, convention: str = "pnas"
) -> Float[Array, "..."]:
    """Shape m of c2 = offset + contrast m; 1 at equal times."""
    chosen("convention", convention, CONVENTIONS)
    e, x = common_float(exponent, phase)
    if convention == "pnas":
        return jnp.exp(-e) * jnp.square(sinc(x))
    if convention == "homodyne_v1":
        return jnp.square(g1_diffusion(e) * jnp.square(sinc(x)))
    log_g1 = jnp.clip(-0.5 * e, -700.0, 0.0)
    g1 = jnp.exp(log_g1) * jnp.square(sinc(x / math.pi))
    return jnp.square(jnp.where(g1 > G1_FLOOR, g1, G1_FLOOR))


def differences(table: Float[Array, " n"], convention: str) -> Float[Array, "n n"]:
    """|F_a - F_b| of a growing table, without a kink on the diagonal."""
    k = jnp.arange(table.shape[0])
    later = jnp.maximum(k[:, None], k[None, :])
    earlier = jnp.minimum(k[:, None], k[None, :])
    d = table[later] - table[earlier]
    if convention == "homodyne_v2":
        return jnp.sqrt(jnp.square(d) + SMOOTHING)
    return d


def integration_of(convention: str, integration: str | None) -> str:
    """The rule a convention uses unless told otherwise."""
    chosen("convention", convention, CONVENTIONS)
    if integration is not None:
        return integration
    return "rectangle" if convention == "homodyne_v1" else "trapezoid"


def c2(
    theta: Mapping[str, Scalar],
    t: Float[Any, " n"],
    phi: Floats,
    *,
    q: Scalar,
    dt: Scalar | None = None,
    h: Scalar | None = None,
    contrast: Floats = 0.5,
    offset: Floats = 1.0,
    model: str = "laminar_flow",
    convention: str = "pnas",
    rate: str = "power",
    floor: str = "plain",
    integration: str | None = None,
) -> Float[Array, "..."]:
    """c2 of every angle on the square t x t: shape (n, n) or (φ, n, n).

    Args:
        theta: D0, alpha, D_offset and, for flow, gamma_dot_t0, beta,
            gamma_dot_t_offset, phi0; aliases are understood.
        t: uniform times in s.
        phi: angles in degrees, a number or one axis.
        q: 1/Å.
        dt: step of t; default from t (which must then not be traced).
        h: gap in Å; needed for flow.
        contrast: one, or one per angle.
        offset: one, or one per angle.
        model: "laminar_flow" or "static_isotropic".
        convention: see the module.
        rate: "power" or "offset", see `transport`.
        floor: "plain" or "smooth".
        integration: "trapezoid", "analytic" or "rectangle"; default by convention.

    Symmetric in the two times; offset + contrast on the diagonal (to 1e-8 under
    "homodyne_v2"). Without shear every angle is the static model.

    Raises:
        ModelError: an option that does not exist, or flow without a gap.
        ParameterError: a parameter that is missing or unknown; q, dt or h not positive.
    """
    model = model_name(model)
    theta = canonical(theta)
    names = physical_names(model)
    missing = [n for n in names if n not in theta]
    unknown = [n for n in theta if n not in physical_names("laminar_flow")]
    if missing or unknown:
        raise ParameterError(
            f"{model} needs {list(names)}; missing {missing}, unknown {unknown}"
        )
    positive("q", q)
    dt = time_step(t) if dt is None else dt
    positive("dt", dt)
    rule = integration_of(convention, integration)
    options = {"rate": rate, "floor": floor, "integration": rule}
    t, q, dt, phi = common_float(t, q, dt, phi)
    table = cumulative_rate(
        t, theta["D0"], theta["alpha"], theta["D_offset"], dt, width=1e-3, **options
    )
    exponent = jnp.square(q) * dt * differences(table, convention)
    strain = None
    if model == "laminar_flow":
        if h is None:
            raise ModelError("laminar_flow needs the gap h in Å")
        positive("h", h)
        shear = theta["gamma_dot_t0"], theta["beta"], theta["gamma_dot_t_offset"]
        table = cumulative_rate(t, *shear, dt, width=1e-6, **options)
        strain = dt * differences(table, convention)
    angles = jnp.atleast_1d(phi)
    contrast = jnp.broadcast_to(jnp.asarray(contrast), angles.shape)
    offset = jnp.broadcast_to(jnp.asarray(offset), angles.shape)

    def one(phi: Array, contrast: Array, offset: Array) -> Array:
        x = jnp.zeros_like(exponent)
        if strain is not None:
            assert h is not None
            x = shear_phase(strain, phi, theta["phi0"], q, h)
        return offset + contrast * shape(exponent, x, convention)

    stacked = jax.vmap(one)(angles, contrast, offset)
    return stacked if jnp.ndim(phi) else stacked[0]
