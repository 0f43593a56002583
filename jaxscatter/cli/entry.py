"""`main`: the parser, and what becomes of errors, warnings and interruptions."""

import argparse
import os
import pathlib
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from .._version import __version__
from ..config import TECHNIQUES
from ..errors import DeviceError, FitError, JaxscatterError, SamplingError
from . import demo, jobs, look, simulation

MISTAKES = (
    FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError,
    FileExistsError, ImportError, JaxscatterError,
)  # fmt: skip
FAILURES = (FitError, SamplingError, DeviceError)


KINDS = " or ".join(TECHNIQUES)


class UsageError(Exception):
    """Arguments that the parser does not understand."""


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`, naming the help to read."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets `run`, a function of the arguments."""
    common = Parser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show the traceback of an error",
    )
    top = Parser(
        prog="jaxscatter",
        description="Differentiable inference for scattering science.",
        epilog="example: jaxscatter demo qens",
        parents=[common],
    )
    top.add_argument("--version", action="version", version=f"jaxscatter {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Any, text: str, example: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=text,
            description=text[:1].upper() + text[1:] + ".",
            epilog=f"example: jaxscatter {example}",
            parents=[common],
        )
        made.set_defaults(run=run)
        return made

    made = command(
        "demo", demo.command, "fit and sample a measured example", "demo qens -o report"
    )
    made.add_argument("technique", help=KINDS)
    made.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="folder of the results (default jaxscatter_demo_TECHNIQUE)",
    )
    made.add_argument("--seed", type=_seed, default=0, help="of starts and sampler")

    made = command("run", jobs.run, "run a job file: fit and/or sample", "run job.yaml")
    made.add_argument("job", metavar="JOB.yaml")
    made.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="folder of the results (default: the job's)",
    )
    _convention(made)

    made = command(
        "template",
        jobs.template,
        "print a commented job file",
        "template qens > job.yaml",
    )
    made.add_argument("technique", help=KINDS)
    made.add_argument(
        "--mode", metavar="MODE", help="of xpcs: laminar_flow (default) or static"
    )

    made = command(
        "validate",
        jobs.validate,
        "check a job file, open its data and say what was recognised",
        "validate job.yaml",
    )
    made.add_argument("job", metavar="JOB.yaml")
    _convention(made)

    made = command(
        "simulate",
        simulation.command,
        "write simulated data of xpcs, sas or cbed",
        "simulate job.yaml, or simulate -o flow.h5 --phi 0,45,90 --noise 0.01",
    )
    simulation.add_options(made)

    made = command(
        "inspect",
        look.inspect,
        "say what a file holds and what reads it",
        "inspect sample.nxspe",
    )
    made.add_argument("file", metavar="FILE")
    made.add_argument("--tree", action="store_true", help="list all of an HDF5 file")

    made = command(
        "models", look.models, "list models with their parameters", "models qens"
    )
    made.add_argument("technique", nargs="?", help=f"{KINDS} (default: all)")

    made = command(
        "plot", look.plot, "draw the figures of a result file", "plot posterior.h5 -o ."
    )
    made.add_argument("result", metavar="RESULT.h5")
    made.add_argument(
        "-o", "--output", metavar="DIR", help="folder (default: that of the file)"
    )

    command("info", look.info, "show versions, devices, precision and cache", "info")
    return top


def _convention(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--convention",
        metavar="NAME",
        help="of a homodyne configuration: homodyne_v2 (default), homodyne_v1 or pnas",
    )


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of a command line; 0 is success."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            if not debug:
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.simplefilter("ignore", PendingDeprecationWarning)
            warnings.showwarning = _show
            options = parser().parse_args(arguments)
            code = options.run(options)
            sys.stdout.flush()
            return code
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:  # as in `jaxscatter models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UsageError as error:
        return _fail(str(error), 2)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, MISTAKES) and not isinstance(error, FAILURES):
            return _fail(_line(error), 2)
        if isinstance(error, FAILURES):
            return _fail(_line(error), 1)
        hint = "" if debug else " (--debug shows where)"
        return _fail(f"{type(error).__name__}: {_line(error)}{hint}", 1)


def _line(error: BaseException) -> str:
    """Message of an exception."""
    if isinstance(error, OSError) and error.strerror:
        where = (
            f"{pathlib.Path(os.fsdecode(error.filename))}: " if error.filename else ""
        )
        return f"{where}{error.strerror[:1].lower()}{error.strerror[1:]}"
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)


def _fail(message: str, code: int) -> int:
    print(f"jaxscatter: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _show(message: Any, category: Any, *_: Any, **__: Any) -> None:
    """A warning as one line, without the source it came from."""
    print(f"jaxscatter: warning: {' '.join(str(message).split())}", file=sys.stderr)
