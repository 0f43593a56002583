"""`inspect`, `models`, `plot` and `info`."""

import h5py
import jax
import matplotlib.image
import numpy as np
import pytest

from jaxscatter import examples, io, qens, sas, xpcs
from jaxscatter.cbed import catalogue


def test_inspect_names_reader_and_contents_of_a_spectrum(cli, measured):
    code, out, err = cli("inspect", measured / "sample.nxspe")
    assert (code, err) == (0, "")
    for said in (
        "NXSPE, read by jaxscatter.qens.load", "Ei       3.6 meV", "energies 121",
        "rows     16", "0.400 to 1.900 1/Å", "polar angle of each row",
    ):  # fmt: skip
        assert said in out, said


def test_inspect_warns_where_q_is_ambiguous(cli):
    code, out, err = cli("inspect", examples.qens_benzene().sample)
    assert code == 0
    assert "249, of which 212 hold data" in out
    assert err.startswith("jaxscatter: warning: ")
    assert err.count("\n") == 1
    assert "pass q= or q_edges=" in err


def test_inspect_lists_the_whole_tree(cli, measured):
    code, out, _ = cli("inspect", "--tree", measured / "sample.nxspe")
    assert code == 0
    assert "fixed_energy" in out


@pytest.mark.parametrize("name", ["fit", "posterior"])
def test_inspect_summarises_our_results(cli, finished, name):
    code, out, _ = cli("inspect", finished / f"{name}.h5")
    assert code == 0
    assert "read by jaxscatter.load_result" in out
    assert "translation_only" in out
    assert "D_translation" in out
    assert "8 x 10" in out  # groups x points


def test_inspect_recognises_a_job(cli, measured):
    code, out, _ = cli("inspect", measured / "job.yaml")
    assert code == 0
    assert "job file of technique qens, model translation_only" in out


def test_inspect_names_layout_and_table_of_two_time_files(cli, tmp_path):
    example = examples.xpcs_nsls2()
    code, out, err = cli("inspect", example.two_time)
    assert (code, err) == (0, "")
    for said in (
        "layout aps_u, read by jaxscatter.xpcs.load", "matrices 1 of 350 frames",
        "0.01 to 0.01 1/Å", "dt       1 s",
    ):  # fmt: skip
        assert said in out, said
    values = {"D0": 1e3, "alpha": 0.0, "D_offset": 0.0}
    how = {"q": [0.01, 0.02], "dt": 0.5, "n_frames": 6, "phi": [0.0, 30.0, 60.0]}
    path = xpcs.save(xpcs.simulate("static", values, **how), tmp_path / "a.npz")
    out = cli("inspect", path)[1]
    assert "layout plain" in out
    assert "matrices 6 of 6 frames" in out
    assert "phi      3 from 0 to 60 degrees" in out


def test_inspect_tells_the_curves_of_small_angle_files(cli, tmp_path):
    code, out, err = cli("inspect", examples.sas_latex().path)
    assert (code, err) == (0, "")
    for said in (
        "small-angle data (cansas-xml), read by jaxscatter.sas.load", "latex_usans",
        "301 points, Q 0.003797 to 0.401 1/Å, I in 1/cm, errors, resolution dQ",
        "resolution of a slit", "choose one with entry=",
    ):  # fmt: skip
        assert said in out, said
    qx, qy = np.meshgrid(np.linspace(-0.1, 0.1, 4), np.linspace(-0.1, 0.1, 3))
    io.write_nxcansas(tmp_path / "a.h5", io.Image(qx, qy, 1 + qx))
    assert "image of 3 x 4 pixels" in cli("inspect", tmp_path / "a.h5")[1]
    rows = [f"{0.01 * i:g} {1 / i:g}" for i in range(1, 9)]
    (tmp_path / "b.dat").write_text("\n".join(rows))
    out = cli("inspect", tmp_path / "b.dat")[1]
    assert "8 points, Q 0.01 to 0.08 1/Å" in out and "no errors" in out


def test_inspect_says_format_rows_and_ranges_of_spectra(cli, tmp_path):
    code, out, err = cli("inspect", examples.qens_water().sample)
    assert (code, err) == (0, "")
    for said in (
        "LAMP HDF, read by jaxscatter.qens.load", "entry    H2O undercooled",
        "T        293.3 K", "Ei       3.272 meV",
        "energies 160 from -2.025 to 1.95 meV, steps of 0.025 meV",
        "rows     17, of which 17 hold data", "0.500 to 2.100 1/Å, from: the file",
        "masked   4.8%", "assumed  the steps of energy",
    ):  # fmt: skip
        assert said in out, said
    omega = np.linspace(-0.5, 0.5, 11)
    path = io.write_dave(
        tmp_path / "a.txt", energy=omega, q=[1.0], data=[omega], error=[1 + 0 * omega]
    )
    assert "DAVE grp, read by" in cli("inspect", path)[1]
    (tmp_path / "b.txt").write_text("".join(f"{x} 1 0.1\n" for x in omega))
    out = cli("inspect", tmp_path / "b.txt")[1]
    assert "text columns, read by jaxscatter.qens.load" in out
    assert "not in the file (text columns have none): pass q=" in out
    assert "assumed  the file states no energy unit: meV was assumed" in out


