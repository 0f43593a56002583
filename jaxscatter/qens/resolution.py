"""Instrument resolution: what a sum of Lorentzians looks like after the spectrometer.

Every resolution offers `lorentzians(weights, gammas, center)`, the convolved
Σ wᵢ L(ω - c; Γᵢ) on the data's ω. Units: meV.

    scalar σ            Gaussian: Voigt profiles in closed form
    Profile             sum of Voigt functions, such as was fitted to a kernel
    kernel              measured, on the axis of ω or on its own: exact convolution
    mode="seed"         same-length FFT convolution of the seed recipe, for comparison
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from .._types import Floats, Scalar, as_float
from ..errors import DataError, ParameterError
from ..numerics import (
    AbstractConvolution,
    convolution,
    grid_step,
    normalise_kernel,
    prepare_seed_kernel,
    seed_convolve,
    voigt,
)
from .lineshapes import gnorm, lorentz_sum

MODES = ("exact", "seed")
_SINH = np.linspace(-7.0, 7.0, 141)
_STEPS = np.arange(-32, 33) / 4  # of σ: what lies beyond 8σ is 1e-15 of a Gaussian


class GaussianResolution(eqx.Module):
    """Gaussian of standard deviation `sigma`; Lorentzians become Voigt profiles."""

    omega: Float[Array, " n"]
    sigma: Float[Array, ""]

    def lorentzians(
        self, weights: Floats, gammas: Floats, center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """Σ wᵢ V(ω - c; σ, Γᵢ)."""
        weights, gammas = jnp.broadcast_arrays(
            jnp.atleast_1d(as_float(weights)), jnp.atleast_1d(as_float(gammas))
        )
        profiles = jax.vmap(lambda g: voigt(self.omega - center, self.sigma, g))(gammas)
        return weights @ profiles

    def sampled(
        self, function: Callable[[Array], Array], center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """∫ G(t; σ) S(ω - c - t) dt by steps of σ/4, for S not narrower than that."""
        weights = np.exp(-0.5 * _STEPS**2)
        at = (self.omega - center)[:, None] - self.sigma * _STEPS[None, :]
        return function(at) @ as_float(weights / weights.sum())


class ProfileResolution(eqx.Module):
    """Sum of Voigt functions: rows (weight, center, σ, Γ) of `profile`.

    What `parametric_resolution` fits to a measured kernel. A row with Γ = 0 is a
    Gaussian; widths of Lorentzians add.
    """

    omega: Float[Array, " n"]
    profile: Float[Array, "k 4"]

    def lorentzians(
        self, weights: Floats, gammas: Floats, center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """Σ wᵢ uₖ V(ω - c - cₖ; σₖ, Γᵢ + Γₖ)."""
        weights, gammas = jnp.broadcast_arrays(
            jnp.atleast_1d(as_float(weights)), jnp.atleast_1d(as_float(gammas))
        )
        share, shift, sigma, width = self.profile.T
        x = (self.omega - center)[:, None] - shift[None, :]

        def one(g: Array) -> Array:
            return voigt(x, sigma[None, :], (g + width)[None, :]) @ share

        return weights @ jax.vmap(one)(gammas)

    def sampled(
        self, function: Callable[[Array], Array], center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """∫ R(t) S(ω - c - t) dt on a grid of a quarter of the narrowest σ."""
        share, shift, sigma, width = self.profile.T
        out = jnp.zeros_like(self.omega)
        for k in range(self.profile.shape[0]):
            # t = shift + (σ + Γ) sinh(s): dense in the middle, far out in the wings
            scale = (sigma[k] + width[k]) / 4
            t = scale * np.sinh(_SINH)
            step = scale * np.cosh(_SINH) * (_SINH[1] - _SINH[0])
            kernel = voigt(t, sigma[k], width[k]) * step
            at = (self.omega - center - shift[k])[:, None] - t[None, :]
            out = out + share[k] * (function(at) @ (kernel / jnp.sum(kernel)))
        return out


class SeedResolution(eqx.Module):
    """Kernel rolled to the middle of the window, model cut at its edges.

    The whole window `omega` is needed for any of its points; `index` says which of them
    are wanted, None meaning all.
    """

    omega: Float[Array, " n"]
    kernel: Float[Array, " n"]
    step: Float[Array, ""]
    index: Int[Array, " k"] | None = None

    def lorentzians(
        self, weights: Floats, gammas: Floats, center: Scalar = 0.0
    ) -> Float[Array, "..."]:
        """Sampled Σ wᵢ L(ω - c; Γᵢ), fft-convolved to the same length."""
        model = lorentz_sum(self.omega - center, weights, gammas)
        return self._convolved(model)

    def sampled(
        self, function: Callable[[Array], Array], center: Scalar = 0.0
    ) -> Float[Array, "..."]:
        """Sampled S(ω - c), fft-convolved to the same length."""
        return self._convolved(function(self.omega - center))

    def _convolved(self, model: Float[Array, " n"]) -> Float[Array, "..."]:
        out = seed_convolve(model, self.kernel, self.step)
        return out if self.index is None else out[self.index]


Resolution = (
    GaussianResolution | ProfileResolution | SeedResolution | AbstractConvolution
)
_MADE = (GaussianResolution, ProfileResolution, SeedResolution, AbstractConvolution)


@dataclasses.dataclass(frozen=True, eq=False)
class Profile:
    """A resolution given by a formula: rows (weight, center, σ, Γ), meV.

    Args:
        rows: (k, 4); weights add to 1, σ > 0, Γ >= 0.
        misfit: root mean square of what a fit left, over the peak; NaN for none.

    Raises:
        ParameterError: a width or a weight that cannot be.
    """

    rows: np.ndarray
    misfit: float = math.nan

    def __post_init__(self):
        rows = np.atleast_2d(np.asarray(self.rows, dtype=float))
        if rows.ndim != 2 or rows.shape[1] != 4 or not np.all(np.isfinite(rows)):
            raise ParameterError(
                "a profile has rows (weight, center, sigma, gamma), got "
                f"{rows.tolist()}"
            )
        if np.any(rows[:, 2] <= 0) or np.any(rows[:, 3] < 0):
            raise ParameterError(
                f"widths of a profile are sigma {rows[:, 2]}, gamma {rows[:, 3]} meV; "
                "expected sigma > 0 and gamma >= 0"
            )
        if not abs(rows[:, 0].sum() - 1) < 1e-6:
            raise ParameterError(
                f"weights of a profile add to {rows[:, 0].sum()}; expected 1"
            )
        object.__setattr__(self, "rows", rows)


def padded(profiles: Sequence[Profile]) -> np.ndarray:
    """Rows of several profiles (group, k, 4), padded with rows of weight 0."""
    most = max(len(p.rows) for p in profiles)
    blank = np.array([[0.0, 0.0, 1.0, 0.0]])
    return np.array(
        [
            np.concatenate([p.rows, np.repeat(blank, most - len(p.rows), 0)])
            for p in profiles
        ]
    )


def check_mode(mode: str) -> None:
    """Raise unless `mode` is one of `MODES`."""
    if mode not in MODES:
        raise DataError(f"mode is {mode!r}; expected one of {MODES}")


def resolution(
    omega: Any, sigma_res: Any, mode: str = "exact", subtract_background: str = "none"
) -> Resolution:
    """Resolution of one Q from what users write.

    Args:
        omega: energies in meV, strictly increasing.
        sigma_res: σ in meV; a kernel on the axis of `omega`; a pair (energies, kernel)
            with its own axis; or a resolution made before.
        mode: "exact" or "seed".
        subtract_background: constant under a kernel to remove first: "none", "min" or
            "edges".

    Raises:
        DataError, ParameterError: values that cannot be used, by name.
    """
    check_mode(mode)
    if isinstance(sigma_res, _MADE):
        return sigma_res
    if isinstance(sigma_res, Profile):
        return ProfileResolution(as_float(omega), as_float(sigma_res.rows))
    if isinstance(omega, Tracer) or isinstance(sigma_res, Tracer):
        # only a scalar σ needs no look at the numbers
        if mode == "seed" or isinstance(sigma_res, tuple) or np.ndim(sigma_res) > 0:
            raise DataError(
                "a kernel, or mode='seed', needs the numbers of omega and sigma_res; "
                "outside jit make `resolution(omega, sigma_res)` and pass that"
            )
        return GaussianResolution(as_float(omega), as_float(sigma_res))
    omega = _energies(omega)
    if isinstance(sigma_res, tuple):
        if len(sigma_res) != 2:
            raise DataError(
                f"sigma_res has {len(sigma_res)} parts; expected (energies, kernel)"
            )
        energy, kernel = (np.asarray(a, dtype=float) for a in sigma_res)
    elif np.ndim(sigma_res) == 0:
        sigma = float(sigma_res)
        if not (np.isfinite(sigma) and sigma > 0):
            raise ParameterError(f"sigma_res is {sigma}; expected a positive width")
        if mode == "seed":
            kernel = np.asarray(gnorm(omega, sigma))
            return _seed(omega, kernel / kernel.sum() / _step(omega))
        return GaussianResolution(as_float(omega), as_float(sigma))
    else:
        energy, kernel = omega, np.asarray(sigma_res, dtype=float)
        if kernel.shape != omega.shape:
            raise DataError(
                f"sigma_res has shape {kernel.shape}, omega has {omega.shape}; give a "
                "pair (energies, kernel) for a kernel with an axis of its own"
            )
    if mode == "seed":
        if energy.shape != omega.shape:
            raise DataError(
                f"mode='seed' needs kernels of the length of omega, {omega.size}, got "
                f"{energy.size}"
            )
        return _seed(omega, prepare_seed_kernel(kernel, omega))
    values = normalise_kernel(kernel, energy, subtract_background)  # type: ignore[arg-type]
    return convolution(omega, energy, values)


def _seed(omega: np.ndarray, kernel: np.ndarray) -> SeedResolution:
    return SeedResolution(as_float(omega), as_float(kernel), as_float(_step(omega)))


def _step(omega: np.ndarray) -> float:
    step = grid_step(omega, "omega")
    if step is None:
        raise DataError("omega must be uniform for mode='seed'; use mode='exact'")
    return step


def _energies(omega: Any) -> np.ndarray:
    omega = np.asarray(omega, dtype=float)
    if omega.ndim != 1 or omega.size < 2:
        raise DataError(f"omega has shape {omega.shape}; expected (n,), n >= 2")
    grid_step(omega, "omega")
    return omega
