"""Absorptive factors against quadrature, another program and each other."""

import csv
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad
from scipy.interpolate import PchipInterpolator

from jaxscatter.cbed import absorption
from jaxscatter.cbed.electron import lorentz_factor, velocity_ratio
from jaxscatter.cbed.scattering_factors import elements
from jaxscatter.constants import COMPTON_WAVELENGTH
from jaxscatter.errors import ModelError, ParameterError

DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
with (DATA / "crystal_phonon_factors.csv").open() as file:
    ROWS = list(csv.DictReader(file))
B_PHONON = 8 * np.pi**2 * 0.08**2
G = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 2.0])


def factor_of(symbol, table):
    """f_e(s) in NumPy from the published coefficients."""
    from jaxscatter.cbed.scattering_factors import _coefficients

    a, b = np.array(_coefficients(table)[symbol])

    def f(s):
        square = 4 * s**2
        return np.sum(a * (2 + b * square) / (1 + b * square) ** 2)

    return f


@pytest.mark.parametrize(("symbol", "b"), [("C", 0.3), ("Rb", 0.05), ("Au", 4.0)])
def test_integral_agrees_with_adaptive_quadrature(symbol, b):
    """In polar coordinates about the midpoint, r to 60 1/Å and the tail beyond."""
    f = factor_of(symbol, "lobato")
    for g in (0.0, 0.7, 2.6):
        s = g / 2

        def ring(r, s=s):
            along = np.cos(ANGLES)
            plus = np.sqrt(r**2 + s**2 / 4 + r * s * along)
            minus = np.sqrt(r**2 + s**2 / 4 - r * s * along)
            values = [f(p) * f(m) for p, m in zip(plus, minus, strict=True)]
            lost = np.exp(-b * s**2 / 2) - np.exp(-2 * b * r**2)
            return 2 * np.pi * np.mean(values) * r * lost

        edges = [0, 0.1, 0.5, s / 2 + 1e-3, s / 2 + 0.3, 3, 10, 60]
        parts = zip(sorted(edges)[:-1], sorted(edges)[1:], strict=True)
        want = sum(quad(ring, lo, hi, epsrel=1e-7, limit=100)[0] for lo, hi in parts)
        # f f falls off as 1/r⁴ there
        want += ring(60.0) * 60.0 / 2
        grid = absorption.diffuse_integral(symbol, np.array([g]), np.array([b]))
        np.testing.assert_allclose(grid[0, 0], want, rtol=2e-5)


ANGLES = np.pi * (np.arange(128) + 0.5) / 128


@pytest.mark.parametrize("symbol", ["C", "Au"])
def test_interpolated_factor_is_the_integral(symbol):
    """Between the nodes, over five orders of B; with T, which B = 9 is used with."""
    g = np.array([0.0, 0.013, 0.31, 1.23, 3.3])
    for b in (2e-4, 0.004, 0.017, 0.2718, 1.3, 9.1):
        grid = absorption.diffuse_integral(symbol, g, np.array([b]))[0]
        scale = 2 * COMPTON_WAVELENGTH / float(velocity_ratio(200.0))
        want = scale * grid * np.exp(-b * g**2 / 8)
        got = absorption.tds_factor(symbol, g, b, 200.0) * np.exp(-b * g**2 / 4)
        near = np.max(np.abs(want)) * 1e-6
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=near)


@pytest.mark.parametrize(
    ("symbol", "kv"), [("C", 100), ("Si", 300), ("Ga", 100), ("Sr", 300), ("Au", 100)]
)
def test_integral_agrees_with_the_phonon_part_of_weickenmeier_and_kohl(symbol, kv):
    """Their f_im holds the Debye-Waller factor; 1.1 % to g = 1, 1.5 % at g = 2."""
    scale = float(lorentz_factor(float(kv))) / np.pi
    mine = [r for r in ROWS if r["element"] == symbol and r["kV"] == str(kv)]
    f_im = {float(r["g_per_A"]): float(r["f_im"]) for r in mine}
    want = np.array([f_im[g] for g in G])
    f = absorption.tds_factor(symbol, G, B_PHONON, float(kv))
    got = scale * np.asarray(f) * np.exp(-B_PHONON * G**2 / 4)
    np.testing.assert_allclose(got[:-1], want[:-1], rtol=1.1e-2)
    np.testing.assert_allclose(got[-1], want[-1], rtol=1.5e-2)


@pytest.mark.parametrize(("symbol", "rtol"), [("Si", 5e-3), ("Cu", 1e-3), ("Au", 1e-3)])
def test_published_fits_agree_with_the_integral(symbol, rtol):
    for b in (0.2, 0.5, 1.0):
        fit = absorption.thomas_factor(symbol, G, b, 200.0)
        np.testing.assert_allclose(
            fit, absorption.tds_factor(symbol, G, b, 200.0), rtol=rtol
        )


