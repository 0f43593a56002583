"""From measured rows to fit-ready bins: elastic line, resolution, averaging over Q.

The functions take the dictionaries of `loading` and add keys to them, in this order:
`fit_elastic_peak` (e0, sig_raw, e), `assign_resolution` (sigma_res, fwhm_res,
res_source, res_file), then `build_data_bins` and `build_resolution_bins` read them.

Units: energies in meV, Q in 1/Å, temperatures in K. Widths are Gaussian standard
deviations unless the name says FWHM.
"""

import itertools
import logging
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from ..constants import FWHM_PER_SIGMA
from ..errors import ConfigError, DataError, DataWarning
from ..io.nxspe import Numbers
from .config import Config

_LOG = logging.getLogger("jaxscatter")
_FALLBACK_SIGMA = 0.043  # meV, about 0.1 meV FWHM
_SAME_Q = 1e-6
_NARROW = 1.0  # meV, the axis of a backscattering spectrum

DataBin = tuple[np.ndarray, np.ndarray, np.ndarray, float]


def fit_elastic_peak(d: dict[str, Any], *, masked: bool = False) -> tuple[float, float]:
    """(e0, σ) in meV of a Gaussian on a constant, fitted to the rows of lowest Q.

    The spectrum is the mean of the max(3, n_good // 7) good rows of lowest Q. Sets
    d["e0"], d["sig_raw"] and the shifted axis d["e"] = d["e_raw"] - e0. If the fit
    fails, the highest point and 0.043 meV are used with a RuntimeWarning.

    Args:
        d: a dataset.
        masked: average only valid points. By default masked points enter as the zeros
            they are stored as, which other programs do too; on the benzene example
            that moves e0 by 0.015 µeV and σ by 1 %.
    """
    good = np.asarray(d["good"])
    rows = good[np.argsort(d["q"][good], kind="stable")][: max(3, good.size // 7)]
    energy = d["e_raw"]
    least = 1e-4
    if masked:
        spectrum, _, counts = _average(d, rows, np.ones(energy.size, bool))
        energy, spectrum = energy[counts > 0], spectrum[counts > 0]
    else:
        spectrum = d["data"][rows].mean(axis=0)
    top = int(np.argmax(spectrum))
    width = 0.05
    if energy[-1] - energy[0] < _NARROW:
        # lines of backscattering are a thousandth of 0.05 meV, too far to start from
        above = spectrum > 0.5 * (spectrum[top] + spectrum.min())
        width = float(np.gradient(energy)[above].sum()) / FWHM_PER_SIGMA
        least = min(least, 1e-2 * width)
    start = [spectrum[top], energy[top], width, spectrum.min()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            best, _ = curve_fit(
                _gaussian_on_constant,
                energy,
                spectrum,
                p0=start,
                bounds=(
                    [0, energy[0], least, -np.inf],
                    [np.inf, energy[-1], 2.0, np.inf],
                ),
                max_nfev=8000,
            )
        e0, sigma = float(best[1]), float(best[2])
    except (RuntimeError, ValueError) as error:
        e0, sigma = float(energy[top]), _FALLBACK_SIGMA
        warnings.warn(
            f"{d['name']}: no Gaussian fits the elastic line ({error}); took its "
            f"highest point, {e0:.4f} meV, and a width of {sigma} meV",
            RuntimeWarning,
            stacklevel=2,
        )
    d["e0"], d["sig_raw"], d["e"] = e0, sigma, d["e_raw"] - e0
    return e0, sigma


def subtract_empty(
    d: Mapping[str, Any], can: Mapping[str, Any], scale: float = 1.0
) -> dict[str, Any]:
    """Dataset with `scale` times the empty can subtracted, errors in quadrature.

    Points masked in the can are masked in the result.

    Args:
        d: the sample.
        can: the empty can, of the same rows and energies.
        scale: transmission of the sample.

    Raises:
        DataError: other rows or energies, or a scale that is not positive.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise DataError(f"empty_scale is {scale}; expected a positive number")
    same = d["data"].shape == can["data"].shape
    if not same or not np.allclose(d["e_raw"], can["e_raw"], rtol=0, atol=1e-6):
        raise DataError(
            f"{can['name']} has {can['data'].shape} rows and energies or another axis; "
            f"expected those of {d['name']}, {d['data'].shape}"
        )
    mask = d["mask"] & can["mask"]
    errs = np.hypot(d["errs"], scale * can["errs"])
    return {
        **d,
        "data": np.where(mask, d["data"] - scale * can["data"], 0.0),
        "errs": np.where(mask, errs, 0.0),
        "mask": mask,
    }


def assign_resolution(
    dataset: Mapping[str, dict[str, Any]], cfg: Config, verbose: bool = True
) -> None:
    """Give each dataset the width of the best resolution run at its incident energy.

    In this order: `cfg.resolution_file` ("explicit_override"); an incoherent run at or
    below `cfg.frozen_temp_threshold` ("frozen_sample"); a coherent run ("coh_file");
    its own width with a DataWarning ("raw_inc_inflated"). Among several, a run on the
    same sample is preferred, then the coldest. A run of unknown temperature (-1) is
    never taken for a frozen one. Sets sigma_res, fwhm_res, res_source and res_file.
    """
    for name, d in dataset.items():
        if "sig_raw" not in d:
            raise DataError(f"{name}: no elastic width; call fit_elastic_peak first")
    explicit = cfg.resolution_file
    if explicit is not None and explicit not in dataset:
        raise ConfigError(
            f"resolution_file={explicit!r} was not loaded: expected one of "
            f"{sorted(dataset)}"
        )
    for name, d in dataset.items():
        # the incident energy may come from a file name, rounded to 0.01 meV
        same = {
            n: r
            for n, r in dataset.items()
            if abs(r["ei"] - d["ei"]) <= max(5e-3, 1e-3 * d["ei"])
        }
        frozen = {
            n: r
            for n, r in same.items()
            if r["kind"] == "inc" and 0 <= r["temp"] <= cfg.frozen_temp_threshold
        }
        coherent = {n: r for n, r in same.items() if r["kind"] == "coh"}
        if explicit is not None and explicit in same:
            source, chosen = "explicit_override", explicit
        elif frozen:
            source, chosen = "frozen_sample", _nearest_run(frozen, d)
        elif coherent:
            source, chosen = "coh_file", _nearest_run(coherent, d)
        else:
            source, chosen = "raw_inc_inflated", name
            warnings.warn(
                f"{name}: no resolution run at Ei {d['ei']:.2f} meV; used its own "
                "elastic width, which quasi-elastic scattering broadens",
                DataWarning,
                stacklevel=2,
            )
        d["sigma_res"] = dataset[chosen]["sig_raw"]
        d["fwhm_res"] = FWHM_PER_SIGMA * d["sigma_res"]
        d["res_source"], d["res_file"] = source, chosen
        if verbose:
            _LOG.info(
                "%s: FWHM %.1f µeV from %s (%s)",
                name,
                1e3 * d["fwhm_res"],
                chosen,
                source,
            )


def build_data_bins(
    d: Mapping[str, Any], cfg: Config, error: str = "mean", *, min_rows: int = 2
) -> list[DataBin]:
    """Bins of equal occupancy: a list of (omega, spectrum, errors, mean Q).

    Good rows with q_min ≤ Q ≤ q_max are divided at percentiles of Q, the last bin
    closed, bins of fewer than `min_rows` rows left out; omega is d["e"] in
    ±energy_window. Masked points do not enter an average; where every row is masked,
    the point has error 0 (and spectrum 0), which the likelihoods read as "no data".

    Args:
        d: a dataset.
        cfg: q_min, q_max, n_q_bins and energy_window are used.
        error: "mean" is the standard error of the mean, √(Σσ²)/n; "rms" is √(Σσ²/n),
            what one row would have, too large by √n.
        min_rows: rows that make a bin; 1 where rows are Q bins already.
    """
    _check_error(error)
    columns = _window(d, cfg)
    q = d["q"]
    rows = rows_in_range(d, cfg, min_rows)
    edges = np.percentile(q[rows], np.linspace(0, 100, cfg.n_q_bins + 1))
    bins = []
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        last = i == cfg.n_q_bins - 1
        inside = (q[rows] >= low) & ((q[rows] <= high) if last else (q[rows] < high))
        members = rows[inside]
        if members.size < min_rows:
            continue
        bins.append(_bin(d, members, columns, error))
    if not bins:
        raise DataError(
            f"{d['name']}: no Q bin has two rows: expected n_q_bins below "
            f"{cfg.n_q_bins} for {rows.size} rows"
        )
    return bins


def build_row_bins(
    d: Mapping[str, Any], cfg: Config, error: str = "mean"
) -> list[DataBin]:
    """Each good row in [q_min, q_max] as a bin, for files whose rows are Q bins.

    Rows of one Q, such as detectors on both sides of the beam, are averaged. Bins are
    in the order of Q; the rest is as in `build_data_bins`.

    Args:
        d: a dataset.
        cfg: q_min, q_max and energy_window are used.
        error: of the mean of several rows, as in `build_data_bins`.
    """
    _check_error(error)
    columns = _window(d, cfg)
    rows = rows_in_range(d, cfg)
    which = distinct_q(d["q"][rows])
    return [
        _bin(d, rows[which == k], columns, error) for k in range(int(which.max()) + 1)
    ]


def rows_in_range(d: Mapping[str, Any], cfg: Config, at_least: int = 1) -> np.ndarray:
    """Indices of the good rows with q_min ≤ Q ≤ q_max.

    Raises:
        DataError: fewer than `at_least`.
    """
    q, rows = d["q"], np.asarray(d["good"])
    slack = _SAME_Q * cfg.q_max  # so that a Q of 0.3 stored with 32 bits is not < 0.3
    inside = (q[rows] >= cfg.q_min - slack) & (q[rows] <= cfg.q_max + slack)
    if np.count_nonzero(inside) < at_least:
        raise DataError(
            f"{d['name']}: {np.count_nonzero(inside)} good rows with Q in "
            f"[{cfg.q_min}, {cfg.q_max}] 1/Å: expected at least {at_least}"
        )
    return rows[inside]


def distinct_q(q: np.ndarray) -> np.ndarray:
    """Number, in the order of Q, of the distinct Q that each value belongs to."""
    order = np.argsort(q, kind="stable")
    steps = np.diff(q[order]) > _SAME_Q * np.maximum(q[order][1:], 1.0)
    out = np.empty(q.size, int)
    out[order] = np.concatenate([[0], np.cumsum(steps)])
    return out


def build_resolution_bins(
    d_ref: Mapping[str, Any],
    cfg: Config,
    q_centres: Numbers,
    *,
    axis: str = "own",
    omega: Numbers | None = None,
    nearest: int = 5,
) -> list[Any]:
    """Measured kernels, one per Q: mean resolution spectra, negative values set to 0.

    Bin edges are the midpoints of `q_centres`, the outer ones mirrored; an empty bin
    takes the `nearest` rows. A single centre takes all rows from q_min to q_max.

    The resolution run has its own elastic offset e0, so its axis d_ref["e"] is not the
    sample's, even when both files have the same bins.

    Args:
        d_ref: the resolution run, aligned by `fit_elastic_peak`.
        cfg: q_min, q_max and energy_window are used.
        q_centres: mean Q of the data bins, increasing.
        axis: "own" gives tuples (own axis, kernel), nothing lost; "interp" gives the
            kernels interpolated linearly to `omega`; "seed" gives the bare values, to
            be laid point by point on a sample axis of equal length, whatever the
            difference of the two e0 (kept to reproduce other programs' numbers).
        omega: energies for axis="interp".
        nearest: how many rows an empty bin takes.
    """
    if axis not in ("own", "interp", "seed"):
        raise DataError(f"axis={axis!r}: expected 'own', 'interp' or 'seed'")
    if (omega is not None) != (axis == "interp"):
        raise DataError(f"axis={axis!r}: omega is needed for 'interp' and only there")
    centres = np.atleast_1d(np.asarray(q_centres, float))
    if centres.ndim != 1 or centres.size == 0 or not np.all(np.diff(centres) > 0):
        raise DataError(f"q_centres={q_centres!r}: expected increasing values")
    columns = _window(d_ref, cfg)
    own = d_ref["e"][columns]
    out: list[Any] = []
    every = _kernel_rows(d_ref, cfg, centres, nearest)
    for centre, members in zip(centres, every, strict=True):
        spectrum, _, _ = _average(d_ref, members, columns)
        kernel = np.maximum(spectrum, 0.0)
        if not kernel.any():
            raise DataError(
                f"{d_ref['name']}: the kernel at Q={centre:.3f} 1/Å has no positive "
                "point"
            )
        if axis == "own":
            out.append((own.copy(), kernel))
        elif axis == "seed":
            out.append(kernel)
        else:
            out.append(
                np.interp(np.asarray(omega, float), own, kernel, left=0.0, right=0.0)
            )
    return out


def kernel_noise(
    d_ref: Mapping[str, Any], cfg: Config, q_centres: Numbers, nearest: int = 5
) -> np.ndarray:
    """Relative error of each kernel of `build_resolution_bins` at its highest point."""
    columns = _window(d_ref, cfg)
    centres = np.atleast_1d(np.asarray(q_centres, float))
    out = []
    for members in _kernel_rows(d_ref, cfg, centres, nearest):
        spectrum, variance, counts = _average(d_ref, members, columns)
        top = int(np.argmax(spectrum))
        out.append(np.sqrt(variance[top]) / max(counts[top], 1) / spectrum[top])
    return np.array(out)


def _kernel_rows(
    d_ref: Mapping[str, Any], cfg: Config, centres: np.ndarray, nearest: int
) -> list[np.ndarray]:
    """Rows of the resolution run that make the kernel at each centre."""
    rows = np.asarray(d_ref["good"])
    q = d_ref["q"][rows]
    if centres.size == 1:
        edges = np.array([cfg.q_min, cfg.q_max])
    else:
        middle = 0.5 * (centres[:-1] + centres[1:])
        first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
        edges = np.concatenate([[first], middle, [last]])
    out = []
    for centre, low, high in zip(centres, edges[:-1], edges[1:], strict=True):
        members = rows[(q >= low) & (q < high)]
        if members.size == 0:
            members = rows[np.argsort(np.abs(q - centre), kind="stable")[:nearest]]
        out.append(members)
    return out


def _gaussian_on_constant(
    x: np.ndarray, height: float, centre: float, sigma: float, constant: float
) -> np.ndarray:
    return height * np.exp(-0.5 * ((x - centre) / sigma) ** 2) + constant


def _average(
    d: Mapping[str, Any], rows: Iterable[int] | np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of the valid points of some rows, sum of their variances, their number."""
    block = np.ix_(np.asarray(rows), np.flatnonzero(columns))
    errs = d["errs"][block]
    valid = d["mask"][block] if "mask" in d else errs > 0
    counts = valid.sum(axis=0)
    total = np.where(valid, d["data"][block], 0.0).sum(axis=0)
    variance = np.where(valid, errs, 0.0) ** 2
    return total / np.maximum(counts, 1), variance.sum(axis=0), counts


def _bin(
    d: Mapping[str, Any], rows: np.ndarray, columns: np.ndarray, error: str
) -> DataBin:
    """Mean of some rows as (omega, spectrum, errors, mean Q)."""
    spectrum, variance, counts = _average(d, rows, columns)
    n = np.maximum(counts, 1)
    errors = np.sqrt(variance) / n if error == "mean" else np.sqrt(variance / n)
    return d["e"][columns].copy(), spectrum, errors, float(d["q"][rows].mean())


def _check_error(error: str) -> None:
    if error not in ("mean", "rms"):
        raise DataError(f"error={error!r}: expected 'mean' or 'rms'")


def _window(d: Mapping[str, Any], cfg: Config) -> np.ndarray:
    columns = np.abs(d["e"]) <= cfg.energy_window
    if np.count_nonzero(columns) < 3:
        raise DataError(
            f"{d['name']}: {np.count_nonzero(columns)} points within "
            f"±{cfg.energy_window} meV: expected at least 3; the axis runs from "
            f"{d['e'][0]:.4g} to {d['e'][-1]:.4g} meV"
        )
    return columns


def _nearest_run(runs: Mapping[str, dict[str, Any]], d: Mapping[str, Any]) -> str:
    return min(runs, key=lambda n: (runs[n]["sample"] != d["sample"], runs[n]["temp"]))
