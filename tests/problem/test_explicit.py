"""Amplitudes as parameters get tables from their declarations."""

import pytest

from jaxscatter.errors import ModelError
from jaxscatter.problem import Amplitude, Parameter, ParameterSet, model
from jaxscatter.problem.explicit import explicit_table

SHAPE = model(
    lambda theta, coords: None,
    [Parameter("k", 1.0)],
    (
        Amplitude("a", lower=0.0, unit="cm"),
        Amplitude("b", prior=(2.0, 0.5), shared=True),
    ),
)


def test_tables_follow_the_declarations():
    a, b = explicit_table(SHAPE, {}, SHAPE.parameters)
    assert (a.name, a.unit, float(a.lo), a.local) == ("a", "cm", 0.0, True)
    assert not b.local and float(b.prior.mean) == 2.0


def test_given_parameters_take_their_place_and_present_ones_stay():
    given = Parameter("other", 3.0, bounds=(1.0, 5.0))
    a, _ = explicit_table(SHAPE, {"a": given}, SHAPE.parameters)
    assert (a.name, float(a.value), a.local) == ("a", 3.0, True)
    table = ParameterSet([Parameter("a", 1.0)])
    assert [p.name for p in explicit_table(SHAPE, {}, table)] == ["b"]


def test_unknown_names_are_refused():
    with pytest.raises(ModelError, match=r"no amplitudes \['c'\]"):
        explicit_table(SHAPE, {"c": Parameter("c", 1.0)}, SHAPE.parameters)
