"""/auth/v1/admin: users and their factors, for the secret key only."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.supabase import factors
from local.supabase.errors import AuthError
from local.supabase.keys import AUDIENCE
from local.supabase.pool import fetch_all, fetch_one
from local.supabase.project import project_of
from local.supabase.sessions import require_admin
from local.supabase.users import (
    AUTH_ADMIN,
    Row,
    confirm_email,
    factor_json,
    factors_of,
    find_user,
    hash_password,
    insert_user,
    json_of,
    object_of,
    refuse_weak_password,
    text_of,
    user_json,
    uuid_of,
    valid_email,
)

PAGE = 50
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


async def create_user(request: Request) -> Response:
    """POST /admin/users."""
    require_admin(request)
    project = project_of(request)
    body = await json_of(request)
    _refuse_missing(body)
    if not text_of(body, "email"):
        raise AuthError(400, "validation_failed", "Cannot create a user without either an email or phone")
    password = text_of(body, "password") or secrets.token_urlsafe(48)
    values = {
        "id": _given_id(body),
        "email": valid_email(text_of(body, "email")),
        "encrypted_password": await hash_password(password),
        "user_metadata": object_of(body, "user_metadata"),
        "app_metadata": object_of(body, "app_metadata"),
        "role": text_of(body, "role"),
    }
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        user = await insert_user(connection, project.now(), values)
        if body.get("email_confirm"):
            user = await confirm_email(connection, user, project.now())
        user = await _ban(connection, user, text_of(body, "ban_duration"), project.now())
        return JSONResponse(await user_json(connection, user))


async def list_users(request: Request) -> Response:
    """GET /admin/users?page=&per_page=, newest first."""
    require_admin(request)
    project = project_of(request)
    try:
        page = max(int(request.query_params.get("page") or 1), 1)
        size = max(int(request.query_params.get("per_page") or PAGE), 1)
    except ValueError:
        raise AuthError(400, "validation_failed", "Bad Pagination Parameters") from None
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        rows = await fetch_all(
            connection,
            "select * from auth.users where deleted_at is null order by created_at desc, id limit %s offset %s",
            [size, (page - 1) * size],
        )
        total = await fetch_one(connection, "select count(*) as users from auth.users where deleted_at is null")
        users = [await user_json(connection, row) for row in rows]
    assert total is not None
    return JSONResponse({"users": users, "aud": AUDIENCE}, headers={"X-Total-Count": str(total["users"])})


async def get_user(request: Request) -> Response:
    """GET /admin/users/{id}."""
    require_admin(request)
    async with project_of(request).pool.transaction(AUTH_ADMIN) as connection:
        return JSONResponse(await user_json(connection, await _user_of(connection, request)))


async def update_user(request: Request) -> Response:
    """PUT /admin/users/{id}."""
    require_admin(request)
    project = project_of(request)
    body = await json_of(request)
    _refuse_missing(body)
    password = text_of(body, "password")
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        user = await _user_of(connection, request)
        if password:
            refuse_weak_password(password)
            await set_password(connection, user["id"], password)
        if text_of(body, "email"):
            await _set_email(connection, user, valid_email(text_of(body, "email")))
        if text_of(body, "role"):
            await connection.execute("update auth.users set role = %s where id = %s", [body["role"], user["id"]])
        user = await set_metadata(connection, user, body, project.now())
        if body.get("email_confirm"):
            user = await confirm_email(connection, user, project.now())
        user = await _ban(connection, user, text_of(body, "ban_duration"), project.now())
        return JSONResponse(await user_json(connection, user))


async def delete_user(request: Request) -> Response:
    """DELETE /admin/users/{id}; with should_soft_delete the row stays, unrecognisable."""
    require_admin(request)
    project = project_of(request)
    soft = (await json_of(request)).get("should_soft_delete")
    async with project.pool.transaction(AUTH_ADMIN) as connection:
        user = await _user_of(connection, request)
        if not soft:
            await connection.execute("delete from auth.users where id = %s", [user["id"]])
            return JSONResponse({})
        shadow = hashlib.sha256(f"{user['id']}{user['email']}".encode()).hexdigest()
        await connection.execute(
            "update auth.users set email = %s, encrypted_password = '', raw_user_meta_data = '{}',"
            " raw_app_meta_data = '{}', deleted_at = %s, updated_at = %s where id = %s",
            [shadow, project.now(), project.now(), user["id"]],
        )
        await connection.execute("delete from auth.mfa_factors where user_id = %s", [user["id"]])
        await connection.execute("delete from auth.sessions where user_id = %s", [user["id"]])
    return JSONResponse({})


async def list_factors(request: Request) -> Response:
    """GET /admin/users/{id}/factors."""
    require_admin(request)
    async with project_of(request).pool.transaction(AUTH_ADMIN) as connection:
        user = await _user_of(connection, request)
        return JSONResponse([factor_json(factor) for factor in await factors_of(connection, user["id"])])


async def delete_factor(request: Request) -> Response:
    """DELETE /admin/users/{id}/factors/{factor}."""
    require_admin(request)
    factor_id = uuid_of(request, "factor_id")
    async with project_of(request).pool.transaction(AUTH_ADMIN) as connection:
        user = await _user_of(connection, request)
        found = [factor for factor in await factors_of(connection, user["id"]) if str(factor["id"]) == factor_id]
        if not found:
            raise AuthError(404, "mfa_factor_not_found", "Factor not found")
        await factors.remove_factor(connection, factor_id)
    return JSONResponse(factor_json(found[0]))


async def set_password(connection: psycopg.AsyncConnection, user_id: object, password: str) -> None:
    """Give a user a new password."""
    hashed = await hash_password(password)
    await connection.execute("update auth.users set encrypted_password = %s where id = %s", [hashed, user_id])


async def set_metadata(
    connection: psycopg.AsyncConnection, user: Row, changes: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Merge `user_metadata` and `app_metadata` of `changes`: a null takes a member away. The changed row."""
    changed = await fetch_one(
        connection,
        "update auth.users set raw_user_meta_data = %s, raw_app_meta_data = %s, updated_at = %s where id = %s"
        " returning *",
        [
            Jsonb(_merged(user["raw_user_meta_data"], object_of(changes, "user_metadata"))),
            Jsonb(_merged(user["raw_app_meta_data"], object_of(changes, "app_metadata"))),
            now,
            user["id"],
        ],
    )
    assert changed is not None
    return changed


