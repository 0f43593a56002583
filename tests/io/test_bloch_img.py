"""Patterns as bare numbers: order of bytes, sizes, headers that promise too much."""

import random

import numpy as np
import pytest

from jaxscatter.errors import FormatError
from jaxscatter.io.bloch_img import read_felix, read_img, read_stack

PATTERN = np.random.default_rng(5).normal(size=(6, 4)).astype(np.float32)
STACK = np.random.default_rng(6).normal(size=(3, 4, 5))
HKL = np.array([[0, 0, 0], [1, -1, 1], [2, -2, 2]])


@pytest.fixture
def put(tmp_path):
    """Path of a file with these bytes."""

    def putter(raw, name="a.img"):
        path = tmp_path / name
        path.write_bytes(raw)
        return path

    return putter


def saved(path, array):
    np.save(path, array)
    return path


def test_img_is_big_endian_after_eight_bytes(put):
    path = put(b"12345678" + PATTERN.astype(">f4").tobytes())
    found = read_img(path, shape=(6, 4))
    np.testing.assert_array_equal(found, PATTERN)
    assert found.dtype == np.float32
    assert found.dtype.isnative


def test_img_is_1024_square_unless_said(put):
    raw = np.arange(1024**2, dtype=">f4").tobytes()
    found = read_img(put(bytes(8) + raw))
    assert found.shape == (1024, 1024)
    assert found[1, 0] == 1024
    with pytest.raises(FormatError, match=r"4194304 bytes; expected 4194312.*shape="):
        read_img(put(raw))


@pytest.mark.parametrize("shape", [(0, 4), (-6, -4)])
def test_shapes_without_a_pixel_are_refused(put, shape):
    with pytest.raises(FormatError, match="shape is"):
        read_img(put(bytes(8 + 96)), shape=shape)


def test_felix_is_little_endian_and_square(put):
    square = np.arange(25.0).reshape(5, 5)
    path = put(square.astype("<f8").tobytes())
    np.testing.assert_array_equal(read_felix(path), square)
    oblong = put(np.arange(6.0).astype("<f8").tobytes())
    rows = read_felix(oblong, shape=(2, 3)).tolist()
    assert rows == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    with pytest.raises(FormatError, match="48 bytes; expected 32, 2 x 2 of float64"):
        read_felix(oblong)
    with pytest.raises(FormatError, match="7 bytes"):
        read_felix(put(bytes(7)), shape=(1, 1))
    with pytest.raises(FormatError, match=r"shape is \(0, 0\)"):
        read_felix(put(bytes(7)))


def test_stack_comes_with_its_reflections(tmp_path):
    path = saved(tmp_path / "stack.npy", STACK.astype(">f4"))
    beside = saved(tmp_path / "g.npy", HKL.astype(float))
    stack, hkl = read_stack(path, beside)
    np.testing.assert_array_equal(stack, STACK.astype(np.float32))
    assert stack.dtype.isnative
    assert hkl is not None
    np.testing.assert_array_equal(hkl, HKL)
    assert hkl.dtype == np.int64
    stack[0, 0, 0] = 1.0  # a copy that may be changed


def test_one_pattern_is_a_stack_of_one(tmp_path):
    stack, hkl = read_stack(saved(tmp_path / "a.npy", PATTERN))
    assert stack.shape == (1, 6, 4)
    assert hkl is None


@pytest.mark.parametrize(
    ("stack", "hkl", "message"),
    [
        (np.ones(3), HKL, r"shape \(3,\); expected real numbers"),
        (np.ones((3, 0, 4)), HKL, r"shape \(3, 0, 4\)"),
        (STACK * 1j, HKL, "holds complex128; expected real numbers"),
        (STACK.astype(str), HKL, "holds <U"),
        (np.array([{}]), HKL, "expected a complete .npy file"),
        (STACK, HKL[:2], r"shape \(2, 3\); expected integers \(3, 3\)"),
        (STACK, HKL + 0.5, "not all integers"),
        (STACK, HKL * np.nan, "not all integers"),
        (STACK, HKL * 1e300, "not all integers"),
    ],
)
def test_arrays_of_other_kinds_are_refused(tmp_path, stack, hkl, message):
    paths = [saved(tmp_path / "a.npy", stack), saved(tmp_path / "g.npy", hkl)]
    with pytest.raises(FormatError, match=message):
        read_stack(*paths)


def test_header_that_promises_too_much_asks_for_no_memory(put):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 9999, 999)}"
    header = header.ljust(117) + b"\n"
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80)
    with pytest.raises(FormatError, match=r"expected a complete \.npy file"):
        read_stack(put(raw, "a.npy"))


def test_missing_files_and_other_files_are_refused(put, tmp_path):
    for reader in (read_img, read_felix, read_stack):
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / "none")
        with pytest.raises(IsADirectoryError):
            reader(tmp_path)
        with pytest.raises(FormatError, match="empty file"):
            reader(put(b""))
    with pytest.raises(FormatError, match=r"begins with b'PK.*expected a \.npy file"):
        read_stack(put(b"PK\3\4 an npz"))


@pytest.mark.filterwarnings("ignore:Reading .*npy:UserWarning")
def test_broken_copies_are_refused_or_read(tmp_path):
    """Bytes changed, cut out or put in: no other error than ours."""
    rng = random.Random(13)
    path = saved(tmp_path / "a.npy", STACK)
    good, outcomes = path.read_bytes(), set()
    for _ in range(400):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(140)
            match rng.randrange(3):
                case 0:
                    raw[at] = rng.randrange(256)
                case 1:
                    del raw[at : at + rng.randint(1, 30)]
                case _:
                    raw[at:at] = rng.choice([b"9999", b"(", b"'", b"\0", b"-", b"O"])
        path.write_bytes(raw)
        try:
            stack, _ = read_stack(path)
        except FormatError:
            outcomes.add("refused")
        else:
            assert stack.ndim == 3
            outcomes.add("read")
    assert outcomes == {"refused", "read"}
