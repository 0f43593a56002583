"""QENS figures: raw spectra, S(Q, ω), fits per Q bin, half widths, posteriors.

Datasets are the dictionaries of `jaxscatter.qens.read_nxspe`; bins are those of
`build_data_bins`. Units: energies and half widths in meV, Q in 1/Å.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from . import groups, posterior, style

OMEGA = "ω [meV]"
Q = "Q [1/Å]"
Number = float | int


def plot_overview(
    dataset: Mapping[str, Any],
    save_path: style.PathLike | None = None,
    *,
    energy_window: Number | None = None,
) -> Any:
    """Figure of each file's mean spectrum, and of its intensity against Q.

    Args:
        dataset: datasets by name, or one dataset.
        save_path: file to write.
        energy_window: half width of the energies shown; by default all.
    """
    runs: list[Any] = [dataset] if "data" in dataset else list(dataset.values())
    if not runs:
        raise DataError("dataset is empty: expected at least one run")
    with style.context():
        fig = style.figure(9.6, 4.2 + 0.2 * len(runs))
        left, right = fig.subplots(1, 2, width_ratios=(1.4, 1))
        for i, d in enumerate(runs):
            look = {"color": style.CYCLE[i % len(style.CYCLE)], "label": _run(d)}
            rows, columns = np.asarray(d["good"]), _window(d, energy_window)
            values, valid = _valid(d, rows, columns)
            mean = values.sum(0) / np.maximum(valid.sum(0), 1)
            shown = valid.any(0) & (mean > 0)
            left.semilogy(d["e"][columns][shown], mean[shown], lw=1.3, **look)
            area = _intensity(d["e"][columns], values, valid)
            marker = style.MARKERS[i % len(style.MARKERS)]
            order = np.argsort(d["q"][rows])
            right.plot(
                d["q"][rows][order], area[order], marker, ms=2.5, color=look["color"]
            )
        left.axvline(0, color=style.GREY, lw=0.8, ls=":")
        left.set(xlabel=OMEGA, ylabel="mean intensity [arb. units]")
        right.set(xlabel=Q, ylabel="∫ intensity dω [arb. units · meV]")
        right.set_ylim(bottom=0)
        fig.legend(loc="outside upper center", ncols=1 if len(runs) < 4 else 2)
        return style.finish(fig, save_path)


def plot_sqw_map(
    d: Mapping[str, Any],
    save_path: style.PathLike | None = None,
    *,
    energy_window: Number = 1.25,
) -> Any:
    """Figure of the measured S(Q, ω) of one dataset, logarithmic colours.

    Masked points and points that are not positive are left white.
    """
    rows = np.asarray(d["good"])
    rows = rows[np.argsort(d["q"][rows])]
    columns = _window(d, energy_window)
    values, valid = _valid(d, rows, columns)
    shown = np.ma.masked_where(~valid | (values <= 0), values)
    if shown.count() == 0:
        raise DataError(
            f"{d['name']}: no positive intensity in ±{energy_window} meV to map"
        )
    low, high = np.percentile(shown.compressed(), [2, 99.8])
    with style.context():
        from matplotlib.colors import LogNorm

        fig = style.figure(6.8, 5.0)
        ax = fig.subplots()
        image = ax.pcolormesh(
            d["e"][columns],
            d["q"][rows],
            shown,
            norm=LogNorm(low, max(high, 1.01 * low)),
            shading="nearest",
            rasterized=True,
        )
        ax.set(xlabel=OMEGA, ylabel=Q)
        ax.set_title(_run(d))
        fig.colorbar(image, ax=ax, label="S(Q, ω) [arb. units]", extend="both")
        return style.finish(fig, save_path)


def plot_per_q_fits(
    fit: Any,
    curves: Sequence[Any] | None = None,
    save_path: style.PathLike | None = None,
    *,
    max_groups: int = 12,
    log_y: bool | None = None,
) -> Any:
    """Figure of data, fit and residuals of every Q bin.

    Args:
        fit: a `FitResult`, or bins (omega, spectrum, errors, q).
        curves: the fitted spectrum of each bin, where `fit` is bins.
        save_path: file to write.
        max_groups: of more bins, evenly spaced ones are shown.
        log_y: logarithmic intensities.
    """
    if hasattr(fit, "data"):
        return groups.fit(fit, save_path, max_groups, log_y=log_y)
    if curves is not None and len(curves) != len(fit):
        raise DataError(f"{len(curves)} curves for {len(fit)} bins")
    panels = []
    for i, (omega, spectrum, errors, q) in enumerate(fit):
        seen = np.asarray(errors) > 0
        panels.append(
            groups.Panel(
                np.asarray(omega),
                np.asarray(spectrum),
                np.where(seen, errors, 1.0),
                seen,
                None if curves is None else np.asarray(curves[i], float),
                None,
                f"Q = {q:.3g} 1/Å",
                OMEGA,
                "S(Q, ω) [arb. units]",
            )
        )
    return groups.draw(panels, "", save_path, max_groups, log_y=bool(log_y))


def plot_hwhm_vs_q2(
    q: Any,
    hwhm: Any,
    err: Any = None,
    models: Mapping[str, Any] | None = None,
    save_path: style.PathLike | None = None,
    *,
    resolution: Number | None = None,
) -> Any:
    """Figure of measured half widths Γ against Q², with model curves.

    A straight line through the origin is continuous diffusion.

    Args:
        q: Q of each bin.
        hwhm: Γ of each bin; NaN where there is none.
        err: standard errors of Γ.
        models: by label, a function of Q (`lambda q: fickian_hwhm(q, 0.23)`), values
            at `q`, or a pair (Q, values), e.g. of a finer grid. Values of shape
            (draw, Q) are drawn as median and 95 % band.
        save_path: file to write.
        resolution: half width of the resolution, drawn as a line.
    """
    q, hwhm = np.asarray(q, float), np.asarray(hwhm, float)
    seen = np.isfinite(q) & np.isfinite(hwhm)
    if not seen.any():
        raise DataError("no finite half width to plot")
    fine = np.linspace(0.0, 1.05 * float(q[seen].max()), 300)
    with style.context():
        fig = style.figure(6.4, 4.8)
        ax = fig.subplots()
        bars = None if err is None else np.asarray(err, float)[seen]
        ax.errorbar(
            q[seen] ** 2,
            hwhm[seen],
            bars,
            fmt="o",
            ms=5,
            color=style.BLACK,
            capsize=2.5,
            label="measured ± σ",
            zorder=5,
        )
        for i, (name, model) in enumerate((models or {}).items()):
            x, y = _curve(name, model, q, fine)
            colour = style.CYCLE[i % len(style.CYCLE)]
            dashes = ("-", "--", "-.", ":")[i % 4]
            if y.ndim == 2:
                low, y, high = np.quantile(y, [0.025, 0.5, 0.975], axis=0)
                ax.fill_between(x**2, low, high, color=colour, alpha=0.25, lw=0)
            ax.plot(x**2, y, dashes, color=colour, label=style.plain(name))
        if resolution is not None:
            ax.axhline(
                float(resolution), color=style.GREY, ls=":", label="resolution HWHM"
            )
        ax.set(xlabel="Q² [1/Å²]", ylabel="Γ, HWHM [meV]")
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=0)
        ax.legend()
        return style.finish(fig, save_path)


def plot_posteriors(
    samples: Any,
    names: Sequence[str] | None = None,
    save_path: style.PathLike | None = None,
    *,
    units: Mapping[str, str] | None = None,
    reference_values: Mapping[str, Any] | None = None,
) -> Any:
    """Figure of one marginal per parameter, with 95 % intervals.

    Args:
        samples: a `SampleResult`, or an array (draw, parameter) with `names`.
        names: parameters to draw; the columns' names where `samples` is an array.
        save_path: file to write.
        units: units by name, where `samples` is an array.
        reference_values: a value, or several, to mark by name.
    """
    sample, names = _by_name(samples, names)
    return posterior.marginals(
        sample, names, save_path, truths=reference_values, units=units
    )


def plot_joint_posterior(
    samples: Any,
    pair: Sequence[str],
    save_path: style.PathLike | None = None,
    *,
    names: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    reference_point: Mapping[str, Any] | None = None,
) -> Any:
    """Figure of the posterior of two parameters by name.

    Args:
        samples: a `SampleResult`, or an array (draw, parameter) with `names`.
        pair: the two names.
        save_path: file to write.
        names: the columns' names where `samples` is an array.
        units: units by name, where `samples` is an array.
        reference_point: values to mark by name.
    """
    sample, _ = _by_name(samples, names)
    return posterior.joint(sample, pair, save_path, truths=reference_point, units=units)


def _by_name(samples: Any, names: Sequence[str] | None) -> tuple[Any, Any]:
    if hasattr(samples, "draws") or isinstance(samples, Mapping):
        return samples, names
    array = np.asarray(samples, float)
    if names is None or array.ndim != 2 or array.shape[1] != len(names):
        raise DataError(
            f"samples have shape {array.shape}: expected (draw, parameter) and as many "
            f"names, not {names}"
        )
    return dict(zip(names, array.T, strict=True)), names


def _curve(
    name: str, model: Any, q: np.ndarray, fine: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(model, Callable):
        x, y = fine, np.asarray(model(fine), float)
    elif isinstance(model, tuple):
        x, y = (np.asarray(part, float) for part in model)
    else:
        x, y = q, np.asarray(model, float)
    if y.shape[-1:] != x.shape:
        raise DataError(f"curve {name!r}: {y.shape} values for {x.shape} Q")
    order = np.argsort(x)
    return x[order], y[..., order]


def _run(d: Mapping[str, Any]) -> str:
    temp = f", {d['temp']:g} K" if d.get("temp", -1) >= 0 else ""
    text = f"{d['sample']}{temp}, Ei {d['ei']:.3g} meV, {d['kind']}"
    if d.get("fwhm_res"):
        text += f", resolution FWHM {1e3 * d['fwhm_res']:.0f} µeV"
    return style.plain(text)


def _window(d: Mapping[str, Any], half: Number | None) -> np.ndarray:
    e = np.asarray(d["e"])
    return np.arange(e.size) if half is None else np.flatnonzero(np.abs(e) <= half)


def _valid(
    d: Mapping[str, Any], rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(values with 0 at masked points, mask) of a block."""
    block = np.ix_(rows, columns)
    valid = np.asarray(d["errs"])[block] > 0
    return np.where(valid, np.asarray(d["data"])[block], 0.0), valid


def _intensity(e: np.ndarray, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Integral over the valid energies of each row."""
    return np.sum(np.where(valid, values, 0.0) * np.gradient(e), axis=1)
