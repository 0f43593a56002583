"""Stretched exponential relaxation as a sum of Lorentzians.

Units: omega and half widths (HWHM) in meV, tau in ps, beta without unit.

exp(-(t/τ)^β) is an average of exp(-xt/τ) over rates x, so that its Fourier transform is
one of Lorentzians, and a convolution with a resolution is exact. The moments of the
rates are known, E[x^p] = Γ(1 - p/β)/Γ(1 - p), and with p = iξ they are the Fourier
transform of the density of ln x. A Lorentzian seen as a function of ln x has no
frequencies to speak of beyond ξ = 9 (its transform falls as exp(-πξ/2)), so on a
uniform grid of ln x it is known from its samples, and the weight of a grid point is
the density seen through the low-pass filter of that grid. Where the density is
smooth that is the density itself; as β → 1 it becomes the impulse at x = 1, which is
a point of the grid. Weights are therefore regular in β up to and at β = 1; near 1
some are negative.

References:
    [1] V. M. Zolotarev, One-dimensional Stable Distributions, Amer. Math. Soc. (1986),
        the density of rates and its moments.
    [2] F. Stenger, Numerical Methods Based on Sinc and Analytic Functions, Springer
        (1993).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.scipy.special import gammaln
from jaxtyping import Array, Float
from numpy.polynomial import chebyshev
from scipy import special

from .._types import Floats, Scalar
from ..constants import HBAR
from ..errors import ParameterError
from ..numerics import lorentzian_sum
from ..numerics._checks import positive
from ..numerics._dtype import common_float

_LOWEST = 0.1  # smallest β
_SPAN = 18.6  # of ln x at β = 1, ...
_BELOW = 0.355  # ... and the part of it that lies below x = 1
_DEEPER = 4.2  # times (1 - β)/β: how much further down slow rates reach
_SHARPNESS = 2.5  # of the filter: its edge in ξ is 1/2.5 grid steps wide
_DEGREE = 32  # of the polynomials in β, a power of 2


def _grid(beta: Any, terms: int, dtype: Any) -> Any:
    """Logarithms of the rates: uniform, with 0 among them at β = 1."""
    step = _SPAN / (terms - 2)
    below = round(_BELOW * (terms - 2))
    fraction = (np.arange(terms - 1) / (terms - 2)).astype(dtype)
    low = -below * step - _DEEPER * (1 - beta) / beta
    return low * (1 - fraction) + (terms - 2 - below) * step * fraction


def _filtered(beta: float, y: np.ndarray, step: float, tilt: float) -> np.ndarray:
    """Weights of grid points y, by the inverse Fourier integral on Im ξ = `tilt`.

    Rounding is relative to exp(tilt y) times the moment -tilt.
    """
    edge = math.pi / step
    reach = edge * (1 + 8 / (math.pi * _SHARPNESS))
    # the density falls as exp(-βy): the next image of it is at e⁻²⁶
    period = _SPAN + y[-1] - y[0] + 26 / (beta + tilt)
    n = int(reach * period / (2 * math.pi)) + 1
    xi = (np.arange(n) + 0.5) * (reach / n) + 1j * tilt
    width = step * _SHARPNESS / math.sqrt(2)
    passed = special.erf((xi + edge) * width) - special.erf((xi - edge) * width)
    moment = special.loggamma(1 - 1j * xi / beta) - special.loggamma(1 - 1j * xi)
    waves = np.exp(-1j * np.outer(y, xi.real))
    integral = (waves @ (passed * np.exp(moment))).real * step * reach / n
    return np.exp(tilt * y) * integral / (2 * np.pi)


@functools.lru_cache(maxsize=16)
def _polynomials(terms: int) -> np.ndarray:
    """Coefficients (terms + 1, degree + 1) of the weights and the last ln x."""
    t = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    rows = []
    for beta in _LOWEST + (1 - _LOWEST) * (t + 1) / 2:
        y = _grid(beta, terms, np.float64)
        step = y[1] - y[0]
        beyond = y[-1] + step * np.arange(1, int(20 / step) + 2)
        slow = y < -special.gammaln(1 + 1 / beta)
        w = np.concatenate(
            [
                _filtered(beta, y[slow], step, 1.0),
                _filtered(beta, np.append(y[~slow], beyond), step, 0.0),
            ]
        )
        # all that is faster: one line with their weight and their S(0)
        rest = 1 - np.sum(w[: terms - 1])
        last = math.log(rest / np.sum(w[terms - 1 :] * np.exp(-beyond)))
        # with their share of S(0), which the slowest hold with next to no weight
        scaled = w[: terms - 1] * (1 + np.exp(-y - special.gammaln(1 + 1 / beta)))
        rows.append(np.concatenate([scaled, [rest, last]]))
    return np.ascontiguousarray(chebyshev.chebfit(t, np.array(rows), _DEGREE).T)


def stretched_exponential(
    tau: Scalar, beta: Scalar, terms: int
) -> tuple[Float[Array, " terms"], Float[Array, " terms"]]:
    """Weights and half widths ħxₖ/τ of Lorentzians that add up to FT exp(-(|t|/τ)^β).

    The largest relative error of the sum for ωτ/ħ up to 1000 and β from 0.3 to 1 is
    6e-4 with 32 terms, 1e-4 with 40, 8e-6 with 48, 2e-7 with 64 and 1e-8 with 80; down
    to β = 0.2 about twice that, and at β = 0.1 1e-3 with 48, 8e-5 with 64 and 5e-6 with
    80. The weights add up to 1. The last line stands for all rates above 10⁵/τ and is
    exact in weight and at ω = 0; beyond ωτ/ħ = 10⁴ it is seen.

    Args:
        tau: relaxation time; the mean one is τ Γ(1/β)/β.
        beta: exponent, 0.1 … 1; the widths are all kept at β = 1, where the weights
            are 1 at ħ/τ and 0 elsewhere.
        terms: number of Lorentzians, a Python integer ≥ 32.

    Raises:
        ParameterError: `tau` ≤ 0, `beta` outside 0.1 … 1 or `terms` < 32.
    """
    positive("tau", tau)
    if terms < 32:
        raise ParameterError(f"terms is {terms}; expected at least 32")
    if not isinstance(beta, Tracer):
        values = np.atleast_1d(beta)
        bad = ~((values >= _LOWEST) & (values <= 1))
        if np.any(bad):
            raise ParameterError(
                f"beta is {values[bad][0]}; expected a number in (0, 1], and not less "
                f"than {_LOWEST}, where the rates span too many decades"
            )
    tau, beta = common_float(tau, beta)
    # beyond rounding of the ends the polynomials mean nothing
    beta = jnp.where((beta > _LOWEST - 1e-4) & (beta < 1 + 1e-4), beta, jnp.nan)
    t = (2 * beta - (1 + _LOWEST)) / (1 - _LOWEST)
    chebyshevs = jnp.stack([jnp.ones_like(t), t])
    while (m := chebyshevs.shape[0] - 1) < _DEGREE:  # T_{m+n} = 2 T_m T_n - T_{m-n}
        more = 2 * chebyshevs[m] * chebyshevs[1:] - chebyshevs[:-1][::-1]
        chebyshevs = jnp.concatenate([chebyshevs, more])
    coefficients = jnp.asarray(_polynomials(terms), dtype=t.dtype)
    values = jnp.matmul(coefficients, chebyshevs, precision=lax.Precision.HIGHEST)
    y = _grid(beta, terms, beta.dtype)
    share = jax.nn.sigmoid(y + gammaln(1 + 1 / beta))
    weights = jnp.concatenate([values[: terms - 1] * share, values[terms - 1 : terms]])
    rates = jnp.exp(jnp.concatenate([y, values[terms:]]))
    return weights, HBAR * rates / tau


def stretched_exp_ft(
    omega: Floats, tau: Scalar, beta: Scalar, terms: int = 64
) -> Float[Array, "..."]:
    """Fourier transform (1/πħ) ∫₀^∞ cos(ωt/ħ) exp(-(t/τ)^β) dt, of unit area.

    The sum of the Lorentzians of `stretched_exponential`, with its accuracy and its
    errors; S(0) = τ Γ(1/β)/(πβħ).
    """
    weights, widths = stretched_exponential(tau, beta, terms)
    return lorentzian_sum(omega, weights, widths)
