"""The attacks that need no secret, for each function by its guard, and what must come of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from scripts.audit.declared import Declared
from scripts.audit.findings import AuditError
from scripts.audit.forgery import NOT_ASCII, SCHEMES, Headers, tokens
from scripts.audit.guard_literal import METHODS

MAXIMUM_BODY = 10 * 1024 * 1024  # bytes that an HTTP API lets through
JSON: Headers = (("content-type", "application/json"),)
# Headers by which somebody may claim to be known already.
CLAIMS: Headers = (
    ("x-user-id", "00000000-0000-4000-8000-000000000000"),
    ("x-amzn-oidc-identity", "admin"),
    ("x-forwarded-user", "admin"),
    ("x-authenticated", "true"),
)


class Expected(StrEnum):
    """What must come back."""

    REFUSED = "refused"
    NO_ROUTE = "no route"
    NOT_ALLOWED = "not allowed"  # a preflight that names no origin
    QUARANTINED = "quarantined"  # answered like a good delivery, kept apart, without an effect
    ANSWERED = "answered"


# Of what a scheme lets through by its design. Mercado Pago signs some of its own deliveries never.
BY_SCHEME = {"mercadopago": Expected.QUARANTINED}


@dataclass(frozen=True)
class Attack:
    """One request. `name` is what people read."""

    name: str
    method: str
    expected: Expected = Expected.REFUSED
    headers: Headers = ()
    query: str = ""
    body: bytes = b""


def attacks_on(function: Declared, origin: str, issuer: str, now: float) -> Iterator[Attack]:
    """All attacks on one function that answers over HTTP; `now` in seconds since the epoch."""
    if function.kind == "hmac":
        yield from _on_signed(function, now)
    elif function.kind == "jwt":
        yield from _on_console(function, issuer, now)
    else:
        yield from _on_public(function)
    yield from _on_every(function, origin)


def _on_signed(function: Declared, now: float) -> Iterator[Attack]:
    expected = BY_SCHEME.get(function.argument, Expected.REFUSED)
    if function.argument not in SCHEMES:
        raise AuditError(f"nobody knows how to forge {function.guard}: add it to scripts/audit/forgery.py")
    for forged in SCHEMES[function.argument](now):
        headers = forged.headers if any(name == "content-type" for name, _ in forged.headers) else JSON + forged.headers
        yield Attack(forged.name, forged.method, expected, headers, forged.query, forged.body)


def _on_console(function: Declared, issuer: str, now: float) -> Iterator[Attack]:
    method = function.methods[0]

    def attack(name: str, *headers: tuple[str, str], query: str = "", body: bytes = b"{}") -> Attack:
        return Attack(name, method, headers=(*JSON, *headers), query=query, body=body)

    yield attack("no token")
    yield attack("empty token", ("authorization", "Bearer"))
    yield attack("no token at all, only the word null", ("authorization", "Bearer null"))
    yield attack("malformed token", ("authorization", "Bearer a.b.c"))
    yield attack("token that is not ASCII", ("authorization", f"Bearer {NOT_ASCII}"))
    yield attack("name and password", ("authorization", "Basic YWRtaW46YWRtaW4="))
    yield attack("claims in other headers", *CLAIMS)
    yield attack("broken JSON, no token", body=b'{"tenant":')
    own = ""
    for name, token in tokens(issuer, now):
        own = token if name == "token signed with one's own key" else own
        yield attack(name, ("authorization", f"Bearer {token}"))
    yield attack("token in the query", query=f"access_token={own}&token={own}&apikey={own}")
    yield attack("token in a cookie", ("cookie", f"sb-access-token={own}"))
    yield attack("token in the body", body=json.dumps({"access_token": own}).encode())
    yield attack("two tokens", ("authorization", f"Bearer {own}"), ("authorization", f"Bearer {own}"))


def _on_public(function: Declared) -> Iterator[Attack]:
    method = function.methods[0]
    yield Attack("anybody", method, Expected.ANSWERED)
    yield Attack("anybody, with strange headers", method, Expected.ANSWERED, CLAIMS)
    yield Attack("anybody, with a strange query", method, Expected.ANSWERED, query="code=%27%3B--&code=%3Cscript%3E")


def _on_every(function: Declared, origin: str) -> Iterator[Attack]:
    for method in sorted(METHODS - {*function.methods}):
        yield Attack(f"method {method}", method, Expected.NO_ROUTE)
    asked = (("origin", origin), ("access-control-request-method", function.methods[0]))
    preflight = Expected.NOT_ALLOWED if function.kind == "jwt" else Expected.NO_ROUTE
    yield Attack("preflight from a foreign page", "OPTIONS", preflight, asked)
    method = "POST" if "POST" in function.methods else function.methods[0]
    foreign = BY_SCHEME.get(function.argument, Expected.REFUSED)
    yield Attack(
        "call from a foreign page",
        method,
        Expected.ANSWERED if function.kind == "public" else foreign,
        (*JSON, ("origin", origin)),
    )
    size = min(int(function.arguments.get("body_limit", 0)) + 1, MAXIMUM_BODY)
    yield Attack("a byte too many", method, headers=JSON, body=b" " * size)
    binary = (("content-type", "application/octet-stream"),)
    yield Attack("a byte too many, binary", method, headers=binary, body=b" " * size)