def _merged(kept: Mapping[str, Any] | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    both = {**(kept or {}), **changes}
    return {name: value for name, value in both.items() if value is not None}


def _refuse_missing(body: Mapping[str, Any]) -> None:
    for name in ("phone", "password_hash", "nonce"):
        if body.get(name):
            raise AuthError(501, "not_implemented", f"The local Supabase does not have the user attribute {name}.")


def _given_id(body: Mapping[str, Any]) -> str | None:
    try:
        return str(uuid.UUID(text_of(body, "id"))) if body.get("id") else None
    except ValueError:
        raise AuthError(400, "validation_failed", "ID must conform to the uuid v4 format") from None


async def _user_of(connection: psycopg.AsyncConnection, request: Request) -> dict[str, Any]:
    user = await find_user(connection, uuid_of(request, "user_id"))
    if user is None:
        raise AuthError(404, "user_not_found", "User not found")
    return user


async def _set_email(connection: psycopg.AsyncConnection, user: Row, email: str) -> None:
    taken = await fetch_one(connection, "select id from auth.users where email = %s and id <> %s", [email, user["id"]])
    if taken is not None:
        raise AuthError(422, "email_exists", "A user with this email address has already been registered")
    await connection.execute("update auth.users set email = %s where id = %s", [email, user["id"]])


async def _ban(
    connection: psycopg.AsyncConnection, user: dict[str, Any], duration: str, now: datetime
) -> dict[str, Any]:
    """Ban for a duration in Go's notation ("1h30m"), or lift the ban ("none")."""
    if not duration:
        return user
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[hms])", duration)
    if duration != "none" and "".join(map("".join, parts)) != duration:
        raise AuthError(400, "validation_failed", f"invalid format for ban duration: {duration}")
    until = None
    if duration != "none":
        until = now + timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts))
    banned = await fetch_one(
        connection, "update auth.users set banned_until = %s where id = %s returning *", [until, user["id"]]
    )
    assert banned is not None
    return banned


ROUTES = [
    Route("/admin/users", create_user, methods=["POST"]),
    Route("/admin/users", list_users, methods=["GET"]),
    Route("/admin/users/{user_id}", get_user, methods=["GET"]),
    Route("/admin/users/{user_id}", update_user, methods=["PUT"]),
    Route("/admin/users/{user_id}", delete_user, methods=["DELETE"]),
    Route("/admin/users/{user_id}/factors", list_factors, methods=["GET"]),
    Route("/admin/users/{user_id}/factors/{factor_id}", delete_factor, methods=["DELETE"]),
]
