import json
import pathlib
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, DataWarning, FormatError
from jaxscatter.io import TwoTime, read_two_time, write_aps_u, write_plain

DATA = pathlib.Path(__file__).parent.parent / "data" / "xpcs"
MAP = "xpcs/twotime/correlation_map"
BINS = "xpcs/twotime/processed_bins"
N, DT = 6, 0.25
PHI, Q = np.array([10.0, -30.0, 90.0]), 0.0054


def matrices(n, size=N, seed=0):
    """Symmetric and noisy, with a bright diagonal."""
    values = 1 + 0.1 * np.random.default_rng(seed).standard_normal((n, size, size))
    full = np.triu(values) + np.triu(values, 1).transpose(0, 2, 1)
    full[:, np.arange(size), np.arange(size)] += 1
    return full


def two_time(n=3, size=N, phi=PHI, q=Q):
    return TwoTime(
        c2=matrices(n, size),
        phi=np.array(phi, float),
        q=np.broadcast_to(np.asarray(q, float), (n,)).copy(),
        dt=DT,
        t=DT * np.arange(size),
        metadata={},
    )


def off_diagonal(c2):
    c2 = np.array(c2, float)
    index = np.arange(c2.shape[-1])
    c2[:, index, index] = 0
    return c2


def assert_same(got, want):
    for name in ("c2", "phi", "q", "t"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
        assert getattr(got, name).dtype == np.float64
    assert got.dt == want.dt


def edit(path, **changes):
    """Replace (or with None delete) datasets; __ stands for / in their names."""
    with h5py.File(path, "r+") as file:
        for name, value in changes.items():
            name = name.replace("__", "/")
            if name in file:
                del file[name]
            if value is not None:
                file[name] = value
    return path


def aps_old(path, q, phi, c2, names=None):
    with h5py.File(path, "w") as file:
        file["xpcs/dqlist"] = np.atleast_2d(q)
        file["xpcs/dphilist"] = np.atleast_2d(phi)
        names = names or [f"g2_{i + 1:05d}" for i in range(len(c2))]
        for i in np.random.default_rng(2).permutation(len(c2)):
            file[f"exchange/C2T_all/{names[i]}"] = np.triu(c2[i])
    return path


@pytest.fixture
def aps_u(tmp_path):
    return write_aps_u(tmp_path / "u.h5", two_time())


@pytest.fixture
def plain(tmp_path):
    return write_plain(tmp_path / "p.h5", two_time())


@pytest.mark.parametrize("layout", ["aps_u", "aps_old"])
def test_golden_files_are_read_as_the_peer_reads_them(layout):
    """homodyne replaces the diagonal, so only what is off it is compared."""
    settings = json.loads((DATA / f"sample_{layout}.json").read_text())
    loaded = np.load(DATA / f"sample_{layout}_loaded.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read_two_time(
            DATA / f"sample_{layout}.h5",
            q=settings["wavevector_q"],
            dt=settings["dt"],
            start_frame=settings["start_frame"],
            end_frame=settings["end_frame"],
        )
    np.testing.assert_allclose(
        off_diagonal(got.c2), off_diagonal(loaded["c2_exp"]), rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(got.phi, loaded["phi_angles_list"])
    np.testing.assert_array_equal(got.q, loaded["wavevector_q_list"])
    np.testing.assert_allclose(got.t, loaded["t1"], rtol=1e-15)
    assert got.metadata["layout"] == layout
    assert got.metadata["q_asked"] == 0.0055
    assert got.metadata["warnings"] == ()


def test_golden_diagonal_is_the_one_in_the_file():
    path = DATA / "sample_aps_u.h5"
    got = read_two_time(path, q=Q, dt=0.1)
    assert got.metadata["members"] == ("c2_00006", "c2_00007", "c2_00008")
    with h5py.File(path) as file:
        for c2, name in zip(got.c2, got.metadata["members"], strict=True):
            np.testing.assert_array_equal(np.diag(c2), np.diag(file[MAP][name][()]))
            np.testing.assert_array_equal(c2, c2.T)


def test_aps_u_file_is_read_back(tmp_path, aps_u):
    got = read_two_time(aps_u, q=Q)
    assert_same(got, two_time())
    assert got.metadata["members"] == ("c2_00001", "c2_00002", "c2_00003")
    assert [p.name for p in tmp_path.iterdir()] == ["u.h5"]


def test_aps_u_file_of_several_q_gives_the_nearest(tmp_path):
    """Interleaved bins of two Q come back with their own matrices."""
    data = two_time(4, phi=[20.0, 20.0, 5.0, 5.0], q=[0.006, 0.004, 0.006, 0.004])
    path = write_aps_u(tmp_path / "two.h5", data)
    for q, rows in ((0.0062, [0, 2]), (0.0041, [1, 3])):
        got = read_two_time(path, q=q)
        np.testing.assert_array_equal(got.c2, data.c2[rows])
        np.testing.assert_array_equal(got.phi, [20.0, 5.0])
        np.testing.assert_array_equal(got.q, data.q[rows])


def test_plain_file_is_read_back_from_hdf5_and_npz(tmp_path, plain):
    data = two_time()
    assert_same(read_two_time(plain), data)
    # found by content: the name says nothing
    path = tmp_path / "plain.h5"
    with path.open("wb") as file:
        np.savez(file, c2=data.c2, t=data.t, phi=data.phi, q=data.q)
    got = read_two_time(path)
    assert_same(got, data)
    assert got.metadata["layout"] == "plain"
    assert got.metadata["members"] == (0, 1, 2)


def test_plain_file_of_several_q_is_selected_exactly(tmp_path):
    data = two_time(q=[0.005, 0.0051, 0.005])
    path = write_plain(tmp_path / "p.h5", data)
    np.testing.assert_array_equal(read_two_time(path).q, data.q)
    got = read_two_time(path, q=0.00502)
    np.testing.assert_array_equal(got.c2, data.c2[[0, 2]])
    np.testing.assert_array_equal(got.phi, PHI[[0, 2]])


def test_one_q_may_stand_for_all_matrices(plain):
    edit(plain, q=np.array(0.0054))
    np.testing.assert_array_equal(read_two_time(plain).q, [0.0054] * 3)


def test_only_the_selected_members_are_read(tmp_path):
    """Matrices of another Q could not be read: their bytes are broken."""
    data = two_time(4, phi=[0.0, 45.0, 0.0, 45.0], q=[0.004, 0.004, 0.006, 0.006])
    for write in (write_aps_u, write_plain):
        path = write(tmp_path / f"{write.__name__}.h5", data)
        with h5py.File(path) as file:
            if write is write_plain:
                at = file["c2"].id.get_chunk_info_by_coord((0, 0, 0))
            else:
                at = file[f"{MAP}/c2_00001"].id.get_chunk_info(0)
        content = bytearray(path.read_bytes())
        content[at.byte_offset : at.byte_offset + at.size] = b"\xff" * at.size
        path.write_bytes(content)
        got = read_two_time(path, q=0.006)
        np.testing.assert_array_equal(got.c2, data.c2[2:])
        with pytest.raises(FormatError, match="expected a complete HDF5"):
            read_two_time(path, q=0.004)


def test_matrices_pair_with_bins_by_position(tmp_path, aps_u):
    """Neither the order of creation nor the numbers in the names count."""
    data = two_time()
    with h5py.File(aps_u, "r+") as file:
        del file[MAP]
        for name, c2 in (("c2_7", 1), ("c2_11", 2), ("c2_3", 0)):
            file[f"{MAP}/{name}"] = np.triu(data.c2[c2])
    got = read_two_time(aps_u, q=Q)
    assert_same(got, data)
    assert got.metadata["members"] == ("c2_3", "c2_7", "c2_11")
    q, phi, c2 = np.full(12, Q), np.arange(12.0), matrices(12)
    names = [str(i + 1) for i in range(12)]
    path = aps_old(tmp_path / "old.h5", q, phi, c2, names)
    np.testing.assert_array_equal(read_two_time(path, q=Q, dt=DT).c2, c2)


@pytest.mark.parametrize("padding", [0.0, np.nan])
@pytest.mark.parametrize("side", [np.triu, np.tril])
def test_either_half_makes_the_full_matrix(aps_u, side, padding):
    stored = two_time().c2[0]
    half = np.where(side(np.ones_like(stored)) > 0, stored, padding)
    edit(aps_u, **{f"{MAP}/c2_00001": half})
    got = read_two_time(aps_u, q=Q)
    np.testing.assert_array_equal(got.c2[0], stored)


def test_a_matrix_that_is_full_already_is_not_doubled(aps_u):
    full = two_time().c2[1]
    edit(aps_u, **{f"{MAP}/c2_00002": full})
    with pytest.warns(
        DataWarning, match=r"\['c2_00002'\] are full already, not halves"
    ):
        got = read_two_time(aps_u, q=Q)
    np.testing.assert_array_equal(got.c2[1], full)
    odd = full.copy()
    odd[0, 3] += 0.5
    edit(aps_u, **{f"{MAP}/c2_00002": odd})
    with pytest.raises(DataError, match="c2_00002 is neither symmetric nor a half"):
        read_two_time(aps_u, q=Q)


def test_nans_are_kept(tmp_path):
    data = two_time()
    data.c2[0, 1, 4] = data.c2[0, 4, 1] = np.nan
    data.c2[1, 2, 2] = np.nan
    data.c2[2, 0, 1] = data.c2[2, 1, 0] = np.inf
    for write in (write_aps_u, write_plain):
        path = write(tmp_path / "n.h5", data)
        assert_same(read_two_time(path, q=Q), data)


def test_a_matrix_without_values_is_told_and_all_are_refused(tmp_path):
    data = two_time()
    data.c2[1] = np.nan
    path = write_aps_u(tmp_path / "n.h5", data)
    with pytest.warns(DataWarning, match=r"n\.h5: no finite value .* phi \[-30\.\]"):
        got = read_two_time(path, q=Q)
    assert_same(got, data)
    data.c2[:] = np.nan
    path = write_plain(tmp_path / "n.h5", data)
    with pytest.raises(DataError, match=r"n\.h5: no finite value in the 3 matrices"):
        read_two_time(path)


def test_invalid_bins_are_skipped_with_a_warning(aps_u):
    edit(aps_u, **{BINS: np.array([1, 99, 3])})
    with pytest.warns(DataWarning, match=r"skipped \['c2_00002'\]") as caught:
        got = read_two_time(aps_u, q=Q)
    np.testing.assert_array_equal(got.phi, PHI[[0, 2]])
    np.testing.assert_array_equal(got.c2, two_time().c2[[0, 2]])
    assert got.metadata["skipped"] == ("c2_00002",)
    assert len(caught) == len(got.metadata["warnings"]) == 1
    edit(aps_u, **{BINS: np.array([0, -2, 50])})
    with pytest.raises(DataError, match="no finite Q > 0 with an angle for any of 3"):
        read_two_time(aps_u, q=Q)


def test_a_bin_whose_q_or_angle_is_nan_is_skipped(tmp_path):
    q, phi = np.full(7, Q), np.arange(7.0)
    q[2], phi[4] = np.nan, np.nan
    path = aps_old(tmp_path / "old.h5", q, phi, matrices(7))
    with pytest.warns(DataWarning, match="skipped .*g2_00003.*g2_00005"):
        got = read_two_time(path, q=Q, dt=DT)
    np.testing.assert_array_equal(got.phi, [0, 1, 3, 5, 6])


def test_aps_old_takes_all_within_the_tolerance(tmp_path):
    q = Q * np.array([1.0, 1.05, 0.95, 1.09, 0.92, 1.2, 0.8])
    path = aps_old(tmp_path / "old.h5", q, np.arange(7.0), matrices(7))
    got = read_two_time(path, q=Q, dt=DT)
    np.testing.assert_array_equal(got.q, q[:5])
    assert got.metadata["warnings"] == ()
    got = read_two_time(path, q=Q, dt=DT, q_tolerance=0.25)
    np.testing.assert_array_equal(got.q, q)


def test_aps_old_tolerance_is_about_the_stored_q(tmp_path):
    """0.00567 is nearest to 0.0054, whose tenth does not reach 0.00596."""
    q = np.array([Q, Q, Q, Q, Q, 0.00596, 0.005])
    path = aps_old(tmp_path / "old.h5", q, np.arange(7.0), matrices(7))
    got = read_two_time(path, q=0.00567, dt=DT)
    np.testing.assert_array_equal(got.q, np.delete(q, 5))


def test_aps_old_with_few_angles_takes_the_ten_nearest_and_says_so(tmp_path):
    q = np.repeat([0.004, 0.0054, 0.007, 0.009], 4)
    c2 = matrices(16)
    path = aps_old(tmp_path / "old.h5", q, np.tile([0.0, 30, 60, 90], 4), c2)
    with pytest.warns(
        DataWarning,
        match=r"fewer than 5 matrices within 0.1 of q=0.0054: took the nearest 10, q "
        r"from 0.004 to 0.007",
    ):
        got = read_two_time(path, q=Q, dt=DT)
    np.testing.assert_array_equal(got.c2, c2[:10])
    np.testing.assert_array_equal(got.q, q[:10])


def test_few_matrices_that_are_all_need_no_warning(tmp_path):
    path = aps_old(tmp_path / "old.h5", [Q, Q], [0.0, 90.0], matrices(2))
    assert read_two_time(path, dt=DT).metadata["warnings"] == ()


def test_q_that_is_not_given_is_told_where_there_is_a_choice(aps_u):
    assert read_two_time(aps_u).q[0] == Q
    path = DATA / "sample_aps_u.h5"
    with pytest.warns(DataWarning, match=r"no q was given: took 0.0054 of 3 values"):
        got = read_two_time(path, dt=0.1)
    assert got.metadata["q_asked"] is None
    np.testing.assert_array_equal(got.q, [Q] * 3)


def test_q_in_other_units_is_suspected(aps_u, plain):
    for path in (aps_u, plain):
        with pytest.warns(DataWarning, match=r"no q is near 0.054: .*is it in 1/Å\?"):
            read_two_time(path, q=0.054)


@pytest.mark.parametrize("layout", ["aps_u", "plain"])
@pytest.mark.parametrize(
    ("start", "end", "cut"),
    [
        (1, -1, slice(0, 6)),
        (2, 5, slice(1, 5)),
        (5, 6, slice(4, 6)),
        (3, -1, slice(2, 6)),
    ],
)
def test_frames_count_from_one_and_include_the_last(request, layout, start, end, cut):
    path = request.getfixturevalue(layout)
    got = read_two_time(path, q=Q, start_frame=np.int64(start), end_frame=end)
    np.testing.assert_array_equal(got.c2, two_time().c2[:, cut, cut])
    np.testing.assert_array_equal(got.t, DT * np.arange(cut.stop - cut.start))
    assert got.metadata["start_frame"] == start
    assert got.metadata["end_frame"] == end


def test_end_past_the_data_is_clamped_with_a_warning(aps_u):
    with pytest.warns(DataWarning, match=r"end_frame=9 is past the last of 6 frames"):
        got = read_two_time(aps_u, q=Q, start_frame=2, end_frame=9)
    assert got.c2.shape == (3, 5, 5)
    assert "end_frame=9" in got.metadata["warnings"][0]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({"start_frame": 0}, "start_frame=0: expected at least 1"),
        ({"start_frame": -3}, "start_frame=-3: expected at least 1"),
        ({"start_frame": 4, "end_frame": 3}, "end_frame=3: expected -1 or at least 4"),
        ({"end_frame": 0}, "end_frame=0: expected -1 or at least 1"),
        ({"end_frame": -2}, "end_frame=-2: expected -1"),
        ({"start_frame": 1.5}, r"start_frame=1\.5: expected a whole number"),
        ({"end_frame": 3.0}, r"end_frame=3\.0: expected a whole number"),
        ({"start_frame": True}, "start_frame=True: expected a whole number"),
        ({"start_frame": 8}, "frames 8 to 6 of 6; expected at least two"),
        ({"start_frame": 6}, "frames 6 to 6 of 6; expected at least two"),
        ({"q": -1.0}, r"q=-1\.0: expected a positive number"),
        ({"q": float("nan")}, "q=nan: expected a positive number"),
        ({"dt": 0.0}, r"dt=0\.0: expected a positive number"),
        ({"dt": float("inf")}, "dt=inf: expected a positive number"),
        ({"q_tolerance": 0.0}, r"q_tolerance=0\.0: expected a positive number"),
    ],
)
def test_unusable_arguments_are_named(aps_u, frames, message):
    with pytest.raises(ValueError, match=message):
        read_two_time(aps_u, **({"q": Q} | frames))


