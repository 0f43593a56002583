"""Data in groups: masks, axes of coordinates, padding."""

import numpy as np
import pytest

from jaxscatter.errors import DataError, DataWarning
from jaxscatter.problem import Dataset

Y = np.arange(6.0).reshape(2, 3)


def test_one_group_of_points():
    data = Dataset([1.0, 2.0, 3.0], coords={"q": [0.1, 0.2, 0.3]})
    assert data.y.shape == (1, 3) and not data.sigma_given
    assert dict(data.dims) == {"q": ("point",)}
    assert (data.n_groups, data.n_points, data.n_valid) == (1, 3, 3)


def test_what_has_no_weight_is_masked_and_counted():
    y, sigma = Y.copy(), np.ones((2, 3))
    y[0, 0], sigma[0, 1], sigma[1, 0], sigma[1, 1] = np.nan, 0.0, -1.0, np.inf
    mask = np.ones((2, 3), bool)
    mask[0, 2] = False
    with pytest.warns(DataWarning, match="4 of 5 points"):
        data = Dataset(y, sigma, mask)
    np.testing.assert_array_equal(data.mask, [[0, 0, 0], [0, 0, 1]])
    assert data.n_valid == 1
    assert np.all(np.isfinite(data.y)) and np.all(data.sigma > 0)


def test_masked_points_may_be_anything_without_a_warning():
    y = Y.copy()
    y[0, 0] = np.nan
    data = Dataset(y, mask=np.isfinite(y))
    assert data.n_valid == 5 and data.y[0, 0] == 0


def test_nothing_valid_is_an_error():
    with pytest.raises(DataError, match="all points"):
        Dataset(Y, mask=np.zeros((2, 3)))
    with pytest.warns(DataWarning), pytest.raises(DataError, match="all points"):
        Dataset(np.full((2, 3), np.nan))


def test_shapes_must_agree():
    with pytest.raises(DataError, match=r"sigma has shape \(1, 3\)"):
        Dataset(Y, np.ones(3))
    with pytest.raises(DataError, match=r"mask has shape \(1, 2\)"):
        Dataset(Y, mask=np.ones(2))
    with pytest.raises(DataError, match=r"y has shape \(2, 3, 1\)"):
        Dataset(Y[..., None])
    with pytest.raises(DataError, match="y has shape"):
        Dataset(np.zeros((0, 3)))


def test_axes_are_inferred_where_clear():
    coords = {
        "q": np.zeros(2),
        "omega": np.zeros(3),
        "both": np.zeros((2, 3)),
        "energy": 5.0,
    }
    data = Dataset(Y, coords=coords)
    assert dict(data.dims) == {
        "q": ("group",),
        "omega": ("point",),
        "both": ("group", "point"),
        "energy": (),
    }
    group = data.group(1)
    assert np.shape(group["q"]) == () and group["both"].shape == (3,)


def test_axes_that_are_not_clear_are_asked_for():
    with pytest.raises(DataError, match=r"dims=\{'kernel'"):
        Dataset(Y, coords={"kernel": np.zeros((2, 7))})
    with pytest.raises(DataError, match="not clear"):
        Dataset(np.zeros((3, 3)), coords={"q": np.zeros(3)})
    data = Dataset(
        Y, coords={"kernel": np.zeros((2, 7))}, dims={"kernel": ("group", None)}
    )
    assert dict(data.dims)["kernel"] == ("group", None)
    with pytest.raises(DataError, match="does not fit"):
        Dataset(Y, coords={"q": np.zeros(3)}, dims={"q": ("group",)})
    with pytest.raises(DataError, match="group axis comes first"):
        Dataset(Y, coords={"m": np.zeros((3, 2))}, dims={"m": ("point", "group")})
    with pytest.raises(DataError, match=r"\['r'\], which are no coordinates"):
        Dataset(Y, coords={"q": np.zeros(2)}, dims={"r": ("group",)})


def test_coordinates_must_be_finite_numbers():
    for bad in (np.array([np.nan, 1.0]), np.array([1j * np.inf, 1.0])):
        with pytest.raises(DataError, match="'q' has values that are not finite"):
            Dataset(Y, coords={"q": bad})
    with pytest.raises(DataError, match="expected numbers"):
        Dataset(Y, coords={"q": np.array(["a", "b"])})


def test_units_and_metadata_come_along():
    data = Dataset(Y, units={"y": "1/cm"}, metadata={"title": "run 7"})
    assert data.unit("y") == "1/cm" and data.unit("q") == ""
    assert data.metadata == {"title": "run 7"}


@pytest.mark.parametrize("given", [True, False])
def test_padding_keeps_everything_and_adds_no_weight(given):
    sigma = np.full((2, 3), 0.5) if given else None
    coords = {"q": np.array([1.0, 2.0]), "omega": np.arange(3.0), "m": Y + 1}
    mask = np.ones((2, 3), bool)
    mask[1, 1] = False
    data = Dataset(Y, sigma, mask, coords, units={"y": "1/cm"}, metadata={"title": "a"})
    new = data.padded(4)
    assert new.n_points == 4 and new.n_valid == data.n_valid == 5
    np.testing.assert_array_equal(new.y[:, :3], data.y)
    np.testing.assert_array_equal(new.sigma[:, :3], data.sigma)
    np.testing.assert_array_equal(new.mask[:, :3], data.mask)
    np.testing.assert_array_equal(new.coords["omega"], [0, 1, 2, 2])
    np.testing.assert_array_equal(new.coords["q"], coords["q"])
    assert new.dims == data.dims and new.sigma_given == given
    assert new.unit("y") == "1/cm" and new.metadata == {"title": "a"}
    assert data.padded(3) is data
