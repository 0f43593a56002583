"""Agreement of patterns: measured Si profiles, closed forms, masks, empty images."""

import csv
import pathlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.optimize import lsq_linear
from scipy.spatial.distance import correlation

from jaxscatter.cbed.detector import Detector
from jaxscatter.cbed.metrics import (
    METRICS,
    BaseGOF,
    Chi2,
    Chi2_const,
    Chi2_LARBED,
    Chi2_LARBED_multibackground,
    Chi2_multibackground,
    XCorrelation,
    degrees_of_freedom,
    gof,
    metric,
    scale_background,
    scale_backgrounds,
)
from jaxscatter.errors import DataError, ModelError

CAMERA = Detector(3.15, 4e-5, 1.2, 2.2, 0.111)
PROFILES = pathlib.Path(__file__).parent.parent / "data/cbed/si04_line_profiles.csv"
DISKS = ["-1", "0", "1", "2"]


@pytest.fixture(scope="module")
def silicon():
    """State -> simulation, experiment, mask; (4 disks, 244 points)."""
    with PROFILES.open() as stored:
        rows = list(csv.DictReader(stored))

    def column(state, name):
        return np.array(
            [
                [
                    float(r[name])
                    for r in rows
                    if (r["state"], r["disk_h"]) == (state, h)
                ]
                for h in DISKS
            ]
        )

    names = ("simulation_scaled", "experiment", "used")
    return {
        state: (*(column(state, n) for n in names[:2]), column(state, names[2]) == 1)
        for state in ("start", "refined")
    }


@pytest.fixture(scope="module")
def pattern():
    """Three disks of 4 x 5 pixels, off by a scale, backgrounds and noise; a mask."""
    rng = np.random.default_rng(11)
    sim = rng.uniform(0.1, 1.0, (3, 4, 5))
    base = np.array([3.0, 40.0, 11.0])[:, None, None]
    exp = 300 * sim + base + rng.normal(scale=8.0, size=sim.shape)
    return jnp.asarray(sim), jnp.asarray(exp), rng.uniform(size=sim.shape) < 0.8


@pytest.fixture(scope="module")
def variance(pattern):
    return jnp.asarray(np.random.default_rng(12).uniform(20, 90, pattern[0].shape))


def every_metric(variance):
    return [
        XCorrelation(),
        Chi2(),
        Chi2_const(CAMERA),
        Chi2_multibackground(CAMERA),
        Chi2_LARBED(variance),
        Chi2_LARBED_multibackground(variance),
    ]


@pytest.mark.parametrize(
    ("state", "chi2", "parameters", "printed"),
    [("start", 3421.93, 3, 3.51688), ("refined", 2688.21, 8, 2.77708)],
)
def test_measured_silicon_has_the_printed_goodness_of_fit(
    silicon, state, chi2, parameters, printed
):
    sim, exp, used = silicon[state]
    assert used.sum() == 648 and used.size == 976
    found = Chi2_multibackground(CAMERA)(sim, exp, used)
    np.testing.assert_allclose(found, chi2, atol=0.006)
    np.testing.assert_allclose(
        gof(found, used, parameters, compat_dof=True), printed, atol=6e-6
    )


def test_used_points_alone_give_silicon_a_worse_fit(silicon):
    sim, exp, used = silicon["refined"]
    found = Chi2_multibackground(CAMERA)(sim, exp, used)
    np.testing.assert_allclose(gof(found, used, 8), 4.200, atol=6e-4)
    assert degrees_of_freedom(used, 8) == 640


@pytest.mark.parametrize("state", ["start", "refined"])
def test_the_printed_simulation_of_silicon_needs_no_other_scale(silicon, state):
    sim, exp, used = silicon[state]
    c, b = Chi2_multibackground(CAMERA).scaling(sim, exp, used)
    assert abs(c - 1) < 4e-7
    assert np.max(np.abs(b)) < 4e-4


def solved(sim, exp, variance, mask, columns):
    """The amplitudes by a dense least-squares solver."""
    root = 1 / np.sqrt(variance[mask])
    a = np.stack([column[mask] * root for column in (sim, *columns)], axis=1)
    return lsq_linear(a, exp[mask] * root, method="bvls").x


def test_scale_and_backgrounds_are_those_of_a_dense_solver(pattern, variance):
    sim, exp, mask = (np.asarray(v) for v in pattern)
    sigma2 = np.asarray(variance)
    one = solved(sim, exp, sigma2, mask, [np.ones_like(sim)])
    np.testing.assert_allclose(scale_background(sim, exp, sigma2, mask), one, rtol=1e-9)
    disks = [np.eye(3)[d][:, None, None] + np.zeros_like(sim) for d in range(3)]
    several = solved(sim, exp, sigma2, mask, disks)
    c, b = scale_backgrounds(sim, exp, sigma2, mask)
    np.testing.assert_allclose([c, *b], several, rtol=1e-9)
    for solve in (scale_background, scale_backgrounds):
        c, b = solve(sim, exp, sigma2, mask, background=False)
        np.testing.assert_allclose(c, solved(sim, exp, sigma2, mask, []), rtol=1e-9)
        assert np.all(np.asarray(b) == 0)


