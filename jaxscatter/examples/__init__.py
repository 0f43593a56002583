"""Small measured files that come with the package, with their sources and licences."""

import importlib.resources
import pathlib
from typing import NamedTuple

import numpy as np

__all__ = ["QensExample", "qens_benzene"]


class QensExample(NamedTuple):
    """A sample run, its resolution run, the empty can, and the Q bins of rows."""

    sample: pathlib.Path
    resolution: pathlib.Path
    q_edges: np.ndarray
    citation: str
    licence: str
    empty: pathlib.Path


def qens_benzene() -> QensExample:
    """Liquid benzene at 290 K and frozen at 260 K, LET (ISIS), Ei = 3.60 meV.

    Incoherent part, separated by polarisation analysis, (249 rows, 320 energies). The
    rows are Q bins, [0.05409 + 0.0115 i, 0.05409 + 0.0115 (i + 1)] 1/Å: pass `q_edges`
    to the reader, since the angles in the files do not tell.
    """
    return QensExample(
        sample=_data("benzene_290_360_inc.nxspe"),
        resolution=_data("benzene_260_360_inc.nxspe"),
        q_edges=0.05409 + 0.0115 * np.arange(250),
        citation=(
            "Richardson, McColl, Nilsen, Armstrong, McCluskey, arXiv:2603.06080 "
            "(2026); data doi:10.5281/zenodo.18836632; ISIS experiment RB2590225"
        ),
        licence="MIT, from the repository ShubhamX57/QENS",
        empty=_data("empty_360_inc.nxspe"),
    )


def _data(name: str) -> pathlib.Path:
    return pathlib.Path(str(importlib.resources.files(__name__) / "data" / name))
