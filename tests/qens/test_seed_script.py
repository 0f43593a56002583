"""The pipeline of the qens package from a configuration to figures, as users wrote it.

Config in JSON, load_dataset, alignment, resolution, bins, find_map, run_mcmc with both
samplers, summaries, table of widths and all six figures, on the benzene files.
"""

import pathlib
import shutil

import numpy as np
import pytest

from jaxscatter import examples, plot, qens

pytest.importorskip("matplotlib")


# u2 cannot be seen under one amplitude per Q, and 400 draws are few: both are said
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::jaxscatter.errors.FitWarning")
@pytest.mark.filterwarnings("ignore::jaxscatter.errors.SamplingWarning")
def test_the_pipeline_runs_on_the_benzene_files_with_both_samplers(tmp_path):
    example = examples.qens_benzene()
    names = [pathlib.Path(p).name for p in (example.sample, example.resolution)]
    for path in (example.sample, example.resolution):
        shutil.copy(path, tmp_path)
    settings = qens.Config(
        files_to_fit=names[:1],
        primary_file=names[0],
        resolution_file=names[1],
        q_min=0.6,
        q_max=1.8,
        n_q_bins=6,
        n_warmup=200,
        n_keep=400,
        n_map_starts=8,
        save_dir=str(tmp_path / "out"),
    )
    settings.to_json(tmp_path / "config.json")
    cfg = qens.Config.from_json(tmp_path / "config.json")
    assert cfg == settings

    runs = qens.load_dataset(names, tmp_path, names, q_edges=example.q_edges)
    for run in runs.values():
        qens.fit_elastic_peak(run)
    qens.assign_resolution(runs, cfg)
    sample, frozen = (runs[n] for n in names)
    assert sample["res_source"] == "explicit_override"
    bins = qens.build_data_bins(sample, cfg)
    kernels = qens.build_resolution_bins(frozen, cfg, [b[3] for b in bins])

    model = {"model": "isotropic_rotor", "cfg": cfg}
    best = qens.find_map(bins, kernels, n_starts=8, **model)
    p_map, neg_logp = best
    assert p_map.shape == (3,) and np.isfinite(neg_logp)
    np.testing.assert_allclose(
        -neg_logp,
        qens.log_posterior(p_map, bins, kernels, "isotropic_rotor"),
        rtol=1e-6,
    )
    found = {}
    for sampler in ("nuts", "ensemble"):
        draws = qens.run_mcmc(bins, kernels, p_map, sampler=sampler, **model)
        assert draws.shape == (cfg.n_keep, 3)
        table = qens.summarise_samples(
            draws, "isotropic_rotor", derived={"tau": lambda p: 1 / (2 * p["D_r"])}
        )
        found[sampler] = table
        assert set(table) == {"D_translation", "u2", "D_r", "tau"}
    for name in ("D_translation", "D_r"):
        (a, lo, hi), (b, *_) = found["nuts"][name], found["ensemble"][name]
        assert abs(a - b) < 0.5 * (hi - lo)

    q, hwhm, err, eisf = qens.extract_hwhm(sample, cfg)
    table = qens.save_hwhm_csv(q, hwhm, err, eisf, cfg.save_dir)
    assert table.name == "hwhm_table.csv"
    out = pathlib.Path(cfg.save_dir)
    columns = list(qens.get_model("isotropic_rotor").param_names)
    plot.plot_overview(runs, out / "overview.png")
    plot.plot_sqw_map(sample, out / "map.png")
    plot.plot_per_q_fits(best.fit, save_path=out / "fits.png")
    plot.plot_hwhm_vs_q2(q, hwhm, err, save_path=out / "widths.png")
    plot.plot_posteriors(draws, columns, out / "posteriors.png")
    pair = ["D_translation", "D_r"]
    plot.plot_joint_posterior(draws, pair, out / "joint.png", names=columns)
    figures = ("overview", "map", "fits", "widths", "posteriors", "joint")
    assert all((out / f"{n}.png").stat().st_size > 5000 for n in figures)
