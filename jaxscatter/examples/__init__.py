"""Small measured files that come with the package, with their sources and licences."""

import importlib.resources
import pathlib
from typing import NamedTuple

import numpy as np

__all__ = [
    "QensExample",
    "SasExample",
    "XpcsExample",
    "qens_benzene",
    "sas_latex",
    "sas_sds",
    "xpcs_nsls2",
]


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


class SasExample(NamedTuple):
    """A file of curves, where in it they are, and what a model needs beside them.

    `entries` are the arguments of `js.sas.load` by name. `known` are constants of the
    sample for the model's parameters, which the file does not tell.
    """

    path: pathlib.Path
    entries: dict[str, int]
    known: dict[str, float]
    citation: str
    licence: str


def sas_sds() -> SasExample:
    """Micelles of 2 % hydrogenous SDS in D2O: SANS, LOQ (ISIS), 137 points.

    `known` are usual values: scattering length densities of a dodecyl tail and of D2O
    (1e-6/Å²), temperature (K) and dielectric constant of D2O, no added salt (mol/L).
    """
    return SasExample(
        path=_data("hSDS_D2O_2p0_percent.xml"),
        entries={"sans": 0},
        known={
            "sld": 0.337,
            "sld_solvent": 6.393,
            "temperature": 298.0,
            "dielectconst": 77.94,
            "concentration_salt": 0.0,
        },
        citation=_SASDATA,
        licence=_SASDATA_LICENCE,
    )


def sas_latex() -> SasExample:
    """Latex spheres of about 0.5 µm in D2O: SANS (pinhole) and USANS (slit).

    `known` are the scattering length densities of polystyrene and D2O (1e-6/Å²).
    """
    return SasExample(
        path=_data("latex_smeared.xml"),
        entries={"sans": 0, "usans": 1},
        known={"sld": 1.4, "sld_solvent": 6.35},
        citation=_SASDATA,
        licence=_SASDATA_LICENCE,
    )


_SASDATA = "SasView, sasdata example data, https://github.com/SasView/sasdata"
_SASDATA_LICENCE = "BSD 3-Clause, Copyright (c) 2009-2025 SasView Developers"


def _data(name: str) -> pathlib.Path:
    return pathlib.Path(str(importlib.resources.files(__name__) / "data" / name))
