"""Graded shells against quadrature with many digits, and the bodies they reduce to."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jaxscatter.sas import onion, spheres

Q = jnp.array([0.0, 0.003, 0.05, 0.3])

_shells = jax.jit(jax.vmap(onion.graded_shell, (0, None, None, None, None, None)))
_steepness_slopes = jax.jit(
    jax.vmap(jax.grad(onion.graded_shell, 5), (None, None, None, None, None, 0))
)


def parameters(model, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    return model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})


@functools.partial(jax.jit, static_argnums=0)
def _amplitude(model, q, values):
    return model.amplitude(q, model.namespace(values))


def amplitude(model, q=Q, **given):
    values = {row.name: row.value for row in model.quantities} | given
    return _amplitude(model, q, {k: jnp.asarray(v) for k, v in values.items()})


def _integral(q, inner, thickness, start, end, steepness):
    """The definition, with the exponential resolved at the end where it is steep."""
    a = mpmath.mpf(steepness)

    def density(u):
        rise = mpmath.expm1(a * u) / mpmath.expm1(a) if a else u
        return start + (end - start) * rise

    def integrand(u):
        r = inner + thickness * u
        return 4 * mpmath.pi * r**2 * density(u) * mpmath.sincpi(q * r / mpmath.pi)

    cuts = {mpmath.mpf(k) / 16 for k in range(17)}
    if abs(a) > 20:
        near = [mpmath.mpf(k) / abs(a) for k in (1, 4, 16)]
        cuts |= {1 - v for v in near} if a > 0 else set(near)
    return float(thickness * mpmath.quad(integrand, sorted(cuts)))


@pytest.mark.parametrize("inner", [0.0, 200.0])
@pytest.mark.parametrize("steepness", [0.0, 1e-9, -0.3, 39.9, 40.1, -2000.0])
def test_graded_shell_is_the_integral_of_its_density(inner, steepness):
    # qt = 1 separates the series from the closed form
    qs = (1e-7, 0.999 / 40, 1.001 / 40, 0.6)
    shell = (inner, 40.0, 1.7, 0.4, steepness)
    exact = [_integral(q, *shell) for q in qs]
    np.testing.assert_allclose(_shells(jnp.asarray(qs), *shell), exact, rtol=3e-12)


@pytest.mark.parametrize("q", [0.0, 0.01, 0.3])
def test_steepness_has_a_continuous_slope_through_the_straight_line(q):
    steps = jnp.array([-1e-4, 0.0, 1e-4])
    below, at, above = _steepness_slopes(q, 200.0, 40.0, 1.0, 2.0, steps)
    assert float(at) == pytest.approx(float(0.5 * (below + above)), rel=1e-7)
    down, up = (
        float(_shells(jnp.array([q]), 200.0, 40.0, 1.0, 2.0, a)[0])
        for a in (-1e-3, 1e-3)
    )
    assert float(at) == pytest.approx((up - down) / 2e-3, rel=1e-5)


@pytest.mark.parametrize("steepness", [0.0, 2.0, -800.0, 800.0])
def test_constant_density_does_not_know_the_steepness(steepness):
    flat = _shells(Q, 50.0, 20.0, 2.0, 2.0, steepness)
    ball = 2 * (spheres.ball(Q, 70.0) - spheres.ball(Q, 50.0))
    np.testing.assert_allclose(flat, ball, rtol=1e-13)


def test_constant_shells_make_a_core_with_shells():
    given = {"thickness1": 15.0, "thickness2": 25.0}
    densities = {"sld_in1": 1.0, "sld_out1": 1.0, "sld_in2": 3.0, "sld_out2": 3.0}
    graded = amplitude(onion.Onion(n_shells=2), **given, **densities)
    plain = amplitude(
        spheres.CoreMultiShell(n=2), sld_core=1.0, sld1=1.0, sld2=3.0, **given
    )
    np.testing.assert_allclose(graded, plain, rtol=1e-11)


def test_very_steep_shell_keeps_the_density_of_its_gentle_end():
    """A → ∞ leaves sld_in up to the outer surface, A → -∞ sld_out from the inner."""
    given = {"sld_in1": 2.0, "sld_out1": 5.0}
    for steepness, density in ((1e6, 2.0), (-1e6, 5.0)):
        steep = amplitude(onion.Onion(), A1=steepness, **given)
        flat = amplitude(onion.Onion(), sld_in1=density, sld_out1=density)
        np.testing.assert_allclose(steep, flat, rtol=1e-4)


def test_no_shells_leave_the_core():
    model = onion.Onion(n_shells=0)
    whole = amplitude(spheres.Sphere(), radius=200.0, sld=1.0, sld_solvent=6.4)
    np.testing.assert_allclose(amplitude(model), whole, rtol=1e-11)
    assert float(model.radii(parameters(model))[0]) == 200.0


def test_amplitude_at_q_zero_is_the_excess_of_the_densities():
    """A line from 1 to 2 over a shell from r₁ to r₂ has the mean of r² by parts."""
    r1, r2 = 200.0, 240.0
    given = {"A1": 0.0, "sld_in1": 1.0, "sld_out1": 2.0, "sld_solvent": 0.0}
    got = float(amplitude(onion.Onion(), sld_core=0.0, **given)[0])
    moment = (r2**4 - r1**4) / 4 - r1 * (r2**3 - r1**3) / 3
    shell = (r2**3 - r1**3) / 3 + moment / (r2 - r1)
    assert got == pytest.approx(4 * np.pi * shell, rel=1e-12)


def test_derivatives_are_finite_at_q_zero_and_for_bodies_without_size():
    model = onion.Onion(n_shells=2)
    names = [row.name for row in model.quantities]

    @jax.jit
    def slopes(values, q):
        def f(values, q):
            p = model.namespace(dict(zip(names, values, strict=True)))
            return jnp.sum(jnp.square(model.amplitude(q, p))) + model.volume(p)

        return jax.grad(f, (0, 1))(values, q)

    defaults = [row.value for row in model.quantities]
    # without thickness, and with a straight line between equal densities
    flat = [0.0 if n[0] in "tA" else v for n, v in zip(names, defaults, strict=True)]
    for values in (defaults, flat, [0.0] * len(names)):
        by_value, by_q = slopes([jnp.asarray(v) for v in values], Q)
        assert np.all(np.isfinite(by_value))
        assert np.all(np.isfinite(by_q))
