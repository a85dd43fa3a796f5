"""Credentials that nobody issued: deliveries signed with the wrong key, tokens signed with one's own."""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

Headers = tuple[tuple[str, str], ...]
# Digits in a script that a comparison of texts may choke on.
NOT_ASCII = "é" * 64
# What Supabase's own guide starts a local project with: the one shared secret that everybody knows.
KNOWN_JWT_SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"


class Delivery(NamedTuple):
    """One request that claims to come from a provider."""

    name: str
    headers: Headers = ()
    query: str = ""
    body: bytes = b""
    method: str = "POST"


def _keys() -> Iterator[tuple[str, bytes]]:
    """Wrong keys. The empty one opens every receiver whose secret is not set."""
    yield "signed with another secret", secrets.token_bytes(32)
    yield "signed with an empty secret", b""


def _mac(key: bytes, message: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(key, message, algorithm).hexdigest()


def meta(now: float) -> Iterator[Delivery]:
    """X-Hub-Signature-256 over the body, and the GET by which an address is registered."""
    body = b'{"object":"whatsapp_business_account","entry":[]}'
    name = "x-hub-signature-256"
    for cause, key in _keys():
        yield Delivery(cause, ((name, f"sha256={_mac(key, body)}"),), body=body)
    mac = _mac(b"", body)
    yield Delivery("no signature", body=body)
    yield Delivery("signature cut short", ((name, f"sha256={mac[:32]}"),), body=body)
    yield Delivery("signature without digits", ((name, "sha256="),), body=body)
    yield Delivery("signature that is not ASCII", ((name, f"sha256={NOT_ASCII}"),), body=body)
    yield Delivery("SHA-1 in place of SHA-256", (("x-hub-signature", f"sha1={_mac(b'', body, 'sha1')}"),), body=body)
    yield Delivery("two signatures", ((name, f"sha256={mac}"), (name, f"sha256={mac}")), body=body)
    yield Delivery("broken JSON, unsigned", body=b'{"object":')
    challenge = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    for cause, token in (("wrong token", "x"), ("empty token", ""), ("null as token", "null")):
        query = urlencode({**challenge, "hub.verify_token": token})
        yield Delivery(f"handshake, {cause}", query=query, method="GET")
    yield Delivery("handshake, no token", query=urlencode(challenge), method="GET")


def meta_signed_request(now: float) -> Iterator[Delivery]:
    """A form with signed_request=<signature>.<payload>, both base64url."""
    query = "kind=deletion"
    form = (("content-type", "application/x-www-form-urlencoded"),)

    def body(key: bytes, algorithm: str) -> bytes:
        claims = {"algorithm": algorithm, "issued_at": int(now), "user_id": "218471"}
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        signature = base64.urlsafe_b64encode(hmac.digest(key, payload, "sha256")).rstrip(b"=")
        return b"signed_request=" + signature + b"." + payload

    for cause, key in _keys():
        yield Delivery(cause, form, query, body(key, "HMAC-SHA256"))
    yield Delivery("algorithm none", form, query, body(b"", "none"))
    yield Delivery("no signature", form, query, b"signed_request=." + body(b"", "HMAC-SHA256").rpartition(b".")[2])
    yield Delivery("nothing at all", form, query)
    yield Delivery("signed request in the query", (), f"{query}&{body(b'', 'HMAC-SHA256').decode()}")


def mercadopago(now: float) -> Iterator[Delivery]:
    """x-signature over data.id, x-request-id and ts; the body is not signed."""
    query, request = "data.id=123456&type=payment", str(uuid.uuid4())
    body = b'{"action":"payment.updated","data":{"id":"123456"},"status":"approved"}'
    base = (("content-type", "application/json"), ("x-request-id", request))

    def signature(key: bytes) -> tuple[str, str]:
        manifest = f"id:123456;request-id:{request};ts:{int(now)};"
        return ("x-signature", f"ts={int(now)},v1={_mac(key, manifest.encode())}")

    for cause, key in _keys():
        yield Delivery(cause, (*base, signature(key)), query, body)
    yield Delivery("no signature", base, query, body)
    yield Delivery("signature without digits", (*base, ("x-signature", f"ts={int(now)},v1=")), query, body)
    yield Delivery("signature that is not ASCII", (*base, ("x-signature", f"ts=1,v1={NOT_ASCII}")), query, body)
    yield Delivery("broken JSON, unsigned", base, query, b'{"action":')


def paddle(now: float) -> Iterator[Delivery]:
    """Paddle-Signature: ts and h1 over `ts:body`."""
    body = b'{"event_id":"evt_1","event_type":"subscription.activated","data":{"id":"sub_1"}}'

    def signature(key: bytes, moment: float) -> tuple[str, str]:
        stamp = str(int(moment))
        return ("paddle-signature", f"ts={stamp};h1={_mac(key, f'{stamp}:'.encode() + body)}")

    for cause, key in _keys():
        yield Delivery(cause, (signature(key, now),), body=body)
    yield Delivery("no signature", body=body)
    yield Delivery("a day old", (signature(b"", now - 86_400),), body=body)
    yield Delivery("signature without digits", (("paddle-signature", f"ts={int(now)};h1="),), body=body)
    yield Delivery("signature that is not ASCII", (("paddle-signature", f"ts={int(now)};h1={NOT_ASCII}"),), body=body)
    yield Delivery("unknown part only", (("paddle-signature", f"ts={int(now)};h2={_mac(b'', body)}"),), body=body)
    yield Delivery("no number as time", (("paddle-signature", "ts=abc;h1=abc"),), body=body)
    yield Delivery("broken JSON, unsigned", body=b'{"event_id":')


SCHEMES: dict[str, Callable[[float], Iterator[Delivery]]] = {
    "meta": meta,
    "meta_signed_request": meta_signed_request,
    "mercadopago": mercadopago,
    "paddle": paddle,
}


def tokens(issuer: str, now: float) -> Iterator[tuple[str, str]]:
    """Access tokens that claim everything: a name for each, and the token."""
    claims = {
        "iss": issuer,
        "aud": "authenticated",
        "sub": str(uuid.uuid4()),
        "session_id": str(uuid.uuid4()),
        "role": "authenticated",
        "aal": "aal2",
        "amr": [{"method": "totp", "timestamp": int(now)}],
        "is_anonymous": False,
        "iat": int(now),
        "exp": int(now) + 3600,
    }
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(ECAlgorithm.to_jwk(key.public_key())) | {"kid": "own", "alg": "ES256"}
    yield "token with alg none", _unsigned(claims, "none")
    yield "service role with alg none", _unsigned(claims | {"role": "service_role"}, "NONE")
    yield "token signed with one's own key", jwt.encode(claims, key, "ES256", {"kid": "own"})
    yield "own key in the token", jwt.encode(claims, key, "ES256", {"kid": "own", "jwk": public})
    yield "own key by address", jwt.encode(claims, key, "ES256", {"kid": "own", "jku": f"{issuer}/own.json"})
    yield "key id as a path", jwt.encode(claims, key, "ES256", {"kid": "../../dev/null"})
    yield "HS256 with an empty secret", _hs256(claims, b"")
    yield "HS256 with the secret of the guide", _hs256(claims, KNOWN_JWT_SECRET.encode())


def _unsigned(claims: dict[str, Any], algorithm: str) -> str:
    return f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(claims)}."


def _hs256(claims: dict[str, Any], secret: bytes) -> str:
    """By hand: libraries refuse to sign with an empty secret."""
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    mac = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
