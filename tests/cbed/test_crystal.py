"""Crystals: expansion, symmetry of displacements, gradients and refusals."""

import types

import equinox as eqx
import jax
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed import debye_waller
from jaxscatter.cbed.crystal import Crystal, Site, element_of
from jaxscatter.cbed.operations import Operations
from jaxscatter.errors import DataError, DataWarning

A = 5.65325
CUBIC = (A, A, A, 90, 90, 90)
GA, AS = Site("Ga", (0, 0, 0), 0.5854), Site("As", (0.25, 0.25, 0.25), 0.3528)
CENTRED = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
FACES = Operations(np.tile(np.eye(3, dtype=int), (4, 1, 1)), CENTRED)


def gaas():
    return Crystal.from_sites(CUBIC, [GA, AS], FACES)


def wrapped(x):
    return np.sort(np.round(np.asarray(x) % 1.0, 9) % 1.0, axis=0)


def test_sites_expand_to_the_atoms_of_the_cell():
    crystal = gaas()
    x, occupancies, b, u, symbols = crystal.expanded()
    want = np.concatenate([CENTRED, CENTRED + 0.25])
    np.testing.assert_allclose(wrapped(x), wrapped(want), atol=1e-12)
    assert symbols == ("Ga",) * 4 + ("As",) * 4
    np.testing.assert_allclose(b, [0.5854] * 4 + [0.3528] * 4)
    np.testing.assert_array_equal(occupancies, np.ones(8))
    assert u is None
    assert crystal.composition() == {"Ga": 4.0, "As": 4.0}
    np.testing.assert_allclose(crystal.volume(), A**3)


def test_named_space_group_gives_the_same_atoms_as_its_operations():
    pytest.importorskip("gemmi")
    named = Crystal.from_sites(CUBIC, [GA, AS], space_group="F-43m")
    assert len(named.operations) == 96
    x, *_ = named.expanded()
    np.testing.assert_allclose(wrapped(x), wrapped(gaas().expanded()[0]), atol=1e-12)


def test_displacements_turn_with_the_atoms():
    """h U' h of an image is hR U (hR) of the site, of a general position."""
    pytest.importorskip("gemmi")
    u = np.array(
        [[0.010, 0.002, -0.001], [0.002, 0.014, 0.003], [-0.001, 0.003, 0.008]]
    )
    cell = np.array([4.913, 4.913, 5.405, 90, 90, 120])
    site = Site("O", (0.41, 0.27, 0.12), u_aniso=u)
    crystal = Crystal.from_sites(cell, [site], space_group="P 32 2 1")
    *_, turned, _ = crystal.expanded()
    hkl = np.array([[1, 2, -3], [0, 1, 4]])
    for k, image in enumerate(crystal.images.operation):
        h = hkl @ crystal.operations.rotations[image]
        got = debye_waller.uij(hkl, turned[k], cell)
        np.testing.assert_allclose(got, debye_waller.uij(h, u, cell), rtol=1e-12)
    want = debye_waller.equivalent_b(u, cell)
    np.testing.assert_allclose(crystal.equivalent_b(), [want], rtol=1e-13)


def test_sites_with_and_without_tensors_mix():
    tensor = 0.01 * np.eye(3)
    sites = [GA, Site("As", (0.25, 0.25, 0.25), u_aniso=tensor)]
    crystal = Crystal.from_sites(CUBIC, sites, FACES)
    want = [0.5854, 8 * np.pi**2 * 0.01]
    np.testing.assert_allclose(crystal.equivalent_b(), want, rtol=1e-12)


def test_expansion_can_be_differentiated():
    crystal = gaas()

    def of(x, c):
        moved = crystal.with_(positions=x, cell=c)
        return moved.atom_positions(), moved.volume()

    check_grads(jax.jit(of), (crystal.positions, crystal.cell), 2, ("fwd", "rev"))


def test_a_special_position_passes_no_gradient_along_forbidden_directions():
    pytest.importorskip("gemmi")
    crystal = Crystal.from_sites(CUBIC, [GA, AS], space_group=216)
    slope = jax.jacrev(lambda x: crystal.with_(positions=x).atom_positions())
    np.testing.assert_allclose(slope(crystal.positions), 0, atol=1e-16)


def test_crystals_are_arguments_of_compiled_functions():
    traces = []

    @eqx.filter_jit
    def volume(crystal):
        traces.append(1)
        return crystal.volume()

    volume(gaas())
    grown = gaas().with_(cell=[5.7, 5.7, 5.7, 90, 90, 90])
    np.testing.assert_allclose(volume(grown), 5.7**3)
    assert len(traces) == 1


