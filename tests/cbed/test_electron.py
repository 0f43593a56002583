"""Kinematics of the beam against mpmath and the columns of peers."""

import csv
import pathlib

import jax
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed import electron
from jaxscatter.constants import ELECTRON_REST_ENERGY, HC, POTENTIAL_OF_FACTOR
from jaxscatter.errors import ParameterError

DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
with (DATA / "crystal_constants.csv").open() as file:
    ROWS = list(csv.DictReader(file))
ENERGY = np.array([float(row["kV"]) for row in ROWS])


def column(name):
    return np.array([float(row[name]) for row in ROWS])


@pytest.mark.parametrize(
    ("name", "of", "rtol"),
    [
        ("wavelength_A_abtem", electron.wavelength, 1e-7),
        ("wavelength_A_py4dstem", electron.wavelength, 5e-7),
        ("gamma_rel_abtem", electron.lorentz_factor, 1e-7),
        ("sigma_per_VA_abtem", electron.interaction_constant, 1e-7),
        ("U_over_V_per_A2_per_V", electron.potential_factor, 1e-7),
    ],
)
def test_constants_agree_with_other_programs(name, of, rtol):
    np.testing.assert_allclose(of(ENERGY), column(name), rtol=rtol)


@pytest.mark.parametrize("energy", [1e-3, 30.0, 200.0, 3000.0])
def test_kinematics_agree_with_forty_digits(energy):
    with mpmath.workdps(40):
        rest, e = mpmath.mpf(ELECTRON_REST_ENERGY), mpmath.mpf(energy) * 1000
        gamma = 1 + e / rest
        beta = mpmath.sqrt(1 - 1 / gamma**2)
        k = mpmath.sqrt(e * (2 * rest + e)) / mpmath.mpf(HC)
        sigma = gamma / (k * mpmath.mpf(POTENTIAL_OF_FACTOR))
        want = [float(x) for x in (gamma, beta, k, 1 / k, sigma)]
    got = [
        f(energy)
        for f in (
            electron.lorentz_factor,
            electron.velocity_ratio,
            electron.wavenumber,
            electron.wavelength,
            electron.interaction_constant,
        )
    ]
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_phase_per_volt_is_that_of_the_potential_coefficient():
    """π U/K t and σ V t are the same phase of a weak object."""
    energy = 200.0
    phase = np.pi * electron.potential_factor(energy) / electron.wavenumber(energy)
    np.testing.assert_allclose(phase, electron.interaction_constant(energy), rtol=1e-14)


@pytest.mark.parametrize(
    "of",
    [
        electron.lorentz_factor,
        electron.velocity_ratio,
        electron.wavelength,
        electron.interaction_constant,
        electron.potential_factor,
    ],
)
def test_energy_can_be_differentiated(of):
    check_grads(jax.jit(of), (200.0,), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("energy", [0.0, -200.0, np.nan, np.inf])
def test_an_energy_that_is_not_positive_is_refused(energy):
    with pytest.raises(ParameterError, match="energy"):
        electron.wavelength(energy)
