"""/auth/v1/factors: a second factor by one-time codes (TOTP)."""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.supabase import totp
from local.supabase.errors import AuthError
from local.supabase.pool import fetch_one
from local.supabase.project import Project, project_of
from local.supabase.sessions import (
    SignedIn,
    address_of,
    note_method,
    replace_refresh_token,
    require_user,
    tokens,
)
from local.supabase.users import AUTH_ADMIN, factors_of, json_of, text_of, uuid_of

MOST_FACTORS = 10
FACTOR_LIFE = timedelta(seconds=300)
CHALLENGE_LIFE = timedelta(seconds=300)


async def enroll(request: Request) -> Response:
    """POST /factors: a new, unverified factor with its secret."""
    project = project_of(request)
    body = await json_of(request)
    name = text_of(body, "friendly_name")
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        signed_in = await require_user(connection, request)
        _refuse_other_kinds(text_of(body, "factor_type"))
        await _refuse_enrolment(connection, project, signed_in, name)
        secret = totp.generate_secret()
        factor_id = uuid.uuid4()
        await connection.execute(
            "insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at,"
            " secret) values (%s, %s, %s, 'totp', 'unverified', %s, %s, %s)",
            [factor_id, signed_in.user["id"], name, project.now(), project.now(), secret],
        )
    issuer = text_of(body, "issuer") or urlsplit(project.url).netloc
    address = totp.uri(secret, issuer, signed_in.user["email"] or "")
    shown = {"qr_code": totp.picture(address), "secret": secret, "uri": address}
    return JSONResponse({"id": str(factor_id), "type": "totp", "friendly_name": name, "totp": shown})


async def challenge(request: Request) -> Response:
    """POST /factors/{id}/challenge."""
    project = project_of(request)
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        signed_in = await require_user(connection, request)
        factor = await _factor_of(connection, request, signed_in)
        challenge_id = uuid.uuid4()
        await connection.execute(
            "insert into auth.mfa_challenges (id, factor_id, created_at, ip_address) values (%s, %s, %s, %s)",
            [challenge_id, factor["id"], project.now(), address_of(request)],
        )
        await connection.execute(
            "update auth.mfa_factors set last_challenged_at = %s where id = %s", [project.now(), factor["id"]]
        )
    expires = int((project.now() + CHALLENGE_LIFE).timestamp())
    return JSONResponse({"id": str(challenge_id), "type": "totp", "expires_at": expires})


async def verify(request: Request) -> Response:
    """POST /factors/{id}/verify: the session becomes aal2, the user's aal1 sessions end."""
    project = project_of(request)
    body = await json_of(request)
    code = text_of(body, "code")
    if not code:
        raise AuthError(400, "validation_failed", "Code needs to be non-empty")
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        signed_in = await require_user(connection, request)
        factor = await _factor_of(connection, request, signed_in)
        asked = await _open_challenge(connection, request, factor, text_of(body, "challenge_id"))
        if asked["created_at"] + CHALLENGE_LIFE > project.now():
            if not totp.is_valid(code, factor["secret"], project.clock()):
                raise AuthError(422, "mfa_verification_failed", "Invalid TOTP code entered")
            return JSONResponse(await _pass(connection, project, signed_in, factor, asked["id"]))
        await connection.execute("delete from auth.mfa_challenges where id = %s", [asked["id"]])
    message = f"MFA challenge {asked['id']} has expired, verify against another challenge or create a new challenge."
    raise AuthError(422, "mfa_challenge_expired", message)


async def unenroll(request: Request) -> Response:
    """DELETE /factors/{id}. A verified factor needs an aal2 session."""
    project = project_of(request)
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        signed_in = await require_user(connection, request)
        factor = await _factor_of(connection, request, signed_in)
        if factor["status"] == "verified" and not signed_in.strong:
            raise AuthError(422, "insufficient_aal", "AAL2 required to unenroll verified factor")
        await remove_factor(connection, factor["id"])
    return JSONResponse({"id": str(factor["id"])})


async def remove_factor(connection: psycopg.AsyncConnection, factor_id: object) -> None:
    """Delete a factor; the sessions that it made strong are aal1 from their next refresh on."""
    await connection.execute(
        "delete from auth.mfa_amr_claims where authentication_method = 'totp'"
        " and session_id in (select id from auth.sessions where factor_id = %s)",
        [factor_id],
    )
    await connection.execute(
        "update auth.sessions set aal = 'aal1', factor_id = null where factor_id = %s", [factor_id]
    )
    await connection.execute("delete from auth.mfa_factors where id = %s", [factor_id])


