"""Tiles cover the triangle once, and their sums are those of the columns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter import xpcs
from jaxscatter.problem import Gaussian, passes
from jaxscatter.xpcs import tiles

PHI = np.array([-30.0, 0.0, 92.0])
THETA = {
    "D0": 1500.0,
    "alpha": -0.4,
    "D_offset": 30.0,
    "gamma_dot_t0": 3e-2,
    "beta": -0.2,
    "gamma_dot_t_offset": 1e-3,
    "phi0": 2.0,
}


def made(n=70, model="laminar_flow", convention="pnas", theta=THETA, **options):
    t = 0.1 * np.arange(n)
    names = xpcs.physical_names(model)
    theta = {k: theta[k] for k in names}
    square = np.array(
        xpcs.c2(theta, t, PHI, q=0.0054, h=2e6, model=model, convention=convention)
    )
    noise = np.random.default_rng(0).normal(0, 0.02, square.shape)
    square += np.triu(noise, 1) + np.swapaxes(np.triu(noise, 1), 1, 2)
    square[1, 3, 9] = square[1, 9, 3] = np.nan
    with pytest.warns(match="1 of"):
        data = xpcs.from_matrices(square, PHI, q=0.0054, t=t, sigma=0.02)
    return xpcs.problem(data, model, convention=convention, values=theta, **options)


def pair(problem, x):
    run = eqx.filter_jit(lambda p: p.normal(x))
    return run(problem), run(problem.without_blocks())


def same(one, two):
    scale = np.sqrt(np.outer(np.diag(two.hessian), np.diag(two.hessian)))
    np.testing.assert_allclose(one.hessian / scale, two.hessian / scale, atol=1e-10)
    root = np.sqrt(np.diag(two.hessian) * 2 * two.cost)
    np.testing.assert_allclose(one.gradient / root, two.gradient / root, atol=1e-10)
    np.testing.assert_allclose(one.cost, two.cost, rtol=1e-10)


@pytest.mark.parametrize("n", [2, 5, 64, 65, 200])
def test_every_pair_is_in_one_tile(n):
    row, col, side = tiles.tile_pairs(n)
    assert len(row) % side**2 == 0 and side <= 64
    inside = (row < col) & (col < n)
    pairs = set(zip(row[inside].tolist(), col[inside].tolist(), strict=True))
    assert len(pairs) == inside.sum() == n * (n - 1) // 2


@pytest.mark.parametrize(
    ("model", "convention"),
    [
        ("laminar_flow", "pnas"),
        ("laminar_flow", "homodyne_v1"),
        ("static_isotropic", "pnas"),
    ],
)
@pytest.mark.parametrize("scaling", ["varpro", "individual"])
def test_sums_of_tiles_are_sums_of_columns(model, convention, scaling):
    problem = made(model=model, convention=convention, scaling=scaling)
    assert passes.has_blocks(problem)
    same(*pair(problem, problem.start() * 1.03))


@pytest.mark.parametrize("scaling", ["averaged", "constant"])
def test_other_ways_to_scale_use_tiles_too(scaling):
    problem = made(scaling=scaling)
    assert passes.has_blocks(problem)
    same(*pair(problem, problem.start() * 1.03))


@pytest.mark.slow
def test_a_robust_loss_uses_tiles_too():
    problem = made(likelihood=Gaussian(loss="soft_l1"))
    assert passes.has_blocks(problem)
    same(*pair(problem, problem.start() * 1.03))


def test_marginal_likelihoods_agree():
    problem = made()
    x = problem.start() * 1.03

    @eqx.filter_jit
    def run(p):
        return jax.value_and_grad(lambda x: p.loglike(x, "gaussian"))(x)

    (value, slope), (other, expected) = run(problem), run(problem.without_blocks())
    np.testing.assert_allclose(value, other, rtol=1e-12)
    np.testing.assert_allclose(slope, expected, rtol=1e-8)


@pytest.mark.parametrize(
    "extreme",
    [
        {"gamma_dot_t0": 1e-6, "gamma_dot_t_offset": -0.1},  # shear on its floor
        {"gamma_dot_t0": 0.5, "beta": 2.0},  # phases of 1e6
        {"D0": 1e5, "alpha": 2.0},  # decayed at once
        {"D0": 100.0, "alpha": -2.0, "D_offset": -1e5},  # transport on its floor
        {"phi0": 0.0},  # one angle along the flow
    ],
)
def test_sums_are_finite_and_agree_at_the_limits(extreme):
    problem = made(n=30)
    x = np.array(problem.start())
    for name, value in extreme.items():
        x[problem.parameters.labels.index(name)] = value
    one, two = pair(problem, jnp.asarray(x))
    assert np.all(np.isfinite(one.hessian)) and np.all(np.isfinite(one.gradient))
    np.testing.assert_allclose(one.cost, two.cost, rtol=1e-9)


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.02, 0.0999, 0.1001, 1.0, 30.0])
def test_sinc_and_its_slope(x):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(30):
        value = mpmath.sinc(x)
        slope = mpmath.diff(mpmath.sinc, x) if x else mpmath.mpf(0)
    one = jnp.full((1, 1), x)
    s, d = tiles.sinc_and_slope(one, jnp.sin(one), jnp.cos(one))
    np.testing.assert_allclose(s[0, 0], float(value), rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(d[0, 0], float(slope), rtol=1e-11, atol=1e-15)


def test_pairs_given_twice_are_left_as_they_are():
    data = made(n=12).given
    coords = {**data.coords, "late": np.roll(np.asarray(data.coords["late"]), 1)}
    doubled = data.with_coords(
        {"early": np.zeros(data.n_points, int), "late": coords["late"]},
        {"early": ("point",), "late": ("point",)},
    )
    assert tiles.tiled(doubled) is None


def test_one_compilation_for_other_numbers_of_one_shape():
    traces = []

    @eqx.filter_jit
    def run(problem, x):
        traces.append(1)
        return problem.normal(x).cost

    first = made(n=20)
    run(first, first.start())
    other = xpcs.from_matrices(
        np.ones((3, 20, 20)), np.arange(3.0), q=0.006, dt=0.2, sigma=0.1
    )
    second = xpcs.problem(other, h=1e6, values={**THETA, "D0": 2000.0})
    run(second, second.start())
    assert len(traces) == 1
