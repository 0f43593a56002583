"""Structure factors against another program, direct sums and Mott and Bethe."""

import csv
import importlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed import electron, lattice
from jaxscatter.cbed.absorption import MeanPotential, Proportional, thomas_factor
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.operations import Operations
from jaxscatter.cbed.scattering_factors import electron_factor
from jaxscatter.errors import DataError, ModelError

# the package has a function of the module's name
sf = importlib.import_module("jaxscatter.cbed.structure_factors")
DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
with (DATA / "crystal_structure_factors.csv").open() as file:
    ROWS = list(csv.DictReader(file))
FACES = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
DIAMOND = np.concatenate([FACES, FACES + 0.25])
CRYSTALS = {
    "Si": (5.4307, ["Si"] * 8, DIAMOND),
    "GaAs": (5.65325, ["Ga"] * 4 + ["As"] * 4, DIAMOND),
    "Cu": (3.6149, ["Cu"] * 4, FACES),
    "Au": (4.0782, ["Au"] * 4, FACES),
    "SrTiO3": (
        3.905,
        ["Sr", "Ti", "O", "O", "O"],
        np.array([[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    ),
}
HKL = np.array([[0, 0, 0], [1, 1, 1], [-1, -1, -1], [2, 0, 0], [3, -1, 2]])
QUARTZ = np.array([4.913, 4.913, 5.405, 90.0, 90.0, 120.0])


def crystal_of(name, displacements="0"):
    a, symbols, positions = CRYSTALS[name]
    b = dict.fromkeys(symbols, 0.0)
    if displacements != "0":
        b |= {k: float(v) for k, v in (x.split("=") for x in displacements.split(";"))}
    sites = [Site(s, tuple(x), b[s]) for s, x in zip(symbols, positions, strict=True)]
    return Crystal.from_sites([a, a, a, 90, 90, 90], sites)


def complex_column(rows, name, unit):
    parts = (
        np.array([float(row[f"{name}_{part}_{unit}"]) for row in rows])
        for part in ("re", "im")
    )
    return next(parts) + 1j * next(parts)


@pytest.mark.parametrize("name", CRYSTALS)
def test_structure_factors_agree_with_another_program(name):
    mine = [row for row in ROWS if row["crystal"] == name]
    cases = {(row["parametrization"], row["B_iso"], row["kV"]) for row in mine}
    for table, b, kv in sorted(cases):
        rows = [
            row
            for row in mine
            if (row["parametrization"], row["B_iso"], row["kV"]) == (table, b, kv)
        ]
        hkl = np.array([[int(row[i]) for i in "hkl"] for row in rows])
        crystal = crystal_of(name, b)
        f = sf.structure_factors(crystal, hkl, table)
        v = sf.potential_coefficients(crystal, hkl, table)
        u, lost = sf.optical_potential(crystal, hkl, float(kv), table, "none")
        want = complex_column(rows, "F", "per_A2")
        atol = 1e-7 * np.abs(want).max()
        np.testing.assert_allclose(f, want, rtol=1e-7, atol=1e-10)
        assert np.abs(np.asarray(f) - want).max() < atol
        np.testing.assert_allclose(
            v, complex_column(rows, "V", "volt"), rtol=1e-7, atol=1e-8
        )
        np.testing.assert_allclose(
            u, complex_column(rows, "U", "per_A2"), rtol=1e-7, atol=1e-10
        )
        np.testing.assert_array_equal(lost, np.zeros(len(hkl)))


def quartz(**more):
    sites = [
        Site("Si", (0.47, 0.0, 2 / 3), 0.5, **more),
        Site("O", (0.4136, 0.2676, 0.7858), 0.9, 0.8),
    ]
    return Crystal.from_sites(QUARTZ, sites, space_group="P 32 2 1")


def direct_sum(crystal, hkl, factor):
    """Σ over atoms written out, in NumPy."""
    x, occupancies, b, u, symbols = crystal.expanded()
    g = np.asarray(lattice.vectors(hkl, crystal.cell))
    length = np.linalg.norm(g, axis=1)
    edges = np.asarray(lattice.direct_basis(crystal.cell))
    star = np.linalg.norm(np.asarray(lattice.reciprocal_basis(crystal.cell)), axis=1)
    total = np.zeros(len(hkl), complex)
    for j, symbol in enumerate(symbols):
        damping = np.exp(-float(b[j]) * length**2 / 4)
        if u is not None:
            axes = edges * star[:, None]
            cartesian = axes.T @ np.asarray(u[j]) @ axes
            damping *= np.exp(-2 * np.pi**2 * np.sum(g @ cartesian * g, axis=1))
        wave = np.exp(2j * np.pi * hkl @ np.asarray(x[j]))
        f = np.asarray(factor(symbol, length))
        total += float(occupancies[j]) * damping * f * wave
    return total


def test_a_crystal_without_centre_agrees_with_the_sum_over_atoms():
    pytest.importorskip("gemmi")
    tensor = np.array([[9, 2, 1], [2, 7, -1], [1, -1, 5]]) * 1e-3
    crystal = quartz(u_aniso=tensor)
    want = direct_sum(crystal, HKL, electron_factor) / float(crystal.volume())
    got = sf.structure_factors(crystal, HKL)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(got[2], np.conj(got[1]), rtol=1e-12)
    assert abs(np.angle(got[1]) % np.pi) > 0.1


def test_absorptive_part_is_a_sum_of_its_own():
    pytest.importorskip("gemmi")
    crystal = quartz()
    u, lost = sf.optical_potential(crystal, HKL, 200.0)
    gamma = float(electron.lorentz_factor(200.0))
    b = {"Si": 0.5, "O": 0.9}
    want = direct_sum(crystal, HKL, lambda s, g: thomas_factor(s, g, b[s], 200.0))
    want *= gamma / (np.pi * float(crystal.volume()))
    np.testing.assert_allclose(lost, want, rtol=1e-12, atol=1e-17)
    np.testing.assert_allclose(lost[2], np.conj(lost[1]), rtol=1e-12)
    full = np.asarray(u + 1j * lost)
    assert abs(full[2] - np.conj(full[1])) > 1e-4 * abs(full[1])


def test_rules_that_act_on_coefficients():
    crystal = crystal_of("GaAs")
    u, tenth = sf.optical_potential(crystal, HKL, 200.0, absorption="proportional")
    np.testing.assert_allclose(tenth, 0.1 * u, rtol=1e-14)
    _, mean = sf.optical_potential(
        crystal, HKL, 200.0, absorption=Proportional(0.05, only_mean=True)
    )
    np.testing.assert_allclose(mean, np.r_[0.05 * u[0], 0, 0, 0, 0], rtol=1e-14)
    _, volts = sf.optical_potential(crystal, HKL, 200.0, absorption=MeanPotential(0.7))
    want = 0.7 * electron.potential_factor(200.0)
    np.testing.assert_allclose(volts, np.r_[want, 0, 0, 0, 0], rtol=1e-14)
    with pytest.raises(ModelError, match="MeanPotential"):
        sf.optical_potential(crystal, HKL, 200.0, absorption="abs")


@pytest.mark.parametrize("absorption", ["thomas", "tds"])
def test_potential_can_be_differentiated(absorption):
    """In cell, positions, occupancies, B, U and energy, 000 among the reflections."""
    pytest.importorskip("gemmi")
    base = quartz(u_aniso=np.diag([9.0, 7.0, 5.0]) * 1e-3)
    hkl = HKL[[0, 1, 4]]

    def of(leaves, energy):
        u, lost = sf.optical_potential(
            base.with_(**leaves), hkl, energy, absorption=absorption
        )
        return jnp.stack([u.real, u.imag, 50 * lost.real, 50 * lost.imag])

    leaves = {
        name: getattr(base, name)
        for name in ("cell", "positions", "occupancies", "b_iso", "u_aniso")
    }
    check_grads(
        jax.jit(of), (leaves, 200.0), 1, ("fwd", "rev"), atol=1e-5, rtol=1e-4, eps=1e-5
    )


def test_xray_structure_factors_are_the_sum_over_atoms():
    gemmi = pytest.importorskip("gemmi")

    def factor(symbol, g):
        known = gemmi.Element(symbol)
        f = np.exp(-np.outer(g**2 / 4, known.it92.b)) @ known.it92.a
        return f + known.atomic_number - np.sum(known.it92.a)

    crystal = quartz()
    want = direct_sum(crystal, HKL, factor)
    got = sf.xray_structure_factors(crystal, HKL)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_electron_and_xray_structure_factors_turn_into_each_other():
    """Exact with factors of Mott and Bethe: the same f_x on both ways."""
    pytest.importorskip("gemmi")
    crystal = quartz(u_aniso=np.diag([9.0, 7.0, 5.0]) * 1e-3)
    u, _ = sf.optical_potential(crystal, HKL, 200.0, "xray", "none")
    x = sf.xray_structure_factors(crystal, HKL)
    got = sf.e2xray(crystal, HKL, u, 200.0)
    np.testing.assert_allclose(got, x, rtol=1e-12, atol=1e-12)
    back = sf.x2electron(crystal, HKL[1:], x[1:], 200.0)
    np.testing.assert_allclose(back, u[1:], rtol=1e-11, atol=1e-15)
    with pytest.raises(DataError, match="000"):
        sf.x2electron(crystal, HKL, x, 200.0)
    traced = jax.jit(lambda h: sf.x2electron(crystal, h, x, 200.0))(HKL)
    assert np.isnan(traced[0])
    np.testing.assert_allclose(traced[1:], back, rtol=1e-12)


def test_extinction_distance_of_silicon():
    """220 at 100 kV: 757 Å of Hirsch et al., from other factors; here within 3 %."""
    hkl = np.array([[2, 2, 0]])
    crystal = crystal_of("Si")
    u, _ = sf.optical_potential(crystal, hkl, 100.0, absorption="none")
    g = lattice.lengths_of(hkl, crystal.cell)
    got = sf.extinction_distances(u, g, 100.0)
    np.testing.assert_allclose(got, 757, rtol=0.03)


def test_extinction_distance_is_infinite_without_scattering():
    def size(x):
        u = jax.lax.complex(x, jnp.zeros_like(x))
        xi = sf.extinction_distances(u, jnp.ones(2), 200.0)
        return jnp.sum(jnp.where(jnp.isinf(xi), 0.0, xi))

    x = jnp.array([0.0, 0.01])
    assert np.isinf(sf.extinction_distances(x + 0j, jnp.ones(2), 200.0)[0])
    assert np.all(np.isfinite(jax.grad(size)(x)))


def test_operations_do_not_change_the_sum():
    """GaAs with centring operations is GaAs of eight atoms in P1."""
    a = CRYSTALS["GaAs"][0]
    group = Operations(np.tile(np.eye(3, dtype=int), (4, 1, 1)), FACES)
    sites = [Site("Ga", (0, 0, 0)), Site("As", (0.25, 0.25, 0.25))]
    small = Crystal.from_sites([a, a, a, 90, 90, 90], sites, group)
    want = sf.structure_factors(crystal_of("GaAs"), HKL)
    np.testing.assert_allclose(sf.structure_factors(small, HKL), want, atol=1e-15)


# h k l, Re U, Im U in 1/Å², U' in it: sample output of Felix (Warwick), GaAs, 200 kV,
# Kirkland factors, absorption of Bird and King, B 0.5854 and 0.3528 Å²
FELIX = {
    (-1, -1, -1): 0.0441539 - 0.0464131j,
    (1, 1, 1): 0.0414806 + 0.0495514j,
    (0, 0, 2): -0.00485032 + 0.000225926j,
    (0, 0, 4): 0.0410485 + 0.00253462j,
    (2, 2, 0): 0.0600238 + 0.00275084j,
    (1, 1, -3): 0.0229047 + 0.0280554j,
}


def test_gallium_arsenide_with_absorption_is_that_of_felix():
    """Its U(h) is our U(-h); absorption by other fits of the same integral."""
    crystal = Crystal.from_sites(
        [5.65325] * 3 + [90.0] * 3,
        [Site("Ga", (0.0, 0.0, 0.0), 0.5854), Site("As", (0.25, 0.25, 0.25), 0.3528)],
        space_group="F -4 3 m",
    )
    hkl = -np.array(list(FELIX))
    u, w = sf.optical_potential(crystal, hkl, 200.0, table="kirkland")
    found, expected = np.asarray(u + 1j * w), np.array(list(FELIX.values()))
    np.testing.assert_allclose(found, expected, atol=6e-5)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=2e-3)
