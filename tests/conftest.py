"""Shared set-up of the tests: a compilation cache, strict broadcasting, no display."""

import json
import os
import pathlib
import tempfile

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile much and run little: the backend's optimiser would double their time.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
).strip()

import jax
import pytest

import jaxscatter  # noqa: F401  (turns on 64-bit floats)

jax.config.update("jax_numpy_rank_promotion", "raise")
_CACHE = pathlib.Path(
    os.environ.get(
        "JAXSCATTER_TEST_CACHE",
        pathlib.Path(tempfile.gettempdir()) / "jaxscatter-test-cache",
    )
)
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)

# Linux gives a process 65530 memory mappings and every compiled program takes some; a
# worker that runs out of them aborts in the middle of a compilation.
MAPPINGS = 20_000
HERE = pathlib.Path(__file__).parent
DATA = HERE / "data"
LONG = {
    line
    for line in (HERE / "slow_tests.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the tests of `slow_tests.txt`, before "not slow" selects."""
    for item in items:
        if item.nodeid in LONG:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module", autouse=True)
def few_mappings():
    """Drop compiled programs between modules when they have become many."""
    yield
    maps = pathlib.Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPPINGS:
        jax.clear_caches()


@pytest.fixture(scope="session")
def reference():
    """Load a file of stored reference numbers by its path below tests/data."""

    def load(name):
        return json.loads((DATA / name).read_text())

    return load
