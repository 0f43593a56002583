"""Job files of XPCS; the keys are the arguments of `js.xpcs.load` and `problem`.

Units: q in 1/Å, times in s, the gap h in Å, angles in degrees.
"""

import dataclasses
import math
import pathlib
from typing import Any

import numpy as np

from .. import xpcs
from ..errors import ConfigError, JaxscatterError
from ..infer.result import FitResult, SampleResult
from ..problem import Dataset, Gaussian, Problem
from ..xpcs.parameters import ALIASES, MODEL_ALIASES, MODELS, SCALING, physical_names
from ..xpcs.problem import scanned_start
from .checks import at_least, named_prior, need_known, unknown
from .parts import AbstractJob, Change, Fit, Sample, changes, check_verbs

CONVENTIONS = ("pnas", "homodyne_v2", "homodyne_v1")
RATES = ("power", "offset")
LOSSES = ("linear", "soft_l1", "huber", "cauchy", "student_t")


@dataclasses.dataclass
class Data:
    """File, Q, frames and angles, as `js.xpcs.load`."""

    path: str
    q: float | None = None
    dt: float | None = None
    start_frame: int = 1
    end_frame: int = -1
    sigma: float | list[float] | None = None
    phi_ranges: list[tuple[float, float]] | None = None
    fallback: bool = True
    exclude_t0: bool = False


@dataclasses.dataclass
class Model:
    """Model and its spelling, as `js.xpcs.problem`; `loss` is that of the fit."""

    name: str = "laminar_flow"
    h: float = 2e6
    convention: str = "pnas"
    rate: str = "power"
    floor: str = "plain"
    integration: str | None = None
    scaling: str = "varpro"
    contrast: float | list[float] | None = None
    offset: float | list[float] | None = None
    loss: str = "linear"


@dataclasses.dataclass
class Simulation:
    """What `jaxscatter simulate` adds to the model and the data, as `js.xpcs.simulate`.

    Parameters without a value in the job have the start values of the model.
    """

    n_frames: int
    phi: float | list[float] = 0.0
    contrast: float | list[float] = 0.5
    offset: float | list[float] = 1.0
    noise: float = 0.0
    seed: int = 0
    self_correlation: float | None = None


SECTIONS: dict[str, type] = {
    "data": Data, "model": Model, "fit": Fit, "sample": Sample,
    "simulate": Simulation, "parameters.*": Change,
}  # fmt: skip


@dataclasses.dataclass
class Job(AbstractJob):
    """One XPCS analysis, and what a simulation of it needs."""

    data: Data
    technique: str = "xpcs"
    title: str = ""
    model: Model = dataclasses.field(default_factory=Model)
    parameters: dict[str, float | Change] = dataclasses.field(default_factory=dict)
    fit: Fit | None = dataclasses.field(default_factory=lambda: Fit("tr"))
    sample: Sample | None = None
    simulate: Simulation | None = None
    homodyne_files: bool = False
    output: str | None = None
    file: pathlib.Path | None = dataclasses.field(default=None, repr=False)

    groups = ("angle", "angles")

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def data_path(self) -> str:
        """The data file as the job names it."""
        return self.data.path

    def load(self) -> Dataset:
        """The two-time data of the chosen angles."""
        given = dataclasses.asdict(self.data)
        return xpcs.load(self.resolve(given.pop("path")), **given)

    def problem(self, data: Dataset) -> Problem:
        """The problem of this job; D0, γ̇0 and phi0 without a value are scanned for."""
        m = self.model
        options = {
            k: getattr(m, k)
            for k in ("h", "convention", "rate", "floor", "integration", "scaling")
        }
        options |= {
            k: getattr(m, k)
            for k in ("contrast", "offset")
            if getattr(m, k) is not None
        }
        table = changes(self._canonical())
        values = {k: v["value"] for k, v in table.items() if "value" in v}
        held = {k: values[k] for k, v in table.items() if v.get("fixed")}
        bounds = [
            {"name": k, "min": v["bounds"][0], "max": v["bounds"][1]}
            for k, v in table.items()
            if "bounds" in v
        ]
        try:
            made = xpcs.problem(
                data,
                m.name,
                **options,
                values={k: v for k, v in values.items() if k not in held},
                bounds=bounds,
                fixed=held,
                likelihood=Gaussian(**self._loss()),
            )
            scanned = scanned_start(made)
            start: dict[str, Any] = {k: scanned[k] for k in scanned if k not in values}
            priors = {
                k: {"prior": v["prior"]} for k, v in table.items() if "prior" in v
            }
            return made.with_(
                parameters={
                    k: {
                        **priors.get(k, {}),
                        **({"value": start[k]} if k in start else {}),
                    }
                    for k in {**priors, **start}
                }
            )
        except (JaxscatterError, KeyError, TypeError) as error:
            raise ConfigError(f"{self.name}: {error.args[0]}") from error

    def posterior(self, problem: Problem) -> Problem:
        """Gaussian noise, of unknown scale where the job gives no sigma."""
        noise = "scale_marginal" if self.data.sigma is None else "known"
        return problem.with_(likelihood=Gaussian(noise))

    def described(self, data: Dataset) -> list[str]:
        """The data and the model in words."""
        m = self.model
        lines = [f"data     {self.data.path}, {extent(data)}"]
        lines.append(f"         {angles(data)}, {data.n_valid} usable points")
        sigma = self.data.sigma
        known = "unknown: scaled to the scatter" if sigma is None else f"sigma {sigma}"
        lines.append(f"errors   {known}")
        gap = f", gap {m.h:g} Å" if m.name == "laminar_flow" else ""
        lines.append(
            f"model    {m.name}{gap}, convention {m.convention}, rate {m.rate}, "
            f"scaling {m.scaling}"
        )
        return lines

    def export(
        self,
        folder: pathlib.Path,
        problem: Problem,
        best: FitResult | None,
        post: SampleResult | None,
    ) -> None:
        """The folders of homodyne, where the job wants them."""
        if self.homodyne_files:
            homodyne_folders(folder, problem, best, post)

    def simulated(self) -> Dataset:
        """Data of the job's model, as its section `simulate` says.

        Raises:
            ConfigError: no such section, or what it says is impossible.
        """
        if self.simulate is None:
            raise ConfigError(f"{self.name}: missing the required key simulate")
        q, dt = self.data.q, self.data.dt
        if q is None or dt is None:
            key = "q" if q is None else "dt"
            raise ConfigError(f"{self.name}: missing the required key data.{key}")
        m, given = self.model, dataclasses.asdict(self.simulate)
        values = {p.name: float(p.value) for p in xpcs.parameter_set(m.name)}
        table = changes(self._canonical())
        values |= {k: v["value"] for k, v in table.items() if "value" in v}
        try:
            return xpcs.simulate(
                m.name,
                {k: v for k, v in values.items() if k not in SCALING},
                q=q,
                dt=dt,
                h=m.h,
                convention=m.convention,
                rate=m.rate,
                floor=m.floor,
                integration=m.integration,
                **given,
            )
        except JaxscatterError as error:
            raise ConfigError(f"{self.name}: {error}") from error

    def _loss(self) -> dict[str, Any]:
        return {} if self.model.loss == "linear" else {"loss": self.model.loss}

    def _canonical(self) -> dict[str, float | Change]:
        return {ALIASES.get(k, k): v for k, v in self.parameters.items()}


