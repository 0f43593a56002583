"""Simulated data: their truth, their noise, and every refusal by name."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import DataError, ModelError, ParameterError

STATIC = {"D0": 1e4, "alpha": 0.0, "D_offset": 0.0}
FLOW = {
    "D0": 1000.0,
    "alpha": 0.2,
    "D_offset": 10.0,
    "gamma_dot_t0": 0.01,
    "beta": 0.1,
    "gamma_dot_t_offset": 0.0,
    "phi0": 3.0,
}
HOW = {"q": 0.01, "dt": 0.1, "n_frames": 30}


def test_without_noise_the_points_are_the_closed_form():
    """Constant rates: c2 = offset + contrast exp(-q² D0 τ)."""
    data = xpcs.simulate("static", STATIC, **HOW, phi=[0.0, 90.0], contrast=0.3)
    lag = 0.1 * (data.coords["late"] - data.coords["early"])
    np.testing.assert_allclose(
        data.y, np.tile(1 + 0.3 * np.exp(-lag), (2, 1)), rtol=1e-12
    )
    assert not data.sigma_given
    assert {*data.coords} == {"early", "late", "phi", "q", "t", "dt"}


@pytest.mark.slow
@pytest.mark.parametrize("convention", ["pnas", "homodyne_v2", "homodyne_v1"])
@pytest.mark.parametrize("rate", ["power", "offset"])
def test_the_model_of_the_problem_agrees_at_the_truth(convention, rate):
    how = {"convention": convention, "rate": rate}
    data = xpcs.simulate(
        "laminar_flow", FLOW, **HOW, phi=[0.0, 40.0], offset=[1.0, 1.1], **how
    )
    problem = xpcs.problem(data, values=FLOW, **how)
    predicted = np.asarray(problem.predict(problem.start()))
    # the problem smooths differences by its own, smaller, step
    np.testing.assert_allclose(predicted, data.y, atol=1e-6)


def test_groups_are_the_pairs_of_q_and_angle():
    data = xpcs.simulate(
        "static",
        STATIC,
        q=[0.01, 0.02],
        dt=0.1,
        n_frames=8,
        phi=[0.0, 45.0, 90.0],
        contrast=[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]],
    )
    np.testing.assert_array_equal(data.coords["q"], np.repeat([0.01, 0.02], 3))
    np.testing.assert_array_equal(data.coords["phi"], np.tile([0.0, 45.0, 90.0], 2))
    lag = 0.1 * (data.coords["late"] - data.coords["early"])
    np.testing.assert_allclose(
        data.y[5], 1 + 0.6 * np.exp(-(0.02**2) * 1e4 * lag), rtol=1e-12
    )


def test_noise_has_the_width_it_says_and_its_seed():
    how = {**HOW, "n_frames": 120, "noise": 0.02}
    clean = xpcs.simulate("static", STATIC, **{**how, "noise": 0.0})
    data = xpcs.simulate("static", STATIC, **how, seed=3)
    z = (data.y - clean.y) / data.sigma
    # 7140 points: standard errors 0.012 and 0.0084
    assert abs(z.mean()) < 0.05
    assert abs(z.std() - 1) < 0.035
    again = xpcs.simulate("static", STATIC, **how, seed=3)
    np.testing.assert_array_equal(again.y, data.y)
    other = xpcs.simulate("static", STATIC, **how, seed=4)
    assert np.abs(other.y - data.y).max() > 0.01


def test_noise_may_follow_the_correlation():
    data = xpcs.simulate("static", STATIC, **HOW, noise=lambda c2: 0.01 * c2**2)
    clean = xpcs.simulate("static", STATIC, **HOW)
    np.testing.assert_allclose(data.sigma, 0.01 * clean.y**2, rtol=1e-12)


def test_the_peak_of_the_diagonal_is_kept_and_never_a_point():
    plain = xpcs.simulate("static", STATIC, **HOW)
    data = xpcs.simulate("static", STATIC, **HOW, self_correlation=2.0)
    np.testing.assert_array_equal(data.y, plain.y)
    np.testing.assert_allclose(data.coords["diagonal"], np.full((1, 30), 3.5))
    assert np.isnan(np.diagonal(xpcs.to_matrices(data, data.y)[0])).all()
    a, b = (
        float(p.cost(p.start()))
        for p in (xpcs.problem(d, "static", values=STATIC) for d in (plain, data))
    )
    assert a == b


def test_a_fit_finds_the_truth_within_its_errors():
    data = xpcs.simulate(
        "static", STATIC, q=0.01, dt=0.1, n_frames=60, noise=0.02, seed=1
    )
    best = js.fit(xpcs.problem(data, "static", active=["D0"]), warn=False)
    assert best.success
    assert abs(best["D0"] - 1e4) < 4 * best.error("D0")
    assert 0.9 < best.statistics["red_chi2"] < 1.1


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"model": "statik"}, ModelError, "did you mean 'static'"),
        ({"values": {"D0": 1.0}}, ParameterError, r"missing \['alpha', 'D_offset'\]"),
        ({"values": {**STATIC, "bet": 1.0}}, ParameterError, r"unknown \['bet'\]"),
        ({"values": {**STATIC, "D0": np.nan}}, ParameterError, "D0 is not finite"),
        ({"values": {**STATIC, "D0": -1.0}}, ParameterError, "D0 = -1 must be"),
        ({"q": 0.0}, ParameterError, "q is 0.0; expected positive"),
        ({"q": [0.01, np.nan]}, ParameterError, "q is .*; expected finite"),
        ({"q": []}, ParameterError, "q is"),
        ({"dt": 0.0}, ParameterError, "dt must be positive"),
        ({"dt": np.inf}, ParameterError, "dt must be positive"),
        ({"h": -1.0}, ParameterError, "h must be positive"),
        ({"n_frames": 1}, DataError, "n_frames is 1; expected at least 2"),
        ({"n_frames": 5.0}, DataError, "n_frames is 5.0; expected a whole"),
        ({"phi": np.nan}, DataError, "phi is nan; expected finite angles"),
        ({"contrast": 1.5}, ParameterError, "contrast_0 = 1.5 must lie"),
        ({"contrast": [0.1, 0.2]}, ParameterError, r"contrast has shape \(2,\)"),
        ({"offset": 0.0}, ParameterError, "offset_0 = 0 must be positive"),
        ({"noise": -0.1}, DataError, "noise is -0.1; expected a number >= 0"),
        ({"noise": np.nan}, DataError, "noise is nan"),
        ({"noise": lambda c: c[0]}, DataError, r"noise gave shape \(30, 30\)"),
        ({"noise": lambda c: 0 * c}, DataError, "not finite and positive"),
        ({"seed": -1}, DataError, "seed is -1; expected at least 0"),
        ({"convention": "v2"}, ModelError, "convention is 'v2'"),
        ({"rate": "exp"}, ModelError, "rate is 'exp'"),
        ({"self_correlation": -1.0}, DataError, "self_correlation is -1.0"),
    ],
)
def test_what_cannot_be_simulated_is_named(changes, error, said):
    given = {"model": "static", "values": STATIC, **HOW, **changes}
    with pytest.raises(error, match=said):
        xpcs.simulate(given.pop("model"), given.pop("values"), **given)
