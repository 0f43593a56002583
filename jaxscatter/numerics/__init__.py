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
from .lines import (
    band_limited_lorentzian,
    band_limited_sum,
    bin_integrated_lorentzian,
    bin_integrated_sum,
    lorentzian_sum,
)
from .special import spherical_bessel, voigt

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
    "energy_differences",
    "grid_step",
    "kernel_spectrum",
    "lorentzian_moments",
    "lorentzian_sum",
    "normalise_kernel",
    "prepare_seed_kernel",
    "seed_convolve",
    "spherical_bessel",
    "tabulate",
    "trapezoid_weights",
    "voigt",
]
