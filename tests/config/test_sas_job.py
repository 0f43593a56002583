"""Job files of SAS: their keys are the doors' arguments; mistakes have places."""

import inspect

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import config, sas
from jaxscatter.config import sas_job
from jaxscatter.errors import ConfigError

LEAST = "technique: sas\ndata: {path: a.dat}\nmodel: {name: sphere}\n"
PRODUCT = LEAST.replace("sphere", "sphere@hardsphere")
BOTH = """
technique: sas
datasets:
  sans: {path: example:latex_smeared.xml, entry: 0, q_range: [0.02, 0.4],
         resolution: false}
  usans: {path: example:latex_smeared.xml, entry: 1, parameters: {sld_solvent: 6.2}}
model: {name: sphere}
shared: [radius, radius_pd]
parameters:
  sld: 1.4
  sld_solvent: 6.35
  radius: {value: 2450, bounds: [1500, 4000]}
  radius_pd: {value: 0.05, bounds: [0.001, 0.3]}
"""


def simulated(**changes):
    q = np.geomspace(0.005, 0.3, 40)
    how = {"radius": 40.0, "relative": 0.02, "absolute": 1e-3}
    return sas.simulate("sphere", q, **{**how, **changes})


def test_a_job_needs_its_data_and_its_model():
    job = config.parse(LEAST)
    assert (job.technique, job.model_name, job.data_path) == ("sas", "sphere", "a.dat")
    assert job.fit == config.Fit("tr")
    assert job.sample is None
    for left_out in ("data", "model"):
        lines = [x for x in LEAST.splitlines() if not x.startswith(left_out)]
        with pytest.raises(ConfigError, match=f"missing the required key {left_out}"):
            config.parse("\n".join(lines))


def test_defaults_are_those_of_the_doors():
    """So that leaving a key out means the same as leaving the argument out."""
    for section, door in (
        (sas_job.Data, sas.load),
        (sas_job.Model, sas.problem),
        (sas_job.Simulation, sas.simulate),
    ):
        fields = section.__dataclass_fields__
        for name, argument in inspect.signature(door).parameters.items():
            if argument.default is not argument.empty and name in fields:
                if name in ("q", "q_length"):  # two ends, and 0 for none, in a job
                    continue
                assert fields[name].default == argument.default, name


def test_what_can_be_loaded_can_be_asked_for():
    asked = {*sas_job.Data.__dataclass_fields__} - {"parameters"}
    assert asked == {*inspect.signature(sas.load).parameters}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LEAST.replace("path", "pth"), "unknown key data.pth: did you mean 'path'"),
        (LEAST.replace("sphere", "spher"), "model.name: no model 'spher'; near it are"),
        (LEAST.replace("path: a.dat", "path: a, weights: di"), "data.weights: 'di' is"),
        (LEAST.replace("path: a.dat", "path: a, q_range: 3"), "data.q_range: expected"),
        (LEAST + "parameters: {radus: 1}", "parameters.radus: did you mean 'radius'?"),
        (LEAST + "parameters: {radius: {valu: 1}}", "parameters.radius.valu: did you"),
        (LEAST + "parameters: {radius: -1}", "parameters: radius is -1.0"),
        (LEAST + "parameters: {radius: x}", "parameters.radius: expected"),
        (LEAST + "parameters: {sld_pd: 0.1}", "unknown key parameters.sld_pd"),
        (
            LEAST + "parameters: {radius: {prior: [norml, 1, 1]}}",
            "did you mean 'normal'",
        ),
        (
            LEAST + "parameters: {radius: {fixed: true, bounds: [1, 2]}}",
            "parameters.radius: fixed, with bounds or a prior",
        ),
        (LEAST.replace("sphere", "sphere, free: [radus]"), "model.free: 'radus' is"),
        (LEAST.replace("sphere", "sphere, loss: soft"), "model.loss: 'soft' is not"),
        (
            PRODUCT.replace("hardsphere", "hardsphere, settings: {beta: 1}"),
            "unknown key model.settings.beta",
        ),
        (
            PRODUCT.replace(
                "hardsphere", "hardsphere, settings: {structure_factor_mod: 1}"
            ),
            "did you mean 'structure_factor_mode'?",
        ),
        (
            PRODUCT.replace(
                "hardsphere", "hardsphere, settings: {structure_factor_mode: 7}"
            ),
            "structure_factor_mode is 7; expected one of",
        ),
        (LEAST + "ties: {radus: sld}", "unknown key ties.radus: did you mean 'radius'"),
        (LEAST + "ties: {radius: sl}", "ties.radius: 'sl' is not known"),
        (LEAST + "shared: [radius]", "shared: expected several datasets"),
        (LEAST + "datasets: {a: {path: a}}", "both data and datasets are given"),
        (
            LEAST.replace("data:", "datasets: {a:").replace("}\nm", "}}\nm"),
            "one data s",
        ),
        (LEAST.replace("a.dat", "a.dat, parameters: {radius: 1}"), "data.parameters"),
        (BOTH.replace("entry: 0", "entri: 0"), "datasets.sans.entri: did you mean"),
        (
            BOTH.replace("{sld_solvent", "{sld_solven"),
            "datasets.usans.parameters.sld_s",
        ),
        (LEAST + "simulate: {point: 3}", "simulate.point: did you mean 'points'?"),
        (LEAST + "simulate: {points: 1}", "simulate.points: 1; expected at least 2"),
        (LEAST + "simulate: {q: [0.3, 0.1]}", "simulate.q: [0.3, 0.1]; expected 0 <"),
        (LEAST + "fit: null", "nothing to do"),
    ],
)
def test_mistakes_name_their_place_and_a_way_out(text, said):
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    assert said in str(caught.value)


