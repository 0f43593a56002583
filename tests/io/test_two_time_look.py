"""What files hold, told without reading their matrices."""

import pathlib

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import TwoTime, write_aps_u, write_npz, write_plain
from jaxscatter.io.two_time_look import two_time_contents

DATA = pathlib.Path(__file__).parent.parent / "data/xpcs"


def two_time():
    c2 = np.ones((3, 4, 4))
    phi, q = np.array([0.0, 30.0, 60.0]), np.array([0.01, 0.01, 0.02])
    return TwoTime(c2, phi, q, 0.5, 0.5 * np.arange(4), {})


@pytest.mark.parametrize(
    ("write", "layout"),
    [(write_aps_u, "aps_u"), (write_npz, "plain"), (write_plain, "plain")],
)
def test_every_layout_is_told_with_its_table(tmp_path, write, layout):
    c = two_time_contents(write(tmp_path / "a", two_time()))
    assert c is not None
    assert (c.layout, c.frames, c.dt, c.dt_note) == (layout, (4, 4), 0.5, "")
    assert sorted(c.q) == [0.01, 0.01, 0.02]
    assert sorted(c.phi) == [0.0, 30.0, 60.0]


def test_a_file_without_frame_time_says_so():
    c = two_time_contents(DATA / "sample_aps_old.h5")
    assert c is not None
    assert c.layout == "aps_old"
    assert c.dt is None
    assert "pass dt=" in c.dt_note


def test_files_of_another_kind_and_broken_ones(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["something/else"] = [1.0]
    assert two_time_contents(tmp_path / "x.h5") is None
    with pytest.raises(FileNotFoundError, match="no such file"):
        two_time_contents(tmp_path / "no.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(FormatError, match=r"text\.h5"):
        two_time_contents(tmp_path / "text.h5")
    path = write_plain(tmp_path / "a.h5", two_time())
    with h5py.File(path, "r+") as file:
        del file["phi"]
        file["phi"] = [0.0]
    with pytest.raises(DataError, match="expected as many"):
        two_time_contents(path)
