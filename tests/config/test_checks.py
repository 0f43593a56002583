"""Checks: the place of a mistake, and the nearest word."""

import dataclasses

import pytest

from jaxscatter.config import checks
from jaxscatter.errors import ConfigError


@dataclasses.dataclass
class Inner:
    size: int = 1


@dataclasses.dataclass
class Outer:
    inner: Inner
    table: dict
    file: str = ""


SECTIONS = {"inner": Inner, "table.*": Inner}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"iner": {}}, "unknown key iner: did you mean 'inner'?"),
        ({"inner": {"siz": 1}}, "unknown key inner.siz: did you mean 'size'?"),
        ({"table": {"a": {"sze": 1}}}, "unknown key table.a.sze: did you mean"),
        ({"inner": {"zzz": 1}}, "unknown key inner.zzz: expected one of ['size']"),
        ({"file": "x"}, "unknown key file"),
    ],
)
def test_keys_that_are_not_known_have_a_place(raw, said):
    with pytest.raises(ConfigError) as caught:
        checks.check_keys(raw, Outer, SECTIONS)
    assert said in str(caught.value)


def test_keys_that_are_known_pass():
    raw = {"inner": {"size": 2}, "table": {"any": {"size": 3}, "plain": 4.0}}
    checks.check_keys(raw, Outer, SECTIONS)


def test_values_are_converted_or_their_place_is_said():
    assert checks.converted({"size": 3}, Inner) == Inner(3)
    with pytest.raises(ConfigError, match=r"^above\.size: expected int, got str"):
        checks.converted({"size": "x"}, Inner, "above")


def test_names_and_ranges():
    checks.need_known("a", "b", ["b"])
    with pytest.raises(
        ConfigError, match=r"a: 'bb' is not known; .*did you mean 'bbb'"
    ):
        checks.need_known("a", "bb", ["bbb"])
    checks.at_least("inner", Inner(2), size=2)
    with pytest.raises(ConfigError, match=r"inner\.size: 1; expected at least 2"):
        checks.at_least("inner", Inner(1), size=2)


def test_priors_are_named_with_their_numbers():
    assert type(checks.named_prior("D0", ["normal", 1.0, 2.0])).__name__ == "Normal"
    for given, said in (
        ([], "expected a name and its numbers"),
        (["norml", 1.0, 2.0], "did you mean 'normal'?"),
        (["normal", 1.0], "1 numbers; expected 2"),
        (["normal", "a", "b"], "expected a name and its numbers"),
    ):
        with pytest.raises(ConfigError) as caught:
            checks.named_prior("D0", given)
        assert str(caught.value).startswith("parameters.D0.prior: ")
        assert said in str(caught.value)
