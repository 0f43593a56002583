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
