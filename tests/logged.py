"""What is logged while a test looks: the lines as they are written, and refusals and problems by name."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from shared.privacy.logs import JsonLines


class _Names(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said += filter(None, (getattr(record, "problem", ""), getattr(record, "refusal", "")))


@contextmanager
def names_logged() -> Iterator[list[str]]:
    """The names that are logged within the block, in order."""
    handler = _Names()
    logging.getLogger("portero").addHandler(handler)
    try:
        yield handler.said
    finally:
        logging.getLogger("portero").removeHandler(handler)


class _Lines(logging.Handler):
    """Keeps what the log would write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))


@contextmanager
def lines_logged() -> Iterator[list[str]]:
    """The lines that are written within the block, in order."""
    handler = _Lines()
    logging.getLogger().addHandler(handler)
    try:
        yield handler.written
    finally:
        logging.getLogger().removeHandler(handler)
