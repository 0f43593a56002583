"""`jaxscatter demo TECHNIQUE`: a measured example, from its file to a posterior."""

import argparse
from typing import Any

import numpy as np

from .. import examples, qens
from ..config import Fit, Sample, need_technique
from ..examples import QensExample
from ..infer import FitResult, SampleResult
from . import analysis, demo_cbed, demo_sas, demo_xpcs
from .output import Folder, Watch, keep_compiled

BINS: dict[str, Any] = {
    "n_q_bins": 12,
    "energy_window": 1.25,
    "q_min": 0.6,
    "q_max": 1.8,
}


def command(options: argparse.Namespace) -> int:
    """Run the example of a technique and print what it found."""
    need_technique(options.technique)
    keep_compiled()
    seed, name = options.seed, options.technique
    made = {
        "qens": (run, Fit(starts=32, seed=seed), 300, 300),
        "xpcs": (demo_xpcs.run, Fit("tr", seed=seed), 200, 200),
        "cbed": (demo_cbed.run, Fit("tr", seed=seed), 0, 0),
        "sas": (demo_sas.run, Fit("tr", seed=seed), 300, 1000),
    }
    show, fit, warmup, draws = made[name]
    sample = Sample(warmup=warmup, draws=draws, seed=seed)
    with (
        Folder(options.output or f"jaxscatter_demo_{name}") as folder,
        Watch() as watch,
    ):
        text = show(folder, watch, fit, sample)
    print(text)
    print(f"\nresults in {folder.target}")
    return 130 if watch.stopped else 0


def run(folder: Folder, watch: Watch, fit: Fit, sample: Sample) -> str:
    """Headline of the benzene analysis, whose files are then in `folder`."""
    example = examples.qens_benzene()
    watch.say("reading benzene at 290 K, frozen benzene at 260 K and the empty can")
    data = qens.load(
        example.sample,
        example.resolution,
        empty=example.empty,
        q_edges=example.q_edges,
        **BINS,
    )
    problem = qens.problem(data, "anisotropic_rotor", amplitude="global", lmax=8)
    best, post = analysis.analyse(problem, fit, sample, folder, watch)
    widths(example, post if post is not None else best, folder)
    about = [
        "D_translation is D* of the literature, u2 the mean square displacement, D_t",
        "and D_s tumbling and spinning of the ring. hwhm.png is the classic analysis,",
        "one Lorentzian per Q bin: it lies above the line of D* where rotation adds.",
        "",
        f"data     liquid benzene at 290 K, {data.n_groups} Q bins from "
        f"{BINS['q_min']} to {BINS['q_max']} 1/Å, {data.n_valid} points in "
        f"±{BINS['energy_window']} meV, the empty can subtracted",
        "model    anisotropic_rotor, lmax = 8, one amplitude for all Q, a flat "
        "background per Q",
        f"source   {example.citation}",
        f"licence  {example.licence}",
    ]
    title = "Benzene: quasi-elastic neutron scattering from file to posterior"
    text = analysis.report(title, about, best, post, watch.stopped)
    (folder / "report.txt").write_text(text, "utf-8")
    return analysis.headline(best, post)


def widths(
    example: QensExample, result: FitResult | SampleResult | None, folder: Folder
) -> None:
    """Write hwhm_table.csv and hwhm.png: Γ of one Lorentzian per Q against ħD*Q²."""
    runs = {
        name: qens.read_nxspe_with_overrides(path, q_edges=example.q_edges)
        for name, path in (
            ("sample", example.sample),
            ("frozen", example.resolution),
            ("can", example.empty),
        )
        if path is not None
    }
    if "can" in runs:
        runs["sample"] = qens.subtract_empty(runs["sample"], runs.pop("can"))
    for d in runs.values():
        qens.fit_elastic_peak(d)
    cfg = qens.Config(**BINS, resolution_file="frozen")
    qens.assign_resolution(runs, cfg, verbose=False)
    table = qens.extract_hwhm(runs["sample"], cfg, mode="exact")
    qens.save_hwhm_csv(*table, save_dir=(folder / "hwhm_table.csv").parent)
    if result is None:
        return
    q, gamma, err, _ = table
    d = np.ravel(result["D_translation"])
    fine = np.linspace(0.0, 1.05 * q.max(), 200)
    curves = np.asarray(qens.fickian_hwhm(fine[None, :], d[:: -(-d.size // 400), None]))
    line = (fine, curves[0] if d.size == 1 else curves)
    from .. import plot

    plot.plot_hwhm_vs_q2(
        q,
        gamma,
        err,
        models={"ħD*Q², the translation in the joint analysis": line},
        save_path=folder / "hwhm.png",
        resolution=0.5 * runs["sample"]["fwhm_res"],
    )
