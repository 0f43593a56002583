"""Special positions against Wyckoff multiplicities and site symmetries."""

import numpy as np
import pytest

from jaxscatter.cbed.operations import identity, space_group
from jaxscatter.cbed.sites import check_overlaps, images_of
from jaxscatter.errors import DataError

pytest.importorskip("gemmi")
CUBIC = np.array([5.43, 5.43, 5.43, 90.0, 90.0, 90.0])
QUARTZ = np.array([4.913, 4.913, 5.405, 90.0, 90.0, 120.0])


@pytest.mark.parametrize(
    ("position", "multiplicity"),
    [
        ((0, 0, 0), 8),
        ((0.125, 0.125, 0.125), 16),
        ((0.31, 0.31, 0.31), 32),
        ((0.11, 0.11, 0.3), 96),
        ((0.11, 0.17, 0.3), 192),
    ],
)
def test_multiplicities_are_those_of_the_tables(position, multiplicity):
    group = space_group("F d -3 m:1")
    images = images_of(np.array([position], float), group, CUBIC)
    assert len(images) == multiplicity
    np.testing.assert_array_equal(images.multiplicities, [multiplicity])


def test_a_rounded_position_is_put_on_the_axis():
    """0.3333 0.6667 z of a hexagonal cell: z stays free, x and y do not."""
    group = space_group("P 63 m c")
    x = np.array([[0.3333, 0.6667, 0.3819]])
    images = images_of(x, group, np.array([3.25, 3.25, 5.2, 90.0, 90.0, 120.0]))
    assert len(images) == 2
    got = images.projection[0] @ x[0] + images.offset[0]
    np.testing.assert_allclose(got, [1 / 3, 2 / 3, 0.3819], atol=1e-15)
    moved = images.projection[0] @ [0.2, 0.1, 0.5] + images.offset[0]
    np.testing.assert_allclose(moved, [1 / 3, 2 / 3, 0.5], atol=1e-15)


def test_tensors_obey_the_site_symmetry():
    """x 0 2/3 of P3_2 21 has a twofold axis along a: 22 = 2·12 and 23 = 2·13."""
    group = space_group("P 32 2 1")
    images = images_of(np.array([[0.47, 0.0, 2 / 3]]), group, QUARTZ)
    assert len(images) == 3
    u = np.array([[5.0, 1.0, 0.3], [1.0, 3.0, 0.7], [0.3, 0.7, 2.0]])
    got = (images.tensors[0] @ u.ravel()).reshape(3, 3)
    np.testing.assert_allclose(got, got.T, atol=1e-14)
    np.testing.assert_allclose(got[1, 1], 2 * got[0, 1], rtol=1e-13)
    np.testing.assert_allclose(got[1, 2], 2 * got[0, 2], rtol=1e-13)


def test_images_are_compared_by_value():
    x = np.array([[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]])
    one, other = (images_of(x, identity(), CUBIC) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert len(one) == 2
    assert one != images_of(x[:1], identity(), CUBIC)


def test_a_site_too_near_a_special_position_is_refused():
    """8 mirror and axis images at 0.018 to 0.036 Å: neither one atom nor several."""
    with pytest.raises(DataError, match="special position"):
        images_of(np.array([[0.0017, 0.001, 0.0]]), space_group(221), CUBIC)


def test_atoms_at_one_point_are_refused_unless_they_share_it():
    group = space_group("F -4 3 m")
    x = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    images = images_of(x, group, CUBIC)
    with pytest.raises(DataError, match=r"coincide.*add up to 2"):
        check_overlaps(images, group, x, np.ones(2), CUBIC)
    check_overlaps(images, group, x, np.array([0.3, 0.7]), CUBIC)
