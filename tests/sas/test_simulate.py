"""Simulated curves: their truth, their noise, and every refusal by name."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import DataError

Q = np.geomspace(0.005, 0.3, 40)
TRUTH = {"radius": 40.0, "scale": 0.01, "background": 0.02}


def simulated(**changes):
    return js.sas.simulate("sphere", **{"q": Q, **TRUTH, **changes})


def test_without_noise_the_points_are_the_closed_form():
    """I = scale Δ² V (3 j1(x)/x)² 1e-4 + background, Δ = 5e-6/Å²."""
    data = simulated()
    x = Q * 40.0
    form = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    volume = 4 / 3 * np.pi * 40.0**3
    wanted = 0.01 * 25.0 * volume * form**2 * 1e-4 + 0.02
    np.testing.assert_allclose(data.y[0], wanted, rtol=1e-10)
    assert not data.sigma_given


def test_the_truth_is_told_with_its_defaults_and_options():
    data = js.sas.simulate(
        "sphere@hardsphere", Q, radius=40.0, radius_pd=0.1, radius_pd_n=5, seed=4
    )
    truth = data.metadata["truth"]
    assert (truth["radius"], truth["radius_pd"]) == (40.0, 0.1)
    assert (truth["scale"], truth["sld_solvent"]) == (1.0, 6.0)
    assert data.metadata["model"] == "sphere@hardsphere"
    assert data.metadata["options"]["radius_effective_mode"] == 1
    assert (data.metadata["noise"], data.metadata["seed"]) == ("none", 4)


def test_noise_has_the_width_it_says_and_its_seed():
    how = {"q": np.geomspace(0.005, 0.3, 4000), "n_quad": 1}
    clean = simulated(**how)
    how |= {"relative": 0.03, "absolute": 0.002, "counts": 1e4}
    data = simulated(**how, seed=3)
    wanted = np.sqrt((0.03 * clean.y) ** 2 + 0.002**2 + clean.y / 1e4)
    np.testing.assert_allclose(data.sigma, wanted, rtol=1e-12)
    z = (data.y - clean.y) / data.sigma
    # 4000 points: standard errors 0.016 and 0.011
    assert abs(z.mean()) < 0.07
    assert abs(z.std() - 1) < 0.05
    np.testing.assert_array_equal(simulated(**how, seed=3).y, data.y)
    assert np.abs(simulated(**how, seed=4).y - data.y).max() > 0.001
    assert data.metadata["noise"] == (
        "Gaussian, σ² is the sum of the squares of 0.03 I, 0.002 1/cm, √(I / 10000)"
    )


def test_points_are_sorted_with_their_resolution():
    order = np.random.default_rng(0).permutation(Q.size)
    data = simulated(q=Q[order], dq=0.05 * Q[order])
    sorted_one = simulated(dq=0.05 * Q)
    np.testing.assert_array_equal(data.coords["q"], Q)
    np.testing.assert_allclose(data.y, sorted_one.y, rtol=1e-13)
    np.testing.assert_array_equal(data.metadata["dq"], 0.05 * Q)
    assert data.metadata["resolution"] == "pinhole"


def test_a_slit_lowers_a_falling_curve():
    data = simulated(q_length=0.117)
    assert data.metadata["resolution"] == "slit"
    assert data.y[0, 0] < 0.5 * simulated().y[0, 0]


def test_q_is_given_or_that_of_a_pinhole_instrument():
    data = js.sas.simulate("guinier", rg=20.0, background=0.0)
    q = np.asarray(data.coords["q"])
    assert (q.size, q[0], q[-1]) == (200, 0.003, 0.5)
    np.testing.assert_allclose(data.y[0], np.exp(-((20.0 * q) ** 2) / 3), rtol=1e-12)


def test_a_fit_finds_the_truth_within_its_errors():
    data = simulated(relative=0.02, absolute=0.001, seed=1)
    best = js.fit(js.sas.problem(data, "sphere", radius=45.0), warn=False)
    assert best.success
    assert abs(best["radius"] - 40.0) < 4 * best.error("radius")
    assert 0.5 < best.statistics["red_chi2"] < 1.6


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"radus": 1.0}, TypeError, "did you mean 'radius'"),
        ({"radius": -1.0}, ValueError, "radius is -1.0"),
        ({"q": [0.1, -0.1]}, DataError, "q holds -0.1"),
        ({"q": np.ones((1, 1))}, DataError, r"q has shape \(1, 1\)"),
        ({"dq": [0.1, 0.1]}, DataError, r"dq has shape \(2,\); expected one number"),
        ({"dq": 0.01, "q_length": 0.1}, DataError, "both dq of a pinhole and a slit"),
        ({"relative": -0.1}, DataError, "relative is -0.1; expected a number >= 0"),
        ({"absolute": np.nan}, DataError, "absolute is nan"),
        ({"counts": 0.0}, DataError, "counts is 0.0; expected a positive"),
        ({"counts": 1.0, "background": -1e3}, DataError, "there are no counts"),
        ({"scale": 0.0, "background": 0.0, "relative": 0.1}, DataError, "I is 0 some"),
        ({"seed": -1}, DataError, "seed is -1; expected a whole number"),
        ({"seed": True}, DataError, "seed is True; expected a whole number"),
    ],
)
def test_what_cannot_be_simulated_is_named(changes, error, said):
    with pytest.raises(error, match=said):
        simulated(**changes)
