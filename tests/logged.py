"""What the guard logs while a test looks: refusals and problems by name, which callers never see."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


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
