"""`jaxscatter run`, `validate` and `template`: job files."""

import argparse
import pathlib
from typing import Any

import numpy as np

from .. import config
from ..infer.report import columns
from ..problem import Dataset, Problem
from . import analysis
from .output import Folder, Watch, keep_compiled


def run(options: argparse.Namespace) -> int:
    """Run a job, write its folder, print the numbers."""
    job = config.read(options.job)
    keep_compiled()
    target = pathlib.Path(options.output) if options.output else job.folder
    with Folder(target) as folder, Watch() as watch:
        data = job.load()
        problem = job.problem(data)
        best, post = analysis.analyse(problem, job.fit, job.sample, folder, watch)
        if best is not None or post is not None:
            about = [*_described(job, data)]
            title = job.title or f"{job.technique}: {job.data.path}"
            text = analysis.report(title, about, best, post, watch.stopped)
            (folder / "report.txt").write_text(text, "utf-8")
    if best is None and post is None:
        print("stopped before there was a result")
        return 130
    print(analysis.headline(best, post))
    print(f"\nresults in {folder.target}")
    return 130 if watch.stopped else 0


def template(options: argparse.Namespace) -> int:
    """Print the job file to start from."""
    print(config.template(options.technique), end="")
    return 0


def validate(options: argparse.Namespace) -> int:
    """Check a job, open its files, print what was recognised."""
    job = config.read(options.job)
    data = job.load()
    problem = job.problem(data)
    for line in (*_described(job, data), *_varied(problem), *_planned(job)):
        print(line)
    print(f"{options.job}: valid")
    return 0


def _described(job: config.Job, data: Dataset) -> list[str]:
    """The data and the model in words."""
    q, omega = (np.asarray(data.coords[k]) for k in ("q", "omega"))
    kind = job.data.resolution
    if isinstance(kind, str):
        kind = f"{kind} (measured, read as NXSPE)"
    elif kind is None:
        kind = "the width of the sample's own elastic peak"
    else:
        kind = f"Gaussian, sigma = {kind:g} meV"
    lines = [
        f"data     {job.data.path} (read as NXSPE), Ei {_number(data, 'ei')} meV, "
        f"elastic line at {_number(data, 'e0')} meV",
        f"         {data.n_groups} Q bins from {q.min():.3f} to {q.max():.3f} 1/Å, "
        f"{data.n_points} energies from {omega.min():.3f} to {omega.max():.3f} meV, "
        f"{data.n_valid} usable points",
        f"resolved {kind}",
    ]
    if job.data.empty is not None:
        lines.append(
            f"can      {job.data.empty}, {job.data.empty_scale:g} times subtracted"
        )
    m = job.model
    options = ", ".join(f"{k} = {v}" for k, v in m.settings.items())
    lines.append(f"model    {m.name}{', ' if options else ''}{options}")
    return lines


def _number(data: Dataset, name: str) -> str:
    return f"{float(data.metadata.get(name, np.nan)):.4g}"


def _varied(problem: Problem) -> list[str]:
    """Amplitudes, and the table of parameters as the job sets them."""
    names: list[Any] = [
        f"{a.name} ({'one for all Q' if a.shared else 'per Q'})" for a in problem.linear
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
    return [f"linear   {', '.join(names)}", "", *columns(rows, head), ""]


def _planned(job: config.Job) -> list[str]:
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
