"""canSAS 1-D XML, versions 1.0 and 1.1: every SASdata of every SASentry as a curve.

A file is `SASroot/SASentry/SASdata/Idata` with one point per Idata: Q, I, and where
they are known Idev, Qdev (pinhole, one standard deviation) or dQw and dQl (slit), each
with a `unit` of its own. Qmean and Shadowfactor are kept in the metadata.

Documents with a DTD are refused before any entity is expanded: the format has none, and
nested entities can fill the memory.

Units: 1/Å and 1/cm leave whatever the file has; wavelength Å, distance m, thickness cm.

References:
    canSAS 1-D data format 1.1, https://www.cansas.org/formats/canSAS1d/1.1/doc/
"""

import os
import pathlib
import xml.etree.ElementTree as ET
from typing import Any
from xml.parsers import expat

import numpy as np

from ..errors import FormatError
from . import _sas_clean as clean
from .curve import Curve

NAMESPACES = ("cansas1d/1.0", "urn:cansas1d:1.1")
_FIELDS = {
    "sigma": "Idev",
    "dq": "Qdev",
    "q_length": "dQl",
    "q_width": "dQw",
    "q_mean": "Qmean",
}
_ASIDE = ("Qmean", "Shadowfactor")  # kept where all points have them
_KNOWN = {"Q", "I", *_FIELDS.values(), *_ASIDE}


def read_cansas_xml(path: str | os.PathLike[str]) -> tuple[Curve, ...]:
    """The curves of a canSAS XML file, in its order.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not well formed, with a DTD, not canSAS, without SASdata, or with
            numbers, units or columns that cannot be used.
    """
    path = clean.existing_file(path)
    root = _root(path)
    entries = _children(root, "SASentry")
    curves: list[Curve] = []
    for i, entry in enumerate(entries, 1):
        named = entry.get("name") or f"sasentry{i:02d}"
        common = _description(path, entry)
        runs = [_flat(x) for x in _children(entry, "Run")]
        runs = [x for x in runs if x]
        if len(runs) > 1:
            common["runs"] = runs
        for j, data in enumerate(_children(entry, "SASdata"), 1):
            labels: dict[str, Any] = {
                "title": _flat(_first(entry, "Title")),
                "run": runs[0] if runs else "",
                "name": f"{named}/{data.get('name') or f'sasdata{j:02d}'}",
            }
            curves.append(_curve(path, data, common, labels))
    if not curves:
        raise FormatError(
            f"{path}: {len(entries)} SASentry, none with SASdata; expected "
            "SASroot/SASentry/SASdata/Idata"
        )
    return tuple(curves)


def _root(path: pathlib.Path) -> ET.Element:
    """Root element, of a document that is canSAS and has no DTD."""
    raw = path.read_bytes()

    def refuse(*declared: Any) -> None:
        raise FormatError(
            f"{path}: the XML declares a DTD ({declared[0]!r}); expected canSAS "
            "without one"
        )

    # the parser sees through encodings, in which a search for bytes would miss it
    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = refuse
    guard.EntityDeclHandler = refuse
    try:
        guard.Parse(raw, True)
        root = ET.fromstring(raw)
    except (expat.ExpatError, ET.ParseError, ValueError, LookupError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"{path}: not well-formed XML ({error}); expected a complete canSAS file"
        ) from error
    space, _, name = root.tag.rpartition("}")
    space = space.lstrip("{")
    if name != "SASroot" or (space and "cansas1d" not in space):
        raise FormatError(
            f"{path}: root element {name!r} in namespace {space!r}; expected SASroot "
            f"in one of {NAMESPACES}"
        )
    return root


