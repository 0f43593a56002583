"""Sampled, bin-averaged and band-limited Lorentzians and their sums."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.numerics import (
    band_limited_lorentzian,
    band_limited_sum,
    bin_integrated_lorentzian,
    bin_integrated_sum,
    lorentzian_sum,
)

STEP = 0.018
WEIGHTS, GAMMAS = np.array([0.6, 0.4]), np.array([0.01, 0.3])
SUMS = {
    "sampled": lambda x, w, g, d: lorentzian_sum(x, w, g),
    "bin": bin_integrated_sum,
    "band": band_limited_sum,
}


def exact_band_limited(omega, gamma, step):
    """Fourier integral of exp(-Γ|t|) over |t| < π/D."""
    z = (gamma - 1j * omega) * mp.pi / step
    return mp.re((1 - mp.exp(-z)) / z) / step if z != 0 else 1 / step


@pytest.mark.parametrize("gamma", ["0", "1e-12", "1e-5", "5.7e-5", "1e-3", "0.02", "1"])
def test_band_limited_line_and_slopes_agree_with_mpmath(gamma):
    points = ["0", "1e-9", "5e-5", "6e-5", "3e-3", "0.009", "0.018", "0.5", "2.4903"]
    line = jax.jit(
        jax.vmap(
            jax.value_and_grad(band_limited_lorentzian, (0, 1, 2)), (0, None, None)
        )
    )
    value, slopes = line(np.array(points, float), float(gamma), STEP)
    with mp.workdps(50):
        h = mp.mpf(10) ** -20
        for i, point in enumerate(points):
            args = mp.mpf(float(point)), mp.mpf(float(gamma)), mp.mpf(STEP)
            exact = [
                mp.diff(exact_band_limited, args, order, h=h)
                for order in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
            ]
            np.testing.assert_allclose(
                float(value[i]) * STEP,
                float(exact_band_limited(*args)) * STEP,
                rtol=1e-12,
                atol=1e-15,
            )
            np.testing.assert_allclose(
                [float(s[i]) * STEP**2 for s in slopes],
                [float(e) * STEP**2 for e in exact],
                rtol=1e-10,
                atol=1e-12,
            )


def test_band_limited_line_of_no_width_is_a_grid_delta():
    grid = STEP * np.arange(-140, 141)
    line = band_limited_lorentzian(grid, 0.0, STEP)
    np.testing.assert_allclose(line * STEP, grid == 0, atol=1e-14)


def test_bin_average_is_the_difference_of_arctangents():
    x, g = np.linspace(-0.2, 0.2, 41), 0.013
    exact = np.arctan((x + STEP / 2) / g) - np.arctan((x - STEP / 2) / g)
    np.testing.assert_allclose(
        bin_integrated_lorentzian(x, g, STEP), exact / (np.pi * STEP), rtol=1e-12
    )
    box = bin_integrated_lorentzian(STEP * np.arange(-3, 4), 0.0, STEP)
    np.testing.assert_allclose(box * STEP, [0, 0, 0, 1, 0, 0, 0], atol=1e-15)


def test_wide_lines_tend_to_the_sampled_lorentzian():
    x = np.linspace(-1.0, 1.0, 21)
    sampled = lorentzian_sum(x, 1.0, 0.5)
    np.testing.assert_allclose(
        band_limited_lorentzian(x, 0.5, STEP), sampled, rtol=1e-12
    )
    np.testing.assert_allclose(
        bin_integrated_lorentzian(x, 0.5, STEP), sampled, rtol=3e-4
    )


@pytest.mark.parametrize("gamma", [0.0, 1e-5, 0.004, 0.1])
def test_narrow_lines_keep_their_area(gamma):
    """The far wings beyond the grid hold 2Γ/(πW) of it."""
    half = 200_000
    grid = STEP * np.arange(-half, half + 1) + 0.3 * STEP
    wings = 2 * gamma / (np.pi * STEP * half)
    for line in (band_limited_lorentzian, bin_integrated_lorentzian):
        area = float(jnp.sum(line(grid, gamma, STEP))) * STEP
        np.testing.assert_allclose(area + wings, 1.0, atol=3e-6)


@pytest.mark.parametrize("name", SUMS)
def test_sums_are_weighted_sums_of_any_shape(name):
    x = np.linspace(-0.3, 0.3, 12)
    total = SUMS[name](x, WEIGHTS, GAMMAS, STEP)
    parts = [SUMS[name](x, w, g, STEP) for w, g in zip(WEIGHTS, GAMMAS, strict=True)]
    np.testing.assert_allclose(total, parts[0] + parts[1], rtol=1e-13)
    table = SUMS[name](x.reshape(3, 4), WEIGHTS, GAMMAS, STEP)
    np.testing.assert_array_equal(table, total.reshape(3, 4))


@pytest.mark.parametrize("name", SUMS)
def test_sum_gradients(name):
    x = np.array([-2.3, -0.4, 0.0, 0.7, 1.0, 3.1])
    check_grads(
        jax.jit(SUMS[name]),
        (x, WEIGHTS, np.array([0.4, 1.5]), 1.0),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("gamma", [0.0, 1e-4])
def test_band_limited_sum_is_smooth_at_no_width(gamma):
    """Values and slopes continue from Γ = 0: one-sided differences agree."""
    x = np.array([0.0, 0.004, 0.5, 1.0, 2.0])

    def total(g):
        return band_limited_sum(x, 1.0, g, 1.0)

    slope, curve = jax.jit(jax.jacfwd(total)), jax.jit(jax.jacfwd(jax.jacrev(total)))
    h = 1e-4
    np.testing.assert_allclose(
        (-3 * total(gamma) + 4 * total(gamma + h) - total(gamma + 2 * h)) / (2 * h),
        slope(gamma),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        (-3 * slope(gamma) + 4 * slope(gamma + h) - slope(gamma + 2 * h)) / (2 * h),
        curve(gamma),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["band", "bin"])
def test_gradients_stay_finite_at_every_singular_point(name):
    x = np.array([0.0, STEP / 2, STEP])

    def cost(x, w, g, d):
        return jnp.sum(SUMS[name](x, w, g, d))

    slopes = jax.jit(jax.grad(cost, (0, 1, 2, 3)))(x, WEIGHTS, np.zeros(2), STEP)
    assert all(np.all(np.isfinite(s)) for s in slopes)


@pytest.mark.parametrize("name", SUMS)
def test_sums_keep_float32_under_strict_promotion(name):
    x = np.linspace(-1.25, 1.25, 140)
    double = SUMS[name](x, WEIGHTS, GAMMAS, STEP)
    with jax.numpy_dtype_promotion("strict"):
        single = SUMS[name](
            x.astype(np.float32),
            WEIGHTS.astype(np.float32),
            GAMMAS.astype(np.float32),
            np.float32(STEP),
        )
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-5)


def test_sums_map_like_a_loop():
    x = np.linspace(-0.3, 0.3, 12)
    gammas = np.array([[0.01, 0.3], [0.0, 0.1]])
    mapped = jax.jit(jax.vmap(lambda g: band_limited_sum(x, WEIGHTS, g, STEP)))(gammas)
    loop = np.stack([band_limited_sum(x, WEIGHTS, g, STEP) for g in gammas])
    np.testing.assert_allclose(mapped, loop, rtol=1e-12, atol=1e-13)
