"""What the migration page of QENS promises exists, converts as it says, and runs."""

import functools
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.constants import HBAR
from jaxscatter.errors import ModelError

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "migration_qens.md"
Q = np.linspace(0.2, 2.0, 7)
LINES = {"hwhm_1", "elastic"}  # of js.qens.lines_problem


def peers() -> str:
    """The part of the page about other programs."""
    return PAGE.read_text("utf-8").split("## If you used QENSmodels")[1]


def rows() -> list[list[str]]:
    """Cells of every row of its tables, without headings."""
    found = [
        [c.strip() for c in line.strip("|").split("|")]
        for line in peers().splitlines()
        if line.startswith("| ")
    ]
    return [r for r in found if r[1] not in ("here", "---")]


def model_of(text: str):
    try:
        return qens.get_model(text)
    except (KeyError, ModelError):
        return None


def test_every_model_and_parameter_of_the_tables_exists():
    seen = set()
    for row in rows():
        known, loose = set(), []
        for text in re.findall(r"`([^`]+)`", row[1]):
            if text.startswith("js."):
                path = re.split(r"[^\w.]", text)[0].split(".")[1:]
                functools.reduce(getattr, path, js)
            elif model := model_of(text):
                seen.add(text)
                known |= {*model.param_names, *(model.extras or {})}
            elif re.fullmatch(r"[a-z]\w*", text):
                loose.append(text)
        rest = loose + [
            t
            for cell in row[2:]
            for t in re.findall(r"`([^`]+)`", cell)
            if re.fullmatch(r"\w+", t) and model_of(t) is None
        ]
        if known or "lines_problem" in row[1]:
            assert set(rest) <= known | LINES, row
    # of the registry, nothing that a peer has is left out of the tables
    assert {
        "fickian",
        "jump",
        "chudley_elliott",
        "hall_ross",
        "isotropic",
        "n_sites",
        "log_normal_sites",
        "gaussian_well",
        "sphere",
        "stretched",
        "lorentzian",
        "delta_lorentz",
        "two_lorentzian",
        "elastic",
        "dho",
        "jump * isotropic",
    } <= seen


def test_every_model_of_qensmodels_is_in_its_table():
    names = {
        "BrownianTranslationalDiffusion",
        "ChudleyElliottDiffusion",
        "DeltaLorentz",
        "DeltaTwoLorentz",
        "EquivalentSitesCircle",
        "GaussianModel3D",
        "IsotropicRotationalDiffusion",
        "JumpSitesLogNormDist",
        "JumpTranslationalDiffusion",
        "WaterTeixeira",
    }
    table = peers().split("## If you used Mantid")[0]
    assert names <= set(re.findall(r"^\| `(\w+)`", table, re.M))


def test_jumps_of_mantid_convert_as_the_table_says():
    """TeixeiraWater: (ħ/Tau)(QL)²/(6 + (QL)²); FickDiffusionSQE: 0.1 DiffCoeff Q²."""
    d, tau = 0.21, 1.3
    x2 = 6 * d * tau * Q**2
    np.testing.assert_allclose(
        qens.jump_hwhm(Q, d, tau), HBAR / tau * x2 / (6 + x2), rtol=1e-12
    )
    np.testing.assert_allclose(
        qens.fickian_hwhm(Q, d), 0.1 * 6.582 * d * Q**2, rtol=1e-4
    )


def test_decays_of_sites_are_twice_our_time():
    """DiffRotDiscreteCircle: Γ_l = (4ħ/Decay) sin²(πl/N)."""
    tau, n = 1.7, 6
    widths = qens.n_sites(1.0, 2.48, tau, n)[1]
    peer = 4 * HBAR / (2 * tau) * np.sin(np.pi * np.arange(n) / n) ** 2
    np.testing.assert_allclose(
        np.unique(np.round(widths, 12)), np.unique(np.round(peer, 12))
    )


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_the_scripts_for_users_of_other_programs_run(index, tmp_path):
    script = re.findall(r"```python\n(.*?)```", peers(), re.S)[index]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = ("D_translation", "FWHM of the first line")[index]
    assert shown in done.stdout
