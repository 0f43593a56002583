"""How well independent estimates of the same quantities agree (host, NumPy).

With mean m_s and information P_s of estimate s, and their combination m of information
P = Σ P_s,

    Q = Σ (m_s - m)ᵀ P_s (m_s - m)

follows χ² with Σ rank P_s - rank P degrees of freedom if only noise parts them
(Cochran's Q in several dimensions).

References:
    [1] W. G. Cochran, Biometrics 10, 101 (1954).
"""

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from .statistics import NULL

DISAGREE = 3.0
"""Standard deviations between two estimates from which on they are said to disagree."""
SPREAD = 1.0
"""Standard deviation of the estimates over their mean, from which on it may be said."""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Heterogeneity of several estimates.

    `largest` is the greatest distance of two estimates of one quantity in units of the
    root of their summed variances, for the quantity and the estimates of `pair`. `cv`
    is the standard deviation of the estimates over their mean, by label, `excess` the
    p-value of their spread against their own errors.
    """

    chi2: float
    dof: int
    p_value: float
    largest: float
    pair: tuple[str, int, int] | None
    cv: dict[str, float]
    excess: dict[str, float]

    def sentences(self, what: str) -> tuple[str, ...]:
        """What must be said of estimates that are called `what`."""
        said = []
        if self.largest > DISAGREE and self.pair is not None:
            name, i, j = self.pair
            said.append(
                f"{what}s {i} and {j} disagree on {name} by {self.largest:.1f} "
                f"standard deviations (all together: chi2 {self.chi2:.4g} for "
                f"{self.dof} degrees of freedom, p = {self.p_value:.2g})"
            )
        wide = [n for n, v in self.cv.items() if v > SPREAD and self.excess[n] < 0.01]
        if wide:
            said.append(
                f"the {what}s' values of {', '.join(wide)} scatter by more than their "
                "mean, and by more than their errors explain"
            )
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as a plain record."""
        name, i, j = self.pair or ("", -1, -1)
        return {
            "chi2": self.chi2,
            "dof": self.dof,
            "p_value": self.p_value,
            "largest": self.largest,
            "largest_of": name,
            "first": i,
            "second": j,
            "cv": dict(self.cv),
            "excess": dict(self.excess),
        }


def pseudo_inverse(p: Float[np.ndarray, "d d"]) -> tuple[np.ndarray, int]:
    """Inverse over the directions that P determines, and how many these are.

    They are found at unit diagonal, so they do not depend on the units.
    """
    d = np.sqrt(np.maximum(np.diagonal(p), 0.0))
    seen = d > 0
    out = np.zeros_like(p)
    if not seen.any():
        return out, 0
    own = d[seen]
    w, v = np.linalg.eigh(p[np.ix_(seen, seen)] / np.outer(own, own))
    good = w > NULL * max(w.max(), 1.0)
    inverse = (v[:, good] / w[good]) @ v[:, good].T
    out[np.ix_(seen, seen)] = inverse / np.outer(own, own)
    return out, int(good.sum())


def agreement(
    labels: tuple[str, ...],
    means: Float[np.ndarray, "s d"],
    information: Float[np.ndarray, "s d d"],
    sd: Float[np.ndarray, "s d"],
    combined: Float[np.ndarray, " d"],
) -> Agreement:
    """Heterogeneity of estimates `means`.

    Args:
        labels: one per quantity.
        means: of every estimate; whatever stands where it knows nothing.
        information: inverse covariances, 0 where an estimate knows nothing.
        sd: standard deviations, inf where an estimate knows nothing.
        combined: their weighted mean.
    """
    away = means - combined[None]
    q = float(np.einsum("sd,sde,se->", away, information, away))
    ranks = sum(pseudo_inverse(p)[1] for p in information)
    dof = ranks - pseudo_inverse(information.sum(axis=0))[1]
    largest, pair = 0.0, None
    for i in range(len(means)):
        for j in range(i):
            known = np.isfinite(sd[i]) & np.isfinite(sd[j])
            width = np.hypot(sd[i], sd[j])
            apart = np.where(known & (width > 0), np.abs(means[i] - means[j]), 0.0)
            apart = apart / np.where(known & (width > 0), width, 1.0)
            k = int(np.argmax(apart))
            if apart[k] > largest:
                largest, pair = float(apart[k]), (labels[k], j, i)
    cv, excess = _spread(labels, means, sd)
    return Agreement(q, dof, _tail(q, dof), largest, pair, cv, excess)


def _spread(
    labels: tuple[str, ...], means: np.ndarray, sd: np.ndarray
) -> tuple[dict[str, float], dict[str, float]]:
    cv, excess = {}, {}
    for k, name in enumerate(labels):
        known = np.isfinite(sd[:, k]) & (sd[:, k] > 0)
        if known.sum() < 2:
            continue
        x, w = means[known, k], sd[known, k] ** -2.0
        centre, spread = float(np.mean(x)), float(np.std(x, ddof=1))
        if spread == 0:
            cv[name], excess[name] = 0.0, 1.0
            continue
        cv[name] = spread / abs(centre) if centre else math.inf
        best = np.sum(w * x) / np.sum(w)
        excess[name] = _tail(float(np.sum(w * (x - best) ** 2)), len(x) - 1)
    return cv, excess


def _tail(chi2: float, dof: int) -> float:
    return float(stats.chi2.sf(chi2, dof)) if dof > 0 else math.nan
