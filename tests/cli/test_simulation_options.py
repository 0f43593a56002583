"""Options of `jaxscatter simulate`: what is refused, and where files go."""

import argparse
import pathlib

import pytest

from jaxscatter.cli.simulation_options import free, numbers, refuse, target
from jaxscatter.errors import ConfigError


def options(**given):
    return argparse.Namespace(**{"output": None, "n_frames": None, **given})


def test_an_option_of_another_technique_is_refused_by_its_flag():
    refuse(options(), ["n_frames"], "of films")
    with pytest.raises(ConfigError, match="--frames is of films"):
        refuse(options(n_frames=3), ["n_frames"], "of films")


def test_values_are_numbers_by_name():
    assert numbers(["radius = 40", "U(1,-1,1)=-5e-4"], "") == {
        "radius": 40.0,
        "U(1,-1,1)": -5e-4,
    }
    with pytest.raises(ConfigError, match=r"--set radius: expected a name .* a=1"):
        numbers(["radius"], "a=1")


def test_the_option_goes_before_the_file_of_the_job(tmp_path):
    class Job:
        def resolve(self, name):
            return tmp_path / name

    assert target(options(output="here.npz"), Job(), "a") == pathlib.Path("here.npz")
    assert target(options(), Job(), "own.npz") == tmp_path / "own.npz"
    with pytest.raises(ConfigError, match="no file to write"):
        target(options(), Job(), None)


def test_files_are_replaced_by_force_only(tmp_path):
    path = tmp_path / "made.npz"
    free([path], False)
    path.write_text("")
    free([path], True)
    with pytest.raises(FileExistsError, match="--force"):
        free([path], False)
