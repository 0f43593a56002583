"""Figures of simulated electron diffraction: patterns, curves, dispersion surfaces.

They take arrays, as `js.cbed` returns them. For comparisons see `cbed_fit`.

Units: angles in mrad, thickness in Å, lengths of reciprocal space in 1/Å.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from . import style

INTENSITY = "intensity"
FAINT = 1e-6
"""Of the largest intensity, below which a logarithmic image is empty by default."""
MOST_CURVES = len(style.CYCLE)


def plot_cbed_image(
    image: Any,
    path: style.PathLike | None = None,
    *,
    scale: float | int | None = None,
    hkl: Any = None,
    centres: Any = None,
    log: bool = False,
    limits: tuple[float, float] | None = None,
    label: str = INTENSITY,
    title: str = "",
) -> Any:
    """Figure of a diffraction pattern.

    Args:
        image: (rows, columns).
        path: file to write.
        scale: 1/Å per pixel, |g_x|/gl, for the bar.
        hkl: of the disks to name, and
        centres: their (row, column), see `js.cbed.disk_centres`.
        log: whether colours are logarithmic.
        limits: of the colours.
        label: of the intensity, with its unit.
        title: of the figure.
    """
    shown = _image(image)
    rows, columns = shown.shape
    high = float(np.clip(rows / columns, 0.3, 2.0))
    with style.context():
        fig = style.figure(5.8, 4.9 * high + 0.3)
        fig.set_layout_engine("compressed")
        ax = fig.subplots()
        norm = _norm([shown], log, limits)
        drawn = _panel(ax, shown, norm, log)
        fig.colorbar(drawn, ax=ax, label=label, aspect=25)
        if scale is not None:
            scale_bar(ax, shown.shape, float(scale))
        if hkl is not None and centres is not None:
            for index, (row, column) in zip(
                np.asarray(hkl), np.asarray(centres, float), strict=True
            ):
                if -0.5 <= row <= rows - 0.5 and -0.5 <= column <= columns - 0.5:
                    outlined(ax.text(column, row, indices(index), ha="center",
                                     va="center"))  # fmt: skip
        ax.set_title(style.plain(title))
        return style.finish(fig, path)


def plot_larbed_stack(
    images: Any,
    path: style.PathLike | None = None,
    *,
    hkl: Any = None,
    scale: float | int | None = None,
    log: bool = False,
    common: bool = False,
    label: str = INTENSITY,
    title: str = "",
) -> Any:
    """Figure of LARBED images, one for each reflection.

    Args:
        images: (disks, rows, columns).
        path: file to write.
        hkl: of the images.
        scale: 1/Å per pixel, |g_x|/gl, for the bar.
        log: whether colours are logarithmic.
        common: whether all images share their colours; else each has its bar.
        label: of the intensity, with its unit.
        title: of the figure.
    """
    stack = [_image(one) for one in np.asarray(images, float)]
    names = _names(hkl, len(stack))
    rows, columns = style.grid(len(stack))
    aspect = float(np.clip(stack[0].shape[0] / stack[0].shape[1], 0.3, 2.0))
    with style.context():
        wide = 2.6 if common else 3.1
        fig = style.figure(wide * columns + 1.0, (2.5 * aspect + 0.45) * rows + 0.5)
        fig.set_layout_engine("compressed")
        axes = fig.subplots(rows, columns, squeeze=False).ravel()
        shared = _norm(stack, log, None)
        drawn = None
        for ax, one, name in zip(axes, stack, names, strict=False):
            drawn = _panel(ax, one, shared if common else _norm([one], log, None), log)
            ax.set_title(name)
            if not common:
                bar = fig.colorbar(drawn, ax=ax, aspect=18)
                if not log:
                    bar.ax.locator_params(nbins=5)
        if scale is not None:
            scale_bar(axes[0], stack[0].shape, float(scale))
        for ax in axes[len(stack) :]:
            ax.set_visible(False)
        if common:
            fig.colorbar(drawn, ax=list(axes), label=label, aspect=30)
        heading = [title] if common else [title, f"colours: {label}"]
        fig.suptitle(style.plain(" · ".join(h for h in heading if h)))
        return style.finish(fig, path)


def plot_rocking_curves(
    angle: Any,
    intensity: Any,
    path: style.PathLike | None = None,
    *,
    hkl: Any = None,
    log: bool = False,
    label: str = INTENSITY,
    title: str = "",
) -> Any:
    """Figure of intensities against the angle from the Bragg position.

    Args:
        angle: (points,).
        intensity: (points, out), as in `js.cbed.RockingCurve` of one thickness.
        path: file to write.
        hkl: of the curves.
        log: whether the intensity is logarithmic.
        label: of the intensity, with its unit.
        title: of the figure.
    """
    return _curves(
        angle, intensity, path, hkl, log, style.label("angle", "mrad"), label, title
    )


def plot_thickness_series(
    thickness: Any,
    intensity: Any,
    path: style.PathLike | None = None,
    *,
    hkl: Any = None,
    log: bool = False,
    label: str = INTENSITY,
    title: str = "",
) -> Any:
    """Figure of intensities against thickness.

    Args:
        thickness: (times,).
        intensity: (times, out), as in `js.cbed.ThicknessSeries`.
        path: file to write.
        hkl: of the curves; of more than eight the strongest are drawn.
        log: whether the intensity is logarithmic.
        label: of the intensity, with its unit.
        title: of the figure.
    """
    return _curves(
        thickness, intensity, path, hkl, log, style.label("thickness", "Å"), label,
        title,
    )  # fmt: skip


def plot_dispersion_surface(
    angle: Any,
    gamma: Any,
    excitation: Any,
    path: style.PathLike | None = None,
    *,
    branches: int = 6,
    title: str = "",
) -> Any:
    """Figure of the branches γ_j, and of their excitations |C_0j|² below.

    Args:
        angle: (points,).
        gamma: (points, n), largest first, as in `js.cbed.DispersionSurface`.
        excitation: (points, n).
        path: file to write.
        branches: the most excited ones are drawn; the wider a line, the more.
        title: of the figure.
    """
    from matplotlib.collections import LineCollection

    x, y = np.asarray(angle, float), np.asarray(gamma, float)
    c = np.asarray(excitation, float)
    if y.shape != c.shape or y.ndim != 2 or len(y) != len(x):
        raise DataError(
            f"gamma has shape {y.shape} and excitation {c.shape}; expected both "
            f"({len(x)}, n)"
        )
    if len(x) < 2:
        raise DataError(f"there are {len(x)} angles; expected 2 or more for a line")
    most = min(int(branches), y.shape[1], MOST_CURVES)
    order = np.sort(np.argsort(-c.max(axis=0), kind="stable")[:most])
    with style.context():
        fig = style.figure(6.4, 6.2)
        top, low = fig.subplots(2, 1, sharex=True, height_ratios=[1.5, 1.0])
        for k, j in enumerate(order):
            colour = style.CYCLE[k]
            points = np.stack([x, y[:, j]], axis=1)
            pieces = np.stack([points[:-1], points[1:]], axis=1)
            width = 0.6 + 4.0 * 0.5 * (c[:-1, j] + c[1:, j])
            top.add_collection(
                LineCollection(list(pieces), linewidths=width, colors=colour)
            )
            low.plot(x, c[:, j], color=colour, label=f"{j + 1}")
        top.autoscale_view()
        reach = np.array([y[:, order].min(), y[:, order].max()])
        top.set_ylim(*(reach + 0.06 * max(np.ptp(reach), 1e-12) * np.array([-1, 1])))
        top.set_ylabel(style.label("γ", "1/Å"))
        low.set_ylabel("|C₀|²")
        low.set_ylim(-0.03, 1.03)
        low.set_xlabel(style.label("angle", "mrad"))
        fig.legend(
            *low.get_legend_handles_labels(), title="branch",
            loc="outside right upper",
        )  # fmt: skip
        top.set_title(style.plain(title))
        fig.align_ylabels([top, low])
        return style.finish(fig, path)


def indices(hkl: Any) -> str:
    """Indices with bars for minus signs, as mathematical text."""
    values = [int(v) for v in np.asarray(hkl)]
    drawn = [rf"\overline{{{-v}}}" if v < 0 else str(v) for v in values]
    return "$" + r"\,".join(drawn) + "$"


def outlined(text: Any) -> Any:
    """A text legible on any colour: white, with a dark rim."""
    from matplotlib.patheffects import withStroke

    text.set_color("white")
    text.set_path_effects([withStroke(linewidth=2.0, foreground="0.1")])
    return text


def scale_bar(ax: Any, shape: tuple[int, int], scale: float) -> None:
    """A bar of a round length in 1/Å, at the lower left of an image."""
    from matplotlib.patheffects import withStroke

    if not (math.isfinite(scale) and scale > 0):
        raise DataError(f"scale is {scale} 1/Å per pixel; expected one above zero")
    rows, columns = shape
    most = 0.3 * columns * scale
    power = 10.0 ** math.floor(math.log10(most))
    length = max(f * power for f in (1, 2, 5) if f * power <= most)
    left, down = 0.05 * columns - 0.5, 0.94 * rows - 0.5  # inside, however few rows
    ax.plot(
        [left, left + length / scale],
        [down, down],
        color="white",
        lw=3,
        solid_capstyle="butt",
        path_effects=[withStroke(linewidth=5, foreground="0.1")],
    )
    text = ax.annotate(
        f"{length:g} 1/Å", (left + 0.5 * length / scale, down), (0, 4),
        textcoords="offset points", ha="center", va="bottom", fontsize=9,
    )  # fmt: skip
    outlined(text)


def _image(image: Any) -> np.ndarray:
    values = np.asarray(image, float)
    if values.ndim != 2 or not np.any(np.isfinite(values)):
        raise DataError(
            f"image has shape {values.shape}; expected (rows, columns) with some "
            "finite numbers"
        )
    return values


def _norm(
    images: Sequence[np.ndarray], log: bool, limits: tuple[float, float] | None
) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    values = np.concatenate([one[np.isfinite(one)] for one in images])
    if not log:
        low, high = limits or (min(0.0, float(values.min())), float(values.max()))
        return Normalize(low, high if high > low else low + 1.0)
    positive = values[values > 0]
    if positive.size == 0:
        raise DataError("no intensity is above 0; draw it with log=False")
    top = float(positive.max())
    bottom = max(float(np.percentile(positive, 1)), FAINT * top)
    low, high = limits or (bottom, top)
    return LogNorm(low, high if high > low else 10 * low)


def _panel(ax: Any, values: np.ndarray, norm: Any, log: bool) -> Any:
    """One image without axes; what is not known, or not positive in log, is grey."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(True)
    ax.set_facecolor("0.85")
    drawn = np.where(values > 0, values, np.nan) if log else values
    return ax.imshow(drawn, norm=norm, cmap=style.MAP, interpolation="nearest")


