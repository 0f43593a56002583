"""Configurations of homodyne as jobs: the same verbs, folders and words."""

import pathlib

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import config, xpcs
from jaxscatter.config import HomodyneJob
from jaxscatter.errors import ConfigError

TRUTH = {"D0": 4000.0, "alpha": 0.0, "D_offset": 0.0}
TEXT = """
analysis_mode: static
data_file: made.npz
dt: 0.1
wavevector_q: 0.01
initial_parameters:
  active_parameters: [D0]
  values: [2000.0, 0.0, 0.0]
optimization: {method: both, nlsq: {loss: linear}, mcmc: {num_samples: 60}}
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    data = xpcs.simulate(
        "static", TRUTH, q=0.01, dt=0.1, n_frames=30, phi=[0.0, 60.0], noise=0.02
    )
    xpcs.save(data, folder / "made.npz")
    (folder / "theirs.yaml").write_text(TEXT)
    return config.read(folder / "theirs.yaml")


def test_verbs_are_those_of_the_configuration(job):
    assert isinstance(job, HomodyneJob)
    assert job.fit == config.Fit("tr", starts=10, seed=42)
    assert (job.sample.draws, job.sample.warmup, job.sample.chains) == (60, 500, 4)
    assert job.scale_covariance
    assert job.folder == job.file.parent / "theirs_results"
    assert job.model_name == "static_isotropic"
    assert job.data_path.endswith("made.npz")


def test_output_may_have_its_own_place():
    made = config.parse(TEXT + "output: {directory: ./results}")
    assert made.folder == pathlib.Path("results")


@pytest.mark.slow
def test_errors_follow_the_scatter_not_the_yardstick(job):
    """The data are noisier than the 0.01 that the other program takes."""
    data = job.load()
    assert float(np.max(data.sigma)) == 0.01
    assert job.shards(data) is None
    problem = job.problem(data)
    best = js.fit(problem, warn=False, scale_covariance=job.scale_covariance)
    assert 3.4 < best.statistics["red_chi2"] < 4.6
    assert abs(best["D0"] - 4000) < 4 * best.error("D0")
    assert job.posterior(problem).likelihood.noise == "scale_marginal"


def test_words_tell_the_convention_and_what_it_means(job):
    text = "\n".join(job.described(job.load()))
    assert "convention homodyne_v2, rate power, scaling varpro, loss linear" in text
    assert "30 frames of 0.1 s" in text
    assert "note     a homodyne configuration" in text


def test_its_own_folders_are_always_written(job, tmp_path):
    problem = job.problem(job.load())
    best = js.fit(problem, warn=False, scale_covariance=True)
    job.export(tmp_path, problem, best, None)
    assert (tmp_path / "nlsq" / "parameters.json").exists()


def test_parameters_that_do_not_fit_name_the_file(job):
    wrong = TEXT.replace("values: [2000.0", "values: [2.0")
    made = config.parse(wrong)
    made.file = job.file
    with pytest.raises(ConfigError, match=r"theirs\.yaml: .*outside its bounds"):
        made.problem(job.load())
