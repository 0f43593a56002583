"""Absorptive potentials: how much of a Bloch wave is lost to diffuse scattering.

Rules that act on the elastic coefficients U:

    NoAbsorption             U' = 0
    Proportional(ratio)      U' = ratio U, or of g = 0 only
    MeanPotential(volts)     U'_0 of an imaginary mean potential, nothing else

Rules that give every atom a factor f'(g, B) in place of f, to be multiplied by the same
Debye-Waller factor T(g):

    Thomas()           published fits to thermal diffuse scattering, B from 0.1 to 4 Å²
    ThermalDiffuse()   the integral itself, for atoms that vibrate independently,

        f' = (2λ_C/β) ∫d²s' f(|s/2 + s'|) f(|s/2 - s'|) {1 - exp[-2B(s'² - s²/4)]}

f' of a compound is smaller than f by two to three orders and falls off more slowly.
The integral is done once per element on the host, in elliptic coordinates about ±s/2
in which the peaks of f are smooth, tabulated over g and B and interpolated with
continuous first derivatives.

Units: g = 2s in 1/Å, B in Å², f' in Å, energy in keV, U in 1/Å².

References:
    [1] C. R. Hall and P. B. Hirsch, Proc. R. Soc. A 286, 158 (1965).
    [2] D. M. Bird and Q. A. King, Acta Cryst. A46, 202 (1990).
    [3] Thomas et al., Acta Cryst. A (2024), absorptive factors of 103 elements.
"""

import abc
import dataclasses
import functools
import importlib.resources
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from scipy.interpolate import CubicSpline

from .._types import Floats, Scalar
from ..constants import COMPTON_WAVELENGTH
from ..errors import ModelError
from ..numerics._checks import finite
from ..numerics._dtype import common_float
from .electron import potential_factor, velocity_ratio
from .scattering_factors import atomic_number, electron_factor

_LARGEST_EXPONENT = 80.0
"""exp(Bs²/2) is capped here: T(g) = exp(-Bs²) has then made f' T less than 1e-34."""


class AbstractAbsorption(abc.ABC):
    """A rule for U'; instances are compared by value, so they may be static."""

    atomic: ClassVar[bool]
    """Whether the rule gives atoms a `factor`, or acts on the `coefficients` U."""

    def factor(
        self, symbol: str, g: Float[Array, " n"], b: Scalar, energy: Scalar
    ) -> Float[Array, " n"]:
        """f'(g, B) in Å without Debye-Waller factor."""
        raise ModelError(f"{self} has no atomic factor of {symbol}")

    def coefficients(
        self, elastic: Complex[Array, " n"], g: Float[Array, " n"], energy: Scalar
    ) -> Complex[Array, " n"]:
        """U' from the elastic U at lengths g."""
        raise ModelError(f"{self} gives atomic factors, not coefficients")


@dataclasses.dataclass(frozen=True)
class NoAbsorption(AbstractAbsorption):
    """U' = 0."""

    atomic: ClassVar[bool] = False

    def coefficients(
        self, elastic: Complex[Array, " n"], g: Float[Array, " n"], energy: Scalar
    ) -> Complex[Array, " n"]:
        """Zeros."""
        return jnp.zeros_like(elastic)


@dataclasses.dataclass(frozen=True)
class Proportional(AbstractAbsorption):
    """U' = ratio U, of all reflections or (`only_mean`) of g = 0 alone."""

    ratio: Scalar = 0.1
    only_mean: bool = False
    atomic: ClassVar[bool] = False

    def __post_init__(self):
        finite("ratio", self.ratio)

    def coefficients(
        self, elastic: Complex[Array, " n"], g: Float[Array, " n"], energy: Scalar
    ) -> Complex[Array, " n"]:
        """Ratio times U."""
        lost = jnp.asarray(self.ratio) * elastic
        return jnp.where(g == 0, lost, 0.0) if self.only_mean else lost


@dataclasses.dataclass(frozen=True)
class MeanPotential(AbstractAbsorption):
    """U'_0 of an imaginary mean potential in V; U' = 0 of all other reflections."""

    potential: Scalar
    atomic: ClassVar[bool] = False

    def __post_init__(self):
        finite("potential", self.potential)

    def coefficients(
        self, elastic: Complex[Array, " n"], g: Float[Array, " n"], energy: Scalar
    ) -> Complex[Array, " n"]:
        """2γm₀e/h² times the potential at g = 0."""
        mean = (self.potential * potential_factor(energy)).astype(elastic.dtype)
        return jnp.where(g == 0, mean, 0.0)


@dataclasses.dataclass(frozen=True)
class Thomas(AbstractAbsorption):
    """Fits to thermal diffuse scattering by Thomas et al. (2024)."""

    atomic: ClassVar[bool] = True

    def factor(
        self, symbol: str, g: Float[Array, " n"], b: Scalar, energy: Scalar
    ) -> Float[Array, " n"]:
        """As `thomas_factor`."""
        return thomas_factor(symbol, g, b, energy)


