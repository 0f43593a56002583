"""Figures of a fit of diffraction patterns: what was measured against what is fitted.

They take a fit, or a posterior sample, whose middle pattern is drawn. Differences are
in standard errors, which are scaled by √(reduced χ²) where the data have none of their
own.

Units: intensities as the data's, usually counts; pixels.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DataError
from . import style
from .cbed import indices
from .cbed_fit import plot_disk_comparison, plot_profile_comparison
from .groups import _error_factor, _title

Record = Mapping[str, Any]
KINDS = ("larbed", "cbed", "profiles")
MOST_DISKS = 8
MOST_PANELS = 12
"""With more parameters those of a kind share a panel."""
PIXELS = "distance along the profile [px]"


def is_diffraction(d: Record) -> bool:
    """Whether a data set came from `js.cbed`: images, disks or profiles."""
    coords = d.get("coords", {})
    known = d.get("metadata", {}).get("kind") in KINDS
    return known and {"h", "k", "l", "j", "i"} <= set(coords)


def plot_cbed_fit(
    result: Any,
    path: style.PathLike | None = None,
    *,
    entry: int = 0,
    max_disks: int = MOST_DISKS,
) -> Any:
    """Figure of experiment, simulation and difference of every disk.

    Images for LARBED and for regions of a CBED pattern; profiles, with error bars,
    where the regions are lines. A disk read in several regions has a panel for each,
    numbered.

    Args:
        result: a fit, or a sample.
        path: file to write.
        entry: which of several data sets.
        max_disks: of more panels, evenly spaced ones are shown; the title says so.
    """
    d = _record(result, entry)
    y, fit = np.asarray(d["y"], float), np.asarray(d["fit"], float)
    sigma = _error_factor(result) * np.asarray(d["sigma"], float)
    seen = np.asarray(d["mask"]) > 0
    hkl = np.stack([np.asarray(d["coords"][n]).astype(int) for n in "hkl"], axis=-1)
    shapes = _shapes(d)
    flat = all(min(shape) == 1 for shape in shapes)
    arrays = [y, fit, sigma, seen]
    if flat:
        shapes = [(1, rows * columns) for rows, columns in shapes]
        arrays.append(_along(d, shapes))
    stacks, disk = _panels(arrays, shapes)
    used = np.flatnonzero(np.any(stacks[3] > 0, axis=(1, 2)))
    if not used.size:
        raise DataError("no point of these data counts; there is nothing to plot")
    most = min(used.size, max(int(max_disks), 1))
    used = used[np.linspace(0, used.size - 1, most).round().astype(int)]
    title = _title(result)
    hidden = int(np.sum(np.any(stacks[3] > 0, axis=(1, 2)))) - most
    if hidden:
        title = f"{title} · {most} of {most + hidden} disks"
    seen = stacks[3][used] > 0
    shown = [np.where(seen, stack[used], np.nan) for stack in stacks[:3]]
    names = [indices(hkl[d]) for d in disk[used]]
    if len(shapes) > 1:
        parts = used % len(shapes) + 1
        names = [f"{n} · {k}" for n, k in zip(names, parts, strict=True)]
    how: dict[str, Any] = {
        "hkl": names,
        "label": style.label("intensity", d.get("units", {}).get("y", "")),
        "title": title,
    }
    if flat:
        y, fit, sigma = (one[:, 0] for one in shown)
        return plot_profile_comparison(
            stacks[4][used][:, 0], y, fit, path, sigma=sigma, mask=seen[:, 0],
            x_label=PIXELS, **how,
        )  # fmt: skip
    y, fit, sigma = shown
    scale = _scale(result) if d["metadata"]["kind"] == "larbed" else None
    return plot_disk_comparison(
        y, fit, path, sigma=sigma, mask=seen, scale=scale, **how
    )


def plot_correlations(
    result: Any, path: style.PathLike | None = None, *, max_labels: int = 40
) -> Any:
    """Figure of the correlation matrix of the free parameters.

    Args:
        result: a fit, or a sample.
        path: file to write.
        max_labels: of more parameters, the first ones are shown; the title says so.
    """
    labels, matrix = _correlations(result)
    if not labels:
        raise DataError("the result has no free parameter; there is nothing to plot")
    n = min(len(labels), max(int(max_labels), 1))
    title = _title(result)
    if n < len(labels):
        title = f"{title} · {n} of {len(labels)} parameters"
    with style.context():
        side = 0.42 * n + 2.2
        fig = style.figure(side + 0.8, side)
        ax = fig.subplots()
        drawn = ax.imshow(matrix[:n, :n], cmap="RdBu_r", vmin=-1, vmax=1)
        names = [style.plain(label) for label in labels[:n]]
        ax.set_xticks(range(n), names, rotation=60, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(n), names)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        for row in range(n if n <= 12 else 0):
            for column in range(n):
                value = matrix[row, column]
                ax.text(
                    column, row, f"{value:.2f}".replace("-0.00", "0.00"), ha="center",
                    va="center", fontsize=7.5,
                    color="white" if abs(value) > 0.6 else style.BLACK,
                )  # fmt: skip
        fig.colorbar(drawn, ax=ax, label="correlation", aspect=25)
        fig.suptitle(style.plain(title))
        return style.finish(fig, path)


def plot_refined(result: Any, path: style.PathLike | None = None) -> Any:
    """Figure of the refined parameters with standard errors.

    Many parameters share a panel by kind, as all U; few have one each. A cross marks
    the truth where the data are simulated and keep it.

    Args:
        result: a fit, or a sample.
        path: file to write.
    """
    labels, values, errors, units = _refined(result)
    if not labels:
        raise DataError("the result has no free parameter; there is nothing to plot")
    truth: dict[str, Any] = {}
    for d in result.data:
        truth |= dict(d.get("metadata", {}).get("truth", {}))
    order: dict[tuple[str, str], list[int]] = {}
    for i, (name, unit) in enumerate(zip(labels, units, strict=True)):
        family = name.partition("(")[0] if len(labels) > MOST_PANELS else name
        order.setdefault((family, unit), []).append(i)
    rows, columns = style.grid(len(order))
    with style.context():
        fig = style.figure(3.0 * columns, 2.3 * rows + 0.6)
        axes = fig.subplots(rows, columns, squeeze=False).ravel()
        for ax, ((family, unit), members) in zip(axes, order.items(), strict=False):
            x = np.arange(len(members))
            ax.errorbar(
                x, values[members], errors[members], fmt="o", ms=4, capsize=3,
                color=style.BLUE, label="refined, ±1σ",
            )  # fmt: skip
            known = [truth.get(labels[i], np.nan) for i in members]
            if np.any(np.isfinite(known)):
                ax.plot(x, known, "x", ms=8, color=style.RED, label="truth", zorder=4)
            own = [labels[i].removeprefix(family).strip("()") for i in members]
            ax.set_xticks(x, own, rotation=30 if len(members) > 3 else 0)
            ax.tick_params(axis="x", length=3.5 if any(own) else 0.0)
            ax.set_xlim(-0.6, len(members) - 0.4)
            ax.margins(y=0.25)
            ax.set_ylabel(style.label(style.plain(family), unit))
            ax.ticklabel_format(axis="y", useOffset=False)
        for ax in axes[len(order) :]:
            ax.set_visible(False)
        handles = {}
        for ax in axes[: len(order)]:
            found, names = ax.get_legend_handles_labels()
            handles |= dict(zip(names, found, strict=True))
        fig.legend(
            list(handles.values()), list(handles), loc="outside lower center", ncols=2
        )
        fig.suptitle(style.plain(_title(result)))
        return style.finish(fig, path)


def _record(result: Any, entry: int) -> Record:
    """The data set, with its fitted pattern."""
    if not 0 <= entry < len(result.data):
        raise DataError(f"entry is {entry}; there are {len(result.data)} data sets")
    d = result.data[entry]
    if "y" not in d:
        raise DataError(
            "the result holds only checksums of its data, too large to be stored: plot "
            "where the data are, or save with a larger data_limit"
        )
    if not is_diffraction(d):
        raise DataError("these are no data of electron diffraction: no h, k, l, j, i")
    if d.get("fit") is None:
        raise DataError("the result holds no fitted pattern")
    return d


def _shapes(d: Record) -> list[tuple[int, int]]:
    """(rows, columns) of each part of a disk's points, one after the other."""
    known = d["metadata"]
    n = np.shape(d["y"])[1]
    if known["kind"] == "larbed":
        rows, columns = known["image"]
        return [(int(rows), int(columns))]
    found = [(int(r), int(c)) for r, c in np.reshape(known.get("regions", ()), (-1, 2))]
    return found if sum(r * c for r, c in found) == n else [(1, n)]


