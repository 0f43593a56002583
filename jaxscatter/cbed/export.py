"""Refinements as files: structure factors for Fourier maps, and fits in HDF5.

Units: F_x in electrons per cell, U in 1/Å², |g| in 1/Å; others as in `model`.
"""

import os
import pathlib
from typing import Any, cast

import numpy as np

from ..errors import DataError, ModelError
from ..infer.result import FitResult
from ..io import BlochFit, write_fit, write_hkl
from .beams import candidates
from .model import DiffractionModel, crystal_at
from .structure_factors import e2xray, optical_potential
from .symmetry import orbits

G_MAX = 5.0
"""Longest reflection of a file for Fourier maps, 1/Å."""
LEAST = 1e-3
"""Smallest |F_x| of independent atoms that is written where nothing is refined."""


def save(result: FitResult, path: str | os.PathLike[str]) -> pathlib.Path:
    """Path of an HDF5 file with the group /fit, see `io.bloch_fit`.

    `result.save` keeps everything, to come back by `js.load_result`; this file is for
    other programs.

    Args:
        result: a fit of a pattern.
        path: file to write; an older one is replaced.

    Raises:
        ModelError: a result of something else.
    """
    model = _model(result)
    record = result.data[0]
    s, linear = result.statistics, result.linear
    names = [str(n) for n in linear.get("label", ())]
    values = np.asarray(linear.get("value", ()), float)
    is_scale = np.array([n.startswith("scale") for n in names], bool)
    scale = values[is_scale] if len(names) else values
    dof = float(s.get("dof", np.nan))
    units = {str(n): str(u) for n, u in zip(*_columns(result), strict=True)}
    return write_fit(
        path,
        BlochFit(
            names=tuple(result.labels),
            units=tuple(units.get(n.split("[")[0], "") for n in result.labels),
            values=np.asarray(result.x, float),
            std=np.array([result.error(n) for n in result.labels]),
            cov=np.asarray(result.cov, float),
            gof=float(s["chi2"]) / dof,
            dof=dof,
            scale=float(scale[0]) if scale.size else 1.0,
            background=values[~is_scale] if len(names) else values,
            hkl=np.asarray(model.hkl),
            experiment=np.asarray(record["y"]),
            simulation=np.asarray(record["fit"]),
            sigma=np.asarray(record["sigma"]),
            mask=np.asarray(record["mask"]) > 0,
            warnings=tuple(result.warnings),
        ),
    )


def save_hkl(
    result: FitResult,
    path: str | os.PathLike[str],
    *,
    g_max: float | int = G_MAX,
    title: str = "jaxscatter",
) -> pathlib.Path:
    """Path of a text of X-ray structure factors that VESTA reads, see `io.hkl`.

    One reflection of each orbit of the space group within `g_max`: F_o is refined where
    the fit refined it and that of independent atoms elsewhere, F_c always the latter.
    Orbits that are extinguished, or whose |F_c| is below 1e-3 and that are not refined,
    are left out, as is 000.

    Args:
        result: a fit of a pattern, in the session that made it.
        path: file to write; an older one is replaced.
        g_max: longest reflection, 1/Å.
        title: first line.

    Raises:
        ModelError: a result of something else, or one without its problem.
    """
    model = _model(result)
    theta = cast(Any, result.problem).named(np.asarray(result.x))
    crystal = crystal_at(model.crystal, theta)
    energy = theta["energy"]
    inside = candidates(crystal.cell, g_max)[1:]
    refined = np.array(model.refined_factors.hkl, int).reshape(-1, 3)
    if not len(inside):
        raise ModelError(f"g_max is {g_max} 1/Å; expected reflections within it")
    every = np.concatenate([refined, inside])
    groups = orbits(every, crystal.operations)
    hkl = np.asarray(groups.representatives)
    u, _ = optical_potential(
        crystal, hkl, energy, table=model.settings.table, absorption="none"
    )
    f_calc = np.asarray(e2xray(crystal, hkl, u, energy))
    f_obs, sigma = np.abs(f_calc), np.zeros(len(hkl))
    own = np.zeros(len(hkl), bool)
    for k, g in enumerate(refined.tolist()):
        label = f"F_x({','.join(str(i) for i in g)})"
        value, error, _ = result.derived[label]
        at = int(groups.index[k])
        f_obs[at], own[at] = abs(value), True
        sigma[at] = error if np.isfinite(error) else 0.0
    kept = ~np.asarray(groups.absent) & (own | (np.abs(f_calc) >= LEAST))
    return write_hkl(
        path, hkl[kept], f_obs[kept], f_calc[kept], sigma[kept], title=title
    )


def _model(result: FitResult) -> DiffractionModel:
    model = getattr(result.problem, "model", None)
    if not isinstance(model, DiffractionModel):
        raise ModelError(
            f"the result is of {type(model).__name__}; expected a fit of a problem of "
            "js.cbed, in the session that made it"
        )
    if "y" not in result.data[0]:
        raise DataError("the result holds only checksums of its data")
    return model


def _columns(result: FitResult) -> tuple[Any, Any]:
    return result.parameters["name"], result.parameters["unit"]
