"""Job files of XPCS: their keys are the doors' arguments; mistakes have places."""

import inspect

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import config, xpcs
from jaxscatter.config import xpcs_job
from jaxscatter.errors import ConfigError

LEAST = "technique: xpcs\ndata: {path: a.h5}\n"
TRUTH = {"D0": 4000.0, "alpha": 0.1, "D_offset": 0.0}


def simulated(**changes):
    how = {"q": 0.01, "dt": 0.1, "n_frames": 30, "phi": [0.0, 60.0], "noise": 0.01}
    return xpcs.simulate("static", TRUTH, **{**how, **changes})


def test_a_job_needs_only_its_data():
    job = config.parse(LEAST)
    assert (job.technique, job.model_name) == ("xpcs", "laminar_flow")
    assert job.fit == config.Fit("tr")
    assert job.sample is None
    assert not job.homodyne_files


def test_defaults_are_those_of_the_doors():
    """So that leaving a key out means the same as leaving the argument out."""
    for section, door in (
        (xpcs_job.Data, xpcs.load),
        (xpcs_job.Model, xpcs.problem),
        (xpcs_job.Simulation, xpcs.simulate),
    ):
        fields = section.__dataclass_fields__
        for name, argument in inspect.signature(door).parameters.items():
            if argument.default is not argument.empty and name in fields:
                assert fields[name].default == argument.default, name


def test_what_can_be_loaded_can_be_asked_for():
    assert {*xpcs_job.Data.__dataclass_fields__} <= {
        *inspect.signature(xpcs.load).parameters
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("technique: xpcs\ndata: {pth: a}", "unknown key data.pth: did you mean 'pa"),
        ("technique: xpcs", "missing the required key data"),
        (LEAST + "simulate: {frames: 3}", "simulate.frames: did you mean 'n_frames'"),
        (LEAST + "simulate: {}", "simulate: missing the required key n_frames"),
        (LEAST + "simulate: {n_frames: 1}", "simulate.n_frames: 1; expected at least"),
        (LEAST + "model: {name: laminar}", "did you mean 'laminar_flow'?"),
        (LEAST + "model: {convention: v2}", "model.convention: 'v2' is not known"),
        (LEAST + "model: {rate: exp}", "model.rate: 'exp' is not known"),
        (LEAST + "model: {loss: soft}", "model.loss: 'soft' is not known"),
        (LEAST + "model: {loss: huber}", "model.loss: 'huber' needs data.sigma"),
        (LEAST + "model: {h: 0}", "model.h: 0.0; expected a positive"),
        ("technique: xpcs\ndata: {path: a, dt: 0}", "data.dt: 0.0; expected a pos"),
        ("technique: xpcs\ndata: {path: a, q: -1}", "data.q: -1.0; expected a pos"),
        ("technique: xpcs\ndata: {path: a, start_frame: 0}", "data.start_frame: 0"),
        ("technique: xpcs\ndata: {path: a, q: x}", "data.q: expected float"),
        (LEAST + "parameters: {D_0: 1}", "parameters.D_0: did you mean 'D0'?"),
        (LEAST + "parameters: {D0: {fixed: true}}", "D0.fixed: needs a value"),
        (LEAST + "parameters: {contrast: {value: 1}}", "contrast: expected bounds"),
        (LEAST + "parameters: {D0: {prior: [norml, 1, 1]}}", "did you mean 'normal'"),
        (
            LEAST + "model: {name: static}\nparameters: {beta: 1}",
            "unknown key parameters.beta",
        ),
        (LEAST + "fit: null", "nothing to do"),
    ],
)
def test_mistakes_name_their_place_and_a_way_out(text, said):
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    assert said in str(caught.value)


