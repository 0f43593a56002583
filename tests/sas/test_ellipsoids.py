"""Ellipsoids: spheres among them, exchanged axes, quadrature and singular points."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.sas import amplitudes, effective_radius, ellipsoids, spheres

Q = np.array([0.0, 0.004, 0.03, 0.1])
ELLIPSOID = ellipsoids.Ellipsoid()
CORE_SHELL = ellipsoids.CoreShellEllipsoid()
TRIAXIAL = ellipsoids.TriaxialEllipsoid()


def parameters(model, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    return model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})


def averages(model, n_quad=32, **given):
    """<F> and <F²> in 1e-2 and 1e-4 of the units of F, at Q."""
    m = amplitudes(model, Q, n_quad=n_quad, **given)
    return np.array([m.f1, m.f2])


def ball(radius, delta):
    f = 1e-2 * delta * np.asarray(spheres.ball(jnp.asarray(Q), radius))
    return np.array([f, f**2])


@functools.partial(jax.jit, static_argnums=0)
def _slopes(model, values, components):
    def f(values, components):
        p = model.namespace(values)
        total = jnp.sum(jnp.square(model.factors(*components, p)[0]))
        return total + model.volume(p) + sum(model.radii(p))

    return jax.grad(f, (0, 1))(values, components)


def test_argument_as_a_square_has_every_derivative_at_zero():
    """j = 1 - x²/10 + x⁴/280 - ...; the series ends at x² = 1e-4."""
    of = ellipsoids.of_square
    with mpmath.workdps(40):
        for x2 in (1e-12, 0.99e-4, 1.01e-4, 3.0, 400.0):
            x = mpmath.sqrt(mpmath.mpf(x2))
            exact = 3 * (mpmath.sin(x) - x * mpmath.cos(x)) / x**3
            assert float(of(x2)) == pytest.approx(float(exact), rel=1e-14, abs=1e-17)
    derivatives = [of(0.0), jax.grad(of)(0.0), jax.grad(jax.grad(of))(0.0)]
    np.testing.assert_allclose(derivatives, [1.0, -1 / 10, 2 / 280], rtol=1e-15)
    sides = [float(jax.grad(of)(1e-4 * (1 + e))) for e in (-1e-9, 1e-9)]
    assert sides[0] == pytest.approx(sides[1], rel=1e-11)


def test_ellipsoids_of_equal_half_axes_are_spheres():
    same = {"radius_polar": 50.0, "radius_equatorial": 50.0}
    np.testing.assert_allclose(averages(ELLIPSOID, **same), ball(50.0, 3.0), rtol=1e-12)
    same = {
        "radius_equat_minor": 50.0,
        "radius_equat_major": 50.0,
        "radius_polar": 50.0,
    }
    np.testing.assert_allclose(averages(TRIAXIAL, **same), ball(50.0, 3.0), rtol=1e-12)


def test_average_over_the_axis_is_that_of_adaptive_quadrature():
    q, polar, equatorial = 0.1, 90.0, 30.0

    def amplitude(u):
        x = q * mpmath.sqrt((polar * u) ** 2 + equatorial**2 * (1 - u**2))
        return 3 * (mpmath.sin(x) - x * mpmath.cos(x)) / x**3

    scale = 1e-2 * 3 * 4 / 3 * np.pi * polar * equatorial**2
    exact = (
        scale * mpmath.quad(amplitude, [0, 1]),
        scale**2 * mpmath.quad(lambda u: amplitude(u) ** 2, [0, 1]),
    )
    sizes = {"radius_polar": polar, "radius_equatorial": equatorial}
    got = averages(ELLIPSOID, **sizes)[:, -1]
    np.testing.assert_allclose(got, [float(v) for v in exact], rtol=1e-10)


def test_triaxial_ellipsoid_with_two_equal_axes_is_one_of_revolution():
    want = averages(ELLIPSOID, radius_polar=90.0, radius_equatorial=30.0)
    order = ("radius_equat_minor", "radius_equat_major", "radius_polar")
    for long in order:
        sizes = {name: 90.0 if name == long else 30.0 for name in order}
        np.testing.assert_allclose(averages(TRIAXIAL, **sizes), want, rtol=1e-9)


def test_shell_of_the_density_of_the_core_makes_one_ellipsoid():
    sizes = {"radius_equat_core": 20.0, "x_core": 3.0}
    shell = {"thick_shell": 10.0, "x_polar_shell": 0.5}
    one = averages(CORE_SHELL, sld_core=1.0, sld_shell=1.0, **sizes, **shell)
    radii = {"radius_equatorial": 30.0, "radius_polar": 65.0}
    want = averages(ELLIPSOID, sld=1.0, sld_solvent=6.3, **radii)
    np.testing.assert_allclose(one, want, rtol=1e-11)
    p = parameters(CORE_SHELL, **sizes, **shell)
    np.testing.assert_allclose(CORE_SHELL.radii(p)[2:], [30.0, 65.0])


def test_shell_without_thickness_leaves_the_core():
    none = averages(CORE_SHELL, thick_shell=0.0)
    radii = {"radius_equatorial": 20.0, "radius_polar": 60.0}
    want = averages(ELLIPSOID, sld=2.0, sld_solvent=6.3, **radii)
    np.testing.assert_allclose(none, want, rtol=1e-11)


def test_radius_of_gyration_is_that_of_the_body():
    """Rg² = (a² + b² + c²)/5: <F²> → V²Δ² (1 - q²Rg²/3)."""
    m = amplitudes(TRIAXIAL, np.array([0.0, 1e-5]), n_quad=20)
    loss = 1 - float(m.f2[1] / m.f2[0])
    gyration = (20.0**2 + 400.0**2 + 10.0**2) / 5
    assert loss == pytest.approx(1e-10 * gyration / 3, rel=1e-4)


def test_first_radius_of_a_triaxial_ellipsoid_joins_its_two_nearest_axes():
    def first(a, b, c):
        sizes = {
            "radius_equat_minor": a,
            "radius_equat_major": b,
            "radius_polar": c,
        }
        return float(TRIAXIAL.radii(parameters(TRIAXIAL, **sizes))[0])

    rod = effective_radius.of_curvature(400.0, np.sqrt(20.0 * 10.0))
    plate = effective_radius.of_curvature(10.0, np.sqrt(390.0 * 400.0))
    assert first(20.0, 400.0, 10.0) == pytest.approx(float(rod), rel=1e-14)
    assert first(400.0, 10.0, 390.0) == pytest.approx(float(plate), rel=1e-14)
    assert first(50.0, 50.0, 50.0) == pytest.approx(50.0, rel=1e-14)


@pytest.mark.parametrize(
    "model", [ELLIPSOID, CORE_SHELL, TRIAXIAL], ids=lambda m: m.name
)
def test_derivatives_are_finite_at_q_zero_and_for_bodies_without_size(model):
    q = jnp.array([0.0, 1e-7, 0.02])
    components = (q,) * (3 if model is TRIAXIAL else 2)
    names = [row.name for row in model.quantities]
    for changes in ({}, dict.fromkeys(names, 0.0), dict.fromkeys(names, 1.0)):
        values = vars(parameters(model, **changes))
        by_value, by_q = _slopes(model, values, components)
        assert np.all(np.isfinite(list(by_value.values())))
        assert np.all(np.isfinite(by_q))
