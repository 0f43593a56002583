"""What files of electron diffraction hold, as lines for `jaxscatter inspect`."""

import pathlib
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError
from ..io import read_cif, read_dat, read_dm, read_hkl
from ..io.bloch_dat import BlochInput
from ..io.crystal_record import CrystalRecord, volume
from ..io.pattern import DM, NPY, bare_layouts, pattern_shapes, read_pattern

SIMULATION = "diffraction_parameters"
LOAD = "read by jaxscatter.cbed.load"


def electron_lines(path: pathlib.Path, start: bytes) -> list[str] | None:
    """What a file that is neither HDF5 nor npz holds; None where it is another kind.

    Args:
        path: the file.
        start: its first bytes.
    """
    if start[:4] in DM:
        return _dm(path)
    if start.startswith(NPY):
        return [f"{path}: patterns (.npy), {LOAD}", *_numbers(read_pattern(path))]
    if path.suffix.lower() == ".cif":
        return _cif(path)
    if path.suffix.lower() in (".img", ".bin"):
        return _bare(path)
    words = _first_words(path)
    if words is not None and words[0] in ("crystal", "crys"):
        return _dat(path)
    if words is not None and words[1] == "generated":
        return _hkl(path)
    return None


def archive_lines(path: pathlib.Path) -> list[str] | None:
    """What an npz file of patterns holds; None where there is none in it."""
    shapes = pattern_shapes(path)
    if not shapes:
        return None
    lines = [f"{path}: patterns (npz), {LOAD}"]
    lines += [f"entry    {name}: {_shape(shape)}" for name, shape in shapes.items()]
    return lines if len(shapes) == 1 else [*lines, "choose one with entry="]


def is_simulation(file: h5py.File) -> bool:
    """Whether an open HDF5 file is a Bloch-wave simulation."""
    return SIMULATION in file and "bigK" in file.attrs


def simulation_lines(path: pathlib.Path) -> list[str]:
    """What a Bloch-wave simulation in HDF5 holds; its waves are not read."""
    try:
        with h5py.File(path, "r") as opened:
            file: Any = opened
            hkl = np.asarray(file[f"{SIMULATION}/hklout"][()]).T.astype(int)
            numbers = {k: float(file.attrs[k]) for k in ("ntilt", "alpha", "bigK")}
            t = np.asarray(file["thickness"][()]) if "thickness" in file else None
            pairs = "tilt0" in file
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path}: incomplete file of a Bloch-wave simulation ({error})"
        ) from error
    shown = " ".join("(" + " ".join(map(str, g)) + ")" for g in hkl[:6].tolist())
    more = " ..." if len(hkl) > 6 else ""
    thickness = "not stored, only waves"
    if t is not None and t.size:
        thickness = f"{t.size} from {t.min():g} to {t.max():g} Å"
    return [
        f"{path}: Bloch-wave simulation, read by jaxscatter.io.read_simulation",
        f"tilts     {numbers['ntilt']:g}, K {numbers['bigK']:.5g} 1/Å, "
        f"alpha {numbers['alpha']:.4g}",
        f"beams     {len(hkl)}: {shown}{more}",
        f"thickness {thickness}",
        f"waves     eigenpairs are {'' if pairs else 'not '}stored",
    ]


def _first_words(path: pathlib.Path) -> tuple[str, str] | None:
    """First word that is no comment, and the second line; None where it is binary."""
    with path.open("rb") as file:
        raw = file.read(1 << 16)
    if b"\0" in raw:
        return None
    lines = raw.decode("utf-8-sig", errors="replace").splitlines()
    words = [line.split()[0] for line in lines if line.split()]
    first = next((w for w in words if not w.startswith("#")), "")
    second = lines[1].strip() if len(lines) > 1 else ""
    return first.lower(), second.lower()


def _shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return f"{shape[0]} x {shape[1]} pixels"
    return f"{shape[0]} images of {shape[1]} x {shape[2]} pixels"


def _numbers(pattern: np.ndarray) -> list[str]:
    """Size and range of a pattern."""
    good = pattern[np.isfinite(pattern)]
    span = f"{good.min():.5g} to {good.max():.5g}" if good.size else "nothing finite"
    lost = pattern.size - good.size
    return [
        f"image    {_shape(pattern.shape)}",
        f"values   {span}" + (f", {lost} not finite" if lost else ""),
    ]


