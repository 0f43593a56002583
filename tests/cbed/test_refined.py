"""Refined structure factors: which couplings follow, with which phase."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.cbed import bloch
from jaxscatter.cbed.beams import beams
from jaxscatter.cbed.bloch import Coefficients
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.refined import names_of, none, refined
from jaxscatter.cbed.structure_factors import optical_potential
from jaxscatter.errors import ModelError

ENERGY = 200.0
HKL = [(0, 0, 0), (1, 1, 1), (-1, -1, -1), (2, 2, 0), (0, 2, 2), (1, 1, -1)]


def theta_of(factors, values):
    """Parameters at which the refined reflections have their own values."""
    numbers = {}
    at = {tuple(h): i for i, h in enumerate(values[0].tolist())}
    for part, column in ((0, 1), (1, 2)):
        own = np.asarray(values[column])[[at[h] for h in factors.hkl]]
        for hkl, (size, angle) in zip(factors.hkl, factors.numbers(own), strict=True):
            names = names_of(hkl)[2 * part : 2 * part + 2]
            numbers[names[0]] = size
            if angle is not None:
                numbers[names[1]] = angle
    return numbers


QUARTZ = [Site("Si", (0.4697, 0.0, 0.0), 0.5), Site("O", (0.4133, 0.2672, 0.1188), 0.8)]


@pytest.mark.parametrize(
    "crystal",
    [
        Crystal.from_sites(
            [4.913, 4.913, 5.405, 90, 90, 120], QUARTZ, space_group="P 32 2 1"
        ),
        Crystal.from_sites(
            [5.4307] * 3 + [90.0] * 3,
            [Site("Si", (0.0, 0.0, 0.0), 0.4668)],
            space_group="F d -3 m:1",
        ),
        Crystal.from_sites(
            [5.65325] * 3 + [90.0] * 3,
            [Site("Ga", (0, 0, 0), 0.6), Site("As", (0.25, 0.25, 0.25), 0.4)],
            space_group="F -4 3 m",
        ),
    ],
    ids=["quartz", "silicon origin 1", "GaAs"],
)
def test_orbits_at_their_own_values_leave_the_potential_as_it_is(crystal):
    """A wrong phase or conjugation would change it; U' tells them apart from U."""
    few = beams(np.array(HKL))
    u, w = optical_potential(crystal, few.differences, ENERGY)
    # some U' of its own phase, which the sum U + iU' must not mix with U
    chosen = [(1, 1, 1), (2, 2, 0)]
    factors = refined(few.differences, crystal.operations, chosen)
    theta = theta_of(factors, (few.differences, u, w))
    again = factors.replaced(Coefficients(0 * u, 0 * w), theta)
    follows = np.asarray(factors.orbit) >= 0
    assert follows.sum() >= 4
    np.testing.assert_allclose(again.elastic[follows], u[follows], atol=1e-12)
    np.testing.assert_allclose(again.absorptive[follows], w[follows], atol=1e-12)
    assert np.all(np.asarray(again.elastic)[~follows] == 0)
    only = refined(few.differences, crystal.operations, chosen, every=False)
    assert (np.asarray(only.orbit) >= 0).sum() == 4


def test_centrosymmetric_reflections_are_signed_numbers(silicon):
    few = beams(np.array(HKL))
    factors = refined(few.differences, silicon.operations, [(1, 1, 1)])
    assert factors.fixed == (0.0,)
    assert factors.names() == ("U(1,1,1)", "U'(1,1,1)")
    values = bloch.Coefficients(jnp.zeros(len(few.differences), complex))
    moved = factors.replaced(values, {"U(1,1,1)": jnp.asarray(-0.02)})
    assert moved.absorptive is None
    at = np.asarray(factors.orbit) == 0
    np.testing.assert_allclose(np.abs(moved.elastic[at]), 0.02)
    np.testing.assert_allclose(moved.elastic[at].imag, 0.0, atol=1e-15)


def test_derivatives_are_finite_where_a_factor_is_zero(gallium_arsenide):
    few = beams(np.array(HKL))
    factors = refined(few.differences, gallium_arsenide.operations, [(1, 1, 1)])
    assert factors.fixed == (None,)
    values = bloch.Coefficients(jnp.zeros(len(few.differences), complex))

    def power(size, angle):
        theta = {"U(1,1,1)": size, "phase(1,1,1)": angle}
        out = factors.replaced(values, theta).elastic
        return jnp.sum(jnp.real(out * jnp.conj(out))) + jnp.sum(out.imag**3)

    slopes = jax.jit(jax.grad(power, argnums=(0, 1)))(0.0, 0.0)
    assert np.all(np.isfinite(slopes))


@pytest.mark.parametrize(
    ("reflections", "words"),
    [
        ([(0, 0, 0)], "cannot be refined"),
        ([(1, 1, 1), (-1, 1, 1)], "equivalent"),
        ([(1, 1, 1), (1, 1, 1)], "equivalent"),
        ([(1, 0, 0)], "extinguished"),
        ([(8, 8, 8)], "couples no two"),
    ],
)
def test_reflections_that_cannot_be_refined_are_named(silicon, reflections, words):
    few = beams(np.array(HKL))
    with pytest.raises(ModelError, match=words):
        refined(few.differences, silicon.operations, reflections)


def test_none_changes_nothing():
    values = Coefficients(jnp.arange(3) + 1j, jnp.arange(3) + 0j)
    assert none(3).replaced(values, {}) is values
