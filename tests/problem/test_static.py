"""What compares equal under jit, and what does not."""

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxscatter.problem.static import Note, PureFunction

OFFSET = 1.0


def make(factor):
    return PureFunction(lambda x: factor * x)


def using_global():
    return PureFunction(lambda x: x + OFFSET)


class Scale(eqx.Module):
    factor: jnp.ndarray

    def __call__(self, x):
        return self.factor * x

    def apply(self, x):
        return self.factor * x


def same(a, b):
    return a == b and hash(a) == hash(b)


def test_notes_are_all_equal():
    assert same(Note("a"), Note({"b": 1}))
    assert Note("a") != "a"
    assert repr(Note(1)) == "Note(1)"


def test_functions_of_the_same_code_and_captures_are_equal():
    assert same(make(2.0), make(2.0))
    assert make(2.0) != make(3.0)
    assert make(2) != make(2.0) and make(0.0) != make(-0.0)
    assert same(make(np.arange(3.0)), make(np.arange(3.0)))
    assert make(np.arange(3.0)) != make(np.arange(3.0) + 1)
    assert same(make([1, {"a": (2,)}]), make([1, {"a": (2,)}]))
    assert make(2.0)(3) == 6.0
    assert make(2.0) != (lambda x: x)


def test_captured_functions_are_compared_by_what_they_do():
    assert same(make(make(2.0)), make(make(2.0)))
    assert same(make(lambda: 1), make(make(1.0))) is False
    assert same(make(functools.partial(max, 1)), make(functools.partial(max, 1)))
    assert make(functools.partial(max, 1)) != make(functools.partial(max, 2))


def test_a_changed_global_is_another_function(monkeypatch):
    before = using_global()
    assert same(before, using_global())
    monkeypatch.setitem(globals(), "OFFSET", 2.0)
    assert using_global() != before


def test_methods_of_different_objects_differ():
    one, two = Scale(jnp.ones(())), Scale(2 * jnp.ones(()))
    assert same(PureFunction(one.apply), PureFunction(one.apply))
    assert PureFunction(one.apply) != PureFunction(two.apply)


def test_defaults_count():
    def with_default(value):
        return PureFunction(lambda x, factor=value, *, other=value: x * factor * other)

    assert same(with_default(1.0), with_default(1.0))
    assert with_default(1.0) != with_default(2.0)


def test_what_cannot_be_hashed_is_compared_by_identity():
    callable_module, array = Scale(jnp.ones(())), jnp.ones(3)
    assert same(PureFunction(callable_module), PureFunction(callable_module))
    assert PureFunction(callable_module) != PureFunction(Scale(jnp.ones(())))
    assert same(make(array), make(array)) and make(array) != make(jnp.ones(3))


def test_a_function_that_calls_itself():
    def build():
        def factorial(n):
            return 1 if n == 0 else n * factorial(n - 1)

        return PureFunction(factorial)

    assert same(build(), build()) and build()(4) == 24