def test_a_weak_contrast_on_a_high_level_keeps_its_scale():
    """Contrast 1e-5 of the level: the raw sums would leave c six digits at best."""
    t = 1.0 + 1e-5 * np.random.default_rng(3).uniform(size=(2, 50))
    c, b = scale_background(t, 4e3 * t - 7.0, np.ones_like(t))
    np.testing.assert_allclose([c, b], [4e3, -7.0], rtol=1e-8)


def test_each_metric_is_its_row_of_the_table(pattern, variance):
    sim, exp, mask = pattern
    cost = {type(m).__name__: m(sim, exp, mask) for m in every_metric(variance)}

    def chi2(sigma2, solve):
        c, b = solve(sim, exp, sigma2, mask)
        level = np.asarray(b)[:, None, None] if b.ndim else b
        return np.sum(((c * sim + level - exp) ** 2 / sigma2)[mask])

    camera = CAMERA.variance(exp)
    expected = {
        "XCorrelation": correlation(np.asarray(sim)[mask], np.asarray(exp)[mask]),
        "Chi2": chi2(jnp.abs(exp), scale_background),
        "Chi2_const": chi2(camera, scale_background),
        "Chi2_multibackground": chi2(camera, scale_backgrounds),
        "Chi2_LARBED": chi2(variance, scale_background),
        "Chi2_LARBED_multibackground": chi2(variance, scale_backgrounds),
    }
    assert set(cost) == set(METRICS) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(cost[name], value, rtol=1e-12, err_msg=name)


def test_options_of_a_metric_reach_it(pattern):
    sim, exp, mask = pattern
    zuo = Chi2_const(CAMERA, model="zuo2000", background=False)
    c, b = zuo.scaling(sim, exp, mask)
    expected = scale_background(
        sim, exp, CAMERA.variance(exp, "zuo2000"), mask, background=False
    )
    np.testing.assert_allclose([c, b], expected, rtol=1e-14)
    np.testing.assert_allclose(zuo.scaled(sim, exp, mask), c * sim, rtol=1e-14)


def test_a_larbed_metric_without_a_map_takes_the_counts(pattern):
    sim, exp, mask = pattern
    assert Chi2_LARBED()(sim, exp, mask) == Chi2_LARBED(exp)(sim, exp, mask)


def test_poisson_counts_of_zero_weigh_as_one():
    exp = jnp.asarray([0.0, 4.0, -9.0])
    np.testing.assert_array_equal(Chi2().variance(exp), [1.0, 4.0, 9.0])


@pytest.mark.parametrize("rubbish", [np.nan, np.inf, 0.0])
def test_what_lies_under_a_mask_has_no_effect(pattern, variance, rubbish):
    sim, exp, mask = pattern
    spoilt = [jnp.where(mask, v, rubbish) for v in (sim, exp, variance)]
    clean = every_metric(variance)
    for one, other in zip(clean, every_metric(spoilt[2]), strict=True):
        value, slope = jax.value_and_grad(one)(sim, exp, mask)
        again, same = jax.value_and_grad(other)(spoilt[0], spoilt[1], mask)
        assert value == again
        np.testing.assert_array_equal(slope, same)
        assert np.all(np.asarray(slope)[~mask] == 0)
        by_exp = jax.grad(other, 1)(*spoilt[:2], mask)
        assert np.all(np.asarray(by_exp)[~mask] == 0)
        assert np.all(np.isfinite(by_exp))


def test_derivatives_go_through_scale_and_backgrounds(pattern, variance):
    sim, exp, mask = pattern
    for one in every_metric(variance):

        @jax.jit
        def cost(sim, one=one):
            return one(sim, exp, mask)

        check_grads(cost, (sim,), order=1, modes=("fwd", "rev"), rtol=2e-4)
    for solve in (scale_background, scale_backgrounds):

        @jax.jit
        def amplitudes(sim, solve=solve):
            return solve(sim, exp, variance, mask)

        check_grads(amplitudes, (sim,), order=1, modes=("fwd", "rev"), rtol=2e-4)


def test_the_gradient_is_that_at_fixed_scale_and_backgrounds(pattern, variance):
    """The envelope theorem: ∂χ²/∂Iᵗ = 2 w c (c Iᵗ + b - Iˣ)."""
    sim, exp, mask = pattern
    one = Chi2_LARBED_multibackground(variance)
    c, _ = one.scaling(sim, exp, mask)
    expected = 2 * c * (one.scaled(sim, exp, mask) - exp) / variance
    slope = jax.grad(one)(sim, exp, mask)
    np.testing.assert_allclose(slope, jnp.where(mask, expected, 0.0), rtol=1e-9)


