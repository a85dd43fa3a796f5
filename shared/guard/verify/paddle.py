"""Paddle Billing's Paddle-Signature.

Source: Paddle Developer, "Verify webhook signatures": `ts=<unix seconds>;h1=<hex>`, HMAC-SHA256 keyed with the whole
secret of the notification destination over ts, a colon and the exact bytes of the body. While a secret is rotated
there are several h1.
"""

import hmac
import re
from collections.abc import Sequence

from shared.errors import Refused
from shared.guard.verify.constant_time import find_match

_MOMENT = re.compile(r"[0-9]{1,12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def verify_signature(body: bytes, header: str, secrets: Sequence[str], now: float, tolerance: float) -> int:
    """The place of the live secret with which `header` signs `body`, 0 for the newest.

    `now`: arrival, seconds since the epoch; `tolerance`: how many seconds the signature may be older or younger.

    Raises Refused: `signature_missing`, `signature_malformed`, `signature_wrong`, `signature_stale`,
    `signature_early`.
    """
    if not header:
        raise Refused("signature_missing", 401)
    ts, digests = _parts(header)
    message = ts.encode() + b":" + body
    macs = [hmac.new(key.encode(), message, "sha256").hexdigest().encode() if key else b"" for key in secrets]
    places = [find_match(digest.encode(), macs) for digest in digests]
    place = min((place for place in places if place is not None), default=None)
    if place is None:
        raise Refused("signature_wrong", 401)
    if int(ts) < now - tolerance:
        raise Refused("signature_stale", 401)
    if int(ts) > now + tolerance:
        raise Refused("signature_early", 401)
    return place


def _parts(header: str) -> tuple[str, list[str]]:
    """ts, exactly once, and every h1 that could be one; other keys are for versions to come.

    A comma would mean two headers of this name that the gateway joined.
    """
    pairs = [part.strip().partition("=") for part in header.split(";")]
    moments = [value for name, _, value in pairs if name == "ts"]
    digests = [value for name, _, value in pairs if name == "h1" and _DIGEST.fullmatch(value)]
    if "," in header or len(moments) != 1 or not digests:
        raise Refused("signature_malformed", 401)
    if _MOMENT.fullmatch(moments[0]) is None:
        raise Refused("signature_malformed", 401)
    return moments[0], digests
