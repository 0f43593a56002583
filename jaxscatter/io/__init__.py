"""Readers and writers of other programs' files, one module per format.

Units are converted here and nowhere else: energies leave in meV, Q in 1/Å. A reader
knows a format and returns arrays; it knows no technique and no model.
"""

from . import nxspe
from .two_time import TwoTime, read_two_time
from .two_time_cache import CACHE_TEMPLATE, cache_name, read_cache, write_cache
from .two_time_stream import TwoTimeFile
from .two_time_write import write_aps_u, write_npz, write_plain

__all__ = [
    "CACHE_TEMPLATE",
    "TwoTime",
    "TwoTimeFile",
    "cache_name",
    "nxspe",
    "read_cache",
    "read_two_time",
    "write_aps_u",
    "write_cache",
    "write_npz",
    "write_plain",
]
