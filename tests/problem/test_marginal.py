"""Integrated amplitudes against dense densities, quadrature, mpmath and draws."""

import functools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import integrate, stats

from jaxscatter.errors import ModelError
from jaxscatter.problem import Amplitude, marginal
from jaxscatter.problem import amplitudes as amp

POSITIVE = functools.partial(Amplitude, lower=0.0)
RNG = np.random.default_rng


def design(seed, groups, n, k):
    """Whitened columns (g, n, k) and data (g, n)."""
    rng = RNG(seed)
    return rng.normal(size=(groups, n, k)), rng.normal(size=(groups, n)) + 0.3


def sums(a, y):
    g = jnp.asarray(np.einsum("gni,gnj->gij", a, a))
    return g, jnp.asarray(np.einsum("gni,gn->gi", a, y))


@functools.partial(jax.jit, static_argnums=(0, 1))
def log_likelihood(mode, declared, g, h, y):
    """log L of whitened data, the columns entering through G and h alone."""
    arr = amp.arrow(declared, g, h)
    a = marginal.evaluation_point(mode, declared, arr).per_group(declared)
    chi2 = jnp.sum(y**2) - 2 * jnp.sum(a * h) + jnp.einsum("gi,gij,gj->", a, g, a)
    norm = -0.5 * y.size * np.log(2 * np.pi)
    return norm - 0.5 * chi2 + marginal.correction(mode, declared, arr, a)


@functools.partial(jax.jit, static_argnums=0)
def log_allowed(declared, g, h):
    return marginal.log_probability_allowed(declared, amp.arrow(declared, g, h))


def dense(declared, a):
    """Whole design (g n, columns), shared columns once."""
    groups, n, _ = a.shape
    out = []
    for j, d in enumerate(declared):
        if d.shared:
            out.append((j, a[:, :, j].ravel()))
            continue
        for g in range(groups):
            block = np.zeros((groups, n))
            block[g] = a[g, :, j]
            out.append((j, block.ravel()))
    return np.array([j for j, _ in out]), np.stack([c for _, c in out], axis=1)


ARROWS = [(False, False), (True, False), (False, True), (True, True)]


@pytest.mark.parametrize("shared", ARROWS)
def test_gaussian_is_the_multivariate_normal_density(shared):
    declared = tuple(
        Amplitude(n, shared=s, prior=p)
        for n, s, p in zip("ab", shared, [(0.5, 0.25), (-1.0, 2.0)], strict=True)
    )
    a, y = design(0, 3, 5, 2)
    which, full = dense(declared, a)
    mean = full @ np.array([declared[j].prior[0] for j in which])
    s2 = np.diag([declared[j].prior[1] ** 2 for j in which])
    expected = stats.multivariate_normal(mean, np.eye(15) + full @ s2 @ full.T)
    got = log_likelihood("gaussian", declared, *sums(a, y), y)
    np.testing.assert_allclose(got, expected.logpdf(y.ravel()), rtol=1e-11)


@pytest.mark.parametrize("shared", ARROWS)
def test_flat_is_the_limit_of_a_wide_gaussian_prior(shared):
    """Density under a prior of width s, less the prior's own density at 0."""
    wide = 1e4
    flat = tuple(Amplitude(n, shared=s) for n, s in zip("ab", shared, strict=True))
    a, y = design(1, 3, 5, 2)
    which, full = dense(flat, a)
    k = len(which)
    cov = np.eye(15) + wide**2 * full @ full.T
    expected = stats.multivariate_normal(np.zeros(15), cov).logpdf(y.ravel())
    expected += k * np.log(wide * np.sqrt(2 * np.pi))
    got = log_likelihood("flat", flat, *sums(a, y), y)
    np.testing.assert_allclose(got, expected, rtol=1e-7)


def integrand(a, y):
    def density(*amplitudes):
        r = y - a @ np.array(amplitudes)
        return np.exp(-0.5 * r @ r)

    return density


