"""The ground that the probes stand on: one connection, the catalog, whose every row is, and what was found."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from tests.isolation.actors import API, INTERNAL, Actor
from tests.isolation.inventory import Inventory, Relation
from tests.isolation.sides import ABSENT, VICTIM, Side

Row = dict[str, Any]
Statement = sql.Composable

# How the database says no: no privilege or policy, no such parent. Anything else means that the probe was badly made.
REFUSALS = {"42501", "23503"}

PRIVILEGES = """
select r.rolname, c.oid::regclass::text, a.attname,
  has_column_privilege(r.oid, c.oid, a.attnum, 'select'), has_column_privilege(r.oid, c.oid, a.attnum, 'insert'),
  has_column_privilege(r.oid, c.oid, a.attnum, 'update'), has_table_privilege(r.oid, c.oid, 'delete')
from pg_roles r, pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
where r.rolname = any (%s) and n.nspname in ('public', 'storage') and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and a.attnum > 0 and not a.attisdropped order by 1, 2, a.attnum
"""


@dataclass(frozen=True)
class Finding:
    """Something that must not be; `probe` is the kind of probe that saw it."""

    probe: str
    actor: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.probe}: {self.actor}, {self.place}: {self.what}"


class Enough(Exception):
    """The first finding was all that was asked for."""


@dataclass
class Grants:
    """The columns that a role may select, insert and update in a relation, and whether it may delete."""

    select: list[str] = field(default_factory=list)
    insert: list[str] = field(default_factory=list)
    update: list[str] = field(default_factory=list)
    delete: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a statement: its rows as text, how many it touched, or the SQLSTATE and message of a refusal.

    `changed` tells whether foreign rows are not what they were.
    """

    rows: str = ""
    touched: int = 0
    refusal: str | None = None
    message: str = ""
    changed: bool = False


