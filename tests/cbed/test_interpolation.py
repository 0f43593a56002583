"""Images between pixels: against scipy, polynomials, edges and spoilt pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import ndimage
from scipy.interpolate import RectBivariateSpline

from jaxscatter.cbed.interpolation import interpolation
from jaxscatter.errors import DataError, ModelError

H, W = 9, 12


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).uniform(1, 5, (H, W))


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(1).uniform([0, 0], [H - 1, W - 1], (40, 2))


@pytest.mark.parametrize(("kind", "order"), [("linear", 1), ("cubic", 3)])
def test_values_are_those_of_scipy(image, points, kind, order):
    expected = ndimage.map_coordinates(image, points.T, order=order, mode="mirror")
    np.testing.assert_allclose(interpolation(image, kind)(points), expected, rtol=1e-12)


def test_away_from_edges_the_spline_is_any_other_cubic_one():
    """Splines differ by their end conditions, whose effect falls by 0.27 per pixel."""
    y, x = np.arange(60.0), np.arange(50.0)
    smooth = np.sin(0.3 * y)[:, None] * np.cos(0.2 * x)
    inside = np.random.default_rng(2).uniform([25, 20], [35, 30], (30, 2))
    other = RectBivariateSpline(y, x, smooth)
    np.testing.assert_allclose(
        interpolation(smooth, "cubic")(inside), other.ev(*inside.T), atol=1e-11
    )


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_pixels_keep_their_values_edges_included(image, kind):
    j, i = np.mgrid[:H, :W]
    grid = np.stack([j, i], axis=-1).astype(float)
    np.testing.assert_allclose(interpolation(image, kind)(grid), image, rtol=1e-12)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_a_plane_is_kept(kind):
    """Mirrored edges bend a plane, by 0.27 per pixel from them: 30 pixels are 1e-17."""
    j, i = np.mgrid[:64, :64]
    plane = 3.0 + 0.5 * j - 0.25 * i
    at = np.random.default_rng(3).uniform(30, 33, (20, 2))
    expected = 3.0 + 0.5 * at[:, 0] - 0.25 * at[:, 1]
    np.testing.assert_allclose(interpolation(plane, kind)(at), expected, rtol=1e-12)


def test_points_outside_are_not_known(image):
    one = interpolation(image)
    at = np.array(
        [[0, 0], [H - 1, W - 1], [-1e-9, 3], [3, W - 1 + 1e-9], [np.nan, 2.0]]
    )
    np.testing.assert_array_equal(one.known(at), [True, True, False, False, False])
    np.testing.assert_allclose(one(at)[:2], [image[0, 0], image[-1, -1]])


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_derivatives_in_the_position_are_those_of_differences(image, points, kind):
    one = interpolation(image, kind)

    @jax.jit
    def total(p):
        return jnp.sum(jnp.sin(one(p)))

    check_grads(total, (points,), order=1, modes=("fwd", "rev"), rtol=1e-4)


def test_the_slope_of_the_spline_has_no_jump_at_a_pixel(image):
    one = interpolation(image, "cubic")
    slope = jax.vmap(jax.grad(lambda p: one(p)))
    sides = slope(jnp.asarray([[4 - 1e-9, 5.3], [4 + 1e-9, 5.3]]))
    np.testing.assert_allclose(sides[0], sides[1], atol=1e-7)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_edges_and_what_lies_beyond_have_finite_derivatives(image, kind):
    one = interpolation(image, kind)
    at = jnp.asarray([[0.0, 0.0], [H - 1.0, W - 1.0], [-3.0, 2.0], [4.0, 90.0]])
    value, slope = jax.vmap(jax.value_and_grad(lambda p: one(p)))(at)
    assert np.all(np.isfinite(value)) and np.all(np.isfinite(slope))


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_spoilt_pixels_are_not_known_and_do_not_spread(image, kind):
    spoilt, valid = image.copy(), np.ones((H, W), bool)
    spoilt[4, 5], valid[4, 5] = np.nan, False
    one = interpolation(spoilt, kind, valid)
    at = np.array([[3.5, 5.5], [4.0, 5.0], [4.0, 6.0], [2.5, 5.0], [4.2, 6.0]])
    np.testing.assert_array_equal(one.known(at), [False, False, True, True, True])
    assert np.all(np.isfinite(one(at)))
    np.testing.assert_allclose(one(at)[2], image[4, 6])


def test_a_stack_is_sampled_image_by_image_under_vmap(image, points):
    stack = np.stack([image, image[::-1]])
    many = interpolation(stack, "cubic")
    found = jax.vmap(lambda one: one(points))(many)
    np.testing.assert_allclose(found[0], interpolation(image, "cubic")(points))
    np.testing.assert_allclose(found[1], interpolation(image[::-1], "cubic")(points))
    assert many.shape == (H, W)


def test_the_smallest_image_has_a_spline():
    one = interpolation(np.array([[1.0, 2.0], [3.0, 5.0]]), "cubic")
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(one(corners), [1, 2, 3, 5], rtol=1e-12)


def test_what_cannot_be_sampled_is_refused(image):
    spoilt = image.copy()
    spoilt[2, 3] = np.inf
    with pytest.raises(DataError, match=r"inf at \(2, 3\)"):
        interpolation(spoilt)
    with pytest.raises(DataError, match="2 x 2"):
        interpolation(np.ones(5))
    with pytest.raises(DataError, match="valid has shape"):
        interpolation(image, valid=np.ones(3, bool))
    with pytest.raises(DataError, match="on all of image"):
        interpolation(image, valid=np.zeros((H, W), bool))
    with pytest.raises(ModelError, match="nearest"):
        interpolation(image, "nearest")
