"""QENS data: files or bins in, one `Dataset` with its resolution out."""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..io import read_spectra
from ..io.spectra import ELASTIC_Q, NO_ERRORS
from ..numerics import grid_step, normalise_kernel
from ..problem import Dataset
from .config import Config
from .forward_model import Numbers
from .loading import read_run, run_of
from .reduction import (
    build_data_bins,
    build_resolution_bins,
    build_row_bins,
    distinct_q,
    fit_elastic_peak,
    kernel_noise,
    rows_in_range,
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

_LOG = logging.getLogger("jaxscatter")
N_Q_BINS = 12
ROWS_AS_BINS = 24
"""Fewer than two rows a bin leave nothing to average: rows stay as they are."""
ALIGN = ("peak", "none")
FEW_ENERGIES = 10
ALOUD = (ELASTIC_Q, NO_ERRORS)
"""Sentences of a reader that every report repeats."""
PathLike = str | os.PathLike[str]
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
    "elastic": ("group", "point"),
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
    path: PathLike | Sequence[PathLike],
    resolution: PathLike | Sequence[PathLike] | float | np.number | None = None,
    *,
    empty: PathLike | None = None,
    empty_scale: float = 1.0,
    n_q_bins: int | None = None,
    energy_window: float = 1.25,
    q_min: float = 0.3,
    q_max: float = 2.5,
    q: Numbers | str | None = None,
    q_edges: Numbers | None = None,
    error: str = "mean",
    subtract_background: str = "none",
    energy_sign: int = 1,
    energy_unit: str | None = None,
    align: str = "peak",
) -> Dataset:
    """Measured S(Q, ω) in Q bins, with its measured resolution, from any known format.

    The content of each file tells its format: NXSPE, LAMP HDF, Mantid NeXus, MDANSE,
    DAVE grp, INX or text columns; the files need not agree in it. What was recognised
    and assumed is in the metadata ("format", "resolution_format", "said") and in the
    log (logger "jaxscatter", level INFO).

    Sample and resolution are each shifted by their own elastic line, and each kernel
    keeps its own energy axis.

    Args:
        path: file of the sample, or several files of text columns.
        resolution: file of the resolution (frozen sample or vanadium), a Gaussian
            standard deviation in meV, or None for the width of the sample's own elastic
            peak, which is too wide and said so. A file with one row serves all Q.
        empty: file of the empty can, subtracted from the sample row by row.
        empty_scale: transmission of the sample, which multiplies the can.
        n_q_bins: number of bins of equal occupancy; as many as rows, or more, keep each
            row as a bin. None does so up to 24 rows, and makes 12 bins of more.
        energy_window: half width in meV.
        q_min: lower end of the first bin in 1/Å.
        q_max: upper end of the last bin in 1/Å.
        q: Q of the rows in 1/Å, where the file does not give it; for INX also "angle"
            or "q", what the first number of each block is. It is used for every file
            with as many rows.
        q_edges: edges of the rows' Q bins in 1/Å, instead of q.
        error: "mean" is the standard error of the bin's mean; "rms" that of one row.
        subtract_background: constant under the kernels: "none", "min", "edges".
        energy_sign: -1 if the files count neutron energy gain as positive.
        energy_unit: "meV" or "ueV" where the files state none; None takes meV there.
        align: "peak" shifts each file by its own fitted elastic line; "none" shifts
            nothing, for data aligned already or a fitted `center`.

    Raises:
        FileNotFoundError, FormatError: no such file, or of no known format.
        DataError: the Q of rows is not known, or no good row is in the window.
    """
    if align not in ALIGN:
        raise DataError(f"align is {align!r}; expected one of {list(ALIGN)}")
    cfg = Config(
        q_min=q_min,
        q_max=q_max,
        energy_window=energy_window,
        n_q_bins=N_Q_BINS if n_q_bins is None else n_q_bins,
    )
    how: dict[str, Any] = {
        "q": q,
        "q_edges": q_edges,
        "energy_sign": energy_sign,
        "energy_unit": energy_unit,
    }
    sample = read_run(path, **how)
    said, warned = list(sample["said"]), [x for x in sample["said"] if x in ALOUD]
    if empty is not None:
        can = read_run(empty, **how)
        if sample["has_errors"] and not can["has_errors"]:
            raise DataError(
                f"{can['name']}: the can has no errors, and {sample['name']} has; "
                "expected errors in both"
            )
        sample = subtract_empty(sample, can, empty_scale)
    e0, sigma = _aligned(sample, align, resolution is None)
    rows = rows_in_range(sample, cfg)
    n_rows, n_good = int(distinct_q(sample["q"][rows]).max()) + 1, sample["good"].size
    each_row = n_rows <= (ROWS_AS_BINS if n_q_bins is None else n_q_bins)
    if each_row:
        bins = build_row_bins(sample, cfg, error)
    else:
        bins = build_data_bins(sample, cfg, error, min_rows=1)
    if (kept := bins[0][0].size) < FEW_ENERGIES:
        warned.append(
            f"only {kept} of {sample['e'].size} energies lie within energy_window = "
            f"{energy_window:g} meV; is the file in µeV? Then give energy_unit='ueV'"
        )
    if rows.size < n_good:
        said.append(
            f"{n_good - rows.size} of {n_good} rows are outside q_min = {q_min:g} to "
            f"q_max = {q_max:g} 1/Å"
        )
        _LOG.info("%s: %s", sample["name"], said[-1])
    meta = {
        "technique": "qens",
        "x": "omega",
        "group": "q",
        "sample": _shown(path),
        "ei": float(sample["ei"]),
        "e0": e0,
        "align": align,
        "format": sample["format"],
        "q_source": sample["q_source"],
        "y_label": "S(Q, ω)",
    }
    if empty is not None:
        meta |= {"empty": _shown(empty), "empty_scale": float(empty_scale)}
    kernels: Any
    if resolution is None:
        warned.append(
            "no resolution was given: the width of the sample's own elastic peak "
            f"({sigma:.4g} meV) stands in for it, which is too wide"
        )
        kernels = sigma
    elif isinstance(resolution, int | float | np.number):
        kernels = float(resolution)
    else:
        frozen = _resolution_run(resolution, how)
        meta["resolution_e0"], _ = _aligned(frozen, align, False)
        meta["resolution"] = _shown(resolution)
        meta["resolution_format"] = frozen["format"]
        said += [f"resolution: {x}" for x in frozen["said"]]
        centres, nearest = [b[3] for b in bins], 1 if each_row else 5
        kernels = build_resolution_bins(frozen, cfg, centres, nearest=nearest)
        if sample["has_errors"] and frozen["has_errors"]:
            warned += _noisy(kernel_noise(frozen, cfg, centres, nearest), bins)
    meta |= {"said": tuple(said), "warnings": tuple(warned)}
    data = from_bins(bins, kernels, subtract_background, meta)
    return data if sample["has_errors"] else _without_errors(data)


