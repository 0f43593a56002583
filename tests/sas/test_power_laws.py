"""Power laws and Guinier's law: where they join, what they tend to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxscatter.errors import ModelError
from jaxscatter.sas import power_laws


def _curve(model, q, **changes):
    rows = model.quantities
    values = {r.name: jnp.asarray(changes.get(r.name, r.value), float) for r in rows}
    return model.intensity(jnp.asarray(q, float), model.namespace(values))


def _exponent(model, q, **changes):
    """Local exponent -d ln I/d ln q."""

    def log(x):
        return jnp.log(_curve(model, jnp.exp(x), **changes))

    return -jax.vmap(jax.grad(log))(jnp.log(jnp.asarray(q)))


def test_powers_have_finite_slopes_where_there_is_nothing():
    value, slopes = jax.value_and_grad(power_laws.power, (0, 1))(0.0, 0.5)
    np.testing.assert_array_equal([value, *slopes], 0.0)
    value, slopes = jax.value_and_grad(power_laws.power, (0, 1))(2.0, 3.0)
    np.testing.assert_allclose([value, *slopes], [8, 12, 8 * np.log(2)], rtol=1e-14)


def test_a_negative_radius_of_gyration_turns_guiniers_law_upwards():
    q = np.array([0.0, 0.01, 0.05])
    down, up = (_curve(power_laws.Guinier(), q, rg=r) for r in (30.0, -30.0))
    np.testing.assert_allclose(down, np.exp(-300 * q**2), rtol=1e-14)
    np.testing.assert_allclose(down * up, 1.0, rtol=1e-14)


def test_porods_law_is_the_power_law_of_exponent_four():
    q = np.geomspace(1e-4, 1, 9)
    porod = _curve(power_laws.Porod(), q)
    np.testing.assert_allclose(porod, _curve(power_laws.PowerLaw(), q), rtol=1e-13)
    np.testing.assert_allclose(porod, q**-4.0, rtol=1e-14)


@pytest.mark.parametrize(("s", "exponent"), [(0.0, 4.0), (1.0, 3.0), (1.7, 2.5)])
def test_guinier_and_porod_join_in_value_and_slope(s, exponent):
    rg = 40.0
    n, m = 3 - s, (exponent - s) / 2
    joint = np.sqrt(n * m) / rg
    given = {"rg": rg, "s": s, "porod_exp": exponent}
    q = joint * np.array([0.3, 1 - 1e-9, 1 + 1e-9, 4.0])
    low = q**-s * np.exp(-((q * rg) ** 2) / n)
    high = q**-exponent * np.exp(-m) * (n * m / rg**2) ** m
    got = _curve(power_laws.GuinierPorod(), q, **given)
    np.testing.assert_allclose(got, [*low[:2], *high[2:]], rtol=1e-12)
    slopes = _exponent(power_laws.GuinierPorod(), q, **given)
    np.testing.assert_allclose(slopes[1:], exponent, rtol=1e-7)


def test_guinier_porod_keeps_only_its_first_power_where_nothing_joins():
    model, q = power_laws.GuinierPorod(), np.array([1e-3, 0.1])
    np.testing.assert_allclose(_curve(model, q, s=1.0, porod_exp=0.5), 1 / q)
    np.testing.assert_allclose(_curve(model, q, s=1.0, rg=0.0), 1 / q)
    np.testing.assert_array_equal(_curve(model, q, s=3.0, porod_exp=4.0), 0.0)

    def curve(rg, s, exponent):
        return _curve(model, q, rg=rg, s=s, porod_exp=exponent)

    slopes = jax.jit(jax.jacrev(curve, (0, 1, 2)))
    for at in [(60.0, 3.0, 3.0), (60.0, 3.0, 4.0), (60.0, 1.0, 1.0), (0.0, 1.0, 3.0)]:
        assert np.all(np.isfinite(slopes(*at)))


def test_unified_levels_start_at_their_sum_and_end_in_the_smallest():
    model = power_laws.UnifiedPowerRg(level=2)
    given = {"rg1": 200.0, "rg2": 10.0, "power1": 2.0, "power2": 4.0}
    given |= {"B1": 1e-3, "B2": 1e-4, "G1": 900.0, "G2": 3.0}
    zero, high = _curve(model, [0.0, 3.0], **given)
    np.testing.assert_allclose(zero, 903.0, rtol=1e-15)
    np.testing.assert_allclose(high, 1e-4 / 3**4, rtol=1e-12)


def test_unified_levels_are_beaucages_with_each_law_cut_at_the_next_size():
    q = np.geomspace(1e-3, 0.5, 11)
    rg, exponent, b, g = (200.0, 10.0), (2.1, 3.2), (1e-3, 1e-4), (900.0, 3.0)
    exact = np.zeros_like(q)
    for i, above in enumerate((10.0, 0.0)):
        hard = scipy.special.erf(q * rg[i] / np.sqrt(6)) ** 3 / q
        exact += g[i] * np.exp(-((q * rg[i]) ** 2) / 3)
        exact += b[i] * np.exp(-((q * above) ** 2) / 3) * hard ** exponent[i]
    given = {
        f"{name}{i + 1}": values[i]
        for name, values in {"rg": rg, "power": exponent, "B": b, "G": g}.items()
        for i in range(2)
    }
    got = _curve(power_laws.UnifiedPowerRg(level=2), q, **given)
    np.testing.assert_allclose(got, exact, rtol=1e-12)


def test_unified_levels_are_at_most_six_and_none_is_one_over_q():
    with pytest.raises(ModelError, match=r"level of unified_power_Rg is 7"):
        power_laws.UnifiedPowerRg(level=7)
    assert len(power_laws.UnifiedPowerRg(level=6).quantities) == 24
    none = power_laws.UnifiedPowerRg(level=0)
    np.testing.assert_allclose(_curve(none, [0.1, 0.5]), [10.0, 2.0])
    assert not none.zero_q and power_laws.UnifiedPowerRg().zero_q


def test_two_power_laws_meet_at_the_crossover():
    model, qc = power_laws.TwoPowerLaw(), 0.03
    given = {"coefficent_1": 2.5, "crossover": qc, "power_1": 0.8, "power_2": 3.4}
    q = qc * np.array([0.1, 1 - 1e-12, 1 + 1e-12, 5.0])
    low, high = 2.5 * q**-0.8, 2.5 * qc ** (3.4 - 0.8) * q**-3.4
    got = _curve(model, q, **given)
    np.testing.assert_allclose(got, [*low[:2], *high[2:]], rtol=1e-13)
    np.testing.assert_allclose(_exponent(model, q, **given), [0.8, 0.8, 3.4, 3.4])


def test_a_crossover_at_zero_leaves_nothing_of_a_steeper_law():
    def curve(crossover):
        return _curve(power_laws.TwoPowerLaw(), [0.01, 0.1], crossover=crossover)

    np.testing.assert_allclose(curve(0.0), 0.0, atol=1e-200)
    assert np.all(np.isfinite(jax.jacfwd(curve)(0.0)))


def test_a_line_is_its_intercept_and_slope():
    got = _curve(power_laws.Line(), [0.0, 2.0], intercept=3.0, slope=-0.5)
    np.testing.assert_array_equal(got, [3.0, 2.0])