@dataclasses.dataclass(frozen=True)
class ThermalDiffuse(AbstractAbsorption):
    """The integral over thermal diffuse scattering, with factors f of `table`."""

    table: str = "lobato"
    atomic: ClassVar[bool] = True

    def factor(
        self, symbol: str, g: Float[Array, " n"], b: Scalar, energy: Scalar
    ) -> Float[Array, " n"]:
        """As `tds_factor`."""
        return tds_factor(symbol, g, b, energy, self.table)


_NAMED = {
    "none": NoAbsorption,
    "proportional": Proportional,
    "thomas": Thomas,
    "tds": ThermalDiffuse,
}


def absorption_rule(rule: str | AbstractAbsorption) -> AbstractAbsorption:
    """The rule itself, or the one of that name with its default numbers.

    Raises:
        ModelError: no such name; "abs" needs its number: `MeanPotential(volts)`.
    """
    if isinstance(rule, AbstractAbsorption):
        return rule
    if rule not in _NAMED:
        raise ModelError(
            f"absorption is {rule!r}; expected one of {list(_NAMED)}, or a rule, as "
            "MeanPotential(volts)"
        )
    return _NAMED[rule]()


@functools.cache
def _thomas_table() -> tuple[np.ndarray, np.ndarray]:
    """B (13,) and parameters (103, 13, 9)."""
    where = importlib.resources.files("jaxscatter.cbed") / "tables"
    with (where / "thomas2024_absorptive.npz").open("rb") as file:
        stored = np.load(file)
        return stored["B_values"], stored["parameters"]


def thomas_factor(
    symbol: str, g: Floats, b: Scalar, energy: Scalar
) -> Float[Array, "..."]:
    """F' = max(0, Σ₄ a exp(-|b|s²) + c₀)/β in Å, without Debye-Waller factor.

    Between the tabulated B a monotone cubic is taken. Outside 0.1 to 4 Å² the factor
    keeps its value there: an atom at rest still absorbs as with B = 0.1.

    Args:
        symbol: of the element.
        g: 1/d.
        b: B of the atom.
        energy: of the beam.
    """
    grid, parameters = _thomas_table()
    row = parameters[atomic_number(symbol) - 1]
    g, b = common_float(g, b)
    s2 = jnp.square(g) / 4
    b = jnp.clip(b, grid[0], grid[-1])
    interval = jnp.clip(jnp.searchsorted(grid, b, side="right") - 1, 0, len(grid) - 2)
    # a window of four nodes has the slopes of the whole table at this interval's ends
    start = jnp.clip(interval - 1, 0, len(grid) - 4)
    nodes = [jnp.asarray(grid, b.dtype)[start + i] for i in range(4)]
    values = []
    for i in range(4):
        p = jnp.asarray(row, g.dtype)[start + i]
        f = p[8] + sum(
            (p[2 * k] * jnp.exp(-jnp.abs(p[2 * k + 1]) * s2) for k in range(4)),
            jnp.zeros_like(g),
        )
        values.append(jnp.maximum(f, 0.0))
    slopes = jnp.stack(_monotone_slopes(nodes, values))
    i = interval - start
    x, y = jnp.stack(nodes), jnp.stack(values)
    f = _hermite(b, x[i], x[i + 1], y[i], y[i + 1], slopes[i], slopes[i + 1])
    return f / velocity_ratio(energy)


def _hermite(x, x0, x1, y0, y1, d0, d1):
    """Cubic through y with slopes d at both ends of [x0, x1]."""
    width = x1 - x0
    t = (x - x0) / width
    rest = 1 - t
    return (
        y0 * (1 + 2 * t) * jnp.square(rest)
        + y1 * (3 - 2 * t) * jnp.square(t)
        + width * (d0 * t * jnp.square(rest) - d1 * jnp.square(t) * rest)
    )


def _monotone_slopes(x: list[Array], y: list[Array]) -> list[Array]:
    """Slopes of Fritsch and Butland's interpolant at four nodes."""
    h = [x[i + 1] - x[i] for i in range(3)]
    d = [(y[i + 1] - y[i]) / h[i] for i in range(3)]
    inner = []
    for i in (0, 1):
        monotone = d[i] * d[i + 1] > 0
        left = jnp.where(monotone, d[i], 1.0)
        right = jnp.where(monotone, d[i + 1], 1.0)
        w1, w2 = 2 * h[i + 1] + h[i], h[i + 1] + 2 * h[i]
        inner.append(jnp.where(monotone, (w1 + w2) / (w1 / left + w2 / right), 0.0))

    def end(h0, h1, d0, d1):
        slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
        steep = (d0 * d1 <= 0) & (jnp.abs(slope) > 3 * jnp.abs(d0))
        return jnp.where(slope * d0 <= 0, 0.0, jnp.where(steep, 3 * d0, slope))

    return [end(h[0], h[1], d[0], d[1]), *inner, end(h[2], h[1], d[2], d[1])]