def checked(job: Job) -> Job:
    """The job, if its names and ranges can be judged without the data and are good.

    Raises:
        ConfigError: with the place of what is not.
    """
    check_verbs(job.fit, job.sample)
    m = job.model
    need_known("model.name", m.name, (*MODELS, *MODEL_ALIASES))
    need_known("model.convention", m.convention, CONVENTIONS)
    need_known("model.rate", m.rate, RATES)
    need_known("model.loss", m.loss, LOSSES)
    for place, value in (
        ("model.h", m.h), ("data.q", job.data.q), ("data.dt", job.data.dt),
    ):  # fmt: skip
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{place}: {value}; expected a positive number")
    at_least("data", job.data, start_frame=1)
    if m.loss != "linear" and job.data.sigma is None:
        raise ConfigError(f"model.loss: {m.loss!r} needs data.sigma, its yardstick")
    if job.simulate is not None:
        at_least("simulate", job.simulate, n_frames=2, noise=0, seed=0)
    known = physical_names(m.name)
    for name, change in job.parameters.items():
        if ALIASES.get(name, name) not in (*known, *SCALING):
            unknown(f"parameters.{name}", name, known)
        if not isinstance(change, Change):
            continue
        if name in SCALING and {change.value, change.fixed, None} != {None}:
            raise ConfigError(
                f"parameters.{name}: expected bounds alone; model.scaling and "
                f"model.{name} say the rest"
            )
        if change.fixed and change.value is None:
            raise ConfigError(f"parameters.{name}.fixed: needs a value beside it")
        if change.prior is not None:
            named_prior(name, change.prior)
    return job


def extent(data: Dataset) -> str:
    """Q, frames and their step in words."""
    q = np.unique(np.asarray(data.coords["q"]))
    span = f"{q[0]:.5g}" if q.size == 1 else f"{q[0]:.5g} to {q[-1]:.5g}"
    n, dt = len(np.asarray(data.coords["t"])), float(data.coords["dt"])
    return f"q {span} 1/Å, {n} frames of {dt:.4g} s"


def angles(data: Dataset) -> str:
    """Number and range of the angles in words."""
    phi = np.asarray(data.coords["phi"])
    if phi.size == 1:
        return f"1 angle at {phi[0]:.4g} degrees"
    return f"{phi.size} angles from {phi.min():.4g} to {phi.max():.4g} degrees"


def homodyne_folders(
    folder: pathlib.Path,
    problem: Problem,
    best: FitResult | None,
    post: SampleResult | None,
) -> None:
    """Write `nlsq` of a fit and `cmc` of a posterior into a folder."""
    if best is not None:
        xpcs.write_nlsq(best, problem, folder)
    if post is not None:
        xpcs.write_cmc(post, post.problem or problem, folder)
