"""Sections of job files of CBED have the keys and defaults of the doors."""

import inspect

import numpy as np
import pytest

from jaxscatter import cbed
from jaxscatter.config import cbed_sections
from jaxscatter.errors import ConfigError


def test_defaults_are_those_of_the_doors():
    """So that leaving a key out means the same as leaving the argument out."""
    decided = {"path", "reflections", "absorption", "refraction", "hkl", "kt", "normal"}
    for section, door in (
        (cbed_sections.Data, cbed.load),
        (cbed_sections.Model, cbed.problem),
        (cbed_sections.Geometry, cbed.problem),
        (cbed_sections.BeamChoice, cbed.select_beams),
        (cbed_sections.Settings, cbed.Settings),
        (cbed_sections.Simulation, cbed.simulate),
        (cbed_sections.Atom, cbed.Site),
        (cbed_sections.Roi, cbed.ROI),
    ):
        fields = section.__dataclass_fields__
        for name, argument in inspect.signature(door).parameters.items():
            if argument.default is argument.empty or name not in fields:
                continue
            if name not in decided and (section, name) != (cbed_sections.Atom, "label"):
                assert fields[name].default == argument.default, name


def test_what_can_be_loaded_and_chosen_can_be_asked_for():
    asked = {*cbed_sections.Data.__dataclass_fields__}
    own = {"gl", "crystal", "frame", "unknown"}
    assert asked == {*inspect.signature(cbed.load).parameters} - own
    asked = {*cbed_sections.Settings.__dataclass_fields__}
    assert asked == {*inspect.signature(cbed.Settings).parameters}


def test_rules_of_absorption_may_have_a_number():
    assert cbed_sections.rule("tds") == "tds"
    assert cbed_sections.rule(["proportional", 0.2]) == cbed.Proportional(0.2)
    assert cbed_sections.rule(["mean_potential", 1.5]) == cbed.MeanPotential(1.5)
    for wrong in ([], ["thomas", 1.0], ["proportional"], ["proportional", "a"]):
        with pytest.raises(ConfigError, match=r"settings\.absorption"):
            cbed_sections.rule(wrong)


def test_a_frame_has_what_is_left_out_from_elsewhere():
    usual = cbed.Frame((1, 1, 0), (1, -1, 1), "beam")
    bare = cbed_sections.Geometry(500.0, 12.0)
    assert cbed_sections.frame_of(bare, usual) == usual
    own = cbed_sections.Geometry(500.0, 12.0, zone=(1.0, 1.0, 1.0), normal="zone")
    frame = cbed_sections.frame_of(own, usual)
    assert (frame.zone, frame.x_axis, frame.normal) == ((1, 1, 1), (1, -1, 1), "zone")


def test_regions_are_turned_as_the_geometry_is():
    frame = cbed.Frame((1, 1, 0), (1, -1, 1))
    rows = [[(-2.0, -2.0), (-2.0, 2.0), (2.0, -2.0), (5.0, 3.0)]]
    given = cbed_sections.Roi(rows, [(0, 0, 0), (1, -1, 1)], (20.0, 15.0))
    roi = cbed_sections.roi_of(given, frame, 4.0)
    assert (roi.size, roi.x_axis, float(roi.rotation)) == (15, (1, -1, 1), 4.0)
    np.testing.assert_array_equal(roi.pivot, [20.0, 15.0])


def test_reflections_are_read_from_keys():
    for text in ("1,-1,1", "1 -1 1", "(1, -1, 1)", "[1,-1,1]"):
        assert cbed_sections.index_of(text) == (1, -1, 1)
    for text in ("1,1", "a,b,c", "1.5,0,0"):
        with pytest.raises(ConfigError, match="is no reflection"):
            cbed_sections.index_of(text)


def test_labels_are_elements_unless_a_symbol_says_otherwise():
    atoms = {
        "O1": cbed_sections.Atom((0.0, 0.0, 0.0), symbol="O"),
        "Mg": cbed_sections.Atom((0.5, 0.5, 0.5)),
    }
    source = cbed_sections.CrystalSource(cell=(4.2,) * 3 + (90.0,) * 3, sites=atoms)
    crystal = cbed_sections.inline(source)
    assert (crystal.symbols, crystal.labels) == (("O", "Mg"), ("O1", "Mg"))
    assert not cbed_sections.is_dat(source)
    assert cbed_sections.is_dat(cbed_sections.CrystalSource("a.dat"))
    assert not cbed_sections.is_dat(cbed_sections.CrystalSource("A.CIF"))
