"""The table of convolved Lorentzians against the convolution it stands for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.numerics import (
    convolution,
    lorentzian_moments,
    normalise_kernel,
    tabulate,
)

OMEGA = np.linspace(-1.0, 1.0, 81)
ENERGY = OMEGA[20:61] + 0.004  # off the data's grid
KERNEL = normalise_kernel(np.exp(-0.5 * ((ENERGY - 0.03) / 0.06) ** 2), ENERGY)
WIDTHS = np.array([1e-5, 3e-3, 0.02, 0.3, 7.0])
WEIGHTS = np.array([0.5, 0.2, 1.0, 0.7, 3.0])


@pytest.fixture(scope="module")
def instrument():
    return convolution(OMEGA, ENERGY, KERNEL)


@pytest.fixture(scope="module")
def table(instrument):
    return tabulate(
        jax.jit(
            lambda g: jax.lax.map(
                lambda one: instrument.lorentzians(jnp.ones(1), one[None]), g
            )
        ),
        window=1.0,
    )


def _through_table(table, weights, widths):
    terms = table.coefficients.shape[0]
    moments = lorentzian_moments(weights, widths, table.scale, terms)
    return moments @ jnp.asarray(table.coefficients)


def test_a_sum_through_the_table_is_the_convolution(instrument, table):
    exact = instrument.lorentzians(WEIGHTS, WIDTHS)
    got = _through_table(table, WEIGHTS, WIDTHS)
    np.testing.assert_allclose(got, exact, rtol=0, atol=1e-12 * np.max(exact))


def test_fewer_than_a_hundred_terms_serve_all_widths(table):
    assert table.coefficients.shape[0] < 100


def test_a_vanishing_width_gives_the_kernel_itself():
    """On the kernel's own grid the elastic line is the kernel."""
    own = convolution(ENERGY, ENERGY, KERNEL)
    made = tabulate(
        jax.jit(
            lambda g: jax.lax.map(
                lambda one: own.lorentzians(jnp.ones(1), one[None]), g
            )
        ),
        window=0.5,
    )
    got = _through_table(made, np.ones(1), np.zeros(1))
    np.testing.assert_allclose(got, KERNEL, rtol=0, atol=1e-11 * KERNEL.max())


def test_moments_have_exact_derivatives_of_second_order(table):
    def total(weights, widths):
        return jnp.sum(jnp.sin(_through_table(table, weights, widths)))

    arguments = (jnp.asarray(WEIGHTS), jnp.asarray([*WIDTHS[1:].tolist(), 0.5]))
    check_grads(jax.jit(total), arguments, order=2, modes=("fwd", "rev"), rtol=1e-4)


def test_derivatives_by_width_agree_with_the_convolution(instrument, table):
    def through(widths):
        return _through_table(table, jnp.asarray(WEIGHTS), widths)

    def exact(widths):
        return instrument.lorentzians(WEIGHTS, widths)

    a = jax.jit(jax.jacfwd(through))(jnp.asarray(WIDTHS))
    b = jax.jit(jax.jacfwd(exact))(jnp.asarray(WIDTHS))
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * np.max(np.abs(b)))


def test_zero_width_has_a_finite_derivative(table):
    slope = jax.jacfwd(lambda g: _through_table(table, jnp.ones(1), g))(jnp.zeros(1))
    assert np.all(np.isfinite(slope))


def test_what_is_not_smooth_in_the_width_is_refused():
    """A sampled Lorentzian diverges at its centre as the width vanishes."""
    omega = jnp.asarray(OMEGA)

    def sampled(g):
        return g[:, None] / (jnp.pi * (omega[None] ** 2 + g[:, None] ** 2))

    assert tabulate(sampled, window=1.0) is None
