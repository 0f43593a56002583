"""Tables of a result: parameters, amplitudes with joint errors, data and curves."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import linalg

from ..numerics import small
from ..problem import AbstractProblem, Likelihood, Poisson, Problem
from ..problem.amplitudes import Amplitude
from .result import Table
from .statistics import Curvature

COVARIANCE_LIMIT = 400
"""Largest number of amplitudes whose full covariance is stored."""


def distinct_amplitudes(problem: AbstractProblem) -> list[tuple[str, Amplitude]]:
    """Label and declaration of every distinct amplitude, shared ones first."""
    out = []
    for part, called in zip(problem.parts, problem.amplitude_names, strict=True):
        groups = part.data.n_groups
        out += [(called[a.name], a) for a in part.linear if a.shared]
        local = [a for a in part.linear if not a.shared and a.held is None]
        for g in range(groups):
            end = f"[{g}]" if groups > 1 else ""
            out += [(called[a.name] + end, a) for a in local]
    return out


def data_record(problem: Problem, fit: Any, name: str = "") -> dict[str, Any]:
    """Dataset with its fitted curve, as results keep and plot it.

    `sigma` is what residuals are measured in: of counts √μ.
    """
    data = problem.given
    known = {"name": name} if name else {}
    if not problem.pointwise:
        return {**known, "sha256": {}, "shape": (data.n_groups, problem.n_points)}
    return {
        **known,
        "y": np.asarray(data.y),
        "sigma": deviations(problem.likelihood, data, fit),
        "mask": np.asarray(data.mask) > 0,
        "fit": np.asarray(fit),
        "coords": {k: np.asarray(v) for k, v in data.coords.items()},
        "dims": dict(data.dims),
        "units": dict(data.units),
        "metadata": dict(data.metadata),
    }


def deviations(likelihood: Likelihood, data: Any, fit: Any) -> np.ndarray:
    """Standard deviation of every point where the model is `fit`."""
    if not isinstance(likelihood, Poisson):
        return np.asarray(data.sigma)
    return np.sqrt(floored(likelihood, data, fit)[0])


def floored(likelihood: Poisson, data: Any, fit: Any) -> tuple[np.ndarray, np.ndarray]:
    """Means of counts where the model is `fit`, and how many of each group are floored.

    Only points that count are floored to be counted.
    """
    fit = np.asarray(fit)
    least = likelihood.floor(jnp.asarray(data.y), jnp.asarray(data.mask))
    least = np.asarray(least)[..., None]
    low = (np.asarray(data.mask) > 0) & (fit < least)
    return np.maximum(fit, least), np.sum(low, axis=-1)


def parameter_table(
    problem: AbstractProblem, x: np.ndarray, curved: Curvature, at_bound: np.ndarray
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
            rows["tie"].append(_tie_text(p.tie))
    return {k: np.array(v) for k, v in rows.items()}


def _tie_text(tie: Any) -> str:
    """What a parameter is tied to, for the table."""
    if tie is None or isinstance(tie, str):
        return tie or ""
    named = tie.arguments is not None
    return "a function" + (f" of {', '.join(tie.arguments)}" if named else "")


def amplitude_table(
    problem: AbstractProblem, end: dict, cov: np.ndarray, factor: float
) -> tuple[Table, np.ndarray]:
    """Amplitudes with errors from the joint covariance G⁻¹ + G⁻¹N C NᵀG⁻¹."""
    pieces = [_piece(part, len(cov)) for part in end["parts"]]
    values, free, own, response = (
        np.concatenate(column) for column in zip(*pieces, strict=True)
    )
    passed = np.einsum("ip,pq,iq->i", response, cov / factor, response)
    stderr = np.sqrt(np.maximum(np.asarray(own) + passed, 0.0) * factor)
    labels = distinct_amplitudes(problem)
    table = {
        "label": np.array([name for name, _ in labels]),
        "unit": np.array([a.unit for _, a in labels]),
        "value": values,
        "stderr": np.where(free > 0, stderr, np.nan),
        "at_bound": free == 0,
    }
    if len(values) > COVARIANCE_LIMIT:
        return table, np.zeros((0, 0))
    # amplitudes of different parts correlate through the parameters only
    full: Any = linalg.block_diag(*(_inverse(part) for part in end["parts"]))
    full = (full + response @ (cov / factor) @ response.T) * factor
    return table, full * np.outer(free, free)


def _piece(end: dict, p: int) -> tuple[np.ndarray, ...]:
    """Of one part's distinct amplitudes: value, free, variance at fixed x, response."""
    solution, (c_ss, c_ll, _) = end["solution"], end["blocks"]
    r_s, r_l = (np.asarray(r) for r in end["response"])
    local_var = np.diagonal(np.asarray(c_ll), axis1=1, axis2=2).ravel()
    return (
        np.concatenate([solution.shared, np.ravel(solution.local)]),
        np.concatenate([solution.free_shared, np.ravel(solution.free_local)]),
        np.concatenate([np.diagonal(np.asarray(c_ss)), local_var]),
        np.concatenate([r_s, r_l.reshape(r_l.shape[0] * r_l.shape[1], p)]),
    )


def _inverse(end: dict) -> np.ndarray:
    """G⁻¹ of one part's distinct amplitudes."""
    solution, (c_ss, _, c_sl) = end["solution"], end["blocks"]
    groups, n_local = np.shape(solution.local)
    n_shared = np.shape(solution.shared)[0]
    total = n_shared + groups * n_local
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
    return full
