"""Input of Bloch-wave programs: what a text says, and which line of it is wrong."""

import random

import numpy as np
import pytest

from jaxscatter.errors import DataError, DataWarning, FormatError
from jaxscatter.io.bloch_dat import BlochInput, read_dat
from jaxscatter.io.crystal_record import reciprocal_lengths

IDENTITY = (np.eye(3, dtype=np.int64)[None], np.zeros((1, 3)))

SILICON = """#Si 110 zone axis

crystal silicon : dw = iso occ = 1
cell 5.4307 5.4307 5.4307 90.0 90.0 90.0
atom Si 0.125 0.125  0.125 0.4668
spg 227 2

# diffraction condition
hv 196.75
zone 1 1 0
norm 1 1 0
kt 12.0152 -12.0152 26.4176
xaxis 1 -1 -1
conv 0.7
samp 60

#sele 3.5 2.5 0.1 0
hkl 4
0   0   0
-1  1  -1   # a comment
# a line between

1  -1  -1
2  -2  -2
sgmax 3.0
sgmin 0.3
omeg 30.0

aper 1.0
abs 0.0

adj 2
-1 1 1 0.471822E-01  0 0.831778d-03 180
2 -2 -2 0.963641E-03    180    0     0
"""

ANISOTROPIC = """crys Cu2O : dw = bij occ = par
cell 4.26 4.36 4.46 90. 90. 120.
atom CU+1#a 0 0 0  0.011 0.012 0.013 0.001 -0.002 0.003 0.5
atom O-2 .25 .25 .25 0.021 0.022 0.023 0 0 0 1
spg 1 1
v0 12.2
hv 200
zone 0 0 1
norm 0 1 5
kt 0 0 0
xaxi 1 0 0
conv 2
samp 20
sele 3.5 2.5 0.1 0
sgmin 0.15
omeg 25
out 2
0 0 0
1 0 0
abs 0.5
"""


@pytest.fixture
def read(tmp_path):
    """Read a text as a `.dat` file whose only operation is the identity."""

    def reader(text, operations=IDENTITY):
        path = tmp_path / "a.dat"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_dat(path, operations)

    return reader


def test_every_keyword_of_a_listed_beam_file_is_read(read):
    given = read(SILICON)
    assert (given.energy, given.conv, given.samp) == (196.75, 0.7, 60)
    assert (given.sgmax, given.sgmin, given.omeg) == (3.0, 0.3, 30.0)
    assert (given.aper, given.abs, given.v0) == (1.0, 0.0, None)
    assert given.spg == (227, 2)
    assert given.sele is None
    assert given.out is None
    np.testing.assert_array_equal(given.zone, [1, 1, 0])
    np.testing.assert_array_equal(given.norm, [1, 1, 0])
    np.testing.assert_array_equal(given.kt, [12.0152, -12.0152, 26.4176])
    np.testing.assert_array_equal(given.xaxis, [1, -1, -1])
    np.testing.assert_array_equal(
        given.hkl, [[0, 0, 0], [-1, 1, -1], [1, -1, -1], [2, -2, -2]]
    )
    np.testing.assert_array_equal(given.adj_hkl, [[-1, 1, 1], [2, -2, -2]])
    np.testing.assert_array_equal(
        given.adj, [[0.0471822, 0, 0.000831778, 180], [0.000963641, 180, 0, 0]]
    )
    crystal = given.crystal
    assert (crystal.name, crystal.labels, crystal.setting) == ("silicon", ("Si",), 2)
    np.testing.assert_array_equal(crystal.b_iso, [0.4668])
    np.testing.assert_array_equal(crystal.occupancies, [1.0])


def test_anisotropic_ions_of_partial_occupancy_are_read(read):
    with pytest.warns(DataWarning, match=r"a\.dat: ions \['CU\+1#a', 'O-2'\]"):
        given = read(ANISOTROPIC)
    crystal = given.crystal
    assert crystal.symbols == ("Cu", "O")
    np.testing.assert_array_equal(crystal.occupancies, [0.5, 1])
    np.testing.assert_array_equal(crystal.positions[1], [0.25] * 3)
    assert crystal.u_aniso is not None
    star = reciprocal_lengths(crystal.cell)
    back = crystal.u_aniso * 2 * np.pi**2 * np.outer(star, star)
    np.testing.assert_allclose(
        back[0],
        [[0.011, 0.001, -0.002], [0.001, 0.012, 0.003], [-0.002, 0.003, 0.013]],
        rtol=1e-12,
    )
    np.testing.assert_array_equal(given.sele, [3.5, 2.5, 0.1, 0])
    np.testing.assert_array_equal(given.out, [[0, 0, 0], [1, 0, 0]])
    assert (given.v0, given.aper, given.hkl, given.adj) == (12.2, None, None, None)


