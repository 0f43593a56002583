"""Data written in every layout and read back."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import DataError, DataWarning, ModelError
from jaxscatter.io import read_cache, read_two_time

STATIC = {"D0": 1e4, "alpha": 0.0, "D_offset": 0.0}


@pytest.fixture(scope="module")
def simulated():
    return xpcs.simulate(
        "static",
        STATIC,
        q=0.01,
        dt=0.1,
        n_frames=12,
        phi=[0.0, 90.0, -120.0],
        noise=0.01,
        self_correlation=1.5,
    )


@pytest.mark.parametrize(
    ("name", "layout", "read"),
    [
        ("a.h5", None, "aps_u"),
        ("a.npz", None, "plain"),
        ("a.h5", "plain", "plain"),
        ("a.npz", "cache", "cache"),
    ],
)
def test_what_is_written_is_read_back_bit_for_bit(
    simulated, tmp_path, name, layout, read
):
    path = xpcs.save(simulated, tmp_path / name, layout)
    assert read_two_time(path, q=0.01).metadata["layout"] == read
    data = xpcs.load(path, q=0.01, sigma=0.01)
    order = [data.coords["phi"].tolist().index(p) for p in simulated.coords["phi"]]
    np.testing.assert_array_equal(np.asarray(data.y)[order], simulated.y)
    for key in ("early", "late"):
        np.testing.assert_array_equal(data.coords[key], simulated.coords[key])
    np.testing.assert_allclose(data.coords["t"], simulated.coords["t"])
    np.testing.assert_array_equal(data.sigma, simulated.sigma)


def test_the_bright_diagonal_reaches_the_file(simulated, tmp_path):
    back = read_two_time(xpcs.save(simulated, tmp_path / "a.npz"))
    diagonal = np.diagonal(back.c2, axis1=1, axis2=2)
    np.testing.assert_array_equal(diagonal, simulated.coords["diagonal"])
    assert diagonal.min() > 2.5


def test_without_one_the_diagonal_is_that_of_its_neighbours(tmp_path):
    data = xpcs.simulate("static", STATIC, q=0.01, dt=0.1, n_frames=5)
    c2 = xpcs.to_two_time(data).c2
    k = np.arange(4)
    np.testing.assert_allclose(c2[0, 0, 0], c2[0, 0, 1])
    np.testing.assert_allclose(
        c2[0, k[1:], k[1:]], 0.5 * (c2[0, k[:-1], k[1:]] + c2[0, k[1:], k[1:] + 1])
    )


def test_several_q_are_chosen_among_when_read(tmp_path):
    data = xpcs.simulate(
        "static", STATIC, q=[0.01, 0.02], dt=0.1, n_frames=6, phi=[0.0, 30.0]
    )
    path = xpcs.save(data, tmp_path / "a.h5")
    one = xpcs.load(path, q=0.02)
    np.testing.assert_array_equal(one.y, np.asarray(data.y)[2:])
    with pytest.raises(DataError, match=r"q is \[0\.01, 0\.02\]; expected one"):
        xpcs.save(data, tmp_path / "b.npz", "cache")


def test_a_cache_is_known_to_its_reader(simulated, tmp_path):
    path = xpcs.save(simulated, tmp_path / "a.npz", "cache")
    back = read_cache(path, 0.01, 1, -1)
    assert back is not None
    assert back.c2.shape == (3, 12, 12)


def test_points_that_a_problem_adds_hide_nothing(simulated, tmp_path):
    """Fill has weight 0 and the place of a point that counts."""
    problem = xpcs.problem(simulated, "static", chunk=50)
    held = problem.data
    padded = held.padded(held.n_points + 7)
    back = xpcs.to_two_time(padded).c2
    np.testing.assert_array_equal(back, xpcs.to_two_time(simulated).c2)


def test_masked_points_stay_masked(simulated, tmp_path):
    spoilt = xpcs.to_matrices(simulated, simulated.y)
    spoilt[1, 2, 7] = spoilt[1, 7, 2] = np.nan
    with pytest.warns(DataWarning, match="1 of 198 points"):
        data = xpcs.from_matrices(spoilt, simulated.coords["phi"], q=0.01, dt=0.1)
    path = xpcs.save(data, tmp_path / "a.npz")
    with pytest.warns(DataWarning, match="1 of 198 points"):
        back = xpcs.load(path)
    np.testing.assert_array_equal(back.mask, data.mask)


def test_what_cannot_be_written_is_named(simulated, tmp_path):
    with pytest.raises(ModelError, match="layout is 'hdf'; expected one of"):
        xpcs.save(simulated, tmp_path / "a.h5", "hdf")
    with pytest.raises(FileNotFoundError, match="no such folder to write"):
        xpcs.save(simulated, tmp_path / "none" / "a.h5")
    with pytest.raises(IsADirectoryError, match="expected a file name"):
        xpcs.save(simulated, tmp_path)
    with pytest.raises(DataError, match="no coordinate 'early'"):
        xpcs.save(js.Dataset(np.ones((1, 5))), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
