"""Amplitudes within bounds against scipy, per group and with shared columns."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import lsq_linear, nnls

from jaxscatter.errors import ModelError
from jaxscatter.problem import Amplitude
from jaxscatter.problem import amplitudes as amp

INF = np.inf
POSITIVE = functools.partial(Amplitude, lower=0.0)


def gram(a, y):
    """G and h of designs (..., g, n, k) and data (..., g, n)."""
    return np.einsum("...ni,...nj->...ij", a, a), np.einsum("...ni,...n->...i", a, y)


def solver(declared):
    @jax.jit
    @jax.vmap
    def run(g, h):
        return amp.solve(declared, amp.arrow(declared, g, h)).per_group(declared)

    return run


def spoil(rng, a, y):
    """Make a tenth of the cases degenerate: zero or collinear columns, no data."""
    k = a.shape[-1]
    for i in range(0, len(a), 10):
        kind = rng.integers(3 if k > 1 else 2)
        if kind == 0:
            a[i, ..., rng.integers(k)] = 0
        elif kind == 1:
            y[i] = 0
        else:
            a[i, ..., 0] = -1.5 * a[i, ..., k - 1] * rng.choice([-1, 1])
    return a, y


def cost(a, y, x):
    return 0.5 * np.sum((y - a @ x) ** 2)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_non_negative_amplitudes_are_those_of_nnls(k):
    rng = np.random.default_rng(k)
    a, y = spoil(rng, rng.normal(size=(1000, 8, k)), rng.normal(size=(1000, 8)))
    declared = tuple(POSITIVE(f"a{i}") for i in range(k))
    g, h = gram(a[:, None], y[:, None])
    got = np.asarray(solver(declared)(g, h))[:, 0]
    assert np.all(got >= 0)
    for i in range(len(a)):
        x, _ = nnls(a[i], y[i])
        np.testing.assert_allclose(
            cost(a[i], y[i], got[i]), cost(a[i], y[i], x), rtol=1e-12, atol=1e-13
        )
        if i % 10:
            np.testing.assert_allclose(got[i], x, atol=1e-11)
        gone = np.all(a[i] == 0, axis=0)
        assert np.all(got[i][gone] == 0)


@pytest.mark.parametrize("k", [1, 2])
def test_boxed_amplitudes_are_those_of_lsq_linear(k):
    rng = np.random.default_rng(10 + k)
    a, y = spoil(rng, rng.normal(size=(1000, 8, k)), rng.normal(size=(1000, 8)))
    low, high = [-0.1, 0.1][:k], [0.2, INF][:k]
    declared = tuple(Amplitude(f"a{i}", low[i], high[i]) for i in range(k))
    g, h = gram(a[:, None], y[:, None])
    got = np.asarray(solver(declared)(g, h))[:, 0]
    assert np.all((got >= low) & (got <= high))
    for i in range(len(a)):
        best = lsq_linear(a[i], y[i], (low, high), method="bvls", tol=1e-15)
        np.testing.assert_allclose(
            cost(a[i], y[i], got[i]), best.cost, rtol=1e-12, atol=1e-13
        )
        if i % 10:
            np.testing.assert_allclose(got[i], best.x, atol=1e-11)


ARROWS = {
    "shared and local": ([POSITIVE("s", shared=True), POSITIVE("b")], 6),
    "local first": ([POSITIVE("b"), POSITIVE("s", shared=True)], 3),
    "free slope": ([POSITIVE("s", shared=True), Amplitude("slope"), POSITIVE("b")], 4),
    "two shared": (
        [Amplitude("s", shared=True), POSITIVE("b"), Amplitude("t", shared=True)],
        4,
    ),
    "boxes": ([Amplitude("s", 0.1, 0.5, shared=True), Amplitude("b", -0.2, 0.3)], 4),
    "one group": ([POSITIVE("s", shared=True), POSITIVE("b")], 1),
}


def dense(declared, a):
    """The whole design (g n, columns), its bounds, and how to put x per group."""
    groups, n, k = a.shape
    columns, low, high, where = [], [], [], np.zeros((groups, k), int)
    for j, d in enumerate(declared):
        for g in range(1 if d.shared else groups):
            block = np.zeros((groups, n))
            rows = slice(None) if d.shared else g
            block[rows] = a[rows, :, j]
            where[rows, j] = len(columns)
            columns.append(block.ravel())
            low.append(d.lower)
            high.append(d.upper)
    return np.stack(columns, axis=1), low, high, where


@pytest.mark.parametrize("name", ARROWS)
def test_shared_and_local_amplitudes_are_those_of_the_dense_problem(name):
    declared, groups = ARROWS[name]
    rng = np.random.default_rng(5)
    a = rng.normal(size=(500, groups, 5, len(declared)))
    y = rng.normal(size=(500, groups, 5)) + 0.5 * rng.normal(size=(500, 1, 1))
    a[::7, 0, :, 1] = 0  # a vanished column of one group
    y[::11] = 0
    a[::13, :, :, 0] = 0
    got = np.asarray(solver(tuple(declared))(*gram(a, y)))
    for i in range(len(a)):
        design, low, high, where = dense(declared, a[i])
        flat = y[i].ravel()
        best = lsq_linear(design, flat, (low, high), method="bvls", tol=1e-15).x
        x = np.zeros(design.shape[1])
        x[where] = got[i]
        assert np.all((x >= low) & (x <= high))
        np.testing.assert_allclose(
            cost(design, flat, x), cost(design, flat, best), rtol=1e-12, atol=1e-13
        )
        if i % 7 and i % 13:
            np.testing.assert_allclose(x, best, atol=1e-10)


def test_a_hundred_groups_and_a_shared_amplitude():
    declared = (POSITIVE("s", shared=True), POSITIVE("b"))
    rng = np.random.default_rng(8)
    a = np.abs(rng.normal(size=(10, 100, 4, 2)))
    y = a[..., 0] * 0.3 + 1e-3 * rng.normal(size=(10, 100, 4))
    got = np.asarray(solver(declared)(*gram(a, y)))
    for i in range(len(a)):
        design, _, _, where = dense(declared, a[i])
        best, _ = nnls(design, y[i].ravel(), maxiter=10000)
        np.testing.assert_allclose(got[i], best[where], atol=1e-12)


def test_shared_column_spanned_by_the_local_ones_is_finite():
    """Scale of a flat shared column is not seen beside flat local ones."""
    declared = (Amplitude("s", shared=True), Amplitude("b"))
    a = np.ones((1, 3, 5, 2))
    a[..., 0] = 3.0
    y = np.random.default_rng(0).normal(size=(1, 3, 5))
    got = np.asarray(solver(declared)(*gram(a, y)))[0]
    assert np.max(np.abs(got)) < 10
    mean = np.sum(a[0] * got[:, None], axis=-1)
    np.testing.assert_allclose(mean, np.mean(y[0], axis=1)[:, None] + 0 * mean)


def test_gradient_is_finite_at_switch_points_and_zero_columns():
    declared = (POSITIVE("s", shared=True), POSITIVE("b"))
    a = np.abs(np.random.default_rng(0).normal(size=(2, 5, 2)))

    @jax.jit
    def best(t, y):
        columns = jnp.asarray(a) * jnp.stack([t, jnp.ones(())])[None, None]
        g = jnp.einsum("gni,gnj->gij", columns, columns)
        h = jnp.einsum("gni,gn->gi", columns, y)
        x = amp.solve(declared, amp.arrow(declared, g, h)).per_group(declared)
        return 0.5 * jnp.sum(jnp.square(y - jnp.einsum("gni,gi->gn", columns, x)))

    for t in (0.0, 1.0):
        for y in (np.zeros((2, 5)), a[..., 0], a[..., 1], -a[..., 1]):
            for order in (jax.jacfwd(best), jax.grad(best)):
                assert np.isfinite(order(t, y))


def test_priors_and_covariance_are_those_of_the_dense_problem():
    declared = (
        Amplitude("s", shared=True, prior=(0.5, 0.2)),
        Amplitude("b", prior=(1.0, 0.3)),
        Amplitude("c"),
    )
    a = np.random.default_rng(3).normal(size=(3, 6, 3))
    y = np.random.default_rng(4).normal(size=(3, 6))
    design, _, _, where = dense(declared, a)
    precision, mean = np.zeros(7), np.zeros(7)
    precision[0], mean[0] = 0.2**-2, 0.5
    precision[1:4], mean[1:4] = 0.3**-2, 1.0
    full = design.T @ design + np.diag(precision)
    x = np.linalg.solve(full, design.T @ y.ravel() + precision * mean)
    g, h = (jnp.asarray(v) for v in gram(a, y))

    @jax.jit
    def run(g, h):
        arr, log_s = amp.with_priors(declared, amp.arrow(declared, g, h))
        solution = amp.unconstrained(declared, arr)
        logdet = amp.logdet(arr, amp.schur_complement(arr))
        return solution, log_s, logdet, amp.covariance(declared, solution)

    solution, log_s, logdet, (ss, ll, sl) = run(g, h)
    np.testing.assert_allclose(solution.per_group(declared), x[where], rtol=1e-12)
    np.testing.assert_allclose(log_s, np.log(0.2) + 3 * np.log(0.3))
    np.testing.assert_allclose(logdet, np.linalg.slogdet(full)[1])
    inverse = np.linalg.inv(full)
    np.testing.assert_allclose(ss, inverse[:1, :1], rtol=1e-10)
    for k in range(3):
        at = where[k, 1:]
        np.testing.assert_allclose(ll[k], inverse[np.ix_(at, at)], rtol=1e-10)
        np.testing.assert_allclose(sl[k], inverse[:1, at], rtol=1e-10)


def test_amplitudes_on_a_bound_have_no_covariance():
    declared = (POSITIVE("a"), Amplitude("b"))
    g, h = jnp.eye(2)[None], jnp.array([[-1.0, 2.0]])

    @jax.jit
    def run(g, h):
        solution = amp.solve(declared, amp.arrow(declared, g, h))
        return solution, amp.covariance(declared, solution)

    solution, (_, ll, _) = run(g, h)
    np.testing.assert_array_equal(ll[0], [[0, 0], [0, 1]])
    np.testing.assert_array_equal(solution.free_per_group(declared), [[0, 1]])


def test_share_of_draws_outside_the_box():
    declared = (Amplitude("a", 0.0, 1.0), Amplitude("b"))
    draws = jnp.array([[[-1.0, 3.0]], [[0.5, -4.0]], [[2.0, 0.0]], [[1.0, 0.0]]])
    assert amp.share_outside(declared, draws) == {"a": 0.5}


def test_states():
    assert Amplitude("a").states == (0,)
    assert POSITIVE("a").states == (0, -1)
    assert Amplitude("a", 0.0, 1.0).states == (0, -1, 1)
    assert Amplitude("a", upper=1.0).constrained and not Amplitude("a").constrained


def test_what_cannot_be_solved_is_refused():
    with pytest.raises(ModelError, match=r"'a' has bounds \(1.0, 0.0\)"):
        Amplitude("a", 1.0, 0.0)
    with pytest.raises(ModelError, match="standard deviation 0"):
        Amplitude("a", prior=(1.0, 0.0))
    with pytest.raises(ModelError, match="not distinct"):
        amp.declared(["a", "a"])
    with pytest.raises(ModelError, match="7 amplitudes"):
        amp.declared([f"a{i}" for i in range(7)])
    with pytest.raises(ModelError, match="only a single"):
        both = [POSITIVE("a", shared=True), Amplitude("b", shared=True)]
        amp.declared([*both, Amplitude("c")])
    assert len(amp.declared(both)) == 2  # without local ones they are enumerated
    assert [a.name for a in amp.declared(["a", POSITIVE("b")])] == ["a", "b"]


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0.0, np.inf)])
def test_a_held_column_is_the_same_as_data_without_it(bounds):
    rng = np.random.default_rng(8)
    a, y = rng.normal(size=(3, 20, 3)), rng.normal(size=(3, 20))
    held = [
        Amplitude("first", *bounds),
        Amplitude("held", held=1.7),
        Amplitude("last"),
    ]
    got = amp.solve(held, amp.arrow(held, *map(jnp.asarray, gram(a, y))))
    rest = [held[0], held[2]]
    lowered = y - 1.7 * a[..., 1]
    others = map(jnp.asarray, gram(a[..., [0, 2]], lowered))
    want = amp.solve(rest, amp.arrow(rest, *others))
    expected = want.per_group(rest)
    values = got.per_group(held)
    np.testing.assert_allclose(values[:, [0, 2]], expected, rtol=1e-12)
    np.testing.assert_array_equal(values[:, 1], 1.7)
    np.testing.assert_array_equal(got.free_per_group(held)[:, 1], 0.0)


def test_a_held_amplitude_has_no_bounds_and_is_never_alone():
    with pytest.raises(ModelError, match="'a' is held; it can have neither bounds"):
        Amplitude("a", 0.0, held=1.0)
    with pytest.raises(ModelError, match="all amplitudes are held"):
        amp.declared([Amplitude("a", held=1.0)])
