"""`run`, `validate` and `template`, with jobs that work and jobs that cannot."""

import json
import re
import shutil
import signal

import h5py
import numpy as np
import pytest
import yaml

import jaxscatter
from jaxscatter import config


def test_template_is_a_job_file_of_at_most_forty_keys(cli):
    code, out, _ = cli("template", "qens")
    assert code == 0

    def count(section):
        below = (v for v in section.values() if isinstance(v, dict))
        return len(section) + sum(map(count, below))

    assert count(yaml.safe_load(out)) <= 40
    assert config.parse(out).technique == "qens"


def test_the_template_of_sas_is_valid_as_it_is(cli, tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(cli("template", "sas")[1])
    code, out, err = cli("validate", job)
    assert (code, err) == (0, "")
    for said in (
        "137 of 137 points from 0.009 to 0.281 1/Å", "ellipsoid@hayter_msa",
        "shape (per curve), background (per curve)", "charge", "valid",
    ):  # fmt: skip
        assert said in out


def test_several_curves_are_run_as_one_job(cli, tmp_path):
    """Two curves of one sphere: one radius, near the truth within its errors."""
    for i in range(2):
        made = ("--model", "sphere", "--set", "radius=40", "--noise", 0.03)
        code, *_ = cli("simulate", *made, "--seed", i, "-o", tmp_path / f"{i}.h5")
        assert code == 0
    job = tmp_path / "job.yaml"
    job.write_text(
        """
technique: sas
datasets: {a: {path: 0.h5}, b: {path: 1.h5, q_range: [0.01, 0.4]}}
model: {name: sphere}
shared: [radius]
parameters: {radius: 42}
output: out
"""
    )
    code, _, err = cli("run", job)
    assert code == 0, err
    folder = tmp_path / "out"
    assert {p.name for p in folder.iterdir()} == {
        "fit.h5", "fit.png", "fit_nxcansas.h5", "report.txt",
    }  # fmt: skip
    best = jaxscatter.load_result(folder / "fit.h5")
    assert abs(best["radius"] - 40) < 4 * best.error("radius")
    assert best.provenance["model"].count("sphere") == 2
    assert "shared   radius" in (folder / "report.txt").read_text("utf-8")
    code, _, err = cli("plot", folder / "fit.h5", "-o", tmp_path / "again")
    assert (code, err) == (0, "")
    assert (tmp_path / "again" / "fit.png").is_file()


def test_template_validates_on_the_packaged_data(cli, tmp_path):
    example = jaxscatter.examples.qens_benzene()
    shutil.copy(example.sample, tmp_path / "sample.nxspe")
    shutil.copy(example.resolution, tmp_path / "frozen.nxspe")
    shutil.copy(example.empty, tmp_path / "can.nxspe")
    _, text, _ = cli("template", "qens")
    job = tmp_path / "job.yaml"
    job.write_text(re.sub(r"# (q_edges|empty):", r"\1:", text))
    code, out, err = cli("validate", job)
    assert (code, err) == (0, "")
    assert "12 Q bins" in out
    assert "frozen.nxspe (measured, read as NXSPE)" in out
    assert "can.nxspe, 1 times subtracted" in out
    assert out.endswith("job.yaml: valid\n")


def test_validate_says_what_it_recognised(cli, measured):
    code, out, err = cli("validate", measured / "job.yaml")
    assert (code, err) == (0, "")
    assert "sample.nxspe (read as NXSPE), Ei 3.6 meV" in out
    assert "8 Q bins" in out
    assert "Gaussian, sigma = 0.05 meV" in out
    assert "amplitude (one for all Q), background (per Q)" in out
    row = next(line for line in out.splitlines() if line.startswith("u2"))
    assert row.split() == ["u2", "0.05", "[0,", "0.5]", "Å²", "fixed"]
    assert "multistart, 4 starts" in out
    assert "100 warm-up and 200 draws" in out


def test_run_writes_results_figures_and_report(finished):
    names = {p.name for p in finished.iterdir()}
    assert names == {
        "fit.h5", "fit.png", "posterior.h5", "posterior.png", "trace.png", "report.txt"
    }  # fmt: skip
    assert not list(finished.parent.glob(".*.partial"))


def test_run_finds_the_diffusion_coefficient_that_was_put_in(kit, finished):
    """Q bins hold two rows: ⟨Q²⟩ exceeds ⟨Q⟩² by 0.0025/Å², less than the bound."""
    fit = jaxscatter.load_result(finished / "fit.h5")
    posterior = jaxscatter.load_result(finished / "posterior.h5")
    d = kit.truth["D_translation"]
    assert fit["D_translation"] == pytest.approx(d, rel=0.03)
    lo, hi = posterior.interval("D_translation")
    assert lo < fit["D_translation"] < hi
    assert hi - lo == pytest.approx(4 * fit.error("D_translation"), rel=0.4)
    assert 0.8 < fit.statistics["red_chi2"] < 1.2


def test_report_tells_numbers_units_and_versions(finished):
    text = (finished / "report.txt").read_text("utf-8")
    assert text.startswith("simulated diffusion\n===")
    for said in (
        "D_translation", "Å²/ps", "95 % interval", "chi2 ", "reduced", "optima ",
        "sampler ", "Gaussian, sigma = 0.05 meV", "jaxscatter 0.1.0", "seed 0",
        "8 Q bins", "translation_only · multistart fit", "NUTS posterior",
    ):  # fmt: skip
        assert said in text, said
    assert max(map(len, text.splitlines())) < 200


def test_run_prints_the_headline_and_where_the_results_are(
    kit, cli, measured, tmp_path
):
    job = tmp_path / "quick.yaml"
    text = kit.job.replace("fit: {starts: 4}", "fit: {method: tr}")
    text = "\n".join(x for x in text.splitlines() if not x.startswith("sample:"))
    job.write_text(text.replace("sample.nxspe", str(measured / "sample.nxspe")))
    code, out, err = cli("run", job, "-o", tmp_path / "there")
    assert code == 0
    assert "D_translation" in out
    assert "Å²/ps" in out
    assert out.endswith(f"results in {tmp_path / 'there'}\n")
    assert "fitting translation_only: tr" in err
    made = {p.name for p in (tmp_path / "there").iterdir()}
    assert made == {"fit.h5", "fit.png", "report.txt"}
    assert not (tmp_path / "quick_results").exists()


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n_q_bins", "n_bins", "unknown key data.n_bins: did you mean 'n_q_bins'?"),
        ("translation_only", "translation", "did you mean 'translation_only'?"),
        ("sample.nxspe", "other.nxspe", "other.nxspe: no such file"),
        ("path: sample.nxspe", "path: .", "is a directory"),
        ("resolution: 0.05", "resolution: no.nxspe", "no.nxspe: no such file"),
        ("resolution: 0.05", "resolution: -0.05", "-0.05"),
        ("n_q_bins: 8", "empty: can.nxspe", "can.nxspe: no such file"),
        ("n_q_bins: 8", "empty: sample.nxspe, empty_scale: -1", "empty_scale is -1"),
        ("global", "glob", "amplitude is 'glob'"),
        ("n_q_bins: 8", "n_q_bins: 1", "n_q_bins=1"),
        ("n_q_bins: 8", "q_min: 5, q_max: 6", "[5.0, 6.0] 1/Å"),
        ("n_q_bins: 8", "error: median", "error='median'"),
        ("value: 0.05, fixed: true", "value: 0.7", "'u2' = 0.7"),
        ("value: 0.05, fixed: true", "bounds: [0.5, 0]", "bounds of 'u2'"),
        ("title:", "sample.nxspe", "not YAML"),
    ],
)
def test_a_job_that_cannot_run_is_one_line(
    kit, refused, tmp_path, command, old, new, said
):
    kit.write_sample(tmp_path / "sample.nxspe")
    job = tmp_path / "job.yaml"
    assert old in kit.job
    job.write_text(kit.job.replace(old, new))
    assert said in refused(command, job)
    assert {p.name for p in tmp_path.iterdir()} == {"sample.nxspe", "job.yaml"}


