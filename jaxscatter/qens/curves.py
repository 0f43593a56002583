"""The second step of the classic analysis: Γ(Q) or EISF(Q) against a model.

A table of half widths or of elastic intensities, one row per Q, becomes a `Problem`, so
every verb works on it. Fits of the spectra themselves use all the information in them
and know their errors; these are for published tables and for a look.

Units: q in 1/Å, widths (HWHM) in meV.

References:
    [1] M. Bée, Quasielastic Neutron Scattering, Adam Hilger (1988).
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import DataError, ModelError
from ..problem import (
    AbstractModel,
    Amplitude,
    Dataset,
    Parameter,
    ParameterSet,
    Problem,
)
from ..problem.static import PureFunction
from . import eisf as factors
from .catalogue import get_model
from .forward_model import ForwardModel, Numbers

Curve = Callable[[Array, Mapping[str, Any]], Array]

_RADIUS = (0.1, 20.0, 2.0, "Å")

EISF: dict[str, tuple[Curve, dict[str, tuple[float, float, float, str]], str]] = {
    "isotropic": (
        lambda q, p: factors.eisf_isotropic(q, p["radius"]),
        {"radius": _RADIUS},
        "rotation on a sphere",
    ),
    "two_sites": (
        lambda q, p: factors.eisf_n_sites(q, p["radius"], 2),
        {"radius": _RADIUS},
        "jumps between two sites, 2R apart",
    ),
    "three_sites": (
        lambda q, p: factors.eisf_n_sites(q, p["radius"], 3),
        {"radius": _RADIUS},
        "jumps among three sites of a circle, as in CH₃",
    ),
    "six_sites": (
        lambda q, p: factors.eisf_n_sites(q, p["radius"], 6),
        {"radius": _RADIUS},
        "jumps among six sites of a circle, as in benzene",
    ),
    "sphere": (
        lambda q, p: factors.eisf_sphere(q, p["radius"]),
        {"radius": _RADIUS},
        "diffusion inside a sphere",
    ),
    "alkyl_spheres": (
        lambda q, p: factors.eisf_alkyl_spheres(
            q, p["radius_min"], p["radius_max"], 10
        ),
        {"radius_min": (0.05, 10.0, 0.5, "Å"), "radius_max": (0.1, 20.0, 4.0, "Å")},
        "ten units of a chain in spheres of growing radius",
    ),
    "gaussian_well": (
        lambda q, p: factors.eisf_well(q, p["u2_well"]),
        {"u2_well": (1e-3, 10.0, 0.5, "Å²")},
        "diffusion in a harmonic well",
    ),
}


class CurveModel(AbstractModel):
    """A curve of Q without amplitudes: one group, one point per Q."""

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    curve: PureFunction = eqx.field(static=True)
    called: str = eqx.field(static=True)

    @property
    def name(self) -> str:
        """Name of the curve."""
        return self.called

    def columns(
        self, prepared: Any, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, "n 1"]:
        """The curve itself, in the unit of the data."""
        del prepared
        return self.curve(coords["q"], theta)[:, None]


def hwhm_problem(
    q: Numbers,
    hwhm: Numbers,
    error: Numbers,
    model: str | ForwardModel = "fickian",
    parameters: Any = None,
) -> Problem:
    """Half widths Γ(Q) of a translation: fickian, jump, chudley_elliott, hall_ross.

    Args:
        q: momentum transfers.
        hwhm: half widths at half maximum, such as `extract_hwhm` returns.
        error: their standard deviations; rows that are not finite, or whose error is
            not positive, are left out.
        model: a model of one line.
        parameters: changes to the table, as for `problem`.

    Raises:
        DataError: columns of different length, or fewer than two usable rows.
        ModelError: a model of more than one line.
    """
    forward = get_model(model) if isinstance(model, str) else model
    if forward.components is None or forward.continuum is not None:
        raise ModelError(f"{forward.name!r} is no sum of Lorentzians; it has no width")
    if not forward.param_names:
        raise ModelError(f"{forward.name!r} has no parameters; there is nothing to fit")
    components, settings = forward.components, dict(forward.extras or {})
    theta = {p.name: jnp.asarray(p.value) for p in forward.parameters()}
    lines = jax.eval_shape(
        lambda q: components(q, theta, **settings)[1], jnp.asarray(1.0)
    ).shape[0]
    if lines != 1:
        raise ModelError(
            f"{forward.name!r} has {lines} lines; expected a model of one, such as "
            "'fickian', 'jump', 'chudley_elliott' or 'hall_ross'"
        )

    def width(q: Array, theta: Mapping[str, Any]) -> Array:
        return jax.vmap(lambda one: components(one, theta, **settings)[1][0])(q)

    table = forward.parameters()
    return _problem(q, hwhm, error, width, table, forward.name, "meV", parameters)


def eisf_problem(
    q: Numbers,
    eisf: Numbers,
    error: Numbers,
    model: str = "isotropic",
    *,
    immobile: bool = False,
    parameters: Any = None,
) -> Problem:
    """Elastic incoherent structure factors A₀(Q), or p + (1 - p) A₀(Q).

    Args:
        q: momentum transfers.
        eisf: elastic fractions of the area, such as `extract_hwhm` returns.
        error: their standard deviations, as for `hwhm_problem`.
        model: one of `EISF`.
        immobile: whether a part p of the scatterers is at rest.
        parameters: changes to the table, as for `problem`.

    Raises:
        KeyError: a model that does not exist.
        DataError: as `hwhm_problem`.
    """
    if model not in EISF:
        near = difflib.get_close_matches(model, EISF, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(
            f"EISF model {model!r} is not known; there are {list(EISF)}{hint}"
        )
    curve, rows, doc = EISF[model]
    table = [Parameter(n, s, u, (lo, hi)) for n, (lo, hi, s, u) in rows.items()]
    if immobile:
        table.append(
            Parameter("p", 0.2, "", (0.0, 1.0), doc="part of the scatterers at rest")
        )

    def shown(q: Array, theta: Mapping[str, Any]) -> Array:
        moving = curve(q, theta)
        return factors.immobile(theta["p"], moving) if immobile else moving

    name = f"{model}: {doc}"
    return _problem(q, eisf, error, shown, ParameterSet(table), name, "", parameters)


def _problem(
    q: Numbers,
    y: Numbers,
    error: Numbers,
    curve: Curve,
    table: ParameterSet,
    name: str,
    unit: str,
    parameters: Any,
) -> Problem:
    columns = [np.asarray(c, dtype=float) for c in (q, y, error)]
    shapes = [c.shape for c in columns]
    if len(set(shapes)) != 1 or columns[0].ndim != 1:
        raise DataError(
            f"q, values and errors have shapes {shapes}; expected three columns of one "
            "length"
        )
    x, values, sigma = columns
    used = np.isfinite(x) & np.isfinite(values) & np.isfinite(sigma) & (sigma > 0)
    used &= x >= 0
    if used.sum() < 2:
        raise DataError(
            f"{used.sum()} of {x.size} rows can be used (finite, q >= 0, error > 0); "
            "expected at least 2"
        )
    left_out = int(x.size - used.sum())
    said = (f"{left_out} of {x.size} rows were left out",) if left_out else ()
    data = Dataset(
        values[used][None],
        sigma[used][None],
        None,
        {"q": x[used]},
        {"q": ("point",)},
        {"q": "1/Å", "y": unit},
        {"technique": "qens", "x": "q", "y_label": "HWHM" if unit else "EISF"},
    )
    model = CurveModel(table, (), PureFunction(curve), name)
    return Problem(model, data, parameters, warnings=said)
