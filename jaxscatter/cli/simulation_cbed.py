"""`jaxscatter simulate` of electron diffraction: LARBED images of a known truth."""

import argparse
import dataclasses
import pathlib

import numpy as np

from .. import config
from ..cbed.catalogue import MODELS
from ..config.cbed_job import Job, checked, extent, truth_of
from ..errors import ConfigError
from ..problem import Dataset
from .simulation_options import free, numbers, refuse, target

OTHERS = (
    "q", "dt", "gap", "n_frames", "phi", "contrast", "offset", "self_correlation",
    "noise",
)  # fmt: skip
IMAGES, INDEX, VARIANCE = "images", "hkl", "variance"


def wanted(options: argparse.Namespace) -> Job | None:
    """The job, if the options or the file ask for electron diffraction.

    Without a file the job is the template's.
    """
    if options.job:
        job = config.read(options.job)
    elif options.model in MODELS:
        job = config.parse(config.template("cbed"))
    else:
        return None
    return job if isinstance(job, Job) else None


def command(options: argparse.Namespace, job: Job) -> int:
    """Write the files and say what is in them."""
    job = _changed(options, job)
    path = target(options, job, job.data.path if job.data is not None else None)
    if path.suffix.lower() not in (".npz", ".npy"):
        raise ConfigError(f"{path}: expected the ending .npz or .npy")
    paths = [path]
    if path.suffix.lower() == ".npy":
        paths.append(path.with_name(f"{path.stem}_{INDEX}.npy"))
    free(paths, options.force)
    data = job.simulated()
    _write(data, paths)
    print("\n".join(_said(data, paths)))
    return 0


def _changed(options: argparse.Namespace, job: Job) -> Job:
    """The job with the options in place of what it says."""
    why = "of other techniques; of images, say counts, background and detector"
    refuse(options, OTHERS, f"{why} in a job file")
    if options.model is not None:
        if options.model not in MODELS:
            raise ConfigError(f"--model {options.model}: expected one of {[*MODELS]}")
        job.settings = dataclasses.replace(job.settings, form=MODELS[options.model])
    values = numbers(options.values, "thickness=800")
    if job.simulate is not None:
        now = {"values": {**job.simulate.values, **values}}
        if options.seed is not None:
            now["seed"] = options.seed
        job.simulate = dataclasses.replace(job.simulate, **now)
    return checked(job)


def _write(data: Dataset, paths: list[pathlib.Path]) -> None:
    """One archive, or the images and their reflections side by side."""
    shape = (len(data.y), *data.metadata["image"])
    images = np.asarray(data.y).reshape(shape)
    hkl = np.stack([np.asarray(data.coords[n]) for n in "hkl"], axis=-1)
    if len(paths) == 2:
        np.save(paths[0], images)
        np.save(paths[1], hkl)
        return
    arrays = {IMAGES: images, INDEX: hkl}
    if data.sigma_given:
        arrays[VARIANCE] = np.square(np.asarray(data.sigma)).reshape(shape)
    np.savez_compressed(paths[0], **arrays)


def _said(data: Dataset, paths: list[pathlib.Path]) -> list[str]:
    known = data.metadata
    if len(paths) == 1:
        kind = f"arrays {IMAGES}, {INDEX}" + f", {VARIANCE}" * data.sigma_given
        how = f"jaxscatter.cbed.load with entry={IMAGES!r}"
    else:
        kind, how = f"their reflections in {paths[1].name}", "jaxscatter.cbed.load"
    return [
        f"{paths[0]}: simulated LARBED images, {kind}, read by {how}",
        f"data     {extent(data)}",
        f"truth    {truth_of(data)}",
        f"noise    {known['noise']}, seed {known['seed']}",
    ]
