"""Constants against the CODATA values that SciPy ships."""

import numpy as np
from scipy import constants as codata

from jaxscatter import constants

MEV = 1e-3 * codata.electron_volt


def test_constants_are_those_of_codata():
    k_per_inverse_angstrom = codata.hbar**2 * 1e20 / (2 * codata.m_n) / MEV
    for got, expected, rtol in (
        (constants.HBAR, codata.hbar / MEV * 1e12, 1e-9),
        (constants.KB, codata.k / MEV, 1e-9),
        (constants.NEUTRON_ENERGY, k_per_inverse_angstrom, 1e-6),
        (constants.GAS_CONSTANT, codata.R, 1e-9),
        (constants.FWHM_PER_SIGMA, 2 * np.sqrt(2 * np.log(2)), 1e-15),
    ):
        np.testing.assert_allclose(got, expected, rtol=rtol)
