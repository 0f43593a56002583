"""Bloch-wave simulations in HDF5: tilts, eigenpairs and intensities of one crystal.

Layout, as PyExtal stores it: attributes ntilt, nout, nx, disks, alpha, bigK; the group
diffraction_parameters with hklout (3, nout), gmxr (3, 3), tilt0, gg, gh and snorm (3,);
and a group tilt0, tilt1, ... for each tilt with eigenvalue (nd,), eigenvector (nout,
nd), cinv (nd,) and tilt (3,), where nd may differ between tilts. Ours adds kt (ntilt,
3), thickness (nthick,) and intensity (ntilt, nthick, nout); the groups of the tilts are
left out where there are no eigenpairs.

Units: thickness Å, bigK 1/Å, gmxr 1/Å²; kt, tilt0, gg and gh in axes of the reciprocal
lattice; disks in lengths of gg. Eigenvalues, snorm and alpha are kept as stored.

References:
    [1] PyExtal, github.com/swampni/PyExtal.
"""

import os
import pathlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import h5py
import numpy as np

from ..errors import DataError, FormatError
from ._existing import existing_file
from .two_time_write import whole

_BROKEN_HDF5 = (OSError, RuntimeError, KeyError, TypeError, ValueError)
_GROUP = "diffraction_parameters"
_VECTORS = ("tilt0", "gg", "gh", "snorm")
_MOST_PACKED = 2000
_SMALL = 1 << 20


class Eigenpairs(NamedTuple):
    """Eigenvalues (nd,), rows of eigenvectors (nout, nd), first column of C⁻¹ (nd,)."""

    eigenvalue: np.ndarray
    eigenvector: np.ndarray
    cinv: np.ndarray


@dataclass(frozen=True, eq=False)
class BlochSimulation:
    """What a simulation file holds, under its names.

    `hkl` (nout, 3) is its hklout, `kt` (tilt, 3) the tilts. `intensity` (tilt,
    thickness, nout) comes with `thickness`; `eigenpairs` has one entry a tilt.
    """

    hkl: np.ndarray
    kt: np.ndarray
    gmxr: np.ndarray
    tilt0: np.ndarray
    gg: np.ndarray
    gh: np.ndarray
    snorm: np.ndarray
    nx: int
    disks: float
    alpha: float
    bigK: float
    thickness: np.ndarray | None = None
    intensity: np.ndarray | None = None
    eigenpairs: tuple[Eigenpairs, ...] | None = None

    def __post_init__(self):
        n, m = len(self.hkl), len(self.kt)
        shapes: dict[str, tuple[int, ...]] = {
            "hkl": (n, 3), "kt": (m, 3), "gmxr": (3, 3), **dict.fromkeys(_VECTORS, (3,))
        }  # fmt: skip
        if (self.thickness is None) != (self.intensity is None):
            raise DataError("expected both of thickness and intensity, or neither")
        if self.thickness is not None:
            shapes["thickness"] = (self.thickness.size,)
            shapes["intensity"] = (m, self.thickness.size, n)
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise DataError(f"{name} has shape {found}; expected {shape}")
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"{name} is not finite everywhere; expected numbers")
        for name in ("nx", "disks", "alpha", "bigK"):
            if not np.isfinite(getattr(self, name)):
                raise DataError(f"{name} is {getattr(self, name)}; expected a number")
        if self.eigenpairs is None:
            return
        if len(self.eigenpairs) != m:
            raise DataError(f"{len(self.eigenpairs)} sets of eigenpairs; expected {m}")
        for i, pair in enumerate(self.eigenpairs):
            nd = pair.eigenvalue.size
            wanted = ((nd,), (n, nd), (nd,))
            if tuple(a.shape for a in pair) != wanted:
                raise DataError(
                    f"eigenpairs {i} have shapes {[a.shape for a in pair]}; expected "
                    f"{[*wanted]}"
                )


def write_simulation(
    path: str | os.PathLike[str], simulation: BlochSimulation
) -> pathlib.Path:
    """Path of the HDF5 file written, complete or not at all."""
    s = simulation
    with whole(path) as unfinished, h5py.File(unfinished, "w") as file:
        file.attrs["ntilt"], file.attrs["nout"] = len(s.kt), len(s.hkl)
        for name in ("nx", "disks", "alpha", "bigK"):
            file.attrs[name] = getattr(s, name)
        group = file.create_group(_GROUP)
        group["hklout"] = np.asarray(s.hkl).T
        for name in ("gmxr", *_VECTORS):
            group[name] = getattr(s, name)
        file["kt"] = s.kt
        if s.thickness is not None and s.intensity is not None:
            file["thickness"] = s.thickness
            file["thickness"].attrs["units"] = "Å"
            file.create_dataset(
                "intensity", data=s.intensity, compression="gzip", shuffle=True
            )
        for i, pair in enumerate(s.eigenpairs or ()):
            tilt = file.create_group(f"tilt{i}")
            for name, value in pair._asdict().items():
                tilt[name] = value
            tilt["tilt"] = s.kt[i]
    return pathlib.Path(path)


