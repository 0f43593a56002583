"""`jaxscatter inspect`, `models`, `plot` and `info`: look without computing."""

import argparse
import importlib.metadata
import os
import pathlib
import secrets
from typing import Any

import h5py
import jax
import numpy as np

from .. import config, infer, qens, sas, xpcs
from .._version import __version__
from ..cbed import catalogue
from ..errors import DataError, FormatError
from ..infer.files import FORMAT
from ..infer.report import columns
from ..io import Curve, Image, nxspe, read_sas, read_spectra, spectra_format
from ..io.two_time_look import two_time_contents
from ..problem import ParameterSet
from .analysis import fit_figure
from .electron_files import (
    archive_lines,
    electron_lines,
    is_simulation,
    simulation_lines,
)
from .output import keep_compiled

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
KNOWN = (
    "NXSPE, LAMP HDF, Mantid NeXus, MDANSE, DAVE grp, INX, text columns of energies, "
    "two-time correlations (HDF5, npz), small-angle data (NXcanSAS, "
    "canSAS XML, NIST and other text), electron diffraction (DM3, DM4, .img, .bin, "
    ".npy, npz, CIF, .dat of Bloch-wave programs, their HDF5 simulations, .hkl), "
    "results (.h5) and job files (.yaml, .json)"
)
XPCS_MODELS = {
    "static_isotropic": "diffusion, J = D0 t^alpha + D_offset",
    "laminar_flow": "diffusion, and shear gamma_dot_t0 t^beta + gamma_dot_t_offset",
}
OPTIONAL = {
    "plot": ("matplotlib", "corner", "arviz"),
    "io": ("hdf5plugin", "msgspec", "pyyaml"),
    "chem": ("gemmi", "periodictable"),
}


def inspect(options: argparse.Namespace) -> int:
    """Print what a file holds and which reader understands it."""
    path = pathlib.Path(options.file)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected a file")
    with path.open("rb") as file:
        start = file.read(len(SIGNATURE))
    if start == SIGNATURE:
        if options.tree:
            print(nxspe.tree(path))
            return 0
        print("\n".join(_hdf5(path)))
        return 0
    if start.startswith(ZIP):
        lines = _two_time(path) or archive_lines(path)
        if lines is None:
            raise FormatError(f"{path}: not recognised; jaxscatter reads {KNOWN}")
        print("\n".join(lines))
        return 0
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        print("\n".join(_job(path)))
        return 0
    if path.suffix.lower() in (".nxspe", ".h5", ".hdf5", ".nxs"):
        raise FormatError(
            f"{path}: not HDF5, or damaged: its first bytes are {start!r}"
        )
    # first, since a .dat of a Bloch-wave program has lines of numbers too
    lines = electron_lines(path, start) or _text_spectra(path) or _small_angle(path)
    if lines is not None:
        print("\n".join(lines))
        return 0
    raise FormatError(f"{path}: not recognised; jaxscatter reads {KNOWN}")


def _job(path: pathlib.Path) -> list[str]:
    job = config.read(path)
    kind = f"job file of technique {job.technique}"
    if isinstance(job, config.HomodyneJob):
        kind = "configuration of homodyne"
    return [
        f"{path}: {kind}, model {job.model_name}",
        f"data     {job.data_path}; `jaxscatter validate {path}` opens it",
    ]


def _hdf5(path: pathlib.Path) -> list[str]:
    try:
        with h5py.File(path, "r") as file:
            ours = file.attrs.get("format") == FORMAT
            spectra = [k for k in file if f"{k}/data/data" in file]
            simulated = is_simulation(file)
    except (OSError, RuntimeError, KeyError) as error:
        raise FormatError(f"{path}: damaged HDF5 file ({error})") from error
    if ours:
        return _result(path)
    if spectra:
        return _nxspe(path)
    if simulated:
        return simulation_lines(path)
    if _of_spectra(path) is not None:
        return _spectra(path)
    lines = _two_time(path) or _small_angle(path)
    if lines is not None:
        return lines
    return [
        f"{path}: HDF5, but no format that jaxscatter reads ({KNOWN}); it holds",
        *nxspe.tree(path).splitlines()[1:],
    ]


def _result(path: pathlib.Path) -> list[str]:
    r = infer.load_result(path)
    made = r.provenance.get("created", "?")
    lines = [
        f"{path}: jaxscatter {r.kind}, by jaxscatter {r.provenance['jaxscatter']}, "
        f"made {made}; read by jaxscatter.load_result",
    ]
    for i, d in enumerate(r.data):
        shape = np.shape(d["y"]) if "y" in d else tuple(d["shape"])
        source = d.get("metadata", {}).get("sample", "")
        lines.append(
            f"data {i}   {' x '.join(map(str, shape))} points {source}".rstrip()
        )
    return [*lines, "", r.summary()]


