"""The parameter table of a pattern: start values, bounds, priors and the cell's ties.

Units: as in `model`.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..problem import Parameter
from ..problem import prior as priors_of
from .absorption import NoAbsorption, absorption_rule
from .bloch import Settings
from .crystal import Crystal
from .model import CELL, GEOMETRY, diskshift_names, site_names
from .refined import Refined, names_of
from .structure_factors import optical_potential

THICKNESS_SPAN = (0.5, 1.5)
"""Bounds of the thickness in parts of its start value."""
GL_SPAN = 0.05
"""Relative half width of the bounds of gl."""
SHIFT = 10.0
"""Pixels a pattern or a disk may move, or a quarter of gl where that is less."""


def shift_bound(gl: float | int) -> float:
    """Largest shift of a pattern, or of a disk, in pixels."""
    return min(SHIFT, 0.25 * abs(float(gl)))


def pattern_table(
    crystal: Crystal,
    factors: Refined,
    settings: Settings,
    energy: float | int,
    thickness: float | int,
    gl: float | int,
    rotation: float | int,
    psf: str | None,
) -> dict[str, Parameter]:
    """All parameters a pattern can have, with their start values and bounds."""
    log_thickness = priors_of.named("log_normal", math.log(thickness), 0.05)
    span = abs(GL_SPAN * gl)
    rows = [
        Parameter(
            "thickness",
            thickness,
            "Å",
            (THICKNESS_SPAN[0] * thickness, THICKNESS_SPAN[1] * thickness),
            prior=log_thickness,
        ),
        Parameter(
            "gl",
            gl,
            "px",
            (gl - span, gl + span),
            prior=priors_of.named("normal", gl, 0.005 * gl),
        ),
        Parameter(
            "rotation",
            rotation,
            "deg",
            (rotation - 5.0, rotation + 5.0),
            prior=priors_of.named("normal", rotation, 0.5),
        ),
    ]
    for name in ("shift_j", "shift_i"):
        rows.append(
            Parameter(
                name,
                0.0,
                "px",
                (-shift_bound(gl), shift_bound(gl)),
                prior=priors_of.named("normal", 0.0, 2.0),
            )
        )
    if psf is not None:
        probe = (("sigma", 1.0, 10.0, 2.0), ("gamma", 0.1, 5.0, 0.5))
        for name, value, most, width in probe:
            rows.append(
                Parameter(
                    name,
                    value,
                    "px",
                    (0.0, most),
                    prior=priors_of.named("half_normal", width),
                )
            )
    rows += _factor_rows(factors, crystal, float(energy), settings)
    rows.append(
        Parameter("energy", energy, "keV", (0.99 * energy, 1.01 * energy), fixed=True)
    )
    rows += _crystal_rows(crystal)
    return {row.name: row for row in rows}


def _factor_rows(
    factors: Refined, crystal: Crystal, energy: float, settings: Settings
) -> list[Parameter]:
    """U and U' of the refined reflections, at the values of independent atoms."""
    if not factors.hkl:
        return []
    u, w = optical_potential(
        crystal,
        np.asarray(factors.hkl),
        energy,
        table=settings.table,
        absorption=settings.absorption,
    )
    elastic = factors.numbers(np.asarray(u))
    absorptive = None
    if not isinstance(absorption_rule(settings.absorption), NoAbsorption):
        absorptive = factors.numbers(np.asarray(w))
    largest = float(np.max(np.abs([u for u, _ in elastic])))
    rows = []
    for i, hkl in enumerate(factors.hkl):
        names = names_of(hkl)
        rows += _signed(names[:2], *elastic[i], 0.1 * largest, factors.fixed[i])
        if absorptive is not None:
            most = max(0.1 * abs(elastic[i][0]), 0.02 * largest)
            rows += _signed(names[2:], *absorptive[i], most, factors.fixed[i])
    return rows


def _signed(names, value, angle, least, fixed) -> list[Parameter]:
    """One U: a signed number along a fixed phase, or magnitude and phase.

    A value near 0, as of a forbidden reflection, may take either sign.
    """
    span = max(0.5 * abs(value), least)
    lo = value - span if fixed is not None else max(value - span, 0.0)
    width = max(0.05 * abs(value), 0.2 * least)
    rows = [
        Parameter(
            names[0],
            value,
            "1/Å²",
            (lo, value + span),
            prior=priors_of.named("normal", value, width),
        )
    ]
    if fixed is None:
        rows.append(Parameter(names[1], angle, "deg", (angle - 90.0, angle + 90.0)))
    return rows


