"""XPCS problems: `problem`, `models`."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import as_float
from ..errors import DataError, ModelError, ParameterError
from ..numerics._checks import positive
from ..problem import (
    Amplitude,
    Dataset,
    Likelihood,
    Parameter,
    ParameterSet,
    Problem,
    StreamedDataset,
    prior,
)
from .correlation import integration_of
from .forward import XpcsModel
from .parameters import DEFAULTS, MODELS, merged, model_name, parameter_set, violations
from .scaling import ORDER, SCALINGS, fourier_parameters, held, resolved
from .transport import FLOORS, INTEGRATIONS, RATES, chosen

SMALLEST_GAP = 1e3
"""Å: a gap below it is taken to be in another unit, and said."""


def problem(
    data: Dataset | StreamedDataset,
    model: str = "laminar_flow",
    *,
    h: float = 2e6,
    convention: str = "pnas",
    rate: str = "power",
    floor: str = "plain",
    integration: str | None = None,
    scaling: str = "varpro",
    contrast: float | Sequence[float] | np.ndarray | None = None,
    offset: float | Sequence[float] | np.ndarray | None = None,
    values: Mapping[str, float] | None = None,
    bounds: Iterable[Mapping[str, Any]] = (),
    active: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    likelihood: Likelihood | None = None,
    chunk: int | None = None,
    precision: str = "double",
    allow_float32: bool = False,
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
        scaling: how contrast and offset are found: "varpro", "individual", "averaged",
            "auto", "constant", "constant_averaged", "fixed" or "fourier", see
            `jaxscatter.xpcs.scaling`.
        contrast: for scaling="fixed", one or one per angle.
        offset: the same.
        values: start values; without any they come from `scanned_start`.
        bounds: see `parameter_set`; entries named contrast and offset bound these.
        active: parameters to vary; default all but the fixed ones.
        fixed: values that are held.
        likelihood: `Gaussian()` noise options and robust losses, or `Poisson()`.
        chunk: points per angle held at a time; None means what suits the model.
        precision: "mixed" stores data and computes c2 in single precision, for fits.
        allow_float32: go on although JAX runs in single precision throughout.

    Raises:
        ModelError, DataError, ParameterError: what does not exist or fit, by name; a
            start value that is impossible.
    """
    name = model_name(model)
    if not (jax.config.read("jax_enable_x64") or allow_float32):
        raise ModelError(
            "JAX runs in single precision (JAXSCATTER_X64=0), which rounds the sums of "
            "a fit; use double precision, or allow_float32=True"
        )
    for option, value, known in (
        ("rate", rate, RATES),
        ("floor", floor, FLOORS),
        ("scaling", scaling, SCALINGS),
    ):
        chosen(option, value, known)
    rule = integration_of(convention, integration)
    chosen("integration", rule, INTEGRATIONS)
    if not isinstance(data, Dataset | StreamedDataset):
        raise DataError(f"data is {data!r}; expected what js.xpcs.load returns")
    for coordinate in ("early", "late", "phi", "q", "t", "dt"):
        if coordinate not in dict(data.dims):
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
    amplitudes = _amplitudes(bounds)
    built = XpcsModel(
        parameters=table,
        amplitudes=amplitudes,
        t=as_float(data.coords["t"]),
        dt=as_float(data.coords["dt"]),
        h=as_float(h),
        flow=name == "laminar_flow",
        convention=convention,
        rate=rate,
        floor=floor,
        integration=rule,
    )
    said = [*data.metadata.get("warnings", ()), *(v.message for v in notes)]
    if name == "laminar_flow" and float(h) < SMALLEST_GAP:
        said.append(
            f"the gap h is {h:g} Å, thinner than any shear cell; is it in Å? "
            "(200 µm is 2e6 Å)"
        )
    mode = resolved(scaling, data.n_groups)
    if mode != scaling and scaling == "fourier":
        said.append(
            f"scaling='fourier' needs more than {2 * (ORDER + 1)} angles; with "
            f"{data.n_groups} it is 'individual'"
        )
    options: dict[str, Any] = {"chunk": chunk, "precision": precision}
    out = Problem(built, data, likelihood=likelihood, warnings=tuple(said), **options)
    if values is None:
        out = out.with_(parameters=scanned_start(out))
    given = {"contrast": contrast, "offset": offset}
    if mode in ("constant", "constant_averaged", "fixed") or any(
        v is not None for v in given.values()
    ):
        limits = {a.name: (a.lower, a.upper) for a in amplitudes}
        return out.with_(explicit=_held(held(mode, data, limits, given), amplitudes))
    if mode == "averaged":
        shared = tuple(dataclasses.replace(a, shared=True) for a in amplitudes)
        return out.with_(model=eqx.tree_at(lambda m: m.amplitudes, built, shared))
    if mode == "individual":
        return out.with_(explicit=_as_parameters(out))
    return _with_series(out, built) if mode == "fourier" else out


def scanned_start(problem: Problem, n: int = 12) -> dict[str, float]:
    """Start values of D0, γ̇0 and phi0 by a scan of the cost over their bounds.

    D0 and γ̇0 take `n` values each, evenly in their logarithms, and phi0 five; contrast
    and offset are solved for at each, and the other parameters stay at their starts. A
    thousand points of each angle are enough to choose.
    """
    problem = problem.on_pilot()
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


def _held(
    values: dict[str, np.ndarray], amplitudes: Sequence[Amplitude]
) -> dict[str, Parameter]:
    """Contrast and offset of every angle as parameters that are not varied."""
    return {
        a.name: Parameter(
            a.name,
            values[a.name],
            bounds=(a.lower, a.upper),
            fixed=True,
            local=True,
            doc=DEFAULTS[a.name].doc,
        )
        for a in amplitudes
    }


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


def _with_series(out: Problem, built: XpcsModel) -> Problem:
    """The problem with contrast and offset as Fourier series over the angles."""
    solved = np.asarray(out.amplitudes(out.start()))
    named = {a.name: solved[:, i] for i, a in enumerate(out.linear)}
    series = fourier_parameters(np.asarray(out.data.coords["phi"]), named)
    table = ParameterSet(
        [*(out.parameters[n] for n in built.parameters.names), *series]
    )
    new = eqx.tree_at(lambda m: m.parameters, built, table)
    new = dataclasses.replace(new, fourier=True)
    return out.with_(model=new, parameters=table, explicit=True)


def _amplitudes(bounds: Sequence[Mapping[str, Any]]) -> tuple[Amplitude, ...]:
    """Contrast and offset of every angle within their bounds."""
    given = {e.get("name"): e for e in bounds}
    ranges = {n: merged(n, given.get(n, {})) for n in ("contrast", "offset")}
    return tuple(
        Amplitude(n, lower=r.lo, upper=r.hi, prior=(r.mean, r.sd))
        for n, r in ranges.items()
    )
