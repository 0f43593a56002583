"""`combine_fits`: the joint fit where χ² is quadratic, no weight where it is flat."""

import dataclasses
import json

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import FitWarning, ModelError
from jaxscatter.infer import combine_fits, fit, load_result, map_fit, split_groups
from jaxscatter.problem import Dataset, Gaussian, Parameter, Problem, model

T = np.linspace(0.0, 2.0, 60)
NAMES = ("i", "s", "c")


def parabola(theta, coords):
    t = coords["t"]
    return (theta["i"] + theta["s"] * t + theta["c"] * t**2)[:, None]


def table(**changes):
    made = [Parameter(n, 0.5, f"u{n}", bounds=(-9.0, 9.0)) for n in NAMES]
    return [p.with_(**changes.get(p.name, {})) for p in made]


def linear(t=T, seed=0, sigma=0.1, parameters=None, **options):
    """y = i + s t + c t² with errors that differ from point to point."""
    rng = np.random.default_rng(seed)
    sd = sigma * (1 + rng.random(t.size))
    y = 1.0 + 2.0 * t - 0.5 * t**2 + sd * rng.normal(size=t.size)
    data = Dataset(y, sd if options.pop("errors", True) else None, coords={"t": t})
    return Problem(model(parabola, parameters or table()), data, **options)


def part(whole, rows):
    g = whole.given
    data = Dataset(g.y[:, rows], g.sigma[:, rows], coords={"t": g.coords["t"][rows]})
    return whole.with_(data=data)


def test_splits_of_a_linear_problem_combine_to_the_joint_fit():
    whole = linear()
    joint = fit(whole, warn=False)
    for rows in (np.arange(60) % 3, np.repeat([0, 1, 2], 20)):
        fits = [fit(part(whole, rows == k), warn=False) for k in range(3)]
        both = combine_fits(fits)
        assert both.labels == NAMES
        for n in NAMES:
            assert both[n] == pytest.approx(joint[n], rel=1e-8)
            assert both.error(n) == pytest.approx(joint.error(n), rel=1e-8)
        np.testing.assert_allclose(both.cov, joint.cov, rtol=1e-8)
        # χ² of the parts and of their spread add up to that of the whole
        total = both.fits["chi2"].sum() + both.agreement.chi2
        assert total == pytest.approx(joint.statistics["chi2"], rel=1e-8)
        assert both.agreement.dof == 6


def test_chosen_names_are_those_of_the_joint_covariance():
    """Without c: the others of each fit are projected out, so c differs by fit."""
    whole = linear()
    rows = [np.arange(60) % 2 == k for k in range(2)]
    fits = [fit(part(whole, r), warn=False) for r in rows]
    both = combine_fits(fits, ["s", "i"])
    inverse = [np.linalg.inv(r.cov[np.ix_([1, 0], [1, 0])]) for r in fits]
    cov = np.linalg.inv(sum(inverse))
    mean = cov @ sum(p @ r.x[[1, 0]] for p, r in zip(inverse, fits, strict=True))
    np.testing.assert_allclose(both.parameters["value"], mean, rtol=1e-8)
    np.testing.assert_allclose(both.cov, cov, rtol=1e-8)
    assert both.labels == ("s", "i")
    assert list(both.parameters["unit"]) == ["us", "ui"]


def test_what_one_fit_does_not_see_has_no_weight():
    """Points at t = 0 alone say nothing of s and c, wherever these ended."""
    whole = linear()
    blind = fit(linear(np.zeros(8), seed=5), start={"s": 7.0, "c": -8.0}, warn=False)
    sighted = fit(whole, warn=False)
    both = combine_fits([sighted, blind], warn=False)
    w = [sighted.cov, blind.cov]
    assert np.isinf(blind.error("s")) and both.parameters["fits"].tolist() == [2, 1, 1]
    # i from both by the closed form of an update, s and c by its correlation with i
    gain = w[0][:, 0] / (w[0][0, 0] + w[1][0, 0])
    want = sighted.x + gain * (blind["i"] - sighted["i"])
    np.testing.assert_allclose(both.parameters["value"], want, rtol=1e-8)
    np.testing.assert_allclose(both.cov, w[0] - np.outer(gain, w[0][0]), rtol=1e-8)
    assert both.agreement.dof == 1
    assert "not determined" in both.summary()


