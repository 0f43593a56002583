"""Caps and bells: hemispheres, flat caps, spheres, and the point of equal radii."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from jaxscatter.sas import amplitudes, capped_cylinders, cylinders, intensity, spheres

CAPPED = capped_cylinders.CappedCylinder()
BARBELL = capped_cylinders.Barbell()
END = {CAPPED: "radius_cap", BARBELL: "radius_bell"}
ACROSS, ALONG = jnp.array([0.0, 0.05, 0.0, 0.1]), jnp.array([0.0, 0.0, 0.08, 0.07])


def parameters(model, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    return model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})


def amplitude(model, nodes=32, **given):
    p = parameters(model, **given)
    p.nodes = nodes
    return np.asarray(model.factors(ACROSS, ALONG, p)[0])


@pytest.mark.parametrize("model", [CAPPED, BARBELL], ids=lambda m: m.name)
def test_hemispheres_without_cylinder_are_a_sphere(model):
    given = {"radius": 30.0, END[model]: 30.0, "length": 0.0}
    q = jnp.hypot(ACROSS, ALONG)
    np.testing.assert_allclose(
        amplitude(model, **given), spheres.ball(q, 30.0), rtol=1e-12
    )
    p = parameters(model, **given)
    assert float(model.volume(p)) == pytest.approx(4 / 3 * np.pi * 30.0**3, rel=1e-14)
    np.testing.assert_allclose(model.radii(p)[1:], [30.0, 30.0, 0.0, 30.0], rtol=1e-14)


def test_flat_caps_leave_a_cylinder():
    """Of height R²/2R_c = 2e-7 Å, which a difference of large numbers would lose."""
    got = amplitude(CAPPED, radius=20.0, radius_cap=1e9, length=80.0)
    section, line = cylinders.disk(ACROSS, 20.0), cylinders.rod(ALONG, 80.0)
    np.testing.assert_allclose(
        got, section * line, atol=1e-8 * float(jnp.max(section * line))
    )
    thin = capped_cylinders.cap_height(1e9, 20.0)
    assert float(thin) == pytest.approx(2e-7, rel=1e-14)


def test_bells_on_a_vanishing_bar_are_two_spheres():
    """2 V j(qR) cos(q_c (L/2 + R))."""
    got = amplitude(BARBELL, radius=1e-5, radius_bell=30.0, length=100.0)
    both = 2 * spheres.ball(jnp.hypot(ACROSS, ALONG), 30.0) * jnp.cos(ALONG * 80.0)
    np.testing.assert_allclose(got, both, rtol=1e-9)


@pytest.mark.parametrize("model", [CAPPED, BARBELL], ids=lambda m: m.name)
def test_curve_is_the_quadrature_of_slices(model):
    """Disks stacked along the axis, and the average over directions, by SciPy."""
    q, radius, end, length = 0.1, 20.0, 25.0, 40.0
    apart = -15.0 if model is CAPPED else 15.0

    def slices(theta):
        across, along = q * np.sin(theta), q * np.cos(theta)

        def slice_(z):
            r = np.sqrt(max(end**2 - z**2, 1e-30))
            shape = 2 * special.j1(across * r) / (across * r)
            return np.pi * r**2 * shape * np.cos(along * (length / 2 + apart + z))

        ends = 2 * integrate.quad(slice_, -apart, end, epsrel=1e-11)[0]
        bar = 2 * np.pi * radius * special.j1(across * radius) / across
        return ends + bar * length * np.sinc(along * length / 2 / np.pi)

    theta, w = np.polynomial.legendre.leggauss(24)
    theta = np.pi / 4 * (theta + 1)
    f = np.array([slices(t) for t in theta])
    mean = np.sum(np.pi / 4 * w * np.sin(theta) * f**2)
    height = end + apart
    volume = np.pi * radius**2 * length + 2 * np.pi * height**2 * (end - height / 3)
    given = {"radius": radius, END[model]: end, "length": length, "background": 0.0}
    got = intensity(model, [q], **given)
    assert float(got[0]) == pytest.approx(1e-4 * 9 * mean / volume, rel=1e-8)


def test_ends_converge_at_once_with_their_nodes():
    given = {"radius": 20.0, "radius_bell": 40.0, "length": 100.0}
    few, many = amplitude(BARBELL, 20, **given), amplitude(BARBELL, 60, **given)
    np.testing.assert_allclose(few, many, rtol=1e-11)


@pytest.mark.parametrize("model", [CAPPED, BARBELL], ids=lambda m: m.name)
def test_slopes_are_finite_at_equal_radii_and_without_a_body(model):
    def f(values):
        p = model.namespace(values)
        p.nodes = 20
        shape = jnp.sum(jnp.square(model.factors(ACROSS, ALONG, p)[0]))
        return shape + model.volume(p) + sum(model.radii(p))

    slopes = jax.jit(jax.grad(f))
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    for radius, end in ((20.0, 20.0), (0.0, 20.0), (0.0, 0.0), (20.0, 10.0)):
        given = {"radius": jnp.asarray(radius), END[model]: jnp.asarray(end)}
        for slope in slopes(values | given).values():
            assert np.isfinite(slope), (radius, end)


def test_ends_smaller_than_the_cylinder_make_no_body():
    got = intensity("barbell", [0.01, 0.1], radius=20.0, radius_bell=19.0)
    np.testing.assert_array_equal(got, 0.001)
    m = amplitudes(CAPPED, [0.01], radius=20.0, radius_cap=19.0)
    assert float(m.f2[0]) == 0.0