def test_dt_of_aps_u_is_frame_time_times_stride_times_average(aps_u):
    edit(
        aps_u,
        xpcs__twotime__config__stride_frame=np.array([3]),
        xpcs__twotime__config__avg_frame=np.array([2]),
    )
    assert read_two_time(aps_u, q=Q).dt == 6 * DT
    with pytest.warns(DataWarning, match=r"dt=0\.1 s was given .* file says 1\.5 s"):
        assert read_two_time(aps_u, q=Q, dt=0.1).dt == 0.1
    edit(aps_u, entry__instrument__detector_1__frame_time=0.0)
    with pytest.raises(DataError, match=r"dt=0\.0 s from .*frame_time.*expected > 0"):
        read_two_time(aps_u, q=Q)


@pytest.mark.parametrize("name", ["frame_time", "stride_frame"])
def test_dt_is_never_assumed(aps_u, tmp_path, name):
    where = "entry/instrument/detector_1" if name == "frame_time" else BINS[:13]
    where = where if name == "frame_time" else f"{where}config"
    edit(aps_u, **{f"{where}/{name}": None})
    with pytest.raises(DataError, match=rf"does not say dt \(no .*{name}\); pass dt="):
        read_two_time(aps_u, q=Q)
    assert read_two_time(aps_u, q=Q, dt=2).dt == 2.0


