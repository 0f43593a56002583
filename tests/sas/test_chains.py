"""Worm-like chains: coil and rod limits, joints of branches, elliptical sections."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import integrate, special

from jaxscatter.sas import chains, intensity

worm = jax.jit(chains.worm_like_chain)


def rod(q, length):
    """P(q) of an infinitely thin straight rod."""
    x = q * length
    return 2 * special.sici(x)[0] / x - np.sinc(x / 2 / np.pi) ** 2


@pytest.mark.parametrize("x", [1e-4, 0.3, 0.999, 1.001, 30.0])
def test_ideal_chain_has_kratky_and_porods_size(x):
    with mpmath.workdps(50):
        m = mpmath.mpf(x)
        wanted = 1 - 3 / (2 * m) + 3 / (2 * m**2)
        wanted -= 3 * (1 - mpmath.exp(-2 * m)) / (4 * m**3)
        assert float(chains.ideal_ratio(x)) == pytest.approx(float(wanted), rel=1e-13)


def test_stiff_chain_has_a_rods_radius_of_gyration():
    """R_g² = L²/12, from the curvature at q = 0."""
    q, length = jnp.array([0.0, 1e-3]), 10.0
    s = worm(q, length, 1e5)
    assert float(s[0]) == 1.0
    assert float(1 - s[1]) == pytest.approx(1e-6 * length**2 / 36, rel=1e-3)


def test_short_chain_scatters_as_a_rod():
    """A quarter of a Kuhn length: within the bending that is left."""
    q = np.geomspace(1e-3, 1.0, 60)
    got = worm(jnp.asarray(q), 25.0, 100.0)
    np.testing.assert_allclose(got, rod(q, 25.0), rtol=0.04)


@pytest.mark.parametrize(("length", "kuhn"), [(1000.0, 30.0), (300.0, 100.0)])
def test_chain_ends_in_a_line(length, kuhn):
    """S → π/(qL) where q b ≫ 1."""
    q = jnp.array([20.0])
    got = float(worm(q, length, kuhn)[0])
    assert got == pytest.approx(np.pi / (20.0 * length), rel=1e-4)


@pytest.mark.parametrize("lengths", [(1000.0, 30.0), (300.0, 100.0), (50.0, 100.0)])
def test_lengths_have_no_unit_of_their_own(lengths):
    q, (length, kuhn) = jnp.geomspace(1e-3, 1.0, 60), lengths
    scaled = worm(0.1 * q, 10 * length, 10 * kuhn)
    np.testing.assert_allclose(worm(q, length, kuhn), scaled, rtol=1e-10)


@pytest.mark.parametrize(
    ("length", "kuhn", "at"), [(1000.0, 30.0, 3.1 / 30.0), (395.0, 100.0, 0.03)]
)
def test_branches_meet_with_value_and_slope(length, kuhn, at):
    step = 1e-5 * at
    q = at + step * jnp.array([-2.0, -1.0, 1.0, 2.0])
    s = np.asarray(worm(q, length, kuhn))
    left, right = s[1] - s[0], s[3] - s[2]
    assert s[2] - s[1] == pytest.approx(left + right, rel=1e-3)
    assert left == pytest.approx(right, rel=1e-3)


def test_slopes_are_finite_at_no_momentum_and_on_the_kinks():
    def total(q, length, kuhn):
        return jnp.sum(chains.worm_like_chain(q, length, kuhn))

    slopes = jax.jit(jax.grad(total, (0, 1, 2)))
    q = jnp.array([0.0, 1e-7, 0.031, 0.5])
    for length in (1e-3, 400.0, 1000.0):
        for leaf in slopes(q, jnp.asarray(length), jnp.asarray(100.0)):
            assert np.all(np.isfinite(leaf))


def test_coil_of_no_length_scatters_nothing():
    got = intensity("flexible_cylinder", [0.0, 0.1], length=0.0, background=0.0)
    np.testing.assert_array_equal(got, 0.0)


def test_forward_intensity_is_contrast_times_volume():
    """But for the 1e-9 that the switch to excluded volume leaves at q = 0."""
    got = intensity("flexible_cylinder", [0.0], background=0.0)
    volume = np.pi * 20.0**2 * 1000.0
    assert float(got[0]) == pytest.approx(1e-4 * 5.3**2 * volume, rel=3e-9)


def test_elliptical_section_is_the_quadrature_of_its_disk():
    q, a, b = 0.3, 20.0, 50.0

    def squared(phi):
        r = q * np.hypot(a * np.cos(phi), b * np.sin(phi))
        return (2 * special.j1(r) / r) ** 2

    mean = integrate.quad(squared, 0, np.pi / 2, epsrel=1e-12)[0] * 2 / np.pi
    got = chains.elliptical_section(jnp.array(q), jnp.array(a), jnp.array(b / a), 32)
    assert float(got) == pytest.approx(mean, rel=1e-11)


def test_round_chain_among_elliptical_ones():
    q = [0.0, 0.01, 0.2]
    got = intensity("flexible_cylinder_elliptical", q, axis_ratio=1.0)
    wanted = intensity("flexible_cylinder", q)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_section_may_be_described_by_either_half_axis():
    """(R, x) and (xR, 1/x) are one ellipse, so they scatter alike."""
    q = [0.0, 0.01, 0.2]
    one = intensity("flexible_cylinder_elliptical", q, radius=10.0, axis_ratio=2.5)
    other = intensity("flexible_cylinder_elliptical", q, radius=25.0, axis_ratio=0.4)
    np.testing.assert_allclose(one, other, rtol=1e-11)
