"""Cylinders: reductions to each other, limits, radii and singular points."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from jaxscatter.sas import amplitudes, cylinders, intensity, pattern

Q = np.array([0.0, 0.004, 0.03, 0.1])
SOLID = cylinders.Cylinder()
SHELL = cylinders.CoreShellCylinder()
HOLLOW = cylinders.HollowCylinder()
ELLIPTICAL = cylinders.EllipticalCylinder()


def parameters(model, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    return model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})


def averages(model, **given):
    m = amplitudes(model, Q, n_quad=48, **given)
    return np.array([m.f1, m.f2])


@functools.partial(jax.jit, static_argnums=0)
def _slopes(model, values, components):
    def f(values, components):
        p = model.namespace(values)
        factors = model.factors(*components, p)
        whole = functools.reduce(jnp.multiply, factors)
        return jnp.sum(jnp.square(whole)) + model.volume(p) + sum(model.radii(p))

    return jax.value_and_grad(f, (0, 1))(values, components)


def test_cylinder_is_the_quadrature_of_its_amplitude():
    q, radius, half = 0.2, 20.0, 60.0

    def squared(theta):
        across, along = q * radius * np.sin(theta), q * half * np.cos(theta)
        f = 2 * special.j1(across) / across * np.sinc(along / np.pi)
        return f**2 * np.sin(theta)

    mean = integrate.quad(squared, 0, np.pi / 2, epsabs=1e-14, limit=200)[0]
    volume = np.pi * radius**2 * 2 * half
    got = intensity("cylinder", [q], radius=radius, length=2 * half, background=0.0)
    assert float(got[0]) == pytest.approx(1e-4 * 9 * volume * mean, rel=1e-10)


def test_long_cylinder_scatters_as_a_line_where_its_section_is_not_seen():
    """P → π/(qL) times the section, for 1/L ≪ q ≪ 1/R."""
    q, length = 0.02, 4000.0
    got = intensity("cylinder", [q], radius=1.0, length=length, background=0.0)
    volume = np.pi * length
    assert float(got[0]) == pytest.approx(
        1e-4 * 9 * volume * np.pi / (q * length), rel=0.02
    )


def test_core_shell_cylinder_of_one_density_is_a_larger_cylinder():
    given = {"sld_core": 3.0, "sld_shell": 3.0, "sld_solvent": 1.0}
    got = averages(SHELL, radius=15.0, thickness=5.0, length=60.0, **given)
    solid = averages(SOLID, radius=20.0, length=70.0, sld=3.0, sld_solvent=1.0)
    np.testing.assert_allclose(got, solid, rtol=1e-12)


def test_core_shell_cylinder_without_shell_is_its_core():
    got = averages(SHELL, radius=15.0, thickness=0.0, length=60.0, sld_core=3.0)
    solid = averages(SOLID, radius=15.0, length=60.0, sld=3.0)
    np.testing.assert_allclose(got, solid, rtol=1e-12)


def test_hollow_cylinder_is_a_cylinder_without_its_inside():
    components = (jnp.array([0.0, 0.05]), jnp.array([0.0, 0.02]))

    def amplitude(model, **given):
        section, line = model.factors(*components, parameters(model, **given))
        return section * line

    got = amplitude(HOLLOW, radius=20.0, thickness=10.0, length=90.0)
    outer = amplitude(SOLID, radius=30.0, length=90.0)
    inner = amplitude(SOLID, radius=20.0, length=90.0)
    np.testing.assert_allclose(got, outer - inner, rtol=1e-13)


def test_hollow_cylinder_fills_its_hole_with_volume_but_not_with_material():
    p = parameters(HOLLOW, radius=20.0, thickness=10.0, length=90.0)
    ratio = float(HOLLOW.volume(p) / HOLLOW.shell_volume(p))
    assert ratio == pytest.approx(900 / (900 - 400), rel=1e-14)


def test_thin_wall_scatters_as_j0_of_its_radius():
    """[(R+t)²B - R²B]/t → 2R J₀(qR)."""
    q = jnp.array([0.0, 0.05, 0.2])
    thickness = 1e-5
    p = parameters(HOLLOW, radius=20.0, thickness=thickness)
    ring = HOLLOW.factors(q, jnp.zeros(3), p)[0] / thickness
    wanted = 2 * np.pi * 20.0 * special.j0(20.0 * np.asarray(q))
    np.testing.assert_allclose(ring, wanted, rtol=1e-5)


def test_elliptical_cylinder_of_equal_axes_is_round():
    given = {"length": 60.0, "sld": 4.0, "sld_solvent": 1.0}
    got = averages(ELLIPTICAL, radius_minor=20.0, axis_ratio=1.0, **given)
    np.testing.assert_allclose(got, averages(SOLID, radius=20.0, **given), rtol=1e-12)


def test_oriented_elliptical_cylinder_shows_each_half_axis():
    """With c along the beam, x shows the minor half axis and y the major one."""
    given = {"radius_minor": 20.0, "axis_ratio": 2.0, "length": 50.0}
    view = {"theta": 0.0, "phi": 0.0, "psi": 0.0, "background": 0.0}
    got = pattern(ELLIPTICAL, [0.05, 0.0], [0.0, 0.05], **given, **view)
    x = np.array([0.05 * 20.0, 0.05 * 40.0])
    volume = np.pi * 20.0 * 40.0 * 50.0
    wanted = 1e-4 * 9 * volume * (2 * special.j1(x) / x) ** 2
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_radii_of_a_cylinder_as_long_as_wide():
    """A cylinder with L = 2R: half dimensions agree, the diagonal is √2 of them."""
    radii = SOLID.radii(parameters(SOLID, radius=20.0, length=40.0))
    volume_radius = np.cbrt(3 * 20.0**2 * 40.0 / 4)
    np.testing.assert_allclose(radii[1:6], [volume_radius, *[20.0] * 4], rtol=1e-14)
    assert float(radii[6]) == pytest.approx(20.0 * np.sqrt(2), rel=1e-14)


def test_radii_of_an_elliptical_section():
    p = parameters(ELLIPTICAL, radius_minor=10.0, axis_ratio=4.0, length=200.0)
    np.testing.assert_allclose(
        ELLIPTICAL.radii(p)[2:],
        [25.0, 10.0, 40.0, 20.0, 100.0, 10.0, 100.0, np.hypot(40.0, 100.0)],
        rtol=1e-14,
    )


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (SHELL, {"thickness": 0.0}),
        (SHELL, {"radius": 0.0}),
        (HOLLOW, {"thickness": 0.0}),
        (HOLLOW, {"radius": 0.0}),
        (ELLIPTICAL, {"axis_ratio": 1.0}),
        (ELLIPTICAL, {"radius_minor": 0.0}),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else v.name,
)
def test_singular_points_have_finite_slopes(model, given):
    """At no thickness, no radius and equal axes, in directions along axes and q = 0."""
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    values |= {k: jnp.asarray(v) for k, v in given.items()}
    axes = 3 if model is ELLIPTICAL else 2
    components = tuple(0.1 * row for row in jnp.eye(axes + 1)[:axes])
    for leaf in jax.tree.leaves(_slopes(model, values, components)):
        assert np.all(np.isfinite(leaf))
