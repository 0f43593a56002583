"""Sections of a homodyne configuration, one function for each of our doors.

Every value is checked where it is taken, and an error names its place in the file.
"""

import dataclasses
import difflib
import math
import pathlib
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ConfigError, DataError, DataWarning
from ..io import CACHE_TEMPLATE, cache_name
from ._homodyne_keys import BOUND, BOUND_TYPES, FLAT, IDLE, LAYER, Tree
from .angles import FLOW_AND_BACK
from .parameters import ALIASES, FLOW, SCALING, physical_names

SCALING_MODES = ("auto", "individual", "constant", "constant_averaged", "fourier")
SIGMA = 0.01
"""Standard deviation of a point that the other program takes where none is known."""
_MISSING = object()


@dataclasses.dataclass
class Found:
    """Places of unknown keys and of idle ones, and the layers that are on."""

    unknown: list[str]
    idle: list[str]
    layers: list[str]


def sort_keys(raw: Mapping[str, Any], known: Tree, place: str, found: Found) -> None:
    """Sort keys into unknown ones, those without a meaning, and layers that are on."""
    for key, value in raw.items():
        here = f"{place}.{key}" if place else str(key)
        kind = known.get(key)
        if kind is None:
            found.unknown.append(f"{here}{_near(key, known)}")
        elif isinstance(kind, dict):
            if isinstance(value, Mapping):
                sort_keys(value, kind, here, found)
            elif value is not None:
                raise ConfigError(f"{here}: {value!r}; expected a section")
        elif kind == IDLE and not _off(value):
            found.idle.append(here)
        elif kind == LAYER and isinstance(value, Mapping) and value.get("enable", True):
            found.layers.append(key)


def _off(value: Any) -> bool:
    """Whether a section or switch asks for nothing."""
    if isinstance(value, Mapping):
        return value.get("enable", value.get("enabled", bool(value))) is False
    return value in (None, False, [])


def layer_notes(layers: list[str]) -> list[str]:
    """Warn that layers are not needed; the sentence for the report."""
    if not layers:
        return []
    said = (
        f"anti_degeneracy {', '.join(layers)}: accepted and not needed, as contrast "
        "and offset are solved for exactly (varpro) on t2 > t1 with scaled steps"
    )
    warnings.warn(said, DataWarning, stacklevel=5)
    return [said]


def _near(key: Any, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(key), [*known, *FLAT], n=1, cutoff=0.4)
    return f": did you mean {near[0]!r}?" if near else ""


