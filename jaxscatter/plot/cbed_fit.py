"""Figures that compare measured and simulated diffraction, disk by disk.

They take arrays, so that anything can be compared: a fit, a start, another program.
Simulations are those with scale and background applied.

Units: intensities in counts, or as the data's.
"""

import math
from typing import Any

import numpy as np

from ..errors import DataError
from . import style
from .cbed import INTENSITY, _image, _names, _norm, _panel, scale_bar

DIVERGING = "RdBu_r"
DIFFERENCE = "simulation - experiment"
_LEAP = 10.0
"""Steps of a profile that are one leap."""


def plot_disk_comparison(
    experiment: Any,
    simulation: Any,
    path: style.PathLike | None = None,
    *,
    sigma: Any = None,
    mask: Any = None,
    hkl: Any = None,
    scale: float | int | None = None,
    label: str = INTENSITY,
    title: str = "",
) -> Any:
    """Figure of experiment, simulation and difference, one row for each disk.

    Args:
        experiment: (disks, rows, columns).
        simulation: the same shape.
        path: file to write.
        sigma: standard errors; the difference is then in their units, else in per cent
            of the largest measured intensity of the disk.
        mask: true where a pixel counts; others are grey.
        hkl: of the disks, or their names.
        scale: 1/Å per pixel, |g_x|/gl, for the bar.
        label: of the intensity, with its unit.
        title: of the figure.
    """
    y, model, error, seen = _checked(experiment, simulation, sigma, mask, 3)
    y, model = (np.where(seen, v, np.nan) for v in (y, model))
    for one in y:
        _image(one)
    names = _names(hkl, len(y))
    unit = "σ" if error is not None else "%"
    if error is not None:
        difference = (model - y) / error
    else:
        top = np.nanmax(np.abs(y), axis=(1, 2), keepdims=True)
        difference = 100 * (model - y) / np.where(top > 0, top, 1.0)
    reach = _reach(difference, 3.0 if error is not None else 1.0)
    aspect = float(np.clip(y.shape[1] / y.shape[2], 0.3, 2.0))
    with style.context():
        fig = style.figure(8.6, (2.0 * aspect + 0.25) * len(y) + 1.0)
        fig.set_layout_engine("compressed")
        axes = fig.subplots(len(y), 3, squeeze=False)
        strip = None
        for line, name, parts in zip(
            axes, names, zip(y, model, difference, strict=True), strict=True
        ):
            norm = _norm(parts[:2], False, None)
            for ax, part in zip(line, parts[:2], strict=False):
                drawn = _panel(ax, part, norm, False)
            bar = fig.colorbar(drawn, ax=line[:2], label=label, aspect=18)
            bar.ax.locator_params(nbins=5)
            strip = _difference(line[2], parts[2], reach)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        for ax, name in zip(
            axes[0], ("experiment", "simulation", "difference"), strict=True
        ):
            ax.set_title(name)
        if scale is not None:
            scale_bar(axes[0, 0], y.shape[1:], float(scale))
        fig.colorbar(
            strip, ax=axes[:, 2], label=f"{DIFFERENCE} [{unit}]", extend="both",
            shrink=1.0 if len(y) < 3 else 2.0 / len(y), aspect=18,
        )  # fmt: skip
        fig.suptitle(style.plain(title))
        return style.finish(fig, path)


def plot_profile_comparison(
    x: Any,
    experiment: Any,
    simulation: Any,
    path: style.PathLike | None = None,
    *,
    sigma: Any = None,
    mask: Any = None,
    hkl: Any = None,
    x_label: str = "angle [mrad]",
    label: str = INTENSITY,
    title: str = "",
) -> Any:
    """Figure of measured profiles with error bars, simulation, and difference below.

    Args:
        x: (points,), or (disks, points).
        experiment: (disks, points).
        simulation: the same shape.
        path: file to write.
        sigma: standard errors; the difference is then in their units, else in the
            intensity's.
        mask: true where a point counts; others are left out.
        hkl: of the disks, or their names.
        x_label: of x, with its unit.
        label: of the intensity, with its unit.
        title: of the figure.
    """
    y, model, error, seen = _checked(experiment, simulation, sigma, mask, 2)
    at = np.broadcast_to(np.asarray(x, float), y.shape)
    names = _names(hkl, len(y))
    rows, columns = style.grid(len(y), 3)
    difference = np.where(seen, model - y, np.nan)
    if error is not None:
        difference = difference / error
    reach = _reach(difference, 3.0 if error is not None else 0.0, 100.0)
    with style.context():
        wide, high = (6.4, 4.6) if len(y) == 1 else (3.4 * columns, 3.1 * rows + 0.6)
        fig = style.figure(wide, high)
        panels = fig.subplots(
            2 * rows, columns, squeeze=False, height_ratios=[3.0, 1.0] * rows,
            sharex="col" if np.ndim(x) == 1 else False,
        )  # fmt: skip
        for k, name in enumerate(names):
            row, column = divmod(k, columns)
            top, low = panels[2 * row : 2 * row + 2, column]
            use = seen[k]
            top.errorbar(
                at[k][use], y[k][use], None if error is None else error[k][use],
                fmt="o", ms=3.0, elinewidth=0.7, color=style.GREY, label="experiment",
                zorder=1,
            )  # fmt: skip
            top.plot(
                *_unjoined(at[k], model[k]), color=style.RED, label="simulation",
                zorder=4,
            )  # fmt: skip
            top.set_title(name)
            top.tick_params(labelbottom=False)
            low.axhline(0, color=style.RED, lw=1)
            if error is not None:
                low.axhspan(-2, 2, color=style.GREY, alpha=0.15, lw=0)
            low.plot(at[k], difference[k], "o", ms=2.2, color=style.GREY)
            low.set_ylim(-reach, reach)
            low.locator_params(axis="y", nbins=3)
            low.tick_params(labelbottom=True)
            if column == 0:
                top.set_ylabel(label)
                low.set_ylabel("diff. [σ]" if error is not None else "diff.")
            if k + columns >= len(y):
                low.set_xlabel(x_label)
        for k in range(len(y), rows * columns):
            row, column = divmod(k, columns)
            for ax in panels[2 * row : 2 * row + 2, column]:
                ax.set_visible(False)
        fig.align_ylabels(panels[:, 0])
        handles = panels[0, 0].get_legend_handles_labels()
        fig.legend(*handles, loc="outside lower center", ncols=2)
        fig.suptitle(style.plain(title))
        return style.finish(fig, path)


