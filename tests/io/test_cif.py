"""CIF files: sites, displacements and operations against what the text says."""

import random

import numpy as np
import pytest

from jaxscatter.errors import DataWarning, FormatError
from jaxscatter.io.cif import read_cif
from jaxscatter.io.crystal_record import CrystalRecord, isotropic_u, metric

gemmi = pytest.importorskip("gemmi")

SILICON = """data_Si
_cell_length_a 5.4307(2)
_cell_length_b 5.4307(2)
_cell_length_c 5.4307(2)
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F d -3 m:2'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
_atom_site_U_iso_or_equiv
Si1 Si 0.125 0.125 0.125 1 0.00591(3)
"""

QUARTZ = """data_quartz
_cell_length_a 4.9137
_cell_length_b 4.9137
_cell_length_c 5.4047
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
loop_
_space_group_symop_operation_xyz
'x, y, z'
'-y, x-y, z+2/3'
'-x+y, -x, z+1/3'
'y, x, -z'
'x-y, -y, -z+1/3'
'-x, -x+y, -z+2/3'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_B_iso_or_equiv
Si1 0.4697 0.0000 0.6666667 0.5
O1  0.4133 0.2672 0.7855 .
loop_
_atom_site_aniso_label
_atom_site_aniso_U_11
_atom_site_aniso_U_22
_atom_site_aniso_U_33
_atom_site_aniso_U_12
_atom_site_aniso_U_13
_atom_site_aniso_U_23
O1 0.0156 0.0115 0.0119 0.0092 -0.0029 -0.0046
"""


@pytest.fixture
def read(tmp_path):
    """Read a text as a CIF file."""

    def reader(text, **options):
        path = tmp_path / "a.cif"
        path.write_text(text)
        return read_cif(path, **options)

    return reader


def test_silicon_is_read_with_the_uncertainties_cut_off(read):
    crystal = read(SILICON)
    np.testing.assert_array_equal(crystal.cell, [5.4307] * 3 + [90.0] * 3)
    assert crystal.labels == ("Si1",)
    assert crystal.symbols == ("Si",)
    np.testing.assert_array_equal(crystal.positions, [[0.125] * 3])
    np.testing.assert_allclose(crystal.b_iso, 8 * np.pi**2 * 0.00591, rtol=1e-14)
    assert crystal.u_aniso is None
    assert len(crystal.rotations) == 192
    assert (crystal.space_group, crystal.name) == ("F d -3 m:2", "Si")


def test_quartz_keeps_its_hand_and_its_tensors(read):
    """The file's own operations are of P3₂21; the site without U becomes a sphere."""
    crystal = read(QUARTZ)
    assert crystal.space_group == "P 32 2 1"
    np.testing.assert_array_equal(crystal.occupancies, [1, 1])
    assert crystal.b_iso is None
    assert crystal.u_aniso is not None
    sphere = isotropic_u(crystal.cell, [0.5])[0]
    np.testing.assert_allclose(crystal.u_aniso[0], sphere, rtol=1e-14)
    np.testing.assert_array_equal(
        crystal.u_aniso[1],
        [[0.0156, 0.0092, -0.0029], [0.0092, 0.0115, -0.0046],
         [-0.0029, -0.0046, 0.0119]],
    )  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("text", [SILICON, QUARTZ])
