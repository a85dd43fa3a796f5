"""Access tokens of Supabase Auth, checked against the project's published keys.

PyJWT does the cryptography; what Supabase's own clients leave out (issuer, audience, role, session) is demanded here.
Sources: RFC 7519, RFC 8725, Supabase "JWT Signing Keys".
"""

import re
from functools import cache
from typing import Any

import jwt

from shared.errors import Refused, Unavailable
from shared.guard.request import Caller

ALGORITHMS = ("ES256", "RS256")
AUDIENCE = "authenticated"
LEEWAY_SECONDS = 30
# Supabase caches its keys for ten minutes at the edge; keeping them longer would outlive an emergency revocation.
KEYS_KEPT_SECONDS = 300
KEYS_TIMEOUT_SECONDS = 2

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def verify_token(authorization: str, issuer: str, now: float) -> Caller:
    """The user that `Bearer <token>` names. `issuer` is the project's `<url>/auth/v1`; `now` seconds since the epoch.

    Raises Refused (`token_missing`, `token_invalid`, `token_expired`, `token_early`, `token_role`, `token_anonymous`,
    `token_client`, `token_subject`) or Unavailable (`token_keys_unreachable`): without keys nobody is admitted.
    """
    if not authorization.startswith("Bearer "):
        raise Refused("token_missing", 401)
    token = authorization.removeprefix("Bearer ")
    claims = _claims(token, issuer)
    if _time(claims, "exp") + LEEWAY_SECONDS < now:
        raise Refused("token_expired", 401)
    if max(_time(claims, "iat"), _time(claims, "nbf")) - LEEWAY_SECONDS > now:
        raise Refused("token_early", 401)
    if claims.get("role") != "authenticated":
        raise Refused("token_role", 401)
    if claims.get("is_anonymous") is not False:
        raise Refused("token_anonymous", 401)
    if "client_id" in claims:
        raise Refused("token_client", 401)
    for name in ("sub", "session_id"):
        if not isinstance(claims.get(name), str) or _UUID.fullmatch(claims[name]) is None:
            raise Refused("token_subject", 401)
    return Caller(kind="user", user=claims["sub"], token=token)


def _claims(token: str, issuer: str) -> dict[str, Any]:
    try:
        key = _keys(issuer).get_signing_key_from_jwt(token)
        return jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            audience=AUDIENCE,
            issuer=issuer,
            # The times are compared by the caller of this function, against the time of arrival.
            options={
                "require": ["exp", "iat", "sub", "aud", "iss"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWKClientConnectionError:
        raise Unavailable("token_keys_unreachable") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Refused("token_invalid", 401) from None


def _time(claims: dict[str, Any], name: str) -> float:
    """A NumericDate; a token without `nbf` has been valid since it was issued."""
    value = claims.get(name, claims["iat"])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("token_invalid", 401)
    return value


@cache
def _keys(issuer: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(
        f"{issuer}/.well-known/jwks.json",
        lifespan=KEYS_KEPT_SECONDS,
        timeout=KEYS_TIMEOUT_SECONDS,
        headers={"User-Agent": "portero"},
    )
