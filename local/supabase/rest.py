"""/rest/v1: the part of PostgREST that the project calls. Everything else is a 501 that names itself."""

import json
from collections.abc import Awaitable, Callable

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.supabase.access import ANON, Caller, caller_of
from local.supabase.catalog import SCHEMA
from local.supabase.errors import RestError, not_here, rest_error_of
from local.supabase.project import project_of
from local.supabase.rpc import call
from local.supabase.tables import Answer, Wishes, delete_rows, insert_rows, read_table, update_rows

AUTHENTICATOR = "authenticator"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
OBJECT = "application/vnd.pgrst.object+json"
REPRESENTATIONS = ("*/*", "application/json", "application/vnd.pgrst.array+json", OBJECT)

Work = Callable[[psycopg.AsyncConnection, Request, Wishes, str, bytes], Awaitable[Answer]]
WORK: dict[str, Work] = {
    "GET": read_table,
    "HEAD": read_table,
    "POST": insert_rows,
    "PATCH": update_rows,
    "DELETE": delete_rows,
}
RESOLUTIONS = ("merge-duplicates", "ignore-duplicates")

# PostgREST takes over the statement time-out of the role that it acts as; a setting of a role counts at log-in only.
IDENTIFY = """
select set_config('search_path', '"public", "extensions"', true),
       set_config('statement_timeout', coalesce(
           (select split_part(setting, '=', 2) from pg_roles, unnest(rolconfig) as setting
            where rolname = %(role)s and setting like 'statement_timeout=%%'),
           current_setting('statement_timeout')), true),
       set_config('request.jwt.claims', %(claims)s, true),
       set_config('request.method', %(method)s, true),
       set_config('request.path', %(path)s, true),
       set_config('role', %(role)s, true)
"""


async def answer_function(request: Request) -> Response:
    """Call a function."""
    if request.method not in ("POST", "GET", "HEAD"):
        raise RestError(405, "PGRST101", f"Cannot use the {request.method} method on RPC")
    return await _answer(request, call, request.path_params["function"])


async def answer_table(request: Request) -> Response:
    """Read or write a table."""
    if request.method not in WORK:
        raise not_here(f"{request.method} on a table")
    return await _answer(request, WORK[request.method], request.path_params["table"])


async def answer_root(request: Request) -> Response:
    """The hosted service describes itself here (OpenAPI)."""
    project = project_of(request)
    caller_of(request, project.keys, project.clock())
    raise not_here("the OpenAPI description")


ROUTES = [
    Route("/rpc/{function}", answer_function, methods=METHODS),
    Route("/{table}", answer_table, methods=METHODS),
    Route("/", answer_root, methods=METHODS),
]


async def _answer(request: Request, work: Work, name: str) -> Response:
    project = project_of(request)
    caller = caller_of(request, project.keys, project.clock())
    wishes = _wishes_of(request)
    body = await request.body()
    try:
        async with project.pool.transaction(AUTHENTICATOR) as connection:
            await _identify(connection, caller, request)
            answer = await work(connection, request, wishes, name, body)
    except psycopg.Error as error:
        raise rest_error_of(error, caller.role == ANON) from error
    content = None if request.method == "HEAD" else answer.body
    kind = f"{OBJECT if wishes.single else 'application/json'}; charset=utf-8"
    return Response(content, answer.status, answer.headers, None if answer.body is None else kind)


async def _identify(connection: psycopg.AsyncConnection, caller: Caller, request: Request) -> None:
    values = {
        "role": caller.role,
        "claims": json.dumps(caller.claims),
        "method": request.method,
        "path": request.url.path,
    }
    await connection.execute(IDENTIFY, values)


def _wishes_of(request: Request) -> Wishes:
    """Read Prefer (RFC 7240), Accept, Range, the profile and the content type. Raises RestError (406, 501)."""
    for header in ("accept-profile", "content-profile"):
        schema = request.headers.get(header, SCHEMA)
        if schema != SCHEMA:
            hint = f"Only the following schemas are exposed: {SCHEMA}"
            raise RestError(406, "PGRST106", f"Invalid schema: {schema}", None, hint)
    accept = request.headers.get("accept", "*/*")
    if not any(accepted.strip() in REPRESENTATIONS for accepted in accept.split(",")):
        raise not_here(f"the representation {accept}")
    content_type = request.headers.get("content-type", "application/json").partition(";")[0]
    if request.method in ("POST", "PATCH") and content_type != "application/json":
        raise not_here(f"the content type {content_type}")
    preferences = _preferences_of(request)
    return Wishes(
        representation=preferences.get("return") == "representation",
        count=preferences.get("count") == "exact",
        resolution=preferences.get("resolution"),
        single=OBJECT in accept,
        range=request.headers.get("range", "").removeprefix("items=") or None,
    )


def _preferences_of(request: Request) -> dict[str, str]:
    preferences: dict[str, str] = {}
    for header in request.headers.getlist("prefer"):
        for item in header.split(","):
            name, _, value = item.strip().partition("=")
            preferences.setdefault(name, value)
    if preferences.get("count", "exact") != "exact":
        raise not_here(f"Prefer: count={preferences['count']}")
    if preferences.get("missing", "null") != "null":
        raise not_here(f"Prefer: missing={preferences['missing']}")
    if preferences.get("resolution", RESOLUTIONS[0]) not in RESOLUTIONS:
        raise not_here(f"Prefer: resolution={preferences['resolution']}")
    for name in ("max-affected", "tx", "timezone"):
        if name in preferences:
            raise not_here(f"Prefer: {name}")
    return preferences
