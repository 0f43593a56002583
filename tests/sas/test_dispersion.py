import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats

from jaxscatter.sas.dispersion import DEFAULTS, Distribution, chosen, points

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas" / "distributions.json"
CASES = {c["id"]: c for c in json.loads(DATA.read_text())["cases"]}


@pytest.mark.parametrize("name", CASES)
def test_points_and_weights_are_those_of_the_peer(name):
    case = CASES[name]
    if case["type"] == "array":
        pytest.fail("arrays have their own test")
    d = chosen(case["type"], case["npts"], case["nsigmas"], case["relative"])
    lo, hi = (
        (-np.inf, np.inf)[i] if v is None else v for i, v in enumerate(case["limits"])
    )
    centre = case["center"] if case["relative"] else 0.0
    x, w = points(d, centre, case["width"], lo, hi)
    keep = np.asarray(w) > 0
    wanted = np.asarray(case["w"]) / np.sum(case["w"])
    inside = wanted > 0
    np.testing.assert_allclose(x[keep], np.asarray(case["x"])[inside], rtol=1e-12)
    np.testing.assert_allclose(w[keep], wanted[inside], rtol=1e-10)


def test_densities_are_those_of_scipy():
    x, w = points(chosen("lognormal"), 40.0, 0.2)
    density = stats.lognorm.pdf(np.asarray(x), 0.2, scale=40.0)
    np.testing.assert_allclose(w, density / density.sum(), rtol=1e-10, atol=1e-30)
    x, w = points(chosen("schulz"), 40.0, 0.25, 0.0)
    z = 1 / 0.25**2
    density = np.where(x > 0, stats.gamma.pdf(np.maximum(x, 1e-9), z, scale=40 / z), 0)
    np.testing.assert_allclose(w, density / density.sum(), rtol=1e-9, atol=1e-30)


@pytest.mark.parametrize("kind", [k for k in DEFAULTS if k != "array"])
def test_weights_sum_to_one_and_zero_width_is_a_point(kind):
    x, w = points(chosen(kind), 30.0, 0.1, 0.0)
    np.testing.assert_allclose(jnp.sum(w), 1.0, rtol=1e-14)
    x, w = points(chosen(kind), 30.0, 0.0, 0.0)
    np.testing.assert_allclose(jnp.sum(w * x**3), 27_000.0, rtol=1e-12)


@pytest.mark.parametrize("kind", [k for k in DEFAULTS if k != "array"])
def test_moments_have_derivatives_in_centre_and_width(kind):
    def third(centre, width):
        x, w = points(chosen(kind), centre, width, 0.0)
        return jnp.sum(w * x**3) / 1e4

    check_grads(jax.jit(third), (30.0, 0.12), order=2, modes=("fwd", "rev"))
    slopes = jax.jit(jax.grad(third, argnums=(0, 1)))(30.0, 0.0)
    np.testing.assert_allclose(slopes, [0.27, 0.0], rtol=1e-9, atol=1e-9)


def test_points_beyond_a_limit_have_no_weight_and_stay_inside():
    x, w = points(chosen("gaussian"), 10.0, 0.6, 0.0, 20.0)
    assert x.shape == (35,)
    assert np.all((np.asarray(x) >= 0) & (np.asarray(x) <= 20))
    assert np.sum(np.asarray(w) == 0) > 5
    np.testing.assert_allclose(jnp.sum(w), 1.0, rtol=1e-14)


def test_nothing_inside_the_limits_has_no_weight_at_all():
    _, w = points(chosen("gaussian"), 50.0, 0.1, 0.0, 20.0)
    np.testing.assert_array_equal(w, 0.0)


def test_arrays_of_the_users_own():
    d = chosen("array", x=[10.0, 20.0, -1.0], w=[1.0, 3.0, 5.0])
    x, w = points(d, 0.0, 0.0, 0.0)
    np.testing.assert_allclose(w, [0.25, 0.75, 0.0])
    np.testing.assert_allclose(x[:2], [10.0, 20.0])
    with pytest.raises(
        ValueError, match="as many weights as points; got 2 points and 0"
    ):
        chosen("array", x=[1.0, 2.0])


def test_defaults_follow_the_kind():
    assert (chosen("schulz").npts, chosen("schulz").nsigmas) == (80, 8.0)
    assert (chosen(None, 11).npts, chosen(None, 11).nsigmas) == (11, 3.0)
    assert chosen("lognormal", 21).nsigmas == 3.0
    assert Distribution(npts=1).size == 1
    with pytest.raises(ValueError, match="distribution 'normal' is not known"):
        chosen("normal")
    with pytest.raises(ValueError, match="pd_nsigma is -1"):
        chosen("gaussian", 5, -1.0)
