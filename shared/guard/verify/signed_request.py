"""Meta's signed_request: what its data deletion and deauthorize callbacks carry.

Source: Meta for Developers, "Data Deletion Request Callback": a form field `signed_request` of two base64url texts,
signature and payload, joined by a dot. The signature is HMAC-SHA256, keyed with the app secret, over the payload's
encoded text as it was received. Real ones come without padding, others carry it.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from shared.errors import Refused
from shared.guard.strict_json import Malformed, parse
from shared.guard.verify.constant_time import find_match

# A clock of Meta's may be ahead of ours; how old a request is does not matter, since its retries are not documented.
LEEWAY_SECONDS = 300
MAXIMUM_FORM_FIELDS = 20

# 32 bytes are 43 characters, and one more of padding.
_SIGNED = re.compile(r"([A-Za-z0-9_-]{43})=?\.([A-Za-z0-9_-]{2,8192}={0,2})")
_USER = re.compile(r"[!-~]{1,128}")
_MOMENT = re.compile(r"[0-9]{1,12}")


class SignedRequest(NamedTuple):
    """Whom it is about. `place` is that of the secret that signed it, 0 for the newest; `issued_at` unix seconds."""

    place: int
    user_id: str
    issued_at: str


def verify_form(body: bytes, app_secrets: Sequence[str], now: float) -> SignedRequest:
    """What the signed_request of a form says. `now`: arrival, seconds since the epoch.

    Whoever signed in to the app also holds a signed_request about themselves (the cookie of Meta's JavaScript kit),
    so a request proves that Meta or this very user asked.

    Raises Refused: `signed_request_missing`, `signed_request_malformed`, `signature_wrong`, `payload_malformed`,
    `algorithm_wrong`, `issued_early`.
    """
    found = _SIGNED.fullmatch(_field(body))
    if found is None:
        raise Refused("signed_request_malformed", 401)
    signature, payload = found.group(1).encode(), found.group(2).encode()
    # Compared as text: a signature has one spelling then, and nothing is decoded before it is believed.
    place = find_match(signature, (_sign(payload, secret) for secret in app_secrets))
    if place is None:
        raise Refused("signature_wrong", 401)
    return _read(payload, place, now)


def _field(body: bytes) -> str:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=MAXIMUM_FORM_FIELDS, errors="strict")
    except ValueError:
        raise Refused("signed_request_malformed", 401) from None
    given = fields.get("signed_request", [])
    if not given:
        raise Refused("signed_request_missing", 401)
    if len(given) != 1:
        raise Refused("signed_request_malformed", 401)
    return given[0]


def _sign(payload: bytes, secret: str) -> bytes:
    if not secret:
        return b""
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), payload, "sha256")).rstrip(b"=")


def _read(payload: bytes, place: int, now: float) -> SignedRequest:
    try:
        said = parse(base64.urlsafe_b64decode(payload.rstrip(b"=") + b"=" * (-len(payload.rstrip(b"=")) % 4)))
    except (Malformed, ValueError):
        raise Refused("payload_malformed", 401) from None
    if not isinstance(said, dict):
        raise Refused("payload_malformed", 401)
    if str(said.get("algorithm")).upper() != "HMAC-SHA256":
        raise Refused("algorithm_wrong", 401)
    user, issued_at = _text(said.get("user_id")), _text(said.get("issued_at", 0))
    if _USER.fullmatch(user) is None or _MOMENT.fullmatch(issued_at) is None:
        raise Refused("payload_malformed", 401)
    if int(issued_at) > now + LEEWAY_SECONDS:
        raise Refused("issued_early", 401)
    return SignedRequest(place, user, issued_at)


def _text(value: Any) -> str:
    """An id or a moment, which come as a text or as an integer."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
