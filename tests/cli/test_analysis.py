"""The headline and the report of results."""

import dataclasses

import numpy as np
import pytest

import jaxscatter
from jaxscatter import infer, qens
from jaxscatter.cli import analysis
from jaxscatter.cli.output import Folder, Watch
from jaxscatter.config import Sample


@pytest.fixture(scope="session")
def results(finished):
    return tuple(
        jaxscatter.load_result(finished / f"{name}.h5") for name in ("fit", "posterior")
    )


def test_headline_holds_both_estimates_with_one_unit(results):
    fit, posterior = results
    lines = analysis.headline(fit, posterior).splitlines()
    head = next(x for x in lines if x.startswith("parameter"))
    assert head.split()[:3] == ["parameter", "fit", "posterior"]
    row = next(x for x in lines if x.startswith("D_translation"))
    assert row.count("±") == 2
    assert row.endswith("Å²/ps")
    assert f"{fit['D_translation']:.3f}"[:4] in row


def test_headline_of_a_fit_alone_has_no_empty_columns(results):
    text = analysis.headline(results[0], None)
    assert "posterior" not in text
    assert "sampler" not in text
    assert "chi2 " in text


def test_headline_says_where_errors_follow_the_scatter(results):
    scaled = dataclasses.replace(results[0], scaled=True)
    assert "to which errors are scaled" in analysis.headline(scaled, None)
    assert "scaled" not in analysis.headline(results[0], None)


def test_headline_of_a_posterior_alone_has_the_verdict(results):
    text = analysis.headline(None, results[1])
    assert "sampler  " in text
    assert "chi2" not in text


def test_warnings_come_first_and_once(results):
    fit, posterior = (dataclasses.replace(r, warnings=("mind this",)) for r in results)
    text = analysis.headline(fit, posterior)
    assert text.startswith("! mind this\n")
    assert text.count("mind this") == 1


def test_a_fit_that_failed_and_a_chain_that_did_not_mix_say_so(results):
    fit = dataclasses.replace(results[0], success=False)
    posterior = dataclasses.replace(results[1], converged=False)
    text = analysis.headline(fit, posterior)
    assert text.count("NOT CONVERGED") == 2


def test_every_distinct_optimum_is_listed(results):
    optima = {
        "cost": np.array([1.0, 2.0]),
        "delta_chi2": np.array([0.0, 2.0]),
        "count": np.array([3.0, 1.0]),
        "D_translation": np.array([0.2, 0.4]),
    }
    text = analysis.headline(dataclasses.replace(results[0], optima=optima), None)
    assert "optima   2 distinct:" in text
    assert "chi2 + 2.0 (1 fits): D_translation 0.4" in text


def test_report_says_that_it_was_stopped(results):
    text = analysis.report("title", ["about"], results[0], None, True)
    assert "stopped by the user" in text
    assert "about" in text


def test_the_ratio_of_rotations_is_derived_where_there_are_two():
    q, omega = np.linspace(0.5, 1.5, 3), np.linspace(-1, 1, 41)
    expected = {"anisotropic_rotor": {"D_s/D_t"}, "isotropic_rotor": set()}
    for model, names in expected.items():
        data = qens.simulate(model, q=q, omega=omega, sigma_res=0.05)
        assert set(analysis.derivable(qens.problem(data, model))) == names


def test_shards_are_sampled_by_consensus(results, tmp_path, monkeypatch):
    asked = {}

    def consensus(problem, **given):
        asked.update(given)
        return results[1]

    monkeypatch.setattr(infer, "consensus", consensus, raising=False)
    q, omega = np.linspace(0.5, 1.5, 2), np.linspace(-1, 1, 21)
    data = qens.simulate("isotropic_rotor", q=q, omega=omega, sigma_res=0.05)
    problem = qens.problem(data, "isotropic_rotor")
    with Folder(tmp_path / "out") as folder, Watch() as watch:
        best, post = analysis.analyse(
            problem, None, Sample(seed=5), folder, watch, shards=3
        )
    assert (best, post) == (None, results[1])
    assert asked == {"shards": 3, "seed": 5, "start": None}