def test_the_problem_has_what_the_job_says():
    job = config.parse(
        PRODUCT.replace(
            "hardsphere",
            "hardsphere, loss: huber, settings: {structure_factor_mode: 1, "
            "radius_pd_type: lognormal, radius_pd_n: 9}",
        )
        + """
parameters:
  radius: {value: 42.0, bounds: [20, 90], prior: [normal, 40.0, 5.0]}
  radius_pd: {value: 0.1, bounds: [0.01, 0.4]}
  volfraction: {value: 0.05, fixed: true}
  sld: {value: 2.0, fixed: false}
"""
    )
    problem = job.problem(simulated())
    assert {*problem.parameters.labels} == {"radius", "radius_pd", "sld"}
    table = problem.parameters
    assert float(table["volfraction"].value) == 0.05
    assert (float(table["radius"].value), float(table["radius"].hi)) == (42.0, 90.0)
    assert type(table["radius"].prior).__name__ == "Normal"
    assert "P*(1+beta*(S-1))" in problem.name
    assert problem.likelihood.loss == "huber"
    (spread,) = problem.model.settings.distributions.values()
    assert spread.npts == 9


def test_equal_sizes_are_tied():
    job = config.parse(
        LEAST.replace("sphere", "core_shell_sphere") + "ties: {thickness: radius}"
    )
    problem = job.problem(simulated())
    assert problem.parameters.labels == ("radius",)
    assert float(problem.named(problem.start())["thickness"]) == 60.0


def test_several_curves_share_what_the_job_says():
    job = config.parse(BOTH)
    data = job.load()
    problem = job.problem(data)
    assert problem.parameters.labels == ("radius", "radius_pd")
    assert problem.part_names == ("sans", "usans")
    theta = problem.named(problem.start())
    assert float(theta["sld_solvent[sans]"]) == 6.35
    assert float(theta["sld_solvent[usans]"]) == 6.2
    lines = job.described(data)
    assert "data     sans: example:latex_smeared.xml" in lines
    assert lines[-1] == "shared   radius, radius_pd"
    assert "resolution of a slit" in lines[3]
    assert job.data_path == "example:latex_smeared.xml"
    with pytest.raises(ConfigError, match="'raduis'"):
        config.parse(BOTH.replace("[radius,", "[raduis,")).problem(data)


def test_without_errors_the_posterior_integrates_their_scale():
    job = config.parse(LEAST)
    data = simulated()
    assert job.posterior(job.problem(data)).likelihood.noise == "known"
    bare = simulated(relative=0.0, absolute=0.0)
    assert job.posterior(job.problem(bare)).likelihood.noise == "scale_marginal"


def test_a_job_fits_what_it_simulates_and_writes_both(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        """
technique: sas
data: {path: made.h5, q_range: [0.006, 0.2]}
model: {name: sphere}
parameters: {radius: 40.0, background: 0.01}
simulate: {q: [0.005, 0.3], points: 40, relative: 0.02, absolute: 0.001, seed: 2}
"""
    )
    job = config.read(path)
    made = job.simulated()
    assert made.metadata["truth"]["radius"] == 40.0
    sas.save(made, tmp_path / "made.h5")
    data = job.load()
    assert data.n_valid < 40
    assert "of 40 points from 0.00" in job.described(data)[1]
    problem = job.problem(data)
    best = js.fit(problem, warn=False)
    assert abs(best["radius"] - 40) < 4 * best.error("radius")
    job.export(tmp_path, problem, best, None)
    found = js.io.read_sas(tmp_path / sas_job.NXCANSAS)
    assert {c.name for c in found} == {"sasentry01/sasdata01", "sasentry01/fit01"}
    job.nxcansas = False
    (tmp_path / sas_job.NXCANSAS).unlink()
    job.export(tmp_path, problem, best, None)
    assert not (tmp_path / sas_job.NXCANSAS).exists()


def test_what_a_simulation_lacks_is_named():
    for text, said in (
        (LEAST, "missing the required key simulate"),
        (
            LEAST + "simulate: {counts: 1}\nparameters: {background: -1000}",
            "there are no counts",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            config.parse(text).simulated()


def test_the_template_is_of_the_packaged_example():
    """What it shows as left out has the values it shows."""
    job = config.parse(config.template("sas"))
    data = job.load()
    assert data.n_valid == 137
    assert job.problem(data).parameters.labels == (
        "radius_polar",
        "radius_equatorial",
        "volfraction",
        "charge",
    )
    least = sas_job.Job(sas_job.Model("sphere"), sas_job.Data("a"))
    for key in ("weights", "resolution", "entry", "q_range"):
        assert getattr(job.data, key) == getattr(least.data, key), key
    assert (job.model.loss, job.fit, job.nxcansas) == ("linear", least.fit, True)
