"""HDF5 files of other programs: what is damaged is one clear error."""

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io._hdf5 import is_hdf5, numbers, opened, text


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/x"] = np.arange(3, dtype=np.int16)
        file["group/name"] = b"words"
        file["group"].create_dataset("huge", (10**9,), "f8", chunks=(1000,))
    return tmp_path / "a.h5"


def test_numbers_leave_as_floats(path):
    with opened(path, "numbers") as file:
        x = numbers(file["group"], "x", "numbers")
    assert x.dtype == np.float64
    np.testing.assert_array_equal(x, [0, 1, 2])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("y", "/group/y is not there; expected numbers"),
        ("name", "has type"),
        ("huge", r"shape \(1000000000,\), more than the file can hold"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(path, name, said):
    with pytest.raises(FormatError, match=said), opened(path, "numbers") as file:
        numbers(file["group"], name, "numbers")


def test_errors_inside_become_ours_and_ours_pass(path, tmp_path):
    with pytest.raises(FormatError, match=r"expected hats, complete HDF5"):
        with opened(path, "hats") as file:
            file["nothing"]
    with pytest.raises(DataError, match="mine"), opened(path, "hats"):
        raise DataError("mine")
    (tmp_path / "b").write_text("text")
    assert is_hdf5(path) and not is_hdf5(tmp_path / "b")
    with pytest.raises(FormatError, match="expected hats, complete HDF5"):
        with opened(tmp_path / "b", "hats"):
            pass


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (np.array([b"a b"]), "a b"),
        (np.bytes_(b"\xff"), "\ufffd"),
        ("é", "é"),
        (np.array([], "S1"), ""),
        (np.int32(1), "1"),
    ],
)
def test_text_of_any_kind_of_attribute(value, shown):
    assert text(value) == shown
