"""Datasets written for other programs.

Units: energies in meV, Q in 1/Å.
"""

import os
import pathlib

import numpy as np

from ..errors import DataError
from ..io import write_dave
from ..problem import Dataset


def save_grp(
    dataset: Dataset, path: str | os.PathLike[str], energy_unit: str = "meV"
) -> pathlib.Path:
    """Path of a DAVE group file with the spectra of a dataset, one group a Q bin.

    Masked points get the value 0 and the error -1, which readers take for no data. The
    resolution is not part of such a file.

    Args:
        dataset: from `load`, `simulate` or `from_bins`.
        path: the file.
        energy_unit: "meV" or "ueV", of the file.

    Raises:
        DataError: no energies or Q, or no errors, for which the format has no place.
    """
    for name in ("omega", "q"):
        if name not in dataset.coords:
            raise DataError(f"the data have no coordinate {name!r}; use js.qens.load")
    if not dataset.sigma_given:
        raise DataError("the data have no errors; expected some in a .grp file")
    return write_dave(
        path,
        energy=np.asarray(dataset.coords["omega"]),
        q=np.asarray(dataset.coords["q"]),
        data=np.asarray(dataset.y),
        error=np.asarray(dataset.sigma),
        mask=np.asarray(dataset.mask) > 0,
        energy_unit=energy_unit,
    )
