"""The local API Gateway: an HTTP API with payload format 2.0, its routes taken from serverless.yml.

HTTP becomes the event that AWS would build, the function's answer becomes HTTP, and AWS's limits hold. Where AWS's
documentation is silent, what was observed there is done here: the body is base64 by its content type and not by its
bytes, `rawPath` is decoded, and a path that exists with another method is a plain 404.
"""

import base64
import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Endpoint

from local.runtime import EventTooLarge, Invocation, Invoke
from local.template import Template

BODY_LIMIT = 10 * 1024 * 1024  # bytes, from the quotas of HTTP APIs
HEADER_LIMIT = 10_240  # bytes of request line and headers
INTEGRATION_SECONDS = 30.0
API_ID = "localapi00"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TEXT_TYPES = ("application/json", "application/xml", "application/javascript")


def application(
    template: Template,
    invoke: Invoke,
    on_invoked: Callable[[str, Invocation], None] | None = None,
    integration_seconds: float = INTEGRATION_SECONDS,
) -> Starlette:
    """The HTTP API of the template. `on_invoked(function, invocation)` is called after each event."""
    functions = {(route.method, route.path): route.function for route in template.routes}

    async def answer(request: Request) -> Response:
        path, method = request.scope["path"], request.method
        if (method, path) not in functions:
            return _refusal(404, "Not Found")
        if _header_size(request) > HEADER_LIMIT:
            return _refusal(431, "Request Header Fields Too Large")
        body = await _read_body(request)
        if body is None:
            return _refusal(413, "Request Entity Too Large")
        function = functions[method, path]
        event = build_event(template, request, body)

        def handle() -> Invocation:
            invocation = invoke(function, event)
            if on_invoked is not None:
                on_invoked(function, invocation)
            return invocation

        try:
            with anyio.fail_after(integration_seconds):
                invocation = await anyio.to_thread.run_sync(handle, abandon_on_cancel=True)
        except TimeoutError:
            return _refusal(503, "Service Unavailable")
        except EventTooLarge:
            return _refusal(413, "Request Entity Too Large")
        response = build_response(invocation)
        response.headers["apigw-requestid"] = event["requestContext"]["requestId"]
        return response

    async def answer_unknown_method(_request: Request, _error: Exception) -> Response:
        return _refusal(404, "Not Found")

    everything = Endpoint("/{path:path}", answer, methods=list(METHODS))
    return Starlette(routes=[everything], exception_handlers={405: answer_unknown_method})


def build_event(template: Template, request: Request, body: bytes) -> dict[str, Any]:
    """The event of payload format 2.0 for one request to a route of the template."""
    path, method = request.scope["path"], request.method
    raw_query = request.scope["query_string"].decode("latin-1")
    source_ip = request.client.host if request.client else "127.0.0.1"
    headers = _joined((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    cookies = [cookie.strip() for cookie in headers.pop("cookie", "").split(";") if cookie.strip()]
    forwarded_for = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{forwarded_for}, {source_ip}" if forwarded_for else source_ip
    headers["x-forwarded-port"] = "443"
    headers["x-forwarded-proto"] = "https"
    headers["x-amzn-trace-id"] = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": raw_query,
        "headers": headers,
        "requestContext": {
            "accountId": template.account,
            "apiId": API_ID,
            "domainName": headers.get("host", ""),
            "domainPrefix": API_ID,
            "http": {
                "method": method,
                "path": path,
                "protocol": f"HTTP/{request.scope['http_version']}",
                "sourceIp": source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if raw_query:
        event["queryStringParameters"] = _joined(parse_qsl(raw_query, keep_blank_values=True))
    if body:
        is_text = _is_text(headers.get("content-type", ""))
        event["body"] = body.decode("utf-8", "replace") if is_text else base64.b64encode(body).decode()
        event["isBase64Encoded"] = not is_text
    return event


def build_response(invocation: Invocation) -> Response:
    """The HTTP response that API Gateway makes of an invocation, by the rules of payload format 2.0."""
    if invocation.error is not None:
        if invocation.error.type == "Sandbox.Timedout":
            return _refusal(503, "Service Unavailable")
        return _refusal(500, "Internal Server Error")
    payload = invocation.payload
    if not isinstance(payload, dict) or "statusCode" not in payload:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        return Response(text, 200, media_type="application/json")
    try:
        return _as_told(payload)
    except (TypeError, ValueError):
        return _refusal(500, "Internal Server Error")


def _as_told(payload: dict[str, Any]) -> Response:
    """Raises TypeError or ValueError when the answer is malformed."""
    body, headers, cookies = payload.get("body") or "", payload.get("headers") or {}, payload.get("cookies") or []
    status = int(payload["statusCode"])
    if not 100 <= status <= 599:
        raise ValueError(f"{status} is no HTTP status")
    if not isinstance(body, str) or not isinstance(headers, dict) or not isinstance(cookies, list):
        raise TypeError("body, headers or cookies have the wrong type")
    content = base64.b64decode(body, validate=True) if payload.get("isBase64Encoded") else body.encode()
    response = Response(content, status)
    response.headers["content-type"] = "text/plain;charset=UTF-8"
    for name, value in headers.items():
        if name.lower() != "content-length":
            response.headers[name] = _header_value(value)
    for cookie in cookies:
        response.headers.append("set-cookie", _header_value(cookie))
    return response


def _header_value(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise TypeError(f"{value!r} is no value of a header")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not text.isprintable():
        raise ValueError(f"{text!r} holds a control character")
    return text


def _refusal(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, media_type="application/json")


def _header_size(request: Request) -> int:
    """Bytes of request line and headers, as they were on the wire."""
    target = request.scope.get("raw_path") or request.scope["path"].encode()
    line = len(request.method) + len(target) + len(request.scope["query_string"]) + len("  HTTP/1.1\r\n")
    return line + sum(len(name) + len(value) + len(": \r\n") for name, value in request.headers.raw)


async def _read_body(request: Request) -> bytes | None:
    """The whole body, None as soon as it is above the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A dict of the pairs; the values of equal names are joined by a comma, as API Gateway does."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _is_text(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in TEXT_TYPES
