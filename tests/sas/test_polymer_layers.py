"""Micelles and adsorbed layers: what is left without chains, core, contrast or q."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.numerics import debye
from jaxscatter.sas import polymer_layers, spheres

Q = jnp.array([0.0, 0.003, 0.05, 0.3])
MICELLE = polymer_layers.PolymerMicelle()
LAYER = polymer_layers.AdsorbedLayer()


def intensity(model, q=Q, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    p = model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})
    return model.intensity(q, p)


def test_micelle_without_corona_contrast_is_a_sphere_of_its_blocks():
    """n N²v² Δ² j² of spheres whose volume is filled by the blocks: n V² Δ² j²."""
    count, radius = 30.0, 45.0
    volume = float(spheres.sphere_volume(radius))
    given = {"n_aggreg": count, "v_core": volume / count, "sld_corona": 6.4}
    sphere = spheres.ball(Q, radius) * (0.34 - 6.4)
    got = intensity(MICELLE, radius_core=radius, **given)
    np.testing.assert_allclose(got, 8.94e-13 * jnp.square(sphere), rtol=1e-12)


def test_single_chain_on_a_point_without_contrast_is_a_gaussian_coil():
    got = intensity(MICELLE, n_aggreg=1.0, sld_core=6.4)
    coil = 8.94e-13 * (61940.0 * (0.8 - 6.4)) ** 2 * debye((Q * 20.0) ** 2)
    np.testing.assert_allclose(got, coil, rtol=1e-13)


def test_forward_scattering_of_a_micelle_is_of_all_its_blocks_together():
    excess = 6 * (62624.0 * (0.34 - 6.4) + 61940.0 * (0.8 - 6.4))
    assert float(intensity(MICELLE)[0]) == pytest.approx(8.94e-13 * excess**2)


def test_chains_without_extent_scatter_from_the_surface():
    """Rg = 0: N points at R; their mean is N + N(N-1) sinc²(qR)."""
    got = intensity(MICELLE, rg=0.0, sld_core=6.4)
    shape = np.sinc(np.asarray(Q) * 45.0 / np.pi) ** 2
    one = 8.94e-13 * (61940.0 * (0.8 - 6.4)) ** 2
    np.testing.assert_allclose(got, one * (6 + 30 * shape), rtol=1e-12)


def test_layer_on_a_matched_sphere_is_its_surface_at_high_dilution():
    """(φ/V) <F²> of a thin shell with F = Δ 4πR² t sin(qR)/(qR), sin² → ½.

    Γ/δ is the thickness t; mg/m² over g/cm³ is 10 Å.
    """
    q, radius, thickness = 0.01, 500.0, 10 * 1.9 / 0.7
    surface = 0.5 * (1e-6 * (1.5 - 6.3) * 4 * np.pi * radius**2 * thickness) ** 2
    surface = surface / (q * radius) ** 2 / (4 / 3 * np.pi * radius**3)
    got = intensity(LAYER, jnp.array([q]), second_moment=0.0)
    assert float(got[0]) == pytest.approx(0.14 * surface * 1e8, rel=1e-12)


def test_layer_decays_with_the_second_moment_of_its_profile():
    q = Q[1:]
    ratio = intensity(LAYER, q) / intensity(LAYER, q, second_moment=0.0)
    np.testing.assert_allclose(ratio, np.exp(-(np.asarray(q * 23.0) ** 2)), rtol=1e-13)


@pytest.mark.parametrize("model", [MICELLE, LAYER], ids=lambda m: m.name)
def test_derivatives_are_finite_without_contrast_chains_or_amount(model):
    names = [row.name for row in model.quantities]
    empty = ("rg", "n_aggreg", "adsorbed_amount", "second_moment", "volfraction")

    @jax.jit
    def slopes(values, q):
        def f(values, q):
            p = model.namespace(dict(zip(names, values, strict=True)))
            return jnp.sum(model.intensity(q, p))

        return jax.grad(f, (0, 1))(values, q)

    defaults = {row.name: row.value for row in model.quantities}
    gone = {n: 0.0 if n in empty or "sld" in n else v for n, v in defaults.items()}
    for values in (defaults, gone):
        q = Q if model.zero_q else Q.at[0].set(1e-7)
        by_value, by_q = slopes([jnp.asarray(values[n]) for n in names], q)
        assert np.all(np.isfinite(by_value))
        assert np.all(np.isfinite(by_q))