def test_dt_of_other_layouts_is_asked_for(tmp_path, plain):
    path = aps_old(tmp_path / "old.h5", [Q, Q], [0.0, 90.0], matrices(2))
    with pytest.raises(DataError, match=r"does not say dt .*no frame time.*pass dt="):
        read_two_time(path)
    edit(plain, t=None)
    with pytest.raises(DataError, match=r"does not say dt \(no t\); pass dt= in s"):
        read_two_time(plain)
    assert read_two_time(plain, dt=0.5).dt == 0.5


def test_times_that_are_not_even_are_refused(plain):
    for t in ([0.0, 1, 2, 3, 4, 6], [5.0, 4, 3, 2, 1, 0], [np.nan, 1, 2, 3, 4, 5]):
        edit(plain, t=np.array(t))
        with pytest.raises(DataError, match=r"p\.h5: t does not increase evenly"):
            read_two_time(plain)
    edit(plain, t=np.arange(5.0))
    with pytest.raises(DataError, match=r"t has shape \(5,\); expected \(6,\)"):
        read_two_time(plain, dt=1.0)


def test_asymmetry_beyond_noise_is_told(tmp_path, plain):
    rng = np.random.default_rng(5)
    noisy = 1 + 0.1 * rng.standard_normal((3, 40, 40))
    t = DT * np.arange(40)
    edit(plain, c2=noisy, t=t)
    assert read_two_time(plain).metadata["warnings"] == ()
    noisy[1] += np.linspace(0, 3, 40)[:, None]
    edit(plain, c2=noisy)
    with pytest.warns(DataWarning, match=r"matrices \[1\] are not symmetric beyond"):
        got = read_two_time(plain)
    np.testing.assert_array_equal(got.c2, noisy)
    edit(plain, c2=np.triu(noisy))
    with pytest.warns(DataWarning, match=r"matrices \[0, 1, 2\] are not symmetric"):
        read_two_time(plain)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"c2": np.ones((3, 6, 5))}, DataError, r"\(6, 5\); expected all square"),
        ({"c2": np.ones((6, 6))}, DataError, r"\(6, 6\); expected \(n, N, N\)"),
        ({"c2__x": np.ones(2), "c2": None}, DataError, r"c2 has shape \(\)"),
        ({"phi": np.ones(4)}, DataError, r"phi \(4,\), q \(3,\): expected as many"),
        ({"q": np.ones(2)}, DataError, r"q \(2,\): expected as many angles and Q"),
        ({"q": None}, FormatError, r"no q; expected c2, phi, q, t, found"),
        ({"phi": None, "q": None}, FormatError, "no phi, q; expected"),
        ({"q": np.full(3, -1.0)}, DataError, "no finite Q > 0 with an angle"),
        ({"phi": np.array([b"a", b"b", b"c"])}, FormatError, "expected a complete"),
    ],
)
def test_plain_files_that_do_not_fit_are_named(plain, change, error, message):
    change = dict(sorted(change.items()))
    if "c2__x" in change:
        change = {"c2": None, "c2__x": change["c2__x"]}
    edit(plain, **change)
    with pytest.raises(error, match=message) as caught:
        read_two_time(plain)
    assert str(plain) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({f"{MAP}/c2_00002": None}, DataError, "2 matrices in /.*map, 3 Q, 3 phi"),
        ({BINS: np.array([1, 2])}, DataError, "3 matrices in .*, 2 Q, 2 phi"),
        ({BINS: None}, FormatError, f"no {BINS}; expected it beside"),
        ({"xpcs/qmap/dynamic_v_list_dim1": None}, FormatError, "no .*dim1; expected"),
        ({f"{MAP}/c2_00002": np.ones((6, 5))}, DataError, r"c2_00002 has .*\(6, 5\)"),
        ({f"{MAP}/c2_00003": np.ones((5, 5))}, DataError, r"\(5, 5\); .*\(6, 6\)"),
        ({f"{MAP}/c2_00001": np.ones(6)}, DataError, r"\(6,\); expected all square"),
        ({"xpcs/qmap/dynamic_v_list_dim0": None}, FormatError, "not a known two-time"),
        ({MAP: None}, FormatError, r"found top-level \['entry', 'xpcs'\]"),
    ],
)
def test_aps_u_files_that_do_not_fit_are_named(aps_u, change, error, message):
    edit(aps_u, **change)
    with pytest.raises(error, match=message) as caught:
        read_two_time(aps_u, q=Q)
    assert str(aps_u) in str(caught.value)


