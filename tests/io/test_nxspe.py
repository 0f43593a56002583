import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, DataWarning, FormatError
from jaxscatter.examples import qens_benzene
from jaxscatter.io import nxspe

EDGES = np.linspace(-1.0, 1.0, 9)


@pytest.fixture
def spectra(tmp_path):
    """Path and arrays of a small file of four rows with increasing Q."""
    rng = np.random.default_rng(1)
    data, error = rng.uniform(1, 2, (4, 8)), rng.uniform(0.1, 0.2, (4, 8))
    path = nxspe.write(
        tmp_path / "a.nxspe",
        energy_edges=EDGES,
        data=data,
        error=error,
        ei=3.6,
        q=[0.5, 1.0, 1.5, 2.0],
    )
    return path, data, error


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file["spectra"])
    return path


def replace(name, value):
    def change(entry):
        del entry[name]
        if value is not None:
            entry[name] = value

    return change


def test_what_was_written_is_read_back(spectra, tmp_path):
    path, data, error = spectra
    file = nxspe.read(path)
    np.testing.assert_array_equal(file.data, data)
    np.testing.assert_array_equal(file.error, error)
    np.testing.assert_array_equal(file.energy_edges, EDGES)
    np.testing.assert_allclose(file.energy, 0.5 * (EDGES[:-1] + EDGES[1:]))
    np.testing.assert_allclose(file.q, [0.5, 1.0, 1.5, 2.0], rtol=1e-14)
    assert (file.ei, file.title, file.ki_over_kf_scaling) == (3.6, "spectra", True)
    assert np.isnan(file.psi)
    assert file.mask.all()
    assert [p.name for p in tmp_path.iterdir()] == ["a.nxspe"]


def test_elastic_q_is_two_k_sin_theta():
    """Backscattering gives 2k, and k² = E / 2.072125 (meV Å²)."""
    np.testing.assert_allclose(nxspe.elastic_q(180.0, 2.072125), 2.0, rtol=1e-15)
    np.testing.assert_allclose(nxspe.elastic_q([0.0, 60.0], 2.072125), [0.0, 1.0])
    with pytest.raises(DataError, match="ei=-1"):
        nxspe.elastic_q(10.0, -1.0)


def test_masked_points_keep_no_invented_value(spectra):
    path, data, _ = spectra

    def damage(entry):
        entry["data/data"][1] = np.nan
        entry["data/error"][1] = 0.0
        entry["data/error"][2, 3] = 0.0
        entry["data/error"][2, 4] = np.inf

    file = nxspe.read(edit(path, damage))
    expected = np.ones((4, 8), bool)
    expected[1] = False
    expected[2, 3:5] = False
    np.testing.assert_array_equal(file.mask, expected)
    assert np.isnan(file.data[1]).all()
    assert (file.error[1] == 0).all()
    np.testing.assert_array_equal(file.data[2], data[2])
    np.testing.assert_allclose(file.q, [0.5, 1.0, 1.5, 2.0], rtol=1e-14)


def test_writer_stores_a_mask_as_nan_with_zero_error(tmp_path):
    mask = np.ones((2, 8), bool)
    mask[0, :3] = False
    path = nxspe.write(
        tmp_path / "m.nxspe",
        energy_edges=EDGES,
        data=np.ones((2, 8)),
        error=np.ones((2, 8)),
        ei=1.0,
        polar=[10.0, 20.0],
        mask=mask,
    )
    file = nxspe.read(path)
    np.testing.assert_array_equal(file.mask, mask)
    assert np.isnan(file.data[0, :3]).all()
    np.testing.assert_array_equal(file.polar, [10.0, 20.0])


def test_energy_sign_and_unit_are_converted(spectra):
    path, data, _ = spectra
    edit(path, replace("data/energy", 1e3 * (EDGES + 0.25)))
    file = nxspe.read(path, energy_sign=-1, energy_unit="ueV")
    np.testing.assert_allclose(file.energy_edges, -(EDGES + 0.25)[::-1], atol=1e-15)
    np.testing.assert_array_equal(file.data, data[:, ::-1])
    with pytest.raises(DataError, match="energy_sign=2"):
        nxspe.read(path, energy_sign=2)


