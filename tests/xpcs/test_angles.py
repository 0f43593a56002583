"""One turn, ranges that wrap, fallback."""

import numpy as np
import pytest

from jaxscatter.errors import DataError, DataWarning
from jaxscatter.xpcs import in_range, normalised, selected


@pytest.fixture(scope="module")
def peer(reference):
    return reference("xpcs/misc_homodyne_v2.json")


@pytest.mark.peer
def test_angles_are_normalised_as_in_homodyne(peer):
    given, expected = np.array(peer["normalize"]).T
    np.testing.assert_array_equal(normalised(given), expected)


@pytest.mark.peer
def test_ranges_hold_what_they_hold_in_homodyne(peer):
    for angle, lo, hi, inside in peer["in_range"]:
        assert bool(in_range(angle, lo, hi)) is inside


def test_the_default_ranges_lie_along_the_flow_and_against_it():
    phi = np.array([-175.0, -20.0, -10.0, 0.0, 45.0, 90.0, 170.0, 190.0, 200.0])
    np.testing.assert_array_equal(selected(phi), [0, 2, 3, 6, 7])


def test_the_order_of_the_angles_is_kept_and_a_union_counts_once():
    phi = np.array([5.0, 85.0, -5.0, 95.0])
    picked = selected(phi, [(-10.0, 10.0), (0.0, 10.0), (85.0, 90.0)])
    np.testing.assert_array_equal(picked, [0, 1, 2])


def test_an_empty_selection_takes_all_with_a_warning_or_is_refused():
    phi = np.array([40.0, 50.0])
    with pytest.warns(DataWarning, match="all 2 are used"):
        np.testing.assert_array_equal(selected(phi, [(0.0, 10.0)]), [0, 1])
    with pytest.raises(DataError, match=r"no angle lies in .* there are \[40"):
        selected(phi, [(0.0, 10.0)], fallback=False)
