"""Data in the order of the passes."""

import jax
import numpy as np

from jaxscatter.problem import Dataset, Parameter, model
from jaxscatter.problem.arrange import arranged, pilot_of, placed


def made(n=10):
    y = np.arange(2.0 * n).reshape(2, n)
    mask = np.ones((2, n), bool)
    mask[:, 3] = False
    return Dataset(
        y, np.ones_like(y), mask, {"t": np.arange(float(n))}, {"t": ("point",)}
    )


PLAIN = model(lambda theta, coords: coords["t"][:, None], [Parameter("k", 1.0)])


def test_without_an_order_points_stay_and_chunks_are_filled():
    data, place, block, chunk = arranged(PLAIN, made(), 4, None)
    assert (place, block, chunk, data.n_points) == (None, None, 4, 12)
    np.testing.assert_array_equal(np.asarray(data.mask)[:, 10:], 0.0)
    data, _, _, chunk = arranged(PLAIN, made(), None, None)
    assert chunk is None and data.n_points == 10


def test_a_pilot_holds_points_that_count():
    few = pilot_of(made(), 4)
    assert few.n_points == 4 and np.all(np.asarray(few.mask) == 1.0)
    assert pilot_of(made(), 100).n_points == 9


def test_numbers_are_placed_on_a_mesh():
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    data = placed(made(), mesh)
    assert isinstance(data.y.sharding, jax.sharding.NamedSharding)
    np.testing.assert_array_equal(data.y, made().y)