def _dm(path: pathlib.Path) -> list[str]:
    image = read_dm(path)
    version = "DM4" if path.read_bytes()[3] == 4 else "DM3"
    lines = [f"{path}: DigitalMicrograph image ({version}), {LOAD}"]
    if image.data.dtype.kind in "fiu" and image.data.ndim in (2, 3):
        lines += _numbers(image.data)
    else:
        lines.append(f"image    {image.data.dtype} of shape {image.data.shape}")
    steps = [
        f"{s:.5g} {u}".strip() for s, u in zip(image.scale, image.units, strict=True)
    ]
    return [
        *lines,
        f"stored   as {image.data.dtype}",
        f"steps    {' x '.join(steps)}",
        f"tags     {len(image.tags)}",
    ]


def _bare(path: pathlib.Path) -> list[str] | None:
    """Bare numbers of the size of a square image."""
    found = bare_layouts(path)
    lines = [f"{path}: bare numbers, by their number {LOAD}"] if found else []
    for name, shape in found.items():
        reader = {"PyExtal": "read_img", "Felix": "read_felix"}[name]
        lines.append(
            f"image    {_shape(shape)} as {name} writes them (jaxscatter.io.{reader})"
        )
    return lines or None


def _cif(path: pathlib.Path) -> list[str]:
    return [
        f"{path}: crystal (CIF), read by jaxscatter.cbed.Crystal.from_cif",
        *_crystal(read_cif(path)),
    ]


def _crystal(c: CrystalRecord) -> list[str]:
    a, b, cc, *angles = c.cell.tolist()
    sites = ", ".join(
        f"{label} ({symbol})" if label != symbol else label
        for label, symbol in list(zip(c.labels, c.symbols, strict=True))[:8]
    )
    more = ", ..." if len(c.labels) > 8 else ""
    kind = "isotropic" if c.b_iso is not None else "anisotropic"
    group = c.space_group or "from operations"
    return [
        f"cell     {a:g} {b:g} {cc:g} Å, {' '.join(f'{x:g}' for x in angles)}°, "
        f"{volume(c.cell):.2f} Å³",
        f"group    {group}, {len(c.rotations)} operations",
        f"sites    {len(c.labels)}: {sites}{more}; displacements {kind}",
    ]


def _dat(path: pathlib.Path) -> list[str]:
    d = read_dat(path)
    lines = [
        f"{path}: input of a Bloch-wave program, read by "
        "jaxscatter.cbed.setup_from_dat",
        f"crystal  {d.crystal.name}".rstrip(),
        *_crystal(d.crystal),
        f"beam     {d.energy:g} keV, zone {_row(d.zone)}, K_t {_row(d.kt)}, "
        f"x axis {_row(d.xaxis)}",
        f"disk     conv {d.conv:g}, {d.samp} samples",
        f"beams    {_beams(d)}",
    ]
    if d.adj_hkl is not None:
        shown = ", ".join(_row(g) for g in d.adj_hkl[:6])
        more = ", ..." if len(d.adj_hkl) > 6 else ""
        lines.append(f"adjusted {len(d.adj_hkl)} structure factors: {shown}{more}")
    return lines


def _beams(d: BlochInput) -> str:
    if d.hkl is not None:
        return f"{len(d.hkl)} listed"
    sgmax, gmax, bmin, _ = np.asarray(d.sele).tolist()
    return f"selected by sgmax {sgmax:g}, gmax {gmax:g}, bmin {bmin:g}"


def _row(values: np.ndarray) -> str:
    return "(" + " ".join(f"{x:g}" for x in values) + ")"


def _hkl(path: pathlib.Path) -> list[str]:
    table = read_hkl(path)
    return [
        f"{path}: structure factors (VESTA), read by jaxscatter.io.read_hkl",
        f"title    {table.title}".rstrip(),
        f"rows     {len(table.hkl)} reflections, |Fo| up to {table.f_obs.max():.5g}",
        f"errors   {'given' if (table.sigma > 0).any() else 'all zero'}",
    ]
