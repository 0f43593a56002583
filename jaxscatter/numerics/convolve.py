"""Convolution of line shapes with measured kernels, free of edge effects.

Units: energies, widths and steps share one unit; kernels and line shapes are per that
unit. `omega` is the axis of the data (n points), `energy` the kernel's (m points).

The convolution y_i = Σ_j K_j S(ω_i - κ_j) D needs the model only at the differences
ω_i - κ_j, wherever they lie: nothing is cut at the window's edge, and the kernel keeps
its own axis, centred or not. On axes of one common step the differences take n + m - 1
values and the sum is a Toeplitz product, done by one real FFT of that length against a
kernel spectrum computed once. Any other pair of axes takes a dense (n, m) table.

References:
    [1] G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed. (2013), 4.7.7,
        Toeplitz products by FFT.
"""

import abc
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float
from scipy.fft import next_fast_len

from .._types import Floats, Scalar, as_float
from ..errors import DataError
from ._dtype import common_float
from .lines import band_limited_sum, bin_integrated_sum

Background = Literal["none", "min", "edges"]
_UNIFORM = 1e-6  # largest relative deviation of a step from the mean step


def _axis(x: ArrayLike, name: str) -> np.ndarray:
    """A checked axis: 1-D, finite, strictly increasing, of two points or more."""
    x = np.asarray(x, dtype=float)
    if x.ndim != 1 or x.size < 2:
        raise DataError(f"{name} must be 1-D with at least 2 points, got {x.shape}")
    if not np.all(np.isfinite(x)):
        bad = int(np.flatnonzero(~np.isfinite(x))[0])
        raise DataError(f"{name} must be finite, got {x[bad]} at index {bad}")
    steps = np.diff(x)
    if np.any(steps <= 0):
        bad = int(np.flatnonzero(steps <= 0)[0])
        raise DataError(
            f"{name} must be strictly increasing, got {x[bad]} then {x[bad + 1]} "
            f"at index {bad}"
        )
    return x


def grid_step(x: ArrayLike, name: str = "omega") -> float | None:
    """Step of a uniform axis, or None if steps differ by over 1e-6 of their mean.

    Raises:
        DataError: `x` is not finite, strictly increasing and one-dimensional.
    """
    steps = np.diff(_axis(x, name))
    mean = float(steps.mean())
    return mean if np.max(np.abs(steps - mean)) <= _UNIFORM * mean else None


def trapezoid_weights(x: ArrayLike, name: str = "energy") -> np.ndarray:
    """Quadrature weights w_j of an axis: Σ w_j f(x_j) ≈ ∫ f dx.

    The step itself on a uniform axis, where a kernel is taken to vanish beyond its
    ends, and the trapezoid rule's weights on any other.
    """
    x = _axis(x, name)
    step = grid_step(x, name)
    if step is not None:
        return np.full(x.shape, step)
    half = np.diff(x) / 2
    return np.concatenate([half[:1], half[1:] + half[:-1], half[-1:]])


