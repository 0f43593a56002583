import logging
import pathlib

import h5py
import numpy as np
import pytest
from scipy.special import voigt_profile

from jaxscatter.errors import (
    ConfigError,
    DataError,
    DataWarning,
    FitWarning,
    FormatError,
)
from jaxscatter.examples import qens_benzene
from jaxscatter.io import nxspe
from jaxscatter.qens.config import Config
from jaxscatter.qens.hwhm import extract_hwhm, save_hwhm_csv
from jaxscatter.qens.loading import (
    compute_q_from_2theta,
    inspect_nxspe,
    load_dataset,
    read_nxspe,
    read_nxspe_with_overrides,
)
from jaxscatter.qens.reduction import (
    assign_resolution,
    build_data_bins,
    build_resolution_bins,
    build_row_bins,
    distinct_q,
    fit_elastic_peak,
    kernel_noise,
)

DATA = pathlib.Path(__file__).parents[1] / "data"
EXAMPLE = qens_benzene()
SAMPLE, FROZEN = EXAMPLE.sample.name, EXAMPLE.resolution.name
CFG = Config(primary_file=SAMPLE, resolution_file=FROZEN, q_min=0.6, q_max=1.8)


@pytest.fixture(scope="module")
def golden():
    with np.load(DATA / "qens/benzene_360_binned_rowq.npz") as stored:
        return dict(stored)


@pytest.fixture
def benzene():
    """Both runs by row Q, aligned, with resolution."""
    return prepared({"q_edges": EXAMPLE.q_edges})


def prepared(how):
    dataset = {
        p.name: read_nxspe(p, **how) for p in (EXAMPLE.sample, EXAMPLE.resolution)
    }
    for d in dataset.values():
        fit_elastic_peak(d)
    assign_resolution(dataset, CFG, verbose=False)
    return dataset


def spectrum_file(path, *, ei=3.6, damage=None, sigma=0.05, rows=30, centre=0.0):
    """A file of equal Gaussian rows on a constant, its Q from 0.5 to 2."""
    edges = np.linspace(-1.5, 1.5, 121)
    omega = 0.5 * (edges[:-1] + edges[1:])
    line = np.exp(-0.5 * ((omega - centre) / sigma) ** 2) + 0.01
    data = np.tile(line, (rows, 1))
    error = np.full_like(data, 0.02)
    if damage is not None:
        damage(data, error)
    return nxspe.write(
        path,
        energy_edges=edges,
        data=data,
        error=error,
        ei=ei,
        q=np.linspace(0.5, 2.0, rows),
    )


@pytest.mark.parametrize("path", [EXAMPLE.sample, EXAMPLE.resolution])
def test_loader_facts_are_exact(reference, path):
    facts = next(
        r
        for r in reference("qens/benzene_seed_results.json")["loader"]
        if r["file"] == path.name
    )
    d = read_nxspe(path, q_edges=EXAMPLE.q_edges)
    assert {k: d[k] for k in ("ei", "temp", "kind")} == {
        k: facts[k] for k in ("ei", "temp", "kind")
    }
    assert (d["name"], d["sample"], d["format"]) == (path.name, "benzene", "hdf5")
    assert d["data"].shape == (facts["n_rows"], facts["n_energy"])
    assert (d["good"].size, d["good"][0], d["good"][-1]) == (
        facts["n_good"],
        facts["good_first"],
        facts["good_last"],
    )
    assert (d["e_raw"][0], d["e_raw"][-1]) == (facts["e_first"], facts["e_last"])
    np.testing.assert_allclose(d["data"].sum(), facts["data_sum"], rtol=1e-14)
    np.testing.assert_allclose(d["errs"].sum(), facts["err_sum"], rtol=1e-14)
    e0, sigma = fit_elastic_peak(d)
    np.testing.assert_allclose(e0, facts["e0_seed"], atol=1e-9)
    np.testing.assert_allclose(sigma, facts["sigma_seed"], atol=1e-9)
    np.testing.assert_array_equal(d["e"], d["e_raw"] - e0)


