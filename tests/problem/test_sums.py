"""Positions of free parameters, and spreading and scattering over groups."""

import jax.numpy as jnp
import numpy as np

from jaxscatter.problem import Parameter, ParameterSet, sums


def where():
    table = ParameterSet(
        [
            Parameter("s", 1.0),
            Parameter("x", 1.0, local=True),
            Parameter("fixed", 1.0, fixed=True),
            Parameter("t", 1.0),
            Parameter("y", 1.0, local=True),
        ]
    )
    return sums.layout(table.spread(3), 3)


def test_layout():
    got = where()
    assert (got.shared, got.local, got.size) == (("s", "t"), ("x", "y"), 8)
    np.testing.assert_array_equal(got.at_shared, [0, 4])
    np.testing.assert_array_equal(got.at_local, [[1, 5], [2, 6], [3, 7]])
    np.testing.assert_array_equal(got.per_group[1], [0, 4, 2, 6])


def test_scatter_and_spread_are_loops_over_groups():
    got, rng = where(), np.random.default_rng(0)
    vector, matrix = rng.normal(size=(3, 4)), rng.normal(size=(3, 4, 4))
    n = rng.normal(size=(3, 2, 4))
    expected, square, wide = np.zeros(8), np.zeros((8, 8)), np.zeros((3, 2, 8))
    for g, index in enumerate(got.per_group):
        expected[index] += vector[g]
        square[np.ix_(index, index)] += matrix[g]
        wide[g][:, index] = n[g]
    np.testing.assert_allclose(sums.scatter(got, jnp.asarray(vector), 1), expected)
    np.testing.assert_allclose(sums.scatter(got, jnp.asarray(matrix), 2), square)
    np.testing.assert_allclose(sums.spread(got, jnp.asarray(n)), wide)
