"""Configurations of homodyne, turned into what `load`, `problem` and the verbs take.

The program is one that many XPCS groups use. Its file is read as it is: what has a
meaning here is used, what has none is listed in one warning, and a key that neither
program knows is a warning of its own that names the nearest known one.

Its numbers are kept by default, `convention="homodyne_v2"`: the bounds and start values
in the file refer to them. Shear rates of the published equation are smaller, by π/√2
where strains are small; ask for `convention="pnas"` to have those.

Units: q in 1/Å, dt in s, the gap in Å, angles in degrees.
"""

import dataclasses
import math
import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError, DataWarning, JaxscatterError
from ..io import cache_name, read_cache, read_two_time, write_cache
from ..io.settings import read_settings
from ..problem import Dataset, Gaussian, Problem
from ._homodyne_keys import KEYS
from ._homodyne_sections import (
    Found,
    Getter,
    cache_place,
    fit_arguments,
    layer_notes,
    load_arguments,
    parameter_arguments,
    sample_arguments,
    scaling_mode,
    sectioned,
    shards,
    sort_keys,
)
from .dataset import load
from .parameters import MODEL_ALIASES, MODELS
from .problem import problem as build

METHODS = ("nlsq", "cmc", "both", "mcmc")
LOSSES = ("soft_l1", "linear", "huber", "cauchy")
FULL_DATA = 1e8
"""Points up to which a posterior sees all data at once."""


@dataclasses.dataclass(frozen=True)
class HomodyneRun:
    """One analysis as a homodyne configuration asks for it.

    Attributes:
        model: "static_isotropic" or "laminar_flow".
        load: arguments of `js.xpcs.load`.
        problem: arguments of `js.xpcs.problem`, without data, model and scaling.
        per_angle_mode: of the file; "varpro" where it says nothing.
        threshold: angles from which "auto" takes one contrast and offset for all.
        loss: of the fit; posteriors are Gaussian with an unknown scale.
        fit: {"method", "starts", "seed"}, or None.
        sample: arguments of `js.sample`, or None.
        shards: of a consensus posterior where the file insists on one.
        cache: folder, name and compression of the cache, or None.
        folder: of the results, or None.
        notes: what a report has to say about the translation.
    """

    model: str
    load: dict[str, Any]
    problem: dict[str, Any]
    per_angle_mode: str
    threshold: int
    loss: str
    fit: dict[str, Any] | None
    sample: dict[str, Any] | None
    shards: int | None
    cache: dict[str, Any] | None
    folder: pathlib.Path | None
    notes: tuple[str, ...]

    def data(self) -> Dataset:
        """The data, from the cache where it holds them, which is made where asked for.

        Raises:
            FileNotFoundError, FormatError, DataError: as the reader says.
        """
        given = dict(self.load)
        cached = None if self.cache is None else self._cached()
        if cached is not None:
            given |= {"path": cached, "start_frame": 1, "end_frame": -1}
        return load(given.pop("path"), **given)

    def scaling(self, angles: int) -> str:
        """Scaling mode of `js.xpcs.problem` for that many angles.

        "individual" is "varpro", whose optimum is the same.
        """
        mode = self.per_angle_mode
        if mode == "auto":
            mode = "averaged" if angles >= self.threshold else "individual"
        return "varpro" if mode == "individual" else mode

    def build(self, data: Dataset) -> Problem:
        """The problem to fit.

        Raises:
            ConfigError: parameters or options that do not fit together.
        """
        likelihood = (
            Gaussian("scale_marginal")
            if self.loss == "linear"
            else Gaussian(loss=self.loss)
        )
        scaling = self.scaling(len(set(map(float, data.coords["phi"]))))
        try:
            return build(
                data, self.model, scaling=scaling, likelihood=likelihood, **self.problem
            )
        except JaxscatterError as error:
            raise ConfigError(f"homodyne configuration: {error}") from error

    def posterior(self, problem: Problem) -> Problem:
        """The problem to sample: Gaussian noise of unknown scale."""
        return problem.with_(likelihood=Gaussian("scale_marginal"))

    def shards_for(self, points: int) -> int | None:
        """Number of shards of a consensus posterior, or None for all data at once."""
        if self.shards is not None:
            return self.shards
        return max(2, math.ceil(points / FULL_DATA)) if points > FULL_DATA else None

    def _cached(self) -> pathlib.Path | None:
        """Path of a cache that holds the data, made now if there is none."""
        assert self.cache is not None
        given = self.load
        q, first, last = (given[k] for k in ("q", "start_frame", "end_frame"))
        values = {"wavevector_q": q, "start_frame": first, "end_frame": last}
        path = self.cache["folder"] / cache_name(self.cache["template"], **values)
        if read_cache(path, q, first, last, dt=given["dt"]) is not None:
            return path
        frames = {k: given[k] for k in ("q", "dt", "start_frame", "end_frame")}
        read = read_two_time(given["path"], **frames)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            compress = self.cache["compress"]
            return write_cache(path, read, q, first, last, compress=compress)
        except OSError as error:
            warnings.warn(f"no cache: {error}", DataWarning, stacklevel=3)
            return None


