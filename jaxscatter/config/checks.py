"""Checks of job files: every mistake is told with its place and a way out."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from ..errors import ConfigError, JaxscatterError
from ..problem import prior


def unknown(place: str, key: str, known: Iterable[str]) -> NoReturn:
    """Raise for a key that is not known."""
    known = list(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {known}"
    raise ConfigError(f"unknown key {place}: {hint}")


def need_known(place: str, value: Any, known: Iterable[str]) -> None:
    """Raise for a value that is not among the known ones."""
    known = list(known)
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{place}: {value!r} is not known; there are {known}{hint}")


def at_least(place: str, section: Any, **least: int | float) -> None:
    """Raise for a number of a section below its least; None is left to the door."""
    for key, bound in least.items():
        value = getattr(section, key)
        if value is not None and value < bound:
            raise ConfigError(f"{place}.{key}: {value}; expected at least {bound}")


def check_keys(
    raw: Mapping[str, Any],
    kind: type,
    sections: Mapping[str, type],
    place: str = "",
) -> None:
    """Unknown keys anywhere below, with the nearest known one.

    Args:
        raw: keys as they were read.
        kind: dataclass whose fields they are.
        sections: dataclasses of the sections by place; a place that ends in ".*" is
            every entry of a mapping.
        place: of `raw`.
    """
    fields = dataclasses.fields(kind)
    known = [f.name for f in fields if f.name != "file"]
    for key, value in raw.items():
        here = f"{place}.{key}" if place else key
        if key not in known:
            unknown(here, key, known)
        if not isinstance(value, Mapping):
            continue
        if here in sections:
            check_keys(value, sections[here], sections, here)
        entry = sections.get(f"{here}.*")
        for name, inner in value.items() if entry else ():
            if isinstance(inner, Mapping):
                check_keys(inner, entry, sections, f"{here}.{name}")  # type: ignore


def converted(value: Any, kind: Any, place: str = "") -> Any:
    """The value as the type, or a `ConfigError` that names its place."""
    try:
        import msgspec
    except ImportError as error:
        raise ImportError(
            f"job files need {error.name}: pip install jaxscatter[io]"
        ) from None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(_placed(str(error), place)) from None


def named_prior(name: str, given: list[str | float]) -> Any:
    """Prior of [name, numbers...] for a parameter."""
    place = f"parameters.{name}.prior"
    kind, numbers = (given[0], given[1:]) if given else (None, [])
    if not isinstance(kind, str) or any(isinstance(v, str) for v in numbers):
        raise ConfigError(
            f"{place}: {given}; expected a name and its numbers, as [normal, 0.2, 0.05]"
        )
    need_known(place, kind, prior.NAMES)
    try:
        return prior.named(kind, *(float(v) for v in numbers))
    except JaxscatterError as error:
        raise ConfigError(f"{place}: {error}") from error


def _placed(message: str, above: str = "") -> str:
    """Message of msgspec with the place first: `data.n_q_bins: expected ...`."""
    said, _, place = message.partition(" - at `$")
    place = (above + place.strip("`")).strip(".")
    said = said[:1].lower() + said[1:].replace("`", "")
    said = said.replace("object missing required field", "missing the required key")
    return f"{place}: {said}" if place else said
