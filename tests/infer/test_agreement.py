"""Heterogeneity of estimates against closed forms and simulation."""

import numpy as np
import pytest
from scipy import stats

from jaxscatter.infer.agreement import agreement, pseudo_inverse

LABELS = ("a", "b")


def estimates(means, sds):
    means, sds = np.asarray(means, float), np.asarray(sds, float)
    information = np.stack([np.diag(np.where(np.isfinite(s), s, 1) ** -2) for s in sds])
    information[~np.isfinite(sds)] = 0.0
    total = information.sum(axis=0)
    mean = pseudo_inverse(total)[0] @ np.einsum("sde,se->d", information, means)
    return agreement(LABELS, means, information, sds, mean)


def test_two_numbers_disagree_by_their_distance():
    """Q of two numbers is their squared distance over the summed variances."""
    a = estimates([[1.0, 5.0], [2.0, 5.0]], [[0.3, 1.0], [0.4, 1.0]])
    assert a.largest == pytest.approx(1 / 0.5)
    assert a.pair == ("a", 0, 1)
    assert a.chi2 == pytest.approx(4.0) and a.dof == 2
    assert a.p_value == pytest.approx(stats.chi2.sf(4.0, 2))
    assert a.cv["a"] == pytest.approx(np.std([1, 2], ddof=1) / 1.5)
    assert a.cv["b"] == 0.0 and a.sentences("fit") == ()


def test_disagreement_and_scatter_are_said():
    a = estimates(
        [[1.0, 5.0], [-3.0, 5.0], [0.1, 5.1]], [[0.3, 1.0], [0.4, 1.0], [0.3, 1.0]]
    )
    disagree, scatter = a.sentences("shard")
    assert disagree.startswith("shards 0 and 1 disagree on a by 8.0 standard")
    assert scatter.startswith("the shards' values of a scatter")


def test_scatter_about_nought_that_errors_explain_is_not_said():
    a = estimates([[0.1, 1.0], [-0.1, 1.0]], [[0.3, 1.0], [0.3, 1.0]])
    assert a.cv["a"] > 1 and a.sentences("fit") == ()


def test_what_one_estimate_does_not_know_is_no_disagreement():
    a = estimates([[1.0, 900.0], [1.1, 5.0]], [[0.3, np.inf], [0.4, 1.0]])
    assert a.dof == 1 and "b" not in a.cv and a.pair[0] == "a"


def test_noise_alone_gives_uniform_p_values():
    rng = np.random.default_rng(0)
    sds = np.array([[0.3, 1.0], [0.4, 2.0], [0.2, 1.5], [1.0, np.inf]])
    known = np.where(np.isfinite(sds), sds, 1.0)
    p = [estimates(known * rng.normal(size=(4, 2)), sds).p_value for _ in range(800)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_the_pseudo_inverse_does_not_depend_on_units():
    m = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    inverse, rank = pseudo_inverse(m)
    scale = np.diag([1e-7, 1e6, 1.0])
    other, same = pseudo_inverse(scale @ m @ scale)
    assert rank == same == 1
    back = np.linalg.inv(scale)
    np.testing.assert_allclose(other, back @ inverse @ back, rtol=1e-9)
    np.testing.assert_allclose(m @ inverse @ m, m, atol=1e-12)
    assert pseudo_inverse(np.zeros((2, 2)))[1] == 0


def test_the_record_is_plain():
    record = estimates([[1.0, 5.0], [2.0, 5.0]], [[0.3, 1.0], [0.4, 1.0]]).to_dict()
    assert record["largest_of"] == "a" and record["second"] == 1
    assert set(record["cv"]) == set(LABELS)
