"""A model from one function, and what happens when it is not what it says."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import ModelError, ParameterError
from jaxscatter.problem import AbstractModel, Dataset, Parameter, Problem, model

DATA = Dataset(np.ones((2, 5)), coords={"t": np.arange(5.0)})
TABLE = [Parameter("r", 0.5), {"name": "b", "value": 1.0, "bounds": (0.0, 2.0)}]


def decay(theta, coords):
    return jnp.exp(-theta["r"] * coords["t"])[:, None] * theta["b"]


def test_one_function_is_a_model():
    made = model(decay, TABLE, ["a"], name="decay")
    assert isinstance(made, AbstractModel)
    assert made.name == "decay" and made.parameters.names == ("r", "b")
    assert made.prepare({}) is None and made.sampling_coordinates == ()
    assert made.independent_points
    got = made.columns(None, {"r": 0.0, "b": 2.0}, {"t": jnp.arange(5.0)})
    np.testing.assert_array_equal(got, 2 * np.ones((5, 1)))


def test_prepared_work_is_handed_over():
    made = model(
        lambda prepared, theta, coords: prepared * coords["t"][:, None],
        TABLE,
        prepare=lambda theta: theta["r"] + 1,
    )
    problem = Problem(made, DATA)
    got = problem.predict(problem.start())
    np.testing.assert_allclose(got, 1.5 * np.arange(5.0)[None] * np.ones((2, 1)))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (lambda theta, coords: coords["t"], r"shape \(5,\)"),
        (lambda theta, coords: coords["t"][None], r"shape \(1, 5\)"),
        (lambda theta, coords: jnp.ones((1, 1)), r"shape \(1, 1\)"),
        (lambda theta, coords: jnp.ones((5, 2)), r"shape \(5, 2\)"),
        (lambda theta, coords: 1j * jnp.ones((5, 1)), "complex128"),
        (lambda theta, coords: [1.0] * 5, "returned list"),
        (lambda theta, coords: None, "returned NoneType"),
    ],
)
def test_columns_of_the_wrong_shape_name_the_model(columns, message):
    for amplitudes in ([], ["a"]):
        problem = Problem(model(columns, TABLE, amplitudes, name="odd"), DATA)
        with pytest.raises(ModelError, match=message) as told:
            problem.cost(problem.start())
        assert "'odd'" in str(told.value) and "(5, 1)" in str(told.value)


def test_bad_arguments_are_refused():
    with pytest.raises(ParameterError, match="twice"):
        model(decay, [*TABLE, Parameter("r", 1.0)])
    with pytest.raises(ModelError, match="not distinct"):
        model(decay, TABLE, ["a", "a"])
