"""Job files: one analysis in YAML, checked before anything is computed.

A job names a technique, its data, a model, and a fit and/or a posterior sample; the
keys of each section are the arguments of the technique's doors, so that nothing has two
names. Paths are relative to the job file. An unknown key is an error that names its
place and the nearest known one.

Units: those of the technique; for qens energies in meV, Q in 1/Å.
"""

import dataclasses
import difflib
import os
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from . import qens
from .errors import ConfigError, JaxscatterError
from .problem import Dataset, Problem, prior

TECHNIQUES = ("qens",)
FIT_METHODS = (
    "multistart", "tr", "scipy-trf", "nelder-mead", "powell", "lbfgs", "adam", "adamw",
)  # fmt: skip
SAMPLE_METHODS = ("nuts", "aies", "ess")


@dataclasses.dataclass
class Rows:
    """Edges of rows that are Q bins: start + step * (0 ... count), in 1/Å."""

    start: float
    step: float
    count: int


@dataclasses.dataclass
class Data:
    """Files and bins, as `js.qens.load`."""

    path: str
    resolution: str | float | None = None
    empty: str | None = None
    empty_scale: float = 1.0
    n_q_bins: int = 12
    q_min: float = 0.3
    q_max: float = 2.5
    energy_window: float = 1.25
    q_edges: Rows | list[float] | None = None
    q: list[float] | None = None
    error: str = "mean"
    subtract_background: str = "none"
    energy_sign: int = 1
    energy_unit: str = "meV"


@dataclasses.dataclass
class Model:
    """Model and amplitudes, as `js.qens.problem`; `settings` are the model's own."""

    name: str = "anisotropic_rotor"
    amplitude: str | None = None
    background: str = "flat"
    inference: str = "marginal"
    center: str = "fixed"
    ordering: str | None = None
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Change:
    """What a job changes about one parameter; `prior` is a name and its numbers."""

    value: float | None = None
    bounds: tuple[float, float] | None = None
    fixed: bool | None = None
    prior: list[str | float] | None = None


@dataclasses.dataclass
class Fit:
    """Point estimate: "multistart", or a method of `js.fit` from the start values."""

    method: str = "multistart"
    starts: int = 32
    seed: int = 0


@dataclasses.dataclass
class Sample:
    """Posterior sample, as `js.sample`."""

    method: str = "nuts"
    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    target_accept: float = 0.95
    linear: str | None = None
    seed: int = 0


@dataclasses.dataclass
class Job:
    """One analysis; `file` is where it was read from."""

    data: Data
    technique: str = "qens"
    title: str = ""
    model: Model = dataclasses.field(default_factory=Model)
    parameters: dict[str, float | Change] = dataclasses.field(default_factory=dict)
    fit: Fit | None = dataclasses.field(default_factory=Fit)
    sample: Sample | None = None
    output: str | None = None
    file: pathlib.Path | None = dataclasses.field(default=None, repr=False)

    @property
    def folder(self) -> pathlib.Path:
        """Where results go; by default beside the job file, named for it."""
        stem = self.file.stem if self.file else "job"
        return self.resolve(self.output or f"{stem}_results")

    def resolve(self, path: str) -> pathlib.Path:
        """Path relative to the job file."""
        base = self.file.parent if self.file else pathlib.Path()
        return base / pathlib.Path(path).expanduser()

    def load(self) -> Dataset:
        """The data, read and binned.

        Raises:
            FileNotFoundError, FormatError, DataError, ConfigError: as the reader says.
        """
        given = dataclasses.asdict(self.data)
        rows = self.data.q_edges
        if isinstance(rows, Rows):
            given["q_edges"] = rows.start + rows.step * np.arange(rows.count + 1)
        if isinstance(self.data.resolution, str):
            given["resolution"] = self.resolve(self.data.resolution)
        if self.data.empty is not None:
            given["empty"] = self.resolve(self.data.empty)
        return qens.load(self.resolve(given.pop("path")), **given)

    def problem(self, data: Dataset) -> Problem:
        """The problem of this job for its loaded data.

        Raises:
            ConfigError: options that do not exist or do not fit together.
        """
        options = {
            field.name: getattr(self.model, field.name)
            for field in dataclasses.fields(Model)
            if field.name not in ("name", "settings")
        }
        try:
            return qens.problem(
                data,
                self.model.name,
                **options,
                parameters=self._changes(),
                **self.model.settings,
            )
        except (JaxscatterError, KeyError, TypeError) as error:
            raise ConfigError(f"{self._name}: {error.args[0]}") from error

    @property
    def _name(self) -> str:
        return str(self.file or "job")

    def _changes(self) -> dict[str, dict[str, Any]]:
        """Fields to change by parameter."""
        table: dict[str, dict[str, Any]] = {}
        for name, change in self.parameters.items():
            if not isinstance(change, Change):
                table[name] = {"value": change}
                continue
            fields = {
                k: v for k, v in dataclasses.asdict(change).items() if v is not None
            }
            if "prior" in fields:
                fields["prior"] = _prior(name, fields["prior"])
            table[name] = fields
        return table


