"""Correlation functions: transforms, positions and widths of peaks, shared limits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.sas import correlations

XI = 40.0


def _curve(model, q, **changes):
    rows = model.quantities
    values = {r.name: jnp.asarray(changes.get(r.name, r.value), float) for r in rows}
    return model.intensity(jnp.asarray(q, float), model.namespace(values))


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (correlations.Lorentz(), {"cor_length": XI}),
        (
            correlations.CorrelationLength(),
            {"lorentz_scale": 1.0, "porod_scale": 0.0, "cor_length": XI},
        ),
        (
            correlations.TwoLorentzian(),
            {
                "lorentz_scale_1": 0.0,
                "lorentz_scale_2": 1.0,
                "lorentz_length_2": -XI,
            },
        ),
        (
            correlations.GaussLorentzGel(),
            {"gauss_scale": 0.0, "lorentz_scale": 1.0, "cor_length_dynamic": XI},
        ),
        (
            correlations.GelFit(),
            {"guinier_scale": 0.0, "lorentz_scale": 1.0, "cor_length": XI},
        ),
        (correlations.PeakLorentz(), {"peak_pos": 0.0, "peak_hwhm": 1 / XI}),
        (
            correlations.BroadPeak(),
            {
                "porod_scale": 0.0,
                "peak_scale": 1.0,
                "correlation_length": XI,
                "peak_pos": 0.0,
            },
        ),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_all_know_the_ornstein_zernike_function(model, given):
    q = np.geomspace(1e-4, 0.5, 7)
    np.testing.assert_allclose(
        _curve(model, q, **given), 1 / (1 + (q * XI) ** 2), rtol=1e-13
    )


def test_the_smooth_ones_begin_at_their_amplitudes():
    gel = _curve(correlations.GaussLorentzGel(), [0.0])
    np.testing.assert_allclose(gel, 150.0)
    np.testing.assert_allclose(_curve(correlations.GelFit(), [0.0]), 5.2)
    np.testing.assert_allclose(_curve(correlations.TwoLorentzian(), [0.0]), 11.0)


def test_gels_fall_with_their_fractal_dimension():
    q = np.array([1e3, 2e3])
    low, high = _curve(correlations.GelFit(), q, fractal_dim=1.7)
    np.testing.assert_allclose(np.log2(low / high), 1.7, rtol=1e-7)


def test_debyes_random_interfaces_are_the_transform_of_an_exponential():
    q = 0.07
    exact = mpmath.quad(
        lambda r: r * mpmath.exp(-r / XI) * mpmath.sin(q * r) / q, range(0, 2000, 40)
    )
    # 8π ξ³/(1+q²ξ²)² is 4π times this transform
    got = 2 * _curve(correlations.Dab(), q, cor_length=XI)
    np.testing.assert_allclose(got, float(exact), rtol=1e-12)


def test_teubner_and_strey_is_the_transform_of_its_correlation_function():
    q, d, xi, phi = 0.05, 90.0, 35.0, 0.3
    k = 2 * np.pi / d

    def integrand(r):
        gamma = mpmath.exp(-r / xi) * mpmath.sinc(k * r)
        return 4 * mpmath.pi * r**2 * gamma * mpmath.sinc(q * r)

    transform = float(mpmath.quad(integrand, range(0, 1600, 40)))
    got = _curve(
        correlations.TeubnerStrey(), q, volfraction_a=phi, d=d, xi=xi, sld_b=2.3
    )
    np.testing.assert_allclose(got, 1e-4 * phi * 0.7 * 4 * transform, rtol=1e-12)


def test_teubner_and_strey_without_period_is_debyes():
    q = np.array([0.0, 0.02, 0.3])
    got = _curve(correlations.TeubnerStrey(), q, d=1e9, xi=XI)
    debye = _curve(correlations.Dab(), q, cor_length=XI)
    np.testing.assert_allclose(got, 1e-4 * 8 * np.pi * 0.25 * 36 * debye, rtol=1e-12)


def test_teubner_and_strey_of_no_size_scatters_nothing_with_finite_slopes():
    def curve(d, xi):
        return _curve(correlations.TeubnerStrey(), [0.0, 0.1], d=d, xi=xi)

    for at in [(0.0, 0.0), (0.0, 30.0), (100.0, 0.0)]:
        np.testing.assert_array_equal(curve(*at), 0.0)
        assert np.all(np.isfinite(jax.jacrev(curve, (0, 1))(*at)))


@pytest.mark.parametrize(
    ("model", "half"),
    [
        (correlations.PeakLorentz(), 0.005),
        (correlations.GaussianPeak(), 0.005 * np.sqrt(2 * np.log(2))),
    ],
    ids=["lorentz", "gauss"],
)
def test_peaks_have_height_one_and_their_half_width(model, half):
    q = 0.05 + half * np.array([-1.0, 0.0, 1.0])
    np.testing.assert_allclose(_curve(model, q), [0.5, 1.0, 0.5], rtol=1e-12)


def test_peaks_of_no_width_are_needles_with_finite_slopes():
    q = [0.04, 0.05]

    def lorentz(at, width):
        model = correlations.PeakLorentz()
        return _curve(model, q, peak_pos=at, peak_hwhm=width)

    def gauss(at, width):
        return _curve(correlations.GaussianPeak(), q, peak_pos=at, sigma=width)

    for curve in (lorentz, gauss):
        np.testing.assert_array_equal(curve(0.05, 0.0), [0.0, 1.0])
        assert np.all(np.isfinite(jax.jacfwd(curve, (0, 1))(0.05, 0.0)))


def test_broad_peaks_stand_on_a_power_law_and_take_a_power():
    q = np.array([0.02, 0.1, 0.3])
    plain = _curve(correlations.BroadPeak(), q, width_exp=2.5)
    exact = 1e-5 * q**-3 + 10 / (1 + np.abs(50 * (q - 0.1)) ** 2.5)
    np.testing.assert_allclose(plain, exact, rtol=1e-13)
    squared = _curve(correlations.BroadPeak(), q, width_exp=2.5, shape_exp=2.0)
    np.testing.assert_allclose(squared, exact**2, rtol=1e-12)


def test_broad_peaks_may_be_dips_unless_a_power_is_taken():
    negative = _curve(correlations.BroadPeak(), [0.1], peak_scale=-3.0)
    np.testing.assert_allclose(negative, 1e-5 * 0.1**-3 - 3, rtol=1e-13)
    powered = _curve(correlations.BroadPeak(), [0.1], peak_scale=-3.0, shape_exp=1.5)
    assert np.isnan(powered[0])


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_broad_peaks_have_finite_slopes_on_top(exponent):
    def curve(at, width, shape):
        return _curve(
            correlations.BroadPeak(),
            [0.1, 0.2],
            peak_pos=at,
            width_exp=width,
            shape_exp=shape,
        )

    slopes = jax.jit(jax.jacrev(curve, (0, 1, 2)))(0.1, exponent, 1.0)
    assert np.all(np.isfinite(slopes))


@pytest.mark.parametrize("gamma", [2.0, 3.0, 6.0])
def test_spinodal_pattern_has_its_maximum_one_at_its_position(gamma):
    def curve(q):
        return _curve(correlations.Spinodal(), q, gamma=gamma, q_0=0.07)

    value, slope = jax.value_and_grad(curve)(0.07)
    curvature = jax.grad(jax.grad(curve))(0.07)
    np.testing.assert_allclose(value, 1.0, rtol=1e-14)
    np.testing.assert_allclose(slope, 0.0, atol=1e-10)
    assert curvature < 0


def test_spinodal_pattern_begins_at_zero_with_finite_slopes():
    def curve(gamma, q_0):
        return _curve(correlations.Spinodal(), [0.0, 0.1], gamma=gamma, q_0=q_0)

    assert curve(3.0, 0.1)[0] == 0.0
    for at in [(3.0, 0.1), (0.0, 0.1), (3.0, 0.0), (-2.0, 0.1)]:
        assert np.all(np.isfinite(jax.jacrev(curve, (0, 1))(*at)))
