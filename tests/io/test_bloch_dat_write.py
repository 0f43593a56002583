"""Input of Bloch-wave programs written: it is read back number by number."""

import dataclasses

import numpy as np
import pytest

from jaxscatter.io.bloch_dat import BlochInput, read_dat
from jaxscatter.io.bloch_dat_write import write_dat
from jaxscatter.io.crystal_record import CrystalRecord, isotropic_u

IDENTITY = (np.eye(3, dtype=np.int64)[None], np.zeros((1, 3)))


def crystal(**changes):
    values = {
        "cell": np.array([5.1, 5.2, 13.3, 90.1, 91.2, 119.7]),
        "labels": ("Nb1", "O#2"),
        "symbols": ("Nb", "O"),
        "positions": np.array([[0, 0, 0.1 + 0.2], [1 / 3, 2 / 3, -0.2297]]),
        "occupancies": np.array([0.95, 1.0]),
        "b_iso": np.array([0.278, 0.555]),
        "u_aniso": None,
        "rotations": IDENTITY[0],
        "translations": IDENTITY[1],
        "setting": 1,
        "name": "a niobate",
    }
    return CrystalRecord(**{**values, **changes})


def given(**changes):
    values = {
        "crystal": crystal(),
        "spg": (1, 1),
        "energy": 200.123,
        "zone": np.array([1.0, -1.0, 0.0]),
        "norm": np.array([1.0, -1.1, 0.0]),
        "kt": np.array([0.3, 0.3, -1e-17]),
        "xaxis": np.array([0.0, 0.0, -1.0]),
        "conv": 0.725,
        "samp": 84,
        "sgmin": 0.15,
        "omeg": 25.0,
        "abs": 0.5,
        "v0": 21.5,
        "hkl": np.array([[0, 0, 0], [0, 0, 6], [2, 2, -9]]),
        "sgmax": 3.5,
        "out": np.array([[0, 0, 0], [0, 0, 6]]),
        "adj_hkl": np.array([[0, 0, 6]]),
        "adj": np.array([[0.0471822, 12.5, 1e-12, -180.0]]),
    }
    return BlochInput(**{**values, **changes})


def same(a, b):
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if dataclasses.is_dataclass(x):
            same(x, y)
        elif isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y, err_msg=field.name)
        else:
            assert x == y, field.name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"crystal": crystal(occupancies=np.ones(2), name="")},
        {"v0": None, "sgmax": None, "adj": None, "adj_hkl": None},
        {"hkl": None, "sele": np.array([3.5, 2.5, 0.1, 0.0])},
        {"out": None, "aper": 1.25},
        {
            "crystal": crystal(
                b_iso=None, u_aniso=isotropic_u(crystal().cell, [0.3, 0.5])
            )
        },
    ],
)
def test_what_was_written_is_read_back_as_it_was(tmp_path, changes):
    path = write_dat(tmp_path / "a.dat", given(**changes))
    same(given(**changes), read_dat(path, IDENTITY))
    assert [p.name for p in tmp_path.iterdir()] == ["a.dat"]


def test_labels_that_do_not_name_their_element_are_replaced(tmp_path):
    made = given(crystal=crystal(labels=("site one", "OW1"), name="a: #b"))
    back = read_dat(write_dat(tmp_path / "a.dat", made), IDENTITY)
    assert back.crystal.labels == ("Nb#1", "O#2")
    assert back.crystal.name == "a b"


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_dat(tmp_path / "no" / "a.dat", given())
    assert not list(tmp_path.iterdir())
