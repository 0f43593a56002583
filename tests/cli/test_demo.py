"""`jaxscatter demo qens` on measured benzene."""

import re

import matplotlib.image
import numpy as np
import pytest

import jaxscatter
from jaxscatter import examples
from jaxscatter.cli import demo
from jaxscatter.cli.output import Folder


@pytest.mark.parametrize("name", ["fit", "posterior"])
def test_half_widths_rise_with_q_and_are_drawn(tmp_path, finished, name):
    result = jaxscatter.load_result(finished / f"{name}.h5")
    with Folder(tmp_path / "out") as folder:
        demo.widths(examples.qens_benzene(), result, folder)
    path = tmp_path / "out" / "hwhm_table.csv"
    table = np.genfromtxt(path, delimiter=",", names=True)
    q, gamma = table["q_centre_inv_angstrom"], table["hwhm_mev"]
    assert np.all(np.diff(q) > 0)
    assert np.polyfit(q**2, gamma, 1)[0] > 0
    image = matplotlib.image.imread(tmp_path / "out" / "hwhm.png")
    assert image.std() > 0.02


def test_half_widths_are_tabulated_without_a_result(tmp_path):
    with Folder(tmp_path / "out") as folder:
        demo.widths(examples.qens_benzene(), None, folder)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["hwhm_table.csv"]


@pytest.mark.slow
def test_demo_gives_the_physics_of_benzene_and_all_its_files(cli, tmp_path):
    """Published: D* about 0.18 Å²/ps; the ring spins about ten times faster than it
    tumbles. A converged chain has at least 100 effective draws per chain.
    """
    folder = tmp_path / "demo"
    code, out, err = cli("demo", "qens", "-o", folder)
    assert code == 0, err
    assert "Traceback" not in err
    assert {p.name for p in folder.iterdir()} == {
        "fit.h5", "posterior.h5", "fit.png", "hwhm.png", "hwhm_table.csv",
        "posterior.png", "trace.png", "report.txt",
    }  # fmt: skip
    fit = jaxscatter.load_result(folder / "fit.h5")
    posterior = jaxscatter.load_result(folder / "posterior.h5")
    assert fit.success
    assert posterior.converged
    for d in (fit["D_translation"], float(np.mean(posterior["D_translation"]))):
        assert 0.10 < d < 0.19
    assert fit.derived["D_s/D_t"][0] > 5
    assert posterior.interval("D_s/D_t")[0] > 5
    assert min(posterior.diagnostics["ess_bulk"]) >= 400
    assert 0 < fit["u2"] < 0.5

    rows = dict(re.findall(r"^(\S+) +(\S.*)$", out, re.MULTILINE))
    for name, unit in (
        ("D_translation", "Å²/ps"), ("u2", "Å²"), ("D_t", "1/ps"), ("D_s", "1/ps"),
    ):  # fmt: skip
        assert rows[name].count("±") == 2
        assert rows[name].endswith(unit)
    assert "±" in rows["D_s/D_t"]
    assert "reduced" in rows["chi2"]
    assert "distinct" in rows["optima"]
    assert rows["sampler"].startswith("converged")
    report = (folder / "report.txt").read_text("utf-8")
    for said in ("10.5281/zenodo.18836632", "MIT", "numpyro", "seed 0", out[:60]):
        assert said in report
