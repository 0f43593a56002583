"""Pooling of draws against products of Gaussians."""

import numpy as np
import pytest

from jaxscatter.errors import SamplingError
from jaxscatter.infer.pooling import Piece, pooled

LABELS = ("a", "b", "c")
COVS = [
    np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.1], [0.0, 0.1, 0.5]]),
    np.array([[0.5, -0.3, 0.2], [-0.3, 2.0, 0.0], [0.2, 0.0, 1.0]]),
    np.array([[2.0, 0.1, 0.0], [0.1, 0.3, 0.2], [0.0, 0.2, 1.0]]),
]
MEANS = [np.array(m) for m in ([0.0, 1.0, 2.0], [0.5, 0.5, 1.5], [-0.4, 0.8, 2.5])]


def drawn(mean, cov, labels=LABELS, seed=0, n=500):
    """Draws (2, n) whose own moments are exactly those given."""
    z = np.random.default_rng(seed).normal(size=(2 * n, len(mean)))
    z -= z.mean(axis=0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    x = mean + z @ np.linalg.cholesky(cov).T
    return Piece(tuple(labels), x.reshape(2, n, -1), {})


def pieces(shift=0.0):
    return [
        drawn(m + shift * (s == 2), c, seed=s)
        for s, (m, c) in enumerate(zip(MEANS, COVS, strict=True))
    ]


def test_full_pooling_is_the_product_of_gaussians():
    pool = pooled(pieces(), LABELS, "full")
    inverse = [np.linalg.inv(c) for c in COVS]
    cov = np.linalg.inv(sum(inverse))
    mean = cov @ sum(p @ m for p, m in zip(inverse, MEANS, strict=True))
    flat = pool.draws.reshape(-1, 3)
    np.testing.assert_allclose(flat.mean(axis=0), mean, rtol=1e-10)
    # draws of different shards correlate by chance, by 1/√1000
    sd = np.sqrt(np.diagonal(cov))
    np.testing.assert_allclose(
        np.cov(flat.T) / np.outer(sd, sd), cov / np.outer(sd, sd), atol=0.15
    )


def test_diagonal_pooling_weighs_each_parameter_alone():
    """Mean Σ m/σ² / Σ 1/σ², covariance Σ W C Wᵀ: never narrower than full."""
    pool = pooled(pieces(), LABELS, "diagonal")
    w = np.stack([1 / np.diagonal(c) for c in COVS])
    w /= w.sum(axis=0)
    flat = pool.draws.reshape(-1, 3)
    np.testing.assert_allclose(flat.mean(axis=0), sum(w * MEANS), rtol=1e-10)
    cov = sum(np.diag(v) @ c @ np.diag(v) for v, c in zip(w, COVS, strict=True))
    np.testing.assert_allclose(np.cov(flat.T), cov, atol=0.06)
    full = np.linalg.inv(sum(np.linalg.inv(c) for c in COVS))
    assert np.all(np.linalg.eigvalsh(cov - full) > -1e-12)
    assert np.all(np.diagonal(cov) > np.diagonal(full))


def test_pieces_may_know_different_quantities():
    """P is the sum of the embedded inverse covariances."""
    parts = [
        drawn(MEANS[0][:2], COVS[0][:2, :2], ("a", "b"), 0),
        drawn(MEANS[1][:2], COVS[1][:2, :2], ("c", "b"), 1),
    ]
    pool = pooled(parts, LABELS, "full")
    p = np.zeros((3, 3))
    h = np.zeros(3)
    for rows, m, c in (([0, 1], MEANS[0], COVS[0]), ([2, 1], MEANS[1], COVS[1])):
        own = np.linalg.inv(c[:2, :2])
        p[np.ix_(rows, rows)] += own
        h[rows] += own @ m[:2]
    got = pool.draws.reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(got, np.linalg.solve(p, h), rtol=1e-10)
    # a shared quantity links what only one piece knows
    assert pool.agreement.dof == 1


def test_what_no_piece_knows_is_held():
    parts = [p._replace(held={"d": 2.0 + i}) for i, p in enumerate(pieces())]
    pool = pooled(parts, (*LABELS, "d"), "full")
    assert pool.labels == LABELS and pool.held == {"d": 2.0}


def test_robust_pooling_leaves_out_a_shard_far_off_and_says_which():
    parts = [drawn(MEANS[0], 0.01 * COVS[0], seed=s) for s in range(5)]
    parts[3] = drawn(MEANS[0] + [0, 2.0, 0], 0.01 * COVS[0], seed=9)
    full, robust = (pooled(parts, LABELS, how) for how in ("full", "robust"))
    assert full.dropped == () and robust.dropped == (3,)
    assert "shard 3 is left out: it lies far off in b" in robust.said[0]
    assert "and 3 disagree on b by 14.1 standard" in full.said[0]  # 2/√(2 0.01)
    np.testing.assert_allclose(
        robust.draws.reshape(-1, 3).mean(axis=0), MEANS[0], atol=1e-10
    )


def test_robust_pooling_keeps_what_the_errors_explain():
    """A small MAD among few shards is luck, not evidence."""
    parts = [drawn(MEANS[0] + d, COVS[0], seed=i) for i, d in enumerate((0, 0.001, 1))]
    assert pooled(parts, LABELS, "robust").dropped == ()


def test_a_shard_that_does_not_vary_is_refused_or_left_out():
    parts = pieces()
    still = parts[1].draws.copy()
    still[..., 2] = 1.5
    parts[1] = parts[1]._replace(draws=still)
    with pytest.raises(SamplingError, match="shard 1 do not vary in c"):
        pooled(parts, LABELS, "full")
    pool = pooled(parts, LABELS, "robust")
    assert pool.dropped == (1,) and "does not vary in c" in pool.said[0]
    with pytest.raises(SamplingError, match="fewer than two shards"):
        pooled(parts[:2], LABELS, "robust")


def test_few_draws_for_many_quantities_are_said():
    parts = [p._replace(draws=p.draws[:, :25]) for p in pieces()]
    assert (
        "50 draws per shard for 3 parameters" in pooled(parts, LABELS, "full").said[0]
    )
