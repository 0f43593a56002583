"""Goodness of fit, covariance and identifiability at the end of a fit (host, NumPy)."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from scipy import special, stats

NULL = 1e-10
"""Relative eigenvalue of the unit-diagonal Hessian below which a direction is null."""


def goodness(
    chi2: float,
    n: int,
    p: int,
    k: int,
    scaled: bool = False,
    expected: tuple[float, float] | None = None,
) -> dict[str, float]:
    """χ², degrees of freedom, information criteria and p-value.

    The criteria hold -2 log L up to a number that only the data decide, so they compare
    models under one likelihood.

    Args:
        chi2: Σ (residual/σ)², of counts the deviance.
        n: valid points.
        p: free parameters.
        k: amplitudes not on a bound.
        scaled: errors are not known, so χ² says nothing about the model.
        expected: where there are counts, mean and variance of χ² for a true model
            without free parameters.
    """
    dof = n - p - k
    m = p + k
    room = n - m - 1
    mean, variance = expected or (float(n), 2.0 * n)
    return {
        "chi2": chi2,
        "dof": float(dof),
        "n_valid": float(n),
        "n_parameters": float(p),
        "n_linear": float(k),
        "red_chi2": chi2 / dof if dof > 0 else math.nan,
        "aic": chi2 + 2 * m,
        "aicc": chi2 + 2 * m + (2 * m * (m + 1) / room if room > 0 else math.inf),
        "bic": chi2 + m * math.log(n),
        "p_value": (
            float(tail(chi2, mean - m, variance - 2 * m))
            if dof > 0 and not scaled
            else math.nan
        ),
    }


def tail(value: Any, mean: Any, variance: Any) -> Any:
    """Chance that a gamma variable exceeds `value`; nan without a positive mean.

    χ² is one, with twice its mean for variance.
    """
    known = (mean > 0) & (variance > 0)
    mean, variance = np.where(known, mean, 1.0), np.where(known, variance, 1.0)
    chance = stats.gamma.sf(value, mean**2 / variance, scale=variance / mean)
    return np.where(known, chance, math.nan)


def deviance_moments(mu: np.ndarray, valid: np.ndarray) -> tuple[Any, Any]:
    """Mean and variance of the deviance of counts, summed over the last two axes.

    That of few counts is not distributed as χ²: of mean 0.1 it has a mean of 0.47.
    """
    nodes, first, second = _deviance_table()
    at, top = np.log(np.where(valid & (mu > 0), mu, 1.0)), math.log(nodes[-1])
    out = []
    for table, limit in ((first, 1.0), (second, 2.0)):
        near = np.interp(at, np.log(nodes), table, left=0.0)
        # 1/μ is the first term of the expansion
        far = limit + (table[-1] - limit) * np.exp(np.minimum(top - at, 0.0))
        value = np.where(at > top, far, near)
        out.append(np.sum(np.where(valid, value, 0.0), axis=(-2, -1)))
    return out[0], out[1]


@functools.cache
def _deviance_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of a count from small to large, mean and variance of its deviance."""
    nodes = np.geomspace(1e-8, 100.0, 800)
    y = np.arange(300.0)[None]
    mu = nodes[:, None]
    each = 2 * (mu - y + special.xlogy(y, y / mu))
    chance = np.exp(special.xlogy(y, mu) - mu - special.gammaln(y + 1))
    first = np.sum(chance * each, axis=1)
    second = np.sum(chance * np.square(each - first[:, None]), axis=1)
    return nodes, first, second


@dataclasses.dataclass(frozen=True)
class Curvature:
    """Covariance of the free parameters, and what the data do not determine.

    `null` are directions as {label: component}; a label alone is a parameter the data
    do not see at all, `lost` the same directions as rows of x. Parameters in a null
    direction have infinite `stderr`, those at a bound nan. `cov` is a pseudo-inverse:
    good for functions that do not change along a lost direction, see `error`.
    """

    cov: np.ndarray
    stderr: np.ndarray
    null: tuple[dict[str, float], ...]
    lost: np.ndarray

    def scaled(self, factor: float) -> "Curvature":
        """The same with variances times `factor`."""
        # an exact fit does not determine what its data do not see
        known = np.where(np.isinf(self.stderr), 0.0, self.stderr) * math.sqrt(factor)
        stderr = np.where(np.isinf(self.stderr), np.inf, known)
        return dataclasses.replace(self, cov=self.cov * factor, stderr=stderr)

    def error(self, slope: np.ndarray) -> float:
        """Standard error √(gradᵀ C grad), inf where a lost direction enters."""
        along = np.abs(self.lost @ slope)
        if np.any(along > 1e-6 * (np.abs(self.lost) @ np.abs(slope))):
            return math.inf
        return math.sqrt(max(float(slope @ self.cov @ slope), 0.0))


def curvature(
    hessian: np.ndarray,
    scale: np.ndarray,
    at_bound: np.ndarray,
    unseen: np.ndarray,
    labels: tuple[str, ...],
) -> Curvature:
    """Pseudo-inverse of H over the parameters that are inside and seen.

    Args:
        hessian: undamped H at the end point.
        scale: typical size of each parameter.
        at_bound: parameters on a bound with the gradient pushing outward.
        unseen: parameters the projection or the scaling test removed.
        labels: name of each entry.
    """
    h = np.asarray(hessian, float)
    p = len(labels)
    diag = np.sqrt(np.maximum(np.diagonal(h), 0.0))
    flat = diag * scale <= 1e-12 * np.max(diag * scale, initial=0.0)
    unseen = (np.asarray(unseen, bool) | flat) & ~np.asarray(at_bound, bool)
    null: list[dict[str, float]] = [{labels[i]: 1.0} for i in np.flatnonzero(unseen)]
    lost = [np.eye(p)[i] for i in np.flatnonzero(unseen)]
    inside = np.flatnonzero(~at_bound & ~unseen)
    cov = np.zeros((p, p))
    stderr = np.full(p, np.nan)
    stderr[unseen] = np.inf
    if inside.size:
        d = diag[inside]
        w, v = np.linalg.eigh(h[np.ix_(inside, inside)] / np.outer(d, d))
        bad = w < NULL * max(w.max(), 1.0)
        inverse = (v[:, ~bad] / w[~bad]) @ v[:, ~bad].T
        cov[np.ix_(inside, inside)] = inverse / np.outer(d, d)
        stderr[inside] = np.sqrt(np.maximum(np.diagonal(cov)[inside], 0.0))
        for j in np.flatnonzero(bad):
            direction = v[:, j] * np.sign(v[np.argmax(np.abs(v[:, j])), j])
            limit = min(0.3, 0.5 * direction.max())
            members = np.flatnonzero(np.abs(direction) > limit)
            lost.append(np.zeros(p))
            lost[-1][inside] = direction / d
            null.append({labels[inside[i]]: float(direction[i]) for i in members})
            stderr[inside[members]] = np.inf
    return Curvature(cov, stderr, tuple(null), np.reshape(lost, (len(lost), p)))


def null_sentence(direction: dict[str, float]) -> str:
    """What a null direction means to a user."""
    if len(direction) == 1:
        name = next(iter(direction))
        return (
            f"{name} cannot be determined: the data do not depend on it in this model "
            "(its value is where it started; fix it, or constrain it otherwise)"
        )
    terms = " ".join(f"{c:+.2f} {name}" for name, c in direction.items())
    return (
        f"only a combination of {', '.join(direction)} is determined: the data do not "
        f"see {terms} (scaled); fix or tie one of them"
    )
