"""Charged spheres against the original algebra in mpmath, limits and SasView."""

import math

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from jaxscatter.sas.hard_spheres import hardsphere
from jaxscatter.sas.hayter_penfold import hayter_msa

Q = np.array([0.0, 1e-4, 1e-2, 0.05, 0.218, 1.0])
MICELLE = (20.75, 0.0192, 19.0, 318.16, 0.0, 71.08)
SALTY = (400.0, 0.1, 60.0, 298.15, 0.055, 78.3)  # κσ ≈ 62
VALUE = jax.jit(hayter_msa)


def vector(q, p):
    """The same with its parameters in one array, so that one Jacobian holds all."""
    return hayter_msa(q, *(p[i] for i in range(6)))


SLOPES = jax.jit(jax.jacfwd(vector, argnums=1))
ROWS = jax.jit(jax.jacrev(vector, argnums=1))
CURVES = jax.jit(jax.jacfwd(jax.jacrev(vector, argnums=1), argnums=1))


def screening(radius, phi, charge, temperature, salt, dielectric):
    """Diameter, κσ and the coupling at contact from the SI expressions."""
    e, boltzmann, vacuum = 1.602189e-19, 1.380662e-23, 8.85418782e-12
    sigma = 2e-10 * radius
    volume = math.pi / 6 * sigma**3
    strength = e**2 / 2 * (charge * phi / volume + 2000 * salt * 6.022e23)
    thermal = boltzmann * temperature * vacuum * dielectric
    k = math.sqrt(2 * strength / thermal) * sigma
    gamma = (charge * e) ** 2 / (math.pi * thermal * sigma * (2 + k) ** 2)
    return 2 * radius, k, gamma


def coefficients(eta, k, g):
    """a, b, p, μ and λ of Hayter and Penfold, each in powers 1, c_a and f_a."""
    d, s, c = 1 - eta, mp.sinh(k), mp.cosh(k)
    e2, e3 = eta**2, eta**3
    al = -(2 * eta + 1) * d / k, (14 * e2 - 4 * eta - 1) / k**2, 36 * e2 / k**4
    be = -(e2 + 7 * eta + 1) * d / k, 9 * eta * (e2 + 4 * eta - 2) / k**2
    be += (12 * eta * (2 * e2 + 8 * eta - 1) / k**4,)
    nu1 = -(e3 + 3 * e2 + 45 * eta + 5) * d / k
    nu2 = (2 * e3 + 3 * e2 + 42 * eta - 20) / k**2
    nu3 = (2 * e3 + 30 * eta - 5) / k**4
    nu4, nu5 = nu1 + 24 * eta * k * nu3, 6 * eta * (nu2 + 4 * nu3)
    ph1, ph2 = 6 * eta / k, d - 12 * eta / k**2
    ta1, ta2 = (eta + 5) / (5 * k), (eta + 2) / k**2
    ta3, ta4 = -12 * eta * g * (ta1 + ta2), 3 * eta * k**2 * (ta1**2 - ta2**2)
    ta5 = 3 * eta * (eta + 8) / 10 - 2 * (2 * eta + 1) ** 2 / k**2
    ck, sk = c - 1 - k * s, s - k * c
    a = [
        24 * eta * g * (al[0] + al[1] + (1 + k) * al[2]) - (2 * eta + 1) ** 2,
        24 * eta * (al[2] * sk + al[1] * s - al[0] * c),
        (2 * eta + 1) ** 2 / k**2 - d**2 / 2 + al[2] * ck - al[0] * s + al[1] * c,
    ]
    a[2] *= 24 * eta
    b = [
        3 * eta * (eta + 2) ** 2 / 2 - 12 * eta * g * (be[0] + be[1] + (1 + k) * be[2]),
        12 * eta * (-be[2] * sk - be[1] * s + be[0] * c),
        d**2 * (eta + 2) / 2 - 3 * eta * (eta + 2) ** 2 / k**2 - be[2] * ck,
    ]
    b[2] = 12 * eta * (b[2] + be[0] * s - be[1] * c)
    last = 6 * eta * (2 * e3 - 3 * e2 + 18 * eta + 10) / k**2
    v = [
        (2 * eta + 1) * (e2 - 2 * eta + 10) / 4 - g * (nu4 + nu5),
        nu4 * c - nu5 * s,
        (e3 - 6 * e2 + 5) * d - last + 24 * eta * nu3 + nu4 * s - nu5 * c,
    ]
    a, b, v = [x / d**4 for x in a], [x / d**4 for x in b], [x / 5 / d**4 for x in v]
    sums, product = ph1**2 + ph2**2, 2 * ph1 * ph2
    p = [
        g * (ph1 - ph2) ** 2 - (eta + 2) / 2,
        sums * s + product * c,
        sums * c + product * s + ph1**2 - ph2**2,
    ]
    p = [x / d**2 for x in p]
    t = [ta4 * x + ta5 * y for x, y in zip(a, b, strict=True)]
    t[0] += ta3
    t[1] += 12 * eta * (ta1 * c - ta2 * s)
    t[2] += 12 * eta * (ta1 * s - ta2 * (c - 1)) - 2 * eta * (eta + 10) / 5 - 1
    pairs = [(1, 1), (0, 1), (1, 2), (0, 0), (0, 2), (2, 2)]
    once = [mp.mpf(1) / 2 if i == j else mp.mpf(1) for i, j in pairs]
    mu, la = [], []
    for (i, j), w in zip(pairs, once, strict=True):
        mu.append(w * (t[i] * a[j] + t[j] * a[i] - 24 * eta * v[i] * v[j]))
        la.append(w * 24 * eta * p[i] * p[j])
    for i, j in [(1, 1), (3, 0), (4, 2)]:
        la[i] -= 2 * b[j]
    la[4] -= k**2
    return a, b, p, mu, la