@pytest.mark.filterwarnings("ignore::jaxscatter.errors.DataWarning")
def test_u_tensors_are_kept_as_they_are(read):
    crystal = read(ANISOTROPIC.replace("bij", "uij")).crystal
    np.testing.assert_array_equal(
        crystal.u_aniso[0],
        [[0.011, 0.001, -0.002], [0.001, 0.012, 0.003], [-0.002, 0.003, 0.013]],
    )


def test_options_of_the_crystal_may_be_left_out(read):
    crystal = read(SILICON.replace(" : dw = iso occ = 1", "")).crystal
    assert crystal.name == "silicon"
    assert crystal.b_iso is not None


def test_space_group_is_looked_up_by_number_and_setting(read):
    pytest.importorskip("gemmi")
    crystal = read(SILICON, operations=None).crystal
    assert crystal.space_group == "F d -3 m:2"
    assert len(crystal.rotations) == 192
    with pytest.raises(FormatError, match=r"line 6: setting of space group 227 is 3"):
        read(SILICON.replace("227 2", "227 3"), operations=None)
    with pytest.raises(FormatError, match=r"line 6: space group number is 231"):
        read(SILICON.replace("227 2", "231 1"), operations=None)


def test_strained_cell_is_said(read):
    pytest.importorskip("gemmi")
    text = SILICON.replace("5.4307 90.0 90.0 90.0", "5.414 90 90 90")
    with pytest.warns(DataWarning, match="227 2 changes the cell by 0.006"):
        read(text, operations=None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hkl 4", "hkl 5", "line 25: 'sgmax' where line 5 of the 5 that hkl announces"),
        ("hkl 4", "hkl 3", "line 24: '2 -2 -2' after the 'hkl' before it; expected"),
        ("hkl 4", "hkl 0", "line 18: hkl announces 0 lines"),
        ("hkl 4", "hkl x", "line 18: number of lines of hkl is 'x'"),
        ("hkl 4", "hkl 999999", "line 25"),
        ("2  -2  -2", "2  -2", "line 24: line 4 of the 4 .* '2 -2'; expected 3"),
        ("2  -2  -2", "2  -2  -2.5", "line 24"),
        ("2  -2  -2", "2  -2  -2 1", "line 24"),
        ("2  -2  -2", "1 -1 -1", r"line 24: \(1, -1, -1\) is in line 23 too"),
        ("26.4176", "26.4", "ok"),
        ("26.4176", "0", "ok"),
        ("12.0152 -12.0152", "12.0152 -12.2", "line 12: kt has -?0.0041.* along zone"),
        ("hv 196.75", "hv 0", "line 9: hv is 0; expected it > 0"),
        ("hv 196.75", "hv -100", "line 9: hv is -100"),
        ("hv 196.75", "hv nan", "line 9: hv holds 'nan'; expected a number"),
        ("hv 196.75", "hv 1e999", "line 9: hv is '1e999'; expected finite"),
        ("hv 196.75", "hv 1 2", "line 9: hv is '1 2'; expected 1 numbers"),
        ("hv 196.75", "volts 200", "line 9: 'volts 200' after the 'spg' before it"),
        ("hv 196.75\n", "", "line 9: 'zone' without hv before it"),
        ("spg 227 2\n", "", "line 8: 'hv' without spg before it"),
        ("cell 5.4307 5.4307 5.4307 90.0 90.0 90.0\n", "", "'atom' without cell"),
        ("crystal silicon : dw = iso occ = 1\n", "", "line 3: 'cell' without crystal"),
        ("atom Si 0.125 0.125  0.125 0.4668\n", "", "line 5: 'spg' without atom"),
        ("aper 1.0\n", "", "line 29: 'abs' without aper or out before it"),
        ("abs 0.0\n", "", "'adj' without abs"),
        ("sgmin 0.3\n", "", "'omeg' without sgmin"),
        ("omeg 30.0\n", "", "'aper' without omeg"),
        ("sgmin 0.3", "omeg 30\nsgmin 0.3", "'omeg' without sgmin"),
        ("samp 60", "samp 60\nconv 0.7", "line 16: 'conv' after 'samp'; expected the"),
        ("samp 60", "samp 60\nsamp 60", "line 16: 'samp' a second time"),
        ("samp 60", "samp 0", "line 15: samp is 0"),
        ("samp 60", "samp 6.5", "line 15: samp is '6.5'"),
        ("aper 1.0", "aper 1.0\nout 1\n0 0 0", "'out' after 'aper'; expected only one"),
        ("aper 1.0", "aper -1.0", "aper is -1; expected it >= 0"),
        ("conv 0.7", "conv 0", "conv is 0"),
        ("zone 1 1 0", "zone 0 0 0", "line 10: zone is zero"),
        ("xaxis 1 -1 -1", "xaxis 0 0 0", "line 13: xaxis is zero"),
        ("dw = iso", "dw = ani", "line 3: dw = ani; expected one of"),
        ("dw = iso", "du = iso", "line 3: du = iso; expected one of"),
        ("dw = iso", "dw iso", "line 3: 'dw iso' after the name"),
        ("dw = iso", "dw = uij", "line 5: site 'Si' .* expected 9 numbers"),
        ("occ = 1", "occ = par", "line 5: .*expected 5 numbers"),
        ("0.125 0.4668", "0.125 0.4668 0.5", "line 5: .*occ = 1.*expected 4 numbers"),
        ("0.125 0.4668", "0.125 -0.4", "line 5: B of 'Si' is -0.4"),
        ("atom Si", "atom Qq", "line 5: site 'Qq' is of no element"),
        ("atom Si 0.125 0.125  0.125 0.4668", "atom", "line 5: site '' is of no"),
        ("cell 5.4307", "cell 0", "line 4: cell is .*expected lengths > 0"),
        ("90.0 90.0 90.0", "60 60 120", "line 4: cell is .* no volume"),
        ("adj 2", "adj 3", "line 32: adj announces 3 lines, 2 follow"),
        ("adj 2", "adj 1", "line 34: '2 -2 -2 .*' after the 'adj' before it"),
        ("0.831778d-03 180", "0.831778d-03", "line 33: .* expected 4 numbers"),
    ],
)
def test_the_wrong_line_is_named(read, old, new, message):
    assert SILICON.count(old) == 1
    text = SILICON.replace(old, new)
    if message == "ok":
        assert isinstance(read(text), BlochInput)
        return
    with pytest.raises(FormatError, match=message) as caught:
        read(text)
    assert "a.dat: line" in str(caught.value)


