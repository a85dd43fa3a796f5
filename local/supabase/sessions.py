"""Sessions: access tokens, refresh tokens with reuse detection, and who is behind a bearer token."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from starlette.requests import Request

from local.supabase.access import SERVICE, bearer_token, role_of_key
from local.supabase.errors import AuthError
from local.supabase.keys import AUDIENCE, TokenError
from local.supabase.pool import fetch_all, fetch_one
from local.supabase.project import Project, project_of
from local.supabase.users import Row, find_user, is_banned, user_json

TOKEN_SECONDS = 3600
REUSE_INTERVAL = timedelta(seconds=10)
SECOND_FACTORS = {"totp", "mfa/phone", "mfa/webauthn"}


@dataclass(frozen=True)
class SignedIn:
    """The user and the session behind an access token; both are rows."""

    user: dict[str, Any]
    session: dict[str, Any]

    @property
    def strong(self) -> bool:
        """Whether the session has passed a second factor."""
        return bool(self.session["aal"] == "aal2")


async def require_user(connection: psycopg.AsyncConnection, request: Request) -> SignedIn:
    """The live user and session of the bearer token. Raises KeyRefused and AuthError."""
    project = project_of(request)
    claims = _claims_of(request, project)
    user = await find_user(connection, claims["sub"])
    if user is None or user["deleted_at"] is not None:
        raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
    if is_banned(user, project.now()):
        raise AuthError(403, "user_banned", "User is banned")
    session = await fetch_one(
        connection,
        "select * from auth.sessions where id = %s and user_id = %s",
        [claims.get("session_id"), user["id"]],
    )
    if session is None:
        raise AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
    return SignedIn(user, session)


def require_admin(request: Request) -> None:
    """Let only the secret key through. Raises KeyRefused and AuthError."""
    project = project_of(request)
    role = role_of_key(request, project.keys)
    if bearer_token(request, project.keys) is not None:
        role = str(_claims_of(request, project).get("role"))
    if role != SERVICE:
        raise AuthError(403, "not_admin", "User not allowed")


async def open_session(
    connection: psycopg.AsyncConnection, project: Project, user: Row, request: Request, method: str
) -> dict[str, Any]:
    """Start a session of `user`, who proved itself by `method`; the answer of a sign-in."""
    now = project.now()
    session_id = uuid.uuid4()
    await connection.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)"
        " values (%s, %s, %s, %s, 'aal1', %s, %s)",
        [session_id, user["id"], now, now, request.headers.get("user-agent"), address_of(request)],
    )
    await connection.execute(
        "update auth.users set last_sign_in_at = %s, updated_at = %s where id = %s", [now, now, user["id"]]
    )
    await note_method(connection, session_id, method, now)
    refresh_token = await _insert_refresh_token(connection, user["id"], session_id, now, None)
    return await tokens(connection, project, user["id"], session_id, refresh_token)


async def note_method(connection: psycopg.AsyncConnection, session_id: object, method: str, now: datetime) -> None:
    """Record an authentication method of a session; a repeated one gets the new time."""
    await connection.execute(
        """
        insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at, authentication_method)
        values (%s, %s, %s, %s, %s)
        on conflict (session_id, authentication_method) do update set updated_at = excluded.updated_at
        """,
        [uuid.uuid4(), session_id, now, now, method],
    )


async def tokens(
    connection: psycopg.AsyncConnection, project: Project, user_id: object, session_id: object, refresh_token: str
) -> dict[str, Any]:
    """The body of a token answer: a fresh access token with the given refresh token."""
    user = await fetch_one(connection, "select * from auth.users where id = %s", [user_id])
    methods = await fetch_all(
        connection,
        "select authentication_method, updated_at from auth.mfa_amr_claims where session_id = %s"
        " order by updated_at desc, created_at desc",
        [session_id],
    )
    assert user is not None
    issued = int(project.clock())
    claims = {
        "iss": project.issuer,
        "sub": str(user["id"]),
        "aud": AUDIENCE,
        "exp": issued + TOKEN_SECONDS,
        "iat": issued,
        "email": user["email"] or "",
        "phone": user["phone"] or "",
        "app_metadata": user["raw_app_meta_data"] or {},
        "user_metadata": user["raw_user_meta_data"] or {},
        "role": user["role"],
        "aal": "aal2" if any(row["authentication_method"] in SECOND_FACTORS for row in methods) else "aal1",
        "amr": [
            {"method": row["authentication_method"], "timestamp": int(row["updated_at"].timestamp())} for row in methods
        ],
        "session_id": str(session_id),
        "is_anonymous": user["is_anonymous"],
    }
    return {
        "access_token": project.keys.sign(claims),
        "token_type": "bearer",
        "expires_in": TOKEN_SECONDS,
        "expires_at": issued + TOKEN_SECONDS,
        "refresh_token": refresh_token,
        "user": await user_json(connection, user),
    }


async def replace_refresh_token(connection: psycopg.AsyncConnection, session: Row, now: datetime) -> str:
    """Revoke the active refresh token of a session and insert its child; the new token."""
    active = await _active_token(connection, session["id"])
    parent = None if active is None else active["token"]
    await connection.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = %s where session_id = %s and not revoked",
        [now, session["id"]],
    )
    return await _insert_refresh_token(connection, session["user_id"], session["id"], now, parent)


async def refresh(connection: psycopg.AsyncConnection, project: Project, token: str) -> dict[str, Any] | AuthError:
    """Exchange a refresh token. A refusal is returned, not raised, so that its effect (session ended) is kept.

    A used token is good for 10 s, and as long as it is the parent of the active one: both give the active token.
    Any other use of it ends the whole session.
    """
    now = project.now()
    refused = AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
    found = await _find_token(connection, token)
    if found is None:
        return refused
    # Whoever changes sessions locks their user first; so two refreshes go one after the other.
    user = await find_user(connection, found["owner"])
    found = await _find_token(connection, token)
    if user is None or found is None:
        return refused
    if is_banned(user, now):
        return AuthError(400, "user_banned", "Invalid Refresh Token: User Banned")
    session = {"id": found["session_id"], "user_id": found["owner"]}
    active = await _active_token(connection, session["id"])
    if not found["revoked"]:
        issued = await replace_refresh_token(connection, session, now)
    elif active is not None and (active["parent"] == token or now <= found["updated_at"] + REUSE_INTERVAL):
        issued = active["token"]
    else:
        await connection.execute("delete from auth.sessions where id = %s", [session["id"]])
        return AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
    await connection.execute(
        "update auth.sessions set refreshed_at = %s, updated_at = %s where id = %s",
        [now.replace(tzinfo=None), now, session["id"]],
    )
    return await tokens(connection, project, session["user_id"], session["id"], issued)


async def close_sessions(connection: psycopg.AsyncConnection, signed_in: SignedIn, scope: str) -> None:
    """End sessions of the user: `global` all, `local` this one, `others` all but this one. Raises AuthError."""
    match scope:
        case "global":
            condition = "true"
        case "local":
            condition = "id = %(session)s"
        case "others":
            condition = "id <> %(session)s"
        case _:
            raise AuthError(400, "validation_failed", f'Unsupported logout scope "{scope}"')
    values = {"user": signed_in.user["id"], "session": signed_in.session["id"]}
    await connection.execute("delete from auth.sessions where user_id = %(user)s and " + condition, values)


def address_of(request: Request) -> str:
    """The client's IP address, which the hosted service takes from its own edge."""
    return request.client.host if request.client is not None else "127.0.0.1"


