"""Where the variance comes from, which parameters that adds, and what counts cost."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxscatter.errors import DataError, ModelError
from jaxscatter.problem import Dataset, Gaussian, Poisson

DATA = Dataset(
    np.array([1.0, 2.0, 9.0]),
    np.array([0.1, 0.2, 0.3]),
    np.array([True, True, False]),
    units={"y": "1/cm"},
)
MU, SIGMA = jnp.array([1.0, 2.0]), jnp.array([0.1, 0.2])


def test_variances():
    def variance(mu, sigma, theta):
        return sigma**2 + theta["gain"] * mu

    theta = {"noise_scale": 3.0, "jitter": 0.4, "gain": 2.0}
    for noise, expected in {
        "known": [0.01, 0.04],
        "scale_marginal": [0.01, 0.04],
        "scale": [0.09, 0.36],
        "jitter": [0.17, 0.2],
        "model": [2.01, 4.04],
    }.items():
        made = Gaussian(noise, variance if noise == "model" else None)
        np.testing.assert_allclose(made.variances(MU, SIGMA, theta), expected)
        assert made.fixed_weights == (noise in ("known", "scale_marginal"))


def test_parameters_of_the_noise():
    assert Gaussian().parameters(DATA) == ()
    (scale,) = Gaussian("scale").parameters(DATA)
    assert scale.name == "noise_scale" and scale.value == 1.0
    (jitter,) = Gaussian("jitter").parameters(DATA)
    assert jitter.unit == "1/cm" and jitter.lo == 0
    np.testing.assert_allclose(jitter.value, 0.15)  # masked points do not count
    np.testing.assert_allclose(jitter.hi, 1.5)


def test_what_cannot_be_is_refused():
    with pytest.raises(ModelError, match="'loud' is not known"):
        Gaussian("loud")
    with pytest.raises(ModelError, match="go together"):
        Gaussian("model")
    with pytest.raises(ModelError, match="go together"):
        Gaussian("known", lambda mu, sigma, theta: sigma)


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_losses_are_those_of_scipy(loss):
    from scipy.optimize import least_squares

    z = jnp.array([0.0, 0.3, 0.99, 1.01, 5.0, 40.0])
    made = Gaussian(loss=loss, loss_scale=1.5)

    def residuals(x):
        return np.asarray(z) * x[0]

    known = least_squares(residuals, [1.0], loss=loss, f_scale=1.5, max_nfev=1)
    np.testing.assert_allclose(0.5 * np.sum(made.loss_of(z**2)), known.cost, rtol=1e-6)
    slope = np.sum(made.loss_weight(z**2) * z**2)  # d(cost)/dx at x = 1
    step = 1e-6
    ends = [0.5 * np.sum(made.loss_of((z * (1 + s)) ** 2)) for s in (step, -step)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-8)


def test_student_t_is_its_log_density():
    from scipy.stats import t

    z = jnp.linspace(0.0, 30.0, 7)
    made = Gaussian(loss="student_t", nu=3.0)
    expected = 2 * (t(3.0).logpdf(0.0) - t(3.0).logpdf(z))
    np.testing.assert_allclose(made.loss_of(z**2), expected, rtol=1e-12)
    np.testing.assert_allclose(made.loss_weight(z**2), 4 / (3 + z**2), rtol=1e-12)


def test_losses_that_cannot_be_are_refused():
    assert (
        Gaussian(loss="huber").kind == "loss=huber"
        and Gaussian("scale").kind == "scale"
    )
    with pytest.raises(ModelError, match="loss 'hubert' is not known"):
        Gaussian(loss="hubert")
    with pytest.raises(ModelError, match="needs noise='known'"):
        Gaussian("jitter", loss="huber")
    with pytest.raises(ModelError, match="loss_scale is 0"):
        Gaussian(loss="huber", loss_scale=0.0)
    with pytest.raises(ModelError, match="nu is -1"):
        Gaussian(loss="student_t", nu=-1.0)


COUNTS = jnp.array([0.0, 1.0, 2.0, 7.0, 120.0, 0.0])
MEANS = jnp.array([0.3, 0.3, 2.0, 9.0, 100.0, 0.0])
ONES = jnp.ones(6)


def test_counts_have_the_likelihood_of_scipy():
    given = Poisson().points(COUNTS, MEANS, ONES, ONES)
    top = Poisson().constant(Dataset(np.asarray(COUNTS)))
    expected = np.sum(stats.poisson.logpmf(COUNTS, MEANS))
    np.testing.assert_allclose(top - 0.5 * np.sum(given.chi2), expected, rtol=1e-13)
    at_top = Poisson().points(COUNTS, COUNTS, ONES, ONES)
    np.testing.assert_allclose(at_top.chi2, 0.0, atol=1e-12)


def test_counts_pull_against_the_slope_of_their_cost():
    """Also below the floor, where a cost without counts is flat."""
    mu = jnp.array([0.3, 1e-30, 2.0, -0.1, 100.0, -2.0])

    def half(mu):
        return 0.5 * jnp.sum(Poisson().points(COUNTS, mu, ONES, ONES).chi2)

    given = Poisson().points(COUNTS, mu, ONES, ONES)
    np.testing.assert_allclose(jax.grad(half)(mu), -given.pull, rtol=1e-9)
    np.testing.assert_allclose(given.weight[jnp.array([0, 2, 4])], [1 / 0.3, 0.5, 0.01])
    assert given.weight[5] == 0 and given.pull[5] == 0
    assert given.pull[3] > 1e9  # back up, and steeply


def test_a_point_without_counts_pulls_down_to_zero_and_not_below():
    for mu, pull in ((1.0, -1.0), (0.0, -1.0), (-1e-3, 0.0)):
        found = Poisson().points(
            jnp.array([0.0, 3.0]), jnp.array([mu, 3.0]), ONES[:2], ONES[:2]
        )
        assert found.pull[0] == pull and found.chi2[0] == 2 * max(mu, 0.0)


def test_the_cost_of_counts_is_convex_through_the_floor():
    y = jnp.array([4.0])
    mu = jnp.concatenate([jnp.linspace(-1e-12, 1e-11, 50), jnp.geomspace(1e-10, 9, 50)])
    one = jax.jit(jax.vmap(lambda m: Poisson().points(y, m[None], y, y / y).pull[0]))
    assert np.all(np.diff(one(mu)) <= 0)


def test_counts_have_no_parameters_and_no_fixed_weights():
    made = Poisson()
    assert made.parameters(DATA) == () and made.kind == made.noise == "poisson"
    assert made.counts and not made.fixed_weights and not made.robust
    assert not Gaussian().counts
    np.testing.assert_allclose(made.variances(MU, SIGMA, {}), MU)
    np.testing.assert_allclose(made.floor(MU, ONES[:2]), 1.5e-12)
    assert made.floor(0 * MU, ONES[:2]) > 0


def test_what_is_no_count_is_refused_with_its_place():
    masked = np.array([[True, True], [True, False]])
    y = np.array([[1.0, 2.0], [-3.0, -4.0]])
    with pytest.raises(DataError, match=r"-3\.0 in group 1, point 0.*1 points"):
        Poisson().examined(Dataset(y, mask=masked))
    read = types.SimpleNamespace(streamed=True)
    with pytest.raises(ModelError, match="in memory"):
        Poisson().examined(read)
    assert Gaussian().examined(read) == ()


def test_doubtful_counts_are_said_once():
    assert Poisson().examined(Dataset([0.0, 1.0, 2.0])) == ()
    (said,) = Poisson().examined(Dataset([0.0, 1.5, 2.5]))
    assert "not all counts are whole numbers" in said
    y = np.array([0.0, 1.0, 4.0])
    with pytest.warns(match="sigma <= 0 and are masked"):
        lost = Dataset(y, np.sqrt(y))
    (said,) = Poisson().examined(lost)
    assert "give the Dataset no sigma" in said
