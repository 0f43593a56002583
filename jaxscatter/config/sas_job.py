"""Job files of SAS; the keys are the arguments of `js.sas.load` and `problem`.

One curve is `data`; several that are fitted together are `datasets`, by name, with the
names of their `shared` parameters. A path `example:NAME` is a file that comes with the
package.

Units: q in 1/Å, I in 1/cm, lengths in Å, scattering length densities in 1e-6/Å².
"""

import dataclasses
import pathlib
from typing import Any, TypeAlias

import numpy as np

from .. import sas
from ..errors import ConfigError, JaxscatterError
from ..infer.result import FitResult, SampleResult
from ..problem import Dataset, Gaussian, JointProblem, Problem, joint
from ..problem.likelihood import LOSSES
from ..sas import arguments
from ..sas.algebra import options
from ..sas.catalogue import control_names
from ..sas.dataset import WEIGHTS
from .checks import at_least, check_keys, converted, named_prior, need_known, unknown
from .parts import AbstractJob, Change, Fit, Sample, changes, check_verbs

GRID = ("_pd_n", "_pd_nsigma", "_pd_type")
Loaded: TypeAlias = Dataset | tuple[Dataset, ...]
Parameters: TypeAlias = dict[str, float | Change]


@dataclasses.dataclass
class Data:
    """A file, as `js.sas.load`; `parameters` are those of one of several `datasets`."""

    path: str
    entry: int | str | None = None
    q_range: tuple[float, float] | None = None
    weights: str = "dI"
    resolution: bool = True
    oversample: int = 1
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Model:
    """Model and what is free, as `js.sas.problem`.

    `settings` are what is no number to fit: modes, control parameters, and grids and
    kinds of distributions.
    """

    name: str
    free: list[str] | None = None
    loss: str = "linear"
    n_quad: int | None = None
    chunk: int | None = None
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Simulation:
    """What `jaxscatter simulate` adds to the model, as `js.sas.simulate`.

    Parameters without a value in the job have the model's defaults. `dq_over_q` is the
    relative resolution of a pinhole.
    """

    q: tuple[float, float] = (0.003, 0.5)
    points: int = 200
    dq_over_q: float = 0.0
    q_length: float = 0.0
    relative: float = 0.0
    absolute: float = 0.0
    counts: float | None = None
    seed: int = 0


SECTIONS: dict[str, type] = {
    "data": Data, "datasets.*": Data, "model": Model, "fit": Fit, "sample": Sample,
    "simulate": Simulation, "parameters.*": Change,
}  # fmt: skip


