"""Files of refinements: what was written comes back, and broken ones are named."""

import dataclasses

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import BlochFit, read_fit, write_fit

RNG = np.random.default_rng(0)
FIT = BlochFit(
    names=("U(1,-1,1)", "thickness"),
    units=("1/Å²", "Å"),
    values=np.array([0.047, 810.0]),
    std=np.array([1e-5, np.nan]),
    cov=np.eye(2),
    gof=1.1,
    dof=37.0,
    scale=1e5,
    background=np.array([1.0, 2.0]),
    hkl=np.array([[0, 0, 0], [1, -1, 1]]),
    experiment=RNG.normal(size=(2, 20)),
    simulation=RNG.normal(size=(2, 20)),
    sigma=np.ones((2, 20)),
    mask=np.ones((2, 20), bool),
    warnings=("χ² is large",),
)


def test_a_refinement_comes_back_bit_for_bit(tmp_path):
    found = read_fit(write_fit(tmp_path / "fit.h5", FIT))
    for field in dataclasses.fields(FIT):
        a, b = getattr(FIT, field.name), getattr(found, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        else:
            assert a == b


def test_shapes_that_differ_are_named():
    with pytest.raises(DataError, match=r"cov has shape \(3, 3\); expected \(2, 2\)"):
        dataclasses.replace(FIT, cov=np.eye(3))
    with pytest.raises(DataError, match="1 units of 2"):
        dataclasses.replace(FIT, units=("Å",))


@pytest.mark.parametrize("name", ["values", "experiment", "names"])
def test_incomplete_files_are_refused(tmp_path, name):
    path = write_fit(tmp_path / "fit.h5", FIT)
    with h5py.File(path, "a") as file:
        del file[f"fit/{name}"]
    with pytest.raises(FormatError, match=name):
        read_fit(path)


def test_truncated_and_foreign_files_are_refused(tmp_path):
    path = write_fit(tmp_path / "fit.h5", FIT)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="expected a complete HDF5 file"):
        read_fit(path)
    path.write_text("h k l")
    with pytest.raises(FormatError, match="expected a complete HDF5 file"):
        read_fit(path)
    with pytest.raises(FileNotFoundError):
        read_fit(tmp_path / "none.h5")
