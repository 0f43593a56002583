"""Waves by eigenvalues: values, and derivatives where eigenvectors have none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxscatter.numerics.unitary_waves import exponential_waves, unitary_waves

N = 6
T = np.array([0.0, 77.0, 210.0])


def random_hermitian():
    rng = np.random.default_rng(0)
    a = 0.01 * (rng.normal(size=(N, N)) + 1j * rng.normal(size=(N, N)))
    return a + a.conj().T


CASES = {
    "random": random_hermitian(),
    "fourfold": np.diag([0, 0, 0, 0, 0.01, 0.03]).astype(complex),
    "no potential": np.zeros((N, N), complex),
    "two blocks alike": np.kron(np.eye(2), random_hermitian()[:3, :3]),
}


@pytest.mark.parametrize("name", CASES)
def test_waves_and_all_derivatives_equal_the_frechet_derivative(name):
    h = CASES[name]
    rng = np.random.default_rng(4)
    # not Hermitian: absorption at an elastic H
    dh = rng.normal(size=(N, N)) + 1j * rng.normal(size=(N, N))
    here, along = jnp.asarray(h), jnp.asarray(dh)
    psi, slope = jax.jvp(lambda h: unitary_waves(h, jnp.asarray(T)), (here,), (along,))
    for i, t in enumerate(T):
        s, ds = scipy.linalg.expm_frechet(2j * np.pi * t * h, 2j * np.pi * t * dh)
        np.testing.assert_allclose(psi[i], s[:, 0], atol=1e-13)
        np.testing.assert_allclose(slope[i], ds[:, 0], atol=1e-11 * max(1, t))
    probe = jnp.asarray(rng.normal(size=(3, N)) + 1j * rng.normal(size=(3, N)))
    _, back = jax.vjp(lambda h: unitary_waves(h, jnp.asarray(T)), jnp.asarray(h))
    (cotangent,) = back(probe)
    # the transpose of the forward rule: <probe, dψ> = <cotangent, dH>
    np.testing.assert_allclose(
        np.sum(probe * slope), np.sum(cotangent * dh), rtol=1e-10, atol=1e-9
    )


def test_the_derivative_in_thickness_is_that_of_the_wave_equation():
    h = random_hermitian()
    t = jnp.asarray(T)
    psi, slope = jax.jvp(lambda t: unitary_waves(jnp.asarray(h), t), (t,), (t * 0 + 1,))
    np.testing.assert_allclose(slope, 2j * np.pi * psi @ h.T, atol=1e-13)


def test_maps_over_tilts_and_other_entrances():
    h = jnp.stack([jnp.asarray(random_hermitian()), jnp.asarray(CASES["fourfold"])])
    t = jnp.asarray(T)
    both = jax.jit(jax.vmap(lambda h: unitary_waves(h, t, 2)))(h)
    for i in range(2):
        np.testing.assert_allclose(both[i], unitary_waves(h[i], t, 2), atol=1e-14)
        np.testing.assert_allclose(both[i], exponential_waves(h[i], t, 2), atol=1e-12)
    np.testing.assert_allclose(jnp.sum(jnp.abs(both) ** 2, axis=-1), 1.0, atol=1e-13)


def test_exponentials_take_any_matrix():
    h = random_hermitian() + 0.002j * np.eye(N)
    psi = exponential_waves(jnp.asarray(h), jnp.asarray(T))
    for i, t in enumerate(T):
        np.testing.assert_allclose(
            psi[i], scipy.linalg.expm(2j * np.pi * t * h)[:, 0], atol=1e-12
        )
