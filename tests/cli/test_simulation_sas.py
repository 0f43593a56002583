"""`jaxscatter simulate` of small-angle scattering: jobs or options in, NXcanSAS out."""

import numpy as np
import pytest

from jaxscatter import sas

JOB = """
technique: sas
data: {path: made.h5}
model: {name: sphere}
parameters: {radius: {value: 40.0, bounds: [10, 90]}, background: 0.01}
simulate: {q: [0.005, 0.3], points: 30, relative: 0.02, dq_over_q: 0.05, seed: 2}
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def test_a_job_is_simulated_beside_it_and_loaded_again(cli, job, tmp_path):
    code, out, err = cli("simulate", job)
    assert (code, err) == (0, "")
    assert "truth    scale 1, background 0.01" in out
    assert "noise    Gaussian" in out
    data = sas.load(tmp_path / "made.h5")
    q = np.geomspace(0.005, 0.3, 30)
    same = sas.simulate(
        "sphere", q, dq=0.05 * q, relative=0.02, seed=2, radius=40.0, background=0.01
    )
    np.testing.assert_array_equal(data.y, same.y)
    np.testing.assert_array_equal(data.coords["smear"], same.coords["smear"])


def test_options_alone_and_in_place_of_the_job(cli, job, tmp_path):
    path = tmp_path / "a.h5"
    code, out, _ = cli(
        "simulate", "--model", "sphere", "--set", "radius=40", "-o", path,
        "--noise", 0.03, "--seed", 4,
    )  # fmt: skip
    assert code == 0
    same = sas.simulate("sphere", relative=0.03, seed=4, radius=40.0)
    np.testing.assert_array_equal(sas.load(path).y, same.y)
    code, out, _ = cli("simulate", job, "--set", "radius=30", "--noise", 0.1)
    assert code == 0
    assert "radius 30" in out and "0.1 I" in out


def test_a_file_is_not_replaced_unless_asked(cli, refused, job, tmp_path):
    (tmp_path / "made.h5").write_text("mine")
    assert "exists; --force replaces it" in refused("simulate", job)
    assert (tmp_path / "made.h5").read_text() == "mine"
    assert cli("simulate", job, "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--phi", "0,90"), "--phi is of two-time data"),
        (("--frames", 3), "--frames is of two-time data"),
        (("--set", "radus=1"), "parameters.radus: did you mean 'radius'?"),
        (("--set", "radius"), "expected a name and a number"),
        (("--noise", -1), "simulate.relative: -1.0; expected at least 0"),
        (("--model", "spher"), "model.name: no model 'spher'"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(refused, job, tmp_path, arguments, said):
    assert said in refused("simulate", job, *arguments)
    assert [p.name for p in tmp_path.iterdir()] == ["job.yaml"]


def test_examples_of_the_package_are_not_written_to(refused, job):
    job.write_text(JOB.replace("made.h5", "example:latex_smeared.xml"))
    assert "no file to write: give -o FILE" in refused("simulate", job)
