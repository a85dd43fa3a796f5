"""Whatever way a line takes to the log, a person's number does not arrive; and nothing is printed beside the log."""

import asyncio
import gc
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.metrics import Call
from shared.privacy import logs

PHONE = "5491155550101"
SECRET = "sb_secret_" + "N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz"
CANARIES = (PHONE, SECRET, "155550101", "UgjKTVK")


class Written(io.StringIO):
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Written]]:
    """Sets the process up anew, with these settings, and gives what is written; everything is put back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    asleep = [logging.getLogger(name) for name in ("portero", "portero.calls", *logs.CHATTY)]
    levels = [logger.level for logger in asleep]

    def made(**settings: str) -> Written:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        root.handlers[:] = []
        logging.captureWarnings(False)
        logs.configure()
        stream = Written()
        root.handlers[0].setStream(stream)  # type: ignore[attr-defined]
        return stream

    yield made
    logging.captureWarnings(False)
    root.handlers[:], root.level, logging.raiseExceptions = before
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    for logger, level in zip(asleep, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def written(make: Callable[..., Written]) -> Written:
    return make()


def fail(told: str = PHONE) -> None:
    seen = {"from": told}
    raise ValueError(f"no such number {seen['from']} {SECRET}")


def raised(act: Callable[[], object] = fail) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError


def chained() -> None:
    try:
        fail()
    except ValueError as error:
        error.add_note(f"asked by {PHONE}")
        raise RuntimeError(f"for {PHONE}") from error


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError(PHONE)


class Told:
    def __repr__(self) -> str:
        return f"Told({PHONE}, {SECRET})"


own, child, foreign = (logging.getLogger(name) for name in ("portero", "portero.deep.child", "lib"))
looped: list[Any] = ["x"]
looped.append(looped)

WAYS: dict[str, Callable[[], object]] = {
    "format argument": lambda: own.warning("to %s", PHONE),
    "format arguments by name": lambda: own.warning("to %(to)s", {"to": PHONE}),
    "number as a number, of a child": lambda: child.warning("to %s", int(PHONE)),
    "number behind a line break": lambda: child.warning("to\n" + PHONE),
    "another library": lambda: foreign.warning("to +%s", PHONE),
    "extra": lambda: own.warning("extra", extra={"recipient": PHONE, "nested": {"to": [PHONE], PHONE: 1}}),
    "extra as a number": lambda: own.warning("extra", extra={"recipient": int(PHONE)}),
    "extra as JSON": lambda: own.warning("extra", extra={"a": json.dumps({"to": {"wa_id": PHONE}, "key": SECRET})}),
    "extra as bytes": lambda: own.warning("extra", extra={"a": f"to {PHONE}".encode()}),
    "extra as an object": lambda: own.warning("extra", extra={"a": Told(), "b": [Told()]}),
    "extra of an object that raises": lambda: own.warning("extra", extra={"a": Hostile()}),
    "extra that holds itself": lambda: own.warning("extra", extra={"a": looped, "b": PHONE}),
    "extra with strange keys": lambda: own.warning("extra", extra={"a": {(1, PHONE): 1, Told(): 2}}),
    "stack": lambda: own.warning("stack", stack_info=True, extra={"a": (PHONE,)}),
    "exception": lambda: own.error("failed", exc_info=raised()),
    "exception with causes and notes": lambda: foreign.error("failed", exc_info=raised(chained)),
    "exception group": lambda: own.error("failed", exc_info=ExceptionGroup(f"of {PHONE}", [ValueError(SECRET)])),
    "text of an exception that somebody else rendered": lambda: own.handle(
        logging.makeLogRecord({"name": "x", "levelno": 40, "msg": "failed", "exc_text": f"ValueError: {PHONE}"})
    ),
    "too few format arguments": lambda: own.warning("%d and %d", PHONE),
    "arguments without a place": lambda: own.warning("nothing", PHONE, SECRET),
    "half a surrogate pair": lambda: own.warning("\ud800 " + PHONE),
    "name of a logger": lambda: logging.getLogger(f"lib.{PHONE}").warning("x"),
    "warning": lambda: warnings.warn(f"deprecated for {PHONE}", RuntimeWarning, stacklevel=1),
    "uncaught": lambda: sys.excepthook(ValueError, raised(), None),
    "uncaught in a thread": lambda: _in_thread(),
    "uncaught in a destructor": lambda: _in_destructor(),
    "never retrieved": lambda: asyncio.run(_never_retrieved()),
    "never awaited": lambda: _never_awaited(),
    "httpx": lambda: logging.getLogger("httpx").error("HTTP Request: POST https://x/?token=%s&to=%s", SECRET, PHONE),
    "context": lambda: _carrying(),
}


def _in_thread() -> None:
    thread = threading.Thread(target=fail, name=PHONE)
    thread.start()
    thread.join()


def _in_destructor() -> None:
    class Dying:
        def __del__(self) -> None:
            fail()

    Dying()
    gc.collect()


async def _never_retrieved() -> None:
    async def failing() -> None:
        fail()

    task = asyncio.get_running_loop().create_task(failing())
    await asyncio.sleep(0)
    del task
    gc.collect()


def _never_awaited() -> None:
    async def waiting(to: str) -> None: ...

    waiting(PHONE)
    gc.collect()


def _carrying() -> None:
    with logs.carrying(request_id=PHONE, tenant=f"t {SECRET}"):
        logs.carry(conversation=f"+{PHONE}")
        own.warning("x")


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_a_number_or_a_key_into_the_log_or_beside_it(written, capfd, way):
    # pytest listens too, and its report of a test cannot hold half a surrogate pair.
    logging.getLogger().handlers[:] = [one for one in logging.getLogger().handlers if isinstance(one, logs.Sink)]
    warnings.simplefilter("always")
    WAYS[way]()
    assert written.lines(), "the line is lost"
    everything = written.getvalue() + "".join(capfd.readouterr())
    assert not [canary for canary in CANARIES if canary in everything], everything
    assert "".join(capfd.readouterr()) == ""


def test_what_is_masked_is_not_thrown_away(written):
    WAYS["exception with causes and notes"]()
    [line] = written.lines()
    assert line["logger"] == "lib"
    assert "ValueError: no such number [" in line["error"]
    assert "The above exception was the direct cause" in line["error"]
    WAYS["stack"]()
    assert "test_what_is_masked_is_not_thrown_away" in written.lines()[-1]["stack"]
    WAYS["uncaught"]()
    assert written.lines()[-1]["place"] == "process"


def test_a_line_says_when_what_and_of_which_invocation(written):
    with logs.carrying(request_id="r", function="webhook_meta"):
        own.info("kept", extra={"outcome": "replied", "duration_ms": 12})
    [line] = written.lines()
    time = line.pop("time")
    assert time.endswith("Z")
    assert line == {
        "level": "INFO",
        "request_id": "r",
        "function": "webhook_meta",
        "event": "kept",
        "outcome": "replied",
        "duration_ms": 12,
    }
    assert logs.about() == {}


def test_what_is_carried_ends_with_its_block(written):
    with logs.carrying(request_id="r"):
        with logs.carrying():
            logs.carry(tenant="t")
            assert logs.about() == {"request_id": "r", "tenant": "t"}
        assert logs.about() == {"request_id": "r"}
    assert logs.about() == {}


def test_a_record_cannot_pass_itself_off_as_another(written):
    with logs.carrying(request_id="r"):
        own.info("kept", extra={"level": "DEBUG", "time": "yesterday", "request_id": "s", "event": "x", "_aws": 1})
    [line] = written.lines()
    assert (line["level"], line["request_id"], line["event"], line["time"][:2]) == ("INFO", "r", "kept", "20")
    assert "_aws" not in line


def test_wrong_format_arguments_are_said_without_the_arguments(written):
    WAYS["too few format arguments"]()
    assert written.lines() == [{"level": "WARNING", "event": "unloggable", "logger": "portero"}]


def test_a_long_text_is_cut_in_a_short_time_and_its_edge_shows_no_half_of_a_number(written):
    filler = "x" * (logs.MAXIMUM_TEXT - 6)
    own.warning("long", extra={"a": f"{filler} {PHONE}", "b": "9 " * 5_000_000})
    own.warning("deep", extra={"a": [{"b": "é" * 10_000_000}]})
    assert len(written.getvalue()) < 3 * logs.MAXIMUM_LINE
    assert PHONE[:4] not in written.getvalue()
    assert written.lines()[0]["a"].endswith(" [cut]")


def test_a_stream_that_cannot_be_written_is_nobodys_second_fault(written, capfd):
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    logging.getLogger().handlers[0].setStream(Closed())  # type: ignore[attr-defined]
    own.warning("to %s", PHONE)
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("name", logs.CHATTY)
def test_chatty_libraries_are_quiet_at_every_level(make, name):
    written = make(LOG_LEVEL="DEBUG")
    logging.getLogger(name).info("HTTP Request: POST https://x/?token=abc")
    logging.getLogger(f"{name}.inner").debug("authorization: x")
    assert written.getvalue() == ""


def call(outcome: str = "answered") -> None:
    logs.calls.info("answered", extra={"status": 200, "call": Call(outcome, 12)})


def test_of_a_share_of_the_requests_all_lines_are_kept_and_of_the_others_the_numbers(make):
    written = make(LOG_SAMPLE="0.25")
    for number in range(400):
        with logs.carrying(request_id=f"r-{number}", function="webhook_meta", guard="hmac", tenant="t"):
            own.info("kept")
            call()
    whole = [line for line in written.lines() if line.get("event") == "answered"]
    kept = {line["request_id"] for line in written.lines() if line.get("event") == "kept"}
    assert 60 < len(whole) < 140
    assert {line["request_id"] for line in whole} == kept
    numbers = [line for line in written.lines() if "event" not in line]
    assert len(numbers) == 400 - len(whole)
    assert set(numbers[0]) == {
        *("time", "level", "function", "guard", "outcome", "duration_ms", "calls", "refusals", "_aws")
    }


def test_warnings_and_errors_are_kept_whatever_the_share(make):
    written = make(LOG_SAMPLE="0")
    with logs.carrying(request_id="r"):
        own.info("kept")
        own.warning("not woken")
        logs.calls.error("fault", exc_info=raised(), extra={"call": Call("fault", 1)})
    assert [line["event"] for line in written.lines()] == ["not woken", "fault"]
    assert [line["request_id"] for line in written.lines()] == ["r", "r"]


@pytest.mark.parametrize(
    ("level", "events"), [("WARNING", []), ("nonsense", ["kept", "answered"]), ("debug", ["kept", "answered"])]
)
def test_the_level_is_a_setting_and_calls_are_counted_at_every_one(make, level, events):
    written = make(LOG_LEVEL=level)
    own.info("kept")
    call()
    assert [line["event"] for line in written.lines() if "event" in line] == events
    assert [line["calls"] for line in written.lines() if "calls" in line] == [1]


@pytest.mark.parametrize("share", ["", "1", "all", "-1", "7", "nan"])
def test_a_share_that_is_none_keeps_every_line(make, share):
    written = make(LOG_SAMPLE=share)
    with logs.carrying(request_id="r"):
        own.info("kept")
    assert len(written.lines()) == 1
