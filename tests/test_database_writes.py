"""Which tables each database function writes: the committed list that the audit compares `writes` of GUARD with.

Read from the catalog: the statements of a function's body, of the functions that it calls, and of the triggers on the
tables that it writes.
"""

import re
from collections.abc import Iterator

import psycopg
import pytest

from local.plan import PROJECT
from tests.isolation.database import migrated_cluster

COMMITTED = PROJECT / "tests" / "output" / "database_writes.txt"
FUNCTIONS = """
select n.nspname || '.' || p.proname, pg_get_functiondef(p.oid)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'private') and p.prokind = 'f' and not exists (
  select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
"""
TRIGGERS = """
select c.relname, n.nspname || '.' || p.proname from pg_trigger t
join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
where not t.tgisinternal
"""
WRITE = re.compile(r"\b(?:insert\s+into|update|delete\s+from)\s+(?:only\s+)?public\.(\w+)", re.IGNORECASE)
# A statement that is put together at run time may write any table: retention is driven by the tables' comments.
ANY_WRITE = re.compile(r"\bexecute\s+format\(\s*'(?:with|insert|update|delete)", re.IGNORECASE)
CALL = re.compile(r"\b((?:public|private)\.\w+)\s*\(")


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    with migrated_cluster() as cluster, psycopg.connect(cluster.dsn()) as opened:
        yield opened


def writes_of(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Table names by function of the schema public."""
    bodies = dict(connection.execute(FUNCTIONS).fetchall())
    triggers: dict[str, set[str]] = {}
    for table, function in connection.execute(TRIGGERS):
        triggers.setdefault(table, set()).add(function)
    writes = {name: {*WRITE.findall(body), *("*" for _ in ANY_WRITE.findall(body))} for name, body in bodies.items()}
    calls = {name: {*CALL.findall(body)} & bodies.keys() for name, body in bodies.items()}
    while True:
        grown = {
            name: tables
            | {table for called in calls[name] for table in writes[called]}
            | {table for own in tables for trigger in triggers.get(own, ()) for table in writes.get(trigger, ())}
            for name, tables in writes.items()
        }
        if grown == writes:
            break
        writes = grown
    public = {name.removeprefix("public."): sorted(tables) for name, tables in writes.items() if "public." in name}
    return {name: tables for name, tables in sorted(public.items()) if tables}


def test_the_committed_list_is_what_the_catalog_says(connection, tmp_path):
    actual = tmp_path / "database_writes.txt"
    actual.write_text("".join(f"{name}: {' '.join(tables)}\n" for name, tables in writes_of(connection).items()))
    assert actual.read_text() == COMMITTED.read_text(), (
        f"You are here because a database function writes other tables: copy {actual} over {COMMITTED.name}, then run "
        "`make audit`, which says whose GUARD changes."
    )


def test_a_write_of_a_called_function_and_of_a_trigger_counts(connection):
    connection.execute("create function private.inner_write() returns void language sql as 'delete from public.plans'")
    connection.execute(
        "create function public.outer_write() returns void language sql as 'select private.inner_write()'"
    )
    assert writes_of(connection)["outer_write"] == ["plans"]
    connection.rollback()
