"""Which numbers of a crystal are free, and what moving one does."""

import numpy as np
import pytest

from jaxscatter.cbed.coarse_targets import (
    State,
    b_targets,
    cell_targets,
    changed,
    free_cell,
    free_directions,
    pair_of,
    plain,
    position_targets,
)
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.errors import ModelError


def crystal(cell, group, *sites):
    return Crystal.from_sites(
        cell, [Site(s, x, 0.5) for s, x in sites], space_group=group
    )


def state_of(one):
    return State(one, 200.0, (0.0, 0.1), 500.0, 60.0)


@pytest.mark.parametrize(
    ("cell", "group", "free"),
    [
        ([4, 5, 6, 80, 85, 95], "P -1", [(i, []) for i in range(6)]),
        (
            [4, 5, 6, 90, 95, 90],
            "P 1 2/m 1",
            [(0, []), (1, []), (2, []), (4, [])],
        ),
        ([4, 5, 6, 90, 90, 90], "P m m m", [(0, []), (1, []), (2, [])]),
        ([4, 4, 6, 90, 90, 90], "P 4/m m m", [(0, [1]), (2, [])]),
        ([4, 4, 6, 90, 90, 120], "P 6/m m m", [(0, [1]), (2, [])]),
        ([4, 4, 4, 80, 80, 80], "R -3 m:R", [(0, [1, 2]), (3, [4, 5])]),
        ([4, 4, 4, 90, 90, 90], "P m -3 m", [(0, [1, 2])]),
    ],
)
def test_each_crystal_system_leaves_its_own_numbers_free(cell, group, free):
    one = crystal(cell, group, ("Cu", (0, 0, 0)))
    assert free_cell(one) == free
    state = state_of(one)
    for target, (first, followers) in zip(cell_targets(one), free, strict=True):
        after = np.asarray(target.change(state, 1.01 * target.value).crystal.cell)
        moved = np.flatnonzero(after != np.asarray(one.cell))
        assert moved.tolist() == [first, *followers]


def test_a_primitive_cell_of_a_centred_lattice_is_refused():
    from jaxscatter.cbed.operations import Operations

    # body-centred tetragonal: a = b = c, and two angles that go with each other
    a, c = 4.0, 6.0
    basis = 0.5 * np.array([[-a, a, c], [a, -a, c], [a, a, -c]])
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    turn = np.linalg.inv(basis.T) @ quarter @ basis.T
    r = np.round(turn).astype(int)
    assert np.allclose(turn, r)
    group = [np.linalg.matrix_power(r, k) for k in range(4)]
    lengths = np.linalg.norm(basis, axis=1)
    gram = basis @ basis.T
    angles = [
        np.degrees(np.arccos(gram[j, k] / (lengths[j] * lengths[k])))
        for j, k in ((1, 2), (0, 2), (0, 1))
    ]
    operations = Operations(np.array(group), np.zeros((4, 3)))
    one = Crystal.from_sites(
        [*lengths, *angles], [Site("Cu", (0, 0, 0), 0.5)], operations=operations
    )
    with pytest.raises(ModelError, match="conventional cell"):
        cell_targets(one)


def test_coordinates_follow_each_other_on_special_positions():
    one = crystal(
        [5, 5, 5, 90, 90, 90], "P -4 3 m", ("Cu", (0, 0, 0)), ("O", (0.2, 0.2, 0.2))
    )
    targets = position_targets(one, None, 0.005)
    assert [t.name for t in targets] == ["x(O)"]
    assert (targets[0].lo, targets[0].hi) == pytest.approx((0.195, 0.205))
    after = targets[0].change(state_of(one), 0.203).crystal.site_positions()
    np.testing.assert_allclose(after, [[0, 0, 0], [0.203] * 3], atol=1e-12)
    with pytest.raises(ModelError, match="no free coordinate"):
        position_targets(one, ["Cu"], 0.005)


def test_free_directions_span_what_a_projection_keeps():
    third = np.full((3, 3), 1 / 3)
    axes = np.diag([0.0, 1.0, 1.0])
    oblique = np.array([[1.0, 0, 0], [0.5, 0, 0], [0, 0, 1]])
    for projection, names in (
        (third, [0]), (axes, [1, 2]), (oblique, [0, 2]), (np.eye(3), [0, 1, 2]),
        (np.zeros((3, 3)), []),
    ):  # fmt: skip
        found = free_directions(projection)
        assert [axis for axis, _ in found] == names
        for axis, direction in found:
            np.testing.assert_allclose(projection @ direction, direction, atol=1e-12)
            others = [a for a in names if a != axis]
            assert direction[axis] == 1 and not np.any(direction[others])


def test_numbers_change_together():
    one = crystal([5, 5, 5, 90, 90, 90], "P 1", ("Cu", (0, 0, 0)), ("O", (0.2, 0.3, 0)))
    targets = b_targets(one, ["O"], (0, 2)) + position_targets(one, ["O"], 0.005)
    assert [t.name for t in targets] == ["B(O)", "x(O)", "y(O)", "z(O)"]
    after = changed(state_of(one), targets, [1.5, 0.201, 0.299, 0.003]).crystal
    np.testing.assert_allclose(after.b_iso, [0.5, 1.5])
    np.testing.assert_allclose(after.positions[1], [0.201, 0.299, 0.003], atol=1e-12)
    energy = plain("energy", "keV", 200.0, (195, 205))
    assert energy.change(state_of(one), 201.0).energy == 201.0


def test_what_cannot_be_varied_is_refused():
    one = crystal([5, 5, 5, 90, 90, 90], "P 1", ("Cu", (0, 0, 0)))
    for sites, words in ((["Au"], "site is 'Au'"), (["Cu", "Cu"], "each once")):
        with pytest.raises(ModelError, match=words):
            b_targets(one, sites, (0, 2))
    with pytest.raises(ModelError, match="bounds of B"):
        b_targets(one, None, (-1, 2))
    with pytest.raises(ModelError, match="bounds of gl"):
        plain("gl", "px", 60.0, (0, 70))
    with pytest.raises(ModelError, match=r"bounds of x\(Cu\)"):
        position_targets(one, None, 0.0)
    for bounds in ((2, 1), (1, 1), (0, np.inf), (1, 2, 3)):
        with pytest.raises(ModelError, match="limits are"):
            pair_of("limits", bounds)
