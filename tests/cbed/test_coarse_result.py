"""Maxima of a scan, and what results say first."""

import numpy as np
import pytest

from jaxscatter.cbed.coarse_result import CoarseResult, CoarseScan, cautions
from jaxscatter.cbed.coarse_targets import State, plain
from jaxscatter.cbed.geometry import Frame


def scan_of(correlation, lo=300.0, hi=900.0):
    r = np.asarray(correlation, float)
    n = len(r)
    kt = np.stack([np.linspace(0, 0.1, n), np.zeros(n)], axis=1)
    return CoarseScan("thickness", "Å", np.linspace(lo, hi, n), r, np.zeros((n, 2)), kt)


def test_maxima_are_those_of_the_curve_and_its_ends():
    x = np.linspace(0, 6 * np.pi, 121)
    scan = scan_of(0.5 + 0.4 * np.cos(x) * np.exp(-x / 100))
    at = [0, 40, 80, 120]
    assert sorted(scan.maxima) == at
    assert scan.maxima[0] == scan.best == 0
    # ripples are none
    rippled = scan_of(scan.correlation + 4e-4 * np.cos(40 * x))
    assert len(rippled.maxima) == 4


@pytest.mark.parametrize(("second", "several"), [(0.98, True), (0.9, False)])
def test_a_second_maximum_within_a_few_per_cent_is_told(second, several):
    x = np.linspace(-1, 1, 61)
    peaks = np.exp(-(((x + 0.5) / 0.1) ** 2)) + second * np.exp(
        -(((x - 0.5) / 0.1) ** 2)
    )
    scan = scan_of(0.99 * peaks)
    assert scan.multimodal == several
    text = scan.summary()
    assert ("450" in text) and ("750" in text)
    assert text.startswith("WARNING: thickness is multimodal") == several


def test_a_highest_point_at_the_end_of_a_range_is_told():
    scan = scan_of(np.linspace(0.1, 0.9, 30))
    assert scan.best == 29 and not scan.multimodal
    assert "end of the range" in scan.summary().splitlines()[0]
    flat = scan_of(np.zeros(5))
    assert not flat.multimodal and "nan" not in flat.summary()


def result_of(silicon, **changes):
    state = State(silicon, 200.0, (0.1, 0.2), 510.0, 60.0)
    usual = {
        "values": {"thickness": 510.0},
        "units": {"thickness": "Å"},
        "correlation": 0.98,
        "shift": (1.0, -2.0),
        "history": np.array([0.5, 0.02]),
        "state": state,
        "frame": Frame((1, 1, 0), (1, -1, 1)),
        "rotation": 3.0,
        "given": {"beams": None, "reflections": ()},
    }
    return CoarseResult(**{**usual, **changes})


def test_warnings_come_first_and_no_errors_are_claimed(silicon):
    found = result_of(silicon, warnings=("thickness is at a bound",), interrupted=True)
    lines = found.summary().splitlines()
    assert lines[0] == "WARNING: thickness is at a bound"
    assert lines[1].startswith("WARNING: stopped")
    assert "no errors are claimed" in lines[-1]
    assert "510 Å" in found.summary() and "2 evaluations" in found.summary()


def test_arguments_are_those_of_a_problem(silicon):
    found = result_of(silicon)
    arguments = found.arguments()
    assert arguments["thickness"] == 510 and arguments["kt"] == (0.1, 0.2) == found.kt
    assert arguments["crystal"] is silicon and arguments["rotation"] == 3.0
    assert found.cost == pytest.approx(0.02)


def test_bounds_shifts_and_scans_give_cautions():
    target = plain("energy", "keV", 200.0, (195.0, 205.0))
    near, far = np.array([1.0, 1.0]), np.array([3.0, 3.0])
    assert cautions([target], np.array([200.0]), near, 4) == ()
    low, long = cautions([target], np.array([195.05]), far, 4)
    assert low.startswith("energy is 195.05 keV, at a bound")
    assert "search_radius 4" in long
    twice = scan_of(np.cos(np.linspace(0, 4 * np.pi, 50)))
    (several,) = cautions([target], np.array([200.0]), near, 4, twice)
    assert "multimodal" in several
