import json
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxscatter.sas import intensity, pinhole, pinhole_plane, slit
from jaxscatter.sas.catalogue import MODELS

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas" / "resolution.json"
CASES = {c["id"]: c for c in json.loads(DATA.read_text())["cases"]}
Q = np.geomspace(0.004, 0.3, 120)


def made(case):
    if case["kind"] == "pinhole":
        return pinhole(np.array(case["q"]), np.array(case["dq"]))
    return slit(np.array(case["q"]), case["q_length"], case["q_width"])


@pytest.mark.parametrize("name", CASES)
def test_smeared_curves_are_those_of_the_peer(name):
    case = CASES[name]
    assert set(case["model"].split("@")) <= set(MODELS)
    smear = made(case)
    assert smear.q_calc.size == case["n_q_calc"]
    ends = smear.q_calc[[0, -1]]
    wanted = np.sort(np.abs([case["q_calc_first"], case["q_calc_last"]]))
    if case["q_calc_first"] > 0:
        np.testing.assert_allclose(ends, wanted, rtol=1e-12)
    got = intensity(case["model"], case["q"], resolution=smear, **case["pars"])
    rtol = 1e-5 if case["model"] == "cylinder" else 1e-9
    np.testing.assert_allclose(got, case["Iq"], rtol=rtol)


@pytest.mark.parametrize("smear", [pinhole(Q, 0.05 * Q), slit(Q, 0.02, 0.001)])
def test_a_flat_curve_stays_flat(smear):
    inside = jnp.ones(smear.q_calc.shape)
    got = np.asarray(smear.smear(inside))
    np.testing.assert_allclose(got, 1.0, rtol=0.03 if smear.kind == "slit" else 1e-12)


def test_a_pinhole_is_the_gaussian_integral():
    width, slope = 0.0015, 4.0
    smear = pinhole(np.linspace(0.05, 0.15, 1001), width)
    got = smear.smear(jnp.asarray(smear.q_calc**-slope))[500]

    def weighed(power):
        inside = lambda u: np.exp(-0.5 * u**2) * (0.1 + width * u) ** power  # noqa: E731
        return quad(inside, -2.5, 3.0)[0]

    np.testing.assert_allclose(got, weighed(-slope) / weighed(0.0), rtol=1e-4)


def test_a_slit_is_the_integral_along_its_length():
    q = np.geomspace(1e-3, 1.0, 2000)
    smear = slit(q, 0.05)
    at = 900
    got = smear.smear(jnp.asarray(np.exp(-((smear.q_calc / 0.03) ** 2))))[at]
    exact = quad(lambda u: np.exp(-(q[at] ** 2 + u**2) / 0.03**2), 0, 0.05)[0] / 0.05
    np.testing.assert_allclose(got, exact, rtol=1e-3)


def test_no_width_is_no_smearing():
    model = {"radius": 60.0, "background": 0.0}
    plain = intensity("sphere", Q, **model)
    narrow = intensity("sphere", Q, resolution=pinhole(Q, np.zeros(Q.size)), **model)
    np.testing.assert_allclose(narrow, plain, rtol=1e-6)
    points = slit(Q, np.zeros(Q.size))
    np.testing.assert_allclose(
        intensity("sphere", Q, resolution=points, **model), plain, rtol=1e-12
    )


def test_the_background_is_added_after_smearing():
    smear = slit(Q, 0.05)
    low = intensity("sphere", Q, resolution=smear, background=0.0)
    high = intensity("sphere", Q, resolution=smear, background=2.0)
    np.testing.assert_allclose(high - low, 2.0, rtol=1e-12)


def test_what_cannot_be_smeared_is_refused():
    with pytest.raises(ValueError, match="q must not descend"):
        pinhole([0.2, 0.1], [0.01, 0.01])
    with pytest.raises(ValueError, match="dq holds negative"):
        pinhole([0.1, 0.2], [0.01, -0.01])
    with pytest.raises(ValueError, match="at least two values"):
        pinhole([0.1], [0.01])
    with pytest.raises(NotImplementedError, match="a width but no length"):
        slit([0.1, 0.2], 0.0, 0.01)
    with pytest.raises(ValueError, match="numbers >= 0"):
        slit([0.1, 0.2], -0.1)
    with pytest.raises(ValueError, match="the resolution is for 120 points, q has 2"):
        intensity("sphere", [0.1, 0.2], resolution=pinhole(Q, 0.05 * Q))


def test_a_plane_pinhole_smears_a_quadratic_by_its_variance():
    """Rings to three standard deviations hold 98.9 % of a Gaussian's variance."""
    x, y = np.array([0.05, -0.02]), np.array([0.01, 0.06])
    dx, dy = np.array([0.004, 0.003]), np.array([0.002, 0.005])
    smear = pinhole_plane(x, y, dx, dy, "xhigh")
    got = smear.smear(jnp.asarray(smear.qx_calc**2))
    np.testing.assert_allclose(got - x**2, dx**2, rtol=0.06)
    np.testing.assert_allclose(np.sum(smear.weights), 1.0, rtol=1e-13)
    mean = smear.smear(jnp.asarray(smear.qy_calc))
    np.testing.assert_allclose(mean, y, rtol=1e-12)


def test_polar_axes_follow_the_direction_of_q():
    along = pinhole_plane([0.03], [0.04], [0.01], [0.0], axes="polar")
    slope = (along.qy_calc - 0.04)[0] / np.where(
        along.qx_calc[0] == 0.03, np.inf, along.qx_calc[0] - 0.03
    )
    moved = np.abs(along.qx_calc[0] - 0.03) > 1e-9
    np.testing.assert_allclose(slope[moved], 4 / 3, rtol=1e-9)


def test_plane_resolutions_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="accuracy='best'"):
        pinhole_plane([0.1], [0.1], [0.01], [0.01], "best")
    with pytest.raises(ValueError, match="one shape"):
        pinhole_plane([0.1], [0.1], [0.01], [0.01, 0.02])
    with pytest.raises(ValueError, match="finite and >= 0"):
        pinhole_plane([0.1], [0.1], [-0.01], [0.01])


def test_repeated_values_of_q_count_as_one_for_the_grid():
    twice = pinhole(np.repeat(Q, 2), np.repeat(0.05 * Q, 2))
    once = pinhole(Q, 0.05 * Q)
    np.testing.assert_allclose(twice.matrix[::2], once.matrix, rtol=1e-12)
    np.testing.assert_allclose(twice.matrix[1::2], once.matrix, rtol=1e-12)


def test_oversampling_reaches_the_integral():
    """A sphere's first minimum, where the data's own grid errs by 20 %."""
    q = np.geomspace(0.0018, 0.08, 60)
    given = {"radius": 500.0, "background": 0.0}
    curves = [
        np.asarray(intensity("sphere", q, resolution=pinhole(q, 0.05 * q, n), **given))
        for n in (1, 4, 30)
    ]
    near = q < 0.03
    errors = [np.max(np.abs(c / curves[2] - 1)[near]) for c in curves[:2]]
    assert errors[0] > 0.05
    assert errors[1] < 0.3 * errors[0]
    with pytest.raises(ValueError, match="oversample is 0"):
        pinhole(q, 0.05 * q, 0)
