"""Progress of long work: one event type, one reporter, and how to stop cleanly."""

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import TypeAlias


@dataclasses.dataclass(frozen=True)
class Event:
    """Where a long computation stands.

    `step` of `total` in `phase`; `value` is the cost of a fit or the mean number of
    leapfrog steps of a sampler; `elapsed` in seconds.
    """

    phase: str
    step: int
    total: int
    value: float
    elapsed: float
    message: str = ""


Callback: TypeAlias = Callable[[Event], bool | None]


class Reporter:
    """Passes events on; `True` prints to stderr, a callable receives every event.

    Calling it returns False when the caller asked to stop.
    """

    def __init__(self, progress: bool | Callback = False):
        self._callback: Callback | None = None
        self._bar = None
        if callable(progress):
            self._callback = progress
        elif progress:
            self._callback = self._show
        self._start = time.monotonic()

    @property
    def active(self) -> bool:
        """Whether anybody listens, so that work should be cut into blocks."""
        return self._callback is not None

    def __call__(
        self, phase: str, step: int, total: int, value: float, message: str = ""
    ) -> bool:
        """Report; False means stop."""
        if self._callback is None:
            return True
        elapsed = time.monotonic() - self._start
        answer = self._callback(Event(phase, step, total, value, elapsed, message))
        return answer is not False

    def _show(self, event: Event) -> None:
        from tqdm import tqdm

        if self._bar is None or self._bar.desc != event.phase:
            self.close()
            self._bar = tqdm(
                total=event.total,
                desc=event.phase,
                file=sys.stderr,
                mininterval=0.5,
                leave=True,
            )
        self._bar.set_postfix_str(event.message or f"{event.value:.6g}", refresh=False)
        self._bar.update(event.step - self._bar.n)

    def close(self) -> None:
        """Finish the line of the printed bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
