"""Effective radii against forty digits and the bodies they must agree with."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.sas import effective_radius

_with_slopes = jax.jit(jax.value_and_grad(effective_radius.of_curvature, (0, 1)))


def _curvature(a, b):
    ratio = min(a, b) / max(a, b)
    e = mpmath.sqrt(1 - ratio**2)
    b1 = 1 + mpmath.asin(e) / (e * ratio)
    b2 = 1 + ratio**2 / (2 * e) * mpmath.log((1 + e) / (1 - e))
    return mpmath.cbrt(2 * (1 + mpmath.mpf(3) / 4 * b1 * b2) * a * b**2) / 2


# where e² passes 0.01 the series ends
@pytest.mark.parametrize(
    ("polar", "equatorial"),
    [
        (20.0, 400.0),
        (400.0, 20.0),
        (1e-6, 30.0),
        (30.0, 1e-6),
        (30.0, 30.0 + 1e-9),
        (30.0 + 1e-5, 30.0),
        (30.0, 30.15),
        (30.15, 30.0),
        (30.1517, 30.0),
    ],
)
def test_mean_curvature_and_its_slopes_are_those_of_forty_digits(polar, equatorial):
    with mpmath.workdps(60):
        a, b, h = mpmath.mpf(polar), mpmath.mpf(equatorial), mpmath.mpf(10) ** -25
        exact = (
            _curvature(a, b),
            (_curvature(a + h, b) - _curvature(a - h, b)) / (2 * h),
            (_curvature(a, b + h) - _curvature(a, b - h)) / (2 * h),
        )
        exact = [float(v) for v in exact]
    value, slopes = _with_slopes(polar, equatorial)
    np.testing.assert_allclose([value, *slopes], exact, rtol=1e-12)


def test_mean_curvature_of_a_sphere_is_its_radius_and_is_smooth_there():
    of = effective_radius.of_curvature
    value, slopes = _with_slopes(30.0, 30.0)
    assert float(value) == pytest.approx(30.0, rel=1e-15)
    np.testing.assert_allclose(slopes, [1 / 3, 2 / 3], rtol=1e-14)
    bend = jax.jit(jax.hessian(of))  # forward over reverse
    np.testing.assert_allclose(bend(30.0, 30.0), bend(30.003, 30.0), rtol=1e-3)


def test_a_disk_has_a_mean_curvature_and_a_needle_has_none():
    of = effective_radius.of_curvature
    assert float(of(0.0, 30.0)) == pytest.approx(30 * np.cbrt(3 * np.pi / 32))
    assert float(of(30.0, 0.0)) == 0.0
    for body in ((0.0, 30.0), (30.0, 0.0), (0.0, 0.0)):
        assert np.all(np.isfinite(_with_slopes(*body)[1]))


def test_sphere_of_equal_volume_is_the_sphere_itself():
    of = effective_radius.of_volume
    assert float(of(4 / 3 * np.pi * 50.0**3)) == pytest.approx(50.0, rel=1e-15)
    assert float(jax.grad(of)(0.0)) == 0.0


def test_excluded_volume_of_a_long_cylinder_is_that_of_crossed_rods():
    """A pair excludes πRL² (Onsager); a pair of spheres (4π/3)(2r)³."""
    radius, length = 1.0, 1e6
    r = float(effective_radius.of_excluded_volume(radius, length))
    per_sphere = 4 * np.pi / 3 * (2 * r) ** 3
    per_rod = np.pi * radius * length**2
    assert per_sphere == pytest.approx(per_rod, rel=1e-5)


def test_excluded_volume_of_nothing_is_nothing_with_finite_slopes():
    of = effective_radius.of_excluded_volume
    assert float(of(0.0, 400.0)) == 0.0
    assert np.all(np.isfinite(jax.grad(of, (0, 1))(0.0, 400.0)))
    assert float(of(jnp.asarray(20.0), 0.0)) > 0.0
