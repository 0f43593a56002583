"""Settings files: numbers as numbers, and a clear line for what is no settings file."""

import json

import pytest

from jaxscatter.errors import ConfigError
from jaxscatter.io.settings import parse_settings, read_settings


def test_exponents_without_a_point_are_numbers():
    assert parse_settings("{a: 1e-3, b: 2.5E+4, c: -1e2, d: e3}") == {
        "a": 1e-3,
        "b": 2.5e4,
        "c": -100.0,
        "d": "e3",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "line 2: key 'a' is given twice"),
        ("a: {b: 1, b: 2}", "line 1: key 'b' is given twice"),
        ("1: 2", "line 1: key 1: expected a word"),
        ("a: [", "not YAML: "),
        ("- a", "expected sections"),
        ("", "expected sections"),
    ],
)
def test_text_that_cannot_be_used_is_named(text, said):
    with pytest.raises(ConfigError) as caught:
        parse_settings(text)
    assert said in str(caught.value)


def test_files_are_read_by_their_names(tmp_path):
    sections = {"a": {"b": [1, 2.5, None, "x"]}, "c": True}
    for name in ("s.json", "s.yaml", "s.yml"):
        (tmp_path / name).write_text(json.dumps(sections))
        assert read_settings(tmp_path / name) == sections


def test_files_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(IsADirectoryError, match="expected a job file"):
        read_settings(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no\.yaml: no such file"):
        read_settings(tmp_path / "no.yaml")
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\x89HDF\r\n\x1a\n\xff")
    with pytest.raises(ConfigError, match=r"s\.yaml: not a text file"):
        read_settings(path)
    path = tmp_path / "s.json"
    path.write_text('{"a": 1,}')
    with pytest.raises(ConfigError, match=r"s\.json: not JSON: .*line 1"):
        read_settings(path)
    path.write_text('{"a": {"b": 1, "b": 2}}')
    with pytest.raises(ConfigError, match=r"s\.json: key 'b' is given twice"):
        read_settings(path)


def test_nothing_in_a_file_is_executed():
    with pytest.raises(ConfigError, match="not YAML"):
        parse_settings("a: !!python/object/apply:os.getcwd []")