def branch(eta, k, g):
    """The solution of the two quadrics with the largest contact value."""
    a, b, p, mu, la = coefficients(eta, k, g)

    def w(i, j):
        return mu[i - 1] * la[j - 1] - la[i - 1] * mu[j - 1]

    c2, c1 = w(3, 5) + w(2, 6), w(3, 4) + w(2, 5)
    quartic = [
        w(1, 6) ** 2 - w(1, 3) * w(3, 6),
        2 * w(1, 6) * w(1, 5) - w(1, 3) * c2 - w(1, 2) * w(3, 6),
        w(1, 5) ** 2 + 2 * w(1, 6) * w(1, 4) - w(1, 3) * c1 - w(1, 2) * c2,
        2 * w(1, 5) * w(1, 4) - w(1, 3) * w(2, 4) - w(1, 2) * c1,
        w(1, 4) ** 2 - w(1, 2) * w(2, 4),
    ]
    found = []
    companion = mp.diag([0, 0, 0, 0])
    for i in range(4):
        companion[0, i] = -quartic[i + 1] / quartic[0]
        if i < 3:
            companion[i + 1, i] = 1
    for f in mp.eig(companion, left=False, right=False):
        if abs(mp.im(f)) < mp.mpf(10) ** -20 * abs(f):
            f = mp.re(f)
            c = -(w(1, 6) * f**2 + w(1, 5) * f + w(1, 4)) / (w(1, 3) * f + w(1, 2))
            found.append((-(p[0] + p[1] * c + p[2] * f), c, f))
    contact, c, f = max(found)
    total = [x[0] + x[1] * c + x[2] * f for x in (a, b)]
    return contact, c, f, *total


def original(q, *parameters):
    """S(q) by the original algebra, in enough digits for its cancellations."""
    sigma, k, gamma = screening(*parameters)
    with mp.workdps(60 + int(2 * k)):
        phi, k, gamma = mp.mpf(parameters[1]), mp.mpf(k), mp.mpf(gamma)

        def at(s):
            return phi / s**3, k / s, gamma * s * mp.exp(k - k / s)

        s = mp.mpf(1)
        if branch(*at(s))[0] < 0:
            ends = (mp.cbrt(phi / mp.mpf("0.7")), s)
            s = mp.findroot(
                lambda s: branch(*at(s))[0], ends, solver="anderson", tol=1e-30
            )
        eta, k, g = at(s)
        _, ca, fa, a, b = branch(eta, k, g)
        out = []
        for y in (mp.mpf(float(x)) * sigma / s for x in q):
            if y == 0:
                out.append(float(-1 / a))
                continue
            sin, cos, pole = mp.sin(y), mp.cos(y), y * (y**2 + k**2)
            core = a * (sin - y * cos)
            core += b * ((2 / y**2 - 1) * y * cos + 2 * sin - 2 / y)
            odd = (1 - 12 / y**2 + 24 / y**4) * y * cos
            core += eta * a / 2 * (24 / y**3 + 4 * (1 - 6 / y**2) * sin - odd)
            tail = ca * (mp.cosh(k) * k * sin - mp.sinh(k) * y * cos)
            tail += fa * (mp.sinh(k) * k * sin - y * (mp.cosh(k) * cos - 1))
            tail -= g * (k * sin + y * cos)
            total = core / y**3 + tail / pole + fa * (cos - 1) / y**2
            out.append(float(1 / (1 - 24 * eta * total)))
        return out


