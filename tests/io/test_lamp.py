"""LAMP HDF: measured water of IN5, simulated files, and what is refused."""

import pathlib

import h5py
import numpy as np
import pytest

from jaxscatter import examples
from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import read_lamp

WATER = examples.qens_water()
SIMULATED = pathlib.Path(__file__).parents[1] / "data" / "qens" / "IsoRot_Sample.hdf"


def write(
    path, *, x=None, y=None, rows=3, names=(" Energy (meV)", "Wavevector"), **more
):
    """A small LAMP file; `more` replaces data sets, None leaves one out."""
    x = np.linspace(-1, 1, 5) if x is None else x
    parts = {
        "DATA": np.ones((rows, 5)),
        "errors": np.full((rows, 5), 0.1),
        "X": x,
        "Y": np.arange(1.0, rows + 1) if y is None else y,
        **more,
    }
    with h5py.File(path, "w") as file:
        group = file.create_group("entry1/data1")
        for name, values in parts.items():
            if values is not None:
                group[name] = values
        for axis, name in zip("XY", names, strict=True):
            if axis in group:
                group[axis].attrs["long_name"] = np.array([name.encode()])
    return path


@pytest.mark.parametrize("path", [WATER.sample, WATER.resolution, SIMULATED])
def test_measured_and_simulated_files_equal_what_h5py_reads(path):
    with h5py.File(path) as file:
        raw = {k: file["entry1/data1"][k][()] for k in ("DATA", "errors", "X", "Y")}
    s = read_lamp(path)
    np.testing.assert_array_equal(s.data, raw["DATA"])
    np.testing.assert_array_equal(s.error, raw["errors"])
    np.testing.assert_array_equal(s.mask, raw["errors"] > 0)
    np.testing.assert_array_equal(s.q, raw["Y"])
    np.testing.assert_allclose(s.energy, raw["X"], atol=3e-7)
    assert s.format == "LAMP HDF"


def test_water_says_what_it_is():
    """E = 81.804 meV Å² / λ² at λ = 5 Å; the text of the file says 293.349 K."""
    s = read_lamp(WATER.sample)
    assert (s.title, s.temperature) == ("H2O undercooled", 293.349)
    np.testing.assert_allclose(s.ei, 81.804 / 25, rtol=1e-4)
    assert np.count_nonzero(~s.mask) == 130  # error -1
    assert all("assumed" not in x for x in s.said)


def test_unnamed_axes_are_assumed_aloud():
    said = " ".join(read_lamp(SIMULATED).said)
    assert "does not name its Y axis: Q in 1/Å was assumed" in said
    assert "states no energy unit: meV was assumed" in said


def test_units_of_the_file_hold(tmp_path):
    path = write(tmp_path / "a.hdf", names=("Energy (micro eV)", "Wavevector"))
    np.testing.assert_allclose(read_lamp(path).energy, np.linspace(-1e-3, 1e-3, 5))
    with pytest.raises(DataError, match="states 'ueV'"):
        read_lamp(path, energy_unit="meV")


@pytest.mark.parametrize("name", ["Wavelength (A)", "Time of flight", "Channel"])
def test_another_axis_than_energy_is_refused_by_name(tmp_path, name):
    path = write(tmp_path / "a.hdf", names=(name, "Wavevector"))
    with pytest.raises(FormatError, match=f"X is '{name[:4]}.*expected an energy"):
        read_lamp(path)


def test_angles_give_the_elastic_q(tmp_path):
    about = np.array([b"21) Wavelength   (angstroms)  =  5.00000 \n"])
    path = write(
        tmp_path / "a.hdf",
        y=np.array([10.0, 60.0, 120.0]),
        names=("meV", "Scattering angle"),
        PARAMETERS=about,
    )
    s = read_lamp(path)
    expected = 4 * np.pi / 5 * np.sin(np.radians([5.0, 30.0, 60.0]))
    np.testing.assert_allclose(s.q, expected, rtol=1e-12)
    assert "elastic" in s.said[-1]
    other = read_lamp(write(tmp_path / "b.hdf", names=("meV", "Spectrum")))
    assert (other.q, other.q_source) == (None, "its Y is 'Spectrum'")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"errors": None}, "data1/errors is not there"),
        ({"Y": None}, "data1/Y is not there"),
        ({"X": None}, "expected a LAMP file"),
        ({"DATA": np.ones((5, 3)), "errors": np.ones((5, 3))}, "look exchanged"),
        ({"y": np.array([1.0, -2.0, 3.0])}, "Q of a row is -2"),
        ({"x": np.array([0.0, 2.0, 1.0, 3.0, 4.0])}, "neither increase nor decrease"),
        ({"DATA": np.array([b"text"])}, "has type"),
        ({"errors": np.full((3, 5), -1.0)}, "no usable point"),
    ],
)
def test_what_is_incomplete_or_out_of_order_is_refused(tmp_path, parts, said):
    with pytest.raises(FormatError, match=said):
        read_lamp(write(tmp_path / "a.hdf", **parts))


def test_unusable_paths_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.hdf: no such file"):
        read_lamp(tmp_path / "no.hdf")
    (tmp_path / "text.hdf").write_text("no HDF5 here")
    with pytest.raises(FormatError, match="expected a LAMP file"):
        read_lamp(tmp_path / "text.hdf")
