"""One logging set-up for every function: JSON lines, masked as the last step before they are written.

The formatter masks what it is about to write, so that child loggers, other libraries, tracebacks, `extra` fields and
warnings are covered alike, and what Python would print by itself (uncaught errors of the process, of threads, of
destructors) becomes a line too. Customer text is never handed to a logger in the first place
(tests/test_log_calls.py).

A call's own line also carries its numbers (shared/metrics.py). LOG_SAMPLE is the share of calls whose INFO lines are
kept whole; of the others the numbers stay. Warnings and errors are always kept.
"""

import json
import logging
import re
import sys
import threading
import time
from binascii import crc32
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from shared.errors import Unavailable
from shared.metrics import Call
from shared.privacy import scrub
from shared.settings import Setting, read_number, read_optional

# Longer texts are cut: CloudWatch takes 256 KB, and nobody reads that much.
MAXIMUM_TEXT = 16_384
MAXIMUM_LINE = 131_072
# What is taken off the end of a text that was cut.
CUT_EDGE = 512
# So much of a name or an id is looked at once and remembered.
SHORT = 128
# Fields that hold numbers of calls, rows and milliseconds.
COUNTS = frozenset({"status", "duration_ms", "attempts", "count", "place", "messages", "turns", "sends"})
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# They print addresses, headers and bodies below this, whatever LOG_LEVEL says.
CHATTY = ("httpx", "httpcore", "hpack", "h2", "botocore", "boto3", "s3transfer", "urllib3", "asyncio", "sentry_sdk")

_context: ContextVar[dict[str, str] | None] = ContextVar("context", default=None)

# What the set-up says of every record.
SAID = frozenset({"time", "level", "event", "logger", "error", "stack", "_aws"})
# No names for fields: what every record has, and what is written under another name.
RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "call"}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

log = logging.getLogger("portero")
# A logger of its own, so that the numbers of calls are written at every LOG_LEVEL.
calls = logging.getLogger("portero.calls")


def about() -> dict[str, str]:
    """What every line of the running invocation carries, masked."""
    return _context.get() or {}


@contextmanager
def carrying(**fields: str) -> Iterator[None]:
    """Within the block every line carries these fields too. Ids and names only, never text or numbers of people."""
    mark = _context.set({**about(), **_masked_context(fields)})
    try:
        yield
    finally:
        _context.reset(mark)


def carry(**fields: str) -> None:
    """The same until the end of the `carrying` block around it."""
    _context.set({**about(), **_masked_context(fields)})


