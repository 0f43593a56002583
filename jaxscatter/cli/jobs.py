"""`jaxscatter run`, `validate`, `template` and `simulate`: job files."""

import argparse
import pathlib
from typing import Any

import numpy as np

from .. import config
from ..infer.report import columns
from . import analysis
from .output import Folder, Watch, keep_compiled


def run(options: argparse.Namespace) -> int:
    """Run a job, write its folder, print the numbers."""
    job = config.read(options.job, options.convention)
    keep_compiled()
    target = pathlib.Path(options.output) if options.output else job.folder
    with Folder(target) as folder, Watch() as watch:
        data = job.load()
        problem = job.problem(data)
        best, post = analysis.analyse(
            problem,
            job.fit,
            job.sample,
            folder,
            watch,
            posterior=job.posterior(problem),
            scale_covariance=job.scale_covariance,
            shards=job.shards(data),
        )
        if best is not None or post is not None:
            title = job.title or job.source
            about = [*job.described(data), *job.built(problem)]
            text = analysis.report(title, about, best, post, watch.stopped)
            (folder / "report.txt").write_text(text, "utf-8")
            job.export(folder.stage, problem, best, post)
    if best is None and post is None:
        print("stopped before there was a result")
        return 130
    print(analysis.headline(best, post))
    print(f"\nresults in {folder.target}")
    return 130 if watch.stopped else 0


def template(options: argparse.Namespace) -> int:
    """Print the job file to start from."""
    print(config.template(options.technique, options.mode), end="")
    return 0


def validate(options: argparse.Namespace) -> int:
    """Check a job, open its files, print what was recognised."""
    job = config.read(options.job, options.convention)
    data = job.load()
    problem = job.problem(data)
    about = (*job.described(data), *job.built(problem))
    for line in (*about, *_varied(problem, job), *_planned(job)):
        print(line)
    print(f"{options.job}: valid")
    return 0


def _varied(problem: analysis.AnyProblem, job: config.AbstractJob) -> list[str]:
    """Amplitudes, and the table of parameters as the job sets them."""
    one, all_of_them = job.groups
    names: list[Any] = [
        f"{a.name} ({f'one for all {all_of_them}' if a.shared else f'per {one}'})"
        for a in problem.linear
    ]
    rows = [
        [
            p.name,
            f"{np.ravel(p.value)[0]:.5g}",
            f"[{np.ravel(p.lo)[0]:.4g}, {np.ravel(p.hi)[0]:.4g}]",
            p.unit,
            "" if p.free else "fixed",
            "" if p.prior is None else type(p.prior).__name__,
        ]
        for p in problem.parameters
    ]
    head = ["parameter", "start", "bounds", "unit", "", "prior"]
    return [f"linear   {', '.join(names) or 'none'}", "", *columns(rows, head), ""]


def _planned(job: config.AbstractJob) -> list[str]:
    fit, sample = job.fit, job.sample
    done = []
    if fit is not None:
        starts = f", {fit.starts} starts" if fit.method == "multistart" else ""
        done.append(f"fit      {fit.method}{starts}, seed {fit.seed}")
    if sample is not None:
        done.append(
            f"sample   {sample.method}, {sample.chains} chains, {sample.warmup} "
            f"warm-up and {sample.draws} draws, seed {sample.seed}"
        )
    return [*done, f"output   {job.folder}"]