def test_the_problem_has_what_the_job_says():
    job = config.parse(
        LEAST
        + """
model: {name: static, convention: homodyne_v2, rate: offset}
parameters:
  D_offset: {value: 5.0, fixed: true}
  alpha: {value: 0.3, bounds: [-1, 1], prior: [normal, 0.0, 0.2]}
  contrast: {bounds: [0, 0.9]}
"""
    )
    problem = job.problem(simulated())
    assert problem.parameters.labels == ("D0", "alpha")
    table = problem.parameters
    assert float(table["D_offset"].value) == 5.0
    assert float(table["alpha"].value) == 0.3
    assert float(table["alpha"].hi) == 1.0
    assert type(table["alpha"].prior).__name__ == "Normal"
    assert float(problem.linear[0].upper) == 0.9
    assert problem.model.convention == "homodyne_v2"
    assert problem.model.rate == "offset"
    # not given, so scanned for
    assert float(table["D0"].value) != 1000.0


def test_aliases_are_understood():
    job = config.parse(LEAST + "parameters: {phi_0: 3.0, gamma_dot_0: 0.002}")
    problem = job.problem(simulated())
    assert float(problem.parameters["phi0"].value) == 3.0
    assert float(problem.parameters["gamma_dot_t0"].value) == 0.002


def test_options_that_do_not_exist_are_errors_of_the_job():
    data = simulated()
    for model, said in (
        ("{scaling: each}", "scaling is 'each'"),
        ("{floor: hard}", "floor is 'hard'"),
        ("{integration: simpson}", "integration is 'simpson'"),
    ):
        with pytest.raises(ConfigError, match=said):
            config.parse(LEAST + f"model: {model}").problem(data)
    with pytest.raises(ConfigError, match="outside its bounds"):
        config.parse(LEAST + "parameters: {D0: 1.0}").problem(data)


def test_without_errors_the_posterior_integrates_their_scale():
    job = config.parse(LEAST + "model: {name: static}")
    problem = job.problem(simulated(noise=0.0))
    assert job.posterior(problem).likelihood.noise == "scale_marginal"
    known = config.parse("technique: xpcs\ndata: {path: a, sigma: 0.01}")
    assert known.posterior(problem).likelihood.noise == "known"


def test_a_job_loads_what_it_simulates(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        """
technique: xpcs
data: {path: made.h5, q: 0.01, dt: 0.1, sigma: 0.01, end_frame: 25,
       phi_ranges: [[50, 70]]}
model: {name: static}
parameters: {D0: 4000, alpha: {value: 0.1}, D_offset: {value: 0.0, fixed: true}}
simulate: {n_frames: 30, phi: [0, 60], contrast: [0.3, 0.4], noise: 0.01, seed: 2}
"""
    )
    job = config.read(path)
    made = job.simulated()
    assert made.metadata["truth"] == TRUTH
    xpcs.save(made, tmp_path / "made.h5")
    data = job.load()
    assert data.coords["phi"].tolist() == [60.0]
    assert len(data.coords["t"]) == 25
    np.testing.assert_array_equal(data.sigma, 0.01)
    lines = job.described(data)
    assert "q 0.01 1/Å, 25 frames of 0.1 s" in lines[0]
    assert "1 angle at 60 degrees, 300 usable points" in lines[1]
    best = js.fit(job.problem(data), warn=False)
    assert abs(best["D0"] - 4000) < 4 * best.error("D0")


def test_what_a_simulation_lacks_is_named():
    for text, said in (
        (LEAST, "missing the required key simulate"),
        (LEAST + "simulate: {n_frames: 5}", "missing the required key data.q"),
        (
            "technique: xpcs\ndata: {path: a, q: 1}\nsimulate: {n_frames: 5}",
            "missing the required key data.dt",
        ),
        (
            "technique: xpcs\ndata: {path: a, q: 1, dt: 1}\n"
            "simulate: {n_frames: 5, contrast: 2}",
            "contrast_0 = 2 must lie",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            config.parse(text).simulated()


def test_the_folders_of_another_program_are_written_on_request(tmp_path):
    job = config.parse(
        LEAST + "model: {name: static}\nparameters: {alpha: {value: 0, "
        "fixed: true}, D_offset: {value: 0, fixed: true}}"
    )
    problem = job.problem(simulated())
    best = js.fit(problem, warn=False)
    job.export(tmp_path, problem, best, None)
    assert list(tmp_path.iterdir()) == []
    job.homodyne_files = True
    job.export(tmp_path, problem, best, None)
    assert [p.name for p in tmp_path.iterdir()] == ["nlsq"]
