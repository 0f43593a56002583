"""Fractals against the transforms they come from, and their exponents at high q."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.sas import fractals
from jaxscatter.sas.spheres import CoreShellSphere, Sphere


def _space(model, changes):
    rows = model.quantities
    values = {r.name: jnp.asarray(changes.get(r.name, r.value), float) for r in rows}
    return model.namespace(values)


def _curve(model, q, **changes):
    return model.intensity(jnp.asarray(q, float), _space(model, changes))


def _exponent(model, q, **changes):
    low, high = _curve(model, np.array([q, 1.001 * q]), **changes)
    return np.log(low / high) / np.log(1.001)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.3])
def test_cut_off_correlations_have_this_transform(order):
    xs = np.array([1e-3, 0.249, 0.251, 3.0])
    exact = [
        mpmath.quad(
            lambda r: r ** (order - 1) * mpmath.exp(-r) * mpmath.sin(x * r) / x,  # noqa: B023
            [0, 1, *range(5, 80, 5)],
        )
        / mpmath.gamma(order + 1)
        for x in xs
    ]
    got = fractals.cut_off(jnp.asarray(xs), order)
    np.testing.assert_allclose(got, np.array(exact, float), rtol=1e-12)
    np.testing.assert_array_equal(fractals.cut_off(0.0, order), 1.0)


def test_cut_off_is_smooth_in_its_order_and_at_zero():
    x = jnp.asarray([0.0, 1e-8, 0.1, 4.0])
    safe = np.where(x > 0, x, 1.0)
    np.testing.assert_allclose(
        fractals.cut_off(x, 0.0)[1:], (np.arctan(safe) / safe)[1:], rtol=1e-14
    )
    np.testing.assert_allclose(fractals.cut_off(x, -1.0), 1.0, rtol=1e-14)

    def total(x, order):
        return jnp.sum(fractals.cut_off(x, order))

    both = jax.jit(jax.value_and_grad(total, (0, 1)))
    step = 1e-4
    for order in (0.0, 1.0):
        _, (by_x, by_order) = both(x, jnp.asarray(order))
        up, down = total(x, order + step), total(x, order - step)
        np.testing.assert_allclose(by_order, (up - down) / (2 * step), rtol=1e-6)
        assert by_x[0] == 0.0
        # T_p = 1 - p(p+1)(p+2)/6p x² + ...
        slope = -(order + 1) * (order + 2) / 3 * 1e-8
        np.testing.assert_allclose(by_x[1], slope, rtol=1e-7)


def test_aggregates_are_teixeiras_at_any_dimension():
    q, r, xi = np.array([1e-3, 0.02, 0.4]), 5.0, 80.0
    for d in (0.7, 1.8, 2.6, 4.0):
        x = q * xi
        top = d * float(mpmath.gamma(d - 1)) * np.sin((d - 1) * np.arctan(x))
        exact = 1 + top / ((q * r) ** d * (1 + x**-2.0) ** ((d - 1) / 2))
        got = fractals.aggregate(jnp.asarray(q), r, d, xi)
        np.testing.assert_allclose(got, exact, rtol=1e-12)
    chain = fractals.aggregate(jnp.asarray(q), r, 1.0, xi)
    np.testing.assert_allclose(chain, 1 + np.arctan(q * xi) / (q * r), rtol=1e-14)
    np.testing.assert_allclose(fractals.aggregate(jnp.asarray(q), r, 0.0, xi), 2.0)


def test_aggregates_of_no_length_are_their_spheres():
    q = np.array([0.0, 0.1, 0.5])
    got = _curve(fractals.Fractal(), q, cor_length=0.0, volfraction=0.2)
    sphere = Sphere()
    given = {"sld": 2.0, "sld_solvent": 6.4, "radius": 5.0}
    f = sphere.amplitude(jnp.asarray(q), _space(sphere, given))
    np.testing.assert_allclose(got, 0.2e-4 * f**2, rtol=1e-13)
    got = _curve(fractals.FractalCoreShell(), q, cor_length=0.0, volfraction=0.2)
    shell = CoreShellSphere()
    f = shell.amplitude(jnp.asarray(q), _space(shell, {}))
    np.testing.assert_allclose(got, 0.2e-4 * f**2, rtol=1e-13)


def test_aggregates_of_coreless_shells_are_those_of_spheres():
    q = np.array([0.0, 0.01, 0.2])
    whole = _curve(fractals.Fractal(), q, radius=20.0, sld_block=2.0, sld_solvent=3.0)
    shell = _curve(fractals.FractalCoreShell(), q, radius=0.0, thickness=20.0)
    core = _curve(
        fractals.FractalCoreShell(), q, radius=20.0, thickness=0.0, sld_core=2.0
    )
    np.testing.assert_allclose(shell, whole, rtol=1e-13)
    np.testing.assert_allclose(core, whole, rtol=1e-13)
    space = _space(fractals.FractalCoreShell(), {})
    volume = fractals.FractalCoreShell().volume(space)
    np.testing.assert_allclose(volume, 4 * np.pi / 3 * 70.0**3)


@pytest.mark.parametrize("d", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("radius", [0.0, 5.0])
def test_aggregates_have_finite_slopes_at_every_special_point(d, radius):
    def curve(radius, d, length):
        given = {"radius": radius, "fractal_dim": d, "cor_length": length}
        return _curve(fractals.Fractal(), [0.0, 0.1], **given)

    slopes = jax.jit(jax.jacrev(curve, (0, 1, 2)))
    for length in (0.0, 100.0):
        assert np.all(np.isfinite(slopes(radius, d, length)))


@pytest.mark.parametrize("d", [1.0, 1.9, 2.5])
def test_mass_fractals_begin_at_their_mass_and_fall_with_their_dimension(d):
    given = {"radius": 1e-6, "fractal_dim_mass": d, "cutoff_length": 100.0}
    zero = _curve(fractals.MassFractal(), 0.0, **given)
    np.testing.assert_allclose(zero, float(mpmath.gamma(d)) * 100**d, rtol=1e-13)
    # one over q is left of a D of 1
    slope = _exponent(fractals.MassFractal(), 1e3, **given)
    np.testing.assert_allclose(slope, d, rtol=1e-4)


@pytest.mark.parametrize("d", [2.0, 2.5])
def test_surface_fractals_fall_with_six_less_their_dimension(d):
    given = {"radius": 1e-6, "fractal_dim_surf": d, "cutoff_length": 100.0}
    slope = _exponent(fractals.SurfaceFractal(), 1e4, **given)
    np.testing.assert_allclose(slope, 6 - d, rtol=1e-4)


def test_surface_fractals_are_cut_where_their_formula_turns_negative():
    edge = np.tan(np.pi / 3) / 500.0  # D = 2, order 3
    below, above = _curve(fractals.SurfaceFractal(), [0.999 * edge, 1.001 * edge])
    assert below == 0.0
    assert above > 0.0

    def curve(d, length):
        model = fractals.SurfaceFractal()
        return _curve(model, [0.0, 0.1], fractal_dim_surf=d, cutoff_length=length)

    for length in (0.0, 500.0):
        assert np.all(np.isfinite(jax.jacfwd(curve, (0, 1))(2.0, length)))


def test_clusters_of_rough_particles_have_both_radii_and_exponents():
    model = fractals.MassSurfaceFractal()
    q = 1e-6
    zero, low = _curve(model, [0.0, q])
    rg2 = 4000.0**2 + 86.7**2
    np.testing.assert_allclose(zero, 1.0)
    np.testing.assert_allclose(3 * (1 - low) / q**2, rg2, rtol=1e-4)
    np.testing.assert_allclose(_exponent(model, 1.0, rg_primary=0.0), 1.8, rtol=1e-6)
    np.testing.assert_allclose(_exponent(model, 1e2), 6 - 2.3, rtol=1e-4)


def test_clusters_of_no_dimension_scatter_like_points_with_finite_slopes():
    model = fractals.MassSurfaceFractal()

    def curve(mass, surface):
        given = {"fractal_dim_mass": mass, "fractal_dim_surf": surface}
        return _curve(model, [0.0, 0.1], **given)

    np.testing.assert_array_equal(curve(0.0, 6.0), 1.0)
    slopes = jax.jit(jax.jacfwd(curve, (0, 1)))
    for at in [(0.0, 6.0), (1.8, 4.2), (0.0, 2.0)]:
        assert np.all(np.isfinite(slopes(*at)))


def test_dimensions_that_add_to_more_than_six_are_no_body():
    model = fractals.MassSurfaceFractal()
    for surface, possible in [(2.3, True), (4.2, True), (4.3, False)]:
        given = {"fractal_dim_mass": 1.8, "fractal_dim_surf": surface}
        assert bool(model.valid(_space(model, given))) is possible
