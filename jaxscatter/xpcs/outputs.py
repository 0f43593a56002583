"""Results in the file layouts of homodyne: `nlsq/` of a fit, `cmc/` of a posterior.

Scripts that read that program's folders read these. JSON is strict: a number that is
not finite is null. Every file appears complete or not at all, and says under which
convention, spelling of the rates and units its numbers hold.

    nlsq/parameters.json              {name: {value, uncertainty, unit}}
    nlsq/analysis_results_nlsq.json   quality of the fit, data, covariance
    nlsq/convergence_metrics.json     how the optimiser ended
    nlsq/fitted_data.npz              matrices (φ, n, n): data, model, residuals
    cmc/parameters.json               {name: {mean, std, r_hat, ess, unit, ...}}
    cmc/analysis_results_cmc.json     sampler, verdict, data
    cmc/diagnostics.json              divergences, E-BFMI, R-hat and ESS
    cmc/shard_diagnostics.json        what each shard said
    cmc/samples.npz                   samples (draw, parameter), param_names, r_hat, ess
    cmc/fitted_data.npz               as of the fit, at the posterior mean

Units: q in 1/Å, times in s, angles in degrees; those of a parameter stand beside it.
"""

import dataclasses
import json
import math
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..errors import DataError, ModelError
from ..infer.result import FitResult, SampleResult
from ..infer.trust_region import MAXITER
from ..io.two_time_write import whole
from ..problem import Problem
from .correlation import c2
from .export import filled
from .forward import XpcsModel

PathLike = str | os.PathLike[str]
UNITS = {"q": "1/Å", "t1": "s", "t2": "s", "phi": "degree", "c2": "1"}
POOR = 10.0
"""Reduced χ² above which a fit with known errors is called poor, as homodyne does."""
MARGINAL = 2.0


def write_nlsq(result: FitResult, problem: Problem, folder: PathLike) -> pathlib.Path:
    """Path of the folder `nlsq` in `folder`, with the files of a fit.

    Quality is "poor" of a fit that has not converged or, where the errors of the data
    are known, has a reduced χ² above 10; "marginal" above 2 or with a parameter at a
    bound; else "good".

    Raises:
        ModelError: the problem is not one of XPCS.
        DataError: the result holds only checksums of its data.
    """
    view = _View(result, problem)
    target = _made(folder, "nlsq")
    table, linear = result.parameters, result.linear
    values: dict[str, dict[str, Any]] = {}
    for source, name in ((table, "name"), (linear, "label")):
        for i, label in enumerate(source.get(name, ())):
            values[_underscored(str(label))] = {
                "value": float(source["value"][i]),
                "uncertainty": float(source["stderr"][i]),
                "unit": str(source["unit"][i]),
                "at_bound": bool(source["at_bound"][i]),
                **view.spelt,
            }
    _json(target / "parameters.json", values)
    s = result.statistics
    _json(
        target / "analysis_results_nlsq.json",
        {
            "method": "nlsq",
            "optimiser": result.method,
            **view.stated,
            "fit_quality": {
                "chi_squared": s["chi2"],
                "reduced_chi_squared": s["red_chi2"],
                "degrees_of_freedom": s["dof"],
                "n_points": s["n_valid"],
                "n_parameters": s["n_parameters"] + s["n_linear"],
                "aic": s["aic"],
                "bic": s["bic"],
                "errors_scaled_by_chi2": result.scaled,
                "quality_flag": quality(result),
            },
            "dataset_info": view.data_info(),
            "scaling": result.linear_mode,
            "covariance": {"order": list(result.labels), "matrix": result.cov},
            "derived": _derived(result.values),
            "warnings": list(result.warnings),
        },
    )
    _json(
        target / "convergence_metrics.json",
        {
            "status": _status(result),
            "success": result.success,
            "code": result.code,
            "message": result.message,
            "evaluations": {k: s[k] for k in ("nfev", "njev") if k in s},
            "history": result.history,
        },
    )
    _npz(target / "fitted_data.npz", view.fitted())
    return target


