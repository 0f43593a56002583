"""Job files of QENS: what they hold, and a clear place for every mistake."""

import inspect

import numpy as np
import pytest

from jaxscatter import config, qens
from jaxscatter.config import qens_job
from jaxscatter.errors import ConfigError

Q = np.array([0.5, 1.0])
LEAST = "data: {path: a.nxspe}\n"


def test_a_job_needs_only_its_data():
    job = config.parse(LEAST)
    assert (job.technique, job.model.name) == ("qens", "anisotropic_rotor")
    assert job.fit == config.Fit()
    assert job.sample is None


def test_defaults_are_those_of_the_doors():
    """So that leaving a key out means the same as leaving the argument out."""
    for section, door in (
        (qens_job.Data, qens.load),
        (qens_job.Model, qens.problem),
    ):
        fields = section.__dataclass_fields__
        for name, argument in inspect.signature(door).parameters.items():
            # a job has a word where the door takes None for the same
            if name == "likelihood":
                continue
            if argument.default is not argument.empty and name in fields:
                assert fields[name].default == argument.default, name


def test_every_argument_of_load_is_a_key():
    own = {"resolution_form"}
    assert {*qens_job.Data.__dataclass_fields__} - own == {
        *inspect.signature(qens.load).parameters
    }


def test_values_are_read_with_their_types():
    job = config.parse(
        """
data: {path: a.nxspe, resolution: 0.05, q_edges: {start: 0.1, step: 0.2, count: 3}}
model: {name: isotropic_rotor, settings: {lmax: 4}}
parameters:
  u2: 1e-1
  D_r: {bounds: [1e-2, 3], prior: [log_uniform, 0.01, 3]}
fit: null
sample: {draws: 50, target_accept: 0.9}
"""
    )
    assert job.data.resolution == 0.05
    assert job.data.q_edges == qens_job.Rows(0.1, 0.2, 3)
    assert job.model.settings == {"lmax": 4}
    assert job.parameters["u2"] == 0.1
    assert job.parameters["D_r"].bounds == (0.01, 3.0)
    assert job.fit is None
    assert job.sample == config.Sample(draws=50, target_accept=0.9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {pth: a}", "unknown key data.pth: did you mean 'path'?"),
        (LEAST + "modle: {}", "unknown key modle: did you mean 'model'?"),
        (LEAST + "sample: {draw: 1}", "unknown key sample.draw: did you mean 'draws'?"),
        (LEAST + "parameters: {u2: {valu: 1}}", "parameters.u2.valu: did you mean"),
        (
            LEAST + "parameters: {D_x: 1}",
            "key parameters.D_x: did you mean 'D_",
        ),
        (LEAST + "parameters: {u2: [1]}", "parameters.u2: expected"),
        (LEAST + "parameters: {u2: {bounds: [1]}}", "parameters.u2.bounds: expected"),
        (LEAST + "parameters: {u2: {prior: normal}}", "parameters.u2.prior: expected"),
        (LEAST + "parameters: {u2: {prior: []}}", "expected a name and its numbers"),
        (LEAST + "parameters: {u2: {prior: [norml, 1, 2]}}", "did you mean 'normal'?"),
        (LEAST + "parameters: {u2: {prior: [normal, 1]}}", "1 numbers; expected 2"),
        (LEAST + "model: {settings: {lmx: 1}}", "model.settings.lmx: did you mean"),
        (LEAST + "model: {name: jump * isotropic}", "needs radius= of the scatterer"),
        (LEAST + "model: {name: isotropi}", "did you mean 'isotropic"),
        (LEAST + "model: {name: jump - elastic}", "expected names of models"),
        (LEAST + "model: {likelihood: poison}", "did you mean 'poisson'?"),
        (LEAST + "model: {detailed_balance: half}", "'half' is not known"),
        (LEAST + "model: {per_q: [u3]}", "model.per_q: u3: did you mean 'u2'?"),
        ("data: {path: a, resolution_form: voit}", "did you mean 'voigt'?"),
        (LEAST + "technique: tof", "technique: 'tof' is not known"),
        (LEAST + "fit: {method: simplex}", "fit.method: 'simplex' is not known"),
        (LEAST + "fit: {starts: 0}", "fit.starts: 0; expected at least 1"),
        (LEAST + "fit: {starts: many}", "fit.starts: expected int, got str"),
        (LEAST + "sample: {method: hmc}", "sample.method: 'hmc' is not known"),
        (LEAST + "sample: {target_accept: 1.5}", "sample.target_accept: 1.5"),
        (LEAST + "sample: {seed: -1}", "sample.seed: -1"),
        (LEAST + "fit: null", "nothing to do"),
        ("data: {path: a, q_edges: {stp: 1}}", "data.q_edges.stp: did you mean 'step'"),
        (
            "data: {path: a, q_edges: {start: 0, step: 0, count: 2}}",
            "data.q_edges.step: 0",
        ),
        ("data: {path: a, q_edges: [a]}", "data.q_edges[0]: expected float"),
        ("data: {path: a, n_q_bins: 1.5}", "data.n_q_bins: expected int"),
        ("data: {path: a, align: edge}", "data.align: 'edge' is not known"),
        ("model: {}", "missing the required key data"),
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
model: {name: isotropic_rotor, amplitude: per_q, background: linear,
        settings: {lmax: 3}}
parameters: {u2: {fixed: true, value: 0.1}, D_r: {bounds: [0.01, 3]},
             D_translation: {prior: [normal, 0.2, 0.1]}}
"""
    )
    omega = np.linspace(-1, 1, 41)
    data = qens.simulate("isotropic_rotor", q=Q, omega=omega, sigma_res=0.05)
    problem = job.problem(data)
    assert problem.parameters.labels == ("D_translation", "D_r")
    assert float(problem.parameters["u2"].value) == 0.1
    assert float(problem.parameters["D_r"].hi) == 3.0
    assert type(problem.parameters["D_translation"].prior).__name__ == "Normal"
    assert [a.name for a in problem.linear] == ["amplitude", "background", "slope"]
    assert not problem.linear[0].shared
    assert dict(problem.model.extras)["lmax"] == 3


def test_a_job_composes_models_and_chooses_noise_and_balance():
    job = config.parse(
        LEAST
        + """
model: {name: jump * isotropic * debye_waller, likelihood: scale, temperature: 290,
        per_q: [D_r], settings: {radius: 0.98, lmax: 6}}
parameters: {D_r: {bounds: [0.01, 3]}}
"""
    )
    omega = np.linspace(-1, 1, 41)
    data = qens.simulate("isotropic_rotor", q=Q, omega=omega, sigma_res=0.05)
    problem = job.problem(data)
    assert problem.parameters.labels == (
        "D_translation",
        "tau",
        "D_r[0]",
        "D_r[1]",
        "u2",
        "noise_scale",
    )
    assert problem.model.detailed_balance == "bose"
    assert float(problem.data.coords["temperature"]) == 290.0


def test_options_that_do_not_exist_are_errors_of_the_job():
    omega = np.linspace(-1, 1, 41)
    data = qens.simulate("isotropic_rotor", q=Q, omega=omega, sigma_res=0.05)
    for model, said in (
        ("{amplitude: each}", "amplitude is 'each'"),
        ("{background: cubic}", "background is 'cubic'"),
        ("{settings: {radius: -1}}", "radius is -1"),
        ("{settings: {lmax: 1.5}}", "lmax is 1.5"),
        ("{ordering: sideways}", "ordering is 'sideways'"),
    ):
        with pytest.raises(ConfigError, match=said):
            config.parse(LEAST + f"model: {model}").problem(data)


def test_loading_takes_windows_bins_and_rows_of_the_job():
    from jaxscatter import examples

    example = examples.qens_benzene()
    job = config.parse(
        f"""
data:
  path: {example.sample}
  resolution: {example.resolution}
  empty: {example.empty}
  n_q_bins: 5
  q_min: 0.6
  q_max: 1.8
  energy_window: 1.0
  q_edges: {{start: 0.05409, step: 0.0115, count: 249}}
"""
    )
    data = job.load()
    same = qens.load(
        example.sample,
        example.resolution,
        empty=example.empty,
        n_q_bins=5,
        q_min=0.6,
        q_max=1.8,
        energy_window=1.0,
        q_edges=example.q_edges,
    )
    np.testing.assert_array_equal(data.y, same.y)
    np.testing.assert_array_equal(data.coords["q"], same.coords["q"])


def test_a_job_takes_other_formats_and_says_so():
    job = config.parse(
        """
data: {path: "example:H2O_293K_5A.hdf", resolution: "example:V_273K_5A.hdf",
       align: none}
model: {name: translation_only}
"""
    )
    data = job.load()
    said = "\n".join(job.described(data))
    assert "read as LAMP HDF), Ei 3.272 meV, elastic line at its place" in said
    assert "V_273K_5A.hdf (measured, read as LAMP HDF)" in said
    assert "17 Q bins from 0.500 to 2.100" in said
    assert "assumed  the steps of energy" in said
    inx = config.parse("data: {path: a, q: angle, energy_unit: ueV}")
    assert (inx.data.q, inx.data.energy_unit) == ("angle", "ueV")
