"""What the Lambda runtime prints, answers, and sends to failure queues and to X-Ray when a call goes wrong.

The runtime's own code handles the event here, with a handler of each kind and a number planted in whatever breaks.
"""

import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from shared.errors import Unavailable
from shared.guard import Request, Response, cron, guard, hmac, public, queue, schemes
from shared.privacy import logs
from tests.refusals.calls import queue_event, sealed, sign_meta

PHONE, KEY = "5491155550101", "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz"
SECRET = "app secret"
ARN = "arn:aws:sqs:sa-east-1:123456789012:portero-local-reply.fifo"


class Client:
    """The runtime's connection to Lambda, as a list of what is sent."""

    def __init__(self) -> None:
        self.marshaller = LambdaMarshaller()
        self.sent: list[str] = []

    def post_invocation_error(self, invoke_id: str, error: str, xray: str, invocation_id: str | None = None) -> None:
        self.sent += ["error", error, xray]

    def post_invocation_result(self, invoke_id: str, result: str, kind: str, invocation_id: str | None = None) -> None:
        self.sent += ["result", result]


class LogSink(io.StringIO):
    def log_error(self, lines: list[str]) -> None:
        self.write("\n".join(lines))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[list[str], str]]]:
    """Has the runtime handle an event; gives what it sends, and everything that is written anywhere."""
    monkeypatch.setattr(schemes, "live", lambda secret: (SECRET,))
    monkeypatch.setattr("shared.guard.kinds.live", lambda secret: (SECRET,))
    monkeypatch.setattr("shared.cloud.parameters.prepare", lambda names: None)
    monkeypatch.setattr("shared.cloud.parameters.live", lambda name: (SECRET,))
    monkeypatch.setenv("REPLY_QUEUE_ARN", ARN)
    root = logging.getLogger()
    before, hooks = root.handlers[:], (sys.excepthook, sys.unraisablehook)
    root.handlers[:] = []
    logs.configure()
    written = io.StringIO()
    root.handlers[0].setStream(written)  # type: ignore[attr-defined]

    def handle(handler: Any, event: Any) -> tuple[list[str], str]:
        client, sink = Client(), LogSink()
        bootstrap.handle_event_request(
            client, handler, "r-1", json.dumps(event), "application/json", None, None, "arn", 99999999999999, None, sink
        )
        return client.sent, written.getvalue() + sink.getvalue()

    yield handle
    root.handlers[:] = before
    sys.excepthook, sys.unraisablehook = hooks


def guarded(kind: Any, function: str, body: Callable[[Request], Response]) -> Any:
    body.__module__ = f"functions.{function}"
    over_http = {"methods": ("POST",), "body_limit": 1000} if function.partition("_")[0] != "queue" else {}
    return guard(kind, seconds=3.0, secrets=(), writes=(), store_down="refuse", **over_http)(body)


def failing(request: Request) -> Response:
    seen = {"from": PHONE, "apikey": KEY}
    try:
        raise ValueError(f"no contact {seen}")
    except ValueError as error:
        failed = RuntimeError(f"for {PHONE} with {KEY}")
        failed.add_note(PHONE)
        raise failed from error


def exiting(request: Request) -> Response:
    sys.exit(f"gave up on {PHONE} {KEY}")


def recursing(request: Request, told: str = PHONE) -> Response:
    return recursing(request, told)


def answering_what_is_no_json(request: Request) -> Response:
    return Response(body={"outcome": {PHONE, KEY}})


def answering_nothing(request: Request) -> Any:
    return f"{PHONE} {KEY}"


BODIES = (failing, exiting, recursing, answering_what_is_no_json, answering_nothing)


EVENTS: dict[str, tuple[Any, str, Callable[[], Any]]] = {
    "webhook": (hmac("meta"), "webhook_meta", lambda: sign_meta(b"{}", SECRET, 0).event()),
    "public": (public(reason="no reason at all", rate=999), "public_health", lambda: sign_meta(b"", "", 0).event()),
    "cron": (
        cron(),
        "cron_sweep",
        lambda: {"schedule": "cron_sweep", "authorization": f"Bearer {SECRET}"},
    ),
    "queue": (queue("reply"), "queue_reply", lambda: queue_event(ARN, sealed("reply", SECRET, conversation="c"))),
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@pytest.mark.parametrize("kind", EVENTS)
def test_nothing_of_a_fault_is_printed_or_sent(seen, capfd, kind, body):
    declared, function, event = EVENTS[kind]
    sent, written = seen(guarded(declared, function, body), event())
    everything = "\n".join([*sent, written, *capfd.readouterr()])
    assert not [canary for canary in (PHONE, KEY, "UgjKTVK") if canary in everything], everything
    if sent[0] == "error":
        assert json.loads(sent[1])["errorType"] in ("RuntimeError", "Runtime.MarshalError")
    else:
        assert '"event": "fault"' in written or (kind, body) == ("queue", answering_what_is_no_json)


@pytest.mark.parametrize("event", [None, [PHONE], PHONE, {"Records": [PHONE]}, {"Records": PHONE}, {"Records": [{}]}])
@pytest.mark.parametrize("kind", ["cron", "queue"])
def test_an_event_of_another_shape_is_no_way_out_either(seen, capfd, kind, event):
    declared, function, _ = EVENTS[kind]
    sent, written = seen(guarded(declared, function, failing), event)
    assert PHONE not in "\n".join([*sent, written, *capfd.readouterr()])
    assert sent[0] == "error"


def test_what_fails_an_invocation_names_its_problem_and_nothing_else(monkeypatch):
    def away(request: Request) -> Response:
        try:
            raise ValueError(PHONE)
        except ValueError:
            raise Unavailable("database_away") from None

    class Context:
        aws_request_id = "r-1"

        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 5000

    handler = guarded(cron(), "cron_sweep", away)
    monkeypatch.setattr("shared.guard.kinds.live", lambda secret: (SECRET,))
    monkeypatch.setattr("shared.cloud.parameters.prepare", lambda names: None)
    with pytest.raises(RuntimeError) as caught:
        handler({"schedule": "cron_sweep", "authorization": f"Bearer {SECRET}"}, Context)
    assert str(caught.value) == "database_away"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert PHONE not in "".join(traceback.format_exception(caught.value))
