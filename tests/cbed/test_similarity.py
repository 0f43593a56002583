"""Likeness of images: against scipy and rolled copies, masked and without contrast."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import ndimage
from scipy.spatial.distance import correlation

from jaxscatter.cbed.similarity import phase_correlation, r_factor, sobel, zncc
from jaxscatter.errors import DataError


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(5)
    one = rng.uniform(1, 9, (9, 11))
    return jnp.asarray(one), jnp.asarray(one + rng.normal(size=one.shape))


@pytest.fixture(scope="module")
def mask():
    return np.random.default_rng(6).uniform(size=(9, 11)) < 0.7


def test_the_correlation_is_that_of_scipy_whatever_scale_and_background(images, mask):
    sim, exp = images
    expected = 1 - correlation(np.ravel(sim), np.ravel(exp))
    np.testing.assert_allclose(zncc(sim, exp), expected, rtol=1e-13)
    np.testing.assert_allclose(zncc(3e4 * sim + 7, exp), expected, rtol=1e-12)
    np.testing.assert_allclose(zncc(-sim, exp), -expected, rtol=1e-13)
    part = 1 - correlation(np.asarray(sim)[mask], np.asarray(exp)[mask])
    np.testing.assert_allclose(zncc(sim, exp, mask), part, rtol=1e-13)


def test_r_is_the_sum_of_differences_over_the_sum_of_counts(images, mask):
    sim, exp = (np.asarray(v) for v in images)
    expected = np.abs(sim - exp)[mask].sum() / exp[mask].sum()
    np.testing.assert_allclose(r_factor(*images, mask), expected, rtol=1e-14)
    assert r_factor(exp, exp) == 0.0
    assert r_factor(sim, np.zeros_like(exp)) == 0.0


@pytest.mark.parametrize("measure", [zncc, r_factor])
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -1e30])
def test_what_lies_under_a_mask_has_no_effect(images, mask, measure, rubbish):
    sim, exp = (np.where(mask, v, rubbish) for v in images)
    value, slope = jax.value_and_grad(measure)(sim, exp, mask)
    clean, expected = jax.value_and_grad(measure)(*images, mask)
    assert value == clean
    np.testing.assert_array_equal(slope, expected)
    assert np.all(np.asarray(slope)[~mask] == 0)


@pytest.mark.parametrize("measure", [zncc, r_factor])
def test_nothing_to_compare_is_zero_with_zero_slopes(images, measure):
    sim, exp = images
    nothing = np.zeros(exp.shape, bool)
    assert measure(sim, exp, nothing) == 0.0
    assert np.all(np.asarray(jax.grad(measure)(sim, exp, nothing)) == 0)


def test_a_constant_image_has_no_correlation_and_no_slope(images):
    flat = jnp.full((9, 11), 0.1)
    for one, other in ((flat, images[1]), (images[0], flat), (flat, flat)):
        value, slope = jax.value_and_grad(zncc)(one, other)
        assert value == 0.0
        assert np.all(np.asarray(slope) == 0)


@pytest.mark.parametrize("measure", [zncc, r_factor])
def test_derivatives_are_those_of_differences(images, mask, measure):
    sim, exp = images

    @jax.jit
    def value(sim, exp):
        return measure(sim, exp, mask)

    check_grads(value, (sim, exp), order=1, modes=("fwd", "rev"), rtol=1e-6)


def test_a_roll_is_found_by_the_phases(images):
    fixed = images[0]
    moved = jnp.roll(fixed, (2, -3), (0, 1))
    peak = np.zeros((9, 11))
    peak[2, -3] = 1.0
    np.testing.assert_allclose(phase_correlation(moved, fixed), peak, atol=1e-12)
    np.testing.assert_allclose(phase_correlation(50 * moved, fixed), peak, atol=1e-12)


def test_phases_with_a_mask_or_without_light_stay_finite(images, mask):
    spoilt = np.where(mask, images[0], np.nan)
    found = np.asarray(phase_correlation(spoilt, spoilt, mask))
    assert np.unravel_index(found.argmax(), found.shape) == (0, 0)

    def peak(image):
        return jnp.max(phase_correlation(image, images[1]))

    assert np.all(np.isfinite(jax.grad(peak)(jnp.zeros((9, 11)))))


def test_slopes_are_those_of_scipy(images):
    one = np.asarray(images[0])
    expected = np.hypot(ndimage.sobel(one, 0), ndimage.sobel(one, 1))
    np.testing.assert_allclose(sobel(one), expected, rtol=1e-12)


def test_a_flat_image_has_no_slope_and_a_finite_derivative():
    flat = jnp.full((5, 6), 3.0)
    assert np.all(np.asarray(sobel(flat)) == 0)
    slope = jax.grad(lambda v: jnp.sum(sobel(v)))(flat)
    assert np.all(np.asarray(slope) == 0)


def test_shapes_that_differ_are_refused(images, mask):
    sim, exp = images
    for measure in (zncc, r_factor):
        with pytest.raises(DataError, match="expected the same"):
            measure(sim[1:], exp)
        with pytest.raises(DataError, match="mask has shape"):
            measure(sim, exp, mask[1:])
