"""Configurations of another program: what they become, and what is said about them."""

import copy
import json
import warnings

import numpy as np
import pytest
import yaml

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import ConfigError, DataError, DataWarning
from jaxscatter.io import read_cache
from jaxscatter.xpcs import read_homodyne
from jaxscatter.xpcs.homodyne import is_homodyne

LEAST = {
    "analysis_mode": "static",
    "analyzer_parameters": {"dt": 0.1},
    "experimental_data": {"file_path": "a.h5"},
}
FULL = yaml.safe_load("""
metadata: {config_version: "2.23", anything: at all}
analysis_mode: laminar_flow
analyzer_parameters:
  dt: 0.1
  start_frame: 1
  end_frame: 40
  scattering: {wavevector_q: 0.01}
  geometry: {stator_rotor_gap: 1000000}
experimental_data:
  data_folder_path: ./data
  data_file_name: sample.h5
  phi_angles_path: ./data
  cache_file_path: ./cache
  cache_filename_template: "c2_q${wavevector_q}_${start_frame}_${end_frame}.npz"
phi_filtering:
  enabled: true
  target_ranges:
    - {min_angle: -10, max_angle: 10, description: along}
    - {min_angle: 85.0, max_angle: 95.0}
  fallback_to_all_angles: false
initial_parameters:
  parameter_names: [D0, alpha, D_offset, gamma_dot_0, beta, gamma_dot_offset, phi_0]
  values: [2000.0, 0.1, 10.0, 0.02, 0.0, 0.0, 1]
  active_parameters: [D0, alpha, gamma_dot_0, phi_0]
  fixed_parameters: {beta: 0.0, D_offset: 0.0, gamma_dot_offset: 0.0}
  per_angle_scaling: {contrast: null, offset: null}
parameter_space:
  model: laminar_flow
  bounds:
    - {name: D0, min: 1.0, max: 1000000.0, type: TruncatedNormal, prior_mu: 2000.0,
       prior_sigma: 500.0, unit: x}
    - {name: contrast, min: 0.0, max: 0.8, type: TruncatedNormal}
  priors: [{name: phi_0, prior_mu: 2.0, prior_sigma: 1.0}]
optimization:
  method: both
  nlsq:
    loss: linear
    max_iterations: 100
    tolerance: 1.0e-8
    x_scale_map: null
    hybrid_streaming: {enable: true, normalize: true}
    multi_start: {enable: true, n_starts: 7, seed: 3, use_screening: true}
    cmaes: {enable: false}
    anti_degeneracy:
      per_angle_mode: individual
      hierarchical: {enable: true}
      regularization: {enable: false}
      shear_weighting: {enable: true}
  mcmc: {num_warmup: 200, num_samples: 300, num_chains: 2}
  cmc:
    enable: auto
    sharding: {num_shards: auto}
    per_shard_mcmc: {num_samples: 250, target_accept_prob: 0.9}
performance: {enable_progress: true}
logging: {enabled: false, level: INFO}
plotting: {save_plots: true}
output: {directory: ./results, formats: {json: true}}
""")