@pytest.mark.parametrize("command", ["run", "validate"])
def test_files_without_usable_data_are_one_line(kit, refused, tmp_path, command):
    job = tmp_path / "job.yaml"
    job.write_text(kit.job)
    shape = (16, 121)
    for changes, said in (
        ({"data": np.full(shape, np.nan)}, "no usable point"),
        ({"error": np.zeros(shape)}, "no usable point"),
        ({"data": np.zeros(shape)}, "no usable row"),
    ):
        kit.write_sample(tmp_path / "sample.nxspe", **changes)
        assert said in refused(command, job)
    assert {p.name for p in tmp_path.iterdir()} == {"sample.nxspe", "job.yaml"}


def test_a_truncated_file_is_one_line(kit, refused, tmp_path):
    path = kit.write_sample(tmp_path / "sample.nxspe")
    path.write_bytes(path.read_bytes()[:3000])
    (tmp_path / "job.yaml").write_text(kit.job)
    line = refused("run", tmp_path / "job.yaml")
    assert "sample.nxspe: expected spectra: NXSPE" in line
    assert "complete HDF5" in line
    assert {p.name for p in tmp_path.iterdir()} == {"sample.nxspe", "job.yaml"}


def test_rows_of_nan_are_left_out_and_the_rest_is_fitted(kit, cli, tmp_path):
    path = kit.write_sample(tmp_path / "sample.nxspe")
    with h5py.File(path, "r+") as file:
        file["spectra/data/data"][3:5] = np.nan
        file["spectra/data/error"][3:5] = 0.0
    (tmp_path / "job.yaml").write_text(kit.job)
    code, out, _ = cli("validate", tmp_path / "job.yaml")
    assert code == 0
    assert "824 usable points" in out  # 8 bins of 1 row and more, 103 energies


