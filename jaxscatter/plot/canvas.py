"""The figure class; imported only when a figure is made: matplotlib is optional."""

import io
from typing import Any

from matplotlib.figure import Figure

from . import style


class PlainFigure(Figure):
    """A figure that draws in the package's style and that notebooks show by itself."""

    def draw(self, renderer: Any) -> None:
        """Draw; ticks are made only now, so the style has to hold now, too."""
        with style.context():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=100)
        return out.getvalue()
