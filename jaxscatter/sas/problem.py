"""Problems of small-angle scattering: a curve or an image, a model, and what is free.

Units: as in the models' tables.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, ModelError, ParameterError
from ..problem import Dataset, Likelihood, Parameter, ParameterSet, Problem, prior
from . import arguments
from .algebra import Component, Product, forms
from .curve import LINEAR, CurveModel, amplitudes_of, sampled
from .declaration import Quantity

WIDEST = 0.5
"""Upper bound of a relative width p_pd, unless it starts above."""
BEYOND = 3.0
"""A size without upper bound is expected to stay below this many times its start."""
DEGENERATE = ("scale", "volfraction", "sld", "sld_solvent")


def problem(
    data: Dataset,
    model: Any,
    *,
    free: Sequence[str] | None = None,
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
    priors: Mapping[str, Any] | None = None,
    ties: Mapping[str, Any] | None = None,
    likelihood: Likelihood | None = None,
    n_quad: int | None = None,
    chunk: int | None = None,
    **parameters: Any,
) -> Problem:
    """A problem of one curve I(q), or of one image I(qx, qy).

    The scale (>= 0) and the background are linear and, where they are free, solved for
    at every step; they need no start values.

    Args:
        data: from `load`, `from_arrays` or `simulate`.
        model: name or model object, as in `intensity`.
        free: names of the parameters to vary. By default sizes and background, with
            the scale, or in P@S the volume fraction; in a model without sizes all but
            scattering length densities. Names in `bounds` and `priors` are free too.
        bounds: (lo, hi) by name, inside the model's hard limits.
        priors: numpyro distributions by name. Without: log-normal about the start for
            sizes without upper bound, normal for scattering length densities, uniform
            between finite bounds.
        ties: name of another parameter, or a function of parameters, by name.
        likelihood: `Gaussian()` noise options and robust losses, or `Poisson()`.
        n_quad: orientation nodes, instead of those chosen from q and the bounds of the
            sizes.
        chunk: points of distributions held at a time.
        parameters: start and fixed values and options as in `intensity`:
            `radius=45, radius_pd=0.1, radius_pd_type="lognormal",
            structure_factor_mode=1`.

    Raises:
        ValueError: an unknown model, values outside limits, unusable bounds.
        TypeError: an unknown parameter.
    """
    if not isinstance(data, Dataset):
        raise DataError(f"data is {data!r}; expected what js.sas.load returns")
    image = "qx" in dict(data.dims)
    if not image and "q" not in dict(data.dims):
        raise DataError("the data have no coordinate 'q'; use js.sas.load")
    bounds, priors = dict(bounds or {}), dict(priors or {})
    ties = dict(ties or {})
    wide = _with_widths(parameters, [*bounds, *priors, *(free or ())])
    component, values, settings = arguments.read(model, wide, two_dimensional=image)
    rows = _rows(component, values, image, dict(settings.options))
    chosen = _chosen(component, rows, free, [*bounds, *priors], ties)
    for name in (*chosen, *bounds, *priors, *ties):
        if name not in rows:
            hint = arguments.nearest(name, rows)
            raise TypeError(f"{component.name!r} has no parameter {name!r}; {hint}")
    table = {
        name: _parameter(
            row,
            values[name],
            name in chosen,
            bounds.get(name),
            priors.get(name),
            ties.get(name),
        )
        for name, row in rows.items()
    }
    _check_ties(table)
    solved = tuple(
        n
        for n in LINEAR
        if n in chosen and n not in priors and n not in bounds and n not in ties
    )
    if likelihood is not None and likelihood.noise == "model":
        solved = ()
    kept = ParameterSet(p for n, p in table.items() if n not in solved)
    settings = type(settings)(settings.distributions, settings.options, (), chunk)
    reach: Any = ()
    if not image:
        largest = {n: _largest(table[n]) for n in rows}
        rules, reach = sampled(component, data, largest, settings, n_quad)
        settings = dataclasses.replace(settings, rules=rules)
    built = CurveModel(
        parameters=kept,
        amplitudes=amplitudes_of(solved),
        settings=settings,
        component=component,
        solved=solved,
        pattern=image,
        withheld=tuple(table[n] for n in solved),
        reach=reach,
    )
    return Problem(built, data, likelihood=likelihood, warnings=_warnings(table, data))


def _with_widths(parameters: dict[str, Any], named: list[str]) -> dict[str, Any]:
    """Parameters in which a width that is to vary exists, if only as a small one."""
    out = dict(parameters)
    for name in named:
        if name.endswith("_pd") and not np.any(np.asarray(out.get(name, 0.0), object)):
            out[name] = 0.05
    return out


def _rows(
    component: Component,
    values: Mapping[str, Any],
    image: bool,
    options: Mapping[str, int],
) -> dict[str, Quantity]:
    """Table of everything that can vary, widths included."""
    out = {}
    for row in arguments.table(component):
        if row.kind == "orientation" and not image:
            continue
        if row.name.endswith("radius_effective") and options.get(f"{row.name}_mode"):
            continue  # S is evaluated at the particles' own
        out[row.name] = row
        width = f"{row.name}_pd"
        if width in values:
            angle = row.kind == "orientation"
            top = 180.0 if angle else max(WIDEST, 2 * float(values[width]))
            out[width] = Quantity(
                width,
                0.0,
                "degrees" if angle else "",
                0.0,
                top,
                "width",
                f"width of the distribution of {row.name}",
            )
    return out


def _chosen(
    component: Component,
    rows: Mapping[str, Quantity],
    free: Sequence[str] | None,
    named: list[str],
    ties: Mapping[str, Any],
) -> set[str]:
    """Names of the parameters that vary."""
    if free is not None:
        return {*free, *named} - set(ties)
    sizes = {n for n, r in rows.items() if r.kind == "volume"}
    sizes -= {n for n in sizes if n.endswith("radius_effective")}
    out = {"background", *named}
    if sizes:
        out |= sizes
    else:
        out |= {n for n, r in rows.items() if r.kind == "" and n not in LINEAR}
    out.add("volfraction" if isinstance(component, Product) else "scale")
    if any(form.holds_scale for form in forms(component).values()):
        out.discard("scale")
    return out - set(ties)


def _parameter(
    row: Quantity,
    value: Any,
    free: bool,
    bounds: tuple[Any, Any] | None,
    given: Any,
    tie: Any,
) -> Parameter:
    lo, hi = row.lo, row.hi
    if bounds is not None:
        lo, hi = (float(b) for b in bounds)
        if lo < row.lo or hi > row.hi:
            raise ParameterError(
                f"bounds of {row.name!r} are ({lo}, {hi}) {row.unit}; the model's "
                f"limits are {row.lo} to {row.hi}"
            )
    value = float(np.asarray(value))
    return Parameter(
        row.name,
        value,
        unit=row.unit,
        bounds=(lo, hi),
        prior=_prior(row, value, lo, hi) if given is None and free else given,
        fixed=not free and tie is None,
        tie=tie,
        scale=_typical(value, lo, hi),
        doc=row.doc,
    )


def _typical(value: float, lo: float, hi: float) -> float:
    """Typical size for steps: the value, or the bounds where they are closer."""
    width = hi - lo if math.isfinite(hi - lo) else math.inf
    size = abs(value) if value else 1.0
    return min(size, width)


def _prior(row: Quantity, value: float, lo: float, hi: float) -> Any:
    """Default prior of a free parameter, None for uniform or flat ones."""
    if math.isfinite(lo) and math.isfinite(hi):
        return None
    if row.kind == "sld":
        return prior.named("normal", value, 2.0)
    if lo >= 0 and value > 0:
        if row.name.endswith("radius_effective"):
            return prior.named("truncated_normal", value, value, lo, 10 * value)
        return prior.named("log_normal", math.log(value), 1.0)
    return None


def _largest(p: Parameter) -> float:
    """Value the orientation rules must hold for."""
    hi = float(p.hi)
    if p.fixed:
        return float(p.value)
    return hi if math.isfinite(hi) else BEYOND * float(p.value)


def _check_ties(table: Mapping[str, Parameter]) -> None:
    """Refuse ties no fit could mean.

    Raises:
        ModelError: a tied radius_effective with a distribution of its own.
    """
    for name, p in table.items():
        if name.endswith("radius_effective") and p.tie and f"{name}_pd" in table:
            raise ModelError(
                f"{name} is tied to {p.tie!r}; it takes no {name}_pd of its own"
            )


def _warnings(table: Mapping[str, Parameter], data: Dataset) -> tuple[str, ...]:
    """Sentences every result repeats."""
    said = list(data.metadata.get("warnings", ()))
    together = [n for n in DEGENERATE if n in table and table[n].free]
    if len(together) > 1:
        said.append(
            f"{' and '.join(together)} are free together; they multiply the same curve "
            "and only the structure factor or a joint data set can tell them apart"
        )
    unit = data.unit("y")
    if unit not in ("1/cm", ""):
        said.append(
            f"the intensity is in {unit!r}, not 1/cm: scale and volume fraction are "
            "not absolute"
        )
    return tuple(said)
