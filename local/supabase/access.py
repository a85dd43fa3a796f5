"""Who asks: the API key and the bearer token of a request, as the hosted gateway reads them."""

import hmac
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from local.supabase.errors import KeyRefused, RestError
from local.supabase.keys import SupabaseKeys, TokenError

ANON = "anon"
SERVICE = "service_role"


@dataclass(frozen=True)
class Caller:
    """The database role of a request and the claims that policies see. `token` is the user's bearer token, if any."""

    role: str
    claims: dict[str, Any] = field(default_factory=dict)
    token: str | None = None


def role_of_key(request: Request, keys: SupabaseKeys) -> str:
    """The role of the request's API key. Raises KeyRefused for none and for a wrong one."""
    key = request.headers.get("apikey") or request.query_params.get("apikey") or ""
    if not key:
        raise KeyRefused("No API key found in request", "No `apikey` request header or url param was found.")
    if _equal(key, keys.secret):
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            raise KeyRefused("Forbidden use of secret API key in browser", "Secret API keys are for servers.")
        return SERVICE
    if _equal(key, keys.publishable):
        return ANON
    raise KeyRefused("Invalid API key", "Double check your Supabase publishable or secret API key.")


def bearer_token(request: Request, keys: SupabaseKeys) -> str | None:
    """The bearer token of a user, or None when the header repeats an API key or is absent."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or _equal(token, request.headers.get("apikey", "")):
        return None
    return token


def caller_of(request: Request, keys: SupabaseKeys, now: float) -> Caller:
    """Who calls the REST service. Raises KeyRefused, or RestError (PGRST301, PGRST303) for a bad token."""
    role = role_of_key(request, keys)
    token = bearer_token(request, keys)
    if token is None:
        return Caller(role, {"iss": "supabase", "role": role})
    try:
        claims = keys.verify(token, now)
    except TokenError as error:
        if error.expired:
            raise RestError(401, "PGRST303", "JWT expired") from None
        raise RestError(401, "PGRST301", "Provided JWT couldn't be decoded or it is invalid") from None
    return Caller(str(claims.get("role", ANON)), claims, token)


def _equal(one: str, other: str) -> bool:
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())
