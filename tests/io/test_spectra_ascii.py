"""Text columns of spectra: measured IRIS lines, blocks, files, and refusals."""

import pathlib

import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import read_spectra_ascii

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "qens"
ONE = "-1 5 0.5\n0 9 0.9\n1 4 0.4\n"
TWO = "-1 6 0.6\n0 8 0.8\n1 3 -1\n"


def written(tmp_path, content, name="a.txt"):
    path = tmp_path / name
    path.write_text(content)
    return path


@pytest.mark.parametrize("name", ["data_2lorentzians.dat", "irf_iris.dat"])
def test_measured_columns_equal_what_numpy_reads(name):
    table = np.loadtxt(FOLDER / name)
    s = read_spectra_ascii(FOLDER / name)
    np.testing.assert_array_equal(s.energy, table[:, 0])
    np.testing.assert_array_equal(s.data, table[None, :, 1])
    np.testing.assert_array_equal(s.error, table[None, :, 2])
    assert (s.format, s.q, s.q_source) == (
        "text columns", None, "text columns have none",
    )  # fmt: skip
    assert "meV was assumed" in s.said[0]


@pytest.mark.parametrize(
    "content",
    [
        ONE + "\n" + TWO,
        ONE + "\n\n" + TWO + "\n\n",
        "# X , Y , E\n1\n" + ONE.replace(" ", ",") + "2\n" + TWO.replace(" ", " , "),
        "energy S error\r\n" + (ONE + "\n" + TWO).replace("\n", "\r\n"),
        "\ufeff% a comment\n" + ONE.replace("0.5", "5.0D-01") + "\n" + TWO,
    ],
)
def test_blocks_are_rows(tmp_path, content):
    s = read_spectra_ascii(written(tmp_path, content), q=[1.0, 2.0])
    np.testing.assert_array_equal(s.energy, [-1, 0, 1])
    np.testing.assert_array_equal(s.data, [[5, 9, 4], [6, 8, 3]])
    np.testing.assert_array_equal(s.error, [[0.5, 0.9, 0.4], [0.6, 0.8, -1]])
    np.testing.assert_array_equal(s.mask, [[True] * 3, [True, True, False]])


def test_several_files_are_rows(tmp_path):
    paths = [written(tmp_path, ONE), written(tmp_path, TWO, "b.txt")]
    s = read_spectra_ascii(paths, q=[1.0, 2.0])
    np.testing.assert_array_equal(s.data, [[5, 9, 4], [6, 8, 3]])
    with pytest.raises(DataError, match=r"path=\[\]"):
        read_spectra_ascii([])
    short = written(tmp_path, "0 1 1\n1 1 1\n2 1 1\n", "c.txt")
    with pytest.raises(FormatError, match=r"a\.txt.*c\.txt: the energies of spectr"):
        read_spectra_ascii([paths[0], short])


def test_a_missing_third_column_is_said(tmp_path):
    s = read_spectra_ascii(written(tmp_path, "-1 5\n0 9\n1 nan\n"))
    assert s.error is None
    assert "no errors" in s.said[-1]
    np.testing.assert_array_equal(s.mask, [[True, True, False]])
    both = [written(tmp_path, ONE, "b.txt"), tmp_path / "a.txt"]
    with pytest.raises(FormatError, match="with and without errors"):
        read_spectra_ascii(both)


def test_a_unit_in_a_comment_is_the_files(tmp_path):
    path = written(tmp_path, "# energy (ueV) I dI\n" + ONE)
    np.testing.assert_allclose(read_spectra_ascii(path).energy, [-1e-3, 0, 1e-3])
    with pytest.raises(DataError, match="states 'ueV'"):
        read_spectra_ascii(path, energy_unit="meV")
    other = written(tmp_path, "# energy (meV) I dI\n" + ONE, "b.txt")
    with pytest.raises(FormatError, match=r"energies in \['meV', 'ueV'\]"):
        read_spectra_ascii([path, other])
    wrong = written(tmp_path, "# Wavelength (A)\n" + ONE, "c.txt")
    with pytest.raises(FormatError, match="comments name 'Wavelength'"):
        read_spectra_ascii(wrong)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1 2 3 4\n" * 3, "line 1: 4 columns; expected 3"),
        (ONE + "2 1\n", "line 4: 2 columns; expected 3 as above"),
        (ONE + "2 1 0.1 7\n", "line 4: 4 columns"),
        ("1.5\n2.5\n", "line 1: 1 columns"),
        (ONE + "two 1 1\n", "line 4: 'two 1 1'; expected numbers"),
        ("words only\n", "no row of numbers"),
        ("0 1 1\n2 1 1\n1 1 1\n", "neither increase nor decrease"),
        ("0 1 1\n1 1 1\n", "2 energies"),
        (ONE + "\n" + TWO[:16], "spectrum 2 has 2 energies"),
        ("0 1 0\n1 1 0\n2 1 -1\n", "no usable point"),
        ("nan 1 1\n1 1 1\n2 1 1\n", "energy is not finite"),
        ("0 1 1\0\n", "binary, not text"),
    ],
)
def test_another_layout_is_refused_with_its_line(tmp_path, content, said):
    with pytest.raises(FormatError, match=said):
        read_spectra_ascii(written(tmp_path, content))


def test_a_decreasing_axis_is_reversed(tmp_path):
    lines = "".join(reversed(ONE.splitlines(keepends=True)))
    s = read_spectra_ascii(written(tmp_path, lines))
    np.testing.assert_array_equal(s.data, [[5, 9, 4]])
    assert "reversed" in " ".join(s.said)
