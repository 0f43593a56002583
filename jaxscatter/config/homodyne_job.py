"""Configurations of homodyne, run like job files of XPCS."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..infer.result import FitResult, SampleResult
from ..problem import Dataset, Problem
from ..xpcs import HomodyneRun, read_homodyne
from .parts import AbstractJob, Fit, Sample
from .xpcs_job import angles, extent, homodyne_folders


@dataclasses.dataclass
class HomodyneJob(AbstractJob):
    """One analysis as a homodyne configuration asks for it."""

    run: HomodyneRun
    technique: str = "xpcs"
    title: str = ""
    fit: Fit | None = None
    sample: Sample | None = None
    output: str | None = None
    file: pathlib.Path | None = dataclasses.field(default=None, repr=False)

    scale_covariance = True
    groups = ("angle", "angles")

    @property
    def folder(self) -> pathlib.Path:
        """That of the configuration, else beside it."""
        return self.run.folder or super().folder

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.run.model

    @property
    def data_path(self) -> str:
        """The data file."""
        return str(self.run.load["path"])

    def load(self) -> Dataset:
        """The two-time data of the chosen angles."""
        return self.run.data()

    def problem(self, data: Dataset) -> Problem:
        """The problem to fit."""
        try:
            return self.run.build(data)
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from error

    def posterior(self, problem: Problem) -> Problem:
        """Gaussian noise of unknown scale."""
        return self.run.posterior(problem)

    def shards(self, data: Dataset) -> int | None:
        """As the configuration and the number of points say."""
        return self.run.shards_for(data.n_valid)

    def described(self, data: Dataset) -> list[str]:
        """The data, the model and what became of the configuration."""
        run = self.run
        p = run.problem
        scaling = run.scaling(data.n_groups)
        return [
            f"data     {run.load['path']}, {extent(data)}",
            f"         {angles(data)}, {data.n_valid} usable points",
            f"model    {run.model}, gap {p['h']:g} Å, convention {p['convention']}, "
            f"rate {p['rate']}, scaling {scaling}, loss {run.loss}",
            *(f"note     {n}" for n in run.notes),
        ]

    def export(
        self,
        folder: pathlib.Path,
        problem: Problem,
        best: FitResult | None,
        post: SampleResult | None,
    ) -> None:
        """The folders that its own program writes."""
        homodyne_folders(folder, problem, best, post)


def from_sections(
    raw: Mapping[str, Any], base: pathlib.Path, convention: str = "homodyne_v2"
) -> HomodyneJob:
    """Job of a configuration's sections; relative paths start from `base`.

    Raises:
        ConfigError: a key that is missing, or a value that cannot be used.
    """
    run = read_homodyne(raw, base=base, convention=convention)
    return HomodyneJob(
        run=run,
        fit=None if run.fit is None else Fit(**run.fit),
        sample=None if run.sample is None else Sample(**run.sample),
    )