def _crystal_rows(crystal: Crystal) -> list[Parameter]:
    rows = []
    cell = np.asarray(crystal.cell)
    for i, name in enumerate(CELL):
        unit, span = ("Å", 0.02 * cell[i]) if i < 3 else ("deg", 2.0)
        value = float(cell[i])
        rows.append(
            Parameter(name, value, unit, (value - span, value + span), fixed=True)
        )
    for name, (leaf, site, axis) in site_names(crystal).items():
        at = site if axis is None else (site, axis)
        value = float(np.asarray(getattr(crystal, leaf))[at])
        if leaf == "b_iso":
            hi = max(5.0, 2 * value)
            broad = priors_of.named("half_normal", 1.0)
            rows.append(
                Parameter(name, value, "Å²", (0.0, hi), prior=broad, fixed=True)
            )
        elif leaf == "occupancies":
            rows.append(Parameter(name, value, "", (0.0, 1.0), fixed=True))
        else:
            rows.append(
                Parameter(name, value, "", (value - 0.05, value + 0.05), fixed=True)
            )
    return rows


def adjusted(
    table: Mapping[str, Parameter],
    crystal: Crystal,
    start: Mapping[str, float | int],
    free: Sequence[str] | None,
    bounds: Mapping[str, tuple[Any, Any]],
    priors: Mapping[str, Any],
    ties: Mapping[str, Any],
    disks: Sequence[tuple[int, int, int]],
) -> dict[str, Parameter]:
    """The table with what the caller asked for; arguments as of `problem`."""
    for name in (*start, *bounds, *priors, *ties):
        if name not in table:
            raise TypeError(_unknown(name, table))
    wanted = set(ties)
    if free is None:
        wanted |= {n for n, p in table.items() if not p.fixed}
    else:
        for name in free:
            if name == "geometry":
                wanted |= {*GEOMETRY, *(n for n in table if n.startswith("diskshift"))}
                wanted -= {n for d in disks if not any(d) for n in diskshift_names(d)}
            elif name in table:
                wanted.add(name)
            else:
                raise TypeError(_unknown(name, table))
    wanted |= {*bounds, *priors}
    linked = _cell_ties(crystal, wanted)
    out = {}
    for name, row in table.items():
        change: dict[str, Any] = {"fixed": name not in wanted}
        if name in start:
            change |= _moved(row, float(start[name]), name in bounds)
        if name in bounds:
            change["bounds"] = bounds[name]
        if name in priors:
            change["prior"] = priors[name]
        elif name in bounds:
            change["prior"] = None
        if name in ties:
            change |= {"tie": ties[name], "fixed": False}
        elif name in linked:
            change |= {"tie": linked[name], "fixed": False, "prior": None}
        out[name] = row.with_(**change)
    return out


def _moved(row: Parameter, value: float, bounded: bool) -> dict[str, Any]:
    """Start value with bounds that hold it."""
    change: dict[str, Any] = {"value": value}
    if not bounded and not float(row.lo) <= value <= float(row.hi):
        half = 0.5 * (float(row.hi) - float(row.lo))
        change["bounds"] = (value - half, value + half)
    return change


def _unknown(name: str, table: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, list(table), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {sorted(table)}"
    return f"the pattern has no parameter {name!r}; {hint}"


def _cell_ties(crystal: Crystal, wanted: set[str]) -> dict[str, str]:
    """Edges and angles that the operations keep equal to one that is varied."""
    if not wanted & set(CELL):
        return {}
    rotations = np.asarray(crystal.rotations, float)
    rng = np.random.default_rng(0)
    a = rng.normal(size=(3, 3))
    metric = np.mean([r.T @ (a @ a.T) @ r for r in rotations], axis=0)
    edges = np.sqrt(np.diag(metric))
    out = {}
    for i in range(1, 3):
        for j in range(i):
            if CELL[j] in wanted and abs(edges[i] - edges[j]) < 1e-9 * edges[j]:
                out.setdefault(CELL[i], CELL[j])
    return out


def without_still_numbers(
    table: Mapping[str, Parameter], crystal: Crystal
) -> dict[str, Parameter]:
    """The table without numbers of the crystal that nobody moves."""
    still = {*CELL, *site_names(crystal)}
    sources: set[str] = set()
    for row in table.values():
        if isinstance(row.tie, str):
            sources.add(row.tie)
    moved = any(not table[n].fixed or n in sources for n in still)
    if moved and any(callable(row.tie) for row in table.values()):
        return dict(table)
    return {
        n: row
        for n, row in table.items()
        if n not in still
        or not row.fixed
        or n in sources
        or float(row.value) != _own(crystal, n)
    }


def _own(crystal: Crystal, name: str) -> float:
    if name in CELL:
        return float(crystal.cell[CELL.index(name)])
    leaf, site, axis = site_names(crystal)[name]
    return float(
        np.asarray(getattr(crystal, leaf))[site if axis is None else (site, axis)]
    )
