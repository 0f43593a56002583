"""Readers and writers of other programs' files, one module per format.

Units are converted here and nowhere else: energies leave in meV, Q in 1/Å. A reader
knows a format and returns arrays; it knows no technique and no model.
"""

from . import nxspe
from .bloch_dat import BlochInput, read_dat
from .bloch_dat_write import write_dat
from .bloch_fit import BlochFit, read_fit, write_fit
from .bloch_hdf5 import (
    BlochSimulation,
    Eigenpairs,
    read_simulation,
    write_simulation,
)
from .bloch_img import read_felix, read_img, read_stack
from .cansas_xml import read_cansas_xml
from .cif import read_cif
from .crystal_record import CrystalRecord
from .curve import Curve, Image
from .dave import read_dave, write_dave
from .dm import DmImage, read_dm
from .hkl import ReflectionTable, read_hkl, write_hkl
from .inx import read_inx
from .lamp import read_lamp
from .mantid import read_mantid
from .mdanse import read_mdanse
from .nxcansas import read_nxcansas
from .nxcansas_write import write_nxcansas
from .pattern import read_pattern
from .sas_ascii import read_ascii
from .sas_files import read_curves, read_sas
from .spectra import Spectra
from .spectra_ascii import read_spectra_ascii
from .spectra_files import read_spectra, spectra_format
from .two_time import TwoTime, read_two_time
from .two_time_cache import CACHE_TEMPLATE, cache_name, read_cache, write_cache
from .two_time_stream import TwoTimeFile
from .two_time_write import write_aps_u, write_npz, write_plain

__all__ = [
    "CACHE_TEMPLATE",
    "BlochFit",
    "BlochInput",
    "BlochSimulation",
    "CrystalRecord",
    "Curve",
    "DmImage",
    "Eigenpairs",
    "Image",
    "ReflectionTable",
    "Spectra",
    "TwoTime",
    "TwoTimeFile",
    "cache_name",
    "nxspe",
    "read_ascii",
    "read_cache",
    "read_cansas_xml",
    "read_cif",
    "read_curves",
    "read_dat",
    "read_dave",
    "read_dm",
    "read_felix",
    "read_fit",
    "read_hkl",
    "read_img",
    "read_inx",
    "read_lamp",
    "read_mantid",
    "read_mdanse",
    "read_nxcansas",
    "read_pattern",
    "read_sas",
    "read_simulation",
    "read_spectra",
    "read_spectra_ascii",
    "read_stack",
    "read_two_time",
    "spectra_format",
    "write_aps_u",
    "write_cache",
    "write_dat",
    "write_dave",
    "write_fit",
    "write_hkl",
    "write_npz",
    "write_nxcansas",
    "write_plain",
    "write_simulation",
]
