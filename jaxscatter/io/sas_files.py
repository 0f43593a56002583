"""Small-angle data files of any known format, read through one door.

The format is found from the content, never from the name: HDF5 is NXcanSAS, XML is
canSAS 1-D, and text is a table. All that a file holds is returned.

Units: q in 1/Å, intensity in 1/cm (or `intensity_unit`), whatever the file has.
"""

import os
import pathlib
import re
from collections.abc import Callable

from ..errors import FormatError
from . import _sas_clean as clean
from .cansas_xml import read_cansas_xml
from .curve import Curve, Image
from .nxcansas import read_nxcansas
from .sas_ascii import read_ascii

_HDF5 = b"\x89HDF\r\n\x1a\n"
_USER_BLOCKS = (0, 512, 1024, 2048)  # HDF5 may start behind another program's bytes
_XML = re.compile(r"\s*<(?:\?xml|!|(?:\w+:)?SASroot)", re.IGNORECASE)


def read_sas(
    path: str | os.PathLike[str], entry: str | int | None = None
) -> tuple[Curve | Image, ...]:
    """All curves and images of a file, or those that `entry` selects.

    Args:
        path: the file: generic or NIST text, canSAS XML, or NXcanSAS.
        entry: position among what the file holds, counted from 0, or a name: that of a
            data set or of its entry, a title, or a run. Several may answer to one.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no known format, incomplete, or without such an `entry`.
    """
    path = clean.existing_file(path)
    found = _reader(path)(path)
    if entry is None:
        return found
    if isinstance(entry, str):
        chosen = tuple(x for x in found if entry in _answers_to(x))
    else:
        chosen = found[entry : entry + 1] if entry >= 0 else ()
    if not chosen:
        known = ", ".join(
            f"{i}: {x.name!r} (title {x.title!r}, run {x.run!r})"
            for i, x in enumerate(found)
        )
        raise FormatError(f"{path}: no entry {entry!r}; expected one of {known}")
    return chosen


def read_curves(
    path: str | os.PathLike[str], entry: str | int | None = None
) -> tuple[Curve, ...]:
    """`read_sas` for 1-D data alone.

    Raises:
        FormatError: as `read_sas`, and for an image.
    """
    curves: list[Curve] = []
    for found in read_sas(path, entry):
        if isinstance(found, Image):
            raise FormatError(
                f"{path}: {found.name} is an image of {found.intensity.shape} pixels; "
                "expected I(q) of one dimension (read_sas reads both)"
            )
        curves.append(found)
    return tuple(curves)


def _reader(path: pathlib.Path) -> Callable[..., tuple[Curve | Image, ...]]:
    with path.open("rb") as file:
        head = file.read(max(_USER_BLOCKS) + len(_HDF5))
    if any(head.startswith(_HDF5, at) for at in _USER_BLOCKS):
        return read_nxcansas
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    return read_cansas_xml if _XML.match(text) else read_ascii


def _answers_to(data: Curve | Image) -> set[str]:
    """Names by which data may be asked for."""
    return {data.name, *data.name.split("/"), data.title, data.run} - {""}
