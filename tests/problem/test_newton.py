"""Amplitudes of counts are where scipy finds them and where nothing pulls any more."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from jaxscatter.problem import Amplitude, newton

T = np.linspace(0.0, 1.0, 30)
POSITIVE = (Amplitude("a", lower=0.0), Amplitude("b", lower=0.0))
ARROW = (Amplitude("a", lower=0.0, shared=True), Amplitude("b", lower=0.0))


def decay(rate=4.0):
    return np.stack([np.exp(-rate * T), np.ones_like(T)], axis=1)


def solver(amplitudes):
    return jax.jit(lambda columns, y, mask: newton.best(amplitudes, columns, y, mask))


def solved(find, columns, y, mask=None):
    mask = np.ones_like(y) if mask is None else mask
    given = (jnp.asarray(v, float) for v in (columns, y, mask))
    a, settled = find(*given)
    return np.asarray(a), np.asarray(settled)


def slopes(columns, y, mask, a):
    """Gradient of the cost by each group's amplitudes over its standard error."""
    mu = np.einsum("gnk,gk->gn", columns, a)
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = mask * np.where(y > 0, y / mu - 1, -1.0)
    fisher = np.einsum("gnk,gn->gk", columns**2, mask / np.maximum(mu, 1e-9))
    gradient = -np.einsum("gnk,gn->gk", columns, pull)
    return gradient, np.sqrt(fisher)


def test_nothing_pulls_at_the_end_whatever_the_rate():
    """Karush-Kuhn-Tucker, from single counts in thirty bins to thousands in each."""
    find, rng = solver(POSITIVE), np.random.default_rng(0)
    for _ in range(40):
        rates = 10 ** rng.uniform(-1.5, 3.5) * rng.uniform(0, 1, (4, 2))
        rates *= rng.uniform(size=(4, 2)) > 0.2
        columns = np.stack([decay(r) for r in rng.uniform(0.5, 20, 4)])
        y = rng.poisson(np.einsum("gnk,gk->gn", columns, rates)).astype(float)
        mask = (rng.uniform(size=y.shape) > 0.1).astype(float)
        a, settled = solved(find, columns, np.where(mask > 0, y, 7e5), mask)
        some = (mask * y).sum(axis=1) > 0
        assert np.all(settled[some]) and np.all(a[~some] == 0)
        gradient, width = slopes(columns, y, mask, a)
        wrong = np.where(a > 0, np.abs(gradient), np.maximum(-gradient, 0.0)) / width
        assert np.max(wrong[some], initial=0.0) < 1e-9


def test_scipy_ends_at_the_same_amplitudes():
    find, rng = solver(POSITIVE), np.random.default_rng(3)
    for rates in ((40.0, 3.0), (2.0, 0.4), (5.0, 0.0), (0.0, 2.0)):
        y = rng.poisson(decay() @ np.array(rates)).astype(float)

        def cost(a, y=y):
            mu = np.maximum(decay() @ a, 1e-300)
            return np.sum(mu - y * np.log(mu)), decay().T @ (1 - y / mu)

        known = optimize.minimize(
            cost,
            [1.0, 1.0],
            jac=True,
            bounds=[(0.0, None)] * 2,
            method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-11, "maxiter": 1000},
        )
        a, _ = solved(find, decay()[None], y[None])
        np.testing.assert_allclose(a[0], known.x, atol=2e-5)
        assert cost(a[0])[0] <= known.fun + 1e-10


@pytest.mark.parametrize("height", [1e-6, 1.0, 1e6])
def test_one_amplitude_times_a_shape_is_a_ratio_of_sums(height):
    find, rng = solver((Amplitude("a", lower=0.0),)), np.random.default_rng(1)
    y = height * rng.poisson(3.0 * decay()[:, 0])
    mask = np.arange(T.size) % 4 != 0
    a, settled = solved(find, decay()[None, :, :1], y[None], mask[None])
    expected = y[mask].sum() / decay()[mask, 0].sum()
    np.testing.assert_allclose(a[0, 0], expected, rtol=1e-12)
    assert settled.all()


def test_no_counts_at_all_leave_no_amplitude():
    a, _ = solved(solver(POSITIVE), decay()[None], np.zeros((1, T.size)))
    assert np.all(a == 0.0)


def test_bounds_above_hold():
    boxed = (Amplitude("a", 0.0, 2.0), Amplitude("b", 0.5, 9.0))
    y = np.random.default_rng(2).poisson(decay() @ np.array([6.0, 0.1]))[None]
    a, _ = solved(solver(boxed), decay()[None], y.astype(float))
    assert a[0, 0] == 2.0 or a[0, 1] == 0.5
    gradient, _ = slopes(decay()[None], y, np.ones_like(y), a)
    at_low, at_high = a[0] <= [0.0, 0.5], a[0] >= [2.0, 9.0]
    inward = np.where(at_low, gradient[0] >= 0, np.where(at_high, gradient[0] <= 0, 1))
    assert inward.all()
    assert np.all(np.abs(gradient[0][~at_low & ~at_high]) < 1e-8)


def test_a_shared_amplitude_is_pulled_by_all_groups_together():
    rng = np.random.default_rng(5)
    columns = np.stack([decay(r) for r in (2.0, 5.0, 9.0)])
    y = rng.poisson(columns @ np.array([8.0, 1.0])).astype(float)
    y[2] *= rng.uniform(size=T.size) < 0.1
    a, settled = solved(solver(ARROW), columns, y)
    assert settled.all() and np.ptp(a[:, 0]) == 0
    gradient, width = slopes(columns, y, np.ones_like(y), a)
    assert abs(gradient[:, 0].sum()) < 1e-9 * width[:, 0].sum()
    own = np.where(a[:, 1] > 0, np.abs(gradient[:, 1]), -np.minimum(gradient[:, 1], 0))
    assert np.all(own < 1e-9 * width[:, 1])


def test_a_held_column_keeps_its_value():
    held = (Amplitude("a", lower=0.0), Amplitude("b", held=2.0))
    y = np.random.default_rng(6).poisson(decay() @ np.array([6.0, 2.0]))[None]
    a, settled = solved(solver(held), decay()[None], y.astype(float))
    assert settled.all() and a[0, 1] == 2.0
    gradient, width = slopes(decay()[None], y, np.ones_like(y), a)
    assert abs(gradient[0, 0]) < 1e-9 * width[0, 0]


def test_a_free_amplitude_may_end_below_zero_where_counts_allow():
    """The mean must stay positive only where something was counted."""
    free = (Amplitude("a"), Amplitude("b"))
    columns = np.stack([np.exp(-3 * T), np.exp(-T)], axis=1)
    y = np.round(50 * columns[:, 0] - 2 * columns[:, 1])[None]
    y = np.maximum(y, 0.0)
    a, _ = solved(solver(free), columns[None], y)
    mu = (columns @ a[0])[None]
    assert a[0, 1] < 0 and np.all(mu[y > 0] > 0)