def test_the_unit_that_a_file_states_is_its_own(spectra):
    def stated(unit):
        return lambda entry: entry["data/energy"].attrs.update(units=unit)

    path = edit(spectra[0], stated("ueV"))
    file = nxspe.read(path)
    assert file.unit_stated
    np.testing.assert_allclose(file.energy_edges, 1e-3 * np.asarray(EDGES))
    with pytest.raises(DataError, match="energy_unit='meV', but the file states 'ueV'"):
        nxspe.read(path, energy_unit="meV")
    edit(path, stated("Angstrom"))
    with pytest.raises(FormatError, match="energies in 'Angstrom'; expected meV"):
        nxspe.read(path)


def test_given_q_overrides_the_angles(spectra):
    path = spectra[0]
    np.testing.assert_array_equal(nxspe.read(path, q=[1.0, 2, 3, 4]).q, [1, 2, 3, 4])
    file = nxspe.read(path, q_edges=[0.0, 1, 2, 3, 5])
    np.testing.assert_array_equal(file.q, [0.5, 1.5, 2.5, 4.0])
    assert file.q_source == "q_edges="
    with pytest.raises(DataError, match=r"\(3,\): expected \(4,\)"):
        nxspe.read(path, q=[1.0, 2, 3])
    with pytest.raises(DataError, match="finite"):
        nxspe.read(path, q=[1.0, 2, 3, -4])
    with pytest.raises(DataError, match="increasing"):
        nxspe.read(path, q_edges=[0.0, 2, 1, 3, 4])
    with pytest.raises(DataError, match="only one"):
        nxspe.read(path, q=[1.0, 2, 3, 4], q_edges=[0.0, 1, 2, 3, 4])


def test_fewer_angles_go_to_the_rows_that_are_not_all_zero(spectra):
    path = spectra[0]

    def without_detector(entry):
        entry["data/data"][1] = 0.0
        entry["data/error"][1] = 0.0
        entry["data/data"][2] = np.nan  # masked, but it has a detector
        replace("data/polar", np.array([10.0, 20.0, 30.0]))(entry)

    edit(path, without_detector)
    with pytest.warns(DataWarning, match=r"ambiguous.*pass q="):
        file = nxspe.read(path)
    expected = nxspe.elastic_q([10.0, np.nan, 20.0, 30.0], 3.6)
    np.testing.assert_array_equal(file.q, expected)
    assert "ambiguous" in file.q_source
    np.testing.assert_array_equal(nxspe.read(path, q=[1.0, 2, 3, 4]).q, [1, 2, 3, 4])


@pytest.mark.parametrize("n_det", [2, 5])
def test_angles_that_match_no_rows_are_refused(spectra, n_det):
    path = edit(spectra[0], replace("data/polar", np.linspace(10.0, 20, n_det)))
    with pytest.raises(FormatError, match=f"{n_det} polar angles for 4 rows, 4 of"):
        nxspe.read(path)


@pytest.mark.parametrize("stored", [2.5, np.array([2.5]), np.array([[2.5]])])
@pytest.mark.parametrize("name", ["efixed", "fixed_energy"])
def test_incident_energy_of_any_shape_and_alias(spectra, stored, name):
    def change(entry):
        del entry["NXSPE_info/fixed_energy"]
        entry[f"NXSPE_info/{name}"] = stored

    assert nxspe.read(edit(spectra[0], change), fallback_ei=9.0).ei == 2.5