def write_cmc(result: SampleResult, problem: Problem, folder: PathLike) -> pathlib.Path:
    """Path of the folder `cmc` in `folder`, with the files of a posterior.

    The draws of all chains stand below each other in `samples.npz`.

    Raises:
        ModelError, DataError: as `write_nlsq`.
    """
    view = _View(result, problem)
    target = _made(folder, "cmc")
    d = result.diagnostics
    rows = {str(n): i for i, n in enumerate(d["name"])}

    def column(key: str, name: str) -> float:
        return float(d[key][rows[name]]) if name in rows else math.nan

    draws = {**result.draws, **result.linear_draws}
    values = {
        _underscored(name): {
            "mean": float(np.mean(v)),
            "std": float(np.std(v)),
            "q2.5": float(np.quantile(v, 0.025)),
            "q97.5": float(np.quantile(v, 0.975)),
            "r_hat": column("rhat", name),
            "ess": column("ess_bulk", name),
            "unit": result.units.get(name, ""),
            **view.spelt,
        }
        for name, v in draws.items()
    }
    _json(target / "parameters.json", values)
    chains, count = next(iter(draws.values())).shape
    means = {name: float(np.mean(v)) for name, v in result.draws.items()}
    _json(
        target / "analysis_results_cmc.json",
        {
            "method": "cmc",
            "sampler": result.method,
            **view.stated,
            "n_chains": chains,
            "n_samples": count,
            "converged": result.converged,
            "scaling": result.linear_mode,
            "held": result.held,
            "dataset_info": view.data_info(),
            "derived": _derived(means),
            "warnings": list(result.warnings),
        },
    )
    labels = [str(n) for n in d["name"]]
    _json(
        target / "diagnostics.json",
        {
            "converged": result.converged,
            "statistics": result.statistics,
            "r_hat": dict(zip(labels, d["rhat"], strict=True)),
            "ess_bulk": dict(zip(labels, d["ess_bulk"], strict=True)),
            "ess_tail": dict(zip(labels, d["ess_tail"], strict=True)),
        },
    )
    shards = getattr(result, "shards", None) or {}
    count = max((len(v) for v in shards.values()), default=1)
    _json(
        target / "shard_diagnostics.json",
        {"num_shards": count, "all_data_at_once": count == 1, "shards": shards},
    )
    names = list(values)
    _npz(
        target / "samples.npz",
        {
            "samples": np.stack([np.ravel(v) for v in draws.values()], axis=1),
            "param_names": np.array(names),
            "r_hat": np.array([values[n]["r_hat"] for n in names]),
            "ess": np.array([values[n]["ess"] for n in names]),
            **view.texts(),
        },
    )
    _npz(target / "fitted_data.npz", view.fitted())
    return target


def _status(result: FitResult) -> str:
    if result.success:
        return "converged"
    return "max_iter" if result.code == MAXITER else "failed"


def quality(result: FitResult) -> str:
    """One of "good", "marginal" and "poor", see `write_nlsq`."""
    red = math.nan if result.scaled else result.statistics["red_chi2"]
    if not result.success or red > POOR:
        return "poor"
    held = bool(np.any(result.parameters["at_bound"]))
    return "marginal" if held or red > MARGINAL else "good"


