"""Structure factors of a crystal of independent atoms, and what follows from them.

    F(g) = (1/Ω) Σ_j occ_j f_j(|g|) T_j(g) exp(+2πi g·x_j)     1/Å²
    V(g) = h²/(2πm₀e) F(g)                                      V
    U(g) = 2γm₀e V(g)/h² = γF(g)/π                              1/Å²
    U'(g) the same with the absorptive factors f'

All have the crystallographic sign +. The full coefficient of an absorbing crystal is
U + iU'; U and U' are sums of their own and are never conjugated together, so that the
real-space potential of each is real: U(-g) = U(g)*, U'(-g) = U'(g)*.

X-ray and electron structure factors of one crystal are linked by Mott and Bethe,
F_x(g) = Σ_j occ_j Z_j T_j exp(2πi g·x_j) - (2π³a₀Ωg²/γ) U(g).

Units: hkl integers, energy in keV, g in 1/Å, F and U in 1/Å², F_x in electrons per
cell.

References:
    [1] J. C. H. Spence and J. M. Zuo, Electron Microdiffraction (1992), chapter 2.
    [2] J. M. Zuo, Rep. Prog. Phys. 67, 2053 (2004).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Complex, Float, Num

from .._types import Floats, Scalar, as_float
from ..constants import BOHR_RADIUS, POTENTIAL_OF_FACTOR
from ..errors import DataError
from .absorption import AbstractAbsorption, absorption_rule
from .crystal import Crystal
from .debye_waller import isotropic
from .electron import lorentz_factor, wavelength, wavenumber
from .lattice import lengths_of
from .scattering_factors import atomic_number, electron_factor, xray_factor


class AtomSums(NamedTuple):
    """What is left of F when the factors of the atoms are taken out.

    `g` (n,) are lengths |g|; `weights` (n, site) are Σ occ T exp(2πi g·x) over the
    images of every site.
    """

    g: Float[Array, " n"]
    weights: Complex[Array, "n site"]


def atom_sums(crystal: Crystal, hkl: Num[ArrayLike, "n 3"]) -> AtomSums:
    """Σ occ T(g) exp(+2πi g·x) over the images of every site."""
    h = as_float(hkl)
    g = lengths_of(h, crystal.cell)
    phase = 2 * jnp.pi * (h @ crystal.atom_positions().T)
    waves = jax.lax.complex(jnp.cos(phase), jnp.sin(phase))
    beta = crystal.atom_betas()
    if beta is not None:
        pairs = (h[:, :, None] * h[:, None, :]).reshape(len(h), 9)
        waves = waves * jnp.exp(-pairs @ beta.reshape(-1, 9).T)
    of_site = jax.ops.segment_sum(
        waves.T, crystal.images.site, len(crystal), indices_are_sorted=True
    ).T
    damping = isotropic(g[:, None], crystal.b_iso[None, :])
    return AtomSums(g, of_site * (damping * crystal.occupancies[None, :]))


def _by_element(crystal: Crystal, factor, g: Float[Array, " n"]) -> Float[Array, "n s"]:
    """Columns `factor(symbol, g)` of every site, each element evaluated once."""
    known = tuple(dict.fromkeys(crystal.symbols))
    columns = jnp.stack([factor(symbol, g) for symbol in known], axis=1)
    return columns[:, np.array([known.index(s) for s in crystal.symbols])]


def _elastic(crystal: Crystal, sums: AtomSums, table: str) -> Complex[Array, " n"]:
    """F in 1/Å² from the sums."""
    f = _by_element(crystal, lambda s, g: electron_factor(s, g, table), sums.g)
    return jnp.sum(f * sums.weights, axis=1) / crystal.volume()


def structure_factors(
    crystal: Crystal, hkl: Num[ArrayLike, "n 3"], table: str = "lobato"
) -> Complex[Array, " n"]:
    """F(g) = (1/Ω) Σ occ f T exp(+2πi g·x) in 1/Å².

    Args:
        crystal: what diffracts.
        hkl: reflections.
        table: of the scattering factors, see `scattering_factors.tables`.
    """
    return _elastic(crystal, atom_sums(crystal, hkl), table)


def potential_coefficients(
    crystal: Crystal, hkl: Num[ArrayLike, "n 3"], table: str = "lobato"
) -> Complex[Array, " n"]:
    """V(g) in volts; V(0) is the mean inner potential of independent atoms."""
    return POTENTIAL_OF_FACTOR * structure_factors(crystal, hkl, table)


def optical_potential(
    crystal: Crystal,
    hkl: Num[ArrayLike, "n 3"],
    energy: Scalar,
    table: str = "lobato",
    absorption: str | AbstractAbsorption = "thomas",
) -> tuple[Complex[Array, " n"], Complex[Array, " n"]]:
    """(U, U') in 1/Å², elastic and absorptive; the full coefficient is U + iU'.

    Args:
        crystal: what diffracts.
        hkl: reflections.
        energy: of the beam in keV.
        table: of the elastic scattering factors.
        absorption: a rule of the module `absorption`, or the name of one that needs no
            numbers: "none", "proportional", "thomas", "tds".
    """
    sums = atom_sums(crystal, hkl)
    rule = absorption_rule(absorption)
    scale = lorentz_factor(energy) / jnp.pi
    elastic = scale * _elastic(crystal, sums, table)
    if not rule.atomic:
        return elastic, rule.coefficients(elastic, sums.g, energy)
    b = crystal.equivalent_b()
    f = jnp.stack(
        [
            rule.factor(symbol, sums.g, b[i], energy)
            for i, symbol in enumerate(crystal.symbols)
        ],
        axis=1,
    )
    lost = jnp.sum(f * sums.weights, axis=1) / crystal.volume()
    return elastic, scale * lost


def xray_structure_factors(
    crystal: Crystal, hkl: Num[ArrayLike, "n 3"]
) -> Complex[Array, " n"]:
    """F_x(g) = Σ occ f_x T exp(+2πi g·x) in electrons per cell; needs gemmi."""
    sums = atom_sums(crystal, hkl)
    return jnp.sum(_by_element(crystal, xray_factor, sums.g) * sums.weights, axis=1)


def _nuclei(crystal: Crystal, sums: AtomSums) -> Complex[Array, " n"]:
    """Σ occ Z T exp(2πi g·x): what point charges would scatter."""
    z = np.array([atomic_number(s) for s in crystal.symbols], float)
    return jnp.sum(z[None, :] * sums.weights, axis=1)


def _mott_bethe(
    crystal: Crystal, g: Float[Array, " n"], energy: Scalar
) -> Float[Array, " n"]:
    """2π³a₀Ωg²/γ in Å²."""
    scale = 2 * jnp.pi**3 * BOHR_RADIUS * crystal.volume() / lorentz_factor(energy)
    return scale * jnp.square(g)


def e2xray(
    crystal: Crystal,
    hkl: Num[ArrayLike, "n 3"],
    u: Complex[ArrayLike, " n"],
    energy: Scalar,
) -> Complex[Array, " n"]:
    """F_x(g) = Σ occ Z T exp(2πi g·x) - (2π³a₀Ωg²/γ) U(g), in electrons per cell.

    Args:
        crystal: where the nuclei are and how they vibrate.
        hkl: reflections.
        u: elastic U(g) in the sign of this module.
        energy: in keV at which U holds.
    """
    sums = atom_sums(crystal, hkl)
    return _nuclei(crystal, sums) - _mott_bethe(crystal, sums.g, energy) * jnp.asarray(
        u
    )


def x2electron(
    crystal: Crystal,
    hkl: Num[ArrayLike, "n 3"],
    f_x: Complex[ArrayLike, " n"],
    energy: Scalar,
) -> Complex[Array, " n"]:
    """U(g) from F_x(g), the inverse of `e2xray`.

    At g = 0 Mott and Bethe's formula is 0/0: a traced 000 gives NaN.

    Raises:
        DataError: 000 is among `hkl`.
    """
    if not isinstance(hkl, Tracer) and np.any(np.all(np.asarray(hkl) == 0, axis=1)):
        raise DataError("hkl holds 000; expected reflections with g > 0")
    sums = atom_sums(crystal, hkl)
    scale = _mott_bethe(crystal, sums.g, energy)
    origin = sums.g == 0
    difference = _nuclei(crystal, sums) - jnp.asarray(f_x)
    return jnp.where(origin, jnp.nan, difference / jnp.where(origin, 1.0, scale))


def extinction_distances(
    u: Complex[ArrayLike, "*n"], g: Floats, energy: Scalar
) -> Float[Array, "*n"]:
    """ξ_g = K₀ cos θ_B/|U_g| in Å, with sin θ_B = λg/2; infinite where U_g = 0.

    Args:
        u: U(g) in 1/Å².
        g: lengths |g| of the same shape.
        energy: in keV.
    """
    u = jnp.asarray(u)
    none = u == 0
    size = jnp.abs(jnp.where(none, 1.0, u))
    sine = wavelength(energy) * as_float(g) / 2
    cosine = jnp.sqrt(1 - jnp.square(sine))
    return jnp.where(none, jnp.inf, wavenumber(energy) * cosine / size)
