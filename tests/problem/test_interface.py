"""What the verbs ask of a problem, answered by one data set and by several."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import ModelError
from jaxscatter.problem import joint

from . import cases


def test_a_problem_is_its_own_only_part():
    problem, x = cases.problem(), jnp.asarray(cases.X)
    assert problem.parts == (problem,) and problem.part_names == ("",)
    (vector,) = problem.vectors(x)
    np.testing.assert_array_equal(vector, x)
    assert problem.each(lambda p: p) is problem
    assert problem.single("a verb", "do without") is problem
    assert problem.part_theta(0, {"r": 1.0}) == {"r": 1.0}


def test_points_are_counted_over_the_parts():
    one = cases.problem()
    both = joint(one, one)
    assert one.n_total == cases.GROUPS * cases.POINTS
    assert both.n_total == 2 * one.n_total
    assert both.n_valid == 2 * one.n_valid == 2 * int(one.data.mask.sum())
    assert float(both.count) == both.n_valid
    assert both.n_parameters == 2 * one.n_parameters == len(both.start())


def test_linear_modes_are_told_part_by_part():
    free, prior = cases.problem(cases.FREE), cases.problem(cases.PRIOR)
    explicit = cases.problem(cases.FREE, explicit=True)
    assert free.mode_text("flat") == "flat"
    assert explicit.mode_text("profile") == "explicit"
    mixed = joint(free, prior, explicit, names=("f", "p", "e"))
    assert mixed.default_linear_mode == "own"
    assert mixed.modes("own") == ("flat", "gaussian", "profile")
    assert mixed.mode_text("own") == "flat (f), gaussian (p), explicit (e)"
    assert joint(free, free).default_linear_mode == "flat"
    with pytest.raises(ModelError, match="no Gaussian prior"):
        mixed.check_mode("gaussian")


def test_explicit_amplitudes_are_made_where_a_mode_asks_for_them():
    free, jitter = cases.problem(), cases.problem(noise="jitter")
    assert free.explicit_where("flat") == (free, "flat")
    made, mode = joint(free, jitter).explicit_where("own")
    assert mode == "flat"
    assert [bool(p.linear) for p in made.parts] == [True, False]
    made, mode = joint(free, free).explicit_where("explicit")
    assert mode == "profile" and not made.linear