def test_inspect_refuses_an_npz_of_another_kind(refused, tmp_path):
    np.savez(tmp_path / "x.npz", something=np.ones(3))
    assert "not recognised" in refused("inspect", tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"PK\x03\x04 and no more")
    assert "y.npz" in refused("inspect", tmp_path / "y.npz")


def test_inspect_recognises_a_configuration_of_homodyne(cli, tmp_path):
    text = "analysis_mode: static\ndata_file: a.h5\ndt: 0.1\n"
    (tmp_path / "c.yaml").write_text(text)
    code, out, _ = cli("inspect", tmp_path / "c.yaml")
    assert code == 0
    assert "configuration of homodyne, model static_isotropic" in out


def test_inspect_shows_hdf5_of_unknown_format(cli, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["something/else"] = [1.0]
    code, out, _ = cli("inspect", tmp_path / "x.h5")
    assert code == 0
    assert "no format that jaxscatter reads" in out
    assert "something" in out


@pytest.mark.parametrize("command", ["inspect", "plot"])
def test_what_cannot_be_read_is_one_line(refused, tmp_path, command):
    assert "no such file" in refused(command, tmp_path / "no.h5")
    assert "is a" in refused(command, tmp_path)
    (tmp_path / "text.h5").write_text("hello")
    assert "not HDF5, or damaged" in refused(command, tmp_path / "text.h5")


def test_text_of_no_known_format_is_one_line(refused, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert "not recognised; jaxscatter reads NXSPE" in refused(
        "inspect", tmp_path / "notes.txt"
    )


@pytest.mark.parametrize("command", ["inspect", "plot"])
def test_truncated_results_are_one_line(refused, finished, tmp_path, command):
    whole = (finished / "posterior.h5").read_bytes()
    for share in (0.01, 0.5, 0.99):
        path = tmp_path / "cut.h5"
        path.write_bytes(whole[: int(share * len(whole))])
        assert "cut.h5" in refused(command, path)
    assert [p.name for p in tmp_path.iterdir()] == ["cut.h5"]


def test_a_truncated_spectrum_is_one_line(kit, refused, tmp_path):
    path = kit.write_sample(tmp_path / "s.nxspe")
    path.write_bytes(path.read_bytes()[:3000])
    assert "s.nxspe" in refused("inspect", path)


def test_spectra_are_no_result_to_plot(refused, measured):
    assert "expected 'jaxscatter-result'" in refused("plot", measured / "sample.nxspe")


def test_plot_draws_every_figure_of_a_result(cli, finished, tmp_path):
    for name, made in (
        ("fit", {"fit.png"}),
        ("posterior", {"posterior.png", "posterior_trace.png", "posterior_fit.png"}),
    ):
        folder = tmp_path / name
        code, out, err = cli("plot", finished / f"{name}.h5", "-o", folder)
        assert (code, err) == (0, "")
        assert {p.name for p in folder.iterdir()} == made
        assert set(out.split()) == {str(folder / m) for m in made}
        for m in made:
            assert matplotlib.image.imread(folder / m).std() > 0.02  # not blank


def test_plot_refuses_a_file_as_folder(refused, finished, tmp_path):
    (tmp_path / "taken").write_text("mine")
    line = refused("plot", finished / "fit.h5", "-o", tmp_path / "taken")
    assert "expected a folder" in line


def test_models_prints_every_parameter_with_unit_and_bounds(cli):
    code, out, err = cli("models", "qens")
    assert (code, err) == (0, "")
    both = cli("models")[1]
    small_angle, diffraction = cli("models", "sas")[1], cli("models", "cbed")[1]
    assert both == out + cli("models", "xpcs")[1] + small_angle + diffraction
    tables = [("qens", n, t) for n, t in qens.models().items()]
    tables += [("xpcs", n, t) for n, t in xpcs.models().items()]
    for technique, name, table in tables:
        part = both.split(f"{technique}  {name}: ")[1].split(f"{technique}  ")[0]
        for p in table:
            row = next(x for x in part.splitlines() if x.split()[:1] == [p.name])
            assert p.unit in row
            assert f"[{float(p.lo):.4g}, {float(p.hi):.4g}]" in row
    assert "lmax = 2" in out
    for name, rows in sas.models().items():
        part = small_angle.split(f"sas  {name}: ")[1].split("sas  ")[0]
        for p in rows:
            row = next(x for x in part.splitlines() if x.split()[:1] == [p["name"]])
            assert p["unit"] in row
            assert f"[{p['lo']:.4g}, {p['hi']:.4g}]" in row
    assert "radius_effective_mode: 1 average curvature" in small_angle
    for name, rows in catalogue.models().items():
        assert f"cbed  {name}: " in diffraction
        for p in rows:
            row = next(
                x for x in diffraction.splitlines() if x.split()[:1] == [p["name"]]
            )
            assert p["unit"] in row and p["doc"] in row
            assert f"[{p['lo']:.4g}, {p['hi']:.4g}]" in row


def test_info_tells_versions_devices_precision_and_cache(cli):
    code, out, err = cli("info")
    assert (code, err) == (0, "")
    assert f"jax {jax.__version__}" in out
    assert "precision float64" in out
    assert f"device    {jax.devices()[0].platform} 0" in out
    assert jax.config.jax_compilation_cache_dir in out
