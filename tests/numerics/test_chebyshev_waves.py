"""Chebyshev propagation against matrix exponentials, in value and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special

from jaxscatter.numerics.chebyshev_waves import (
    SecondOrder,
    chebyshev_waves,
    coefficients,
    tiled_waves,
    waves_plan,
)

N, TILTS = 12, 3
TIMES = np.array([0.0, 90.0, 333.0, 700.0])


def matrices(kind, far=False):
    """U, W, S, d of a size met in diffraction, and far levels."""
    rng = np.random.default_rng(3)
    u = 0.02 * rng.normal(size=(N, N))
    if kind != "real":
        u = u + 0.02j * rng.normal(size=(N, N))
    u = 0.5 * (u + u.conj().T)
    np.fill_diagonal(u, 0)
    w = None
    if kind == "absorptive":
        w = 2e-3 * (rng.normal(size=(N, N)) + 1j * rng.normal(size=(N, N)))
        w = 0.5 * (w + w.conj().T) + 0.02 * np.eye(N)
    scale = (1 + 0.01 * rng.normal(size=(TILTS, N))) / np.sqrt(80.0)
    diagonal = rng.uniform(-0.02, 0.02, size=(TILTS, N))
    if not far:
        return u, w, scale, diagonal, None
    bridge = 0.02 * rng.normal(size=(N, 5)) * (1 if kind == "real" else 1 + 0.3j)
    back = bridge.conj().T
    if w is not None:
        rest = 1e-3j * rng.normal(size=(N, 5))
        bridge, back = bridge + rest, back - rest.conj().T
    weights = rng.uniform(1.0, 3.0, size=(TILTS, 5))
    return u, w, scale, diagonal, SecondOrder(bridge, back, weights)


def exponentials(u, w, scale, diagonal, far, times=TIMES):
    """(tilts, times, n) by scipy."""
    out = np.zeros((TILTS, len(times), N), complex)
    for i in range(TILTS):
        whole = u if w is None else u + 1j * w
        if far is not None:
            whole = whole - (far.bridge * far.weights[i]) @ far.back
        h = scale[i][:, None] * whole * scale[i] + np.diag(diagonal[i])
        for j, t in enumerate(times):
            out[i, j] = scipy.linalg.expm(2j * np.pi * t * h)[:, 0]
    return out


def arrays(*given):
    return jax.tree.map(jnp.asarray, given)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("kind", ["real", "hermitian", "absorptive"])
def test_waves_equal_matrix_exponentials(kind, far):
    given = matrices(kind, far)
    plan = waves_plan(*given[:4], TIMES.max(), far=given[4])
    assert plan.real == (kind == "real")
    u, w, scale, diagonal, beyond = arrays(*given)
    psi = tiled_waves(u, w, scale, diagonal, jnp.asarray(TIMES), plan, far=beyond)
    expected = exponentials(*given)
    np.testing.assert_allclose(psi, expected, atol=1e-12)
    np.testing.assert_array_equal(psi[:, 0], np.eye(N)[:1].repeat(TILTS, 0))


def test_strong_absorption_is_cut_into_segments():
    u, w, scale, diagonal, _ = matrices("absorptive")
    w = 20 * w
    plan = waves_plan(u, w, scale, diagonal, 700.0)
    assert plan.segments > 3
    assert plan.length * plan.segments == pytest.approx(700.0)
    given = arrays(u, w, scale, diagonal)
    # a thickness on the border of two segments among them
    times = np.array([0.0, float(plan.length), 333.0, 700.0])
    psi = tiled_waves(*given, jnp.asarray(times), plan)
    expected = exponentials(u, w, scale, diagonal, None, times)
    np.testing.assert_allclose(psi, expected, atol=1e-9)


def test_coefficients_are_bessel_functions():
    t, a = jnp.array([0.0, 3.0, 40.0]), jnp.asarray(0.5)
    c = np.asarray(coefficients(t, a, 208))
    k = np.arange(208)
    for i, z in enumerate(2 * np.pi * 0.5 * np.asarray(t)):
        twice = np.where(k == 0, 1, 2)
        np.testing.assert_allclose(
            c[:, i], twice * 1j**k * scipy.special.jv(k, z), atol=2e-14
        )


def test_rows_and_tiles_change_nothing():
    u, w, scale, diagonal, _ = matrices("hermitian")
    plan = waves_plan(u, w, scale, diagonal, 700.0)
    given = arrays(u, w, scale, diagonal)
    t = jnp.asarray(TIMES)
    whole = tiled_waves(*given, t, plan, entrance=4)
    some = tiled_waves(*given, t, plan, entrance=4, rows=(5, 0), tile=2)
    np.testing.assert_allclose(some, whole[:, :, [5, 0]], atol=1e-13)


@pytest.mark.parametrize("kind", ["real", "hermitian", "absorptive"])
def test_derivatives_equal_those_of_exponentials_both_ways(kind):
    given = matrices(kind, far=True)
    u, w, scale, diagonal, far = arrays(*given)
    if w is not None:
        w = 8 * w
    t = jnp.array([0.0, 60.0, 200.0])
    numbers = (given[0], None if w is None else np.asarray(w), *given[2:4])
    plan = waves_plan(*numbers, 200.0, far=given[4])
    rng = np.random.default_rng(1)

    def bent(x):
        d_u = 1e-2 * rng_u
        d_w = None if w is None else w + x[1] * 1e-3 * rng_u
        return (
            u + x[0] * d_u,
            d_w,
            scale * (1 + x[2] * rng_d),
            diagonal + 1e-2 * x[3] * rng_d,
            SecondOrder(far.bridge * (1 + x[4]), far.back * (1 + x[4]), far.weights),
            t * (1 + x[5]),
        )

    rng_u = rng.normal(size=(N, N)) + (0 if kind == "real" else 1j) * rng.normal(
        size=(N, N)
    )
    rng_u = jnp.asarray(rng_u + rng_u.conj().T)
    rng_d = jnp.asarray(rng.normal(size=(TILTS, N)))
    probe = jnp.asarray(rng.normal(size=(TILTS, t.size, N)))

    def ours(x):
        u, w, scale, diagonal, far, t = bent(x)
        psi = chebyshev_waves(u, w, scale, diagonal, t, plan, far=far)
        return jnp.sum(probe * jnp.abs(psi) ** 2) + jnp.sum(probe * psi.imag)

    def theirs(x):
        u, w, scale, diagonal, far, t = bent(x)
        far = SecondOrder(*map(np.asarray, (far.bridge, far.back, far.weights)))
        host = [None if v is None else np.asarray(v) for v in (u, w, scale, diagonal)]
        psi = exponentials(*host, far, np.asarray(t))
        probed = np.asarray(probe)
        return np.sum(probed * np.abs(psi) ** 2) + np.sum(probed * psi.imag)

    x = np.zeros(6)
    forward = jax.jit(jax.jacfwd(ours))(jnp.asarray(x))
    reverse = jax.jit(jax.grad(ours))(jnp.asarray(x))
    scale_of = np.max(np.abs(forward))
    np.testing.assert_allclose(reverse, forward, atol=1e-11 * scale_of)
    step = 1e-5
    for i in range(6):
        if i == 1 and w is None:
            continue
        above, below = x.copy(), x.copy()
        above[i] += step
        below[i] -= step
        slope = (theirs(above) - theirs(below)) / (2 * step)
        np.testing.assert_allclose(forward[i], slope, rtol=2e-6, atol=1e-6)


def test_outside_the_plan_is_nan_and_never_a_truncated_sum():
    u, w, scale, diagonal, _ = matrices("real")
    plan = waves_plan(u, w, scale, diagonal, 300.0)
    given = arrays(u, w, scale, diagonal)
    t = jnp.array([100.0, 300.0, 301.0, -1.0])
    psi = tiled_waves(*given, t, plan)
    assert np.all(np.isfinite(psi[:, :2])) and np.all(np.isnan(psi[:, 2:]))
    wide = tiled_waves(given[0], None, given[2], 1.5 * given[3], t, plan)
    assert np.all(np.isnan(wide))
    phase = jnp.exp(0.1j)
    tilted = given[0] * phase
    assert np.all(np.isnan(tiled_waves(tilted, None, given[2], given[3], t, plan)))


def test_no_potential_leaves_the_incident_wave():
    u = jnp.zeros((N, N))
    scale, diagonal = jnp.ones((2, N)), jnp.zeros((2, N))
    plan = waves_plan(u, None, scale, diagonal, 100.0)

    def wave(u, diagonal):
        return chebyshev_waves(u, None, scale, diagonal, jnp.array([50.0]), plan)

    psi, slope = jax.jvp(wave, (u, diagonal), (jnp.zeros_like(u), diagonal + 1e-9))
    np.testing.assert_allclose(psi[:, 0], np.eye(N)[:1].repeat(2, 0), atol=1e-14)
    assert np.all(np.isfinite(slope))
    back = jax.grad(lambda u: jnp.sum(jnp.abs(wave(u, diagonal)[:, :, 1]) ** 2))(u)
    assert np.all(np.isfinite(back))
