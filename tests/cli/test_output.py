"""Folders that appear whole, progress, and Ctrl-C."""

import os
import signal
import warnings

import jax
import pytest

from jaxscatter.cli import output
from jaxscatter.cli.output import Folder, Watch, keep_compiled
from jaxscatter.infer import Event


def test_folder_appears_at_the_end_with_all_its_files(tmp_path):
    target = tmp_path / "a" / "results"
    with Folder(target) as folder:
        (folder / "report.txt").write_text("x")
        assert not target.exists()
    assert [p.name for p in target.iterdir()] == ["report.txt"]
    assert [p.name for p in target.parent.iterdir()] == ["results"]


def test_folder_of_nothing_does_not_appear(tmp_path):
    with Folder(tmp_path / "results"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_before_an_error_is_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with Folder(tmp_path / "results") as folder:
            (folder / "fit.h5").write_text("x")
            raise KeyboardInterrupt
    assert (tmp_path / "results" / "fit.h5").read_text() == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_an_earlier_run_is_replaced_and_other_files_are_left_alone(tmp_path):
    target = tmp_path / "results"
    target.mkdir()
    for name in ("fit.h5", "posterior.h5", "notes.md"):
        (target / name).write_text("old")
    with Folder(target) as folder:
        (folder / "fit.h5").write_text("new")
    held = {p.name: p.read_text() for p in target.iterdir()}
    assert held == {"fit.h5": "new", "notes.md": "old"}


def test_folders_are_merged_into_those_that_are_there(tmp_path):
    target = tmp_path / "results"
    (target / "nlsq").mkdir(parents=True)
    for name in ("mine.txt", "parameters.json"):
        (target / "nlsq" / name).write_text("old")
    with Folder(target) as folder:
        (folder / "fit.h5").write_text("new")
        (folder.stage / "nlsq").mkdir()
        (folder.stage / "nlsq" / "parameters.json").write_text("new")
    held = {p.name: p.read_text() for p in target.rglob("*") if p.is_file()}
    assert held == {"fit.h5": "new", "mine.txt": "old", "parameters.json": "new"}
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_a_failed_run_leaves_an_earlier_one_alone(tmp_path):
    target = tmp_path / "results"
    target.mkdir()
    (target / "fit.h5").write_text("old")
    with pytest.raises(ValueError, match="no"):
        with Folder(target):
            raise ValueError("no")
    assert (target / "fit.h5").read_text() == "old"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "results").write_text("x")
    with pytest.raises(NotADirectoryError, match="is a file; expected a folder"):
        Folder(tmp_path / "results")


def event(phase, step, message=""):
    return Event(phase, step, 100, 3.25, 0.0, message)


def test_progress_off_a_terminal_is_one_line_per_phase(capfd):
    with Watch() as watch:
        for step in range(1, 101):
            assert watch(event("fits", step))
        assert watch(event("draws", 1, "no divergences"))
    lines = capfd.readouterr().err.splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "fits 1/100, 3.25",
        "draws 1/100, no divergences",
    ]


def test_progress_on_a_terminal_rewrites_its_line(capfd, monkeypatch):
    monkeypatch.setattr(output.sys.stderr, "isatty", lambda: True)
    with Watch() as watch:
        watch(event("fits", 1))
        watch(event("fits", 2))
        watch.say("done")
    err = capfd.readouterr().err
    assert err.count("\r") == 2
    assert err.count("\n") == 2


def test_ctrl_c_asks_to_stop_and_a_second_one_stops(capfd):
    before = signal.getsignal(signal.SIGINT)
    with Watch() as watch:
        assert watch(event("fits", 1))
        os.kill(os.getpid(), signal.SIGINT)
        assert watch(event("fits", 2)) is False
        assert "Ctrl-C again stops at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def no_cache():
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def test_cache_chosen_by_the_user_is_kept():
    assert keep_compiled() == jax.config.jax_compilation_cache_dir


def test_cache_is_in_the_users_cache_folder(no_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert keep_compiled() == str(tmp_path / "jaxscatter")
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "jaxscatter")


def test_a_home_that_cannot_be_written_is_a_warning(no_cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="no compilation cache"):
            keep_compiled()