def normalise_kernel(
    kernel: ArrayLike,
    energy: ArrayLike,
    subtract_background: Background = "none",
) -> np.ndarray:
    """Kernel of unit area on its own axis, K_j / Σ w_j K_j, not moved or clipped.

    Args:
        kernel: measured resolution function, one value per point of `energy`.
        energy: its axis; see `trapezoid_weights` for w_j.
        subtract_background: a constant to remove first, which would act as a very
            broad component: "min" is the smallest value, "edges" the mean of the first
            and last 5 % of the points (at least two at each end).

    Raises:
        DataError: shapes differ, a value is not finite, none or no area is positive.
    """
    axis, values = _axis(energy, "energy"), np.asarray(kernel, dtype=float)
    if values.shape != axis.shape:
        raise DataError(
            f"kernel must have the shape of energy, {axis.shape}, got {values.shape}"
        )
    if not np.all(np.isfinite(values)):
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"kernel must be finite, got {values[bad]} at index {bad}")
    if np.all(values <= 0):
        raise DataError(
            f"kernel must be positive somewhere, its maximum is {values.max()}"
        )
    if subtract_background == "min":
        values = values - values.min()
    elif subtract_background == "edges":
        k = min(max(2, values.size // 20), values.size // 2)
        values = values - np.concatenate([values[:k], values[-k:]]).mean()
    elif subtract_background != "none":
        raise DataError(
            "subtract_background must be 'none', 'min' or 'edges', "
            f"got {subtract_background!r}"
        )
    area = float(np.sum(values * trapezoid_weights(axis)))
    if not area > 0:
        raise DataError(f"kernel must have a positive area, got {area}")
    return values / area


def energy_differences(
    omega: Float[ArrayLike, " n"], energy: Float[ArrayLike, " m"]
) -> Float[Array, " k"]:
    """The n + m - 1 differences ω_i - κ_j of two axes of one step, increasing.

    Entry i - j + m - 1 is ω_i - κ_j.
    """
    x, kappa = common_float(omega, energy)
    # κ runs down through ω_0 - κ_j, then ω runs up: no accumulated multiples of a step.
    return jnp.concatenate([x[0] - kappa[::-1], x[1:] - kappa[0]])


def _fast_length(n: int) -> int:
    return int(next_fast_len(n, real=True))  # pyright: ignore[reportArgumentType]


def _fft_length(n_omega: int, n_kernel: int) -> int:
    return _fast_length(n_omega + n_kernel - 1)


def kernel_spectrum(
    kernel: Float[ArrayLike, " m"], n_omega: int
) -> Float[Array, "2 frequency"]:
    """Real and imaginary part of a kernel's FFT, for `convolve_spectrum`."""
    (values,) = common_float(kernel)
    spectrum = jnp.fft.rfft(values, _fft_length(n_omega, values.shape[0]))
    return jnp.stack([jnp.real(spectrum), jnp.imag(spectrum)])


def convolve_spectrum(
    shape: Float[ArrayLike, " k"],
    spectrum: Float[ArrayLike, "2 frequency"],
    n_omega: int,
    step: Scalar,
) -> Float[Array, " n"]:
    """Sum y_i = D Σ_j K_j S(ω_i - κ_j) with the kernel given by `kernel_spectrum`.

    Args:
        shape: S on `energy_differences`, n + m - 1 values.
        spectrum: of the kernel, computed once.
        n_omega: n, the number of points of the data's axis.
        step: D.
    """
    values, spectral, step = common_float(shape, spectrum, step)
    n_kernel = values.shape[0] - n_omega + 1
    length = _fft_length(n_omega, n_kernel)
    transform = jnp.fft.rfft(values, length) * lax.complex(spectral[0], spectral[1])
    full = jnp.fft.irfft(transform, length)
    # A period of n + m - 1 suffices: what wraps around lands before m - 1.
    return full[n_kernel - 1 : n_kernel - 1 + n_omega] * step


def convolve_toeplitz(
    shape: Float[ArrayLike, " k"], kernel: Float[ArrayLike, " m"], step: Scalar
) -> Float[Array, " n"]:
    """Sum y_i = D Σ_j K_j S(ω_i - κ_j) of a shape on `energy_differences`.

    The number n of results is len(shape) - len(kernel) + 1. Where the kernel is
    constant, `kernel_spectrum` once and `convolve_spectrum` after save a third.
    """
    values, kernel, step = common_float(shape, kernel, step)
    n_omega = values.shape[0] - kernel.shape[0] + 1
    if n_omega < 1:
        raise DataError(
            f"shape needs at least as many points as the kernel, {kernel.shape[0]}, "
            f"got {values.shape[0]}"
        )
    return convolve_spectrum(values, kernel_spectrum(kernel, n_omega), n_omega, step)


def convolve_dense(
    shape: Float[ArrayLike, "n m"],
    kernel: Float[ArrayLike, " m"],
    weights: Float[ArrayLike, " m"],
) -> Float[Array, " n"]:
    """Sum y_i = Σ_j K_j w_j S(ω_i - κ_j) of a shape given at every pair (i, j)."""
    values, kernel, weights = common_float(shape, kernel, weights)
    return values @ (kernel * weights)


class AbstractConvolution(eqx.Module):
    """Convolution with one kernel: what is constant in a fit, computed once.

    Several of one class and shape stack into one, for `jax.vmap`.
    """

    differences: eqx.AbstractVar[Array]
    """Where the model is needed, ω_i - κ_j."""

    @abc.abstractmethod
    def apply(self, shape: Floats) -> Float[Array, " n"]:
        """Convolve a model given on `differences`."""

    @abc.abstractmethod
    def lorentzians(
        self, weights: Floats, gammas: Floats, center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """Convolve Σ wᵢ L(ω - c; Γᵢ), Γᵢ ≥ 0; a width of zero is an exact delta."""

    def sampled(
        self, function: Callable[[Array], Array], center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """Convolve a smooth S(ω - c) that is given as a function of ω."""
        return self.apply(function(self.differences - center))


class UniformConvolution(AbstractConvolution):
    """Kernel and data on uniform axes of one step: Toeplitz product by FFT.

    Lorentzians are band limited (`band_limited_lorentzian`).
    """

    differences: Float[Array, "..."]
    spectrum: Float[Array, "..."]
    step: Float[Array, "..."]
    n_omega: int = eqx.field(static=True)

    def apply(self, shape: Floats) -> Float[Array, " n"]:
        """Convolve a model given on `differences`, (n + m - 1,)."""
        return convolve_spectrum(shape, self.spectrum, self.n_omega, self.step)

    def lorentzians(
        self, weights: Floats, gammas: Floats, center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """Convolve Σ wᵢ L(ω - c; Γᵢ), Γᵢ ≥ 0; a width of zero is an exact delta."""
        x = self.differences - center
        return self.apply(band_limited_sum(x, weights, gammas, self.step))


class DenseConvolution(AbstractConvolution):
    """Kernel and data on any two axes: dense (n, m) table of differences.

    Lorentzians are band limited where the kernel's axis is uniform, whatever the data's
    is, and averaged over the kernel's bins where it is not (`band_limited` says which).
    """

    differences: Float[Array, "..."]
    kernel: Float[Array, "..."]
    weights: Float[Array, "..."]
    band_limited: bool = eqx.field(static=True)

    def apply(self, shape: Floats) -> Float[Array, " n"]:
        """Convolve a model given on `differences`, (n, m)."""
        return convolve_dense(shape, self.kernel, self.weights)

    def lorentzians(
        self, weights: Floats, gammas: Floats, center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """Convolve Σ wᵢ L(ω - c; Γᵢ), Γᵢ ≥ 0; a width of zero is a delta or a bin."""
        x = self.differences - center
        width = jnp.broadcast_to(self.weights[None, :], x.shape)
        total = band_limited_sum if self.band_limited else bin_integrated_sum
        return self.apply(total(x, weights, gammas, width))


def convolution(
    omega: ArrayLike, energy: ArrayLike, kernel: ArrayLike
) -> UniformConvolution | DenseConvolution:
    """The convolution that fits two axes, for a kernel from `normalise_kernel`.

    Args:
        omega: axis of the data.
        energy: axis of the kernel, of any length and origin.
        kernel: its values, used as they are (never normalised again).

    Raises:
        DataError: an axis or the kernel's shape or values can't be used.
    """
    x, kappa = _axis(omega, "omega"), _axis(energy, "energy")
    values = np.asarray(kernel, dtype=float)
    if values.shape != kappa.shape or not np.all(np.isfinite(values)):
        raise DataError(
            f"kernel must be finite with the shape of energy, {kappa.shape}, "
            f"got shape {values.shape}"
        )
    step, kernel_step = grid_step(x, "omega"), grid_step(kappa, "energy")
    if step is None or kernel_step is None or abs(step / kernel_step - 1) > _UNIFORM:
        return DenseConvolution(
            differences=as_float(x[:, None] - kappa[None, :]),
            kernel=as_float(values),
            weights=as_float(trapezoid_weights(kappa)),
            band_limited=kernel_step is not None,
        )
    n = x.size
    spectrum = np.fft.rfft(values, _fft_length(n, values.size))
    return UniformConvolution(
        differences=as_float(
            np.concatenate([x[0] - kappa[::-1], x[1:] - kappa[0]]),
        ),
        spectrum=as_float(np.stack([spectrum.real, spectrum.imag])),
        step=as_float(kernel_step),
        n_omega=n,
    )


def prepare_seed_kernel(kernel: ArrayLike, omega: ArrayLike) -> np.ndarray:
    """Kernel of the seed recipe: non-positive to 0, maximum at index n // 2, unit area.

    Kept to compare with older results: the roll by whole bins moves the centroid of an
    off-centre or asymmetric kernel. `normalise_kernel` is the exact mode's counterpart.

    Raises:
        DataError: `omega` is not uniform, shapes differ, or no value is positive.
    """
    step = grid_step(omega, "omega")
    if step is None:
        steps = np.diff(np.asarray(omega, dtype=float))
        raise DataError(
            "omega must be uniform for mode='seed', its steps run from "
            f"{steps.min()} to {steps.max()}: use mode='exact'"
        )
    values = np.array(kernel, dtype=float)
    if values.shape != np.shape(omega):
        raise DataError(
            f"kernel must have the shape of omega, {np.shape(omega)}, "
            f"got {values.shape}"
        )
    values[~(np.isfinite(values) & (values > 0))] = 0.0
    area = float(values.sum() * step)
    if not area > 0:
        raise DataError(f"kernel must have a positive area, got {area}")
    return np.roll(values, values.size // 2 - int(np.argmax(values))) / area


def seed_convolve(
    model: Float[ArrayLike, " n"], kernel: Float[ArrayLike, " n"], step: Scalar
) -> Float[Array, " n"]:
    """Convolution of the seed recipe: the middle n points of model * kernel, times D.

    The model counts as zero outside its window, so results near the edges are too low.
    """
    model, kernel, step = common_float(model, kernel, step)
    n = model.shape[0]
    length = _fast_length(2 * n - 1)
    full = jnp.fft.irfft(
        jnp.fft.rfft(model, length) * jnp.fft.rfft(kernel, length), length
    )
    return full[(n - 1) // 2 : (n - 1) // 2 + n] * step
