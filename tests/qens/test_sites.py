"""Jumps among sites of a circle: intensities and half widths."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.constants import HBAR
from jaxscatter.numerics import lorentzian_sum
from jaxscatter.qens.sites import log_normal_sites, n_sites

Q = np.array([0.0, 0.4, 1.1, 1.8])
OMEGA = np.linspace(-2.0, 2.0, 21)


def j0(x):
    return np.sinc(x / np.pi)


def spectrum(weights, widths):
    """Quasi-elastic part plus the elastic line, broadened so that it is finite."""
    return lorentzian_sum(OMEGA, weights, widths + 0.05)


def folded(peer, n):
    """The peer's components k = 1 … N - 1 with those of k and N - k added up."""
    peer = np.asarray(peer)
    return np.array(
        [peer[k - 1] + (peer[n - k - 1] if 2 * k != n else 0) for k in _half(n)]
    )


def _half(n):
    return range(1, n // 2 + 1)


def test_two_sites_in_closed_form():
    weights, widths = n_sites(Q, 0.9, 1.5, 2)
    elastic = (1 + j0(2 * Q * 0.9)) / 2
    np.testing.assert_allclose(weights, [elastic, 1 - elastic], atol=1e-15)
    np.testing.assert_allclose(widths, [0.0, 2 * HBAR / 1.5], rtol=1e-15)


def test_three_sites_in_closed_form():
    weights, widths = n_sites(Q, 1.03, 2.0, 3)
    elastic = (1 + 2 * j0(np.sqrt(3) * Q * 1.03)) / 3
    np.testing.assert_allclose(weights, [elastic, 1 - elastic], atol=1e-15)
    np.testing.assert_allclose(widths, [0.0, 1.5 * HBAR / 2.0], rtol=1e-15)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 12])
