"""Likelihood, MAP and posterior under the names of the `qens` package."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import examples, qens
from jaxscatter.errors import FitError, ParameterError, SamplingWarning

DATA = __file__.rsplit("/", 2)[0] + "/data/qens/"
OMEGA = np.linspace(-1.25, 1.25, 251)


@pytest.fixture(scope="module")
def stored(reference):
    return reference("qens/seed_package.json")["likelihood"]


@pytest.fixture(scope="module")
def bins(stored):
    out = []
    for b in stored["bins"]:
        counts = np.array(b["counts"], dtype=float)
        out.append((OMEGA, counts, np.sqrt(np.maximum(counts, 1.0)), b["q"]))
    return out


@pytest.fixture(scope="module")
def benzene():
    rows = np.load(DATA + "benzene_360_binned_rowq.npz")
    bins = [
        (rows["omega"], y, s, float(q))
        for y, s, q in zip(rows["spec"], rows["err_rms"], rows["q"], strict=True)
    ]
    return bins, list(rows["kernel"])


def quietly(function, *args, **kwargs):
    """The result of a call whose warnings another test looks at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def test_log_likelihood_agrees_with_stored_values(stored, bins):
    """ħ differs by 3e-6 between the programs: the difference in logL is first order."""
    for point in stored["points"]:
        value = qens.log_likelihood(point["params"], bins, 0.04, mode="seed")
        np.testing.assert_allclose(value, point["logL"], rtol=2e-5)


def test_log_posterior_is_minus_infinity_outside_the_prior(bins):
    outside = [0.18, 0.04, 3.0, 0.4]
    assert qens.log_likelihood(outside, bins, 0.04) == -np.inf
    assert qens.log_posterior(outside, bins, 0.04) == -np.inf
    assert qens.log_prior(outside, "anisotropic_rotor") == -np.inf
    inside = [0.18, 0.04, 0.05, 0.4]
    assert qens.log_prior(inside, "anisotropic_rotor") == 0.0
    both = [f(inside, bins, 0.04) for f in (qens.log_posterior, qens.log_likelihood)]
    assert both[0] == both[1]


def test_params_of_another_length_are_refused(bins):
    for f in (qens.log_likelihood, qens.log_posterior):
        with pytest.raises(ParameterError, match=r"shape \(3,\); expected \(4,\)"):
            f([0.1, 0.1, 0.1], bins, 0.04)
    with pytest.raises(ParameterError, match=r"shape \(5,\)"):
        qens.run_mcmc(bins, 0.04, np.ones(5))
    with pytest.raises(KeyError, match="anisotropic_rotor"):
        qens.log_likelihood([0.1], bins, 0.04, "no such model")


@pytest.fixture(scope="module")
def found(bins):
    return qens.find_map(
        bins,
        0.04,
        n_starts=16,
        mode="seed",
        parameters={"u2": {"value": 0.04, "fixed": True}},
    )


def test_find_map_reaches_the_stored_optimum(stored, bins, found):
    params, neg_logp = found
    best = stored["map"]
    assert neg_logp <= best["neg_logL"] * (1 + 2e-5)
    expected = [best["D_translation"], 0.04, best["D_t"], best["D_s"]]
    np.testing.assert_allclose(params, expected, rtol=1e-3)
    here = qens.log_likelihood(params, bins, 0.04, mode="seed")
    np.testing.assert_allclose(-here, neg_logp, rtol=1e-10)


def test_the_other_local_optimum_is_reached_too(stored, bins, found):
    """Nelder-Mead stopped on the bound D_s = 0.001, on the prolate side."""
    optima = found.fit.optima
    other = stored["local_optima"][1]
    prolate = optima["D_t"] > optima["D_s"]
    assert np.any(prolate)
    i = np.flatnonzero(prolate)[np.argmin(optima["cost"][prolate])]
    assert optima["delta_chi2"][i] / 2 + found[1] <= other["neg_logL"] * (1 + 2e-5)
    np.testing.assert_allclose(
        [optima[n][i] for n in ("D_translation", "D_t")],
        [other[n] for n in ("D_translation", "D_t")],
        rtol=2e-3,
    )


