"""Readers and writers of other programs' files, one module per format.

Units are converted here and nowhere else: energies leave in meV, Q in 1/Å. A reader
knows a format and returns arrays; it knows no technique and no model.
"""

from . import nxspe

__all__ = ["nxspe"]
