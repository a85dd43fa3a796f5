"""Meta's webhooks (WhatsApp, Instagram, Messenger share the scheme).

Source: Meta for Developers, "Create a webhook endpoint": X-Hub-Signature-256 is `sha256=` and 64 lowercase hex digits
of HMAC-SHA256 over the exact bytes of the body, keyed with the app secret.
"""

import hmac
import re
from collections.abc import Sequence

from shared.errors import Refused
from shared.guard.verify.constant_time import find_match

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
# Meta sends digits; the set is kept small because the challenge is echoed.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,128}")


def verify_signature(body: bytes, header: str, app_secrets: Sequence[str]) -> int:
    """The place of the live secret with which `header` signs `body`, 0 for the newest.

    Raises Refused: `signature_missing`, `signature_malformed`, `signature_wrong`.
    """
    if not header:
        raise Refused("signature_missing", 401)
    found = _SIGNATURE.fullmatch(header)
    if found is None:
        raise Refused("signature_malformed", 401)
    given = bytes.fromhex(found.group(1))
    place = find_match(given, (hmac.digest(key.encode(), body, "sha256") if key else b"" for key in app_secrets))
    if place is None:
        raise Refused("signature_wrong", 401)
    return place


def verify_handshake(query: dict[str, list[str]], verify_tokens: Sequence[str]) -> str:
    """The challenge to answer, as text/plain, when Meta registers the address.

    Raises Refused: `handshake_malformed`, `handshake_token_wrong`.
    """
    values = {name: query.get(f"hub.{name}", []) for name in ("mode", "verify_token", "challenge")}
    if any(len(given) != 1 for given in values.values()):
        raise Refused("handshake_malformed", 403)
    if values["mode"][0] != "subscribe":
        raise Refused("handshake_malformed", 403)
    given = values["verify_token"][0].encode("utf-8", "surrogatepass")
    if find_match(given, (token.encode() for token in verify_tokens)) is None:
        raise Refused("handshake_token_wrong", 403)
    challenge = values["challenge"][0]
    if _CHALLENGE.fullmatch(challenge) is None:
        raise Refused("handshake_malformed", 403)
    return challenge
