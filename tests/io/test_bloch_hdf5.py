"""Bloch-wave simulations in HDF5: layout, reading back, and files that are none."""

import dataclasses
import random
from typing import Any

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io.bloch_hdf5 import (
    BlochSimulation,
    Eigenpairs,
    read_simulation,
    write_simulation,
)

RNG = np.random.default_rng(8)


def pair(nd):
    vectors = RNG.normal(size=(4, nd)) + 1j * RNG.normal(size=(4, nd))
    return Eigenpairs(RNG.normal(size=nd) + 1e-3j, vectors, vectors[0].conj())


def simulation(**changes):
    values = {
        "hkl": np.array([[0, 0, 0], [1, -1, -1], [-1, 1, 1], [2, -2, -2]]),
        "kt": RNG.normal(size=(3, 3)),
        "gmxr": np.eye(3) / 5.43**2,
        "tilt0": np.array([12.0, -12.0, 26.4]),
        "gg": np.array([1.0, -1.0, -1.0]),
        "gh": np.array([0.5, -0.5, 1.0]),
        "snorm": np.array([0.7, 0.7, 0.0]),
        "nx": 60,
        "disks": 0.7,
        "alpha": 0.0123,
        "bigK": 36.5,
        "thickness": np.array([500.0, 1000.0]),
        "intensity": RNG.uniform(size=(3, 2, 4)),
        "eigenpairs": (pair(6), pair(7), pair(6)),
    }
    return BlochSimulation(**{**values, **changes})


def same(a, b):
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if field.name == "eigenpairs" and x is not None:
            assert len(x) == len(y)
            for one, other in zip(x, y, strict=True):
                for u, v in zip(one, other, strict=True):
                    np.testing.assert_array_equal(u, v)
        elif isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y, err_msg=field.name)
        else:
            assert x == y, field.name


@pytest.mark.parametrize(
    "left_out",
    [(), ("eigenpairs",), ("thickness", "intensity"),
     ("thickness", "intensity", "eigenpairs")],
)  # fmt: skip
def test_what_was_written_is_read_back(tmp_path, left_out):
    made = simulation(**dict.fromkeys(left_out))
    path = write_simulation(tmp_path / "s.h5", made)
    same(made, read_simulation(path))
    assert [p.name for p in tmp_path.iterdir()] == ["s.h5"]


def test_layout_is_that_of_the_peer(tmp_path):
    made = simulation()
    with h5py.File(write_simulation(tmp_path / "s.h5", made)) as opened:
        file: Any = opened
        assert dict(file.attrs) == {
            "ntilt": 3, "nout": 4, "nx": 60, "disks": 0.7, "alpha": 0.0123,
            "bigK": 36.5,
        }  # fmt: skip
        group = file["diffraction_parameters"]
        assert sorted(group) == ["gg", "gh", "gmxr", "hklout", "snorm", "tilt0"]
        np.testing.assert_array_equal(group["hklout"][:, 1], [1, -1, -1])
        assert sorted(file["tilt1"]) == ["cinv", "eigenvalue", "eigenvector", "tilt"]
        assert file["tilt1/eigenvector"].shape == (4, 7)
        np.testing.assert_array_equal(file["tilt1/tilt"][()], made.kt[1])
        assert file["intensity"].shape == (3, 2, 4)