def _names(hkl: Any, n: int) -> list[str]:
    if hkl is None:
        return [f"image {k + 1}" for k in range(n)]
    if all(isinstance(one, str) for one in hkl):
        names = list(hkl)
    else:
        names = [indices(one) for one in np.asarray(hkl).reshape(-1, 3)]
    if len(names) != n:
        raise DataError(f"hkl has {len(names)} rows; expected {n}")
    return names


def _curves(
    x: Any,
    intensity: Any,
    path: style.PathLike | None,
    hkl: Any,
    log: bool,
    x_label: str,
    y_label: str,
    title: str,
) -> Any:
    at, y = np.asarray(x, float), np.asarray(intensity, float)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or len(y) != len(at):
        raise DataError(f"intensity has shape {y.shape}; expected ({len(at)}, out)")
    names = _names(hkl, y.shape[1])
    first, names = _different(y, names)
    order = first
    if order.size > MOST_CURVES:
        order = np.sort(first[np.argsort(-y[:, first].max(axis=0))[:MOST_CURVES]])
        note = f"{MOST_CURVES} strongest of {first.size} curves"
        title = f"{title} · {note}" if title else note
    with style.context():
        fig = style.figure(6.8, 4.4)
        ax = fig.subplots()
        for k, j in enumerate(order):
            shown = np.where(y[:, j] > 0, y[:, j], np.nan) if log else y[:, j]
            ax.plot(at, shown, color=style.CYCLE[k], label=names[j])
        if log:
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=min(0.0, float(np.nanmin(y))))
        ax.margins(x=0.01)
        ax.set_xlabel(x_label)
        ax.set_ylabel(y_label)
        if hkl is not None or y.shape[1] > 1:
            fig.legend(*ax.get_legend_handles_labels(), loc="outside right upper")
        ax.set_title(style.plain(title))
        return style.finish(fig, path)


def _different(y: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """The first of curves that lie on each other, and names that say how many do."""
    near = 1e-6 * max(float(np.nanmax(np.abs(y))), 1e-300)
    first: list[int] = []
    equal: dict[int, int] = {}
    for j in range(y.shape[1]):
        same = next((k for k in first if np.max(np.abs(y[:, j] - y[:, k])) < near), j)
        if same == j:
            first.append(j)
        equal[same] = equal.get(same, 0) + 1
    labels = [
        f"{name} ({equal[j]} equal)" if equal.get(j, 0) > 1 else name
        for j, name in enumerate(names)
    ]
    return np.array(first), labels
