"""QENS data: bins and files in, axes, kernels and masks checked."""

import logging
import pathlib

import h5py
import numpy as np
import pytest

from jaxscatter import examples, qens
from jaxscatter.errors import DataError, FormatError, ParameterError
from jaxscatter.io import nxspe, write_dave

OMEGA = np.linspace(-1.0, 1.0, 101)
GOOD = (OMEGA, np.ones_like(OMEGA), np.ones_like(OMEGA), 1.0)
KERNEL = np.exp(-0.5 * (OMEGA / 0.05) ** 2)


def changed(i, value):
    return tuple(value if k == i else part for k, part in enumerate(GOOD))


def spoilt(array, value, at=4):
    out = np.array(array)
    out[at] = value
    return out


@pytest.mark.parametrize(
    ("bins", "sigma_res", "error", "text"),
    [
        ([], 0.05, DataError, "no Q bins"),
        ([changed(0, spoilt(OMEGA, np.nan))], 0.05, DataError, "omega must be finite"),
        ([changed(0, spoilt(OMEGA, np.inf))], 0.05, DataError, "omega must be finite"),
        ([changed(0, OMEGA[::-1])], 0.05, DataError, "omega must be strictly incr"),
        ([(*(p[:0] for p in GOOD[:3]), 1.0)], 0.05, DataError, "omega must be"),
        ([changed(1, np.ones(7))], 0.05, DataError, r"spec of bin 0 has shape \(7,\)"),
        ([changed(2, np.ones(7))], 0.05, DataError, r"errs of bin 0 has shape \(7,\)"),
        ([GOOD, changed(0, OMEGA + 0.01)], 0.05, DataError, "omega of bin 1 differs"),
        ([changed(3, -0.2)], 0.05, DataError, "q of bin 0 is -0.2"),
        ([changed(3, np.nan)], 0.05, DataError, "q of bin 0 is nan"),
        ([changed(2, 0 * OMEGA)], 0.05, DataError, "all points are masked"),
        ([GOOD], 0.0, ParameterError, "sigma_res is 0.0"),
        ([GOOD], -1.0, ParameterError, "sigma_res is -1.0"),
        ([GOOD], spoilt(KERNEL, np.nan), DataError, "kernel must be finite"),
        ([GOOD], 0 * KERNEL, DataError, "kernel must be positive"),
        ([GOOD], KERNEL[:50], DataError, "sigma_res has 50 entries"),
        ([GOOD] * 3, [KERNEL, KERNEL], DataError, "sigma_res has 2 entries"),
        ([GOOD] * 2, [KERNEL, KERNEL[1:]], DataError, r"shape \(100,\)"),
        ([GOOD] * 2, [KERNEL, 0.05], DataError, "mixes widths and kernels"),
        (
            [GOOD] * 2,
            [(OMEGA, KERNEL), (OMEGA + 0.1, KERNEL)],
            DataError,
            "kernel 1 has another energy axis",
        ),
    ],
)
def test_bins_that_cannot_be_used_are_named(bins, sigma_res, error, text):
    with pytest.raises(error, match=text):
        qens.from_bins(bins, sigma_res)


def test_widths_and_kernels_may_be_given_per_q():
    data = qens.from_bins([GOOD] * 2, [0.05, 0.06])
    np.testing.assert_array_equal(data.coords["sigma"], [0.05, 0.06])
    for kernels in (np.stack([KERNEL, 2 * KERNEL]), [(OMEGA, KERNEL)] * 2):
        data = qens.from_bins([GOOD] * 2, kernels)
        assert data.coords["kernel"].shape == (2, OMEGA.size)
        area = data.coords["kernel"].sum(1) * (OMEGA[1] - OMEGA[0])
        np.testing.assert_allclose(area, 1.0, rtol=1e-12)


def test_load_bins_the_measured_files_with_kernels_on_their_own_axis():
    example = examples.qens_benzene()
    data = qens.load(
        example.sample,
        example.resolution,
        q_edges=example.q_edges,
        q_min=0.6,
        q_max=1.8,
    )
    assert data.y.shape[0] == 12
    assert np.max(np.abs(data.coords["omega"])) <= 1.25
    assert data.metadata["e0"] != data.metadata["resolution_e0"]
    wide = qens.load(example.sample, q_edges=example.q_edges)
    assert "too wide" in wide.metadata["warnings"][0]
    assert "too wide" in qens.problem(wide, "translation_only").warnings[0]
    with pytest.raises(FileNotFoundError):
        qens.load("no_such_file.nxspe")


