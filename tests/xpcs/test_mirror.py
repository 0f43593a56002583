"""The second optimum at -phi0, and angles that cannot tell the two apart."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import ModelError
from jaxscatter.xpcs.angles import mirrored

T = 0.1 * np.arange(40)
THETA = {
    "D0": 1500.0,
    "alpha": -0.3,
    "D_offset": 0.0,
    "gamma_dot_t0": 0.02,
    "beta": 0.0,
    "gamma_dot_t_offset": 0.0,
    "phi0": 4.0,
}
HELD = {k: THETA[k] for k in ("D_offset", "beta", "gamma_dot_t_offset")}


def fitted(phi):
    phi = np.asarray(phi)
    square = np.array(xpcs.c2(THETA, T, phi, q=0.0054, h=2e6))
    noise = np.triu(np.random.default_rng(0).normal(0, 0.01, square.shape), 1)
    square += noise + np.swapaxes(noise, 1, 2)
    data = xpcs.from_matrices(square, phi, q=0.0054, t=T, sigma=0.01)
    start = {k: v for k, v in THETA.items() if k not in HELD}
    return js.fit(xpcs.problem(data, values=start, fixed=HELD), warn=False)


@pytest.mark.slow
def test_angles_that_are_their_own_mirror_images_are_said():
    fit = fitted([0.0, 90.0])
    assert any("cannot tell phi0 from -phi0" in w for w in fit.warnings)
    other = xpcs.mirror_mode(fit)
    np.testing.assert_allclose(other["phi0"], -fit["phi0"], rtol=1e-4)
    assert abs(other.statistics["delta_chi2"]) < 1e-4


@pytest.mark.slow
def test_another_angle_tells_the_direction_a_little():
    """At 0, 45 and 90 degrees the mirror image is a mode of its own."""
    fit = fitted([0.0, 45.0, 90.0])
    assert not any("phi0" in w for w in fit.warnings)
    assert abs(fit["phi0"] - 4.0) < 4 * fit.error("phi0")
    other = xpcs.mirror_mode(fit)
    assert other["phi0"] < 0 and other.statistics["delta_chi2"] > 1


@pytest.mark.parametrize(
    ("phi", "expected"),
    [([0.0, 90.0, -180.0], True), ([0.0, 45.0], False), ([270.0], True)],
)
def test_mirrored(phi, expected):
    assert mirrored(np.asarray(phi)) is expected


@pytest.mark.slow
def test_without_a_free_direction_there_is_no_mode():
    data = xpcs.from_matrices(np.ones((1, 5, 5)), np.zeros(1), q=0.01, dt=0.1)
    fit = js.fit(xpcs.problem(data, "static", values={}, active=["D0"]), warn=False)
    with pytest.raises(ModelError, match="no free phi0"):
        xpcs.mirror_mode(fit)