def read_simulation(path: str | os.PathLike[str]) -> BlochSimulation:
    """The simulation of an HDF5 file of this layout, PyExtal's included.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: not a complete file of this layout.
    """
    path = existing_file(path, "an HDF5 file of a Bloch-wave simulation")
    limit = _MOST_PACKED * path.stat().st_size + _SMALL
    try:
        with h5py.File(path, "r") as file:
            return _simulation(path, file, limit)
    except FormatError:
        raise
    except DataError as error:
        raise FormatError(f"{path}: {error}") from error
    except _BROKEN_HDF5 as error:
        raise FormatError(
            f"{path}: expected a complete HDF5 file of a simulation ({error})"
        ) from error


def _simulation(path: pathlib.Path, file: Any, limit: int) -> BlochSimulation:
    missing = [a for a in ("ntilt", "nout", "nx", "disks", "alpha", "bigK")
               if a not in file.attrs]  # fmt: skip
    if missing or _GROUP not in file:
        raise FormatError(
            f"{path}: no simulation, it lacks {missing or _GROUP}; expected the "
            f"attributes ntilt, nout, nx, disks, alpha, bigK and the group {_GROUP}"
        )
    ntilt, nout, nx = (_integer(path, file, a) for a in ("ntilt", "nout", "nx"))

    def array(name: str, kind: str = "fiu") -> np.ndarray:
        return _array(path, file, name, kind, limit)

    hkl = array(f"{_GROUP}/hklout").T
    if hkl.shape != (nout, 3) or (hkl != np.rint(hkl)).any():
        raise FormatError(
            f"{path}: hklout has shape {hkl.T.shape}; expected integers (3, {nout})"
        )
    present = [f"tilt{i}" in file for i in range(min(ntilt, len(file)))]
    stored = len(present) == ntilt and all(present) and ntilt > 0
    if any(present) and not stored:
        raise FormatError(
            f"{path}: {sum(present)} groups tilt0, tilt1, ...; expected {ntilt}"
        )
    if "kt" not in file and not stored:
        raise FormatError(f"{path}: no tilts; expected kt or {ntilt} groups tilt0, ...")
    kt = (
        array("kt")
        if "kt" in file
        else np.array([array(f"tilt{i}/tilt") for i in range(ntilt)])
    )
    if len(kt) != ntilt:
        raise FormatError(f"{path}: {len(kt)} tilts; expected {ntilt}")
    pairs = None
    if stored:
        names = Eigenpairs._fields
        pairs = tuple(
            Eigenpairs(*(array(f"tilt{i}/{name}", "fiuc") for name in names))
            for i in range(ntilt)
        )
    return BlochSimulation(
        hkl=hkl.astype(np.int64),
        kt=kt,
        gmxr=array(f"{_GROUP}/gmxr"),
        **{name: array(f"{_GROUP}/{name}") for name in _VECTORS},
        nx=nx,
        disks=_float(path, file, "disks"),
        alpha=_float(path, file, "alpha"),
        bigK=_float(path, file, "bigK"),
        thickness=array("thickness") if "thickness" in file else None,
        intensity=array("intensity") if "intensity" in file else None,
        eigenpairs=pairs,
    )


def _array(
    path: pathlib.Path, file: Any, name: str, kinds: str, limit: int
) -> np.ndarray:
    """A dataset of numbers; one that the file cannot hold is refused unread."""
    node = file[name]
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in kinds:
        raise FormatError(f"{path}: {name} is no array of numbers; expected one")
    if node.size is None or node.size * node.dtype.itemsize > limit:
        raise FormatError(
            f"{path}: {name} of shape {node.shape} is larger than the file can hold"
        )
    value = np.asarray(node[()])
    wide = np.complex128 if value.dtype.kind == "c" else np.float64
    return value.astype(wide)


def _float(path: pathlib.Path, file: Any, name: str) -> float:
    value = np.asarray(file.attrs[name])
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise FormatError(f"{path}: attribute {name} is {value!r}; expected a number")
    return float(value.ravel()[0])


def _integer(path: pathlib.Path, file: Any, name: str) -> int:
    value = _float(path, file, name)
    if not value.is_integer() or not 0 <= value < 2**31:
        raise FormatError(f"{path}: attribute {name} is {value}; expected an integer")
    return int(value)