FILES = pathlib.Path(__file__).parents[1] / "data" / "qens"
WATER = examples.qens_water()


def lines(path, q, *, centre=0.0, gamma=0.1, n=81, unit="meV", error=0.01):
    """A .grp file of Lorentzian rows on a constant, with its elastic line at centre."""
    omega = np.linspace(-1.0, 1.0, n)
    q = np.atleast_1d(q)
    row = gamma**2 / ((omega - centre) ** 2 + gamma**2)
    data = np.outer(1 + q, row) + 0.01
    return write_dave(
        path, energy=omega, q=q, data=data, error=error + 0 * data, energy_unit=unit
    )


def test_measured_water_keeps_its_seventeen_rows_of_q():
    data = qens.load(WATER.sample, WATER.resolution)
    with h5py.File(WATER.sample) as file:
        group = file["entry1/data1"]
        x, y, s = (group[k][()].astype(float) for k in ("X", "DATA", "errors"))
    inside = np.abs(x - data.metadata["e0"]) <= 1.25
    np.testing.assert_allclose(data.coords["q"], np.linspace(0.5, 2.1, 17), atol=1e-6)
    np.testing.assert_allclose(
        data.coords["omega"], x[inside] - data.metadata["e0"], atol=1e-6
    )
    used = s[:, inside] > 0
    np.testing.assert_array_equal(np.asarray(data.mask) > 0, used)
    np.testing.assert_array_equal(data.y[used], y[:, inside][used])
    np.testing.assert_array_equal(data.sigma[used], s[:, inside][used])
    meta = data.metadata
    assert meta["format"] == meta["resolution_format"] == "LAMP HDF"
    assert abs(meta["e0"]) < 0.01 and meta["e0"] != meta["resolution_e0"]
    assert meta["warnings"] == ()
    assert qens.problem(data, "translation_only").warnings == ()
    steps = np.diff(data.coords["energy"])
    assert np.ptp(steps) < 1e-12  # a uniform axis keeps convolutions exact


def test_each_kernel_is_the_row_of_its_own_q():
    data = qens.load(WATER.sample, WATER.resolution)
    with h5py.File(WATER.resolution) as file:
        group = file["entry1/data1"]
        x, y, s = (group[k][()].astype(float) for k in ("X", "DATA", "errors"))
    inside = np.abs(x - data.metadata["resolution_e0"]) <= 1.25
    rows = np.where(s > 0, np.maximum(y, 0), 0)[:, inside]
    kernels = rows / (rows.sum(axis=1, keepdims=True) * 0.025)
    np.testing.assert_allclose(data.coords["kernel"], kernels, rtol=1e-5)


@pytest.mark.parametrize(
    ("n_q_bins", "bins"), [(None, 17), (17, 17), (40, 17), (12, 12), (5, 5)]
)
def test_rows_are_bins_unless_fewer_are_wanted(n_q_bins, bins):
    data = qens.load(WATER.sample, WATER.resolution, n_q_bins=n_q_bins)
    assert data.n_groups == bins
    used = np.asarray(data.mask).any(1)
    assert used.all()
    assert np.all(np.diff(data.coords["q"]) > 0)


def test_many_rows_make_twelve_bins(tmp_path):
    data = qens.load(lines(tmp_path / "a.grp", np.linspace(0.4, 2.0, 25)), 0.05)
    assert data.n_groups == 12
    data = qens.load(lines(tmp_path / "b.grp", np.linspace(0.4, 2.0, 24)), 0.05)
    assert data.n_groups == 24


def test_simulated_rows_of_counts_with_empty_wings_are_used():
    """Most points of the resolution are 0 counts: no row may be dropped for that."""
    data = qens.load(FILES / "IsoRot_Sample.hdf", FILES / "IsoRot_Resol.hdf", q_min=0.2)
    np.testing.assert_allclose(data.coords["q"], 0.2 * np.arange(1, 11), atol=1e-6)
    assert data.coords["kernel"].shape == (10, data.coords["energy"].size)
    left = qens.load(FILES / "IsoRot_Sample.hdf", 0.05)
    assert left.n_groups == 9
    assert "1 of 10 rows are outside q_min = 0.3" in left.metadata["said"][-1]


