"""/auth/v1: sign-up, sign-in, refresh, the user, sign-out and the public key."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.supabase import admin, factors
from local.supabase.access import role_of_key
from local.supabase.errors import AuthError
from local.supabase.pool import fetch_one
from local.supabase.project import project_of
from local.supabase.sessions import close_sessions, open_session, refresh, require_user
from local.supabase.users import (
    AUTH_ADMIN,
    confirm_email,
    factors_of,
    hash_password,
    insert_user,
    is_banned,
    is_password,
    json_of,
    object_of,
    refuse_weak_password,
    text_of,
    user_json,
    valid_email,
)


async def sign_up(request: Request) -> Response:
    """POST /signup by e-mail and password. The address counts as confirmed at once: nobody sends mail here."""
    project = project_of(request)
    role_of_key(request, project.keys)
    body = await json_of(request)
    password = text_of(body, "password")
    if text_of(body, "phone"):
        raise AuthError(400, "phone_provider_disabled", "Phone signups are disabled")
    if not text_of(body, "email") and not password:
        raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
    if not password:
        raise AuthError(400, "validation_failed", "Signup requires a valid password")
    refuse_weak_password(password)
    email = valid_email(text_of(body, "email"))
    values = {
        "email": email,
        "encrypted_password": await hash_password(password),
        "user_metadata": object_of(body, "data"),
    }
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        if await fetch_one(connection, "select id from auth.users where email = %s", [email]) is not None:
            raise AuthError(422, "user_already_exists", "User already registered")
        user = await insert_user(connection, project.now(), values)
        user = await confirm_email(connection, user, project.now())
        return JSONResponse(await open_session(connection, project, user, request, "password"))


async def token(request: Request) -> Response:
    """POST /token?grant_type=password|refresh_token."""
    role_of_key(request, project_of(request).keys)
    match request.query_params.get("grant_type"):
        case "password":
            return await _sign_in(request)
        case "refresh_token":
            return await _refresh(request)
        case "pkce" | "id_token" | "web3" as grant:
            raise AuthError(501, "not_implemented", f"The local Supabase does not have the grant {grant}.")
        case _:
            raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def get_user(request: Request) -> Response:
    """GET /user."""
    async with project_of(request).pool.transaction(AUTH_ADMIN) as connection:
        signed_in = await require_user(connection, request)
        return JSONResponse(await user_json(connection, signed_in.user))


async def put_user(request: Request) -> Response:
    """PUT /user: metadata and password. A new password ends the user's other sessions."""
    project = project_of(request)
    body = await json_of(request)
    password = text_of(body, "password")
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        signed_in = await require_user(connection, request)
        user = signed_in.user
        if text_of(body, "phone") or text_of(body, "email") not in ("", user["email"]):
            raise AuthError(501, "not_implemented", "The local Supabase does not change addresses (nobody sends mail).")
        if password:
            refuse_weak_password(password)
            enrolled = any(factor["status"] == "verified" for factor in await factors_of(connection, user["id"]))
            if enrolled and not signed_in.strong:
                message = "AAL2 session is required to update email or password when MFA is enabled."
                raise AuthError(401, "insufficient_aal", message)
            if await is_password(password, user["encrypted_password"]):
                raise AuthError(422, "same_password", "New password should be different from the old password.")
            await admin.set_password(connection, user["id"], password)
            await close_sessions(connection, signed_in, "others")
        changes = {"user_metadata": object_of(body, "data")}
        return JSONResponse(
            await user_json(connection, await admin.set_metadata(connection, user, changes, project.now()))
        )


async def log_out(request: Request) -> Response:
    """POST /logout?scope=global|local|others."""
    async with project_of(request).pool.transaction(AUTH_ADMIN) as connection:
        signed_in = await require_user(connection, request)
        await close_sessions(connection, signed_in, request.query_params.get("scope") or "global")
    return Response(status_code=204)


async def jwks(request: Request) -> Response:
    """GET /.well-known/jwks.json, for everybody."""
    return JSONResponse(project_of(request).keys.jwks(), headers={"Cache-Control": "public, max-age=600"})


async def health(request: Request) -> Response:
    """GET /health."""
    role_of_key(request, project_of(request).keys)
    return JSONResponse({"name": "GoTrue", "version": "local", "description": "the local Supabase of this project"})


async def settings(request: Request) -> Response:
    """GET /settings: what the local project switches on."""
    role_of_key(request, project_of(request).keys)
    external = {"email": True, "phone": False, "anonymous_users": False}
    return JSONResponse(
        {
            "external": external,
            "disable_signup": False,
            "mailer_autoconfirm": True,
            "phone_autoconfirm": False,
            "saml_enabled": False,
        }
    )


async def elsewhere(request: Request) -> Response:
    """Whatever else the hosted service has."""
    message = f"The local Supabase does not have {request.method} {request.url.path}."
    raise AuthError(501, "not_implemented", message)


async def _sign_in(request: Request) -> Response:
    project = project_of(request)
    body = await json_of(request)
    if text_of(body, "phone"):
        raise AuthError(400, "phone_provider_disabled", "Phone logins are disabled")
    refused = AuthError(400, "invalid_credentials", "Invalid login credentials")
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        email = text_of(body, "email").strip().lower()
        user = await fetch_one(connection, "select * from auth.users where email = %s for update", [email])
        if user is None or not await is_password(text_of(body, "password"), user["encrypted_password"]):
            raise refused
        if is_banned(user, project.now()):
            raise AuthError(400, "user_banned", "User is banned")
        if user["email_confirmed_at"] is None:
            raise AuthError(400, "email_not_confirmed", "Email not confirmed")
        return JSONResponse(await open_session(connection, project, user, request, "password"))


async def _refresh(request: Request) -> Response:
    project = project_of(request)
    refresh_token = text_of(await json_of(request), "refresh_token")
    if not refresh_token:
        raise AuthError(400, "validation_failed", "refresh_token required")
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        answer = await refresh(connection, project, refresh_token)
    if isinstance(answer, AuthError):
        raise answer
    return JSONResponse(answer)


ROUTES = [
    Route("/signup", sign_up, methods=["POST"]),
    Route("/token", token, methods=["POST"]),
    Route("/user", get_user, methods=["GET"]),
    Route("/user", put_user, methods=["PUT"]),
    Route("/logout", log_out, methods=["POST"]),
    Route("/.well-known/jwks.json", jwks, methods=["GET"]),
    Route("/health", health, methods=["GET"]),
    Route("/settings", settings, methods=["GET"]),
    *factors.ROUTES,
    *admin.ROUTES,
    Route("/{path:path}", elsewhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
]
