"""Bicelles: what they become with fewer materials, and round ones among elliptical."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from jaxscatter.sas import amplitudes, bicelles, cylinders, intensity, pattern

Q = np.array([0.0, 0.004, 0.03, 0.1])
ROUND = bicelles.CoreShellBicelle()
ELLIPTICAL = bicelles.CoreShellBicelleElliptical()
SIZES = {"radius": 30.0, "thick_rim": 6.0, "thick_face": 9.0, "length": 40.0}
DENSITIES = {"sld_core": 1.0, "sld_face": 4.0, "sld_rim": 2.5, "sld_solvent": 6.0}


def parameters(model, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    return model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})


def averages(model, **given):
    m = amplitudes(model, Q, n_quad=48, **given)
    return np.array([m.f1, m.f2])


def test_bicelle_of_one_density_is_a_cylinder():
    one = dict.fromkeys(("sld_core", "sld_face", "sld_rim"), 4.0) | {"sld_solvent": 1.0}
    solid = averages(cylinders.Cylinder(), radius=36.0, length=58.0)
    np.testing.assert_allclose(averages(ROUND, **SIZES, **one), solid, rtol=1e-12)


def test_bicelle_with_shells_of_one_density_is_a_core_shell_cylinder():
    even = SIZES | {"thick_rim": 7.0, "thick_face": 7.0}
    slds = {"sld_core": 1.0, "sld_solvent": 6.0}
    got = averages(ROUND, **even, **slds, sld_face=4.0, sld_rim=4.0)
    shell = {"radius": 30.0, "thickness": 7.0, "length": 40.0, "sld_shell": 4.0}
    wanted = averages(cylinders.CoreShellCylinder(), **shell, **slds)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_rim_alone_is_a_hollow_cylinder():
    """Core and faces matched: a tube as high as the whole."""
    slds = {"sld_core": 1.0, "sld_face": 1.0, "sld_rim": 6.3, "sld_solvent": 1.0}
    tube = {"radius": 30.0, "thickness": 6.0, "length": 58.0}
    wanted = averages(cylinders.HollowCylinder(), **tube)
    np.testing.assert_allclose(averages(ROUND, **SIZES, **slds), wanted, rtol=1e-12)


def test_forward_amplitude_counts_each_material_by_its_volume():
    p = parameters(ROUND, **SIZES, **DENSITIES)
    (f,) = ROUND.factors(jnp.zeros(()), jnp.zeros(()), p)
    core, faces = np.pi * 900 * 40, np.pi * 900 * 18
    rim = np.pi * (36.0**2 - 900) * 58
    assert float(f) == pytest.approx(-5 * core - 2 * faces - 3.5 * rim, rel=1e-13)


def test_round_bicelle_among_elliptical_ones():
    got = averages(ELLIPTICAL, x_core=1.0, **SIZES, **DENSITIES)
    wanted = averages(ROUND, **SIZES, **DENSITIES)
    np.testing.assert_allclose(got, wanted, rtol=1e-11)


def test_elliptical_curve_is_the_mean_of_its_oriented_patterns():
    """Over all views, written out with the sections' true half axes."""
    q = 0.08
    given = SIZES | DENSITIES | {"x_core": 2.0, "background": 0.0}

    def amplitude(theta, phi):
        a, b = q * np.sin(theta) * np.cos(phi), q * np.sin(theta) * np.sin(phi)
        c = q * np.cos(theta)

        def section(x, y):
            r = np.hypot(a * x, b * y)
            return np.pi * x * y * 2 * special.j1(r) / r

        inner, outer = section(30.0, 60.0), section(36.0, 66.0)
        line, whole = 40 * np.sinc(c * 20 / np.pi), 58 * np.sinc(c * 29 / np.pi)
        return -3 * inner * line + 1.5 * inner * whole - 3.5 * outer * whole

    def squared(theta, phi):
        return amplitude(theta, phi) ** 2 * np.sin(theta)

    mean = integrate.dblquad(squared, 0, np.pi / 2, 0, np.pi / 2, epsrel=1e-9)[0]
    volume = np.pi * 36 * 66 * 58
    wanted = 1e-4 * 2 / np.pi * mean / volume
    assert float(intensity(ELLIPTICAL, [q], **given)[0]) == pytest.approx(
        wanted, rel=1e-8
    )
    lying = {"theta": 90.0, "phi": 0.0, "psi": 0.0}  # c along x, a along -z, b along y
    along = float(pattern(ELLIPTICAL, [0.0], [q], **given, **lying)[0])
    wanted = 1e-4 * amplitude(np.pi / 2, np.pi / 2 - 1e-9) ** 2 / volume
    assert along == pytest.approx(wanted, rel=1e-7)


def test_radii_of_outer_dimensions():
    radii = ROUND.radii(parameters(ROUND, **SIZES))
    np.testing.assert_allclose(radii[2:], [36.0, 29.0, np.hypot(36.0, 29.0)])
    radii = ELLIPTICAL.radii(parameters(ELLIPTICAL, **SIZES, x_core=0.5))
    np.testing.assert_allclose(radii[2:6], [28.5, 21.0, 36.0, 29.0])


@pytest.mark.parametrize("model", [ROUND, ELLIPTICAL], ids=lambda m: m.name)
def test_bicelle_without_core_or_layers_has_finite_slopes(model):
    axes = 3 if model is ELLIPTICAL else 2
    components = tuple(0.1 * row for row in jnp.eye(axes + 1)[:axes])
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    values |= dict.fromkeys(SIZES, jnp.asarray(0.0))

    def f(values):
        return jnp.sum(model.factors(*components, model.namespace(values))[0])

    for leaf in jax.tree.leaves(jax.jit(jax.grad(f))(values)):
        assert np.all(np.isfinite(leaf))
