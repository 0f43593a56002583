"""Names of joined parameters, what is refused, and what is said then."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import ModelError, ParameterError
from jaxscatter.problem import Dataset, Gaussian, Parameter, Problem, joint, model

from . import cases


def line(names, unit="m", n=5, sigma=True, **kwargs):
    table = [Parameter(name, 1.0, unit, (0.0, 3.0)) for name in names]

    def columns(theta, coords):
        return sum(theta[name] for name in names) * coords["t"][:, None]

    t = np.linspace(0, 1, n)
    data = Dataset(t, np.ones(n) if sigma else None, coords={"t": t})
    return Problem(model(columns, table, name="line"), data, **kwargs)


def test_names_tell_problems_apart_only_where_they_must():
    both = joint(line(["a", "b", "c"]), line(["b", "c", "d"]), shared=("c",))
    assert both.parameters.names == ("a", "b[0]", "c", "b[1]", "d")
    named = joint(line(["b"]), line(["b"]), names=("sans", "usans"))
    assert named.parameters.names == ("b[sans]", "b[usans]")
    every = joint(line(["a", "b"]), line(["b", "a"]), shared=True)
    assert every.parameters.names == ("a", "b")


def test_amplitudes_are_called_by_the_same_rule():
    one = cases.problem()
    both = joint(one, line(["r"]))
    assert both.amplitude_names == ({"a": "a", "b": "b"}, {})
    assert joint(one, one).amplitude_names[1] == {"a": "a[1]", "b": "b[1]"}
    explicit = joint(one, one).with_(explicit=True)
    assert {"a[0]", "b[1]"} <= set(explicit.parameters.names)


def test_local_parameters_keep_one_value_per_group():
    both = joint(cases.problem(), line(["r"], ""), shared=("r",))
    assert both.parameters.labels == ("r", "c", "w[0]", "w[1]", "w[2]")
    twice = joint(cases.problem(), cases.problem(), shared=("r", "c"))
    assert twice.parameters.labels[2:4] == ("w[0][0]", "w[0][1]")
    assert twice.parameters["rw[1]"].tie.arguments == ("r", "w[1]")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"shared": ("redius",)}, "'redius'.*did you mean 'radius'"),
        ({"shared": ("radius",)}, "in 'm' in problem '0' and in 'nm' in '1'"),
        ({"shared": ("own",)}, "only problem '0' has"),
        ({"shared": "radius"}, "expected a sequence"),
        ({"ties": {"radius[2]": "own"}}, r"did you mean 'radius\[\d\]'"),
        ({"ties": {"radius[1]": "radius[0]"}}, "'nm' is tied to .* in 'm'"),
        ({"ties": {"radius[1]": lambda onw: onw}}, "'onw'.*did you mean 'own'"),
        ({"ties": {"own": (lambda r: r, "radius")}}, "expected .function, names"),
        ({"parameters": {"onw": 1.0}}, "'onw'.*did you mean 'own'"),
        ({"parameters": {"own": {"valeu": 1.0}}}, "valeu"),
        ({"parameters": {"own": Parameter("other", 1.0)}}, "called 'other'"),
    ],
)
def test_mistakes_are_named_with_what_was_meant(arguments, said):
    with pytest.raises(ParameterError, match=said):
        joint(line(["radius", "own"]), line(["radius"], "nm"), **arguments)


def test_cyclic_ties_are_refused():
    with pytest.raises(ParameterError, match="cycle"):
        joint(line(["a"]), line(["b"]), ties={"a": "b", "b": "a"})


def test_locals_of_different_numbers_of_groups_are_not_shared():
    data = Dataset(np.ones((2, 4)), np.ones((2, 4)), coords={"q": np.array([1.0, 2.0])})
    other = Problem(
        model(
            lambda theta, coords: theta["w"] * jnp.ones((4, 1)),
            [Parameter("w", 1.0, bounds=(0.1, 9.0), local=True)],
        ),
        data,
    )
    with pytest.raises(ParameterError, match=r"shape \(3,\).*\(2,\)"):
        joint(cases.problem(), other, shared=("w",))
    with pytest.raises(ParameterError, match=r"shape \(2,\).*\(3,\)"):
        joint(cases.problem(), other, ties={"w[1]": "w[0]"})


def test_a_solved_amplitude_is_not_shared():
    with pytest.raises(ParameterError, match="explicit=True"):
        joint(cases.problem(), cases.problem(), shared=("a",))


def test_problems_must_be_told_apart():
    one = line(["a"])
    for names in (("x",), ("x", "x"), ("x", ""), ("x", "y[0]"), "xy"):
        with pytest.raises(ModelError, match="different words"):
            joint(one, one, names=names)
    with pytest.raises(ModelError, match="two or more"):
        joint(one)


def test_data_without_errors_have_no_weight_beside_others():
    bare = line(["a"], sigma=False)
    with pytest.raises(ModelError, match=r"'1' have no errors.*Gaussian\('scale'\)"):
        joint(line(["a"]), bare)
    joint(bare, bare)
    joint(line(["a"]), bare.with_(likelihood=Gaussian("scale")))
