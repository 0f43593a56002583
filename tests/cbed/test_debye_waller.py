"""Debye-Waller factors against averages over displacements and against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed import debye_waller as dw
from jaxscatter.cbed import lattice

CELL = np.array([5.1, 6.3, 7.7, 81.0, 97.0, 112.0])
HKL = np.array([[0, 0, 0], [1, 0, 0], [1, -2, 3], [-4, 1, 0]])
U = np.array([[0.010, 0.002, -0.001], [0.002, 0.014, 0.003], [-0.001, 0.003, 0.008]])


def cartesian(u):
    """Mean square displacement tensor in Cartesian axes from CIF's U_ij."""
    edges = np.asarray(lattice.direct_basis(CELL))
    star = np.linalg.norm(np.asarray(lattice.reciprocal_basis(CELL)), axis=1)
    scaled = edges * star[:, None]
    return scaled.T @ u @ scaled


def test_isotropic_factor_is_a_gaussian_average():
    """⟨exp(2πi g u)⟩ over a normal u, by Gauss-Hermite quadrature."""
    g, b = 1.3, 0.55
    x, w = np.polynomial.hermite_e.hermegauss(60)
    width = np.sqrt(b / (8 * np.pi**2))
    want = np.sum(w * np.cos(2 * np.pi * g * width * x)) / np.sum(w)
    np.testing.assert_allclose(dw.isotropic(g, b), want, rtol=1e-13)


def test_anisotropic_factor_is_that_of_the_cartesian_tensor():
    """exp(-2π² gᵀ⟨uuᵀ⟩g) with both in Cartesian axes."""
    g = np.asarray(lattice.vectors(HKL, CELL))
    want = np.exp(-2 * np.pi**2 * np.einsum("ni,ij,nj->n", g, cartesian(U), g))
    np.testing.assert_allclose(dw.uij(HKL, U, CELL), want, rtol=1e-13)
    beta = dw.beta_of(U, CELL)
    np.testing.assert_allclose(dw.bij(HKL, beta), want, rtol=1e-13)
    np.testing.assert_allclose(dw.u_of(beta, CELL), U, rtol=1e-13)


def test_equivalent_b_is_the_mean_over_directions():
    want = 8 * np.pi**2 / 3 * np.trace(cartesian(U))
    np.testing.assert_allclose(dw.equivalent_b(U, CELL), want, rtol=1e-13)
    both = dw.equivalent_b(np.stack([U, 2 * U]), CELL)
    np.testing.assert_allclose(both, [want, 2 * want], rtol=1e-13)


def test_isotropic_tensor_gives_the_isotropic_factor():
    b = 0.6
    star = np.asarray(lattice.reciprocal_basis(CELL))
    norm = np.linalg.norm(star, axis=1)
    u = b / (8 * np.pi**2) * (star @ star.T) / np.outer(norm, norm)
    g = lattice.lengths_of(HKL, CELL)
    np.testing.assert_allclose(dw.uij(HKL, u, CELL), dw.isotropic(g, b), rtol=1e-13)
    np.testing.assert_allclose(dw.equivalent_b(u, CELL), b, rtol=1e-13)


@pytest.mark.parametrize("of", [dw.uij, lambda h, u, c: dw.equivalent_b(u, c)])
def test_displacements_and_cell_can_be_differentiated(of):
    run = jax.jit(lambda u, c: of(HKL, u, c))
    check_grads(run, (U, CELL), order=2, modes=("fwd", "rev"))


def test_gradient_at_the_origin_is_zero():
    assert float(jax.grad(dw.isotropic)(0.0, 0.5)) == 0
    of = jax.grad(lambda u: jnp.sum(dw.uij(HKL[:1], u, CELL)))
    np.testing.assert_array_equal(of(jnp.asarray(U)), np.zeros((3, 3)))
