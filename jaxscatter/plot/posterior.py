"""Posterior samples: corner plot, marginals, one pair, and traces with rank histograms.

Each function takes a `SampleResult`, or draws as {name: array} with `units`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage, stats

from ..errors import DataError
from . import style

Truths = Mapping[str, Any]
SHARES = (0.5, 0.9)
"""Probability inside the drawn contours."""


def corner(
    sample: Any,
    names: Sequence[str] | None = None,
    path: style.PathLike | None = None,
    *,
    truths: Truths | None = None,
    units: Mapping[str, str] | None = None,
    max_names: int = 8,
) -> Any:
    """Figure of all marginals and pairs; contours hold 50 % and 90 % of the draws.

    Args:
        sample: a `SampleResult`, or a mapping of names to draws.
        names: what to draw; by default the sampled parameters.
        path: file to write.
        truths: values to mark, by name.
        units: units by name, where `sample` is a mapping.
        max_names: without `names`, no more than these many parameters are drawn.
    """
    chosen, note = _chosen(sample, names, max_names)
    draws, labels, powers = _scaled(sample, chosen, units)
    marks = {k: float(v) / 10.0 ** powers.get(k, 0) for k, v in (truths or {}).items()}
    bad = _divergent(sample)
    n = len(chosen)
    size = (2.1 if n < 5 else 1.8) * n + 0.9 if n > 1 else 4.8
    with style.context():
        fig = style.figure(size, size)
        axes = fig.subplots(n, n, squeeze=False, sharex="col")
        for i, row in enumerate(chosen):
            for j, column in enumerate(chosen):
                ax = axes[i, j]
                if j > i:
                    ax.set_visible(False)
                    continue
                if i == j:
                    _marginal(ax, draws[row], marks.get(row))
                    ax.set_title(_interval(draws[row]))
                else:
                    _pair(ax, draws[column], draws[row], bad)
                    _mark(ax, marks.get(column), marks.get(row))
                    ax.set_ylim(*_range(draws[row], marks.get(row)))
                    _ticks(ax, "y")
                ax.set_xlim(*_range(draws[column], marks.get(column)))
                _ticks(ax, "x")
                if i == n - 1:
                    ax.set_xlabel(labels[column])
                    ax.tick_params(axis="x", rotation=45)
                else:
                    ax.tick_params(axis="x", labelbottom=False)
                if j == 0 and i > 0:
                    ax.set_ylabel(labels[row])
                elif i != j:
                    ax.tick_params(axis="y", labelleft=False)
        fig.suptitle(_title(sample, note))
        fig.align_xlabels(axes[-1])
        fig.align_ylabels(axes[1:, 0])
        return style.finish(fig, path)


def marginals(
    sample: Any,
    names: Sequence[str] | None = None,
    path: style.PathLike | None = None,
    *,
    truths: Truths | None = None,
    units: Mapping[str, str] | None = None,
    max_names: int = 16,
) -> Any:
    """Figure of one histogram per parameter with median and 95 % interval.

    `truths` may hold one value or several by name; the rest is as in `corner`.
    """
    chosen, note = _chosen(sample, names, max_names)
    draws, labels, powers = _scaled(sample, chosen, units)
    rows, columns = style.grid(len(chosen))
    with style.context():
        fig = style.figure(max(3.2 * columns, 4.8), 2.8 * rows + 0.5)
        axes = fig.subplots(rows, columns, squeeze=False).ravel()
        for ax, name in zip(axes, chosen, strict=False):
            marks = np.atleast_1d((truths or {}).get(name, []))
            marks = np.asarray(marks, float) / 10.0 ** powers[name]
            _marginal(ax, draws[name], *marks)
            ax.set_title(_interval(draws[name]))
            ax.set_xlabel(labels[name])
            _ticks(ax, "x")
        for ax in axes[len(chosen) :]:
            ax.set_visible(False)
        fig.suptitle(_title(sample, note))
        return style.finish(fig, path)


def joint(
    sample: Any,
    pair: Sequence[str],
    path: style.PathLike | None = None,
    *,
    truths: Truths | None = None,
    units: Mapping[str, str] | None = None,
) -> Any:
    """Figure of the posterior of two parameters: draws, 50 % and 90 % contours."""
    if len(pair) != 2:
        raise DataError(f"pair={list(pair)}: expected two names")
    chosen, _ = _chosen(sample, pair, 2)
    draws, labels, powers = _scaled(sample, chosen, units)
    marks = {k: float(v) / 10.0 ** powers.get(k, 0) for k, v in (truths or {}).items()}
    x, y = chosen
    with style.context():
        fig = style.figure(5.6, 4.8)
        ax = fig.subplots()
        _pair(ax, draws[x], draws[y], _divergent(sample), points=3000)
        _mark(ax, marks.get(x), marks.get(y))
        ax.set(
            xlabel=labels[x],
            ylabel=labels[y],
            xlim=_range(draws[x], marks.get(x)),
            ylim=_range(draws[y], marks.get(y)),
        )
        fig.suptitle(_title(sample, ""))
        return style.finish(fig, path)


def trace(
    sample: Any,
    names: Sequence[str] | None = None,
    path: style.PathLike | None = None,
    *,
    truths: Truths | None = None,
    units: Mapping[str, str] | None = None,
    max_names: int = 12,
) -> Any:
    """Figure of chains, and of the ranks of each chain's draws among all, by parameter.

    Chains of one distribution have flat rank histograms. One chain has no ranks to
    compare: its histogram is drawn instead.
    """
    chosen, note = _chosen(sample, names, max_names)
    draws, labels, powers = _scaled(sample, chosen, units)
    with style.context():
        fig = style.figure(8.6, 1.7 * len(chosen) + 0.8)
        axes = fig.subplots(len(chosen), 2, squeeze=False, width_ratios=(2.2, 1))
        for (left, right), name in zip(axes, chosen, strict=True):
            chains = np.atleast_2d(draws[name])
            for i, chain in enumerate(chains):
                colour = style.CYCLE[i % len(style.CYCLE)]
                left.plot(chain, color=colour, lw=0.6, alpha=0.8)
            left.set_ylabel(labels[name])
            left.set_xlim(0, max(chains.shape[1] - 1, 1))
            mark = (truths or {}).get(name)
            if mark is not None:
                value = float(mark) / 10.0 ** powers[name]
                left.axhline(value, color=style.BLACK, ls="--", lw=1.2)
            if len(chains) == 1:
                _marginal(right, chains)
                right.set_xlabel(labels[name])
            else:
                _ranks(right, chains)
        axes[-1, 0].set_xlabel("draw")
        if len(np.atleast_2d(draws[chosen[0]])) > 1:
            axes[-1, 1].set_xlabel("rank among all draws [%]")
        fig.suptitle(_title(sample, note))
        fig.align_ylabels(axes[:, 0])
        return style.finish(fig, path)


def _table(sample: Any) -> dict[str, np.ndarray]:
    if isinstance(sample, Mapping):
        return {str(k): np.asarray(v, float) for k, v in sample.items()}
    return {**sample.draws, **sample.linear_draws}


def _chosen(
    sample: Any, names: Sequence[str] | None, most: int
) -> tuple[list[str], str]:
    """Names to draw, and a remark where that is not all of them."""
    table = _table(sample)
    if names is not None:
        unknown = [n for n in names if n not in table]
        if unknown or not len(names):
            raise DataError(f"no draws of {unknown}; there are {sorted(table)}")
        return list(names), ""
    every = list(table if isinstance(sample, Mapping) else sample.draws)
    if not every:
        raise DataError("the sample holds no draws")
    remark = f"{most} of {len(every)} parameters" if len(every) > most else ""
    return every[:most], remark


def _scaled(
    sample: Any, names: list[str], units: Mapping[str, str] | None
) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, int]]:
    """Draws divided by a power of ten, labels that say so, and the powers."""
    table = _table(sample)
    known = dict(getattr(sample, "units", {})) | dict(units or {})
    draws, labels, powers = {}, {}, {}
    for name in names:
        powers[name] = style.power_of_ten(table[name])
        draws[name] = table[name] / 10.0 ** powers[name]
        labels[name] = style.label(style.plain(name), known.get(name, ""), powers[name])
    return draws, labels, powers


def _divergent(sample: Any) -> np.ndarray | None:
    found = getattr(sample, "sample_stats", {}).get("diverging")
    return None if found is None or not np.any(found) else np.ravel(found).astype(bool)


def _title(sample: Any, note: str) -> str:
    if isinstance(sample, Mapping):
        return note
    state = "" if sample.converged else "NOT CONVERGED"
    model = str(sample.provenance.get("model", ""))
    return style.plain(" · ".join(p for p in (model, sample.method, state, note) if p))


def _interval(draws: np.ndarray) -> str:
    """Median with the distances to the ends of the 95 % interval."""
    finite = draws[np.isfinite(draws)]
    if not finite.size:
        return "no finite draws"
    low, middle, high = np.quantile(finite, [0.025, 0.5, 0.975])
    spread = max(middle - low, high - middle)
    digits = 3 if spread <= 0 else max(0, 1 - int(np.floor(np.log10(spread))))
    if digits > 8:
        return f"{middle:.8g}"
    centre, below, above = (
        f"{v:.{digits}f}" for v in (middle, middle - low, high - middle)
    )
    return f"${centre}_{{-{below}}}^{{+{above}}}$"


def _range(draws: np.ndarray, mark: float | None = None) -> tuple[float, float]:
    finite = draws[np.isfinite(draws)]
    if mark is not None:
        finite = np.append(finite, mark)
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    # A parameter that never moved still needs an axis.
    room = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def _ticks(ax: Any, axis: str) -> None:
    ax.locator_params(axis=axis, nbins=4)


def _marginal(ax: Any, draws: np.ndarray, *marks: float | None) -> None:
    x = draws[np.isfinite(draws)]
    if x.size:
        bins = int(np.clip(np.sqrt(x.size), 10, 50))
        ax.hist(
            x,
            bins=bins,
            range=_range(x),
            density=True,
            histtype="stepfilled",
            color=style.SKY,
            alpha=0.6,
        )
        low, middle, high = np.quantile(x, [0.025, 0.5, 0.975])
        ax.axvline(middle, color=style.BLUE)
        for edge in (low, high):
            ax.axvline(edge, color=style.BLUE, ls=":", lw=1.3)
    for i, mark in enumerate(m for m in marks if m is not None):
        ax.axvline(mark, color=style.CYCLE[1 + i % 5], ls="--")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _pair(
    ax: Any, x: np.ndarray, y: np.ndarray, bad: np.ndarray | None, points: int = 1000
) -> None:
    x, y = np.ravel(x), np.ravel(y)
    finite = np.isfinite(x) & np.isfinite(y)
    if bad is not None:
        bad = bad[finite] if bad.size == x.size else None
    x, y = x[finite], y[finite]
    step = max(1, x.size // points)
    ax.plot(
        x[::step],
        y[::step],
        ".",
        ms=2,
        color=style.GREY,
        alpha=0.35,
        mec="none",
        rasterized=True,
    )
    if bad is not None:
        ax.plot(x[bad], y[bad], "x", ms=4, color=style.PURPLE, label="divergent")
    if x.size < 50:
        return
    density, at_draws, xc, yc = _density(x, y)
    # Levels from the draws themselves, so that smoothing does not inflate the share.
    levels = np.unique(np.quantile(at_draws, [1 - s for s in SHARES]))
    levels = levels[(levels > 0) & (levels < density.max())]
    if levels.size:
        ax.contour(
            xc,
            yc,
            density.T,
            levels=levels,
            colors=[style.SKY, style.BLUE][-levels.size :],
            linewidths=1.6,
        )


def _density(
    x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed histogram, its value at each draw, and the bin centres."""
    bins = int(np.clip(np.sqrt(x.size) / 1.5, 15, 60))
    counts, xe, ye = np.histogram2d(x, y, bins=bins, range=(_range(x), _range(y)))
    density = ndimage.gaussian_filter(np.pad(counts, 3), 1.3)
    xc, yc = _centres(xe), _centres(ye)
    place = [(x - xc[0]) / (xc[1] - xc[0]), (y - yc[0]) / (yc[1] - yc[0])]
    return density, ndimage.map_coordinates(density, place, order=1), xc, yc


