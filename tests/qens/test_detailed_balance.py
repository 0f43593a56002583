"""The factors of detailed balance."""

import functools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter import qens
from jaxscatter.constants import KB
from jaxscatter.qens.detailed_balance import detailed_balance

T = 10.0
UNIT = KB * T  # meV of x = 1
X = np.array([-300.0, -41.0, -39.0, -3.0, -0.11, -0.09, -1e-6, 1e-9, 0.05, 0.2, 4, 90])


def exact(x):
    with mp.workdps(40):
        x = mp.mpf(float(x))
        return float(x / (1 - mp.exp(-x)))


def test_the_factor_agrees_with_high_precision():
    np.testing.assert_allclose(
        detailed_balance(X * UNIT, T), [exact(x) for x in X], rtol=1e-13
    )
    assert detailed_balance(0.0, T) == 1.0


def test_the_factor_agrees_with_easydynamics_convention():
    """x = ω/kT, 1 + x/2 + x²/12 - x⁴/720 near 0 and x where x is large."""
    x = 1e-2
    series = 1 + x / 2 + x**2 / 12 - x**4 / 720
    np.testing.assert_allclose(detailed_balance(x * UNIT, T), series, rtol=1e-14)
    np.testing.assert_allclose(detailed_balance(900 * UNIT, T), 900.0, rtol=1e-14)


@pytest.fixture(scope="module")
def easydynamics(reference):
    return reference("qens/easydynamics_balance.json")


def test_factors_agree_with_easydynamics(easydynamics):
    """Theirs is divided by k_BT, as ours; ω > 0 is the neutron's loss in both."""
    omega = np.array(easydynamics["energy"])
    rtol = easydynamics["rtol_factor"]
    for case in easydynamics["factors"]:
        found = detailed_balance(omega, case["temperature"])
        np.testing.assert_allclose(found, case["factor"], rtol=rtol)
    assert [c["temperature"] for c in easydynamics["factors"]] == [1.5, 20.0, 300.0]


@pytest.mark.parametrize("index", [0, 1], ids=["10 K", "300 K"])
def test_spectra_at_a_temperature_agree_with_easydynamics(easydynamics, index):
    """Within what the peer states, and within 1e-4, as fine as its grid is.

    What it states would let a spectrum without the factor pass at 300 K.
    """
    case, omega = easydynamics["spectra"][index], np.array(easydynamics["energy"])
    model = qens.get_model("lorentzian")

    @jax.jit
    def spectrum(hwhm):
        how = {"temperature": case["temperature"]}
        return model.predict(omega, 1.0, hwhm, case["sigma"], **how)

    found = spectrum(np.array([case["hwhm"]]))
    y = np.array(case["y"])
    np.testing.assert_allclose(
        found,
        y,
        rtol=easydynamics["rtol_spectra"],
        atol=easydynamics["atol_of_peak"] * y.max(),
    )
    np.testing.assert_allclose(found, y, rtol=1e-4)


@pytest.mark.parametrize("convention", ["bose", "exp_half"])
def test_both_conventions_obey_detailed_balance(convention):
    omega = np.linspace(0.1, 8.0, 9)
    up = detailed_balance(omega, T, convention)
    down = detailed_balance(-omega, T, convention)
    np.testing.assert_allclose(up, down * np.exp(omega / UNIT), rtol=1e-13)


def test_the_conventions_differ_by_an_even_factor():
    x = np.array([-6.0, -1.0, 0.3, 6.0])
    ratio = detailed_balance(x * UNIT, T) / detailed_balance(x * UNIT, T, "exp_half")
    np.testing.assert_allclose(ratio, x / 2 / np.sinh(x / 2), rtol=1e-13)


@pytest.mark.parametrize("convention", ["bose", "exp_half"])
def test_the_factors_do_not_overflow(convention):
    def factor(omega, temperature):
        return detailed_balance(omega, temperature, convention)

    for omega in (-50.0, 50.0):
        values = [
            factor(omega, 1e-2),
            *jax.jit(jax.grad(factor, argnums=(0, 1)))(omega, 1e-2),
        ]
        assert np.all(np.isfinite(values))
        assert factor(omega, 1e-2) >= 0


FACTORS = {
    name: jax.jit(functools.partial(detailed_balance, convention=name))
    for name in ("bose", "exp_half")
}


@pytest.mark.parametrize("x", [-60.0, -3.0, 0.0, 0.1, 2.0])
@pytest.mark.parametrize("convention", FACTORS)
def test_factor_gradients(x, convention):
    check_grads(
        FACTORS[convention],
        (x * UNIT, T),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-4,
        atol=1e-8,
    )


def test_the_slope_at_zero_energy_is_one_half():
    slope = jax.jit(jax.grad(detailed_balance))(0.0, T)
    np.testing.assert_allclose(slope, 0.5 / UNIT, rtol=1e-14)
    bend = jax.jit(jax.grad(jax.grad(detailed_balance)))(0.0, T)
    np.testing.assert_allclose(bend, 1 / 6 / UNIT**2, rtol=1e-13)


def test_the_factor_maps_like_a_loop():
    loop = [detailed_balance(x * UNIT, T) for x in X]
    np.testing.assert_allclose(
        jax.jit(jax.vmap(lambda x: detailed_balance(x, T)))(X * UNIT), loop, rtol=1e-14
    )


def test_the_factors_keep_float32_under_strict_promotion():
    x = (X * UNIT).astype(np.float32)
    for convention in ("bose", "exp_half"):
        with jax.numpy_dtype_promotion("strict"):
            single = detailed_balance(x, np.float32(T), convention)
        assert single.dtype == jnp.float32
        double = detailed_balance(X * UNIT, T, convention)
        # exp(x) has |x| roundings of x
        np.testing.assert_allclose(single, double, rtol=2e-5, atol=1e-35)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detailed_balance(1.0, 0.0), "^temperature must be positive, got 0"),
        (lambda: detailed_balance(1.0, -5.0), "^temperature must be positive, got -5"),
        (lambda: detailed_balance(1.0, 5.0, "boltzmann"), "^convention is 'boltzmann'"),
    ],
)
def test_the_factors_refuse_values_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()
