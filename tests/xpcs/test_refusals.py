"""Bad input is refused by name: every row of the list of what a user may get wrong."""

import pathlib

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.io import read_two_time

PHI = np.array([0.0, 45.0])
FILE = pathlib.Path(__file__).parent.parent / "data/xpcs/sample_aps_u.h5"
BENT = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.6])


def square(shape=(2, 6, 6)):
    c2 = 1 + np.random.default_rng(0).normal(0, 0.01, shape)
    return c2 + np.swapaxes(c2, 1, 2) if shape[1] == shape[2] else c2


def data(c2=None, phi=PHI, **changes):
    options = {"q": 0.0054, "dt": 0.1, **changes}
    return xpcs.from_matrices(square() if c2 is None else c2, phi, **options)


def loaded(**frames):
    return xpcs.load(FILE, q=0.0054, dt=0.1, **frames)


def problem(**options):
    return xpcs.problem(data(), **{"values": {}, **options})


ROWS = {
    "dt zero": (lambda: data(dt=0.0), "dt is 0"),
    "dt nan": (lambda: data(dt=np.nan), "dt is nan"),
    "q negative": (lambda: data(q=-1.0), "q is -1"),
    "gap zero": (lambda: problem(h=0.0), "h must be positive"),
    "one frame": (lambda: data(square((2, 1, 1))), "at least two frames"),
    "not square": (lambda: data(square((2, 5, 6))), r"\(2, 5, 6\)"),
    "too many angles": (lambda: data(phi=np.zeros(3)), "phi has shape"),
    "sigma zero": (lambda: data(sigma=0.0), "sigma is 0"),
    "sigma nan": (lambda: data(sigma=[0.1, np.nan]), "sigma is"),
    "sigma shape": (lambda: data(sigma=np.ones(3)), "sigma has shape"),
    "empty": (lambda: data(square((0, 5, 5)), np.zeros(0)), r"\(0, 5, 5\)"),
    "bent time": (lambda: data(t=BENT, dt=None), "not uniform"),
    "no dt": (lambda: data(dt=None), "dt in s is needed"),
    "all nan": (lambda: data(np.full((2, 6, 6), np.nan)), "is finite"),
    "start too short": (
        lambda: js.fit(problem(), start=np.ones(3)),
        "expected \\(7,\\)",
    ),
    "start nan": (lambda: js.fit(problem(), start={"D0": np.nan}), "D0 = nan"),
    "value nan": (lambda: problem(values={"D0": np.nan}), "'D0' has value nan"),
    "value outside": (lambda: problem(values={"D0": 1e9}), "outside its bounds"),
    "bounds crossed": (
        lambda: problem(bounds=[{"name": "D0", "min": 5.0, "max": 1.0}]),
        "expected lo < hi",
    ),
    "unknown model": (lambda: problem(model="foo"), "model 'foo'"),
    "unknown parameter": (lambda: problem(values={"D00": 1e3}), "D00"),
    "unknown convention": (lambda: problem(convention="x"), "convention is 'x'"),
    "unknown scaling": (lambda: problem(scaling="x"), "scaling is 'x'"),
    "other data": (lambda: xpcs.problem(js.Dataset(np.ones((1, 5)))), "'early'"),
    "first frame 0": (lambda: loaded(start_frame=0), "start_frame=0"),
    "frames crossed": (lambda: loaded(start_frame=3, end_frame=2), "end_frame=2"),
    "half a frame": (lambda: read_two_time(FILE, start_frame=1.5), "start_frame=1.5"),
}


@pytest.mark.parametrize("row", ROWS)
def test_it_is_refused_by_name(row):
    call, text = ROWS[row]
    with pytest.raises(ValueError, match=text):
        call()


def test_a_missing_file_and_one_of_another_kind(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        xpcs.load(tmp_path / "none.h5")
    (tmp_path / "a.h5").write_text("a diary")
    with pytest.raises(ValueError, match="expected a complete HDF5"):
        xpcs.load(tmp_path / "a.h5")


def test_some_nan_and_asymmetry_are_masked_or_said():
    c2 = square()
    c2[0, 1, 3] = c2[0, 3, 1] = np.nan
    with pytest.warns(match="1 of 30 points"):
        assert data(c2).n_valid == 29
    tilted = square() + np.triu(np.full((6, 6), 1.0), 1)
    with pytest.warns(match="not symmetric"):
        data(tilted)


def test_a_gap_in_another_unit_is_said():
    assert any("is it in Å?" in w for w in problem(h=0.2).warnings)
    assert not any("gap" in w for w in problem(h=2e6).warnings)
