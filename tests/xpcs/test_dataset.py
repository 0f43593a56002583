"""Matrices and files in, the triangle out; every refusal by name."""

import pathlib

import numpy as np
import pytest

from jaxscatter.errors import DataError, DataWarning
from jaxscatter.io import TwoTime, write_plain
from jaxscatter.xpcs import c2, from_matrices, load, to_matrices

N, DT = 9, 0.2
T = DT * np.arange(N)
PHI = np.array([0.0, 90.0])
STATIC = {"D0": 1000.0, "alpha": 0.0, "D_offset": 0.0}
C2 = np.asarray(c2(STATIC, T, PHI, q=0.01, model="static"))
DATA = pathlib.Path(__file__).parent.parent / "data/xpcs"


def test_points_are_the_pairs_of_the_upper_triangle():
    data = from_matrices(C2, PHI, q=0.01, t=T)
    assert data.y.shape == (2, N * (N - 1) // 2)
    early, late = data.coords["early"], data.coords["late"]
    assert np.all(late > early)
    np.testing.assert_array_equal(data.y, C2[:, early, late])
    assert not data.sigma_given and float(data.coords["dt"]) == pytest.approx(DT)
    assert data.unit("phi") == "degree" and data.unit("q") == "1/Å"


def test_matrices_come_back_with_an_empty_diagonal():
    data = from_matrices(C2, PHI, q=0.01, t=T)
    back = to_matrices(data, data.y)
    off = ~np.eye(N, dtype=bool)
    np.testing.assert_array_equal(back[:, off], C2[:, off])
    assert np.all(np.isnan(np.diagonal(back, axis1=1, axis2=2)))


def test_the_first_frame_may_be_left_out():
    data = from_matrices(C2, PHI, q=0.01, t=T, exclude_t0=True)
    assert data.coords["early"].min() == 1
    assert data.n_points == (N - 1) * (N - 2) // 2
    assert len(data.coords["t"]) == N


@pytest.mark.parametrize("sigma", [0.1, [0.1, 0.2], np.full((2, N, N), 0.1)])
def test_errors_are_one_one_per_angle_or_one_per_entry(sigma):
    data = from_matrices(C2, PHI, q=0.01, dt=DT, sigma=sigma)
    assert data.sigma_given
    second = 0.2 if np.ndim(sigma) == 1 else 0.1
    np.testing.assert_array_equal(data.sigma[:, 0], [0.1, second])


def test_points_without_value_or_error_are_masked_and_said():
    spoilt = C2.copy()
    spoilt[0, 2, 5] = spoilt[0, 5, 2] = np.nan
    sigma = np.full(C2.shape, 0.1)
    sigma[1, 3, 4] = 0.0
    with pytest.warns(DataWarning, match="2 of 72 points"):
        data = from_matrices(spoilt, PHI, q=0.01, t=T, sigma=sigma)
    assert data.n_valid == 70


def test_matrices_that_are_not_symmetric_are_said():
    tilted = C2 + np.triu(np.ones((N, N)), 1)[None]
    with pytest.warns(DataWarning, match="not symmetric"):
        from_matrices(tilted, PHI, q=0.01, t=T)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"c2": np.ones((2, 4, 5))}, r"c2 has shape \(2, 4, 5\)"),
        ({"c2": np.ones((2, 1, 1)), "t": np.zeros(1)}, "at least two frames"),
        ({"phi": np.zeros(3)}, r"phi has shape \(3,\); expected 2 finite"),
        ({"phi": np.array([0.0, np.nan])}, "expected 2 finite angles"),
        ({"q": 0.0}, "q is 0.0; expected positive"),
        ({"t": None}, "dt in s is needed"),
        ({"t": None, "dt": -1.0}, "dt is -1.0 s; expected a positive"),
        ({"t": None, "dt": np.inf}, "dt is inf s"),
        ({"t": T[:-1]}, r"t has shape \(8,\); expected 9 times"),
        ({"t": T**2}, "not uniform"),
        ({"dt": 0.3}, "dt is 0.3 s, but the steps of t are 0.2 s"),
        ({"sigma": 0.0}, "sigma is 0.0; expected positive"),
        ({"sigma": [0.1, np.nan]}, "expected positive numbers"),
        ({"sigma": np.ones(3)}, r"sigma has shape \(3,\)"),
        ({"c2": np.full((2, N, N), np.nan)}, "no value of c2"),
    ],
)
def test_what_cannot_be_used_is_named(changes, text):
    given = {"c2": C2, "phi": PHI, "q": 0.01, "t": T, **changes}
    with pytest.raises(DataError, match=text):
        from_matrices(given.pop("c2"), given.pop("phi"), **given)


def test_files_are_loaded_with_their_angles_chosen(tmp_path):
    q = np.full(2, 0.01)
    path = tmp_path / "made.h5"
    write_plain(path, TwoTime(C2, PHI, q, DT, T, {}))
    data = load(path, sigma=[0.1, 0.2], phi_ranges=[(80.0, 100.0)])
    np.testing.assert_array_equal(data.coords["phi"], [90.0])
    assert data.sigma[0, 0] == 0.2
    np.testing.assert_array_equal(data.y, from_matrices(C2, PHI, q=q, t=T).y[1:])
    assert data.metadata["sample"] == str(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.h5")


def test_the_sample_file_of_the_new_layout_is_loaded():
    data = load(DATA / "sample_aps_u.h5", q=0.0054, dt=0.1)
    assert data.n_groups >= 1 and data.n_valid > 0
    np.testing.assert_allclose(data.coords["q"], data.coords["q"][0])


def test_angles_along_the_last_axis_and_q_in_other_units_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"moveaxis.* puts the angles first"):
        from_matrices(np.ones((5, 5, 2)), np.zeros(2), q=0.01, dt=0.1)
    with pytest.warns(DataWarning, match="q is 54; is it in 1/Å"):
        from_matrices(np.ones((1, 5, 5)), np.zeros(1), q=54.0, dt=0.1)
    path = tmp_path / "other.npz"
    np.savez(path, c2=np.ones((5, 5, 2)), t=np.arange(5.0), phi=np.zeros(2), q=0.01)
    with pytest.raises(DataError, match="the axis of angles comes first in c2"):
        load(path)
