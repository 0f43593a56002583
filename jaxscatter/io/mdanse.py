"""Results of MDANSE (.mda): S(Q, ω) computed from a trajectory, in HDF5.

A job's group, such as `ndsf` or `disf`, holds `axes/q` and `axes/omega`, each with an
attribute `units`, and the matrix `s(q,f)/total` (q, omega). There are no errors in it.

Units: as `spectra`. An angular frequency ω in rad/ps becomes the energy ħω.

References:
    [1] G. Goret, B. Aoun, E. Pellegrini, J. Chem. Inf. Model. 57, 1 (2017): MDANSE.
"""

import os
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError
from ._hdf5 import numbers, opened, text
from .nxspe import Numbers
from .spectra import (
    Spectra,
    Stored,
    assembled,
    stated_energy_unit,
    stated_q_factor,
)

FORMAT = "MDANSE"
_EXPECTED = "an MDANSE result with axes/q, axes/omega and s(q,f)/total"
_RATES = {"rad/ps", "1/ps", "ps-1", "rad ps-1"}


def read_mdanse(
    path: str | os.PathLike[str],
    *,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    energy_sign: int = 1,
    energy_unit: str | None = None,
) -> Spectra:
    """Spectra of an MDANSE result, without errors; arguments as for `assembled`.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not a complete result, or a unit that is not known.
        DataError: an argument that cannot be used or contradicts the file.
    """
    with opened(path, _EXPECTED) as file:
        job = mdanse_group(file)
        if job is None:
            raise FormatError(
                f"{path}: expected {_EXPECTED}, found {sorted(file) or 'nothing'}"
            )
        axes = job["axes"]
        omega, units = numbers(axes, "omega", _EXPECTED), _unit(axes, "omega")
        unit = "rad/ps" if units in _RATES else stated_energy_unit(units)
        factor = stated_q_factor(_unit(axes, "q"))
        if unit is None or factor is None:
            raise FormatError(
                f"{path}: axes in {units!r} and {_unit(axes, 'q')!r}; expected omega "
                "in rad/ps and q in 1/nm"
            )
        stored = Stored(
            format=FORMAT,
            energy=np.ravel(omega),
            data=np.atleast_2d(numbers(job["s(q,f)"], "total", _EXPECTED)),
            error=None,
            unit=unit,
            q=factor * np.ravel(numbers(axes, "q", _EXPECTED)),
            title=job.name.strip("/"),
        )
    return assembled(
        path,
        stored,
        q=q,
        q_edges=q_edges,
        energy_sign=energy_sign,
        energy_unit=energy_unit,
    )


def mdanse_group(file: Any) -> Any | None:
    """The group of an open file that holds S(Q, ω) of MDANSE, or None."""
    for name in file:
        job = file[name]
        if isinstance(job, h5py.Group) and "axes/omega" in job and "s(q,f)" in job:
            return job
    return None


def _unit(axes: Any, name: str) -> str:
    return text(axes[name].attrs.get("units")).strip() if name in axes else ""