def sectioned(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Copy with the keys of the flat form in their sections."""
    out = {k: v for k, v in raw.items() if k not in FLAT}
    for key, place in FLAT.items():
        if key not in raw:
            continue
        inner = out
        for part in place[:-1]:
            section = inner.get(part) or {}
            if not isinstance(section, Mapping):
                raise ConfigError(f"{part}: {section!r}; expected a section")
            inner[part] = dict(section)
            inner = inner[part]
        if inner.get(place[-1]) is not None:
            raise ConfigError(f"{key} is given twice, also as {'.'.join(place)}")
        inner[place[-1]] = raw[key]
    return out


class Getter:
    """Values by dotted place, checked where they are taken."""

    def __init__(self, raw: Mapping[str, Any]):
        self.raw = raw

    def __call__(self, place: str, default: Any = _MISSING) -> Any:
        value: Any = self.raw
        for part in place.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return value
        if default is _MISSING:
            raise ConfigError(f"missing the necessary key {place}")
        return default

    def one_of(self, place: str, known: Iterable[str], default: Any = _MISSING) -> str:
        """A value among the known ones."""
        value, known = self(place, default), list(known)
        if value not in known:
            near = difflib.get_close_matches(str(value), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{place}: {value!r}; expected one of {known}{hint}")
        return value

    def positive(self, place: str, default: Any = _MISSING) -> float:
        """A positive number."""
        value = _number(place, self(place, default))
        if not value > 0:
            raise ConfigError(f"{place}: {value}; expected a positive number")
        return value

    def whole(self, place: str, least: int, default: Any = _MISSING) -> int:
        """A whole number, not below `least`."""
        value = self(place, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(
                f"{place}: {value!r}; expected a whole number, at least {least}"
            )
        return value

    def switch(self, place: str, default: bool) -> bool:
        """True or false."""
        value = self(place, default)
        if not isinstance(value, bool):
            raise ConfigError(f"{place}: {value!r}; expected true or false")
        return value


def _number(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{place}: {value!r}; expected a number")
    if not math.isfinite(value):
        raise ConfigError(f"{place}: {value}; expected a finite number")
    return float(value)


def load_arguments(get: Getter, base: pathlib.Path) -> dict[str, Any]:
    """Arguments of `js.xpcs.load`."""
    at = "analyzer_parameters"
    q = get(f"{at}.scattering.wavevector_q", None)
    if q is not None:
        q = get.positive(f"{at}.scattering.wavevector_q")
    last = get(f"{at}.end_frame", -1)
    first = get.whole(f"{at}.start_frame", 1, 1)
    if last != -1:
        last = get.whole(f"{at}.end_frame", first + 1)
    out = {
        "path": base / _data_file(get),
        "q": q,
        "dt": get.positive(f"{at}.dt"),
        "start_frame": first,
        "end_frame": last,
        "sigma": SIGMA,
        # the other program leaves the first frame out before it fits
        "exclude_t0": True,
    }
    if get.switch("phi_filtering.enabled", False):
        out["phi_ranges"] = _ranges(get)
        out["fallback"] = get.switch("phi_filtering.fallback_to_all_angles", True)
    return out


def _data_file(get: Getter) -> pathlib.Path:
    path = get("experimental_data.file_path", None)
    if path is None:
        name = get("experimental_data.data_file_name", None)
        if name is None:
            raise ConfigError("missing the necessary key experimental_data.file_path")
        path = pathlib.Path(str(get("experimental_data.data_folder_path", "."))) / name
    return pathlib.Path(str(path)).expanduser()


def _ranges(get: Getter) -> list[tuple[float, float]]:
    place = "phi_filtering.target_ranges"
    given = get(place, None)
    if given is None:
        return list(FLOW_AND_BACK)
    if not isinstance(given, list) or not given:
        raise ConfigError(f"{place}: {given!r}; expected a list of ranges")
    out = []
    for i, entry in enumerate(given):
        here = f"{place}[{i}]"
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{here}: {entry!r}; expected min_angle and max_angle")
        ends = []
        for key in ("min_angle", "max_angle"):
            if entry.get(key) is None:
                raise ConfigError(f"missing the necessary key {here}.{key}")
            ends.append(_number(f"{here}.{key}", entry[key]))
        out.append((ends[0], ends[1]))
    return out


def parameter_arguments(get: Getter, model: str) -> dict[str, Any]:
    """Start values, bounds, active and fixed parameters of `js.xpcs.problem`."""
    at = "initial_parameters"
    names = get(f"{at}.parameter_names", list(physical_names(model)))
    names = [_parameter(f"{at}.parameter_names", n) for n in names]
    values = get(f"{at}.values", None)
    if isinstance(values, Mapping):
        names, values = [*values], [*values.values()]
    if values is not None:
        if not isinstance(values, list) or len(values) != len(names):
            raise ConfigError(
                f"{at}.values: {values!r}; expected {len(names)} numbers for {names}"
            )
        pairs = zip(names, values, strict=True)
        values = {_parameter(f"{at}.values", n): v for n, v in pairs}
        values = {n: _number(f"{at}.values.{n}", v) for n, v in values.items()}
    active = get(f"{at}.active_parameters", None)
    if active is not None:
        active = [_parameter(f"{at}.active_parameters", n) for n in active]
    fixed = get(f"{at}.fixed_parameters", {})
    if not isinstance(fixed, Mapping):
        raise ConfigError(f"{at}.fixed_parameters: {fixed!r}; expected names: values")
    fixed = {
        _parameter(f"{at}.fixed_parameters", n): _number(f"{at}.fixed_parameters", v)
        for n, v in fixed.items()
    }
    known = physical_names(model)

    def of_model(table: Any) -> Any:
        """Without the flow of a static sample."""
        if isinstance(table, Mapping):
            return {k: v for k, v in table.items() if k in known}
        return None if table is None else [k for k in table if k in known]

    return {
        "values": of_model(values),
        "bounds": [b for b in _bounds(get) if b["name"] in (*known, *SCALING)],
        "active": of_model(active),
        "fixed": of_model(fixed),
    }


def _parameter(place: str, name: Any) -> str:
    """Canonical name of a physical parameter."""
    known = ALIASES.get(str(name), str(name))
    if known not in (*FLOW, *SCALING):
        raise ConfigError(f"{place}: unknown parameter {name!r}{_near(name, FLOW)}")
    return known


def _bounds(get: Getter) -> list[dict[str, Any]]:
    """Entries of `js.xpcs.parameter_set`, with the priors of a list of their own."""
    table: dict[str, dict[str, Any]] = {}
    for section in ("bounds", "priors"):
        place = f"parameter_space.{section}"
        given = get(place, [])
        if not isinstance(given, list):
            raise ConfigError(f"{place}: {given!r}; expected a list of entries")
        for i, entry in enumerate(given):
            here = f"{place}[{i}]"
            if not isinstance(entry, Mapping) or "name" not in entry:
                raise ConfigError(f"missing the necessary key {here}.name")
            name = _parameter(f"{here}.name", entry["name"])
            made = table.setdefault(name, {"name": name})
            for key, value in entry.items():
                if key not in BOUND:
                    warnings.warn(
                        f"unknown key {here}.{key}{_near(key, BOUND)}",
                        DataWarning,
                        stacklevel=6,
                    )
                elif key == "type" and value not in BOUND_TYPES:
                    raise ConfigError(
                        f"{here}.type: {value!r}; expected one of {list(BOUND_TYPES)}"
                    )
                elif key == "type":
                    made[key] = value
                elif key in BOUND[1:5] and value is not None:
                    made[key] = _number(f"{here}.{key}", value)
    return list(table.values())


def scaling_mode(get: Getter, method: str) -> tuple[str, int]:
    """Mode of contrast and offset, and the threshold of "auto"."""
    place = "optimization.nlsq.anti_degeneracy"
    if method in ("cmc", "mcmc") and get(f"{place}.per_angle_mode", None) is None:
        place = "optimization.cmc"
    on = get(f"{place}.enable", True) is not False or place == "optimization.cmc"
    if get(f"{place}.per_angle_mode", None) is None or not on:
        return "varpro", 3
    mode = get.one_of(f"{place}.per_angle_mode", SCALING_MODES)
    return mode, get.whole(f"{place}.constant_scaling_threshold", 1, 3)


def fit_arguments(get: Getter) -> dict[str, Any]:
    """Method, starts and seed of the fit."""
    at = "optimization.nlsq"
    many = get.switch(f"{at}.multi_start.enable", False)
    # a search of the whole box by another name
    many = get.switch(f"{at}.cmaes.enable", False) or many
    return {
        "method": "multistart" if many else "tr",
        "starts": get.whole(f"{at}.multi_start.n_starts", 1, 10),
        "seed": get.whole(f"{at}.multi_start.seed", 0, 42),
    }


def sample_arguments(get: Getter) -> dict[str, Any]:
    """Arguments of `js.sample`; those per shard win over the general ones."""

    def where(key: str) -> str:
        shard = f"optimization.cmc.per_shard_mcmc.{key}"
        return shard if get(shard, None) is not None else f"optimization.mcmc.{key}"

    accept = get.positive(where("target_accept_prob"), 0.85)
    if not accept < 1:
        place = where("target_accept_prob")
        raise ConfigError(f"{place}: {accept}; expected between 0 and 1")
    return {
        "chains": get.whole(where("num_chains"), 1, 4),
        "warmup": get.whole(where("num_warmup"), 0, 500),
        "draws": get.whole(where("num_samples"), 4, 1500),
        "target_accept": accept,
    }


def shards(get: Getter) -> int | None:
    """Shards where the file wants consensus and says how many."""
    enable = get("optimization.cmc.enable", "auto")
    if enable not in (True, False, "auto"):
        raise ConfigError(
            f"optimization.cmc.enable: {enable!r}; expected true, false or 'auto'"
        )
    number = get("optimization.cmc.sharding.num_shards", "auto")
    if number == "auto":
        return None
    number = get.whole("optimization.cmc.sharding.num_shards", 1)
    return number if enable is True and number > 1 else None


def cache_place(get: Getter, base: pathlib.Path) -> dict[str, Any] | None:
    """Where the cache is, if there is to be one and its Q is known."""
    folder = get("experimental_data.cache_file_path", None)
    if folder is None or get("analyzer_parameters.scattering.wavevector_q", 0) == 0:
        return None
    place = "experimental_data.cache_filename_template"
    template = str(get(place, CACHE_TEMPLATE))
    if "${" not in template:  # an older spelling
        template = re.sub(r"\{(\w+)(:[^}]*)?\}", r"${\1}", template)
    try:
        cache_name(template, wavevector_q=1.0, start_frame=1, end_frame=1)
    except DataError as error:
        raise ConfigError(f"{place}: {error}") from error
    return {
        "folder": base / str(folder),
        "template": template,
        "compress": get.switch("experimental_data.cache_compression", True),
    }
