"""Reading and writing tables: /rest/v1/<table>."""

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from starlette.requests import Request

from local.supabase.catalog import SCHEMA, Relation, find_relation
from local.supabase.errors import RestError, not_here
from local.supabase.query import MAX_ROWS, TARGET, Query, parse_query, split_list, unquote

NOTHING = sql.SQL("")


@dataclass(frozen=True)
class Wishes:
    """What the headers ask for: Prefer, Accept and Range."""

    representation: bool
    count: bool
    resolution: str | None
    single: bool
    range: str | None


@dataclass(frozen=True)
class Answer:
    """A response of the REST service; `body` is JSON text."""

    status: int
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


async def read_table(
    connection: psycopg.AsyncConnection, request: Request, wishes: Wishes, name: str, _: bytes
) -> Answer:
    """GET and HEAD. Raises RestError and psycopg.Error."""
    await connection.execute("set local transaction_read_only to on")
    relation = await find_relation(connection, name)
    query = parse_query(request.query_params.multi_items(), name, relation.columns, wishes.range)
    return await read_rows(connection, sql.Identifier(SCHEMA, name), query, wishes)


async def read_rows(
    connection: psycopg.AsyncConnection,
    source: sql.Composable,
    query: Query,
    wishes: Wishes,
    before: sql.Composable = NOTHING,
) -> Answer:
    """One page of `source`, with the Content-Range that PostgREST gives. `before` may define it: `name as (...), `."""
    target = sql.SQL("{} as {}{}").format(source, sql.Identifier(TARGET), query.where)
    total = sql.SQL("(select count(*) from {})").format(target) if wishes.count else sql.SQL("null::bigint")
    limit = MAX_ROWS if query.limit is None else min(query.limit, MAX_ROWS)
    statement = sql.SQL(
        "with {before}page as (select {columns} from {target}{order} limit {limit} offset {offset}) "
        "select coalesce(json_agg(page), '[]')::text, count(*), {total} from page"
    ).format(
        before=before,
        columns=query.columns,
        target=target,
        order=query.order,
        limit=sql.Literal(limit),
        offset=sql.Literal(query.offset),
        total=total,
    )
    body, rows, counted = await _one(connection, statement)
    if counted is not None and query.offset > counted:
        details = f"An offset of {query.offset} was requested, but there are only {counted} rows."
        raise RestError(416, "PGRST103", "Requested range not satisfiable", details)
    status = 206 if counted is not None and rows < counted else 200
    headers = {"Content-Range": _content_range(query.offset, rows, counted)}
    return Answer(status, _shaped(body, rows, wishes), headers)


async def insert_rows(
    connection: psycopg.AsyncConnection, request: Request, wishes: Wishes, name: str, body: bytes
) -> Answer:
    """POST: one object or a list of them, with `columns`, `on_conflict` and Prefer: resolution=."""
    relation = await find_relation(connection, name)
    rows = _rows_of(body)
    columns = _written_columns(request, relation, rows)
    parameters = [item for item in request.query_params.multi_items() if item[0] == "select"]
    query = parse_query(parameters, name, relation.columns)
    if columns:
        statement = sql.SQL("insert into {table} as {target} ({columns}) select {columns} from {rows} as given").format(
            table=sql.Identifier(SCHEMA, name),
            target=sql.Identifier(TARGET),
            columns=_names(columns),
            rows=sql.SQL("json_populate_recordset(null::{}, {})").format(
                sql.Identifier(SCHEMA, name), sql.Literal(json.dumps(rows))
            ),
        )
        statement += _on_conflict(request, relation, wishes, columns)
    elif len(rows) == 1:
        statement = sql.SQL("insert into {} as {} default values").format(
            sql.Identifier(SCHEMA, name), sql.Identifier(TARGET)
        )
    else:
        return Answer(201, "[]" if wishes.representation else None, {"Content-Range": "*/*"})
    return await _write(connection, statement, query, wishes, 201)


async def update_rows(
    connection: psycopg.AsyncConnection, request: Request, wishes: Wishes, name: str, body: bytes
) -> Answer:
    """PATCH: set the columns of the body on every row that the filters choose."""
    relation = await find_relation(connection, name)
    rows = _rows_of(body)
    if len(rows) != 1:
        raise RestError(400, "PGRST102", "An update takes one object")
    query = _chosen(request, relation, "UPDATE")
    columns = _written_columns(request, relation, rows)
    if not columns:
        return Answer(200, "[]") if wishes.representation else Answer(204)
    assignments = [sql.SQL("{0} = given.{0}").format(sql.Identifier(column)) for column in columns]
    statement = sql.SQL(
        "update {table} as {target} set {assignments} from json_populate_record(null::{table}, {row}) as given{where}"
    ).format(
        table=sql.Identifier(SCHEMA, name),
        target=sql.Identifier(TARGET),
        assignments=sql.SQL(", ").join(assignments),
        row=sql.Literal(json.dumps(rows[0])),
        where=query.where,
    )
    return await _write(connection, statement, query, wishes, 200 if wishes.representation else 204)