def test_file_without_our_additions_is_read_in_its_precision(tmp_path):
    """The peer stores single precision, tilts in the groups only, 1 x 1 attributes."""
    made = simulation(thickness=None, intensity=None)
    path = write_simulation(tmp_path / "s.h5", made)
    with h5py.File(path, "r+") as file:
        del file["kt"]
        for i, tilt in enumerate(made.kt):
            del file[f"tilt{i}/tilt"]
            file[f"tilt{i}/tilt"] = tilt.astype(np.float32)
        file.attrs["bigK"] = np.array([[36.5]], np.float32)
    found = read_simulation(path)
    np.testing.assert_array_equal(found.kt, made.kt.astype(np.float32))
    assert found.kt.dtype == np.float64
    assert found.bigK == 36.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thickness": None}, "both of thickness and intensity"),
        ({"kt": np.ones((3, 2))}, r"kt has shape \(3, 2\); expected \(3, 3\)"),
        ({"intensity": np.ones((3, 4, 2))}, r"expected \(3, 2, 4\)"),
        ({"tilt0": np.array([0.0, np.nan, 0])}, "tilt0 is not finite"),
        ({"alpha": np.inf}, "alpha is inf"),
        ({"eigenpairs": (pair(6),)}, "1 sets of eigenpairs; expected 3"),
        (
            {"eigenpairs": (pair(6), pair(6), pair(6)._replace(cinv=np.ones(5)))},
            "eigenpairs 2 have shapes",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        simulation(**changes)


def remove(name):
    return lambda file: file.__delitem__(name)


def replace(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.__delitem__("bigK"), r"lacks \['bigK'\]"),
        (remove("diffraction_parameters"), "lacks diffraction_parameters"),
        (remove("diffraction_parameters/gg"), "expected a complete HDF5 file"),
        (attribute("ntilt", 4), r"3 groups tilt0, tilt1, ...; expected 4"),
        (attribute("ntilt", 2.5), "ntilt is 2.5; expected an integer"),
        (attribute("ntilt", -1), "ntilt is -1.0; expected an integer"),
        (attribute("ntilt", 2**40), "ntilt is 1099511627776.0"),
        (attribute("nout", 5), r"hklout has shape \(3, 4\); expected integers \(3, 5"),
        (attribute("nx", "many"), "attribute nx"),
        (attribute("disks", [1.0, 2.0]), "attribute disks"),
        (attribute("alpha", np.nan), "alpha is nan"),
        (remove("tilt1"), "2 groups tilt0"),
        (remove("tilt1/cinv"), "expected a complete HDF5 file"),
        (replace("tilt1/cinv", np.ones(3)), "eigenpairs 1 have shapes"),
        (replace("tilt1/cinv", b"text"), "tilt1/cinv is no array of numbers"),
        (replace("kt", np.ones((2, 3))), "2 tilts; expected 3"),
        (replace("kt", np.full((3, 3), np.nan)), "kt is not finite"),
        (replace("thickness", np.ones(3)), "intensity has shape"),
        (remove("thickness"), "both of thickness and intensity"),
    ],
)
def test_incomplete_files_say_what_is_wrong(tmp_path, change, message):
    path = write_simulation(tmp_path / "s.h5", simulation())
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=message) as caught:
        read_simulation(path)
    assert str(path) in str(caught.value)


def test_neither_kt_nor_tilts_is_said(tmp_path):
    path = write_simulation(tmp_path / "s.h5", simulation(eigenpairs=None))
    with h5py.File(path, "r+") as file:
        del file["kt"]
    with pytest.raises(FormatError, match="no tilts; expected kt or 3 groups"):
        read_simulation(path)


def test_dataset_that_no_file_could_hold_is_not_read(tmp_path):
    path = write_simulation(tmp_path / "s.h5", simulation())
    with h5py.File(path, "r+") as file:
        del file["intensity"]
        file.create_dataset("intensity", (10**6, 10**5, 4), "f8", chunks=(1, 1, 4))
    with pytest.raises(FormatError, match="larger than the file can hold"):
        read_simulation(path)


def test_paths_that_hold_no_hdf5_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected an HDF5 file"):
        read_simulation(tmp_path / "none.h5")
    with pytest.raises(IsADirectoryError):
        read_simulation(tmp_path)
    path = write_simulation(tmp_path / "s.h5", simulation())
    raw = path.read_bytes()
    for size in (1, 100, len(raw) // 2):
        path.write_bytes(raw[:size])
        with pytest.raises(FormatError, match="expected a complete HDF5"):
            read_simulation(path)


def test_broken_copies_are_refused_or_read(tmp_path):
    """Bytes changed, mostly of the structure: no other error than ours."""
    rng = random.Random(19)
    path = write_simulation(tmp_path / "s.h5", simulation())
    good, outcomes = path.read_bytes(), set()
    for _ in range(200):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            raw[rng.randrange(len(raw))] = rng.choice([0, 1, 255, rng.randrange(256)])
        path.write_bytes(raw)
        try:
            found = read_simulation(path)
        except FormatError:
            outcomes.add("refused")
        else:
            assert isinstance(found, BlochSimulation)
            outcomes.add("read")
    assert outcomes == {"refused", "read"}
