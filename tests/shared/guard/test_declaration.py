"""The decorator: what the function's body never sees, and what the caller never learns."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import Deadline
from shared.errors import Problem, Unavailable
from shared.guard import Request, Response, cron, guard, hmac, jwt, public, queue, schemes
from shared.guard.kinds import Hmac
from shared.guard.request import Caller
from shared.guard.verify.meta import verify_signature
from tests.refusals.calls import sign_meta

SECRET = "app secret"


class Context:
    aws_request_id = "r-1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 5000


def named(function: str, body: Any) -> Any:
    """A function body that seems to stand in functions/<function>.py."""
    body.__module__ = f"functions.{function}"
    return body


@pytest.fixture(autouse=True)
def live_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemes, "live", lambda secret: (SECRET,))
    monkeypatch.setattr("shared.cloud.parameters.prepare", lambda names: None)


def webhook(body: Any, **change: Any) -> Any:
    declared: dict[str, Any] = {"methods": ("POST",), "body_limit": 1000, "seconds": 3.0, "secrets": ()}
    declared |= {"writes": (), "store_down": "refuse"} | change
    return guard(hmac("meta"), **declared)(named("webhook_meta", body))


def signed(body: bytes = b"{}") -> dict[str, Any]:
    return sign_meta(body, SECRET, 0).event()


def test_the_body_gets_the_bytes_that_were_signed_and_a_deadline():
    seen: list[Request] = []

    def body(request: Request) -> Response:
        seen.append(request)
        return Response(body={"kept": 1})

    answer = webhook(body)(signed(b'{"a":1}'), Context)
    assert (answer["statusCode"], answer["body"]) == (200, '{"kept": 1}')
    [request] = seen
    assert (request.raw, request.caller.kind, request.function) == (b'{"a":1}', "meta", "webhook_meta")
    assert 2.0 < request.deadline.remaining() <= 3.0


@pytest.mark.parametrize("kind", [jwt(), cron(), queue("reply"), public(reason="no reason at all", rate=1)])
def test_a_prefix_does_not_go_with_another_kind(kind):
    declared = guard(kind, seconds=1.0, secrets=(), writes=(), store_down="refuse")
    with pytest.raises(TypeError, match="prefix"):
        declared(named("webhook_meta", lambda request: Response()))


def test_a_secret_that_nobody_knows_and_a_reason_that_is_none_stop_the_import():
    with pytest.raises(ValueError, match="NOT_A_SECRET"):
        guard(cron(), seconds=1.0, secrets=("NOT_A_SECRET",), writes=(), store_down="refuse")
    with pytest.raises(ValueError, match="reason"):
        public(reason="because", rate=1)
    with pytest.raises(KeyError):
        hmac("nobody")


def test_a_fault_is_logged_and_the_caller_learns_nothing(caplog):
    def body(request: Request) -> Response:
        raise RuntimeError("the database says 5491155550101")

    answer = webhook(body)(signed(), Context)
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"]) == {"type": "about:blank", "title": "Internal server error", "status": 500}
    assert "fault" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("problem", "status"), [(Unavailable("database_away"), 503), (Problem("tenant_not_found", 404), 404)]
)
def test_a_problem_is_answered_as_such_with_its_name_in_the_log_only(problem, status, caplog):
    def body(request: Request) -> Response:
        raise problem

    with caplog.at_level(logging.INFO):
        answer = webhook(body)(signed(), Context)
    assert answer["statusCode"] == status
    assert problem.name not in answer["body"]
    assert [record.problem for record in caplog.records if hasattr(record, "problem")] == [problem.name]


events = st.fixed_dictionaries(
    {},
    optional={
        "requestContext": st.fixed_dictionaries(
            {"http": st.fixed_dictionaries({"method": st.sampled_from(["GET", "POST", "PUT", ""])}) | st.none()}
        ),
        "headers": st.dictionaries(st.sampled_from(["x-hub-signature-256", "origin", "a"]), st.text(), max_size=3),
        "rawQueryString": st.text(),
        "body": st.text() | st.none(),
        "isBase64Encoded": st.booleans(),
    },
)


@given(events)
def test_no_event_that_is_not_signed_passes_and_none_is_our_fault(event):
    def body(request: Request) -> Response:
        raise AssertionError("an unsigned call got in")

    answer = webhook(body, methods=("GET", "POST"))(event, Context)
    assert 400 <= answer["statusCode"] < 500
    assert len(answer["body"]) <= 300
    assert answer["headers"]["x-content-type-options"] == "nosniff"


def test_a_webhook_keeps_a_rate_that_asks_no_store(monkeypatch):
    now = [1_750_000_000.0]
    monkeypatch.setattr("shared.clock.now", lambda: now[0])
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "")
    handler = webhook(lambda request: Response(), rate=3)
    forged = signed()
    forged["body"] = "other"
    answers = [handler(event, Context)["statusCode"] for event in (forged, *[signed()] * 4)]
    assert answers == [401, 200, 200, 200, 429]
    late = handler(signed(), Context)
    assert late["headers"]["retry-after"] == "20"
    now[0] += 20
    assert handler(signed(), Context)["statusCode"] == 200


def test_unverified_deliveries_have_a_rate_of_their_own(monkeypatch):
    monkeypatch.setattr("shared.clock.now", lambda: 1_750_000_000.0)
    trusted = [False]
    monkeypatch.setattr(Hmac, "admit", lambda kind, call, now: Caller("mercadopago", trusted=trusted[0]))
    handler = webhook(lambda request: Response(), rate=3)
    answers = {}
    for trusted[0] in (False, True):
        answers[trusted[0]] = [handler(signed(), Context)["statusCode"] for _ in range(4)]
    assert answers == {False: [200, 200, 200, 429], True: [200, 200, 200, 429]}


@given(st.binary(max_size=500))
def test_every_signed_body_passes_and_no_changed_one_does(body):
    header = sign_meta(body, SECRET, 0).headers["x-hub-signature-256"]
    assert verify_signature(body, header, [SECRET]) == 0
    assert verify_signature(body, header, ["newer", SECRET]) == 1


def test_what_is_left_of_the_functions_time_bounds_the_deadline():
    class Short(Context):
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 800

    seen: list[Deadline] = []
    webhook(lambda request: seen.append(request.deadline) or Response())(signed(), Short)
    assert 0.3 < seen[0].remaining() <= 0.5