def test_aps_old_with_a_member_missing_is_refused(tmp_path):
    path = aps_old(tmp_path / "old.h5", [Q] * 3, [0.0, 45, 90], matrices(3))
    edit(path, exchange__C2T_all__g2_00002=None)
    with pytest.raises(DataError, match="2 matrices in /exchange/C2T_all, 3 Q, 3 phi"):
        read_two_time(path, dt=DT)


def test_a_group_in_place_of_a_matrix_is_refused(aps_u):
    edit(aps_u, **{f"{MAP}/c2_00002": None})
    edit(aps_u, **{f"{MAP}/c2_00002/deeper": np.ones((6, 6))})
    with pytest.raises(
        DataError, match=r"c2_00002 has shape \(\); expected all square"
    ):
        read_two_time(aps_u, q=Q)


def test_layouts_are_recognised_in_order(aps_u, plain):
    """A file with two layouts is APS-U before it is plain."""
    with h5py.File(plain) as source, h5py.File(aps_u, "r+") as file:
        for name in source:
            source.copy(name, file)
    assert read_two_time(aps_u, q=Q).metadata["layout"] == "aps_u"


def test_paths_that_hold_nothing_of_use_are_refused(tmp_path, aps_u):
    with pytest.raises(FileNotFoundError, match=r"none\.h5: no such file"):
        read_two_time(tmp_path / "none.h5")
    with pytest.raises(IsADirectoryError, match="is a directory; expected"):
        read_two_time(tmp_path)
    npz = tmp_path / "good.npz"
    np.savez(npz, c2=matrices(3), t=DT * np.arange(N), phi=PHI, q=Q)
    for path in (aps_u, npz):
        for size in (0, 100, path.stat().st_size - 10):
            cut = tmp_path / f"cut{size}"
            cut.write_bytes(path.read_bytes()[:size])
            with pytest.raises(FormatError, match=f"cut{size}: expected a complete"):
                read_two_time(cut, q=Q)
    text = tmp_path / "text.h5"
    text.write_text("c2 t phi q\n")
    with pytest.raises(FormatError, match=r"text\.h5: expected a complete HDF5 or npz"):
        read_two_time(text)
    np.savez(npz, numbers=np.arange(3))
    with pytest.raises(FormatError, match=r"found top-level \['numbers'\]"):
        read_two_time(npz)
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(FormatError, match="found top-level nothing"):
        read_two_time(tmp_path / "empty.h5")


