"""A model's `normal_block` gives the sums that `columns` give."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.problem import (
    AbstractModel,
    Amplitude,
    Arrangement,
    BlockSums,
    Dataset,
    Gaussian,
    Parameter,
    ParameterSet,
    Problem,
    passes,
)

T = np.linspace(0.1, 3.0, 23)
STEPS = np.array([1.0, 1.4, 0.7])
TRUTH = {"k": 1.3, "w": 0.6}
X = jnp.array([1.25, 0.63])


class Decay(AbstractModel):
    """exp(-k s t) cos(w t) and 1, in blocks of four points taken backwards."""

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]

    def prepare(self, theta: Any) -> Any:
        return {"k": theta["k"], "w": theta["w"]}

    def columns(self, prepared: Any, theta: Any, coords: Any) -> Any:
        t = coords["t"]
        m = jnp.exp(-prepared["k"] * coords["s"] * t) * jnp.cos(prepared["w"] * t)
        return jnp.stack([m, jnp.ones_like(m)], axis=1)

    @property
    def block_parameters(self):
        return "k", "w"

    def arrangement(self, data):
        order = np.concatenate([np.arange(data.n_points)[::-1], [-1]])
        t = np.append(np.asarray(data.coords["t"])[::-1], 1.0)
        return Arrangement(order, {"t": t}, 4)

    def normal_block(
        self, prepared, d_prepared, theta, coords, w, y, a, likelihood
    ) -> BlockSums:
        t, s = coords["t"], coords["s"]
        columns = self.columns(prepared, theta, coords)
        r = y - columns @ a
        z2 = w * r**2
        w = w * likelihood.loss_weight(z2)
        chi2 = jnp.sum(likelihood.loss_of(z2))
        weighted = columns * w[:, None]
        first = BlockSums(weighted.T @ columns, weighted.T @ r, chi2)
        if d_prepared is None:
            return first
        m = columns[:, 0]
        by_k, by_w = -s * t * m, -t * jnp.tan(prepared["w"] * t) * m
        d_m = (
            d_prepared["k"][:, None] * by_k[None]
            + d_prepared["w"][:, None] * by_w[None]
        )
        d = jnp.stack([d_m, jnp.zeros_like(d_m)], axis=2)
        return BlockSums(
            first.gram,
            first.h,
            chi2,
            jnp.einsum("pnk,n,nl->pkl", d, w, columns),
            jnp.einsum("pnk,n->pk", d, w * r),
            jnp.einsum("pnk,n,qnl->pkql", d, w, d),
        )


def made(amplitudes=("a", "b"), parameters=None, loss="linear", **options):
    rng = np.random.default_rng(3)
    clean = np.exp(-1.3 * STEPS[:, None] * T) * np.cos(0.6 * T)
    y = np.array([2.0, 1.0, 3.0])[:, None] * clean + 0.4
    y = y + rng.normal(0, 0.05, y.shape)
    y[1, 5] += 1.0  # an outlier
    mask = np.ones(y.shape, bool)
    mask[0, 3] = False
    data = Dataset(y, np.full(y.shape, 0.05), mask, {"t": T, "s": STEPS})
    amplitudes = tuple(
        Amplitude(a, prior=(1.0, 2.0)) if isinstance(a, str) else a for a in amplitudes
    )
    table = ParameterSet(
        [Parameter("k", 1.25, bounds=(0.1, 5.0)), Parameter("w", 0.63, bounds=(0, 2))]
    )
    model = Decay(parameters=table, amplitudes=amplitudes)
    likelihood = Gaussian(loss=loss)
    return Problem(model, data, parameters, likelihood=likelihood, **options)


SHARED = (Amplitude("a"), Amplitude("b", shared=True))
CASES = {
    "local": {},
    "shared": {"amplitudes": SHARED},
    "bounded": {"amplitudes": (Amplitude("a", 0.0, 1.5), Amplitude("b", 0.0, 1.0))},
    "explicit": {"explicit": True},
    "tied": {"parameters": {"w": {"tie": lambda k: 0.5 * k}}},
    "fixed": {"parameters": {"w": {"fixed": True}}},
    "huber": {"loss": "huber"},
    "cauchy": {"loss": "cauchy", "amplitudes": SHARED},
}


@pytest.mark.parametrize("case", CASES)
def test_blocks_and_columns_give_one_triple(case):
    problem = made(**CASES[case])
    assert passes.has_blocks(problem)
    plain = problem.without_blocks()
    assert not passes.has_blocks(plain)
    x = problem.start() * 1.02
    run = eqx.filter_jit(lambda p: (p.normal(x), p.cost(x), p.amplitudes(x)))
    (one, cost, a), (two, other, b) = run(problem), run(plain)
    tolerance = {"rtol": 1e-10, "atol": 1e-10 * float(jnp.max(jnp.abs(two.hessian)))}
    np.testing.assert_allclose(one.hessian, two.hessian, **tolerance)
    np.testing.assert_allclose(one.gradient, two.gradient, **tolerance)
    np.testing.assert_allclose([one.cost, cost], [two.cost, other], rtol=1e-10)
    np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize("mode", ["profile", "flat", "gaussian"])
def test_blocks_and_columns_give_one_likelihood(mode):
    problem = made()

    @eqx.filter_jit
    def run(p):
        return jax.value_and_grad(lambda x: p.loglike(x, mode))(X)

    (value, slope), (other, expected) = run(problem), run(problem.without_blocks())
    np.testing.assert_allclose(value, other, rtol=1e-12)
    np.testing.assert_allclose(slope, expected, rtol=1e-9)


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy", "student_t"])
def test_the_gradient_under_a_robust_loss_is_that_of_the_cost(loss):
    problem = made(loss=loss)
    cost = eqx.filter_jit(problem.cost)
    triple = eqx.filter_jit(problem.normal)(X)
    np.testing.assert_allclose(triple.cost, cost(X), rtol=1e-12)
    step = 1e-5 * np.eye(2)
    slope = [(cost(X + s) - cost(X - s)) / 2e-5 for s in step]
    np.testing.assert_allclose(triple.gradient, slope, rtol=1e-6)


def test_curves_and_residuals_keep_the_given_order():
    problem = made()
    a = jnp.asarray([[2.0, 0.4], [1.0, 0.4], [3.0, 0.4]])
    got = problem.predict(X, a)
    clean = np.exp(-1.25 * STEPS[:, None] * T) * np.cos(0.63 * T)
    np.testing.assert_allclose(got, np.asarray(a)[:, :1] * clean + 0.4, rtol=1e-12)
    assert problem.residuals(X).shape == (3 * T.size,)
    assert problem.residuals(X)[3] == 0.0  # the masked point


def test_noise_that_depends_on_parameters_goes_through_columns():
    assert not passes.has_blocks(made().with_(likelihood=Gaussian("jitter")))


def test_mixed_precision_keeps_the_double_sums_to_single_rounding():
    problem = made()
    mixed = problem.with_(precision="mixed")
    assert mixed.data.y.dtype == jnp.float32
    run = eqx.filter_jit(lambda p: p.normal(X))
    for low in (mixed, mixed.without_blocks()):
        one, two = run(low), run(problem)
        assert one.hessian.dtype == jnp.float64
        np.testing.assert_allclose(one.hessian, two.hessian, rtol=1e-4)
        np.testing.assert_allclose(one.cost, two.cost, rtol=1e-5)
