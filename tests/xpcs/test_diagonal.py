"""Replaced diagonals: the peer's numbers, NaNs, small matrices."""

import pathlib

import numpy as np
import pytest

from jaxscatter.errors import DataError, ModelError
from jaxscatter.xpcs import corrected_diagonal

FILE = pathlib.Path(__file__).parent.parent / "data/xpcs/preproc_homodyne_v2.npz"


@pytest.fixture(scope="module")
def peer():
    with np.load(FILE) as stored:
        return dict(stored)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("basic", {}),
        ("stat_median", {"method": "statistical"}),
        ("stat_mean", {"method": "statistical", "estimator": "mean", "window": 2}),
        (
            "stat_trim",
            {"method": "statistical", "estimator": "trimmed_mean", "window": 4},
        ),
        ("interp", {"method": "interpolation"}),
    ],
)
def test_all_methods_are_those_of_homodyne(peer, name, options):
    got = corrected_diagonal(peer["inp"], **options)
    np.testing.assert_allclose(got, peer[name], rtol=0, atol=1e-13)


def test_several_matrices_are_each_corrected_and_the_input_is_kept(peer):
    pair = np.stack([peer["inp"], 2 * peer["inp"]])
    before = pair.copy()
    for method in ("basic", "statistical", "interpolation"):
        both = corrected_diagonal(pair, method)
        np.testing.assert_allclose(both[1], 2 * both[0], rtol=1e-15)
    np.testing.assert_array_equal(pair, before)


def test_a_cubic_spline_follows_a_curved_diagonal():
    """Neighbours of the diagonal of f(t1 + t2) are values of f between the frames."""
    k = np.arange(30.0)
    f = np.sin(0.2 * (k[:, None] + k[None]) / 2)
    for order, error in (("linear", 6e-3), ("cubic", 2e-4)):
        got = corrected_diagonal(f, "interpolation", order=order)
        assert np.max(np.abs(np.diagonal(got) - np.diagonal(f))[4:-4]) < error


def test_nans_are_left_out_of_a_statistic():
    c2 = np.full((6, 6), 1.5)
    c2[2, 3] = c2[3, 2] = np.nan
    got = corrected_diagonal(c2, "statistical")
    np.testing.assert_array_equal(np.diagonal(got), 1.5)


def test_single_frames_stay_and_wrong_input_is_named():
    np.testing.assert_array_equal(corrected_diagonal(np.array([[7.0]])), [[7.0]])
    with pytest.raises(DataError, match=r"shape \(2, 3\)"):
        corrected_diagonal(np.ones((2, 3)))
    for wrong in (
        {"method": "median"},
        {"estimator": "mode"},
        {"order": "quartic"},
        {"window": 0},
        {"trim": 0.5},
    ):
        with pytest.raises(ModelError, match=f"{next(iter(wrong))} is"):
            corrected_diagonal(np.ones((3, 3)), **wrong)
