"""`jaxscatter simulate` of electron diffraction: jobs or options in, images out."""

import numpy as np
import pytest

import jaxscatter
from jaxscatter import cbed

JOB = """
technique: cbed
title: a small twin
crystal:
  cell: [5.4307, 5.4307, 5.4307, 90, 90, 90]
  space_group: "F d -3 m:2"
  sites: {Si: {position: [0.125, 0.125, 0.125], b_iso: 0.4668}}
geometry: {energy: 200, zone: [1, 1, 0], x_axis: [1, -1, 1], kt: [0.02, 0.6], gl: 12,
           thickness: 500}
beams: {hkl: [[0, 0, 0], [1, -1, 1], [-1, 1, -1]]}
settings: {absorption: none}
model: {reflections: [[1, -1, 1]], background: none, free: [thickness]}
simulate: {hkl: [[0, 0, 0], [1, -1, 1]], shape: [5, 4], counts: 1000, seed: 2}
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def test_a_job_is_simulated_and_loaded_again(cli, job, tmp_path):
    path = tmp_path / "made.npz"
    code, out, err = cli("simulate", job, "-o", path)
    assert (code, err) == (0, "")
    assert "2 LARBED images of 5 x 4 pixels" in out
    assert "truth    thickness 500" in out and "noise    poisson, seed 2" in out
    with np.load(path) as stored:
        assert {*stored} == {"images", "hkl", "variance"}
        hkl, variance = stored["hkl"], stored["variance"]
    data = cbed.load(path, hkl=hkl, entry="images")
    np.testing.assert_allclose(np.square(data.sigma), variance.reshape(2, -1))
    flat = tmp_path / "made.npy"
    assert cli("simulate", job, "-o", flat)[0] == 0
    same = cbed.load(flat, hkl=tmp_path / "made_hkl.npy")
    np.testing.assert_array_equal(data.y, same.y)


def test_options_take_the_place_of_the_job(cli, job, tmp_path):
    arguments = ("--model", "bloch_wave_eq", "--set", "thickness=450", "--seed", 5)
    code, out, _ = cli("simulate", job, "-o", tmp_path / "a.npz", *arguments)
    assert code == 0
    assert "thickness 450" in out and "seed 5" in out


def test_a_file_is_not_replaced_unless_asked(cli, refused, job, tmp_path):
    (tmp_path / "made_hkl.npy").write_text("mine")
    arguments = ("simulate", job, "-o", tmp_path / "made.npy")
    assert "made_hkl.npy: exists; --force replaces it" in refused(*arguments)
    assert not (tmp_path / "made.npy").exists()
    assert cli(*arguments, "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "a.h5"), "a.h5: expected the ending .npz or .npy"),
        ((), "no file to write: give -o FILE"),
        (("-o", "a.npz", "--phi", "0,90"), "--phi is of other techniques"),
        (("-o", "a.npz", "--noise", 0.1), "--noise is of other techniques"),
        (("-o", "a.npz", "--model", "sphere"), "--model sphere: expected one of"),
        (("-o", "a.npz", "--set", "thicknes=1"), "did you mean 'thickness'"),
        (("-o", "a.npz", "--set", "thickness"), "expected a name and a number"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(refused, job, tmp_path, arguments, said):
    assert said in refused("simulate", job, *arguments)
    assert [p.name for p in tmp_path.iterdir()] == ["job.yaml"]


def test_a_job_without_data_is_validated_run_and_drawn(cli, job, tmp_path):
    code, out, err = cli("validate", job)
    assert (code, err) == (0, "")
    for said in ("data     simulated", "chosen   3 beams", "scale (one for all disks)"):
        assert said in out
    code, out, _ = cli("run", job, "-o", tmp_path / "there")
    assert code == 0
    names = {p.name for p in (tmp_path / "there").iterdir()}
    assert names == {"fit.h5", "fit.png", "report.txt"}
    report = (tmp_path / "there" / "report.txt").read_text("utf-8")
    for said in ("a small twin", "truth    thickness 500", "chosen   3 beams"):
        assert said in report, said
    best = jaxscatter.load_result(tmp_path / "there" / "fit.h5")
    assert abs(best["thickness"] - 500) < 4 * best.error("thickness")
    code, out, _ = cli("plot", tmp_path / "there" / "fit.h5", "-o", tmp_path / "drawn")
    assert code == 0
    assert (tmp_path / "drawn" / "fit.png").read_bytes()[:4] == b"\x89PNG"
