"""Stretched exponentials as sums of Lorentzians."""

import math

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad
from scipy.special import digamma, wofz

from jaxscatter.constants import HBAR
from jaxscatter.qens.stretched import stretched_exp_ft, stretched_exponential

TAU = 3.0
REDUCED = np.array([0.0, 1e-3, 0.03, 0.3, 1.0, 3.0, 30.0, 1000.0])  # ωτ/ħ
motion = jax.jit(stretched_exponential, static_argnums=2)
profile = jax.jit(stretched_exp_ft, static_argnums=3)


def exact(beta, x):
    """(1/π) ∫ cos(xs) exp(-s^β) ds by the trapezoidal rule in ln s.

    Along the real axis where x is small, else along the imaginary one, where the
    cosine is a decay.
    """
    if x == 0.0:
        return math.gamma(1 / beta) / (math.pi * beta)
    if x < 0.5 and beta >= 0.5:
        u = np.arange(-40.0, math.log(45) / beta + 0.3, 0.002)
        s = np.exp(u)
        return np.sum(np.cos(x * s) * np.exp(-(s**beta)) * s) * 0.002 / np.pi
    u = np.arange(-45.0, 5.0, 0.002)
    y = np.exp(u)
    turned = np.exp(-y - np.exp(0.5j * np.pi * beta) * (y / x) ** beta)
    return np.sum(np.real(1j * turned) * y) * 0.002 / (np.pi * x)


def test_the_quadrature_of_these_tests_is_exact():
    for beta, x in ((0.6, 1.0), (0.7, 3.0), (0.9, 0.3)):
        found = quad(
            lambda s, b=beta: np.exp(-(s**b)), 0, np.inf, weight="cos", wvar=x
        )[0]
        np.testing.assert_allclose(exact(beta, x), found / np.pi, rtol=1e-7)


@pytest.mark.parametrize(
    ("terms", "low", "rtol"),
    [(32, 0.3, 6e-4), (40, 0.3, 1e-4), (48, 0.2, 1.5e-5), (64, 0.2, 3e-7)],
)
def test_the_sum_is_as_accurate_as_stated(terms, low, rtol):
    for beta in (low, 0.42, 0.6, 0.77, 0.9, 0.97, 0.999):
        peer = np.array([exact(beta, x) for x in REDUCED]) * TAU / HBAR
        found = profile(REDUCED * HBAR / TAU, TAU, beta, terms)
        np.testing.assert_allclose(found, peer, rtol=rtol)


def test_the_lowest_exponent_is_as_accurate_as_stated():
    for terms, rtol in ((48, 1.5e-3), (80, 6e-6)):
        peer = np.array([exact(0.1, x) for x in REDUCED[[0, 2, 4, 6]]])
        found = profile(REDUCED[[0, 2, 4, 6]] * HBAR, 1.0, 0.1, terms) * HBAR
        np.testing.assert_allclose(found, peer, rtol=rtol)


def test_one_half_in_closed_form():
    """With s = u² a Gaussian integral: Im[√π w(z)/(2p)]/x, p² = -ix, z = i/(2p)."""
    x = np.array([0.03, 0.3, 3.0, 50.0])
    p = np.exp(-0.25j * np.pi) * np.sqrt(x)
    closed = np.imag(np.sqrt(np.pi) / (2 * p) * wofz(0.5j / p)) / (np.pi * x)
    found = profile(x * HBAR / TAU, TAU, 0.5, 64)
    np.testing.assert_allclose(found, closed * TAU / HBAR, rtol=1e-7)


@pytest.mark.parametrize(
    ("index", "near", "far"),
    [(0, 1.1e-2, 2.5e-3), (1, 2e-9, 2e-9)],
    ids=["FFT, beta 0.6", "closed form, beta 0.5"],
)
def test_stretched_exponentials_agree_with_jscatter(reference, index, near, far):
    """Its `gamma` is 1/τ. Its FFT, good to 2e-2 of the peak, is better in the wings."""
    stored = reference("qens/jscatter_motions.json")
    cases = [c for c in stored["cases"] if c["model"] == "stretchedExp"]
    assert len(cases) == 2
    p, x = cases[index]["params"], np.array(stored["w"])
    (peer,) = np.array(cases[index]["sqw"])
    found = HBAR * np.asarray(profile(HBAR * x, 1 / p["gamma"], p["beta"], 64))
    np.testing.assert_allclose(found, peer, rtol=0, atol=near * peer.max())
    wings = np.abs(x) > 0.5
    np.testing.assert_allclose(found[wings], peer[wings], rtol=far)


def test_one_is_a_single_lorentzian():
    weights, widths = motion(TAU, 1.0, 64)
    k = int(np.argmax(weights))
    np.testing.assert_allclose(widths[k], HBAR / TAU, rtol=1e-14)
    np.testing.assert_allclose(weights, np.eye(64)[k], atol=1e-8)


@pytest.mark.parametrize("beta", [0.1, 0.3, 0.55, 0.8, 0.95, 1.0])
def test_area_and_height_are_those_of_the_exponential(beta):
    weights, widths = map(np.asarray, motion(TAU, beta, 64))
    np.testing.assert_allclose(np.sum(weights), 1.0, rtol=2e-9)
    mean = TAU * math.gamma(1 + 1 / beta)
    np.testing.assert_allclose(HBAR * np.sum(weights / widths), mean, rtol=3e-7)
    assert np.all(np.isfinite(widths)) and np.all(np.diff(widths) > 0)


