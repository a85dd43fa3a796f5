"""What Mercado Pago, Paddle and Meta's privacy callbacks send, in their documented shapes, and the signatures on it.

Sources: Mercado Pago Developers, "Webhooks" and "IPN"; Paddle Developer, "Webhooks"; Meta for Developers, "Data
Deletion Request Callback".
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

Json = dict[str, Any]


def mercadopago_query(data_id: str, topic: str = "payment") -> str:
    """The query that a notification comes with; what data.id says is signed, the rest is not."""
    return urlencode({"data.id": data_id, "type": topic})


def mercadopago_body(data_id: str, topic: str = "payment", *, at: float | None = None) -> Json:
    """A notification's body, of which nothing is signed. `at` is unix seconds, now by default."""
    return {
        "action": f"{topic}.updated",
        "api_version": "v1",
        "data": {"id": data_id},
        "date_created": _moment(at),
        "id": secrets.randbelow(10**11),
        "live_mode": True,
        "type": topic,
        "user_id": "2080123456",
    }


def mercadopago_headers(data_id: str, secret: str, *, request_id: str | None = None, ts: str | None = None) -> Json:
    """x-request-id and the x-signature over both ids and `ts` (seconds or milliseconds; now in seconds by default).

    An empty id is left out of what is signed, with its pair.
    """
    request_id = secrets.token_hex(16) if request_id is None else request_id
    ts = str(int(time.time())) if ts is None else ts
    pairs = (("id", data_id), ("request-id", request_id), ("ts", ts))
    manifest = "".join(f"{name}:{value};" for name, value in pairs if value)
    digest = hmac.new(secret.encode(), manifest.encode(), hashlib.sha256).hexdigest()
    headers = {"x-signature": f"ts={ts},v1={digest}", "x-request-id": request_id}
    return {name: value for name, value in headers.items() if value}


def paddle_event(
    event_type: str,
    data: Json,
    *,
    event_id: str | None = None,
    notification_id: str | None = None,
    at: float | None = None,
) -> Json:
    """One of Paddle's events. A replayed one keeps its event id and gets another notification id."""
    return {
        "event_id": event_id or "evt_" + secrets.token_hex(13),
        "event_type": event_type,
        "occurred_at": _moment(at),
        "notification_id": notification_id or "ntf_" + secrets.token_hex(13),
        "data": data,
    }


def paddle_signature(body: bytes, *destination_secrets: str, at: float | None = None) -> str:
    """The value of Paddle-Signature: one h1 for each secret, as during a rotation. `at` is unix seconds."""
    ts = str(int(time.time() if at is None else at))
    message = ts.encode() + b":" + body
    digests = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in destination_secrets]
    return ";".join([f"ts={ts}", *(f"h1={digest}" for digest in digests)])


def signed_request(
    user_id: str | int, app_secret: str, *, at: float | None = None, padded: bool = False, **more: Any
) -> str:
    """A signed_request about one person. `more` goes into the payload, over what is there."""
    issued_at = int(time.time() if at is None else at)
    payload = {"algorithm": "HMAC-SHA256", "issued_at": issued_at, "user_id": user_id, **more}
    encoded = _base64url(json.dumps(payload, separators=(",", ":")).encode(), padded)
    digest = hmac.new(app_secret.encode(), encoded.encode(), hashlib.sha256).digest()
    return f"{_base64url(digest, padded)}.{encoded}"


def privacy_form(request: str) -> bytes:
    """The body of a privacy callback."""
    return urlencode({"signed_request": request}).encode()


def _base64url(value: bytes, padded: bool) -> str:
    text = base64.urlsafe_b64encode(value).decode()
    return text if padded else text.rstrip("=")


def _moment(at: float | None) -> str:
    return datetime.fromtimestamp(time.time() if at is None else at, UTC).isoformat().replace("+00:00", "Z")
