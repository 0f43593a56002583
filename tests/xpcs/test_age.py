"""Age cuts: which pairs they hold, their errors, what is refused."""

import numpy as np
import pytest

from jaxscatter.errors import DataError, DataWarning, ModelError
from jaxscatter.xpcs import age_cuts, c2, from_matrices

N, DT = 40, 0.25
K = np.arange(N)
RNG = np.random.default_rng(7)


def noisy(sigma=0.1, angles=2, diagonal=1e9):
    """White noise on a constant, symmetric, with a diagonal that must not matter."""
    upper = np.triu(1.5 + sigma * RNG.normal(size=(angles, N, N)), 1)
    return upper + np.swapaxes(upper, 1, 2) + diagonal * np.eye(N)


def dataset(matrices, **options):
    phi = 30.0 * np.arange(len(matrices))
    return from_matrices(matrices, phi, q=0.01, dt=DT, **options)


def values_by_hand(matrix, lag, lo, hi):
    """Entries of one lag whose age in s lies in [lo, hi)."""
    return np.array(
        [
            matrix[a, a + lag]
            for a in range(N - lag)
            if lo - 1e-9 <= DT * (a + lag / 2) < hi - 1e-9
        ]
    )


@pytest.mark.parametrize("width", [1.0, 1.3, 2.5])
def test_a_cut_is_the_mean_over_its_band(width):
    matrices = noisy()
    ages = np.array([3.0, 5.1])
    cuts = age_cuts(dataset(matrices), ages, width=width, min_pairs=3)
    assert cuts.y.shape[0] == 4
    np.testing.assert_array_equal(cuts.coords["age"], [3.0, 5.1, 3.0, 5.1])
    np.testing.assert_array_equal(cuts.coords["phi"], [0.0, 0.0, 30.0, 30.0])
    np.testing.assert_allclose(cuts.coords["tau"], DT * np.arange(1, cuts.n_points + 1))
    for g, age in enumerate(cuts.coords["age"]):
        for k in range(1, cuts.n_points + 1):
            own = matrices[g // 2], k, age - width / 2, age + width / 2
            known = values_by_hand(*own)
            assert cuts.coords["pairs"][g, k - 1] == known.size
            assert cuts.mask[g, k - 1] == (known.size >= 3)
            if known.size >= 3:
                error = known.std(ddof=1) / np.sqrt(known.size)
                np.testing.assert_allclose(cuts.y[g, k - 1], known.mean(), rtol=1e-14)
                np.testing.assert_allclose(cuts.sigma[g, k - 1], error, rtol=1e-10)


@pytest.mark.parametrize("n", [1, 3, 7])
def test_adjacent_bands_hold_every_pair_once(n):
    cuts = age_cuts(dataset(noisy()), n, errors="none")
    assert cuts.coords["pairs"].sum() == 2 * N * (N - 1) / 2
    assert not cuts.sigma_given


def test_bands_of_one_frame_alternate_between_whole_and_half_steps():
    """Even lags at the frame itself, odd ones half a step later."""
    matrices = noisy(angles=1)
    j = 20
    one = {"width": DT, "errors": "none"}
    cuts = age_cuts(dataset(matrices), np.array([DT * (j + 0.5)]), **one)
    for k in range(1, cuts.n_points + 1):
        entry = (j - k // 2, j + (k + 1) // 2)
        np.testing.assert_allclose(cuts.y[0, k - 1], matrices[0][entry], rtol=1e-15)


def test_errors_of_all_lags_may_be_pooled():
    matrices = noisy(angles=1)
    cuts = age_cuts(dataset(matrices), np.array([5.0]), width=1.0, errors="pooled")
    every = [values_by_hand(matrices[0], k, 4.5, 5.5) for k in range(1, N)]
    squares = sum(np.sum((v - v.mean()) ** 2) for v in every if v.size)
    spread = np.sqrt(squares / sum(v.size - 1 for v in every if v.size))
    n = cuts.coords["pairs"][0]
    np.testing.assert_allclose(cuts.sigma[0], spread / np.sqrt(n), rtol=1e-10)


def test_given_errors_add_in_quadrature():
    sigma = 0.05 + 0.1 * RNG.random((1, N, N))
    data = dataset(noisy(angles=1), sigma=sigma)
    cuts = age_cuts(data, np.array([5.0]), width=1.0, errors="given")
    for k in (1, 6, 20):
        own = values_by_hand(sigma[0], k, 4.5, 5.5)
        known = np.sqrt(np.sum(own**2)) / own.size
        np.testing.assert_allclose(cuts.sigma[0, k - 1], known, rtol=1e-12)


@pytest.mark.parametrize("errors", ["scatter", "pooled"])
def test_errors_are_those_of_the_noise(errors):
    """Deviations from the truth over their errors: unit variance, from 4700 of them."""
    data = dataset(noisy(sigma=0.2, angles=60))
    cuts = age_cuts(data, 2, errors=errors, max_lag=10 * DT, min_pairs=12)
    seen = np.asarray(cuts.mask) > 0
    z = ((cuts.y - 1.5) / cuts.sigma)[seen]
    assert abs(np.mean(z)) < 4 / np.sqrt(z.size)
    # of Student's t with about 15 degrees of freedom in the first case, 1 in the other
    expected = 15 / 13 if errors == "scatter" else 1.0
    np.testing.assert_allclose(np.var(z), expected, rtol=0.12)


def test_points_that_do_not_count_are_not_averaged():
    matrices = noisy(angles=1)
    spoilt = matrices.copy()
    spoilt[0, 10, 14] = spoilt[0, 14, 10] = np.nan
    with pytest.warns(DataWarning, match="1 of 780 points"):
        data = dataset(spoilt)
    cuts = age_cuts(data, np.array([3.0]), width=3.0)
    own = [matrices[0][a, a + 4] for a in range(4, 16) if a != 10]
    np.testing.assert_allclose(cuts.y[0, 3], np.mean(own), rtol=1e-14)
    assert cuts.coords["pairs"][0, 3] == len(own) == 11


def test_cuts_of_a_stationary_sample_are_alike():
    theta = {"D0": 2000.0, "alpha": 0.0, "D_offset": 0.0}
    matrix = np.asarray(c2(theta, DT * K, 0.0, q=0.01, model="static"))
    cuts = age_cuts(dataset(matrix[None]), 4, errors="none")
    known = 1 + 0.5 * np.exp(-(0.01**2) * 2000.0 * cuts.coords["tau"])
    for y, m in zip(cuts.y, cuts.mask > 0, strict=True):
        np.testing.assert_allclose(y[m], known[m], rtol=1e-13)


def test_times_may_start_later_and_lags_may_end_earlier():
    matrices = noisy(angles=1)
    t = 3.0 + DT * K
    late = from_matrices(matrices, np.zeros(1), q=0.01, t=t)
    a = age_cuts(late, np.array([8.0]), width=3.0, max_lag=5 * DT)
    b = age_cuts(dataset(matrices), np.array([5.0]), width=3.0)
    assert a.n_points == 5
    np.testing.assert_array_equal(a.y, b.y[:, :5])
    first = dataset(matrices, exclude_t0=True)
    whole = age_cuts(first, 1, errors="none")
    assert whole.coords["pairs"].sum() == (N - 1) * (N - 2) / 2


def test_figures_name_the_groups_by_what_differs():
    matrices = noisy()
    assert age_cuts(dataset(matrices), 2).metadata["group"] == "age"
    assert age_cuts(dataset(matrices), 1).metadata["group"] == "phi"
    several = from_matrices(matrices, np.zeros(2), q=np.array([0.01, 0.02]), dt=DT)
    assert age_cuts(several, 1).metadata["group"] == "q"


def test_pairs_that_do_not_scatter_have_no_error():
    matrices = noisy(angles=1)
    matrices[0, K[:-3], K[3:]] = matrices[0, K[3:], K[:-3]] = 1.0
    with pytest.warns(DataWarning, match="1 lags have pairs that do not scatter"):
        cuts = age_cuts(dataset(matrices), 1)
    assert cuts.mask[0, 2] == 0 and cuts.mask[0, 1] == 1
    with pytest.raises(DataError, match="do not scatter: give errors='none'"):
        age_cuts(dataset(np.ones((1, N, N))), 1)


@pytest.mark.parametrize(
    ("ages", "options", "error", "text"),
    [
        (0, {}, DataError, "ages is 0"),
        (np.array([np.nan]), {"width": 1.0}, DataError, "expected finite times"),
        (np.array([3.0]), {}, DataError, "width in s is needed"),
        (np.array([3.0]), {"width": -1.0}, DataError, "width is -1.0 s"),
        (np.array([99.0]), {"width": 1.0}, DataError, "at most 0 pairs"),
        (np.array([5.0]), {"width": 0.5}, DataError, "10 are needed: widen it"),
        (1, {"max_lag": 0.1}, DataError, "shorter than a step"),
        (1, {"errors": "bootstrap"}, ModelError, "errors is 'bootstrap'"),
        (1, {"errors": "given"}, DataError, "the data have none"),
        (1, {"min_pairs": 1}, DataError, "min_pairs must be > 1"),
    ],
)
def test_what_cannot_be_cut_is_named(ages, options, error, text):
    with pytest.raises(error, match=text):
        age_cuts(dataset(noisy(angles=1)), ages, **options)


def test_data_of_another_kind_are_refused():
    cuts = age_cuts(dataset(noisy(angles=1)), 1)
    with pytest.raises(DataError, match="no coordinate 'early'"):
        age_cuts(cuts, 1)