def test_a_parameter_fixed_elsewhere_enters_the_likelihood_by_its_given_value(bins):
    fixed = {"parameters": {"u2": {"value": 0.3, "fixed": True}}}
    p = [0.18, 0.04, 0.05, 0.4]
    np.testing.assert_allclose(
        qens.log_likelihood(p, bins, 0.04, amplitude="global", **fixed),
        qens.log_likelihood(p, bins, 0.04, amplitude="global"),
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    "model", ["translation_only", "isotropic_rotor", "anisotropic_rotor"]
)
def test_maps_of_the_measured_bins_are_those_stored_or_better(
    reference, benzene, model
):
    """The stored anisotropic MAP ended on the prior box and is to be beaten."""
    bins, kernels = benzene
    table = reference("qens/benzene_seed_results.json")["seed_fits"]["row_q_mapping"]
    stored = table[model]
    best = quietly(qens.find_map, bins, kernels, model, n_starts=8, mode="seed")
    if model == "anisotropic_rotor":
        assert best[1] < table["anisotropic_polished"]["neg_logp"] * (1 + 1e-5)
        assert best[1] < stored["neg_logp"] / 5
        return
    np.testing.assert_allclose(best[1], stored["neg_logp"], rtol=1e-4)
    names = qens.get_model(model).param_names
    seen = [i for i, n in enumerate(names) if n != "u2"]
    expected = np.array([stored["params"][n] for n in names])
    np.testing.assert_allclose(best[0][seen], expected[seen], rtol=1e-3)


def test_find_map_needs_a_start(bins):
    with pytest.raises(FitError, match="n_starts is 0"):
        qens.find_map(bins, 0.04, n_starts=0)


def test_gelman_rubin_tells_mixed_chains_from_separate_ones():
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((4, 500, 2))
    np.testing.assert_allclose(qens.gelman_rubin(mixed), 1.0, atol=0.02)
    apart = mixed + np.arange(4)[:, None, None]
    assert np.all(qens.gelman_rubin(apart) > 1.2)
    assert qens.gelman_rubin(mixed[..., 0]).shape == (1,)
    with pytest.raises(FitError, match="chains have shape"):
        qens.gelman_rubin(np.ones(5))


def test_summaries_are_medians_and_quantiles():
    x = np.arange(1001.0)
    assert qens.summarise(x, "x") == (500.0, 25.0, 975.0)
    samples = np.stack([x / 1001, x / 2002, x, 2 * x], axis=1)
    table = qens.summarise_samples(
        samples, "anisotropic_rotor", {"ratio": lambda p: p["D_s"] / (p["D_t"] + 1)}
    )
    assert list(table) == ["D_translation", "u2", "D_t", "D_s", "ratio"]
    np.testing.assert_allclose(table["D_s"], (1000.0, 50.0, 1950.0))
    with pytest.raises(FitError, match="3 columns"):
        qens.summarise_samples(samples[:, :3], "anisotropic_rotor")


def test_samplers_are_named(bins):
    with pytest.raises(FitError, match="sampler is 'gibbs'"):
        qens.run_mcmc(bins, 0.04, [0.18, 0.04, 0.05, 0.4], sampler="gibbs")


