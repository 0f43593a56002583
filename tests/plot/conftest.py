"""The hand-made results, by path: tests are no package."""

import importlib.util
import pathlib

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "plot_results", pathlib.Path(__file__).with_name("results.py")
)


@pytest.fixture(scope="session")
def made():
    assert _SPEC is not None and _SPEC.loader is not None
    module = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(module)
    return module
