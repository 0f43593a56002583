"""`inspect`, `models`, `plot` and `info`."""

import h5py
import jax
import matplotlib.image
import pytest

from jaxscatter import examples, qens


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
    assert out == cli("models")[1]
    for name, table in qens.models().items():
        part = out.split(f"qens  {name}: ")[1].split("qens  ")[0]
        for p in table:
            row = next(x for x in part.splitlines() if x.split()[:1] == [p.name])
            assert p.unit in row
            assert f"[{float(p.lo):.4g}, {float(p.hi):.4g}]" in row
    assert "lmax = 2" in out


def test_info_tells_versions_devices_precision_and_cache(cli):
    code, out, err = cli("info")
    assert (code, err) == (0, "")
    assert f"jax {jax.__version__}" in out
    assert "precision float64" in out
    assert f"device    {jax.devices()[0].platform} 0" in out
    assert jax.config.jax_compilation_cache_dir in out
