"""Contrast and offset from quantiles."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import DataError, ModelError
from jaxscatter.xpcs import quantile_scaling

FILE = pathlib.Path(__file__).parent.parent / "data/xpcs/preproc_homodyne_v2.npz"


@pytest.mark.peer
def test_quantiles_are_those_of_homodyne():
    with np.load(FILE) as peer:
        c2, expected = peer["basic"], peer["quantile_contrast_offset"]
    k = np.arange(len(c2))
    got = quantile_scaling(c2, 0.1 * np.abs(k[:, None] - k[None]))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)


def test_a_step_gives_its_two_heights():
    lag = np.linspace(0, 10, 1000)
    got = quantile_scaling(np.where(lag < 3, 1.4, 1.1), lag)
    np.testing.assert_allclose(got, (0.3, 1.1), rtol=1e-14)


def test_few_points_give_the_middle_of_the_bounds_and_bounds_are_kept():
    assert quantile_scaling(np.ones(99), np.arange(99.0)) == (0.5, 1.0)
    got = quantile_scaling(np.full(200, 9.0), np.arange(200.0), (0.1, 0.4), (0.9, 1.1))
    assert got == (0.4, 1.1)


def test_values_that_are_not_finite_are_left_out():
    lag = np.linspace(0, 10, 1000)
    y = 1.0 + 0.2 * np.exp(-lag)
    spoilt = np.where(np.arange(1000) % 3 == 0, np.nan, y)
    keep = np.isfinite(spoilt)
    assert quantile_scaling(spoilt, lag) == quantile_scaling(y[keep], lag[keep])


def test_shapes_must_agree():
    with pytest.raises(DataError, match=r"\(3,\) and lag \(4,\)"):
        quantile_scaling(np.ones(3), np.ones(4))


PHI = np.array([-80.0, -50.0, -20.0, 10.0, 40.0, 70.0, 90.0])
T = 0.1 * np.arange(30)
THETA = {"D0": 1500.0, "alpha": -0.3, "D_offset": 40.0}


def data(n=7, contrast=0.3, offset=1.0):
    phi = PHI[:n]
    square = np.array(
        xpcs.c2(THETA, T, phi, q=0.03, model="static", contrast=contrast, offset=offset)
    )
    noise = np.triu(np.random.default_rng(0).normal(0, 0.005, square.shape), 1)
    square += noise + np.swapaxes(noise, 1, 2)
    return xpcs.from_matrices(square, phi, q=0.03, t=T, sigma=0.005)


def made(scaling, n=7, **known):
    return xpcs.problem(data(n), "static", values=THETA, scaling=scaling, **known)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scaling", "n", "free", "solved"),
    [
        ("varpro", 7, 3, 14),
        ("individual", 7, 17, 0),
        ("averaged", 7, 3, 2),
        ("auto", 7, 3, 2),
        ("auto", 2, 3, 4),
        ("constant", 7, 3, 0),
        ("constant_averaged", 7, 3, 0),
        ("fourier", 7, 13, 0),
        ("fourier", 6, 15, 0),
    ],
)
def test_every_mode_fits_with_its_number_of_parameters(scaling, n, free, solved):
    problem = made(scaling, n)
    fit = js.fit(problem, warn=False)
    assert fit.success
    assert (len(fit.labels), len(fit.linear["label"])) == (free, solved)
    if "constant" not in scaling:  # quantiles are off by a part of the noise
        np.testing.assert_allclose(fit.statistics["red_chi2"], 1.0, atol=0.1)
    solution = np.asarray(problem.amplitudes(jnp.asarray(fit.x)))
    np.testing.assert_allclose(solution[:, 0], 0.3, atol=0.05)


def test_one_pair_for_all_is_the_weighted_fit_of_all():
    """Against linear least squares over all angles at the fitted parameters."""
    problem = made("averaged")
    fit = js.fit(problem, warn=False)
    plain = problem.without_blocks()
    shape = np.asarray(
        plain.predict(jnp.asarray(fit.x), jnp.tile(jnp.array([[1.0, 0.0]]), (7, 1)))
    ).ravel()
    columns = np.stack([shape, np.ones_like(shape)], axis=1)
    known, *_ = np.linalg.lstsq(
        columns, np.asarray(problem.given.y).ravel(), rcond=None
    )
    np.testing.assert_allclose(fit.linear["value"], known, rtol=1e-9)


def test_one_pair_for_angles_that_differ_shows_in_their_chi2():
    contrast = np.array([0.3, 0.3, 0.3, 0.4, 0.3, 0.3, 0.3])
    fit = js.fit(made("averaged"), warn=False)
    varied = xpcs.problem(
        data(contrast=contrast), "static", values=THETA, scaling="averaged"
    )
    worse = js.fit(varied, warn=False)
    per_angle = worse.groups["chi2"] / worse.groups["n_valid"]
    assert np.argmax(per_angle) == 3 and per_angle[3] > 2
    np.testing.assert_allclose(np.sum(worse.groups["chi2"]), worse.statistics["chi2"])
    assert np.all(fit.groups["chi2"] / fit.groups["n_valid"] < 1.3)


def test_a_series_over_the_angles_follows_them():
    turn = np.deg2rad(PHI)
    contrast = 0.3 + 0.05 * np.cos(turn) - 0.03 * np.sin(2 * turn)
    problem = xpcs.problem(
        data(contrast=contrast), "static", values=THETA, scaling="fourier"
    )
    fit = js.fit(problem, warn=False)
    for name, value in {
        "contrast_c0": 0.3,
        "contrast_c1": 0.05,
        "contrast_s2": -0.03,
        "contrast_s1": 0.0,
    }.items():
        assert abs(fit[name] - value) < 4 * fit.error(name), name


def test_fixed_numbers_are_held_and_wrong_ones_refused():
    fit = js.fit(made("fixed", contrast=0.31, offset=1.0), warn=False)
    assert fit["contrast[2]"] == 0.31 and "contrast[2]" not in fit.labels
    for known, error, text in (
        ({"contrast": 0.3}, ModelError, "needs offset"),
        ({"contrast": [0.3, 0.2], "offset": 1.0}, DataError, "one finite number or 7"),
        ({"contrast": 1.7, "offset": 1.0}, DataError, "outside its bounds"),
    ):
        with pytest.raises(error, match=text):
            xpcs.problem(data(), "static", values=THETA, scaling="fixed", **known)
    with pytest.raises(ModelError, match="go with scaling='fixed' only"):
        xpcs.problem(data(), "static", values=THETA, scaling="averaged", contrast=0.3)


def test_few_angles_leave_the_series_with_a_word():
    assert any("'individual'" in w for w in made("fourier", 6).warnings)
