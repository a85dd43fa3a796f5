"""Access tokens of Supabase Auth, checked against the project's published keys.

PyJWT does the cryptography; what Supabase's own clients leave out (issuer, audience, role, session, lifetime) is
demanded here. Sources: RFC 7519, RFC 8725, Supabase "JWT Signing Keys" and "Multi-Factor Authentication".
"""

import base64
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeGuard

import jwt

from shared.errors import Refused
from shared.guard.strict_json import Malformed, parse
from shared.guard.verify.signing_keys import ALGORITHMS, SigningKeys

AUDIENCE = "authenticated"
LEEWAY_SECONDS = 30
# A project may choose up to a week; a token that outlives a day is nobody's session here.
MAXIMUM_LIFETIME_SECONDS = 24 * 3600
LATEST_TIME = 1e12
REQUIRED = ("exp", "iat", "sub", "aud", "iss")
# What may be told of a refusal, since only the holder of a good token hears it: the console asks for a code then.
STEP_UP = "Second factor needed."

_TOKEN = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# The times are compared below, against the time of arrival.
_OPTIONS: Any = {
    "require": list(REQUIRED),
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "enforce_minimum_key_length": True,
}
_NAMES = {
    jwt.InvalidAlgorithmError: "token_algorithm",
    jwt.InvalidSignatureError: "token_signature",
    jwt.InvalidIssuerError: "token_issuer",
    jwt.InvalidAudienceError: "token_audience",
    jwt.MissingRequiredClaimError: "token_claim_missing",
}


class Token(NamedTuple):
    """A good access token. `place`: of the shared secret that signed it, 0 for the newest, and for a published key."""

    text: str
    claims: dict[str, Any]
    place: int = 0

    def __repr__(self) -> str:
        """Without what is in it, so that no log or report can hold it."""
        return "Token(...)"


class _Header(NamedTuple):
    algorithm: object
    key: object


def verify_token(
    authorization: str, issuers: Sequence[str], keys: SigningKeys, now: float, shared_secrets: Sequence[str] = ()
) -> Token:
    """The token in `Bearer <token>`, issued by one of `issuers` to a person. `now` in seconds since the epoch.

    `shared_secrets` admit HS256, the signature of old projects, and must be empty for all others.
    Raises Refused (`token_missing`, `token_malformed`, `token_critical`, `token_algorithm`, `token_key_unknown`,
    `token_signature`, `token_issuer`, `token_audience`, `token_claim_missing`, `token_invalid`, `token_time`,
    `token_expired`, `token_early`, `token_lifetime`, `token_role`, `token_anonymous`, `token_client`,
    `token_subject`) or Unavailable (`token_keys_unreachable`, `token_keys_missing`).
    """
    if not authorization.startswith("Bearer "):
        raise Refused("token_missing", 401)
    text = authorization.removeprefix("Bearer ")
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise Refused("token_malformed", 401)
    header = _read_header(found[1])
    if header.algorithm == "HS256" and shared_secrets:
        token = _verify_shared(text, shared_secrets, issuers)
    elif header.algorithm in ALGORITHMS and isinstance(header.key, str):
        token = Token(text, _verify_published(text, keys.find(header.key, now), header.algorithm, issuers))
    else:
        raise Refused("token_algorithm", 401)
    _check_times(token.claims, now)
    _check_person(token.claims)
    return token


def require_second_factor(claims: dict[str, Any]) -> None:
    """The session has passed a second factor. Raises Refused (`second_factor_missing`)."""
    # Without the claim it is aal1.
    if claims.get("aal") != "aal2":
        raise Refused("second_factor_missing", 401, STEP_UP)


def require_fresh_totp(claims: dict[str, Any], seconds: int, now: float) -> None:
    """A one-time code was given less than `seconds` ago, whatever has been given since.

    Raises Refused (`second_factor_stale`).
    """
    methods = claims.get("amr")
    given = [
        entry.get("timestamp")
        for entry in (methods if isinstance(methods, list) else [])
        if isinstance(entry, dict) and entry.get("method") == "totp"
    ]
    newest = max((moment for moment in given if _is_time(moment)), default=None)
    if newest is None:
        raise Refused("second_factor_stale", 401, STEP_UP)
    if newest > now + LEEWAY_SECONDS:
        raise Refused("second_factor_stale", 401, STEP_UP)
    if newest < now - seconds:
        raise Refused("second_factor_stale", 401, STEP_UP)


