"""`fit` by the trust region: end points, errors, starts, failures, interruption."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import FitError, FitWarning, ParameterError
from jaxscatter.infer import fit
from jaxscatter.infer import trust_region as tr
from jaxscatter.infer.least_squares import start_vector
from jaxscatter.problem import Dataset, Parameter, Problem, model


def test_the_end_point_is_that_of_scipy(cases, decay_fit):
    peer = fit(cases.decay(), "scipy-trf", warn=False)
    assert decay_fit.success and peer.success
    np.testing.assert_allclose(
        decay_fit.statistics["cost"], peer.statistics["cost"], rtol=1e-8
    )
    np.testing.assert_allclose(decay_fit.x, peer.x, rtol=1e-5)
    np.testing.assert_allclose(decay_fit.cov, peer.cov, rtol=1e-4)
    for name, value in cases.truth.items():
        assert abs(decay_fit[name] - value) < 4 * decay_fit.error(name)


def test_an_optimum_on_a_bound_is_that_of_scipy_and_has_no_error(cases, bound_fit):
    y = cases.curves(d=-0.05)
    peer = fit(cases.decay(y), "scipy-trf", warn=False)
    np.testing.assert_allclose(
        bound_fit.statistics["cost"], peer.statistics["cost"], rtol=1e-7
    )
    assert bound_fit["d"] == 0.0
    for result in (bound_fit, peer):
        assert np.isnan(result.error("d")) and np.isfinite(result.error("tau"))
        assert "at_bound" in result.flags
        first = result.summary().splitlines()[1]
        assert first.startswith("! d at a bound")
    np.testing.assert_allclose(bound_fit["tau"], peer["tau"], rtol=1e-5)
    with pytest.warns(FitWarning, match="d at a bound"):
        fit(cases.decay(y))


def test_a_linear_problem_is_solved_exactly(cases):
    """Without priors: weighted least squares in closed form."""
    problem = cases.line()
    result = fit(problem, warn=False)
    x = np.stack([np.ones_like(cases.line_t), cases.line_t - 0.4], 1)
    y = np.asarray(problem.data.y)[0]
    best, *_ = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(result.x, best, rtol=1e-9)
    np.testing.assert_allclose(result.cov, 0.3**2 * np.linalg.inv(x.T @ x), rtol=1e-9)
    np.testing.assert_allclose(
        result.statistics["chi2"], np.sum((y - x @ best) ** 2) / 0.3**2, rtol=1e-10
    )


def test_a_second_dataset_of_the_same_shape_does_not_compile_again(cases, decay_fit):
    before = cases.traces.count
    table = [
        Parameter("tau", 1.7, "ps", (0.2, 8.0)),
        Parameter("d", 0.3, "1/ps", (0, 2)),
    ]
    other = cases.decay(
        cases.curves(tau=2.0, seed=5), 0.03, parameters=table, title={"title": "other"}
    )
    result = fit(other, start={"tau": 1.5}, warn=False)
    assert result.success and abs(result["tau"] - 2.0) < 5 * result.error("tau")
    assert decay_fit.success
    assert cases.traces.count == before


def test_starts_are_taken_from_names_vectors_and_results(cases, decay_fit):
    problem = cases.decay()
    np.testing.assert_array_equal(start_vector(problem, {"d": 0.4}), [2.0, 0.4])
    np.testing.assert_array_equal(start_vector(problem, np.array([1.0, 0.3])), [1, 0.3])
    np.testing.assert_array_equal(start_vector(problem, decay_fit), decay_fit.x)
    explicit = problem.with_(explicit=True)
    x = start_vector(explicit, decay_fit)
    where = explicit.parameters.labels.index("a[2]")
    assert x[where] == decay_fit.amplitude_values["a[2]"]
    with pytest.raises(ParameterError, match="'tua'"):
        fit(problem, start={"tua": 1.0})
    with pytest.raises(ParameterError, match="shape"):
        fit(problem, start=np.ones(3))


def test_too_few_trials_are_a_failure_said_first(cases):
    result = fit(cases.decay(warnings=("a remark",)), max_trials=1, warn=False)
    assert not result.success and result.code == tr.MAXITER
    assert result.warnings[0].startswith("the fit has not converged")
    assert result.warnings[-1] == "a remark"
    assert "NOT CONVERGED" in result.summary()


def test_a_model_that_is_not_finite_names_group_and_point():
    def columns(theta, coords):
        bad = jnp.where(coords["t"] == 3.0, jnp.nan, 1.0)
        return (theta["s"] * coords["t"] * bad)[:, None]

    t = np.stack([np.arange(3.0), np.arange(1.0, 4.0)])
    problem = Problem(
        model(columns, [Parameter("s", 1.0, bounds=(0, 2))]),
        Dataset(t, np.ones_like(t), coords={"t": t}),
    )
    with pytest.raises(FitError, match=r"group 1, point 2\): s = 1"):
        fit(problem)
    result = fit(problem, throw=False, warn=False)
    assert result.code == tr.NONFINITE_START and not result.success


def test_unknown_methods_and_options_are_refused(cases):
    with pytest.raises(FitError, match="'levenberg'"):
        fit(cases.decay(), "levenberg")
    with pytest.raises(TypeError, match="steps"):
        fit(cases.decay(), "tr", steps=5)
    with pytest.raises(FitError, match="neither a name nor an optax"):
        fit(cases.decay(), 3.0)


def test_progress_sees_events_and_can_stop(cases):
    events = []

    def stop(event):
        events.append(event)
        return False

    result = fit(cases.decay(), progress=stop, start=[9.0, 0.9], warn=False)
    assert events[0].phase == "fit" and events[0].step >= 1
    assert result.code in (tr.STOPPED, *range(1, 5))

    def interrupt(event):
        raise KeyboardInterrupt

    result = fit(cases.decay(), progress=interrupt, warn=False)
    assert result.code == tr.STOPPED and "stopped" in result.flags
    assert not result.success and result.warnings[0].startswith("the fit has not")


def test_a_problem_with_amplitudes_only_is_solved(cases):
    held = cases.decay().with_(
        parameters={"tau": {"fixed": True}, "d": {"fixed": True}}
    )
    result = fit(held, warn=False)
    assert result.success and result.method == "linear" and result.cov.shape == (0, 0)
    design = np.exp(-(1 / 2.0 + 0.1 * cases.q[1] ** 2) * cases.t)
    x = np.stack([design, np.ones_like(cases.t)], 1)
    best, *_ = np.linalg.lstsq(x, np.asarray(held.data.y)[1], rcond=None)
    got = [result.amplitude_values[n] for n in ("a[1]", "b[1]")]
    np.testing.assert_allclose(got, best, rtol=1e-9)
