"""XPCS figures of what was fitted: J(t), γ̇(t), contrast, offset and χ² per angle.

Units: times in s, angles in degrees, J in Å²/s, shear rates in 1/s.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import DataError, ModelError
from ..xpcs import physical_names, shear_rate, transport_coefficient
from ..xpcs.transport import RATE_FLOOR
from . import style
from .groups import _error_factor, _title
from .xpcs import Record, record


def plot_rates(
    result: Any,
    path: style.PathLike | None = None,
    *,
    n_draws: int = 400,
) -> Any:
    """Figure of J(t), and of γ̇(t) of a flow, with 95 % bands.

    Args:
        result: a fit or a sample of `js.xpcs.problem`.
        path: file to write.
        n_draws: draws of a sample that are used.

    See `rate_curves` for the bands.
    """
    rates = rate_curves(result, n_draws)
    middle = "median" if result.kind == "sample" else "fit"
    names = {
        "transport": style.label("J(t)", "Å²/s"),
        "shear": style.label("γ̇(t)", "1/s"),
    }
    with style.context():
        fig = style.figure(6.4, 2.7 * len(rates) + 0.6)
        axes = fig.subplots(len(rates), 1, squeeze=False, sharex=True).ravel()
        for ax, (kind, rate) in zip(axes, rates.items(), strict=True):
            ax.fill_between(
                rate.t,
                rate.low,
                rate.high,
                color=style.SKY,
                alpha=0.5,
                lw=0,
                label="95 %",
            )
            ax.plot(rate.t, rate.middle, color=style.RED, label=middle)
            ax.set_ylabel(names[kind])
            positive = float(np.min(rate.low)) > 1e-9
            if positive and float(np.max(rate.high)) > 30 * float(np.min(rate.low)):
                ax.set_yscale("log")
            elif positive:
                ax.set_ylim(bottom=0)
        axes[-1].set_xlabel(style.label("t", "s"))
        fig.align_ylabels(axes)
        axes[0].legend()
        fig.suptitle(style.plain(_title(result)))
        return style.finish(fig, path)


def plot_angles(result: Any, path: style.PathLike | None = None) -> Any:
    """Figure of contrast, offset and reduced χ² of every angle, with errors.

    χ² is over the points that count in an angle, less its share of the free values. It
    is divided by its mean where the data have no errors of their own; else the band
    holds 95 % of what noise alone gives.
    """
    d = record(result)
    if d.get("fit") is None:
        raise DataError("there is no fit: plot_angles needs a result")
    phi = np.asarray(d["coords"]["phi"], float)
    panels = [
        (name, known)
        for name in ("contrast", "offset")
        if (known := _scaling(result, name, phi.size)) is not None
    ]
    red, freedom = _reduced_chi2(result, d)
    absolute = _error_factor(result) == 1.0 and not getattr(result, "scaled", False)
    with style.context():
        fig = style.figure(6.4, 1.9 * (len(panels) + 1) + 0.6)
        axes = fig.subplots(len(panels) + 1, 1, squeeze=False, sharex=True).ravel()
        for ax, (name, (value, error)) in zip(axes, panels, strict=False):
            ax.errorbar(phi, value, error, fmt="o", ms=4, color=style.BLUE, capsize=2.5)
            ax.set_ylabel(name)
        last = axes[-1]
        if absolute:
            order = np.argsort(phi)
            spread = 1.96 * np.sqrt(2 / freedom[order])
            band = {"color": style.GREY, "alpha": 0.2, "lw": 0}
            last.fill_between(phi[order], 1 - spread, 1 + spread, **band)
        last.axhline(1.0, color=style.GREY, lw=1)
        last.plot(phi, red, "o", ms=4, color=style.RED)
        last.set_ylabel("reduced χ²" if absolute else "χ² / mean χ²")
        last.set_xlabel(style.label("φ", "degree"))
        if np.ptp(phi) > 100:
            last.locator_params(axis="x", steps=[1.5, 3, 4.5, 9])
        fig.align_ylabels(axes)
        fig.suptitle(style.plain(_title(result)))
        return style.finish(fig, path)


MODEL = re.compile(r"(laminar_flow|static_isotropic) .*rate=(\w+)")
"""How results name the models of two-time data."""


class Rate(NamedTuple):
    """A rate over the frames: best or median curve and its 95 % band."""

    t: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray


def rate_curves(result: Any, n_draws: int = 400) -> dict[str, Rate]:
    """J(t) as "transport", and γ̇(t) of a flow as "shear".

    The band of a sample is that of its draws. The band of a fit is ±1.96 √(gᵀ C g) with
    g the derivatives of the rate, cut at the floor of the rates: amplitude, exponent
    and offset are so strongly correlated that draws of N(x, C) would leave the curved
    valley in which they lie, though the data determine the rate well.

    Args:
        result: a fit, or a sample.
        n_draws: draws of a sample that are used.

    Raises:
        ModelError: a result of another model, or a sample without its problem that
            lacks a parameter.
    """
    flow, options = _spelling(result)
    names = physical_names("laminar_flow" if flow else "static_isotropic")
    t, dt = _frames(result)
    kinds: dict[str, tuple[Callable, tuple[str, ...]]] = {
        "transport": (transport_coefficient, names[:3])
    }
    if flow:
        kinds["shear"] = (shear_rate, names[3:6])
    band = _fit_band if result.kind == "fit" else _sample_band
    out = {}
    for kind, (rate, own) in kinds.items():

        def of(theta: Any, rate: Any = rate, own: Any = own) -> Any:
            return rate(t, *(theta[n] for n in own), dt, **options)

        out[kind] = Rate(np.asarray(t), *band(result, of, own, n_draws))
    return out


def _frames(result: Any) -> tuple[Any, Any]:
    """(times, step): the model has them also where the data are only streamed."""
    model: Any = getattr(getattr(result, "problem", None), "model", None)
    if hasattr(model, "t") and hasattr(model, "dt"):
        return jnp.asarray(model.t), jnp.asarray(model.dt)
    coords = record(result)["coords"]
    return jnp.asarray(coords["t"]), jnp.asarray(coords["dt"])


def is_two_time(result: Any) -> bool:
    """Whether a result is of two-time data alone, kept with it or not."""
    kinds = [d.get("metadata", {}).get("technique") for d in result.data]
    if "xpcs" in kinds:
        return all(k == "xpcs" for k in kinds)
    name = str(result.provenance.get("model", ""))
    return not any("y" in d for d in result.data) and MODEL.match(name) is not None


def _spelling(result: Any) -> tuple[bool, dict[str, str]]:
    """(whether it flows, spelling and floor of the rates)."""
    model: Any = getattr(getattr(result, "problem", None), "model", None)
    if hasattr(model, "flow") and hasattr(model, "rate"):
        return bool(model.flow), {"rate": model.rate, "floor": model.floor}
    name = str(result.provenance.get("model", ""))
    found = MODEL.match(name)
    if not found:
        raise ModelError(f"the model {name!r} has no transport coefficient")
    return found[1] == "laminar_flow", {"rate": found[2]}


def _fit_band(
    result: Any, of: Callable, names: tuple[str, ...], n_draws: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best curve, and the band of its first-order error."""
    del n_draws
    table = result.parameters
    pairs = zip(table["name"], table["value"], strict=True)
    best = {str(k): jnp.asarray(float(v)) for k, v in pairs}
    problem = getattr(result, "problem", None)
    labels = [str(n) for n in result.labels]

    def curve(x: Any) -> Any:
        if problem is not None:
            return of(problem.named(x))
        return of({**best, **dict(zip(labels, x, strict=True))})

    x = jnp.asarray(np.asarray(result.x, float))
    middle, slope = np.asarray(curve(x)), np.asarray(jax.jacfwd(curve)(x))
    error = np.einsum("ti,ij,tj->t", slope, np.asarray(result.cov, float), slope)
    half = 1.96 * np.sqrt(np.maximum(error, 0.0))
    return middle, np.maximum(middle - half, RATE_FLOOR), middle + half