def test_combinations_that_each_fit_lacks_are_found_together():
    """At one t each, three fits of one number each determine three parameters."""
    times = (0.0, 1.0, 2.0)
    fits = [fit(linear(np.full(6, t), seed=k), warn=False) for k, t in enumerate(times)]
    both = combine_fits(fits, warn=False)
    level = [
        np.average(f.problem.given.y[0], weights=f.problem.given.sigma[0] ** -2)
        for f in fits
    ]
    i = level[0]
    c = (level[2] - 2 * level[1] + level[0]) / 2
    s = level[1] - i - c
    np.testing.assert_allclose(both.parameters["value"], [i, s, c], rtol=1e-7)
    assert np.all(np.isfinite(both.parameters["stderr"])) and both.agreement.dof == 0
    two = combine_fits(fits[:2], warn=False)
    assert "not_identifiable" in two.flags
    assert two.error("i") == pytest.approx(both.error("i"), rel=1e-6)
    assert np.isinf(two.error("s")) and np.isinf(two.error("c"))
    assert any("combination of" in w for w in two.warnings)


def test_unknown_errors_enter_scaled():
    fits = [fit(linear(seed=k, errors=False), warn=False) for k in range(2)]
    both = combine_fits(fits, warn=False)
    cov = np.linalg.inv(sum(np.linalg.inv(r.cov) for r in fits))
    assert fits[0].scaled
    np.testing.assert_allclose(both.cov, cov, rtol=1e-8)


def test_a_parameter_at_a_bound_is_left_out_of_its_fit_and_said():
    low = table(c={"bounds": (-0.2, 9.0), "value": 0.5})
    stuck = fit(linear(seed=1, parameters=low), warn=False)
    other = fit(linear(seed=2), warn=False)
    both = combine_fits([stuck, other], warn=False)
    assert any("c at a bound in fit 0: left out of it" in w for w in both.warnings)
    inside = np.zeros((3, 3))
    inside[:2, :2] = np.linalg.inv(stuck.cov[:2, :2])
    cov = np.linalg.inv(inside + np.linalg.inv(other.cov))
    np.testing.assert_allclose(both.cov, cov, rtol=1e-8)
    assert "at_bound" in both.flags and both.fits["at_bound"].tolist()[0][2]
    assert "AT BOUND" in both.summary()
    assert both.parameters["fits"].tolist() == [2, 2, 1]


def test_a_parameter_held_in_one_fit_is_said():
    held = fit(linear(parameters=table(c={"fixed": True})), warn=False)
    both = combine_fits([held, fit(linear(seed=1), warn=False)], warn=False)
    assert any("c not free in fit 0" in w for w in both.warnings)
    assert both.parameters["fits"].tolist() == [2, 2, 1]


def test_disagreement_is_first_in_the_summary():
    far = linear(seed=1)
    far = far.with_(data=Dataset(far.given.y + 1.0, far.given.sigma, coords={"t": T}))
    with pytest.warns(FitWarning, match="fits 0 and 1 disagree on i"):
        both = combine_fits([fit(linear(), warn=False), fit(far, warn=False)])
    assert both.flags == ("disagree",)
    assert both.summary().splitlines()[1].startswith("! fits 0 and 1 disagree on i")
    assert both.agreement.p_value < 1e-10


def test_results_read_back_combine_alike(tmp_path):
    fits = [fit(linear(seed=k), warn=False) for k in range(2)]
    loaded = [load_result(r.save(tmp_path / f"{k}.h5")) for k, r in enumerate(fits)]
    a, b = combine_fits(fits), combine_fits(loaded)
    np.testing.assert_allclose(a.cov, b.cov, rtol=1e-8)
    np.testing.assert_allclose(a.parameters["value"], b.parameters["value"], rtol=1e-8)
    blind = fit(linear(np.full(6, 1.0)), warn=False)
    lost = load_result(blind.save(tmp_path / "blind.h5"))
    with pytest.raises(ModelError, match="result 1 determines only combinations"):
        combine_fits([loaded[0], lost])
    combine_fits([loaded[0], lost.bind(blind.problem)], warn=False)


def test_the_record_is_plain():
    both = combine_fits([fit(linear(seed=k), warn=False) for k in range(2)])
    record = json.loads(json.dumps(both.to_dict()))
    assert record["parameters"]["name"] == list(NAMES)
    assert record["agreement"]["dof"] == 3
    assert both.values == dict(zip(NAMES, record["parameters"]["value"], strict=True))
    with pytest.raises(KeyError, match="no parameter 'q'"):
        both["q"]


def test_what_cannot_be_combined_is_refused():
    one = fit(linear(), warn=False)
    with pytest.raises(TypeError, match="result 1 is dict"):
        combine_fits(iter([one, {}]))
    with pytest.raises(ModelError, match="1 results"):
        combine_fits([one])
    with pytest.raises(KeyError, match="'q' is free in no fit"):
        combine_fits([one, one], ["q"])
    prior = table(i={"prior": dist.Normal(0.0, 1.0)})
    best = map_fit(linear(parameters=prior), warn=False)
    with pytest.raises(ModelError, match="result 1 is a MAP fit"):
        combine_fits([one, best])
    metres = fit(linear(parameters=table(i={"unit": "m"})), warn=False)
    with pytest.raises(ModelError, match=r"'i' has the units \['m', 'ui'\]"):
        combine_fits([one, metres])
    turned = table(i={"bounds": (-180.0, 180.0), "circular": True})
    angle = fit(linear(parameters=turned), warn=False)
    with pytest.raises(ModelError, match="'i' is an angle over its whole period"):
        combine_fits([angle, angle])


