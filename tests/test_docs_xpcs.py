"""The numbers and scripts of the XPCS pages are what the package gives."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
THEORY = (DOCS / "xpcs_theory.md").read_text("utf-8")
DATA = ROOT / "tests/data/xpcs"


def table(header):
    """Rows of numbers below a table's header line."""
    lines = THEORY[THEORY.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[float(v) for v in line.strip("| ").split("|")] for line in lines]


def test_the_table_of_parameters_is_that_of_the_package():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) … (.*) \| (.*), (.*) \|$", THEORY, re.M)
    assert [r[0] for r in rows] == list(xpcs.parameters.DEFAULTS)

    def number(text):
        text = text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
        found = re.fullmatch(r"(-?)10([-\d]+)", text)
        known = {"100", "1000", "10", "-10"}
        if found and text not in known:
            return float(f"{found[1]}1e{found[2]}")
        return float(text)

    for name, *numbers in rows:
        r = xpcs.parameters.DEFAULTS[name]
        assert [number(n) for n in numbers] == [r.lo, r.hi, r.mean, r.sd], name


def test_errors_of_the_integrals_are_as_stated():
    t = jnp.arange(30.0)
    head = "| α | trapezoid, 0 to 10 | analytic, 0 to 10 | trapezoid, 10 to 20"
    for alpha, *stated in table(head):
        exact = np.asarray(t) ** (alpha + 1) / (alpha + 1)

        def error(rule, a, b, alpha=alpha, exact=exact):
            f = xpcs.cumulative_rate(t, 1.0, alpha, 0.0, 1.0, integration=rule)
            return 100 * float((f[b] - f[a]) / (exact[b] - exact[a]) - 1)

        got = [
            error("trapezoid", 0, 10),
            error("analytic", 0, 10),
            error("trapezoid", 10, 20),
            error("rectangle", 10, 20),
        ]
        digits = (0 if alpha == -0.8 else 1, 0 if alpha == -0.8 else 1, 2, 1)
        for g, s, d in zip(got, stated, digits, strict=True):
            assert abs(g - s) <= 0.5001 * 10.0**-d, (alpha, got)
        assert abs(error("analytic", 1, 20)) < 1e-9


def test_a_thousand_angstrom_in_water():
    d = float(xpcs.stokes_einstein(1000.0, 8.9e-4, 298.15))
    stated = re.search(r"is (2\.45)·10⁸ Å²/s", THEORY)
    assert stated is not None and abs(d / 1e8 - float(stated[1])) < 0.005


@pytest.mark.slow
def test_factors_between_shear_rates_are_as_stated():
    spec = importlib.util.spec_from_file_location(
        "shear_factor", DOCS / "examples" / "shear_factor.py"
    )
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    rows = table("| phase [rad] | homodyne_v2 | homodyne_v1 |")
    assert [r[0] for r in rows] == list(script.PHASES)
    for phase, two, one in rows:
        np.testing.assert_allclose(script.factor("homodyne_v2", phase), two, atol=2e-3)
        np.testing.assert_allclose(script.factor("homodyne_v1", phase), one, atol=2e-3)


@pytest.mark.slow
def test_what_the_wrong_equation_does_to_a_flow_is_as_stated():
    with np.load(DATA / "fit_laminar_a.npz") as a:
        data = xpcs.from_matrices(
            a["c2_exp"],
            a["phi_deg"],
            q=float(a["q"]),
            t=a["t"],
            sigma=float(a["sigma"]),
        )
        h = float(a["h"])
    held = {"gamma_dot_t_offset": 0.0}
    theirs, ours = (
        js.fit(
            xpcs.problem(data, "laminar_flow", h=h, convention=c, fixed=held),
            warn=False,
        )
        for c in ("homodyne_v2", "pnas")
    )
    ratio = theirs["gamma_dot_t0"] / ours["gamma_dot_t0"]
    stated = "2.36", "2120", "2840", "-0.47", "-0.55", "2.04", "2.26", "2.4"
    page = re.sub(r"\s+", " ", THEORY)
    assert (
        "the factor is {}, and the published equation, fitted to data it does not "
        "describe, moves $D_0$ from {} to {} Å²/s, α from {} to {} and $\\phi_0$ from "
        "{}° to {}°, at a reduced χ² of {}."
    ).format(*stated) in page
    got = [ratio]
    for name in ("D0", "alpha", "phi0"):
        got += [theirs[name], ours[name]]
    got.append(ours.statistics["red_chi2"])
    for value, text in zip(got, stated, strict=True):
        decimals = len(text.partition(".")[2])
        half = 5.01 if decimals == 0 else 0.501 * 10.0**-decimals
        assert abs(value - float(text)) <= half, (value, text)


@pytest.mark.slow
def test_the_scripts_of_the_migration_page_run(tmp_path):
    """As a user runs them, with warnings as errors."""
    page = (DOCS / "migration_xpcs.md").read_text("utf-8")
    first, second = re.findall(r"```python\n(.*?)```", page, re.S)
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    printed = []
    for script in (first, second):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert "laminar_flow (homodyne_v2, rate=power)" in printed[0]
    assert (tmp_path / "results/nlsq/parameters.json").exists()
    assert (tmp_path / "fit.png").exists() and (tmp_path / "rates.png").exists()
    value, error = map(float, printed[1].split())
    assert abs(value - 1e-3) < 4 * error < 1e-4
