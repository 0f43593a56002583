"""Rates and their integrals: closed forms, floors, both spellings."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.errors import DataError, ModelError, ParameterError
from jaxscatter.xpcs import (
    cumulative_rate,
    shear_rate,
    stokes_einstein,
    transport_coefficient,
)
from jaxscatter.xpcs.transport import floored, time_step

DT = 0.1
T = DT * np.arange(64)


@pytest.fixture(scope="module")
def golden(reference):
    return reference("xpcs/c2_homodyne_v2.json")["cases"]


@pytest.fixture(scope="module")
def arrays():
    import pathlib

    here = pathlib.Path(__file__).parent.parent / "data/xpcs/c2_homodyne_v2.npz"
    with np.load(here) as stored:
        return dict(stored)


@pytest.mark.peer
def test_rates_are_those_of_homodyne(golden, arrays):
    for case in golden:
        t = arrays[f"c{case['index']}_t"]
        d = transport_coefficient(t, *case["params"][:3], case["dt"])
        np.testing.assert_allclose(d, arrays[f"c{case['index']}_D_t"], rtol=1e-13)
        if len(case["params"]) == 7:
            g = shear_rate(t, *case["params"][3:6], case["dt"])
            stored = arrays[f"c{case['index']}_gamma_t"]
            np.testing.assert_allclose(g, stored, rtol=1e-13)


def test_the_two_spellings_are_each_other_with_the_numbers_swapped():
    power = transport_coefficient(T, 900.0, 0.4, 30.0, DT)
    offset = transport_coefficient(T, 30.0, 0.4, 900.0, DT, rate="offset")
    np.testing.assert_array_equal(power, offset)
    np.testing.assert_allclose(power[5], 900 * 0.5**0.4 + 30, rtol=1e-14)
    both = [
        transport_coefficient(T, 900.0, 0.0, 30.0, DT, r) for r in ("power", "offset")
    ]
    np.testing.assert_allclose(both[0], 930.0, rtol=1e-15)
    np.testing.assert_allclose(both[1], 930.0, rtol=1e-15)


def test_time_zero_is_half_a_step():
    j = transport_coefficient(T, 1000.0, -0.5, 0.0, DT)
    np.testing.assert_allclose(j[0], 1000 * (0.5 * DT) ** -0.5, rtol=1e-14)
    slope = jax.jacfwd(lambda a: transport_coefficient(T, 1000.0, a, 0.0, DT))(-0.5)
    assert np.all(np.isfinite(slope))


def test_the_plain_floor_cuts_and_the_smooth_one_keeps_a_slope():
    f = jnp.asarray([-2.0, -1e-3, 0.0, 1e-3, 2.0])
    np.testing.assert_allclose(floored(f), [1e-10, 1e-10, 1e-10, 1e-3, 2.0])
    smooth = floored(f, "smooth", 1e-3)
    assert np.all(np.asarray(smooth) >= 1e-10)
    np.testing.assert_allclose(smooth[-1], 2.0, rtol=1e-9)
    assert np.max(np.abs(smooth - jnp.maximum(f, 1e-10))) <= 1e-3 * np.log(2) + 1e-12
    slope = jax.vmap(jax.grad(lambda v: floored(v, "smooth", 1e-3)))(f)
    assert np.all(slope[1:] > 0) and np.all(np.isfinite(slope))
    assert jax.grad(floored)(-1.0) == 0.0


def test_a_constant_rate_integrates_to_lag_times_rate():
    for integration in ("trapezoid", "analytic"):
        table = cumulative_rate(
            jnp.asarray(T), 700.0, 0.0, 50.0, DT, integration=integration
        )
        np.testing.assert_allclose(DT * table, 750.0 * T, rtol=1e-13)


@pytest.mark.parametrize("alpha", [-1.5, -1.0, -2 / 3, 0.7])
def test_the_analytic_integral_is_that_of_the_floored_law(alpha):
    table = cumulative_rate(jnp.asarray(T), 3.0, alpha, 0.5, DT, integration="analytic")

    def law(t):
        return 3.0 * max(t, 0.5 * DT) ** alpha + 0.5

    for k in (1, 2, 17, 63):
        edges = [0.0, 0.5 * DT, DT, *([1.0] if T[k] > 1 else []), T[k]]
        exact = float(mpmath.quad(law, sorted({e for e in edges if e <= T[k]})))
        np.testing.assert_allclose(DT * table[k], exact, rtol=1e-12)


def test_tables_grow_strictly_even_where_the_rate_is_floored():
    for integration in ("trapezoid", "rectangle", "analytic"):
        table = cumulative_rate(
            jnp.asarray(T), 10.0, 0.5, -50.0, DT, integration=integration
        )
        assert np.all(np.diff(table) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("integration", ["trapezoid", "analytic"])
@pytest.mark.parametrize("exponent", [-1.0, -2 / 3, 0.0, 0.5])
def test_tables_have_derivatives_of_second_order(integration, exponent):
    @jax.jit
    def total(amplitude, exponent, offset):
        table = cumulative_rate(
            jnp.asarray(T[:12]),
            amplitude,
            exponent,
            offset,
            DT,
            integration=integration,
            floor="smooth",
        )
        return jnp.sum(jnp.sin(table))

    at = tuple(jnp.asarray(v) for v in (0.3, exponent, 0.1))
    check_grads(total, at, order=1, modes=("fwd", "rev"), rtol=1e-4, atol=1e-4)
    check_grads(total, at, order=2, modes=("fwd", "rev"), rtol=1e-2, atol=1e-2)


def test_vmap_is_the_loop_and_jit_is_eager():
    def table(alpha):
        return cumulative_rate(jnp.asarray(T), 5.0, alpha, 1.0, DT)

    alphas = jnp.asarray([-0.5, 0.0, 1.0])
    many = jax.vmap(table)(alphas)
    for row, alpha in zip(many, alphas, strict=True):
        np.testing.assert_allclose(row, table(alpha), rtol=1e-14)
        np.testing.assert_allclose(jax.jit(table)(alpha), table(alpha), rtol=1e-14)


def test_rates_keep_float32():
    j = transport_coefficient(
        T.astype(np.float32),
        np.float32(900),
        np.float32(-0.3),
        np.float32(5),
        np.float32(DT),
    )
    assert j.dtype == jnp.float32
    exact = transport_coefficient(T, 900.0, -0.3, 5.0, DT)
    np.testing.assert_allclose(j, exact, rtol=2e-6)


def test_stokes_einstein_of_a_sphere_in_water():
    """500 Å in water at 293.15 K and 1.002 mPa s: 4.29e-12 m²/s."""
    exact = 1.380649e-23 * 293.15 / (6 * np.pi * 1.002e-3 * 5e-8) * 1e20
    np.testing.assert_allclose(stokes_einstein(500.0, 1.002e-3, 293.15), exact)
    with pytest.raises(ParameterError, match="radius must be positive, got -1"):
        stokes_einstein(-1.0, 1e-3, 300.0)


def test_time_axes_that_cannot_be_used_are_named():
    assert time_step(np.array([0.0, 0.5, 1.0])) == 0.5
    for t, text in (
        ([0.0], "at least two"),
        ([0.0, np.nan, 1.0], "finite and increasing"),
        ([1.0, 0.5], "finite and increasing"),
        ([0.0, 1.0, 2.1], "not uniform"),
        ([-1.0, 0.0], "negative"),
    ):
        with pytest.raises(DataError, match=text):
            time_step(np.array(t))


def test_options_that_do_not_exist_are_named():
    with pytest.raises(ModelError, match="rate is 'powder'"):
        transport_coefficient(T, 1.0, 0.0, 0.0, DT, rate="powder")
    with pytest.raises(ModelError, match="floor is 'hard'"):
        shear_rate(T, 1.0, 0.0, 0.0, DT, floor="hard")
    with pytest.raises(ModelError, match="integration is 'simpson'"):
        cumulative_rate(jnp.asarray(T), 1.0, 0.0, 0.0, DT, integration="simpson")
