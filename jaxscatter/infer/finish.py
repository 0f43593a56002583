"""From an end point to a `FitResult`: covariance, amplitudes, statistics, warnings."""

import warnings as python_warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..errors import FitWarning
from ..numerics import small
from ..problem import Problem
from ..problem import amplitudes as amp
from . import trust_region as tr
from .provenance import provenance
from .providers import Objective
from .result import FitResult, Table
from .statistics import Curvature, curvature, goodness, null_sentence

COVARIANCE_LIMIT = 400
"""Largest number of amplitudes whose full covariance is stored."""


@eqx.filter_jit
def _end(objective: Objective, x: jax.Array) -> Any:
    """Everything about the end point that needs the data, in one compilation."""
    problem = objective.problem
    triple, solution, n, groups = problem.end(x)
    h, _, c = objective.augmented(triple, x)
    blocks = amp.covariance(problem.linear, solution)
    s, el = amp.split(problem.linear)
    n_s, n_l = jnp.sum(n[:, s], axis=0), n[:, el]
    response = amp.solve_arrow(solution.reduced, solution.schur, n_s, n_l)
    return {
        "h": h,
        "cost": c,
        "null": triple.null,
        "solution": solution,
        "blocks": blocks,
        "response": response,
        "fit": problem.predict(x) if problem.pointwise else None,
        "groups": groups,
        "chi2": jnp.sum(groups),
    }


def amplitude_labels(problem: Problem) -> list[tuple[str, str]]:
    """(label, unit) of every distinct amplitude, shared ones first."""
    out = [(a.name, a.unit) for a in problem.linear if a.shared]
    groups = problem.data.n_groups
    local = [a for a in problem.linear if not a.shared]
    if groups == 1:
        return out + [(a.name, a.unit) for a in local]
    return out + [(f"{a.name}[{g}]", a.unit) for g in range(groups) for a in local]


def data_record(problem: Problem, fit: Any) -> dict[str, Any]:
    """Dataset with its fitted curve, as results keep and plot it."""
    data = problem.given
    if not problem.pointwise:
        return {"sha256": {}, "shape": (data.n_groups, problem.n_points)}
    return {
        "y": np.asarray(data.y),
        "sigma": np.asarray(data.sigma),
        "mask": np.asarray(data.mask) > 0,
        "fit": np.asarray(fit),
        "coords": {k: np.asarray(v) for k, v in data.coords.items()},
        "dims": dict(data.dims),
        "units": dict(data.units),
        "metadata": dict(data.metadata),
    }


def parameter_table(
    problem: Problem, x: np.ndarray, curved: Curvature, at_bound: np.ndarray
) -> Table:
    """Rows for all parameters; errors of tied ones by gradᵀ C grad."""
    theta = problem.named(x)
    slopes = {}
    tied = [p.name for p in problem.parameters if p.tie is not None]
    if tied:
        jacobian = jax.jacfwd(lambda x: {n: problem.named(x)[n] for n in tied})
        slopes = jacobian(jnp.asarray(x))
    rows: dict[str, list] = {
        k: []
        for k in (
            "name",
            "unit",
            "value",
            "stderr",
            "lo",
            "hi",
            "free",
            "at_bound",
            "tie",
        )
    }
    slices = problem.parameters.slices()
    for p in problem.parameters:
        values = np.atleast_1d(np.asarray(theta[p.name]))
        wide = values.shape
        lo, hi = (np.broadcast_to(np.asarray(b), wide) for b in p.bounds)
        error, bound = np.zeros(wide), np.zeros(wide, bool)
        if p.free:
            error, bound = curved.stderr[slices[p.name]], at_bound[slices[p.name]]
        elif p.tie is not None:
            slope = np.asarray(slopes[p.name]).reshape(len(values), -1)
            error = np.array([curved.error(row) for row in slope])
        local = np.ndim(theta[p.name]) > 0
        for k, value in enumerate(values):
            rows["name"].append(f"{p.name}[{k}]" if local else p.name)
            rows["unit"].append(p.unit)
            rows["value"].append(float(value))
            rows["stderr"].append(float(error[k]))
            rows["lo"].append(float(lo[k]))
            rows["hi"].append(float(hi[k]))
            rows["free"].append(p.free)
            rows["at_bound"].append(bool(bound[k]))
            tie = p.tie if isinstance(p.tie, str) else "a function" if p.tie else ""
            rows["tie"].append(tie)
    return {k: np.array(v) for k, v in rows.items()}