@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_job_that_is_not_there_is_one_line(refused, tmp_path, command):
    assert "no such file" in refused(command, tmp_path / "no.yaml")
    assert "is a directory" in refused(command, tmp_path)


def test_output_that_is_a_file_is_refused_before_computing(refused, measured, tmp_path):
    (tmp_path / "taken").write_text("mine")
    line = refused("run", measured / "job.yaml", "-o", tmp_path / "taken")
    assert "expected a folder" in line
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.slow
def test_ctrl_c_keeps_the_fit(kit, shell, measured, tmp_path):
    """The process is stopped when it says that it samples; the fit is done by then."""
    text = kit.job.replace("sample.nxspe", str(measured / "sample.nxspe"))
    text = text.replace("draws: 200", "draws: 100000")
    (tmp_path / "job.yaml").write_text(text)
    process = shell("run", tmp_path / "job.yaml")
    for line in process.stderr:
        if "sampling:" in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "results in" in out
    folder = tmp_path / "job_results"
    assert jaxscatter.load_result(folder / "fit.h5").success
    assert "stopped by the user" in (folder / "report.txt").read_text("utf-8")
    assert not list(tmp_path.glob(".*.partial"))


XPCS = """
technique: xpcs
title: a sample at rest
data: {path: made.h5, q: 0.03, dt: 0.1}
model: {name: static}
parameters:
  alpha: {value: 0.0, fixed: true}
  D_offset: {value: 0.0, fixed: true}
sample: {chains: 2, warmup: 100, draws: 100}
simulate: {n_frames: 25, phi: [0, 60], contrast: 0.3, noise: 0.02}
"""
THEIRS = """
analysis_mode: static
data_file: made.h5
wavevector_q: 0.03
dt: 0.1
initial_parameters: {active_parameters: [D0], values: [2000.0, 0.0, 0.0]}
optimization:
  method: both
  nlsq: {loss: soft_l1}
  mcmc: {num_chains: 2, num_warmup: 100, num_samples: 100}
output: {directory: their_results}
"""


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory):
    """Folder with a two-time file and both kinds of job for it; D0 is 1000 Å²/s."""
    folder = tmp_path_factory.mktemp("at_rest")
    (folder / "job.yaml").write_text(XPCS)
    (folder / "theirs.yaml").write_text(THEIRS)
    data = config.read(folder / "job.yaml").simulated()
    jaxscatter.xpcs.save(data, folder / "made.h5")
    return folder


