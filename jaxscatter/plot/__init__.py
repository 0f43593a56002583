"""Figures, with matplotlib, which is imported only when one is made.

Every function returns the Figure and writes it where a path is given.
"""

from typing import Any

from ..errors import ModelError
from .batch import batch
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
from .xpcs import plot_age_cuts, plot_c2_fit, plot_c2_maps
from .xpcs_parameters import is_two_time, plot_angles, plot_rates

__all__ = [
    "batch",
    "corner",
    "fit",
    "joint",
    "marginals",
    "plot_age_cuts",
    "plot_angles",
    "plot_c2_fit",
    "plot_c2_maps",
    "plot_hwhm_vs_q2",
    "plot_joint_posterior",
    "plot_overview",
    "plot_per_q_fits",
    "plot_posteriors",
    "plot_rates",
    "plot_sqw_map",
    "result",
    "trace",
]


_TWO_TIME = {
    "fit": plot_c2_fit,
    "maps": plot_c2_maps,
    "cuts": plot_age_cuts,
    "rates": plot_rates,
    "angles": plot_angles,
}


def result(
    res: Any, path: PathLike | None = None, *, view: str | None = None, **kwargs: Any
) -> Any:
    """Figure of a result: `fit`, `corner` of a posterior sample, `batch` of many fits.

    A fit of two-time data is drawn by `plot_c2_fit`. Of these fits and posteriors
    `view` draws "fit", "maps", "cuts", "rates" or "angles", see the functions
    `plot_c2_fit`, `plot_c2_maps`, `plot_age_cuts`, `plot_rates` and `plot_angles`.
    """
    if res.kind == "batch":
        return batch(res, path=path, **kwargs)
    two_time = is_two_time(res)
    if view is not None:
        if not two_time or view not in _TWO_TIME:
            known = sorted(_TWO_TIME) if two_time else []
            raise ModelError(f"view is {view!r}; this result has {known}")
        return _TWO_TIME[view](res, path=path, **kwargs)
    if res.kind != "fit":
        return corner(res, path=path, **kwargs)
    return (plot_c2_fit if two_time else fit)(res, path=path, **kwargs)
