"""Processed Mantid workspaces, written here in the documented layout."""

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import read_mantid

EDGES = np.linspace(-0.5, 0.5, 7)
VALUES = np.arange(1.0, 19.0).reshape(3, 6)


def write(path, axis1=EDGES, units=("DeltaE", "MomentumTransfer"), **changes):
    """A workspace of three rows and six bins; `changes` replaces its parts."""
    parts = {
        "values": VALUES,
        "errors": np.sqrt(VALUES),
        "axis1": axis1,
        "axis2": np.array([0.4, 0.6, 1.0, 1.2]),
        **changes,
    }
    names = parts.pop("entries", ("mantid_workspace_1",))
    with h5py.File(path, "w") as file:
        for name in names:
            group = file.create_group(f"{name}/workspace")
            file[name]["title"] = np.array([b"water in a can"])
            for part, array in parts.items():
                if array is not None:
                    group[part] = array
            for axis, unit in zip(("axis1", "axis2"), units, strict=True):
                if axis in group:
                    group[axis].attrs["units"] = np.bytes_(unit)
    return path


def test_edges_of_energy_and_of_q_give_centres(tmp_path):
    s = read_mantid(write(tmp_path / "a_sqw.nxs"))
    np.testing.assert_allclose(s.energy, 0.5 * (EDGES[1:] + EDGES[:-1]), atol=1e-15)
    np.testing.assert_array_equal(s.energy_edges, EDGES)
    np.testing.assert_allclose(s.q, [0.5, 0.8, 1.1])
    np.testing.assert_array_equal(s.data, VALUES)
    np.testing.assert_array_equal(s.error, np.sqrt(VALUES))
    assert (s.format, s.title, s.said) == ("Mantid NeXus", "water in a can", ())


def test_points_of_energy_and_of_q_are_kept(tmp_path):
    points = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 3.0])
    s = read_mantid(write(tmp_path / "a.nxs", points, axis2=np.array([1.0, 2.0, 3.0])))
    np.testing.assert_array_equal(s.energy, points)
    np.testing.assert_array_equal(s.q, [1.0, 2.0, 3.0])
    assert s.energy_edges is None


def test_energies_may_be_repeated_for_every_row_but_not_differ(tmp_path):
    same = np.tile(EDGES, (3, 1))
    s = read_mantid(write(tmp_path / "a.nxs", same))
    np.testing.assert_array_equal(s.energy_edges, EDGES)
    same[1] += 0.1
    with pytest.raises(FormatError, match="rows have different energies"):
        read_mantid(write(tmp_path / "b.nxs", same))


@pytest.mark.parametrize("unit", ["spectraNumber", "Degrees", ""])
def test_q_is_not_guessed_from_spectrum_numbers_or_angles(tmp_path, unit):
    how = {"units": ("DeltaE", unit), "axis2": np.array([1.0, 2.0, 3.0])}
    path = write(tmp_path / "a_red.nxs", **how)
    s = read_mantid(path)
    assert s.q is None
    assert (unit or "without a unit") in s.q_source
    np.testing.assert_array_equal(
        read_mantid(path, q=[0.1, 0.2, 0.3]).q, [0.1, 0.2, 0.3]
    )


@pytest.mark.parametrize("unit", ["Wavelength", "TOF", "dSpacing", ""])
def test_another_axis_than_energy_transfer_is_refused_by_name(tmp_path, unit):
    path = write(tmp_path / "a.nxs", units=(unit, "MomentumTransfer"))
    with pytest.raises(FormatError, match=f"axis1 is {unit or 'without a unit'}; exp"):
        read_mantid(path)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"units": ("MomentumTransfer", "DeltaE")}, "energy and Q are exchanged"),
        ({"units": ("DeltaE", "DeltaE")}, "energy and Q are exchanged"),
        ({"values": VALUES.T, "errors": VALUES.T, "axis2": EDGES}, "look exchanged"),
        ({"errors": None}, "workspace/errors is not there"),
        ({"axis2": None}, "workspace/axis2 is not there"),
        ({"axis2": np.array([-0.4, 0.6, 1.0, 1.2])}, "Q of a row is -0.4"),
        ({"axis2": np.array([0.4, np.nan, 1.0])}, "Q of a row is nan"),
        ({"axis2": np.ones(7)}, "7 values of q for 3 rows"),
        ({"axis1": EDGES[[0, 2, 1, 3, 4, 5, 6]]}, "neither increase nor decrease"),
        ({"axis1": EDGES[:4]}, "4 energies"),
        ({"entries": ("a", "b")}, "expected a processed Mantid workspace"),
        ({"entries": ("mantid_workspace_1", "mantid_workspace_2")}, "several workspac"),
    ],
)
def test_what_is_incomplete_or_exchanged_is_refused(tmp_path, how, said):
    with pytest.raises(FormatError, match=said):
        read_mantid(write(tmp_path / "a.nxs", **how))


def test_one_of_several_workspaces_may_be_chosen(tmp_path):
    path = write(
        tmp_path / "a.nxs", entries=("mantid_workspace_1", "mantid_workspace_2")
    )
    assert read_mantid(path, entry="mantid_workspace_2").data.shape == (3, 6)
    with pytest.raises(FormatError, match="no entry 'x'"):
        read_mantid(path, entry="x")


def test_masked_spectra_and_the_unit_of_mantid(tmp_path):
    values, errors = VALUES.copy(), np.sqrt(VALUES)
    values[1], errors[1] = 0.0, 0.0
    path = write(tmp_path / "a.nxs", values=values, errors=errors)
    np.testing.assert_array_equal(read_mantid(path).mask.any(1), [True, False, True])
    with pytest.raises(DataError, match="states 'meV'"):
        read_mantid(path, energy_unit="ueV")


def test_counts_on_unequal_bins_are_said(tmp_path):
    edges = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    path = write(tmp_path / "a.nxs", edges)
    with h5py.File(path, "r+") as file:
        file["mantid_workspace_1/workspace/axis1"].attrs["distribution"] = np.int32(0)
    assert "counts per bin" in read_mantid(path).said[-1]
    path = write(tmp_path / "b.nxs")
    with h5py.File(path, "r+") as file:
        file["mantid_workspace_1/workspace/axis1"].attrs["distribution"] = np.int32(0)
    assert read_mantid(path).said == ()
