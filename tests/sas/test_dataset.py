import pathlib

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import DataWarning

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas"
Q = np.array([0.01, 0.02, 0.04])


def test_pinhole_and_slit_come_from_the_file():
    pinhole = js.sas.load(DATA / "latex_smeared.xml", entry=0)
    slit = js.sas.load(DATA / "latex_smeared.xml", entry=1)
    assert pinhole.metadata["resolution"] == "pinhole"
    assert slit.metadata["resolution"] == "slit"
    n, m = slit.coords["smear"].shape
    assert (n, m) == (slit.n_points, slit.coords["q_calc"].size)
    bare = js.sas.load(DATA / "latex_smeared.xml", entry=1, resolution=False)
    assert set(bare.coords) == {"q"}


def test_several_data_sets_ask_for_one():
    with pytest.raises(
        ValueError, match=r"holds 2 data sets: .* choose one with entry="
    ):
        js.sas.load(DATA / "latex_smeared.xml")


def test_ranges_mask_and_say_when_nothing_is_left():
    data = js.sas.load(DATA / "hSDS_D2O_2p0_percent.xml", q_range=(0.05, 0.1))
    inside = (data.coords["q"] >= 0.05) & (data.coords["q"] <= 0.1)
    np.testing.assert_array_equal(data.mask[0] > 0, inside)
    with pytest.raises(ValueError, match="no point lies in q_range"):
        js.sas.load(DATA / "hSDS_D2O_2p0_percent.xml", q_range=(3.0, 4.0))


@pytest.mark.parametrize(
    ("weights", "sigma"), [("sqrt", [2.0, 3.0, 1.0]), ("I", [4.0, 9.0, 1.0])]
)
def test_weights_made_from_the_intensity(weights, sigma):
    data = js.sas.from_arrays(Q, [4.0, 9.0, 1.0], weights=weights)
    np.testing.assert_allclose(data.sigma[0], sigma)
    assert data.metadata["weights"] == weights


def test_equal_weights_count_as_unknown_errors():
    data = js.sas.from_arrays(Q, [4.0, 9.0, 1.0], [1.0, 1.0, 2.0], weights="none")
    assert not data.sigma_given


def test_points_are_sorted_with_all_their_columns():
    order = [2, 0, 1]
    data = js.sas.from_arrays(
        Q[order], np.array([4.0, 9.0, 1.0])[order], np.array([1.0, 2.0, 3.0])[order]
    )
    np.testing.assert_array_equal(data.coords["q"], Q)
    np.testing.assert_array_equal(data.sigma[0], [1.0, 2.0, 3.0])


def test_points_without_error_are_masked_and_said():
    with pytest.warns(DataWarning, match="1 of 3 points are not finite or have"):
        data = js.sas.from_arrays(Q, [4.0, 9.0, 1.0], [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(data.mask[0], [1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"q": np.array([[0.1]])}, r"q has shape \(1, 1\)"),
        ({"q": [-0.01, 0.02, 0.04]}, "q holds -0.01"),
        ({"sigma": [1.0]}, r"sigma has shape \(1,\), q has \(3,\)"),
        ({"weights": "dY"}, "weights='dY'; expected one of"),
        ({"dq": [0.001] * 3, "q_length": [0.1] * 3}, "both dq of a pinhole and a slit"),
        ({"dq": [0.001, -0.001, 0.001]}, "dq holds negative"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(given, message):
    arguments = {"q": Q, "intensity": [4.0, 9.0, 1.0], "sigma": [1.0] * 3, **given}
    with pytest.raises(ValueError, match=message):
        js.sas.from_arrays(**arguments)


def test_images_keep_their_pixels_and_mask():
    pixels = ([[0.1, -0.1]], [[0.0, 0.2]], [[1.0, 2.0]], [[0.1, 0.1]])
    mask = np.array([[True, False]])
    image = js.io.Image(*(np.array(v) for v in pixels), mask=mask)
    data = js.sas.from_curve(image)
    np.testing.assert_array_equal(data.mask[0], [1.0, 0.0])
    assert data.metadata["shape"] == (1, 2)
    with pytest.warns(DataWarning, match="4 of 240 points"):
        two = js.sas.load(DATA / "33837rear_2D_crop.h5")
    assert {"qx", "qy"} <= set(two.coords)


def test_units_other_than_absolute_are_kept_and_said():
    data = js.sas.from_arrays(Q, [4.0, 9.0, 1.0], [1.0] * 3, unit="a.u.")
    problem = js.sas.problem(data, "guinier")
    assert any("not 1/cm" in w for w in problem.warnings)


def test_a_fit_saved_beside_its_data_is_not_taken_for_data(tmp_path):
    data = js.sas.from_arrays(Q, [4.0, 9.0, 1.0], [0.5] * 3, dq=0.05 * Q)
    js.sas.save(data, tmp_path / "a.h5", fit=np.array([4.1, 8.9, 1.2]))
    again = js.sas.load(tmp_path / "a.h5")
    np.testing.assert_array_equal(again.y, data.y)
    assert again.metadata["resolution"] == "pinhole"
