"""Physical constants in package units (meV, Å, ps, K).

References:
    [1] E. Tiesinga et al., CODATA 2018, Rev. Mod. Phys. 93, 025010 (2021).
"""

HBAR: float = 0.6582119569
"""Reduced Planck constant in meV ps."""

KB: float = 0.08617333262
"""Boltzmann constant in meV/K."""

NEUTRON_ENERGY: float = 2.072125
"""Neutron energy E = NEUTRON_ENERGY k² in meV Å²."""

GAS_CONSTANT: float = 8.314462618
"""Molar gas constant in J/mol/K."""

FWHM_PER_SIGMA: float = 2.3548200450309493
"""Full width at half maximum of a Gaussian over its standard deviation."""

ELECTRON_REST_ENERGY: float = 510998.95
"""Rest energy of the electron in eV."""

HC: float = 12398.41984
"""Planck constant times the speed of light in eV Å."""

COMPTON_WAVELENGTH: float = 0.0242631024
"""Compton wavelength h/(m₀c) of the electron in Å."""

BOHR_RADIUS: float = 0.529177211
"""Bohr radius in Å."""

POTENTIAL_OF_FACTOR: float = 47.87765
"""h²/(2π m₀ e) in V Å²: volts of a potential per 1/Å² of electron structure factor."""