@pytest.mark.parametrize("stored", [None, np.array([np.nan]), np.array([0.0])])
def test_unknown_incident_energy_needs_help(spectra, stored):
    path = edit(spectra[0], replace("NXSPE_info/fixed_energy", stored))
    with pytest.raises(FormatError, match="pass ei= or q="):
        nxspe.read(path)
    assert nxspe.read(path, fallback_ei=3.6).ei == 3.6
    assert nxspe.read(path, ei=3.6, fallback_ei=1.0).ei == 3.6
    assert np.isnan(nxspe.read(path, q=[1.0, 2, 3, 4]).ei)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replace("data/energy", EDGES[::-1]), "does not increase"),
        (replace("data/energy", np.r_[EDGES[:-1], np.nan]), "does not increase"),
        (replace("data/energy", EDGES[:-1]), "8 values; expected the 9 bin edges"),
        (replace("data/data", np.ones(8)), r"shape \(8,\); expected \(row, energy\)"),
        (replace("data/data", np.ones((0, 8))), r"expected \(row, energy\)"),
        (replace("data/error", np.ones((3, 8))), r"\(3, 8\); expected \(4, 8\)"),
        (replace("data/error", None), "data lacks error"),
        (replace("data/error", np.zeros((4, 8))), "no usable point"),
        (replace("data/data", np.full((4, 8), np.nan)), "no usable point"),
        (replace("data/data", None), "not NXSPE; expected an NXentry"),
        (replace("data/data", np.array([b"text"])), "complete NXSPE"),
        (replace("data/polar", None), "no data/polar; expected it, or pass q="),
    ],
)
def test_incomplete_files_are_named_with_what_was_expected(spectra, change, message):
    path = edit(spectra[0], change)
    with pytest.raises(FormatError, match=message) as caught:
        nxspe.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_that_hold_no_hdf5_are_refused(spectra, tmp_path):
    path = spectra[0]
    with pytest.raises(FileNotFoundError, match=r"none\.nxspe: no such file"):
        nxspe.read(tmp_path / "none.nxspe")
    with pytest.raises(IsADirectoryError, match="is a directory; expected"):
        nxspe.read(tmp_path)
    text = tmp_path / "text.nxspe"
    text.write_text("energy data error\n")
    empty = tmp_path / "empty.nxspe"
    empty.write_bytes(b"")
    for size in (100, 3000, path.stat().st_size - 10):
        cut = tmp_path / f"cut{size}.nxspe"
        cut.write_bytes(path.read_bytes()[:size])
        with pytest.raises(FormatError, match=f"cut{size}.nxspe: expected a complete"):
            nxspe.read(cut)
    for bad in (text, empty):
        with pytest.raises(FormatError, match="expected a complete NXSPE"):
            nxspe.read(bad)
        with pytest.raises(FormatError, match="expected a complete HDF5"):
            nxspe.tree(bad)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(FormatError, match="found top-level \\['numbers'\\]"):
        nxspe.read(other)


def test_one_of_several_entries_is_chosen_by_name(spectra):
    path = spectra[0]
    with h5py.File(path, "r+") as file:
        file.copy("spectra", "again")
    with pytest.raises(FormatError, match="several entries"):
        nxspe.read(path)
    assert nxspe.read(path, entry="again").title == "again"
    with pytest.raises(FormatError, match="no entry 'third'"):
        nxspe.read(path, entry="third")


def test_tree_shows_names_shapes_and_single_values(spectra):
    text = nxspe.tree(spectra[0])
    assert "fixed_energy  (1,) float64 = 3.6  [units=meV]" in text
    assert "data  (4, 8) float64" in text
    with pytest.raises(FileNotFoundError):
        nxspe.tree("nowhere.nxspe")


def test_failed_write_leaves_the_old_file(spectra, tmp_path):
    path, data, error = spectra
    before = path.read_bytes()
    good = {"energy_edges": EDGES, "data": data, "error": error, "ei": 3.6}
    with pytest.raises(DataError, match="exactly one of"):
        nxspe.write(path, **good)
    with pytest.raises(DataError, match=r"in \[0, 2.6"):
        nxspe.write(path, **good, q=[0.5, 1.0, 2.0, 3.0])
    with pytest.raises(DataError, match=r"expected \(4,\)"):
        nxspe.write(path, **good, q=[0.5, 1.0])
    with pytest.raises(DataError, match="9 strictly increasing"):
        nxspe.write(path, **(good | {"energy_edges": EDGES[:-1]}), q=np.ones(4))
    with pytest.raises(DataError, match="expected one"):
        nxspe.write(path, **(good | {"error": error[:2]}), q=np.ones(4))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nxspe"]


def test_measured_file_warns_and_is_never_indexed_by_row_number():
    """212 angles for 249 rows: without q= they go to the 212 rows that hold counts."""
    example = qens_benzene()
    with pytest.warns(DataWarning, match="212 polar angles for 249 rows"):
        file = nxspe.read(example.sample)
    zero = ~np.any(file.data != 0, axis=1)
    np.testing.assert_array_equal(np.isnan(file.q), zero)
    assert not np.isfinite(file.q[0])
    np.testing.assert_array_equal(file.q[~zero], nxspe.elastic_q(file.polar, 3.6))
    assert not file.mask[zero].any()
    by_bin = nxspe.read(example.sample, q_edges=example.q_edges)
    np.testing.assert_allclose(by_bin.q[[0, 248]], [0.05984, 2.91184], rtol=1e-12)
