"""Lucy-Richardson: its equation by dense matrices, what each step keeps, bad counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.cbed.deconvolution import lucy_richardson, radial_mtf, richardson_steps
from jaxscatter.cbed.detector import Detector
from jaxscatter.errors import DataError

H, W = 16, 21


def gaussian_mtf(sigma, shape=(H, W)):
    rows, cols = np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1])
    q2 = rows[:, None] ** 2 + cols**2
    return np.exp(-2 * np.pi**2 * sigma**2 * q2)


def blur(x, mtf):
    return np.real(np.fft.ifft2(np.fft.fft2(x) * mtf))


@pytest.fixture(scope="module")
def sharp():
    """Two disks and a spot on a flat field."""
    y, x = np.mgrid[:H, :W]
    image = np.full((H, W), 20.0)
    image[(y - 7) ** 2 + (x - 5) ** 2 < 14] = 300.0
    image[(y - 8) ** 2 + (x - 15) ** 2 < 14] = 150.0
    image[3, 11] = 500.0
    return image


def test_a_step_is_the_equation_by_dense_matrices(sharp):
    camera, mtf = Detector(3.15, 4e-5, 1.2, 2.2, 0.111), gaussian_mtf(0.9)
    base, v = 12.0, float(camera.pedestal)
    counts = blur(sharp, mtf) + base
    units = np.eye(H * W).reshape(-1, H, W)
    matrix = np.stack([blur(unit, mtf).ravel() for unit in units], axis=1)
    x = np.full(H * W, np.mean(counts - base))
    for _ in range(3):
        x = x * (matrix.T @ ((counts.ravel() + v) / (matrix @ x + base + v)))
    found = lucy_richardson(counts, mtf, base, camera, iterations=3)
    np.testing.assert_allclose(found, x.reshape(H, W), rtol=1e-11)


def test_every_step_keeps_the_counts_and_raises_the_likelihood(sharp):
    mtf = gaussian_mtf(1.2)
    counts = np.random.default_rng(0).poisson(blur(sharp, mtf)) + 1.0
    last = -np.inf
    for n in range(1, 12):
        x = np.asarray(lucy_richardson(counts, mtf, iterations=n))
        assert np.all(x >= 0)
        np.testing.assert_allclose(x.sum(), counts.sum(), rtol=1e-12)
        model = blur(x, mtf)
        likelihood = np.sum(counts * np.log(model) - model)
        assert likelihood > last
        last = likelihood


def test_a_blurred_image_is_recovered_and_more_steps_come_nearer(sharp):
    mtf = gaussian_mtf(0.6)
    counts = blur(sharp, mtf) + 5.0

    def error(x):
        return np.sqrt(np.mean((np.asarray(x) - sharp) ** 2))

    blurred = error(counts - 5.0)
    errors = [error(lucy_richardson(counts, mtf, 5.0, iterations=n)) for n in (25, 400)]
    assert errors[0] < 0.5 * blurred
    assert errors[1] < 0.1 * blurred


def test_without_blur_the_counts_less_background_are_the_fixed_point(sharp):
    flat = np.ones((H, W))
    np.testing.assert_allclose(
        lucy_richardson(sharp, flat, iterations=1), sharp, rtol=1e-13
    )
    camera = Detector(3.15, 4e-5, 1.2, 2.2, 0.111)
    found = lucy_richardson(sharp + 2.0, flat, 2.0, camera)
    np.testing.assert_allclose(found, sharp, rtol=1e-9)


def test_a_background_may_differ_from_pixel_to_pixel(sharp):
    base = np.linspace(0, 3, W) + np.zeros((H, 1))
    found = lucy_richardson(sharp + base, np.ones((H, W)), base)
    np.testing.assert_allclose(found, sharp, rtol=1e-9)


def test_an_uneven_mtf_acts_by_its_even_part(sharp):
    uneven = gaussian_mtf(0.7)
    uneven[2, 3] += 0.05
    even = gaussian_mtf(0.7)
    even[2, 3] += 0.025
    even[-2, -3] += 0.025
    np.testing.assert_allclose(
        lucy_richardson(sharp, uneven), lucy_richardson(sharp, even), rtol=1e-11
    )


def test_a_dark_pixel_of_the_model_is_left_alone_with_its_gradient():
    counts = jnp.zeros((4, 4)).at[0, 0].set(5.0)

    def total(counts):
        x = richardson_steps(counts, jnp.ones((4, 4)), 0.0, 0.0, iterations=3)
        return jnp.sum(jnp.square(x))

    assert np.isfinite(total(counts))
    assert np.all(np.isfinite(jax.grad(total)(counts)))


def test_a_curve_of_the_mtf_is_spread_over_frequencies():
    mtf = radial_mtf((H, W), [0.0, 0.25, 0.5], [1.0, 0.5, 0.1])
    assert mtf.shape == (H, W) and mtf[0, 0] == 1.0
    np.testing.assert_allclose(mtf[4, 0], 0.5)
    np.testing.assert_allclose(mtf[-2, 0], 1 - 2 * 2 / 16)
    np.testing.assert_allclose(mtf[8, 10], 0.1)
    with pytest.raises(DataError, match="frequency 0"):
        radial_mtf((H, W), [0.0, 0.5], [0.9, 0.1])
    with pytest.raises(DataError, match="increase"):
        radial_mtf((H, W), [0.0, 0.0], [1.0, 0.1])
    with pytest.raises(DataError, match="equal lengths"):
        radial_mtf((H, W), [0.0, 0.5], [1.0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0.0])
def test_bad_counts_are_refused_unless_clipped(sharp, value):
    counts, mtf = sharp.copy(), gaussian_mtf(0.7)
    counts[2, 3] = value
    with pytest.raises(DataError, match=r"\(2, 3\)"):
        lucy_richardson(counts, mtf)
    mended = counts.copy()
    mended[2, 3] = 1.0
    np.testing.assert_array_equal(
        lucy_richardson(counts, mtf, clip=1), lucy_richardson(mended, mtf)
    )


def test_zero_counts_on_a_background_are_counts(sharp):
    counts = sharp.copy()
    counts[2, 3] = 0.0
    found = lucy_richardson(counts, np.ones((H, W)), 0.5)
    assert np.all(np.isfinite(found)) and np.all(np.asarray(found) >= 0)


def test_other_bad_input_is_refused(sharp):
    mtf = gaussian_mtf(0.7)
    with pytest.raises(DataError, match="shapes"):
        lucy_richardson(sharp, mtf[1:])
    with pytest.raises(DataError, match="zero frequency"):
        lucy_richardson(sharp, 0.5 * mtf)
    with pytest.raises(DataError, match="background has shape"):
        lucy_richardson(sharp, mtf, np.zeros(W))
    with pytest.raises(DataError, match="background has shape"):
        lucy_richardson(sharp, mtf, -1.0)
    with pytest.raises(DataError, match="more counts than background"):
        lucy_richardson(sharp, mtf, 1e4)
    with pytest.raises(DataError, match="iterations"):
        lucy_richardson(sharp, mtf, iterations=0)
