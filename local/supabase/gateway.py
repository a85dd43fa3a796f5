"""The local Supabase: one ASGI application that answers /rest/v1 and /auth/v1 over a real PostgreSQL.

For tests and `make dev` only: it listens where its starter puts it (loopback), refuses to be made without an explicit
flag, and is no part of what is deployed. What it does not have it answers with 501 and the name of the thing.
"""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from local.supabase import auth, rest
from local.supabase.errors import (
    AuthError,
    KeyRefused,
    RestError,
    answer_auth_error,
    answer_key_refused,
    answer_rest_error,
)
from local.supabase.keys import SupabaseKeys
from local.supabase.pool import Pool
from local.supabase.project import LOG, Project

FLAG = "PORTERO_LOCAL"


def application(
    dsn: Callable[[str], str],
    keys: SupabaseKeys,
    url: str,
    *,
    clock: Callable[[], float] = time.time,
    local: bool = False,
) -> Starlette:
    """A Supabase project over the database that `dsn(role)` points to, asked at each use of a connection.

    `url` is the base URL that clients use (issuer of the tokens), `clock` gives unix seconds. Raises RuntimeError
    unless `local` is true or the environment says PORTERO_LOCAL=1: this is no server for real users.
    """
    if not local and os.environ.get(FLAG) != "1":
        raise RuntimeError(f"The local Supabase is for development: set {FLAG}=1, or pass local=True.")
    pool = Pool(dsn)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await pool.close()

    made = Starlette(
        routes=[
            Mount("/rest/v1", routes=rest.ROUTES),
            Mount("/auth/v1", routes=auth.ROUTES),
            Route("/{path:path}", _elsewhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        exception_handlers={
            RestError: answer_rest_error,
            AuthError: answer_auth_error,
            KeyRefused: answer_key_refused,
            psycopg.Error: _answer_database_error,
        },
        lifespan=lifespan,
    )
    made.state.project = Project(pool, keys, url.rstrip("/"), clock)
    return made


async def _elsewhere(request: Request) -> Response:
    message = f"The local Supabase does not have {request.url.path}."
    return JSONResponse({"code": "LOCAL501", "message": message, "details": None, "hint": None}, 501)


async def _answer_database_error(request: Request, error: Exception) -> Response:
    # Only /auth/v1 lets these through: for instance a trigger on auth.users that fails.
    LOG.warning("database error at %s: %s", request.url.path, error)
    return await answer_auth_error(request, AuthError(500, "unexpected_failure", f"Database error: {error}"))
