"""`combine_fits`: independent least-squares fits combined over shared parameters.

With information P_s (the Hessian of ½χ² of fit s, its own parameters and amplitudes
projected out) and best values x_s,

    P = Σ P_s,   x = P⁻¹ Σ P_s x_s,   C = P⁻¹

which is the joint fit wherever each χ² is quadratic between x_s and x, and exactly so
for a linear model. A direction that a fit does not determine has no curvature there and
so no weight. A fit that determines a parameter to no better than its own size is far
from quadratic; its p-value of agreement then tells, and the joint fit is the answer.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ..errors import FitWarning, ModelError
from .agreement import Agreement, agreement, pseudo_inverse
from .least_squares import make_objective
from .providers import normal_at
from .report import columns, number, warned
from .result import FitResult, Table, _plain
from .statistics import curvature, null_sentence

_LOCAL = re.compile(r"\[\d+\]$")


@dataclasses.dataclass
class CombinedFit:
    """Parameters shared by several fits, with their joint covariance.

    `parameters` is a table: name, unit, value, stderr (inf where no fit determines it),
    fits (how many do). `cov` is in its order. `fits` holds what each fit says: value
    and stderr (fit, parameter), `at_bound`, chi2, dof. `agreement` says how well they
    agree.
    """

    parameters: Table
    cov: np.ndarray
    fits: Table
    agreement: Agreement
    warnings: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the combined parameters."""
        return tuple(str(n) for n in self.parameters["name"])

    @property
    def values(self) -> dict[str, float]:
        """Combined values by name: a start for the joint fit."""
        pairs = zip(self.labels, self.parameters["value"], strict=True)
        return {n: float(v) for n, v in pairs}

    def __getitem__(self, name: str) -> float:
        return float(self.parameters["value"][self._row(name)])

    def error(self, name: str) -> float:
        """Standard error of a combined parameter; inf if no fit determines it."""
        return float(self.parameters["stderr"][self._row(name)])

    def _row(self, name: str) -> int:
        if name not in self.labels:
            raise KeyError(f"no parameter {name!r}; there are {list(self.labels)}")
        return self.labels.index(name)

    def summary(self) -> str:
        """Text table; what needs care comes first."""
        table, a = self.parameters, self.agreement
        count = len(self.fits["chi2"])
        lines = [f"{count} fits combined", *warned(self.warnings)]
        lines.append(
            f"agreement  chi2 {a.chi2:.4g} for {a.dof} degrees of freedom, p = "
            f"{a.p_value:.3g}; largest disagreement {a.largest:.2f} standard deviations"
            + (f" ({a.pair[0]}, fits {a.pair[1]} and {a.pair[2]})" if a.pair else "")
        )
        rows = []
        for k, name in enumerate(self.labels):
            row = [
                name,
                number(float(table["value"][k]), float(table["stderr"][k])),
                str(table["unit"][k]),
                f"{int(table['fits'][k])} of {count}",
                f"{a.cv[name]:.3g}" if name in a.cv else "",
            ]
            rows.append(row)
        head = ["parameter", "value", "unit", "fits", "scatter/mean"]
        lines += ["", *columns(rows, head)]
        shown = min(count, 30)
        rows = [
            [str(s), *(self._one(s, k) for k in range(len(self.labels)))]
            for s in range(shown)
        ]
        lines += ["", *columns(rows, ["fit", *self.labels])]
        if count > shown:
            lines.append(f"... {count - shown} more in result.fits")
        return "\n".join(lines)

    def _one(self, fit: int, k: int) -> str:
        value, error = self.fits["value"][fit, k], self.fits["stderr"][fit, k]
        if self.fits["at_bound"][fit, k]:
            return f"{value:.5g} AT BOUND"
        return number(float(value), float(error)) if np.isfinite(value) else "-"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        record = {
            "parameters": self.parameters,
            "cov": self.cov,
            "fits": self.fits,
            "agreement": self.agreement.to_dict(),
            "warnings": self.warnings,
            "flags": self.flags,
        }
        return _plain(record)


