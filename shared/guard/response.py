"""The answer: JSON or a problem document, with security headers on every one."""

import json
from typing import Any, NamedTuple

from shared.errors import Problem
from shared.settings import Setting, is_origin, read_list

SECURITY_HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class Response(NamedTuple):
    """What a function answers: a JSON object, unless `text` (text/plain) or `html` is given.

    `headers` by lower-case name; the security headers stay as they are.
    """

    status: int = 200
    body: dict[str, Any] = {}  # noqa: RUF012 (never written to)
    text: str | None = None
    html: str | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 (never written to)


def render(response: Response, extra: dict[str, str]) -> dict[str, Any]:
    """The answer in API Gateway's form."""
    if response.html is not None:
        content_type, body = "text/html; charset=utf-8", response.html
    elif response.text is not None:
        content_type, body = "text/plain; charset=utf-8", response.text
    else:
        content_type, body = "application/json", json.dumps(response.body, ensure_ascii=False)
    return {
        "statusCode": response.status,
        "headers": {"content-type": content_type, **response.headers, **SECURITY_HEADERS, **extra},
        "body": body,
        "isBase64Encoded": False,
    }


def render_problem(problem: Problem, extra: dict[str, str]) -> dict[str, Any]:
    """A problem document: the same for every cause of one status, unless the problem speaks to the caller."""
    headers = {"content-type": "application/problem+json", **SECURITY_HEADERS, **extra}
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    return {
        "statusCode": problem.status,
        "headers": headers,
        "body": json.dumps(problem.body()),
        "isBase64Encoded": False,
    }


def cors_headers(origin: str) -> dict[str, str]:
    """The headers that let a listed origin read the answer; for any other origin only `Vary`.

    Raises Unavailable (`setting_malformed_ALLOWED_ORIGINS`), whatever the origin.
    """
    headers = {"vary": "Origin"}
    if origin in read_list(Setting.ALLOWED_ORIGINS, is_origin):
        headers["access-control-allow-origin"] = origin
        headers["access-control-expose-headers"] = "ratelimit, ratelimit-policy, retry-after"
    return headers


def preflight(origin: str, methods: tuple[str, ...]) -> dict[str, Any]:
    """The answer to a browser's OPTIONS request."""
    headers = cors_headers(origin)
    if "access-control-allow-origin" in headers:
        headers |= {
            "access-control-allow-methods": ", ".join(methods),
            "access-control-allow-headers": "authorization, content-type",
            "access-control-max-age": "600",
        }
    return {"statusCode": 204, "headers": {**SECURITY_HEADERS, **headers}, "body": "", "isBase64Encoded": False}
