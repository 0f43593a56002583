"""The table of a pattern: what is free by default, and what the cell keeps equal."""

import numpy as np
import pytest

from jaxscatter.cbed.bloch import Settings
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.parameters import adjusted, pattern_table, without_still_numbers
from jaxscatter.cbed.refined import none, refined


def table(crystal, factors=None, psf=None):
    factors = none(1) if factors is None else factors
    return pattern_table(crystal, factors, Settings(), 200.0, 500.0, 20.0, 3.0, psf)


def asked(rows, crystal, **wishes):
    empty = {"start": {}, "free": None, "bounds": {}, "priors": {}, "ties": {}}
    return adjusted(rows, crystal, *{**empty, **wishes}.values(), disks=())


def test_geometry_and_thickness_are_free_and_the_crystal_is_not(silicon):
    rows = asked(table(silicon, psf="fourier"), silicon)
    free = {name for name, row in rows.items() if not row.fixed}
    assert free == {
        *("thickness", "gl", "rotation", "shift_j", "shift_i"),
        *("sigma", "gamma"),
    }
    assert rows["thickness"].unit == "Å" and float(rows["thickness"].hi) == 750.0
    kept = without_still_numbers(rows, silicon)
    assert "energy" in kept and "B(Si)" not in kept
    moved = asked(table(silicon), silicon, start={"B(Si)": 0.6})
    assert "B(Si)" in without_still_numbers(moved, silicon)


def test_a_start_value_outside_its_bounds_takes_them_along(silicon):
    rows = asked(table(silicon), silicon, start={"thickness": 2000.0})
    row = rows["thickness"]
    assert float(row.lo) < 2000.0 < float(row.hi)
    with pytest.raises(TypeError, match="did you mean 'rotation'"):
        asked(table(silicon), silicon, free=["rotatoin"])


@pytest.mark.parametrize(
    ("cell", "group", "tied"),
    [
        ([4.0, 4.0, 4.0, 90, 90, 90], "P m -3 m", {"cell_b", "cell_c"}),
        ([4.0, 4.0, 5.0, 90, 90, 90], "P 4/m m m", {"cell_b"}),
        ([4.0, 4.0, 5.0, 90, 90, 120], "P 6/m m m", {"cell_b"}),
        ([4.0, 4.5, 5.0, 90, 90, 90], "P m m m", set()),
    ],
)
def test_edges_are_tied_as_the_crystal_system_demands(cell, group, tied):
    pytest.importorskip("gemmi")
    crystal = Crystal.from_sites(cell, [Site("Cu", (0, 0, 0))], space_group=group)
    rows = asked(table(crystal), crystal, free=["cell_a"])
    assert {name for name, row in rows.items() if row.tie is not None} == tied


def test_a_forbidden_reflection_may_take_either_sign(silicon):
    hkl = np.array([(1, -1, 1), (2, -2, 2)])
    factors = refined(hkl, silicon.operations, hkl.tolist())
    rows = table(silicon, factors)
    row = rows["U(2,-2,2)"]
    assert float(row.lo) < 0 < float(row.hi)
    assert float(rows["U(1,-1,1)"].lo) > 0
