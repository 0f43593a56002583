import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from jax.test_util import check_grads

from jaxscatter.numerics import sincos


def test_sine_and_cosine_are_those_of_mpmath_up_to_a_million():
    x = np.concatenate(
        [
            np.linspace(-20, 20, 401),
            np.geomspace(1e-300, 1e6, 200),
            np.arange(1, 40) * (np.pi / 2),  # quarter turns, where one of them is 0
        ]
    )
    with mpmath.workdps(40):
        s = np.array([float(mpmath.sin(v)) for v in x])
        c = np.array([float(mpmath.cos(v)) for v in x])
    got_s, got_c = jax.jit(sincos)(jnp.asarray(x))
    np.testing.assert_allclose(got_s, s, rtol=0, atol=3e-16)
    np.testing.assert_allclose(got_c, c, rtol=0, atol=3e-16)


def test_derivatives_of_both_orders():
    x = jnp.array([0.0, 0.3, np.pi / 4, 2.0, -11.0])
    check_grads(jax.jit(sincos), (x,), order=2, modes=("fwd", "rev"))


def test_single_precision_stays_single():
    s, c = sincos(jnp.float32(1.25))
    assert s.dtype == c.dtype == jnp.float32
    np.testing.assert_allclose([s, c], [np.sin(1.25), np.cos(1.25)], rtol=1e-6)
