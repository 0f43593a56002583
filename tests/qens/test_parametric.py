"""Formulas in place of measured kernels."""

import numpy as np
import pytest

from jaxscatter import qens
from jaxscatter.errors import DataError, ModelError, ParameterError
from jaxscatter.numerics import voigt
from jaxscatter.qens import Profile, parametric_resolution, with_parametric_resolution

X = np.linspace(-1.0, 1.0, 201)


def gauss(center, sigma):
    return np.exp(-0.5 * ((X - center) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def one_row(*numbers):
    return Profile(np.array([numbers]))


def test_two_gaussians_are_found_with_their_number_and_without_the_constant():
    truth = np.array([[0.7, 0.01, 0.03, 0.0], [0.3, 0.0, 0.09, 0.0]])
    rng = np.random.default_rng(0)
    y = 100 * (0.7 * gauss(0.01, 0.03) + 0.3 * gauss(0.0, 0.09)) + 3.0
    found = parametric_resolution(X, y + rng.normal(0, 1, X.size))
    rows = found.rows[np.argsort(found.rows[:, 2])]
    np.testing.assert_allclose(rows[:, 0], truth[:, 0], atol=0.02)
    np.testing.assert_allclose(rows[:, 1:], truth[:, 1:], atol=2e-3)
    assert 0.5e-3 < found.misfit < 2e-3  # noise of 1 under a peak of 1030


def test_a_voigt_function_is_found():
    y = np.asarray(voigt(X, 0.03, 0.015, 0.004))
    rows = parametric_resolution(X, y, form="voigt").rows
    np.testing.assert_allclose(rows, [[1.0, 0.004, 0.03, 0.015]], rtol=1e-5)


def test_errors_weigh_the_points_and_masked_ones_are_left_out():
    y = gauss(0.0, 0.05)
    y[100] = 50.0
    errors = np.full(X.size, 0.01)
    errors[100] = 0.0
    found = parametric_resolution(X, y, errors, terms=1)
    np.testing.assert_allclose(found.rows, [[1.0, 0.0, 0.05, 0.0]], atol=1e-8)


def test_a_profile_convolves_as_the_kernel_it_was_made_from():
    """Two Gaussians: the kernel on a grid, and the formula, agree to the fit."""
    kernel = 0.6 * gauss(0.0, 0.04) + 0.4 * gauss(0.02, 0.1)
    found = parametric_resolution(X, kernel, terms=2)
    weights, widths = np.array([0.3, 0.7]), np.array([0.0, 0.15])
    a = qens.resolution(X, (X, kernel)).lorentzians(weights, widths)
    b = qens.resolution(X, found).lorentzians(weights, widths)
    np.testing.assert_allclose(b, a, atol=1e-5 * float(np.max(a)))

    def smooth(w):
        return w**2

    # the second moment of the kernel adds to ω²
    moment = 0.6 * 0.04**2 + 0.4 * (0.1**2 + 0.02**2)
    mean = 0.4 * 0.02
    got = qens.resolution(X, found).sampled(smooth)
    np.testing.assert_allclose(got, X**2 - 2 * X * mean + moment, atol=1e-6)


def test_profiles_stand_in_for_the_kernels_of_a_data_set():
    kernel = gauss(0.0, 0.05)
    common = {"q": [0.5, 1.0], "omega": X, "noise": 0.01, "amplitude": 2.0}
    truth = {"D_translation": 0.2, "u2": 0.0}
    data = qens.simulate("translation_only", truth, sigma_res=(X, kernel), **common)
    new = with_parametric_resolution(data, terms=1)
    assert new.coords["profile"].shape == (2, 1, 4)
    assert "kernel" not in new.coords
    assert new.metadata["resolution_form"] == "gaussians"
    np.testing.assert_allclose(new.coords["profile"][0], [[1, 0, 0.05, 0]], atol=1e-6)
    problem = qens.problem(new, "translation_only")
    assert problem.model.instrument.kind == "profile"
    again = qens.from_bins(
        [(X, data.y[k], data.sigma[k], q) for k, q in enumerate((0.5, 1.0))],
        [
            Profile(np.array([[1.0, 0.0, 0.05, 0.0]])),
            Profile(np.array([[0.5, 0, 0.05, 0], [0.5, 0, 0.1, 0]])),
        ],
    )
    assert again.coords["profile"].shape == (2, 2, 4)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: parametric_resolution(X, -(X**2)), DataError, "something above 0"),
        (lambda: parametric_resolution(X, X[:5]), DataError, r"shape \(5,\)"),
        (lambda: parametric_resolution(X[:6], X[:6] + 2), DataError, "usable points"),
        (lambda: parametric_resolution(X, X + 2, form="sinc"), ModelError, "'sinc'"),
        (lambda: parametric_resolution(X, X + 2, terms=5), ModelError, "terms is 5"),
        (
            lambda: parametric_resolution(X, X + 2, form="voigt", terms=2),
            ModelError,
            "has one",
        ),
        (lambda: parametric_resolution(X, X + 2, X[:3]), DataError, "errors have"),
        (
            lambda: Profile(np.array([[1.0, 0.0, 0.0, 0.0]])),
            ParameterError,
            "sigma > 0",
        ),
        (
            lambda: Profile(np.array([[0.5, 0.0, 0.1, 0.0]])),
            ParameterError,
            "add to 0.5",
        ),
        (lambda: Profile(np.array([[1.0, 0.0, 0.1]])), ParameterError, "rows"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_data_without_kernels_and_mixtures_are_refused():
    one = [(X, X**2, np.ones_like(X), 1.0)]
    with pytest.raises(DataError, match="no measured kernels"):
        with_parametric_resolution(qens.from_bins(one, 0.05))
    with pytest.raises(DataError, match="mixes profiles"):
        qens.from_bins(one * 2, [Profile(np.array([[1.0, 0.0, 0.1, 0.0]])), 0.05])
