import base64
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import h11
import httpx
import pytest

from local.gateway import BODY_LIMIT, application
from local.runtime import EventTooLarge, FunctionError, Invocation, failed
from local.serve import serve
from local.template import Route, Template

TEMPLATE = Template(
    "shop",
    "test",
    "sa-east-1",
    "123456789012",
    "python3.13",
    routes=[Route("POST", "/order", "order"), Route("GET", "/order", "look"), Route("POST", "/café order", "order")],
)


class Functions:
    """Stands for the functions: keeps what it was handed and answers what the test says."""

    def __init__(self) -> None:
        self.handed: list[tuple[str, dict[str, Any]]] = []
        self.answer: Any = {"statusCode": 200}
        self.error: FunctionError | None = None
        self.gate: threading.Event | None = None
        self.is_too_large = False

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        self.handed.append((function, event))
        if self.gate:
            self.gate.wait(10)
        if self.is_too_large:
            raise EventTooLarge("too large")
        if self.error:
            return failed("id", 0.1, self.error)
        return Invocation("id", 0.1, self.answer)

    @property
    def event(self) -> dict[str, Any]:
        [(_, event)] = self.handed
        assert json.loads(json.dumps(event)) == event  # what cannot be JSON cannot be an event
        return event


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def url(functions: Functions) -> Iterator[str]:
    with serve(application(TEMPLATE, functions.invoke)) as url:
        yield url


