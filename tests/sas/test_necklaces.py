"""Pearls on strings: one pearl, sums over pairs, and small q."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.sas import intensity, necklaces, spheres

Q = np.array([0.0, 1e-6, 0.004, 0.05, 0.3])


@pytest.mark.parametrize(
    ("start", "width"),
    [(0.0, 0.0), (3.0, 1e-9), (0.0, 1.999), (40.0, 2.001), (7.0, 300.0)],
)
def test_mean_of_sinc_is_the_difference_of_sine_integrals(start, width):
    with mpmath.workdps(40):
        a, d = mpmath.mpf(start), mpmath.mpf(width)
        wanted = (mpmath.si(a + d) - mpmath.si(a)) / d if width else mpmath.sinc(a)
    got = necklaces.mean_sinc(start, width)
    assert float(got) == pytest.approx(float(wanted), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_pair_sums_are_those_of_their_definition(n):
    s = jnp.array([-0.2, 0.0, 0.7, 1.0])
    for got, m in zip(necklaces.pair_sums(s, n), (n - 2, n - 1, n), strict=True):
        wanted = sum((m - k) * np.asarray(s) ** k for k in range(m))
        np.testing.assert_allclose(got, wanted, rtol=1e-14)


def test_single_pearl_is_a_sphere():
    got = intensity(necklaces.PearlNecklace(num_pearls=1), Q)
    sphere = intensity("sphere", Q, radius=80.0, sld=1.0, sld_solvent=6.3)
    np.testing.assert_allclose(got, sphere, rtol=1e-12)


def test_matched_strings_leave_a_freely_jointed_chain_of_pearls():
    """Σ_ij sinc(qA)^|i-j| over three pearls."""
    got = intensity("pearl_necklace", Q, sld_string=6.3, background=0.0)
    s = np.sinc(Q * (350.0 + 160.0) / np.pi)
    pairs = 3 + 4 * s + 2 * s**2
    ball = 5.3 * np.asarray(spheres.ball(jnp.asarray(Q), 80.0))
    pearl, string = 4 / 3 * np.pi * 80.0**3, np.pi / 4 * 350.0 * 2.5**2
    volume = 3 * pearl + 2 * string
    np.testing.assert_allclose(got, 1e-4 * ball**2 * pairs / volume, rtol=1e-12)


def test_forward_intensity_counts_every_part():
    """All in phase at q = 0: Δ² V."""
    pearl, string = 4 / 3 * np.pi * 80.0**3, np.pi / 4 * 350.0 * 2.5**2
    for n in (2, 5):
        model = necklaces.PearlNecklace(num_pearls=n)
        got = intensity(model, [0.0], background=0.0)
        volume = n * pearl + (n - 1) * string
        assert float(got[0]) == pytest.approx(1e-4 * 5.3**2 * volume, rel=1e-12)


def test_strings_without_pearls_are_a_freely_jointed_chain_of_rods():
    """Two rods in phase far below their length, alone far above it: π/(q e) each."""
    given = {"radius": 0.0, "sld_string": 1.0, "background": 0.0}
    got = intensity("pearl_necklace", [0.0, 3.0], **given)
    string = np.pi / 4 * 350.0 * 2.5**2
    high = 1e-4 * 5.3**2 * string * np.pi / (3.0 * 350.0)
    assert float(got[0]) == pytest.approx(1e-4 * 5.3**2 * 2 * string, rel=1e-12)
    assert float(got[1]) == pytest.approx(high, rel=0.01)


@functools.partial(jax.jit, static_argnums=0)
def _slopes(model, values):
    def f(values):
        return jnp.sum(model.intensity(jnp.asarray(Q), model.namespace(values)))

    return jax.grad(f)(values)


@pytest.mark.parametrize("name", ["radius", "edge_sep", "thick_string"])
def test_slopes_are_finite_where_a_size_vanishes(name):
    model = necklaces.PearlNecklace()
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    for slope in _slopes(model, values | {name: jnp.asarray(0.0)}).values():
        assert np.isfinite(slope)