def test_pickled_arrays_are_never_loaded(tmp_path):
    path = tmp_path / "pickled.npz"
    c2 = np.array([[[object()]]], dtype=object)
    np.savez(path, c2=c2, t=np.arange(2.0), phi=PHI, q=Q)
    with pytest.raises(FormatError, match="without pickles"):
        read_two_time(path)


def test_a_missing_filter_names_the_extra_to_install(aps_u, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    with pytest.raises(
        FormatError, match=r"c2_00001 needs .* filter .*jaxscatter\[io\]"
    ):
        read_two_time(aps_u, q=Q)


def test_filters_are_registered_when_a_file_needs_them(tmp_path):
    """In a fresh interpreter, where nobody else has imported hdf5plugin."""
    hdf5plugin = pytest.importorskip("hdf5plugin")
    path = tmp_path / "packed.h5"
    data = two_time()
    with h5py.File(path, "w") as file:
        file.create_dataset("c2", data=data.c2, **hdf5plugin.Bitshuffle())
        file["t"], file["phi"], file["q"] = data.t, data.phi, data.q
    code = (
        "import sys; from jaxscatter.io import read_two_time; "
        "assert 'hdf5plugin' not in sys.modules; "
        f"print(repr(float(read_two_time({str(path)!r}).c2.sum())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    np.testing.assert_allclose(float(done.stdout), data.c2.sum(), rtol=1e-14)
