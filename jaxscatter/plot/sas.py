"""SAS figures: I(q) with fit and residuals.

They take a fit, a posterior sample, or a `Dataset` of `js.sas.load`. Joint results
have a curve per data set, and a strip of residuals each.

Axes are logarithmic. A point near or below 0 cannot be drawn there: an arrow at I + 2σ
stands for it, and its residual is in the strip below.

Units: q in 1/Å, I as the data's, usually 1/cm.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from . import style
from .groups import MOST_POINTS, _error_factor, _title

Record = Mapping[str, Any]
MOST_STRIPS = 4
"""With more data sets residuals share one strip."""
OVERLAP = 0.5
"""Share of a curve's range in log q from which on curves are set apart."""
Q = style.label("Q", "1/Å")


class Curve(NamedTuple):
    """What is drawn of one data set, in order of q; points that count only."""

    q: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    fit: np.ndarray | None
    band: np.ndarray | None
    bare: tuple[np.ndarray, np.ndarray] | None
    """(q, I) of the model before smearing"""
    label: str
    y_label: str


def records(data: Any) -> list[Record]:
    """The data sets of a result, or of a Dataset.

    Raises:
        DataError: none of small-angle scattering, or checksums in their place.
    """
    found: list[Record]
    if hasattr(data, "statistics"):
        found = list(data.data)
    elif isinstance(data, Mapping):
        found = [data]
    else:
        found = [
            {
                "y": np.asarray(data.y),
                "sigma": np.asarray(data.sigma),
                "mask": np.asarray(data.mask) > 0,
                "coords": {k: np.asarray(v) for k, v in data.coords.items()},
                "dims": dict(data.dims),
                "units": dict(data.units),
                "metadata": dict(data.metadata),
            }
        ]
    if any("y" not in d for d in found):
        raise DataError(
            "the result holds only checksums of its data, too large to be stored: plot "
            "where the data are, or save with a larger data_limit"
        )
    if not found or not all(is_small_angle(d) for d in found):
        raise DataError("these are no data of small-angle scattering: no q or qx, qy")
    return found


def is_small_angle(d: Record) -> bool:
    """Whether a data set came from `js.sas`: a curve I(q) or an image."""
    known = d.get("metadata", {})
    return "weights" in known and bool({"q", "qx"} & set(d.get("coords", {})))


def is_pattern(d: Record) -> bool:
    """Whether a data set is an image I(qx, qy)."""
    return "qx" in d["coords"]


def plot_sas_fit(
    data: Any,
    path: style.PathLike | None = None,
    *,
    offset: float | int | None = None,
    unsmeared: bool = False,
    max_sets: int = 8,
) -> Any:
    """Figure of I(q) with errors, fit and 95 % band, and of residual/σ below.

    The fit is drawn as the instrument smears it. σ is scaled by √(reduced χ²) where
    the data have no errors of their own.

    Args:
        data: a fit, a sample, whose middle curve is drawn, or a Dataset.
        path: file to write.
        offset: factor between the curves of successive data sets; 1 leaves them where
            they are. By default they are set apart by powers of ten where they would
            lie on each other, and the legend says so.
        unsmeared: whether to draw the model before smearing, too; it needs a result
            with its problem.
        max_sets: of more data sets, evenly spaced ones are shown.
    """
    every = records(data)
    curves = [d for d in every if not is_pattern(d)]
    if not curves:
        from .sas_patterns import plot_sas_pattern

        return plot_sas_pattern(data, path)
    n = min(len(curves), max(int(max_sets), 1))
    chosen = np.unique(np.linspace(0, len(curves) - 1, n).round().astype(int))
    factor = _error_factor(data) if hasattr(data, "statistics") else 1.0
    bare = _bare(data, every) if unsmeared else [None] * len(every)
    positions = [i for i, d in enumerate(every) if not is_pattern(d)]
    drawn = [_curve(every[positions[k]], factor, bare[positions[k]]) for k in chosen]
    offset = _offset(drawn) if offset is None else float(offset)
    title = _title(data) if hasattr(data, "statistics") else drawn[0].label
    if len(chosen) < len(curves):
        title = f"{title} · {len(chosen)} of {len(curves)} data sets"
    fitted = any(c.fit is not None for c in drawn)
    strips = (len(drawn) if len(drawn) <= MOST_STRIPS else 1) if fitted else 0
    with style.context():
        wide = 6.4 if len(drawn) <= MOST_STRIPS else 8.2
        fig = style.figure(wide, 4.5 + 0.75 * strips)
        ratios = [4.0] + [0.85] * strips
        axes = fig.subplots(
            1 + strips, 1, sharex=True, squeeze=False, height_ratios=ratios
        ).ravel()
        _curves(axes[0], drawn, offset)
        for k, c in enumerate(drawn):
            if c.fit is not None:
                _residuals(axes[1 + min(k, strips - 1)], c, _colour(k, len(drawn)))
        axes[0].set_ylabel(drawn[0].y_label)
        axes[-1].set_xlabel(Q)
        for ax in axes[1:]:
            ax.set_ylabel("res. [σ]")
        fig.align_ylabels(axes)
        fig.suptitle(style.plain(wrapped(title)))
        return style.finish(fig, path)


