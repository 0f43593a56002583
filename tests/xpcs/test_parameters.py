"""Names, aliases, bounds, priors, and what is implausible."""

import math

import numpy as np
import pytest

from jaxscatter.errors import ModelError, ParameterError
from jaxscatter.xpcs import (
    all_names,
    canonical,
    count,
    parameter_set,
    physical_names,
    violations,
)


def test_vectors_hold_contrasts_then_offsets_then_physics():
    assert all_names("static", 2) == (
        "contrast_0",
        "contrast_1",
        "offset_0",
        "offset_1",
        "D0",
        "alpha",
        "D_offset",
    )
    assert [count("laminar_flow", n) for n in (1, 23)] == [9, 53]
    assert count("static_anisotropic", 3) == 9
    assert physical_names("laminar_flow")[-1] == "phi0"


def test_aliases_become_the_canonical_names_once():
    given = {"gamma_dot_0": 1.0, "phi_0": 2.0, "gamma_dot_offset": 3.0, "D0": 4.0}
    expected = {"gamma_dot_t0": 1.0, "phi0": 2.0, "gamma_dot_t_offset": 3.0, "D0": 4.0}
    assert canonical(given) == expected
    with pytest.raises(ParameterError, match="'phi0' is given twice"):
        canonical({"phi0": 1.0, "phi_0": 2.0})


def test_the_default_table_has_units_bounds_and_proper_priors():
    table = parameter_set("laminar_flow")
    assert table.names == physical_names("laminar_flow")
    assert table["D0"].unit == "Å²/s" and table["phi0"].unit == "degree"
    assert tuple(map(float, table["gamma_dot_t0"].bounds)) == (1e-6, 0.5)
    assert not table.improper()
    x = table.pack()
    assert np.all(np.isfinite(x)) and math.isfinite(float(table.log_prior(x)))


def test_a_users_bounds_win_even_where_they_are_wider():
    changes = [
        {"name": "alpha", "min": 0.0, "max": 3.0, "prior_mu": 1.0, "prior_sigma": 0.2},
        {"name": "phi_0", "min": -180.0, "max": 180.0, "type": "Uniform"},
        {"name": "contrast", "min": 0.0, "max": 0.4},
    ]
    table = parameter_set("laminar_flow", {"D0": 5e3}, changes)
    assert tuple(map(float, table["alpha"].bounds)) == (0.0, 3.0)
    assert tuple(map(float, table["phi0"].bounds)) == (-180.0, 180.0)
    assert table["phi0"].prior is None and table["alpha"].prior is not None
    assert float(table["D0"].value) == 5e3
    # a default start outside the new bounds moves onto them
    moved = parameter_set("static", bounds=[{"name": "alpha", "min": 0.5, "max": 1.0}])
    assert float(moved["alpha"].value) == 0.5


def test_active_and_fixed_parameters():
    table = parameter_set("static", active=["D0"], fixed={"alpha": 0.3})
    assert [p.name for p in table.free] == ["D0"]
    assert float(table["alpha"].value) == 0.3
    for wrong, text in (
        ({"active": ["D0"], "fixed": {"D0": 1e3}}, "both active and fixed"),
        ({"active": ["alpa"]}, "did you mean 'alpha'"),
        ({"fixed": {"beta": 0.0}}, "no parameter 'beta'"),
        ({"values": {"gama": 1.0}}, "no parameter 'gama'"),
        ({"bounds": [{"name": "alpha", "min": 2.0, "max": 1.0}]}, "expected lo < hi"),
        ({"bounds": [{"name": "alpha", "prior_sigma": 0.0}]}, "prior_sigma of 'alpha'"),
        ({"bounds": [{"name": "alpha", "max": math.nan}]}, "expected a finite number"),
        ({"values": {"alpha": 5.0}}, "outside its bounds"),
        ({"values": {"alpha": math.nan}}, "expected finite"),
    ):
        with pytest.raises(ParameterError, match=text):
            parameter_set("static", **wrong)


def test_models_that_do_not_exist_are_named_with_the_nearest():
    with pytest.raises(ModelError, match="did you mean 'laminar_flow'"):
        parameter_set("laminar_flo")


@pytest.mark.peer
def test_verdicts_are_those_of_homodyne(reference):
    for case in reference("xpcs/misc_homodyne_v2.json")["validators"]:
        found = {(v.param, v.severity) for v in violations(case["params"])}
        expected = {(v["param"], v["severity"]) for v in case["violations"]}
        assert found == expected


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ({"offset": 0.3}, "warning"),
        ({"offset": 1.7}, "warning"),
        ({"contrast": -0.1}, "error"),
        ({"contrast_3": 0.05}, "warning"),
        ({"D0": math.nan}, "error"),
        ({"gamma_dot_t0": 0.0}, None),
        ({"gamma_dot_t0": 1e-7}, "info"),
        ({"gamma_dot_0": 0.7}, "warning"),
        ({"phi0": -12.0}, "info"),
        ({"alpha": -0.05}, "info"),
        ({"D0": 1000.0, "D_offset": 400.0}, None),
    ],
)
def test_values_are_judged_by_their_worst_fault(values, severity):
    found = violations(values)
    assert [v.severity for v in found] == ([] if severity is None else [severity])
    for v in found:
        assert v.param in v.message


def test_only_what_is_severe_enough_is_returned():
    values = {"D0": -1.0, "alpha": 0.0, "beta": 3.0}
    assert [v.param for v in violations(values, "warning")] == ["D0", "beta"]
    assert [v.param for v in violations(values, "error")] == ["D0"]
    with pytest.raises(ModelError, match="min_severity is 'fatal'"):
        violations(values, "fatal")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "d0", "min": 1.0}, "did you mean 'D0'"),
        ({"name": "D0", "minimum": 1.0}, "'minimum'; expected .* did you mean 'min'"),
        ({"name": "D0", "type": "Unifrom"}, "'Unifrom'; expected 'TruncatedNormal'"),
        ({"min": 1.0}, "a list of mappings as in"),
    ],
)
def test_a_mistake_in_bounds_is_named_with_what_was_meant(entry, said):
    with pytest.raises(ParameterError, match=said):
        parameter_set("static", bounds=[entry])
