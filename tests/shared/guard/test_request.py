"""Reading an event that anybody may have shaped: understood, or refused by name; never anything else."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import Deadline
from shared.errors import Problem, Refused
from shared.guard.request import MAXIMUM_HEADER_BYTES, Caller, Request, arrival_of, read_http

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
events = st.fixed_dictionaries(
    {},
    optional={
        "requestContext": st.fixed_dictionaries({"http": anything | st.just({"method": "POST", "sourceIp": "::1"})}),
        "headers": st.dictionaries(st.text(), st.text(), max_size=4) | st.none(),
        "rawQueryString": st.text() | st.none(),
        "body": st.text() | st.none(),
        "isBase64Encoded": st.booleans() | st.none(),
    },
)


def event(**change: Any) -> dict[str, Any]:
    return {"requestContext": {"http": {"method": "POST", "sourceIp": "203.0.113.9"}}} | change


def refusal(call: dict[str, Any], limit: int = 100) -> tuple[str, int]:
    with pytest.raises(Refused) as caught:
        read_http(call, limit)
    return caught.value.name, caught.value.status


@given(events, st.integers(0, 200))
def test_any_event_is_read_or_refused_and_never_beyond_the_limit(call, limit):
    read = status = None
    try:
        read = read_http(call, limit)
    except Refused as refused:
        status = refused.status
    assert (read is not None and len(read.body) <= limit) or (status is not None and 400 <= status < 500)


@given(st.binary(max_size=100))
def test_the_bytes_of_a_body_arrive_as_they_were_sent(body):
    encoded = base64.b64encode(body).decode()
    assert read_http(event(body=encoded, isBase64Encoded=True), 100).body == body


def test_a_body_is_measured_in_bytes_before_and_after_decoding():
    assert read_http(event(body="a" * 100), 100).body == b"a" * 100
    assert refusal(event(body="a" * 101)) == ("body_too_large", 413)
    assert refusal(event(body="é" * 51)) == ("body_too_large", 413)
    assert refusal(event(body=base64.b64encode(b"a" * 101).decode(), isBase64Encoded=True)) == ("body_too_large", 413)


def test_a_huge_body_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(base64, "b64decode", lambda *_, **__: pytest.fail("decoded"))
    assert refusal(event(body="YWFh" * 1000, isBase64Encoded=True)) == ("body_too_large", 413)


@pytest.mark.parametrize("text", ["a", "====", "Zm9v!", "Zm 9v", "Zg=", "\u00e9"])
def test_base64_is_strict(text):
    assert refusal(event(body=text, isBase64Encoded=True)) == ("malformed_event", 400)


def test_too_many_headers_and_query_fields_are_refused():
    assert read_http(event(headers={"X-A": "1"}), 0).header("x-a") == "1"
    assert refusal(event(headers={"x": "a" * MAXIMUM_HEADER_BYTES})) == ("headers_too_large", 431)
    assert refusal(event(rawQueryString="a=1&" * 60)) == ("malformed_event", 400)
    assert refusal(event(rawQueryString="a=%ff")) == ("malformed_event", 400)
    assert refusal({"headers": {}}) == ("malformed_event", 400)


@pytest.mark.parametrize(
    ("milliseconds", "arrived"),
    [
        (999_000, 999.0),
        (1_000_000, 1000.0),
        (970_000, 970.0),
        (969_999, 1000.0),
        (1_000_001, 1000.0),
        (None, 1000.0),
        (True, 1000.0),
        ("999000", 1000.0),
    ],
)
def test_a_call_arrived_when_the_gateway_says_within_reason(milliseconds, arrived):
    assert arrival_of({"requestContext": {"timeEpoch": milliseconds}}, 1000.0) == arrived
    assert arrival_of({"requestContext": None}, 1000.0) == 1000.0


def request(raw: bytes) -> Request:
    return Request("app_thing", Caller("user", token="secret-token"), 0.0, Deadline(1), raw=raw)


def test_a_token_never_shows():
    assert "secret-token" not in repr(request(b"{}"))


@pytest.mark.parametrize(("raw", "name"), [(b"{", "malformed_json"), (b'{"a":1,"a":2}', "malformed_json")])
def test_a_body_that_is_not_strict_json_is_the_callers_fault(raw, name):
    with pytest.raises(Problem) as caught:
        request(raw).json()
    assert (caught.value.name, caught.value.status) == (name, 400)
