"""Regions and their samples: corners, steps, masks, and patterns known everywhere."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed.interpolation import interpolation
from jaxscatter.cbed.regions import ROI, Region
from jaxscatter.errors import DataError

SQUARE = Region([[-4, -5], [-4, 5], [4, -5]], 11, 9)
LINE = Region([[2, -6], [-1, 6], [5, -6]], 13, 1)
DISKS = [(0, 0, 0), (1, -1, -1)]
PLACES = np.array([[0.0, 0.0], [1.0, 0.25]])
GEOMETRY = {
    "rotation": 24.0,
    "shift": (0.6, -0.3),
    "diskshift": np.array([[0.2, 0.1], [-0.4, 0.5]]),
    "places": PLACES,
    "gl": 21.0,
}


@pytest.fixture(scope="module")
def roi():
    return ROI(
        [SQUARE, LINE], DISKS, (1, -1, -1), 20.0, (20, 16), mask=[[1, 1], [0, 1]]
    )


def test_samples_run_row_by_row_between_the_corners():
    expected = [[j, i] for j in range(-4, 5) for i in range(-5, 6)]
    np.testing.assert_allclose(SQUARE.offsets(), expected, atol=1e-14)
    line = np.asarray(LINE.offsets())
    np.testing.assert_allclose(line[0], [2, -6])
    np.testing.assert_allclose(line[-1], [-1, 6])
    np.testing.assert_allclose(np.diff(line, axis=0), [[-0.25, 1.0]] * 12)


def test_a_parallelogram_leans():
    leaning = Region([[0, 0], [1, 4], [6, 2]], 3, 3)
    expected = [
        [0, 0], [0.5, 2], [1, 4], [3, 1], [3.5, 3], [4, 5], [6, 2], [6.5, 4], [7, 6],
    ]  # fmt: skip
    np.testing.assert_allclose(leaning.offsets(), expected, atol=1e-14)


def test_padding_adds_equally_spaced_samples_on_every_side():
    for region in (SQUARE, LINE, Region([[0, 0], [1, 4], [6, 2]], 3, 3)):
        wide = region.padded(3)
        assert (wide.nx, wide.ny) == (region.nx + 6, region.ny + 6)
        inner = np.asarray(wide.offsets()).reshape(wide.ny, wide.nx, 2)[3:-3, 3:-3]
        np.testing.assert_allclose(inner.reshape(-1, 2), region.offsets(), atol=1e-13)
        np.testing.assert_allclose(wide.steps, region.steps, atol=1e-13)


def test_a_single_row_or_sample_is_padded_by_whole_pixels():
    flat = Region([[1, 0], [1, 8], [1, 0]], 5, 1)
    np.testing.assert_allclose(flat.steps, [[0, 2], [1, 0]], atol=1e-15)
    upright = Region([[0, 3], [0, 3], [8, 3]], 1, 5)
    np.testing.assert_allclose(upright.steps, [[0, 1], [2, 0]], atol=1e-15)
    point = Region([[2, 3], [2, 3], [2, 3]], 1, 1)
    np.testing.assert_allclose(point.offsets(), [[2, 3]])
    np.testing.assert_allclose(np.linalg.norm(point.steps, axis=1), 1.0)
    assert abs(np.linalg.det(point.steps)) > 0.5
    assert np.all(np.isfinite(point.padded(2).offsets()))


def test_a_region_may_be_given_as_four_rows():
    region = Region.from_rows([[-4, -5], [-4, 5], [4, -5], [11, 9]])
    np.testing.assert_array_equal(region.offsets(), SQUARE.offsets())
    with pytest.raises(DataError, match="three corners"):
        Region.from_rows([[0, 0], [0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("corners", "nx", "ny"),
    [
        ([[0, 0], [0, 0], [1, 0]], 2, 2),
        ([[0, 0], [0, 2], [0, 4]], 2, 2),
        ([[0, 0], [0, 2], [0, 0]], 2, 2),
        ([[0, 0], [0, np.nan], [1, 0]], 2, 2),
        ([[0, 0], [0, 2], [1, 0]], 0, 2),
        ([[0, 0], [0, 2]], 2, 2),
    ],
)
def test_a_region_without_area_is_refused(corners, nx, ny):
    with pytest.raises(DataError):
        Region(np.array(corners, float), nx, ny)


def test_the_mask_chooses_regions_by_disk(roi):
    chosen = np.asarray(roi.chosen())
    assert chosen.shape == (2, 99 + 13) and roi.size == 112
    assert np.all(chosen[0, :99]) and not np.any(chosen[0, 99:])
    assert np.all(chosen[1])
    square, line = roi.images(chosen)
    assert square.shape == (2, 9, 11) and line.shape == (2, 1, 13)
    assert roi.padded(2).size == 13 * 15 + 17 * 5


def test_without_turn_or_shift_positions_are_centre_plus_offset(roi):
    found = roi.positions(rotation=0.0)
    expected = np.asarray(roi.offsets()) + np.array([20, 16])
    np.testing.assert_allclose(found, [expected] * 2, atol=1e-13)
    moved = roi.positions(rotation=0.0, shift=(1, 2), places=PLACES, gl=10.0)
    np.testing.assert_allclose(moved[0], expected + np.array([1, 2]), atol=1e-13)
    np.testing.assert_allclose(moved[1], expected + np.array([-1.5, 12]), atol=1e-13)
    doubled = roi.positions(rotation=0.0, magnification=2.0)
    np.testing.assert_allclose(
        doubled[0], 2 * np.asarray(roi.offsets()) + [20, 16], atol=1e-13
    )


def test_the_turn_is_about_the_pivot():
    centre = (31.5, 40.0)
    about = ROI([SQUARE], DISKS, (1, 0, 0), 90.0, (20, 16), pivot=centre)
    offset = np.asarray(SQUARE.offsets()) + np.array([20, 16]) - centre
    expected = np.stack([offset[:, 1], -offset[:, 0]], axis=-1) + centre
    np.testing.assert_allclose(about.positions()[0], expected, atol=1e-12)


def test_offsets_of_positions_are_the_samples(roi):
    back = roi.experiment_to_offset(roi.positions(**GEOMETRY), **GEOMETRY)
    np.testing.assert_allclose(back, [roi.offsets()] * 2, atol=1e-12)


def test_fixed_samples_of_a_moved_pattern_are_moved_the_other_way(roi):
    fixed = roi.positions(rotation=0.0)
    seen = roi.experiment_to_offset(fixed, rotation=0.0, shift=(1.0, -2.0))
    np.testing.assert_allclose(
        seen[0], np.asarray(roi.offsets()) - [1.0, -2.0], atol=1e-13
    )


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_a_known_pattern_is_read_back_on_the_samples(kind):
    """A detector image painted from display space: its samples are the painting."""
    roi = ROI([SQUARE, LINE], DISKS, (1, -1, -1), 24.0, (24, 18))
    geometry = {**GEOMETRY, "gl": 36.0}  # the step between disks is 12 pixels away

    def painting(disk, offset):
        j, i = offset[..., 0], offset[..., 1]
        return 5 + disk + np.sin(0.2 * j + 0.3 * disk) + np.cos(0.15 * i)

    size = (60, 76)
    pixels = np.stack(np.mgrid[: size[0], : size[1]], axis=-1).reshape(1, -1, 2)
    pixels = np.repeat(pixels, 2, axis=0).astype(float)
    offsets = np.asarray(roi.experiment_to_offset(pixels, **geometry))
    nearer = np.linalg.norm(offsets[0], axis=-1) < np.linalg.norm(offsets[1], axis=-1)
    image = np.where(nearer, painting(0, offsets[0]), painting(1, offsets[1]))
    values, used = roi.sample(
        interpolation(image.reshape(size), kind), roi.positions(**geometry)
    )
    assert np.all(used)
    expected = np.stack([painting(d, np.asarray(roi.offsets())) for d in (0, 1)])
    np.testing.assert_allclose(
        values, expected, atol=0.01 if kind == "linear" else 2e-5
    )


def test_samples_off_the_image_are_not_used():
    image = interpolation(np.ones((30, 25)))
    roi = ROI([SQUARE], [(0, 0, 0)], (1, 0, 0), 0.0, (2, 22))
    values, used = roi.sample(image, roi.positions())
    j, i = np.asarray(roi.offsets()).T + np.array([[2], [22]])
    np.testing.assert_array_equal(used[0], (j >= 0) & (i <= 24))
    assert 0 < np.sum(used) < used.size
    assert np.all(np.isfinite(values))


def test_each_larbed_disk_has_its_own_image():
    rng = np.random.default_rng(4)
    stack = rng.uniform(size=(2, 30, 31))
    roi = ROI([SQUARE], DISKS, (1, 0, 0), 0.0, (15, 15))
    values, used = roi.sample(interpolation(stack, "cubic"), roi.positions())
    assert np.all(used)
    np.testing.assert_allclose(
        roi.images(values)[0], stack[:, 11:20, 10:21], rtol=1e-12
    )
    with pytest.raises(DataError, match="stack of 3"):
        roi.sample(interpolation(np.ones((3, 30, 31))), roi.positions())


def test_samples_have_derivatives_in_the_geometry(roi):
    image = interpolation(np.random.default_rng(5).uniform(size=(45, 60)), "cubic")

    @jax.jit
    def total(rotation, shift, diskshift, gl):
        p = roi.positions(rotation, shift, diskshift, PLACES, gl)
        values, used = roi.sample(image, p)
        return jnp.sum(jnp.where(used, values**2, 0.0))

    at = (24.0, np.array([0.6, -0.3]), np.zeros((2, 2)), 21.0)
    check_grads(total, at, order=1, modes=("fwd", "rev"), rtol=1e-4)


def test_a_region_of_interest_goes_through_jit(roi):
    @eqx.filter_jit
    def positions(roi, gl):
        return roi.padded(1).positions(places=PLACES, gl=gl)

    np.testing.assert_allclose(
        positions(roi, 12.0),
        roi.padded(1).positions(places=PLACES, gl=12.0),
        rtol=1e-12,
    )


def test_regions_that_cannot_be_read_are_refused():
    build = {"x_axis": (1, 0, 0), "rotation": 0.0, "dp_center": (5, 5)}
    with pytest.raises(DataError, match="expected some"):
        ROI([], DISKS, **build)
    with pytest.raises(DataError, match="expected some"):
        ROI([SQUARE], [], **build)
    with pytest.raises(DataError, match="each once"):
        ROI([SQUARE], [(0, 0, 0), (0, 0, 0)], **build)
    with pytest.raises(DataError, match="three integers"):
        ROI([SQUARE], [(0, 0, 0.5)], **build)
    with pytest.raises(DataError, match="mask has shape"):
        ROI([SQUARE], DISKS, **build, mask=[[1], [0]])
    with pytest.raises(DataError, match="mask has shape"):
        ROI([SQUARE], DISKS, **build, mask=[[1, 2]])
    with pytest.raises(DataError, match="mask is empty"):
        ROI([SQUARE], DISKS, **build, mask=[[0, 0]])
    with pytest.raises(DataError, match="padding"):
        SQUARE.padded(-1)
