"""Sections of a job file of electron diffraction, and what is built from them.

Their keys are the arguments of `js.cbed.load`, `problem`, `select_beams`, `Settings`,
`Frame`, `ROI`, `Site` and `simulate`.

Units: K_t and radii in 1/Å, lengths in Å, energy in keV, angles in degrees, gl and
shifts in pixels.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

from .. import cbed
from ..errors import ConfigError
from .checks import need_known

Hkl: TypeAlias = tuple[int, int, int]
Pair: TypeAlias = tuple[float, float]
RULES = ("none", "proportional", "thomas", "tds")
NUMBERED = {"proportional": cbed.Proportional, "mean_potential": cbed.MeanPotential}


@dataclasses.dataclass
class Roi:
    """Where a CBED image is read; x axis and rotation are those of `geometry`.

    A region is three corners (j, i), top left, top right and bottom left, and (nx, ny).
    """

    regions: list[list[Pair]]
    disks: list[Hkl]
    dp_center: Pair
    pivot: Pair | None = None
    mask: list[list[bool]] | None = None


@dataclasses.dataclass
class Data:
    """A CBED image with `roi`, or LARBED images with `hkl`, as `js.cbed.load`.

    Several files of one LARBED image each are a mapping {"h,k,l": file}.
    """

    path: str | dict[str, str]
    roi: Roi | None = None
    hkl: list[Hkl] | str | None = None
    shift: Pair = (0.0, 0.0)
    centre: Pair | None = None
    crop: tuple[int, int, int, int] | None = None
    detector: list[float] | None = None
    variance: str | dict[str, str] | None = None
    model: str = "pyextal"
    background: float | str = 0.0
    mtf: str | list[list[float]] | None = None
    iterations: int = cbed.deconvolution.ITERATIONS
    sampling: str = "linear"
    mask: str | None = None
    clip: float | bool | None = None
    entry: str | None = None
    shape: tuple[int, int] | None = None


@dataclasses.dataclass
class Atom:
    """An atom of the asymmetric unit; without `symbol`, its label is its element."""

    position: tuple[float, float, float]
    symbol: str | None = None
    b_iso: float = 0.0
    occupancy: float = 1.0
    u_aniso: list[list[float]] | None = None


@dataclasses.dataclass
class CrystalSource:
    """A `.cif` (and its `block`) or `.dat` file, or cell, space group and sites."""

    path: str | None = None
    block: str | None = None
    cell: tuple[float, float, float, float, float, float] | None = None
    space_group: str | int | None = None
    setting: int | None = None
    sites: dict[str, Atom] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Geometry:
    """Beam, foil and scale; what is left out is that of a `.dat` file.

    `kt` has two components in 1/Å, or three on a*, b*, c*. `normal` is "zone", "beam"
    or [uvw].
    """

    thickness: float
    gl: float
    energy: float | None = None
    zone: tuple[float, float, float] | None = None
    x_axis: Hkl | None = None
    normal: str | tuple[float, float, float] | None = None
    kt: list[float] | None = None
    rotation: float = 0.0


@dataclasses.dataclass
class BeamChoice:
    """Beams that take part, as `js.cbed.select_beams`; or `hkl` lists them."""

    g_max: float = 2.0
    s_max: float = 0.03
    s_min: float | None = None
    omega_max: float | None = None
    bethe: bool = False
    holz: bool = True
    n_max: int = 600
    hkl: list[Hkl] | None = None
    weak: list[Hkl] | None = None


@dataclasses.dataclass
class Settings:
    """As `js.cbed.Settings`; left out, absorption and refraction of a `.dat` file.

    `absorption` is a rule's name, or the name and its number, as [proportional, 0.1].
    """

    form: str = "symmetric"
    solver: str = "cheb"
    table: str = "lobato"
    absorption: str | list[str | float] | None = None
    refraction: bool | None = None
    tile: int | None = None


@dataclasses.dataclass
class Model:
    """What is refined, as `js.cbed.problem`; `loss` is that of the fit."""

    reflections: list[Hkl] | None = None
    free: list[str] | None = None
    background: str = "disk"
    psf: str | None = None
    padding: int = 10
    shift_disks: bool = False
    equivalents: bool = True
    margin: float = 1.1
    loss: str = "linear"


@dataclasses.dataclass
class Simulation:
    """LARBED images of a known truth, as `js.cbed.simulate`.

    `values` are those of the truth that differ from the start values; `hkl` is that of
    the data if left out.
    """

    shape: tuple[int, int]
    counts: float
    hkl: list[Hkl] | None = None
    background: float = 0.0
    noise: bool = True
    seed: int = 0
    values: dict[str, float] = dataclasses.field(default_factory=dict)


def is_dat(source: CrystalSource) -> bool:
    """Whether the crystal is a file that also says how it was measured."""
    return source.path is not None and not source.path.lower().endswith(".cif")


def inline(source: CrystalSource) -> cbed.Crystal:
    """The crystal of a cell and its sites."""
    sites = [
        cbed.Site(
            label if a.symbol is None else a.symbol,
            a.position,
            a.b_iso,
            a.occupancy,
            a.u_aniso,
            label,
        )
        for label, a in source.sites.items()
    ]
    assert source.cell is not None
    return cbed.Crystal.from_sites(
        source.cell, sites, space_group=source.space_group, setting=source.setting
    )


def rule(absorption: str | list[str | float]) -> Any:
    """The absorption of its name, or of its name and number.

    Raises:
        ConfigError: no such rule, or no number where one is needed.
    """
    place = "settings.absorption"
    if isinstance(absorption, str):
        if absorption in NUMBERED and absorption not in RULES:
            raise ConfigError(
                f"{place}: {absorption} needs its number, as [{absorption}, 1.0]"
            )
        need_known(place, absorption, (*RULES, *NUMBERED))
        return absorption
    kind, numbers = (absorption[0], absorption[1:]) if absorption else (None, [])
    need_known(place, kind, NUMBERED)
    if len(numbers) != 1 or isinstance(numbers[0], str):
        raise ConfigError(f"{place}: {absorption}; expected a name and one number")
    return NUMBERED[str(kind)](float(numbers[0]))


def frame_of(geometry: Geometry, usual: cbed.Frame | None) -> cbed.Frame:
    """Zone, x axis and surface, those left out from a `.dat` file."""

    def given(name: str, default: Any) -> Any:
        own = getattr(geometry, name)
        if own is not None:
            return own
        return default if usual is None else getattr(usual, name)

    zone, x_axis = given("zone", None), given("x_axis", None)
    return cbed.Frame(_whole(zone), _whole(x_axis), _whole(given("normal", "zone")))


def roi_of(roi: Roi, frame: cbed.Frame, rotation: float) -> cbed.ROI:
    """The regions and disks of a CBED image."""
    return cbed.ROI(
        [cbed.Region.from_rows(rows) for rows in roi.regions],
        roi.disks,
        frame.x_axis,
        rotation,
        roi.dp_center,
        pivot=roi.pivot,
        mask=roi.mask,
    )


def index_of(text: str) -> Hkl:
    """Indices of "1,-1,1", "1 -1 1" or "(1, -1, 1)".

    Raises:
        ConfigError: no three integers.
    """
    try:
        h, k, m = (int(w) for w in text.strip("()[] ").replace(",", " ").split())
    except ValueError:
        raise ConfigError(
            f"data.path: {text!r} is no reflection; expected {{'1,-1,1': file, ...}}"
        ) from None
    return h, k, m


def _whole(values: Any) -> Any:
    """Numbers as integers where they are whole, as files mean them."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return values
    return tuple(int(v) if v == round(v) else v for v in values)