@pytest.mark.parametrize("beta", [0.3, 0.7, 0.95])
def test_relaxation_in_time_is_the_stretched_exponential(beta):
    weights, widths = map(np.asarray, motion(TAU, beta, 64))
    t = TAU * np.array([1e-3, 0.1, 1.0, 4.0])
    found = np.exp(-np.outer(t, widths) / HBAR) @ weights
    np.testing.assert_allclose(found, np.exp(-((t / TAU) ** beta)), rtol=2e-5)


def test_the_slope_at_one_is_that_of_the_exponential():
    """∂/∂β exp(-s^β) = -s ln s e⁻ˢ at β = 1: FT by differentiating Γ(a)/(1 - ix)ᵃ."""
    x = np.array([0.0, 0.3, 1.0, 3.0, 30.0])
    base = 1 - 1j * x
    closed = -np.real((digamma(2.0) - np.log(base)) / base**2) / np.pi

    def of_beta(beta):
        return stretched_exp_ft(x * HBAR, 1.0, beta) * HBAR

    slope = jax.jit(jax.jacfwd(of_beta))(1.0)
    np.testing.assert_allclose(slope, closed, rtol=2e-5, atol=1e-7)
    bend = jax.jit(jax.jacfwd(jax.jacfwd(of_beta)))(1.0)
    # as above, once more: ∂²/∂β² = (s² - s) ln² s e⁻ˢ
    with mp.workdps(20):
        area = [
            float(
                mp.quad(
                    lambda s, v=v: (
                        mp.cos(v * s) * (s**2 - s) * mp.log(s) ** 2 * mp.exp(-s)
                    ),
                    [0, 1, 4, 10, 50],
                )
                / mp.pi
            )
            for v in x[:4]
        ]
    np.testing.assert_allclose(bend[:4], area, atol=5e-4)


@jax.jit
def few(tau, beta):
    x = jnp.asarray([0.0, 0.4, 2.0])
    return stretched_exp_ft(x * HBAR / TAU, tau, beta, 32)


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.9, 0.99])
def test_stretched_gradients(beta):
    check_grads(few, (TAU, beta), order=2, modes=("fwd",), rtol=1e-3, atol=1e-3)
    check_grads(few, (TAU, beta), order=1, modes=("rev",), rtol=1e-3, atol=1e-3)


def test_derivatives_are_finite_at_both_ends():
    for beta in (0.1, 1.0):
        for value in jax.tree.leaves(
            jax.jit(jax.hessian(few, argnums=(0, 1)))(TAU, beta)
        ):
            assert np.all(np.isfinite(value))
        for value in jax.tree.leaves(
            jax.jit(jax.jacrev(few, argnums=(0, 1)))(TAU, beta)
        ):
            assert np.all(np.isfinite(value))


def test_stretched_exponentials_map_like_a_loop():
    tau, beta = np.array([1.0, 2.0, 5.0]), np.array([0.3, 0.8, 1.0])
    pairs = list(zip(tau, beta, strict=True))
    loop = [np.stack(v) for v in zip(*(motion(*p, 32) for p in pairs), strict=True)]
    mapped = jax.jit(jax.vmap(lambda t, b: stretched_exponential(t, b, 32)))(tau, beta)
    for a, b in zip(mapped, loop, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-15)
    eager = stretched_exponential(2.0, 0.8, 32)
    for a, b in zip(eager, motion(2.0, 0.8, 32), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def test_a_traced_exponent_out_of_range_gives_nan():
    for beta in (0.05, 1.2):
        assert np.all(np.isnan(motion(1.0, beta, 32)[0]))


def test_stretched_exponentials_keep_float32_under_strict_promotion():
    x = REDUCED[:7]
    omega = (x * HBAR / TAU).astype(np.float32)
    for beta in (0.3, 0.6, 1.0):
        with jax.numpy_dtype_promotion("strict"):
            found = profile(omega, np.float32(TAU), np.float32(beta), 64)
            weights, widths = motion(np.float32(TAU), np.float32(beta), 64)
        assert found.dtype == weights.dtype == widths.dtype == jnp.float32
        peer = np.array(
            [exact(beta, v) if beta < 1 else 1 / np.pi / (1 + v * v) for v in x]
        )
        np.testing.assert_allclose(found, peer * TAU / HBAR, rtol=2e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stretched_exponential(0.0, 0.5, 64), "^tau must be positive, got 0"),
        (lambda: stretched_exponential(1.0, 0.0, 64), r"^beta is 0.0; .*\(0, 1\]"),
        (lambda: stretched_exponential(1.0, 1.01, 64), "^beta is 1.01"),
        (lambda: stretched_exponential(1.0, 0.09, 64), "^beta is 0.09; .* 0.1"),
        (lambda: stretched_exponential(1.0, np.nan, 64), "^beta is nan"),
        (lambda: stretched_exponential(1.0, 0.5, 31), "^terms is 31"),
        (lambda: stretched_exp_ft(1.0, -1.0, 0.5), "^tau must be"),
    ],
)
def test_stretched_exponentials_refuse_values_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()
