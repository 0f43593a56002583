"""Datasets as DAVE group files."""

import numpy as np
import pytest

from jaxscatter import qens
from jaxscatter.errors import DataError
from jaxscatter.problem import Dataset

OMEGA = np.linspace(-1.0, 1.0, 21)


def bins(q):
    spectrum = 1 + np.exp(-(OMEGA**2)) * q
    return OMEGA, spectrum, np.where(OMEGA > 0.9, 0.0, 0.1 * spectrum), q


@pytest.mark.parametrize("unit", ["meV", "ueV"])
def test_what_is_saved_is_loaded_with_its_mask(tmp_path, unit):
    data = qens.from_bins([bins(0.5), bins(1.5)], 0.05)
    path = qens.save_grp(data, tmp_path / "a.grp", unit)
    again = qens.load(path, 0.05, align="none")
    np.testing.assert_allclose(again.coords["omega"], OMEGA, atol=1e-15)
    np.testing.assert_array_equal(again.coords["q"], [0.5, 1.5])
    np.testing.assert_array_equal(again.mask, data.mask)
    np.testing.assert_array_equal(again.y, data.y)
    np.testing.assert_array_equal(again.sigma, data.sigma)
    assert again.metadata["format"] == "DAVE grp"


def test_data_without_axes_or_errors_are_not_saved(tmp_path):
    with pytest.raises(DataError, match="no coordinate 'omega'"):
        qens.save_grp(Dataset(np.ones(3), np.ones(3)), tmp_path / "a.grp")
    bare = Dataset(np.ones((1, 21)), None, None, {"omega": OMEGA, "q": np.ones(1)})
    with pytest.raises(DataError, match="have no errors"):
        qens.save_grp(bare, tmp_path / "a.grp")
    assert not [*tmp_path.iterdir()]
