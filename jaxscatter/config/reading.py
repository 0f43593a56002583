"""Job files in, jobs out: by technique, and homodyne's configurations by content."""

import os
import pathlib
from typing import Any

from ..errors import ConfigError
from ..io.settings import parse_settings, read_settings
from ..xpcs.homodyne import is_homodyne
from . import cbed_job, homodyne_job, qens_job, sas_job, xpcs_job
from .checks import check_keys, converted, need_known
from .parts import AbstractJob, Change

TECHNIQUES = ("qens", "xpcs", "sas", "cbed")
_ROOMS: dict[str, Any] = {
    "qens": qens_job, "xpcs": xpcs_job, "sas": sas_job, "cbed": cbed_job,
}  # fmt: skip
MODES = {"static": "static_isotropic", "laminar_flow": "laminar_flow"}


def read(path: str | os.PathLike[str], convention: str | None = None) -> AbstractJob:
    """Job of a YAML or JSON file, checked for keys, types, names and ranges.

    Args:
        path: a job file, or a configuration of homodyne.
        convention: of c2, for the latter; default "homodyne_v2".

    Raises:
        FileNotFoundError, IsADirectoryError: no file to read.
        ConfigError: anything in it that cannot be used, with its place.
    """
    path = pathlib.Path(path)
    raw = read_settings(path)
    try:
        job = _job(raw, path.parent, convention)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    job.file = path
    return job


def parse(text: str, convention: str | None = None) -> AbstractJob:
    """Job of YAML text.

    Raises:
        ConfigError: as `read`.
    """
    return _job(parse_settings(text), pathlib.Path(), convention)


def template(technique: str, mode: str | None = None) -> str:
    """Commented job file of a technique, to be edited.

    Args:
        technique: one of `TECHNIQUES`.
        mode: of xpcs, "laminar_flow" (default) or "static".

    Raises:
        ConfigError: no such technique or mode.
    """
    need_technique(technique)
    if mode is not None:
        need_known("mode", mode, MODES if technique == "xpcs" else ())
    folder = pathlib.Path(__file__).parent.parent / "examples"
    name = f"{technique}_static_job" if mode == "static" else f"{technique}_job"
    return (folder / f"{name}.yaml").read_text("utf-8")


def need_technique(name: str) -> str:
    """The name, if it is a technique.

    Raises:
        ConfigError: it is not; names the known ones.
    """
    need_known("technique", name, TECHNIQUES)
    return name


def _job(
    raw: dict[str, Any], base: pathlib.Path, convention: str | None
) -> AbstractJob:
    if is_homodyne(raw):
        return homodyne_job.from_sections(raw, base, convention or "homodyne_v2")
    if convention is not None:
        raise ConfigError(
            "a convention is chosen for configurations of homodyne only; set "
            "model.convention in the job file"
        )
    technique = raw.get("technique", "qens")
    need_known("technique", technique, TECHNIQUES)
    room = _ROOMS[technique]
    check_keys(raw, room.Job, room.SECTIONS)
    # one by one, because msgspec does not say which entry of a mapping is wrong
    raw = dict(raw)
    place = "parameters"
    given = converted(raw.pop(place, None) or {}, dict[str, Any], place)
    job = converted(raw, room.Job)
    for name, change in given.items():
        job.parameters[name] = converted(change, float | Change, f"{place}.{name}")
    return room.checked(job)
