"""Symmetry of structure factors against sums over all atoms of the cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.operations import identity, space_group
from jaxscatter.cbed.structure_factors import optical_potential
from jaxscatter.cbed.symmetry import absent, equivalents, orbits
from jaxscatter.errors import DataError

gemmi = pytest.importorskip("gemmi")

CUBIC = np.array([5.43, 5.43, 5.43, 90.0, 90.0, 90.0])
HEXAGONAL = np.array([4.913, 4.913, 5.405, 90.0, 90.0, 120.0])
TENSOR = np.array([[9, 2, 1], [2, 7, -1], [1, -1, 5]]) * 1e-3
ATOMS = [
    (np.array([0.073, 0.191, 0.317]), 1.0, TENSOR),
    (np.array([0.41, 0.13, 0.052]), 1.7, 0.5 * TENSOR),
]
GROUPS = (
    "P 32 2 1",
    "P 63 m c",
    "R 3 c",
    "F d -3 m:1",
    "F d -3 m:2",
    "F -4 3 m",
    "P n a 21",
    "P 21/c",
    "P 41 21 2",
)
CRYSTALS = {
    "Si": ("F d -3 m:1", CUBIC, [Site("Si", (0, 0, 0), 0.47)]),
    "GaAs": (
        "F -4 3 m",
        CUBIC,
        [Site("Ga", (0, 0, 0), 0.59), Site("As", (0.25, 0.25, 0.25), 0.35)],
    ),
    "Cu": ("F m -3 m", CUBIC, [Site("Cu", (0, 0, 0), 0.55)]),
    "SrTiO3": (
        "P m -3 m",
        CUBIC,
        [Site("Sr", (0, 0, 0)), Site("Ti", (0.5,) * 3), Site("O", (0.5, 0.5, 0))],
    ),
    "ZnO": (
        "P 63 m c",
        np.array([3.25, 3.25, 5.2, 90.0, 90.0, 120.0]),
        [Site("Zn", (1 / 3, 2 / 3, 0), 0.6), Site("O", (1 / 3, 2 / 3, 0.3819), 0.7)],
    ),
    "quartz": (
        "P 32 2 1",
        HEXAGONAL,
        [Site("Si", (0.47, 0, 2 / 3), 0.5), Site("O", (0.414, 0.268, 0.786), 0.9)],
    ),
}


def box(reach):
    axis = np.arange(-reach, reach + 1)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def direct_sum(name, hkl):
    """Σ f exp(-h β h) exp(+2πi h·x) of two atoms in general positions, all images."""
    total = np.zeros(len(hkl), complex)
    for op in gemmi.SpaceGroup(name).operations():
        r, t = np.array(op.rot) / op.DEN, np.array(op.tran) / op.DEN
        turned = hkl @ r
        for x, f, beta in ATOMS:
            damping = np.exp(-np.sum(turned @ beta * turned, axis=1))
            total += f * damping * np.exp(2j * np.pi * hkl @ (r @ x + t))
    return total


@pytest.mark.parametrize("name", GROUPS)
def test_orbits_reproduce_the_sums_over_all_atoms(name):
    found = orbits(box(2), space_group(name))
    f, at = direct_sum(name, found.hkl), direct_sum(name, found.representatives)
    atol = 1e-13 * np.abs(f).max()
    np.testing.assert_allclose(found.expand(at), f, atol=atol)
    np.testing.assert_allclose(found.collapse(f), at, atol=atol)
    np.testing.assert_allclose(at[found.absent], 0, atol=atol)
    along = at[found.fixed] * np.conj(found.unit[found.fixed])
    np.testing.assert_allclose(along.imag, 0, atol=atol)
    # nothing is tied that need not be
    assert np.all(np.abs(at[~found.absent]) > 1e-6 * np.abs(f).max())
    loose = ~found.fixed & ~found.absent
    assert np.all(np.abs(np.sin(2 * np.angle(at[loose]))) > 1e-6)


@pytest.mark.parametrize("name", CRYSTALS)
def test_orbits_of_real_crystals_hold_for_both_potentials(name):
    group, cell, sites = CRYSTALS[name]
    crystal = Crystal.from_sites(cell, sites, space_group=group)
    found = orbits(box(2), crystal.operations)
    u, lost = optical_potential(crystal, found.hkl, 200.0)
    for values in (u, lost):
        values = np.asarray(values)
        again = found.expand(found.collapse(values))
        np.testing.assert_allclose(again, values, atol=1e-13 * np.abs(values).max())


@pytest.mark.parametrize("name", ["P 32 2 1", "F d -3 m:1", "P 41 21 2"])
def test_the_opposite_sign_of_the_translation_is_wrong(name):
    """These groups have phases other than 0 and 180 degrees: a test that can fail."""
    found = orbits(box(2), space_group(name))
    f, at = direct_sum(name, found.hkl), direct_sum(name, found.representatives)
    of = np.where(found.conjugate, np.conj(at[found.index]), at[found.index])
    wrong = of * np.conj(found.phase)
    assert np.max(np.abs(wrong - f)) > 0.05 * np.abs(f).max()


def test_the_sum_of_both_potentials_must_not_be_conjugated():
    crystal = Crystal.from_sites(*CRYSTALS["GaAs"][1:], space_group="F -4 3 m")
    found = orbits(box(2), crystal.operations)
    u, lost = (
        np.asarray(x) for x in optical_potential(crystal, found.hkl, 200.0, "kirkland")
    )
    full = u + 1j * lost
    apart = found.expand(found.collapse(u)) + 1j * found.expand(found.collapse(lost))
    np.testing.assert_allclose(apart, full, atol=1e-13)
    at = full[
        [np.flatnonzero(np.all(found.hkl == p, 1))[0] for p in found.representatives]
    ]
    together = np.asarray(found.expand(at))
    assert np.max(np.abs(together - full)) > 1e-3 * np.abs(full).max()


@pytest.mark.parametrize(
    ("name", "hkl", "is_absent"),
    [
        ("P n a 21", (0, 0, 1), True),
        ("P n a 21", (0, 0, 2), False),
        ("P n a 21", (0, 1, 2), True),
        ("P n a 21", (1, 0, 3), True),
        ("P 32 2 1", (0, 0, 1), True),
        ("P 32 2 1", (0, 0, 3), False),
        ("P 63 m c", (0, 0, 1), True),
        ("P 63 m c", (1, 1, 1), True),
        ("F d -3 m:1", (2, 0, 0), True),
        ("F d -3 m:2", (2, 0, 0), True),
        ("F d -3 m:1", (2, 2, 2), False),
        ("F d -3 m:1", (1, 0, 0), True),
    ],
)
def test_extinctions_are_those_of_the_tables(name, hkl, is_absent):
    group = space_group(name)
    one = np.array([hkl])
    assert absent(one, group)[0] == is_absent
    found = orbits(one, group)
    assert found.absent[0] == is_absent
    assert (found.expand(np.ones(1) + 0j)[0] == 0) == is_absent


def test_extinctions_agree_with_another_program():
    for name in GROUPS:
        operations = gemmi.SpaceGroup(name).operations()
        hkl = box(3)
        want = [operations.is_systematically_absent(h.tolist()) for h in hkl]
        np.testing.assert_array_equal(absent(hkl, space_group(name)), want)


def test_a_centre_at_the_origin_makes_every_phase_zero():
    found = orbits(box(2), space_group("F d -3 m:2"))
    assert found.fixed.all()
    np.testing.assert_array_equal(found.unit, np.ones(len(found)))
    elsewhere = orbits(np.array([[1, 1, 1], [3, 1, 1]]), space_group("F d -3 m:1"))
    assert elsewhere.fixed.all()
    # πh·t with t = 1/4 1/4 1/4 of -1: 3/4 and 5/4, of which a whole turn is the sign
    want = np.exp(1j * np.pi * np.array([0.75, 0.25]))
    np.testing.assert_allclose(elsewhere.unit, want, rtol=1e-14)


def test_multiplicities_are_those_of_the_laue_class():
    found = orbits(box(3), space_group("F m -3 m"))
    for hkl, count in (((0, 0, 0), 1), ((2, 0, 0), 6), ((1, 1, 1), 8), ((3, 2, 1), 48)):
        assert np.sum(found.index == found.orbit_of(hkl)) == count
    assert found.orbit_of((-1, 3, 2)) == found.orbit_of((3, 2, 1))
    with pytest.raises(DataError, match=r"\[4, 0, 0\]"):
        found.orbit_of((4, 0, 0))


def test_equivalents_of_a_reflection_have_its_structure_factor():
    for name in GROUPS:
        every = equivalents((1, 2, -2), space_group(name))
        assert every.hkl[0].tolist() == [1, 2, -2]
        assert not every.conjugate[0]
        assert len(np.unique(every.hkl, axis=0)) == len(every.hkl)
        f = direct_sum(name, every.hkl)
        want = np.where(every.conjugate, np.conj(f[0]), f[0]) * every.phase
        np.testing.assert_allclose(f, want, atol=1e-12)


def test_signed_numbers_and_phases_turn_into_values_and_back():
    rng = np.random.default_rng(3)
    found = orbits(box(1), space_group("P 32 2 1"))
    assert found.fixed.any()
    assert not found.fixed.all()
    size = np.where(
        found.fixed, rng.normal(size=len(found)), rng.uniform(size=len(found))
    )
    angle = rng.uniform(-179, 179, len(found))
    values = found.from_polar(size, angle)
    again, turned = found.to_polar(values)
    np.testing.assert_allclose(again, size, rtol=1e-12)
    np.testing.assert_allclose(turned[~found.fixed], angle[~found.fixed], rtol=1e-12)
    np.testing.assert_allclose(np.abs(values), np.abs(size), rtol=1e-12)


def test_a_forbidden_reflection_keeps_the_sign_it_is_given():
    """Si 222 vanishes for spherical atoms: its sign is the user's, not that of 0."""
    found = orbits(np.array([[2, 2, 2]]), space_group("F d -3 m:2"))
    for phase, sign in ((0.0, 1), (180.0, -1)):
        u = 1e-3 * np.exp(1j * np.deg2rad(phase))
        size, angle = found.to_polar(np.array([u]))
        np.testing.assert_allclose(size, [sign * 1e-3], rtol=1e-12)
        np.testing.assert_allclose(angle, [phase], atol=1e-12)
    size, angle = found.to_polar(np.zeros(1, complex))
    assert float(size[0]) == float(angle[0]) == 0


