"""Refinements of diffraction patterns in HDF5, for programs other than this one.

Group fit with names, units, values, std (n,), cov (n, n), gof (χ²/dof), dof, scale,
background (one, or one for each disk), hkl (disks, 3), and experiment, simulation on
the experiment's scale, sigma and mask (disks, points); warnings, one text each.

A std is nan at a bound and inf where the data do not determine the parameter.
"""

import os
import pathlib
from dataclasses import dataclass, fields
from typing import Any

import h5py
import numpy as np

from ..errors import DataError, FormatError
from ._existing import existing_file
from .two_time_write import whole

_GROUP = "fit"
_TEXTS = ("names", "units", "warnings")
_NUMBERS = ("gof", "dof", "scale")


@dataclass(frozen=True, eq=False)
class BlochFit:
    """What the group /fit holds, under its names."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    std: np.ndarray
    cov: np.ndarray
    gof: float
    dof: float
    scale: float
    background: np.ndarray
    hkl: np.ndarray
    experiment: np.ndarray
    simulation: np.ndarray
    sigma: np.ndarray
    mask: np.ndarray
    warnings: tuple[str, ...] = ()

    def __post_init__(self):
        n, disks = len(self.names), len(self.hkl)
        points = self.experiment.shape[-1] if self.experiment.ndim else 0
        shapes = {
            "values": (n,),
            "std": (n,),
            "cov": (n, n),
            "hkl": (disks, 3),
            **dict.fromkeys(
                ("experiment", "simulation", "sigma", "mask"), (disks, points)
            ),
        }
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise DataError(f"{name} has shape {found}; expected {shape}")
        if len(self.units) != n:
            raise DataError(f"{len(self.units)} units of {n} parameters")


def write_fit(path: str | os.PathLike[str], fit: BlochFit) -> pathlib.Path:
    """Path of the HDF5 file written, complete or not at all."""
    with whole(path) as unfinished, h5py.File(unfinished, "w") as file:
        group = file.create_group(_GROUP)
        for field in fields(fit):
            value = getattr(fit, field.name)
            if field.name in _TEXTS:
                text = h5py.string_dtype("utf-8")
                group.create_dataset(field.name, data=list(value), dtype=text)
            else:
                group[field.name] = value
    return pathlib.Path(path)


def read_fit(path: str | os.PathLike[str]) -> BlochFit:
    """The refinement of an HDF5 file of this layout.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not a complete file of this layout.
    """
    path = existing_file(path, "an HDF5 file of a refinement")
    try:
        with h5py.File(path, "r") as file:
            group: Any = file[_GROUP]
            held: dict[str, Any] = {}
            for field in fields(BlochFit):
                name = field.name
                if name in _TEXTS:
                    held[name] = tuple(str(t) for t in group[name].asstr()[()])
                elif name in _NUMBERS:
                    held[name] = float(group[name][()])
                else:
                    held[name] = np.asarray(group[name][()])
            return BlochFit(**held)
    except DataError as error:
        raise FormatError(f"{path}: {error}") from error
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path}: expected a complete HDF5 file of a refinement ({error})"
        ) from error
