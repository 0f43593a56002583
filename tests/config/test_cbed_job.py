"""Job files of CBED: their keys are the doors' arguments; mistakes have places."""

import dataclasses

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import cbed, config
from jaxscatter.config import cbed_job, cbed_sections
from jaxscatter.errors import ConfigError

CRYSTAL = """
crystal:
  cell: [5.4307, 5.4307, 5.4307, 90, 90, 90]
  space_group: "F d -3 m:2"
  sites: {Si: {position: [0.125, 0.125, 0.125], b_iso: 0.4668}}
"""
GEOMETRY = """
geometry: {energy: 200, zone: [1, 1, 0], x_axis: [1, -1, 1], kt: [0.02, 0.6], gl: 12,
           thickness: 500}
beams: {hkl: [[0, 0, 0], [1, -1, 1], [-1, 1, -1], [2, -2, 2]]}
"""
DATA = "data: {path: made.npy, hkl: made_hkl.npy}\n"
REST = """
settings: {absorption: none}
model: {reflections: [[1, -1, 1]], background: none, free: [thickness, "U(1,-1,1)"]}
simulate:
  hkl: [[0, 0, 0], [1, -1, 1]]
  shape: [5, 4]
  counts: 1.0e4
  values: {thickness: 520}
"""
LEAST = "technique: cbed\n" + CRYSTAL + GEOMETRY + DATA
TWIN = "technique: cbed\n" + CRYSTAL + GEOMETRY + REST
DAT = """crystal silicon : dw = iso occ = 1
cell 5.4307 5.4307 5.4307 90 90 90
atom Si 0.125 0.125 0.125 0.4668
spg 227 2
hv 196.75
zone 1 1 0
norm 1 1 0
kt 3 -3 2
xaxis 1 -1 -1
conv 0.7
samp 60
hkl 4
0 0 0
-1 1 1
1 -1 -1
2 -2 -2
sgmin 0.3
omeg 30
aper 0.4
abs 0
adj 1
1 -1 -1 0.047 0 0 0
"""


def test_a_job_needs_its_crystal_geometry_and_data():
    job = config.parse(LEAST)
    assert (job.technique, job.data_path) == ("cbed", "made.npy")
    assert (job.model_name, job.fit) == ("bloch_symmetric", config.Fit("tr"))
    assert job.sample is None
    for part, said in (
        (CRYSTAL, "missing the required key crystal"),
        (GEOMETRY, "missing the required key geometry"),
        (DATA, r"missing the required key data \(or simulate\)"),
    ):
        with pytest.raises(ConfigError, match=said):
            config.parse(LEAST.replace(part, "\n"))


def test_a_twin_is_simulated_fitted_and_described():
    """The job's own truth comes back, within the errors of its fit."""
    job = config.parse(TWIN)
    data = job.load()
    assert data.y.shape == (2, 20)
    truth = data.metadata["truth"]
    assert (truth["thickness"], truth["scale"]) == (520.0, 1e4)
    problem = job.problem(data)
    assert problem.parameters.labels == ("thickness", "U(1,-1,1)")
    assert float(problem.named(problem.start())["thickness"]) == 500.0
    best = js.fit(problem, warn=False)
    for name in best.labels:
        assert abs(best[name] - truth[name]) < 4 * best.error(name), name
    text = "\n".join([*job.described(data), *job.built(problem)])
    for said in (
        "2 LARBED images of 5 x 4 pixels, 40 usable points: (0 0 0) (1 -1 1)",
        "Si8 in a cell of 160.16 Å³",
        "200 keV along (1 1 0)",
        "4 listed",
        "bloch_symmetric, solver cheb, factors lobato, absorption none",
        "truth    thickness 520",
        "chosen   4 beams",
    ):
        assert said in text, said


def test_images_of_files_are_those_that_were_simulated(tmp_path):
    made = config.parse(TWIN).load()
    images = np.asarray(made.y).reshape(2, 5, 4)
    np.save(tmp_path / "made.npy", images)
    np.save(tmp_path / "made_hkl.npy", np.array([[0, 0, 0], [1, -1, 1]]))
    path = tmp_path / "job.yaml"
    path.write_text(LEAST)
    data = config.read(path).load()
    np.testing.assert_array_equal(data.y, made.y)
    np.testing.assert_allclose(data.sigma, made.sigma)
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", images[i])
    each = 'path: {"0,0,0": 0.npy, "1 -1 1": 1.npy}'
    path.write_text(LEAST.replace("path: made.npy, hkl: made_hkl.npy", each))
    np.testing.assert_array_equal(config.read(path).load().y, made.y)
    path.write_text(LEAST.replace("made_hkl.npy", "none.npy"))
    with pytest.raises(FileNotFoundError):
        config.read(path).load()


def test_disks_of_a_cbed_image_are_those_of_load(tmp_path, rng_image):
    np.save(tmp_path / "made.npy", rng_image)
    roi = "roi: {regions: [[[-2, -2], [-2, 2], [2, -2], [5, 3]]], "
    roi += "disks: [[0, 0, 0], [1, -1, 1]], dp_center: [20, 15]}"
    path = tmp_path / "job.yaml"
    path.write_text(LEAST.replace("hkl: made_hkl.npy", roi))
    data = config.read(path).load()
    crystal = config.read(path)._given[0]
    frame = cbed.Frame((1, 1, 0), (1, -1, 1))
    same = cbed.load(
        tmp_path / "made.npy",
        roi=cbed.ROI(
            [cbed.Region([[-2, -2], [-2, 2], [2, -2]], 5, 3)],
            [(0, 0, 0), (1, -1, 1)], (1, -1, 1), 0.0, (20.0, 15.0),
        ),
        gl=12, crystal=crystal, frame=frame,
    )  # fmt: skip
    np.testing.assert_array_equal(data.y, same.y)
    assert data.metadata["regions"] == ((3, 5),)
    assert "2 disks of 15 samples" in cbed_job.extent(data)


