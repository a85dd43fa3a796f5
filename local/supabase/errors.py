"""The error bodies of PostgREST and Supabase Auth."""

from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse

API_VERSION_HEADER = "X-Supabase-Api-Version"
API_VERSION = "2024-01-01"

# https://docs.postgrest.org/en/stable/references/errors.html: SQLSTATE (or its beginning) -> HTTP status.
STATUS_OF_SQLSTATE = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "21000": 400,
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53400": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0001": 400,
    "P0": 500,
    "XX": 500,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
}


class RestError(Exception):
    """An answer of PostgREST that is not a success: {"code", "message", "details", "hint"}."""

    def __init__(self, status: int, code: str, message: str, details: object = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "details": details, "hint": hint}


class AuthError(Exception):
    """An answer of Supabase Auth that is not a success; `code` is one of its error codes."""

    def __init__(self, status: int, code: str, message: str, reasons: list[str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.reasons = reasons


class KeyRefused(Exception):
    """The door in front of both services refuses the API key."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def not_here(thing: str) -> RestError:
    """The answer for what the hosted service has and the local one does not: it never guesses."""
    return RestError(501, "LOCAL501", f"The local Supabase does not have {thing}.")


def status_of(sqlstate: str, anonymous: bool) -> int:
    """The HTTP status that PostgREST gives to a database error."""
    if sqlstate == "42501":
        return 401 if anonymous else 403
    if sqlstate.startswith("PT") and sqlstate[2:].isdigit():
        return int(sqlstate[2:])
    return STATUS_OF_SQLSTATE.get(sqlstate, STATUS_OF_SQLSTATE.get(sqlstate[:2], 400))


def rest_error_of(error: psycopg.Error, anonymous: bool) -> RestError:
    """The PostgREST answer to a database error."""
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:
        # psycopg refuses to send what the server would refuse to read.
        return RestError(400, "22021", 'invalid byte sequence for encoding "UTF8": 0x00')
    if error.sqlstate is None:
        return RestError(503, "PGRST000", "Could not connect with the database.")
    diagnosis = error.diag
    return RestError(
        status_of(error.sqlstate, anonymous),
        error.sqlstate,
        diagnosis.message_primary or str(error),
        diagnosis.message_detail,
        diagnosis.message_hint,
    )


async def answer_rest_error(_: Request, error: Exception) -> JSONResponse:
    """Turn RestError into its response."""
    assert isinstance(error, RestError)
    headers = {"Proxy-Status": f"PostgREST; error={error.body['code']}"}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error.body, error.status, headers)


async def answer_auth_error(request: Request, error: Exception) -> JSONResponse:
    """Turn AuthError into its response, in the newer shape when the client asks for API version 2024-01-01."""
    assert isinstance(error, AuthError)
    body: dict[str, Any] = {"code": error.status, "error_code": error.code, "msg": error.message}
    headers = {}
    if request.headers.get(API_VERSION_HEADER, "") >= API_VERSION:
        body = {"code": error.code, "message": error.message}
        headers[API_VERSION_HEADER] = API_VERSION
    if error.reasons is not None:
        body["weak_password"] = {"reasons": error.reasons}
    return JSONResponse(body, error.status, headers)


async def answer_key_refused(_: Request, error: Exception) -> JSONResponse:
    """Turn KeyRefused into its response."""
    assert isinstance(error, KeyRefused)
    return JSONResponse({"message": str(error), "hint": error.hint}, 401)
