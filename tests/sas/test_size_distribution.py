import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.sas.size_distribution import log_fractions

Q = np.geomspace(0.004, 0.3, 90)
RADII = np.geomspace(12.0, 250.0, 24)


@pytest.fixture(scope="module")
def made():
    """Spheres of two sizes with 2 % errors and noise."""
    r = np.geomspace(12.0, 250.0, 200)
    x = 0.02 * (
        np.exp(-0.5 * (np.log(r / 30) / 0.15) ** 2)
        + 0.5 * np.exp(-0.5 * (np.log(r / 110) / 0.12) ** 2)
    )
    x *= 0.03 / x.sum()
    curve = sum(
        f * np.asarray(js.sas.intensity("sphere", Q, radius=v, background=0.0))
        for f, v in zip(x, r, strict=True)
    )
    rng = np.random.default_rng(3)
    sigma = 0.02 * curve + 2e-4
    data = js.sas.from_arrays(Q, curve + 0.05 + sigma * rng.normal(size=Q.size), sigma)
    return data, r, x


@pytest.fixture(scope="module")
def fitted(made):
    problem = js.sas.size_distribution_problem(made[0], radii=RADII, roughness=0.5)
    return problem, js.map_fit(problem, warn=False)


def test_two_populations_are_found_with_their_volume(made, fitted):
    _, r, x = made
    _, best = fitted
    found = js.sas.size_distribution(best)
    assert best.success
    assert best.statistics["chi2"] < 1.4 * Q.size
    np.testing.assert_allclose(found.fraction.sum(), x.sum(), rtol=0.03)
    peaks = [
        found.radius[(found.radius > lo) & (found.radius < hi)][
            np.argmax(found.density[(found.radius > lo) & (found.radius < hi)])
        ]
        for lo, hi in ((15, 60), (60, 200))
    ]
    np.testing.assert_allclose(peaks, [30.0, 110.0], rtol=0.15)
    mean = np.sum(x * r) / np.sum(x)
    np.testing.assert_allclose(found.mean_radius, mean, rtol=0.03)
    np.testing.assert_allclose(best.linear["value"], [0.05], rtol=0.1)


def test_the_total_is_reported_with_its_error(fitted):
    _, best = fitted
    value, error, _ = best.derived["volume fraction"]
    found = js.sas.size_distribution(best)
    np.testing.assert_allclose(value, found.fraction.sum(), rtol=1e-10)
    assert 0 < error < 0.1 * value


def test_innovations_are_second_differences(fitted):
    problem, best = fitted
    theta = problem.named(best.x)
    log_x = np.asarray(log_fractions(theta, RADII.size))
    z = np.array([theta[f"z{j}"] for j in range(1, RADII.size - 1)])
    np.testing.assert_allclose(np.diff(log_x, 2), 0.5 * z, atol=1e-10)
    np.testing.assert_allclose(log_x.mean(), theta["level"], rtol=1e-12)


@pytest.mark.slow
def test_draws_of_a_posterior_make_a_band(fitted):
    _, best = fitted
    post = js.laplace(best, draws=200, check=False, warn=False)
    band = js.sas.size_distribution(post)
    assert band.low.shape == band.high.shape == RADII.shape
    assert np.all((band.low < band.fraction) & (band.fraction < band.high))


def test_evidence_prefers_a_middle_roughness(made):
    problem = js.sas.size_distribution_problem(made[0], radii=RADII)
    chosen, evidence = js.sas.by_evidence(problem, [0.003, 0.5])
    assert evidence[0.5] > evidence[0.003]
    assert float(chosen.parameters["roughness"].value) == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"radii": [10.0, 20.0, 30.0, 40.0]}, "even in its logarithm"),
        ({"radii": [10.0, 20.0]}, "at least 4 sizes"),
        ({"roughness": 0.0}, "roughness is 0.0"),
        ({"form": "sphere@hardsphere"}, "is no form factor"),
    ],
)
def test_grids_that_cannot_be_are_refused(made, given, message):
    with pytest.raises(ValueError, match=message):
        js.sas.size_distribution_problem(made[0], **given)


def test_other_results_have_no_size_distribution(made):
    result = js.fit(js.sas.problem(made[0], "guinier"), warn=False)
    with pytest.raises(js.errors.FitError, match="no size distribution"):
        js.sas.size_distribution(result)
