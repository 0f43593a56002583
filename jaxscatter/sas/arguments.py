"""What users give by keyword, turned into parameter values and settings.

radius=50                    a parameter
radius_pd=0.1                width of its distribution, relative (degrees for angles)
radius_pd_n, radius_pd_nsigma, radius_pd_type      its grid and kind
radius_pd=(x, w), radius_pd_type="array"           points and weights of one's own
structure_factor_mode, radius_effective_mode       by number or by name
n=3                          a control parameter, where the model has one
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ..errors import DataError, ModelError, ParameterError
from . import average, dispersion, orientation
from .algebra import Component, Settings, forms, options
from .catalogue import control_names, load_model
from .declaration import AbstractForm, Quantity
from .dispersion import Distribution

SPELLINGS = {"coefficient_1": "coefficent_1"}
"""Names that SasView spells in its own way; both are taken."""
MOST = 10**8
"""Points of distributions and orientations that need no `chunk`."""
_GRID = ("_pd", "_pd_n", "_pd_nsigma", "_pd_type")
SCALE = Quantity("scale", 1.0, lo=0.0, doc="multiplies the model")


def background_of(model: Component) -> Quantity:
    """The row of the background, with the model's default."""
    return Quantity("background", model.background, "1/cm", doc="added to the model")


def table(model: Component) -> tuple[Quantity, ...]:
    """Scale, background and the model's own parameters."""
    return (SCALE, background_of(model), *model.quantities)


