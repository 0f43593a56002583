"""Data read chunk by chunk give the sums of data in memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import DataError, ModelError
from jaxscatter.problem import Dataset, Parameter, Problem, StreamedDataset, model
from jaxscatter.problem.streamed import Piece, Reader

T = np.linspace(0.0, 4.0, 40)
RATES = np.array([1.0, 1.5])


def curve(theta, coords):
    m = jnp.exp(-theta["k"] * coords["s"] * coords["t"])
    return jnp.stack([m, jnp.ones_like(m)], axis=1)


def measured(seed=0):
    rng = np.random.default_rng(seed)
    y = 2 * np.exp(-0.8 * RATES[:, None] * T) + 0.3
    return y + rng.normal(0, 0.02, y.shape)


class Slices(Reader):
    """Runs of 16 points; the last run is filled up with weight 0."""

    count, points = 3, 40

    def __init__(self, y, mask=None):
        self.y, self.reads = np.pad(y, ((0, 0), (0, 8))), 0
        self.mask = np.pad(np.ones(y.shape) if mask is None else mask, ((0, 0), (0, 8)))
        self.t = np.pad(T, (0, 8), mode="edge")

    def read(self, index):
        self.reads += 1
        at = slice(16 * index, 16 * index + 16)
        return Piece(
            self.y[:, at],
            np.full((2, 16), 0.02),
            self.mask[:, at],
            {"t": self.t[at]},
        )


def problem_of(data):
    table = [Parameter("k", 1.0, bounds=(0.1, 5.0))]
    return Problem(model(curve, table, ("a", "b")), data)


def streamed(y, mask=None):
    return StreamedDataset(Slices(y, mask), {"s": RATES}, {"s": ("group",)})


def test_sums_and_fit_are_those_of_memory():
    y = measured()
    dense = problem_of(Dataset(y, np.full(y.shape, 0.02), coords={"t": T, "s": RATES}))
    lazy = problem_of(streamed(y))
    x = jnp.array([0.9])
    run = eqx.filter_jit(lambda p: (p.normal(x), p.loglike(x, "flat")))
    (one, value), (two, other) = run(lazy), run(dense)
    np.testing.assert_allclose(one.hessian, two.hessian, rtol=1e-10)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-10)
    np.testing.assert_allclose([one.cost, value], [two.cost, other], rtol=1e-10)
    fit, known = js.fit(lazy), js.fit(dense)
    np.testing.assert_allclose(fit.x, known.x, rtol=1e-9)
    assert fit.statistics["n_valid"] == 80 and not fit.warnings


def test_results_keep_no_points_and_say_what_is_missing(tmp_path):
    fit = js.fit(problem_of(streamed(measured())))
    back = js.load_result(fit.save(tmp_path / "run.h5"))
    assert back.data[0]["shape"] == (2, 40)
    with pytest.raises(ModelError, match="chunk by chunk"):
        fit.predict()


def test_another_file_of_the_same_shape_compiles_nothing_anew():
    traces = []

    def counted(theta, coords):
        traces.append(1)
        return curve(theta, coords)

    table = [Parameter("k", 1.0, bounds=(0.1, 5.0))]
    shape = model(counted, table, ("a", "b"))
    run = eqx.filter_jit(lambda p, x: p.cost(x))
    first = run(Problem(shape, streamed(measured())), jnp.array([0.9]))
    n = len(traces)
    second = run(Problem(shape, streamed(measured(1))), jnp.array([0.9]))
    assert n > 0 and len(traces) == n and first != second


@pytest.mark.slow
def test_the_gradient_passes_through_vmap():
    problem = problem_of(streamed(measured()))
    slope = jax.grad(lambda x: problem.loglike(x, "flat"))
    xs = jnp.array([[0.7], [0.9]])
    one = jax.vmap(slope)(xs)
    np.testing.assert_allclose(one, [slope(x) for x in xs], rtol=1e-12)


def test_masked_points_do_not_count_and_none_at_all_is_refused():
    y, mask = measured(), np.ones((2, 40))
    mask[1, 7] = 0
    assert streamed(y, mask).n_valid == 79
    fit = js.fit(problem_of(streamed(y, mask)), warn=False)
    assert "1 of 80 points are masked" in fit.warnings
    with pytest.raises(DataError, match="all points are masked"):
        streamed(y, np.zeros((2, 40)))
