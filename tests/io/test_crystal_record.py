"""Records of crystals: what is refused, and tensors that all say the same."""

import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.io.crystal_record import (
    ELEMENTS,
    CrystalRecord,
    element_of,
    isotropic_u,
    metric,
    reciprocal_lengths,
    symmetric,
    u_of_beta,
    volume,
)

TRICLINIC = [4.1, 5.2, 6.7, 83.0, 97.0, 112.0]


def record(**changes):
    values = {
        "cell": [4.0, 4.0, 4.0, 90.0, 90.0, 90.0],
        "labels": ("Cs", "Cl1"),
        "symbols": ("Cs", "Cl"),
        "positions": [[0, 0, 0], [0.5, 0.5, 0.5]],
        "occupancies": [1, 0.5],
        "b_iso": [0.3, 0.0],
        "u_aniso": None,
        "rotations": [np.eye(3)],
        "translations": [[0, 0, 0]],
    }
    values = {**values, **changes}
    for name in set(values) - {"labels", "symbols"}:
        if values[name] is not None:
            values[name] = np.asarray(values[name])
    return CrystalRecord(**values)


def test_what_is_given_becomes_arrays_that_cannot_be_written():
    crystal = record()
    assert crystal.positions.dtype == np.float64
    assert crystal.rotations.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        crystal.positions[0, 0] = 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"symbols": (), "labels": ()}, "no atom"),
        ({"rotations": [], "translations": []}, "no operation"),
        ({"b_iso": None}, "exactly one of b_iso and u_aniso"),
        ({"positions": [[0, 0, 0]]}, r"positions has shape \(1, 3\); expected \(2, 3"),
        ({"positions": [[0, 0, np.nan], [0, 0, 0]]}, "positions is not finite"),
        ({"labels": ("Cs",)}, "1 labels; expected 2"),
        ({"symbols": ("Cs", "Xx")}, "'Xx'; expected an element"),
        ({"occupancies": [1, 1.2]}, "occupancy of 'Cl1' is 1.2; expected 0 to 1"),
        ({"b_iso": [0.3, -0.1]}, "B of 'Cl1' is -0.1"),
        ({"cell": [4, 4, 0, 90, 90, 90]}, "lengths > 0"),
        ({"cell": [4, 4, 4, 90, 90, 180]}, r"angles in \(0, 180\)"),
        ({"cell": [4, 4, 4, 60, 60, 120]}, "no volume"),
        ({"cell": [4, 4, 4, 20, 20, 100]}, "no volume"),
        (
            {"b_iso": None, "u_aniso": [np.eye(3), np.diag([1.0, 1, -0.1])]},
            "U of 'Cl1' has the eigenvalue -0.1",
        ),
        (
            {"b_iso": None, "u_aniso": [np.eye(3), np.triu(np.ones((3, 3)))]},
            "not symmetric",
        ),
    ],
)
def test_what_is_no_crystal_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        record(**changes)


def test_no_displacement_is_a_displacement():
    assert record(b_iso=None, u_aniso=np.zeros((2, 3, 3))).u_aniso is not None


def test_volume_is_the_triple_product():
    a, b, c, alpha, beta, gamma = TRICLINIC
    ca, cb, cg = np.cos(np.radians([alpha, beta, gamma]))
    closed = a * b * c * np.sqrt(1 - ca**2 - cb**2 - cg**2 + 2 * ca * cb * cg)
    np.testing.assert_allclose(volume(TRICLINIC), closed, rtol=1e-13)
    with pytest.raises(DataError, match=r"cell has shape \(3,\)"):
        volume([1.0, 2.0, 3.0])


def test_reciprocal_lengths_are_areas_over_the_volume():
    a, b, c, *angles = TRICLINIC
    area = np.array([b * c, a * c, a * b]) * np.sin(np.radians(angles))
    np.testing.assert_allclose(
        reciprocal_lengths(TRICLINIC), area / volume(TRICLINIC), rtol=1e-13
    )


def test_isotropic_tensor_attenuates_as_its_b_does():
    """2π² Σ U_ij a*_i a*_j h_i h_j = B g²/4 in a triclinic cell, for any h."""
    b, h = 0.7, np.array([2.0, -3.0, 5.0])
    star = reciprocal_lengths(TRICLINIC)
    exponent = 2 * np.pi**2 * (h * star) @ isotropic_u(TRICLINIC, [b])[0] @ (h * star)
    g2 = h @ np.linalg.inv(metric(TRICLINIC)) @ h
    np.testing.assert_allclose(exponent, b * g2 / 4, rtol=1e-13)


def test_tensor_of_beta_attenuates_as_beta_does():
    six = np.array([[0.011, 0.012, 0.013, 0.001, -0.002, 0.003]])
    beta, h = symmetric(six), np.array([1.0, -2.0, 4.0])
    star = reciprocal_lengths(TRICLINIC)
    u = u_of_beta(TRICLINIC, beta)[0]
    written_out = (
        0.011 + 4 * 0.012 + 16 * 0.013 + 2 * (-2 * 0.001 + 4 * -0.002 - 8 * 0.003)
    )
    np.testing.assert_allclose(
        2 * np.pi**2 * (h * star) @ u @ (h * star), written_out, rtol=1e-13
    )


def test_elements_stand_at_their_atomic_numbers():
    numbers = {"H": 1, "Si": 14, "Cu": 29, "Nb": 41, "Au": 79, "Lr": 103}
    for symbol, z in numbers.items():
        assert ELEMENTS[z - 1] == symbol
    assert len(ELEMENTS) == len(set(ELEMENTS)) == 103


@pytest.mark.parametrize(
    ("text", "symbol", "charged"),
    [("Si", "Si", False), ("CU+1", "Cu", True), ("Cu2+", "Cu", True),
     ("O-2", "O", True), ("Si#1", "Si", False), ("Fe3+#2", "Fe", True),
     ("D", "H", False), ("nb1", "Nb", False), ("O#-1", "O", False)],
)  # fmt: skip
def test_names_of_sites_hold_an_element_and_a_charge(text, symbol, charged):
    assert element_of(text) == (symbol, charged)


def test_labels_may_hold_more_letters_than_the_element():
    assert element_of("OW1", whole=False) == ("O", False)
    assert element_of("Nb1A", whole=False) == ("Nb", False)
    for text in ("OW1", "", "12", "#1", "Xx"):
        with pytest.raises(DataError, match="of no element"):
            element_of(text)