def send_raw(url: str, request: bytes) -> int:
    """Send bytes that no client library would send; gives the status of the answer."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(request)
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                return event.status_code
            client.receive_data(connection.recv(65_536))


def test_a_request_becomes_the_event_of_payload_format_2(url: str, functions: Functions) -> None:
    headers = [("X-Shop", "one"), ("x-shop", "two"), ("Cookie", "a=1; b=2"), ("X-Forwarded-For", "203.0.113.9")]
    query = "color=red&size=a%20b&color=blue&empty="
    httpx.post(f"{url}/order?{query}", headers=[*headers, ("User-Agent", "tester")], json={"text": "¿Hay?"})
    event = functions.event
    assert functions.handed[0][0] == "order"
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "POST /order", "/order")
    assert event["rawQueryString"] == query
    assert event["queryStringParameters"] == {"color": "red,blue", "size": "a b", "empty": ""}
    assert event["headers"]["x-shop"] == "one,two"
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert all(name == name.lower() for name in event["headers"])
    context = event["requestContext"]
    assert context["http"] == {
        "method": "POST",
        "path": "/order",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tester",
    }
    assert (context["routeKey"], context["stage"]) == ("POST /order", "$default")
    assert context["accountId"] == "123456789012"
    assert context["domainName"] == urlsplit(url).netloc
    assert {"apiId", "domainPrefix", "requestId", "time", "timeEpoch"} <= context.keys()
    assert (json.loads(event["body"]), event["isBase64Encoded"]) == ({"text": "¿Hay?"}, False)


def test_a_bare_request_has_no_optional_parts(url: str, functions: Functions) -> None:
    httpx.get(f"{url}/order")
    assert functions.handed[0][0] == "look"
    assert not {"cookies", "queryStringParameters", "body"} & functions.event.keys()
    assert functions.event["isBase64Encoded"] is False
    assert functions.event["headers"]["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("content_type", "is_base64"),
    [
        ("application/json", False),
        ("Application/JSON; charset=utf-8", False),
        ("application/xml", False),
        ("application/javascript", False),
        ("text/csv", False),
        ("application/x-www-form-urlencoded", True),
        ("application/problem+json", True),
        ("image/png", True),
        (None, True),
    ],
)
def test_the_content_type_decides_whether_a_body_is_base64(
    url: str, functions: Functions, content_type: str | None, is_base64: bool
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    httpx.post(f"{url}/order", content=b"a=1", headers=headers)
    assert functions.event["isBase64Encoded"] is is_base64
    assert functions.event["body"] == (base64.b64encode(b"a=1").decode() if is_base64 else "a=1")


def test_bytes_survive(url: str, functions: Functions) -> None:
    body = bytes(range(256))
    httpx.post(f"{url}/order", content=body, headers={"content-type": "application/octet-stream"})
    assert base64.b64decode(functions.event["body"]) == body


def test_the_raw_path_is_decoded(url: str, functions: Functions) -> None:
    httpx.post(f"{url}/caf%C3%A9%20order")
    assert functions.event["rawPath"] == "/café order"


def test_an_answer_becomes_a_response(url: str, functions: Functions) -> None:
    functions.answer = {
        "statusCode": 201,
        "headers": {"Content-Type": "application/problem+json", "X-Count": 3, "Retry-After": "1"},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": '{"ok": true}',
    }
    response = httpx.post(f"{url}/order")
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-count"] == "3"
    assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]
    assert response.json() == {"ok": True}
    assert response.headers["apigw-requestid"] == functions.event["requestContext"]["requestId"]


def test_a_base64_answer_becomes_bytes(url: str, functions: Functions) -> None:
    functions.answer = {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}
    assert httpx.post(f"{url}/order").content == b"\x00\xff"


def test_an_answer_without_a_type_is_plain_text(url: str, functions: Functions) -> None:
    functions.answer = {"statusCode": "404", "body": "no"}
    response = httpx.post(f"{url}/order")
    assert (response.status_code, response.headers["content-type"]) == (404, "text/plain;charset=UTF-8")


@pytest.mark.parametrize(
    ("answer", "text"), [({"ok": True}, '{"ok": true}'), ("hello", "hello"), ([1], "[1]"), (None, "null")]
)
def test_an_answer_without_a_status_is_json(url: str, functions: Functions, answer: Any, text: str) -> None:
    functions.answer = answer
    response = httpx.post(f"{url}/order")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.text == text


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "soon"},
        {"statusCode": None},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "cookies": [None]},
        {"statusCode": 200, "headers": {"a": "b\r\nset-cookie: c=d"}},
        {"statusCode": 200, "headers": {"a": "☕"}},
        {"statusCode": 200, "body": "???", "isBase64Encoded": True},
    ],
)
def test_a_malformed_answer_is_an_internal_error(url: str, functions: Functions, answer: Any) -> None:
    functions.answer = answer
    response = httpx.post(f"{url}/order")
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        ("LookupError", 500, "Internal Server Error"),
        ("Runtime.ExitError", 500, "Internal Server Error"),
        ("Sandbox.Timedout", 503, "Service Unavailable"),
    ],
)
def test_a_failed_function_says_nothing_to_the_caller(
    url: str, functions: Functions, error: str, status: int, message: str
) -> None:
    functions.error = FunctionError(error, "secret")
    response = httpx.post(f"{url}/order")
    assert (response.status_code, response.json()) == (status, {"message": message})


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("POST", "/other"), ("PUT", "/order"), ("HEAD", "/order"), ("BREW", "/order"), ("POST", "/Order")],
)
def test_what_is_no_route_is_not_found(url: str, functions: Functions, method: str, path: str) -> None:
    response = httpx.request(method, url + path)
    assert response.status_code == 404
    assert method == "HEAD" or response.json() == {"message": "Not Found"}
    assert functions.handed == []


def test_the_largest_body_passes_and_one_byte_more_does_not(url: str, functions: Functions) -> None:
    assert httpx.post(f"{url}/order", content=b"x" * BODY_LIMIT).status_code == 200
    response = httpx.post(f"{url}/order", content=b"x" * (BODY_LIMIT + 1))
    assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})
    assert len(functions.handed) == 1


def test_an_event_that_lambda_does_not_take_is_too_large(url: str, functions: Functions) -> None:
    functions.is_too_large = True
    assert httpx.post(f"{url}/order", content=b"x").status_code == 413


def test_the_largest_headers_pass_and_one_byte_more_does_not(url: str, functions: Functions) -> None:
    start = b"GET /order HTTP/1.1\r\nHost: x\r\nX-Fill: "
    room = 10_240 - len(start) - len(b"\r\n")
    assert send_raw(url, start + b"x" * room + b"\r\n\r\n") == 200
    assert send_raw(url, start + b"x" * (room + 1) + b"\r\n\r\n") == 431
    assert len(functions.handed) == 1


def test_a_function_that_takes_too_long_is_unavailable_and_goes_on(functions: Functions) -> None:
    functions.gate = threading.Event()
    done = threading.Event()
    app = application(TEMPLATE, functions.invoke, lambda *_: done.set(), integration_seconds=0.05)
    with serve(app) as url:
        response = httpx.post(f"{url}/order")
        assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})
        assert not done.is_set()
        functions.gate.set()
        assert done.wait(10)


def test_whoever_wants_to_know_is_told_of_every_invocation(functions: Functions) -> None:
    told: list[tuple[str, Invocation]] = []
    app = application(TEMPLATE, functions.invoke, lambda function, invocation: told.append((function, invocation)))
    with serve(app) as url:
        httpx.post(f"{url}/order")
        httpx.get(f"{url}/elsewhere")
    assert [(function, invocation.payload) for function, invocation in told] == [("order", {"statusCode": 200})]
