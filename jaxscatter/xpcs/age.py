"""g2(τ) at chosen ages: cuts of c2 parallel to the diagonal, averaged over a band.

A pair of times has the lag τ = t2 - t1 and the age (t1 + t2)/2. A cut holds the mean
of c2 over the pairs of one lag whose age lies in a band. The diagonal, τ = 0, holds
the noise of single frames and is in no cut.

Units: times in s, angles in degrees, q in 1/Å.

References:
    [1] A. Madsen, R. L. Leheny, H. Guo, M. Sprung, O. Czakkel, New J. Phys. 12, 055001
        (2010).
    [2] T. Konstantinova et al., Phys. Rev. Research 4, 033228 (2022).
"""

import warnings
from typing import NamedTuple

import numpy as np

from .._types import Floats
from ..errors import DataError, DataWarning, ModelError
from ..problem import Dataset

ERRORS = ("scatter", "pooled", "given", "none")
FEWEST_PAIRS = 10
"""Pairs from which the scatter at one lag gives an error, by default."""


def age_cuts(
    data: Dataset,
    ages: int | Floats = 1,
    *,
    width: float | None = None,
    max_lag: float | None = None,
    errors: str = "scatter",
    min_pairs: int | None = None,
) -> Dataset:
    """Dataset of g2(τ): a group per angle and age, a point per lag.

    A band holds the ages from `age - width/2`, included, to `age + width/2`, excluded,
    so that adjacent bands share no pair. Its groups are ordered by angle, then by age.

    Args:
        data: two-time data of `load` or `from_matrices`.
        ages: middles of the bands in s; a number n divides the measured time into n
            adjacent bands.
        width: of the bands in s; default the smallest distance of two ages.
        max_lag: longest lag in s; default the longest with enough pairs.
        errors: "scatter": standard deviation over the pairs of a lag over √pairs;
            "pooled": the same with one standard deviation for all lags of a cut, for
            bands with few pairs and noise that does not depend on τ; "given": from the
            errors of the data; "none": unknown, the fit then scales its covariance.
        min_pairs: a lag with fewer is masked; default 10 for "scatter", else 1.

    Its coordinates are `tau` (point) in s; `age`, `phi`, `q` (group); `pairs` (group,
    point), the number averaged; `dt` and `width` in s.

    Raises:
        DataError: not two-time data, ages that are not finite, a band without enough
            pairs, or "given" errors of data without any.
        ModelError: `errors` is not one of the four.
    """
    if errors not in ERRORS:
        raise ModelError(f"errors is {errors!r}; expected one of {list(ERRORS)}")
    for name in ("early", "late", "t", "dt"):
        if name not in data.coords:
            raise DataError(f"the data have no coordinate {name!r}; use js.xpcs.load")
    if errors == "given" and not data.sigma_given:
        raise DataError("errors='given', but the data have none; give sigma to load")
    least = min_pairs if min_pairs else (FEWEST_PAIRS if errors == "scatter" else 1)
    if errors == "scatter" and least < 2:
        raise DataError("the scatter of one pair gives no error; min_pairs must be > 1")
    if errors == "pooled" and data.n_points < 2:
        raise DataError("one pair has no scatter; give errors='none'")
    t, dt = np.asarray(data.coords["t"]), float(data.coords["dt"])
    middle, wide = _bands(ages, width, t)
    lags = t.size - 1
    if max_lag is not None:
        lags = min(lags, int(np.floor(float(max_lag) / dt + 1e-6)))
    if lags < 1:
        raise DataError(f"max_lag is {max_lag} s, shorter than a step of {dt:.6g} s")
    cuts = [_cut(data, a, wide, lags, errors) for a in middle]
    mean, error, pairs = (np.stack(part, axis=1) for part in zip(*cuts, strict=True))
    mean, error, pairs = (v.reshape(-1, lags) for v in (mean, error, pairs))
    mask = (pairs >= least) & np.isfinite(error) & (error > 0)
    _refuse_empty(mask, pairs, least, middle, data.n_groups)
    used = int(np.flatnonzero(mask.any(axis=0))[-1]) + 1
    return Dataset(
        np.where(mask, mean, 0.0)[:, :used],
        None if errors == "none" else np.where(mask, error, 1.0)[:, :used],
        mask[:, :used],
        {
            "tau": dt * np.arange(1, used + 1),
            "age": np.tile(middle, data.n_groups),
            "phi": np.repeat(np.asarray(data.coords["phi"]), middle.size),
            "q": np.repeat(np.asarray(data.coords["q"]), middle.size),
            "pairs": pairs[:, :used].astype(float),
            "dt": np.array(dt),
            "width": np.array(wide),
        },
        {
            "tau": ("point",),
            "age": ("group",),
            "phi": ("group",),
            "q": ("group",),
            "pairs": ("group", "point"),
            "dt": (),
            "width": (),
        },
        {"tau": "s", "age": "s", "phi": "degree", "q": "1/Å", "dt": "s", "width": "s"},
        {**data.metadata, **_titles(data, middle)},
    )