def combine_fits(
    results: Iterable[FitResult],
    names: Sequence[str] | None = None,
    *,
    warn: bool = True,
) -> CombinedFit:
    """Fits of independent data combined over the parameters that they share.

    Parameters of one fit only (local ones, those not in `names`, all amplitudes) are
    projected out of it: an amplitude belongs to its fit. A parameter at a bound in a
    fit is left out of that fit, and the fit's others are conditional on it.

    Args:
        results: at least two, of `fit` or `multistart`, on data that have no point in
            common.
        names: parameters to combine; default all free ones that are not local.
        warn: issue `FitWarning`s too; they are in the result either way.

    Raises:
        TypeError: something that is not a `FitResult`.
        ModelError: fewer than two, a bare cost, a MAP fit with priors (each would count
            its prior again), units that differ, an angle over its whole period, or a
            loaded result with undetermined combinations: `bind` its problem first.
        KeyError: a name that is free in no fit.
    """
    results = _checked(results)
    labels = _shared_labels(results, names)
    count, d = len(results), len(labels)
    x, sd = np.full((count, d), np.nan), np.full((count, d), np.inf)
    information, at_bound = np.zeros((count, d, d)), np.zeros((count, d), bool)
    said, flags = [], []
    scale, none = _scales(results, labels), np.zeros(d, bool)
    for s, r in enumerate(results):
        x[s], at_bound[s], information[s] = _contribution(r, s, labels)
        cov, _ = pseudo_inverse(information[s])
        known = curvature(information[s], scale, none, none, labels)
        sd[s] = np.where(np.isfinite(known.stderr), np.sqrt(np.diagonal(cov)), np.inf)
        said += _about(r, s, labels, at_bound[s])
    total = information.sum(axis=0)
    curved = curvature(total, scale, none, none, labels)
    reference = _middle(x)
    pull = np.einsum("sde,se->d", information, _filled(x, reference) - reference)
    mean = reference + curved.cov @ pull
    agrees = agreement(labels, _filled(x, reference), information, sd, mean)
    if curved.null:
        flags.append("not_identifiable")
        said += [null_sentence(n) for n in curved.null]
    if at_bound.any():
        flags.append("at_bound")
    apart = agrees.sentences("fit")
    flags += ["disagree"] if apart else []
    said = [*apart, *said]
    out = CombinedFit(
        parameters={
            "name": np.array(labels),
            "unit": np.array([_unit(results, n) for n in labels]),
            "value": mean,
            "stderr": curved.stderr,
            "fits": np.isfinite(sd).sum(axis=0),
        },
        cov=curved.cov,
        fits={
            "value": x,
            "stderr": sd,
            "at_bound": at_bound,
            "chi2": np.array([r.statistics["chi2"] for r in results]),
            "dof": np.array([r.statistics["dof"] for r in results]),
        },
        agreement=agrees,
        warnings=tuple(said),
        flags=tuple(flags),
    )
    if warn:
        import warnings

        for sentence in out.warnings:
            warnings.warn(sentence, FitWarning, stacklevel=2)
    return out


def _checked(given: Iterable[Any]) -> list[FitResult]:
    results = list(given)
    for s, r in enumerate(results):
        if not isinstance(r, FitResult):
            raise TypeError(f"result {s} is {type(r).__name__}; expected a FitResult")
        if "bare_cost" in r.flags:
            raise ModelError(f"result {s} is of a bare cost, which has no errors")
        if r.method != "MAP":
            continue
        if r.problem is None or any(p.prior is not None for p in r.problem.parameters):
            raise ModelError(
                f"result {s} is a MAP fit, whose prior would count once per fit; "
                "combine results of js.fit"
            )
    if len(results) < 2:
        raise ModelError(f"{len(results)} results; expected at least two")
    return results


def _shared_labels(
    results: Sequence[FitResult], names: Sequence[str] | None
) -> tuple[str, ...]:
    free = list(dict.fromkeys(n for r in results for n in r.labels))
    if names is None:
        labels = tuple(n for n in free if not _LOCAL.search(n))
        if not labels:
            raise ModelError(
                f"no shared parameter is free in these fits; free are {free}"
            )
    else:
        labels = tuple(names)
        for n in labels:
            if n not in free:
                raise KeyError(f"{n!r} is free in no fit; free are {free}")
    for n in labels:
        units = {str(r.parameters["unit"][r._row(n)]) for r in results if n in r.labels}
        if len(units) > 1:
            raise ModelError(f"{n!r} has the units {sorted(units)} in different fits")
        turning = [r.problem for r in results if r.problem is not None]
        if any(p.parameters[n].circular for p in turning if n in p.parameters):
            raise ModelError(
                f"{n!r} is an angle over its whole period, which has no mean; narrow "
                "its bounds, or leave it out of `names`"
            )
    return labels