def test_bins_and_kernels_equal_the_stored_ones(benzene, golden):
    bins = build_data_bins(benzene[SAMPLE], CFG, error="rms")
    assert len(bins) == 12
    for i, (omega, spectrum, errors, q) in enumerate(bins):
        np.testing.assert_allclose(omega, golden["omega"], atol=1e-9)
        np.testing.assert_allclose(spectrum, golden["spec"][i], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(errors, golden["err_rms"][i], rtol=1e-9)
        np.testing.assert_allclose(q, golden["q"][i], rtol=1e-9)
    centres = [b[3] for b in bins]
    kernels = build_resolution_bins(benzene[FROZEN], CFG, centres, axis="seed")
    np.testing.assert_allclose(kernels, golden["kernel"], rtol=1e-9, atol=1e-12)


def test_kernels_keep_their_own_axis(benzene, golden):
    """The two runs differ by 0.0007 meV in e0: one axis is not the other's."""
    frozen = benzene[FROZEN]
    own = build_resolution_bins(frozen, CFG, golden["q"])
    shift = benzene[SAMPLE]["e0"] - frozen["e0"]
    for (axis, kernel), expected in zip(own, golden["kernel"], strict=True):
        np.testing.assert_allclose(kernel, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(axis - golden["omega"], shift, atol=1e-9)
    moved = build_resolution_bins(
        frozen, CFG, golden["q"], axis="interp", omega=golden["omega"]
    )
    for (axis, kernel), values in zip(own, moved, strict=True):
        expected = np.interp(golden["omega"], axis, kernel)
        np.testing.assert_allclose(values[1:-1], expected[1:-1], rtol=1e-12)
    with pytest.raises(DataError, match="omega is needed"):
        build_resolution_bins(frozen, CFG, golden["q"], axis="interp")
    with pytest.raises(DataError, match="axis='other'"):
        build_resolution_bins(frozen, CFG, golden["q"], axis="other")


def test_error_of_the_mean_is_smaller_by_root_n(benzene):
    rms = build_data_bins(benzene[SAMPLE], CFG, error="rms")
    mean = build_data_bins(benzene[SAMPLE], CFG)
    q = benzene[SAMPLE]["q"][benzene[SAMPLE]["good"]]
    total = 0
    for one, other in zip(mean, rms, strict=True):
        n = (other[2][0] / one[2][0]) ** 2
        np.testing.assert_allclose(n, round(n), rtol=1e-12)
        total += round(n)
    assert total == np.count_nonzero((q >= 0.6) & (q <= 1.8))
    with pytest.raises(DataError, match="error='sem'"):
        build_data_bins(benzene[SAMPLE], CFG, error="sem")


@pytest.mark.parametrize("mapping", ["row_q_mapping", "seed_polar_mapping"])
def test_half_widths_equal_the_stored_tables(reference, mapping):
    stored = reference("qens/benzene_seed_results.json")["seed_fits"][mapping]
    if mapping == "row_q_mapping":
        how = {"q_edges": EXAMPLE.q_edges}
    else:
        # what the stored table was made with: angles indexed by raw row number
        with pytest.warns(DataWarning):
            polar = nxspe.read(EXAMPLE.sample).polar
        how = {"q": compute_q_from_2theta(np.pad(polar, (0, 37), mode="edge"), 3.6)}
    dataset = prepared(how)
    for name, key in ((SAMPLE, "sample"), (FROZEN, "res")):
        np.testing.assert_allclose(dataset[name]["e0"], stored["e0"][key], atol=1e-6)
        np.testing.assert_allclose(
            dataset[name]["sig_raw"], stored["sig_raw"][key], atol=1e-6
        )
    table = stored["extract_hwhm"]
    q, hwhm, err, eisf = extract_hwhm(dataset[SAMPLE], CFG, eisf_from="height")
    # the stored Q of angles rest on constants that are 3.6e-6 off
    np.testing.assert_allclose(q, table["q"], rtol=4e-6)
    np.testing.assert_allclose(hwhm, table["hwhm"], rtol=2e-5)
    np.testing.assert_allclose(err, table["err"], rtol=2e-5)
    np.testing.assert_allclose(eisf, table["eisf"], rtol=2e-5)


def test_known_width_and_elastic_share_are_recovered(benzene):
    """Of spectra A₀ G + (1 - A₀) Voigt the area ratio is A₀, the height ratio not."""
    d = benzene[SAMPLE]
    sigma, omega = d["sigma_res"], d["e"]
    share, gamma = 0.3, 0.2
    elastic = voigt_profile(omega, sigma, 0.0)
    spectrum = share * elastic + (1 - share) * voigt_profile(omega, sigma, gamma)
    d["data"] = np.tile(50 * spectrum + 2, (249, 1))
    d["errs"], d["mask"] = np.ones_like(d["data"]), np.ones(d["data"].shape, bool)
    _, hwhm, _, eisf = extract_hwhm(d, CFG, mode="exact")
    np.testing.assert_allclose(hwhm, gamma, rtol=1e-5)
    np.testing.assert_allclose(eisf, share, rtol=1e-5)
    _, hwhm, _, eisf = extract_hwhm(d, CFG)
    np.testing.assert_allclose(hwhm, gamma, rtol=0.02)
    np.testing.assert_allclose(eisf, share, rtol=0.02)
    heights = extract_hwhm(d, CFG, eisf_from="height", mode="exact")[3]
    assert (heights > 1.8 * share).all()


def test_hwhm_bad_input_is_named(benzene):
    d = benzene[SAMPLE]
    with pytest.raises(DataError, match="eisf_from='peak'"):
        extract_hwhm(d, CFG, eisf_from="peak")
    with pytest.raises(DataError, match="mode='fft'"):
        extract_hwhm(d, CFG, mode="fft")
    with pytest.raises(DataError, match="call assign_resolution"):
        extract_hwhm({k: v for k, v in d.items() if k != "sigma_res"}, CFG)
    with pytest.raises(DataError, match="sigma_res=20"):
        extract_hwhm(d | {"sigma_res": 20.0}, CFG)
    bent = d | {"e": d["e"] + 0.01 * d["e"] ** 2}
    with pytest.raises(DataError, match="not uniform"):
        extract_hwhm(bent, CFG)
    assert np.isfinite(extract_hwhm(bent, CFG, mode="exact")[1]).all()


def test_bin_without_errors_gives_nan_with_a_warning(benzene):
    d = benzene[SAMPLE]
    rows = np.flatnonzero((d["q"] > 0.5) & (d["q"] < 0.75))
    d["mask"][rows] = False
    with pytest.warns(FitWarning, match=r"Q=0\.646.*0 points"):
        _, hwhm, _, eisf = extract_hwhm(d, CFG)
    assert np.isnan([hwhm[0], eisf[0]]).all()
    assert np.isfinite(hwhm[2:]).all()


def test_csv_has_the_documented_form(tmp_path):
    path = save_hwhm_csv(
        np.array([0.64634, 1.0]),
        np.array([0.1783211, 0.2]),
        np.array([0.0039096, np.nan]),
        np.array([0.52867, 1.0]),
        tmp_path / "new" / "folder",
    )
    assert path == tmp_path / "new" / "folder" / "hwhm_table.csv"
    assert path.read_text() == (
        "q_centre_inv_angstrom,hwhm_mev,hwhm_err_mev,eisf\n"
        "0.6463,0.178321,0.003910,0.5287\n"
        "1.0000,0.200000,nan,1.0000\n"
    )
    assert len(list(path.parent.iterdir())) == 1
    with pytest.raises(DataError, match="one length"):
        save_hwhm_csv(np.ones(2), np.ones(2), np.ones(2), np.ones(3), tmp_path)


def test_measured_angles_warn_unless_q_is_given():
    with pytest.warns(DataWarning, match="Q is ambiguous"):
        d = read_nxspe(EXAMPLE.sample)
    assert np.isfinite(d["q"][d["good"]]).all()
    assert d["q_edges"] is None


def test_masked_points_are_zeroed_but_do_not_enter_averages(tmp_path):
    def damage(data, error):
        data[::2, 60] = np.nan  # half of the rows lack the point
        error[::2, 60] = 0.0
        data[:, 62] = 50.0
        error[:, 62] = 0.0

    d = read_nxspe(spectrum_file(tmp_path / "x_300_360_inc.nxspe", damage=damage))
    assert d["good"].size == 30
    assert (d["data"][0, 60], d["errs"][0, 60], d["mask"][0, 60]) == (0, 0, False)
    bins = build_data_bins(d, Config(q_max=2.0, n_q_bins=3))
    expected = read_nxspe(spectrum_file(tmp_path / "y_300_360_inc.nxspe"))["data"][0]
    inside = np.abs(d["e"]) <= 1.25
    j = np.flatnonzero(np.flatnonzero(inside) == 60)[0]
    for _, spectrum, errors, _ in bins:
        seen = errors > 0
        assert np.flatnonzero(~seen).tolist() == [j + 2]
        np.testing.assert_allclose(spectrum[seen], expected[inside][seen], rtol=1e-12)
        np.testing.assert_allclose(errors[0], 0.02 / np.sqrt(10), rtol=1e-12)
        np.testing.assert_allclose(errors[j], 0.02 / np.sqrt(5), rtol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_elastic_line_is_found_and_moved_to_zero(tmp_path, masked):
    path = spectrum_file(tmp_path / "x_300_360_inc.nxspe", centre=0.021, sigma=0.06)
    d = read_nxspe(path)
    e0, sigma = fit_elastic_peak(d, masked=masked)
    np.testing.assert_allclose([e0, sigma], [0.021, 0.06], rtol=1e-6)


def test_masked_elastic_fit_ignores_masked_points(tmp_path):
    def damage(data, error):
        data[:5, :40] = np.nan
        error[:5, :40] = 0.0

    path = spectrum_file(tmp_path / "x_300_360_inc.nxspe", damage=damage, centre=0.02)
    d = read_nxspe(path)
    np.testing.assert_allclose(
        fit_elastic_peak(d, masked=True), [0.02, 0.05], rtol=1e-6
    )


def test_failed_elastic_fit_takes_the_highest_point(tmp_path):
    d = read_nxspe(spectrum_file(tmp_path / "x_300_360_inc.nxspe"))
    d["data"][:, 10] = np.inf
    with pytest.warns(RuntimeWarning, match="no Gaussian fits"):
        e0, sigma = fit_elastic_peak(d)
    assert (e0, sigma) == (d["e_raw"][10], 0.043)
    assert d["e"][10] == 0


def test_incident_energy_comes_from_the_file_then_the_name(tmp_path):
    path = spectrum_file(tmp_path / "x_300_720_inc.nxspe")
    assert read_nxspe(path)["ei"] == 3.6
    assert read_nxspe_with_overrides(path, ei=5)["ei"] == 5
    with h5py.File(path, "r+") as file:
        del file["spectra/NXSPE_info"]
    d = read_nxspe(path)
    assert d["ei"] == 7.2
    np.testing.assert_allclose(d["q"][-1], 2.0 * np.sqrt(2), rtol=1e-12)
    with pytest.raises(FormatError, match="pass ei="):
        read_nxspe_with_overrides(path)
    with pytest.raises(DataError, match="ei=-1"):
        read_nxspe_with_overrides(path, ei=-1)


def test_name_rule_and_its_way_round(tmp_path):
    path = spectrum_file(tmp_path / "ice_in_silica_290.5_360_INC.nxspe")
    d = read_nxspe(path)
    assert (d["sample"], d["temp"], d["kind"]) == ("ice_in_silica", 290.5, "inc")
    path = spectrum_file(tmp_path / "empty_360_inc.nxspe")
    with pytest.raises(FormatError, match="read_nxspe_with_overrides"):
        read_nxspe(path)
    d = read_nxspe_with_overrides(path)
    assert (d["sample"], d["temp"], d["kind"], d["ei"]) == ("?", -1, "inc", 3.6)
    d = read_nxspe_with_overrides(path, sample="can", temp=5, kind="coh")
    assert (d["sample"], d["temp"], d["kind"]) == ("can", 5, "coh")


def test_unusable_paths_and_rows_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_nxspe(tmp_path / "x_300_360_inc.nxspe")
    with pytest.raises(FileNotFoundError):
        read_nxspe_with_overrides(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        read_nxspe(tmp_path)

    def negative(data, error):
        data[:, ::2] = -1.0

    path = spectrum_file(tmp_path / "x_300_360_inc.nxspe", damage=negative)
    with pytest.raises(DataError, match="no usable row"):
        read_nxspe(path)


def test_load_dataset_leaves_out_what_is_not_critical(tmp_path, caplog):
    good = spectrum_file(tmp_path / "x_300_360_inc.nxspe").name
    (tmp_path / "bad_300_360_inc.nxspe").write_text("no HDF5")
    with (
        caplog.at_level(logging.INFO, logger="jaxscatter"),
        pytest.warns(DataWarning, match="left out") as caught,
    ):
        dataset = load_dataset(
            [good, "none.nxspe", "bad_300_360_inc.nxspe"], tmp_path, [good]
        )
    assert list(dataset) == [good]
    assert len(caught) == 2
    assert "Ei 3.60 meV, 300 K, 30 good rows" in caplog.text
    with pytest.raises(FileNotFoundError):
        load_dataset([good, "none.nxspe"], tmp_path, ["none.nxspe"])
    with pytest.raises(FormatError):
        load_dataset(["bad_300_360_inc.nxspe"], tmp_path, ["bad_300_360_inc.nxspe"])
    with (
        pytest.warns(DataWarning),
        pytest.raises(RuntimeError, match="none of the files"),
    ):
        load_dataset(["none.nxspe"], tmp_path)
    with pytest.raises(DataError, match="expected a list"):
        load_dataset(good, tmp_path)


@pytest.mark.parametrize(
    "q_edges",
    [EXAMPLE.q_edges, {SAMPLE: EXAMPLE.q_edges, FROZEN: EXAMPLE.q_edges}],
    ids=["all", "by name"],
)
def test_load_dataset_takes_q_edges(q_edges):
    names = [SAMPLE, FROZEN]
    dataset = load_dataset(names, EXAMPLE.sample.parent, names, False, q_edges=q_edges)
    for d in dataset.values():
        np.testing.assert_allclose(d["q"][0], 0.05984, rtol=1e-12)


def run(sample="a", temp=300, kind="inc", ei=3.6, sig_raw=0.1):
    return {
        "name": "x",
        "sample": sample,
        "temp": temp,
        "kind": kind,
        "ei": ei,
        "sig_raw": sig_raw,
    }


def test_resolution_sources_in_their_order():
    warm = run(ei=3.604)
    runs = {
        "warm": warm,
        "other_frozen": run(sample="b", temp=10, sig_raw=0.02),
        "frozen": run(temp=270, sig_raw=0.03),
        "coh": run(kind="coh", temp=5, sig_raw=0.04),
        "unknown": run(temp=-1, sig_raw=0.01),
        "elsewhere": run(ei=1.24, temp=10, sig_raw=0.001),
    }

    def chosen(*names, cfg=None):
        picked = {n: runs[n] for n in names}
        assign_resolution(picked, Config() if cfg is None else cfg)
        np.testing.assert_allclose(
            warm["fwhm_res"], warm["sigma_res"] * np.sqrt(8 * np.log(2)), rtol=1e-14
        )
        return warm["res_source"], warm["res_file"], warm["sigma_res"]

    assert chosen(*runs) == ("frozen_sample", "frozen", 0.03)
    assert chosen("warm", "other_frozen", "coh") == (
        "frozen_sample",
        "other_frozen",
        0.02,
    )
    assert chosen("warm", "coh", "unknown") == ("coh_file", "coh", 0.04)
    explicit = Config(resolution_file="unknown")
    assert chosen(*runs, cfg=explicit) == ("explicit_override", "unknown", 0.01)
    # an explicit file serves its own incident energy only
    assert chosen(*runs, cfg=Config(resolution_file="elsewhere"))[1] == "frozen"
    with pytest.warns(DataWarning, match="warm: no resolution run at Ei 3.60"):
        assert chosen("warm", "elsewhere") == ("raw_inc_inflated", "warm", 0.1)
    with pytest.raises(ConfigError, match="resolution_file='gone' was not loaded"):
        chosen("warm", cfg=Config(resolution_file="gone"))
    with pytest.raises(DataError, match="call fit_elastic_peak"):
        assign_resolution({"new": {"ei": 3.6}}, Config())


def test_empty_windows_are_named(benzene):
    d = benzene[SAMPLE]
    with pytest.raises(DataError, match=r"good rows with Q in \[2\.6"):
        build_data_bins(d, Config(q_min=2.6, q_max=2.8))
    with pytest.raises(DataError, match=r"points within ±0\.001"):
        build_data_bins(d, Config(energy_window=0.001))
    with pytest.raises(DataError, match=r"points within ±0\.001"):
        build_resolution_bins(d, Config(energy_window=0.001), [1.0, 1.1])
    with pytest.raises(DataError, match="no Q bin has two rows"):
        build_data_bins(d, Config(q_min=1.0, q_max=1.05, n_q_bins=12))
    with pytest.raises(DataError, match="increasing"):
        build_resolution_bins(d, CFG, [1.1, 1.0])


def test_kernel_of_an_empty_bin_takes_the_nearest_rows(benzene):
    d = benzene[FROZEN]
    inside = np.abs(d["e"]) <= 1.25

    def mean(rows):
        block = np.ix_(rows, inside)
        valid = np.ma.array(d["data"][block], mask=~d["mask"][block])
        return np.maximum(valid.mean(axis=0), 0)

    kernels = build_resolution_bins(d, CFG, [1.0, 3.0, 5.0])
    np.testing.assert_allclose(kernels[-1][1], mean(d["good"][-5:]), rtol=1e-12)
    q = d["q"][d["good"]]
    rows = d["good"][(q >= 0.6) & (q < 1.8)]
    ((_, kernel),) = build_resolution_bins(d, CFG, [1.2])
    np.testing.assert_allclose(kernel, mean(rows), rtol=1e-12)
    with pytest.raises(DataError, match=r"kernel at Q=1\.200"):
        build_resolution_bins(d | {"data": -np.ones_like(d["data"])}, CFG, [1.2])


def test_the_noise_of_a_kernel_is_that_of_its_highest_point(benzene):
    run = benzene[FROZEN]
    (got,) = kernel_noise(run, CFG, [1.2])
    rows = run["good"][(run["q"][run["good"]] >= 0.6) & (run["q"][run["good"]] < 1.8)]
    inside = np.ix_(rows, np.abs(run["e"]) <= CFG.energy_window)
    used = run["mask"][inside]
    y, s = (np.where(used, run[k][inside], 0.0) for k in ("data", "errs"))
    mean = y.sum(axis=0) / np.maximum(used.sum(axis=0), 1)
    top = int(np.argmax(mean))
    alone = np.sqrt(np.sum(s[:, top] ** 2)) / used[:, top].sum()
    np.testing.assert_allclose(got, alone / mean[top], rtol=1e-12)


def test_inspect_prints_the_tree(capsys):
    inspect_nxspe(EXAMPLE.sample)
    assert "fixed_energy  (1,) float64 = 3.6" in capsys.readouterr().out


def test_rows_as_bins_keep_values_errors_and_order(tmp_path):
    d = read_nxspe(spectrum_file(tmp_path / "x_300_360_inc.nxspe", rows=4))
    d["q"] = np.array([1.5, 0.5, 1.5 + 1e-9, 1.0])
    inside = np.abs(d["e"]) <= 1.25
    bins = build_row_bins(d, Config())
    np.testing.assert_allclose([b[3] for b in bins], [0.5, 1.0, 1.5])
    for (_, spectrum, errors, _), n in zip(bins, (1, 1, 2), strict=True):
        np.testing.assert_allclose(spectrum, d["data"][0][inside], rtol=1e-14)
        np.testing.assert_allclose(errors, 0.02 / np.sqrt(n), rtol=1e-14)
    np.testing.assert_allclose(build_row_bins(d, Config(), "rms")[2][2], 0.02)
    with pytest.raises(DataError, match="error='sem'"):
        build_row_bins(d, Config(), "sem")
    with pytest.raises(DataError, match=r"0 good rows with Q in \[2\.1"):
        build_row_bins(d, Config(q_min=2.1))


def test_one_row_may_make_a_bin(tmp_path):
    d = read_nxspe(spectrum_file(tmp_path / "x_300_360_inc.nxspe", rows=5))
    cfg = Config(n_q_bins=3)
    sizes = [round((0.02 / b[2][0]) ** 2) for b in build_data_bins(d, cfg, min_rows=1)]
    assert sum(sizes) == 5
    assert len(build_data_bins(d, cfg)) < 3


def test_distinct_q_are_numbered_in_their_order():
    q = np.array([2.0, 0.5, 2.0 + 1e-8, 0.5, 1.0])
    np.testing.assert_array_equal(distinct_q(q), [2, 0, 2, 0, 1])


def test_an_empty_bin_may_take_one_row(benzene):
    d = benzene[FROZEN]
    inside = np.abs(d["e"]) <= 1.25
    last = d["good"][np.argmax(d["q"][d["good"]])]
    expected = np.where(d["mask"][last], d["data"][last], 0)[inside]
    three = build_resolution_bins(d, CFG, [1.0, 3.0, 5.0], nearest=1)
    np.testing.assert_allclose(three[-1][1], np.maximum(expected, 0))
