"""Numerical building blocks: special functions, line sums, convolution."""

from .basis import LorentzianTable, lorentzian_moments, tabulate
from .bessel import (
    bessel_j0,
    bessel_j1,
    sinc,
    three_j1_over_x,
    two_j1_over_x,
)
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
from .debye import debye
from .incomplete_gamma import lower_gamma_ratio
from .lines import (
    band_limited_lorentzian,
    band_limited_sum,
    bin_integrated_lorentzian,
    bin_integrated_sum,
    lorentzian_sum,
)
from .special import spherical_bessel, voigt
from .trig import sincos

__all__ = [
    "AbstractConvolution",
    "DenseConvolution",
    "LorentzianTable",
    "UniformConvolution",
    "band_limited_lorentzian",
    "band_limited_sum",
    "bessel_j0",
    "bessel_j1",
    "bin_integrated_lorentzian",
    "bin_integrated_sum",
    "convolution",
    "convolve_dense",
    "convolve_spectrum",
    "convolve_toeplitz",
    "cumulative_rectangle",
    "cumulative_trapezoid",
    "debye",
    "energy_differences",
    "expm1_over",
    "grid_step",
    "kernel_spectrum",
    "lorentzian_moments",
    "lorentzian_sum",
    "lower_gamma_ratio",
    "normalise_kernel",
    "power_integral",
    "prepare_seed_kernel",
    "seed_convolve",
    "sinc",
    "sincos",
    "spherical_bessel",
    "tabulate",
    "three_j1_over_x",
    "trapezoid_weights",
    "two_j1_over_x",
    "voigt",
]
