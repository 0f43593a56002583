"""Files in, jobs out: which kind a file is, and what is wrong with it."""

import json

import pytest
import yaml

from jaxscatter import config
from jaxscatter.config import HomodyneJob, cbed_job, qens_job, sas_job, xpcs_job
from jaxscatter.errors import ConfigError

LEAST = "data: {path: a.nxspe}\n"
XPCS = "technique: xpcs\ndata: {path: a.h5}\n"
SAS = "technique: sas\ndata: {path: a.dat}\nmodel: {name: sphere}\n"
THEIRS = "analysis_mode: static\ndata_file: a.h5\ndt: 0.1\n"


def test_the_technique_decides_whose_job_it_is():
    assert isinstance(config.parse(LEAST), qens_job.Job)
    assert isinstance(config.parse(XPCS), xpcs_job.Job)
    assert isinstance(config.parse(SAS), sas_job.Job)
    assert isinstance(config.parse(config.template("cbed")), cbed_job.Job)
    assert isinstance(config.parse(THEIRS), HomodyneJob)
    with pytest.raises(ConfigError, match=r"'xpsc' is not known; .*mean 'xpcs'"):
        config.parse("technique: xpsc\ndata: {path: a}")


def test_a_job_may_be_json(tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(yaml.safe_load(XPCS)))
    assert config.read(path).data_path == "a.h5"


def test_a_file_is_named_in_its_errors(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("data: {pth: a}")
    with pytest.raises(ConfigError, match=r"job\.yaml: unknown key data\.pth"):
        config.read(path)
    path.write_text(THEIRS.replace("dt: 0.1", "dt: x"))
    with pytest.raises(ConfigError, match=r"job\.yaml: analyzer_parameters\.dt: 'x'"):
        config.read(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n\xff")
    with pytest.raises(ConfigError, match=r"job\.yaml: not a text file"):
        config.read(path)


def test_paths_are_relative_to_the_job_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(LEAST)
    job = config.read(path)
    assert job.resolve("a.nxspe") == tmp_path / "a.nxspe"
    assert job.resolve("/data/a.nxspe").as_posix() == "/data/a.nxspe"
    assert job.folder == tmp_path / "mine_results"
    path.write_text(LEAST + "output: there")
    assert config.read(path).folder == tmp_path / "there"


def test_a_convention_is_chosen_for_their_configurations_only():
    job = config.parse(THEIRS, "pnas")
    assert job.run.problem["convention"] == "pnas"
    with pytest.raises(ConfigError, match=r"set model\.convention"):
        config.parse(XPCS, "pnas")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {path: a, path: b}", "line 1: key 'path' is given twice"),
        ("1: 2", "line 1: key 1: expected a word"),
        ("data: [", "not YAML: "),
        ("- a", "expected sections"),
        ("", "expected sections"),
        ("technique: [xpcs]\ndata: {path: a}", "technique: ['xpcs'] is not known"),
    ],
)
def test_text_that_is_no_job_is_named(text, said):
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    assert said in str(caught.value)


def test_templates_are_known_by_technique_and_mode():
    assert config.parse(config.template("qens")).model.settings["lmax"] == 8
    assert config.parse(config.template("xpcs")).model_name == "laminar_flow"
    same = config.template("xpcs", "laminar_flow")
    assert same == config.template("xpcs")
    assert config.parse(config.template("xpcs", "static")).model_name == "static"
    assert config.parse(config.template("sas")).model_name == "ellipsoid@hayter_msa"
    assert config.parse(config.template("cbed")).model_name == "bloch_symmetric"
    with pytest.raises(ConfigError, match=r"'cbde' is not .*mean 'cbed'"):
        config.template("cbde")
    with pytest.raises(ConfigError, match=r"mode: 'statik' is not .*mean 'static'"):
        config.template("xpcs", "statik")
    with pytest.raises(ConfigError, match="mode: 'static' is not known"):
        config.template("qens", "static")
    assert config.need_technique("xpcs") == "xpcs"


def test_examples_of_the_package_have_paths_of_their_own():
    job = config.parse(SAS.replace("a.dat", "example:latex_smeared.xml"))
    assert job.resolve(job.data_path).is_file()
    with pytest.raises(ConfigError, match=r"'latx.xml' is not .*'latex_smeared.xml'"):
        job.resolve("example:latx.xml")


@pytest.mark.parametrize(
    ("technique", "mode"),
    [("xpcs", "static"), ("xpcs", "laminar_flow"), ("sas", None), ("cbed", None)],
)
def test_templates_are_short(technique, mode):
    def count(section):
        below = (v for v in section.values() if isinstance(v, dict))
        return len(section) + sum(map(count, below))

    raw = yaml.safe_load(config.template(technique, mode))
    del raw["parameters"]  # an example, whose keys are the user's
    assert count(raw) <= 40


def test_what_a_template_leaves_out_has_the_values_it_shows():
    """The comment in it says so."""
    shown = config.parse(config.template("xpcs"))
    least = xpcs_job.Job(xpcs_job.Data("two_time.h5"))
    for key in ("start_frame", "end_frame", "sigma", "phi_ranges", "exclude_t0"):
        assert getattr(shown.data, key) == getattr(least.data, key), key
    assert shown.model == least.model
    assert shown.fit == least.fit
    assert shown.homodyne_files == least.homodyne_files
