"""The catalogue's table of parameters is that of the problems it describes."""

import pytest

from jaxscatter.cbed import catalogue
from jaxscatter.cbed.bloch import FORMS, Settings
from jaxscatter.cbed.model import diskshift_names
from jaxscatter.cbed.parameters import pattern_table
from jaxscatter.cbed.refined import refined

REFLECTIONS = [(1, -1, 1), (2, -2, 0)]


@pytest.fixture(scope="module")
def table(gallium_arsenide, row):
    """All parameters of a pattern of GaAs, whose phases are free."""
    factors = refined(
        row[1].differences, gallium_arsenide.operations, REFLECTIONS[:1], True
    )
    return pattern_table(
        gallium_arsenide, factors, Settings(), 200.0, 700.0, 50.0, 3.0, "fourier"
    )


def members(name, table):
    """Parameters that a row of the catalogue stands for."""
    family, opened, _ = name.partition("(")
    if not opened:
        return [table[name]]
    return [p for n, p in table.items() if n.startswith(f"{family}(")]


def test_models_are_the_forms_of_the_wave_equation():
    every = catalogue.models()
    assert [*every] == [f"bloch_{form}" for form in FORMS] == [*catalogue.DOCS]
    assert len({id(rows) for rows in every.values()}) == len(FORMS)
    assert all(row["doc"] for rows in every.values() for row in rows)


def test_rows_are_all_parameters_with_their_units_and_bounds(table):
    said = set()
    for row in catalogue.models()["bloch_symmetric"]:
        if row["when"] == "shift_disks":
            family = row["name"].partition("(")[0]
            assert family in [n.partition("(")[0] for n in diskshift_names((1, 0, 0))]
            continue
        found = members(row["name"], table)
        assert found, row["name"]
        for p in found:
            said.add(p.name)
            assert (p.unit, not p.fixed) == (row["unit"], row["free"]), p.name
            start = float(p.value)
            u = float(table["U(1,-1,1)"].value)
            lo, hi = {
                "absolute": (row["lo"], row["hi"]),
                "start +": (start + row["lo"], start + row["hi"]),
                "start x": (start * row["lo"], start * row["hi"]),
                "start + U x": (start + u * row["lo"], start + u * row["hi"]),
            }[row["bounds"]]
            if p.name != "U'(1,-1,1)":
                assert float(p.lo) == pytest.approx(lo), p.name
            else:  # a magnitude is not negative
                assert float(p.lo) == pytest.approx(max(lo, 0.0))
            assert float(p.hi) == pytest.approx(hi), p.name
    assert said == {*table}


def test_the_probe_has_widths_only_where_there_is_one():
    plain = catalogue.plain_names()
    assert {"thickness", "gl", "energy", "cell_gamma"} <= {*plain}
    assert not any("(" in name for name in plain)
    assert {*catalogue.plain_names("fourier")} - {*plain} == {"sigma", "gamma"}