def quietly(source, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return read_homodyne(source, **options)


def changed(place, value, base=FULL):
    """Copy of a configuration with one value changed, or removed where it is ..."""
    out = copy.deepcopy(base)
    inner = out
    *sections, key = place.split(".")
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[key] = value
    if value is ...:
        del inner[key]
    return out


def test_every_section_becomes_an_argument_of_a_door(tmp_path):
    run = quietly(FULL, base=tmp_path)
    assert run.model == "laminar_flow"
    assert run.load == {
        "path": tmp_path / "data" / "sample.h5",
        "q": 0.01,
        "dt": 0.1,
        "start_frame": 1,
        "end_frame": 40,
        "sigma": 0.01,
        "exclude_t0": True,
        "phi_ranges": [(-10.0, 10.0), (85.0, 95.0)],
        "fallback": False,
    }
    p = run.problem
    assert (p["h"], p["convention"], p["rate"]) == (1e6, "homodyne_v2", "power")
    assert p["values"]["gamma_dot_t0"] == 0.02
    assert p["values"]["phi0"] == 1.0
    assert p["active"] == ["D0", "alpha", "gamma_dot_t0", "phi0"]
    assert p["fixed"] == {"beta": 0.0, "D_offset": 0.0, "gamma_dot_t_offset": 0.0}
    bounds = {b["name"]: b for b in p["bounds"]}
    assert (bounds["D0"]["max"], bounds["D0"]["prior_sigma"]) == (1e6, 500.0)
    assert bounds["contrast"]["max"] == 0.8
    assert bounds["phi0"] == {"name": "phi0", "prior_mu": 2.0, "prior_sigma": 1.0}
    assert run.fit == {"method": "multistart", "starts": 7, "seed": 3}
    assert run.sample == {
        "chains": 2,
        "warmup": 200,
        "draws": 250,
        "target_accept": 0.9,
    }
    assert run.loss == "linear"
    assert run.folder == tmp_path / "results"
    assert run.cache["folder"] == tmp_path / "cache"


def test_what_is_left_out_has_the_defaults_of_the_other_program():
    run = read_homodyne(LEAST)
    assert run.load["q"] is None
    assert (run.load["start_frame"], run.load["end_frame"]) == (1, -1)
    assert "phi_ranges" not in run.load
    assert run.problem["h"] == 2e6
    assert run.problem["values"] is None
    assert run.loss == "soft_l1"
    assert run.sample is None
    assert run.cache is None
    assert run.fit["method"] == "tr"
    assert run.scaling(10) == "varpro"


def test_the_flat_form_is_the_same():
    flat = {
        "data_file": "a.h5",
        "analysis_mode": "static_isotropic",
        "dt": 0.1,
        "start_frame": 2,
        "end_frame": 9,
    }
    full = changed("analyzer_parameters.start_frame", 2, LEAST)
    full["analyzer_parameters"]["end_frame"] = 9
    assert read_homodyne(flat) == read_homodyne(full)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_file_is_yaml_or_json_and_paths_start_beside_it(tmp_path, suffix):
    path = tmp_path / f"config.{suffix}"
    path.write_text(json.dumps(LEAST) if suffix == "json" else yaml.safe_dump(LEAST))
    assert read_homodyne(path).load["path"] == tmp_path / "a.h5"


def test_configurations_are_told_from_our_job_files():
    assert is_homodyne(FULL)
    assert is_homodyne({"analysis_mode": "static", "data_file": "a"})
    assert not is_homodyne({"technique": "xpcs", "data": {"path": "a"}})


def test_what_has_no_meaning_here_is_said_in_one_warning():
    with pytest.warns(DataWarning) as said:
        read_homodyne(FULL)
    texts = [str(w.message) for w in said]
    (idle,) = [t for t in texts if t.startswith("accepted, but without")]
    for place in (
        "optimization.nlsq.max_iterations", "optimization.nlsq.tolerance",
        "optimization.nlsq.hybrid_streaming", "performance", "plotting",
        "experimental_data.phi_angles_path", "output.formats",
        "optimization.nlsq.multi_start.use_screening",
    ):  # fmt: skip
        assert place in idle
    assert "x_scale_map" not in idle  # null
    assert "logging" not in idle  # switched off
    assert "metadata" not in idle
    (layers,) = [t for t in texts if t.startswith("anti_degeneracy")]
    assert "hierarchical, shear_weighting: accepted and not needed" in layers
    assert "regularization" not in layers
    assert len(texts) == 2


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("optimisation", "optimisation: did you mean 'optimization'?"),
        ("analyzer_parameters.start_fram", "did you mean 'start_frame'?"),
        ("optimization.nlsq.los", "optimization.nlsq.los: did you mean 'loss'?"),
        ("experimental_data.file_pth", "did you mean 'file_path'?"),
    ],
)
def test_an_unknown_key_is_a_warning_that_names_the_nearest(place, said):
    with pytest.warns(DataWarning, match="unknown key") as caught:
        read_homodyne(changed(place, 1, LEAST))
    assert said in str(caught[0].message)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("analysis_mode", ..., "missing the necessary key analysis_mode"),
        ("analysis_mode", "laminar", "analysis_mode: 'laminar'; expected one of"),
        ("analyzer_parameters.dt", ..., "necessary key analyzer_parameters.dt"),
        ("analyzer_parameters.dt", 0, "analyzer_parameters.dt: 0.0; expected a posi"),
        ("analyzer_parameters.dt", "0.1 s", "dt: '0.1 s'; expected a number"),
        ("analyzer_parameters.start_frame", 0, "start_frame: 0; expected a whole"),
        ("analyzer_parameters.end_frame", 1, "end_frame: 1; expected a whole"),
        ("analyzer_parameters.end_frame", 9.5, "end_frame: 9.5; expected a whole"),
        ("analyzer_parameters.scattering.wavevector_q", -1, "wavevector_q: -1.0"),
        ("analyzer_parameters.geometry.stator_rotor_gap", 0, "stator_rotor_gap: 0"),
        ("analyzer_parameters", 5, "analyzer_parameters: 5; expected a section"),
        ("experimental_data.data_file_name", ..., "key experimental_data.file_path"),
        ("experimental_data.cache_filename_template", "../${x}", "no value for 'x'"),
        ("phi_filtering.enabled", "yes", "enabled: 'yes'; expected true or false"),
        ("phi_filtering.target_ranges", [], "target_ranges: []; expected a list"),
        ("phi_filtering.target_ranges", [{"min_angle": 1}], "[0].max_angle"),
        ("initial_parameters.values", [1.0], "values: [1.0]; expected 7 numbers"),
        ("initial_parameters.values", [None] * 7, "values.D0: None; expected a n"),
        ("initial_parameters.parameter_names", ["D_0"], "'D_0': did you mean 'D0'?"),
        ("initial_parameters.active_parameters", ["bta"], "did you mean 'beta'?"),
        ("initial_parameters.fixed_parameters", ["D0"], "expected names: values"),
        ("parameter_space.bounds", [{"min": 1}], "necessary key parameter_space.bo"),
        ("parameter_space.bounds", [{"name": "alpa"}], "did you mean 'alpha'?"),
        ("parameter_space.bounds", [{"name": "D0", "type": "Beta"}], "type: 'Beta'"),
        ("parameter_space.bounds", {"D0": 1}, "bounds: {'D0': 1}; expected a list"),
        ("optimization.method", "nslq", "did you mean 'nlsq'?"),
        ("optimization.nlsq.loss", "softl1", "did you mean 'soft_l1'?"),
        ("optimization.nlsq.multi_start.n_starts", 0, "n_starts: 0; expected a whole"),
        (
            "optimization.nlsq.anti_degeneracy.per_angle_mode",
            "automatic",
            "per_angle_mode: 'automatic'",
        ),
        ("optimization.mcmc.num_chains", 0, "optimization.mcmc.num_chains: 0"),
        (
            "optimization.cmc.per_shard_mcmc.target_accept_prob",
            1.5,
            "target_accept_prob: 1.5; expected between",
        ),
        ("optimization.cmc.enable", "maybe", "cmc.enable: 'maybe'; expected true"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_key(tmp_path, place, value, said):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(changed(place, value)))
    with pytest.raises(ConfigError) as caught:
        quietly(path)
    assert said in str(caught.value)
    assert "c.json" in str(caught.value)


