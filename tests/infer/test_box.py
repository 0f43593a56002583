"""Bounds and periods as the solver takes them."""

import numpy as np

from jaxscatter.infer.box import box


def test_bounds_and_scales_are_those_of_the_parameters(cases):
    problem = cases.decay()
    limits, (lo, hi) = box(problem), problem.parameters.bounds()
    np.testing.assert_array_equal(limits.lo, lo)
    np.testing.assert_array_equal(limits.hi, hi)
    x = problem.start()
    np.testing.assert_array_equal(limits.wrap(x), x)


def test_circular_parameters_have_no_bounds_and_turn():
    import jax.numpy as jnp

    from jaxscatter.problem import Dataset, Parameter, Problem, model

    angle = Parameter("angle", 10.0, bounds=(0.0, 360.0), unit="degree", circular=True)
    shape = model(lambda theta, coords: coords["t"][:, None] * theta["angle"], [angle])
    data = Dataset(np.ones(3), np.ones(3), coords={"t": np.arange(3.0)})
    limits = box(Problem(shape, data))
    assert np.isinf(limits.lo[0]) and np.isinf(limits.hi[0])
    np.testing.assert_allclose(limits.wrap(jnp.array([370.0])), [10.0])
