"""Options of `jaxscatter simulate` that several techniques read alike."""

import argparse
import pathlib
from collections.abc import Sequence
from typing import Any

from .. import config
from ..errors import ConfigError


def refuse(options: argparse.Namespace, names: Sequence[str], why: str) -> None:
    """Raise `ConfigError` where an option of another technique is given."""
    for name in names:
        if getattr(options, name) is not None:
            flag = {"n_frames": "frames"}.get(name, name).replace("_", "-")
            raise ConfigError(f"--{flag} is {why}")


def numbers(given: Sequence[str], example: str) -> dict[str, float]:
    """Values of the texts NAME=NUMBER."""
    values: dict[str, float] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(
                f"--set {text}: expected a name and a number, {example}"
            ) from None
    return values


def target(options: argparse.Namespace, job: Any, own: Any) -> pathlib.Path:
    """The file to write: the option's, or the job's own."""
    named = options.output or own
    if not isinstance(named, str) or named.startswith(config.EXAMPLE):
        raise ConfigError("no file to write: give -o FILE, or data.path in a job file")
    return pathlib.Path(named) if options.output else job.resolve(named)


def free(paths: Sequence[pathlib.Path], force: bool) -> None:
    """Raise `FileExistsError` where a file would be replaced without --force."""
    for path in paths:
        if path.exists() and not force:
            raise FileExistsError(f"{path}: exists; --force replaces it")
