"""`.dat` files as arguments of a problem: geometry, beams, and what `adj` may say."""

import numpy as np
import pytest

from jaxscatter.cbed.absorption import MeanPotential
from jaxscatter.cbed.beams import Beams
from jaxscatter.cbed.dat_setup import setup_from_dat
from jaxscatter.cbed.dataset import from_profiles
from jaxscatter.cbed.electron import wavenumber
from jaxscatter.cbed.problem import problem
from jaxscatter.errors import DataError, ModelError

pytest.importorskip("gemmi")
A = 5.4307
SILICON = """crystal silicon : dw = iso occ = 1
cell 5.4307 5.4307 5.4307 90 90 90
atom Si 0.125 0.125 0.125 0.4668
spg 227 2
hv 196.75
zone 1 1 0
norm {norm}
kt {kt}
xaxis 1 -1 -1
conv 0.7
samp 60
{beams}
sgmin 0.3
omeg 30
{out}
abs {abs}
"""
ROW = "hkl 4\n0 0 0\n-1 1 1\n1 -1 -1\n2 -2 -2"
GALLIUM_ARSENIDE = """crystal GaAs : dw = iso occ = 1
cell 5.6533 5.6533 5.6533 90 90 90
atom Ga 0 0 0 0.6
atom As 0.25 0.25 0.25 0.6
spg 216 1
hv 200
zone 1 1 0
norm 1 1 0
kt 0 0 0
xaxis 1 -1 1
conv 0.5
samp 10
sele 3.0 1.2 0.1 0
sgmin 0.3
omeg 30
aper 0.5
abs 0
"""


@pytest.fixture
def setup(tmp_path):
    """A setup of a text with its `adj` lines."""

    def made(text=SILICON, adj=(), options=None, **changes):
        usual = {"norm": "1 1 0", "kt": "3 -3 2", "beams": ROW, "out": "aper 0.4"}
        body = text.format(**{**usual, "abs": "0", **changes})
        if adj:
            body += "\n".join([f"adj {len(adj)}", *adj])
        path = tmp_path / "a.dat"
        path.write_text(body)
        return setup_from_dat(path, **(options or {}))

    return made


def test_geometry_is_that_of_a_cubic_lattice(setup):
    s = setup()
    assert s.frame.zone == (1, 1, 0)
    assert s.frame.x_axis == (1, -1, -1)
    assert s.frame.normal == "zone"
    assert s.energy == 196.75
    assert s.crystal.symbols == ("Si",)
    g_x = np.sqrt(3) / A
    np.testing.assert_allclose(s.aperture, 0.7 * g_x, rtol=1e-12)
    np.testing.assert_allclose(s.gl, 60 / 0.7)
    # x along (1 -1 -1), y = z x x along (-1 1 -2)
    kt = np.array([3, -3, 2]) / A
    across = [kt @ [1, -1, -1] / np.sqrt(3), kt @ [-1, 1, -2] / np.sqrt(6)]
    np.testing.assert_allclose(s.kt, across, rtol=1e-10)
    assert setup(norm="1 2 0").frame.normal == (1, 2, 0)


def test_listed_beams_are_taken_and_disks_lie_within_the_aperture(setup):
    s = setup()
    assert isinstance(s.beams, Beams)
    assert s.beams.hkl.tolist() == [[0, 0, 0], [-1, 1, 1], [1, -1, -1], [2, -2, -2]]
    # |111| = 0.319 and |222| = 0.638 1/Å
    assert s.disks.tolist() == [[0, 0, 0], [-1, 1, 1], [1, -1, -1]]
    assert setup(out="out 1\n2 -2 -2").disks.tolist() == [[2, -2, -2]]
    with pytest.raises(ModelError, match="000 is not in the list"):
        setup(beams="hkl 1\n1 -1 -1")


def test_selection_rules_keep_all_their_beams_strong(setup):
    s = setup(GALLIUM_ARSENIDE)
    largest = 3.0 / (2 * float(wavenumber(200.0)))
    assert s.beams == {"g_max": 1.2, "s_max": pytest.approx(largest)}
    lengths = np.linalg.norm(s.disks, axis=1) / 5.6533
    assert lengths.max() <= 0.5
    # 000, 4 of {111} and 2 of {200} lie in the zone; |220| is 0.5003 1/Å
    assert len(s.disks[s.disks @ [1, 1, 0] == 0]) == 7
    assert [1, 0, 0] not in s.disks.tolist()