@pytest.mark.slow
def test_run_of_two_time_data_writes_and_finds_the_truth(cli, at_rest):
    code, out, err = cli("run", at_rest / "job.yaml")
    assert code == 0, err
    folder = at_rest / "job_results"
    assert {p.name for p in folder.iterdir()} == {
        "fit.h5", "fit.png", "posterior.h5", "posterior.png", "trace.png", "report.txt"
    }  # fmt: skip
    fit = jaxscatter.load_result(folder / "fit.h5")
    posterior = jaxscatter.load_result(folder / "posterior.h5")
    assert abs(fit["D0"] - 1000) < 4 * fit.error("D0")
    lo, hi = posterior.interval("D0")
    assert lo < fit["D0"] < hi
    assert fit.derived["D_stokes_einstein"][0] == 0.5 * fit["D0"]
    assert "D_stokes_einstein" in out
    text = (folder / "report.txt").read_text("utf-8")
    for said in (
        "a sample at rest", "q 0.03 1/Å, 25 frames of 0.1 s", "2 angles from 0 to 60",
        "errors   unknown: scaled to the scatter", "convention pnas", "Å²/s",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.slow
def test_plot_of_two_time_results_draws_matrices(cli, at_rest, tmp_path, monkeypatch):
    """Three maps per angle and two scales; the curves of other data are one panel."""
    import matplotlib.figure

    seen = []
    before = matplotlib.figure.Figure.savefig

    def saved(figure, *arguments, **options):
        seen.append(
            sum(len(axes.images) + len(axes.collections) for axes in figure.axes)
        )
        return before(figure, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", saved)
    cli("run", at_rest / "job.yaml", "-o", tmp_path / "results")
    seen.clear()
    for name, made in (("fit", 1), ("posterior", 3)):
        code, out, err = cli("plot", tmp_path / "results" / f"{name}.h5")
        assert (code, err) == (0, "")
        assert len(out.splitlines()) == made
    assert seen[0] >= 6
    assert seen[-1] >= 6


@pytest.mark.slow
def test_run_of_a_homodyne_configuration_writes_its_folders_too(cli, at_rest):
    code, _, err = cli("run", at_rest / "theirs.yaml")
    assert code == 0, err
    folder = at_rest / "their_results"
    assert {p.name for p in folder.iterdir()} >= {
        "fit.h5",
        "posterior.h5",
        "nlsq",
        "cmc",
    }
    table = json.loads((folder / "nlsq" / "parameters.json").read_text("utf-8"))
    assert table["D0"]["convention"] == "homodyne_v2"
    assert abs(table["D0"]["value"] - 1000) < 4 * table["D0"]["uncertainty"]
    with np.load(folder / "cmc" / "samples.npz", allow_pickle=False) as samples:
        assert len(samples["samples"]) == 200
    assert "a homodyne configuration" in (folder / "report.txt").read_text("utf-8")


def test_validate_of_two_time_data_says_what_it_recognised(cli, at_rest):
    code, out, err = cli("validate", at_rest / "job.yaml")
    assert (code, err) == (0, "")
    assert "600 usable points" in out
    assert "contrast (per angle), offset (per angle)" in out
    assert "tr, seed 0" in out
    code, out, _ = cli("validate", at_rest / "theirs.yaml", "--convention", "pnas")
    assert code == 0
    assert "convention pnas" in out
    assert out.endswith("theirs.yaml: valid\n")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("job", "dt: 0.1", "dt: 0", "data.dt: 0.0; expected a positive"),
        ("job", "made.h5", "no.h5", "no.h5: no such file"),
        ("job", "static", "statics", "model.name: 'statics' is not known"),
        ("job", "q: 0.03", "end_frame: 1.5", "data.end_frame: expected int"),
        (
            "job",
            "q: 0.03",
            "phi_ranges: [[100, 120]], fallback: false",
            "no angle lies",
        ),
        ("theirs", "analysis_mode: static", "analysis_mode: statc", "analysis_mode: "),
        ("theirs", "dt: 0.1", "", "missing the necessary key analyzer_parameters.dt"),
        ("theirs", "made.h5", "no.h5", "no.h5: no such file"),
        ("theirs", "[D0]", "[D_0]", "unknown parameter 'D_0': did you mean 'D0'?"),
    ],
)
def test_a_two_time_job_that_cannot_run_is_one_line(
    refused, at_rest, tmp_path, name, old, new, said
):
    text = (at_rest / f"{name}.yaml").read_text()
    assert old in text
    text = text.replace(old, new, 1)
    text = text.replace(" made.h5", f" {at_rest / 'made.h5'}")
    (tmp_path / "job.yaml").write_text(text)
    assert said in refused("run", tmp_path / "job.yaml")
    assert [p.name for p in tmp_path.iterdir()] == ["job.yaml"]


def test_a_convention_is_not_for_our_own_jobs(refused, at_rest):
    line = refused("run", at_rest / "job.yaml", "--convention", "pnas")
    assert "set model.convention in the job file" in line


@pytest.mark.parametrize("mode", ["static", "laminar_flow"])
def test_templates_of_two_time_data_simulate_and_validate(cli, tmp_path, mode):
    _, text, _ = cli("template", "xpcs", "--mode", mode)
    job = tmp_path / "job.yaml"
    job.write_text(text.replace("n_frames: 150", "n_frames: 20"))
    code, out, err = cli("simulate", job)
    assert (code, err) == (0, "")
    assert "two_time.h5: simulated" in out
    code, out, err = cli("validate", job)
    assert (code, err) == (0, "")
    assert "20 frames of 0.1 s" in out
