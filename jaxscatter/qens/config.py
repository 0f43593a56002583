"""Settings of a QENS analysis, kept beside its results as JSON.

Units: temperatures in K, Q in 1/Å, energies in meV.
"""

import dataclasses
import difflib
import json
import math
import numbers
import os
import pathlib
from typing import Any

from ..errors import ConfigError


@dataclasses.dataclass
class Config:
    """Files, windows and sampler sizes of one analysis; checked when it is made.

    `energy_window` is a half width: spectra are used in ±energy_window around the
    elastic line. `frozen_temp_threshold` is the temperature up to which an incoherent
    run counts as a measurement of the resolution.
    """

    files_to_fit: list[str] = dataclasses.field(default_factory=list)
    primary_file: str = ""
    resolution_file: str | None = None
    frozen_temp_threshold: float | int = 270.0
    q_min: float | int = 0.30
    q_max: float | int = 2.50
    energy_window: float | int = 1.25
    n_q_bins: int = 12
    n_walkers: int = 32
    n_warmup: int = 500
    n_keep: int = 2000
    thin: int = 5
    n_map_starts: int = 30
    random_seed: int = 42
    save_dir: str = "qens_results"

    def __post_init__(self) -> None:
        for name, value in _converted(dataclasses.asdict(self)).items():
            setattr(self, name, value)

        def need(met: bool, names: str, expected: str) -> None:
            if not met:
                got = ", ".join(f"{n}={getattr(self, n)!r}" for n in names.split())
                raise ConfigError(f"{got}: expected {expected}")

        need(self.q_min >= 0, "q_min", "a value >= 0")
        need(self.q_min < self.q_max, "q_min q_max", "q_min < q_max")
        need(self.energy_window > 0, "energy_window", "a half width > 0 meV")
        need(self.n_q_bins >= 2, "n_q_bins", "at least 2")
        need(
            self.n_walkers >= 4 and self.n_walkers % 2 == 0,
            "n_walkers",
            "an even number, at least 4",
        )
        need(self.n_warmup >= 0, "n_warmup", "a value >= 0")
        need(self.n_keep >= 1, "n_keep", "at least 1")
        need(self.thin >= 1, "thin", "at least 1")
        need(self.n_map_starts >= 1, "n_map_starts", "at least 1")
        need(self.random_seed >= 0, "random_seed", "a value >= 0")

    def to_dict(self) -> dict[str, Any]:
        """Settings as a new dictionary of plain Python values."""
        return dataclasses.asdict(self)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the settings to `path`; `from_json` gives back an equal Config."""
        path = pathlib.Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            partial.write_text(json.dumps(self.to_dict(), indent=2) + "\n", "utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "Config":
        """Config of a dictionary; a key it does not know is a ConfigError."""
        known = [field.name for field in dataclasses.fields(cls)]
        for key in settings:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
                raise ConfigError(f"unknown key {key!r}: did you mean {near!r}?")
        return cls(**_converted(settings))

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> "Config":
        """Config stored in a JSON file; a key it does not know is a ConfigError."""
        text = pathlib.Path(path).read_text("utf-8")
        try:
            settings = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path}: expected JSON ({error})") from error
        if not isinstance(settings, dict):
            raise ConfigError(f"{path}: expected a JSON object of settings")
        try:
            return cls.from_dict(settings)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error


_FLOATS = ("frozen_temp_threshold", "q_min", "q_max", "energy_window")
_NAMES = ("primary_file", "resolution_file", "save_dir")


def _converted(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as the types that JSON gives back, or a ConfigError."""
    out: dict[str, Any] = {}
    for name, value in settings.items():
        if name == "files_to_fit":
            if not isinstance(value, list | tuple) or not all(
                isinstance(f, str | os.PathLike) for f in value
            ):
                raise ConfigError(f"{name}={value!r}: expected a list of file names")
            out[name] = [os.fspath(f) for f in value]
        elif name in _NAMES:
            if value is None and name == "resolution_file":
                out[name] = None
            elif isinstance(value, str | os.PathLike):
                out[name] = os.fspath(value)
            else:
                raise ConfigError(f"{name}={value!r}: expected a name")
        else:
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise ConfigError(f"{name}={value!r}: expected a number")
            number = float(value)
            if not math.isfinite(number):
                raise ConfigError(f"{name}={value!r}: expected a finite number")
            if name not in _FLOATS and not number.is_integer():
                raise ConfigError(f"{name}={value!r}: expected a whole number")
            out[name] = number if name in _FLOATS else int(number)
    return out
