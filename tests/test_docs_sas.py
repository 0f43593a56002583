"""The SAS pages: every model has its place, tables are the code's, numbers are true."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.sas import dispersion, orientation
from jaxscatter.sas.catalogue import MODELS

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FAMILIES = (
    "spheres",
    "cylinders",
    "ellipsoids_boxes",
    "lamellae_chains",
    "shape_independent",
    "structure_factors",
)
THEORY = (DOCS / "sas_theory.md").read_text("utf-8")


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location(
        "model_pages", DOCS / "_model_pages.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    flags = os.environ["XLA_FLAGS"]
    spec.loader.exec_module(module)
    assert os.environ["XLA_FLAGS"] == flags
    return module


def test_every_model_has_one_section_with_its_table():
    pages = [(DOCS / f"sas_{f}.md").read_text("utf-8") for f in FAMILIES]
    text = "\n".join(pages)
    for name in MODELS:
        assert len(re.findall(rf"^##+ {name}$", text, re.M)) == 1, name
        assert text.count(f"{{include}} _generated/{name}.md\n") == 1, name
    assert text.count("{include}") == len(MODELS)


def test_a_fragment_has_the_parameters_of_the_model(generator):
    text = generator._fragment("capped_cylinder", "here")
    assert "| `radius_cap` | Å | 20 | ≥ 0 |" in text
    assert "`radius_effective_mode`: 1 " in text and "here/capped_cylinder.png" in text
    text = generator._fragment("core_multi_shell", "here")
    assert "| `thickness1`, … | Å | 40 |" in text
    assert "| `n` | | 1 | 0 … 10 |" in text
    assert "No finite value at q = 0" in generator._fragment("porod", "here")


def test_a_figure_is_drawn_and_kept_while_the_models_stay(
    generator, tmp_path, monkeypatch
):
    monkeypatch.setattr(generator, "MODELS", {"guinier": MODELS["guinier"]})
    generator.write(tmp_path)
    png = tmp_path / "guinier.png"
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    png.write_bytes(b"")
    generator.write(tmp_path)
    assert png.read_bytes() == b""
    (tmp_path / generator.STAMP).write_text("old")
    generator.write(tmp_path)
    assert png.read_bytes() != b""


def test_the_rule_of_orientations_is_the_stated_one():
    stated = re.search(r"is the first of ([\d, ]+) that is not", THEORY)
    assert stated is not None
    assert tuple(map(int, stated[1].split(","))) == orientation.LADDER
    for text in (THEORY, (DOCS / "where_we_differ.md").read_text("utf-8")):
        rule = re.search(r"n (?:=|≥) (\d+) \+ ([\d.]+)(?:\\,q R| qR)", text)
        assert rule is not None
        for qr in (0.0, 1.0, 30.0, 250.0, 1500.0):
            wanted = float(rule[1]) + float(rule[2]) * qr
            nodes = min(n for n in orientation.LADDER if n >= wanted)
            assert orientation.n_quad(1.0, qr) == nodes


def test_the_table_of_distributions_is_that_of_the_package():
    rows = re.findall(r"^\| `(\w+)`.* \| (\d+|–)(?:, (\S+))? \|", THEORY, re.M)
    found = {name: (n, width) for name, n, width in rows if name in dispersion.DEFAULTS}
    assert set(found) == set(dispersion.DEFAULTS)
    for name, (n, width) in found.items():
        points, sigmas = dispersion.DEFAULTS[name]
        assert n == (str(points) if points else "–")
        if width:
            value = np.sqrt(3) if width == "√3" else float(width)
            np.testing.assert_allclose(sigmas, value, rtol=1e-5)


def test_what_the_section_on_the_onion_says_of_ours():
    """A = 0 is the line that A → 0 tends to; a constant shell is 2.7 % more."""
    q = np.array([1e-3])

    def value(**changed):
        return float(js.sas.intensity("onion", q, background=0.0, **changed)[0])

    line, near, constant = value(A1=0.0), value(A1=1e-4), value(A1=0.0, sld_out1=1.7)
    assert abs(near / line - 1) < 1e-5
    page = (DOCS / "where_we_differ.md").read_text("utf-8")
    assert f"by {100 * (constant / line - 1):.1f} % at q = 0.001 1/Å" in page


def test_the_table_of_the_migration_page_names_what_exists():
    page = (DOCS / "migration_sasmodels.md").read_text("utf-8")
    for path in set(re.findall(r"\bjs\.([a-z_][\w.]*)", page)):
        thing = js
        for part in path.rstrip(".").split("."):
            thing = getattr(thing, part)
    missing = re.findall(r"`(\w+)`", page[page.index("## What is not here") :])
    assert not set(missing) & set(MODELS)


@pytest.mark.slow
def test_the_script_of_the_migration_page_runs(tmp_path):
    page = (DOCS / "migration_sasmodels.md").read_text("utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.S)
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value, error = map(float, done.stdout.splitlines()[-1].split())
    assert abs(value - 45.0) < 4 * error < 2.0
    assert (tmp_path / "fit.png").exists() and (tmp_path / "parts.png").exists()
