"""Settings files: YAML, or JSON, as nested dictionaries of plain values.

Numbers such as 1e-3 are numbers, a key given twice is an error, and so is a key that is
no word. Nothing in a file is executed.
"""

import json
import os
import pathlib
import re
from typing import Any

from ..errors import ConfigError


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Sections of a YAML or JSON file; JSON is told by the name.

    Raises:
        FileNotFoundError, IsADirectoryError: no file to read.
        ConfigError: no text, or not what its name says.
        ImportError: a package that reads YAML is missing.
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
            f"{path}: not a text file; expected YAML as `jaxscatter template` prints it"
        ) from None
    try:
        if path.suffix.lower() == ".json":
            return _json(text)
        return parse_settings(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_settings(text: str) -> dict[str, Any]:
    """Sections of YAML text.

    Raises:
        ConfigError: no YAML, or no sections. ImportError: as `read_settings`.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            f"job files need {error.name}: pip install jaxscatter[io]"
        ) from None
    try:
        raw = yaml.load(text, Loader=_loader(yaml))
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {' '.join(str(error).split())}") from None
    return _sections(raw)


def _json(text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [k for k, _ in pairs]
        twice = sorted({k for k in keys if keys.count(k) > 1})
        if twice:
            raise ConfigError(f"key {twice[0]!r} is given twice")
        return dict(pairs)

    try:
        return _sections(json.loads(text, object_pairs_hook=once))
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error}") from None


def _sections(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ConfigError(
            "expected sections such as data: and model:, as `jaxscatter template` "
            "prints them"
        )
    return raw


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