_REACH = 16.0
_G_NODES = 2 * np.sinh(np.linspace(0, np.arcsinh(_REACH / 2), 129))
_B_NODES = np.geomspace(1e-4, 12.0, 49)
_RADIAL, _ANGULAR, _FARTHEST = 128, 32, 1e3


class _Table(NamedTuple):
    """∫/B on (B, g), and its derivatives along g, ln B and both."""

    value: np.ndarray
    along_g: np.ndarray
    along_b: np.ndarray
    along_both: np.ndarray


def diffuse_integral(
    symbol: str, g: np.ndarray, b: np.ndarray, table: str = "lobato"
) -> np.ndarray:
    """∫d²s' f f {exp(-Bs²/2) - exp(-2Bs'²)} on the grid (B, g), by quadrature.

    Args:
        symbol: of the element.
        g: (n,) in 1/Å.
        b: (m,) in Å².
        table: of f.
    """
    nu, weight_nu = np.polynomial.legendre.leggauss(_ANGULAR)
    nu, weight_nu = np.pi / 4 * (nu + 1), np.pi / 4 * weight_nu
    node, weight = np.polynomial.legendre.leggauss(_RADIAL)
    out = np.empty((len(b), len(g)))
    for i, length in enumerate(g):
        c = max(length, 4e-4) / 4  # below, nothing changes with g
        far = np.arccosh(_FARTHEST / c)
        mu = far / 2 * (node + 1)
        cosh = np.cosh(mu)[:, None]
        measure = 4 * c**2 * (cosh**2 - np.cos(nu) ** 2)
        measure *= (far / 2 * weight)[:, None] * weight_nu
        with jax.ensure_compile_time_eval():
            pair = [
                np.asarray(electron_factor(symbol, 2 * c * (cosh + sign), table))
                for sign in (np.cos(nu), -np.cos(nu))
            ]
        measure *= pair[0] * pair[1]
        square = c**2 * (cosh**2 - np.sin(nu) ** 2)
        for j, width in enumerate(b):
            # the difference as expm1, which keeps small B exact
            lost = -np.expm1(-2 * width * (square - c**2))
            out[j, i] = np.sum(measure * lost) * np.exp(-2 * width * c**2)
    return out


@functools.cache
def _diffuse_table(symbol: str, table: str) -> _Table:
    value = diffuse_integral(symbol, _G_NODES, _B_NODES, table) / _B_NODES[:, None]
    ln_b = np.log(_B_NODES)

    def along_g(y):
        # an even function of g
        ends: Any = ((1, np.zeros(len(y))), "not-a-knot")
        return CubicSpline(_G_NODES, y, axis=1, bc_type=ends)(_G_NODES, 1)

    def along_b(y):
        return CubicSpline(ln_b, y, axis=0)(ln_b, 1)

    return _Table(value, along_g(value), along_b(value), along_b(along_g(value)))


def tds_factor(
    symbol: str,
    g: Floats,
    b: Scalar,
    energy: Scalar,
    table: str = "lobato",
) -> Float[Array, "..."]:
    """F' = (2λ_C/β) ∫d²s' f f {1 - exp[-2B(s'² - s²/4)]} in Å, without T(g).

    Interpolated; B above 12 Å² counts as 12, and g above 16 1/Å as 16 in all but the
    Gaussian exp(Bs²/2). f' vanishes with B.

    Args:
        symbol: of the element.
        g: 1/d.
        b: B of the atom.
        energy: of the beam.
        table: of the elastic factors f.
    """
    stored = _diffuse_table(symbol, table)
    g, b = common_float(g, b)
    b = jnp.minimum(b, _B_NODES[-1])
    ln_b = jnp.log(jnp.maximum(b, _B_NODES[0]))
    x = jnp.asarray(np.log(_B_NODES), b.dtype)
    i = jnp.clip(jnp.searchsorted(x, ln_b, side="right") - 1, 0, len(x) - 2)

    def at_b(value, slope):
        value, slope = jnp.asarray(value, g.dtype), jnp.asarray(slope, g.dtype)
        return _hermite(
            ln_b, x[i], x[i + 1], value[i], value[i + 1], slope[i], slope[i + 1]
        )

    value = at_b(stored.value, stored.along_b)
    slope = at_b(stored.along_g, stored.along_both)
    nodes = jnp.asarray(_G_NODES, g.dtype)
    inside = jnp.clip(g, 0.0, _REACH)
    j = jnp.clip(jnp.searchsorted(nodes, inside, side="right") - 1, 0, len(nodes) - 2)
    ratio = _hermite(
        inside, nodes[j], nodes[j + 1], value[j], value[j + 1], slope[j], slope[j + 1]
    )
    raised = jnp.exp(jnp.minimum(b * jnp.square(g) / 8, _LARGEST_EXPONENT))
    scale = 2 * COMPTON_WAVELENGTH / velocity_ratio(energy)
    return scale * b * ratio * raised