def traced(*values: Any) -> bool:
    """Whether any value has no number yet."""
    return any(isinstance(v, Tracer) for v in jax.tree.leaves(values))


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message: the known name nearest to a wrong one."""
    near = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"did you mean {near[0]!r}?" if near else f"there are {sorted(known)}"


def spelt(name: str) -> str:
    """A parameter's name in SasView's spelling."""
    for usual, theirs in SPELLINGS.items():
        if name.endswith(usual):
            return name.removesuffix(usual) + theirs
    return name


def read(
    model: Any, given: Mapping[str, Any], two_dimensional: bool = False
) -> tuple[Component, dict[str, Any], Settings]:
    """Model, values of all parameters and settings without rules.

    Raises:
        TypeError: an unknown parameter, or one without effect.
        ValueError: a value outside its limits, an unknown option or distribution.
    """
    wanted = {spelt(name): value for name, value in given.items()}
    controls = {k: wanted.pop(k) for k in control_names(model) if k in wanted}
    model = load_model(model, **controls)
    rows = {row.name: row for row in table(model)}
    chosen = {}
    for name, (default, names) in options(model).items():
        chosen[name] = _option(name, wanted.pop(name, default), names)
    for name in list(wanted):
        if name in RESERVED_OPTIONS and name not in chosen:
            raise TypeError(_no_option(model, name))
    for name, number in chosen.items():
        prefix = name.removesuffix("structure_factor_mode")
        if prefix != name and number == 2:
            if not chosen.get(f"{prefix}radius_effective_mode"):
                raise ModelError(
                    f"{name}={number} needs each size's own radius; choose a "
                    f"{prefix}radius_effective_mode above 0"
                )
    values = {name: wanted.pop(name, row.value) for name, row in rows.items()}
    distributions = {}
    for name, row in rows.items():
        asked = {end: wanted.pop(name + end) for end in _GRID if name + end in wanted}
        if not asked:
            continue
        may = row.kind in ("volume", "orientation") or name.endswith("radius_effective")
        if not may:
            raise TypeError(f"{name!r} is no size or angle; it takes no {name}_pd")
        width = asked.get("_pd", 0.0)
        distribution, width = distribution_of(name, row, asked, width)
        if traced(width) or np.any(np.asarray(width) != 0.0):
            distributions[name] = distribution
            values[f"{name}_pd"] = width
    if wanted:
        name = sorted(wanted)[0]
        known = {*rows, *chosen, *control_names(model)}
        known |= {r + "_pd" for r, row in rows.items() if row.kind == "volume"}
        raise TypeError(
            f"{model.name!r} has no parameter {name!r}; {nearest(name, known)}"
        )
    check(rows, values)
    if not two_dimensional:
        turned = [
            n
            for n, row in rows.items()
            if row.kind == "orientation" and (n in given or f"{n}_pd" in given)
        ]
        if turned:
            raise TypeError(
                f"{turned[0]!r} is an orientation; I(q) is averaged over all of them. "
                "Use js.sas.pattern for oriented samples"
            )
        distributions = {
            k: d for k, d in distributions.items() if rows[k].kind != "orientation"
        }
    return model, values, Settings(distributions, tuple(sorted(chosen.items())))


RESERVED_OPTIONS = ("structure_factor_mode", "radius_effective_mode")


def _no_option(model: Component, name: str) -> str:
    if name == "structure_factor_mode":
        return (
            f"{model.name!r} has no {name}: it is no P@S, or its P has no <F> of "
            "which beta(q) could be made"
        )
    return f"{model.name!r} has no {name}: it is no P@S, or its P lists no radii"


def _option(name: str, value: Any, names: tuple[str, ...]) -> int:
    if isinstance(value, str):
        if value not in names:
            raise ModelError(
                f"{name} is {value!r}; expected one of {list(names)} or its number"
            )
        return names.index(value)
    number = int(value)
    if number != value or not 0 <= number < len(names):
        listed = {i: n for i, n in enumerate(names)}
        raise ModelError(f"{name} is {value}; expected one of {listed}")
    return number


def distribution_of(
    name: str, row: Quantity, asked: Mapping[str, Any], width: Any
) -> tuple[Distribution, Any]:
    """Distribution and width of one parameter from its four keywords."""
    kind = asked.get("_pd_type")
    x = w = None
    if kind == "array":
        try:
            x, w = width
        except (TypeError, ValueError):
            raise ModelError(
                f"{name}_pd_type is 'array'; expected {name}_pd=(points, weights)"
            ) from None
        x, w = np.asarray(x, float), np.asarray(w, float)
        if x.ndim != 1 or not np.all(np.isfinite(x)) or not np.all(w >= 0):
            raise ModelError(
                f"{name}_pd of type 'array' holds shapes {x.shape} and {w.shape}; "
                "expected finite points and weights >= 0 of equal length"
            )
        width = 1.0
    elif not traced(width) and (np.ndim(width) or not float(width) >= 0):
        raise ParameterError(f"{name}_pd is {width}; expected a width >= 0")
    return (
        dispersion.chosen(
            kind,
            asked.get("_pd_n"),
            asked.get("_pd_nsigma"),
            row.kind != "orientation",
            x,
            w,
        ),
        width,
    )


def check(rows: Mapping[str, Quantity], values: Mapping[str, Any]) -> None:
    """Refuse values outside the hard limits, as far as they are numbers.

    Raises:
        ParameterError: with name, value and limits.
    """
    for name, row in rows.items():
        value = values[name]
        if traced(value):
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ParameterError(f"{name} is {value!r}; expected one number") from None
        if math.isnan(number) or not row.lo <= number <= row.hi:
            raise ParameterError(
                f"{name} is {number} {row.unit}".rstrip()
                + f"; expected {row.lo} to {row.hi}"
            )


def checked_q(model: Component, q: Any) -> np.ndarray:
    """Q as a float array (n,) that the model takes.

    Raises:
        DataError: negative or not finite, or 0 where the model has no limit.
    """
    q = np.atleast_1d(np.asarray(q, float))
    if q.ndim != 1 or q.size == 0:
        raise DataError(f"q has shape {q.shape}; expected (n,) in 1/Å")
    if not np.all(np.isfinite(q)) or np.any(q < 0):
        bad = q[~np.isfinite(q) | (q < 0)][0]
        raise DataError(f"q holds {bad}; expected finite values >= 0 in 1/Å")
    without = [f.name for f in forms(model).values() if not f.zero_q]
    if without and np.any(q == 0):
        raise DataError(f"q holds 0, where {without[0]!r} has no finite value")
    return q


def rules_for(
    model: Component,
    q: np.ndarray,
    values: Mapping[str, Any],
    distributions: Mapping[str, Distribution],
    n_quad: int | None = None,
    chunk: int | None = None,
) -> tuple[tuple[str, orientation.Rule], ...]:
    """Orientation rules fine enough for ascending |q| and these sizes.

    `values` must be numbers; tails of distributions are counted in.
    """
    out = []
    for prefix, form in forms(model).items():
        extent, cross = 0.0, 0.0
        if n_quad is None:
            extent, cross = extents(form, values, distributions, prefix)
        rule = orientation.bands(q, extent, cross, n_quad)
        if chunk is None:
            _check_size(form, distributions, prefix, rule)
        out.append((prefix, rule))
    return tuple(out)


def _check_size(
    form: AbstractForm,
    distributions: Mapping[str, Distribution],
    prefix: str,
    rule: orientation.Rule,
) -> None:
    """Refuse what would take hours without anyone having asked for it.

    Raises:
        DataError: more than `MOST` points of distributions and orientations.
    """
    own = {
        name.removeprefix(prefix): d
        for name, d in distributions.items()
        if name.startswith(prefix)
    }
    points = average.evaluations(form, own, rule[-1])
    if points > MOST:
        raise DataError(
            f"{form.name} would be evaluated at {points:.2g} points of distributions "
            f"and orientations for each q, more than {MOST:.0e}; use fewer points, or "
            "give chunk= to do it all the same"
        )


def extents(
    form: AbstractForm,
    values: Mapping[str, Any],
    distributions: Mapping[str, Distribution],
    prefix: str = "",
) -> tuple[float, float]:
    """Largest half dimension in Å, and that across the axis, tails included."""
    largest: dict[str, Any] = {}
    for row in form.quantities:
        name = prefix + row.name
        value = float(values.get(name, row.value))
        if row.kind == "volume" and name in distributions:
            d = distributions[name]
            if d.kind == "array":
                value = float(np.max(np.asarray(d.x)))
            else:
                spread = max(1.0, d.nsigmas) * float(values.get(f"{name}_pd", 0.0))
                value = min(value * (1 + spread), row.hi)
        largest[row.name] = jnp.asarray(value, float)
    p = form.namespace(largest)
    extent = float(form.extent(p))
    across = getattr(form, "cross_extent", form.extent)
    return extent, float(across(p))
