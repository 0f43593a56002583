import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.sas import amplitudes, intensity
from jaxscatter.sas.average import evaluations, moments
from jaxscatter.sas.cylinders import Cylinder
from jaxscatter.sas.dispersion import chosen, points
from jaxscatter.sas.orientation import Band

Q = np.array([0.002, 0.03, 0.2])
RULE = (Band(0, 3, 48, 48),)
VALUES = {
    "sld": 4.0,
    "sld_solvent": 1.0,
    "radius": 18.0,
    "length": 90.0,
    "radius_pd": 0.15,
    "length_pd": 0.3,
}
BOTH = {"radius": chosen("schulz", 21), "length": chosen("gaussian", 15)}


class Whole(Cylinder):
    """A cylinder whose factors are not said to separate."""

    split = ((),)

    def contrast(self, p):
        return 1.0

    def factors(self, q_ab, q_c, p):
        section, length = super().factors(q_ab, q_c, p)
        return ((p.sld - p.sld_solvent) * section * length,)


def evaluated(form, values=VALUES, **more):
    numbers = {k: jnp.asarray(v) for k, v in values.items()}
    run = jax.jit(lambda v: moments(form, jnp.asarray(Q), v, BOTH, RULE, 1, **more))
    return run(numbers)


def test_separate_sums_are_the_double_sum():
    fast, slow = evaluated(Cylinder()), evaluated(Whole())
    for name in ("f1", "f2", "form_volume", "shell_volume", "radius"):
        np.testing.assert_allclose(
            getattr(fast, name), getattr(slow, name), rtol=1e-11, err_msg=name
        )
    assert evaluations(Cylinder(), BOTH, RULE[0]) < evaluations(Whole(), BOTH, RULE[0])


@pytest.mark.parametrize("chunk", [1, 40, 10_000])
def test_chunks_change_nothing(chunk):
    whole, pieces = evaluated(Whole()), evaluated(Whole(), chunk=chunk)
    np.testing.assert_allclose(pieces.f2, whole.f2, rtol=1e-12)
    np.testing.assert_allclose(pieces.radius, whole.radius, rtol=1e-12)


def test_volumes_are_averages_over_the_grid():
    m = evaluated(Cylinder())
    r, wr = points(BOTH["radius"], 18.0, 0.15, 0.0)
    length, wl = points(BOTH["length"], 90.0, 0.3, 0.0)
    exact = np.pi * np.sum(wr * r**2) * np.sum(wl * length)
    np.testing.assert_allclose(m.form_volume, exact, rtol=1e-12)


@pytest.mark.parametrize("form", [Cylinder(), Whole()], ids=["separate", "whole"])
def test_gradients_reach_the_widths_in_both_modes(form):
    numbers = {k: jnp.asarray(v) for k, v in VALUES.items()}

    @jax.jit
    def total(width):
        values = {**numbers, "radius_pd": width[0], "length_pd": width[1]}
        m = moments(form, jnp.asarray(Q), values, BOTH, RULE, 0, chunk=50)
        return jnp.log(m.f2 / m.shell_volume)

    at = jnp.array([0.15, 0.3])
    forward, reverse = jax.jacfwd(total)(at), jax.jacrev(total)(at)
    np.testing.assert_allclose(forward, reverse, rtol=1e-9, atol=1e-12)
    for i in range(2):
        step = jnp.zeros(2).at[i].set(1e-5)
        slope = (total(at + step) - total(at - step)) / 2e-5
        np.testing.assert_allclose(forward[:, i], slope, rtol=1e-6, atol=1e-8)


def test_zero_width_is_one_size_with_finite_slopes():
    def curve(width):
        return intensity("cylinder", Q, radius_pd=width, n_quad=32)

    wide = jax.jit(curve)(0.0)
    np.testing.assert_allclose(wide, intensity("cylinder", Q, n_quad=32), rtol=1e-12)
    assert np.all(np.isfinite(jax.jacfwd(jax.jit(curve))(0.0)))


def test_sizes_that_make_no_body_are_left_out():
    """A bell narrower than its rod is none: the rest is renormalised."""
    x, w = np.array([10.0, 30.0, 40.0]), np.array([0.2, 0.3, 0.5])
    given = {"radius": 20.0, "length": 50.0, "radius_bell_pd_type": "array"}
    cut = amplitudes("barbell", Q, radius_bell_pd=(x, w), **given)
    kept = amplitudes("barbell", Q, radius_bell_pd=(x[1:], w[1:]), **given)
    np.testing.assert_allclose(cut.f2, kept.f2, rtol=1e-12)
    np.testing.assert_allclose(cut.form_volume, kept.form_volume, rtol=1e-12)
