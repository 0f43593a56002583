"""Structure factors as text: the columns, reading back, and lines that are wrong."""

import random

import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io.hkl import read_hkl, write_hkl

HKL = np.array([[1, 1, 1], [2, -2, 0], [-10, 12, 100]])
FO = np.array([3.0 + 4.0j, -2.5, 1e-5])
FC = np.array([5.2 - 1.5j, 2.6, 1.25e-5j])
SIGMA = [0.1, 0.0, 2e-6]

PEER = """pyextal
Generated
h     k     l       |Fo|         |Fc|         Fc(real)     Fc(imag)     sigma(F)
1     1     1       59.12345     58.99999     58.99999     0.00000      0.00000
2     2     0       67.50000     67.40000     -67.40000    0.10000      0.00000
"""


@pytest.fixture
def read(tmp_path):
    """Read a text as a file of structure factors."""

    def reader(text):
        path = tmp_path / "a.hkl"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_hkl(path)

    return reader


def test_lines_are_title_generated_names_and_reflections(tmp_path):
    path = write_hkl(tmp_path / "a.hkl", HKL, FO, FC, SIGMA, title="Si\n 111")
    lines = path.read_text().splitlines()
    assert lines[:2] == ["Si 111", "Generated"]
    assert lines[2].split() == [
        "h", "k", "l", "|Fo|", "|Fc|", "Fc(re)", "Fc(im)", "sigma",
    ]  # fmt: skip
    first = [float(word) for word in lines[3].split()]
    modulus = float(np.hypot(5.2, 1.5))
    np.testing.assert_allclose(first, [1, 1, 1, 5, modulus, 5.2, -1.5, 0.1], rtol=1e-6)
    assert len(lines) == 6
    assert [p.name for p in tmp_path.iterdir()] == ["a.hkl"]


def test_what_was_written_is_read_back(tmp_path):
    found = read_hkl(write_hkl(tmp_path / "a.hkl", HKL, FO, FC, SIGMA))
    np.testing.assert_array_equal(found.hkl, HKL)
    np.testing.assert_allclose(found.f_obs, np.abs(FO), rtol=1e-6)
    np.testing.assert_allclose(found.f_calc, FC, rtol=1e-6)
    np.testing.assert_allclose(found.sigma, SIGMA, rtol=1e-6)
    assert found.title == "jaxscatter"
    no_error = read_hkl(write_hkl(tmp_path / "b.hkl", HKL, FO, FC, title=""))
    np.testing.assert_array_equal(no_error.sigma, 0)


def test_columns_of_the_peer_are_read(read):
    found = read(PEER)
    assert found.title == "pyextal"
    np.testing.assert_array_equal(found.hkl, [[1, 1, 1], [2, 2, 0]])
    np.testing.assert_array_equal(found.f_obs, [59.12345, 67.5])
    np.testing.assert_array_equal(found.f_calc, [58.99999, -67.4 + 0.1j])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hkl": HKL + 0.5}, r"hkl is float64 of shape \(3, 3\); expected integers"),
        ({"hkl": HKL[:, :2]}, r"shape \(3, 2\)"),
        ({"hkl": HKL[:0]}, r"shape \(0, 3\)"),
        ({"hkl": HKL[[0, 0, 1]]}, "some of them twice"),
        ({"f_obs": FO[:2]}, r"f_obs has shape \(2,\); expected \(3,\)"),
        ({"f_calc": FC * np.nan}, "f_calc .* of finite values"),
        ({"sigma": [0, 0, -1.0]}, "sigma is -1 somewhere"),
        ({"sigma": [0, 0]}, r"sigma has shape \(2,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes, message):
    given = {"hkl": HKL, "f_obs": FO, "f_calc": FC, "sigma": SIGMA, **changes}
    with pytest.raises(DataError, match=message):
        write_hkl(tmp_path / "a.hkl", **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Generated", "Made", "begins with the lines .*expected a title, 'Generated'"),
        ("h     k", "k     h", "column names"),
        ("59.12345", "abc", "line 4: could not convert string to float: 'abc'"),
        ("59.12345", "nan", "line 4: .*expected 8 finite numbers"),
        ("59.12345", "", "line 4: .*expected 8 finite numbers"),
        ("2     2     0 ", "2     2     0.5 ", "line 5: .*expected integers h k l"),
        ("2     2     0 ", "1e300 2     0 ", "line 5: .*expected integers h k l"),
        ("2     2     0 ", "1     1     1 ", "reflections occur twice"),
    ],
)
def test_the_wrong_line_is_named(read, old, new, message):
    assert PEER.count(old) == 1
    with pytest.raises(FormatError, match=message):
        read(PEER.replace(old, new))


def test_files_without_a_reflection_are_refused(read, tmp_path):
    with pytest.raises(FormatError, match="no reflection after line 3"):
        read("\n".join(PEER.splitlines()[:3]))
    with pytest.raises(FormatError, match="binary"):
        read(b"a\0b")
    with pytest.raises(FormatError, match="empty file"):
        read("")
    with pytest.raises(FileNotFoundError):
        read_hkl(tmp_path / "none.hkl")


def test_broken_copies_are_refused_or_read(read):
    """Bytes changed, cut out or put in: no other error than ours."""
    rng = random.Random(17)
    outcomes = set()
    for _ in range(400):
        raw = bytearray(PEER.encode())
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(raw))
            match rng.randrange(3):
                case 0:
                    raw[at] = rng.randrange(256)
                case 1:
                    del raw[at : at + rng.randint(1, 30)]
                case _:
                    raw[at:at] = rng.choice([b"9", b"-", b"\n", b" ", b"e999", b"_"])
        try:
            found = read(bytes(raw))
        except FormatError:
            outcomes.add("refused")
        else:
            assert len(found.hkl) == len(found.f_obs)
            outcomes.add("read")
    assert outcomes == {"refused", "read"}
