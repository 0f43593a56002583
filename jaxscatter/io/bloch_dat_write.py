"""Writer of the input of Bloch-wave programs (`.dat`), as `bloch_dat` reads it.

Units: those of `bloch_dat`.
"""

import os
import pathlib
import re
from typing import Any

import numpy as np

from .bloch_dat import _PLACE, BlochInput
from .crystal_record import CrystalRecord
from .two_time_write import whole


def write_dat(path: str | os.PathLike[str], given: BlochInput) -> pathlib.Path:
    """Path of the `.dat` file written, complete or not at all.

    Numbers are read back as they are; anisotropic displacements are written as U_ij.
    """
    c = given.crystal
    partial = bool((c.occupancies != 1).any())
    if c.u_aniso is not None:
        dw, rows = "uij", c.u_aniso[:, [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    else:
        dw, rows = "iso", np.asarray(c.b_iso, float)[:, None]
    if partial:
        rows = np.column_stack([rows, c.occupancies])
    name = re.sub(r"[:#\s]+", " ", c.name).strip()
    text = [
        "# written by jaxscatter",
        f"crystal {name} : dw = {dw} occ = {'par' if partial else 1}",
        _row("cell", c.cell),
    ]
    for i, row in enumerate(np.column_stack([c.positions, rows])):
        text.append(_row(f"atom {_label(c, i)}", row))
    text.append(_row("spg", given.spg))
    for key in _PLACE:
        value = getattr(given, {"hv": "energy"}.get(key, key), None)
        if _PLACE[key] <= _PLACE["spg"] or value is None:
            continue
        if key in ("hkl", "out", "adj"):
            indices = given.adj_hkl if key == "adj" else value
            text.append(f"{key} {len(value)}")
            for i, index in enumerate(np.asarray(indices)):
                more = value[i] if key == "adj" else ()
                text.append(_row(" ".join(map(str, index.tolist())), more))
        else:
            text.append(_row(key, np.atleast_1d(value)))
    with whole(path) as unfinished:
        unfinished.write_text("\n".join(text) + "\n", "utf-8")
    return pathlib.Path(path)


def _row(start: str, values: Any) -> str:
    return " ".join([start, *(repr(x) for x in np.asarray(values).tolist())])


def _label(crystal: CrystalRecord, i: int) -> str:
    """The site's label where a reader finds its element in it, else a new one."""
    label, symbol = crystal.labels[i], crystal.symbols[i]
    usable = re.fullmatch(rf"{symbol}([^A-Za-z\s#]\S*|#\S+)?", label, re.IGNORECASE)
    return label if usable else f"{symbol}#{i + 1}"
