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


@pytest.mark.slow
def test_they_decouple_the_three():
    problem = made()
    x = problem.start()
    h = np.asarray(problem.normal(x).hessian)
    u = problem.coordinates.to_u(x)
    slope = np.asarray(jax.jacfwd(lambda u: problem.coordinates.to_x(u)[0])(u))

    def largest(h):
        c = np.linalg.inv(h)
        sd = np.sqrt(np.diag(c))
        return np.max(np.abs(c / np.outer(sd, sd) - np.eye(3)))

    assert largest(h) > 0.99 and largest(slope.T @ h @ slope) < 0.8


@pytest.mark.parametrize(
    "options", [{"rate": "offset"}, {"bounds": [{"name": "D0", "min": 0.0}]}]
)
def test_without_a_positive_amplitude_the_parameters_stay(options):
    problem = made(**options)
    if options.get("rate"):
        assert problem.coordinates.groups == ()
    else:
        assert all("D0" not in g.names for g in problem.coordinates.groups)