def _curve(
    path: pathlib.Path, data: ET.Element, common: dict[str, Any], labels: dict[str, Any]
) -> Curve:
    """Curve of one SASdata."""
    where = f"{path}: {labels['name']}"
    points = _children(data, "Idata")
    if not points:
        raise FormatError(f"{where}: no Idata; expected one per point")
    texts, unit_of = _columns(points)
    missing = [k for k in ("Q", "I") if k not in texts]
    if missing:
        raise FormatError(f"{where}: no {' and no '.join(missing)} in Idata")
    for name, (rows, _) in list(texts.items()):
        if len(rows) != len(points) and name in _ASIDE:
            del texts[name]
        elif len(rows) != len(points):
            raise FormatError(
                f"{where}: {name} in {len(rows)} of {len(points)} Idata; expected it "
                "in all or in none"
            )
    numbers = {k: _numbers(where, k, *v) for k, v in texts.items()}
    q_unit = unit_of.get("Q", "") or _assumed(path, "Q", "1/A")
    i_unit = unit_of.get("I", "") or _assumed(path, "I", "1/cm")
    intensity, unit = clean.intensities(where, numbers["I"], i_unit)
    columns: dict[str, np.ndarray | None] = {
        "q": clean.q_values(where, numbers["Q"], q_unit),
        "intensity": intensity,
    }
    for name, stored in _FIELDS.items():
        if stored not in numbers:
            continue
        own = unit_of.get(stored, "")
        if stored == "Idev":
            values, its_unit = clean.intensities(where, numbers[stored], own or i_unit)
            if its_unit != unit:
                raise FormatError(
                    f"{where}: Idev in {own!r} for I in {i_unit!r}; expected one kind"
                )
            columns[name] = values
        else:
            columns[name] = clean.q_values(where, numbers[stored], own or q_unit)
    kept = {"q_mean": columns.pop("q_mean")} if "q_mean" in columns else {}
    if "Shadowfactor" in numbers:
        kept["shadow_factor"] = numbers["Shadowfactor"]
    metadata = {**common, "source_units": {"q": q_unit, "intensity": i_unit}}
    return clean.cleaned(
        path,
        columns,
        kept={k: v for k, v in kept.items() if v is not None},
        metadata=metadata,
        intensity_unit=unit,
        **labels,
    )


Column = tuple[list[str], list[int]]


def _columns(points: list[ET.Element]) -> tuple[dict[str, Column], dict[str, str]]:
    """Texts and row numbers of what stands in the Idata, and the unit of each."""
    texts: dict[str, Column] = {}
    unit_of: dict[str, str] = {}
    mixed: dict[str, set[str]] = {}
    for row, point in enumerate(points):
        for element in point:
            name, text = _local(element), _flat(element)
            if text and name in _KNOWN:
                rows = texts.setdefault(name, ([], []))
                rows[0].append(text)
                rows[1].append(row)
                unit = (element.get("unit") or "").strip()
                unit_of.setdefault(name, unit)
                mixed.setdefault(name, set()).add(unit)
    # a unit that changes on the way becomes one that no table knows
    joined = {k: " and ".join(sorted(v)) for k, v in mixed.items() if len(v) > 1}
    return texts, {**unit_of, **joined}


def _numbers(where: str, name: str, texts: list[str], rows: list[int]) -> np.ndarray:
    values = []
    for text, row in zip(texts, rows, strict=True):
        try:
            values.append(float(text))
        except ValueError as error:
            raise FormatError(
                f"{where}: {name}={text[:40]!r} in Idata {row}; expected a number"
            ) from error
    return np.array(values)


def _assumed(path: pathlib.Path, name: str, unit: str) -> str:
    clean.warn(path, f"{name} has no unit; {unit} is assumed")
    return unit


def _description(path: pathlib.Path, entry: ET.Element) -> dict[str, Any]:
    """Metadata of an entry that all its curves share."""
    found: dict[str, Any] = {"path": str(path), "format": "cansas-xml"}
    texts = {
        "instrument": "SASinstrument/name",
        "radiation": "SASinstrument/SASsource/radiation",
        "sample": "SASsample/ID",
    }
    for key, place in texts.items():
        text = _flat(_first(entry, place))
        if text:
            found[key] = text
    lengths = {
        "wavelength": ("SASinstrument/SASsource/wavelength", "a", "A"),
        "detector_distance": ("SASinstrument/SASdetector/SDD", "m", "m"),
        "thickness": ("SASsample/thickness", "cm", "mm"),
    }
    for key, (place, to, usual) in lengths.items():
        element = _first(entry, place)
        if key == "detector_distance" and _detectors(entry) > 1:
            continue  # nothing says which of them saw these data
        number = _number(element)
        if element is not None and number is not None:
            unit = element.get("unit") or usual
            value = clean.length_or_none(path, key, number, unit, to)
            if value is not None:
                found[key] = value
    transmission = _number(_first(entry, "SASsample/transmission"))
    if transmission is not None:
        found["transmission"] = transmission
    return found


def _detectors(entry: ET.Element) -> int:
    instrument = _first(entry, "SASinstrument")
    return 0 if instrument is None else len(_children(instrument, "SASdetector"))


def _number(element: ET.Element | None) -> float | None:
    """Number in an element of the description; None where it holds something else."""
    try:
        return float(_flat(element))
    except ValueError:
        return None


def _local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _children(element: ET.Element, name: str) -> list[ET.Element]:
    return [x for x in element if _local(x) == name]


def _first(element: ET.Element, place: str) -> ET.Element | None:
    """First descendant along a path of local names."""
    found: ET.Element | None = element
    for name in place.split("/"):
        found = next(iter(_children(found, name)), None)
        if found is None:
            return None
    return found


def _flat(element: ET.Element | None) -> str:
    """Text of an element, its blanks made one."""
    return "" if element is None else " ".join("".join(element.itertext()).split())