def amplitude_table(
    problem: Problem, end: dict, cov: np.ndarray, factor: float
) -> tuple[Table, np.ndarray]:
    """Amplitudes with errors from the joint covariance G⁻¹ + G⁻¹N C NᵀG⁻¹."""
    solution, (c_ss, c_ll, c_sl) = end["solution"], end["blocks"]
    r_s, r_l = (np.asarray(r) for r in end["response"])
    groups, n_local = np.shape(solution.local)
    n_shared = np.shape(solution.shared)[0]
    total = n_shared + groups * n_local
    response = np.concatenate([r_s, r_l.reshape(groups * n_local, len(cov))])
    values = np.concatenate(
        [np.asarray(solution.shared), np.asarray(solution.local).ravel()]
    )
    free = np.concatenate(
        [np.asarray(solution.free_shared), np.asarray(solution.free_local).ravel()]
    )
    local_var = np.diagonal(np.asarray(c_ll), axis1=1, axis2=2).ravel()
    own = np.concatenate([np.diagonal(np.asarray(c_ss)), local_var])
    passed = np.einsum("ip,pq,iq->i", response, cov / factor, response)
    stderr = np.sqrt(np.maximum(own + passed, 0.0) * factor)
    labels = amplitude_labels(problem)
    table = {
        "label": np.array([name for name, _ in labels]),
        "unit": np.array([unit for _, unit in labels]),
        "value": values,
        "stderr": np.where(free > 0, stderr, np.nan),
        "at_bound": free == 0,
    }
    if total > COVARIANCE_LIMIT:
        return table, np.zeros((0, 0))
    full = np.zeros((total, total))
    if total:
        # local blocks of different groups correlate through the shared ones
        arr = solution.reduced
        border = np.swapaxes(np.asarray(arr.sl), 1, 2)
        x = np.asarray(small.solve(arr.ll, jnp.asarray(border)))
        x = x.reshape(groups * n_local, n_shared)
        full[n_shared:, n_shared:] = x @ np.asarray(c_ss) @ x.T
        inverse = np.asarray(small.inverse(arr.ll))
        for g in range(groups):
            at = n_shared + g * n_local + np.arange(n_local)
            full[np.ix_(at, at)] += inverse[g]
        cross = np.swapaxes(np.asarray(c_sl), 1, 2)
        cross = cross.reshape(groups * n_local, n_shared)
        full[:n_shared, :n_shared] = np.asarray(c_ss)
        full[n_shared:, :n_shared] = cross
        full[:n_shared, n_shared:] = cross.T
    full = (full + response @ (cov / factor) @ response.T) * factor
    return table, full * np.outer(free, free)


def finish(
    objective: Objective,
    x: Any,
    *,
    code: int,
    message: str,
    success: bool,
    method: str,
    history: Table,
    counts: dict[str, int],
    at_bound: np.ndarray,
    scale_covariance: bool | None,
    seed: int | None,
    arguments: dict[str, Any],
    extra_warnings: tuple[str, ...] = (),
    warn: bool = True,
) -> FitResult:
    """Assemble the result at `x` and say first what a user must know."""
    problem = objective.problem
    x = jnp.asarray(x, float)
    end = _end(objective, x)
    labels = problem.parameters.labels
    data = problem.given
    n = data.n_valid
    noise = problem.likelihood.noise
    if scale_covariance is None:
        unknown = noise == "known" and not data.sigma_given
        unknown |= noise == "scale_marginal" and not objective.scale_integrated
        scale_covariance = unknown
    free = np.concatenate(
        [
            np.asarray(end["solution"].free_shared),
            np.asarray(end["solution"].free_local).ravel(),
        ]
    )
    chi2 = float(end["chi2"])
    stats = goodness(
        chi2,
        n,
        len(labels),
        int(free.sum()),
        scaled=bool(scale_covariance) or noise not in ("known", "model"),
    )
    stats["cost"] = float(end["cost"])
    stats |= {name: float(n) for name, n in counts.items()}
    curved = curvature(
        np.asarray(end["h"]),
        np.asarray(problem.parameters.scales()),
        at_bound,
        np.asarray(end["null"]) & ~_informed(objective),
        labels,
    )
    factor = 1.0
    if scale_covariance and stats["dof"] > 0:
        factor = max(stats["red_chi2"], 1e-200)  # an exact fit divides by it too
    curved = curved.scaled(factor)
    if objective.scale_integrated:
        factor = chi2 / n  # in H already, not in the amplitudes' own covariance
    linear, linear_cov = amplitude_table(problem, end, curved.cov, factor)
    said, flags = _care(
        problem, stats, curved, at_bound, labels, linear, success, message
    )
    if code == tr.STOPPED:
        flags = (*flags, "stopped")
    theta = {k: np.asarray(v) for k, v in problem.named(x).items()}
    fixed_axes = [k for k, d in data.dims if "point" not in d]
    place = {k: np.asarray(data.coords[k]) for k in fixed_axes}
    cautions = problem.model.cautions(theta, place)
    said = (*said, *cautions, *extra_warnings, *problem.warnings)
    if warn:
        for sentence in said:
            python_warnings.warn(sentence, FitWarning, stacklevel=4)
    result = FitResult(
        parameters=parameter_table(problem, np.asarray(x), curved, at_bound),
        labels=labels,
        x=np.asarray(x),
        cov=curved.cov,
        scaled=bool(scale_covariance),
        linear=linear,
        linear_cov=linear_cov,
        linear_mode=(
            "explicit"
            if problem.model.amplitudes and not problem.linear
            else objective.linear
            if problem.linear
            else "none"
        ),
        statistics=stats,
        code=int(code),
        message=message,
        success=bool(success),
        method=method,
        history=history,
        warnings=said,
        flags=flags,
        data=[data_record(problem, end["fit"])],
        provenance=provenance(seed, arguments, problem.model.name),
        groups={
            "chi2": np.asarray(end["groups"]),
            "n_valid": np.asarray(data.n_valid_per_group, float),
        },
        problem=problem,
    )
    for label, (function, unit) in problem.model.derived(theta).items():
        result.derive(label, function, unit)
    return result


