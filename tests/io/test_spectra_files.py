"""Formats are recognised by content, and damage is one of our own errors."""

import pathlib
import warnings

import h5py
import numpy as np
import pytest

from jaxscatter import examples
from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import nxspe, read_spectra, spectra_format, write_dave

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "qens"
ENERGY = np.linspace(-0.5, 0.5, 11)
Q = np.array([0.5, 1.0, 1.5])
DATA = 1 + np.add.outer(Q, np.exp(-10 * ENERGY**2))
ERROR = 0.1 + 0 * DATA
EDGES = np.linspace(-0.55, 0.55, 12)


def nxspe_file(path):
    return nxspe.write(path, energy_edges=EDGES, data=DATA, error=ERROR, ei=3.6, q=Q)


def lamp_file(path):
    with h5py.File(path, "w") as file:
        for name, part in (("DATA", DATA), ("errors", ERROR), ("X", ENERGY), ("Y", Q)):
            file[f"entry1/data1/{name}"] = part
    return path


def mantid_file(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("mantid_workspace_1/workspace")
        group["values"], group["errors"] = DATA, ERROR
        group["axis1"], group["axis2"] = EDGES, Q
        group["axis1"].attrs["units"] = "DeltaE"
        group["axis2"].attrs["units"] = "MomentumTransfer"
    return path


def mdanse_file(path):
    with h5py.File(path, "w") as file:
        file["ndsf/axes/q"], file["ndsf/axes/omega"] = 10 * Q, ENERGY
        file["ndsf/axes/q"].attrs["units"] = "1/nm"
        file["ndsf/axes/omega"].attrs["units"] = "rad/ps"
        file["ndsf/s(q,f)/total"] = DATA
    return path


def dave_file(path):
    return write_dave(path, energy=ENERGY, q=Q, data=DATA, error=ERROR)


def inx_file(path):
    lines = []
    for q, row in zip(Q, DATA, strict=True):
        lines += ["   14    1    2    0    0    0    0   11", "made here"]
        lines += [f"{q:7.4f}  3.270  1.2566  200.0  1.0 0", "  0.0  4.0  0.0"]
        table = zip(ENERGY, row, ERROR[0], strict=True)
        lines += [f"{a:12.5f}{b:13.5e}{c:12.4e}" for a, b, c in table]
    path.write_text("\n".join(lines) + "\n")
    return path


def columns_file(path):
    blocks = (
        "\n".join(f"{a:.6f} {b:.8f} 0.1" for a, b in zip(ENERGY, row, strict=True))
        for row in DATA
    )
    path.write_text("\n\n".join(blocks) + "\n")
    return path


MADE = {
    "NXSPE": nxspe_file,
    "LAMP HDF": lamp_file,
    "Mantid NeXus": mantid_file,
    "MDANSE": mdanse_file,
    "DAVE grp": dave_file,
    "INX": inx_file,
    "text columns": columns_file,
}


@pytest.mark.parametrize("kind", MADE)
def test_the_content_tells_the_format_whatever_the_name(kind, tmp_path):
    path = MADE[kind](tmp_path / "no_hint.bin")
    assert spectra_format(path) == kind
    s = read_spectra(path, q=Q)
    assert s.format == kind
    scale = 0.6582119569 if kind == "MDANSE" else 1.0
    np.testing.assert_allclose(s.energy, scale * ENERGY, atol=1e-9)
    np.testing.assert_allclose(s.data, DATA, rtol=1e-5)
    np.testing.assert_array_equal(s.q, Q)
    assert s.mask.all()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("data_2lorentzians.dat", "text columns"),
        ("In20_2p5_350K__tt_cr.txt", "INX"),
        ("IsoRot_Resol.hdf", "LAMP HDF"),
    ],
)
def test_measured_files_are_recognised(name, kind):
    assert spectra_format(FOLDER / name) == kind
    assert spectra_format(examples.qens_benzene().sample) == "NXSPE"


