"""Point spread: against direct sums, closed forms and mpmath, and at its limits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.signal import convolve2d

from jaxscatter.cbed.psf import convolved, transfer_function, voigt_kernel
from jaxscatter.errors import ModelError

OFFSETS = np.arange(-10, 11)
RADIUS = np.hypot(OFFSETS[:, None], OFFSETS[None, :])
POINTS = [(0.0, 0.0), (0.0, 0.3), (1e-3, 0.0), (2.2, 0.0), (2.2193, 0.0371), (0.5, 1.0)]


@pytest.fixture(scope="module")
def image():
    return jnp.asarray(np.random.default_rng(1).uniform(0, 5, (29, 33)))


def normalised(values):
    return values / values.sum()


@pytest.mark.parametrize(("sigma", "gamma"), [(2.2193, 0.0371), (0.4, 0.6), (5.0, 2.0)])
def test_the_kernel_is_the_voigt_profile_of_the_radius(sigma, gamma):
    def profile(r):
        z = mpmath.mpc(r, gamma) / (sigma * mpmath.sqrt(2))
        return float(mpmath.re(mpmath.exp(-(z**2)) * mpmath.erfc(-1j * z)))

    exact = {r: profile(r) for r in np.unique(RADIUS)}
    exact = normalised(np.vectorize(exact.get)(RADIUS))
    np.testing.assert_allclose(voigt_kernel(sigma, gamma), exact, rtol=1e-10)


def test_the_kernel_tends_to_a_gaussian_a_lorentzian_and_a_delta():
    gauss = normalised(np.exp(-(RADIUS**2) / (2 * 1.7**2)))
    np.testing.assert_allclose(voigt_kernel(1.7, 0.0), gauss, rtol=1e-10, atol=1e-13)
    lorentz = normalised(1 / (RADIUS**2 + 0.8**2))
    np.testing.assert_allclose(voigt_kernel(0.0, 0.8), lorentz, rtol=1e-5)
    delta = (RADIUS == 0).astype(float)
    np.testing.assert_allclose(voigt_kernel(0.0, 0.0), delta, atol=1e-300)
    np.testing.assert_array_equal(voigt_kernel(1.0, -2.0), voigt_kernel(1.0, 0.0))


@pytest.mark.parametrize(("sigma", "gamma"), POINTS)
def test_the_radial_spread_is_the_direct_sum_over_its_kernel(image, sigma, gamma):
    direct = convolve2d(image, voigt_kernel(sigma, gamma), mode="valid")
    np.testing.assert_allclose(convolved(image, sigma, gamma), direct, rtol=1e-12)


def test_more_padding_than_the_kernel_is_cropped_as_well(image):
    np.testing.assert_allclose(
        convolved(image, 1.3, 0.2, padding=12),
        convolved(image, 1.3, 0.2)[2:-2, 2:-2],
        rtol=1e-12,
    )


@pytest.mark.parametrize("kind", ["radial_voigt", "fourier"])
def test_a_flat_image_stays_flat_and_no_blur_is_no_blur(image, kind):
    flat = jnp.full((25, 24), 3.0)
    np.testing.assert_allclose(convolved(flat, 1.5, 0.4, kind), 3.0, rtol=1e-13)
    np.testing.assert_allclose(
        convolved(image, 0.0, 0.0, kind), image[10:-10, 10:-10], rtol=1e-12
    )


def test_the_fourier_spread_of_a_point_is_a_gaussian():
    """σ = 3 on 64 pixels: images 64 pixels away and aliases are below 1e-15."""
    y = np.arange(64) - 32
    point = jnp.zeros((64, 64)).at[32, 32].set(1.0)
    spread = convolved(point, 3.0, 0.0, "fourier", padding=0)
    exact = np.exp(-(y[:, None] ** 2 + y**2) / 18) / (18 * np.pi)
    np.testing.assert_allclose(spread, exact, atol=1e-15)


def test_the_fourier_spread_of_a_point_is_a_lorentzian_of_the_plane():
    """γ/(2π (r² + γ²)^(3/2)) summed over its periodic images, as a transform sees it.

    γ = 5 leaves e^(-5π) = 1.5e-7 of aliases. Beyond the 81 x 81 nearest images the sum
    is the integral of γ/(2π r³) outside a square of half side R, γ 2√2/(π R).
    """
    n, gamma = 32, 5.0
    y = np.arange(n) - n // 2
    point = jnp.zeros((n, n)).at[n // 2, n // 2].set(1.0)
    spread = convolved(point, 0.0, gamma, "fourier", padding=0)
    total = np.zeros((n, n))
    for row in range(-40, 41):
        for col in range(-40, 41):
            r2 = (y[:, None] + row * n) ** 2 + (y + col * n) ** 2
            total += gamma / (2 * np.pi * (r2 + gamma**2) ** 1.5)
    edge = 40.5 * n
    total += gamma * 2 * np.sqrt(2) / (np.pi * edge * n**2)
    np.testing.assert_allclose(spread, total, rtol=1e-5)


@pytest.mark.parametrize("kind", ["radial_voigt", "fourier"])
def test_both_modes_of_derivative_are_finite_and_agree(image, kind):
    weights = jnp.asarray(np.random.default_rng(2).normal(size=(9, 13)))

    def total(theta):
        return jnp.sum(weights * convolved(image, theta[0], theta[1], kind))

    forward, reverse = jax.jit(jax.jacfwd(total)), jax.jit(jax.jacrev(total))
    for point in POINTS:
        one, other = forward(jnp.asarray(point)), reverse(jnp.asarray(point))
        assert np.all(np.isfinite(one))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", ["radial_voigt", "fourier"])
@pytest.mark.parametrize(("sigma", "gamma"), [(2.2, 0.04), (0.6, 0.5)])
def test_derivatives_in_both_widths_are_those_of_differences(image, kind, sigma, gamma):
    @jax.jit
    def total(sigma, gamma):
        return jnp.sum(jnp.sin(convolved(image, sigma, gamma, kind)))

    check_grads(total, (sigma, gamma), order=2, modes=("fwd", "rev"), rtol=1e-4)


@pytest.mark.parametrize("kind", ["radial_voigt", "fourier"])
def test_a_fit_that_starts_without_a_tail_sees_its_slope(image, kind):
    """One-sided differences at γ = 0, where the tail begins."""

    @jax.jit
    def total(gamma, sigma):
        return jnp.sum(jnp.square(convolved(image, sigma, gamma, kind)))

    slope, step = jax.jit(jax.grad(total)), 1e-5
    for sigma in (0.0, 1.5):
        at = [total(gamma, sigma) for gamma in (0.0, step, 2 * step)]
        outside = (-3 * at[0] + 4 * at[1] - at[2]) / (2 * step)
        np.testing.assert_allclose(slope(0.0, sigma), outside, rtol=1e-4)


def test_one_transfer_function_serves_a_stack_under_vmap(image):
    stack = jnp.stack([image, image[::-1], 2 * image])
    many = jax.vmap(lambda one: convolved(one, 1.1, 0.2))(stack)
    np.testing.assert_allclose(many[2], 2 * many[0], rtol=1e-12)
    np.testing.assert_allclose(many[1], convolved(image[::-1], 1.1, 0.2), rtol=1e-12)
    factors = transfer_function((29, 33), 1.1, 0.2)
    assert factors.shape == (29, 17)
    np.testing.assert_allclose(factors[0, 0], 1.0, rtol=1e-14)


def test_what_cannot_be_convolved_is_refused(image):
    with pytest.raises(ModelError, match="radial_voigt"):
        convolved(image, 1.0, 0.0, "gauss")
    with pytest.raises(ModelError, match="at least 10"):
        convolved(image, 1.0, 0.0, padding=4)
    with pytest.raises(ModelError, match="leaves nothing"):
        convolved(image[:20], 1.0, 0.0)


@pytest.mark.parametrize("kind", ["radial_voigt", "fourier"])
def test_float32_images_stay_float32(image, kind):
    small = jnp.asarray(image, jnp.float32)
    one = convolved(small, np.float32(1.5), np.float32(0.1), kind)
    assert one.dtype == jnp.float32
    np.testing.assert_allclose(one, convolved(image, 1.5, 0.1, kind), rtol=2e-5)