def _unit(results: Sequence[FitResult], name: str) -> str:
    own = next(r for r in results if name in r.labels)
    return str(own.parameters["unit"][own._row(name)])


def _scales(
    results: Sequence[FitResult], labels: tuple[str, ...]
) -> Float[np.ndarray, " d"]:
    """Typical sizes: width of the bounds, else the value, else 1."""
    out = []
    for n in labels:
        own = next(r for r in results if n in r.labels)
        row = own._row(n)
        width = float(own.parameters["hi"][row] - own.parameters["lo"][row])
        value = abs(float(own.parameters["value"][row]))
        out.append(width if np.isfinite(width) else value or 1.0)
    return np.array(out)


def _contribution(
    r: FitResult, number: int, labels: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, "d d"]]:
    """(values, at bound, information) of one fit over the combined parameters."""
    d = len(labels)
    x, bound, out = np.full(d, np.nan), np.zeros(d, bool), np.zeros((d, d))
    rows = [r._row(n) for n in r.labels]
    stuck = np.asarray(r.parameters["at_bound"], bool)[rows]
    p = _information(r, number, stuck)
    p[stuck, :] = 0.0
    p[:, stuck] = 0.0
    here = [k for k, n in enumerate(labels) if n in r.labels]
    own = [r.labels.index(labels[k]) for k in here]
    rest = [i for i in range(len(r.labels)) if i not in own]
    x[here], bound[here] = r.x[own], stuck[own]
    inverse, _ = pseudo_inverse(p[np.ix_(rest, rest)])
    cross = p[np.ix_(own, rest)]
    whole = p[np.ix_(own, own)]
    left = whole - cross @ inverse @ cross.T
    # what the projection leaves of a direction seen through the others is rounding
    seen = np.diagonal(left) > 1e-12 * np.diagonal(whole)
    left = 0.5 * (left + left.T) * np.outer(seen, seen)
    out[np.ix_(here, here)] = left
    return x, bound, out


def _information(
    r: FitResult, number: int, stuck: np.ndarray
) -> Float[np.ndarray, "p p"]:
    """Hessian of ½χ² at the end of a fit, in the errors the fit reports."""
    if r.problem is not None:
        import jax.numpy as jnp

        h = np.array(normal_at(make_objective(r.problem), jnp.asarray(r.x))[0])
        # the guard of `curvature`: less than that is rounding
        size = np.sqrt(np.maximum(np.diagonal(h), 0.0))
        size = size * np.asarray(r.problem.parameters.scales())
        seen = size > 1e-12 * np.max(size, initial=0.0)
        scaled = r.scaled and r.statistics["dof"] > 0
        h = h / (r.statistics["red_chi2"] if scaled else 1.0)
        return h * np.outer(seen, seen)
    stderr = np.array([r.error(n) for n in r.labels])
    lost = np.isinf(stderr)
    if np.any(np.diagonal(r.cov)[lost] > 0):
        names = [n for n, bad in zip(r.labels, lost, strict=True) if bad]
        raise ModelError(
            f"result {number} determines only combinations of {', '.join(names)}, "
            "which its covariance alone does not tell; call result.bind(problem) first"
        )
    inside = np.flatnonzero(~lost & ~stuck)
    out = np.zeros_like(r.cov)
    out[np.ix_(inside, inside)] = pseudo_inverse(r.cov[np.ix_(inside, inside)])[0]
    return out


def _middle(x: Float[np.ndarray, "s d"]) -> Float[np.ndarray, " d"]:
    """Mean of the fits' values, where there are any."""
    known = np.isfinite(x)
    total = np.where(known, x, 0.0).sum(axis=0)
    return total / np.maximum(known.sum(axis=0), 1)


def _filled(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x), x, reference[None])


def _about(
    r: FitResult, number: int, labels: tuple[str, ...], bound: np.ndarray
) -> list[str]:
    """What must be known of one fit."""
    said = []
    if not r.success:
        said.append(f"fit {number} has not converged: {r.message}")
    stuck = [n for n, b in zip(labels, bound, strict=True) if b]
    if stuck:
        said.append(
            f"{', '.join(stuck)} at a bound in fit {number}: left out of it, and its "
            "other parameters are conditional on the bound"
        )
    names = [str(n) for n in r.parameters["name"]]
    held = [n for n in labels if n not in r.labels and n in names]
    if held:
        said.append(
            f"{', '.join(held)} not free in fit {number}: its other parameters are "
            "conditional on the value there"
        )
    return said
