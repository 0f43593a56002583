"""Operations of space groups: how many, in which setting, and what is no group."""

import builtins

import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.io import space_group

pytest.importorskip("gemmi")

CUBIC = [4.0, 4.0, 4.0, 90.0, 90.0, 90.0]
ALONG_B = [13.382, 20.125, 19.89, 90.0, 90.547, 90.0]
ALONG_C = [13.382, 20.125, 19.89, 90.0, 90.0, 90.547]


def images(group, x):
    """Distinct images of a position in the cell."""
    moved = np.einsum("nij,j->ni", group.rotations, np.asarray(x, float))
    return np.unique(np.round((moved + group.translations) % 1 % (1 - 1e-9), 6), axis=0)


@pytest.mark.parametrize(
    ("number", "setting", "order"),
    [(1, 1, 1), (2, 1, 2), (216, 1, 96), (225, 1, 192), (227, 2, 192), (230, 1, 96),
     (186, 1, 12), (167, 1, 36), (167, 2, 12), (62, 6, 8)],
)  # fmt: skip
def test_order_counts_centring_and_the_identity_comes_first(number, setting, order):
    group = space_group.of_number(number, setting)
    assert group.rotations.shape == (order, 3, 3)
    np.testing.assert_array_equal(group.rotations[0], np.eye(3))
    np.testing.assert_array_equal(group.translations[0], 0)


def test_origin_choice_moves_the_diamond_sites():
    """Origin 1 is at -43m, a site of 8 atoms; origin 2 at -3m, an eighth away."""
    first, second = (space_group.of_number(227, i) for i in (1, 2))
    assert len(images(first, [0, 0, 0])) == len(images(second, [1 / 8] * 3)) == 8
    assert len(images(second, [0, 0, 0])) == len(images(first, [1 / 8] * 3)) == 16


def test_setting_of_a_monoclinic_group_is_its_unique_axis():
    assert space_group.of_number(14, 2).symbol == "P 1 21/c 1"
    assert space_group.of_number(14, 1).symbol == "P 1 1 21/b"
    assert space_group.of_number(14, 1, ALONG_B).symbol == "P 1 21/c 1"
    assert space_group.of_number(14, 1, ALONG_C).symbol == "P 1 1 21/b"


def test_every_monoclinic_group_has_both_settings():
    for number in range(3, 16):
        for setting, cell in ((1, ALONG_C), (2, ALONG_B)):
            group = space_group.of_number(number, setting, cell)
            assert space_group.metric_change(cell, group.rotations) < 1e-12


def test_settings_of_orthorhombic_groups_permute_the_axes():
    """Of No. 62 only abc has its mirror across b and its n glide across a."""
    symbols = [space_group.of_number(62, i).symbol for i in range(1, 7)]
    assert symbols == ["P n m a", "P m n b", "P b n m", "P c m n", "P m c n", "P n a m"]


@pytest.mark.parametrize(
    ("number", "setting", "message"),
    [
        (0, 1, "number is 0; expected 1 to 230"),
        (231, 1, "number is 231"),
        (225, 2, r"setting of space group 225 is 2; expected one of \[1\]"),
        (227, 3, r"expected one of \[1, 2\]"),
        (62, 7, r"\[1, 2, 3, 4, 5, 6\]"),
    ],
)
def test_numbers_and_settings_that_are_none_are_refused(number, setting, message):
    with pytest.raises(DataError, match=message):
        space_group.of_number(number, setting)


def test_symbols_are_read_with_the_cells_angles():
    hexagonal = [5.0, 5.0, 13.0, 90.0, 90.0, 120.0]
    assert space_group.of_symbol("R -3 c", hexagonal).symbol == "R -3 c:H"
    assert space_group.of_symbol("R -3 c", [5.0] * 3 + [56.0] * 3).symbol == "R -3 c:R"
    assert space_group.of_symbol("Fd-3m:2").symbol == "F d -3 m:2"
    assert space_group.has_two_origins("F d -3 m")
    assert not space_group.has_two_origins("F d -3 m:1")
    assert not space_group.has_two_origins("P 1 21/c 1")
    with pytest.raises(DataError, match="'nothing'; expected a Hermann-Mauguin"):
        space_group.of_symbol("nothing")


def test_hall_symbol_and_number_give_the_same_operations():
    hall, number = space_group.of_hall("-F 4vw 2vw 3"), space_group.of_number(227, 2)
    assert hall.symbol == "F d -3 m:2"
    x = [0.11, 0.23, 0.37]
    np.testing.assert_allclose(images(hall, x), images(number, x), atol=1e-6)
    with pytest.raises(DataError, match="Hall symbol is 'garbage'"):
        space_group.of_hall("garbage")


def test_triplets_are_named_and_ordered():
    group = space_group.of_triplets(
        ["-x,1/2+y,1/2-z", "x,1/2-y,1/2+z", "x,y,z", "-x,-y,-z"]
    )
    assert group.symbol == "P 1 21/c 1"
    np.testing.assert_array_equal(group.rotations[0], np.eye(3))
    assert len(group.rotations) == 4
    twice = space_group.of_triplets(["x,y,z", "-x,-y,-z", "X, Y, Z-1"])
    assert (twice.symbol, len(twice.rotations)) == ("P -1", 2)


@pytest.mark.parametrize(
    ("triplets", "message"),
    [
        ([], "no operation"),
        (["-x,-y,-z"], "without x,y,z"),
        (["x,y,z", "-x,y+1/4,-z"], "no group"),
        (["x,y,z", "x,x,z"], "no inverse"),
        (["x,y,z", "x+x,y,z"], "operation"),
        (["x,y,z", "x/2,y,z"], "operation"),
        (["x,y"], "operation 'x,y'"),
        (["x,y,z"] * 193, "193 operations; expected at most 192"),
    ],
)
def test_lists_that_are_no_group_are_refused(triplets, message):
    with pytest.raises(DataError, match=message):
        space_group.of_triplets(triplets)


def test_metric_change_is_the_strain_that_breaks_the_symmetry():
    rotations = space_group.of_number(225).rotations
    assert space_group.metric_change(CUBIC, rotations) == 0
    strained = [4.0, 4.0, 4.004, 90.0, 90.0, 90.0]
    change = 1.001**2 - 1
    got = space_group.metric_change(strained, rotations)
    np.testing.assert_allclose(got, change, rtol=1e-10)


def test_without_gemmi_the_error_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "gemmi":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r"pip install jaxscatter\[chem\]"):
        space_group.of_number(1)