@pytest.fixture(scope="module")
def small():
    """A quick target: one translation, two Q."""
    data = qens.simulate(
        "translation_only",
        {"D_translation": 0.25, "u2": 0.1},
        q=[0.8, 1.6],
        omega=np.linspace(-1, 1, 41),
        sigma_res=0.06,
        noise=0.03,
        background=0.1,
    )
    omega, q = data.coords["omega"], data.coords["q"]
    return [
        (omega, y, s, float(k)) for y, s, k in zip(data.y, data.sigma, q, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["nuts", "ensemble"])
def test_both_samplers_draw_the_posterior_and_the_prior_of_what_is_unseen(
    small, sampler
):
    """u2 under per-Q amplitudes: its posterior is its prior, uniform on (0, 0.5)."""
    cfg = qens.Config(n_walkers=16, n_warmup=150, n_keep=200, thin=2)
    p_map, _ = quietly(qens.find_map, small, 0.06, "translation_only", n_starts=4)
    with pytest.warns(SamplingWarning):
        draws = qens.run_mcmc(
            small, 0.06, p_map, "translation_only", cfg, sampler=sampler
        )
    assert draws.shape == (200, 2)
    assert np.all(np.isfinite(draws))
    fit = quietly(js.fit, qens.bins_problem(small, 0.06, "translation_only"))
    error = fit.parameters["stderr"][0]
    assert abs(np.median(draws[:, 0]) - p_map[0]) < 2 * error
    assert 0.5 * error < np.std(draws[:, 0]) < 2 * error
    assert np.all((draws[:, 1] > 0) & (draws[:, 1] < 0.5))
    assert abs(draws[:, 1].mean() - 0.25) < 0.05


@pytest.mark.slow
def test_a_fixed_parameter_keeps_its_value_in_the_draws(small):
    cfg = qens.Config(n_walkers=8, n_warmup=20, n_keep=20, thin=1)
    draws = quietly(
        qens.run_mcmc,
        small,
        0.06,
        [0.25, 0.3],
        "translation_only",
        cfg,
        sampler="ensemble",
        parameters={"u2": {"value": 0.04, "fixed": True}},
    )
    np.testing.assert_array_equal(draws[:, 1], 0.3)


@pytest.mark.slow
def test_the_pipeline_of_the_seed_runs_end_to_end(tmp_path):
    """Files, elastic line, resolution, bins, MAP, posterior, table of half widths."""
    example = examples.qens_benzene()
    cfg = qens.Config(
        files_to_fit=[example.sample.name],
        q_min=0.6,
        q_max=1.8,
        n_q_bins=4,
        n_walkers=8,
        n_warmup=100,
        n_keep=100,
        thin=1,
        n_map_starts=8,
        save_dir=str(tmp_path),
    )
    with pytest.warns(UserWarning, match="Q"):
        dataset = qens.load_dataset(
            [example.sample.name, example.resolution.name],
            example.sample.parent,
            verbose=False,
        )
    assert len(dataset) == 2
    for d in dataset.values():
        qens.fit_elastic_peak(d)
    qens.assign_resolution(dataset, cfg, verbose=False)
    d = next(v for v in dataset.values() if v["temp"] == 290)
    frozen = next(v for v in dataset.values() if v["temp"] == 260)
    assert d["res_source"] == "frozen_sample"
    data_bins = qens.build_data_bins(d, cfg)
    kernels = qens.build_resolution_bins(frozen, cfg, [b[3] for b in data_bins])
    assert len(data_bins) == len(kernels) == 4
    p_map, neg_logp = quietly(qens.find_map, data_bins, kernels, "isotropic_rotor", cfg)
    value = qens.log_posterior(p_map, data_bins, kernels, "isotropic_rotor")
    np.testing.assert_allclose(value, -neg_logp, rtol=1e-9)
    for sampler in ("nuts", "ensemble"):
        draws = quietly(
            qens.run_mcmc,
            data_bins,
            kernels,
            p_map,
            "isotropic_rotor",
            cfg,
            sampler=sampler,
        )
        assert draws.shape == (100, 3)
        table = qens.summarise_samples(draws, "isotropic_rotor")
        low, high = table["D_translation"][1:]
        assert low < p_map[0] < high
    path = qens.save_hwhm_csv(*qens.extract_hwhm(d, cfg), tmp_path)
    lines = Path(path).read_text("utf-8").splitlines()
    assert lines[0] == "q_centre_inv_angstrom,hwhm_mev,hwhm_err_mev,eisf"
    assert len(lines) == 5
