"""Electron scattering factors f_e(g) of neutral atoms, from published tables.

    lobato          Σ₅ a(2 + bg²)/(1 + bg²)²                      [1]
    kirkland        Σ₃ a/(g² + b) + Σ₃ c exp(-dg²)                 [2]
    peng            Σ₅ a exp(-bs²), fitted for s ≤ 6               [3]
    peng_low        the same, fitted for s ≤ 2                     [3]
    doyle_turner    (Z - f_x)/(8π²a₀s²), f_x = Σ₄ a exp(-bs²) + c  [4, 5]

"peng_high" is another name of "peng", "xray" of "doyle_turner"; the coefficients of the
latter are those of International Tables C as the optional package gemmi holds them.
"peng_low" is refused beyond g = 4; where JAX is tracing g it gives NaN there. Others
extrapolate.

Units: g = 2s = 1/d in 1/Å, f_e in Å, f_x in electrons.

References:
    [1] I. Lobato and D. Van Dyck, Acta Cryst. A70, 636 (2014).
    [2] E. J. Kirkland, Advanced Computing in Electron Microscopy, 2nd ed. (2010).
    [3] L.-M. Peng et al., Acta Cryst. A52, 257 (1996).
    [4] P. A. Doyle and P. S. Turner, Acta Cryst. A24, 390 (1968).
    [5] International Tables for Crystallography, vol. C, table 6.1.1.4.
"""

import functools
import importlib.resources
import json
import math

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from .._types import Floats
from ..constants import BOHR_RADIUS
from ..errors import ModelError
from ..numerics import expm1_over
from ..numerics._dtype import common_float

MOTT_BETHE = 1 / (8 * math.pi**2 * BOHR_RADIUS)
"""(f_e s²)/(Z - f_x) in 1/Å."""

_FILES = {
    "lobato": "lobato",
    "kirkland": "kirkland",
    "peng": "peng_high",
    "peng_low": "peng_low",
    "peng_high": "peng_high",
}
_XRAY = ("doyle_turner", "xray")
_PENG_LOW_REACH = 4.0


def tables() -> tuple[str, ...]:
    """Names that `electron_factor` takes as `table`."""
    return (*_FILES, *_XRAY)


@functools.cache
def _coefficients(file: str) -> dict[str, list[list[float]]]:
    where = importlib.resources.files("jaxscatter.cbed") / "tables" / f"{file}.json"
    return json.loads(where.read_text("utf-8"))


@functools.cache
def elements() -> tuple[str, ...]:
    """Symbols from H to Lr in the order of their atomic numbers."""
    return tuple(_coefficients("lobato"))


def atomic_number(symbol: str) -> int:
    """Z of an element.

    Raises:
        KeyError: no such element up to Lr.
    """
    if symbol not in elements():
        raise KeyError(f"element is {symbol!r}; expected a symbol from H to Lr")
    return elements().index(symbol) + 1


@functools.cache
def _cromer_mann(symbol: str) -> tuple[list[float], list[float], float]:
    """(a, b, c) of f_x of a neutral atom."""
    if symbol[-1:] in "+-":
        raise ModelError(
            f"element is {symbol!r}; expected a neutral atom: the electron factor of "
            "an ion diverges at g = 0"
        )
    if symbol not in elements():
        raise KeyError(f"table 'xray' has no element {symbol!r}")
    try:
        import gemmi
    except ImportError as error:
        raise ImportError(
            "the X-ray table needs gemmi: pip install jaxscatter[chem]"
        ) from error
    found = gemmi.Element(symbol).it92
    if found is None:
        raise KeyError(f"table 'xray' has no element {symbol!r}")
    return list(found.a), list(found.b), float(found.c)


def xray_factor(symbol: str, g: Floats) -> Float[Array, "..."]:
    """f_x = Σ a exp(-bs²) + c, with c such that f_x(0) = Z.

    The published c leaves up to a few hundredths of an electron between f_x(0) and
    Z, which Mott and Bethe's formula would divide by s²: it goes into c.
    """
    (g,) = common_float(g)
    a, b, _ = _cromer_mann(symbol)
    s2 = jnp.square(g) / 4
    return atomic_number(symbol) + sum(
        (u * jnp.expm1(-v * s2) for u, v in zip(a, b, strict=True)), jnp.zeros_like(g)
    )


def electron_factor(
    symbol: str, g: Floats, table: str = "lobato"
) -> Float[Array, "..."]:
    """f_e(g) in Å of a neutral atom, without Debye-Waller factor.

    Args:
        symbol: of the element.
        g: 1/d in 1/Å.
        table: one of `tables()`.

    Raises:
        KeyError: unknown table, or an element that is not in it.
        ModelError: an ion in the X-ray table, or g > 4 in "peng_low".
    """
    (g,) = common_float(g)
    g2 = jnp.square(g)
    if table in _XRAY:
        a, b, _ = _cromer_mann(symbol)
        s2 = g2 / 4
        terms = (u * v * expm1_over(-v * s2) for u, v in zip(a, b, strict=True))
        return MOTT_BETHE * sum(terms, jnp.zeros_like(g))
    if table not in _FILES:
        raise KeyError(
            f"table {table!r} of element {symbol!r} is unknown; expected one of "
            f"{list(tables())}"
        )
    known = _coefficients(_FILES[table])
    if symbol not in known:
        raise KeyError(f"table {table!r} has no element {symbol!r}")
    rows = list(zip(*known[symbol], strict=True))
    start = jnp.zeros_like(g)
    if table == "lobato":
        lobes = (a * (2 + b * g2) / jnp.square(1 + b * g2) for a, b in rows)
        return sum(lobes, start)
    if table == "kirkland":
        both = (a / (g2 + b) + c * jnp.exp(-d * g2) for a, b, c, d in rows)
        return sum(both, start)
    f = sum((a * jnp.exp(-b / 4 * g2) for a, b in rows), start)
    if _FILES[table] == "peng_high":
        return f
    reach = _PENG_LOW_REACH * (1 + 1e-9)
    if not isinstance(g, Tracer) and np.any(np.asarray(g) > reach):
        raise ModelError(
            f"g is {float(np.max(np.asarray(g)))} 1/Å; expected at most "
            f"{_PENG_LOW_REACH} with table {table!r}, or table 'peng'"
        )
    return jnp.where(g > reach, jnp.nan, f)
