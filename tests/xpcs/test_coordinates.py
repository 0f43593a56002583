"""The reference-time coordinates: a bijection, with priors on the named parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter import xpcs

T = 0.1 * np.arange(40)


def made(**options):
    values = {"D0": 1000.0, "alpha": -0.3, "D_offset": 20.0}
    phi = np.zeros(1)
    square = xpcs.c2(values, T, phi, q=0.0054, model="static_isotropic")
    data = xpcs.from_matrices(np.asarray(square), phi, q=0.0054, t=T, sigma=0.01)
    return xpcs.problem(data, "static", values=values, **options)


@pytest.mark.parametrize("options", [{}, {"fixed": {"D_offset": 5.0}}])
def test_there_and_back_and_the_jacobian(options):
    problem = made(**options)
    x = problem.start()
    u = problem.coordinates.to_u(x)
    back, log_det = problem.coordinates.to_x(u)
    np.testing.assert_allclose(back, x, rtol=1e-9)
    jacobian = jax.jacfwd(lambda u: problem.coordinates.to_x(u)[0])(u)
    np.testing.assert_allclose(log_det, jnp.linalg.slogdet(jacobian)[1], rtol=1e-9)


def test_the_first_coordinate_is_the_rate_at_the_middle_time():
    problem = made(fixed={"D_offset": 0.0})
    u = problem.coordinates.to_u(problem.start())
    t_ref = np.sqrt(0.1 * T[-1])
    np.testing.assert_allclose(u[0], np.log(1000.0 * t_ref**-0.3), rtol=1e-9)


def test_they_decouple_amplitude_and_exponent():
    """The correlation of log D_ref and α is far below that of D0 and α."""
    problem = made(fixed={"D_offset": 0.0})
    x = problem.start()
    h = problem.normal(x).hessian
    u = problem.coordinates.to_u(x)
    slope = jax.jacfwd(lambda u: problem.coordinates.to_x(u)[0])(u)

    def correlation(h):
        c = np.linalg.inv(np.asarray(h))
        return abs(c[0, 1]) / np.sqrt(c[0, 0] * c[1, 1])

    assert correlation(h) > 0.9 > 2 * correlation(slope.T @ h @ slope)


@pytest.mark.parametrize(
    "options", [{"rate": "offset"}, {"bounds": [{"name": "D0", "min": 0.0}]}]
)
def test_without_a_positive_amplitude_the_parameters_stay(options):
    problem = made(**options)
    if options.get("rate"):
        assert problem.coordinates.groups == ()
    else:
        assert all("D0" not in g.names for g in problem.coordinates.groups)