CASES = {
    "rescaled": MICELLE,
    "not rescaled": (84.59, 0.00938, 4.9, 288.6, 0.0, 65.7),
    "weakly charged": (83.2665, 0.22258, 1.58813, 304.742, 0.001, 74.8407),
    "dilute and weakly charged": (8.0438, 0.00955, 2.66885, 330.34, 0.001, 67.964),
    "strong screening": SALTY,
    "dense and strong": (30.0, 0.3, 60.0, 298.15, 0.0, 78.3),
}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_charged_spheres_agree_with_the_original_algebra(values):
    """Also where double precision or the first choice of a root fails the original."""
    np.testing.assert_allclose(VALUE(Q, *values), original(Q, *values), rtol=1e-11)


def test_charged_spheres_agree_with_sasview(reference):
    """To the tolerance of the peer's search for the core, 5e-6 in its size."""
    stored = reference("sas/structure_factors.json")
    for case in stored["cases"]["hayter_msa"]:
        value = VALUE(np.array(case["q"]), *case["parameters"].values())
        np.testing.assert_allclose(
            value, case["S"], rtol=stored["rtol"]["hayter_msa"], err_msg=case["id"]
        )


@pytest.mark.parametrize("charge", [0.0, 1e-6])
@pytest.mark.parametrize("salt", [0.0, 0.1])
def test_without_charge_they_are_hard_spheres(charge, salt):
    value = VALUE(Q, 20.0, 0.3, charge, 298.15, salt, 78.3)
    np.testing.assert_allclose(value, hardsphere(Q, 20.0, 0.3), rtol=1e-6)


def test_no_particles_is_no_interaction():
    np.testing.assert_array_equal(VALUE(Q, 20.0, 0.0, 19.0, 298.15, 0.0, 78.3), 1.0)


def test_dilute_salt_free_spheres_screen_like_their_counterions():
    """S(0) → 1/(1 + z): the ideal osmotic pressure of z + 1 ions per particle."""
    value = VALUE(np.array(0.0), 20.0, 1e-10, 3.0, 298.15, 0.0, 78.3)
    np.testing.assert_allclose(value, 0.25, rtol=1e-3)


def test_a_strongly_screened_case_is_finite_reproducible_and_smooth():
    """κσ ≈ 62 and beyond, where differences of e^{κσ} leave no digit."""
    assert 60 < screening(*SALTY)[1] < 66
    salts = np.linspace(0.055, 0.056, 11)
    lane = jax.jit(jax.vmap(hayter_msa, (None,) * 5 + (0, None)))
    values = np.asarray(lane(np.array([0.0, 0.218]), *SALTY[:4], salts, SALTY[5]))
    again = VALUE(np.array([0.0, 0.218]), *SALTY)
    np.testing.assert_allclose(values[0], again, rtol=1e-13)
    bends = np.diff(values, n=3, axis=0)
    assert np.max(np.abs(bends)) < 1e-7
    strongest = VALUE(Q, 2000.0, 0.3, 200.0, 298.15, 1.0, 78.3)
    assert np.all(np.isfinite(strongest)) and np.all(strongest > 0)


def test_eager_and_compiled_values_agree():
    np.testing.assert_allclose(
        hayter_msa(Q, *SALTY), VALUE(Q, *SALTY), rtol=1e-12, atol=0
    )


def test_the_onset_of_rescaling_leaves_no_step():
    """The contact value of this series changes sign between the ends."""
    charge = np.linspace(8.0, 9.0, 201)
    values = jax.jit(jax.vmap(hayter_msa, (None, None, None, 0, None, None, None)))(
        np.array([0.0, 0.02, 0.1]), 50.0, 0.1, charge, 298.15, 0.0, 78.3
    )
    steps = np.diff(values, axis=0)
    assert np.max(np.abs(np.diff(steps, axis=0))) < 0.02 * np.max(np.abs(steps))


def stencil(f, p, step, i):
    """Fourth-order difference step·∂f/∂pᵢ."""
    dx = np.where(np.arange(6) == i, step, 0.0)
    a, b, c, d = (np.asarray(f(Q, p + n * dx)) for n in (-2, -1, 1, 2))
    return (a - 8 * b + 8 * c - d) / 12


