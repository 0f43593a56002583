"""`jaxscatter simulate` of small-angle scattering: a curve of a known truth."""

import argparse
import dataclasses
import pathlib

from .. import config, sas
from ..config.sas_job import Job, Model, Parameters, Simulation, checked, extent
from ..errors import ModelError
from ..problem import Dataset
from .simulation_options import free, numbers, refuse, target

OTHERS = ("q", "dt", "gap", "n_frames", "phi", "contrast", "offset", "self_correlation")


def wanted(options: argparse.Namespace) -> Job | None:
    """The job, if the options or the file ask for small-angle scattering."""
    if options.job:
        job = config.read(options.job)
        return job if isinstance(job, Job) else None
    try:
        sas.load_model(options.model or "")
    except ModelError:
        return None
    return Job(Model(options.model), simulate=Simulation())


def command(options: argparse.Namespace, job: Job) -> int:
    """Write the file and say what is in it."""
    job = _changed(options, job)
    path = target(options, job, job.data.path if job.data else None)
    free([path], options.force)
    data = job.simulated()
    sas.save(data, path)
    print("\n".join(_said(data, path)))
    return 0


def _changed(options: argparse.Namespace, job: Job) -> Job:
    """The job with the options in place of what it says."""
    why = "of two-time data; of a curve, say q and the resolution"
    refuse(options, OTHERS, f"{why} in the section simulate of a job file")
    if options.model is not None:
        job.model = dataclasses.replace(job.model, name=options.model)
    if job.simulate is not None:
        given = {"relative": options.noise, "seed": options.seed}
        given = {k: v for k, v in given.items() if v is not None}
        job.simulate = dataclasses.replace(job.simulate, **given)
    values: Parameters = {**numbers(options.values, "radius=40")}
    job.parameters = {**job.parameters, **values}
    return checked(job)


def _said(data: Dataset, path: pathlib.Path) -> list[str]:
    known = data.metadata
    truth = ", ".join(f"{k} {v:g}" for k, v in known["truth"].items())
    return [
        f"{path}: simulated curve as NXcanSAS, read by jaxscatter.sas.load",
        f"data     {extent(data)}",
        f"model    {known['model']}",
        f"truth    {truth}",
        f"noise    {known['noise']}, seed {known['seed']}",
    ]
