"""DAVE group files: written and read back, as Mantid writes them, and refused."""

import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import read_dave, write_dave

ENERGY = np.array([-0.03, -0.01, 0.0, 0.02])
Q = np.array([0.5, 1.1])
DATA = np.arange(8.0).reshape(2, 4) / 3
ERROR = 0.1 + DATA / 7
TEXT = """# Number of Energy transfer values
3
# Number of q values
2
# Energy transfer (micro eV) values
-2.5
0
2.5
# q (1/Angstroms) values
0.5
0.9
# Group 0
1 0.1
2 0.2
3 0.3
# Group 1
4 0.4
5e0 0.5
6 -1
"""


def changed(tmp_path, old, new):
    path = tmp_path / "a.grp"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new))
    return path


@pytest.mark.parametrize("unit", ["meV", "ueV"])
def test_what_was_written_is_read_back(tmp_path, unit):
    mask = np.ones((2, 4), bool)
    mask[1, 2] = False
    path = write_dave(
        tmp_path / "a.grp",
        energy=ENERGY,
        q=Q,
        data=DATA,
        error=ERROR,
        mask=mask,
        energy_unit=unit,
    )
    s = read_dave(path)
    np.testing.assert_allclose(s.energy, ENERGY, rtol=1e-15)
    np.testing.assert_array_equal(s.q, Q)
    np.testing.assert_array_equal(s.mask, mask)
    np.testing.assert_array_equal(s.data[mask], DATA[mask])
    np.testing.assert_array_equal(s.error[mask], ERROR[mask])
    assert (s.data[1, 2], s.error[1, 2]) == (0.0, -1.0)
    assert (s.format, s.said) == ("DAVE grp", ())
    assert [p.name for p in tmp_path.iterdir()] == ["a.grp"]


def test_what_cannot_be_used_is_written_as_masked(tmp_path):
    data, error = DATA.copy(), ERROR.copy()
    data[0, 0], error[0, 1], error[1, 3] = np.nan, 0.0, np.inf
    s = read_dave(
        write_dave(tmp_path / "a.grp", energy=ENERGY, q=Q, data=data, error=error)
    )
    np.testing.assert_array_equal(np.argwhere(~s.mask), [[0, 0], [0, 1], [1, 3]])


def test_captions_of_mantid_are_read(tmp_path):
    s = read_dave(changed(tmp_path, "# Group 0", "# Group 0"))
    np.testing.assert_allclose(s.energy, [-2.5e-3, 0, 2.5e-3])
    np.testing.assert_array_equal(s.q, [0.5, 0.9])
    np.testing.assert_array_equal(s.data, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(s.mask, [[True] * 3, [True, True, False]])


def test_captions_without_units_are_assumed_aloud(tmp_path):
    text = TEXT.replace("Energy transfer (micro eV)", "X").replace(
        "q (1/Angstroms)", "Y"
    )
    (tmp_path / "a.grp").write_text(text)
    s = read_dave(tmp_path / "a.grp")
    assert (s.q, s.q_source) == (None, "its rows are 'Y'")
    assert "meV was assumed" in s.said[0]
    np.testing.assert_array_equal(s.energy, [-2.5, 0, 2.5])
    given = read_dave(tmp_path / "a.grp", q=[1.0, 2.0], energy_unit="ueV")
    np.testing.assert_allclose(given.energy, [-2.5e-3, 0, 2.5e-3])
    np.testing.assert_array_equal(given.q, [1.0, 2.0])


def test_a_q_caption_alone_and_angles_are_told_apart(tmp_path):
    for caption, q in (("q", [0.5, 0.9]), ("q (1/nm)", [0.05, 0.09]), ("Theta", None)):
        s = read_dave(changed(tmp_path, "q (1/Angstroms)", caption))
        np.testing.assert_allclose(s.q, q) if q else None
        assert (s.q is None) == (q is None)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "Energy transfer (micro eV)",
            "Wavelength (Angstrom)",
            r"is 'Wavelength \(Angst",
        ),
        ("Energy transfer (micro eV)", "Time-of-flight (microsecond)", "is 'Time-of"),
        ("Energy transfer (micro eV)", "q (1/Angstroms)", "energy and Q are exchan"),
        (
            "# Number of q values\n2",
            "# Number of q values\n3",
            "line 12.*one number, 3",
        ),
        ("values\n3\n", "values\n4\n", "line 9.*one number, 4 of 4"),
        ("values\n3\n", "values\n999\n", "from 1 to"),
        ("values\n3\n", "values\n-3\n", "from 1 to"),
        ("values\n3\n", "values\n2.5\n", "from 1 to"),
        ("# Group 1\n", "", "expected '# Group"),
        ("5e0 0.5", "5e0", "line 18.*expected 2 numbers"),
        ("5e0 0.5", "5e0 0.5 1", "line 18.*expected 2 numbers"),
        ("5e0 0.5", "five 0.5", "line 18.*expected 2 numbers"),
        ("6 -1\n", "", "ends early"),
        ("6 -1\n", "6 -1\n7 1\n", "after the last group"),
        ("-2.5\n0\n2.5", "0\n2.5\n-2.5", "neither increase nor decrease"),
        ("0.5\n0.9", "0.5\n-0.9", "Q of a row is -0.9"),
        ("0.5\n0.9", "0.5\nnan", "Q of a row is nan"),
        ("# Number of Energy", "Energy", "line 1.*expected '# Number of"),
    ],
)
def test_another_layout_is_refused_with_its_line(tmp_path, old, new, said):
    with pytest.raises(FormatError, match=said):
        read_dave(changed(tmp_path, old, new))


def test_a_stated_unit_is_not_overruled(tmp_path):
    with pytest.raises(DataError, match=r"energy_unit='meV'.*states 'ueV'"):
        read_dave(changed(tmp_path, "# Group 0", "# Group 0"), energy_unit="meV")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": DATA.T}, r"data \(4, 2\) and error \(2, 4\): expected \(2, 4\)"),
        ({"energy": ENERGY[::-1]}, "energy: expected finite, strictly increasing"),
        ({"q": [-1.0, 1.0]}, "q: expected finite values >= 0"),
        ({"energy_unit": "eV"}, "energy_unit='eV'"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, changes, said):
    how = {"energy": ENERGY, "q": Q, "data": DATA, "error": ERROR, **changes}
    with pytest.raises(DataError, match=said):
        write_dave(tmp_path / "a.grp", **how)
    assert not [*tmp_path.iterdir()]