def test_values_of_adj_are_signed_along_the_phase_symmetry_fixes(setup):
    s = setup(adj=["-1 1 1 0.0471 0 0.0008 180", "2 -2 -2 0.00096 180 0 0"])
    assert s.reflections == ((-1, 1, 1), (2, -2, -2))
    want = {
        "U(-1,1,1)": 0.0471,
        "U'(-1,1,1)": -0.0008,
        "U(2,-2,-2)": -0.00096,
        "U'(2,-2,-2)": 0.0,
    }
    assert s.start == pytest.approx(want)
    assert s.settings.absorption == MeanPotential(0.0)
    elastic = setup(adj=["-1 1 1 0.0471 0 0 0"])
    assert elastic.settings.absorption == "none"
    assert elastic.start == pytest.approx({"U(-1,1,1)": 0.0471})
    assert setup(abs="0.5").settings.absorption == MeanPotential(0.5)
    tds = setup(adj=["1 -1 -1 0.0471 0 0.001 0"], options={"absorption": "thomas"})
    assert tds.settings.absorption == "thomas"


def test_reflections_without_a_centre_have_magnitude_and_phase(setup):
    s = setup(GALLIUM_ARSENIDE, adj=["1 1 1 0.06 40 0.001 25"])
    want = {
        "U(1,1,1)": 0.06,
        "phase(1,1,1)": 40,
        "U'(1,1,1)": 0.001,
        "phase'(1,1,1)": 25,
    }
    assert s.start == pytest.approx(want)


def test_opposite_reflections_must_be_conjugates(setup):
    good = ["1 1 1 0.06 40 0.001 25", "-1 -1 -1 0.06 -40 0.001 -25"]
    assert setup(GALLIUM_ARSENIDE, good).reflections == ((1, 1, 1),)
    wrong = {
        r"U\(-1 -1 -1\) is 0.06 at 40°, .* 0.06 at -40°": "0.06 40 0.001 -25",
        r"U'\(-1 -1 -1\) is 0.002 at -25°": "0.06 -40 0.002 -25",
    }
    for message, values in wrong.items():
        with pytest.raises(DataError, match=message):
            setup(GALLIUM_ARSENIDE, [good[0], f"-1 -1 -1 {values}"])


def test_symmetry_equivalents_must_agree_unless_each_is_its_own(setup):
    rows = ["1 -1 -1 0.047 0 0 0", "-1 1 1 0.047 0 0 0", "1 1 1 0.048 0 0 0"]
    with pytest.raises(DataError, match=r"U\(1 1 1\) is 0.048 at 0°"):
        setup(adj=rows)
    s = setup(adj=rows, options={"equivalents": False})
    assert s.reflections == ((1, -1, -1), (1, 1, 1))
    assert s.arguments()["equivalents"] is False


def test_reflections_that_cannot_be_are_refused(setup):
    with pytest.raises(DataError, match="adj lists 0 0 0"):
        setup(adj=["0 0 0 0.1 0 0.01 0"])
    with pytest.raises(DataError, match=r"adj: reflection \[2, 0, 0\] is extinguished"):
        setup(adj=["2 0 0 0.1 0 0 0"])
    with pytest.raises(DataError, match="expected a phase of 0 or 180, by symmetry"):
        setup(adj=["1 -1 -1 0.047 20 0 0"])


def test_a_problem_is_built_from_a_file(setup):
    s = setup(adj=["-1 1 1 0.0471 0 0 0", "2 -2 -2 0.00096 180 0 0"], kt="0 0 0")
    offsets = np.stack([np.zeros(5), np.linspace(-20, 20, 5)], axis=-1)
    data = from_profiles(s.disks, offsets, np.ones((3, 5)))
    made = problem(data, s.crystal, thickness=500.0, gl=s.gl, **s.arguments())
    theta = {row.name: float(row.value) for row in made.model.parameters}
    for name, value in s.start.items():
        assert theta[name] == pytest.approx(value)