@dataclasses.dataclass
class _View:
    """What both layouts say about data and model."""

    result: FitResult | SampleResult
    problem: Problem

    def __post_init__(self) -> None:
        if not isinstance(self.problem.model, XpcsModel):
            raise ModelError(
                f"{self.problem.model.name!r} is no XPCS model; expected a problem of "
                "js.xpcs.problem"
            )
        self.model: Any = self.problem.model
        self.record = self.result.data[0]
        if "y" not in self.record:
            raise DataError(
                "the result holds only checksums of its data, too large to be stored: "
                "write the folder where the data are"
            )

    @property
    def mode(self) -> str:
        return "laminar_flow" if self.model.flow else "static_isotropic"

    @property
    def stated(self) -> dict[str, Any]:
        made = self.result.provenance
        return {
            "analysis_mode": self.mode,
            **self.spelt,
            "integration": self.model.integration,
            "units": UNITS,
            "program": f"jaxscatter {made.get('jaxscatter', '')}",
            "created": made.get("created", ""),
        }

    @property
    def spelt(self) -> dict[str, str]:
        return {"convention": self.model.convention, "rate": self.model.rate}

    def texts(self) -> dict[str, np.ndarray]:
        return {k: np.array(v) for k, v in self.spelt.items()}

    def data_info(self) -> dict[str, Any]:
        coords = self.record["coords"]
        return {
            "source": self.record["metadata"].get("sample", ""),
            "n_angles": len(self.record["y"]),
            "n_frames": len(coords["t"]),
            "n_points": int(np.sum(self.record["mask"])),
            "phi_angles": coords["phi"],
            "q": coords["q"],
            "dt": coords["dt"],
            "stator_rotor_gap": self.model.h,
        }

    def theta(self) -> dict[str, Any]:
        """Physical parameters of the fit, or of the posterior's mean."""
        r, labels = self.result, self.problem.parameters.labels
        if isinstance(r, FitResult):
            x = np.asarray(r.x)
        else:
            start = np.asarray(self.problem.start())
            x = [
                np.mean(r.draws[n]) if n in r.draws else r.held.get(n, start[i])
                for i, n in enumerate(labels)
            ]
        named = self.problem.named(jnp.asarray(x, float))
        physical = self.model.parameters.names
        return {n: named[n] for n in physical}

    def shapes(self) -> np.ndarray:
        """c2 of contrast 1 and offset 0, (φ, n, n)."""
        coords, m = self.record["coords"], self.model
        options = {k: getattr(m, k) for k in ("convention", "rate", "floor")}
        theta, t = self.theta(), jnp.asarray(coords["t"], float)
        return np.stack(
            [
                np.asarray(
                    c2(
                        theta,
                        t,
                        jnp.asarray(float(phi)),
                        q=jnp.asarray(float(q)),
                        dt=m.dt,
                        h=m.h,
                        contrast=jnp.ones(()),
                        offset=jnp.zeros(()),
                        model=self.mode,
                        integration=m.integration,
                        **options,
                    )
                )
                for q, phi in zip(coords["q"], coords["phi"], strict=True)
            ]
        )

    def matrices(self, values: np.ndarray) -> np.ndarray:
        """Values (φ, point) as symmetric matrices, NaN where there is none."""
        return filled(self.record["coords"], values, self.record["mask"])

    def fitted(self) -> dict[str, np.ndarray]:
        """Content of fitted_data.npz."""
        d = self.record
        seen = np.asarray(d["mask"]) > 0
        measured = self.matrices(np.where(seen, d["y"], np.nan))
        sigma = self.matrices(np.where(seen, d["sigma"], np.nan))
        solved = self.matrices(d["fit"])
        raw = self.shapes()
        scaling = np.array([_scaling(a, b) for a, b in zip(raw, solved, strict=True)])
        scaled = scaling[:, 1, None, None] + scaling[:, 0, None, None] * raw
        t = np.asarray(d["coords"]["t"], float)
        return {
            "phi_angles": np.asarray(d["coords"]["phi"], float),
            "c2_exp": measured,
            "c2_theoretical_raw": raw,
            "c2_theoretical_scaled": scaled,
            "c2_solver_scaled": solved,
            "per_angle_scaling": scaling,
            "per_angle_scaling_solver": scaling,
            "residuals": measured - solved,
            "residuals_normalized": (measured - solved) / sigma,
            "t1": t,
            "t2": t,
            "q": np.unique(np.asarray(d["coords"]["q"], float)),
            **self.texts(),
        }


def _scaling(raw: np.ndarray, curve: np.ndarray) -> tuple[float, float]:
    """(contrast, offset) that turn a shape into a fitted curve.

    Contrast is NaN where the shape is constant and does not tell it from the offset.
    """
    keep = np.isfinite(curve)
    m, y = raw[keep], curve[keep]
    spread = m - m.mean()
    norm = float(spread @ spread)
    if not norm > 1e-20 * m.size:
        return math.nan, math.nan
    contrast = float(spread @ y) / norm
    return contrast, float(y.mean() - contrast * m.mean())


def _derived(values: Mapping[str, float]) -> dict[str, Any]:
    """Stokes-Einstein coefficient of Brownian motion, half of D0."""
    if "D0" not in values:
        return {}
    return {"D_stokes_einstein": {"value": 0.5 * values["D0"], "unit": "Å²/s"}}


def _underscored(label: str) -> str:
    """contrast_0 of contrast[0]."""
    return re.sub(r"\[(\d+)\]$", r"_\1", label)


def _made(folder: PathLike, name: str) -> pathlib.Path:
    target = pathlib.Path(folder) / name
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target}: is a file; expected a folder")
    target.mkdir(parents=True, exist_ok=True)
    return target


def _json(path: pathlib.Path, content: dict[str, Any]) -> None:
    text = json.dumps(_strict(content), indent=2, ensure_ascii=False, allow_nan=False)
    with whole(path) as partial:
        partial.write_text(text + "\n", "utf-8")


def _npz(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    with whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _strict(value: Any) -> Any:
    """The value with what is not finite as None, and arrays as lists."""
    if isinstance(value, Mapping):
        return {str(k): _strict(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(v) for v in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    plain = np.asarray(value)
    return _strict(plain.tolist())
