"""Data, fitted curve and residuals of every group, for any technique.

The x axis is the coordinate that `metadata["x"]` names, or the first one with a point
axis; a panel's title tells the coordinate that `metadata["group"]` names. Masked
points are not drawn.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from . import style

MOST_POINTS = 2000


class Panel(NamedTuple):
    """What one panel shows: points in order of x, and how to label them.

    The curve is drawn at every point, also where `seen` is False and there is no datum.
    """

    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    seen: np.ndarray
    fit: np.ndarray | None
    band: np.ndarray | None
    title: str
    x_label: str
    y_label: str


def fit(
    result: Any,
    path: style.PathLike | None = None,
    max_groups: int = 12,
    log_x: bool | None = None,
    log_y: bool | None = None,
) -> Any:
    """Figure of data with errors, fit and residual/σ, one panel per group.

    Args:
        result: a fit, or a sample whose data hold a fitted curve.
        path: file to write.
        max_groups: of more groups, evenly spaced ones are shown; the title says so.
        log_x: logarithmic axis; by default what the data's metadata say.
        log_y: the same for y.
    """
    factor = _error_factor(result)
    every = [p for d in result.data for p in panels(d, factor)]
    metadata = [d.get("metadata", {}) for d in result.data]
    if log_x is None:
        log_x = any(m.get("log_x", False) for m in metadata)
    if log_y is None:
        log_y = any(m.get("log_y", False) for m in metadata)
    return draw(every, _title(result), path, max_groups, bool(log_x), bool(log_y))


def panels(d: Mapping[str, Any], factor: float = 1.0) -> list[Panel]:
    """One panel per group of a data record with y, sigma, mask, coords, ...

    Args:
        d: an entry of `result.data`.
        factor: number that multiplies sigma.

    Raises:
        DataError: it holds only checksums, or names a coordinate it does not have.
    """
    if "y" not in d:
        raise DataError(
            "the result holds only checksums of its data, too large to be stored: plot "
            "where the data are, or save with a larger data_limit"
        )
    y = np.asarray(d["y"], float)
    metadata, units = d.get("metadata", {}), d.get("units", {})
    name = _x_name(d)
    out = []
    for g in range(y.shape[0]):
        x = (
            np.arange(y.shape[1], dtype=float)
            if name is None
            else _of_group(d, name, g)
        )
        keep = np.argsort(x, kind="stable")
        keep = keep[:: max(1, math.ceil(keep.size / MOST_POINTS))]
        curve, band = d.get("fit"), d.get("band")
        out.append(
            Panel(
                x[keep],
                y[g, keep],
                factor * np.asarray(d["sigma"], float)[g, keep],
                np.asarray(d["mask"])[g, keep] > 0,
                None if curve is None else np.asarray(curve, float)[g, keep],
                None if band is None else np.asarray(band, float)[:, g, keep],
                _group_title(d, g),
                "point"
                if name is None
                else style.label(style.symbol(name), units.get(name, "")),
                style.label(str(metadata.get("y_label", "y")), units.get("y", "")),
            )
        )
    return out


def draw(
    every: list[Panel],
    title: str = "",
    path: style.PathLike | None = None,
    max_groups: int = 12,
    log_x: bool = False,
    log_y: bool = False,
) -> Any:
    """Figure of panels, each with a strip of residuals below where there is a fit."""
    if not every:
        raise DataError("there is no group to plot")
    n = min(len(every), max(int(max_groups), 1))
    chosen = [every[i] for i in np.linspace(0, len(every) - 1, n).round().astype(int)]
    if n < len(every):
        title = f"{title} · {n} of {len(every)} groups".removeprefix(" · ")
    same = len({(p.x_label, p.y_label) for p in chosen}) == 1
    rows, columns = style.grid(n)
    wide, high = (6.4, 5.0) if n == 1 else (3.1 * columns + 0.5, 3.0 * rows + 0.5)
    with style.context():
        fig = style.figure(wide, high)
        cells = fig.add_gridspec(rows, columns)
        for i, panel in enumerate(chosen):
            below = i + columns >= n
            top, strip = _axes(fig, cells[i // columns, i % columns], panel)
            _draw_panel(top, strip, panel, log_x, log_y, first=i == 0)
            if below or not same:
                (top if strip is None else strip).set_xlabel(panel.x_label)
            if i % columns == 0 or not same:
                top.set_ylabel(panel.y_label)
                if strip is not None:
                    strip.set_ylabel("res. [σ]")
                    # Of the pair only: the cost grows as the square of the axes.
                    fig.align_ylabels([top, strip])
        if title:
            fig.suptitle(style.plain(title))
        return style.finish(fig, path)


def _axes(fig: Any, cell: Any, panel: Panel) -> tuple[Any, Any]:
    if panel.fit is None:
        return fig.add_subplot(cell), None
    pair = cell.subgridspec(2, 1, height_ratios=(3.2, 1), hspace=0.0)
    top = fig.add_subplot(pair[0])
    strip = fig.add_subplot(pair[1], sharex=top)
    top.tick_params(labelbottom=False)
    return top, strip


def _draw_panel(
    top: Any, strip: Any, p: Panel, log_x: bool, log_y: bool, first: bool
) -> None:
    size = 3.5 if p.x.size < 120 else 2.0
    seen = p.seen & (p.y > 0) if log_y else p.seen
    top.errorbar(
        p.x[seen],
        p.y[seen],
        p.sigma[seen],
        fmt="o",
        ms=size,
        color=style.GREY,
        ecolor=style.GREY,
        elinewidth=0.7,
        label="data",
        zorder=1,
    )
    if p.band is not None:
        low, high = p.band
        top.fill_between(
            p.x, low, high, color=style.SKY, alpha=0.5, lw=0, label="95 %", zorder=2
        )
    if p.fit is not None:
        top.plot(p.x, p.fit, color=style.RED, label="fit", zorder=3)
        residual = ((p.y - p.fit) / p.sigma)[p.seen]
        strip.axhspan(-2, 2, color=style.GREY, alpha=0.15, lw=0)
        strip.axhline(0, color=style.RED, lw=1)
        strip.plot(p.x[p.seen], residual, "o", ms=0.8 * size, color=style.GREY)
        reach = 1.15 * max(3.0, float(np.max(np.abs(residual), initial=0.0)))
        strip.set_ylim(-reach, reach)
        strip.locator_params(axis="y", nbins=3)
    if log_x:
        top.set_xscale("log")
    if log_y and np.any(seen):
        top.set_yscale("log")
        # An error bar that reaches zero must not decide the range.
        low = 0.5 * float(np.min(p.y[seen]))
        top.set_ylim(bottom=low)
    top.set_title(p.title)
    if first:
        top.legend(loc="best")


def _x_name(d: Mapping[str, Any]) -> str | None:
    coords, dims = d.get("coords", {}), d.get("dims", {})
    name = d.get("metadata", {}).get("x")
    if name is not None:
        if name not in coords:
            raise DataError(
                f"metadata['x'] is {name!r}; the coordinates are {sorted(coords)}"
            )
        return name
    for name in coords:
        if tuple(dims.get(name, ())) in (("point",), ("group", "point")):
            return name
    return None


def _of_group(d: Mapping[str, Any], name: str, g: int) -> np.ndarray:
    array = np.asarray(d["coords"][name], float)
    return array[g] if tuple(d["dims"][name])[:1] == ("group",) else array


def _group_title(d: Mapping[str, Any], g: int) -> str:
    metadata, units = d.get("metadata", {}), d.get("units", {})
    name = metadata.get("group")
    array = d.get("coords", {}).get(name)
    if name is None or array is None or np.ndim(array) == 0:
        text = f"group {g}" if len(d["y"]) > 1 else ""
    else:
        value = np.asarray(array)[g]
        shown = f"{value:.3g}" if np.issubdtype(value.dtype, np.number) else str(value)
        text = f"{style.symbol(name)} = {shown} {style.plain(units.get(name, ''))}"
    return " · ".join(
        t for t in (style.plain(str(metadata.get("title", ""))), text.strip()) if t
    )


def _error_factor(result: Any) -> float:
    """Factor √(reduced χ²) of σ where errors are scaled to the scatter, else 1."""
    red = result.statistics.get("red_chi2", math.nan)
    if getattr(result, "scaled", False) and math.isfinite(red) and red > 0:
        return math.sqrt(red)
    return 1.0


def _title(result: Any) -> str:
    parts = [str(result.provenance.get("model", "")), result.method]
    red = result.statistics.get("red_chi2", math.nan)
    if math.isfinite(red) and not getattr(result, "scaled", False):
        parts.append(f"reduced χ² = {red:.3g}")
    if not getattr(result, "success", True):
        parts.append("NOT CONVERGED")
    return " · ".join(p for p in parts if p)