@pytest.mark.parametrize("k", [1, 2])
def test_flat_and_nonnegative_are_integrals_over_the_amplitudes(k):
    a, y = design(2, 1, 6, k)
    norm = -3 * np.log(2 * np.pi)
    density = integrand(a[0], y[0])
    for mode, low in (("flat", -8), ("nonnegative", 0)):
        declared = tuple(
            POSITIVE(n) if mode == "nonnegative" else Amplitude(n) for n in "ab"[:k]
        )
        options = {"epsabs": 1e-14, "epsrel": 1e-10, "limit": 200}
        value, _ = integrate.nquad(density, [(low, 8)] * k, opts=options)
        got = log_likelihood(mode, declared, *sums(a, y), y)
        np.testing.assert_allclose(got, norm + np.log(value), rtol=1e-8)


def test_lower_bounds_need_not_be_zero():
    declared = (Amplitude("a", lower=-0.3), Amplitude("b", lower=0.2))
    a, y = design(3, 1, 6, 2)
    options = {"epsabs": 1e-14, "epsrel": 1e-10, "limit": 200}
    value, _ = integrate.nquad(
        integrand(a[0], y[0]), [(0.2, 8), (-0.3, 8)][::-1], opts=options
    )
    got = log_likelihood("nonnegative", declared, *sums(a, y), y)
    np.testing.assert_allclose(got, -3 * np.log(2 * np.pi) + np.log(value), rtol=1e-8)


@pytest.mark.parametrize("z", [5.0, 0.0, -3.0, -40.0, -1e4])
def test_probability_of_one_amplitude_is_right_in_the_tail(z):
    g = jnp.array([[[4.0]]])
    h = jnp.array([[z * 2.0]])  # a* = z sd, sd = 1/2
    with mp.workdps(30):
        expected = mp.log(mp.erfc(-mp.mpf(z) / mp.sqrt(2)) / 2)
    got = log_allowed((POSITIVE("a"),), g, h)
    np.testing.assert_allclose(got, float(expected), rtol=1e-12, atol=1e-16)


def orthant(mean, rho):
    """log P(both >= 0), unit variances, by mpmath."""
    with mp.workdps(30):
        root = mp.sqrt(1 - mp.mpf(rho) ** 2)

        def f(t):
            inner = (mean[1] + rho * (t - mean[0])) / root
            return mp.npdf(t - mean[0]) * mp.ncdf(inner)

        step = mean[0] - mean[1] / rho  # where Φ steps
        width = root / abs(rho)
        top = max(mean[0], step if rho > 0 else 0, 0)
        points = {0, mp.mpf(top), mp.mpf(top) + 12, mp.mpf(max(step, 0))}
        for c in (mean[0], step):
            points |= {max(0, c + j * width) for j in range(-12, 13, 2)}
            points |= {max(0, c + j) for j in range(-12, 13, 2)}
        # the density may fall off on any scale behind its highest point
        for start in (0, top):
            points |= {start + mp.mpf(10) ** (mp.mpf(j) / 3) for j in range(-15, 4)}
        return float(mp.log(mp.quad(f, sorted(points))))


@pytest.mark.parametrize("rho", [0.3, -0.6, 0.95, -0.99, 0.9999])
@pytest.mark.parametrize("mean", [(0.5, -0.2), (3, 4), (-2, -5), (-20, 3), (1, -30)])
def test_probability_of_two_amplitudes_is_right_in_the_tail(mean, rho):
    cov = np.array([[1.0, rho], [rho, 1.0]])
    g = np.linalg.inv(cov)
    h = jnp.asarray(g @ np.array(mean, float))[None]
    got = log_allowed((POSITIVE("a"), POSITIVE("b")), jnp.asarray(g)[None], h)
    np.testing.assert_allclose(got, orthant(mean, rho), rtol=1e-7, atol=1e-9)


