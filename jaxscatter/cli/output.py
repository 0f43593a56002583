"""Where a run's files go, and what the terminal shows while it lasts."""

import os
import pathlib
import secrets
import shutil
import signal
import sys
import time
import warnings
from types import FrameType, TracebackType
from typing import Any

import jax

from ..infer import Event, enable_cache

FILES = (
    "fit.h5", "posterior.h5", "fit.png", "posterior.png", "trace.png", "hwhm.png",
    "hwhm_table.csv", "report.txt", "cuts.png", "rates.png", "simulated.h5",
    "measured_fit.h5", "measured_fit.png", "measured_cuts.png", "parts.png",
    "latex_fit.h5", "latex_fit.png", "sizes.png", "fit_nxcansas.h5",
    "latex_nxcansas.h5", "rocking.png", "branches.png", "patterns.png", "polarity.png",
)  # fmt: skip
PAUSE = 10.0


class Folder:
    """A folder of results that appears whole when the block ends.

    Files are written into `path / name` of a hidden folder beside the target. At the
    end, however it comes, what was written moves to the target, where it replaces the
    results of an earlier run; without any file nothing appears. Folders in it are
    merged into those of the target, file by file.

    Raises:
        NotADirectoryError, PermissionError: the target cannot be written.
    """

    def __init__(self, target: str | os.PathLike[str]):
        self.target = pathlib.Path(target)
        if self.target.exists() and not self.target.is_dir():
            raise NotADirectoryError(f"{self.target}: is a file; expected a folder")

    def __enter__(self) -> "Folder":
        parent = self.target.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        self._stage = parent / f".{self.target.name}.{secrets.token_hex(4)}.partial"
        self._stage.mkdir()
        return self

    @property
    def stage(self) -> pathlib.Path:
        """Where files are until the block ends, for those who make folders in it."""
        return self._stage

    def __truediv__(self, name: str) -> pathlib.Path:
        assert name in FILES, name  # else an older run's would stay
        return self._stage / name

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        made = sorted(p.name for p in self._stage.iterdir())
        try:
            if made:
                self._publish(made)
        finally:
            shutil.rmtree(self._stage, ignore_errors=True)

    def _publish(self, made: list[str]) -> None:
        if not self.target.exists():
            self._stage.replace(self.target)
            return
        for name in made:
            source = self._stage / name
            if not source.is_dir():
                source.replace(self.target / name)
                continue
            (self.target / name).mkdir(exist_ok=True)
            for file in source.iterdir():
                file.replace(self.target / name / file.name)
        for name in set(FILES) - set(made):
            (self.target / name).unlink(missing_ok=True)


class Watch:
    """Progress on stderr, and Ctrl-C as a request to stop at the next block.

    The first Ctrl-C lets the running step keep what it has, the second one ends it.
    On a terminal one line is rewritten; elsewhere a line appears per phase and then
    every ten seconds.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._live = sys.stderr.isatty()
        self._phase, self._shown, self._open = "", 0.0, False
        self._begin = time.monotonic()

    def __enter__(self) -> "Watch":
        self._before: Any = None
        try:
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        except ValueError:  # not in the main thread
            pass
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        self.say("stopping after this block; Ctrl-C again stops at once")

    def say(self, text: str) -> None:
        """Print a line with the seconds since the start."""
        self._end_line()
        print(f"[{time.monotonic() - self._begin:5.1f} s] {text}", file=sys.stderr)

    def __call__(self, event: Event) -> bool:
        """Show an event; False asks the caller to stop."""
        note = event.message or f"{event.value:.6g}"
        text = f"{event.phase} {event.step}/{event.total}, {note}"
        now = time.monotonic()
        if self._live:
            sys.stderr.write(f"\r\x1b[K[{now - self._begin:5.1f} s] {text}")
            sys.stderr.flush()
            self._open = True
        elif event.phase != self._phase or now - self._shown > PAUSE:
            self.say(text)
            self._shown = now
        self._phase = event.phase
        return not self.stopped

    def _end_line(self) -> None:
        if self._open:
            print(file=sys.stderr)
            self._open = False


def keep_compiled() -> str:
    """Folder of the compilation cache, turned on unless the user has chosen one."""
    chosen = getattr(jax.config, "jax_compilation_cache_dir", None)
    if chosen:
        return str(chosen)
    try:
        return str(enable_cache())
    except OSError as error:  # a home without write permission
        warnings.warn(f"no compilation cache: {error}", stacklevel=2)
        return "none"
