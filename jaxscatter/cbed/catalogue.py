"""Models of a pattern, by name, with the parameters it can have.

The models are the forms of the wave equation (see `bloch`), and all have the same
parameters. Some of these are families with a member for each reflection, disk or site:
"U(h,k,l)" stands for "U(1,-1,1)", "B(label)" for "B(Si)". Their start values are those
of the crystal and of what `problem` is given, so most bounds are relative to them.

Units: as in `model`.
"""

from typing import Any

from .bloch import FORMS
from .model import CELL
from .parameters import GL_SPAN, SHIFT, THICKNESS_SPAN

MODELS = {f"bloch_{form}": form for form in FORMS}
DOCS = {
    "bloch_symmetric": "Bloch waves of the symmetric matrix, any surface",
    "bloch_high_energy": "Bloch waves, excitation errors along the surface normal",
    "bloch_wave_eq": "Bloch waves of the paraxial equation that multislice solves",
}
FAMILIES = {
    "U": "h,k,l",
    "phase": "h,k,l",
    "U'": "h,k,l",
    "phase'": "h,k,l",
    "B": "label",
    "occupancy": "label",
    "x": "label",
    "y": "label",
    "z": "label",
    "diskshift_j": "h,k,l",
    "diskshift_i": "h,k,l",
}
"""Families and what their members are named for."""


def models() -> dict[str, tuple[dict[str, Any], ...]]:
    """Every model's parameter table.

    A row has name, unit, lo and hi, `bounds` ("absolute"; "start +", to be added to the
    start value; "start x", to multiply it; "start + U x", of U to be added), free
    (whether `problem` varies it unless told otherwise), when (what there must be for
    it), and doc.
    """
    rows = _rows()
    return {name: tuple(dict(row) for row in rows) for name in MODELS}


def plain_names(psf: str | None = None) -> tuple[str, ...]:
    """Names of the parameters that belong to no family."""
    return tuple(
        row["name"]
        for row in _rows()
        if "(" not in row["name"] and (psf is not None or row["when"] != "psf")
    )


def _row(
    name: str,
    unit: str,
    bounds: str,
    lo: float,
    hi: float,
    doc: str,
    *,
    free: bool = True,
    when: str = "",
) -> dict[str, Any]:
    own = f"{name}({FAMILIES[name]})" if name in FAMILIES else name
    return {
        "name": own,
        "unit": unit,
        "lo": lo,
        "hi": hi,
        "bounds": bounds,
        "free": free,
        "when": when,
        "doc": doc,
    }


def _rows() -> list[dict[str, Any]]:
    times, plus, plain = "start x", "start +", "absolute"
    span = GL_SPAN
    rows = [
        _row("thickness", "Å", times, *THICKNESS_SPAN, "of the foil, along the normal"),
        _row("gl", "px", times, 1 - span, 1 + span, "pixels or steps per |g_x|"),
        _row("rotation", "deg", plus, -5.0, 5.0, "of the pattern"),
        _row("shift_j", "px", plain, -SHIFT, SHIFT,
             "of the pattern, down; bounds at most gl/4"),
        _row("shift_i", "px", plain, -SHIFT, SHIFT,
             "of the pattern, to the right; bounds at most gl/4"),
        _row("sigma", "px", plain, 0.0, 10.0, "Gaussian width of the probe",
             when="psf"),
        _row("gamma", "px", plain, 0.0, 5.0, "Lorentzian width of the probe",
             when="psf"),
    ]  # fmt: skip
    reflection, shifted = "reflections", "shift_disks"
    rows += [
        _row("U", "1/Å²", times, 0.5, 1.5,
             "elastic structure factor; wider where it is weak", when=reflection),
        _row("phase", "deg", plus, -90.0, 90.0,
             "of U, where symmetry leaves it free", when=reflection),
        _row("U'", "1/Å²", "start + U x", -0.1, 0.1,
             "absorptive structure factor; wider where it is strong", when=reflection),
        _row("phase'", "deg", plus, -90.0, 90.0,
             "of U', where symmetry leaves it free", when=reflection),
    ]  # fmt: skip
    for name, way in (("diskshift_j", "down"), ("diskshift_i", "to the right")):
        doc = f"of one disk beside the pattern's, {way}; 000 has none"
        rows.append(_row(name, "px", plain, -SHIFT, SHIFT, doc, when=shifted))
    rows.append(
        _row("energy", "keV", times, 0.99, 1.01, "of the electrons", free=False)
    )
    for i, name in enumerate(CELL):
        doc = f"{'edge' if i < 3 else 'angle'} of the cell"
        how = ("Å", times, 0.98, 1.02) if i < 3 else ("deg", plus, -2.0, 2.0)
        rows.append(_row(name, *how, doc, free=False))
    rows += [
        _row("B", "Å²", plain, 0.0, 5.0, "8π²⟨u²⟩ of a site", free=False),
        _row("occupancy", "", plain, 0.0, 1.0, "of a site", free=False),
    ]
    for name in "xyz":
        doc = "fraction of the cell; special positions are kept"
        rows.append(_row(name, "", plus, -0.05, 0.05, doc, free=False))
    return rows
