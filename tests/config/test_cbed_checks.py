"""Mistakes in job files of CBED are told with their place, before files are read."""

import pytest

from jaxscatter import config
from jaxscatter.errors import ConfigError

CRYSTAL = """
crystal:
  cell: [5.4307, 5.4307, 5.4307, 90, 90, 90]
  space_group: "F d -3 m:2"
  sites: {Si: {position: [0.125, 0.125, 0.125], b_iso: 0.4668}}
"""
GEOMETRY = """
geometry: {energy: 200, zone: [1, 1, 0], x_axis: [1, -1, 1], kt: [0.02, 0.6], gl: 12,
           thickness: 500}
beams: {hkl: [[0, 0, 0], [1, -1, 1], [-1, 1, -1], [2, -2, 2]]}
"""
DATA = "data: {path: made.npy, hkl: made_hkl.npy}\n"
LEAST = "technique: cbed\n" + CRYSTAL + GEOMETRY + DATA


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("path: made", "pth: made", "unknown key data.pth: did you mean 'path'"),
        ("b_iso", "biso", "unknown key crystal.sites.Si.biso: did you mean 'b_iso'"),
        ("zone", "zon", "unknown key geometry.zon: did you mean 'zone'"),
        ("zone: [1, 1, 0],", "", "missing the required key geometry.zone"),
        ("gl: 12,", "", "missing the required key gl"),
        ("gl: 12", "gl: -1", "geometry.gl: -1"),
        ("kt: [0.02", "kt: [0.02, 1, 1", "geometry.kt: [0.02, 1.0, 1.0, 0.6]; expec"),
        ("x_axis: [1, -1, 1]", "x_axis: [1, -1, .5]", "geometry.x_axis"),
        ("F d -3 m:2", "F d -3 x", "crystal: "),
        ("0.4668", "-1", "crystal: b_iso is [-1.0]"),
        ("{Si:", "{Xx:", "crystal: element is 'Xx'"),
        ("hkl: made_hkl.npy", "entry: a", "data: neither roi nor hkl"),
        ("made_hkl.npy", "made_hkl.npy, model: zuo", "data.model: 'zuo' is not"),
        ("made_hkl.npy", "a.npy, detector: [1, 2]", "data.detector: [1.0, 2.0]"),
        ("beams: {", "beams: {g_mx: 1, ", "unknown key beams.g_mx: did you mean"),
        ("\ndata:", "\nsettings: {form: symetric}\ndata:", "did you mean 'symmetric'"),
        ("\ndata:", "\nsettings: {solver: eig}\ndata:", "settings.solver: 'eig'"),
        ("\ndata:", "\nsettings: {table: peg}\ndata:", "did you mean 'peng'"),
        ("\ndata:", "\nsettings: {absorption: tomas}\ndata:", "did you mean 'thomas'"),
        (
            "\ndata:",
            "\nsettings: {absorption: mean_potential}\ndata:",
            "needs its number",
        ),
        ("\ndata:", "\nmodel: {background: disks}\ndata:", "did you mean 'disk'"),
        ("\ndata:", "\nmodel: {psf: gauss}\ndata:", "model.psf: 'gauss' is not"),
        ("\ndata:", "\nmodel: {free: [thicknes]}\ndata:", "did you mean 'thickness'"),
        ("\ndata:", "\nparameters: {sigma: 1}\ndata:", "unknown key parameters.sigma"),
        ("\ndata:", "\nparameters: {B(S): 1}\ndata:", "did you mean 'B(Si)'"),
        ("\ndata:", "\nties: {gl: thicknes}\ndata:", "did you mean 'thickness'"),
        (
            "\ndata:",
            '\nmodel: {reflections: [[1, -1, 1]]}\nparameters: {"U(1,1,1)": 1}\ndata:',
            "did you mean 'U(1,-1,1)'",
        ),
        (
            "\ndata:",
            "\nparameters: {gl: {fixed: true, bounds: [1, 2]}}\ndata:",
            "parameters.gl: fixed, with bounds or a prior",
        ),
        ("\ndata:", "\nsimulate: {shap: 1}\ndata:", "did you mean 'shape'"),
        (
            "\ndata:",
            "\nsimulate: {shape: [3, 3], counts: 0}\ndata:",
            "simulate.counts: 0",
        ),
        ("\ndata:", "\nfit: null\ndata:", "nothing to do"),
    ],
)
def test_mistakes_name_their_place_and_a_way_out(old, new, said):
    assert old in LEAST
    with pytest.raises(ConfigError) as caught:
        config.parse(LEAST.replace(old, new, 1))
    assert said in str(caught.value)


def test_names_that_only_files_can_tell_are_left_to_them():
    """Labels of a CIF, reflections of a .dat file, and disks of a file of indices."""
    text = LEAST.replace(CRYSTAL, "crystal: {path: a.dat}\n")
    text += "model: {shift_disks: true}\n"
    for name in ("B(O1)", "U(1,2,3)", "phase'(1,2,3)", "diskshift_j(1,2,3)"):
        job = config.parse(text + f'parameters: {{"{name}": 0.1}}')
        assert job.parameters == {name: 0.1}  # type: ignore[attr-defined]
