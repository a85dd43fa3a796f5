"""One logging set-up for every function: JSON lines, masked as the last step.

The formatter masks the finished line, so that child loggers, other libraries, tracebacks and `extra` fields are
covered alike. Customer text is never handed to a logger in the first place.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from shared.privacy.masking import scrub
from shared.settings import Setting, read_optional

_context: ContextVar[dict[str, str] | None] = ContextVar("context", default=None)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def about() -> dict[str, str]:
    """What every line of the running invocation carries."""
    return _context.get() or {}


@contextmanager
def carrying(**fields: str) -> Iterator[None]:
    """Within the block every line carries these fields too. Ids and names only, never text or numbers of people."""
    mark = _context.set({**about(), **fields})
    try:
        yield
    finally:
        _context.reset(mark)


class JsonLines(logging.Formatter):
    """A record as one masked JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        """Never raises: a line that cannot be rendered says so."""
        try:
            return scrub(json.dumps(self._fields(record), ensure_ascii=False, default=repr))
        except Exception:
            return json.dumps({"level": "ERROR", "event": "unloggable", "logger": record.name})

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            **about(),
            "event": record.getMessage(),
        }
        if not record.name.startswith("portero"):
            fields["logger"] = record.name
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return fields


def configure() -> logging.Logger:
    """Set the process up once, and answer the suite's own logger."""
    root = logging.getLogger()
    if not any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines())
        # The Lambda runtime installs a handler of its own, which would print every record once more, unmasked.
        root.handlers[:] = [handler]
        root.setLevel(read_optional(Setting.LOG_LEVEL) or "INFO")
        logging.raiseExceptions = False
        # No line tells its thread or process, so nobody needs to ask for them at each one.
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
        for chatty in ("httpx", "httpcore", "hpack", "botocore", "urllib3"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
    return logging.getLogger("portero")