async def _pass(
    connection: psycopg.AsyncConnection, project: Project, signed_in: SignedIn, factor: dict[str, Any], asked: object
) -> dict[str, Any]:
    now, user_id, session = project.now(), signed_in.user["id"], signed_in.session
    await connection.execute("update auth.mfa_challenges set verified_at = %s where id = %s", [now, asked])
    await connection.execute(
        "update auth.mfa_factors set status = 'verified', updated_at = %s where id = %s", [now, factor["id"]]
    )
    await connection.execute(
        "update auth.sessions set aal = 'aal2', factor_id = %s, updated_at = %s where id = %s",
        [factor["id"], now, session["id"]],
    )
    await note_method(connection, session["id"], "totp", now)
    refresh_token = await replace_refresh_token(connection, session, now)
    await connection.execute("delete from auth.sessions where user_id = %s and aal < 'aal2'", [user_id])
    await connection.execute("delete from auth.mfa_factors where user_id = %s and status = 'unverified'", [user_id])
    return await tokens(connection, project, user_id, session["id"], refresh_token)


def _refuse_other_kinds(kind: str) -> None:
    match kind:
        case "totp":
            return
        case "phone":
            raise AuthError(422, "mfa_phone_enroll_not_enabled", "MFA enroll is disabled for Phone")
        case "webauthn":
            raise AuthError(422, "mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn")
        case _:
            raise AuthError(400, "validation_failed", "factor_type needs to be totp, phone, or webauthn")


async def _refuse_enrolment(
    connection: psycopg.AsyncConnection, project: Project, signed_in: SignedIn, name: str
) -> None:
    if signed_in.user["is_anonymous"]:
        raise AuthError(403, "no_authorization", "Anonymous user not allowed to perform these actions")
    await connection.execute(
        "delete from auth.mfa_factors where status = 'unverified' and created_at < %s", [project.now() - FACTOR_LIFE]
    )
    enrolled = await factors_of(connection, signed_in.user["id"])
    if any(factor["friendly_name"] == name for factor in enrolled):
        message = f'A factor with the friendly name "{name}" for this user already exists'
        raise AuthError(422, "mfa_factor_name_conflict", message)
    if len(enrolled) >= MOST_FACTORS:
        message = "Maximum number of verified factors reached, unenroll to continue"
        raise AuthError(422, "too_many_enrolled_mfa_factors", message)
    if any(factor["status"] == "verified" for factor in enrolled) and not signed_in.strong:
        raise AuthError(403, "insufficient_aal", "AAL2 required to enroll a new factor")


async def _factor_of(connection: psycopg.AsyncConnection, request: Request, signed_in: SignedIn) -> dict[str, Any]:
    factor = await fetch_one(
        connection,
        "select * from auth.mfa_factors where id = %s and user_id = %s for update",
        [uuid_of(request, "factor_id"), signed_in.user["id"]],
    )
    if factor is None:
        raise AuthError(404, "mfa_factor_not_found", "Factor not found")
    return factor


async def _open_challenge(
    connection: psycopg.AsyncConnection, request: Request, factor: dict[str, Any], challenge_id: str
) -> dict[str, Any]:
    try:
        wanted = uuid.UUID(challenge_id)
    except ValueError:
        raise AuthError(400, "validation_failed", "challenge_id must be an UUID") from None
    asked = await fetch_one(
        connection,
        "select *, host(ip_address) as address from auth.mfa_challenges where id = %s and factor_id = %s",
        [wanted, factor["id"]],
    )
    if asked is None:
        raise AuthError(422, "mfa_factor_not_found", "MFA factor with the provided challenge ID not found")
    # The hosted service answers a used challenge with the same code as a challenge from elsewhere.
    if asked["verified_at"] is not None or asked["address"] != address_of(request):
        raise AuthError(422, "mfa_ip_address_mismatch", "Challenge and verify IP addresses mismatch.")
    return asked


ROUTES = [
    Route("/factors", enroll, methods=["POST"]),
    Route("/factors/{factor_id}", unenroll, methods=["DELETE"]),
    Route("/factors/{factor_id}/challenge", challenge, methods=["POST"]),
    Route("/factors/{factor_id}/verify", verify, methods=["POST"]),
]