class JsonLines(logging.Formatter):
    """A record as one masked JSON line. `level` and `share` as LOG_LEVEL and LOG_SAMPLE say."""

    def __init__(self, level: int = logging.INFO, share: float = 1.0) -> None:
        super().__init__()
        self._level = level
        self._share = share

    def keeps(self, record: logging.LogRecord) -> bool:
        """Whether the record is written whole. All lines of one request are, or none below WARNING is."""
        if record.levelno >= logging.WARNING:
            return True
        if record.levelno < self._level:
            return False
        request_id = about().get("request_id", "")
        return self._share >= 1 or not request_id or crc32(request_id.encode()) < self._share * 2**32

    def format(self, record: logging.LogRecord) -> str:
        """Never raises: a line that cannot be rendered, or is too long, says so."""
        try:
            line = self._line(record)
            return line if len(line) <= MAXIMUM_LINE else _unloggable(record)
        except Exception:
            return _unloggable(record)

    def _line(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {"time": f"{moment}.{int(record.msecs):03d}Z", "level": record.levelname}
        call = getattr(record, "call", None)
        call = call if isinstance(call, Call) else None
        if self.keeps(record):
            fields |= about() | self._told(record)
        else:
            fields |= {name: value for name, value in about().items() if name in ("function", "guard")}
        if call is None:
            return json.dumps(fields, default=_described)
        fields |= call.members()
        line = json.dumps(fields, default=_described)
        return f'{line[:-1]}, "_aws": {call.metadata(int(record.created * 1000))}}}'

    def _told(self, record: logging.LogRecord) -> dict[str, Any]:
        """What the record itself says, masked."""
        message = record.getMessage()
        told: dict[str, Any] = {"event": _masked_text(message) if record.args else _masked_name(message)}
        if not record.name.startswith("portero"):
            told["logger"] = _masked_name(record.name)
        # What a record brings cannot pass itself off as what the set-up says.
        taken = RESERVED | SAID | about().keys()
        told |= _masked_fields({name: value for name, value in vars(record).items() if name not in taken})
        if record.exc_info:
            told["error"] = _masked_text(self.formatException(record.exc_info))
        elif record.exc_text:
            told["error"] = _masked_text(record.exc_text)
        if record.stack_info:
            told["stack"] = _masked_text(record.stack_info)
        return told


class Sink(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes lines; what cannot be written is not told to anybody else either."""

    formatter: JsonLines

    def filter(self, record: logging.LogRecord) -> bool:
        """Calls are always written, at least their numbers; other lines when they are kept."""
        return isinstance(getattr(record, "call", None), Call) or self.formatter.keeps(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Nothing: the standard library would print the message and its arguments as they are."""


def configure() -> logging.Logger:
    """Set the process up once, and answer the suite's own logger."""
    root = logging.getLogger()
    if not any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        level = read_optional(Setting.LOG_LEVEL).upper()
        level = level if level in LEVELS else "INFO"
        handler = Sink(sys.stdout)
        handler.setFormatter(JsonLines(logging.getLevelNamesMapping()[level], _share()))
        # The Lambda runtime installs a handler of its own, which would print every record once more, unmasked.
        root.handlers[:] = [handler]
        root.setLevel(level)
        calls.setLevel(logging.INFO)
        logging.raiseExceptions = False
        # No line tells its thread or process, so nobody needs to ask for them at each one.
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
        for chatty in CHATTY:
            logging.getLogger(chatty).setLevel(logging.WARNING)
        _take_over_what_python_prints()
    return log


def _take_over_what_python_prints() -> None:
    """Warnings, and errors that nobody catches: each would go to stderr with its text as it is."""
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _log_uncaught("process", error)
    threading.excepthook = lambda thrown: _log_uncaught("thread", thrown.exc_value)
    sys.unraisablehook = lambda thrown: _log_uncaught("destructor", thrown.exc_value)


def _log_uncaught(place: str, error: BaseException | None) -> None:
    with suppress(Exception):
        log.error("uncaught", exc_info=error, extra={"place": place})


def read_share() -> float:
    """LOG_SAMPLE, from 0 to 1. Raises Unavailable (`setting_malformed_LOG_SAMPLE`)."""
    return read_number(Setting.LOG_SAMPLE, 1.0, 0.0, 1.0)


def _share() -> float:
    """The share to log by: every line while the setting is malformed, which the guard refuses."""
    try:
        return read_share()
    except Unavailable:
        return 1.0


def _masked_context(fields: dict[str, str]) -> dict[str, str]:
    return {name: _masked_name(str(value)) for name, value in fields.items()}


def _masked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """`extra`, together with its names: they tell what is a secret."""
    # Most lines have nothing but counts.
    counts = {name: value for name, value in fields.items() if type(value) is int and name in COUNTS and value < 10**6}
    if len(counts) == len(fields):
        return counts
    rest = {name: value for name, value in fields.items() if name not in counts}
    long = {name for name, value in rest.items() if isinstance(value, str) and len(value) > MAXIMUM_TEXT}
    masked: dict[str, Any] = scrub(rest | {name: rest[name][:MAXIMUM_TEXT] for name in long})
    for name in long & masked.keys():
        masked[name] = _without_edge(str(masked[name]))
    return masked | counts


def _masked_text(text: str) -> str:
    return scrub(text) if len(text) <= MAXIMUM_TEXT else _without_edge(scrub(text[:MAXIMUM_TEXT]))


def _without_edge(masked: str) -> str:
    """A text that was cut, without its end: there may be half of a number or key that no pattern knows."""
    return f"{masked[:-CUT_EDGE]} [cut]"


def _masked_name(text: str) -> str:
    """A name or an id."""
    if len(text) > SHORT:
        return _masked_text(text)
    return text if _UUID.fullmatch(text) else _masked_again(text)


# Names of functions, guards and events come with every call.
@lru_cache(64)
def _masked_again(text: str) -> str:
    return scrub(text)


def _described(value: object) -> str:
    """What JSON has no form for."""
    return str(scrub(repr(value)[:MAXIMUM_TEXT]))


def _unloggable(record: logging.LogRecord) -> str:
    return json.dumps({"level": record.levelname, "event": "unloggable", "logger": scrub(record.name[:SHORT])})
