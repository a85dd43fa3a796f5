"""Attacks on a function that another one invokes. Who may invoke is IAM's to decide (tests/local/test_roles.py)."""

import json
from collections.abc import Callable

from local.world import World
from tests.refusals.attacks import Answer, Attack, Target
from tests.refusals.calls import Event, Http, queue_event
from tests.refusals.rows import Invoked


def _changed(change: Callable[[World, Invoked, Event], object]) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        assert isinstance(target, Invoked)
        # The good payload first, so that only the change is refused.
        return target.ask(world, change(world, target, target.payload(world)))  # type: ignore[arg-type]

    return attack


def _url(change: Callable[[str], str]) -> Attack:
    return _changed(lambda world, target, payload: payload | {"url": change(payload["url"])})


def _body(payload: Event) -> Http:
    return Http("POST", "/internal/read-file", {"content-type": "application/json"}, body=json.dumps(payload).encode())


INTERNAL: dict[str, Attack] = {
    "HTTP event with a good body": _changed(lambda world, target, payload: _body(payload).event()),
    "HTTP event around a good payload": _changed(lambda world, target, payload: _body({}).event() | payload),
    "SQS event": _changed(lambda world, target, payload: queue_event("arn:aws:sqs:x", str(payload))),
    "schedule event": _changed(lambda world, target, payload: {"source": "aws.events", "schedule": target.function}),
    "nothing": _changed(lambda world, target, payload: {}),
    "a list": _changed(lambda world, target, payload: [payload]),
    "without a kind": _changed(lambda world, target, payload: {"url": payload["url"]}),
    "without an address": _changed(lambda world, target, payload: {"kind": "md"}),
    "one field more": _changed(lambda world, target, payload: payload | {"seconds": 900}),
    "another kind": _changed(lambda world, target, payload: payload | {"kind": "../md"}),
    "kind is a list": _changed(lambda world, target, payload: payload | {"kind": ["md"]}),
    "address is a number": _changed(lambda world, target, payload: payload | {"url": 1}),
    "payload too large": _changed(lambda world, target, payload: payload | {"url": payload["url"] + "x" * 16_384}),
    "another host": _url(lambda url: url.replace("127.0.0.1", "localhost", 1)),
    "instance metadata": _url(lambda url: "http://169.254.169.254/latest/meta-data/"),
    "runtime interface": _url(lambda url: "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next"),
    "own host as user": _url(lambda url: url.replace("://127", "://127.0.0.1@localhost#127", 1)),
    "another scheme": _url(lambda url: url.replace("http://", "file://", 1)),
    "another bucket": _url(lambda url: url.replace("knowledgebucket", "mediabucket", 1)),
    "the bucket itself": _url(lambda url: url.partition("refusals")[0]),
    "line break in the address": _url(lambda url: url.replace("refusals", "refusals\r\nx-a: b", 1)),
    "unsigned address": _url(lambda url: url.partition("?")[0]),
    "address of another object": _url(lambda url: url.replace("menu.md", "other.md", 1)),
    "address of no object": _changed(
        lambda world, target, payload: payload | {"url": target.address(world, "refusals/none.md")}
    ),
    "address that ended": _changed(lambda world, target, payload: payload | {"url": target.address(world, age=61)}),
}
