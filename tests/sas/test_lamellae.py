"""Lamellae: sums over layers, Bragg peaks, single sheets and vanishing thickness."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.sas import intensity, lamellae

Q = np.array([1e-4, 0.003, 0.02, 0.11, 0.4])


def direct(q, n, spacing, sigma):
    """1 + 2 Σ (1 - k/n) w^k cos(kqd), term by term in long doubles."""
    q = np.asarray(q, np.longdouble)
    k = np.arange(1, n, dtype=np.longdouble)[:, None]
    damping = np.exp(-k * (q * spacing * sigma) ** 2 / 2)
    return np.asarray(
        1 + 2 * np.sum((1 - k / n) * damping * np.cos(k * q * spacing), axis=0), float
    )


@pytest.mark.parametrize("sigma", [0.0, 1e-4, 0.05, 0.5])
@pytest.mark.parametrize("n", [1, 7, 200])
def test_paracrystal_is_the_sum_over_its_layers(n, sigma):
    """On Bragg peaks, beside them at the change of formula, and between them."""
    peak = 2 * np.pi / 250.0
    q = np.array([1e-9, 0.5, 1.0, 1 + 0.99 / (2 * np.pi * n), 1 + 0.17 / n, 2.7, 9.0])
    got = lamellae.paracrystal(jnp.asarray(peak * q), float(n), 250.0, sigma)
    wanted = direct(peak * q, n, 250.0, sigma)
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=2e-13 * n)


def test_paracrystal_between_whole_numbers_mixes_them():
    q = jnp.asarray(Q)
    three, four, between = (
        lamellae.paracrystal(q, n, 250.0, 0.1) for n in (3.0, 4.0, 3.25)
    )
    np.testing.assert_allclose(between, 0.75 * three + 0.25 * four, rtol=1e-14)


def test_perfect_stack_peaks_at_its_number_of_layers():
    for order in (1, 2):
        q = jnp.array([2 * np.pi * order / 40.0])
        assert float(lamellae.caille(q, 30, 40.0, 0.0)[0]) == pytest.approx(30.0)
        assert float(lamellae.paracrystal(q, 30.0, 40.0, 0.0)[0]) == pytest.approx(30.0)


def test_caille_stack_without_undulations_is_a_perfect_crystal():
    q = jnp.asarray(Q)
    got = lamellae.caille(q, 12, 50.0, 0.0)
    np.testing.assert_allclose(got, direct(Q, 12, 50.0, 0.0), rtol=1e-12, atol=1e-13)


def test_caille_peak_of_two_layers_falls_by_its_exponent():
    """S = 1 + cos(qd) exp(-q²d² η (ln π + γ)/4π²)."""
    q, eta = 2 * np.pi / 50.0, 0.3
    got = float(lamellae.caille(jnp.array(q), 2, 50.0, eta))
    assert got == pytest.approx(1 + np.exp(-eta * (np.log(np.pi) + np.euler_gamma)))


def test_single_layer_of_a_stack_is_a_sheet_with_more_room():
    """Per repeat distance instead of per thickness."""
    given = {"thickness": 30.0, "sld": 6.3, "sld_solvent": 1.0, "background": 0.0}
    sheet = intensity("lamellar", Q, **given)
    stack = intensity(
        lamellae.LamellarStackCaille(Nlayers=1), Q, d_spacing=120.0, **given
    )
    np.testing.assert_allclose(stack, sheet * 30.0 / 120.0, rtol=1e-12)
    para = intensity("lamellar_stack_paracrystal", Q, Nlayers=1.0, **given)
    np.testing.assert_allclose(para, sheet / 30.0, rtol=1e-12)


def test_bilayer_of_one_density_is_a_sheet():
    slds = {"sld": 2.0, "sld_solvent": 6.0}
    got = intensity("lamellar_hg", Q, length_head=4.0, sld_head=2.0, **slds)
    sheet = intensity("lamellar", Q, thickness=38.0, **slds)
    np.testing.assert_allclose(got, sheet, rtol=1e-12)


def test_sheet_scatters_by_its_area_and_thickness_at_small_q():
    """I → 2π Δ² d/q²."""
    got = intensity("lamellar", [1e-5], background=0.0)
    assert float(got[0]) == pytest.approx(1e-4 * 2 * np.pi * 25 * 50 / 1e-10, rel=1e-6)


def test_sheets_have_no_value_at_zero():
    with pytest.raises(DataError, match="lamellar"):
        intensity("lamellar", [0.0, 0.1])


MODELS = [
    lamellae.Lamellar(),
    lamellae.LamellarHg(),
    lamellae.LamellarStackCaille(),
    lamellae.LamellarHgStackCaille(),
    lamellae.LamellarStackParacrystal(),
]


@functools.partial(jax.jit, static_argnums=0)
def _slopes(model, values, q):
    def f(values):
        p = model.namespace(values)
        return jnp.sum(jnp.where(model.valid(p), model.intensity(q, p), 0.0))

    return jax.grad(f)(values)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_slopes_are_finite_at_bragg_peaks_and_without_thickness(model):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    q = jnp.array([1e-7, 2 * np.pi / 250.0, 2 * np.pi / 40.0])
    vanishing = {r.name: jnp.asarray(0.0) for r in model.table if r.unit == "Å"}
    for given in ({}, vanishing):
        for name, slope in _slopes(model, values | given, q).items():
            assert np.isfinite(slope), name
