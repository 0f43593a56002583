"""Readers and writers of other programs' files, one module per format.

Units are converted here and nowhere else: energies leave in meV, Q in 1/Å. A reader
knows a format and returns arrays; it knows no technique and no model.
"""

from . import nxspe
from .cansas_xml import read_cansas_xml
from .curve import Curve, Image
from .nxcansas import read_nxcansas
from .nxcansas_write import write_nxcansas
from .sas_ascii import read_ascii
from .sas_files import read_curves, read_sas
from .two_time import TwoTime, read_two_time
from .two_time_cache import CACHE_TEMPLATE, cache_name, read_cache, write_cache
from .two_time_stream import TwoTimeFile
from .two_time_write import write_aps_u, write_npz, write_plain

__all__ = [
    "CACHE_TEMPLATE",
    "Curve",
    "Image",
    "TwoTime",
    "TwoTimeFile",
    "cache_name",
    "nxspe",
    "read_ascii",
    "read_cache",
    "read_cansas_xml",
    "read_curves",
    "read_nxcansas",
    "read_sas",
    "read_two_time",
    "write_aps_u",
    "write_cache",
    "write_npz",
    "write_nxcansas",
    "write_plain",
]