def test_a_single_spectrum_takes_q_and_a_resolution_of_one_row():
    paths = FILES / "data_2lorentzians.dat", FILES / "irf_iris.dat"
    data = qens.load(*paths, q=[0.96])
    table, kernel = (np.loadtxt(p) for p in paths)
    assert (data.n_groups, data.n_points) == (1, len(table))
    np.testing.assert_array_equal(data.y[0], table[:, 1])
    np.testing.assert_allclose(
        data.coords["omega"], table[:, 0] - data.metadata["e0"], atol=1e-15
    )
    area = np.maximum(kernel[:, 1], 0).sum() * 0.002
    np.testing.assert_allclose(
        data.coords["kernel"][0], np.maximum(kernel[:, 1], 0) / area, rtol=1e-9
    )
    with pytest.raises(DataError, match=r"data_2lor.*text columns have none.*q= or q_"):
        qens.load(*paths)


def test_one_row_of_resolution_serves_every_q(tmp_path):
    data = qens.load(lines(tmp_path / "a.grp", [0.5, 1.0, 1.5]), FILES / "irf_iris.dat")
    np.testing.assert_array_equal(data.coords["kernel"][0], data.coords["kernel"][2])
    assert data.metadata["resolution_format"] == "text columns"
    assert "its single row serves every Q" in " ".join(data.metadata["said"])


def test_time_of_flight_blocks_take_the_q_of_the_caller():
    q = [0.6, 0.8, 1.0, 1.2, 1.7, 1.9, 2.3, 3.5, 3.9]
    paths = [FILES / f"{n}__tt_cr.txt" for n in ("In20_2p5_350K", "Vana_2p5_cool")]
    data = qens.load(*paths, q=q, q_max=4.0, energy_window=2.0)
    np.testing.assert_array_equal(data.coords["q"], q)
    assert (data.metadata["format"], data.metadata["ei"]) == ("INX", 13.088)
    assert data.coords["kernel"].shape[0] == 9
    with pytest.raises(
        DataError, match=r"its blocks begin with 1, 2, 3.*q= or q_edges="
    ):
        qens.load(*paths)
    angles = qens.load(*paths, q="angle", q_min=0.0)
    assert "elastic" in angles.metadata["warnings"][0]
    assert "elastic" in qens.problem(angles, "translation_only").warnings[0]


def test_formats_may_be_mixed(tmp_path):
    """The sample's q= fits its own rows; the resolution has another number of rows."""
    edges = np.linspace(-1.0125, 1.0125, 82)
    rows = np.tile(np.exp(-0.5 * ((edges[1:] - 0.0125) / 0.05) ** 2), (3, 1))
    sample = nxspe.write(
        tmp_path / "a.nxspe",
        energy_edges=edges,
        data=rows + 0.01,
        error=0.1 + 0 * rows,
        ei=3.6,
        q=[0.5, 1.0, 1.5],
    )
    frozen = lines(tmp_path / "b.grp", [0.5, 0.75, 1.0, 1.5], gamma=0.03)
    data = qens.load(sample, frozen, q=[0.6, 0.9, 1.4])
    np.testing.assert_array_equal(data.coords["q"], [0.6, 0.9, 1.4])
    assert (data.metadata["format"], data.metadata["resolution_format"]) == (
        "NXSPE", "DAVE grp",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"q has shape \(2,\)"):
        qens.load(sample, frozen, q=[0.6, 0.9])


def test_the_log_says_what_was_recognised(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="jaxscatter"):
        qens.load(lines(tmp_path / "a.grp", [1.0, 2.0]), FILES / "irf_iris.dat")
    assert "a.grp: recognised as DAVE grp" in caplog.text
    assert "irf_iris.dat: recognised as text columns" in caplog.text
    assert "irf_iris.dat: the file states no energy unit: meV" in caplog.text


@pytest.mark.parametrize("align", ["peak", "none"])
def test_each_file_is_shifted_by_its_own_line_or_not_at_all(tmp_path, align):
    sample = lines(tmp_path / "a.grp", [0.5, 1.0], centre=0.05)
    frozen = lines(tmp_path / "b.grp", [0.5, 1.0], centre=-0.025, gamma=0.05)
    data = qens.load(sample, frozen, align=align)
    shift = 0.05 if align == "peak" else 0.0
    top = data.coords["omega"][np.argmax(data.y[0])]
    peak = data.coords["energy"][np.argmax(data.coords["kernel"][0])]
    np.testing.assert_allclose(top, 0.05 - shift, atol=1e-6)
    np.testing.assert_allclose(peak, -0.025 + shift / 2, atol=1e-6)
    np.testing.assert_allclose(data.metadata["e0"], shift, atol=1e-6)
    assert data.metadata["align"] == align
    with pytest.raises(DataError, match="align is 'edge'"):
        qens.load(sample, align="edge")