def test_record_of_a_file_becomes_a_crystal():
    fields = {
        "cell": np.array(CUBIC, float),
        "labels": ("Ga1", "As1"),
        "symbols": ("Ga", "As"),
        "positions": np.array([[0, 0, 0], [0.25, 0.25, 0.25]]),
        "occupancies": np.ones(2),
        "b_iso": np.array([0.5854, 0.3528]),
        "u_aniso": None,
        "rotations": FACES.rotations,
        "translations": FACES.translations,
    }
    crystal = Crystal.from_record(types.SimpleNamespace(**fields))
    assert crystal.labels == ("Ga1", "As1")
    np.testing.assert_array_equal(crystal.b_iso, gaas().b_iso)
    assert crystal.images == gaas().images
    fields |= {"b_iso": None, "u_aniso": np.stack([0.01 * np.eye(3)] * 2)}
    crystal = Crystal.from_record(types.SimpleNamespace(**fields))
    np.testing.assert_array_equal(crystal.b_iso, np.zeros(2))


def test_a_cif_becomes_a_crystal(tmp_path):
    pytest.importorskip("gemmi")
    path = tmp_path / "gaas.cif"
    path.write_text(CIF)
    crystal = Crystal.from_cif(path)
    assert crystal.labels == ("Ga1", "As1")
    assert crystal.composition() == {"Ga": 4.0, "As": 4.0}
    np.testing.assert_allclose(crystal.b_iso, [0.5854, 0.3528])
    got = wrapped(crystal.atom_positions())
    np.testing.assert_allclose(got, wrapped(gaas().atom_positions()), atol=1e-12)


CIF = """data_gaas
_cell_length_a 5.65325
_cell_length_b 5.65325
_cell_length_c 5.65325
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F -4 3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_B_iso_or_equiv
Ga1 Ga 0 0 0 0.5854
As1 As 0.25 0.25 0.25 0.3528
"""


def test_a_dat_file_becomes_a_crystal(tmp_path):
    path = tmp_path / "gaas.dat"
    path.write_text(DAT)
    crystal = Crystal.from_dat(path, operations=(FACES.rotations, FACES.translations))
    assert crystal.symbols == ("Ga", "As")
    np.testing.assert_array_equal(crystal.b_iso, gaas().b_iso)
    assert crystal.images == gaas().images


DAT = """crystal GaAs : dw = iso occ = 1
cell 5.65325 5.65325 5.65325 90 90 90
atom Ga 0 0 0 0.5854
atom As 0.25 0.25 0.25 0.3528
spg 216 1
hv 200
zone 1 1 0
norm 1 1 0
kt 0 0 0
xaxis 1 -1 1
conv 0.5
samp 10
hkl 1
0 0 0
sgmin 0.3
omeg 30
aper 1
abs 0
"""


def test_summary_lists_sites_and_cell():
    text = gaas().summary()
    for part in ("Ga4 As4", "8 atoms", "5.65325", "0.5854", "180.674"):
        assert part in text
    assert repr(gaas()) == "Crystal(Ga, As; 8 atoms)"
    assert "Ga" in str(jax.eval_shape(gaas))


@pytest.mark.parametrize(
    ("symbol", "element"), [("Si", "Si"), ("SI", "Si"), ("Si#2", "Si"), ("D", "H")]
)
def test_symbols_of_files_name_an_element(symbol, element):
    assert element_of(symbol) == element


def test_ions_become_neutral_atoms_with_a_warning():
    with pytest.warns(DataWarning, match="O2-"):
        assert element_of("O2-") == "O"
    with pytest.raises(KeyError, match="Xx"):
        element_of("Xx")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"occupancy": 1.2}, "occupancies"),
        ({"occupancy": -0.1}, "occupancies"),
        ({"b_iso": -0.5}, "b_iso"),
        ({"b_iso": np.nan}, "b_iso"),
        ({"position": (0, np.nan, 0)}, "positions"),
        ({"u_aniso": np.diag([0.01, -0.02, 0.01])}, "eigenvalue"),
        ({"u_aniso": np.triu(0.01 * np.ones((3, 3)))}, "symmetry"),
        ({"u_aniso": np.full((3, 3), np.inf)}, "finite"),
    ],
)
def test_impossible_sites_are_refused(change, reason):
    site = Site(**{"symbol": "Si", "position": (0, 0, 0), **change})
    with pytest.raises(DataError, match=reason):
        Crystal.from_sites(CUBIC, [site])


def test_impossible_crystals_are_refused():
    with pytest.raises(DataError, match="no volume"):
        Crystal.from_sites((4, 4, 4, 30, 30, 90), [GA])
    with pytest.raises(DataError, match="empty"):
        Crystal.from_sites(CUBIC, [])
    with pytest.raises(DataError, match="coincide"):
        Crystal.from_sites(CUBIC, [GA, Site("As", (0.5, 0.5, 0))], FACES)
    with pytest.raises(DataError, match="both"):
        Crystal.from_sites(CUBIC, [GA], FACES, space_group=216)
    with pytest.raises(DataError, match="shape"):
        gaas().with_(b_iso=np.zeros(3))
    with pytest.raises(DataError, match="b_iso"):
        gaas().with_(b_iso=[-1.0, 0.1])
    with pytest.raises(DataError, match="colour"):
        gaas().with_(colour=1.0)
    threefold = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    group = Operations(np.array([np.eye(3), threefold, threefold.T]), np.zeros((3, 3)))
    with pytest.raises(DataError, match="leaves as it is"):
        Crystal.from_sites((5, 5, 5.5, 90, 90, 90), [GA], group)
