"""Writers refuse what could not be read back, and never leave half a file."""

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.io import TwoTime, read_two_time, write_aps_u, write_npz, write_plain

DT = 0.25


def two_time(phi=(10.0, -30.0, 90.0), n=6):
    noise = np.random.default_rng(0).standard_normal((3, n, n))
    c2 = 1 + 0.1 * (noise + noise.transpose(0, 2, 1))
    q = np.full(3, 0.0054)
    return TwoTime(c2, np.array(phi), q, DT, DT * np.arange(n), {})


@pytest.mark.parametrize("write", [write_aps_u, write_npz, write_plain])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"c2": np.ones((3, 6, 5))}, r"\(3, 6, 5\); expected \(phi, N, N\)"),
        ({"c2": np.ones((3, 1, 1))}, "with N >= 2"),
        ({"phi": np.ones(2)}, r"phi has shape \(2,\); expected \(3,\)"),
        ({"q": np.array([1.0, np.nan, 1.0])}, "q=.*expected finite, and q > 0"),
        ({"q": np.zeros(3)}, "q=.*expected finite, and q > 0"),
        ({"phi": np.full(3, np.inf)}, "phi=.*expected finite"),
        ({"dt": 0.0}, r"dt=0\.0: expected a positive time"),
        ({"t": np.arange(4.0)}, r"t: expected dt = 0.25 s times 0, \.\.\., 5"),
        ({"t": np.arange(6.0)}, r"t: expected dt = 0.25 s times"),
    ],
)
def test_failed_write_leaves_the_old_file(tmp_path, write, change, message):
    path = tmp_path / "old.h5"
    path.write_text("old")
    with pytest.raises(DataError, match=message):
        write(path, two_time()._replace(**change))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["old.h5"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "old.h5"
    path.write_text("old")

    def broken(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(h5py.Group, "create_dataset", broken)
    for write in (write_aps_u, write_plain):
        with pytest.raises(OSError, match="no space left"):
            write(path, two_time())
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["old.h5"]


def test_aps_u_writer_refuses_what_one_half_cannot_hold(tmp_path):
    data = two_time()
    data.c2[1, 0, 1] += 1
    with pytest.raises(DataError, match=r"c2 at phi \[-30\.0\]: expected C = Cᵀ"):
        write_aps_u(tmp_path / "u.h5", data)
    with pytest.raises(DataError, match="two matrices of one pair; expected each"):
        write_aps_u(tmp_path / "u.h5", two_time(phi=[0.0, 0.0, 1.0]))
    assert not [*tmp_path.iterdir()]


def test_an_npz_is_read_back_bit_for_bit(tmp_path):
    given = two_time()
    back = read_two_time(write_npz(tmp_path / "a.npz", given))
    assert back.metadata["layout"] == "plain"
    for name in ("c2", "phi", "q"):
        np.testing.assert_array_equal(getattr(back, name), getattr(given, name))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