def test_unaligned_data_still_have_a_width_of_their_own(tmp_path):
    path = lines(tmp_path / "a.grp", [0.5, 1.0], centre=0.05)
    data = qens.load(path, align="none")
    assert data.metadata["e0"] == 0.0
    assert 0.05 < float(data.coords["sigma"][0]) < 0.2
    np.testing.assert_allclose(data.coords["omega"], np.linspace(-1, 1, 81), atol=1e-12)


def test_lines_of_backscattering_are_found(tmp_path):
    """A line of 0.9 µeV FWHM, 0.4 µeV off zero, on ±30 µeV."""
    omega = np.linspace(-0.03, 0.03, 601)
    row = np.exp(-0.5 * ((omega - 4e-4) / 3.8e-4) ** 2)
    path = write_dave(
        tmp_path / "a.grp",
        energy=omega,
        q=[0.5, 1.0, 1.5],
        data=np.tile(row, (3, 1)) + 1e-3,
        error=np.full((3, 601), 1e-3),
        energy_unit="ueV",
    )
    data = qens.load(path)
    np.testing.assert_allclose(data.metadata["e0"], 4e-4, rtol=1e-4)
    np.testing.assert_allclose(data.coords["sigma"], 3.8e-4, rtol=1e-3)


def test_missing_errors_stay_missing_and_are_said(tmp_path):
    omega = np.linspace(-1, 1, 41)
    row = 1 / (1 + (omega / 0.1) ** 2)
    path = tmp_path / "a.txt"
    path.write_text(
        "\n".join(f"{a:.3f} {b:.6f}" for a, b in zip(omega, row, strict=True))
    )
    data = qens.load(path, FILES / "irf_iris.dat", q=[1.0], align="none")
    assert not data.sigma_given
    np.testing.assert_allclose(data.y[0], row, atol=1e-6)
    assert "no errors" in data.metadata["warnings"][0]
    assert "no errors" in qens.problem(data, "translation_only").warnings[0]
    with pytest.raises(DataError, match=r"a\.txt: the can has no errors"):
        qens.load(lines(tmp_path / "b.grp", [1.0], n=41), 0.05, empty=path, q=[1.0])


def test_kernels_noisier_than_the_data_are_said(tmp_path):
    sample = lines(tmp_path / "a.grp", [0.5, 1.5])
    good = qens.load(sample, lines(tmp_path / "b.grp", [0.5, 1.5], gamma=0.05))
    assert good.metadata["warnings"] == ()
    poor = lines(tmp_path / "c.grp", [0.5, 1.5], gamma=0.05, error=0.1)
    text = qens.load(sample, poor).metadata["warnings"][0]
    assert text.startswith("noisy kernels: at 2 of 2 Q the resolution's highest point")
    assert "known to 6.6% and the sample's to 0.7%" in text


def test_a_window_with_few_energies_and_numbers_of_numpy(tmp_path):
    path = lines(tmp_path / "a.grp", [1.0])
    data = qens.load(path, np.float32(0.05), energy_window=0.1)
    np.testing.assert_allclose(data.coords["sigma"], np.float32(0.05))
    assert "of 81 energies lie within" in data.metadata["warnings"][0]


def test_rows_of_one_q_are_averaged(tmp_path):
    data = qens.load(lines(tmp_path / "a.grp", [1.5, 0.5, 1.5]), 0.05)
    np.testing.assert_array_equal(data.coords["q"], [0.5, 1.5])
    np.testing.assert_allclose(data.sigma[:, 0], [0.01, 0.01 / np.sqrt(2)])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"q_min": 2.2, "q_max": 2.4}, r"0 good rows with Q in \[2\.2, 2\.4\]"),
        ({"energy_window": 1e-3}, r"points within ±0\.001"),
        ({"q": "angle"}, "only INX"),
        ({"q": [-1.0, 1.0]}, "q: expected finite values >= 0"),
        ({"energy_unit": "ueV"}, "the file states 'meV'"),
        ({"energy_sign": 3}, "energy_sign=3"),
    ],
)
def test_windows_and_arguments_that_leave_nothing_are_named(tmp_path, how, said):
    with pytest.raises(DataError, match=said):
        qens.load(lines(tmp_path / "a.grp", [0.5, 1.0]), 0.05, **how)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a").write_text("1 2 3 4\n")
    with pytest.raises(FormatError, match="expected spectra: NXSPE, LAMP HDF"):
        qens.load(tmp_path / "a", 0.05)
