"""Calls of functions as events, and the one thing each attack changes in them.

The signers here are the tests' own: if the suite's verifiers shared them, both could be wrong together.
"""

import base64
import hashlib
import hmac
import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from local.world import World
from shared import clock

Event = dict[str, Any]


@dataclass(frozen=True)
class Http:
    """An HTTP call before it becomes API Gateway's event."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_base64: bool = False

    def event(self) -> Event:
        """The event of an HTTP API, payload 2.0."""
        text = base64.b64encode(self.body).decode() if self.is_base64 else self.body.decode("utf-8", "replace")
        return {
            "version": "2.0",
            "routeKey": f"{self.method} {self.path}",
            "rawPath": self.path,
            "rawQueryString": urlencode(self.query),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "requestContext": {
                "http": {"method": self.method, "path": self.path, "sourceIp": "203.0.113.9", "protocol": "HTTP/1.1"},
                "requestId": "r",
            },
            "body": text,
            "isBase64Encoded": self.is_base64,
        }

    def with_headers(self, **headers: str) -> "Http":
        """With these headers (underscores are dashes); an empty value removes one."""
        changed = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={name: value for name, value in changed.items() if value})


@dataclass(frozen=True)
class Answer:
    """What a caller gets: the status of an HTTP answer, or what a queue or schedule sees."""

    said: str
    body: str = ""


class _Names(logging.Handler):
    """The names that the guard logs: events, refusals and problems."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said += [record.getMessage(), getattr(record, "problem", ""), getattr(record, "refusal", "")]


def ask(world: World, function: str, event: Event) -> Answer:
    """Hand the event to the function as AWS does.

    `said` is the HTTP status; "held" for a delivery that was only put into quarantine; "501" where the business is not
    built; for a schedule "ran" or "error"; and for a queue how many records passed and how many came back ("2+1-"), one
    whose business is not built counting as passed.
    """
    names = _Names()
    logging.getLogger("portero").addHandler(names)
    try:
        invocation = world.invoke(function, event)
    finally:
        logging.getLogger("portero").removeHandler(names)
    if invocation.error is not None:
        return Answer("501" if invocation.error.message == "not_built" else "error", invocation.error.message)
    if "Records" in event:
        not_built = names.said.count("not_built")
        if not_built == len(event["Records"]):
            return Answer("501")
        failed = len(invocation.payload["batchItemFailures"]) - not_built
        return Answer(f"{len(event['Records']) - failed}+{failed}-")
    if "requestContext" not in event:
        return Answer("ran")
    said = "held" if "quarantined" in names.said else str(invocation.payload["statusCode"])
    return Answer(said, invocation.payload["body"])


Sign = Callable[[bytes, str, float], Http]
"""(body, secret, now in seconds) -> the signed call."""


def hex_mac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def sign_meta(body: bytes, secret: str, now: float) -> Http:
    headers = {"x-hub-signature-256": f"sha256={hex_mac(secret, body)}", "content-type": "application/json"}
    return Http("POST", "/webhook/meta", headers, body=body)


def sign_meta_signed_request(body: bytes, secret: str, now: float) -> Http:
    payload = base64.urlsafe_b64encode(body).rstrip(b"=")
    mac = hmac.new(secret.encode(), payload, hashlib.sha256).digest()
    signed = base64.urlsafe_b64encode(mac).rstrip(b"=").decode() + "." + payload.decode()
    return Http(
        "POST",
        "/webhook/meta-privacy",
        {"content-type": "application/x-www-form-urlencoded"},
        {"kind": "deletion"},
        urlencode({"signed_request": signed}).encode(),
        is_base64=True,
    )


def sign_mercadopago(body: bytes, secret: str, now: float) -> Http:
    data_id, request_id, ts = json.loads(body)["data"]["id"], "7c0b5ac3-request", str(int(now))
    mac = hex_mac(secret, f"id:{data_id};request-id:{request_id};ts:{ts};".encode())
    headers = {"x-signature": f"ts={ts},v1={mac}", "x-request-id": request_id, "content-type": "application/json"}
    return Http("POST", "/webhook/mercadopago", headers, {"data.id": data_id, "type": "payment"}, body)


def sign_paddle(body: bytes, secret: str, now: float) -> Http:
    ts = str(int(now))
    headers = {
        "paddle-signature": f"ts={ts};h1={hex_mac(secret, ts.encode() + b':' + body)}",
        "content-type": "application/json",
    }
    return Http("POST", "/webhook/paddle", headers, body=body)


def queue_event(arn: str, *bodies: str) -> Event:
    """An SQS event with one record a body, each of its own group."""
    return {
        "Records": [
            {
                "messageId": f"m{place}",
                "body": body,
                "attributes": {"MessageGroupId": f"g{place}"},
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
            }
            for place, body in enumerate(bodies)
        ]
    }


def sealed(queue: str, key: str, sent_at: float | None = None, **ids: str) -> str:
    """An envelope as `shared/cloud/envelope.py` describes it, of now unless `sent_at` says otherwise."""
    payload = json.dumps({"queue": queue, "at": int(clock.now() if sent_at is None else sent_at), "ids": ids})
    return f"{hex_mac(key, payload.encode())}.{payload}"


def some_ids(tenant: str) -> dict[str, str]:
    """Ids of a row that is not there: a good record that changes nothing."""
    nothing = str(uuid.UUID(int=0, version=4))
    return {
        "tenant": tenant,
        "conversation": nothing,
        "outbox": nothing,
        "file": nothing,
        "event": nothing,
        "media": nothing,
    }
