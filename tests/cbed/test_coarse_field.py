"""Pixels of regions, and fields simulated on fewer nodes."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.cbed import bloch
from jaxscatter.cbed.beams import beams
from jaxscatter.cbed.bloch import Settings
from jaxscatter.cbed.coarse_field import (
    Forward,
    corners_of,
    lattice,
    measured,
    structure_numbers,
    upsampled,
)
from jaxscatter.cbed.coarse_targets import State
from jaxscatter.cbed.interpolation import interpolation
from jaxscatter.cbed.refined import none, refined
from jaxscatter.cbed.regions import ROI, Region
from jaxscatter.errors import DataError, ModelError

DISKS = [(0, 0, 0), (1, -1, 1)]
SQUARE = Region([(-3, -2), (-3, 4), (5, -2)], 7, 9)


def roi_of(*regions, **options):
    return ROI(regions, DISKS, (1, -1, 1), 0.0, (20.0, 21.0), **options)


def test_a_template_covers_the_samples_of_its_regions():
    grid = lattice(roi_of(SQUARE), 4, 1.0)
    assert grid.covered.shape == (2, 9, 7) and grid.covered.all()
    np.testing.assert_allclose(grid.box.offsets()[0], (-3, -2))
    assert grid.shape == (17, 15) and len(grid.nodes) == 17 * 15
    np.testing.assert_allclose(grid.nodes.min(axis=0), (-7, -6))
    np.testing.assert_allclose(grid.nodes.max(axis=0), (9, 8))


def test_a_parallelogram_covers_the_pixels_inside_and_half_of_one_beyond():
    region = Region([(0, 0), (6, 12), (14, -4)], 5, 6)
    grid = lattice(roi_of(region), 1, 1.0)
    offsets = np.asarray(grid.box.offsets())[grid.covered[0].ravel()]
    right, down = np.array([6.0, 12.0]), np.array([14.0, -4.0])
    inverse = np.linalg.inv(np.stack([right, down]))
    spare = 0.5 / np.array([np.linalg.norm(right), np.linalg.norm(down)])
    every = np.stack([*np.mgrid[-5:25, -8:16]], axis=-1).reshape(-1, 2)
    at = every @ inverse
    inside = np.all((at >= -spare - 1e-9) & (at <= 1 + spare + 1e-9), axis=1)
    assert set(map(tuple, offsets.tolist())) == set(map(tuple, every[inside].tolist()))
    np.testing.assert_allclose(
        np.sort(corners_of(roi_of(region))[:, 0]), [0, 6, 14, 20]
    )


def test_regions_are_covered_in_their_own_disks_only():
    line = Region([(10, -2), (10, 4), (10, -2)], 7, 1)
    grid = lattice(roi_of(SQUARE, line, mask=[[1, 0], [1, 1]]), 2, 3.0)
    assert grid.covered[0].sum() == 9 * 7 + 7
    assert grid.covered[1].sum() == 7 and grid.covered[1][-1].all()
    point = Region([(0, 0), (0, 0), (0, 0)], 1, 1)
    with pytest.raises(DataError, match="cover 1 whole pixels"):
        lattice(roi_of(point), 2, 1.0)


def test_nodes_are_as_many_as_asked_for():
    grid = lattice(roi_of(SQUARE), 4, 1.0, nx=9)
    assert (grid.down.shape[1], grid.right.shape[1]) == (9, 8)
    assert lattice(roi_of(SQUARE), 4, 100.0).down.shape == (17, 4)


def test_templates_are_read_where_the_disks_are():
    j, i = np.mgrid[:41, :43].astype(float)
    image = interpolation(100 * j + i, "cubic")
    grid = lattice(roi_of(SQUARE), 2, 1.0)
    places = jnp.array([[0.0, 0.0], [1.0, -0.5]])
    values, known = measured(grid.box, image, places, jnp.asarray(10.0))
    rows, columns = np.mgrid[-3:6, -2:5]
    plane = 100 * (20 + rows) + 21 + columns
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(values[0][inner], plane[inner], atol=1e-3)
    # 5 pixels down and 10 to the right
    np.testing.assert_allclose(values[1][inner], plane[inner] + 510, atol=1e-3)
    assert np.all(known)
    _, known = measured(grid.box, image, 1.5 * places, jnp.asarray(10.0))
    assert known[0].all() and known[1].all()
    _, known = measured(grid.box, image, 2 * places, jnp.asarray(10.0))
    assert not known[1][:, -1].any() and known[1][0, 0]


@pytest.fixture
def forward(silicon, row):
    frame, chosen = row
    how = Settings(absorption="none")
    rows = chosen.positions(np.array(DISKS))
    return Forward(chosen, none(len(chosen.differences)), {}, frame, how, rows)


def test_fields_are_those_of_the_pixels_themselves(silicon, forward):
    state = State(silicon, 200.0, (0.03, 0.7), 600.0, 60.0)
    grid = lattice(roi_of(SQUARE), 6, 4.0)
    step = float(forward.frame.x_length(silicon.cell)) / state.gl

    def kt(at):
        return np.array(state.kt) + step * np.stack([at[:, 1], -at[:, 0]], axis=1)

    plan = forward.plan([state], [kt(grid.nodes)], 600.0, 1.05)
    sparse = forward.sparse(state, kt(grid.nodes), [300.0, 600.0], plan)
    down, right = jnp.asarray(grid.down), jnp.asarray(grid.right)
    every = np.stack([*np.mgrid[-9:12, -8:11]], axis=-1).reshape(-1, 2).astype(float)
    exact = bloch.bloch_intensities(
        silicon, forward.beams, kt(every), np.array([300.0, 600.0]), energy=200.0,
        frame=forward.frame, settings=forward.settings, output=np.array(DISKS),
    )  # fmt: skip
    exact = np.moveaxis(np.asarray(exact), 0, -1).reshape(2, 2, 21, 19)
    for one, expected in zip(sparse, exact, strict=True):
        field = upsampled(one, down, right)
        np.testing.assert_allclose(field, expected, atol=2e-3)


def test_a_plan_is_enough_for_all_states(silicon, forward):
    cold = State(silicon.with_(b_iso=[0.0]), 195.0, (0.0, 0.7), 600.0, 60.0)
    warm = State(silicon.with_(b_iso=[2.0]), 205.0, (0.0, 0.7), 600.0, 60.0)
    kt = np.array([[0.0, 0.7], [0.1, 0.6]])
    plan = forward.plan([warm, cold], [kt, kt], 600.0, 1.0)
    for state in (warm, cold):
        assert np.all(np.isfinite(forward.sparse(state, kt, [600.0], plan)))
    narrow = forward.plan([warm], [kt], 600.0, 1.0)
    assert not np.all(np.isfinite(forward.sparse(cold, kt, [600.0], narrow)))
    eigen = forward._replace(settings=Settings(absorption="none", solver="eigh"))
    assert eigen.plan([warm, cold], [kt, kt], 600.0, 1.0) is None


def test_weak_beams_at_a_bragg_position_are_refused(silicon, forward):
    chosen = beams(np.array([(0, 0, 0), (1, -1, 1)]), np.array([(2, -2, 2)]))
    weak = forward._replace(beams=chosen, factors=none(len(chosen.differences)))
    g = np.asarray(forward.frame.lab_vectors(np.array([2.0, -2, 2]), silicon.cell))
    at = np.array([-0.5 * g[:2]])
    state = State(silicon, 200.0, (0.0, 0.0), 600.0, 60.0)
    with pytest.raises(ModelError, match="Bethe potentials diverge"):
        weak.plan([state], [at], 600.0, 1.05)


def test_structure_factors_not_given_are_those_of_atoms(gallium_arsenide):
    differences = np.array([(1, -1, 1), (-1, 1, -1)])
    factors = refined(differences, gallium_arsenide.operations, [(1, -1, 1)])
    how = Settings()
    usual = structure_numbers(factors, gallium_arsenide, 200.0, how, {})
    assert set(usual) == set(factors.names())
    given = {"U(1,-1,1)": 0.05}
    changed = structure_numbers(factors, gallium_arsenide, 200.0, how, given)
    assert changed == {**usual, **given}
    with pytest.raises(ModelError, match="start holds 'B'"):
        structure_numbers(factors, gallium_arsenide, 200.0, how, {"B": 1.0})
    empty = none(2)
    assert structure_numbers(empty, gallium_arsenide, 200.0, how, {}) == {}
