"""Goodness of fit, covariance and null directions in closed form."""

import math

import numpy as np
import pytest
from scipy import special, stats

from jaxscatter.infer.statistics import (
    curvature,
    deviance_moments,
    goodness,
    null_sentence,
    tail,
)


def plain(h, **changes):
    p = len(h)
    given = {
        "scale": np.ones(p),
        "at_bound": np.zeros(p, bool),
        "unseen": np.zeros(p, bool),
        "labels": tuple("abcdefghijklmnop"[:p]),
    } | changes
    return curvature(np.asarray(h, float), **given)


def test_goodness_follows_its_formulas():
    s = goodness(120.0, 100, 3, 2)
    assert s["dof"] == 95 and s["red_chi2"] == 120 / 95
    assert s["aic"] == 130.0
    assert s["aicc"] == pytest.approx(130.0 + 2 * 5 * 6 / 94)
    assert s["bic"] == pytest.approx(120.0 + 5 * math.log(100))
    # survival function of chi2 with 2 degrees of freedom is exp(-x/2)
    assert goodness(3.0, 5, 2, 1)["p_value"] == pytest.approx(math.exp(-1.5))
    assert math.isnan(goodness(3.0, 5, 2, 1, scaled=True)["p_value"])


def test_goodness_without_degrees_of_freedom_is_not_a_number():
    s = goodness(0.0, 4, 3, 1)
    assert s["dof"] == 0 and math.isnan(s["red_chi2"]) and math.isnan(s["p_value"])
    assert s["aicc"] == math.inf


def test_covariance_is_the_inverse_of_the_curvature():
    h = np.array([[4.0, 1e3], [1e3, 1e6]])
    c = plain(h)
    np.testing.assert_allclose(c.cov, np.linalg.inv(h), rtol=1e-10)
    np.testing.assert_allclose(c.stderr, np.sqrt(np.diagonal(np.linalg.inv(h))))
    assert c.null == ()
    np.testing.assert_allclose(c.scaled(9.0).stderr, 3 * c.stderr)


def test_a_parameter_on_a_bound_leaves_the_others_conditional_on_it():
    h = np.array([[2.0, 1.0], [1.0, 3.0]])
    c = plain(h, at_bound=np.array([False, True]))
    assert np.isnan(c.stderr[1]) and c.stderr[0] == pytest.approx(1 / math.sqrt(2))
    np.testing.assert_array_equal(c.cov[1], 0)


def test_an_unseen_parameter_has_an_infinite_error():
    c = plain(np.diag([1.0, 0.0, 1e-26]))
    assert c.stderr[0] == 1.0 and np.all(np.isinf(c.stderr[1:]))
    assert c.null == ({"b": 1.0}, {"c": 1.0})
    assert "b cannot be determined" in null_sentence(c.null[0])


def test_a_product_is_determined_where_its_factors_are_not():
    """μ = a b with a = 2, b = 5: only the slope (5, 2) is seen."""
    j = np.array([[5.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    c = plain(j.T @ j)
    assert set(c.null[0]) == {"a", "b"} and len(c.null) == 1
    assert np.all(np.isinf(c.stderr[:2])) and c.stderr[2] == pytest.approx(1.0)
    assert c.error(np.array([5.0, 2.0, 0.0])) == pytest.approx(1.0)
    assert c.error(np.array([1.0, 0.0, 0.0])) == math.inf
    sentence = null_sentence(c.null[0])
    assert "only a combination of a, b" in sentence and "fix or tie" in sentence


def test_a_null_direction_spread_over_many_parameters_names_them_all():
    p = 16
    h = np.eye(p) - np.full((p, p), 1 / p)
    c = plain(h)
    assert len(c.null) == 1 and len(c.null[0]) == p
    assert np.all(np.isinf(c.stderr))


@pytest.mark.parametrize("mu", [1e-6, 0.1, 2.0, 40.0, 1e3])
def test_moments_of_the_deviance_are_those_of_poisson_counts(mu):
    """Sums over the distribution; a mean of 0.1 gives 0.47, not 1."""
    y = np.arange(max(0, int(mu - 400)), int(mu + 400))
    chance = stats.poisson.pmf(y, mu)
    each = 2 * (mu - y + special.xlogy(y, y / mu))
    first = np.sum(chance * each)
    second = np.sum(chance * (each - first) ** 2)
    mean, variance = deviance_moments(np.full((1, 3), mu), np.array([[1, 1, 0]]) > 0)
    assert mean == pytest.approx(2 * first, rel=2e-3)
    assert variance == pytest.approx(2 * second, rel=2e-3)


def test_no_expected_counts_have_no_p_value():
    s = goodness(0.0, 12, 1, 0, expected=(0.0, 0.0))
    assert math.isnan(s["p_value"])
    as_usual = goodness(14.0, 12, 1, 0, expected=(12.0, 24.0))["p_value"]
    assert as_usual == pytest.approx(goodness(14.0, 12, 1, 0)["p_value"], rel=1e-12)
    assert tail(3.0, 2.0, 4.0) == pytest.approx(stats.chi2.sf(3.0, 2))
