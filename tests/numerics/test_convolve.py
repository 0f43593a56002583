"""Convolution with measured kernels: exact, edge free, on any pair of axes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.signal import fftconvolve

from jaxscatter.numerics import (
    DenseConvolution,
    UniformConvolution,
    bin_integrated_lorentzian,
    convolution,
    convolve_dense,
    convolve_spectrum,
    convolve_toeplitz,
    energy_differences,
    grid_step,
    kernel_spectrum,
    lorentzian_sum,
    normalise_kernel,
    prepare_seed_kernel,
    seed_convolve,
    trapezoid_weights,
    voigt,
)

STEP = 0.018
OMEGA = STEP * np.arange(-69, 70)
SIGMA = 2.5 * STEP
RNG = np.random.default_rng(1)


def gaussian(energy, sigma=SIGMA, center=0.0):
    return normalise_kernel(np.exp(-((energy - center) ** 2) / (2 * sigma**2)), energy)


exact_line = jax.jit(voigt)


@jax.jit
def convolved(conv, weights, gammas, center=0.0):
    return conv.lorentzians(weights, gammas, center)


def stretched_axis(n=160):
    t = np.linspace(-1.0, 1.0, n)
    return 0.5 * t + 0.2 * t**3


def direct(omega, energy, kernel, weights, shape):
    return shape(omega[:, None] - energy[None, :]) @ (kernel * weights)


@pytest.mark.parametrize("shift", [0.0, 0.37])
@pytest.mark.parametrize("gamma", [1e-5, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 1.0])
def test_band_limited_lines_reach_the_voigt_profile_at_any_width(gamma, shift):
    """Sampled lines alias below Γ = 2D, bin averages broaden; neither is exact."""
    energy = OMEGA + shift * STEP
    kernel = gaussian(energy)
    y = convolved(convolution(OMEGA, energy, kernel), 1.0, gamma)
    exact = np.asarray(exact_line(OMEGA, SIGMA, gamma))
    error = np.max(np.abs(y - exact)) / exact.max()
    assert error < 1e-13

    x = energy_differences(OMEGA, energy)
    averaged = convolve_toeplitz(
        bin_integrated_lorentzian(x, gamma, STEP), kernel, STEP
    )
    sampled = convolve_toeplitz(lorentzian_sum(x, 1.0, gamma), kernel, STEP)
    if gamma < STEP:
        assert np.max(np.abs(sampled - exact)) / exact.max() > 0.05
    if gamma == 1e-2 or (shift and gamma < STEP):
        assert np.max(np.abs(averaged - exact)) / exact.max() > 1e-3


def test_a_line_of_no_width_returns_the_kernel():
    kernel = gaussian(OMEGA, center=0.1) * (1 + 0.1 * RNG.standard_normal(OMEGA.size))
    y = convolution(OMEGA, OMEGA, kernel).lorentzians(1.0, 0.0)
    np.testing.assert_allclose(y, kernel, atol=1e-13 * kernel.max())


@pytest.mark.parametrize("gamma", [0.0, 0.002, 0.2])
def test_shifting_the_kernel_shifts_the_result_by_exactly_that(gamma):
    shift = 0.0731
    y = convolved(convolution(OMEGA, OMEGA + shift, gaussian(OMEGA)), 1.0, gamma)
    exact = np.asarray(exact_line(OMEGA - shift, SIGMA, gamma))
    np.testing.assert_allclose(y, exact, atol=1e-13 * exact.max())
    moved = convolved(convolution(OMEGA, OMEGA, gaussian(OMEGA)), 1.0, gamma, shift)
    np.testing.assert_allclose(moved, exact, atol=1e-13 * exact.max())


def test_nothing_is_lost_at_the_edges_of_the_window():
    """The first and last points are as good as the middle; a cut model is not."""
    y = np.asarray(convolved(convolution(OMEGA, OMEGA, gaussian(OMEGA)), 1.0, 0.5))
    exact = np.asarray(exact_line(OMEGA, SIGMA, 0.5))
    np.testing.assert_allclose(y, exact, rtol=1e-12)
    model = lorentzian_sum(OMEGA, 1.0, 0.5)
    cut = np.asarray(seed_convolve(model, prepare_seed_kernel(y * 0 + 1, OMEGA), STEP))
    assert cut[0] < 0.6 * cut[69]
    seed = seed_convolve(model, prepare_seed_kernel(gaussian(OMEGA), OMEGA), STEP)
    assert seed[0] < 0.7 * exact[0]


def test_even_numbers_of_points_and_other_lengths_need_no_origin():
    omega = STEP * (np.arange(90) - 44.5)
    energy = STEP * (np.arange(61) - 27.2)
    y = convolution(omega, energy, gaussian(energy)).lorentzians(1.0, 0.01)
    exact = np.asarray(exact_line(omega, SIGMA, 0.01))
    np.testing.assert_allclose(y, exact, atol=1e-12 * exact.max())


@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 3), (3, 7), (139, 139), (50, 81)])
def test_toeplitz_product_agrees_with_the_double_sum(n, m):
    omega, energy = 0.1 * np.arange(n) - 0.33, 0.1 * np.arange(m) + 0.04
    kernel = RNG.standard_normal(m)
    x = energy_differences(omega, energy)
    table = omega[:, None] - energy[None, :]
    i, j = np.indices(table.shape)
    np.testing.assert_allclose(x[i - j + m - 1], table, atol=1e-14)
    expected = np.cos(3 * table) @ kernel * 0.1
    y = convolve_toeplitz(np.cos(3 * x), kernel, 0.1)
    np.testing.assert_allclose(y, expected, atol=1e-13)
    spectral = convolve_spectrum(np.cos(3 * x), kernel_spectrum(kernel, n), n, 0.1)
    np.testing.assert_allclose(spectral, expected, atol=1e-13)
    dense = convolve_dense(np.cos(3 * table), kernel, np.full(m, 0.1))
    np.testing.assert_allclose(dense, expected, atol=1e-13)


def test_analytic_convolutions_of_easydynamics(reference):
    stored = reference("qens/easydynamics_analytic.json")
    omega = np.array(stored["energy"])
    energy = np.arange(-3000, 3001) * (omega[1] - omega[0])
    for case in stored["cases"]:
        kind, p = case["resolution"][0]
        if kind == "gauss":
            kernel = voigt(energy, p["width"], 0.0, p["center"])
        else:
            kernel = voigt(
                energy, p["gaussian_width"], p["lorentzian_width"], p["center"]
            )
        weights = np.array([c["area"] for _, c in case["sample"]])
        gammas = np.array([c.get("width", 0.0) for _, c in case["sample"]])
        y = convolution(omega, energy, np.asarray(kernel)).lorentzians(weights, gammas)
        # Two points of a σ = 0.03 kernel span D = 0.02: cut frequencies hold 1e-5.
        rtol = stored["rtol"] if kind == "gauss" else 2e-4
        np.testing.assert_allclose(y, case["y"], rtol=rtol, atol=rtol)


def test_dense_axes_agree_with_the_uniform_form():
    energy = OMEGA + 0.004
    kernel = gaussian(energy, center=0.03)
    uniform = convolution(OMEGA, energy, kernel)
    assert isinstance(uniform, UniformConvolution)
    some = np.sort(RNG.choice(OMEGA.size, 40, replace=False))
    dense = convolution(OMEGA[some], energy, kernel)
    assert isinstance(dense, DenseConvolution) and dense.band_limited
    weights, gammas = np.array([0.3, 0.7]), np.array([0.0, 0.05])
    np.testing.assert_allclose(
        dense.lorentzians(weights, gammas, 0.01),
        uniform.lorentzians(weights, gammas, 0.01)[some],
        atol=1e-12,
    )


def test_dense_axes_take_any_model():
    energy = stretched_axis()
    kernel = gaussian(energy)
    dense = convolution(OMEGA, energy, kernel)
    y = dense.apply(jnp.exp(-(dense.differences**2)))
    # Gaussian ⊗ Gaussian in closed form
    s2 = 0.5 + SIGMA**2
    exact = np.sqrt(0.5 / s2) * np.exp(-(OMEGA**2) / (2 * s2))
    np.testing.assert_allclose(y, exact, rtol=3e-4)


@pytest.mark.parametrize(("gamma", "tolerance"), [(0.001, 0.01), (0.1, 0.003)])
def test_non_uniform_kernels_use_bin_averages(gamma, tolerance):
    energy = stretched_axis(400)
    assert grid_step(energy) is None
    dense = convolution(OMEGA, energy, gaussian(energy))
    assert isinstance(dense, DenseConvolution) and not dense.band_limited
    exact = np.asarray(exact_line(OMEGA, SIGMA, gamma))
    y = dense.lorentzians(1.0, gamma)
    np.testing.assert_allclose(y, exact, atol=tolerance * exact.max())


@pytest.mark.parametrize("energy", [OMEGA, stretched_axis(30)], ids=["fft", "dense"])
def test_convolution_gradients(energy):
    conv = convolution(OMEGA[::10] * 3, 3 * energy, gaussian(3 * energy, 0.3))

    def y(weights, gammas, center):
        return conv.lorentzians(weights, gammas, center)

    args = np.array([0.4, 0.6]), np.array([0.5, 1.5]), 0.1
    check_grads(jax.jit(y), args, order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-4)
    slopes = jax.jit(jax.jacrev(y, (0, 1, 2)))(args[0], np.zeros(2), 0.0)
    assert all(np.all(np.isfinite(s)) for s in slopes)


def test_stacked_convolutions_map_like_a_loop():
    convs = [convolution(OMEGA, OMEGA + c, gaussian(OMEGA)) for c in (0.0, 0.01, -0.05)]
    stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *convs)
    gammas = np.array([0.0, 0.01, 0.2])
    mapped = jax.jit(jax.vmap(lambda c, g: c.lorentzians(0.7, g)))(stack, gammas)
    loop = [c.lorentzians(0.7, g) for c, g in zip(convs, gammas, strict=True)]
    np.testing.assert_allclose(mapped, np.stack(loop), atol=1e-13)


def test_float32_under_strict_promotion():
    conv = convolution(OMEGA, OMEGA, gaussian(OMEGA))
    double = convolved(conv, 1.0, 0.01)
    single = jax.tree.map(lambda x: x.astype(jnp.float32), conv)
    with jax.numpy_dtype_promotion("strict"):
        y = convolved(single, np.float32(1.0), np.float32(0.01), np.float32(0.0))
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, double, atol=1e-5 * float(jnp.max(double)))


def test_seed_recipe_agrees_with_scipy():
    for n in (139, 140):
        model, kernel = RNG.random(n), RNG.random(n)
        np.testing.assert_allclose(
            jax.jit(seed_convolve)(model, kernel, 0.1),
            fftconvolve(model, kernel, "same") * 0.1,
            rtol=1e-12,
        )


def test_seed_recipe_agrees_with_stored_numbers(reference):
    stored = reference("qens/seed_kernels.json")
    omega, kernel = np.array(stored["omega"]), np.array(stored["kernel"])
    ready = prepare_seed_kernel(kernel, omega)
    step = omega[1] - omega[0]
    seen = 0
    for case in stored["predict"]:
        if case["resolution"] != "measured":
            continue
        q, seen = case["q"], seen + 1
        gamma = 0.65821 * case["d_translation"] * q**2
        model = np.exp(-(q**2) * case["u2"] / 3) * lorentzian_sum(omega, 1.0, gamma)
        np.testing.assert_allclose(
            seed_convolve(model, ready, step), case["sqw"], rtol=1e-9
        )
    assert seen == 1


def test_seed_kernel_is_cleaned_rolled_and_normalised():
    kernel = np.array([0.0, -1.0, 2.0, np.nan, 1.0, np.inf, 0.0])
    ready = prepare_seed_kernel(kernel, 0.5 * np.arange(7))
    np.testing.assert_allclose(ready, np.array([0, 0, 0, 2, 0, 1, 0]) / 1.5)


@pytest.mark.parametrize(
    ("kernel", "omega", "message"),
    [
        (np.ones(4), np.arange(5.0), "shape"),
        (-np.ones(5), np.arange(5.0), "area"),
        (np.ones(5), np.array([0.0, 1, 2, 3, 5]), "uniform"),
        (np.ones(5), np.array([0.0, 1, 2, 2, 5]), "increasing"),
    ],
)
def test_seed_kernel_refuses_bad_input(kernel, omega, message):
    with pytest.raises(ValueError, match=message):
        prepare_seed_kernel(kernel, omega)


def test_normalised_kernels_have_unit_area_once_and_keep_their_place():
    for energy in (OMEGA, stretched_axis()):
        kernel = normalise_kernel(7 * np.exp(-((energy - 0.05) ** 2) / 0.01), energy)
        weights = trapezoid_weights(energy)
        np.testing.assert_allclose(np.sum(kernel * weights), 1.0, rtol=1e-14)
        np.testing.assert_allclose(np.sum(kernel * weights * energy), 0.05, atol=1e-5)
    np.testing.assert_allclose(
        trapezoid_weights(np.array([0.0, 1.0, 3.0])), [0.5, 1.5, 1.0]
    )


def test_kernel_background_is_subtracted_on_request():
    peak = np.exp(-(OMEGA**2) / (2 * SIGMA**2))
    clean = normalise_kernel(peak, OMEGA)
    for how in ("min", "edges"):
        np.testing.assert_allclose(
            normalise_kernel(peak + 0.02, OMEGA, how), clean, atol=1e-12
        )
    assert normalise_kernel(peak + 0.02, OMEGA)[0] > 0.1


@pytest.mark.parametrize(
    ("kernel", "energy", "how", "message"),
    [
        ([1.0, np.nan, 1.0], [0.0, 1.0, 2.0], "none", "finite, got nan at index 1"),
        ([0.0, -1.0, 0.0], [0.0, 1.0, 2.0], "none", "positive"),
        ([1.0, 1.0], [0.0, 1.0, 2.0], "none", "shape"),
        ([1.0, 1.0, 1.0], [0.0, 1.0, 1.0], "none", "strictly increasing"),
        ([1.0, 1.0, 1.0], [0.0, 1.0, np.inf], "none", "energy must be finite"),
        ([1.0, 1.0, 1.0], [0.0, 1.0, 2.0], "min", "area"),
        ([2.0, -9.0, 1.0], [0.0, 1.0, 2.0], "none", "area"),
        ([1.0], [0.0], "none", "at least 2 points"),
    ],
)
def test_kernels_refuse_bad_input(kernel, energy, how, message):
    with pytest.raises(ValueError, match=message):
        normalise_kernel(np.array(kernel), np.array(energy), how)


def test_convolution_refuses_bad_input():
    with pytest.raises(ValueError, match="omega must be strictly increasing"):
        convolution(OMEGA[::-1], OMEGA, gaussian(OMEGA))
    with pytest.raises(ValueError, match="kernel must be finite"):
        convolution(OMEGA, OMEGA, gaussian(OMEGA)[:-1])
    with pytest.raises(ValueError, match="at least as many points"):
        convolve_toeplitz(np.ones(3), np.ones(5), 1.0)
