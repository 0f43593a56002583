"""Figures, with matplotlib, which is imported only when one is made.

Every function returns the Figure and writes it where a path is given.
"""

from typing import Any

from .groups import fit
from .posterior import corner, joint, marginals, trace
from .qens import (
    plot_hwhm_vs_q2,
    plot_joint_posterior,
    plot_overview,
    plot_per_q_fits,
    plot_posteriors,
    plot_sqw_map,
)
from .style import PathLike

__all__ = [
    "corner",
    "fit",
    "joint",
    "marginals",
    "plot_hwhm_vs_q2",
    "plot_joint_posterior",
    "plot_overview",
    "plot_per_q_fits",
    "plot_posteriors",
    "plot_sqw_map",
    "result",
    "trace",
]


def result(res: Any, path: PathLike | None = None, **kwargs: Any) -> Any:
    """Figure of a result: `fit` of a fit, `corner` of a posterior sample."""
    draw = fit if res.kind == "fit" else corner
    return draw(res, path=path, **kwargs)
