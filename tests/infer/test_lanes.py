"""Stacking of data sets, and what lanes share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.infer.lanes import Many, problem_of, put, stacked
from jaxscatter.problem import Dataset, Parameter, model

T = np.linspace(0.0, 1.0, 5)
LINE = model(
    lambda th, c: (th["s"] * c["t"] * c["q"])[:, None],
    [Parameter("s", 1.0)],
    name="line",
)


def one(points=5, q=1.0, **kwargs):
    t = np.linspace(0.0, 1.0, points)
    return Dataset(t + q, np.ones(points), coords={"t": t, "q": q}, **kwargs)


def test_lengths_are_padded_to_a_power_of_two_without_weight():
    data = stacked([one(5), one(3), one(4)])
    assert data.y.shape == data.mask.shape == (3, 1, 8)
    np.testing.assert_array_equal(data.mask.sum(axis=(1, 2)), [5, 3, 4])
    assert data.coords["t"].shape == (3, 8) and data.coords["q"].shape == ()
    assert np.all(np.isfinite(data.coords["t"])) and np.all(data.sigma == 1.0)


def test_equal_lengths_stay_and_equal_coordinates_are_kept_once():
    data = stacked([one(q=1.0), one(q=2.0)])
    assert data.y.shape == (2, 1, 5) and data.coords["t"].shape == (5,)
    np.testing.assert_array_equal(data.coords["q"], [1.0, 2.0])


def test_groups_of_one_data_set_become_lanes():
    y = np.arange(15.0).reshape(3, 5)
    data = stacked(Dataset(y, coords={"t": T, "q": [1.0, 2.0, 3.0]}))
    assert data.y.shape == (3, 1, 5) and data.coords["q"].shape == (3, 1)
    assert data.coords["t"].shape == (5,)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (T, r"datasets\[1\] is a ndarray"),
        (Dataset(np.ones((2, 5)), coords={"t": T, "q": 1.0}), "n_groups 2"),
        (Dataset(np.ones(5), coords={"t": T}), "has dims"),
        (one(units={"t": "ps"}), "has units"),
    ],
)
def test_data_of_another_structure_are_refused_by_position(other, what):
    with pytest.raises(DataError, match=what):
        stacked([one(), other])


def test_coordinates_of_another_shape_are_refused_by_name():
    sets = [Dataset(T, coords={"k": np.ones(n)}, dims={"k": (None,)}) for n in (2, 3)]
    with pytest.raises(DataError, match=r"'k' of datasets\[1\] has shape \(3,\)"):
        stacked(sets)


def test_a_lane_is_the_data_set_it_was():
    sets = [one(q=1.0), one(q=2.0), one(q=3.0)]
    data = stacked(sets)
    many = Many(problem_of(LINE, data), data)
    assert many.count == 3 and many.block == 4
    for k, given in enumerate(sets):
        lane = many.data(k)
        np.testing.assert_array_equal(lane.y, given.y)
        assert lane.coords["q"] == given.coords["q"] and lane.dims == given.dims
        np.testing.assert_array_equal(many.problem(k).data.y, given.y)
    taken = jax.tree.leaves(many.take(np.array([2, 0])).data.y)[0]
    np.testing.assert_array_equal(taken[:, 0], [sets[2].y[0], sets[0].y[0]])
    assert Many(problem_of(LINE, data), data, 3).block == 2


def test_chunks_are_padded_in_every_lane():
    """Five points in chunks of two: the sixth has no weight."""
    data = stacked([one(q=1.0), one(q=2.0)])
    many = Many(lambda d: problem_of(LINE, data)(d).with_(chunk=2), data)
    assert many.template.data.n_points == 6
    end = many.end(np.array([[1.0], [1.0]]))
    t = np.linspace(0.0, 1.0, 5)
    expected = [np.sum((t + q - q * t) ** 2) for q in (1.0, 2.0)]
    np.testing.assert_allclose(end["chi2"], expected)
    np.testing.assert_allclose(
        end["hessian"][:, 0, 0], [np.sum(t**2), np.sum(4 * t**2)]
    )
    np.testing.assert_allclose(
        many.curves(np.array([[1.0], [2.0]])), [[t], [4 * t]], atol=1e-15
    )


def test_guesses_need_not_be_written_in_jax():
    data = stacked([one(q=1.0), one(q=2.0)])
    many = Many(problem_of(LINE, data), data)
    traced = many.guesses(lambda d: {"s": jnp.max(d.y) * d.coords["q"]})
    looped = many.guesses(lambda d: {"s": float(d.y.max()) * float(d.coords["q"])})
    np.testing.assert_allclose(traced["s"], [2.0, 6.0])
    np.testing.assert_allclose(looped["s"], [2.0, 6.0])


def test_rows_are_written_where_they_belong():
    state = {"x": np.zeros((3, 2)), "code": np.zeros(3, int)}
    put(state, np.array([2, 0]), {"x": np.ones((2, 2)), "code": np.array([5, 6])})
    np.testing.assert_array_equal(state["code"], [6, 0, 5])
    np.testing.assert_array_equal(state["x"][:, 0], [1, 0, 1])
