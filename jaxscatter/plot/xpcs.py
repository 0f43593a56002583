"""XPCS figures of c2: two-time maps, fits with residuals, cuts at an age.

They take a fit, a posterior sample, or a `Dataset` of `js.xpcs.load`. Of many angles
evenly spaced ones are shown, or those of `angles=`; the title says so.

Units: times in s, angles in degrees.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from . import style
from .groups import _error_factor, _title

T1, T2 = style.label("t₁", "s"), style.label("t₂", "s")
C2 = "c₂"
DIVERGING = "RdBu_r"
MOST_LAGS = 40
Record = Mapping[str, Any]


def plot_c2_maps(
    data: Any,
    path: style.PathLike | None = None,
    *,
    angles: Sequence[int] | None = None,
    max_angles: int = 6,
) -> Any:
    """Figure of c2(t1, t2) of every angle, as the full symmetric matrix.

    Args:
        data: a Dataset, a fit or a sample.
        path: file to write.
        angles: positions of the angles to show.
        max_angles: of more angles, evenly spaced ones are shown.
    """
    d = record(data)
    chosen, note = _chosen(d, angles, max_angles)
    maps = [_matrix(d, d["y"], g) for g in chosen]
    columns = _columns(len(chosen))
    rows = -(-len(chosen) // columns)
    with style.context():
        fig = style.figure(2.9 * columns + 1.2, 2.9 * rows + 0.6)
        fig.set_layout_engine("compressed")
        axes = fig.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        limits = _limits(maps)
        image = None
        for ax, g, c2 in zip(axes.ravel(), chosen, maps, strict=False):
            image = _map(ax, d, c2, *limits)
            ax.set_title(_angle(d, g))
        for ax in axes.ravel()[len(chosen) :]:
            ax.set_visible(False)
        _time_labels(axes, len(chosen))
        fig.colorbar(image, ax=axes, label=C2, extend="both", aspect=30)
        fig.suptitle(joined(str(d.get("metadata", {}).get("title", "")), note))
        return style.finish(fig, path)


def plot_c2_fit(
    result: Any,
    path: style.PathLike | None = None,
    *,
    angles: Sequence[int] | None = None,
    max_angles: int = 4,
) -> Any:
    """Figure of data, fit and residual/σ of every angle, one row each.

    σ is scaled by √(reduced χ²) where the data have no errors of their own.

    Args:
        result: a fit, or a sample, whose middle curve is drawn.
        path: file to write.
        angles: positions of the angles to show.
        max_angles: of more angles, evenly spaced ones are shown.
    """
    d = record(result)
    if d.get("fit") is None:
        raise DataError("there is no fitted c2 to plot; see plot_c2_maps for data")
    chosen, note = _chosen(d, angles, max_angles)
    sigma = _error_factor(result) * np.asarray(d["sigma"], float)
    scaled = (np.asarray(d["y"]) - np.asarray(d["fit"])) / sigma
    rows = [[_matrix(d, v, g) for v in (d["y"], d["fit"], scaled)] for g in chosen]
    reach = max(3.0, float(np.nanpercentile(np.abs([r[2] for r in rows]), 99.7)))
    limits = _limits([m for r in rows for m in r[:2]])
    with style.context():
        fig = style.figure(9.0, 2.75 * len(chosen) + 1.2)
        fig.set_layout_engine("compressed")
        axes = fig.subplots(len(chosen), 3, squeeze=False, sharex=True, sharey=True)
        image = strip = None
        for line, g, (y, fit, r) in zip(axes, chosen, rows, strict=True):
            image = _map(line[0], d, y, *limits)
            _map(line[1], d, fit, *limits)
            strip = _map(line[2], d, r, -reach, reach, DIVERGING)
            for ax, name in zip(line, ("data", "fit", "residual"), strict=True):
                ax.set_title(f"{name}, {_angle(d, g)}")
        _time_labels(axes, axes.size)
        bars = {"location": "bottom", "extend": "both", "aspect": 25, "pad": 0.02}
        bar = fig.colorbar(image, ax=axes[:, :2], label=C2, shrink=0.5, **bars)
        bar.ax.locator_params(nbins=5)
        fig.colorbar(strip, ax=axes[:, 2], label="residual [σ]", **bars)
        fig.suptitle(style.plain(joined(_title(result), note)))
        return style.finish(fig, path)


def plot_age_cuts(
    data: Any,
    path: style.PathLike | None = None,
    *,
    ages: int | np.ndarray = 3,
    width: float | None = None,
    angles: Sequence[int] | None = None,
    max_angles: int = 6,
) -> Any:
    """Figure of c2 against the lag at fixed ages, with errors and the fit.

    Points are means over a band of ages, see `js.xpcs.age_cuts`; lines are the mean of
    the fit over the same pairs. Errors are those of the data, or from the scatter over
    the pairs. Of many lags those evenly spaced in log τ have a point.

    Args:
        data: a Dataset, a fit or a sample.
        path: file to write.
        ages: middles of the bands in s, or the number of adjacent bands.
        width: of the bands in s; default a tenth of the measured time, or what
            separates given ages if that is less.
        angles: positions of the angles to show.
        max_angles: of more angles, evenly spaced ones are shown.
    """
    d = record(data)
    chosen, note = _chosen(d, angles, max_angles)
    cuts, curves = _cuts(d, chosen, ages, width, getattr(data, "scaled", None))
    tau = np.asarray(cuts.coords["tau"])
    per_angle = cuts.n_groups // len(chosen)
    columns = _columns(len(chosen))
    rows = -(-len(chosen) // columns)
    wide, high = (6.4, 4.8) if len(chosen) == 1 else (3.3 * columns, 2.8 * rows + 0.7)
    with style.context():
        fig = style.figure(wide, high)
        axes = fig.subplots(rows, columns, squeeze=False, sharex=True)
        for i, (ax, g) in enumerate(zip(axes.ravel(), chosen, strict=False)):
            for k in range(per_angle):
                own = i * per_angle + k
                seen = np.flatnonzero(np.asarray(cuts.mask)[own])
                some = seen[np.isin(seen, _spaced(tau.size))]
                colour = style.CYCLE[k % len(style.CYCLE)]
                ax.errorbar(
                    tau[some],
                    np.asarray(cuts.y)[own][some],
                    np.asarray(cuts.sigma)[own][some],
                    fmt=style.MARKERS[k % len(style.MARKERS)],
                    ms=3.0,
                    elinewidth=0.7,
                    color=colour,
                    alpha=0.6,
                    label=f"age {float(cuts.coords['age'][own]):.3g} s",
                )
                if curves is not None:
                    ax.plot(tau[seen], curves[own][seen], color=colour, zorder=4)
            ax.set_xscale("log")
            ax.set_title(_angle(d, g))
        for ax in axes.ravel()[len(chosen) :]:
            ax.set_visible(False)
        axes[0, 0].legend()
        _labels(axes, len(chosen), style.label("τ", "s"), C2)
        title = _title(data) if hasattr(data, "statistics") else ""
        fig.suptitle(style.plain(joined(title, note)))
        return style.finish(fig, path)


def record(data: Any) -> Record:
    """Two-time data of a result, or of a Dataset, as a record.

    Raises:
        DataError: data of another kind, or checksums in their place.
    """
    d = data.data[0] if hasattr(data, "statistics") else data
    if not isinstance(d, Mapping):
        d = {
            "y": np.asarray(d.y),
            "sigma": np.asarray(d.sigma) if d.sigma_given else None,
            "mask": np.asarray(d.mask) > 0,
            "coords": {k: np.asarray(v) for k, v in d.coords.items()},
            "dims": dict(d.dims),
            "metadata": dict(d.metadata),
        }
    if "y" not in d:
        raise DataError(
            "the result holds only checksums of its data, too large to be stored: plot "
            "where the data are, or save with a larger data_limit"
        )
    missing = [n for n in ("early", "late", "t", "phi") if n not in d["coords"]]
    if missing:
        raise DataError(f"these are no two-time data: no coordinates {missing}")
    return d


def _chosen(
    d: Record, angles: Sequence[int] | None, most: int
) -> tuple[list[int], str]:
    """(positions of the groups to show, note where there are more)."""
    total = len(d["y"])
    if angles is not None:
        chosen = [int(g) for g in angles]
        if not chosen or min(chosen) < 0 or max(chosen) >= total:
            raise DataError(f"angles are {chosen}; expected positions below {total}")
    else:
        n = min(total, max(int(most), 1))
        chosen = np.linspace(0, total - 1, n).round().astype(int).tolist()
    note = f"{len(chosen)} of {total} angles" if len(chosen) < total else ""
    return chosen, note


def _matrix(d: Record, values: Any, g: int) -> np.ndarray:
    """Full symmetric matrix of one group; NaN on the diagonal and where masked."""
    n = len(d["coords"]["t"])
    early, late = (np.asarray(d["coords"][k], int) for k in ("early", "late"))
    shown = np.where(np.asarray(d["mask"])[g] > 0, np.asarray(values, float)[g], np.nan)
    out = np.full((n, n), np.nan)
    out[early, late] = out[late, early] = shown
    return out


def _limits(maps: Sequence[np.ndarray]) -> tuple[float, float]:
    """Limits of the colours that a few outliers do not decide."""
    low, high = np.nanpercentile(np.stack(maps), [0.5, 99.8])
    return float(low), float(max(high, low + 1e-6))


def _map(
    ax: Any, d: Record, c2: np.ndarray, low: float, high: float, colours: str = ""
) -> Any:
    """One matrix with its first time to the right and its second upwards."""
    t = np.asarray(d["coords"]["t"], float)
    half = 0.5 * (t[1] - t[0])
    ax.set_facecolor("0.85")
    ax.spines[["top", "right"]].set_visible(True)
    edges = (t[0] - half, t[-1] + half)
    return ax.imshow(
        c2.T,
        cmap=colours or style.MAP,
        vmin=low,
        vmax=high,
        extent=(*edges, *edges),
        origin="lower",
        interpolation="nearest" if t.size < 300 else "auto",
    )


def _time_labels(axes: Any, shown: int) -> None:
    for ax in axes.ravel():
        ax.locator_params(nbins=5)
    _labels(axes, shown, T1, T2)


def _columns(panels: int) -> int:
    """Panels side by side: four make a square, others rows of three."""
    return 2 if panels == 4 else min(3, panels)


def _labels(axes: Any, shown: int, x: str, y: str) -> None:
    """Axis labels at the left and below the last panel of every column."""
    columns = axes.shape[1]
    for i, ax in enumerate(axes.ravel()[:shown]):
        if i % columns == 0:
            ax.set_ylabel(y)
        if i + columns >= shown:
            ax.set_xlabel(x)
            ax.tick_params(labelbottom=True)


def _angle(d: Record, g: int) -> str:
    """The angle of a group, and its q where there are several."""
    text = f"φ = {float(d['coords']['phi'][g]):.4g}°"
    q = np.asarray(d["coords"].get("q", 0.0), float)
    if q.ndim and np.ptp(q) > 0:
        text += f", q = {q[g]:.3g} 1/Å"
    return text


def joined(*parts: str) -> str:
    """Parts of a title that are not empty."""
    return " · ".join(p for p in parts if p)


def _spaced(lags: int) -> np.ndarray:
    """All of few lags; of many those evenly spaced in their logarithm."""
    if lags <= MOST_LAGS:
        return np.arange(lags)
    return np.unique(np.geomspace(1, lags, MOST_LAGS).round().astype(int)) - 1


def _cuts(
    d: Record,
    chosen: list[int],
    ages: int | np.ndarray,
    width: float | None,
    scaled: bool | None,
) -> tuple[Any, np.ndarray | None]:
    """Cuts of the data, and of the fit over the same pairs."""
    from ..problem import Dataset
    from ..xpcs import age_cuts

    t = np.asarray(d["coords"]["t"], float)
    if width is None:
        width = 0.1 * float(t[-1] - t[0])
        middles = np.unique(np.asarray(ages, float)) if np.ndim(ages) else np.zeros(0)
        if middles.size > 1:
            width = min(width, float(np.diff(middles).min()))
    known = d["sigma"] is not None and not scaled

    def cut(values: Any, errors: str) -> Any:
        axes = dict(d["dims"])
        coords = {
            k: np.asarray(v)[chosen] if axes[k][:1] == ("group",) else v
            for k, v in d["coords"].items()
        }
        sigma = np.asarray(d["sigma"])[chosen] if known else None
        y, mask = np.asarray(values)[chosen], np.asarray(d["mask"])[chosen] > 0
        part = Dataset(y, sigma, mask, coords, axes)
        return age_cuts(part, ages, width=width, errors=errors)

    data = cut(d["y"], "given" if known else "pooled")
    if d.get("fit") is None:
        return data, None
    curves = np.asarray(cut(d["fit"], "none").y)
    return data, curves[:, : data.n_points]