def test_a_constant_simulation_has_no_scale(pattern, variance):
    _, exp, mask = pattern
    flat = jnp.full(exp.shape, 0.1)
    c, b = scale_background(flat, exp, variance, mask)
    mean = np.average(np.asarray(exp)[mask], weights=1 / np.asarray(variance)[mask])
    assert c == 0.0
    np.testing.assert_allclose(b, mean, rtol=1e-13)
    levels = jnp.asarray([0.1, 0.7, 0.3])[:, None, None] * jnp.ones_like(exp)
    assert scale_backgrounds(levels, exp, variance, mask)[0] == 0.0
    for one in every_metric(variance):
        value, slope = jax.value_and_grad(one)(flat, exp, mask)
        assert np.isfinite(value) and np.all(np.isfinite(slope))
    dark = jnp.zeros_like(exp)
    c, b = scale_background(dark, exp, variance, mask, background=False)
    assert c == 0.0 and b == 0.0


def test_an_empty_mask_costs_nothing(pattern, variance):
    sim, exp, _ = pattern
    nothing = np.zeros(exp.shape, bool)
    for one in every_metric(variance):
        value, slope = jax.value_and_grad(one)(sim, exp, nothing)
        assert value == (1.0 if isinstance(one, XCorrelation) else 0.0)
        assert np.all(np.asarray(slope) == 0)


def test_a_disk_without_used_pixels_has_no_background_and_no_say(pattern, variance):
    sim, exp, mask = pattern
    without = mask.copy()
    without[1] = False
    c, b = scale_backgrounds(sim, exp, variance, without)
    rest = jnp.asarray([0, 2])
    c2, b2 = scale_backgrounds(
        sim[rest], exp[rest], variance[rest], mask[np.asarray(rest)]
    )
    np.testing.assert_allclose([c, *b], [c2, b2[0], 0.0, b2[1]], rtol=1e-13)
    one = Chi2_LARBED_multibackground(variance)
    assert np.all(np.isfinite(jax.grad(one)(sim, exp, without)))


def test_metrics_are_found_by_name_in_any_case(variance):
    assert isinstance(metric("xcorrelation"), XCorrelation)
    assert isinstance(
        metric("CHI2_multiBackground", detector=CAMERA), Chi2_multibackground
    )
    larbed = metric("chi2_larbed", variances=variance, background=False)
    assert isinstance(larbed, Chi2_LARBED) and not larbed.background
    assert metric(larbed) is larbed
    assert larbed.least_squares and not metric("XCorrelation").least_squares
    with pytest.raises(ModelError, match="Chi2_const"):
        metric("chi3")
    with pytest.raises(ModelError, match="detector"):
        metric("chi2_const")
    with pytest.raises(ModelError, match="scale"):
        metric("chi2", scale=3)
    with pytest.raises(ModelError, match="is built"):
        metric(larbed, background=True)


def test_a_metric_of_ones_own_is_a_function_of_two_images(pattern):
    class LargestDifference(BaseGOF):
        def __init__(self, power):
            self.power = power

        def __call__(self, sim, exp, mask=None):
            return jnp.max(jnp.abs(sim - exp)) ** self.power

    own = metric(LargestDifference(2))
    assert not own.least_squares
    sim, exp, _ = pattern
    found = eqx.filter_jit(lambda m, s: m(s, exp))(own, sim)
    np.testing.assert_allclose(found, np.max(np.abs(sim - exp)) ** 2)
    with pytest.raises(TypeError, match="abstract"):
        BaseGOF()  # pyright: ignore[reportAbstractUsage]


def test_too_few_points_have_no_goodness_of_fit():
    mask = np.zeros(10, bool)
    mask[:4] = True
    assert degrees_of_freedom(mask, 3) == 1
    assert degrees_of_freedom(mask, 4, compat_dof=True) == 6
    with pytest.raises(DataError, match="4 pixels - 4 parameters"):
        gof(1.0, mask, 4)


def test_data_that_cannot_be_compared_are_refused(pattern, variance):
    sim, exp, mask = pattern
    one = Chi2_LARBED(variance)
    with pytest.raises(DataError, match="expected the same"):
        one(sim[1:], exp, mask)
    with pytest.raises(DataError, match="variance has shape"):
        Chi2_LARBED(variance[1:])(sim, exp, mask)
    with pytest.raises(DataError, match="mask has shape"):
        one(sim, exp, mask[1:])
    place = tuple(np.argwhere(mask)[0])
    for bad in (0.0, -1.0, np.nan):
        spoilt = Chi2_LARBED(variance.at[place].set(bad))
        with pytest.raises(DataError, match="variance is"):
            spoilt(sim, exp, mask)
    with pytest.raises(DataError, match="exp is nan"):
        Chi2()(sim, exp.at[place].set(np.nan), mask)
    with pytest.raises(DataError, match="first axis"):
        scale_backgrounds(1.0, 2.0, 1.0)


def test_jit_is_eager_and_vmap_is_the_loop(pattern, variance):
    sim, exp, mask = pattern
    one = Chi2_multibackground(CAMERA)
    value = one(sim, exp, mask)
    jitted = eqx.filter_jit(lambda m, s, e, u: m(s, e, u))(one, sim, exp, mask)
    np.testing.assert_allclose(jitted, value, rtol=1e-13)
    stack = jnp.stack([sim, sim**2])
    many = jax.vmap(lambda s: one(s, exp, mask))(stack)
    np.testing.assert_allclose(many[1], one(sim**2, exp, mask), rtol=1e-12)
