"""The users of a project: their rows in auth.users, their JSON, their passwords."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from starlette.requests import Request

from local.supabase.errors import AuthError
from local.supabase.keys import AUDIENCE
from local.supabase.pool import fetch_all, fetch_one

AUTH_ADMIN = "supabase_auth_admin"
SHORTEST_PASSWORD = 6
LONGEST_PASSWORD = 72  # bcrypt, which the hosted service uses, reads no more
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

Row = Mapping[str, Any]


async def json_of(request: Request) -> dict[str, Any]:
    """The body of an auth request. Raises AuthError bad_json."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON")
    return body


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A member of the body that is text; "" when absent or null. Raises AuthError bad_json."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise AuthError(400, "bad_json", f"Could not parse request body as JSON: {name} must be a string")
    if value and UNSTORABLE.search(value):
        raise AuthError(400, "bad_json", f"Could not parse request body as JSON: {name} has an invalid character")
    return value or ""


def object_of(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member of the body that is an object; empty when absent or null. Raises AuthError bad_json."""
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise AuthError(400, "bad_json", f"Could not parse request body as JSON: {name} must be an object")
    return value or {}


def uuid_of(request: Request, name: str) -> str:
    """A UUID from the path. Raises AuthError validation_failed."""
    try:
        return str(uuid.UUID(request.path_params[name]))
    except ValueError:
        raise AuthError(404, "validation_failed", f"{name} must be an UUID") from None


def valid_email(text: str) -> str:
    """The address in lower case. Raises AuthError."""
    email = text.strip().lower()
    if EMAIL.fullmatch(email) is None:
        raise AuthError(400, "validation_failed", "Unable to validate email address: invalid format")
    return email


def refuse_weak_password(password: str) -> None:
    """Raise AuthError weak_password, or validation_failed for a password that is too long."""
    if len(password) < SHORTEST_PASSWORD:
        message = f"Password should be at least {SHORTEST_PASSWORD} characters."
        raise AuthError(422, "weak_password", message, ["length"])
    if len(password.encode()) > LONGEST_PASSWORD:
        message = f"Password cannot be longer than {LONGEST_PASSWORD} characters"
        raise AuthError(400, "validation_failed", message)


async def hash_password(password: str) -> str:
    """A salted scrypt hash as text."""
    salt = secrets.token_bytes(16)
    digest = await asyncio.to_thread(_scrypt, password, salt)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


async def is_password(password: str, kept: str | None) -> bool:
    """Whether `password` is the one that was hashed to `kept`."""
    if not kept or not kept.startswith("scrypt$"):
        return False
    salt, digest = map(base64.b64decode, kept.split("$")[1:])
    return hmac.compare_digest(await asyncio.to_thread(_scrypt, password, salt), digest)


async def insert_user(connection: psycopg.AsyncConnection, now: datetime, values: Row) -> dict[str, Any]:
    """Insert a user. `values`: email, encrypted_password, user_metadata; optional id, app_metadata, role.

    Raises AuthError email_exists.
    """
    taken = await fetch_one(connection, "select id from auth.users where email = %s", [values["email"]])
    if taken is not None:
        raise AuthError(422, "email_exists", "A user with this email address has already been registered")
    user = await fetch_one(
        connection,
        """
        insert into auth.users (instance_id, id, aud, role, email, encrypted_password, raw_app_meta_data,
                                raw_user_meta_data, created_at, updated_at)
        values ('00000000-0000-0000-0000-000000000000', %(id)s, %(aud)s, %(role)s, %(email)s, %(password)s,
                %(app)s, %(user)s, %(now)s, %(now)s)
        returning *
        """,
        {
            "id": values.get("id") or uuid.uuid4(),
            "aud": AUDIENCE,
            "role": values.get("role") or AUDIENCE,
            "email": values["email"],
            "password": values["encrypted_password"],
            "app": Jsonb({"provider": "email", "providers": ["email"], **values.get("app_metadata", {})}),
            "user": Jsonb(values["user_metadata"]),
            "now": now,
        },
    )
    assert user is not None
    return user


async def confirm_email(connection: psycopg.AsyncConnection, user: Row, now: datetime) -> dict[str, Any]:
    """Mark the address as confirmed, as the click in a mail would."""
    confirmed = await fetch_one(
        connection,
        """
        update auth.users
        set email_confirmed_at = coalesce(email_confirmed_at, %s), updated_at = %s,
            raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || '{"email_verified": true}'
        where id = %s returning *
        """,
        [now, now, user["id"]],
    )
    assert confirmed is not None
    return confirmed


async def find_user(connection: psycopg.AsyncConnection, user_id: object) -> dict[str, Any] | None:
    """The row of a user, or None."""
    return await fetch_one(connection, "select * from auth.users where id = %s for update", [user_id])


async def factors_of(connection: psycopg.AsyncConnection, user_id: object) -> list[dict[str, Any]]:
    """The rows of a user's factors, oldest first."""
    return await fetch_all(
        connection, "select * from auth.mfa_factors where user_id = %s order by created_at, id", [user_id]
    )


async def user_json(connection: psycopg.AsyncConnection, user: Row) -> dict[str, Any]:
    """The public form of a user, with identity and factors."""
    shown = {
        "id": str(user["id"]),
        "aud": user["aud"],
        "role": user["role"],
        "email": user["email"] or "",
        "phone": user["phone"] or "",
        "app_metadata": user["raw_app_meta_data"] or {},
        "user_metadata": user["raw_user_meta_data"] or {},
        "identities": [_identity(user)] if user["email"] and user["deleted_at"] is None else [],
        "is_anonymous": user["is_anonymous"],
    }
    times = ("email_confirmed_at", "confirmed_at", "last_sign_in_at", "banned_until", "deleted_at")
    shown |= {name: timestamp(user[name]) for name in (*times, "created_at", "updated_at") if user[name] is not None}
    factors = [factor_json(factor) for factor in await factors_of(connection, user["id"])]
    return shown | ({"factors": factors} if factors else {})


def factor_json(factor: Row) -> dict[str, Any]:
    """The public form of a factor: never its secret."""
    return {
        "id": str(factor["id"]),
        "friendly_name": factor["friendly_name"] or "",
        "factor_type": factor["factor_type"],
        "status": factor["status"],
        "created_at": timestamp(factor["created_at"]),
        "updated_at": timestamp(factor["updated_at"]),
    }


def is_banned(user: Row, now: datetime) -> bool:
    """Whether a ban is in force."""
    return user["banned_until"] is not None and user["banned_until"] > now


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1, dklen=32)


def _identity(user: Row) -> dict[str, Any]:
    # The local project keeps no auth.identities: each user has the one identity that its address gives it.
    verified = user["email_confirmed_at"] is not None
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"email/{user['id']}"))
    return {
        "identity_id": identity,
        "id": str(user["id"]),
        "user_id": str(user["id"]),
        "identity_data": {"email": user["email"], "email_verified": verified, "sub": str(user["id"])},
        "provider": "email",
        "email": user["email"],
        "created_at": timestamp(user["created_at"]),
        "updated_at": timestamp(user["updated_at"]),
        "last_sign_in_at": timestamp(user["last_sign_in_at"] or user["created_at"]),
    }
