"""`jaxscatter demo cbed` on measured silicon and lithium niobate."""

import re

import numpy as np
import pytest

import jaxscatter
from jaxscatter import examples
from jaxscatter.cli import demo_cbed


def test_reflections_of_the_zero_zone_are_those_of_the_lattice():
    """Counted by hand in the ellipse (2h/a)² + (m/c)² <= g², m a multiple of 3."""
    known = examples.cbed_lithium_niobate().known
    found = demo_cbed.zero_zone(known, 0.4)
    assert set(found) == {
        (0, 0, 0), (0, 0, 3), (0, 0, -3), (1, 1, 0), (-1, -1, 0),
    }  # fmt: skip
    assert found[0] == (0, 0, 0)


def test_both_polarities_hold_the_same_atoms():
    known = examples.cbed_lithium_niobate().known
    both = [demo_cbed.niobate_crystal(known, sense) for sense in (1, -1)]
    a, b = (np.asarray(c.positions) for c in both)
    np.testing.assert_array_equal(a, -b)


@pytest.mark.slow
def test_demo_refines_silicon_below_the_published_chi2(cli, tmp_path):
    """Another program ended at 2688.21, without errors.

    F_x of independent atoms is 58.9 for 111 and 0 for 222, which
    only the charge of the bonds makes.
    """
    folder = tmp_path / "demo"
    code, out, err = cli("demo", "cbed", "-o", folder)
    assert code == 0, err
    assert "Traceback" not in err
    assert {p.name for p in folder.iterdir()} == {
        "fit.h5", "fit.png", "rocking.png", "branches.png", "patterns.png",
        "polarity.png", "report.txt",
    }  # fmt: skip
    fit = jaxscatter.load_result(folder / "fit.h5")
    assert fit.success
    assert fit.statistics["chi2"] < 2688.21
    assert 0.0465 < fit["U(1,-1,-1)"] < 0.0480
    assert all(np.isfinite(fit.error(name)) for name in fit.labels)
    assert 59.5 < fit.derived["F_x(1,-1,-1)"][0] < 60.7
    assert 1.2 < fit.derived["F_x(2,-2,-2)"][0] < 2.2
    assert "3421.93 before and 2688.21 after" in out
    thickness, correlation = re.search(
        r"thickness (\d+) Å: mean correlation ([\d.]+)", out
    ).groups()
    against = float(re.search(r"against c it is at most ([\d.]+)", out).group(1))
    assert 1120 < int(thickness) < 1321  # what the source says of the crystal
    assert float(correlation) > 0.85 > against + 0.1
    report = (folder / "report.txt").read_text("utf-8")
    assert "U(2,-2,-2) correlates" in report
