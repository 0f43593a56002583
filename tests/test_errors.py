"""The classes of errors: what a caller may catch."""

import inspect

import pytest

from jaxscatter import errors

ERRORS = [
    c
    for c in vars(errors).values()
    if inspect.isclass(c) and c.__module__ == errors.__name__
]
WARNINGS = [c for c in ERRORS if issubclass(c, Warning)]


@pytest.mark.parametrize("kind", [c for c in ERRORS if c not in WARNINGS])
def test_every_error_has_our_base(kind):
    assert issubclass(kind, errors.JaxscatterError)
    assert kind.__doc__


@pytest.mark.parametrize(
    "name",
    [
        "ParameterError", "PriorError", "DataError", "ModelError", "FormatError",
        "ConfigError",
    ],
)  # fmt: skip
def test_mistakes_in_input_are_value_errors(name):
    with pytest.raises(ValueError, match="why"):
        raise getattr(errors, name)("why")


@pytest.mark.parametrize("name", ["FitError", "SamplingError", "DeviceError"])
def test_what_breaks_down_while_running_is_a_runtime_error(name):
    with pytest.raises(RuntimeError, match="why"):
        raise getattr(errors, name)("why")


@pytest.mark.parametrize("kind", WARNINGS)
def test_warnings_are_user_warnings(kind):
    with pytest.warns(UserWarning, match="mind"):
        import warnings

        warnings.warn("mind", kind, stacklevel=1)
