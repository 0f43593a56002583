"""Derivatives through channels equal those of the function itself."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed.sensitivity import channelled

KT = jnp.asarray(np.random.default_rng(0).normal(size=(7, 2)))
START = jnp.array([1.0, 0.4, 1.1, 0.2, 0.7])


def waves(channels, rest, kt, t):
    """Three columns that feel two channels, K_t and t in ways of their own."""
    x, y = kt[:, :1], kt[:, 1:]
    column = jnp.arange(1.0, 4.0)[None, :]
    return jnp.sin(
        channels["a"] * x * column + channels["b"] * y**2 + rest["c"] * t * x
    )


def of_parameters(propagate, theta):
    """Five parameters: two channels, scale and shift of K_t, and thickness."""
    channels = {"a": theta[0], "b": theta[1]}
    rest = {"c": jnp.asarray(0.3)}
    return propagate(channels, rest, theta[2] * KT + theta[3], theta[4])


direct = functools.partial(of_parameters, waves)


@pytest.mark.parametrize("tile", [3, 7, 100])
def test_values_and_jacobians_equal_those_without_channels(tile):
    """Seven tilts in tiles of three, whole, and in a tile larger than they are."""
    propagate = functools.partial(of_parameters, channelled(waves, tile))
    np.testing.assert_allclose(propagate(START), direct(START), rtol=1e-14)
    expected = jax.jacfwd(direct)(START)
    for jacobian in (jax.jacfwd, jax.jacrev):
        found = jax.jit(jacobian(propagate))(START)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_second_derivatives_are_exact():
    propagate = functools.partial(of_parameters, channelled(waves, 4))

    def cost(function):
        return lambda theta: jnp.sum(jnp.square(function(theta)))

    found = jax.jit(jax.hessian(cost(propagate)))(START)
    np.testing.assert_allclose(found, jax.hessian(cost(direct))(START), rtol=1e-11)
    check_grads(jax.jit(propagate), (START,), 1, modes=("fwd", "rev"))


@pytest.mark.parametrize(
    ("moving", "tangents"),
    [
        ("gl, rotation, shifts", 2),
        ("thickness", 1),
        ("a", 1),
        ("a and b", 2),
        ("everything", 5),
    ],
)
def test_only_what_moves_is_propagated(moving, tangents):
    """Geometry costs two tangents whatever number of parameters is behind it."""
    counted = []

    @jax.custom_jvp
    def probe(x):
        return x

    @probe.defjvp
    def rule(primals, directions):
        # a batched tangent stands for as many as its leading axis has
        counted.append(directions[0])
        return probe(primals[0]), directions[0]

    def seen(channels, rest, kt, t):
        return probe(waves(channels, rest, kt, t))

    propagate = channelled(seen, 100)
    geometry = jnp.array([1.1, 0.2, -0.3, 0.05, 0.4])

    def function(x):
        scale, turn, dx, dy, skew = geometry * x
        kt = scale * KT + jnp.stack([dx, dy])[None, :] + turn * KT[:, ::-1] * skew
        everything = moving == "everything"
        if not (everything or moving.startswith("gl")):
            kt = KT
        t = 0.7 * x if everything or moving == "thickness" else jnp.asarray(0.7)
        a = x if everything or moving in ("a", "a and b") else jnp.asarray(1.0)
        b = 0.4 * x if everything or moving == "a and b" else jnp.asarray(0.4)
        return propagate({"a": a, "b": b}, {"c": jnp.asarray(0.3)}, kt, t)

    jax.jvp(function, (jnp.asarray(1.0),), (jnp.asarray(1.0),))
    assert len(counted) == counted_calls(moving)
    assert batch_of(counted) == tangents


def counted_calls(moving):
    """Channels, K_t and thickness are pushed in one batch each."""
    return 3 if moving == "everything" else 1


def batch_of(directions):
    sizes = []
    for d in directions:
        size = 1
        while hasattr(d, "batch_dim"):
            size *= d.val.shape[d.batch_dim]
            d = d.val
        sizes.append(size)
    return sum(sizes)


def test_directions_along_many_parameters_can_be_batched():
    propagate = functools.partial(of_parameters, channelled(waves, 3))
    directions = jnp.eye(5)[:3]

    def along(d):
        return jax.jvp(propagate, (START,), (d,))[1]

    found = jax.jit(jax.vmap(along))(directions)
    expected = jnp.moveaxis(jax.jacfwd(direct)(START), -1, 0)[:3]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_what_is_not_a_channel_counts_as_constant():
    propagate = channelled(waves, 7)

    def function(c):
        channels = {"a": jnp.asarray(1.0), "b": jnp.asarray(0.4)}
        return propagate(channels, {"c": c}, KT, jnp.asarray(0.7))

    slope = jax.jvp(function, (jnp.asarray(0.3),), (jnp.asarray(1.0),))[1]
    np.testing.assert_array_equal(slope, 0.0)


def test_without_channels_the_geometry_still_moves():
    def plain(channels, rest, kt, t):
        del channels, rest
        return jnp.cos(kt[:, :1] * t) * jnp.ones((1, 2))

    propagate = channelled(plain, 3)

    def function(x):
        return propagate({}, None, x[0] * KT, x[1])

    given = jnp.array([1.3, 0.8])
    expected = jax.jacfwd(lambda x: plain({}, None, x[0] * KT, x[1]))(given)
    np.testing.assert_allclose(jax.jacrev(function)(given), expected, atol=1e-13)
