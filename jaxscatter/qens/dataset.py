"""QENS data: files or bins in, one `Dataset` with its resolution out."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..numerics import grid_step, normalise_kernel
from ..problem import Dataset
from .config import Config
from .forward_model import Numbers
from .loading import read_nxspe_with_overrides
from .reduction import (
    build_data_bins,
    build_resolution_bins,
    fit_elastic_peak,
    subtract_empty,
)
from .resolution import (
    GaussianResolution,
    Profile,
    SeedResolution,
    check_mode,
    padded,
    resolution,
)

DIMS = {
    "omega": ("point",),
    "q": ("group",),
    "sigma": ("group",),
    "kernel": ("group", None),
    "energy": (None,),
    "weights": (None,),
    "step": (),
    "spectrum": ("group", None, None),
    "omega_max": (),
    "constants": ("group", None),
    "table": ("group", None, "point"),
    "table_scale": (),
    "window": (None,),
    "index": ("point",),
    "temperature": (),
    "profile": ("group", None, None),
}
UNITS = {
    "omega": "meV",
    "q": "1/Å",
    "sigma": "meV",
    "kernel": "1/meV",
    "energy": "meV",
    "y": "arb. units",
}


def load(
    path: str | os.PathLike,
    resolution: str | os.PathLike | float | None = None,
    *,
    empty: str | os.PathLike | None = None,
    empty_scale: float = 1.0,
    n_q_bins: int = 12,
    energy_window: float = 1.25,
    q_min: float = 0.3,
    q_max: float = 2.5,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    error: str = "mean",
    subtract_background: str = "none",
    energy_sign: int = 1,
    energy_unit: str = "meV",
) -> Dataset:
    """Measured S(Q, ω) in Q bins of equal occupancy, with its measured resolution.

    Sample and resolution are each shifted by their own elastic line, and each kernel
    keeps its own energy axis.

    Args:
        path: NXSPE file of the sample.
        resolution: NXSPE file of the resolution (frozen sample or vanadium), a Gaussian
            standard deviation in meV, or None for the width of the sample's own elastic
            peak, which is too wide and said so.
        empty: NXSPE file of the empty can, subtracted from the sample row by row.
        empty_scale: transmission of the sample, which multiplies the can.
        n_q_bins: number of bins.
        energy_window: half width in meV.
        q_min: lower end of the first bin in 1/Å.
        q_max: upper end of the last bin in 1/Å.
        q: Q of the rows in 1/Å, where the file's angles do not give it.
        q_edges: edges of the rows' Q bins in 1/Å, instead of q.
        error: "mean" is the standard error of the bin's mean; "rms" that of one row.
        subtract_background: constant under the kernels: "none", "min", "edges".
        energy_sign: -1 if the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV" of the file.

    Raises:
        FileNotFoundError, FormatError: no such file, or not NXSPE.
        DataError: no good row in the window.
    """
    cfg = Config(
        q_min=q_min, q_max=q_max, energy_window=energy_window, n_q_bins=n_q_bins
    )
    how: dict[str, Any] = {
        "q": q,
        "q_edges": q_edges,
        "energy_sign": energy_sign,
        "energy_unit": energy_unit,
    }
    sample = read_nxspe_with_overrides(path, **how)
    if empty is not None:
        can = read_nxspe_with_overrides(empty, **how)
        sample = subtract_empty(sample, can, empty_scale)
    e0, sigma = fit_elastic_peak(sample)
    bins = build_data_bins(sample, cfg, error=error)
    said: tuple[str, ...] = ()
    meta = {
        "technique": "qens",
        "x": "omega",
        "group": "q",
        "sample": str(os.fspath(path)),
        "ei": float(sample["ei"]),
        "e0": e0,
        "y_label": "S(Q, ω)",
    }
    if empty is not None:
        meta |= {"empty": str(os.fspath(empty)), "empty_scale": float(empty_scale)}
    kernels: Any
    if resolution is None:
        said = (
            "no resolution was given: the width of the sample's own elastic peak "
            f"({sigma:.4g} meV) stands in for it, which is too wide",
        )
        kernels = sigma
    elif isinstance(resolution, int | float):
        kernels = float(resolution)
    else:
        frozen = read_nxspe_with_overrides(resolution, **how)
        meta["resolution_e0"], _ = fit_elastic_peak(frozen)
        meta["resolution"] = str(os.fspath(resolution))
        kernels = build_resolution_bins(frozen, cfg, [b[3] for b in bins])
    return from_bins(bins, kernels, subtract_background, {**meta, "warnings": said})


def from_bins(
    bins: Sequence[tuple],
    sigma_res: Any,
    subtract_background: str = "none",
    metadata: Mapping[str, Any] | None = None,
    mode: str = "exact",
) -> Dataset:
    """Dataset of bins (omega, spectrum, errors, q) on one energy axis.

    Args:
        bins: one per Q; points without a positive error are masked.
        sigma_res: σ in meV; one kernel for all Q, or one per Q, each on the axis of
            omega or as a pair (energies, kernel).
        subtract_background: see `resolution`.
        metadata: kept with the data.
        mode: "exact" or "seed".

    Raises:
        DataError: no bins, different axes, Q < 0, or a kernel that cannot be used.
    """
    check_mode(mode)
    if not len(bins):
        raise DataError("there are no Q bins")
    omega = np.asarray(bins[0][0], dtype=float)
    grid_step(omega, "omega")
    for k, row in enumerate(bins):
        for name, part in zip(("omega", "spec", "errs"), row[:3], strict=True):
            if np.shape(part) != omega.shape:
                raise DataError(
                    f"{name} of bin {k} has shape {np.shape(part)}; expected "
                    f"{omega.shape}, that of omega in the first bin"
                )
        if not np.allclose(row[0], omega, rtol=0, atol=1e-9):
            raise DataError(f"omega of bin {k} differs from that of the first bin")
        if not (np.isfinite(row[3]) and row[3] >= 0):
            raise DataError(f"q of bin {k} is {row[3]}; expected a number >= 0")
    spec, errs = (np.array([b[i] for b in bins], dtype=float) for i in (1, 2))
    mask = np.isfinite(spec) & np.isfinite(errs) & (errs > 0)
    coords: dict[str, Any] = {
        "omega": omega,
        "q": np.array([b[3] for b in bins], dtype=float),
    }
    coords |= _resolution_coords(omega, len(bins), sigma_res, subtract_background, mode)
    return Dataset(
        np.where(mask, spec, 0.0),
        np.where(mask, errs, 1.0),
        mask,
        coords,
        {k: DIMS[k] for k in coords},
        {k: u for k, u in UNITS.items() if k in coords or k == "y"},
        {"technique": "qens", "x": "omega", "group": "q", **(metadata or {})},
    )


def _resolution_coords(
    omega: np.ndarray, groups: int, sigma_res: Any, subtract: str, mode: str
) -> dict[str, Any]:
    """Coordinates that describe the resolution of every group."""
    per_group = _per_group(sigma_res, groups, omega.size)
    if any(isinstance(s, Profile) for s in per_group):
        return _profile_coords(per_group)
    made = [resolution(omega, s, mode, subtract) for s in per_group]
    kinds = {isinstance(m, GaussianResolution) for m in made}
    if len(kinds) > 1:
        raise DataError("sigma_res mixes widths and kernels; give one kind for all Q")
    if isinstance(made[0], GaussianResolution):
        return {"sigma": np.array([float(m.sigma) for m in made])}  # type: ignore[union-attr]
    if isinstance(made[0], SeedResolution):
        return {
            "kernel": np.array([m.kernel for m in made]),  # type: ignore[union-attr]
            "step": np.array(float(made[0].step)),
        }
    energy = per_group[0][0] if isinstance(per_group[0], tuple) else omega
    energy = np.asarray(energy, dtype=float)
    kernels = []
    for k, s in enumerate(per_group):
        own, values = s if isinstance(s, tuple) else (omega, s)
        if np.shape(own) != energy.shape or not np.allclose(own, energy, atol=1e-9):
            raise DataError(f"kernel {k} has another energy axis than the first one")
        kernels.append(normalise_kernel(values, energy, subtract))  # type: ignore[arg-type]
    return {"kernel": np.array(kernels), "energy": energy}


def _profile_coords(profiles: list[Any]) -> dict[str, Any]:
    """Rows of every group, padded with rows of weight 0."""
    if not all(isinstance(p, Profile) for p in profiles):
        raise DataError(
            "sigma_res mixes profiles with widths or kernels; give one kind for all Q"
        )
    return {"profile": padded(profiles)}


def _per_group(sigma_res: Any, groups: int, n: int) -> list[Any]:
    """One resolution per Q from a scalar, a kernel, a pair, or a list of them."""
    if isinstance(sigma_res, tuple | Profile):
        return [sigma_res] * groups
    if not isinstance(sigma_res, list):
        sigma_res = np.asarray(sigma_res, dtype=float)
        if sigma_res.ndim == 0:
            return [sigma_res] * groups
    plain = not any(isinstance(s, tuple | Profile) for s in sigma_res)
    flat = plain and all(np.ndim(s) == 0 for s in sigma_res)
    # as many numbers as energies are one kernel, even if there are as many bins
    if flat and len(sigma_res) == n:
        return [np.asarray(sigma_res, dtype=float)] * groups
    if len(sigma_res) == groups:
        return list(sigma_res)
    raise DataError(
        f"sigma_res has {len(sigma_res)} entries; expected a number, one kernel of {n} "
        f"points, or one per Q bin ({groups})"
    )
