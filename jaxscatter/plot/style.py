"""The look of every figure, in one place: sizes, colours, and labels with units.

Colours are those of Okabe and Ito, which colour-blind readers tell apart. Figures do
not go through pyplot: nothing keeps them alive, and a notebook shows what a cell
returns. Outside a notebook pass `path=`.

References:
    [1] M. Okabe and K. Ito, Color Universal Design (2008).
"""

import contextlib
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

BLACK = "#000000"
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
RED = "#D55E00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
GREY = "#6E6E6E"
CYCLE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MAP = "cividis"

SETTINGS = {
    "font.size": 10.0,
    "axes.labelsize": 11.0,
    "axes.titlesize": 10.5,
    "figure.titlesize": 12.0,
    "legend.fontsize": 9.0,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.use_mathtext": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "image.cmap": MAP,
}

_SYMBOLS = {"omega": "ω", "q": "Q", "phi": "φ", "tau": "τ", "t1": "t₁", "t2": "t₂"}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

PathLike = str | os.PathLike[str]


@contextlib.contextmanager
def context() -> Iterator[None]:
    """Settings of the package while a figure is made or drawn; the user's come back."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError(
            "plots need matplotlib: pip install jaxscatter[plot]"
        ) from None
    with matplotlib.rc_context(SETTINGS):  # type: ignore[arg-type]
        yield


def figure(width: float, height: float) -> Any:
    """Empty figure of a size in inches, without pyplot."""
    from .canvas import PlainFigure

    return PlainFigure(figsize=(width, height), dpi=100, layout="constrained")


def finish(fig: Any, path: PathLike | None) -> Any:
    """The figure, written to `path` if there is one (PNG, PDF, ... by its ending)."""
    if path is not None:
        fig.savefig(os.fspath(path), dpi=150)
    return fig


def symbol(name: str) -> str:
    """Greek letter or subscript of a coordinate's name, where there is one."""
    return _SYMBOLS.get(name, plain(name))


def plain(text: str) -> str:
    """Text that is not read as a formula."""
    return text.replace("$", r"\$")


def label(name: str, unit: str = "", power: int = 0) -> str:
    """`name [unit]`, or `name [10⁻⁶ unit]` for values divided by 10^power."""
    factor = "10" + str(power).translate(_RAISED) if power else ""
    inside = f"{factor} {plain(unit)}".strip()
    return f"{name} [{inside}]" if inside else name


def power_of_ten(values: np.ndarray) -> int:
    """Exponent to take out of axis numbers; 0 where they are easy to read."""
    finite = np.abs(values[np.isfinite(values)])
    typical = float(np.quantile(finite, 0.7)) if finite.size else 0.0
    if typical == 0.0 or 1e-2 <= typical < 1e4:
        return 0
    return math.floor(math.log10(typical))


def grid(n: int, most: int = 4) -> tuple[int, int]:
    """(rows, columns) for n panels, not wider than `most`."""
    columns = min(most, math.ceil(math.sqrt(n)))
    return math.ceil(n / columns), columns
