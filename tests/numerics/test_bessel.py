import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.numerics import bessel as room
from jaxscatter.numerics import (
    bessel_j0,
    bessel_j1,
    sinc,
    three_j1_over_x,
    two_j1_over_x,
)

# both sides of every switch between branches, and far beyond
X = np.concatenate(
    [
        [0.0, 1e-300, 1e-8, 1e-3],
        np.linspace(0.01, 20.0, 200),
        np.nextafter([1.0, 1.5, 8.0], 0),
        np.nextafter([1.0, 1.5, 8.0], 9),
        np.geomspace(20, 1e5, 60),
    ]
)
POINTS = jnp.array([0.0, 1e-6, 0.5, 1.0, 3.0, 7.9, 8.1, 75.0])


def exact(function):
    with mpmath.workdps(30):
        return np.array([float(function(mpmath.mpf(v))) for v in X])


CASES = {
    "j0": (bessel_j0, lambda x: mpmath.besselj(0, x)),
    "j1": (bessel_j1, lambda x: mpmath.besselj(1, x)),
    "disk": (
        two_j1_over_x,
        lambda x: 2 * mpmath.besselj(1, x) / x if x else mpmath.mpf(1),
    ),
    "sphere": (
        three_j1_over_x,
        lambda x: (
            3 * (mpmath.sin(x) - x * mpmath.cos(x)) / x**3
            if x > 1e-8
            else mpmath.mpf(1)
        ),
    ),
    "sinc": (sinc, lambda x: mpmath.sin(x) / x if x else mpmath.mpf(1)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_mpmath(name):
    function, reference = CASES[name]
    got = jax.jit(function)(jnp.asarray(X))
    np.testing.assert_allclose(got, exact(reference), rtol=0, atol=2e-15)


@pytest.mark.parametrize(
    "name",
    [
        n if n in ("disk", "sphere") else pytest.param(n, marks=pytest.mark.slow)
        for n in CASES
    ],
)
def test_derivatives_of_both_orders_at_zero_and_at_the_switches(name):
    check_grads(jax.jit(CASES[name][0]), (POINTS,), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("name", CASES)
def test_single_precision(name):
    function, reference = CASES[name]
    got = function(jnp.asarray(X, jnp.float32))
    assert got.dtype == jnp.float32
    near = X < 1e3  # beyond, the argument itself is rounded to 1e-4
    np.testing.assert_allclose(got[near], exact(reference)[near], rtol=0, atol=1e-4)


@pytest.mark.parametrize("n", [2, 3])
def test_higher_orders_that_derivatives_are_made_of(n):
    disk = exact(
        lambda x: (
            mpmath.factorial(n) * 2**n * mpmath.besselj(n, x) / x**n
            if x > 1e-8
            else mpmath.mpf(1)
        )
    )
    got = room._lambda(n, jnp.asarray(X))
    np.testing.assert_allclose(got, disk, rtol=0, atol=5e-15)


def test_phase_and_modulus_coefficients_are_reproduced():
    """The stored Chebyshev coefficients, from J and Y at other nodes than theirs."""
    with mpmath.workdps(30):
        for n in (0, 1):
            for s in (-0.9, -0.2, 0.4, 0.99):
                x = 8 / mpmath.sqrt((mpmath.mpf(s) + 1) / 2)
                chi = x - (2 * n + 1) * mpmath.pi / 4
                j, y = mpmath.besselj(n, x), mpmath.bessely(n, x)
                root = mpmath.sqrt(mpmath.pi * x / 2)
                p = root * (j * mpmath.cos(chi) + y * mpmath.sin(chi))
                q = root * (y * mpmath.cos(chi) - j * mpmath.sin(chi)) * x / 8
                got = np.polynomial.polynomial.polyval(s, room._P_POWERS[n])
                np.testing.assert_allclose(got, float(p), atol=3e-16, rtol=0)
                got = np.polynomial.polynomial.polyval(s, room._Q_POWERS[n])
                np.testing.assert_allclose(got, float(q), atol=3e-16, rtol=0)
