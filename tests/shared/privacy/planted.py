"""Canaries at every place from which sentry-sdk takes data, each of its own, so that a leak names its place."""

import contextlib
import logging
from typing import Any

import sentry_sdk
from sentry_sdk import crons, traces
from sentry_sdk import logger as sentry_logger
from sentry_sdk import metrics as sentry_metrics
from sentry_sdk.attachments import Attachment


class Canaries:
    """Makes values that must not leave: numbers and keys in turn. `found(text)` are the places of those in a text."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        number = len(self.planted)
        value = f"54911{55510101 + 7 * number}" if number % 2 else f"sb_secret_N7UND0UgjKTVK-Uodkm{number:03d}_xSvEMPvz"
        self.planted[value] = place
        return value

    def found(self, text: str) -> list[str]:
        return [place for value, place in self.planted.items() if value.removeprefix("sb_secret_") in text]


def plant(canary: Canaries, streamed: bool) -> None:
    """Speak to the client in every way that it has, as careless code would."""
    scope = sentry_sdk.get_isolation_scope()
    scope.set_user({"id": canary("user id"), "email": canary("user e-mail"), "ip_address": "203.0.113.7"})
    scope.set_tag("contact", canary("tag"))
    scope.set_tag(canary("key of a tag"), "x")
    scope.set_extra("event", {"body": [canary("extra"), {canary("key of an extra"): 1}]})
    scope.set_extra("raw", f'{{"to": "{canary("JSON in an extra")}"}}'.encode())
    scope.set_context("customer", {"phone": canary("context"), "token": {"a": canary("nested context")}})
    scope.set_transaction_name(f"/webhook/{canary('name of the transaction')}")
    scope.set_attribute("contact", canary("attribute of the scope"))
    scope.fingerprint = ["x", canary("fingerprint")]
    scope.add_attachment(bytes=canary("attachment").encode(), filename=canary("name of an attachment"))
    sentry_sdk.add_breadcrumb(message=canary("breadcrumb"), data={"url": f"https://x/?to={canary('breadcrumb data')}"})
    logging.getLogger("httpx").warning("POST https://x/?token=%s", canary("line of a library"))
    _events(canary)
    sentry_logger.error("sent to {to}", to=canary("argument of a log"), attributes={"a": canary("attribute of a log")})
    sentry_logger.info(canary("text of a log"))
    sentry_metrics.count("sent", 1, attributes={"contact": canary("attribute of a metric")})
    sentry_metrics.gauge(canary("name of a metric"), 1, unit=canary("unit of a metric"))
    crons.capture_checkin(
        monitor_slug=canary("slug of a check-in"), status="ok", monitor_config={"a": canary("config")}
    )
    _spans(canary) if streamed else _transaction(canary)
    sentry_sdk.flush(timeout=5)


def _events(canary: Canaries) -> None:
    with contextlib.suppress(RuntimeError):
        _fail(canary)
    sentry_sdk.capture_message(canary("message"))
    request = {
        "url": f"https://x/webhook/{canary('path')}",
        "query_string": f"hub.verify_token={canary('query')}&phone={canary('phone of a query')}",
        "headers": {"x-hub-signature-256": canary("header"), "x-phone": canary("another header")},
        "cookies": {"session": canary("cookie")},
        "data": {"entry": [{"from": canary("body")}]},
        "env": {"REMOTE_ADDR": canary("environment")},
    }
    frame = {
        "function": "f",
        "vars": {"event": canary("local"), "x": canary("other local")},
        "context_line": canary("code"),
    }
    thread = {"name": canary("name of a thread"), "stacktrace": {"frames": [frame]}}
    event: dict[str, Any] = {
        "message": canary("text of an event"),
        "logentry": {"message": "to %s", "params": [canary("parameter")]},
        "exception": {"values": [{"type": "X", "value": canary("value"), "stacktrace": {"frames": [dict(frame)]}}]},
        "threads": {"values": [thread]},
        "request": request,
        "modules": {"a": canary("module")},
        "server_name": canary("name of the host"),
    }
    hint = {"attachments": [Attachment(bytes=canary("attachment of a hint").encode(), filename="a")]}
    sentry_sdk.capture_event(event, hint)


def _fail(canary: Canaries) -> None:
    event = {"from": canary("local variable"), "apikey": canary("key in a local variable")}
    try:
        raise ValueError(f"no contact {canary('cause')}")
    except ValueError as error:
        error.add_note(canary("note of the cause"))
        failed = RuntimeError(f"for {canary('exception')}", event["from"])
        failed.add_note(f"asked by {canary('note')}")
        try:
            raise failed from error
        except RuntimeError as raised:
            sentry_sdk.capture_exception(raised)
            raise


def _transaction(canary: Canaries) -> None:
    with sentry_sdk.start_transaction(op="function", name=f"POST /webhook/{canary('transaction')}") as transaction:
        transaction.set_data("body", canary("data of a transaction"))
        transaction.set_tag("contact", canary("tag of a transaction"))
        with sentry_sdk.start_span(op="db", name=f"select 1 where phone = '{canary('span')}'") as span:
            span.set_data("db.params", [canary("data of a span")])
            span.set_tag("t", canary("tag of a span"))
        with sentry_sdk.start_span(op="gen_ai.chat", name=f"chat {canary('span of a model')}") as span:
            span.set_data("gen_ai.request.messages", [{"content": canary("prompt")}])
            span.set_data("gen_ai.response.text", canary("answer of a model"))


def _spans(canary: Canaries) -> None:
    with traces.start_span(
        name=f"POST /webhook/{canary('segment')}", attributes={"a": canary("attribute of a segment")}
    ):
        with traces.start_span(name=f"select '{canary('inner span')}'") as span:
            span.set_attribute("db.params", [canary("attribute of a span")])
            span.set_attribute(canary("key of an attribute"), 1)
        with traces.start_span(name="chat", attributes={"sentry.op": "gen_ai.chat"}) as span:
            span.set_attribute("gen_ai.request.messages", canary("prompt in a stream"))
        # What has ended is sent while the segment, whose name travels in the envelope's header, still runs.
        sentry_sdk.flush(timeout=5)