def plot_agreement(
    x: Any,
    correlation: Any,
    path: style.PathLike | None = None,
    *,
    names: Any = None,
    x_label: str = "thickness [Å]",
    title: str = "",
) -> Any:
    """Figure of correlations with an experiment, the largest of each curve marked.

    Args:
        x: (points,), what was scanned.
        correlation: (points,), or (curves, points).
        path: file to write.
        names: of the curves.
        x_label: of x, with its unit.
        title: of the figure.
    """
    at, y = np.asarray(x, float), np.atleast_2d(np.asarray(correlation, float))
    if y.ndim != 2 or y.shape[1:] != at.shape:
        raise DataError(
            f"correlation has shape {y.shape}; expected a row of {at.size} points for "
            "each curve"
        )
    labels = [None] * len(y) if names is None else list(names)
    with style.context():
        fig = style.figure(6.4, 4.2)
        ax = fig.subplots()
        for k, (curve, name) in enumerate(zip(y, labels, strict=True)):
            colour = style.CYCLE[k % len(style.CYCLE)]
            ax.plot(at, curve, ".-", color=colour, label=name)
            if np.any(np.isfinite(curve)):
                best = int(np.nanargmax(curve))
                ax.plot(at[best], curve[best], "o", ms=8, mfc="none", color=colour)
                ax.annotate(
                    f"{at[best]:.5g}", (at[best], curve[best]), (0, 9),
                    textcoords="offset points", ha="center", fontsize="small",
                )  # fmt: skip
        ax.margins(y=0.15)
        ax.set_xlabel(x_label)
        ax.set_ylabel("correlation with experiment")
        if names is not None:
            ax.legend()
        ax.set_title(style.plain(title))
        return style.finish(fig, path)


def _unjoined(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of a line that has gaps where x leaps, as from one profile to the next."""
    seen = np.isfinite(x)
    step = np.abs(np.diff(x[seen]))
    if not np.any(step > 0):
        return x, y
    leaps = np.flatnonzero(np.abs(np.diff(x)) > _LEAP * np.median(step[step > 0])) + 1
    return np.insert(x, leaps, np.nan), np.insert(y, leaps, np.nan)


def _checked(
    experiment: Any, simulation: Any, sigma: Any, mask: Any, ndim: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """(experiment, simulation, σ or None, used), each with an axis of disks."""
    y, model = np.asarray(experiment, float), np.asarray(simulation, float)
    error = None if sigma is None else np.asarray(sigma, float)
    seen = np.isfinite(y) if mask is None else np.asarray(mask) > 0
    for name, part in (("simulation", model), ("sigma", error), ("mask", seen)):
        if part is not None and part.shape != y.shape:
            raise DataError(f"{name} has shape {part.shape}; expected {y.shape}")
    if y.ndim == ndim - 1:
        y, model, seen = y[None], model[None], seen[None]
        error = None if error is None else error[None]
    if y.ndim != ndim or not y.size:
        raise DataError(f"experiment has shape {y.shape}; expected {ndim} axes")
    seen = seen & np.isfinite(y) & np.isfinite(model)
    if error is not None:
        seen = seen & (error > 0)
        error = np.where(seen, error, np.nan)
    if not np.all(np.any(seen, axis=tuple(range(1, ndim)))):
        raise DataError("a disk has no pixel that counts; leave it out")
    return y, model, error, seen


def _reach(difference: np.ndarray, least: float, share: float = 99.7) -> float:
    """Limit of the difference, which few outliers among many pixels do not decide."""
    values = np.abs(difference[np.isfinite(difference)])
    found = float(np.percentile(values, share)) if values.size else 0.0
    return max(least, 1.15 * found, math.ulp(1.0))


def _difference(ax: Any, values: np.ndarray, reach: float) -> Any:
    from matplotlib.colors import Normalize

    drawn = _panel(ax, values, Normalize(-reach, reach), False)
    drawn.set_cmap(DIVERGING)
    return drawn
