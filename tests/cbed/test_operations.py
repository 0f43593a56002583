"""Space-group operations: group axioms, symbols and refusals."""

import numpy as np
import pytest

from jaxscatter.cbed.operations import Operations, identity, space_group
from jaxscatter.errors import DataError

TWOFOLD = (np.array([np.eye(3), np.diag([-1, -1, 1])]), np.zeros((2, 3)))
gemmi = pytest.importorskip("gemmi")


@pytest.mark.parametrize(
    ("name", "order"),
    [("P 1", 1), ("Pna2_1", 4), ("P2_1/c", 4), ("P3_221", 6), (227, 192), (216, 96)],
)
def test_space_groups_have_their_order(name, order):
    assert len(space_group(name)) == order


def test_origin_choices_differ_by_a_shift():
    """-1 of Fd-3m stands at the origin in choice 2, at 1/8 1/8 1/8 in choice 1."""
    first, second = space_group(227), space_group(227, 2)
    assert space_group("F d -3 m:2") == second
    assert first.centrosymmetric
    assert not first.inverts_origin
    assert second.inverts_origin


def test_axes_of_a_rhombohedral_group_can_be_chosen():
    assert len(space_group("R 3 c:R")) == len(space_group(161, 2)) == 6
    assert len(space_group("R 3 c")) == 18


def test_equal_operations_are_one_key():
    one, other = space_group("P 63 m c"), space_group(186)
    assert one == other
    assert hash(one) == hash(other)
    assert one != identity()
    assert one != "P 63 m c"
    assert "12" in repr(one)


def test_rounded_thirds_become_exact():
    axis = np.array([[0, -1, 0], [1, -1, 0], [0, 0, 1]])
    rotations = np.array([np.eye(3), axis, axis @ axis])
    translations = np.array([[0, 0, 0], [0, 0, 0.3333], [0, 0, 0.6667]])
    got = Operations(rotations, translations).translations
    np.testing.assert_array_equal(got[:, 2], [0, 8 / 24, 16 / 24])


def test_a_shifted_origin_keeps_its_translations():
    rotations = np.array([np.eye(3), -np.eye(3)])
    translations = np.array([[0, 0, 0], [0.246, 0.1, 0.0]])
    group = Operations(rotations, translations)
    np.testing.assert_array_equal(group.translations, translations)


@pytest.mark.parametrize(
    ("rotations", "translations", "reason"),
    [
        (TWOFOLD[0][1:], np.zeros((1, 3)), "identity"),
        (np.array([np.eye(3), 2 * np.eye(3)]), np.zeros((2, 3)), "determinant"),
        (np.array([np.eye(3), 0.5 * np.eye(3)]), np.zeros((2, 3)), "integer"),
        (TWOFOLD[0], np.array([[0, 0, 0], [0, 0, 0.25]]), "combine"),
        (TWOFOLD[0], np.array([[0, 0, 0], [0, 0, np.nan]]), "finite"),
        (TWOFOLD[0], np.zeros((3, 3)), "expected"),
    ],
)
def test_lists_that_are_no_group_are_refused(rotations, translations, reason):
    with pytest.raises(DataError, match=reason):
        Operations(rotations, translations)


@pytest.mark.parametrize(
    ("name", "setting"),
    [("nothing", None), (231, None), (0, None), (198, 2), ("Pnma", 2)],
)
def test_unknown_groups_and_settings_are_refused(name, setting):
    with pytest.raises(DataError, match=str(name if setting is None else setting)):
        space_group(name, setting)
