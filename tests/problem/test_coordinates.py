"""The chain u -> z -> x: round trip, Jacobian, and when it falls back."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.problem import Coordinates, Parameter, ParameterSet, SamplingCoordinates


def table(**changes):
    return ParameterSet(
        [
            Parameter("a", 0.3, bounds=(0.0, 2.0)),
            Parameter("b", 1.0),
            Parameter("c", 0.5, bounds=(0.0, 1.0)),
        ]
    ).with_(**changes)


def total_and_share(names=("a", "c")):
    """(s, f) = (a + c, a/(a + c)) for two positive numbers."""
    return SamplingCoordinates(
        names,
        lambda x: jnp.stack([x[0] + x[1], x[0] / (x[0] + x[1])]),
        lambda z: jnp.stack([z[0] * z[1], z[0] * (1 - z[1])]),
        lambda lo, hi: (np.zeros(2), np.array([np.sum(hi), 1.0])),
        ("total", "share"),
    )


@pytest.mark.parametrize("wanted", [(), (total_and_share(),)])
def test_round_trip_and_log_determinant(wanted):
    made = Coordinates(table(), wanted)
    u = jnp.array([0.2, -0.7, 0.4])
    x, slope = eqx.filter_jit(made.to_x)(u)
    np.testing.assert_allclose(made.to_u(x), u, atol=1e-9)
    jacobian = jax.jit(jax.jacfwd(lambda u: made.to_x(u)[0]))(u)
    np.testing.assert_allclose(slope, np.linalg.slogdet(jacobian)[1], atol=1e-12)


def test_new_coordinates_reach_the_named_values():
    made = Coordinates(table(), (total_and_share(),))
    assert made.kinds == ("both", "none", "both")
    x, _ = made.to_x(jnp.zeros(3))  # the middle: total 1.5, share one half
    np.testing.assert_allclose(x, [0.75, 0.0, 0.75])


@pytest.mark.parametrize(
    "parameters",
    [
        table(a={"fixed": True}),
        table(a={"tie": "c"}),
        table(a={"local": True}).spread(2),
    ],
    ids=["fixed", "tied", "local"],
)
def test_groups_that_cannot_be_used_fall_back(parameters):
    assert Coordinates(parameters, (total_and_share(),)).groups == ()


def test_new_functions_of_the_same_code_are_the_same_coordinates():
    one, two = (Coordinates(table(), (total_and_share(),)) for _ in range(2))
    assert jax.tree.structure(one) == jax.tree.structure(two)
