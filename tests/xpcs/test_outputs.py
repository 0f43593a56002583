"""Folders in the layouts of another program: strict, complete, and with its numbers."""

import dataclasses
import json

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import DataError, ModelError
from jaxscatter.xpcs import outputs

TRUTH = {"D0": 5000.0, "alpha": 0.0, "D_offset": 0.0}
CONTRAST, OFFSET = [0.3, 0.4], [1.0, 1.05]


def strictly(path):
    def refuse(name):
        raise ValueError(name)

    return json.loads(path.read_text("utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def data():
    return xpcs.simulate(
        "static",
        TRUTH,
        q=0.01,
        dt=0.1,
        n_frames=20,
        phi=[0.0, 90.0],
        contrast=CONTRAST,
        offset=OFFSET,
        noise=0.01,
    )


@pytest.fixture(scope="module")
def problem(data):
    return xpcs.problem(data, "static", active=["D0"])


@pytest.fixture(scope="module")
def fit(problem):
    return js.fit(problem, warn=False)


@pytest.fixture(scope="module")
def posterior(problem, fit):
    return js.sample(
        problem, start=fit, chains=2, warmup=100, draws=100, warn=False, seed=1
    )


def test_the_folder_of_a_fit_holds_its_numbers(problem, fit, tmp_path):
    folder = xpcs.write_nlsq(fit, problem, tmp_path)
    assert folder == tmp_path / "nlsq"
    assert {p.name for p in folder.iterdir()} == {
        "parameters.json", "analysis_results_nlsq.json", "convergence_metrics.json",
        "fitted_data.npz",
    }  # fmt: skip
    table = strictly(folder / "parameters.json")
    assert table["D0"]["value"] == fit["D0"]
    assert table["D0"]["uncertainty"] == fit.error("D0")
    assert table["D0"]["unit"] == "Å²/s"
    assert table["contrast_1"]["value"] == fit.amplitude_values["contrast[1]"]
    assert {*table} == {
        "D0", "alpha", "D_offset", "contrast_0", "contrast_1", "offset_0", "offset_1"
    }  # fmt: skip
    about = strictly(folder / "analysis_results_nlsq.json")
    assert (about["convention"], about["rate"]) == ("pnas", "power")
    assert about["units"]["q"] == "1/Å"
    assert about["fit_quality"]["chi_squared"] == fit.statistics["chi2"]
    assert about["fit_quality"]["n_parameters"] == 5
    assert about["fit_quality"]["quality_flag"] == "good"
    assert about["dataset_info"]["phi_angles"] == [0.0, 90.0]
    assert about["dataset_info"]["n_points"] == 380
    assert about["derived"]["D_stokes_einstein"]["value"] == 0.5 * fit["D0"]
    ended = strictly(folder / "convergence_metrics.json")
    assert (ended["status"], ended["success"]) == ("converged", True)


def test_the_matrices_of_a_fit_belong_together(data, problem, fit, tmp_path):
    path = xpcs.write_nlsq(fit, problem, tmp_path) / "fitted_data.npz"
    with np.load(path, allow_pickle=False) as file:
        a = dict(file)
    assert a["c2_exp"].shape == (2, 20, 20)
    off = ~np.eye(20, dtype=bool)
    measured = xpcs.to_matrices(data, data.y)
    np.testing.assert_array_equal(a["c2_exp"][:, off], measured[:, off])
    assert np.isnan(np.diagonal(a["c2_exp"], axis1=1, axis2=2)).all()
    lag = 0.1 * np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
    np.testing.assert_allclose(
        a["c2_theoretical_raw"][0], np.exp(-(0.01**2) * fit["D0"] * lag), rtol=1e-12
    )
    for column, name in enumerate(("contrast", "offset")):
        expected = [fit.amplitude_values[f"{name}[{i}]"] for i in range(2)]
        np.testing.assert_allclose(a["per_angle_scaling"][:, column], expected)
    np.testing.assert_allclose(
        a["c2_theoretical_scaled"][:, off], a["c2_solver_scaled"][:, off]
    )
    np.testing.assert_allclose(
        a["residuals_normalized"][:, off], a["residuals"][:, off] / 0.01
    )
    z2 = np.nansum(a["residuals_normalized"] ** 2) / 2  # both triangles
    np.testing.assert_allclose(z2, fit.statistics["chi2"])
    np.testing.assert_array_equal(a["t1"], a["t2"])
    assert a["q"].tolist() == [0.01]
    assert str(a["convention"]) == "pnas"


def test_the_folder_of_a_posterior_holds_its_draws(problem, posterior, tmp_path):
    folder = xpcs.write_cmc(posterior, problem, tmp_path)
    assert {p.name for p in folder.iterdir()} == {
        "parameters.json", "analysis_results_cmc.json", "diagnostics.json",
        "shard_diagnostics.json", "samples.npz", "fitted_data.npz",
    }  # fmt: skip
    with np.load(folder / "samples.npz", allow_pickle=False) as a:
        names = a["param_names"].tolist()
        assert a["samples"].shape == (200, 5)
        np.testing.assert_array_equal(
            a["samples"][:, names.index("D0")], posterior["D0"].ravel()
        )
        np.testing.assert_array_equal(
            a["samples"][:, names.index("offset_1")], posterior["offset[1]"].ravel()
        )
        assert a["r_hat"][names.index("D0")] == posterior.diagnostics["rhat"][0]
    table = strictly(folder / "parameters.json")
    assert table["D0"]["mean"] == posterior["D0"].mean()
    assert table["D0"]["std"] == posterior["D0"].std()
    about = strictly(folder / "analysis_results_cmc.json")
    assert about["converged"] == posterior.converged
    assert about["convention"] == "pnas"
    assert strictly(folder / "diagnostics.json")["r_hat"]["D0"] > 0.9
    shards = strictly(folder / "shard_diagnostics.json")
    assert (shards["num_shards"], shards["all_data_at_once"]) == (1, True)
    with np.load(folder / "fitted_data.npz", allow_pickle=False) as a:
        scaling = a["per_angle_scaling"]
    for column, name in enumerate(("contrast", "offset")):
        for angle in range(2):
            draws = posterior[f"{name}[{angle}]"]
            # at the mean of D0, not the mean over all draws
            assert abs(scaling[angle, column] - draws.mean()) < 0.5 * draws.std()


def test_what_is_not_finite_is_null(problem, fit, tmp_path):
    table = {k: np.array(v) for k, v in fit.parameters.items()}
    table["stderr"] = np.array([np.inf, np.nan, 0.0])
    spoilt = dataclasses.replace(fit, parameters=table)
    folder = xpcs.write_nlsq(spoilt, problem, tmp_path)
    got = strictly(folder / "parameters.json")
    assert got["D0"]["uncertainty"] is None
    assert got["alpha"]["uncertainty"] is None
    assert got["D_offset"]["uncertainty"] == 0.0


def test_quality_falls_with_chi2_and_bounds(fit):
    def judged(**changes):
        return outputs.quality(dataclasses.replace(fit, **changes))

    assert judged() == "good"
    assert judged(success=False) == "poor"
    for red, flag in ((3.0, "marginal"), (11.0, "poor")):
        statistics = {**fit.statistics, "red_chi2": red}
        assert judged(statistics=statistics) == flag
        assert judged(statistics=statistics, scaled=True) == "good"
    held = {**fit.parameters, "at_bound": np.array([True, False, False])}
    assert judged(parameters=held) == "marginal"


def test_an_angle_that_has_decayed_has_no_contrast_of_its_own():
    flat = np.zeros((5, 5))
    curve = np.full((5, 5), 1.1)
    assert all(np.isnan(v) for v in outputs._scaling(flat, curve))


def test_a_second_time_replaces_the_first(problem, fit, tmp_path):
    folder = xpcs.write_nlsq(fit, problem, tmp_path)
    (folder / "parameters.json").write_text("old")
    xpcs.write_nlsq(fit, problem, tmp_path)
    assert strictly(folder / "parameters.json")["D0"]["value"] == fit["D0"]
    assert len(list(folder.iterdir())) == 4


def test_what_cannot_be_written_is_named(problem, fit, tmp_path):
    other = js.Problem(
        js.model(
            columns=lambda t, c: [c["x"] * t["a"]],
            parameters=[js.Parameter("a", 1.0, bounds=(0.0, 2.0))],
            amplitudes=["s"],
        ),
        js.Dataset(np.ones((1, 5)), coords={"x": np.arange(5.0)}),
    )
    with pytest.raises(ModelError, match="no XPCS model"):
        xpcs.write_nlsq(fit, other, tmp_path)
    bare = dataclasses.replace(fit, data=[{"shape": (2, 190)}])
    with pytest.raises(DataError, match="only checksums"):
        xpcs.write_nlsq(bare, problem, tmp_path)
    (tmp_path / "nlsq").write_text("mine")
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        xpcs.write_nlsq(fit, problem, tmp_path)
