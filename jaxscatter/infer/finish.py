"""From an end point to a `FitResult`: covariance, amplitudes, statistics, warnings."""

import warnings as python_warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..errors import FitWarning, ModelError
from ..problem import AbstractProblem, Poisson
from ..problem import amplitudes as amp
from . import trust_region as tr
from .provenance import provenance
from .providers import Objective
from .result import FitResult, Table
from .statistics import Curvature, curvature, deviance_moments, goodness, null_sentence
from .tables import (
    amplitude_table,
    data_record,
    distinct_amplitudes,
    floored,
    parameter_table,
)


@eqx.filter_jit
def _end(objective: Objective, x: jax.Array) -> Any:
    """Everything about the end point that needs the data, in one compilation."""
    problem = objective.problem
    triple, ends = problem.end(x)
    h, _, c = objective.augmented(triple, x)
    parts = []
    for part, end, vector in zip(problem.parts, ends, problem.vectors(x), strict=True):
        s, el = amp.split(part.linear)
        n_s, n_l = jnp.sum(end.n[:, s], axis=0), end.n[:, el]
        reduced, schur = end.solution.reduced, end.solution.schur
        parts.append(
            {
                "solution": end.solution,
                "blocks": amp.covariance(part.linear, end.solution),
                "response": amp.solve_arrow(reduced, schur, n_s, n_l),
                "fit": part.predict(vector) if part.pointwise else None,
                "groups": end.chi2,
            }
        )
    return {"h": h, "cost": c, "null": triple.null, "parts": parts}


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
    n = problem.n_valid
    noises = {part.likelihood.noise for part in problem.parts}
    refuse_scaling(scale_covariance, noises)
    if scale_covariance is None:
        unknown = any(
            part.likelihood.noise == "known" and not part.given.sigma_given
            for part in problem.parts
        )
        unknown |= "scale_marginal" in noises and not objective.scale_integrated
        scale_covariance = unknown
    groups = np.concatenate([part["groups"] for part in end["parts"]])
    solutions = [part["solution"] for part in end["parts"]]
    own = [float(np.sum(part["groups"])) for part in end["parts"]]
    chi2 = sum(own)
    expected, deviance, low = _counted(problem, end["parts"], own)
    stats = goodness(
        chi2,
        n,
        len(labels),
        int(sum(np.sum(s.free_shared) + np.sum(s.free_local) for s in solutions)),
        scaled=bool(scale_covariance) or not noises <= {"known", "model", "poisson"},
        expected=expected,
    )
    stats |= deviance
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
    said = (*said, *low, *cautions(problem, theta), *extra_warnings)
    said = (*said, *problem.warnings)
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
        linear_mode=problem.mode_text(objective.linear),
        statistics=stats,
        code=int(code),
        message=message,
        success=bool(success),
        method=method,
        history=history,
        warnings=said,
        flags=flags,
        data=[
            data_record(part, own["fit"], name)
            for part, own, name in zip(
                problem.parts, end["parts"], problem.part_names, strict=True
            )
        ],
        provenance=provenance(seed, arguments, problem.name),
        groups=_groups(problem, groups),
        problem=problem,
    )
    derive(result, problem, theta)
    return result


def refuse_scaling(asked: bool | None, noises: set[str]) -> None:
    """Refuse errors scaled by the scatter where they follow from counts."""
    if asked and "poisson" in noises:
        raise ModelError(
            "scale_covariance=True does not go with likelihood=Poisson(), whose errors "
            "follow from the counts"
        )


def _counted(
    problem: AbstractProblem, ends: list[dict], chi2: list[float]
) -> tuple[tuple[float, float] | None, dict[str, float], tuple[str, ...]]:
    """Of counts: `expected` of `goodness`, statistics, sentences on floored means."""
    moments, deviance, said = [], None, []
    parts = zip(problem.parts, problem.part_names, ends, chi2, strict=True)
    for part, name, end, own in parts:
        data = part.given
        if not isinstance(part.likelihood, Poisson):
            moments.append((data.n_valid, 2.0 * data.n_valid))
            continue
        deviance = own + (deviance or 0.0)
        if end["fit"] is None:
            moments.append((np.nan, np.nan))
            continue
        valid = np.asarray(data.mask) > 0
        mu, low = floored(part.likelihood, data, end["fit"])
        moments.append(deviance_moments(mu, valid))
        if low.any():
            said.append(
                (f"{name}: " if name else "")
                + f"at {low.sum()} of {valid.sum()} points the model is below 1e-12 of "
                "the mean count, or negative, and that floor was taken for it"
            )
    if deviance is None:
        return None, {}, ()
    mean, variance = (float(sum(v)) for v in zip(*moments, strict=True))
    return (mean, variance), {"deviance": deviance, "expected": mean}, tuple(said)


def _groups(problem: AbstractProblem, chi2: np.ndarray) -> Table:
    """Table over the groups of all parts; of joined problems with the part's name."""
    valid = [np.asarray(p.given.n_valid_per_group, float) for p in problem.parts]
    table = {"chi2": chi2, "n_valid": np.concatenate(valid)}
    if len(valid) > 1:
        table["part"] = np.repeat(problem.part_names, [len(v) for v in valid])
    return table


def cautions(problem: AbstractProblem, theta: dict[str, Any]) -> tuple[str, ...]:
    """What the models say about this end point, with the parts' names."""
    said: list[str] = []
    for k, (part, name) in enumerate(
        zip(problem.parts, problem.part_names, strict=True)
    ):
        data = part.given
        fixed_axes = [c for c, d in data.dims if "point" not in d]
        place = {c: np.asarray(data.coords[c]) for c in fixed_axes}
        own = part.model.cautions(problem.part_theta(k, theta), place)
        said += [f"{name}: {sentence}" if name else sentence for sentence in own]
    return tuple(said)


def derive(result: FitResult, problem: AbstractProblem, theta: dict[str, Any]) -> None:
    """Add the models' derived quantities, by the names of their parts."""
    for k, (part, name) in enumerate(
        zip(problem.parts, problem.part_names, strict=True)
    ):
        found = part.model.derived(problem.part_theta(k, theta))
        for label, (function, unit) in found.items():

            def own(theta: dict, k: int = k, function: Any = function) -> Any:
                return function(problem.part_theta(k, theta))

            result.derive(f"{label}[{name}]" if name else label, own, unit)


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


def _undetermined(problem: AbstractProblem, linear: Table) -> list[str]:
    """Amplitudes whose error is wider than the range they may lie in."""
    declared = distinct_amplitudes(problem)
    lost = [
        label
        for (label, a), error in zip(declared, linear["stderr"], strict=True)
        if np.isfinite(error) and error > a.upper - a.lower
    ]
    if not lost:
        return []
    shown = ", ".join(lost[:6]) + (" ..." if len(lost) > 6 else "")
    return [f"the data do not determine {shown}: errors are wider than the bounds"]


def _care(
    problem: AbstractProblem,
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
    total = problem.n_total
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
        found = f"reduced chi2 is {stats['red_chi2']:.3g}"
        if "deviance" in stats:
            mean = stats["expected"] - stats["n_parameters"] - stats["n_linear"]
            found = f"the deviance is {stats['chi2']:.5g} where {mean:.5g} is expected"
        said.append(
            f"{found}: the model does not describe the "
            "data within their errors, so standard errors are too small"
        )
        flags.append("poor_fit")
    if jax.config.read("jax_enable_x64") is False:
        said.append("computed in float32: JᵀWJ squares the condition number")
        flags.append("float32")
    return tuple(said), tuple(flags)