def test_a_key_in_both_forms_is_refused():
    with pytest.raises(ConfigError, match="dt is given twice"):
        read_homodyne({**LEAST, "dt": 0.2})


def test_flow_in_the_file_of_a_static_sample_is_left_out():
    run = quietly(changed("analysis_mode", "static"))
    assert {*run.problem["values"]} == {"D0", "alpha", "D_offset"}
    assert {b["name"] for b in run.problem["bounds"]} == {"D0", "contrast"}
    assert run.problem["active"] == ["D0", "alpha"]
    assert run.problem["fixed"] == {"D_offset": 0.0}


@pytest.mark.parametrize(
    ("mode", "angles", "scaling"),
    [
        ("auto", 2, "varpro"),
        ("auto", 3, "averaged"),
        ("individual", 9, "varpro"),
        ("constant", 9, "constant"),
        ("fourier", 9, "fourier"),
    ],
)
def test_contrast_and_offset_follow_the_mode_and_the_number_of_angles(
    mode, angles, scaling
):
    place = "optimization.nlsq.anti_degeneracy.per_angle_mode"
    assert quietly(changed(place, mode)).scaling(angles) == scaling


def test_consensus_is_for_what_is_too_large_or_insisted_upon():
    run = quietly(changed("optimization.method", "cmc"))
    assert run.sample is not None
    assert run.shards_for(10**6) is None
    assert run.shards_for(25 * 10**7) == 3
    wanted = changed("optimization.cmc.enable", True)
    wanted["optimization"]["cmc"]["sharding"]["num_shards"] = 5
    assert quietly(wanted).shards_for(1000) == 5


