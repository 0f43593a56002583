"""Instrument resolution: what a sum of Lorentzians looks like after the spectrometer.

Every resolution offers `lorentzians(weights, gammas, center)`, the convolved
Σ wᵢ L(ω - c; Γᵢ) on the data's ω. Units: meV.

    scalar σ            Gaussian: Voigt profiles in closed form
    kernel              measured, on the axis of ω or on its own: exact convolution
    mode="seed"         same-length FFT convolution of the seed recipe, for comparison
"""

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
        out = seed_convolve(model, self.kernel, self.step)
        return out if self.index is None else out[self.index]


Resolution = GaussianResolution | SeedResolution | AbstractConvolution


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
    if isinstance(sigma_res, GaussianResolution | SeedResolution | AbstractConvolution):
        return sigma_res
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
