"""The public face: names, lazy parts, the one side effect, and the five lines."""

import json
import os
import pathlib
import re
import subprocess
import sys
import warnings

import pytest

import jaxscatter

README = pathlib.Path(__file__).parent.parent / "README.md"


def imported(code, **environment):
    """What a fresh interpreter prints as JSON after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_every_public_name_is_there_and_listed():
    for name in jaxscatter.__all__:
        assert getattr(jaxscatter, name) is not None
        assert name in dir(jaxscatter)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = jaxscatter.fitt  # type: ignore[attr-defined]


def test_import_touches_no_device_and_no_heavy_package():
    heavy = ("matplotlib", "numpyro", "h5py", "arviz", "tqdm", "yaml", "msgspec")
    got = imported(
        f"""
import json, sys, jaxscatter
from jax._src import xla_bridge
loaded = [m for m in {heavy} if m in sys.modules]
print(json.dumps([loaded, xla_bridge.backends_are_initialized()]))
"""
    )
    assert got == [[], False]


PRECISION = """
import json, jaxscatter, jax.numpy as jnp
print(json.dumps(str(jnp.ones(1).dtype)))
"""


def test_import_turns_on_float64():
    assert imported(PRECISION, JAXSCATTER_X64="1", JAX_PLATFORMS="cpu") == "float64"


def test_float32_is_kept_where_the_environment_says_so():
    assert imported(PRECISION, JAXSCATTER_X64="0", JAX_PLATFORMS="cpu") == "float32"


def test_readme_names_only_what_exists():
    """Every `js.something` in the README resolves."""
    for path in set(re.findall(r"\bjs\.([a-z_][\w.]*)", README.read_text("utf-8"))):
        thing = jaxscatter
        for part in path.rstrip(".").split("."):
            thing = getattr(thing, part)


def test_readme_shows_the_commands_that_exist():
    from jaxscatter.cli import entry

    text = README.read_text("utf-8")
    used = set(re.findall(r"jaxscatter (\w+) (?:qens|\S+\.(?:yaml|nxspe|h5))", text))
    assert "demo" in used
    for command in used - {"import"}:
        entry.parser().parse_args([command, "qens"])


@pytest.mark.slow
def test_the_lines_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(import jaxscatter.*?)```", README.read_text(), re.S)
    assert block is not None
    space = {}
    with warnings.catch_warnings():
        # what a user reads on screen, and is the truth about these data
        warnings.filterwarnings("ignore", "12 of 1668 points|reduced chi2")
        exec(block.group(1), space)
    assert space["best"].success
    assert space["post"].converged
    assert (tmp_path / "run.h5").exists()


@pytest.mark.slow
def test_the_lines_of_the_readme_on_xpcs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(example = .*?)```", README.read_text(), re.S)
    assert block is not None
    space = {"js": jaxscatter}
    exec(block.group(1), space)
    assert space["best"].success
    assert (tmp_path / "c2.png").exists() and (tmp_path / "rates.png").exists()


@pytest.mark.slow
def test_the_lines_of_the_readme_on_sas_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(micelles = .*?)```", README.read_text(), re.S)
    assert block is not None
    space = {"js": jaxscatter}
    exec(block.group(1), space)
    assert space["best"].success
    assert space["best"].statistics["chi2"] < 180.5
    assert (tmp_path / "micelles.png").exists()


@pytest.mark.slow
def test_the_lines_of_the_readme_on_cbed_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(silicon = .*?)```", README.read_text(), re.S)
    assert block is not None
    space = {"js": jaxscatter}
    with warnings.catch_warnings():
        # what a user reads on screen, and is the truth about these data
        warnings.filterwarnings("ignore", "328 of 976 points|reduced chi2")
        exec(block.group(1), space)
    assert space["best"].success
    # what another program reached, without errors
    assert space["best"].statistics["chi2"] < 2688.2
    assert (tmp_path / "silicon.png").exists()