@pytest.fixture
def rng_image():
    return np.random.default_rng(1).uniform(10, 100, (40, 50))


def test_changes_reach_the_problem():
    job = config.parse(
        TWIN.replace(', free: [thickness, "U(1,-1,1)"]', "")
        + """
parameters:
  thickness: {value: 510, bounds: [450, 600], prior: [normal, 500, 20]}
  rotation: {fixed: true}
  B(Si): {value: 0.5, fixed: false}
  shift_j: 0.25
ties: {shift_i: shift_j}
"""
    )
    problem = job.problem(job.load())
    labels = ("thickness", "gl", "shift_j", "U(1,-1,1)", "B(Si)")
    assert problem.parameters.labels == labels
    table = problem.parameters
    assert float(table["thickness"].value) == 510.0
    assert float(table["thickness"].hi) == 600.0
    assert type(table["thickness"].prior).__name__ == "Normal"
    assert float(table["B(Si)"].value) == 0.5
    assert float(problem.named(problem.start())["shift_i"]) == 0.25


def test_what_only_the_files_can_tell_is_refused_with_its_name():
    job = config.parse(TWIN.replace("[thickness,", '["phase(1,-1,1)",'))
    with pytest.raises(ConfigError, match=r"no parameter 'phase\(1,-1,1\)'"):
        job.problem(job.load())
    with pytest.raises(ConfigError, match=r"simulate\.values\.gl: -1.*above 0"):
        config.parse(TWIN.replace("thickness: 520", "thickness: 520, gl: -1"))
    job = config.parse(TWIN.replace("x_axis: [1, -1, 1]", "x_axis: [1, 1, 0]"))
    with pytest.raises(ConfigError, match="parallel to the zone"):
        job.load()
    job = config.parse(LEAST)
    with pytest.raises(ConfigError, match="missing the required key simulate"):
        job.simulated()


def test_without_errors_the_posterior_integrates_their_scale():
    job = config.parse(TWIN)
    assert job.posterior(job.problem(job.load())).likelihood.noise == "known"
    bare = config.parse(TWIN.replace("counts: 1.0e4", "counts: 1.0e4\n  noise: false"))
    data = bare.load()
    assert bare.posterior(bare.problem(data)).likelihood.noise == "scale_marginal"


def test_the_template_is_a_twin_of_the_defaults_it_shows():
    job = config.parse(config.template("cbed"))
    assert job.data is None
    least = cbed_sections.Settings()
    assert (job.settings.form, job.settings.table) == (least.form, least.table)
    assert cbed.Settings().absorption == job.settings.absorption == "thomas"
    assert job.fit == cbed_job.Job(job.crystal, job.geometry).fit
    shown = dataclasses.asdict(job.simulate)
    assert shown["hkl"][0] == (0, 0, 0)


def test_a_dat_file_says_what_the_job_leaves_out(tmp_path):
    pytest.importorskip("gemmi")
    (tmp_path / "si.dat").write_text(DAT)
    text = """
technique: cbed
crystal: {path: si.dat}
geometry: {gl: 12, thickness: 500}
simulate: {hkl: [[0, 0, 0], [1, -1, -1]], shape: [3, 3], counts: 100}
"""
    path = tmp_path / "job.yaml"
    path.write_text(text)
    job = config.read(path)
    data = job.load()
    problem = job.problem(data)
    assert float(problem.named(problem.start())["U(1,-1,-1)"]) == 0.047
    assert "U'(1,-1,-1)" not in problem.parameters.names
    described = "\n".join([*job.described(data), *job.built(problem)])
    for said in (
        "196.75 keV along (1 1 0), x axis (1 -1 -1)", "as the .dat file says",
        "refined  (1 -1 -1)", "absorption none", "chosen   4 beams",
    ):  # fmt: skip
        assert said in described, said
    more = "geometry: {energy: 200, kt: [0, 0], "
    path.write_text(text.replace("geometry: {", more) + "beams: {g_max: 0.4}\n")
    own = config.read(path)
    data = own.load()
    assert "200 keV" in own.described(data)[3]
    assert "K_t (0 0) 1/Å" in own.described(data)[3]
    path.write_text(text.replace("si.dat", "no.dat"))
    with pytest.raises(FileNotFoundError):
        config.read(path).load()
    path.write_text(text.replace("path: si.dat", "path: si.dat, space_group: 227"))
    with pytest.raises(ConfigError, match=r"crystal\.space_group: expected it in si"):
        config.read(path)


def test_components_of_kt_on_the_reciprocal_axes_are_turned_into_the_lab():
    job = config.parse(TWIN.replace("kt: [0.02, 0.6]", "kt: [0.5, -0.5, 0.5]"))
    np.testing.assert_allclose(job._kt(), [0.5 * 3**0.5 / 5.4307, 0.0], atol=1e-12)