def _nxspe(path: pathlib.Path) -> list[str]:
    f = nxspe.read(path)
    q = f.q[np.isfinite(f.q)]
    span = f"{q.min():.3f} to {q.max():.3f} 1/Å" if q.size else "unknown"
    masked = 1 - f.mask.mean()
    return [
        f"{path}: NXSPE, read by jaxscatter.qens.load",
        f"entry    {f.title}",
        f"Ei       {f.ei:.4g} meV",
        f"energies {f.energy.size} from {f.energy[0]:.4g} to {f.energy[-1]:.4g} meV",
        f"rows     {len(f.data)}, of which {np.count_nonzero(f.mask.any(1))} hold data",
        f"Q        {span}, from: {f.q_source}",
        f"masked   {masked:.1%} of the points (not finite, or error not > 0)",
    ]


def _of_spectra(path: pathlib.Path) -> str | None:
    """Format of a file of spectra, None where it is no such file."""
    try:
        return spectra_format(path)
    except FormatError:
        return None


def _text_spectra(path: pathlib.Path) -> list[str] | None:
    """What a text file of spectra holds, None where it is no such file.

    Columns without a negative first value may as well be Q: those are left to the
    readers of small-angle data.
    """
    found = _of_spectra(path)
    if found == "text columns":
        try:
            negative = read_spectra(path).energy[0] < 0
        except FormatError:
            negative = False
        return _spectra(path) if negative else None
    return None if found is None else _spectra(path)


def _spectra(path: pathlib.Path) -> list[str]:
    """Format, rows, ranges and assumptions of a file of spectra."""
    s = read_spectra(path)
    used = np.count_nonzero(s.mask.any(axis=1))
    if s.q is None:
        span = f"not in the file ({s.q_source}): pass q= or q_edges="
    else:
        span = f"{s.q.min():.3f} to {s.q.max():.3f} 1/Å, from: {s.q_source}"
    steps = np.diff(s.energy)
    lines = [
        f"{path}: {s.format}, read by jaxscatter.qens.load",
        f"entry    {s.title}".rstrip(),
        f"energies {s.energy.size} from {s.energy[0]:.4g} to {s.energy[-1]:.4g} meV, "
        f"steps of {steps.min():.3g}"
        + ("" if np.ptp(steps) < 1e-6 * steps[0] else f" to {steps.max():.3g}")
        + " meV",
        f"rows     {len(s.data)}, of which {used} hold data",
        f"Q        {span}",
        f"masked   {1 - s.mask.mean():.1%} of the points (not finite, or error not > "
        "0)",
    ]
    if s.ei is not None:
        lines.insert(2, f"Ei       {s.ei:.4g} meV")
    if s.temperature is not None:
        lines.insert(2, f"T        {s.temperature:.4g} K")
    return lines + [f"assumed  {sentence}" for sentence in s.said]


def _two_time(path: pathlib.Path) -> list[str] | None:
    c = two_time_contents(path)
    if c is None:
        return None
    q, phi = np.unique(c.q), np.unique(c.phi)
    low, high = c.frames
    sides = f"{high}" if low == high else f"{low} to {high}"
    dt = c.dt_note if c.dt is None else f"{c.dt:.6g} s"
    lines = [
        f"{path}: two-time correlations, layout {c.layout}, read by "
        "jaxscatter.xpcs.load",
        f"matrices {c.q.size} of {sides} frames",
        f"Q        {q.size} from {q[0]:.5g} to {q[-1]:.5g} 1/Å",
        f"phi      {phi.size} from {phi[0]:.5g} to {phi[-1]:.5g} degrees",
        f"dt       {dt}",
    ]
    if c.skipped:
        lines.append(f"skipped  {len(c.skipped)} matrices of invalid bins")
    return lines


def _small_angle(path: pathlib.Path) -> list[str] | None:
    """What a file of curves or images holds, None where it is no such file."""
    try:
        found = read_sas(path)
    except FormatError:
        return None
    first = found[0].metadata.get("format", "text")
    lines = [f"{path}: small-angle data ({first}), read by jaxscatter.sas.load"]
    for i, d in enumerate(found):
        lines += _of_one(i, d)
    if len(found) > 1:
        lines.append("choose one with entry=")
    return lines


def _of_one(i: int, d: Curve | Image) -> list[str]:
    """Title, range and columns of one data set."""
    title = ", ".join(t for t in (d.name, d.title, d.run) if t)
    errors = "no errors" if d.sigma is None else "errors"
    if isinstance(d, Image):
        shape = " x ".join(map(str, d.intensity.shape))
        q = np.hypot(d.qx, d.qy)
        what, smeared = f"image of {shape} pixels", d.dqx is not None
        kind = "resolution dqx, dqy" if smeared else "no resolution"
    else:
        q, what = d.q, f"{d.q.size} points"
        kind = "resolution dQ of a pinhole" if d.dq is not None else "no resolution"
        kind = "resolution of a slit" if d.q_length is not None else kind
    q = q[np.isfinite(q)]
    span = f"Q {q.min():.4g} to {q.max():.4g} 1/Å" if q.size else "no Q"
    return [
        f"entry {i}  {title}".rstrip(),
        f"         {what}, {span}, I in {d.intensity_unit}, {errors}, {kind}",
    ]