def test_structure_is_that_of_gemmi(read, text):
    crystal = read(text)
    small = gemmi.make_small_structure_from_block(
        gemmi.cif.read_string(text).sole_block()
    )
    sites = list(small.sites)
    positions = [s.fract.tolist() for s in sites]
    np.testing.assert_allclose(crystal.positions, positions, atol=1e-14)
    if crystal.b_iso is not None:
        want = [8 * np.pi**2 * s.u_iso for s in sites]
        np.testing.assert_allclose(crystal.b_iso, want, rtol=1e-13)
    g = np.linalg.inv(metric(crystal.cell))
    star = [small.cell.reciprocal().a, small.cell.reciprocal().b]
    np.testing.assert_allclose(np.sqrt(np.diag(g))[:2], star, rtol=1e-12)
    wanted = {(str(np.array(o.rot) // 24), str(np.array(o.tran) % 24))
              for o in gemmi.SpaceGroup(crystal.space_group).operations()}  # fmt: skip
    found = {
        (str(r), str(np.rint(24 * t).astype(int)))
        for r, t in zip(crystal.rotations, crystal.translations, strict=True)
    }
    assert found == wanted


def test_b_and_beta_tensors_say_the_same_as_u(read):
    want = read(QUARTZ).u_aniso
    assert want is not None
    six = [0.0156, 0.0115, 0.0119, 0.0092, -0.0029, -0.0046]
    line = QUARTZ.splitlines()[-1]
    in_b = " ".join(repr(8 * np.pi**2 * u) for u in six)
    text = QUARTZ.replace("aniso_U_", "aniso_B_").replace(line, f"O1 {in_b}")
    np.testing.assert_allclose(read(text).u_aniso, want, rtol=1e-13)
    a = 1 / (4.9137 * np.sin(np.radians(60)))
    star = [a, a, 1 / 5.4047]
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    in_beta = " ".join(
        repr(float(2 * np.pi**2 * u * star[i] * star[j]))
        for u, (i, j) in zip(six, pairs, strict=True)
    )
    text = QUARTZ.replace("aniso_U_", "aniso_beta_").replace(line, f"O1 {in_beta}")
    np.testing.assert_allclose(read(text).u_aniso, want, rtol=1e-12)


def test_what_a_site_lacks_is_full_and_at_rest_with_a_warning(read):
    text = SILICON.replace("1 0.00591(3)", "? .")
    with pytest.warns(DataWarning, match=r"a\.cif: sites \['Si1'\] have no displacem"):
        crystal = read(text)
    np.testing.assert_array_equal(crystal.occupancies, [1])
    np.testing.assert_array_equal(crystal.b_iso, [0])


def test_ions_become_neutral_with_a_warning(read):
    with pytest.warns(DataWarning, match=r"ions \['Si4\+'\] are read as neutral"):
        assert read(SILICON.replace("Si1 Si ", "Si1 Si4+ ")).symbols == ("Si",)


def test_dummy_sites_are_left_out(read):
    text = SILICON.replace(
        "_atom_site_occupancy\n", "_atom_site_occupancy\n_atom_site_calc_flag\n"
    ).replace("125 1 0", "125 1 d 0")
    text += "X1 X 0 0 0 1 dum 0.1\n"
    assert read(text).labels == ("Si1",)


@pytest.mark.parametrize(
    ("line", "symbol"),
    [
        ("_symmetry_space_group_name_H-M 'F d -3 m :2'", "F d -3 m:2"),
        ("_space_group_name_Hall '-F 4vw 2vw 3'", "F d -3 m:2"),
        ("_space_group_IT_number 227", "F d -3 m:1"),
    ],
)
def test_space_group_is_found_by_what_there_is(read, line, symbol):
    text = SILICON.replace("_space_group_name_H-M_alt 'F d -3 m:2'", line)
    assert read(text).space_group == symbol


def test_open_origin_is_said(read):
    with pytest.warns(DataWarning, match="'F d -3 m' leaves the origin open"):
        assert read(SILICON.replace("m:2'", "m'")).space_group == "F d -3 m:1"


def test_cell_of_another_setting_is_said(read):
    """Three-fold images of the axes of a square cell: a + b for b, twice its square."""
    with pytest.warns(DataWarning, match=r"change the cell by 1 of its metric"):
        read(QUARTZ.replace("gamma 120", "gamma 90"))


def test_one_of_several_structures_is_chosen_by_name(read):
    text = "data_empty\n_x 1\n" + SILICON + QUARTZ
    with pytest.raises(FormatError, match=r"\['Si', 'quartz'\]; choose one with block"):
        read(text)
    assert read(text, block="quartz").name == "quartz"
    with pytest.raises(FormatError, match="'empty'; expected one of"):
        read(text, block="empty")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("_cell_length_b 5.4307(2)\n", "", "no _cell_length_b"),
        ("length_c 5.4307(2)", "length_c ?", "lengths > 0"),
        ("gamma 90", "gamma 0", "angles in"),
        ("'F d -3 m:2'", "'nothing'", "'nothing'; expected a Hermann"),
        ("_space_group_name_H-M_alt 'F d -3 m:2'\n", "", "no space group"),
        ("_space_group_name_H-M_alt 'F d -3 m:2'", "_space_group_IT_number x", "'x'"),
        ("0.125 1 0", "? 1 0", "site 'Si1' has no position"),
        ("0.125 1 0", "0.125 1.5 0", "occupancy of 'Si1' is 1.5"),
        ("0.00591(3)", "-0.1", "B of 'Si1' is -7.8"),
        ("Si1 Si ", "Si1 Qq ", "'Qq' is of no element"),
        ("_atom_site_label\n_atom_site_type_symbol", "_a\n_b", "no _atom_site_label"),
        ("_atom_site_fract_x", "_x", "no structure in data blocks"),
        ("Si1 Si 0.125", "Si1 Si", "Wrong number of values"),
    ],
)
def test_files_that_cannot_be_used_say_what_is_wrong(read, tmp_path, old, new, message):
    assert old in SILICON
    with pytest.raises(FormatError, match=message) as caught:
        read(SILICON.replace(old, new))
    assert str(tmp_path / "a.cif") in str(caught.value)


def test_operations_that_are_no_group_are_refused(read):
    with pytest.raises(FormatError, match="no group"):
        read(QUARTZ.replace("'y, x, -z'", "'y, x, z'"))


def test_a_loop_without_a_row_is_no_structure(read):
    text = "\n".join(SILICON.splitlines()[:-1])
    with pytest.raises(FormatError):
        read(text + "\n")


def test_paths_that_hold_no_cif_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a CIF file"):
        read_cif(tmp_path / "none.cif")
    with pytest.raises(IsADirectoryError):
        read_cif(tmp_path)
    (tmp_path / "empty.cif").write_text("")
    with pytest.raises(FormatError, match="empty file"):
        read_cif(tmp_path / "empty.cif")


@pytest.mark.filterwarnings("ignore::jaxscatter.errors.DataWarning")
def test_broken_copies_are_refused_or_read(tmp_path):
    """Bytes changed, cut out or doubled at random: no other error than ours."""
    rng = random.Random(7)
    path, outcomes = tmp_path / "b.cif", set()
    for i in range(300):
        raw = bytearray((SILICON if i % 2 else QUARTZ).encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(raw))
            match rng.randrange(4):
                case 0:
                    raw[at] = rng.randrange(256)
                case 1:
                    del raw[at : at + rng.randint(1, 60)]
                case 2:
                    raw[at:at] = raw[at : at + 40]
                case _:
                    raw[at:at] = rng.choice([b"999", b"-", b"'", b"\n", b"nan", b"?"])
        path.write_bytes(raw)
        try:
            crystal = read_cif(path)
        except FormatError:
            outcomes.add("refused")
        else:
            assert isinstance(crystal, CrystalRecord)
            outcomes.add("read")
    assert outcomes == {"refused", "read"}
