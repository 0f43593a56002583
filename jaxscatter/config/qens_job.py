"""Job files of QENS; the keys are the arguments of `js.qens.load` and `problem`.

Units: energies in meV, Q in 1/Å.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from .. import qens
from ..errors import ConfigError, JaxscatterError
from ..problem import Dataset, Problem
from ..qens.detailed_balance import CONVENTIONS
from ..qens.parametric import FORMS
from ..qens.problem import LIKELIHOODS
from .checks import at_least, named_prior, need_known, unknown
from .parts import AbstractJob, Change, Fit, Sample, changes, check_verbs


@dataclasses.dataclass
class Rows:
    """Edges of rows that are Q bins: start + step * (0 ... count), in 1/Å."""

    start: float
    step: float
    count: int


@dataclasses.dataclass
class Data:
    """Files and bins, as `js.qens.load`.

    `resolution_form` puts a formula in place of the measured kernels: "gaussians" or
    "voigt", see `js.qens.with_parametric_resolution`.
    """

    path: str
    resolution: str | float | None = None
    empty: str | None = None
    empty_scale: float = 1.0
    n_q_bins: int | None = None
    q_min: float = 0.3
    q_max: float = 2.5
    energy_window: float = 1.25
    q_edges: Rows | list[float] | None = None
    q: list[float] | str | None = None
    error: str = "mean"
    subtract_background: str = "none"
    energy_sign: int = 1
    energy_unit: str | None = None
    align: str = "peak"
    resolution_form: str = "kernel"


@dataclasses.dataclass
class Model:
    """Model and amplitudes, as `js.qens.problem`; `settings` are the model's own.

    `name` may be an expression of names; parameters in `per_q` have one value per Q.
    """

    name: str = "anisotropic_rotor"
    amplitude: str | None = None
    background: str = "flat"
    inference: str = "marginal"
    center: str = "fixed"
    ordering: str | None = None
    likelihood: str = "gaussian"
    temperature: float | None = None
    detailed_balance: str = "bose"
    per_q: list[str] = dataclasses.field(default_factory=list)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


SECTIONS: dict[str, type] = {
    "data": Data, "model": Model, "fit": Fit, "sample": Sample,
    "data.q_edges": Rows, "parameters.*": Change,
}  # fmt: skip


@dataclasses.dataclass
class Job(AbstractJob):
    """One QENS analysis."""

    data: Data
    technique: str = "qens"
    title: str = ""
    model: Model = dataclasses.field(default_factory=Model)
    parameters: dict[str, float | Change] = dataclasses.field(default_factory=dict)
    fit: Fit | None = dataclasses.field(default_factory=Fit)
    sample: Sample | None = None
    output: str | None = None
    file: pathlib.Path | None = dataclasses.field(default=None, repr=False)

    groups = ("Q", "Q")

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def data_path(self) -> str:
        """The data file as the job names it."""
        return self.data.path

    def load(self) -> Dataset:
        """The data, read and binned."""
        given = dataclasses.asdict(self.data)
        rows = self.data.q_edges
        if isinstance(rows, Rows):
            given["q_edges"] = rows.start + rows.step * np.arange(rows.count + 1)
        if isinstance(self.data.resolution, str):
            given["resolution"] = self.resolve(self.data.resolution)
        if self.data.empty is not None:
            given["empty"] = self.resolve(self.data.empty)
        form = given.pop("resolution_form")
        data = qens.load(self.resolve(given.pop("path")), **given)
        if form == "kernel":
            return data
        return qens.with_parametric_resolution(data, form)

    def problem(self, data: Dataset) -> Problem:
        """The problem of this job for its loaded data."""
        options = {
            field.name: getattr(self.model, field.name)
            for field in dataclasses.fields(Model)
            if field.name not in ("name", "settings", "per_q")
        }
        table: dict[str, Any] = {name: {"local": True} for name in self.model.per_q}
        for name, fields in changes(self.parameters).items():
            table[name] = table.get(name, {}) | fields
        try:
            return qens.problem(
                data,
                self.model.name,
                **options,
                parameters=table,
                **self.model.settings,
            )
        except (JaxscatterError, KeyError, TypeError) as error:
            raise ConfigError(f"{self.name}: {error.args[0]}") from error

    def described(self, data: Dataset) -> list[str]:
        """The data and the model in words."""
        q, omega = (np.asarray(data.coords[k]) for k in ("q", "omega"))
        kind = self.data.resolution
        if isinstance(kind, str):
            found = data.metadata["resolution_format"]
            form = self.data.resolution_form
            shape = "measured" if form == "kernel" else f"as {form} fitted to it"
            kind = f"{kind} ({shape}, read as {found})"
        elif kind is None:
            kind = "the width of the sample's own elastic peak"
        else:
            kind = f"Gaussian, sigma = {kind:g} meV"
        shifted = self.data.align == "peak"
        lines = [
            f"data     {self.data.path} (read as {data.metadata['format']}), "
            f"Ei {_number(data, 'ei')} meV, elastic line at "
            + (f"{_number(data, 'e0')} meV" if shifted else "its place in the file"),
            f"         {data.n_groups} Q bins from {q.min():.3f} to {q.max():.3f} 1/Å, "
            f"{data.n_points} energies from {omega.min():.3f} to {omega.max():.3f} "
            f"meV, {data.n_valid} usable points",
            f"resolved {kind}",
        ]
        if self.data.empty is not None:
            lines.append(
                f"can      {self.data.empty}, {self.data.empty_scale:g} times "
                "subtracted"
            )
        lines += [f"assumed  {sentence}" for sentence in data.metadata["said"]]
        m = self.model
        options = ", ".join(f"{k} = {v}" for k, v in m.settings.items())
        lines.append(f"model    {m.name}{', ' if options else ''}{options}")
        return lines


def checked(job: Job) -> Job:
    """The job, if its names and ranges can be judged without the data and are good.

    Raises:
        ConfigError: with the place of what is not.
    """
    check_verbs(job.fit, job.sample)
    if isinstance(job.data.q_edges, Rows):
        at_least("data.q_edges", job.data.q_edges, start=0, count=1)
        if not job.data.q_edges.step > 0:
            raise ConfigError(
                f"data.q_edges.step: {job.data.q_edges.step}; expected > 0 1/Å"
            )
    need_known("data.align", job.data.align, ("peak", "none"))
    need_known("data.resolution_form", job.data.resolution_form, ("kernel", *FORMS))
    need_known("model.likelihood", job.model.likelihood, LIKELIHOODS)
    need_known("model.detailed_balance", job.model.detailed_balance, CONVENTIONS)
    try:
        forward = qens.get_model(job.model.name)
    except (KeyError, JaxscatterError) as error:
        raise ConfigError(f"model.name: {error.args[0]}") from error
    for name in job.model.per_q:
        if name not in forward.param_names:
            unknown(f"model.per_q: {name}", name, forward.param_names)
    for key in job.model.settings:
        if key not in (forward.extras or {}):
            unknown(f"model.settings.{key}", key, forward.extras or {})
    try:
        forward.settled(job.model.settings)
    except JaxscatterError as error:
        raise ConfigError(f"model.settings: {error}") from error
    for name, change in job.parameters.items():
        names = (*forward.param_names, "center")
        if name not in names:
            unknown(f"parameters.{name}", name, names)
        if isinstance(change, Change) and change.prior is not None:
            named_prior(name, change.prior)
    return job


def _number(data: Dataset, name: str) -> str:
    return f"{float(data.metadata.get(name, np.nan)):.4g}"
