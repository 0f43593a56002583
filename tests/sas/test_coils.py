"""Polymer coils against integrals, limits of each other and Guinier's law."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.numerics import debye
from jaxscatter.sas import coils


@functools.cache
def _with_slopes(function):
    """Value and both first derivatives at many points, compiled once."""

    def at(x, y):
        return function(x, y), *jax.grad(function, (0, 1))(x, y)

    return jax.jit(jax.vmap(at))


def _exact_with_slopes(exact, x, y):
    """Forty digits; one-sided derivatives, as y may lie on the edge of its range."""
    with mpmath.workdps(40):
        x, y = mpmath.mpf(x), mpmath.mpf(y)
        by_x = mpmath.diff(lambda v: exact(v, y), x)
        by_y = mpmath.diff(lambda v: exact(x, v), y, direction=1)
        return [float(v) for v in (exact(x, y), by_x, by_y)]


def _curve(model, q, **changes):
    rows = model.quantities
    values = {r.name: jnp.asarray(changes.get(r.name, r.value), float) for r in rows}
    return model.intensity(jnp.asarray(q), model.namespace(values))


def _schulz_zimm(z, u):
    rest = mpmath.exp(-z) if u == 0 else (1 + u * z) ** (-1 / u)
    return 2 * (rest - 1 + z) / ((1 + u) * z**2)


@pytest.mark.parametrize("u", [1e-9, 0.02, 1.0, 30.0])
def test_distributed_coils_and_their_slopes_are_those_of_forty_digits(u):
    # 0.2/(1+u) is where the series ends
    zs = (1e-9, 1e-3 / (1 + u), 0.199 / (1 + u), 0.201 / (1 + u), 1.0, 400.0)
    exact = [_exact_with_slopes(_schulz_zimm, z, u) for z in zs]
    got = _with_slopes(coils.distributed_coil)(jnp.asarray(zs), jnp.full(len(zs), u))
    np.testing.assert_allclose(np.transpose(got), exact, rtol=2e-12)


def test_coils_of_one_length_are_debyes_with_finite_slopes():
    x = jnp.asarray([0.0, 0.1, 1.0, 50.0])
    value, by_x, by_u = _with_slopes(coils.distributed_coil)(x, jnp.zeros(4))
    np.testing.assert_allclose(value, debye(x), rtol=1e-14)
    np.testing.assert_allclose(by_x, jax.vmap(jax.grad(debye))(x), rtol=1e-13)
    assert np.all(np.isfinite(by_u))


def _excluded(x, m):
    u = x * (2 / m + 1) * (2 / m + 2) / 6
    return mpmath.quad(lambda s: 2 * (1 - s) * mpmath.exp(-u * s ** (2 / m)), [0, 1])


@pytest.mark.parametrize("m", [1.0, 5 / 3, 2.0, 3.0, 4.0])
def test_excluded_volume_and_its_slopes_are_those_of_the_integral(m):
    xs = (1e-6, 0.4, 6.0)
    with mpmath.workdps(20):
        exact = [
            [
                float(_excluded(x, m)),
                float(mpmath.diff(lambda v: _excluded(v, m), x)),
                float(mpmath.diff(lambda v: _excluded(x, v), m)),  # noqa: B023
            ]
            for x in xs
        ]
    got = _with_slopes(coils.excluded_volume_coil)(jnp.asarray(xs), jnp.full(3, m))
    np.testing.assert_allclose(np.transpose(got), exact, rtol=2e-8)


def test_excluded_volume_joins_debyes_guiniers_and_the_point():
    x = jnp.asarray([0.0, 0.5, 9.0, 300.0])
    chain = _with_slopes(coils.excluded_volume_coil)
    np.testing.assert_allclose(chain(x, jnp.full(4, 2.0))[0], debye(x), rtol=1e-13)
    np.testing.assert_allclose(
        chain(x[:3], jnp.full(3, 1e7))[0], np.exp(-x[:3] / 3), rtol=1e-5
    )
    point = chain(x, jnp.zeros(4))
    np.testing.assert_array_equal(point[0], 1.0)
    assert np.all(np.isfinite(point))


def test_excluded_volume_falls_with_its_exponent():
    x = jnp.asarray([1e8, 4e8])
    for m in (5 / 3, 3.0):
        low, high = coils.excluded_volume_coil(x, jnp.asarray(m))
        # x is q²; the next term of the expansion is x^(-m/2) smaller
        np.testing.assert_allclose(-np.log2(high / low), m, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "name", "rg2"),
    [
        (coils.MonoGaussCoil(), "rg", 1600.0),
        (coils.PolyGaussCoil(), "rg", 1600.0),
        (coils.PolymerExclVolume(), "rg", 1600.0),
        (coils.StarPolymer(), "rg_squared", 1600.0),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_low_q_gives_the_radius_of_gyration(model, name, rg2):
    given = rg2 if name == "rg_squared" else rg2**0.5
    q = np.array([0.0, 1e-4])
    zero, low = _curve(model, q, **{name: given})
    np.testing.assert_allclose(3 * (1 - low / zero) / q[1] ** 2, rg2, rtol=1e-4)


def test_a_star_of_one_arm_is_a_chain_and_arms_scatter_less():
    q = jnp.asarray([0.0, 0.05, 0.4])
    one = _curve(coils.StarPolymer(), q, rg_squared=900.0, arms=1.0)
    np.testing.assert_allclose(one, debye(900.0 * q**2), rtol=1e-14)
    two = _curve(coils.StarPolymer(), q, rg_squared=900.0, arms=2.0)
    np.testing.assert_allclose(two, one, rtol=1e-13)  # two arms are a longer chain
    many = _curve(coils.StarPolymer(), q, rg_squared=900.0, arms=6.0)
    assert np.all(many[1:] < one[1:])


def test_effective_radii_of_a_coil_are_its_multiples_and_the_equal_sphere():
    model = coils.MonoGaussCoil()
    values = {"i_zero": 1.0, "rg": 30.0}
    radii = model.radii(model.namespace(values))
    np.testing.assert_allclose(radii[:3], [30.0, 60.0, 90.0])
    np.testing.assert_allclose(np.sqrt(3 / 5) * radii[3], 30.0)
    assert len(radii) == len(model.modes)


def test_polyelectrolyte_is_that_of_the_screening_lengths():
    q = np.geomspace(1e-3, 0.5, 9)
    k, lb, h, b, cs, alpha, c = 12.0, 7.1, 11.0, 9.0, 0.02, 0.04, 0.6
    ca, cs_ = 6.022136e-4 * c, 6.022136e-4 * cs
    kappa2 = 4 * np.pi * lb * (2 * cs_ + alpha * ca)
    r0 = np.sqrt(b / (alpha * np.sqrt(ca) * np.sqrt(48 * np.pi * lb)))
    screened = q**2 + kappa2
    exact = k * screened / (4 * np.pi * lb * alpha**2)
    exact /= 1 + r0**4 * screened * (q**2 - 12 * h * ca / b**2)
    got = _curve(
        coils.BePolyelectrolyte(),
        q,
        contrast_factor=k,
        virial_param=h,
        monomer_length=b,
        salt_concentration=cs,
        ionization_degree=alpha,
        polymer_concentration=c,
    )
    np.testing.assert_allclose(got, exact, rtol=1e-12)


def test_polyelectrolyte_without_charges_is_a_chain_with_finite_slopes():
    model, q = coils.BePolyelectrolyte(), jnp.asarray([0.0, 0.1, 0.3])

    def curve(alpha, length):
        return _curve(model, q, ionization_degree=alpha, bjerrum_length=length)

    ca = 6.022136e-4 * 0.7
    exact = 12 * 10 * ca / (100 * q[1:] ** 2 - 12 * 12 * ca)
    np.testing.assert_allclose(curve(0.0, 7.1)[1:], exact, rtol=1e-13)
    np.testing.assert_allclose(curve(0.05, 0.0)[1:], exact, rtol=1e-13)
    for slope in jax.jit(jax.jacfwd(curve, (0, 1)))(0.0, 0.0):
        assert np.all(np.isfinite(slope))