async def delete_rows(
    connection: psycopg.AsyncConnection, request: Request, wishes: Wishes, name: str, _: bytes
) -> Answer:
    """DELETE every row that the filters choose."""
    relation = await find_relation(connection, name)
    query = _chosen(request, relation, "DELETE")
    statement = sql.SQL("delete from {} as {}{}").format(
        sql.Identifier(SCHEMA, name), sql.Identifier(TARGET), query.where
    )
    return await _write(connection, statement, query, wishes, 200 if wishes.representation else 204)


async def _write(
    connection: psycopg.AsyncConnection, statement: sql.Composed, query: Query, wishes: Wishes, status: int
) -> Answer:
    if wishes.representation:
        returning = sql.SQL(
            "with changed as ({} returning {}) select coalesce(json_agg(changed), '[]')::text, count(*) from changed"
        )
        body, rows = await _one(connection, returning.format(statement, query.columns))
        shaped = _shaped(body, rows, wishes)
    else:
        # Without RETURNING a caller that may write but not read can write.
        rows = (await connection.execute(statement)).rowcount
        shaped = None
    counted = rows if wishes.count else None
    return Answer(status, shaped, {"Content-Range": f"*/{'*' if counted is None else counted}"})


def _chosen(request: Request, relation: Relation, verb: str) -> Query:
    query = parse_query(
        [item for item in request.query_params.multi_items() if item[0] != "columns"], relation.name, relation.columns
    )
    if query.limit is not None or query.offset:
        raise not_here(f"limited {verb} requests")
    if query.condition is None:
        # Hosted projects load pg-safeupdate for the API.
        raise RestError(400, "21000", f"{verb} requires a WHERE clause")
    return query


def _rows_of(body: bytes) -> list[dict[str, Any]]:
    try:
        given = json.loads(body)
    except ValueError:
        raise RestError(400, "PGRST102", "Empty or invalid json") from None
    rows = given if isinstance(given, list) else [given]
    if not all(isinstance(row, dict) for row in rows):
        raise RestError(400, "PGRST102", "Empty or invalid json")
    return rows


def _written_columns(request: Request, relation: Relation, rows: list[dict[str, Any]]) -> list[str]:
    if "columns" in request.query_params:
        columns = [unquote(item.strip()) for item in split_list(request.query_params["columns"])]
    elif any(row.keys() != rows[0].keys() for row in rows):
        raise RestError(400, "PGRST102", "All object keys must match")
    else:
        columns = list(rows[0]) if rows else []
    for column in columns:
        if column not in relation.columns:
            message = f"Could not find the '{column}' column of '{relation.name}' in the schema cache"
            raise RestError(400, "PGRST204", message)
    return columns


def _on_conflict(request: Request, relation: Relation, wishes: Wishes, columns: list[str]) -> sql.Composable:
    keys = [unquote(item.strip()) for item in split_list(request.query_params.get("on_conflict", ""))]
    keys = keys or list(relation.primary_key)
    if wishes.resolution is None or not keys:
        return sql.SQL("")
    if wishes.resolution == "ignore-duplicates":
        return sql.SQL(" on conflict ({}) do nothing").format(_names(keys))
    assignments = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in columns]
    return sql.SQL(" on conflict ({}) do update set {}").format(_names(keys), sql.SQL(", ").join(assignments))


def _names(columns: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _shaped(body: str, rows: int, wishes: Wishes) -> str:
    """The list, or its only member for a client that accepts a single object."""
    if not wishes.single:
        return body
    if rows != 1:
        details = f"The result contains {rows} rows"
        raise RestError(406, "PGRST116", "Cannot coerce the result to a single JSON object", details)
    return json.dumps(json.loads(body)[0], ensure_ascii=False)


def _content_range(offset: int, rows: int, counted: int | None) -> str:
    total = "*" if counted is None else str(counted)
    return f"{offset}-{offset + rows - 1}/{total}" if rows else f"*/{total}"


async def _one(connection: psycopg.AsyncConnection, statement: sql.Composed) -> tuple[Any, ...]:
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    return row
