"""Mercado Pago's x-signature, which covers an id, a request id and a time, and not the body.

Source: Mercado Pago Developers, "Webhooks": `x-signature: ts=<digits>,v1=<hex>`, HMAC-SHA256 keyed with the secret of
the application's panel over `id:<data.id>;request-id:<x-request-id>;ts:<ts>;`, where a missing value takes its pair
with it. data.id is the one of the query. Two things are told differently in different places, so both are accepted:
data.id may be signed as it comes or in lower case, and ts may be in seconds or in milliseconds.
"""

import hmac
import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.errors import Refused
from shared.guard.verify.constant_time import find_match

# No age is too old: Mercado Pago repeats a delivery without a stated end, and does not say whether it signs it anew.
FUTURE_SECONDS = 24 * 60 * 60
# From here on a ts is in milliseconds; as seconds it would be the year 33658.
MILLISECONDS_FROM = 10**12

_MOMENT = re.compile(r"[0-9]{1,16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# No semicolon: a value that holds one could stand for two of the pairs that are signed.
_VALUE = re.compile(r"[!-:<-~]{1,200}")


class Signed(NamedTuple):
    """What the signature covers; a part that was not there is empty. `place`: that of the secret, 0 for the newest."""

    place: int
    data_id: str
    request_id: str
    ts: str


def verify_signature(
    header: str, request_id: str, data_ids: Sequence[str], panel_secrets: Sequence[str], now: float
) -> Signed:
    """What `header` signs. `data_ids`: all values of the query's data.id; `now`: arrival, seconds since the epoch.

    Raises Refused: `signature_missing`, `signature_malformed`, `signature_covers_nothing` (neither an id nor a
    request id), `signature_wrong`, `signature_early`.
    """
    if not header:
        raise Refused("signature_missing", 401)
    ts, digest = _parts(header)
    if len(data_ids) > 1:
        raise Refused("signature_malformed", 401)
    data_id = data_ids[0] if data_ids else ""
    if not data_id and not request_id:
        raise Refused("signature_covers_nothing", 401)
    if any(value and _VALUE.fullmatch(value) is None for value in (data_id, request_id)):
        raise Refused("signature_malformed", 401)
    spellings = list(dict.fromkeys((data_id, data_id.lower())))
    macs = (_sign(spelling, request_id, ts, secret) for secret in panel_secrets for spelling in spellings)
    place = find_match(digest.encode(), macs)
    if place is None:
        raise Refused("signature_wrong", 401)
    if seconds_of(ts) > now + FUTURE_SECONDS:
        raise Refused("signature_early", 401)
    return Signed(place // len(spellings), data_id, request_id, ts)


def seconds_of(ts: str) -> float:
    """A ts, which is in seconds or in milliseconds, as seconds since the epoch."""
    moment = int(ts)
    return moment / 1000 if moment >= MILLISECONDS_FROM else float(moment)


def _parts(header: str) -> tuple[str, str]:
    """ts and v1, each exactly once; other keys are for versions to come."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    moments = [value for name, _, value in pairs if name == "ts"]
    digests = [value for name, _, value in pairs if name == "v1"]
    if len(moments) != 1 or len(digests) != 1:
        raise Refused("signature_malformed", 401)
    if _MOMENT.fullmatch(moments[0]) is None or _DIGEST.fullmatch(digests[0]) is None:
        raise Refused("signature_malformed", 401)
    return moments[0], digests[0]


def _sign(data_id: str, request_id: str, ts: str, secret: str) -> bytes:
    if not secret:
        return b""
    pairs = (("id", data_id), ("request-id", request_id), ("ts", ts))
    manifest = "".join(f"{name}:{value};" for name, value in pairs if value)
    return hmac.new(secret.encode(), manifest.encode(), "sha256").hexdigest().encode()
