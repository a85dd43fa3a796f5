"""Events of every shape at every function: refused by name or answered, never a fault.

API Gateway, SQS and EventBridge send one shape each. A caller with `lambda:InvokeFunction`, a test event of the console
or a changed service sends others.
"""

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.world import World
from tests.refusals.attacks import Consumer
from tests.refusals.rows import ROWS

HUGE = 10**400
ODD = (
    st.none()
    | st.booleans()
    | st.integers(-HUGE, HUGE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(["\ud800", "\x00", "é", "=", "%ff", "a=1&a=2", "é" * 20_000, base64.b64encode(b"{}").decode()])
)
VALUES = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
HTTP_FIELDS = (
    ("requestContext",),
    ("requestContext", "http"),
    ("requestContext", "http", "method"),
    ("requestContext", "http", "sourceIp"),
    ("requestContext", "http", "path"),
    ("requestContext", "timeEpoch"),
    ("headers",),
    ("headers", "authorization"),
    ("headers", "origin"),
    ("headers", "content-type"),
    ("headers", "x-hub-signature-256"),
    ("headers", "x-signature"),
    ("headers", "x-request-id"),
    ("headers", "paddle-signature"),
    ("headers", "accept-language"),
    ("cookies",),
    ("rawPath",),
    ("rawQueryString",),
    ("body",),
    ("isBase64Encoded",),
    ("version",),
)
RECORD_FIELDS = (
    ("attributes",),
    ("attributes", "MessageGroupId"),
    ("attributes", "SentTimestamp"),
    ("body",),
    ("eventSource",),
    ("eventSourceARN",),
    ("messageAttributes",),
)
OVER_HTTP = sorted(name for name, target in ROWS.items() if name.startswith(("webhook", "ai", "app", "public")))
OF_SCHEDULES = sorted(name for name in ROWS if name.startswith("cron"))
OF_QUEUES = sorted(name for name, target in ROWS.items() if isinstance(target, Consumer))
SHARED_WORLD = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def changed(event: Any, path: tuple[str, ...], value: object, absent: bool) -> Any:
    """Return a copy of the event with one field replaced or removed."""
    copied = copy.deepcopy(event)
    parent = copied
    for name in path[:-1]:
        parent = parent.setdefault(name, {})
    if absent:
        parent.pop(path[-1], None)
    else:
        parent[path[-1]] = value
    return copied


@pytest.mark.parametrize("function", OVER_HTTP)
def test_http_event_of_any_shape_is_no_fault(world: World, function: str) -> None:
    good = ROWS[function].good(world)
    assert isinstance(good, dict)
    usual = world.invoke(function, copy.deepcopy(good)).payload["statusCode"]

    @SHARED_WORLD
    @given(st.sampled_from(HTTP_FIELDS), VALUES, st.booleans())
    def attack(path: tuple[str, ...], value: object, absent: bool) -> None:
        world.forget_rates()
        answer = world.invoke(function, changed(good, path, value, absent))
        assert answer.error is None
        status = answer.payload["statusCode"]
        assert status < 500 or (status == usual == 501)
        json.dumps(answer.payload).encode()

    attack()
    for event in ({}, [], None, "x", 5, {"requestContext": None}, {"requestContext": {"http": []}}):
        answer = world.invoke(function, event)  # type: ignore[arg-type]
        assert (answer.error, answer.payload["statusCode"]) == (None, 400), event
    world.forget_rates()
    assert world.invoke(function, copy.deepcopy(good)).payload["statusCode"] == usual


@pytest.mark.parametrize("function", OF_QUEUES)
def test_record_of_any_shape_fails_alone(world: World, function: str) -> None:
    target = ROWS[function]
    assert isinstance(target, Consumer)
    two = target.records(world, target.envelope(world), target.envelope(world))
    usual = world.invoke(function, copy.deepcopy(two)).payload

    @SHARED_WORLD
    @given(st.sampled_from(RECORD_FIELDS), VALUES, st.booleans())
    def attack(path: tuple[str, ...], value: object, absent: bool) -> None:
        event = copy.deepcopy(two)
        event["Records"][0] = changed(event["Records"][0], path, value, absent)
        answer = world.invoke(function, event)
        assert answer.error is None
        failed = {failure["itemIdentifier"] for failure in answer.payload["batchItemFailures"]}
        assert failed <= {"m0"} or answer.payload == usual

    attack()
    for event in (None, [], "x", {}, {"Records": None}, {"Records": [5]}, {"Records": [{}]}, {"Records": {"a": 1}}):
        assert world.invoke(function, event).error is not None, event  # type: ignore[arg-type]
    assert world.invoke(function, copy.deepcopy(two)).payload == usual


@pytest.mark.parametrize("function", OF_SCHEDULES)
def test_schedule_event_of_any_other_shape_is_refused(world: World, function: str) -> None:
    good = ROWS[function].good(world)
    is_built = function not in {"cron_billing", "cron_evidence"}
    assert (world.invoke(function, copy.deepcopy(good)).error is None) is is_built

    @SHARED_WORLD
    @given(st.sampled_from((("schedule",), ("authorization",), ("more",))), VALUES)
    def attack(path: tuple[str, ...], value: object) -> None:
        event = changed(good, path, value, absent=False)
        if event != good:
            assert world.invoke(function, event).error is not None

    attack()
    for event in ({}, [], None, "x", 5, {"requestContext": {"http": {"method": "POST"}}}):
        assert world.invoke(function, event).error is not None, event  # type: ignore[arg-type]
    assert (world.invoke(function, copy.deepcopy(good)).error is None) is is_built