def _noisy(kernel: np.ndarray, bins: Sequence[tuple]) -> list[str]:
    """A sentence on kernels whose errors are twice those of the data, if any."""
    own = np.array([b[2][k] / b[1][k] for b in bins for k in [int(np.argmax(b[1]))]])
    worse = np.flatnonzero(kernel > 2 * own)
    if not worse.size:
        return []
    return [
        f"noisy kernels: at {worse.size} of {len(bins)} Q the resolution's highest "
        f"point is known to {np.max(kernel[worse]):.1%} and the sample's to "
        f"{np.max(own[worse]):.1%}; fits take kernels as exact, so their errors are "
        "too small"
    ]


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


def _resolution_run(
    path: PathLike | Sequence[PathLike], how: dict[str, Any]
) -> dict[str, Any]:
    """The resolution's rows, by the sample's Q if they are as many, else by their own.

    A single row without Q serves every Q.
    """
    try:
        spectra = read_spectra(path, **how)
    except DataError:
        if how["q"] is None and how["q_edges"] is None:
            raise
        spectra = read_spectra(path, **{**how, "q": None, "q_edges": None})
    if spectra.q is None and len(spectra.data) == 1:
        spectra = dataclasses.replace(
            spectra,
            q=np.zeros(1),
            said=(*spectra.said, "its single row serves every Q"),
        )
    return run_of(spectra, path)


def _aligned(
    run: dict[str, Any], align: str, need_width: bool
) -> tuple[float, float | None]:
    """Shift of the energies that was applied, and the elastic line's σ if fitted."""
    if align == "none" and not need_width:
        return 0.0, None
    # NXSPE keeps what older programs do; see fit_elastic_peak
    e0, sigma = fit_elastic_peak(run, masked=run["format"] != "NXSPE")
    if align == "none":
        e0, run["e"] = 0.0, run["e_raw"].copy()
    return e0, sigma


def _without_errors(data: Dataset) -> Dataset:
    """The same with its errors unknown, as fits then scale covariances by chi2."""
    return Dataset(
        data.y,
        None,
        np.asarray(data.mask) > 0,
        data.coords,
        dict(data.dims),
        dict(data.units),
        data.metadata,
    )


def _shown(path: PathLike | Sequence[PathLike]) -> str:
    paths = [path] if isinstance(path, str | os.PathLike) else path
    return ", ".join(os.fspath(p) for p in paths)


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
