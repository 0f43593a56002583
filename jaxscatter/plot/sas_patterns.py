"""SAS figures of images: I(qx, qy), its fit and residuals.

Units: q in 1/Å, I as the data's, usually 1/cm.
"""

from typing import Any

import numpy as np

from ..errors import DataError
from . import style
from .groups import _error_factor, _title
from .sas import Record, is_pattern, label_of, records, wrapped

DIVERGING = "RdBu_r"


def plot_sas_pattern(data: Any, path: style.PathLike | None = None) -> Any:
    """Figure of images: data, fit and residual/σ, one row per image.

    Colours are logarithmic; points that are not positive, and those that do not count,
    are left grey.

    Args:
        data: a fit, a sample, whose middle is drawn, or a Dataset.
        path: file to write.
    """
    images = [d for d in records(data) if is_pattern(d)]
    if not images:
        raise DataError("there is no image I(qx, qy) to plot; see plot_sas_fit")
    fitted = any(d.get("fit") is not None for d in images)
    factor = _error_factor(data) if hasattr(data, "statistics") else 1.0
    columns = 3 if fitted else 1
    with style.context():
        tall = 3.3 * float(np.clip(max(_aspect(d) for d in images), 0.4, 1.6))
        fig = style.figure(3.3 * columns + 1.0, (tall + 0.9) * len(images) + 0.6)
        fig.set_layout_engine("compressed")
        axes = fig.subplots(len(images), columns, squeeze=False)
        for line, d in zip(axes, images, strict=True):
            _pattern(fig, line, d, factor)
        for ax in axes[:, 0]:
            ax.set_ylabel(style.label("Qy", "1/Å"))
        for ax in axes[-1]:
            ax.set_xlabel(style.label("Qx", "1/Å"))
        title = _title(data) if hasattr(data, "statistics") else label_of(images[0])
        fig.suptitle(style.plain(wrapped(title)))
        return style.finish(fig, path)


def _pattern(fig: Any, line: Any, d: Record, factor: float) -> None:
    from matplotlib.colors import LogNorm

    y, mask = np.asarray(d["y"], float)[0], np.asarray(d["mask"])[0] > 0
    fit = None if d.get("fit") is None else np.asarray(d["fit"], float)[0]
    positive = y[mask & (y > 0)]
    if positive.size == 0:
        raise DataError("no positive intensity to map")
    low, high = np.percentile(positive, [1, 99.8])
    norm = LogNorm(low, max(high, 1.01 * low))
    panels: list[tuple[np.ndarray, str]] = [
        (np.where(mask & (y > 0), y, np.nan), "data")
    ]
    if fit is not None:
        panels.append((np.where(mask & (fit > 0), fit, np.nan), "fit"))
    image = None
    for ax, (values, name) in zip(line, panels, strict=False):
        image = _map(ax, d, values, name, norm=norm, cmap=style.MAP)
    bars = {"location": "bottom", "extend": "both", "aspect": 25, "pad": 0.03}
    unit = d.get("units", {}).get("y", "")
    fig.colorbar(image, ax=list(line[:2]), label=style.label("I", unit), **bars)
    if fit is not None:
        sigma = factor * np.asarray(d["sigma"], float)[0]
        residual = np.where(mask, (y - fit) / sigma, np.nan)
        reach = max(3.0, float(np.nanpercentile(np.abs(residual), 99.7)))
        strip = _map(
            line[2], d, residual, "residual", cmap=DIVERGING, vmin=-reach, vmax=reach
        )
        fig.colorbar(strip, ax=line[2], label="residual [σ]", **bars)


def _aspect(d: Record) -> float:
    """Height over width of an image."""
    seen = np.asarray(d["mask"])[0] > 0
    wide, tall = (np.ptp(np.asarray(d["coords"][k], float)[seen]) for k in ("qx", "qy"))
    return float(tall / wide) if wide > 0 else 1.0


def _map(ax: Any, d: Record, values: np.ndarray, name: str, **colours: Any) -> Any:
    """One image; as dots where the detector's rows and columns are not known."""
    qx, qy = (np.asarray(d["coords"][k], float) for k in ("qx", "qy"))
    shape = tuple(d["metadata"].get("shape", ()))
    ax.set_facecolor("0.85")
    ax.set_aspect("equal")
    ax.spines[["top", "right"]].set_visible(True)
    ax.set_title(name)
    ax.locator_params(nbins=5)
    grid = _mesh(d, qx, qy, shape) if shape else None
    if grid is None:
        known = np.isfinite(values)
        return ax.scatter(
            qx[known], qy[known], c=values[known], s=4, lw=0, rasterized=True, **colours
        )
    return ax.pcolormesh(
        *grid,
        np.ma.masked_invalid(values.reshape(shape)),
        shading="nearest",
        rasterized=True,
        **colours,
    )


def _mesh(d: Record, qx: np.ndarray, qy: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Coordinates of rows and columns, or of all points; None where they make none.

    Points that do not count have no coordinates to rely on.
    """
    known = np.asarray(d["mask"])[0].reshape(shape) > 0
    x, y = (np.where(known, v.reshape(shape), np.nan) for v in (qx, qy))
    across, up = _axis(x, 0), _axis(y, 1)
    if across is not None and up is not None:
        return across, up
    grid = qx.reshape(shape), qy.reshape(shape)
    return grid if _orderly(*grid) else None


def _axis(v: np.ndarray, along: int) -> np.ndarray | None:
    """The one value of every column (along 0) or row (along 1), if there is one."""
    if v.ndim != 2 or min(v.shape) < 2:
        return None
    seen = np.isfinite(v).any(axis=along)
    if seen.sum() < 2:
        return None
    low, high = (
        f(v.compress(seen, 1 - along), axis=along) for f in (np.nanmin, np.nanmax)
    )
    step = np.diff(low) / np.diff(np.flatnonzero(seen))
    even = np.max(high - low) < 1e-3 * np.min(np.abs(step))
    if not even or not (np.all(step > 0) or np.all(step < 0)):
        return None
    places = np.arange(seen.size)
    inside = np.interp(places, places[seen], low)
    first, last = places[seen][[0, -1]]
    before, after = places < first, places > last
    inside[before] = low[0] + step[0] * (places[before] - first)
    inside[after] = low[-1] + step[-1] * (places[after] - last)
    return inside


def _orderly(qx: np.ndarray, qy: np.ndarray) -> bool:
    """Whether rows and columns make a mesh: each coordinate grows along one of them."""
    if qx.ndim != 2 or min(qx.shape) < 2:
        return False

    def grows(v: np.ndarray, axis: int) -> bool:
        steps = np.diff(v, axis=axis)
        return bool(np.all(steps > 0) or np.all(steps < 0))

    return (grows(qx, 1) and grows(qy, 0)) or (grows(qx, 0) and grows(qy, 1))
