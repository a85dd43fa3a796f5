"""POST and GET /rest/v1/rpc/<function>."""

import json
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql
from starlette.requests import Request

from local.supabase.catalog import SCHEMA, Function, find_function
from local.supabase.errors import RestError, not_here
from local.supabase.query import MAX_ROWS, RESERVED, parse_query
from local.supabase.tables import Answer, Wishes, read_rows


async def call(connection: psycopg.AsyncConnection, request: Request, wishes: Wishes, name: str, body: bytes) -> Answer:
    """Call the function with the named arguments of the body (POST) or of the query string (GET, HEAD).

    Raises RestError and psycopg.Error.
    """
    parameters = [(key, value) for key, value in request.query_params.multi_items() if key != "apikey"]
    if request.method == "POST":
        arguments = _arguments_of(body)
        function = await find_function(connection, name, frozenset(arguments))
    else:
        # A GET mixes arguments with the filters of the result; only the function's own names are arguments.
        given = frozenset(key for key, value in parameters if key not in RESERVED)
        function = await find_function(connection, name, given)
        arguments = {key: _argument(function, key, value) for key, value in parameters if key in given}
        parameters = [(key, value) for key, value in parameters if key not in given]
    if not function.volatile or request.method != "POST":
        await connection.execute("set local transaction_read_only to on")
    source = _call_of(function, arguments)
    if function.void:
        await connection.execute(sql.SQL("select {}").format(source))
        return Answer(204)
    if function.columns is None:
        if parameters:
            raise not_here(f"filters on a result without columns ({parameters[0][0]})")
        return await _scalars(connection, function, source)
    query = parse_query(parameters, name, function.columns, wishes.range)
    if not function.returns_set:
        wishes = replace(wishes, single=True)
    # Materialised, so that a count beside the page does not call the function twice.
    called = sql.SQL("result as materialized (select * from {}), ").format(source)
    return await read_rows(connection, sql.Identifier("result"), query, wishes, called)


async def _scalars(connection: psycopg.AsyncConnection, function: Function, source: sql.Composable) -> Answer:
    if function.returns_set:
        statement = sql.SQL(
            "select coalesce(json_agg(value), '[]')::text from (select * from {} limit {}) as page(value)"
        ).format(source, sql.Literal(MAX_ROWS))
    else:
        statement = sql.SQL("select coalesce(to_json({}), 'null')::text").format(source)
    row = await (await connection.execute(statement)).fetchone()
    return Answer(200, row[0] if row else "null")


def _arguments_of(body: bytes) -> dict[str, Any]:
    try:
        arguments = json.loads(body or b"{}")
    except ValueError:
        raise RestError(400, "PGRST102", "Empty or invalid json") from None
    if not isinstance(arguments, dict):
        raise RestError(400, "PGRST102", "Empty or invalid json")
    return arguments


def _argument(function: Function, name: str, text: str) -> Any:
    if function.arguments[name] not in ("json", "jsonb"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise RestError(400, "22P02", "invalid input syntax for type json") from None


def _call_of(function: Function, arguments: dict[str, Any]) -> sql.Composable:
    """`public.name("a" => ..., "b" => ...)`: each value goes through the JSON input of its argument's type."""
    values = [_value_of(name, function.arguments[name], value) for name, value in arguments.items()]
    named = sql.SQL(", ").join(values)
    return sql.SQL("{}({})").format(sql.Identifier(SCHEMA, function.name), named)


def _value_of(name: str, kind: str, value: Any) -> sql.Composable:
    # json_to_record is what PostgREST uses: arrays, vectors, composites and timestamps are read as it reads them.
    document = sql.Literal(json.dumps({name: value}))
    reading = sql.SQL("(select * from json_to_record({}) as given({} {}))")
    return sql.SQL("{} => {}").format(
        sql.Identifier(name),
        reading.format(document, sql.Identifier(name), sql.SQL(kind)),
    )
