"""The parser, exit codes, and what becomes of errors and warnings."""

import warnings

import pytest

from jaxscatter import __version__
from jaxscatter.cli import entry, look
from jaxscatter.errors import FitError

COMMANDS = (
    "demo", "run", "template", "validate", "simulate", "inspect", "models", "plot",
    "info",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli, command):
    code, out, err = cli(command, "--help")
    assert code == 0
    assert f"example: jaxscatter {command}" in out
    assert err == ""


def test_help_lists_every_command(cli):
    code, out, _ = cli("--help")
    assert code == 0
    for command in COMMANDS:
        assert f"\n    {command} " in out


def test_version_is_that_of_the_package(cli):
    assert cli("--version") == (0, f"jaxscatter {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "COMMAND"),
        (("rn",), "'rn'"),
        (("run",), "JOB.yaml"),
        (("demo", "qens", "--seed", "x"), "'x'"),
        (("demo", "qens", "--seed", "-1"), "-1 is negative"),
        (("info", "--all"), "--all"),
        (("simulate", "--phi", "0,x"), "'0,x': expected numbers"),
        (("simulate", "--frames", "many"), "'many'"),
    ],
)
def test_wrong_arguments_are_one_line_that_names_the_help(refused, arguments, said):
    line = refused(*arguments)
    assert said in line
    assert "--help" in line


@pytest.mark.parametrize("command", ["demo", "template", "models"])
def test_unknown_technique_names_the_known_ones(refused, command):
    assert "'qns' is not known; there are ['qens', 'xpcs', 'sas', 'cbed']" in refused(
        command, "qns"
    )


def _raising(error):
    def run(options):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FitError("nothing finite"), 1, "nothing finite"),
        (ZeroDivisionError("oh"), 1, "ZeroDivisionError: oh (--debug"),
        (KeyError("no such"), 1, "KeyError: no such"),
        (
            PermissionError(13, "Not allowed", "a.h5"),
            2,
            "a.h5: not allowed",
        ),
        (ImportError("pip install jaxscatter[plot]"), 2, "jaxscatter[plot]"),
        (FitError("two\nlines"), 1, "two lines"),
    ],
)
def test_errors_are_one_line(refused, monkeypatch, error, code, said):
    monkeypatch.setattr(look, "info", _raising(error))
    assert said in refused("info", code=code)


def test_debug_shows_the_traceback(cli, monkeypatch):
    monkeypatch.setattr(look, "info", _raising(FitError("nothing finite")))
    for arguments in (("info", "--debug"), ("--debug", "info")):
        code, _, err = cli(*arguments)
        assert code == 1
        assert "Traceback" in err
        assert err.strip().endswith("jaxscatter: error: nothing finite")


def test_interruption_has_its_own_exit_code(refused, monkeypatch):
    monkeypatch.setattr(look, "info", _raising(KeyboardInterrupt()))
    assert refused("info", code=130).endswith("interrupted")


def test_warnings_are_one_line_without_source(cli, monkeypatch):
    def run(options):
        warnings.warn("mind\nthis", UserWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(look, "info", run)
    assert cli("info") == (0, "", "jaxscatter: warning: mind this\n")


def test_parser_takes_options_before_and_after_the_job():
    options = entry.parser().parse_args(["run", "-o", "there", "job.yaml"])
    assert (options.job, options.output) == ("job.yaml", "there")


def test_a_closed_pipe_is_no_error(shell):
    process = shell("models")
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert err == ""
