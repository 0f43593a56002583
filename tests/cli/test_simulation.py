"""`jaxscatter simulate`: jobs or options in, two-time files out."""

import numpy as np
import pytest

from jaxscatter import xpcs

SMALL = ("--frames", 8, "--model", "static")
THEIRS = """
analysis_mode: laminar_flow
data_file: measured.h5
wavevector_q: 0.01
stator_rotor_gap: 1000000
dt: 0.1
start_frame: 3
end_frame: 12
initial_parameters: {values: [2000.0, 0.1, 0.0, 0.002, 0.0, 0.0, 1.0]}
"""


def test_options_alone_make_an_aps_u_file(cli, tmp_path):
    path = tmp_path / "a.h5"
    code, out, err = cli(
        "simulate", "-o", path, *SMALL, "--q", 0.01, "--dt", 0.5, "--set", "D0=2000",
        "--phi", "0,45,90", "--contrast", "0.3", "--noise", 0.01, "--seed", 3,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "D0 2000" in out
    data = xpcs.load(path, q=0.01)
    assert data.coords["phi"].tolist() == [0.0, 45.0, 90.0]
    assert float(data.coords["dt"]) == 0.5
    same = xpcs.simulate(
        "static",
        {"D0": 2000.0, "alpha": 0.0, "D_offset": 0.0},
        q=0.01,
        dt=0.5,
        n_frames=8,
        phi=[0.0, 45.0, 90.0],
        contrast=0.3,
        noise=0.01,
        seed=3,
    )
    np.testing.assert_array_equal(data.y, same.y)


def test_the_name_decides_for_npz(cli, tmp_path):
    path = tmp_path / "a.npz"
    assert cli("simulate", "-o", path, *SMALL)[0] == 0
    with np.load(path) as file:
        assert {*file} == {"c2", "t", "phi", "q"}


def test_a_file_is_not_replaced_unless_asked(cli, refused, tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("mine")
    assert "exists; --force replaces it" in refused("simulate", "-o", path, *SMALL)
    assert path.read_text() == "mine"
    assert cli("simulate", "-o", path, *SMALL, "--force")[0] == 0


def test_a_homodyne_configuration_is_simulated_beside_its_data(cli, tmp_path):
    (tmp_path / "c.yaml").write_text(THEIRS)
    code, out, err = cli("simulate", tmp_path / "c.yaml", "--phi", "0,90")
    assert (code, err) == (0, "")
    assert "convention homodyne_v2" in out
    assert {p.name for p in tmp_path.iterdir()} == {"c.yaml", "c_simulated.h5"}
    data = xpcs.load(tmp_path / "c_simulated.h5", q=0.01)
    assert len(data.coords["t"]) == 10
    same = xpcs.simulate(
        "laminar_flow",
        {
            "D0": 2000.0,
            "alpha": 0.1,
            "D_offset": 0.0,
            "gamma_dot_t0": 0.002,
            "beta": 0.0,
            "gamma_dot_t_offset": 0.0,
            "phi0": 1.0,
        },
        q=0.01,
        dt=0.1,
        h=1e6,
        n_frames=10,
        phi=[0.0, 90.0],
        convention="homodyne_v2",
    )
    np.testing.assert_array_equal(data.y, same.y)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (SMALL, "give -o FILE or a job file"),
        (("-o", "a.h5", *SMALL, "--set", "D0"), "expected a name and a number, D0=10"),
        (("-o", "a.h5", *SMALL, "--set", "D0=x"), "expected a name and a number"),
        (("-o", "a.h5", *SMALL, "--set", "D_0=1"), "did you mean 'D0'?"),
        (("-o", "a.h5", *SMALL, "--dt", 0), "data.dt: 0.0; expected a positive"),
        (("-o", "a.h5", "--frames", 1), "simulate.n_frames: 1; expected at least 2"),
        (("-o", "a.h5", *SMALL, "--noise", -1), "simulate.noise: -1.0"),
        (("-o", "a.h5", *SMALL, "--contrast", 2), "contrast_0 = 2 must lie"),
        (("-o", "no/a.h5", *SMALL), "no such folder to write a.h5"),
        (("-o", "a.h5", "--model", "flow"), "'flow' is not known"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(
    refused, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    assert said in refused("simulate", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_job_of_another_technique_is_refused(refused, measured):
    line = refused("simulate", measured / "job.yaml", "--frames", 5)
    assert "technique 'qens'; simulations are of 'xpcs', 'sas' and 'cbed'" in line
