"""Tiles of two-time files are parts of the matrices that `read_two_time` gives."""

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import TwoTime, TwoTimeFile, read_two_time, write_aps_u, write_npz

N = 9
T = 0.1 * np.arange(N)


def matrices():
    rng = np.random.default_rng(1)
    c2 = rng.uniform(1.0, 1.3, (2, N, N))
    return c2 + np.swapaxes(c2, 1, 2)


def two_time(c2):
    return TwoTime(c2, np.array([0.0, 90.0]), np.full(2, 0.0054), 0.1, T, {})


def written(path, transposed=False):
    c2 = matrices()
    write_aps_u(path, two_time(c2))
    if transposed:
        with h5py.File(path, "r+") as file:
            group = file["xpcs/twotime/correlation_map"]
            for name in list(group):
                half = group[name][()]
                del group[name]
                group[name] = half.T
    return c2


@pytest.mark.parametrize("transposed", [False, True])
def test_tiles_are_parts_of_the_matrices(tmp_path, transposed):
    path = tmp_path / "a.h5"
    written(path, transposed)
    whole = read_two_time(path, q=0.0054, start_frame=2, end_frame=8)
    file = TwoTimeFile(path, q=0.0054, start_frame=2, end_frame=8)
    part = file.tile(slice(0, 3), slice(4, 7))
    np.testing.assert_array_equal(part, whole.c2[:, 0:3, 4:7])
    np.testing.assert_allclose(file.t, whole.t)
    np.testing.assert_array_equal(file.phi, whole.phi)
    file.close()


def test_what_cannot_be_read_in_parts_is_named(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, two_time(matrices()))
    with pytest.raises(FormatError, match="not HDF5"):
        TwoTimeFile(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        TwoTimeFile(tmp_path / "b.h5")
    with pytest.raises(DataError, match="dt=0"):
        TwoTimeFile(path, dt=0)
