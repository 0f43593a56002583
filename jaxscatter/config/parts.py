"""What job files of all techniques share: changes, fits, samples, places of files."""

import abc
import dataclasses
import pathlib
from typing import Any

from ..errors import ConfigError
from ..infer.result import FitResult, SampleResult
from ..problem import JointProblem, Problem
from .checks import at_least, named_prior, need_known

FIT_METHODS = (
    "multistart", "tr", "scipy-trf", "nelder-mead", "powell", "lbfgs", "adam", "adamw",
)  # fmt: skip
SAMPLE_METHODS = ("nuts", "aies", "ess")
EXAMPLE = "example:"


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


class AbstractJob(abc.ABC):
    """One analysis; `file` is where it was read from.

    Attributes:
        scale_covariance: of fits, see `js.fit`; None leaves it to the data.
        groups: what the amplitudes' groups are called, as "Q" and "angles".
    """

    technique: str
    title: str
    fit: Fit | None
    sample: Sample | None
    output: str | None
    file: pathlib.Path | None
    scale_covariance: bool | None = None
    groups: tuple[str, str] = ("group", "groups")

    @property
    def folder(self) -> pathlib.Path:
        """Where results go; by default beside the job file, named for it."""
        stem = self.file.stem if self.file else "job"
        return self.resolve(self.output or f"{stem}_results")

    @property
    def name(self) -> str:
        """The file, for messages."""
        return str(self.file or "job")

    @property
    @abc.abstractmethod
    def model_name(self) -> str:
        """Name of the model."""

    @property
    @abc.abstractmethod
    def data_path(self) -> str:
        """The data file as the job names it."""

    @property
    def source(self) -> str:
        """Technique and file, for a report without a title."""
        return f"{self.technique}: {self.data_path}"

    def resolve(self, path: str) -> pathlib.Path:
        """Path relative to the job file; `example:NAME` comes with the package.

        Raises:
            ConfigError: no such example.
        """
        if path.startswith(EXAMPLE):
            name = path.removeprefix(EXAMPLE)
            folder = pathlib.Path(__file__).parent.parent / "examples" / "data"
            need_known("example", name, sorted(p.name for p in folder.iterdir()))
            return folder / name
        base = self.file.parent if self.file else pathlib.Path()
        return base / pathlib.Path(path).expanduser()

    @abc.abstractmethod
    def load(self) -> Any:
        """The data, read and binned: a `Dataset`, or a tuple of several.

        Raises:
            FileNotFoundError, FormatError, DataError, ConfigError: as the reader says.
        """

    @abc.abstractmethod
    def problem(self, data: Any) -> Problem | JointProblem:
        """The problem of this job for its loaded data.

        Raises:
            ConfigError: options that do not exist or do not fit together.
        """

    @abc.abstractmethod
    def described(self, data: Any) -> list[str]:
        """The data and the model in words, line by line."""

    def built(self, problem: Any) -> list[str]:
        """What building the problem decided, in words, line by line."""
        return []

    def posterior(self, problem: Any) -> Any:
        """The problem that is sampled, where it is not the one that is fitted."""
        return problem

    def shards(self, data: Any) -> int | None:
        """Shards of a consensus posterior; None takes all data at once."""
        return None

    def export(
        self,
        folder: pathlib.Path,
        problem: Any,
        best: FitResult | None,
        post: SampleResult | None,
    ) -> None:
        """Write what the job wants beside results, figures and report."""
        return None


def changes(parameters: dict[str, float | Change]) -> dict[str, dict[str, Any]]:
    """Fields to change by parameter."""
    table: dict[str, dict[str, Any]] = {}
    for name, change in parameters.items():
        if not isinstance(change, Change):
            table[name] = {"value": change}
            continue
        fields = {k: v for k, v in dataclasses.asdict(change).items() if v is not None}
        if "prior" in fields:
            fields["prior"] = named_prior(name, fields["prior"])
        table[name] = fields
    return table


def check_verbs(fit: Fit | None, sample: Sample | None) -> None:
    """Methods and numbers of both, and that there is something to do.

    Raises:
        ConfigError: with the place of what cannot be.
    """
    if fit is None and sample is None:
        raise ConfigError("nothing to do: expected a fit: or sample: section")
    if fit is not None:
        need_known("fit.method", fit.method, FIT_METHODS)
        at_least("fit", fit, starts=1, seed=0)
    if sample is not None:
        need_known("sample.method", sample.method, SAMPLE_METHODS)
        at_least("sample", sample, chains=1, warmup=0, draws=4, seed=0)
        if not 0 < sample.target_accept < 1:
            raise ConfigError(
                f"sample.target_accept: {sample.target_accept}; expected between 0 "
                "and 1"
            )
