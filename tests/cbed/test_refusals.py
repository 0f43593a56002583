"""Bad input is refused by name: every row of the list of what a user may get wrong."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import cbed
from jaxscatter.cbed import Crystal, Frame, Site

CELL = [5.4307] * 3 + [90.0] * 3
OFFSETS = np.array([[0.0, 0.0], [0.0, 3.0], [2.0, 1.0]])
DISKS = [(0, 0, 0), (1, -1, 1)]
SEVEN = [(0, 0, 0), (1, -1, 1), (-1, 1, -1), (2, -2, 2), (-2, 2, -2)]
FRAME = Frame((1, 1, 0), (1, -1, 1))
DAT = """crystal silicon : dw = iso occ = 1
cell 5.4307 5.4307 5.4307 90 90 90
atom Si 0.125 0.125 0.125 0.4668
spg 227 2
hv 200
zone 1 1 0
norm 1 1 0
kt 0 0 0
xaxis 1 -1 1
conv 0.3
samp 5
hkl 3
0 0 0
1 -1 1
-1 1 -1
sgmin 0.2
omeg 10
aper 0.4
abs 0
adj {rows}
"""


def crystal(cell=CELL, position=(0.125, 0.125, 0.125), occupancy=1.0, **changes):
    site = Site("Si", position, 0.4668, occupancy=occupancy)
    site = dataclasses.replace(site, **changes) if changes else site
    return Crystal.from_sites(cell, [site], space_group="F d -3 m:2")


def data(y=None, **changes):
    y = np.ones((2, 3)) if y is None else y
    return cbed.from_profiles(DISKS, OFFSETS, y, **changes)


def problem(**changes):
    given = {"energy": 200.0, "thickness": 500.0, "frame": FRAME, "gl": 20.0}
    given |= {"beams": cbed.beams(SEVEN), "reflections": [(1, -1, 1)]}
    given |= changes
    return cbed.problem(given.pop("data", data()), crystal(), **given)


def intensities(**changes):
    given = {"energy": 200.0, "frame": FRAME, **changes}
    beams = given.pop("beams", cbed.beams(SEVEN))
    kt, t = given.pop("kt", np.zeros((1, 2))), given.pop("thickness", 500.0)
    return cbed.bloch_intensities(crystal(), beams, kt, t, **given)


def dat(folder, *rows, replace=()):
    text = DAT.format(rows="\n".join([str(len(rows)), *rows]))
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    path = folder / "si.dat"
    path.write_text(text)
    return cbed.setup_from_dat(path)


def metric(sim=(2, 3), exp=(2, 3), mask=None, variances=(2, 3)):
    cost = cbed.Chi2_LARBED(jnp.ones(variances))
    return cost(jnp.ones(sim), jnp.ones(exp), mask)


ROWS = {
    "nan in data": (
        lambda: data(np.full((2, 3), np.nan), mask=np.ones((2, 3))),
        "all points are masked",
    ),
    "infinite sigma": (
        lambda: data(sigma=np.full((2, 3), np.inf)),
        "all points are masked",
    ),
    "nan offsets": (
        lambda: cbed.from_profiles(DISKS, OFFSETS * np.nan, np.ones((2, 3))),
        "offsets hold values that are not finite",
    ),
    "nan position": (lambda: crystal(position=(np.nan, 0, 0)), "finite numbers"),
    "nan cell": (lambda: crystal(cell=[np.nan, 5, 5, 90, 90, 90]), "cell is"),
    "nan thickness": (lambda: intensities(thickness=np.nan), "thickness is"),
    "negative thickness": (lambda: intensities(thickness=-1.0), "thickness is"),
    "nan tilt": (lambda: intensities(kt=np.full((1, 2), np.nan)), "nan"),
    "energy 0": (lambda: problem(energy=0.0), "energy is 0"),
    "energy negative": (lambda: problem(energy=-200.0), "energy is -200"),
    "energy in eV": (lambda: problem(energy=200e3), "in keV, not eV"),
    "energy of intensities": (
        lambda: intensities(energy=0.0),
        "energy must be positive",
    ),
    "flat cell": (lambda: crystal(cell=[5, 5, 5, 90, 90, 180]), "cell is"),
    "angles that do not close": (
        lambda: crystal(cell=[5, 5, 5, 30, 30, 120]),
        "no volume",
    ),
    "occupancy above 1": (lambda: crystal(occupancy=1.2), "occupancies are"),
    "occupancy below 0": (lambda: crystal(occupancy=-0.1), "occupancies are"),
    "x axis along the zone": (
        lambda: problem(frame=Frame((1, 1, 0), (1, 1, 0))),
        "parallel",
    ),
    "a beam twice": (lambda: cbed.beams([*SEVEN, (1, -1, 1)]), "listed twice"),
    "no incident beam": (lambda: cbed.beams(SEVEN[1:]), "000 is not in the list"),
    "sim and exp": (lambda: metric(sim=(2, 4)), "sim has shape"),
    "variance and exp": (lambda: metric(variances=(2, 4)), "variance has shape"),
    "mask and exp": (lambda: metric(mask=jnp.ones((3, 3), bool)), "mask has shape"),
    "sigma and y": (lambda: data(sigma=np.ones((2, 4))), "sigma"),
    "unknown argument of load": (
        lambda: cbed.load("a.npy", detectr=1),
        "did you mean 'detector'",
    ),
    "unknown parameter": (lambda: problem(start={"thicknes": 1.0}), "'thickness'"),
    "start without phase": (
        lambda: problem(start={"phase(1,-1,1)": 180.0}),
        "no parameter",
    ),
    "a reflection and its opposite": (
        lambda: problem(reflections=[(1, -1, 1), (-1, 1, -1)]),
        "are equivalent",
    ),
    "a reflection no beams couple": (
        lambda: problem(reflections=[(9, -9, 9)]),
        r"\[9, -9, 9\] couples no two",
    ),
}


@pytest.mark.filterwarnings("ignore:.*are masked")
@pytest.mark.parametrize("row", ROWS)
def test_bad_input_is_refused_by_name(row):
    call, text = ROWS[row]
    with pytest.raises((ValueError, TypeError), match=text):
        call()


@pytest.mark.parametrize(
    ("rows", "replace", "text"),
    [
        (["1 -1 1 0.05 0 0.001"], (), "line 2[01]"),
        (["1 -1 1 0.05 0 0.001 0 7"], (), "line 2[01]"),
        (
            ["1 -1 1 0.05 0 0.001 0", "-1 1 -1 0.03 0 0.001 0"],
            (),
            r"U\(-1 1 -1\) is 0.03",
        ),
        (["1 -1 1 0.05 0 0.001 0"], [("zone 1 1 0", "zoon 1 1 0")], "zoon"),
        (["1 -1 1 0.05 0 0.001 0"], [("hv 200", "hv -200")], "-200"),
        (["1 -1 1 0.05 0 0.001 0"], [("hkl 3", "hkl 4")], "line 1[0-9]"),
    ],
    ids=["too few numbers", "too many", "U(-g)", "keyword", "hv", "count"],
)
def test_bad_dat_files_are_refused_with_their_line(tmp_path, rows, replace, text):
    with pytest.raises(ValueError, match=text):
        dat(tmp_path, *rows, replace=replace)


def test_the_dat_file_these_rows_spoil_is_good(tmp_path):
    setup = dat(tmp_path, "1 -1 1 0.05 0 0.001 0")
    assert setup.start["U(1,-1,1)"] == 0.05


def test_data_of_single_precision_are_taken_to_double():
    measured = data(np.ones((2, 3), np.float32))
    assert problem(data=measured).data.y.dtype == jnp.float64
    found = intensities(kt=np.zeros((1, 2), np.float32))
    assert found.dtype == jnp.float64


def test_what_is_bad_under_a_mask_does_not_matter():
    y = np.random.default_rng(0).uniform(1, 2, (2, 3))
    mask = np.array([[1, 1, 0], [1, 1, 1]], bool)
    spoiled = np.where(mask, y, np.nan)
    costs = [
        problem(data=data(v, sigma=np.ones((2, 3)), mask=mask)).cost(problem().start())
        for v in (y, spoiled)
    ]
    assert costs[0] == costs[1]
    assert np.isfinite(costs[0])
    assert js.cbed.from_profiles(DISKS, OFFSETS, spoiled).n_valid == 5