def test_occupancy_out_of_range_is_named(read):
    with pytest.raises(FormatError, match=r"line 3: occupancy of 'CU\+1#a' is 1\.5"):
        read(ANISOTROPIC.replace("0.003 0.5", "0.003 1.5"))


@pytest.mark.filterwarnings("ignore::jaxscatter.errors.DataWarning")
def test_tensor_that_is_not_positive_is_refused(read):
    with pytest.raises(FormatError, match=r"U of 'CU\+1#a' has the eigenvalue"):
        read(ANISOTROPIC.replace("0.011 0.012", "-0.011 0.012"))


def test_file_that_ends_early_says_what_was_to_follow(read):
    text = SILICON[: SILICON.index("conv")]
    with pytest.raises(FormatError, match="line 13: the end without conv, samp, hkl"):
        read(text)
    with pytest.raises(FormatError, match="line 1: the end without crystal"):
        read("# nothing\n")


def test_files_that_are_no_text_are_refused(read, tmp_path):
    with pytest.raises(FormatError, match="binary, starting"):
        read(b"crystal\0")
    with pytest.raises(FormatError, match="empty file"):
        read(b"")
    with pytest.raises(FileNotFoundError, match=r"expected a \.dat file"):
        read_dat(tmp_path / "none.dat", IDENTITY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sele": np.zeros(4)}, "exactly one of hkl and sele"),
        ({"aper": None}, "exactly one of aper and out"),
        ({"adj": None}, "both of adj and adj_hkl"),
    ],
)
def test_input_with_two_choices_or_none_is_refused(read, changes, message):
    values = {**vars(read(SILICON)), **changes}
    with pytest.raises(DataError, match=message):
        BlochInput(**values)


@pytest.mark.filterwarnings("ignore::jaxscatter.errors.DataWarning")
def test_broken_copies_are_refused_or_read(read):
    """Lines and bytes changed, cut out or doubled: no other error than ours."""
    rng = random.Random(11)
    outcomes = set()
    for i in range(400):
        raw = bytearray((SILICON if i % 2 else ANISOTROPIC).encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(raw))
            match rng.randrange(5):
                case 0:
                    raw[at] = rng.randrange(256)
                case 1:
                    del raw[at : at + rng.randint(1, 60)]
                case 2:
                    raw[at:at] = raw[at : at + 40]
                case 3:
                    lines = raw.splitlines(keepends=True)
                    rng.shuffle(lines) if rng.random() < 0.1 else lines.pop(0)
                    raw = bytearray(b"".join(lines))
                case _:
                    raw[at:at] = rng.choice([b"9", b"-", b"#", b"\n", b"nan", b"1e9"])
        try:
            given = read(bytes(raw))
        except FormatError:
            outcomes.add("refused")
        else:
            assert isinstance(given, BlochInput)
            outcomes.add("read")
    assert outcomes == {"refused", "read"}
