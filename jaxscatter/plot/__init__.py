"""Figures, with matplotlib, which is imported only when one is made.

Every function returns the Figure and writes it where a path is given.
"""

from typing import Any

from ..errors import ModelError
from .batch import batch
from .cbed import (
    plot_cbed_image,
    plot_dispersion_surface,
    plot_larbed_stack,
    plot_rocking_curves,
    plot_thickness_series,
)
from .cbed_fit import (
    plot_agreement,
    plot_disk_comparison,
    plot_profile_comparison,
)
from .cbed_result import (
    is_diffraction,
    plot_cbed_fit,
    plot_correlations,
    plot_refined,
)
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
from .sas import is_small_angle, plot_sas_fit
from .sas_parts import plot_sas_parts, plot_sas_sizes
from .sas_patterns import plot_sas_pattern
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
    "plot_agreement",
    "plot_angles",
    "plot_c2_fit",
    "plot_c2_maps",
    "plot_cbed_fit",
    "plot_cbed_image",
    "plot_correlations",
    "plot_disk_comparison",
    "plot_dispersion_surface",
    "plot_hwhm_vs_q2",
    "plot_joint_posterior",
    "plot_larbed_stack",
    "plot_overview",
    "plot_per_q_fits",
    "plot_posteriors",
    "plot_profile_comparison",
    "plot_rates",
    "plot_refined",
    "plot_rocking_curves",
    "plot_sas_fit",
    "plot_sas_parts",
    "plot_sas_pattern",
    "plot_sas_sizes",
    "plot_sqw_map",
    "plot_thickness_series",
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
_SMALL_ANGLE = {
    "fit": plot_sas_fit,
    "parts": plot_sas_parts,
    "sizes": plot_sas_sizes,
    "pattern": plot_sas_pattern,
}
_DIFFRACTION = {
    "fit": plot_cbed_fit,
    "parameters": plot_refined,
    "correlations": plot_correlations,
}


def result(
    res: Any, path: PathLike | None = None, *, view: str | None = None, **kwargs: Any
) -> Any:
    """Figure of a result: `fit`, `corner` of a posterior sample, `batch` of many fits.

    `view` chooses another one, of fits and of posteriors. Two-time data have "fit",
    "maps", "cuts", "rates" and "angles", see `plot_c2_fit`, `plot_c2_maps`,
    `plot_age_cuts`, `plot_rates` and `plot_angles`; small-angle data "fit", "parts",
    "sizes" and "pattern", see `plot_sas_fit`, `plot_sas_parts`, `plot_sas_sizes` and
    `plot_sas_pattern`; diffraction patterns "fit", "parameters" and "correlations", see
    `plot_cbed_fit`, `plot_refined` and `plot_correlations`. A fit of such data is drawn
    by their "fit".
    """
    if res.kind == "batch":
        return batch(res, path=path, **kwargs)
    views = _views(res)
    if view is not None:
        if view not in views:
            raise ModelError(f"view is {view!r}; this result has {sorted(views)}")
        return views[view](res, path=path, **kwargs)
    if res.kind != "fit":
        return corner(res, path=path, **kwargs)
    return views.get("fit", fit)(res, path=path, **kwargs)


def _views(res: Any) -> dict[str, Any]:
    """The figures that the technique of a result has."""
    if is_two_time(res):
        return _TWO_TIME
    if res.data and all(is_small_angle(d) for d in res.data):
        return _SMALL_ANGLE
    if res.data and all(is_diffraction(d) for d in res.data):
        return _DIFFRACTION
    return {}