def held_at(
    x: np.ndarray, gradient: np.ndarray, curved: np.ndarray, lo: Any, hi: Any
) -> np.ndarray:
    """Which entries of an approximate end point a bound holds.

    Those that the gradient pushes outward, with the bound nearer than the Newton step
    that the curvature `curved` (the diagonal of H) would take.
    """
    lo, hi = np.asarray(lo), np.asarray(hi)
    room = np.where(gradient > 0, x - lo, hi - x)
    return (np.abs(gradient) > room * curved) & (gradient != 0)


def _informed(objective: Objective) -> np.ndarray:
    """Parameters that a declared prior determines where the data do not."""
    out = []
    for p in objective.problem.parameters.free:
        known = objective.prior and p.prior is not None
        out += [known] * max(1, np.size(p.value))
    return np.array(out, dtype=bool)


def _undetermined(problem: Problem, linear: Table) -> list[str]:
    """Amplitudes whose error is wider than the range they may lie in."""
    width = {a.name: a.upper - a.lower for a in problem.linear}
    lost = [
        str(label)
        for label, error in zip(
            linear.get("label", ()), linear.get("stderr", ()), strict=True
        )
        if np.isfinite(error) and error > width[str(label).split("[")[0]]
    ]
    if not lost:
        return []
    shown = ", ".join(lost[:6]) + (" ..." if len(lost) > 6 else "")
    return [f"the data do not determine {shown}: errors are wider than the bounds"]


def _care(
    problem: Problem,
    stats: dict[str, float],
    curved: Curvature,
    at_bound: np.ndarray,
    labels: tuple[str, ...],
    linear: Table,
    success: bool,
    message: str,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sentences and flags about what can be wrong with this answer."""
    said, flags = [], []
    if not success:
        said.append(f"the fit has not converged: {message}")
        flags.append("not_converged")
    if curved.null:
        flags.append("not_identifiable")
        said += [null_sentence(d) for d in curved.null]
    if at_bound.any():
        flags.append("at_bound")
        names = [labels[i] for i in np.flatnonzero(at_bound)]
        said.append(
            f"{', '.join(names)} at a bound: no standard error there; the others are "
            "conditional on it"
        )
    said += _undetermined(problem, linear)
    held = linear["at_bound"]
    if len(held) and held.any():
        flags.append("amplitude_at_bound")
        names = [str(s) for s in linear["label"][held]]
        shown = ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")
        said.append(f"{len(names)} amplitudes at a bound: {shown}")
    total = problem.data.n_groups * problem.n_points
    masked = total - stats["n_valid"]
    if masked:
        said.append(f"{masked:.0f} of {total} points are masked")
        flags.append("masked")
    if stats["dof"] <= 0:
        said.append(
            f"{stats['n_valid']:.0f} points for {stats['n_parameters']:.0f} parameters "
            f"and {stats['n_linear']:.0f} amplitudes: no degrees of freedom"
        )
        flags.append("no_degrees_of_freedom")
    if stats["p_value"] < 1e-4:
        said.append(
            f"reduced chi2 is {stats['red_chi2']:.3g}: the model does not describe the "
            "data within their errors, so standard errors are too small"
        )
        flags.append("poor_fit")
    if jax.config.read("jax_enable_x64") is False:
        said.append("computed in float32: JᵀWJ squares the condition number")
        flags.append("float32")
    return tuple(said), tuple(flags)