def _sample_band(
    result: Any, of: Callable, names: tuple[str, ...], n_draws: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median and 95 % band of evenly spaced draws."""
    flat = {k: np.ravel(v) for k, v in result.draws.items()}
    size = next(iter(flat.values())).size
    pick = np.linspace(0, size - 1, min(n_draws, size)).astype(int)
    known = {k: np.full(pick.size, float(v)) for k, v in result.held.items()}
    known |= {k: v[pick] for k, v in flat.items()}
    problem = getattr(result, "problem", None)
    if problem is not None:
        x = np.stack([known[label] for label in result.labels], axis=1)
        every = jax.vmap(lambda x: of(problem.named(x)))(jnp.asarray(x))
    else:
        missing = [k for k in names if k not in known]
        if missing:
            raise ModelError(
                f"the loaded result does not hold {missing}; call result.bind(problem)"
            )
        own = {k: jnp.asarray(known[k]) for k in names}
        every = jax.vmap(of)(own)
    low, middle, high = np.quantile(np.asarray(every), [0.025, 0.5, 0.975], axis=0)
    return middle, low, high


def _scaling(
    result: Any, name: str, groups: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """(values, errors) of contrast or offset of every angle, where the result says."""
    found: dict[str, tuple[float, float]] = {}
    if result.kind == "sample":
        for label, v in {**result.draws, **result.linear_draws}.items():
            found[label] = float(np.mean(v)), float(np.std(v))
    else:
        for column, table in (("name", result.parameters), ("label", result.linear)):
            for i, label in enumerate(table.get(column, ())):
                found[str(label)] = float(table["value"][i]), float(table["stderr"][i])
    rows = [found.get(f"{name}[{g}]", found.get(name)) for g in range(groups)]
    if any(r is None for r in rows):
        return None
    value, error = np.array(rows, float).T
    return value, np.where(np.isfinite(error), error, 0.0)


def _reduced_chi2(result: Any, d: Record) -> tuple[np.ndarray, np.ndarray]:
    """Reduced χ² of every angle, and its degrees of freedom."""
    mask = np.asarray(d["mask"]) > 0
    sigma = _error_factor(result) * np.asarray(d["sigma"], float)
    r = np.where(mask, (np.asarray(d["y"]) - np.asarray(d["fit"])) / sigma, 0.0)
    points = mask.sum(axis=1)
    free = float(result.statistics.get("n_parameters", 0)) + float(
        result.statistics.get("n_linear", 0)
    )
    if not math.isfinite(free):
        free = 0.0
    freedom = np.maximum(points - free * points / points.sum(), 1.0)
    return np.square(r).sum(axis=1) / freedom, freedom