def is_homodyne(raw: Mapping[str, Any]) -> bool:
    """Whether sections are those of a homodyne configuration, not of our job files."""
    theirs = {"analysis_mode", "analyzer_parameters", "experimental_data", "data_file"}
    return "technique" not in raw and "data" not in raw and bool(theirs & {*raw})


def read_homodyne(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    convention: str = "homodyne_v2",
    rate: str = "power",
    base: str | os.PathLike[str] | None = None,
) -> HomodyneRun:
    """What a homodyne configuration asks for, in the words of this package.

    Args:
        source: a YAML or JSON file, or its content; sections or the flat form.
        convention: of c2; the default keeps the numbers of the other program.
        rate: spelling of the rates.
        base: folder that relative paths start from; default the file's own.

    Raises:
        FileNotFoundError: no such file.
        ConfigError: a necessary key is missing, or a value cannot be used; names it.
    """
    if isinstance(source, Mapping):
        return _translated(source, convention, rate, pathlib.Path(base or "."))
    path = pathlib.Path(source)
    raw = read_settings(path)
    try:
        folder = path.parent if base is None else pathlib.Path(base)
        return _translated(raw, convention, rate, folder)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _translated(
    raw: Mapping[str, Any], convention: str, rate: str, base: pathlib.Path
) -> HomodyneRun:
    full = sectioned(raw)
    found = Found([], [], [])
    sort_keys(full, KEYS, "", found)
    for said in found.unknown:
        warnings.warn(f"unknown key {said}", DataWarning, stacklevel=4)
    if found.idle:
        warnings.warn(
            f"accepted, but without a meaning here: {', '.join(found.idle)}",
            DataWarning,
            stacklevel=4,
        )
    get = Getter(full)
    mode = get.one_of("analysis_mode", (*MODELS, *MODEL_ALIASES))
    model = MODEL_ALIASES.get(mode, mode)
    method = get.one_of("optimization.method", METHODS, "nlsq")
    fit, sample = fit_arguments(get), sample_arguments(get)
    scaling = scaling_mode(get, method)
    notes = [
        f"a homodyne configuration, computed with convention {convention} and rate "
        f"{rate}",
        *layer_notes(found.layers),
    ]
    if convention == "homodyne_v2" and model == "laminar_flow":
        notes.append(
            "its shear rates are about 2.2 times those of the published equation "
            "(convention pnas)"
        )
    folder = get("output.directory", get("output.base_directory", None))
    loss = get.one_of("optimization.nlsq.loss", LOSSES, "soft_l1")
    return HomodyneRun(
        model=model,
        load=load_arguments(get, base),
        problem={
            "h": get.positive("analyzer_parameters.geometry.stator_rotor_gap", 2e6),
            "convention": convention,
            "rate": rate,
            **parameter_arguments(get, model),
        },
        per_angle_mode=scaling[0],
        threshold=scaling[1],
        loss=loss,
        # the posterior starts at a fit, as in the other program
        fit=fit,
        sample=None if method == "nlsq" else sample,
        shards=shards(get),
        cache=cache_place(get, base),
        folder=None if folder is None else base / str(folder),
        notes=tuple(notes),
    )