def test_sites_are_the_average_over_all_pairs(n):
    """Eigenvectors of the jump matrix and the powder average of their transforms."""
    q, radius, tau = 1.3, 2.48, 0.7
    j = np.arange(n)
    ring = np.zeros((n, n))
    for i in j:  # two sites are neighbours twice
        ring[i, (i + 1) % n] += 0.5 / tau
        ring[i, (i - 1) % n] += 0.5 / tau
    rates, modes = np.linalg.eigh(np.eye(n) / tau - ring)
    between = 2 * radius * np.sin(np.pi * np.abs(j[:, None] - j) / n)
    each = np.einsum("ik,jk,ij->k", modes, modes, j0(q * between)) / n
    exact = np.sum(
        each * 0.3 / np.pi / (0.09 + np.subtract.outer(OMEGA, HBAR * rates) ** 2), -1
    )
    weights, widths = map(np.asarray, n_sites(q, radius, tau, n))
    found = np.sum(
        weights * 0.3 / np.pi / (0.09 + np.subtract.outer(OMEGA, widths) ** 2), -1
    )
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    assert weights.shape == widths.shape == (n // 2 + 1,)


def test_sites_agree_with_qensmodels(reference):
    stored = reference("qens/qensmodels_motions.json")
    q = np.array(stored["q"])
    for case in stored["cases"]:
        if case["model"] != "EquivalentSitesCircle":
            continue
        p = case["params"]
        n = p["Nsites"]
        weights, widths = n_sites(q, p["radius"], p["resTime"], n)
        np.testing.assert_allclose(weights[0], case["eisf"], rtol=3e-7)
        width = np.array(case["hwhm"])[: n // 2 + 1]
        np.testing.assert_allclose(widths / HBAR, width, rtol=3e-7)
        for k, row in enumerate(case["qisf"]):
            # the peer's differences of j0 have 3e-8 of noise
            np.testing.assert_allclose(
                weights[1:, k], folded(row, n), rtol=3e-7, atol=5e-8
            )


def test_log_normal_sites_agree_with_qensmodels(reference):
    stored = reference("qens/qensmodels_motions.json")
    q = np.array(stored["q"])
    seen = 0
    for case in stored["cases"]:
        if case["model"] != "JumpSitesLogNormDist":
            continue
        seen, p = seen + 1, case["params"]
        n = p["Nsites"]
        weights, widths = log_normal_sites(q, p["radius"], p["resTime"], p["sigma"], n)
        np.testing.assert_allclose(weights[0], case["eisf"], rtol=3e-7)
        width = np.array(case["hwhm"])[1 : n // 2 + 1].ravel()
        np.testing.assert_allclose(widths[1:] / HBAR, width, rtol=3e-7)
        for k, row in enumerate(case["qisf"]):
            np.testing.assert_allclose(
                weights[1:, k], folded(row, n).ravel(), rtol=3e-7, atol=5e-8
            )
    assert seen == 2


def test_sites_agree_with_jscatter(reference):
    stored = reference("qens/jscatter_motions.json")
    (case,) = (c for c in stored["cases"] if c["model"] == "nSiteJumpDiffusion")
    p = case["params"]
    for q, row in zip(stored["q"], case["sqw"], strict=True):
        weights, widths = n_sites(q, p["r0"], p["t0"], p["N"])
        found = HBAR * lorentzian_sum(
            HBAR * np.array(stored["w"]), weights[1:], widths[1:]
        )
        np.testing.assert_allclose(found, row, rtol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 6, 7])
def test_weights_add_up_to_one(n):
    for motion in (n_sites(Q, 2.48, 0.7, n), log_normal_sites(Q, 2.48, 0.7, 0.8, n)):
        np.testing.assert_allclose(np.sum(motion[0], axis=0), 1.0, rtol=1e-14)
        np.testing.assert_allclose(motion[0][0, 0], 1.0, rtol=1e-15)
        assert motion[1][0] == 0


def test_many_sites_are_a_continuous_circle():
    """Γ₁ → ħD_r with D_r = (2π/N)²/(2τ), and the elastic weight ∫ j₀ dφ/2π."""
    q, radius = 1.2, 2.0
    x, w = np.polynomial.legendre.leggauss(60)
    elastic = np.sum(w * j0(2 * q * radius * np.sin(np.pi * (x + 1) / 2))) / 2
    weights, widths = n_sites(q, radius, 1e-3, 200)
    np.testing.assert_allclose(weights[0], elastic, rtol=1e-12)
    d_r = (2 * np.pi / 200) ** 2 / 2e-3
    k = np.arange(1, 4)
    np.testing.assert_allclose(widths[1:4], HBAR * d_r * k**2, rtol=1e-3)


def test_a_narrow_distribution_is_one_rate():
    one = spectrum(*n_sites(1.3, 1.03, 2.0, 3))
    none = spectrum(*log_normal_sites(1.3, 1.03, 2.0, 0.0, 3))
    np.testing.assert_allclose(none, one, rtol=1e-13)

    def of_sigma(sigma):
        return spectrum(*log_normal_sites(1.3, 1.03, 2.0, sigma, 3))

    slope = jax.jit(jax.jacfwd(of_sigma))(0.0)
    np.testing.assert_allclose(slope, 0.0, atol=1e-14)
    assert np.max(np.abs(jax.jit(jax.jacfwd(jax.jacfwd(of_sigma)))(0.0))) > 1e-3


@jax.jit
def four_sites(q, radius, tau, sigma):
    return spectrum(*log_normal_sites(q, radius, tau, sigma, 4))


@pytest.mark.parametrize("q", [0.0, 1e-4, 1.3])
@pytest.mark.parametrize("sigma", [0.0, 0.6])
def test_site_gradients(q, sigma):
    check_grads(
        four_sites,
        (q, 1.5, 2.0, sigma),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-3,
        atol=1e-3,
    )


def test_sites_map_like_a_loop():
    motion = functools.partial(log_normal_sites, n=6)
    loop = np.stack([motion(v, 2.0, 0.7, 0.5)[0] for v in Q], axis=1)
    mapped = jax.jit(jax.vmap(lambda v: motion(v, 2.0, 0.7, 0.5)[0], out_axes=1))
    np.testing.assert_allclose(mapped(Q), loop, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        motion(Q, 2.0, 0.7, 0.5)[0], loop, rtol=1e-12, atol=1e-15
    )


def test_weights_of_an_earlier_call_are_used():
    weights, _ = n_sites(Q, 1.5, 2.0, 3)
    again, widths = n_sites(Q, 1.5, 3.0, 3, weights=weights)
    assert again is weights
    np.testing.assert_allclose(widths, n_sites(Q, 1.5, 3.0, 3)[1])
    weights, _ = log_normal_sites(Q, 1.5, 2.0, 0.1, 3)
    again, widths = log_normal_sites(Q, 1.5, 3.0, 0.4, 3, weights=weights)
    fresh = log_normal_sites(Q, 1.5, 3.0, 0.4, 3)
    np.testing.assert_array_equal(again, fresh[0])
    np.testing.assert_array_equal(widths, fresh[1])


def test_sites_keep_float32_under_strict_promotion():
    q = Q.astype(np.float32)
    r, tau, sigma = np.float32(1.5), np.float32(2.0), np.float32(0.7)
    with jax.numpy_dtype_promotion("strict"):
        weights, widths = log_normal_sites(q, r, tau, sigma, 6)
    assert weights.dtype == widths.dtype == jnp.float32
    exact = log_normal_sites(Q, 1.5, 2.0, 0.7, 6)
    np.testing.assert_allclose(weights, exact[0], atol=1e-6)
    np.testing.assert_allclose(widths, exact[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: n_sites(1.0, 1.0, 1.0, 1), "^n is 1"),
        (lambda: n_sites(1.0, 1.0, 1.0, 2.5), "^n is 2.5"),
        (lambda: n_sites(1.0, 0.0, 1.0, 3), "^radius must be positive, got 0"),
        (lambda: n_sites(1.0, 1.0, 0.0, 3), "^tau must be positive, got 0"),
        (lambda: n_sites(-1.0, 1.0, 1.0, 3), "^q must be"),
        (lambda: log_normal_sites(1.0, 1.0, 1.0, -0.1, 3), "^sigma must be .*-0.1"),
        (lambda: log_normal_sites(1.0, 1.0, 1.0, 0.1, float("nan")), "^n is nan"),
    ],
)
def test_sites_refuse_values_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()
