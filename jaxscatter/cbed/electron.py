"""Relativistic kinematics of the electron beam, differentiable in its energy.

Units: energy (the accelerating voltage times e) in keV, wavelengths in Å, wave numbers
K = 1/λ in 1/Å (no 2π), σ in 1/(V Å), U in 1/Å².

References:
    [1] P. Hawkes and E. Kasper, Principles of Electron Optics, vol. 1 (1989).
    [2] E. Tiesinga et al., CODATA 2018, Rev. Mod. Phys. 93, 025010 (2021).
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from .._types import Floats
from ..constants import ELECTRON_REST_ENERGY, HC, POTENTIAL_OF_FACTOR
from ..errors import ParameterError
from ..numerics._checks import positive
from ..numerics._dtype import common_float

LARGEST = 1e4
"""keV that no microscope reaches; more is an energy in eV."""


def _electronvolts(energy: Floats) -> Float[Array, "..."]:
    positive("energy", energy)
    if not isinstance(energy, Tracer) and np.any(np.asarray(energy) > LARGEST):
        raise ParameterError(
            f"energy is {float(np.max(np.asarray(energy))):g} keV; expected at most "
            f"{LARGEST:g}: it is given in keV, not eV"
        )
    (e,) = common_float(energy)
    return 1000 * e


def lorentz_factor(energy: Floats) -> Float[Array, "..."]:
    """γ = 1 + E/(m₀c²).

    Args:
        energy: kinetic energy in keV.

    Raises:
        ParameterError: `energy` is not positive.
    """
    return 1 + _electronvolts(energy) / ELECTRON_REST_ENERGY


def velocity_ratio(energy: Floats) -> Float[Array, "..."]:
    """β = v/c = √(1 - 1/γ²)."""
    e = _electronvolts(energy)
    # written without the difference, which cancels at low energies
    return jnp.sqrt(e * (2 * ELECTRON_REST_ENERGY + e)) / (ELECTRON_REST_ENERGY + e)


def wavenumber(energy: Floats) -> Float[Array, "..."]:
    """K₀ = √(E(2m₀c² + E))/(hc) in 1/Å."""
    e = _electronvolts(energy)
    return jnp.sqrt(e * (2 * ELECTRON_REST_ENERGY + e)) / HC


def wavelength(energy: Floats) -> Float[Array, "..."]:
    """λ = hc/√(E(2m₀c² + E)) in Å."""
    return 1 / wavenumber(energy)


def interaction_constant(energy: Floats) -> Float[Array, "..."]:
    """σ = 2π γm₀eλ/h² in 1/(V Å): the phase of a wave per volt and ångström."""
    return lorentz_factor(energy) * wavelength(energy) / POTENTIAL_OF_FACTOR


def potential_factor(energy: Floats) -> Float[Array, "..."]:
    """2γm₀e/h² in 1/(V Å²): U_g of one volt of V_g."""
    return lorentz_factor(energy) / (jnp.pi * POTENTIAL_OF_FACTOR)
