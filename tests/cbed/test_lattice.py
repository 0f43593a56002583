"""Bases, volume and lengths against the closed forms of each crystal system."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed import lattice
from jaxscatter.errors import DataError

TRICLINIC = np.array([5.1, 6.3, 7.7, 81.0, 97.0, 112.0])
HKL = np.array([[0, 0, 0], [1, 0, 0], [1, -2, 3], [-4, 1, 0]])


def test_edges_and_angles_come_back_from_the_basis():
    rows = np.asarray(lattice.direct_basis(TRICLINIC))
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(lengths, TRICLINIC[:3], rtol=1e-14)
    unit = rows / lengths[:, None]
    angles = np.degrees(
        np.arccos([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]])
    )
    np.testing.assert_allclose(angles, TRICLINIC[3:], rtol=1e-13)
    assert rows[0, 1] == rows[0, 2] == rows[1, 2] == 0
    np.testing.assert_allclose(rows @ rows.T, lattice.metric(TRICLINIC), rtol=1e-13)


def test_reciprocal_basis_is_dual_and_right_handed():
    direct = np.asarray(lattice.direct_basis(TRICLINIC))
    dual = np.asarray(lattice.reciprocal_basis(TRICLINIC))
    np.testing.assert_allclose(direct @ dual.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(np.linalg.det(direct), lattice.volume(TRICLINIC))
    root = np.sqrt(np.linalg.det(lattice.metric(TRICLINIC)))
    np.testing.assert_allclose(lattice.volume(TRICLINIC), root, rtol=1e-14)


def test_lengths_of_a_hexagonal_lattice():
    """1/d² = 4/3 (h² + hk + k²)/a² + l²/c²."""
    a, c = 4.913, 5.405
    cell = np.array([a, a, c, 90.0, 90.0, 120.0])
    h, k, ell = HKL.T
    want = np.sqrt(4 / 3 * (h**2 + h * k + k**2) / a**2 + ell**2 / c**2)
    np.testing.assert_allclose(lattice.lengths_of(HKL, cell), want, rtol=1e-14)
    np.testing.assert_allclose(lattice.volume(cell), np.sqrt(0.75) * a**2 * c)


def test_right_angles_are_exact():
    cell = np.array([2.0, 3.0, 4.0, 90.0, 90.0, 90.0])
    want = np.diag([2.0, 3.0, 4.0])
    np.testing.assert_array_equal(lattice.direct_basis(cell), want)


def test_length_at_the_origin_has_a_finite_gradient():
    origin = np.zeros((1, 3), int)
    for jacobian in (jax.jacfwd, jax.jacrev):
        of = jacobian(lambda c: lattice.lengths_of(origin, c))
        np.testing.assert_array_equal(of(jnp.asarray(TRICLINIC)), np.zeros((1, 6)))


@pytest.mark.parametrize("of", [lattice.volume, lattice.reciprocal_basis])
def test_cell_can_be_differentiated(of):
    check_grads(jax.jit(of), (TRICLINIC,), order=2, modes=("fwd", "rev"))


def test_lengths_can_be_differentiated():
    of = jax.jit(lambda c: lattice.lengths_of(HKL[1:], c))
    check_grads(of, (TRICLINIC,), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 0.0), (1, -3.0), (3, 0.0), (5, 180.0), (2, np.nan), (3, 175.0)],
)
def test_a_cell_without_volume_is_refused(place, value):
    cell = TRICLINIC.copy()
    cell[place] = value
    with pytest.raises(DataError, match="cell"):
        lattice.checked_cell(cell)
