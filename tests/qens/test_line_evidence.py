"""The evidence of lines against quadrature over widths, shift and intensities."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from jaxscatter import qens
from jaxscatter.numerics import voigt
from jaxscatter.qens.line_evidence import log_evidence
from jaxscatter.qens.lines import width_range

OMEGA = np.linspace(-0.5, 0.5, 31)
SIGMA = 0.04  # meV, of the resolution
NOISE = 0.3
NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)


def data(elastic, line, width, shift=0.0, seed=0):
    y = elastic * np.asarray(voigt(OMEGA - shift, SIGMA, 0.0))
    y = y + line * np.asarray(voigt(OMEGA - shift, SIGMA, width))
    sigma = np.full(OMEGA.size, NOISE)
    y = y + sigma * np.random.default_rng(seed).standard_normal(y.size)
    return qens.from_bins([(OMEGA, y, sigma, 1.0)], SIGMA)


def over_areas(y, table):
    """Log of the integral of exp(-χ²/2) over a >= 0, over the volume of their prior."""
    scaled = table / NOISE
    precision = scaled.T @ scaled
    cov = np.linalg.inv(precision)
    mean = cov @ scaled.T @ y / NOISE
    misfit = np.sum(np.square(y / NOISE - scaled @ mean))
    k = mean.size
    below = multivariate_normal(-mean, cov, allow_singular=True).cdf(np.zeros(k))
    room = np.max(np.abs(y)) / np.max(table, axis=0)
    log_det = np.linalg.slogdet(cov)[1]
    out = 0.5 * (k * np.log(2 * np.pi) + log_det - misfit)
    return out + np.log(max(below, 1e-300)) - np.sum(np.log(room))


def noise_term():
    return -OMEGA.size * (np.log(NOISE) + 0.5 * np.log(2 * np.pi))


def estimated(problem, best, areas, lines, low, high):
    value, error = log_evidence(
        problem,
        np.array([best]),
        np.array([areas]),
        lines,
        np.array(low),
        np.array(high),
    )
    return float(value[0]), float(error[0])


@pytest.mark.parametrize(
    ("line", "width"),
    [(2.0, 0.2), (2.0, 0.01), (0.0, 0.2)],
    ids=["a line", "one too narrow to tell from the elastic line", "no line"],
)
def test_one_line_agrees_with_quadrature(line, width):
    given = data(1.0, line, width)
    y = np.asarray(given.y)[0]
    low, high = np.log(width_range(given))

    def inside(t):
        table = [voigt(OMEGA, SIGMA, 0.0), voigt(OMEGA, SIGMA, np.exp(t))]
        return over_areas(y, np.stack([np.asarray(c) for c in table], axis=1))

    grid = np.linspace(low, high, 200)
    top = max(inside(t) for t in grid)
    z = quad(lambda t: np.exp(inside(t) - top), low, high, points=[-3, -2, -1])[0]
    exact = np.log(z / (high - low)) + top + noise_term()
    problem = qens.lines_problem(given, 1, background="none")
    got, error = estimated(problem, [np.log(width)], [1.0, line], 1, [low], [high])
    assert error < 0.1
    np.testing.assert_allclose(got, exact, atol=4 * error)


def test_two_lines_agree_with_quadrature_over_ordered_widths():
    given = data(0.0, 3.0, 0.1, seed=1)
    y = np.asarray(given.y)[0]
    low, high = np.log(width_range(given))

    def inside(s, t):
        table = [voigt(OMEGA, SIGMA, np.exp(s)), voigt(OMEGA, SIGMA, np.exp(t))]
        return over_areas(y, np.stack([np.asarray(c) for c in table], axis=1))

    # each half of the square is the image of the other: s = t - (t - low) v
    half = 0.5 * (high - low)
    total = []
    for t, wt in zip(low + half * (1 + NODES), half * WEIGHTS, strict=True):
        for v, wv in zip(0.5 * (1 + NODES), 0.5 * WEIGHTS, strict=True):
            s = t - (t - low) * v
            total.append(np.log(wt * wv * (t - low)) + inside(s, t))
    exact = np.logaddexp.reduce(total) + np.log(2) - 2 * np.log(high - low)
    problem = qens.lines_problem(given, 2, elastic=False, background="none")
    got, error = estimated(
        problem,
        [np.log(0.1), np.log(0.3)],
        [3.0, 0.0],
        2,
        [low, low],
        [high, high],
    )
    assert error < 0.1
    np.testing.assert_allclose(got, exact + noise_term(), atol=4 * error)


def test_a_shift_agrees_with_quadrature():
    given = data(2.0, 0.0, 0.1, shift=0.01)
    y = np.asarray(given.y)[0]

    def inside(c):
        return over_areas(y, np.asarray(voigt(OMEGA - c, SIGMA, 0.0))[:, None])

    top = inside(0.01)
    z = quad(lambda c: np.exp(inside(c) - top), -0.05, 0.05, points=[0.01])[0]
    exact = np.log(z / 0.1) + top + noise_term()
    problem = qens.lines_problem(given, 0, center="per_q", background="none")
    got, error = estimated(problem, [0.01], [2.0], 0, [-0.05], [0.05])
    assert error < 0.05
    np.testing.assert_allclose(got, exact, atol=4 * error)


def test_a_slope_of_either_sign_has_twice_the_room():
    """No widths: areas alone, a Gaussian cut at zero in two of three directions."""
    given = data(2.0, 0.0, 0.1)
    y = np.asarray(given.y)[0]
    problem = qens.lines_problem(given, 0)
    table = np.stack(
        [np.asarray(voigt(OMEGA, SIGMA, 0.0)), np.ones_like(OMEGA), OMEGA / 0.5], 1
    )
    scaled = table / NOISE
    cov = np.linalg.inv(scaled.T @ scaled)
    mean = cov @ scaled.T @ y / NOISE
    misfit = np.sum(np.square(y / NOISE - scaled @ mean))
    exact = 0.5 * (3 * np.log(2 * np.pi) + np.linalg.slogdet(cov)[1] - misfit)
    room = np.max(np.abs(y)) / np.max(table, axis=0) * [1, 1, 2]
    exact += noise_term() - np.sum(np.log(room))
    # elastic area and flat background above zero; the slope is free
    above = multivariate_normal(-mean[:2], cov[:2, :2]).cdf(np.zeros(2))
    got, error = estimated(problem, np.zeros(0), mean, 0, [], [])
    np.testing.assert_allclose(got, exact + np.log(above), atol=4 * error + 1e-4)