@pytest.mark.parametrize("values", [MICELLE, SALTY, CASES["not rescaled"]])
def test_first_derivatives_are_finite_differences(values):
    p = np.array(values)
    slopes = np.asarray(SLOPES(Q, p))
    np.testing.assert_allclose(slopes, ROWS(Q, p), rtol=1e-9, atol=1e-12)
    for i in np.flatnonzero(p):
        step = 1e-4 * p[i]
        numeric = stencil(vector_value, p, step, i)
        np.testing.assert_allclose(slopes[:, i] * step, numeric, rtol=1e-6, atol=1e-12)


@pytest.mark.slow  # half a minute of compilation
@pytest.mark.parametrize("values", [MICELLE, SALTY, CASES["not rescaled"]])
def test_second_derivatives_are_finite_differences_of_the_first(values):
    p = np.array(values)
    curves = np.asarray(CURVES(Q, p))
    np.testing.assert_allclose(curves, np.swapaxes(curves, 1, 2), rtol=1e-6, atol=1e-9)
    for i in np.flatnonzero(p):
        step = 1e-4 * p[i]
        numeric = stencil(SLOPES, p, step, i) * p
        got = curves[:, :, i] * step * p
        np.testing.assert_allclose(got, numeric, rtol=1e-5, atol=1e-11)


def vector_value(q, p):
    return np.asarray(VALUE(q, *(float(x) for x in p)))


LIMITS = {
    "no particles": (20.75, 0.0, 19.0, 318.16, 0.0, 71.08),
    "no particles in salt": (20.75, 0.0, 19.0, 318.16, 0.01, 71.08),
    "no charge": (20.75, 0.2, 0.0, 318.16, 0.0, 71.08),
    "smallest charge": (20.75, 0.2, 1e-6, 318.16, 0.0, 71.08),
    "no radius": (0.0, 0.0192, 19.0, 318.16, 0.0, 71.08),
    "densest": (20.0, 0.74, 200.0, 298.15, 0.0, 78.3),
    "strongest": (2000.0, 0.3, 200.0, 298.15, 1.0, 78.3),
}


@pytest.mark.parametrize("values", LIMITS.values(), ids=LIMITS.keys())
def test_values_and_gradients_are_finite_at_the_limits(values):
    p = np.array(values)
    assert np.all(np.isfinite(VALUE(Q, *values)))
    assert np.all(np.isfinite(SLOPES(Q, p)))
    assert np.all(np.isfinite(ROWS(Q, p)))


@pytest.mark.slow
@pytest.mark.parametrize("values", LIMITS.values(), ids=LIMITS.keys())
def test_second_derivatives_are_finite_at_the_limits(values):
    assert np.all(np.isfinite(CURVES(Q, np.array(values))))


@pytest.mark.parametrize(
    ("place", "value"), [(1, 0.96), (1, -0.1), (2, -1.0), (3, 0.0)]
)
def test_arguments_without_meaning_are_nan_with_zero_gradient(place, value):
    p = np.array(MICELLE)
    p[place] = value
    assert np.all(np.isnan(VALUE(Q, *(float(x) for x in p))))
    np.testing.assert_array_equal(SLOPES(Q, p), 0.0)


def test_vmap_is_a_loop():
    """Lanes with and without rescaling, and one without meaning."""
    charge = np.array([0.0, 1.0, 19.0, 150.0, -1.0])
    batch = jax.jit(jax.vmap(hayter_msa, (None, None, None, 0, None, None, None)))(
        Q, 20.75, 0.0192, charge, 318.16, 0.0, 71.08
    )
    loop = [VALUE(Q, 20.75, 0.0192, float(z), 318.16, 0.0, 71.08) for z in charge]
    np.testing.assert_allclose(batch, loop, rtol=1e-12)


def test_new_values_compile_nothing():
    before = VALUE._cache_size()
    VALUE(Q, *MICELLE)
    after = VALUE._cache_size()
    VALUE(Q, *SALTY)
    assert VALUE._cache_size() == after <= before + 1


def test_single_precision_arguments_are_computed_in_double():
    rounded = [np.float32(x) for x in SALTY]
    with jax.numpy_dtype_promotion("strict"):
        q = jnp.asarray(Q, jnp.float32)
        value = jax.jit(hayter_msa)(q, *rounded)
    assert value.dtype == jnp.float32
    exact = VALUE(np.asarray(q, np.float64), *map(float, rounded))
    np.testing.assert_allclose(value, exact, rtol=2e-7)
