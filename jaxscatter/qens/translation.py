"""Half widths of translational self-diffusion.

Units: q in 1/Å, half widths (HWHM) in meV, diffusion coefficients in Å²/ps, lengths in
Å, times in ps. All are differentiable at q = 0.

References:
    [1] G. H. Vineyard, Phys. Rev. 110, 999 (1958).
    [2] C. T. Chudley and R. J. Elliott, Proc. Phys. Soc. 77, 353 (1961).
    [3] K. S. Singwi and A. Sjölander, Phys. Rev. 119, 863 (1960).
    [4] P. L. Hall and D. K. Ross, Mol. Phys. 42, 673 (1981).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..constants import HBAR
from ..numerics._checks import nonnegative, nonzero, positive
from ..numerics._dtype import common_float


def fickian_hwhm(q: Floats, d: Floats) -> Float[Array, "..."]:
    """Half width ħDQ² of continuous diffusion.

    Raises:
        ParameterError: `d` ≤ 0 or `q` < 0.
    """
    nonnegative("q", q)
    positive("d", d)
    q, d = common_float(q, d)
    return HBAR * d * jnp.square(q)


def ce_hwhm(q: Floats, d: Floats, ell: Floats) -> Float[Array, "..."]:
    """Half width (ħ/τ)(1 - sin(Qℓ)/(Qℓ)), τ = ℓ²/(6D), of Chudley-Elliott jumps.

    Tends to `fickian_hwhm(q, d)` as Qℓ → 0 and to ħ/τ as Qℓ → ∞.

    Raises:
        ParameterError: `d` ≤ 0, `ell` = 0 or `q` < 0.
    """
    nonnegative("q", q)
    positive("d", d)
    nonzero("ell", ell)
    q, d, ell = common_float(q, d, ell)
    x = q * ell
    small = jnp.abs(x) < 0.3
    x2 = jnp.square(jnp.where(small, x, 0.0))
    x_safe = jnp.where(small, 1.0, x)
    # (1 - sin(x)/x)/x² cancels as x → 0; at 0.3 both branches are good to 6e-15.
    series = (1 - x2 / 20 * (1 - x2 / 42 * (1 - x2 / 72 * (1 - x2 / 110)))) / 6
    closed = (1 - jnp.sin(x_safe) / x_safe) / jnp.square(x_safe)
    return 6 * HBAR * d * jnp.square(q) * jnp.where(small, series, closed)


def ss_hwhm(q: Floats, d: Floats, tau_s: Floats) -> Float[Array, "..."]:
    """Half width ħDQ²/(1 + DQ²τ) of Singwi-Sjölander jumps with residence time τ.

    Tends to `fickian_hwhm(q, d)` as DQ²τ → 0 and to ħ/τ as Q → ∞.

    Raises:
        ParameterError: `d` ≤ 0, `tau_s` ≤ 0 or `q` < 0.
    """
    positive("tau_s", tau_s)
    return jump_hwhm(q, d, tau_s)


def jump_hwhm(q: Floats, d: Floats, tau: Floats) -> Float[Array, "..."]:
    """Half width ħDQ²/(1 + DQ²τ) of jumps whose residence time τ may be 0.

    That of `ss_hwhm` for τ > 0 and of `fickian_hwhm` at τ = 0.

    Raises:
        ParameterError: `d` ≤ 0, `tau` < 0 or `q` < 0.
    """
    nonnegative("q", q)
    positive("d", d)
    nonnegative("tau", tau)
    q, d, tau = common_float(q, d, tau)
    rate = d * jnp.square(q)
    return HBAR * rate / (1 + rate * tau)


def hall_ross_hwhm(q: Floats, tau: Floats, ell: Floats) -> Float[Array, "..."]:
    """Half width (ħ/τ)(1 - exp(-Q²ℓ²/2)) of jumps of Gaussian length, ⟨r²⟩ = 3ℓ².

    Tends to `fickian_hwhm(q, ell**2 / (2 * tau))` as Qℓ → 0 and to ħ/τ as Qℓ → ∞.

    Args:
        q: momentum transfer.
        tau: residence time.
        ell: root mean square of a jump along one axis.

    Raises:
        ParameterError: `tau` ≤ 0, `ell` = 0 or `q` < 0.
    """
    nonnegative("q", q)
    positive("tau", tau)
    nonzero("ell", ell)
    q, tau, ell = common_float(q, tau, ell)
    return -HBAR / tau * jnp.expm1(-jnp.square(q * ell) / 2)
