"""XPCS problems: `problem`, `models`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import as_float
from ..errors import DataError, ParameterError
from ..numerics._checks import positive
from ..problem import (
    Amplitude,
    Dataset,
    Gaussian,
    Parameter,
    ParameterSet,
    Problem,
    prior,
)
from .correlation import integration_of
from .forward import XpcsModel
from .parameters import DEFAULTS, MODELS, merged, model_name, parameter_set, violations
from .transport import FLOORS, INTEGRATIONS, RATES, chosen

SCALINGS = ("varpro", "individual")


def problem(
    data: Dataset,
    model: str = "laminar_flow",
    *,
    h: float = 2e6,
    convention: str = "pnas",
    rate: str = "power",
    floor: str = "plain",
    integration: str | None = None,
    scaling: str = "varpro",
    values: Mapping[str, float] | None = None,
    bounds: Iterable[Mapping[str, Any]] = (),
    active: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    likelihood: Gaussian | None = None,
    chunk: int | None = None,
) -> Problem:
    """An XPCS problem: contrast and offset per angle, physics shared by all angles.

    Args:
        data: from `load` or `from_matrices`.
        model: "laminar_flow" or "static_isotropic".
        h: gap of the shear cell in Å.
        convention: "pnas" (the published equation), "homodyne_v2", "homodyne_v1".
        rate: "power" (J = D0 t^α + D_offset) or "offset" (J = D0 + D_offset t^α).
        floor: of the rates, "plain" or "smooth".
        integration: "trapezoid", "analytic", "rectangle"; default by convention.
        scaling: "varpro" solves for contrast and offset at every step; "individual"
            makes them parameters like the others.
        values: start values; without any they come from `scanned_start`.
        bounds: see `parameter_set`; entries named contrast and offset bound these.
        active: parameters to vary; default all but the fixed ones.
        fixed: values that are held.
        likelihood: `Gaussian()` noise options.
        chunk: points per angle held at a time; None means all.

    Raises:
        ModelError, DataError, ParameterError: what does not exist or fit, by name; a
            start value that is impossible.
    """
    name = model_name(model)
    for option, value, known in (
        ("rate", rate, RATES),
        ("floor", floor, FLOORS),
        ("scaling", scaling, SCALINGS),
    ):
        chosen(option, value, known)
    rule = integration_of(convention, integration)
    chosen("integration", rule, INTEGRATIONS)
    for coordinate in ("early", "late", "phi", "q", "t", "dt"):
        if coordinate not in data.coords:
            raise DataError(
                f"the data have no coordinate {coordinate!r}; use js.xpcs.load"
            )
    positive("h", h)
    bounds = list(bounds)
    table = parameter_set(name, values, bounds, active, fixed)
    wrong = violations({p.name: float(p.value) for p in table}, "error")
    if wrong:
        raise ParameterError("; ".join(v.message for v in wrong))
    notes = violations({p.name: float(p.value) for p in table if p.fixed}, "warning")
    built = XpcsModel(
        parameters=table,
        amplitudes=_amplitudes(bounds),
        t=as_float(data.coords["t"]),
        dt=as_float(data.coords["dt"]),
        h=as_float(h),
        flow=name == "laminar_flow",
        convention=convention,
        rate=rate,
        floor=floor,
        integration=rule,
    )
    said = (*data.metadata.get("warnings", ()), *(v.message for v in notes))
    out = Problem(built, data, likelihood=likelihood, chunk=chunk, warnings=said)
    if values is None:
        out = out.with_(parameters=scanned_start(out))
    if scaling == "individual":
        return out.with_(explicit=_as_parameters(out))
    return out


def scanned_start(problem: Problem, n: int = 12) -> dict[str, float]:
    """Start values of D0, γ̇0 and phi0 by a scan of the cost over their bounds.

    D0 and γ̇0 take `n` values each, evenly in their logarithms, and phi0 five; contrast
    and offset are solved for at each, and the other parameters stay at their starts.
    """
    axes, names = [], []
    for p in problem.parameters.free:
        lo, hi = (float(b) for b in p.bounds)
        if p.name in ("D0", "gamma_dot_t0"):
            axes.append(np.geomspace(lo, hi, n + 2)[1:-1] if lo > 0 else None)
        elif p.name == "phi0":
            axes.append(np.linspace(lo, hi, 7)[1:-1])
        else:
            continue
        names.append(p.name)
    names = [k for k, a in zip(names, axes, strict=True) if a is not None]
    if not names:
        return {}
    mesh = np.meshgrid(*(a for a in axes if a is not None), indexing="ij")
    points = np.broadcast_to(problem.start(), (mesh[0].size, problem.n_parameters))
    points = np.array(points)
    where = [problem.parameters.labels.index(k) for k in names]
    points[:, where] = np.stack([m.ravel() for m in mesh], axis=1)
    costs = np.asarray(_costs(problem, jnp.asarray(points)))
    best = points[np.nanargmin(np.where(np.isfinite(costs), costs, np.inf)), where]
    return dict(zip(names, best.tolist(), strict=True))


@eqx.filter_jit
def _costs(problem: Problem, x: Any) -> Any:
    return jax.lax.map(problem.cost, x)


def models() -> dict[str, ParameterSet]:
    """The models with their parameter tables."""
    return {name: parameter_set(name) for name in MODELS}


def _as_parameters(out: Problem) -> dict[str, Parameter]:
    """Contrast and offset of every angle as parameters, from their best values."""
    solved = np.asarray(out.amplitudes(out.start()))
    table = {}
    for i, a in enumerate(out.linear):
        r = DEFAULTS[a.name]
        inside = np.clip(solved[:, i], a.lower + 1e-3, a.upper - 1e-3)
        table[a.name] = Parameter(
            a.name,
            inside,
            bounds=(a.lower, a.upper),
            prior=prior.named("truncated_normal", r.mean, r.sd, a.lower, a.upper),
            local=True,
            doc=r.doc,
        )
    return table


def _amplitudes(bounds: Sequence[Mapping[str, Any]]) -> tuple[Amplitude, ...]:
    """Contrast and offset of every angle within their bounds."""
    given = {e.get("name"): e for e in bounds}
    ranges = {n: merged(n, given.get(n, {})) for n in ("contrast", "offset")}
    return tuple(Amplitude(n, lower=r.lo, upper=r.hi) for n, r in ranges.items())
