"""Hollow spheres: reductions to each other, thin shells and volumes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.sas import spheres, vesicles

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


def test_vesicle_is_a_core_of_solvent_in_a_shell():
    vesicle = amplitude(vesicles.Vesicle(), volfraction=0.05)
    model = spheres.CoreShellSphere()
    sizes = {"radius": 100.0, "thickness": 30.0}
    shell = amplitude(model, sld_core=6.36, sld_shell=0.5, sld_solvent=6.36, **sizes)
    np.testing.assert_allclose(vesicle, np.sqrt(0.05) * shell, rtol=1e-12)


def test_thin_vesicle_scatters_as_its_surface():
    """F → √φ Δ 4πR² t sin(qR)/(qR) as t → 0."""
    thin = amplitude(vesicles.Vesicle(), radius=100.0, thickness=1e-4, volfraction=1.0)
    q = np.asarray(Q)
    surface = (0.5 - 6.36) * 4 * np.pi * 100.0**2 * 1e-4 * np.sinc(q * 100 / np.pi)
    np.testing.assert_allclose(thin, surface, rtol=1e-4)


def test_volume_of_the_shell_keeps_its_digits_and_vanishes_with_it():
    model = vesicles.Vesicle()
    p = parameters(model)
    hollow = spheres.sphere_volume(130.0) - spheres.sphere_volume(100.0)
    assert float(model.shell_volume(p)) == pytest.approx(hollow, rel=1e-14)
    thin = model.shell_volume(parameters(model, thickness=1e-9))
    assert float(thin) == pytest.approx(4 * np.pi * 100.0**2 * 1e-9, rel=1e-10)
    assert float(model.shell_volume(parameters(model, thickness=0.0))) == 0.0


def test_one_layer_is_a_vesicle():
    one = vesicles.MultilayerVesicle(n_shells=1)
    given = {"radius": 100.0, "volfraction": 0.05, "sld_solvent": 6.36, "sld": 0.5}
    layer = amplitude(one, thick_shell=30.0, thick_solvent=25.0, **given)
    np.testing.assert_allclose(layer, amplitude(vesicles.Vesicle()), rtol=1e-12)
    p = parameters(one, radius=100.0, thick_shell=30.0)
    assert float(one.radii(p)[0]) == 130.0


def test_layers_without_solvent_between_them_are_one_shell():
    many = vesicles.MultilayerVesicle(n_shells=7)
    given = {"radius": 60.0, "sld_solvent": 6.36, "sld": 0.5, "volfraction": 0.05}
    layers = amplitude(many, thick_shell=10.0, thick_solvent=0.0, **given)
    shell = amplitude(vesicles.Vesicle(), radius=60.0, thickness=70.0)
    np.testing.assert_allclose(layers, shell, rtol=1e-11)


def test_layers_scatter_coherently_where_their_period_fits():
    """At q = 2π/d the N shells add up, so that <F²> grows as N² for large radii."""
    radius, q = 1e5, jnp.array([2 * np.pi / 20.0 * (1 + 1e-12)])
    f = [
        float(
            amplitude(vesicles.MultilayerVesicle(n_shells=n), q, radius=radius)[0] ** 2
        )
        for n in (1, 4)
    ]
    assert f[1] / f[0] == pytest.approx(16.0, rel=1e-2)


def test_number_of_layers_has_limits():
    with pytest.raises(ValueError, match="n_shells"):
        vesicles.MultilayerVesicle(n_shells=101)
    with pytest.raises(ValueError, match="n_shells"):
        vesicles.MultilayerVesicle(n_shells=0)


@pytest.mark.parametrize(
    "model",
    [vesicles.Vesicle(), vesicles.MultilayerVesicle(n_shells=3)],
    ids=lambda m: m.name,
)
def test_intensity_is_linear_in_the_volume_fraction_from_zero_on(model):
    def intensity(phi):
        return jnp.square(amplitude(model, volfraction=phi))

    value, slope = jax.jvp(intensity, (jnp.asarray(0.0),), (jnp.asarray(1.0),))
    np.testing.assert_allclose(slope, intensity(1.0), rtol=1e-12)
    assert float(value[0] / slope[0]) < 1e-29


@pytest.mark.parametrize(
    "model",
    [vesicles.Vesicle(), vesicles.MultilayerVesicle(n_shells=3)],
    ids=lambda m: m.name,
)
def test_derivatives_are_finite_at_q_zero_and_for_bodies_without_size(model):
    names = [row.name for row in model.quantities]

    @jax.jit
    def slopes(values, q):
        def f(values, q):
            p = model.namespace(dict(zip(names, values, strict=True)))
            return jnp.sum(jnp.square(model.amplitude(q, p))) + model.shell_volume(p)

        return jax.grad(f, (0, 1))(values, q)

    for values in ([row.value for row in model.quantities], [0.0] * len(names)):
        by_value, by_q = slopes([jnp.asarray(v) for v in values], Q)
        assert np.all(np.isfinite(by_value))
        assert np.all(np.isfinite(by_q))