def label_of(d: Record) -> str:
    """What a data set is called: its name in a joint fit, else its title."""
    name, title = str(d.get("name", "")), str(d["metadata"].get("title", "")).strip()
    if name and not name.isdigit():
        return name
    short = title if len(title) <= 40 else title[:38] + "…"
    return ": ".join(t for t in (name, short) if t)


def wrapped(title: str, width: int = 64) -> str:
    """A title in lines that fit the figure, broken between its parts."""
    lines = [""]
    for word in title.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _curve(
    d: Record, factor: float, bare: tuple[np.ndarray, np.ndarray] | None
) -> Curve:
    q, seen = np.asarray(d["coords"]["q"], float), np.asarray(d["mask"])[0] > 0
    seen = seen & (q > 0)
    keep = np.flatnonzero(seen)[np.argsort(q[seen], kind="stable")]
    if keep.size == 0:
        raise DataError("no point of the data counts")
    keep = keep[:: max(1, math.ceil(keep.size / MOST_POINTS))]
    fit, band = d.get("fit"), d.get("band")
    unit = d.get("units", {}).get("y", "")
    if bare is not None:
        inside = (bare[0] >= q[keep][0]) & (bare[0] <= q[keep][-1])
        bare = bare[0][inside], bare[1][inside]
    return Curve(
        q[keep],
        np.asarray(d["y"], float)[0, keep],
        factor * np.asarray(d["sigma"], float)[0, keep],
        None if fit is None else np.asarray(fit, float)[0, keep],
        None if band is None else np.asarray(band, float)[:, 0, keep],
        bare,
        label_of(d),
        style.label("I(Q)", unit),
    )


def _bare(data: Any, every: Sequence[Record]) -> list[Any]:
    """The model before smearing of every data set that is smeared."""
    from .sas_parts import unsmeared

    smeared = ["smear" in d["coords"] for d in every]
    return [unsmeared(data, k) if s else None for k, s in enumerate(smeared)]


def _offset(drawn: Sequence[Curve]) -> float:
    """10 where curves share their range of q, so that they would hide each other."""
    spans = [np.log([c.q[0], c.q[-1]]) for c in drawn]
    for i, (a, b) in enumerate(spans):
        for c, d in spans[:i]:
            shared = min(b, d) - max(a, c)
            if shared > OVERLAP * min(b - a, d - c):
                return 10.0
    return 1.0


def _colour(k: int, of: int) -> str:
    return style.GREY if of == 1 else style.CYCLE[k % len(style.CYCLE)]


def _curves(ax: Any, drawn: Sequence[Curve], offset: float) -> None:
    low, high = math.inf, 0.0
    for k, c in enumerate(drawn):
        factor = offset ** (len(drawn) - 1 - k)
        bottom, top = _one(ax, k, len(drawn), c, factor)
        low, high = min(low, bottom), max(high, top)
    ax.set_xscale("log")
    ax.set_yscale("log", nonpositive="clip")
    if low < math.inf:
        ax.set_ylim(low, max(2 * high, 10 * low))
    handles, labels = ax.get_legend_handles_labels()
    first = [i for i, text in enumerate(labels) if labels.index(text) == i]
    order = sorted(first, key=lambda i: hasattr(handles[i], "get_xydata"))
    shown = [handles[i] for i in order], [labels[i] for i in order]
    if len(drawn) > MOST_STRIPS:  # more than fits between the curves
        ax.figure.legend(*shown, loc="outside right upper")
    else:
        ax.legend(*shown, loc="best")


