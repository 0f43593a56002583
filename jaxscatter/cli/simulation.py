"""`jaxscatter simulate`: data of a known truth, as a file.

Two-time correlations here, curves of small-angle scattering in `simulation_sas`,
LARBED images in `simulation_cbed`.
"""

import argparse
import dataclasses
import difflib
import pathlib
from typing import Any

from .. import config, xpcs
from ..config import HomodyneJob, Simulation
from ..config.xpcs_job import Change, Data, Job, Model, angles, extent
from ..errors import ConfigError
from ..problem import Dataset
from . import simulation_cbed, simulation_sas

DEFAULT = {"q": 0.0054, "dt": 0.1, "n_frames": 200}


def add_options(made: argparse.ArgumentParser) -> None:
    """Arguments of the command: a job, or the truth word by word."""
    made.add_argument(
        "job", metavar="JOB", nargs="?", help="job file or configuration of homodyne"
    )
    made.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="file to write: .h5 (APS-U) or .npz, of sas NXcanSAS, of cbed .npz or "
        ".npy; default data.path of the job",
    )
    made.add_argument("--force", action="store_true", help="replace an existing file")
    made.add_argument(
        "--model", help="laminar_flow, static, or one of sas or cbed, as sphere"
    )
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="values",
        help="value of a parameter, as D0=1000 (repeat for others)",
    )
    for name, unit in (("q", "1/Å"), ("dt", "s"), ("gap", "Å")):
        made.add_argument(f"--{name}", type=float, metavar=unit)
    made.add_argument("--frames", type=int, dest="n_frames", metavar="N")
    made.add_argument("--phi", type=_numbers, help='degrees, as "0,45,90"')
    made.add_argument("--contrast", type=_numbers, help="one, or one per angle")
    made.add_argument("--offset", type=_numbers, help="one, or one per angle")
    made.add_argument(
        "--noise",
        type=float,
        help="standard deviation of a point; of sas in units of I",
    )
    made.add_argument("--seed", type=int, help="of the noise")
    made.add_argument(
        "--self-correlation", type=float, help="height of the peak on the diagonal"
    )


def command(options: argparse.Namespace) -> int:
    """Write the file and say what is in it."""
    images = simulation_cbed.wanted(options)
    if images is not None:
        return simulation_cbed.command(options, images)
    curve = simulation_sas.wanted(options)
    if curve is not None:
        return simulation_sas.command(options, curve)
    job = _job(options)
    named = options.output or (job.data.path if options.job else None)
    if named is None:
        raise ConfigError("no file to write: give -o FILE or a job file")
    path = pathlib.Path(options.output) if options.output else job.resolve(named)
    if path.exists() and not options.force:
        raise FileExistsError(f"{path}: exists; --force replaces it")
    data = job.simulated()
    xpcs.save(data, path)
    print("\n".join(_said(job, data, path)))
    return 0


def _said(job: Job, data: Dataset, path: pathlib.Path) -> list[str]:
    values = data.metadata["truth"]
    truth = ", ".join(f"{k} {v:g}" for k, v in values.items())
    assert job.simulate is not None
    return [
        f"{path}: simulated two-time correlations, read by jaxscatter.xpcs.load",
        f"data     {extent(data)}, {angles(data)}",
        f"model    {job.model.name}, convention {job.model.convention}, rate "
        f"{job.model.rate}",
        f"truth    {truth}",
        f"noise    {job.simulate.noise:g}, seed {job.simulate.seed}",
    ]


def _job(options: argparse.Namespace) -> Job:
    """The job of the file, with the options in place of what it says."""
    job = _from_file(options.job) if options.job else _bare()
    if options.model is not None:
        job.model = dataclasses.replace(job.model, name=options.model)
    if options.gap is not None:
        job.model = dataclasses.replace(job.model, h=options.gap)
    for key in ("q", "dt"):
        if getattr(options, key) is not None:
            job.data = dataclasses.replace(job.data, **{key: getattr(options, key)})
    given = {
        f.name: getattr(options, f.name)
        for f in dataclasses.fields(Simulation)
        if getattr(options, f.name) is not None
    }
    if job.simulate is None and "n_frames" not in given:
        raise ConfigError(
            f"{job.name}: missing the required key simulate, or give --frames"
        )
    now = {} if job.simulate is None else dataclasses.asdict(job.simulate)
    job.simulate = Simulation(**{**now, **given})
    job.parameters = {**job.parameters, **_values(options.values)}
    return config.xpcs_job.checked(job)


def _from_file(path: str) -> Job:
    job = config.read(path)
    if isinstance(job, HomodyneJob):
        return _translated(job)
    if not isinstance(job, Job):
        raise ConfigError(
            f"{path}: technique {job.technique!r}; simulations are of 'xpcs', 'sas' "
            "and 'cbed'"
        )
    return job


def _bare() -> Job:
    data = Data("", q=DEFAULT["q"], dt=DEFAULT["dt"])
    return Job(data, simulate=Simulation(int(DEFAULT["n_frames"])))


def _translated(job: HomodyneJob) -> Job:
    """Truth, Q and frames of a homodyne configuration; never its data file."""
    run = job.run
    given, p = run.load, run.problem
    frames = given["end_frame"] - given["start_frame"] + 1
    values: dict[str, float | Change] = {**(p["values"] or {}), **p["fixed"]}
    made = Job(
        Data("", q=given["q"] or DEFAULT["q"], dt=given["dt"]),
        model=Model(run.model, h=p["h"], convention=p["convention"], rate=p["rate"]),
        parameters=values,
        simulate=Simulation(frames) if frames > 1 else None,
        file=job.file,
    )
    made.data.path = f"{job.file.stem if job.file else 'simulated'}_simulated.h5"
    return made


def _values(given: list[str]) -> dict[str, Any]:
    out = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            out[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            near = difflib.get_close_matches(name, xpcs.physical_names("laminar_flow"))
            example = f"{near[0] if near else 'D0'}=1000"
            raise ConfigError(f"--set {text}: expected a name and a number, {example}")
    return out


def _numbers(text: str) -> float | list[float]:
    """One number, or several with commas between them."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected numbers, as 0,45,90"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers
