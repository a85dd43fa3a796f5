"""Whatever way a line takes to the log, a person's number does not arrive."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from shared.privacy import logs

PHONE = "5491155550101"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = []
    logs.configure()
    root.handlers[0].setStream(stream)  # type: ignore[attr-defined]
    yield stream
    root.handlers[:], root.level = before[0], before[1]


def ways(phone: str) -> Iterator[None]:
    own, child, foreign = (
        logging.getLogger("portero"),
        logging.getLogger("portero.deep.child"),
        logging.getLogger("lib"),
    )
    yield own.warning("to %s", phone)
    yield child.warning("to %s", int(phone))
    yield foreign.warning("to +%s", phone)
    yield own.warning("extra", extra={"recipient": phone, "nested": {"to": [phone]}})
    yield own.warning("stack", stack_info=True, extra={"a": (phone,)})
    try:
        raise ValueError(f"no such number {phone}")
    except ValueError:
        yield own.exception("failed")


def test_no_way_leads_a_number_into_the_log(written):
    assert list(ways(PHONE))
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 6
    assert PHONE not in written.getvalue()
    assert "[phone]" in written.getvalue()


def test_a_line_says_when_what_and_of_which_invocation(written):
    with logs.carrying(request_id="r", function="webhook_meta"):
        logging.getLogger("portero").info("kept", extra={"outcome": "replied", "duration_ms": 12})
    [line] = [json.loads(line) for line in written.getvalue().splitlines()]
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


def test_wrong_format_arguments_are_said_without_the_arguments(written, capsys):
    logging.getLogger("portero").warning("%d and %d", PHONE)
    assert json.loads(written.getvalue())["event"] == "unloggable"
    assert PHONE not in written.getvalue() + "".join(capsys.readouterr())


def test_an_object_whose_repr_raises_does_not_break_the_log(written):
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError(PHONE)

    with warnings.catch_warnings():
        logging.getLogger("portero").warning("x", extra={"a": Hostile()})
    assert json.loads(written.getvalue())["event"] == "unloggable"
    assert PHONE not in written.getvalue()


def test_chatty_libraries_are_quiet(written):
    logging.getLogger("httpx").info("HTTP Request: POST https://x/?token=abc")
    assert written.getvalue() == ""