def _one(ax: Any, k: int, of: int, c: Curve, factor: float) -> tuple[float, float]:
    """One data set times `factor`; (lowest, highest) that the axis has to show."""
    alone = of == 1
    size = 3.5 if c.q.size < 120 else 2.0
    colour = _colour(k, of)
    marker = style.MARKERS[k % len(style.MARKERS)]
    name = "data" if alone else style.plain(c.label)
    if factor != 1.0:
        name += f" × {_power(factor)}"
    limit = c.y + 2 * c.sigma
    sure = c.y[c.y > c.sigma]
    bottom = 0.4 * min(
        float(np.min(sure, initial=math.inf)),
        float(np.min(limit[(c.y <= 0) & (limit > 0)], initial=math.inf)),
    )
    up = c.y > (bottom if bottom < math.inf else 0.0)
    ax.errorbar(
        c.q[up],
        factor * c.y[up],
        factor * c.sigma[up],
        fmt=marker,
        ms=size,
        color=colour,
        elinewidth=0.7,
        alpha=1.0 if alone else 0.55,
        label=name,
        zorder=1,
    )
    down = ~up & (limit > 0)
    if down.any():
        # Arrows in the colour of the data: the highest value that 2σ allow.
        ax.plot(
            c.q[down],
            factor * limit[down],
            linestyle="none",
            marker=r"$\downarrow$",
            ms=6,
            color=colour,
            alpha=0.7,
            label=f"I + 2σ of {np.sum(~up)} points near or below 0"
            if alone
            else "I + 2σ, I near or below 0",
            zorder=1,
        )
    if c.band is not None:
        edges = [np.where(e > 0, factor * e, np.nan) for e in c.band]
        floor = factor * bottom if bottom < math.inf else np.nan
        edges[0] = np.where(np.isnan(edges[0]), floor, edges[0])
        tint = style.SKY if alone else colour
        ax.fill_between(
            c.q, *edges, color=tint, alpha=0.35, lw=0,
            label="95 %" if k == 0 else None, zorder=2,
        )  # fmt: skip
    if c.bare is not None:
        ax.plot(
            c.bare[0],
            factor * np.where(c.bare[1] > 0, c.bare[1], np.nan),
            "--",
            lw=1.2,
            color=style.BLUE if alone else colour,
            label="before smearing" if k == 0 else None,
            zorder=3,
        )
    if c.fit is not None:
        ax.plot(
            c.q,
            factor * np.where(c.fit > 0, c.fit, np.nan),
            color=style.RED if alone else style.BLACK,
            lw=1.6 if alone else 1.1,
            label="fit" if k == 0 else None,
            zorder=4,
        )
    highest = max(float(np.max(v)) for v in (c.y + c.sigma, *(c.bare or ())[1:]))
    return factor * bottom, factor * highest


def _power(factor: float) -> str:
    power = math.log10(factor)
    if abs(power - round(power)) < 1e-9:
        return "10" + str(round(power)).translate(style._RAISED)
    return f"{factor:.3g}"


def _residuals(ax: Any, c: Curve, colour: str) -> None:
    residual = (c.y - c.fit) / c.sigma
    if not ax.patches:
        ax.axhspan(-2, 2, color=style.GREY, alpha=0.15, lw=0)
        ax.axhline(0, color=style.RED if colour == style.GREY else style.BLACK, lw=1)
    ax.plot(c.q, residual, "o", ms=2.2, color=colour)
    before = ax.get_ylim()[1] if len(ax.lines) > 2 else 0.0
    reach = 1.15 * max(3.0, float(np.max(np.abs(residual), initial=0.0)))
    reach = max(reach, before)
    ax.set_ylim(-reach, reach)
    ax.locator_params(axis="y", nbins=3)
