"""Parameters of many fits along the batch: a temperature, a time, or the index."""

from typing import Any

import numpy as np

from ..errors import ModelError
from . import style


def batch(
    res: Any,
    names: tuple[str, ...] | list[str] | None = None,
    axis: Any = None,
    axis_label: str = "fit",
    path: style.PathLike | None = None,
) -> Any:
    """Figure with one panel per parameter: value ± standard error of every fit.

    Fits that did not converge are crosses, those at a bound open circles; where the
    data do not determine the parameter there is a grey dot without error.

    Args:
        res: a `BatchResult`.
        names: parameters and amplitudes to draw; default all.
        axis: (B,) numbers to draw against, as temperatures; default the index.
        axis_label: what they are, with their unit.
        path: file to write.

    Raises:
        ModelError: an axis of another length.
    """
    every = (*res.names, *res.amplitude_names)
    names = tuple(every if names is None else names)
    x = np.arange(len(res)) if axis is None else np.asarray(axis, float)
    if x.shape != (len(res),):
        raise ModelError(f"axis has shape {x.shape}; expected ({len(res)},)")
    with style.context():
        rows, columns = style.grid(len(names), most=2)
        fig = style.figure(4.5 * columns, 2.4 * rows)
        panels = np.ravel(fig.subplots(rows, columns, sharex=True, squeeze=False))
        for ax, name in zip(panels, names, strict=False):
            _panel(ax, res, name, x)
        for ax in panels[len(names) :]:
            ax.set_visible(False)
        for ax in panels[max(0, len(names) - columns) : len(names)]:
            ax.set_xlabel(style.plain(axis_label))
            ax.tick_params(labelbottom=True)
        return style.finish(fig, path)


def _panel(ax: Any, res: Any, name: str, x: np.ndarray) -> None:
    values, errors = res.column(name), res.error(name)
    known, good = np.isfinite(errors), res.success
    held = good & np.isnan(errors)
    lost = good & np.isinf(errors)
    sure = good & known
    ax.errorbar(
        x[sure], values[sure], errors[sure], fmt="o", ms=3, lw=1, color=style.BLUE
    )
    ax.plot(x[held], values[held], "o", ms=4, mfc="none", color=style.ORANGE)
    ax.plot(x[lost], values[lost], ".", ms=4, color=style.GREY)
    ax.plot(x[~good], values[~good], "x", ms=4, color=style.RED)
    ax.set_ylabel(style.label(style.symbol(name), res.unit(name)))