def _along(d: Record, shapes: list[tuple[int, int]]) -> np.ndarray:
    """Distance of every point from the first one of its part, in pixels."""
    n = np.shape(d["y"])
    j, i = (
        np.broadcast_to(np.asarray(d["coords"][name], float), n) for name in ("j", "i")
    )
    out, first = np.zeros(n), 0
    for rows, columns in shapes:
        part = np.s_[:, first : first + rows * columns]
        steps = np.hypot(np.diff(j[part], axis=1), np.diff(i[part], axis=1))
        out[part] = np.pad(np.cumsum(steps, axis=1), ((0, 0), (1, 0)))
        first += rows * columns
    return out


def _panels(
    arrays: list[np.ndarray], shapes: list[tuple[int, int]]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Arrays as (panels, rows, columns), 0 where a part is smaller, and their disks."""
    rows, columns = np.max(shapes, axis=0)
    groups = len(arrays[0])
    stacks = [np.zeros((groups * len(shapes), rows, columns)) for _ in arrays]
    first = 0
    for k, (height, width) in enumerate(shapes):
        part = np.s_[:, first : first + height * width]
        for stack, array in zip(stacks, arrays, strict=True):
            images = np.asarray(array, float)[part].reshape(groups, height, width)
            stack[k :: len(shapes), :height, :width] = images
        first += height * width
    return stacks, np.repeat(np.arange(groups), len(shapes))


def _scale(result: Any) -> float | None:
    """1/Å per pixel, where the result has its problem."""
    model = getattr(getattr(result, "problem", None), "model", None)
    if model is None or not hasattr(model, "frame"):
        return None
    table = result.problem.named(np.asarray(result.problem.start()))
    gl = float(table["gl"])
    if hasattr(result, "values"):
        gl = result.values.get("gl", gl)
    return float(model.frame.x_length(model.crystal.cell)) / gl


def _correlations(result: Any) -> tuple[list[str], np.ndarray]:
    if result.kind == "fit":
        return list(result.labels), np.asarray(result.corr)
    draws = {k: np.ravel(v) for k, v in result.draws.items()}
    matrix = np.corrcoef(np.stack(list(draws.values()))) if draws else np.zeros((0, 0))
    return list(draws), np.atleast_2d(matrix)


def _refined(result: Any) -> tuple[list[str], np.ndarray, np.ndarray, list[str]]:
    """Names, values, standard errors and units of what was varied."""
    if result.kind == "fit":
        t = result.parameters
        keep = np.asarray(t["free"]).astype(bool)
        names, units = np.asarray(t["name"])[keep], np.asarray(t["unit"])[keep]
        errors = np.asarray(t["stderr"], float)[keep]
        errors = np.where(np.isfinite(errors), errors, 0.0)
        value = np.asarray(t["value"], float)[keep]
        return [str(n) for n in names], value, errors, [str(u) for u in units]
    draws = {k: np.ravel(v) for k, v in result.draws.items()}
    middle = np.array([np.mean(v) for v in draws.values()])
    spread = np.array([np.std(v, ddof=1) for v in draws.values()])
    return list(draws), middle, spread, [result.units.get(k, "") for k in draws]
