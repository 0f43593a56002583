"""Numerical building blocks: special functions, line sums, convolution."""

from .basis import LorentzianTable, lorentzian_moments, tabulate
from .convolve import (
    AbstractConvolution,
    DenseConvolution,
    UniformConvolution,
    convolution,
    convolve_dense,
    convolve_spectrum,
    convolve_toeplitz,
    energy_differences,
    grid_step,
    kernel_spectrum,
    normalise_kernel,
    prepare_seed_kernel,
    seed_convolve,
    trapezoid_weights,
)
from .cumulative import (
    cumulative_rectangle,
    cumulative_trapezoid,
    expm1_over,
    power_integral,
)
from .lines import (
    band_limited_lorentzian,
    band_limited_sum,
    bin_integrated_lorentzian,
    bin_integrated_sum,
    lorentzian_sum,
)
from .special import sinc, spherical_bessel, voigt

__all__ = [
    "AbstractConvolution",
    "DenseConvolution",
    "LorentzianTable",
    "UniformConvolution",
    "band_limited_lorentzian",
    "band_limited_sum",
    "bin_integrated_lorentzian",
    "bin_integrated_sum",
    "convolution",
    "convolve_dense",
    "convolve_spectrum",
    "convolve_toeplitz",
    "cumulative_rectangle",
    "cumulative_trapezoid",
    "energy_differences",
    "expm1_over",
    "grid_step",
    "kernel_spectrum",
    "lorentzian_moments",
    "lorentzian_sum",
    "normalise_kernel",
    "power_integral",
    "prepare_seed_kernel",
    "seed_convolve",
    "sinc",
    "spherical_bessel",
    "tabulate",
    "trapezoid_weights",
    "voigt",
]
