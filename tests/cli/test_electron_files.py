"""`inspect` on files of electron diffraction."""

import pathlib

import h5py
import numpy as np
import pytest

from jaxscatter import io

DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
SILICON = """# Si, systematic row

crystal silicon : dw = iso occ = 1
cell 5.4307 5.4307 5.4307 90 90 90
atom Si 0.125 0.125 0.125 0.4668
spg 227 2
hv 196.75
zone 1 1 0
norm 1 1 0
kt 12 -12 26.4
xaxis 1 -1 -1
conv 0.7
samp 60
hkl 2
0 0 0
1 -1 -1
sgmin 0.3
omeg 30
aper 1.0
abs 0
adj 1
1 -1 -1 0.0471 0 0.0008 0
"""
CIF = """data_si
_cell_length_a 5.4307
_cell_length_b 5.4307
_cell_length_c 5.4307
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Si1 Si 0 0 0 0.005
"""


def says(cli, path, *expected):
    code, out, err = cli("inspect", path)
    assert (code, err) == (0, "")
    for text in expected:
        assert text in out, text


def test_a_measured_dm3_image_tells_size_range_and_steps(cli):
    says(
        cli,
        DATA / "LiNbO3_+0+0+0.dm3",
        "DigitalMicrograph image (DM3), read by jaxscatter.cbed.load",
        "168 x 168 pixels",
        "values   1498.5 to 6.4545e+05",
        "stored   as float32",
        "tags     135",
    )


def test_input_of_bloch_wave_programs_is_no_small_angle_curve(cli, tmp_path):
    pytest.importorskip("gemmi")
    for text in (SILICON, SILICON.replace("crystal", "crys")):
        (tmp_path / "si.dat").write_text(text)
        says(
            cli,
            tmp_path / "si.dat",
            "input of a Bloch-wave program, read by jaxscatter.cbed.setup_from_dat",
            "cell     5.4307 5.4307 5.4307 Å, 90 90 90°, 160.16 Å³",
            "196.75 keV, zone (1 1 0)",
            "192 operations",
            "beams    2 listed",
            "adjusted 1 structure factors: (1 -1 -1)",
        )
    rows = "\n".join(f"{0.01 * i:g} {1 / i:g}" for i in range(1, 9))
    (tmp_path / "curve.dat").write_text("# crystal of silicon\n" + rows)
    says(cli, tmp_path / "curve.dat", "small-angle data")


def test_errors_in_an_input_name_its_line(refused, tmp_path):
    (tmp_path / "si.dat").write_text(SILICON.replace("hv 196.75", "hv -1"))
    assert "line 7: hv is -1" in refused("inspect", tmp_path / "si.dat")


def test_a_cif_file_tells_cell_group_and_sites(cli, tmp_path):
    pytest.importorskip("gemmi")
    (tmp_path / "si.cif").write_text(CIF)
    says(cli, tmp_path / "si.cif", "Crystal.from_cif", "P 1", "Si1 (Si)", "isotropic")


def test_tables_of_structure_factors_are_told_by_their_second_line(cli, tmp_path):
    path = io.write_hkl(
        tmp_path / "f.txt", np.array([[1, 1, 1]]), [59.0], [58.5], title="silicon"
    )
    says(cli, path, "io.read_hkl", "title    silicon", "1 reflections", "all zero")


def test_patterns_as_bare_arrays_tell_their_shape(cli, refused, tmp_path):
    stack = np.arange(24.0).reshape(2, 3, 4)
    stack[0, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", stack)
    says(cli, tmp_path / "a.npy", "2 images of 3 x 4", "1 to 23, 1 not finite")
    np.savez(tmp_path / "a.npz", dp=stack, more=stack[0], q=np.ones(3))
    says(cli, tmp_path / "a.npz", "entry    dp: 2 images", "choose one with entry=")
    (tmp_path / "a.img").write_bytes(bytes(8 + 4 * 25))
    says(cli, tmp_path / "a.img", "5 x 5 pixels as PyExtal writes", "io.read_img")
    (tmp_path / "a.bin").write_bytes(bytes(8 * 25))
    says(cli, tmp_path / "a.bin", "5 x 5 pixels as Felix writes", "io.read_felix")
    (tmp_path / "a.bin").write_bytes(bytes(99))
    line = refused("inspect", tmp_path / "a.bin")
    assert "not recognised" in line
    assert "DM3, DM4, .img" in line


def test_simulations_tell_tilts_beams_and_thicknesses(cli, refused, tmp_path):
    hkl = np.array([[0, 0, 0], [1, -1, -1], [-1, 1, 1]])
    made = io.BlochSimulation(
        hkl=hkl,
        kt=np.zeros((4, 3)),
        gmxr=np.eye(3),
        tilt0=np.zeros(3),
        gg=np.ones(3),
        gh=np.ones(3),
        snorm=np.ones(3),
        nx=60,
        disks=0.7,
        alpha=0.0123,
        bigK=36.5,
        thickness=np.array([500.0, 1000.0]),
        intensity=np.ones((4, 2, 3)),
    )
    path = io.write_simulation(tmp_path / "s.h5", made)
    says(
        cli,
        path,
        "Bloch-wave simulation, read by jaxscatter.io.read_simulation",
        "tilts     4, K 36.5 1/Å, alpha 0.0123",
        "beams     3: (0 0 0) (1 -1 -1) (-1 1 1)",
        "thickness 2 from 500 to 1000 Å",
        "eigenpairs are not stored",
    )
    with h5py.File(path, "a") as file:
        del file["diffraction_parameters/hklout"]
    assert "incomplete file of a Bloch-wave" in refused("inspect", path)