def read(path: str | os.PathLike[str]) -> Job:
    """Job of a YAML file, checked for keys, types, names and ranges.

    Raises:
        FileNotFoundError, IsADirectoryError: no file to read.
        ConfigError: anything in it that cannot be used, with its place.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected a job file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected a job file")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path}: not a text file; expected YAML as `jaxscatter template qens` "
            "prints it"
        ) from None
    try:
        job = parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    job.file = path
    return job


def parse(text: str) -> Job:
    """Job of YAML text.

    Raises:
        ConfigError: as `read`.
    """
    try:
        import msgspec
        import yaml
    except ImportError as error:
        raise ImportError(
            f"job files need {error.name}: pip install jaxscatter[io]"
        ) from None
    try:
        raw = yaml.load(text, Loader=_loader(yaml))
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(
            "expected sections such as data: and model:, as `jaxscatter template qens` "
            "prints them"
        )
    _need_known("technique", raw.get("technique", "qens"), TECHNIQUES)
    _check_keys(raw, Job, "")

    def converted(value: Any, kind: Any, place: str = "") -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ConfigError(_placed(str(error), place)) from None

    # one by one, because msgspec does not say which entry of a mapping is wrong
    changes = converted(raw.pop("parameters", None) or {}, dict[str, Any], "parameters")
    job = converted(raw, Job)
    for name, change in changes.items():
        job.parameters[name] = converted(change, float | Change, f"parameters.{name}")
    _check(job)
    return job


def template(technique: str) -> str:
    """Commented job file of a technique, to be edited.

    Raises:
        ConfigError: no such technique.
    """
    need_technique(technique)
    return (pathlib.Path(__file__).parent / "examples" / "qens_job.yaml").read_text(
        "utf-8"
    )


def need_technique(name: str) -> str:
    """The name, if it is a technique.

    Raises:
        ConfigError: it is not; names the known ones.
    """
    _need_known("technique", name, TECHNIQUES)
    return name


def _loader(yaml: Any) -> Any:
    """Safe loader that reads 1e-3 as a number and refuses a key given twice."""

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=deep)
                line = key_node.start_mark.line + 1
                if not isinstance(key, str):
                    raise ConfigError(f"line {line}: key {key!r}: expected a word")
                if key in seen:
                    raise ConfigError(f"line {line}: key {key!r} is given twice")
                seen.add(key)
            return super().construct_mapping(node, deep)

    number = r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(number), list("-+.0123456789")
    )
    return Loader


_SECTIONS: dict[str, type] = {
    "data": Data, "model": Model, "fit": Fit, "sample": Sample,
    "data.q_edges": Rows,
}  # fmt: skip


def _check_keys(raw: Mapping[str, Any], kind: type, place: str) -> None:
    """Unknown keys anywhere below, with the nearest known one."""
    known = [f.name for f in dataclasses.fields(kind) if f.name != "file"]
    for key, value in raw.items():
        here = f"{place}.{key}" if place else key
        if key not in known:
            _unknown(here, key, known)
        if here == "parameters" and isinstance(value, Mapping):
            for name, change in value.items():
                if isinstance(change, Mapping):
                    _check_keys(change, Change, f"{here}.{name}")
        elif here in _SECTIONS and isinstance(value, Mapping):
            _check_keys(value, _SECTIONS[here], here)


def _unknown(place: str, key: str, known: Iterable[str]) -> None:
    """Raise for a key that is not known."""
    known = list(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {known}"
    raise ConfigError(f"unknown key {place}: {hint}")


def _placed(message: str, above: str = "") -> str:
    """Message of msgspec with the place first: `data.n_q_bins: expected ...`."""
    said, _, place = message.partition(" - at `$")
    place = (above + place.strip("`")).strip(".")
    said = said[:1].lower() + said[1:].replace("`", "")
    said = said.replace("object missing required field", "missing the required key")
    return f"{place}: {said}" if place else said


def _need_known(place: str, value: Any, known: Iterable[str]) -> None:
    known = list(known)
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{place}: {value!r} is not known; there are {known}{hint}")


def _check(job: Job) -> None:
    """Names and ranges that can be judged without the data."""
    if job.fit is None and job.sample is None:
        raise ConfigError("nothing to do: expected a fit: or sample: section")
    if job.fit is not None:
        _need_known("fit.method", job.fit.method, FIT_METHODS)
        _at_least("fit", job.fit, starts=1, seed=0)
    if job.sample is not None:
        s = job.sample
        _need_known("sample.method", s.method, SAMPLE_METHODS)
        _at_least("sample", s, chains=1, warmup=0, draws=4, seed=0)
        if not 0 < s.target_accept < 1:
            raise ConfigError(
                f"sample.target_accept: {s.target_accept}; expected between 0 and 1"
            )
    if isinstance(job.data.q_edges, Rows):
        _at_least("data.q_edges", job.data.q_edges, start=0, count=1)
        if not job.data.q_edges.step > 0:
            raise ConfigError(
                f"data.q_edges.step: {job.data.q_edges.step}; expected > 0 1/Å"
            )
    _need_known("model.name", job.model.name, qens.available_models())
    forward = qens.get_model(job.model.name)
    for key in job.model.settings:
        if key not in (forward.extras or {}):
            _unknown(f"model.settings.{key}", key, forward.extras or {})
    for name, change in job.parameters.items():
        names = (*forward.param_names, "center")
        if name not in names:
            _unknown(f"parameters.{name}", name, names)
        if isinstance(change, Change) and change.prior is not None:
            _prior(name, change.prior)


def _at_least(place: str, section: Any, **least: int | float) -> None:
    for key, bound in least.items():
        value = getattr(section, key)
        if value < bound:
            raise ConfigError(f"{place}.{key}: {value}; expected at least {bound}")


def _prior(name: str, given: list[str | float]) -> Any:
    """Prior of [name, numbers...]."""
    place = f"parameters.{name}.prior"
    kind, numbers = (given[0], given[1:]) if given else (None, [])
    if not isinstance(kind, str) or any(isinstance(v, str) for v in numbers):
        raise ConfigError(
            f"{place}: {given}; expected a name and its numbers, as [normal, 0.2, 0.05]"
        )
    _need_known(place, kind, prior.NAMES)
    try:
        return prior.named(kind, *(float(v) for v in numbers))
    except JaxscatterError as error:
        raise ConfigError(f"{place}: {error}") from error