def _centres(edges: np.ndarray) -> np.ndarray:
    """Bin centres, with the three bins of padding on either side."""
    step = edges[1] - edges[0]
    return edges[0] + step * (np.arange(-3, edges.size + 2) + 0.5)


def _mark(ax: Any, x: float | None, y: float | None) -> None:
    if x is not None:
        ax.axvline(x, color=style.RED, ls="--", lw=1.2)
    if y is not None:
        ax.axhline(y, color=style.RED, ls="--", lw=1.2)


def _ranks(ax: Any, chains: np.ndarray) -> None:
    share = 100 * (stats.rankdata(chains).reshape(chains.shape) - 0.5) / chains.size
    bins = np.linspace(0, 100, min(20, max(4, chains.shape[1] // 20)) + 1)
    for i, row in enumerate(share):
        counts, _ = np.histogram(row, bins)
        ax.stairs(
            counts * (bins.size - 1) / row.size,
            bins,
            color=style.CYCLE[i % len(style.CYCLE)],
            lw=1.2,
            baseline=None,
        )
    ax.axhline(1.0, color=style.BLACK, lw=0.8, ls=":")
    ax.set_ylim(0, max(2.0, ax.get_ylim()[1]))
    ax.set_xlim(0, 100)
    ax.set_ylabel("density")
