import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.sas.curve import amplitudes_of

Q = np.geomspace(0.005, 0.3, 30)


@pytest.mark.parametrize(
    ("solved", "held"),
    [
        ((), []),
        (("scale", "background"), [None, None]),
        (("background",), [1.0, None]),
        (("scale",), [None, 1.0]),
    ],
)
def test_columns_that_are_not_solved_for_are_held(solved, held):
    assert [a.held for a in amplitudes_of(solved)] == held


@pytest.mark.parametrize("free", [["radius"], ["radius", "scale"], ["scale"]])
def test_the_model_is_scale_times_shape_plus_background(free):
    truth = {"scale": 0.7, "background": 0.3}
    data = js.sas.from_arrays(
        Q, np.asarray(js.sas.intensity("sphere", Q, radius=40.0, **truth)), 0.01 + 0 * Q
    )
    problem = js.sas.problem(data, "sphere", free=free, radius=40.0, **truth)
    np.testing.assert_allclose(
        problem.predict(problem.start())[0], data.y[0], rtol=1e-10
    )


def test_smeared_curves_are_fitted_with_the_background_after_smearing():
    smear = js.sas.pinhole(Q, 0.1 * Q)
    curve = js.sas.intensity("sphere", Q, resolution=smear, radius=52.0, background=0.4)
    data = js.sas.from_arrays(Q, np.asarray(curve), 0.01 + 0 * Q, dq=0.1 * Q)
    result = js.fit(js.sas.problem(data, "sphere", radius=50.0), warn=False)
    np.testing.assert_allclose(result["radius"], 52.0, rtol=1e-7)
    np.testing.assert_allclose(result.linear["value"], [1.0, 0.4], rtol=1e-6)


@pytest.mark.slow
def test_volume_and_effective_radius_come_with_errors():
    given = {"radius": 40.0, "volfraction": 0.1, "radius_pd": 0.1}
    curve = js.sas.intensity("sphere@hardsphere", Q, **given)
    data = js.sas.from_arrays(Q, np.asarray(curve), 0.02 * np.asarray(curve))
    start = {**given, "radius": 42.0}
    result = js.fit(js.sas.problem(data, "sphere@hardsphere", **start))
    volume, error, unit = result.derived["<V>"]
    pieces = js.sas.intermediates("sphere@hardsphere", Q, **given)
    np.testing.assert_allclose(volume, pieces["volume"], rtol=1e-6)
    slope = 3 * volume / result["radius"]
    np.testing.assert_allclose(error, slope * result.error("radius"), rtol=1e-6)
    assert unit == "Å³"
    np.testing.assert_allclose(result.derived["R_eff"][0], 40.0, rtol=1e-6)


def test_a_grid_too_coarse_for_the_smearing_is_said_and_can_be_refined():
    q = np.geomspace(0.002, 0.08, 60)
    curve = np.asarray(js.sas.intensity("sphere", q, radius=500.0))

    def said(oversample):
        data = js.sas.from_arrays(
            q, curve, 0.01 * curve, dq=0.05 * q, oversample=oversample
        )
        problem = js.sas.problem(data, "sphere", radius=500.0)
        theta = problem.named(problem.start())
        return problem.model.cautions(theta, {"q_calc": data.coords["q_calc"]})

    (sentence,) = said(1)
    assert "sphere of 500 Å oscillates between the points" in sentence
    assert "oversample=3" in sentence
    assert said(3) == ()
