"""Spheres and concentric shells: reductions to each other and their limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.sas import spheres

Q = jnp.array([0.0, 0.003, 0.05, 0.3])


def parameters(model, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    return model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})


@functools.partial(jax.jit, static_argnums=0)
def _amplitude(model, q, values):
    return model.amplitude(q, model.namespace(values))


def amplitude(model, q=Q, **given):
    values = {row.name: row.value for row in model.quantities} | given
    return _amplitude(model, q, {k: jnp.asarray(v) for k, v in values.items()})


def test_sphere_scatters_by_volume_and_radius_of_gyration():
    """F² → (ΔV)² (1 - q²Rg²/3) with Rg² = 3R²/5."""
    q, radius = 1e-4, 50.0
    f = amplitude(spheres.Sphere(), jnp.array([0.0, q]), radius=radius)
    assert float(f[0]) == pytest.approx(-5 * 4 / 3 * np.pi * radius**3, rel=1e-14)
    ratio = float((f[1] / f[0]) ** 2)
    assert 1 - ratio == pytest.approx(q**2 * radius**2 / 5, rel=1e-4)


def test_sphere_obeys_porods_law_between_its_oscillations():
    """<F²> q⁴ → 2π Δ² S with S = 4πR², averaged over a period of qR."""
    x = 1e4 + jnp.linspace(0, 2 * np.pi, 64, endpoint=False)
    f = amplitude(spheres.Sphere(), x / 50.0)
    mean = float(jnp.mean(jnp.square(f) * (x / 50.0) ** 4))
    assert mean == pytest.approx(2 * np.pi * 25 * 4 * np.pi * 50.0**2, rel=1e-3)


def test_core_and_shell_of_equal_density_are_one_sphere():
    shell = amplitude(
        spheres.CoreShellSphere(), radius=35.0, thickness=15.0, sld_core=2.0
    )
    whole = amplitude(spheres.Sphere(), radius=50.0, sld=2.0, sld_solvent=3.0)
    np.testing.assert_allclose(shell, whole, rtol=1e-11)


def test_shell_without_thickness_leaves_the_core():
    shell = amplitude(spheres.CoreShellSphere(), radius=50.0, thickness=0.0)
    whole = amplitude(spheres.Sphere(), radius=50.0, sld=1.0, sld_solvent=3.0)
    np.testing.assert_allclose(shell, whole, rtol=1e-11)


def test_two_shells_reduce_to_one_where_their_densities_agree():
    two = spheres.CoreMultiShell(n=2)
    given = {"sld1": 2.0, "sld2": 2.0, "thickness1": 4.0, "thickness2": 6.0}
    many = amplitude(two, radius=60.0, sld_core=1.0, sld_solvent=3.0, **given)
    one = amplitude(spheres.CoreShellSphere())
    np.testing.assert_allclose(many, one, rtol=1e-11)
    p = parameters(two, radius=60.0, **given)
    assert float(two.radii(p)[0]) == 70.0
    assert float(two.volume(p)) == pytest.approx(4 / 3 * np.pi * 70.0**3)


def test_no_shells_leave_the_core():
    none = amplitude(spheres.CoreMultiShell(n=0), radius=50.0)
    whole = amplitude(spheres.Sphere(), radius=50.0, sld=1.0, sld_solvent=6.4)
    np.testing.assert_allclose(none, whole, rtol=1e-11)


def test_fuzzy_sphere_is_a_sphere_times_the_gaussian_of_its_interface():
    fuzzy = amplitude(spheres.FuzzySphere(), radius=50.0, sld_solvent=6.0)
    sharp = amplitude(
        spheres.FuzzySphere(), radius=50.0, sld_solvent=6.0, fuzziness=0.0
    )
    np.testing.assert_allclose(sharp, amplitude(spheres.Sphere()), rtol=1e-14)
    np.testing.assert_allclose(fuzzy / sharp, np.exp(-50 * np.asarray(Q) ** 2))


@pytest.mark.parametrize(
    "model",
    [
        spheres.Sphere(),
        spheres.FuzzySphere(),
        spheres.CoreShellSphere(),
        spheres.CoreMultiShell(n=2),
    ],
    ids=lambda m: m.name,
)
def test_derivatives_are_finite_at_q_zero_and_for_bodies_without_size(model):
    names = [row.name for row in model.quantities]

    @jax.jit
    def slopes(values, q):
        def f(values, q):
            p = model.namespace(dict(zip(names, values, strict=True)))
            return jnp.sum(jnp.square(model.amplitude(q, p))) + sum(model.radii(p))

        return jax.grad(f, (0, 1))(values, q)

    for values in ([row.value for row in model.quantities], [0.0] * len(names)):
        by_value, by_q = slopes([jnp.asarray(v) for v in values], Q)
        assert np.all(np.isfinite(by_value))
        assert np.all(np.isfinite(by_q))