ALLOWED = {
    "shared and local": (POSITIVE("s", shared=True), POSITIVE("b")),
    "free shared": (Amplitude("s", shared=True), POSITIVE("b")),
    "free local": (Amplitude("b"), POSITIVE("s", shared=True)),
    "free slope": (POSITIVE("b"), Amplitude("c"), POSITIVE("s", shared=True)),
    "one of two": (Amplitude("b"), POSITIVE("a")),
    "two and a free one": (POSITIVE("a"), Amplitude("c"), POSITIVE("b")),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_probability_and_draws_are_those_of_monte_carlo(name):
    """Exact draws of N(a*, G⁻¹) of the whole arrow, those outside thrown away."""
    declared = ALLOWED[name]
    groups, k, n = 3, len(declared), 400_000
    a, _ = design(4, groups, 6, k)
    which, full = dense(declared, a)
    gram = full.T @ full
    a_star = 0.4 * np.ones(len(which)) / np.sqrt(np.diag(gram))
    rhs = gram @ a_star
    x = RNG(0).multivariate_normal(a_star, np.linalg.inv(gram), n)
    lower = np.array([declared[j].lower for j in which])
    kept = x[np.all(x >= lower, axis=1)]
    p = len(kept) / n

    # per-group h whose sum over groups is that of the shared columns
    g, _ = sums(a, np.zeros((groups, 6)))
    h, where = np.zeros((groups, k)), np.zeros((groups, k), int)
    for j in range(k):
        at = np.flatnonzero(which == j)
        h[: len(at), j] = rhs[at]
        where[:, j] = at
    h = jnp.asarray(h)
    got = float(jnp.exp(log_allowed(declared, g, h)))
    assert abs(got - p) < 5 * np.sqrt(p * (1 - p) / n)

    @jax.jit
    def sample(keys):
        arr = amp.arrow(declared, g, h)
        return jax.vmap(lambda key: marginal.draw(key, "nonnegative", declared, arr))(
            keys
        )

    drawn = np.asarray(sample(jax.random.split(jax.random.key(1), 8_000)))
    assert np.all(drawn >= np.array([d.lower for d in declared]))
    first = [np.flatnonzero(where.ravel() == i)[0] for i in range(len(which))]
    flat = drawn.reshape(len(drawn), -1)[:, first]
    compare(flat, kept)
    for i in range(len(which)):
        assert stats.ks_2samp(flat[:, i], kept[:8_000, i]).pvalue > 1e-4


def compare(drawn, exact):
    """Means and covariances agree within five standard errors."""
    sd = exact.std(axis=0)
    error = 5 * np.sqrt(1 / len(drawn) + 1 / len(exact))
    assert np.all(np.abs(drawn.mean(axis=0) - exact.mean(axis=0)) < error * sd)
    scale = np.outer(sd, sd)
    gap = np.abs(np.cov(drawn.T) - np.cov(exact.T)) / scale
    assert np.max(gap) < 3 * error


@pytest.mark.parametrize("mode", ["flat", "gaussian"])
def test_draws_have_the_mean_and_covariance_of_the_whole_arrow(mode):
    prior = (1.0, 0.5) if mode == "gaussian" else None
    declared = (Amplitude("b", prior=prior), Amplitude("s", shared=True, prior=prior))
    a, y = design(6, 3, 6, 2)
    _, full = dense(declared, a)
    precision = 4.0 * np.eye(4) * (mode == "gaussian")
    cov = np.linalg.inv(full.T @ full + precision)
    mean = cov @ (full.T @ y.ravel() + precision @ np.ones(4))
    g, h = sums(a, y)
    n = 40_000

    @jax.jit
    def sample(keys):
        arr = amp.arrow(declared, g, h)
        return jax.vmap(lambda key: marginal.draw(key, mode, declared, arr))(keys)

    drawn = np.asarray(sample(jax.random.split(jax.random.key(2), n)))
    assert np.all(drawn[:, :, 1] == drawn[:, :1, 1])
    flat = np.concatenate([drawn[:, :, 0], drawn[:, :1, 1]], axis=1)
    sd = np.sqrt(np.diag(cov))
    assert np.all(np.abs(flat.mean(axis=0) - mean) < 5 * sd / np.sqrt(n))
    gap = np.abs(np.cov(flat.T) - cov) / np.outer(sd, sd)
    assert np.max(gap) < 10 / np.sqrt(n)


@pytest.mark.parametrize("a_star", [-5.0, -50.0])
def test_draws_in_the_far_tail_fall_off_as_the_truncated_normal(a_star):
    """Mean of z - a* for z > a*... is the hazard -dlogP/da*, by mpmath."""
    with mp.workdps(30):
        z = mp.mpf(-a_star)
        hazard = mp.npdf(z) / (mp.erfc(z / mp.sqrt(2)) / 2)
        mean = float(hazard - z)
    g, h = jnp.array([[[1.0]]]), jnp.array([[a_star]])
    pair = jnp.eye(2)[None], jnp.array([[a_star, a_star]])
    keys = jax.random.split(jax.random.key(3), 10_000)

    @functools.partial(jax.jit, static_argnums=0)
    def sample(declared, g, h):
        arr = amp.arrow(declared, g, h)
        return jax.vmap(lambda key: marginal.draw(key, "nonnegative", declared, arr))(
            keys
        )

    for declared, sums_ in (
        ((POSITIVE("a"),), (g, h)),
        ((POSITIVE("a"), POSITIVE("b")), pair),
    ):
        drawn = np.asarray(sample(declared, *sums_))[:, 0]
        assert np.all(drawn >= 0) and np.all(np.isfinite(drawn))
        np.testing.assert_allclose(drawn.mean(axis=0), mean, rtol=0.05)


def test_profile_draws_are_the_profile():
    declared = (POSITIVE("a"),)
    arr = amp.arrow(declared, jnp.array([[[2.0]]]), jnp.array([[3.0]]))
    draw = jax.jit(lambda key: marginal.draw(key, "profile", declared, arr))
    drawn = draw(jax.random.key(0))
    np.testing.assert_allclose(drawn, [[1.5]])


def test_default_modes():
    free, positive = (Amplitude("a"),), (POSITIVE("a"),)
    gaussian = (Amplitude("a", 0.0, 1.0, prior=(0.5, 0.25)),)
    assert marginal.default_mode((), "known") == "profile"
    assert marginal.default_mode(free, "known") == "flat"
    assert marginal.default_mode(positive, "known") == "nonnegative"
    assert marginal.default_mode(gaussian, "known") == "gaussian"
    assert marginal.default_mode(positive, "jitter") == "explicit"
    assert marginal.default_mode(positive, "scale_marginal") == "flat"


def test_modes_without_a_closed_form_are_refused():
    free, positive = (Amplitude("a"),), (POSITIVE("a"),)

    def check(message, *arguments):
        with pytest.raises(ModelError, match=message):
            marginal.check_mode(*arguments)

    check("'fancy' is not known", "fancy", free, "known")
    check("cannot be profiled", "profile", free, "model")
    for mode in ("flat", "gaussian", "nonnegative"):
        check("no closed form", mode, free, "jitter")
    check(r"\['a'\] have no Gaussian prior", "gaussian", free, "known")
    check("no amplitude has a lower bound", "nonnegative", free, "known")
    check("upper bound", "nonnegative", (Amplitude("a", 0.0, 1.0),), "known")
    check("no closed form with bounds", "nonnegative", positive, "scale_marginal")
    three = tuple(POSITIVE(n) for n in "abc")
    check("two bounded local", "nonnegative", three, "known")
    prior = (Amplitude("a", prior=(0.0, 1.0)),)
    check("use noise='scale'", "gaussian", prior, "scale_marginal")
