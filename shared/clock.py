"""Time, injected: the only place that reads the system's clock, so that a test can hold it still."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_read: Callable[[], float] = time.time


def now() -> float:
    """Seconds since the epoch."""
    return _read()


def wait(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)


@contextmanager
def held_at(moment: float) -> Iterator[None]:
    """Within the block `now()` answers `moment` (seconds since the epoch). For tests."""
    global _read
    previous, _read = _read, lambda: moment
    try:
        yield
    finally:
        _read = previous


class Deadline:
    """A moment by which work must be done; handed down so that every call knows how long it may take."""

    def __init__(self, seconds: float) -> None:
        """`seconds` from now on, on the monotonic clock."""
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._at - time.monotonic())