@pytest.mark.parametrize("kind", [k for k in MADE if k != "INX"])
def test_words_for_q_are_for_inx_alone(kind, tmp_path):
    with pytest.raises(DataError, match=r"q='angle'.*only INX"):
        read_spectra(MADE[kind](tmp_path / "a"), q="angle")


def test_nxspe_keeps_angles_and_its_stated_unit(tmp_path):
    path = nxspe_file(tmp_path / "a.nxspe")
    s = read_spectra(path)
    np.testing.assert_allclose(s.q, Q, rtol=1e-12)
    np.testing.assert_array_equal(s.energy_edges, EDGES)
    assert (s.ei, s.two_theta.shape) == (3.6, (3,))
    assert "elastic" in s.said[0]
    with pytest.raises(DataError, match="states 'meV'"):
        read_spectra(path, energy_unit="ueV")
    with h5py.File(path, "r+") as file:
        del file["spectra/data/energy"].attrs["units"]
    np.testing.assert_allclose(
        read_spectra(path, energy_unit="ueV").energy_edges, 1e-3 * EDGES
    )
    assert "meV was assumed" in read_spectra(path, q=Q).said[0]
    with h5py.File(path, "r+") as file:
        file["spectra/data/energy"].attrs["units"] = "THz"
    with pytest.raises(FormatError, match="energies in 'THz'"):
        read_spectra(path)


def test_only_columns_may_be_several_files(tmp_path):
    one, two = columns_file(tmp_path / "a"), columns_file(tmp_path / "b")
    assert read_spectra([one, two], q=np.arange(6.0)).data.shape == (6, 11)
    with pytest.raises(FormatError, match="INX; expected one such file alone"):
        read_spectra([one, inx_file(tmp_path / "c")])
    with pytest.raises(DataError, match="only INX"):
        read_spectra([one, two], q="q")


def test_what_is_not_spectra_is_refused_with_what_would_be(tmp_path):
    with h5py.File(tmp_path / "a", "w") as file:
        file["other"] = [1.0]
    with pytest.raises(FormatError, match=r"HDF5 of another kind, with \['other'\]"):
        read_spectra(tmp_path / "a")
    for content in (b"words\n", b"\0\1\2\3", b"1 2 3 4 5\n"):
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(FormatError, match="not recognised; expected spectra: NX"):
            read_spectra(tmp_path / "b")
    (tmp_path / "c").write_bytes(b"")
    with pytest.raises(FormatError, match="empty file"):
        read_spectra(tmp_path / "c")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_spectra(tmp_path / "d")
    with pytest.raises(IsADirectoryError):
        read_spectra(tmp_path)


def read_or_refuse(path, n_energy):
    """Spectra, or one of our own errors; never anything else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            s = read_spectra(path)
        except (FormatError, DataError):
            return None
    assert s.data.shape == s.mask.shape == (len(s.data), s.energy.size)
    assert s.error is None or s.error.shape == s.data.shape
    assert s.q is None or s.q.shape == (len(s.data),)
    assert np.all(np.diff(s.energy) > 0)
    assert np.all(np.isfinite(s.data[s.mask]))
    assert n_energy is None or s.energy.size == n_energy
    return s


@pytest.mark.parametrize("kind", MADE)
def test_truncated_files_are_refused_or_shorter_by_whole_rows(kind, tmp_path):
    whole = MADE[kind](tmp_path / "whole").read_bytes()
    refused = 0
    for at in np.linspace(0, len(whole) - 1, 30).astype(int):
        (tmp_path / "cut").write_bytes(whole[:at])
        # columns alone may end after any line of their first block
        n = None if kind == "text columns" else ENERGY.size
        refused += read_or_refuse(tmp_path / "cut", n) is None
    assert refused >= (10 if kind == "text columns" else 25)


@pytest.mark.parametrize("kind", MADE)
def test_flipped_bytes_are_refused_or_read_in_shape(kind, tmp_path):
    whole = MADE[kind](tmp_path / "whole").read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(60):
        spoilt = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 6000), 3):
            spoilt[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "flipped").write_bytes(spoilt)
        read_or_refuse(tmp_path / "flipped", None)
