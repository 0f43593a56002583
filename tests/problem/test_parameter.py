"""Parameters and their flat vector."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

from jaxscatter.errors import ParameterError, PriorError
from jaxscatter.problem import Parameter, ParameterSet

INF = np.inf


def table():
    return ParameterSet(
        [
            Parameter("D", 0.2, "Å²/ps", (0.0, 1.0)),
            Parameter("twice", 0.0, tie=lambda D: 2 * D),
            Parameter("tau", 3.0, "ps", fixed=True),
            Parameter("x", [1.0, 2.0], local=True, bounds=(0.0, 5.0)),
            Parameter("y", 0.0, tie="x", local=True),
            Parameter("sum", 0.0, tie=lambda twice, tau: twice + tau),
            Parameter("copy", 0.0, tie="D", local=True),
        ]
    )


def test_pack_and_unpack_are_a_round_trip():
    p = table().spread(2)
    np.testing.assert_array_equal(p.pack(), [0.2, 1.0, 2.0])
    theta = p.unpack(jnp.array([0.3, 4.0, 5.0]))
    assert tuple(theta) == p.names
    assert theta["D"] == 0.3 and theta["tau"] == 3.0
    np.testing.assert_allclose(theta["twice"], 0.6)
    np.testing.assert_allclose(theta["sum"], 3.6)
    np.testing.assert_array_equal(theta["x"], [4, 5])
    np.testing.assert_array_equal(theta["y"], [4, 5])
    np.testing.assert_array_equal(theta["copy"], [0.3, 0.3])


def test_the_flat_vector_is_labelled():
    p = table().spread(2)
    assert p.labels == ("D", "x[0]", "x[1]")
    assert p.units == ("Å²/ps", "", "")
    assert p.slices() == {"D": slice(0, 1), "x": slice(1, 3)}
    assert p.circular() == (False,) * 3
    assert p.kinds() == ("both",) * 3
    np.testing.assert_array_equal(p.bounds(), [[0, 0, 0], [1, 5, 5]])
    np.testing.assert_array_equal(p.scales(), [1, 5, 5])


def test_local_values_are_spread_over_groups():
    p = ParameterSet([Parameter("x", 1.5, local=True, bounds=(0.0, 2.0))]).spread(3)
    np.testing.assert_array_equal(p.pack(), [1.5] * 3)
    assert p.labels == ("x[0]", "x[1]", "x[2]")
    with pytest.raises(ParameterError, match=r"'x' has shape \(2,\).*\(3,\)"):
        table().spread(3)
    with pytest.raises(ParameterError, match="give local=True"):
        ParameterSet([Parameter("x", [1.0, 2.0])]).spread(2)


def test_no_free_parameters():
    p = ParameterSet([Parameter("a", 1.0, fixed=True)])
    assert p.pack().shape == (0,)
    assert p.unpack(jnp.zeros(0)) == {"a": 1.0}
    assert p.log_prior(jnp.zeros(0)) == 0


def test_ties_resolve_in_any_order():
    p = ParameterSet(
        [
            Parameter("a", 0.0, tie=lambda b: b + 1),
            Parameter("b", 0.0, tie="c"),
            Parameter("c", 2.0),
        ]
    )
    assert {k: float(v) for k, v in p.unpack(p.pack()).items()} == {
        "a": 3.0,
        "b": 2.0,
        "c": 2.0,
    }


def test_bad_ties_are_named():
    a, b = Parameter("a", 0.0, tie="b"), Parameter("b", 0.0, tie=lambda a: a)
    with pytest.raises(ParameterError, match="a -> b -> a"):
        ParameterSet([a, b])
    with pytest.raises(ParameterError, match="a -> a"):
        ParameterSet([Parameter("a", 0.0, tie="a")])
    with pytest.raises(ParameterError, match="'a' is tied to 'b', which is not"):
        ParameterSet([a])
    with pytest.raises(ParameterError, match="shared 'a' is tied to local 'b'"):
        ParameterSet([a, Parameter("b", 1.0, local=True)])


def test_duplicate_names_are_refused():
    with pytest.raises(ParameterError, match=r"twice: \['a'\]"):
        ParameterSet([Parameter("a", 0.0), Parameter("a", 1.0)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bounds": (1.0, 1.0)}, "give fixed=True"),
        ({"bounds": (2.0, 0.0)}, r"'a' are \(2.0, 0.0\); expected lo < hi$"),
        ({"bounds": (np.nan, 1.0)}, "expected lo < hi"),
        ({"value": np.nan}, "expected finite"),
        ({"value": INF}, "expected finite"),
        ({"value": 3.0, "bounds": (0.0, 2.0), "unit": "ps"}, r"3.0 ps.*\[0.0, 2.0\]"),
        ({"scale": 0.0}, "scale of 'a' is 0.0"),
        ({"circular": True}, "span its period"),
        ({"name": ""}, "expected a word"),
    ],
)
def test_unusable_parameters_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Parameter(**{"name": "a", "value": 1.0, **arguments})


def test_priors_are_checked():
    with pytest.raises(PriorError, match="'a'"):
        Parameter("a", 1.0, prior="normal")


def test_fixed_and_tied_values_may_lie_outside_their_bounds():
    assert not Parameter("a", 3.0, bounds=(0.0, 1.0), fixed=True).free
    assert not Parameter("a", 3.0, bounds=(0.0, 1.0), tie="b").free


def test_scale_defaults():
    assert Parameter("a", 3.0, bounds=(0.0, 10.0)).scale == 10
    assert Parameter("a", -3.0, bounds=(-INF, 10.0)).scale == 3
    assert Parameter("a", 0.0).scale == 1


def test_with_makes_a_changed_copy():
    p = Parameter("a", 1.0, "ps", (0.0, 2.0), doc="a time")
    q = p.with_(value=1.5, bounds=(0.0, 8.0))
    assert (p.value, q.value, q.unit, q.scale) == (1.0, 1.5, "ps", 8.0)
    assert q.doc.content == "a time"
    assert p.with_(scale=0.1).with_(value=0.5).scale == 0.1
    with pytest.raises(TypeError, match=r"no field.*valeu"):
        p.with_(valeu=2.0)
    with pytest.raises(ParameterError, match="outside its bounds"):
        p.with_(value=3.0)


def test_sets_are_changed_by_name():
    p = table().with_(D=0.5, tau={"fixed": False, "value": 4.0})
    assert p["D"].value == 0.5 and p["tau"].free
    assert table()["D"].value == 0.2
    with pytest.raises(TypeError, match="no parameter 'E'"):
        table().with_(E=1.0)
    with pytest.raises(KeyError, match="no parameter 'E'"):
        table()["E"]
    with pytest.raises(KeyError, match="'E'"):
        table().replace(Parameter("E", 1.0))
    assert "D" in p and "E" not in p and len(p) == 7
    assert p.extended(Parameter("E", 1.0)).names[-1] == "E"


def test_log_prior_is_a_density_of_x():
    p = ParameterSet(
        [
            Parameter("a", 0.5, bounds=(0.0, 4.0)),
            Parameter("b", 1.0, prior=dist.Normal(0.0, 2.0), bounds=(0.0, INF)),
            Parameter("c", 1.0, local=True, prior=dist.Normal(0.0, 1.0)),
        ]
    ).spread(2)
    x = jnp.array([1.0, 2.0, 0.5, -0.5])
    normal = -0.5 * np.log(2 * np.pi)
    expected = -np.log(4) + normal - np.log(2) - 0.5 + 2 * (normal - 0.125)
    np.testing.assert_allclose(p.log_prior(x), expected, rtol=1e-7)
    assert p.log_prior(x.at[0].set(-0.1)) == -INF
    assert p.log_prior(x.at[1].set(-0.1)) == -INF
    assert p.improper() == ()
    assert ParameterSet([Parameter("a", 1.0, bounds=(0.0, INF))]).improper() == ("a",)


def test_gradient_of_the_prior_on_a_bound_is_whole():
    import jax

    p = ParameterSet(
        [Parameter("a", 1.0, bounds=(0.0, 1.0), prior=dist.Normal(0.5, 0.1))]
    )
    for x, slope in ((0.0, 50.0), (1.0, -50.0)):
        got = jax.grad(p.log_prior)(jnp.array([x]))
        np.testing.assert_allclose(got, [slope], rtol=1e-6)