def _claims_of(request: Request, project: Project) -> dict[str, Any]:
    role_of_key(request, project.keys)
    token = bearer_token(request, project.keys)
    if token is None:
        if "authorization" not in request.headers:
            raise AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
        raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
    try:
        claims = project.keys.verify(token, project.clock())
        uuid.UUID(claims["sub"])
    except (TokenError, KeyError, ValueError) as error:
        message = f"invalid JWT: unable to parse or verify signature, {error}"
        raise AuthError(403, "bad_jwt", message) from None
    return claims


async def _find_token(connection: psycopg.AsyncConnection, token: str) -> dict[str, Any] | None:
    return await fetch_one(
        connection,
        "select refresh_tokens.*, sessions.user_id as owner from auth.refresh_tokens"
        " join auth.sessions on sessions.id = session_id where token = %s",
        [token],
    )


async def _active_token(connection: psycopg.AsyncConnection, session_id: object) -> dict[str, Any] | None:
    return await fetch_one(
        connection,
        "select * from auth.refresh_tokens where session_id = %s and not revoked order by id desc limit 1",
        [session_id],
    )


async def _insert_refresh_token(
    connection: psycopg.AsyncConnection, user_id: object, session_id: object, now: datetime, parent: str | None
) -> str:
    token = secrets.token_urlsafe(16)
    await connection.execute(
        "insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, parent,"
        " session_id) values ('00000000-0000-0000-0000-000000000000', %s, %s, false, %s, %s, %s, %s)",
        [token, str(user_id), now, now, parent, session_id],
    )
    return token