def models(options: argparse.Namespace) -> int:
    """Print the models of a technique with their parameter tables."""
    if options.technique is not None:
        config.need_technique(options.technique)
    if options.technique in (None, "qens"):
        for name, table in qens.models().items():
            forward = qens.get_model(name)
            extras = (forward.extras or {}).items()
            settings = ", ".join(f"{k} = {v}" for k, v in extras) or "none"
            _print_model("qens", name, forward.doc, table, f"settings: {settings}")
    if options.technique in (None, "xpcs"):
        for name, table in xpcs.models().items():
            note = "contrast and offset: one each per angle (scaling)"
            _print_model("xpcs", name, XPCS_MODELS[name], table, note)
    if options.technique in (None, "sas"):
        _print_sas()
    if options.technique in (None, "cbed"):
        _print_cbed()
    return 0


def _print_sas() -> None:
    """Models of small-angle scattering; limits, since bounds are the user's."""
    for name, table in sas.models().items():
        model = sas.load_model(name)
        text = (type(model).__doc__ or "").strip().splitlines()[0]
        print(f"sas  {name}: {text}")
        rows = [
            [
                row["name"],
                f"{row['default']:.4g}",
                f"[{row['lo']:.4g}, {row['hi']:.4g}]",
                row["unit"],
                row["type"],
            ]
            for row in table
        ]
        for line in columns(rows, ["parameter", "default", "limits", "unit", "type"]):
            print(f"      {line}")
        modes = getattr(model, "modes", ())
        listed = ", ".join(f"{i} {m}" for i, m in enumerate(modes, 1))
        print(f"      radius_effective_mode: {listed}\n" if listed else "")
    print("      and scale, background; A@S, A+B and A*B make models of models")


def _print_cbed() -> None:
    """Models of electron diffraction, whose parameters are the same."""
    every = catalogue.models()
    for name in every:
        print(f"cbed  {name}: {catalogue.DOCS[name]}")
    table = next(iter(every.values()))
    rows = [
        [
            row["name"],
            f"{row['bounds']} [{row['lo']:.4g}, {row['hi']:.4g}]".removeprefix(
                "absolute "
            ),
            row["unit"],
            "" if row["free"] else "fixed",
            row["when"],
            row["doc"],
        ]
        for row in table
    ]
    head = ["parameter", "bounds", "unit", "", "with", "meaning"]
    for line in columns(rows, head):
        print(f"      {line}")
    print("      scale: one for all disks; background: per disk, one, or none\n")


def _print_model(
    technique: str, name: str, text: str, table: ParameterSet, note: str
) -> None:
    print(f"{technique}  {name}: {text}")
    head = ["parameter", "start", "bounds", "unit"]
    rows = [
        [
            p.name,
            f"{float(p.value):.4g}",
            f"[{float(p.lo):.4g}, {float(p.hi):.4g}]",
            p.unit,
        ]
        for p in table
    ]
    for line in columns(rows, head):
        print(f"      {line}")
    print(f"      {note}\n")


def plot(options: argparse.Namespace) -> int:
    """Draw the figures of a stored result."""
    from .. import plot as figures

    path = pathlib.Path(options.result)
    result = infer.load_result(path)
    folder = pathlib.Path(options.output) if options.output else path.parent
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is a file; expected a folder")
    kinds: dict[str, tuple[str, dict[str, Any]]] = {"": ("result", {})}
    if result.kind == "fit":
        kinds = {"": fit_figure(result)}
    elif result.kind == "sample":
        fit = fit_figure(result)
        kinds = {"": ("corner", {}), "_trace": ("trace", {}), "_fit": fit}
    for tag, (kind, how) in kinds.items():
        target = folder / f"{path.stem}{tag}.png"
        partial = folder / f".{path.stem}{tag}.{secrets.token_hex(4)}.partial.png"
        try:
            figure = getattr(figures, kind)(result, **how)
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(partial, dpi=150)
            os.replace(partial, target)
        except DataError as error:
            print(f"no {target.name}: {error}")
            continue
        finally:
            partial.unlink(missing_ok=True)
        print(target)
    return 0


def info(options: argparse.Namespace) -> int:
    """Print versions, devices, precision and the cache folder."""
    from ..infer.provenance import provenance

    record = provenance()
    print(f"jaxscatter {__version__} ({pathlib.Path(__file__).parent.parent})")
    names = ("python", "jax", "jaxlib", "numpyro", "optax", "equinox", "numpy")
    print("core      " + ", ".join(f"{n} {record[n]}" for n in names))
    for extra, packages in OPTIONAL.items():
        print(f"{extra:9} " + ", ".join(f"{p} {_version(p)}" for p in packages))
    for device in jax.devices():
        print(f"device    {device.platform} {device.id}: {device.device_kind}")
    print(f"precision {record['precision']} (JAXSCATTER_X64=0 keeps float32)")
    print(f"cache     {keep_compiled()}")
    return 0


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