@pytest.fixture(scope="module")
def sheared(tmp_path_factory):
    """Folder with the data of FULL and their truth."""
    truth = {"D0": 3000.0, "alpha": 0.2, "gamma_dot_t0": 0.03, "phi0": 2.0}
    zero = dict.fromkeys(("D_offset", "beta", "gamma_dot_t_offset"), 0.0)
    data = xpcs.simulate(
        "laminar_flow",
        truth | zero,
        q=0.01,
        dt=0.1,
        n_frames=40,
        h=1e6,
        phi=[0.0, 8.0, 50.0, 90.0],
        contrast=0.3,
        noise=0.005,
        convention="homodyne_v2",
    )
    folder = tmp_path_factory.mktemp("sheared")
    (folder / "data").mkdir()
    xpcs.save(data, folder / "data" / "sample.h5")
    return folder, truth


def test_the_fit_that_the_file_asks_for_finds_the_truth(sheared):
    folder, truth = sheared
    run = quietly(FULL, base=folder)
    data = run.data()
    assert data.coords["phi"].tolist() == [0.0, 8.0, 90.0]
    assert data.coords["early"].min() == 1
    problem = run.build(data)
    best = js.fit(problem, warn=False)
    assert best.success
    assert best.scaled
    for name, value in truth.items():
        assert abs(best[name] - value) < 4 * best.error(name), name
    assert run.posterior(problem).likelihood.noise == "scale_marginal"


def test_the_cache_is_made_once_and_used(sheared):
    folder, _ = sheared
    run = quietly(FULL, base=folder)
    first = run.data()
    path = folder / "cache" / "c2_q0.0100_1_40.npz"
    assert read_cache(path, 0.01, 1, 40) is not None
    original = (folder / "data" / "sample.h5").rename(folder / "away.h5")
    try:
        again = run.data()
    finally:
        original.rename(folder / "data" / "sample.h5")
    np.testing.assert_array_equal(again.y, first.y)


def test_a_robust_loss_of_the_file_is_that_of_the_fit(sheared):
    folder, truth = sheared
    run = quietly(changed("optimization.nlsq.loss", "soft_l1"), base=folder)
    problem = run.build(run.data())
    assert problem.likelihood.loss == "soft_l1"
    best = js.fit(problem, warn=False, scale_covariance=True)
    assert abs(best["D0"] - truth["D0"]) < 5 * best.error("D0")


def test_an_older_spelling_of_the_cache_name_is_understood(tmp_path):
    old = "c2_q{wavevector_q:.4f}_frames_{start_frame}_{end_frame}.npz"
    place = "experimental_data.cache_filename_template"
    run = quietly(changed(place, old), base=tmp_path)
    assert run.cache["template"] == (
        "c2_q${wavevector_q}_frames_${start_frame}_${end_frame}.npz"
    )


def test_parameters_that_do_not_fit_are_errors_of_the_configuration(sheared):
    folder, _ = sheared
    run = quietly(
        changed("initial_parameters.fixed_parameters", {"D0": 1.0}), base=folder
    )
    with pytest.raises(ConfigError, match="both active and fixed"):
        run.build(run.data())
    narrow = changed(
        "phi_filtering.target_ranges", [{"min_angle": 20, "max_angle": 30}]
    )
    with pytest.raises(DataError, match="no angle lies in"):
        quietly(narrow, base=folder).data()
