"""Harmonic well and impermeable sphere: intensities and half widths."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import erf, erfi
from scipy.stats import poisson

from jaxscatter.constants import HBAR
from jaxscatter.numerics import lorentzian_sum
from jaxscatter.qens.confinement import (
    _sphere_roots,
    gaussian_well,
    impermeable_sphere,
    well_terms,
)

Q = np.array([0.0, 0.4, 1.1, 1.8])
OMEGA = np.linspace(-2.0, 2.0, 21)
sphere = jax.jit(impermeable_sphere, static_argnums=3)
well = jax.jit(gaussian_well, static_argnums=(3, 4))


def spectrum(weights, widths):
    """Quasi-elastic part plus the elastic line, broadened so that it is finite."""
    return lorentzian_sum(OMEGA, weights, widths + 0.05)


def bessel(l, z):  # noqa: E741
    return mp.sqrt(mp.pi / (2 * z)) * mp.besselj(l + mp.mpf(1) / 2, z)


def exact_well(n, a, ndim):
    """Average of exp(-a s²) (a s²)ⁿ/n! over the directions of Q."""

    def one(c):
        s = a * (c**2 if ndim == 1 else 1 - c**2)
        return mp.exp(-s) * s**n / mp.factorial(n)

    return mp.quad(one, [0, 0.25, 0.5, 0.75, 1])


def test_the_well_in_three_dimensions_is_poissonian():
    for a in (1e-3, 0.5, 8.0, 60.0):
        n = np.arange(well_terms(1.0, a))
        weights, widths = gaussian_well(1.0, 0.3, a, len(n))
        np.testing.assert_allclose(weights, poisson.pmf(n, a), rtol=1e-11)
        np.testing.assert_allclose(widths, HBAR * n * 0.3 / a, rtol=1e-14)
        np.testing.assert_allclose(np.sum(weights), 1.0, rtol=1e-11)


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("a", [1e-3, 0.7, 9.0, 80.0])
def test_the_well_in_fewer_dimensions_is_an_average_over_directions(ndim, a):
    terms = well_terms(1.0, a)
    weights = np.asarray(gaussian_well(1.0, 0.3, a, terms, ndim)[0])
    for n in {0, 1, 3, terms // 2}:
        if n < terms:
            exact = np.asarray(exact_well(n, a, ndim), dtype=float)
            np.testing.assert_allclose(weights[n], exact, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(np.sum(weights), 1.0, rtol=1e-11)


def test_elastic_weights_of_the_well_in_closed_form():
    u2x, q = 0.6, Q[1:]
    root = q * np.sqrt(u2x)
    scale = np.sqrt(np.pi) / (2 * root)
    for ndim, exact in (
        (1, scale * erf(root)),
        (2, scale * np.exp(-(root**2)) * erfi(root)),
        (3, np.exp(-(root**2))),
    ):
        weights = gaussian_well(q, 0.1, u2x, 3, ndim)[0]
        np.testing.assert_allclose(weights[0], exact, rtol=1e-13)


def test_the_well_agrees_with_qensmodels(reference):
    stored = reference("qens/qensmodels_motions.json")
    q = np.array(stored["q"])
    seen = 0
    for case in stored["cases"]:
        if case["model"] != "GaussianModel3D":
            continue
        seen, p = seen + 1, case["params"]
        weights, widths = gaussian_well(q, p["D"], p["variance_ux"], 25)
        np.testing.assert_allclose(widths / HBAR, case["hwhm"], rtol=3e-7)
        np.testing.assert_allclose(weights[0], case["eisf"], rtol=3e-7)
        peer = np.transpose(case["qisf"])[1:]
        np.testing.assert_allclose(weights[1:], peer, rtol=2e-6)
    assert seen == 2


def test_confined_motions_agree_with_jscatter(reference):
    stored = reference("qens/jscatter_motions.json")
    omega = HBAR * np.array(stored["w"])
    seen = 0
    for case in stored["cases"]:
        p = case["params"]
        for k, q in enumerate(stored["q"]):
            if case["model"] == "diffusionInSphere":
                motion = sphere(q, p["D"], p["R"])
                np.testing.assert_allclose(motion[0][0], case["eisf"][k], rtol=1e-12)
            elif case["model"] == "diffusionHarmonicPotential":
                u2x = p["rmsd"] ** 2
                motion = well(q, u2x / p["tau"], u2x, 30, p["ndim"])
            else:
                continue
            seen += 1
            found = HBAR * lorentzian_sum(omega, motion[0][1:], motion[1][1:])
            # the peer's roots have 6 decimals
            np.testing.assert_allclose(found, case["sqw"][k], rtol=5e-6)
    assert seen == 16


def test_terms_of_the_well_keep_the_weight():
    for a in (0.0, 0.01, 1.0, 30.0):
        terms = well_terms(1.0, a)
        assert poisson.sf(terms - 1, a) <= 1e-12 < max(poisson.sf(terms - 3, a), 2e-12)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_well_is_regular_at_the_origin(ndim):
    """A₁ = ⟨s²⟩ a + …: slopes in a at a = 0, where ln a is infinite."""
    mean = ndim / 3

    def weights(q, u2x):
        return gaussian_well(q, 0.3, u2x, 4, ndim)[0]

    np.testing.assert_allclose(weights(0.0, 0.5), [1, 0, 0, 0], atol=1e-15)
    bend = jax.jit(jax.hessian(weights))(0.0, 0.5)
    np.testing.assert_allclose(bend, [-mean, mean, 0, 0], atol=1e-14)
    slope = jax.jit(jax.jacfwd(weights, argnums=1))(1.0, 0.0)
    np.testing.assert_allclose(slope, [-mean, mean, 0, 0], atol=1e-14)


@jax.jit
def well_spectrum(q, d, u2x):
    return spectrum(*gaussian_well(q, d, u2x, 6, 2))


@pytest.mark.parametrize("q", [0.0, 1.3])
def test_well_gradients(q):
    check_grads(well_spectrum, (q, 0.3, 0.5), order=2, modes=("fwd", "rev"), rtol=1e-3)


def test_roots_agree_with_the_published_table(reference):
    table = np.array(reference("qens/volino_dianoux_roots.json")["table"])
    table = table[np.argsort(table[:, 0], kind="stable")]
    roots = _sphere_roots(98)
    np.testing.assert_allclose(roots.x, table[:, 0], atol=6e-7)
    np.testing.assert_array_equal(roots.order, table[:, 1])


def test_roots_have_every_digit():
    roots = _sphere_roots(98)
    with mp.workdps(30):
        for k in range(0, 98, 11):
            l = int(roots.order[k])  # noqa: E741
            exact = mp.findroot(
                lambda x, n=l: n * bessel(n, x) - x * bessel(n + 1, x), roots.x[k]
            )
            np.testing.assert_allclose(roots.x[k], float(exact), rtol=1e-15)
    more = _sphere_roots(200)
    np.testing.assert_array_equal(more.x[:98], roots.x)


@pytest.mark.parametrize("off", [0.0, 1e-9, -1e-4, 0.3, -0.49999, 0.50001, -3.0])
def test_sphere_weights_agree_with_high_precision(off):
    """On a root, beside it, and on both sides of the switch to the series."""
    roots = _sphere_roots(98)
    for k in (0, 2, 20, 61, 97):
        l, x = int(roots.order[k]), roots.x[k]  # noqa: E741
        z = abs(x + off)
        with mp.workdps(40):
            if off == 0.0:
                exact = 1.5 * bessel(l, mp.mpf(x)) ** 2 * (x**2 - l * (l + 1)) / x**2
            else:
                top = z * bessel(l + 1, mp.mpf(z)) - l * bessel(l, mp.mpf(z))
                # the root to 40 digits: ours is good to 16
                root = mp.findroot(
                    lambda v, n=l: n * bessel(n, v) - v * bessel(n + 1, v), x
                )
                exact = 6 * root**2 / (root**2 - l * (l + 1))
                exact *= (top / (mp.mpf(z) ** 2 - root**2)) ** 2
            exact = float((2 * l + 1) * exact)
        found = sphere(z, 0.3, 1.0)[0][k + 1]
        np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-16)


def test_what_98_roots_miss_is_as_stated_and_falls_with_more():
    for qr, lost in ((2.0, 4e-5), (10.0, 1.34e-3), (20.0, 1.17e-2)):
        weights = sphere(qr, 0.3, 1.0)[0]
        np.testing.assert_allclose(1 - np.sum(weights), lost, rtol=0.03)
    assert 2.0e-3 < 1 - np.sum(sphere(20.0, 0.3, 1.0, 200)[0]) < 2.3e-3
    weights, widths = sphere(0.0, 0.3, 2.0)
    np.testing.assert_array_equal(weights, np.eye(99)[0])
    np.testing.assert_allclose(widths[1], HBAR * 2.08157597781810**2 * 0.3 / 4)


def test_the_first_moment_of_the_sphere_is_free_diffusion():
    """Σ wᵢΓᵢ = ħDQ² but for the roots left out, which fall as 1/x²."""
    q = 0.3
    weights, widths = sphere(q, 0.3, 1.0, 200)
    np.testing.assert_allclose(jnp.sum(weights * widths), HBAR * 0.3 * q**2, rtol=0.05)


@jax.jit
def sphere_spectrum(q, d, radius):
    return spectrum(*impermeable_sphere(q, d, radius, 4))


@pytest.mark.parametrize("where", ["origin", "root", "switch", "between"])
def test_sphere_gradients(where):
    root = float(_sphere_roots(4).x[2])
    qr = {"origin": 0.0, "root": root, "switch": root + 0.5, "between": 7.0}[where]
    point = (qr / 2.0, 0.3, 2.0)
    check_grads(sphere_spectrum, point, order=2, modes=("fwd",), rtol=1e-3)
    check_grads(sphere_spectrum, point, order=1, modes=("rev",), rtol=1e-3)


def test_jit_is_eager():
    for one, other in (
        (sphere(1.1, 0.3, 2.0, 4), impermeable_sphere(1.1, 0.3, 2.0, 4)),
        (well(1.1, 0.3, 0.5, 4, 1), gaussian_well(1.1, 0.3, 0.5, 4, 1)),
    ):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


def test_confined_motions_map_like_a_loop():
    for one in (
        lambda q: sphere(q, 0.3, 2.0, 9)[0],
        lambda q: well(q, 0.3, 0.5, 8, 3)[0],
        lambda q: well(q, 0.3, 0.5, 8, 2)[0],
    ):
        loop = np.stack([one(q) for q in Q], axis=1)
        mapped = jax.jit(jax.vmap(one, out_axes=1))(Q)
        np.testing.assert_allclose(mapped, loop, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(one(Q), loop, rtol=1e-12, atol=1e-15)


def test_weights_of_an_earlier_call_are_used():
    weights, _ = impermeable_sphere(Q, 0.3, 2.0, 9)
    again, widths = impermeable_sphere(Q, 0.6, 2.0, 9, weights=weights)
    assert again is weights
    np.testing.assert_allclose(widths, impermeable_sphere(Q, 0.6, 2.0, 9)[1])
    weights, _ = gaussian_well(Q, 0.3, 0.5, 8)
    assert gaussian_well(Q, 0.6, 0.5, 8, weights=weights)[0] is weights


def test_confined_motions_keep_float32_under_strict_promotion():
    q = Q.astype(np.float32)
    d, length = np.float32(0.3), np.float32(1.5)
    with jax.numpy_dtype_promotion("strict"):
        ball = sphere(q, d, length, 20)
        wells = [well(q, d, length, 20, ndim) for ndim in (1, 2, 3)]
    exact = sphere(Q, 0.3, 1.5, 20)
    for (weights, widths), (w, g) in zip(
        [ball, *wells],
        [exact, *(well(Q, 0.3, 1.5, 20, ndim) for ndim in (1, 2, 3))],
        strict=True,
    ):
        assert weights.dtype == widths.dtype == jnp.float32
        np.testing.assert_allclose(weights, w, atol=2e-6)
        np.testing.assert_allclose(widths, g, rtol=2e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_well(1.0, 0.0, 1.0, 9), "^d must be positive, got 0"),
        (lambda: gaussian_well(1.0, 1.0, -0.5, 9), "^u2x must be positive, got -0.5"),
        (lambda: gaussian_well(-1.0, 1.0, 1.0, 9), "^q must be"),
        (lambda: gaussian_well(1.0, 1.0, 1.0, 0), "^terms is 0"),
        (lambda: gaussian_well(1.0, 1.0, 1.0, 9, 4), "^ndim is 4"),
        (lambda: impermeable_sphere(1.0, 0.0, 1.0), "^d must be"),
        (lambda: impermeable_sphere(1.0, 1.0, 0.0), "^radius must be positive, got 0"),
        (lambda: impermeable_sphere(1.0, 1.0, 1.0, 0), "^roots is 0"),
        (lambda: impermeable_sphere(-1.0, 1.0, 1.0), "^q must be"),
    ],
)
def test_confined_motions_refuse_values_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()