def test_a_fit_that_has_not_converged_is_said():
    short = dataclasses.replace(fit(linear(), warn=False), success=False)
    both = combine_fits([short, fit(linear(seed=1), warn=False)], warn=False)
    assert any(w.startswith("fit 0 has not converged") for w in both.warnings)


def test_robust_fits_combine_by_their_reweighted_curvature():
    loss = {"likelihood": Gaussian(loss="soft_l1")}
    fits = [fit(linear(seed=k, **loss), warn=False) for k in range(2)]
    both = combine_fits(fits, warn=False)
    cov = np.linalg.inv(sum(np.linalg.inv(r.cov) for r in fits))
    np.testing.assert_allclose(both.cov, cov, rtol=1e-8)


def decays():
    """Three decays of one rate, each with its own amplitude and local tilt."""
    rng = np.random.default_rng(2)
    q = np.array([0.5, 1.0, 1.5])
    clean = np.array([2.0, 1.0, 3.0])[:, None] * np.exp(-0.8 * q[:, None] * T)
    y = clean + 1e-4 * rng.normal(size=clean.shape)

    def columns(theta, coords):
        shape = jnp.exp(-theta["rate"] * coords["q"] * coords["t"])
        return (shape + theta["tilt"] * jnp.sin(4 * coords["t"]))[:, None]

    own = [
        Parameter("rate", 1.0, "1/s", (0.01, 9.0)),
        Parameter("tilt", 0.0, bounds=(-0.4, 0.4), local=True),
    ]
    data = Dataset(y, np.full_like(y, 1e-4), coords={"t": T, "q": q})
    return Problem(model(columns, own, ["a"]), data)


@pytest.mark.slow
def test_local_parameters_belong_to_their_fit():
    """`tilt[0]` of every fit is another quantity; near the joint fit, not equal."""
    whole = decays()
    joint = fit(whole, warn=False)
    both = combine_fits([fit(p, warn=False) for p in split_groups(whole)])
    assert both.labels == ("rate",)
    assert abs(both["rate"] - joint["rate"]) < 0.05 * joint.error("rate")
    assert both.error("rate") == pytest.approx(joint.error("rate"), rel=0.02)
    with pytest.raises(ModelError, match="no shared parameter"):
        hold = {"rate": {"fixed": True}}
        parts = split_groups(whole.with_(parameters=hold))
        combine_fits([fit(p, warn=False) for p in parts])


@pytest.mark.slow
def test_angles_fitted_apart_combine_to_the_joint_xpcs_fit():
    """At 90° shear is not seen; there its rate keeps any value and has no weight."""
    truth = {
        "D0": 1e4,
        "alpha": -0.3,
        "D_offset": 50.0,
        "gamma_dot_t0": 1e-4,
        "beta": 0.0,
        "gamma_dot_t_offset": 1e-6,
        "phi0": 0.0,
    }
    data = xpcs.simulate(
        "laminar_flow",
        truth,
        q=0.0054,
        dt=0.1,
        n_frames=48,
        phi=[0.0, 45.0, 90.0],
        contrast=[0.3, 0.25, 0.35],
        noise=0.002,
        seed=1,
    )
    held = {n: truth[n] for n in ("D_offset", "beta", "gamma_dot_t_offset", "phi0")}
    whole = xpcs.problem(data, values=truth, fixed=held)
    start = {"gamma_dot_t0": 1.2e-4}
    fits = [js.fit(p, start=start, warn=False) for p in js.split_groups(whole)]
    assert np.isinf(fits[2].error("gamma_dot_t0"))
    both = js.combine_fits(fits, warn=False)
    assert both.parameters["fits"].tolist() == [3, 3, 2]
    assert both.agreement.dof == 5 and both.agreement.p_value > 1e-3
    # the joint fit is a Newton step away, and its covariance is that of the joint H
    triple = eqx.filter_jit(whole.normal)(jnp.asarray(both.parameters["value"]))
    h, g = np.asarray(triple.hessian), np.asarray(triple.gradient)
    cov = np.linalg.inv(h)
    sd = np.sqrt(np.diagonal(cov))
    assert np.all(np.abs(cov @ g) < 0.01 * sd)
    np.testing.assert_allclose(both.parameters["stderr"], sd, rtol=0.01)
    for n in both.labels:
        assert abs(both[n] - truth[n]) < 4 * both.error(n)