@dataclasses.dataclass
class Job(AbstractJob):
    """One analysis of one curve or of several, and what a simulation of it needs."""

    model: Model
    data: Data | None = None
    datasets: dict[str, Data] = dataclasses.field(default_factory=dict)
    shared: bool | list[str] = False
    technique: str = "sas"
    title: str = ""
    parameters: Parameters = dataclasses.field(default_factory=dict)
    ties: dict[str, str] = dataclasses.field(default_factory=dict)
    fit: Fit | None = dataclasses.field(default_factory=lambda: Fit("tr"))
    sample: Sample | None = None
    simulate: Simulation | None = None
    nxcansas: bool = True
    output: str | None = None
    file: pathlib.Path | None = dataclasses.field(default=None, repr=False)

    groups = ("curve", "curves")

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def data_path(self) -> str:
        """The data files as the job names them."""
        return ", ".join(dict.fromkeys(d.path for d in self._sections))

    @property
    def _sections(self) -> list[Data]:
        return list(self.datasets.values()) or [d for d in (self.data,) if d]

    def load(self) -> Loaded:
        """The curve, or all of `datasets`."""
        if not self._sections:
            raise ConfigError(f"{self.name}: missing the required key data")
        read = []
        for section in self._sections:
            given = dataclasses.asdict(section)
            del given["parameters"]
            read.append(sas.load(self.resolve(given.pop("path")), **given))
        return tuple(read) if self.datasets else read[0]

    def problem(self, data: Any) -> Problem | JointProblem:
        """The problem of this job for its loaded data."""
        try:
            if not self.datasets:
                return self._of_one(data, self.parameters, self.ties)
            parts = [
                self._of_one(one, {**self.parameters, **section.parameters}, {})
                for one, section in zip(data, self._sections, strict=True)
            ]
            shared = self.shared
            names = tuple(self.datasets)
            return joint(*parts, shared=shared, ties=self.ties, names=names)
        except (JaxscatterError, KeyError, TypeError) as error:
            raise ConfigError(f"{self.name}: {error.args[0]}") from error

    def _of_one(
        self, data: Dataset, parameters: Parameters, ties: dict[str, str]
    ) -> Problem:
        m, table = self.model, changes(parameters)
        held = {k for k, v in table.items() if v.get("fixed")}
        loose = {k for k, v in table.items() if v.get("fixed") is False}

        def given(key: str) -> dict[str, Any]:
            return {k: v[key] for k, v in table.items() if key in v}

        how: dict[str, Any] = {
            "bounds": given("bounds"),
            "priors": given("prior"),
            "ties": ties,
            "likelihood": None if m.loss == "linear" else Gaussian(loss=m.loss),
            "n_quad": m.n_quad,
            "chunk": m.chunk,
            **m.settings,
            **given("value"),
        }
        made = sas.problem(data, m.name, free=m.free, **how)
        if not held and not loose:
            return made
        usual = [p.name for p in made.parameters.free]
        usual += [a.name for a in made.linear if a.held is None]
        chosen = sorted(({*usual} | loose) - held)
        return sas.problem(data, m.name, free=chosen, **how)

    def posterior(self, problem: Any) -> Any:
        """With noise of unknown scale, where the one curve has no errors."""
        if self.datasets or problem.given.sigma_given:
            return problem
        return problem.with_(likelihood=Gaussian("scale_marginal"))

    def described(self, data: Any) -> list[str]:
        """The data and the model in words."""
        m, lines = self.model, []
        names = list(self.datasets) or [""]
        sets = data if self.datasets else (data,)
        for name, section, one in zip(names, self._sections, sets, strict=True):
            lines.append(f"data     {f'{name}: ' if name else ''}{section.path}")
            lines.append(f"         {extent(one)}")
        options = ", ".join(f"{k} {v}" for k, v in m.settings.items())
        lines.append(f"model    {m.name}{', ' if options else ''}{options}")
        if self.datasets:
            every = ["all that several have"] if self.shared else ["none"]
            shared = self.shared if isinstance(self.shared, list) else every
            lines.append(f"shared   {', '.join(shared)}")
        return lines

    def export(
        self,
        folder: pathlib.Path,
        problem: Any,
        best: FitResult | None,
        post: SampleResult | None,
    ) -> None:
        """Data and fit as NXcanSAS, where the job wants them."""
        result = best if best is not None else post
        if self.nxcansas and result is not None:
            sas.save(result, folder / NXCANSAS)

    def simulated(self) -> Dataset:
        """A curve of the job's model, as its section `simulate` says.

        Raises:
            ConfigError: no such section, or what it says is impossible.
        """
        s = self.simulate
        if s is None:
            raise ConfigError(f"{self.name}: missing the required key simulate")
        values = {
            k: v["value"] for k, v in changes(self.parameters).items() if "value" in v
        }
        q = np.geomspace(*s.q, s.points)
        resolution: dict[str, Any] = {"dq": s.dq_over_q * q} if s.dq_over_q else {}
        if s.q_length:
            resolution["q_length"] = s.q_length
        try:
            return sas.simulate(
                self.model.name,
                q,
                **resolution,
                relative=s.relative,
                absolute=s.absolute,
                counts=s.counts,
                seed=s.seed,
                n_quad=self.model.n_quad,
                chunk=self.model.chunk,
                **self.model.settings,
                **values,
            )
        except (JaxscatterError, TypeError) as error:
            raise ConfigError(f"{self.name}: {error.args[0]}") from error


NXCANSAS = "fit_nxcansas.h5"


