"""Small measured files that come with the package, with their sources and licences."""

import importlib.resources
import pathlib
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "CbedProfiles",
    "CbedStack",
    "QensExample",
    "SasExample",
    "XpcsExample",
    "cbed_lithium_niobate",
    "cbed_silicon",
    "qens_benzene",
    "qens_water",
    "sas_latex",
    "sas_sds",
    "xpcs_nsls2",
]


class QensExample(NamedTuple):
    """A sample run, its resolution run, the empty can, and the Q bins of rows.

    `q_edges` is None where the files know their Q, `empty` where there is none.
    """

    sample: pathlib.Path
    resolution: pathlib.Path
    q_edges: np.ndarray | None
    citation: str
    licence: str
    empty: pathlib.Path | None


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


def qens_water() -> QensExample:
    """Water at 293 K and vanadium at 273 K, IN5 (ILL), wavelength 5 Å, LAMP HDF.

    17 rows of Q from 0.5 to 2.1 1/Å, 160 energies in steps of 0.025 meV.
    """
    return QensExample(
        sample=_data("H2O_293K_5A.hdf"),
        resolution=_data("V_273K_5A.hdf"),
        q_edges=None,
        citation="J. Qvist, H. Schober, B. Halle, J. Chem. Phys. 134, 144508 (2011)",
        licence=(
            "BSD 3-Clause, Copyright (c) 2022 QENS library contributors, from the "
            "repository QENSlibrary/QENSmodels"
        ),
        empty=None,
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


class CbedProfiles(NamedTuple):
    """Counts along lines through disks of one CBED pattern, and what is known of it.

    `offsets` (point, 2) are the (j, i) of K_t - `kt` in pixels, `gl` of them per |g_x|.
    Rows of `counts` and `used` are disks, as in `hkl`; `regions` (point,) numbers the
    lines. `detector` are [varB, delta, A, g, m]. `reported` is what another program
    found, (refined, start): its simulations on the scale of the counts, and the counts
    where it had sampled the pattern then.
    """

    path: pathlib.Path
    hkl: np.ndarray
    offsets: np.ndarray
    regions: np.ndarray
    counts: np.ndarray
    used: np.ndarray
    simulated: tuple[np.ndarray, np.ndarray]
    sampled: tuple[np.ndarray, np.ndarray]
    known: dict[str, Any]
    detector: tuple[float, ...]
    reported: dict[str, float]
    citation: str
    licence: str


def cbed_silicon() -> CbedProfiles:
    """Four lines through four disks of Si near the 111 row, 196.75 kV, energy-filtered.

    `known` holds energy (keV), zone, x_axis, the tilt in units of the reciprocal axes
    (`kt_hkl`), gl (pixels), cell edge `a` (Å) and `b_iso` (Å²). The source gives the
    counts, but not where its lines lie: they were found by matching the simulation
    that it gives along with them, see "Where we differ" in the documentation.
    """
    path = _data("si04_profiles.csv")
    table = np.genfromtxt(path, delimiter=",", skip_header=1)
    disks = table[:, 4:].reshape(len(table), 4, 5).transpose(2, 1, 0)
    used, counts, refined, start_counts, start = disks
    return CbedProfiles(
        path=path,
        hkl=np.array([[-1, 1, 1], [0, 0, 0], [1, -1, -1], [2, -2, -2]]),
        offsets=table[:, 2:4],
        regions=table[:, 0].astype(int),
        counts=counts,
        used=used > 0,
        simulated=(refined, start),
        sampled=(counts, start_counts),
        known={
            "energy": 196.75,
            "zone": (1, 1, 0),
            "x_axis": (1, -1, -1),
            "kt_hkl": (12.0152, -12.0152, 26.4176),
            "gl": 226.774,
            "a": 5.4307,
            "b_iso": 0.4668,
        },
        detector=(3.15, 4e-5, 1.2, 2.2, 0.111),
        reported={
            "U(1,-1,-1)": 0.0473504,
            "U'(1,-1,-1)": 0.00079373,
            "U(2,-2,-2)": -0.00092322,
            "thickness": 3421.6,
        },
        citation=(
            "example notebook refinemnt_si04 of PyExtal, https://github.com/swampni/"
            "PyExtal (group of J.-M. Zuo)"
        ),
        licence="numbers printed in a repository under MPL-2.0",
    )


class CbedStack(NamedTuple):
    """Digital large-angle CBED patterns, one image for each reflection, in an npz file.

    `path` holds `images` (disk, h, w) and `hkl` (disk, 3). `known` has energy (keV),
    zone, x_axis and gl (pixels per |g_x|), `thickness_range` (Å), and the cell (Å and
    degrees), space group and `sites` (label, x y z, B in Å²) of the crystal.
    """

    path: pathlib.Path
    known: dict[str, Any]
    citation: str
    licence: str


def cbed_lithium_niobate() -> CbedStack:
    """Mg:LiNbO3 on [-1 1 0], 200 kV: 24 reflections, 56 x 56 tilts to 18 mrad.

    The means of 3 x 3 pixels of the source. Columns run along (1 1 0), rows along
    (0 0 1): this, and that the images are as seen against the source's beam [1 -1 0],
    was found by correlation with simulations. Magnesium is left out of the sites.
    """
    return CbedStack(
        path=_data("linbo3_dlacbed.npz"),
        known={
            "energy": 200.0,
            "zone": (-1, 1, 0),
            "x_axis": (1, 1, 0),
            "gl": 15.033,
            "thickness_range": (1120.0, 1321.0),
            "cell": (5.13761, 5.13761, 13.8497, 90.0, 90.0, 120.0),
            "space_group": "R 3 c:H",
            "sites": (
                ("Li", (0.0, 0.0, 0.2916), 0.1),
                ("Nb", (0.0, 0.0, 0.0), 0.278),
                ("O", (0.3976, 0.3744, 0.2297), 0.555),
            ),
        },
        citation=(
            "R. Beanland, Warwick, https://github.com/WarwickMicroscopy/Felix-python"
        ),
        licence="CC0",
    )


_SASDATA = "SasView, sasdata example data, https://github.com/SasView/sasdata"
_SASDATA_LICENCE = "BSD 3-Clause, Copyright (c) 2009-2025 SasView Developers"


def _data(name: str) -> pathlib.Path:
    return pathlib.Path(str(importlib.resources.files(__name__) / "data" / name))
