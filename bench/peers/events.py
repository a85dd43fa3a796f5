"""What API Gateway hands over (HTTP API, payload 2.0) for a signed WhatsApp webhook of 4 KB."""

import base64
import hashlib
import hmac
from typing import Any

from local.payloads import Customer, encode, message, new_wamid, order, text, whatsapp

APP_SECRET = "0123456789abcdef0123456789abcdef"
SIZE = 4096
PHONE = "5491155550101"

Event = dict[str, Any]


def body_of(*message_ids: str, size: int = SIZE) -> bytes:
    """A body of `size` bytes with one message for each id. The last is an order, so that the JSON is dense."""
    products = 0
    while len(_body(message_ids, products + 1, 0)) <= size:
        products += 1
    return _body(message_ids, products, size - len(_body(message_ids, products, 0)))


def _body(message_ids: tuple[str, ...], products: int, padding: int) -> bytes:
    ana = Customer(name="Ana", phone=PHONE)
    items = [(f"taza-{number:03d}", 1 + number % 3, 4500.5, "ARS") for number in range(products)]
    contents = [text("hola") for _ in message_ids[1:]] + [order("4" * (16 + padding), items)]
    messages = [message(content, ana, message_id=one) for content, one in zip(contents, message_ids, strict=True)]
    return encode(whatsapp(messages, senders=[ana]))


def fresh_id() -> str:
    """A WhatsApp message id that nobody has seen."""
    return new_wamid(PHONE)


def sign(raw: bytes, secret: str = APP_SECRET, digest: str = "sha256") -> str:
    """The value of X-Hub-Signature-256."""
    return f"{digest}={hmac.new(secret.encode(), raw, getattr(hashlib, digest)).hexdigest()}"


def event(
    raw: bytes,
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
    path: str = "/webhook/meta",
    encoded: bool = False,
) -> Event:
    """The event for these bytes; without `headers` it is signed as Meta signs."""
    signed = {"x-hub-signature-256": sign(raw)} if headers is None else headers
    sent = {
        "content-length": str(len(raw)),
        "content-type": "application/json",
        "host": "api.example.test",
        "user-agent": "facebookexternalua",
        "x-forwarded-for": "173.252.127.9",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        **signed,
    }
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": sent,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example.test",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "173.252.127.9",
                "userAgent": "facebookexternalua",
            },
            "requestId": "request",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "time": "23/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1795435200000,
        },
        "body": base64.b64encode(raw).decode() if encoded else raw.decode("utf-8", "replace"),
        "isBase64Encoded": encoded,
    }