def checked(job: Job) -> Job:
    """The job, if its names and ranges can be judged without the data and are good.

    Raises:
        ConfigError: with the place of what is not.
    """
    check_verbs(job.fit, job.sample)
    _check_data(job)
    m = job.model
    need_known("model.loss", m.loss, LOSSES)
    s = job.simulate
    if s is not None:
        at_least("simulate", s, points=2, dq_over_q=0, relative=0, absolute=0, seed=0)
        if not 0 < s.q[0] < s.q[1]:
            raise ConfigError(f"simulate.q: {list(s.q)}; expected 0 < lowest < highest")
    known, settings = _names(m)
    for key in m.settings:
        if key not in settings:
            unknown(f"model.settings.{key}", key, settings)
    for name in m.free or ():
        need_known("model.free", name, known)
    if not job.datasets:
        for name, other in job.ties.items():
            if name not in known:
                unknown(f"ties.{name}", name, known)
            need_known(f"ties.{name}", other, known)
    _check_parameters(job, "parameters", job.parameters, known)
    for part, section in job.datasets.items():
        place = f"datasets.{part}.parameters"
        own: Parameters = {}
        for name, change in section.parameters.items():
            if isinstance(change, dict):
                check_keys(change, Change, {}, f"{place}.{name}")
            own[name] = converted(change, float | Change, f"{place}.{name}")
        section.parameters = own
        _check_parameters(job, place, own, known)
    return job


def _check_data(job: Job) -> None:
    if job.data is None and not job.datasets and job.simulate is None:
        raise ConfigError("missing the required key data (or datasets)")
    if job.data is not None and job.datasets:
        raise ConfigError("both data and datasets are given; expected one of them")
    if len(job.datasets) == 1:
        raise ConfigError("datasets: one data set; expected several, or data:")
    if job.shared and not job.datasets:
        raise ConfigError("shared: expected several datasets to share parameters")
    if job.data is not None and job.data.parameters:
        raise ConfigError("data.parameters: expected them in parameters")
    for name, section in [("data", job.data), *job.datasets.items()]:
        if section is not None:
            place = name if section is job.data else f"datasets.{name}"
            need_known(f"{place}.weights", section.weights, WEIGHTS)


def _names(m: Model) -> tuple[list[str], list[str]]:
    """Names of parameters, widths included, and of settings."""
    try:
        controls = control_names(m.name)
        given = {k: v for k, v in m.settings.items() if k in controls}
        component = sas.load_model(m.name, **given)
    except (JaxscatterError, TypeError) as error:
        raise ConfigError(f"model.name: {error.args[0]}") from error
    known, settings = [], [*options(component), *sorted(controls)]
    for row in arguments.table(component):
        known.append(row.name)
        sized = row.kind in ("volume", "orientation")
        if sized or row.name.endswith("radius_effective"):
            known.append(f"{row.name}_pd")
            settings += [row.name + end for end in GRID]
    return known, settings


def _check_parameters(
    job: Job, place: str, parameters: Parameters, known: list[str]
) -> None:
    values = dict(job.model.settings)
    for name, change in parameters.items():
        if name not in known:
            unknown(f"{place}.{name}", name, known)
        if not isinstance(change, Change):
            values[name] = change
            continue
        if change.value is not None:
            values[name] = change.value
        if change.prior is not None:
            named_prior(name, change.prior)
        if change.fixed and (change.bounds or change.prior):
            raise ConfigError(
                f"{place}.{name}: fixed, with bounds or a prior; expected one or the "
                "other"
            )
    try:
        arguments.read(job.model.name, values, two_dimensional=True)
    except (JaxscatterError, TypeError) as error:
        raise ConfigError(f"{place}: {error.args[0]}") from error


def extent(data: Dataset) -> str:
    """Points, range of q and resolution in words."""
    kind = data.metadata.get("resolution", "none")
    smeared = "no resolution" if kind == "none" else f"resolution of a {kind}"
    seen = np.asarray(data.mask)[0] > 0
    if "q" in data.coords:
        q = np.asarray(data.coords["q"])[seen]
    else:
        q = np.hypot(data.coords["qx"], data.coords["qy"])[seen]
    errors = "" if data.sigma_given else ", without errors"
    return (
        f"{data.n_valid} of {data.n_points} points from {q.min():.4g} to "
        f"{q.max():.4g} 1/Å, {smeared}{errors}"
    )