class _Cut(NamedTuple):
    """One band: mean, error and number of pairs, each (φ, lag)."""

    mean: np.ndarray
    error: np.ndarray
    pairs: np.ndarray


def _bands(
    ages: int | Floats, width: float | None, t: np.ndarray
) -> tuple[np.ndarray, float]:
    """(middles, width) of the bands in s."""
    span = float(t[-1] - t[0])
    if isinstance(ages, int | np.integer):
        if ages < 1:
            raise DataError(f"ages is {ages}; expected at least one band")
        # past the last time by a part of a step, so that its own band holds it
        span *= 1 + 1e-9
        wide = span / int(ages)
        middle = t[0] + wide * (np.arange(int(ages)) + 0.5)
        return middle, wide if width is None else _positive(width)
    middle = np.atleast_1d(np.asarray(ages, dtype=float))
    if middle.ndim != 1 or not middle.size or not np.all(np.isfinite(middle)):
        raise DataError(f"ages is {ages}; expected finite times in s")
    if width is not None:
        return middle, _positive(width)
    steps = np.diff(np.sort(middle))
    if not steps.size or not steps.min() > 0:
        raise DataError("width in s is needed: the ages do not tell it")
    return middle, float(steps.min())


def _positive(width: float) -> float:
    if not (np.isfinite(width) and width > 0):
        raise DataError(f"width is {width} s; expected a positive number")
    return float(width)


def _cut(data: Dataset, age: float, width: float, lags: int, errors: str) -> _Cut:
    """Mean, error and number of pairs of one band at every lag."""
    early, late = (np.asarray(data.coords[k], int) for k in ("early", "late"))
    t0, dt = float(np.asarray(data.coords["t"])[0]), float(data.coords["dt"])
    # ages in half steps are whole numbers; a bound within 1e-6 of one is that one
    lo, hi = (
        int(np.ceil(2 * (age + sign * width / 2 - t0) / dt - 1e-6)) for sign in (-1, 1)
    )
    inside = (early + late >= lo) & (early + late < hi) & (late - early <= lags)
    lag = (late - early)[inside] - 1
    y = np.asarray(data.y)[:, inside]
    valid = np.asarray(data.mask)[:, inside]

    def total(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(lag, v, minlength=lags) for v in values])

    pairs = total(valid)
    n = np.maximum(pairs, 1.0)
    mean = total(valid * y) / n
    if errors == "none":
        return _Cut(mean, np.ones_like(mean), pairs)
    if errors == "given":
        variance = total(valid * np.square(np.asarray(data.sigma)[:, inside]))
        return _Cut(mean, np.sqrt(variance) / n, pairs)
    squares = total(valid * np.square(y - np.take_along_axis(mean, lag[None], 1)))
    freedom = np.maximum(pairs - 1, 0.0)
    if errors == "pooled":
        squares = np.broadcast_to(squares.sum(1, keepdims=True), mean.shape)
        freedom = np.broadcast_to(freedom.sum(1, keepdims=True), mean.shape)
    spread = np.where(freedom > 0, squares / np.maximum(freedom, 1.0), np.nan)
    return _Cut(mean, np.sqrt(spread / n), pairs)


def _refuse_empty(
    mask: np.ndarray, pairs: np.ndarray, least: int, ages: np.ndarray, angles: int
) -> None:
    """Name a band without any usable lag; say how many points are masked."""
    empty = np.flatnonzero(~mask.any(axis=1))
    if empty.size:
        age, most = float(np.tile(ages, angles)[empty[0]]), int(pairs[empty[0]].max())
        why = (
            f"at most {most} pairs at a lag, and {least} are needed: widen it, or give "
            "errors='pooled' or min_pairs"
            if most < least
            else "pairs that do not scatter: give errors='none'"
        )
        raise DataError(f"the band at {age:.6g} s has {why}")
    still = int(((pairs >= least) & ~mask).sum())
    if still:
        warnings.warn(
            f"{still} lags have pairs that do not scatter, and are masked",
            DataWarning,
            stacklevel=3,
        )


def _titles(data: Dataset, ages: np.ndarray) -> dict[str, str | bool]:
    """What figures call the groups: what differs between them."""
    several = [
        n for n in ("phi", "q") if np.unique(np.asarray(data.coords[n])).size > 1
    ]
    group = "age" if ages.size > 1 or not several else several[0]
    return {
        "technique": "xpcs_cuts",
        "x": "tau",
        "group": group,
        "y_label": "g2",
        "log_x": True,
    }