class Ground:
    """A superuser's connection in a transaction that is never committed. With `first`, the first finding ends it."""

    def __init__(self, connection: psycopg.Connection, inventory: Inventory, *, first: bool = False) -> None:
        self.connection = connection
        self.inventory = inventory
        self.first = first
        self.findings: list[Finding] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.grants = self._read_grants()
        self.rows = {table.name: self._rows_of(table) for table in inventory.tables}
        self._traces: dict[tuple[Any, ...], str] = {}

    def find(self, probe: str, actor: str, place: str, what: str) -> None:
        """Write a finding down."""
        self.findings.append(Finding(probe, actor, place, what))
        if self.first:
            raise Enough

    def count(self, probe: str, actor: str) -> None:
        """Count one probe."""
        self.counts[actor, probe] += 1

    def rows_of(self, table: Relation, side: Side) -> list[Row]:
        """The rows of a party in a table, as the superuser reads them; values as JSON has them."""
        return [row for row in self.rows.get(table.name, []) if side.is_in(json.dumps(row))]

    def ids_of(self, side: Side) -> set[str]:
        """The ids of a party's rows and people."""
        rows = (row for table in self.inventory.tables for row in self.rows_of(table, side))
        return {str(row["id"]) for row in rows if "id" in row} | {str(person) for person in side.people}

    def own_rows(self, table: Relation, actor: Actor) -> list[Row]:
        """The victim's rows, translated to the actor's own party: what it would have if it had the same."""
        return [spoken_by(actor, translate(row, VICTIM, actor.own or ABSENT)) for row in self.rows_of(table, VICTIM)]

    def attempt(
        self,
        actor: Actor,
        statement: Statement,
        values: Row | None = None,
        *,
        clear: tuple[Relation, Side] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> Outcome:
        """Run a statement as the actor, look at everybody else's rows, undo it.

        With `clear`, the rows of that party in that table are taken out of the way first, as a superuser does.
        """
        with Actor("superuser", "none").acting(self.connection):
            if clear is not None:
                self._clear(*clear)
            if prepare is not None:
                prepare()
            before = self.trace(actor, clear)
            actor.become(self.connection)
            try:
                cursor = self.connection.execute(statement, values or {})
                rows = repr(cursor.fetchall()) if cursor.description else ""
            except psycopg.Error as error:
                message = error.diag.message_primary or ""
                return Outcome(refusal=error.sqlstate, message=f"{message} {error.diag.message_detail or ''}".strip())
            touched = cursor.rowcount
            self.connection.execute("select set_config('role', 'none', true)")
            return Outcome(rows, touched, changed=self._trace(actor) != before)

    def trace(self, actor: Actor, situation: Any = None) -> str:
        """A digest of everything that is foreign to the actor, kept for each situation."""
        key = (actor.foreign, None if situation is None else (situation[0].name, situation[1]))
        if key not in self._traces:
            self._traces[key] = self._trace(actor)
        return self._traces[key]

    def _trace(self, actor: Actor) -> str:
        pattern = "|".join(side.pattern for side in actor.foreign)
        parts = [
            f"select md5(string_agg(t.ctid::text || t::text, ',' order by t.ctid))"
            f" from {table.schema}.{table.name} t where t::text ~ '{pattern}'"
            for table in self.inventory.tables
        ]
        return str(self.connection.execute(" union all ".join(parts)).fetchall())

    def _clear(self, table: Relation, side: Side) -> None:
        # Without triggers, so that nothing else goes with the rows.
        self.connection.execute("select set_config('session_replication_role', 'replica', true)")
        self.connection.execute(f"delete from {table.schema}.{table.name} t where t::text ~ '{side.pattern}'")
        self.connection.execute("select set_config('session_replication_role', 'origin', true)")

    def _rows_of(self, table: Relation) -> list[Row]:
        query = f"select to_jsonb(t) from {table.schema}.{table.name} t"
        return [row[0] for row in self.connection.execute(query)]

    def _read_grants(self) -> dict[tuple[str, str], Grants]:
        grants: dict[tuple[str, str], Grants] = {}
        for role, name, column, select, insert, update, delete in self.connection.execute(
            PRIVILEGES, [[*API, *INTERNAL]]
        ):
            mine = grants.setdefault((role, name.removeprefix("public.")), Grants())
            mine.select += [column] if select else []
            mine.insert += [column] if insert else []
            mine.update += [column] if update else []
            mine.delete = delete
        return grants

    def granted(self, actor: Actor, relation: Relation) -> Grants:
        """What the actor's role may do with a relation."""
        name = relation.name if relation.schema == "public" else f"{relation.schema}.{relation.name}"
        return self.grants.get((actor.role, name), Grants())


def translate(row: Row, source: Side, target: Side) -> Row:
    """The row as it would be if it were another party's."""
    text = json.dumps(row)
    for was, becomes in (
        (source.letter * 8, target.letter * 8),
        (f"canary-{source.letter}", f"canary-{target.letter}"),
        (f"77{ord(source.letter)}", f"77{ord(target.letter)}"),
    ):
        text = text.replace(was, becomes)
    translated: Row = json.loads(text)
    return translated


def spoken_by(actor: Actor, row: Row) -> Row:
    """The row with the actor itself in the place of a person."""
    user = actor.claims.get("sub")
    people = {str(person) for side in (VICTIM, actor.own or ABSENT) for person in side.people}
    return {name: user if user and str(value) in people else value for name, value in row.items()}


def neutral(message: str) -> str:
    """A message without ids and texts of a party, so that two can be compared."""
    message = re.sub(r'policy "\w+" ', "policy ", message)
    return re.sub(r"[a-f]{8}-0000-4000-8000-\d{12}|canary-[a-f][^\"')]*|77\d{9,10}", "…", message)


def relation_name(relation: Relation) -> sql.Composable:
    """The qualified name."""
    return sql.Identifier(relation.schema, relation.name)


def insertion(table: Relation, row: Row, rest: str = "") -> Statement:
    """An insert of a JSON row: the columns that the row has, cast by the table's own types."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in row if name in table.columns)
    return sql.SQL("insert into {0} ({1}) select {1} from jsonb_populate_record(null::{0}, %(row)s::jsonb) {2}").format(
        relation_name(table),
        names,
        sql.SQL(rest),  # type: ignore[arg-type]
    )