@pytest.mark.parametrize("symbol", ["H", "Si", "Lr"])
def test_fits_are_interpolated_in_b_by_a_monotone_cubic(symbol):
    """Against scipy's, at nodes, in the first and last interval and between."""
    grid, parameters = absorption._thomas_table()
    p = parameters[elements().index(symbol)]
    g = np.array([0.0, 0.3, 1.1, 3.0, 6.0])
    s2 = g**2 / 4
    terms = p[:, 0:8:2, None] * np.exp(-np.abs(p[:, 1:8:2, None]) * s2)
    values = np.maximum(terms.sum(axis=1) + p[:, 8:], 0)
    curve = PchipInterpolator(grid, values, axis=0)
    for b in (0.1, 0.12, 0.17, 0.5, 0.61, 2.2, 3.4, 4.0):
        got = absorption.thomas_factor(symbol, g, b, 200.0) * velocity_ratio(200.0)
        np.testing.assert_allclose(got, curve(b), rtol=1e-11, atol=1e-16)


def test_fits_keep_their_value_outside_the_table():
    for inside, outside in ((0.1, 0.0), (4.0, 7.5)):
        np.testing.assert_array_equal(
            absorption.thomas_factor("Si", G, inside, 200.0),
            absorption.thomas_factor("Si", G, outside, 200.0),
        )


@pytest.mark.parametrize("of", [absorption.thomas_factor, absorption.tds_factor])
def test_factors_go_with_the_inverse_velocity(of):
    ratio = of("Si", G, 0.5, 100.0) / of("Si", G, 0.5, 300.0)
    want = float(velocity_ratio(300.0) / velocity_ratio(100.0))
    np.testing.assert_allclose(ratio, want, rtol=1e-13)


@pytest.mark.parametrize("of", [absorption.thomas_factor, absorption.tds_factor])
def test_factors_can_be_differentiated(of):
    """In g, B and energy; at g = 0 the slope is finite and vanishes."""
    run = jax.jit(lambda g, b, e: of("Si", g, b, e))
    args = (jnp.array([0.21, 1.37]), 0.47, 200.0)
    check_grads(run, args, 1, ("fwd", "rev"), eps=1e-6, atol=1e-7, rtol=1e-5)
    slope = jax.grad(lambda g, b: run(g[None], b, 200.0)[0], (0, 1))(
        0.0 * args[0][0], 0.5
    )
    assert abs(float(slope[0])) < 1e-12
    assert float(slope[1]) > 0


def test_an_atom_at_rest_loses_nothing():
    at_rest = absorption.tds_factor("Au", G, 0.0, 200.0)
    np.testing.assert_array_equal(at_rest, np.zeros(len(G)))
    slope = jax.grad(lambda b: absorption.tds_factor("Au", 0.3, b, 200.0))(0.0)
    assert np.isfinite(slope)
    assert slope > 0


def test_factors_far_out_stay_finite():
    far = np.array([16.0, 40.0, 400.0])
    for of in (absorption.thomas_factor, absorption.tds_factor):
        f = np.asarray(of("Au", far, 12.0, 200.0)) * np.exp(-12.0 * far**2 / 4)
        assert np.all(np.isfinite(f))
        assert np.all(np.abs(f) < 1e-30)


def test_rules_are_found_by_name_and_compared_by_value():
    assert absorption.absorption_rule("thomas") == absorption.Thomas()
    assert hash(absorption.MeanPotential(0.5)) == hash(absorption.MeanPotential(0.5))
    assert absorption.Proportional(0.1) != absorption.Proportional(0.2)
    rule = absorption.ThermalDiffuse("kirkland")
    assert absorption.absorption_rule(rule) is rule
    with pytest.raises(ModelError, match="absorption is 'wk'"):
        absorption.absorption_rule("wk")
    with pytest.raises(ParameterError, match="potential"):
        absorption.MeanPotential(np.nan)
    with pytest.raises(ModelError, match="no atomic factor"):
        absorption.NoAbsorption().factor("Si", jnp.zeros(1), 0.5, 200.0)
    with pytest.raises(ModelError, match="atomic factors"):
        absorption.Thomas().coefficients(jnp.zeros(1) + 0j, jnp.zeros(1), 200.0)


def test_unknown_elements_are_named():
    with pytest.raises(KeyError, match="Qq"):
        absorption.thomas_factor("Qq", G, 0.5, 200.0)


def test_table_can_be_made_inside_a_compiled_function():
    absorption._diffuse_table.cache_clear()
    got = jax.jit(lambda b: absorption.tds_factor("Be", G, b, 200.0))(0.5)
    np.testing.assert_allclose(
        got, absorption.tds_factor("Be", G, 0.5, 200.0), rtol=1e-12
    )
