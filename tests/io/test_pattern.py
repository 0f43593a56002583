"""Patterns of every format, told apart by what the files hold."""

import pathlib

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io.dm import read_dm
from jaxscatter.io.pattern import bare_layouts, pattern_shapes, read_pattern

DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
PATTERN = np.arange(12.0).reshape(3, 4)


def test_a_measured_dm3_image_is_read_by_its_first_bytes(tmp_path):
    source = DATA / "LiNbO3_+0+0+0.dm3"
    renamed = tmp_path / "image.dat"
    renamed.write_bytes(source.read_bytes())
    found = read_pattern(renamed)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, read_dm(source).data)


def test_arrays_of_numpy_and_hdf5_are_read_by_name_where_there_are_several(tmp_path):
    np.save(tmp_path / "a.npy", PATTERN.astype(np.float32))
    np.testing.assert_array_equal(read_pattern(tmp_path / "a.npy"), PATTERN)
    np.save(tmp_path / "b.npy", np.stack([PATTERN, PATTERN]))
    assert read_pattern(tmp_path / "b.npy").shape == (2, 3, 4)
    np.savez(tmp_path / "c.npz", dp=PATTERN, other=np.arange(3))
    np.testing.assert_array_equal(read_pattern(tmp_path / "c.npz"), PATTERN)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["group/dp"], file["mask"] = PATTERN, PATTERN > 3
        file["other"] = PATTERN[:2].astype(int)
        file["name"] = "text"
    found = pattern_shapes(tmp_path / "d.h5")
    assert found == {"group/dp": (3, 4), "other": (2, 4)}
    got = read_pattern(tmp_path / "d.h5", entry="group/dp")
    np.testing.assert_array_equal(got, PATTERN)
    for entry in (None, "mask"):
        with pytest.raises(DataError, match=r"d.h5: .*choose one with entry="):
            read_pattern(tmp_path / "d.h5", entry=entry)


def test_bare_numbers_are_told_by_their_size(tmp_path):
    square = np.arange(25.0).reshape(5, 5)
    head = tmp_path / "a.img"
    head.write_bytes(bytes(8) + square.astype(">f4").tobytes())
    bare = tmp_path / "b.bin"
    bare.write_bytes(square.astype("<f8").tobytes())
    assert bare_layouts(head) == {"PyExtal": (5, 5)}
    assert bare_layouts(bare) == {"Felix": (5, 5)}
    for path in (head, bare):
        np.testing.assert_array_equal(read_pattern(path), square)
    bare.write_bytes(PATTERN.astype("<f8").tobytes())
    head.write_bytes(bytes(8) + PATTERN.astype(">f4").tobytes())
    for path in (head, bare):
        np.testing.assert_array_equal(read_pattern(path, shape=(3, 4)), PATTERN)
        with pytest.raises(FormatError, match="not square: shape="):
            read_pattern(path)
    # 8 + 4·4² bytes are as many as 8·3²
    head.write_bytes(bytes(72))
    with pytest.raises(FormatError, match=r"72 bytes fit \['PyExtal', 'Felix'\]"):
        read_pattern(head)
    assert read_pattern(head, shape=(4, 4)).shape == (4, 4)


def test_files_that_hold_no_pattern_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(FormatError, match="expected a pattern in DM3"):
        read_pattern(tmp_path / "a.txt")
    np.save(tmp_path / "b.npy", PATTERN + 1j)
    with pytest.raises(FormatError, match="expected real numbers"):
        read_pattern(tmp_path / "b.npy")
    np.savez(tmp_path / "c.npz", x=np.arange(3))
    with pytest.raises(DataError, match="expected one of 2 or 3 axes"):
        read_pattern(tmp_path / "c.npz")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.create_dataset("dp", (10**6, 10**6), "f8", chunks=(100, 100))
    with pytest.raises(FormatError, match="larger than the file can hold"):
        read_pattern(tmp_path / "d.h5")
    whole = (tmp_path / "c.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="complete"):
        read_pattern(tmp_path / "c.npz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_pattern(tmp_path / "no.npy")
