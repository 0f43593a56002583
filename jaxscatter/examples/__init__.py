"""Small measured files that come with the package, with their sources and licences."""

import importlib.resources
import pathlib
from typing import NamedTuple

import numpy as np

__all__ = ["QensExample", "XpcsExample", "qens_benzene", "xpcs_nsls2"]


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


class XpcsExample(NamedTuple):
    """A two-time file, the Q and frame time to read it with, and where it is from."""

    two_time: pathlib.Path
    q: float
    dt: float
    citation: str
    licence: str


def xpcs_nsls2() -> XpcsExample:
    """Two-time correlation of 350 frames and one region, measured at NSLS-II.

    Its source does not say sample, Q, angle or frame time. `q` (1/Å) and `dt` (s) are
    nominal: what a fit determines is q² J dt, the rate per frame.
    """
    return XpcsExample(
        two_time=_data("nsls2_two_time.h5"),
        q=0.01,
        dt=1.0,
        citation=(
            "Konstantinova, Wiegart, Rakitin, DeGennaro, Barbour, Phys. Rev. Research "
            "4, 033228 (2022)"
        ),
        licence="BSD 3-Clause, from the repository bnl/automating_XPCS_analysis_pub",
    )


def _data(name: str) -> pathlib.Path:
    return pathlib.Path(str(importlib.resources.files(__name__) / "data" / name))