@lru_cache(maxsize=64)
def _read_header(segment: str) -> _Header:
    """What of the header counts. Where keys are (jku, x5u, jwk) is not for a token to say."""
    try:
        header = parse(_decoded(segment))
    except (Malformed, ValueError):
        raise Refused("token_malformed", 401) from None
    if not isinstance(header, dict):
        raise Refused("token_malformed", 401)
    # RFC 7515, 4.1.11: who does not understand an extension must refuse it, and none is understood here.
    if "crit" in header or "b64" in header:
        raise Refused("token_critical", 401)
    return _Header(header.get("alg"), header.get("kid"))


def _verify_shared(text: str, secrets: Sequence[str], issuers: Sequence[str]) -> Token:
    for place, secret in enumerate(secrets):
        try:
            return Token(text, _verify_secret(text, secret, issuers), place)
        except Refused as refusal:
            if refusal.name != "token_signature":
                raise
    raise Refused("token_signature", 401)


def _verify_published(text: str, key: jwt.PyJWK, algorithm: object, issuers: Sequence[str]) -> dict[str, Any]:
    """The claims that a published key signs, verified before they are parsed.

    PyJWT's algorithm does the cryptography. The rest of its `decode` is done here, since it walks through every
    character of a token whose characters `_TOKEN` has seen already, which costs as much as half a signature.
    """
    # The key says by what algorithm it signs; a token may only agree.
    if key.algorithm_name != algorithm:
        raise Refused("token_algorithm", 401)
    signed, _, signature = text.rpartition(".")
    try:
        good = key.Algorithm.verify(signed.encode(), key.key, _decoded(signature))
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Refused("token_signature", 401) from None
    if not good:
        raise Refused("token_signature", 401)
    try:
        claims = parse(_decoded(signed.partition(".")[2]))
    except (Malformed, ValueError):
        raise Refused("token_invalid", 401) from None
    if not isinstance(claims, dict):
        raise Refused("token_invalid", 401)
    _check_addressees(claims, issuers)
    return claims


def _check_addressees(claims: dict[str, Any], issuers: Sequence[str]) -> None:
    for name in REQUIRED:
        if claims.get(name) is None:
            raise Refused("token_claim_missing", 401)
    if claims["iss"] not in issuers:
        raise Refused("token_issuer", 401)
    audience = claims["aud"]
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise Refused("token_audience", 401)


def _decoded(segment: str) -> bytes:
    """Raises ValueError for a length that no bytes have."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _verify_secret(text: str, secret: str, issuers: Sequence[str]) -> dict[str, Any]:
    """The claims that a shared secret signs."""
    try:
        return jwt.decode(
            text, secret, algorithms=["HS256"], audience=AUDIENCE, issuer=tuple(issuers), options=_OPTIONS
        )
    except jwt.PyJWTError as error:
        raise Refused(_NAMES.get(type(error), "token_invalid"), 401) from None
    except (ValueError, TypeError, RecursionError):
        raise Refused("token_invalid", 401) from None


def _check_times(claims: dict[str, Any], now: float) -> None:
    # A token without `nbf` has been valid since it was issued.
    issued, begins, expires = claims["iat"], claims.get("nbf", claims["iat"]), claims["exp"]
    if not (_is_time(issued) and _is_time(begins) and _is_time(expires)):
        raise Refused("token_time", 401)
    if expires + LEEWAY_SECONDS <= now:
        raise Refused("token_expired", 401)
    if issued - LEEWAY_SECONDS > now:
        raise Refused("token_early", 401)
    if begins - LEEWAY_SECONDS > now:
        raise Refused("token_early", 401)
    if expires - issued > MAXIMUM_LIFETIME_SECONDS + LEEWAY_SECONDS:
        raise Refused("token_lifetime", 401)


def _check_person(claims: dict[str, Any]) -> None:
    if claims.get("role") != "authenticated":
        raise Refused("token_role", 401)
    if claims.get("is_anonymous") is not False:
        raise Refused("token_anonymous", 401)
    # Tokens of the OAuth server belong to somebody else's application.
    if "client_id" in claims:
        raise Refused("token_client", 401)
    for name in ("sub", "session_id"):
        if not isinstance(claims.get(name), str) or _UUID.fullmatch(claims[name]) is None:
            raise Refused("token_subject", 401)


def _is_time(value: object) -> TypeGuard[float]:
    """Whether it is a NumericDate, and neither a truth value nor NaN or infinite, with which every order holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST_TIME