def test_expansion_can_be_differentiated():
    found = orbits(box(1), space_group("P 32 2 1"))

    @jax.jit
    def of(size, angle):
        u = found.expand(found.from_polar(size, angle))
        return jnp.stack([u.real, u.imag])

    n = len(found)
    check_grads(of, (np.ones(n), np.linspace(0, 80, n)), 2, ("fwd", "rev"))
    slope = jax.jacrev(lambda x: found.to_polar(jax.lax.complex(x, 0 * x))[0])
    assert np.all(np.isfinite(slope(jnp.zeros(n))))


def test_without_symmetry_only_friedel_pairs_are_tied():
    found = orbits(box(1), identity())
    assert len(found) == 14
    assert found.fixed.sum() == 1
    assert "27 reflections in 14 orbits" in repr(found)


@pytest.mark.parametrize("hkl", [np.zeros((0, 3)), np.ones((2, 2)), [[0.5, 0, 0]]])
def test_lists_that_are_no_reflections_are_refused(hkl):
    with pytest.raises(DataError, match="hkl"):
        orbits(np.asarray(hkl), identity())


def test_many_reflections_are_sorted_without_a_loop():
    hkl = box(9)
    found = orbits(hkl, space_group("F m -3 m"))
    assert len(hkl) == 6859
    assert len(found) == 220
